//! What a control server costs when it has a fleet: many agents in one process, each the session
//! client of the real agent over a connection of its own, with nothing behind it. Used by the
//! benchmarks, through the `swarm` program or directly.
//!
//! Deliberately absent: a kernel, an engine, checks. A simulated agent accepts what it is pushed
//! and reports at once that it runs it.

pub mod agent;
pub mod cli;
pub mod delay;
pub mod fanout;
pub mod fleet;
pub mod idle;
pub mod process;
pub mod raw;
pub mod swarm;
