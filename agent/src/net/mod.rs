//! The agent's hands on the kernel. Two callers, two halves:
//!
//! * the VRRP thread owns [`VrrpSocket`] and [`Announcer`] and reads [`clock`]; nothing here
//!   makes it wait;
//! * the *net thread* behind [`Net`] owns netlink: it keeps every desired address on its
//!   interface under a kernel lease, hands it over silently, watches links and addresses, and
//!   says what the kernel really holds through [`Events`].
//!
//! Absent on purpose: VRRP itself, checks, anything about the server. This module knows names of
//! instances only to say whose address it talks about.

mod actor;
pub(crate) mod address;
mod advert;
pub mod announce;
pub mod arp;
mod batch;
pub mod clock;
mod converge;
mod device;
mod echo;
mod error;
pub mod event;
mod handover;
pub mod heartbeat;
mod inbox;
mod interface;
pub mod ipv6;
pub mod lease;
mod ledger;
mod mirror;
pub mod neighbour;
mod netlink;
mod place;
mod readiness;
mod recording;
mod renewal;
pub mod request;
mod route;
mod routing;
pub(crate) mod shared_memory;
pub mod socket;
pub(crate) mod startup;
mod sysctl;
mod thread;
mod timestamp;
mod truth;
mod wants;
mod watch;
mod wish;

pub use announce::{Announcer, Outlet};
pub use clock::SuspendWatch;
pub use device::Device;
pub use error::{Fault, NetError};
pub use event::{Drift, Event, Events, InterfaceState, Leftover, Origin};
pub use heartbeat::{Heartbeat, Slot};
pub use ipv6::Ipv6State;
pub use lease::{Cadence, LeaseTerms};
pub use ledger::check as check_ledger;
pub use neighbour::Role;
pub use request::{Desire, Request, RequestError};
pub use routing::Following;
pub use socket::{Incoming, Outgoing, Packet, Rest, VrrpSocket};
pub use thread::{Net, Options};
