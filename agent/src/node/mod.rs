//! The VRRP thread: a plain loop (ppoll, no async runtime) that owns the engine's routers, the
//! VRRP sockets and the announcer, and joins them to the kernel (`net`) and to the checks.
//! Nothing here waits for anything but the next packet, message or deadline.
//!
//! Everybody else talks to it through [`Node`]: commands in; a coalesced
//! [`NodeReport`](vipfleet_model::NodeReport), a bounded stream of [`Notice`]s and the latest
//! interface facts out.

mod announce;
mod apply;
mod deadlines;
mod event_loop;
mod group;
mod handle;
pub mod health;
mod instance;
mod instances;
mod kernel;
mod lan;
mod moves;
mod outputs;
mod port;
mod prepare;
mod prepared;
mod replace;
mod report;
mod resume;
mod sleep;
mod source;
mod succession;
mod wake;
mod warnings;

pub use self::event_loop::{Options, spawn};
pub use self::handle::{Command, Ending, Node, NodeStopped, Notice, Notices};
pub use self::prepare::{Prepared, prepare};
pub use self::prepared::{PreparedInstance, PreparedInstances};
pub use self::resume::Former;
pub use self::succession::{Inherited, NotNow, Past};
