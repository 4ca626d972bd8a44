//! A segment of hosts on this machine: a bridge without spanning tree, and behind each of its
//! ports a host with the one interface `ens33`.
//!
//! Detaching a host's bridge port is a silent death as its peers see one: its link stays up and
//! nothing it sends arrives. Everything is removed on drop, also after a panic; what a killed run
//! left is swept by the next one.
//!
//! There is no packet loss or delay here: this is for what the kernel does, not for the protocol
//! under bad luck.

mod host;
pub(crate) mod ip;
mod slot;
mod spawner;
mod sweep;

use std::fs;
use std::net::Ipv4Addr;

use tempfile::TempDir;

pub use self::host::{Host, INTERFACE};
use self::slot::Slot;
pub use self::slot::make_room_for;
use crate::wait;

const PREFIX_LENGTH: u8 = 24;
/// How much of each log is shown when a test fails.
const LOG_TAIL_LINES: usize = 80;

/// What to build. Bridge ports are attached in the order in which hosts are named: the order
/// decides who is flooded to first, and so who wins an ARP race.
#[derive(Debug, Default)]
pub struct Plan {
    hosts: Vec<(String, Ipv4Addr)>,
}

impl Plan {
    /// Adds a host with its address on the segment.
    #[must_use]
    pub fn host(mut self, name: &str, address: [u8; 4]) -> Self {
        self.hosts.push((name.to_owned(), address.into()));
        self
    }

    /// Builds it; waits for other laboratories on this machine to make room.
    ///
    /// # Panics
    /// Without root, or when the kernel lacks namespaces, veth or bridges.
    #[track_caller]
    pub fn build(self) -> Lab {
        let slot = Slot::wait();
        sweep::sweep();
        let prefix = sweep::unique_prefix();
        let directory = tempfile::Builder::new()
            .prefix(&format!("{prefix}-"))
            .tempdir()
            .unwrap_or_else(|error| panic!("create a temporary directory: {error}"));
        let switch = format!("{prefix}-switch");
        ip::run(&["netns", "add", &switch]);
        let mut lab = Lab { hosts: Vec::new(), switch, directory, _slot: slot };
        lab.build_bridge();
        for (name, address) in self.hosts {
            let host = Host::boot(&prefix, &name, address, lab.directory.path());
            lab.connect(&host);
            lab.hosts.push(host);
        }
        lab
    }
}

/// A running segment.
#[derive(Debug)]
pub struct Lab {
    hosts: Vec<Host>,
    switch: String,
    directory: TempDir,
    _slot: Slot,
}

impl Lab {
    /// The segment of the project's measurements: `n1`, `n2`, a `client`, and `ctl` for the control
    /// server, all on 192.168.248.0/24.
    #[track_caller]
    pub fn pair() -> Self {
        Plan::default()
            .host("n1", [192, 168, 248, 11])
            .host("n2", [192, 168, 248, 12])
            .host("client", [192, 168, 248, 100])
            .host("ctl", [192, 168, 248, 10])
            .build()
    }

    /// The same with the bridge ports of n1 and n2 the other way round.
    #[track_caller]
    pub fn pair_with_swapped_ports() -> Self {
        Plan::default()
            .host("n2", [192, 168, 248, 12])
            .host("n1", [192, 168, 248, 11])
            .host("client", [192, 168, 248, 100])
            .host("ctl", [192, 168, 248, 10])
            .build()
    }

    /// A host by name.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn host(&self, name: &str) -> &Host {
        self.hosts
            .iter()
            .find(|host| host.name() == name)
            .unwrap_or_else(|| panic!("no host {name} in this laboratory"))
    }

    /// All hosts, in the order of their bridge ports.
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Gives each host an address of 2001:db8:248::/64, and waits for its link-local one.
    #[track_caller]
    pub fn add_ipv6(&self) {
        for (number, host) in self.hosts.iter().enumerate() {
            let address = format!("2001:db8:248::{:x}/64", number + 1);
            host.must_run("ip", &["address", "add", &address, "dev", INTERFACE, "nodad"]);
        }
        for host in &self.hosts {
            let shown = || host.must_run("ip", &["-6", "address", "show", "dev", INTERFACE]);
            let usable = |text: &String| text.contains("fe80::") && !text.contains("tentative");
            wait::until("a usable link-local address", wait::GENEROUS, shown, usable);
        }
    }

    /// Gives a host another interface on the same segment.
    #[track_caller]
    pub fn add_interface(&self, name: &str, interface: &str, address: [u8; 4]) {
        let namespace = self.host(name).namespace();
        let port = format!("{}-2", port(name));
        self.in_switch(&format!(
            "link add {port} type veth peer name {interface} netns {namespace}"
        ));
        self.in_switch(&format!("link set {port} master br0 up"));
        let address = Ipv4Addr::from(address);
        for command in [
            format!("address add {address}/{PREFIX_LENGTH} brd + dev {interface}"),
            format!("link set {interface} up"),
        ] {
            ip::run(&words(&format!("-n {namespace} {command}")));
        }
    }

    /// Takes the host's bridge port away: a death that nothing announces.
    #[track_caller]
    pub fn detach(&self, name: &str) {
        let port = port(self.host(name).name());
        ip::run(&["-n", &self.switch, "link", "set", &port, "nomaster"]);
    }

    /// Gives the bridge port back.
    #[track_caller]
    pub fn attach(&self, name: &str) {
        let port = port(self.host(name).name());
        ip::run(&["-n", &self.switch, "link", "set", &port, "master", "br0"]);
    }

    fn build_bridge(&self) {
        let bridge = "link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0";
        self.in_switch(bridge);
        self.in_switch("link set br0 up");
    }

    fn connect(&self, host: &Host) {
        let port = port(host.name());
        let namespace = host.namespace();
        self.in_switch(&format!(
            "link add {port} type veth peer name {INTERFACE} netns {namespace}"
        ));
        self.in_switch(&format!("link set {port} master br0 up"));
        let address = format!("{}/{PREFIX_LENGTH}", host.address());
        for command in [
            "link set lo up".to_owned(),
            format!("address add {address} brd + dev {INTERFACE}"),
            format!("link set {INTERFACE} up"),
        ] {
            ip::run(&words(&format!("-n {namespace} {command}")));
        }
        // nginx listens on VIPs that the host does not hold yet.
        host.set_sysctl("net.ipv4.ip_nonlocal_bind", "1");
    }

    fn in_switch(&self, command: &str) {
        ip::run(&words(&format!("-n {} {command}", self.switch)));
    }

    fn show_logs(&self) {
        for host in &self.hosts {
            let state = ip::try_run(&["-n", host.namespace(), "-brief", "address"]);
            eprintln!("==== {} {}", host.name(), state.unwrap_or_else(|error| error));
            let Ok(files) = fs::read_dir(host.directory()) else {
                continue;
            };
            for path in files.flatten().map(|file| file.path()) {
                if path.extension().is_some_and(|extension| extension == "log") {
                    let text = fs::read(&path).unwrap_or_default();
                    eprintln!("---- {}\n{}", path.display(), tail(&String::from_utf8_lossy(&text)));
                }
            }
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_logs();
        }
        self.hosts.clear();
        let _ = ip::try_run(&["netns", "delete", &self.switch]);
    }
}

/// The bridge port of a host, unique within the switch.
fn port(host: &str) -> String {
    format!("port-{host}")
}

fn words(command: &str) -> Vec<&str> {
    command.split_whitespace().collect()
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
}
