//! Clients that count what they lose.
//!
//! Three kinds: [`Pinger`] asks every millisecond with an echo (ICMP or ICMPv6) and knows the
//! length of every gap; [`Requester`] opens a new TCP connection for each HTTP request and counts
//! what fails; [`TcpClients`] do without HTTP and keep connections as well. Beside them
//! [`AdvertWatch`] listens to what the routers say.

mod adverts;
mod flusher;
mod http;
mod icmp;
mod losses;
mod tcp;

pub use self::adverts::{Advert, AdvertWatch};
pub use self::http::{HttpReport, Pace, Requester, request_until};
pub use self::icmp::{Neighbour, Pinger, ping};
pub use self::losses::{Gap, Losses};
pub use self::tcp::{EchoServer, TcpClients, TcpReport};
