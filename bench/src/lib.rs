//! Side-by-side measurements: each line of the table is one piece of work, done by keepalived (or
//! another yardstick) and by ours in turn, several times each, on one machine and in one run.
//!
//! [`conduct`] runs lines and keeps every reading; [`table`], [`document`] and [`chart`] are pure
//! functions of what was kept. What a line does is in [`lines`].

pub mod accounts;
pub mod chart;
pub mod churn;
pub mod clients;
pub mod conduct;
pub mod document;
pub mod growth;
pub mod line;
pub mod lines;
pub mod machine;
pub mod record;
pub mod scene;
pub mod sender;
pub mod setup;
pub mod standstill;
pub mod statistics;
pub mod table;
pub mod wire;
