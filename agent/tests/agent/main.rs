//! The real binary on a real kernel. Needs root, `ip` (iproute2) and a kernel with veth; every
//! test lives in network namespaces of its own, and every process is ended by its pid.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod adverts;
mod announced;
mod assigned;
mod cached;
mod change;
mod following;
mod group;
mod guard;
mod lab;
mod life;
mod local;
mod process;
mod programs;
mod realtime;
mod restart;
mod server;
mod session;
mod signed;
mod six;
mod strangers;
mod takeover;
mod trouble;
