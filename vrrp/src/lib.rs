//! The VRRP engine of vipfleet, for RFC 9568 (VRRPv3) and RFC 3768 (VRRPv2).
//!
//! Sans-IO: no socket, no clock, no async. A driver hands [`Router::handle`] what happened and
//! when, drains [`Router::poll_output`] in order, and comes back at [`Router::next_deadline`].
//! Equal inputs give equal outputs.
//!
//! One vocabulary everywhere: MASTER (RFC 9568 says Active), BACKUP, FAULT, INIT.

mod announcer;
mod checksum;
pub mod config;
mod coordinated;
mod custody;
mod departed;
pub mod encode;
pub mod group;
pub mod input;
pub mod output;
pub mod packet;
pub mod past;
pub mod router;
pub mod state;
pub mod takeover;
#[cfg(test)]
mod testing;
pub mod time;
mod timers;
pub mod trailer;
mod warnings;

pub use config::{
    Announcements, Authentication, ChecksumForm, Config, ConfigError, Content, Destination,
    Election, Family, Member, Preemption, Priority, Standing, Takeover, Version, Vrid,
};
pub use encode::Message;
pub use group::Follow;
pub use input::{Health, Input, ResignReason};
pub use output::{Custody, Discard, Output, Reason, Transition, Transmission, Warning};
pub use packet::{Advertisement, Envelope, PROTOCOL, parse};
pub use past::{Past, Unsettled};
pub use router::Router;
pub use state::StateName;
pub use takeover::Pace;
pub use time::{Time, WallTime};
pub use trailer::{Enforcement, Freshness, Key, Keyring};
