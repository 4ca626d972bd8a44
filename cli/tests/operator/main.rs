//! vipctl as its operator meets it: the program itself, its exit codes and what it prints,
//! against nothing at all or against a server that says what the test wants.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod changes;
mod editing;
mod export;
mod fake;
mod moves;
mod offline;
mod reading;
mod terminal;
mod waiting;
mod watching;
