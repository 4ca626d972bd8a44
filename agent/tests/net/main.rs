//! The net module against a real kernel. Needs root, `ip` (iproute2) and a kernel with veth;
//! every test lives in network namespaces of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod agent;
mod allocation;
mod device;
mod drift;
mod foreign;
mod freeze;
mod interface;
mod lab;
mod lease;
mod probe;
mod restart;
mod routes;
mod scale;
mod silent;
mod six;
mod wire;
mod wire6;
