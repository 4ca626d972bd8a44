//! The laboratory: hosts made of namespaces on one machine, real daemons in them, and probers that
//! count what a client loses. Used by the end-to-end tests in `tests/`, by the demo and by the
//! benchmarks.
//!
//! The laboratory knows the daemons only as programs: it links no crate of the product, so that
//! what it sees is what an operator would see. It needs root, because it makes namespaces.
//!
//! Helpers here panic when the machine does not do what they ask: a broken laboratory is not a
//! result. What a test wants to judge is returned as a value.

pub mod change;
pub mod daemons;
pub mod dissect;
pub mod fleet;
pub mod house;
pub mod kernel;
pub mod lab;
pub mod ledger;
pub mod matrix;
pub mod moves;
pub mod overlap;
pub mod pair;
pub mod probe;
pub mod process;
pub mod upgrade;
pub mod wait;
