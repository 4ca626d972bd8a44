//! Everybody who asks for a VIP while it moves: one warm client whose echoes are counted, one whose
//! neighbour entry is removed all the time, and TCP clients, new ones and ones that stay.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use vipfleet_tests::lab::Lab;
use vipfleet_tests::probe::{EchoServer, Losses, Neighbour, Pinger, TcpClients, TcpReport};

use crate::line::{Readings, Row, Target, Unit, milliseconds};

const COLD: Neighbour = Neighbour::FlushedEvery(Duration::from_millis(20));
const REGULARS: usize = 4;

/// The rows beside the row of a line.
#[derive(Debug, Clone, Copy)]
pub struct Beside {
    /// Of the longest gap that the cold client saw.
    pub cold: &'static str,
    /// Of the new connections that failed.
    pub newcomers: &'static str,
    /// Of the open connections that broke.
    pub regulars: &'static str,
}

impl Beside {
    /// By their ids.
    pub const fn rows_of(
        cold: &'static str,
        newcomers: &'static str,
        regulars: &'static str,
    ) -> Self {
        Self { cold, newcomers, regulars }
    }

    /// As the table has them.
    pub fn rows(&self) -> [Row; 3] {
        let row = |id, work, unit| Row { id, work, unit, limit: "", target: Target::Open };
        [
            row(
                self.cold,
                "the longest gap of a client that knows no neighbour",
                Unit::Milliseconds,
            ),
            row(self.newcomers, "new TCP connections not made within 100 ms", Unit::Count),
            row(self.regulars, "open TCP connections broken, of 4", Unit::Count),
        ]
    }

    /// What the clients found.
    pub fn readings(&self, found: &Found, readings: Readings) -> Readings {
        readings
            .with(self.cold, milliseconds(found.cold.longest_gap()))
            .with(self.newcomers, found.tcp.failed as f64)
            .with(self.regulars, found.tcp.broken as f64)
    }
}

/// Running clients, and what they talk to.
#[derive(Debug)]
pub struct Clients {
    warm: Pinger,
    cold: Pinger,
    tcp: TcpClients,
    _servers: [EchoServer; 2],
}

/// What they found.
#[derive(Debug)]
pub struct Found {
    /// Echoes of the warm client.
    pub warm: Losses,
    /// What the times of its gaps are counted from.
    pub began: Instant,
    /// Echoes of the cold one.
    pub cold: Losses,
    /// Connections.
    pub tcp: TcpReport,
}

impl Clients {
    /// Starts all of them.
    pub fn start(lab: &Lab, vip: IpAddr) -> Self {
        let servers = ["n1", "n2"].map(|name| EchoServer::start(lab.host(name)));
        let client = lab.host("client");
        let tcp = TcpClients::start(client, vip, REGULARS);
        let cold = Pinger::start(lab.host("ctl"), vip, COLD);
        Self { warm: Pinger::start(client, vip, Neighbour::Warm), cold, tcp, _servers: servers }
    }

    /// Stops them.
    pub fn finish(self) -> Found {
        let began = self.warm.start_time();
        let warm = self.warm.finish();
        Found { warm, began, cold: self.cold.finish(), tcp: self.tcp.finish() }
    }
}
