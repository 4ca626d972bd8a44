//! What a row is played on: the hosts with their addresses, and the files of the programs.

use std::net::{IpAddr, Ipv6Addr};
use std::path::PathBuf;

use super::{Family, Row, VIP};
use crate::daemons::Program;
use crate::lab::{Host, INTERFACE, Lab, Plan};
use crate::wait;

const VIP_6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x248, 0, 0, 0, 0, 0x120);
/// An interface of each host that only the second instance of a sync group tracks.
pub(super) const TRACKED: &str = "tracked0";

/// The address of the first instance.
pub(super) fn vip(row: &Row) -> IpAddr {
    match row.family {
        Family::Four => VIP.into(),
        Family::Six => VIP_6.into(),
    }
}

/// All addresses.
pub(super) fn vips(row: &Row) -> impl Iterator<Item = IpAddr> {
    [vip(row)].into_iter().chain(row.fellow.map(IpAddr::from))
}

/// As many hosts as the row has priorities, and a client.
#[track_caller]
pub(super) fn laboratory(row: &Row) -> Lab {
    let lab = match row.priorities.len() {
        2 => Lab::pair(),
        _ => Plan::default()
            .host("n1", [192, 168, 248, 11])
            .host("n2", [192, 168, 248, 12])
            .host("n3", [192, 168, 248, 13])
            .host("client", [192, 168, 248, 20])
            .build(),
    };
    if row.family == Family::Six {
        prepare_ipv6(&lab);
    }
    if row.fellow.is_some() {
        for host in ["n1", "n2"].map(|name| lab.host(name)) {
            let peer = ["link", "add", TRACKED, "type", "veth", "peer", "name", "tracked1"];
            host.must_run("ip", &peer);
            for end in [TRACKED, "tracked1"] {
                host.must_run("ip", &["link", "set", end, "up"]);
            }
        }
    }
    lab
}

/// Writes the configuration of a program on a host.
pub(super) fn file(row: &Row, program: Program, host: &Host, peers: &str, priority: u8) -> PathBuf {
    let (extra, more) = match program {
        Program::Ours => (row.ours, ""),
        Program::Theirs => (row.theirs, row.theirs_adds),
    };
    // keepalived becomes MASTER at once only when both say so.
    let state = if priority == 255 { "MASTER" } else { "BACKUP" };
    let link_local = if row.family == Family::Six { "fe80::51" } else { "" };
    let both = row.both.replace("PEER", peers);
    let instance = |name: &str, router: u8, extra: &str, addresses: &str| {
        format!(
            "vrrp_instance {name} {{\n state {state}\n interface {INTERFACE}\n \
             virtual_router_id {router}\n priority {priority}\n {both}\n {extra}\n \
             virtual_ipaddress {{\n {addresses}\n }}\n}}\n"
        )
    };
    let vip = vip(row);
    let mut text = instance("VI_1", 51, extra, &format!("{link_local}\n {vip}\n {more}"));
    if let Some(fellow) = row.fellow {
        let tracks = format!("{extra}\n track_interface {{\n {TRACKED}\n }}");
        text.push_str(&instance("VI_2", 52, &tracks, &fellow.to_string()));
        text.push_str("vrrp_sync_group G {\n group {\n VI_1\n VI_2\n }\n}\n");
    }
    let path = host.directory().join("matrix.conf");
    std::fs::write(&path, text).expect("a writable directory");
    path
}

/// Addresses for the hosts, and link-local ones that may be used.
fn prepare_ipv6(lab: &Lab) {
    for (number, host) in lab.hosts().iter().enumerate() {
        let address = format!("2001:db8:248::{:x}/64", number + 1);
        host.must_run("ip", &["address", "add", &address, "dev", INTERFACE, "nodad"]);
    }
    for host in lab.hosts() {
        let shown = || host.must_run("ip", &["-6", "address", "show", "dev", INTERFACE]);
        let usable = |text: &String| text.contains("fe80::") && !text.contains("tentative");
        wait::until("a usable link-local address", wait::GENEROUS, shown, usable);
    }
}
