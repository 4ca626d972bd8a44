//! One replica, or two on one etcd, as agents and clients meet them: over gRPC on loopback, each
//! replica on a runtime of its own, so that a test can end it as abruptly as SIGKILL would.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agent;
mod applying;
mod convergence;
#[cfg(feature = "etcd")]
mod etcd;
mod lifecycle;
mod moves;
mod outage;
mod process;
mod reading;
#[cfg(feature = "etcd")]
mod replicas;
mod samples;
mod sessions;
mod status;
mod transitions;
