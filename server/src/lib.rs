//! The control server: keeps definitions in a store, derives what each node must run, pushes it
//! to the agents, and knows who has each VIP.
//!
//! `api` calls `store` and `fleet`, `session` likewise; nothing calls `api`. The agents' data
//! plane never waits for any of it.

pub mod api;
pub mod epoch;
pub mod fleet;
pub mod listen;
pub mod options;
pub mod serve;
pub mod session;
pub mod store;

pub use options::Options;
