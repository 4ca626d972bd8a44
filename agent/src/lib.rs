//! The node agent: runs VRRP on its host, keeps VIPs in the kernel under leases, watches checks,
//! and holds a session with a control server that it can do without.
//!
//! `net`, `checks` and `uplink` never name each other: [`node`] joins the engine to the kernel on
//! the VRRP thread, [`supervisor`] joins everything else on the async runtime. [`guard`] is both
//! ends of the process beside the agent.

pub mod arrival;
pub mod cache;
pub mod checks;
pub mod guard;
pub mod hooks;
pub mod local_api;
pub mod log;
pub mod memory;
pub mod net;
pub mod node;
pub mod options;
pub mod outbox;
pub mod realtime;
pub mod received;
pub mod standalone;
pub mod succession;
pub mod supervisor;
pub mod uplink;
pub mod vital;

pub use options::Options;
