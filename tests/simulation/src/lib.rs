//! Fleets of real VRRP engines on a virtual LAN and clock, judged from outside.
//!
//! A seed draws a [`Plan`]: hosts, instances, and what befalls them. [`run`] drives the engine
//! through its bytes as the agent does, and checkers that see only what an observer could see
//! condemn what must not happen. [`shrink()`] makes a failing plan small. `docs/simulation.md` says
//! how to read a trace.

mod chance;
pub mod checker;
pub mod cli;
mod daemon;
mod definition;
mod host;
mod keepalived;
mod kernel;
mod mutation;
mod network;
pub mod plan;
mod shrink;
mod simulation;
pub mod soak;
mod tally;
mod trace;
pub mod world;

pub use chance::Chance;
pub use checker::Violation;
pub use definition::Definition;
pub use mutation::Mutation;
pub use plan::Plan;
pub use shrink::shrink;
pub use simulation::{Elected, Outcome, measure, run};
pub use trace::Trace;
