//! One etcd with a directory of its own.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::lab::Host;
use crate::process::Process;
use crate::wait;

/// A single-member etcd. It can be ended and started again on the same data.
#[derive(Debug)]
pub struct Etcd<'lab> {
    host: &'lab Host,
    data: PathBuf,
    client_port: u16,
    peer_port: u16,
    process: Process,
}

impl<'lab> Etcd<'lab> {
    /// Starts it on the loopback of a host and waits until it answers.
    #[track_caller]
    pub fn start(host: &'lab Host) -> Self {
        let data = host.directory().join("etcd");
        let [client_port, peer_port] = host.within(free_ports);
        let process = launch(host, &data, client_port, peer_port);
        Self { host, data, client_port, peer_port, process }
    }

    /// The URL that clients on the same host use.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.client_port)
    }

    /// Kills it as a crash would.
    #[track_caller]
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Stops or continues it without ending it.
    #[track_caller]
    pub fn signal(&mut self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Starts it again, with the same data and on the same port.
    #[track_caller]
    pub fn restart(&mut self) {
        if self.process.is_running() {
            self.process.kill();
        }
        self.process = launch(self.host, &self.data, self.client_port, self.peer_port);
    }
}

#[track_caller]
fn launch(host: &Host, data: &PathBuf, client_port: u16, peer_port: u16) -> Process {
    let client = format!("http://127.0.0.1:{client_port}");
    let peer = format!("http://127.0.0.1:{peer_port}");
    let mut command = Command::new(super::installed("etcd", "etcd-server"));
    command.arg("--data-dir").arg(data);
    command.args(["--name", "lab", "--listen-client-urls", &client]);
    command.args(["--advertise-client-urls", &client, "--listen-peer-urls", &peer]);
    command.args(["--initial-advertise-peer-urls", &peer]);
    command.args(["--initial-cluster", &format!("lab={peer}")]);
    let process = host.start("etcd", command);
    let mut health = Command::new(super::installed("etcdctl", "etcd-client"));
    health.env("ETCDCTL_API", "3").args(["--endpoints", &client, "endpoint", "health"]);
    wait::until(
        "etcd to be healthy",
        wait::GENEROUS,
        || {
            let connected = host.within(move || {
                let address = (Ipv4Addr::LOCALHOST, client_port).into();
                TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
            });
            connected && {
                let mut command = Command::new(health.get_program());
                command.args(health.get_args()).env("ETCDCTL_API", "3");
                host.run(command, Duration::from_secs(10)).status.success()
            }
        },
        |healthy| *healthy,
    );
    process
}

/// Ports that nobody listens on, in the network of the calling thread.
fn free_ports() -> [u16; 2] {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port on loopback");
    // Both at once, so that they differ.
    [bind(), bind()].map(|socket| socket.local_addr().expect("a bound socket has one").port())
}
