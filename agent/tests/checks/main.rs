//! Checks against real processes, listeners and interfaces.
#![cfg(test)]

mod configure;
mod exec;
mod interface;
mod network;
mod process;
mod scene;
