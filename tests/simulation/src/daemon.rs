//! A router of one instance on one host, whichever program it is of. Bytes in, bytes out.

use crate::keepalived::Keepalived;
use crate::plan::Program;
use std::net::IpAddr;
use vipfleet_vrrp::{Config, Input, Message, Output, Pace, Router, Time, Transmission};

#[derive(Debug)]
pub(crate) enum Daemon {
    Vipfleet(Box<Router>),
    Keepalived(Box<Keepalived>),
}

impl Daemon {
    /// A router in INIT.
    pub(crate) fn new(config: Config, pace: Pace, address: IpAddr, program: Program) -> Self {
        match program {
            Program::Vipfleet => {
                let router =
                    Router::with_pace(config, pace).expect("plans hold valid configurations");
                Self::Vipfleet(Box::new(router))
            }
            Program::Keepalived => Self::Keepalived(Box::new(Keepalived::new(config, address))),
        }
    }

    pub(crate) fn handle(&mut self, now: Time, input: Input<'_>) {
        match self {
            Self::Vipfleet(router) => router.handle(now, input),
            Self::Keepalived(keepalived) => keepalived.handle(now, input),
        }
    }

    pub(crate) fn handle_deadlines(&mut self, now: Time) {
        match self {
            Self::Vipfleet(router) => router.handle_deadlines(now),
            Self::Keepalived(keepalived) => keepalived.handle_deadlines(now),
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Time> {
        match self {
            Self::Vipfleet(router) => router.next_deadline(),
            Self::Keepalived(keepalived) => keepalived.next_deadline(),
        }
    }

    pub(crate) fn poll_output(&mut self) -> Option<Output> {
        match self {
            Self::Vipfleet(router) => router.poll_output(),
            Self::Keepalived(keepalived) => keepalived.poll_output(),
        }
    }

    pub(crate) fn config(&self) -> &Config {
        match self {
            Self::Vipfleet(router) => router.config(),
            Self::Keepalived(keepalived) => keepalived.config(),
        }
    }

    pub(crate) fn encode(
        &self,
        transmission: Transmission,
        source: IpAddr,
        destination: IpAddr,
        bytes: &mut Vec<u8>,
    ) {
        match self {
            Self::Vipfleet(router) => router.encode(transmission, source, destination, bytes),
            Self::Keepalived(keepalived) => {
                let config = keepalived.config();
                Message {
                    version: config.version,
                    vrid: config.vrid,
                    priority: transmission.priority.map_or(0, |priority| priority.get()),
                    interval: config.interval,
                    authentication: config.authentication.clone(),
                    checksum: config.checksum,
                    addresses: &config.addresses,
                }
                .encode(source, destination, bytes);
            }
        }
    }
}
