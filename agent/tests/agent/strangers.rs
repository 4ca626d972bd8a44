//! Adverts that are none of this host's business, and packets that are no adverts: nothing moves,
//! and what can be counted is counted.

use crate::lab::{Lab, until};
use crate::life::ONE;
use crate::local;
use crate::process::{Agent, Home};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;
use vipfleet_agent::net::{VrrpSocket, socket::GROUP};
use vipfleet_model::report::InstanceState;
use vipfleet_vrrp::{Authentication, ChecksumForm, Family, Message, Version, Vrid};

const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 78, 0, 2));

/// An advert that outranks the agent's.
fn advert(vrid: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let message = Message {
        version: Version::V2,
        vrid: Vrid::new(vrid).unwrap(),
        priority: 200,
        interval: Duration::from_secs(1),
        authentication: Authentication::None,
        checksum: ChecksumForm::MessageOnly,
        addresses: &[IpAddr::from([10, 78, 0, 10])],
    };
    message.encode(STRANGER, IpAddr::V4(GROUP), &mut bytes);
    bytes
}

/// A master of VRID 51 with priority 100 on the one host, and a socket on the other.
fn scene(lab: &Lab, home: &Home) -> (Agent, VrrpSocket) {
    let agent = Agent::on(&lab.one, home, &ONE.replace("255", "100"));
    until("the address", || lab.one.has("10.78.0.10"));
    let shown = lab.two.ip("-o link show dev eth0");
    let index = shown.split(':').next().unwrap().parse().unwrap();
    let open = move || VrrpSocket::open("eth0", index, Family::Ipv4).unwrap();
    (agent, lab.two.spawn(open).join().unwrap())
}

#[test]
fn an_advert_of_a_virtual_router_that_is_not_configured_moves_nothing() {
    let (lab, home) = (Lab::new(), Home::new());
    let (_agent, socket) = scene(&lab, &home);
    let master = local::instance(&home, "VI_1", |it| it.state == InstanceState::Master);
    for vrid in [1, 50, 52, 255] {
        socket.send(STRANGER, IpAddr::V4(GROUP), &advert(vrid)).unwrap();
    }
    let enough = master.adverts_sent + 2;
    local::instance(&home, "VI_1", |it| it.adverts_sent >= enough);
    let after = local::instance(&home, "VI_1", |it| it.state == InstanceState::Master);
    assert_eq!(after.adverts_received, 0, "none was for this one");
    assert_eq!(after.since, master.since);

    // The same for the virtual router that is configured is heard, and obeyed.
    socket.send(STRANGER, IpAddr::V4(GROUP), &advert(51)).unwrap();
    let backup = local::instance(&home, "VI_1", |it| it.state == InstanceState::Backup);
    assert_eq!((backup.adverts_received, backup.master), (1, Some(STRANGER)));
}

#[test]
fn what_is_no_advert_is_counted_by_its_reason_and_moves_nothing() {
    let (lab, home) = (Lab::new(), Home::new());
    let (_agent, socket) = scene(&lab, &home);
    let whole = advert(51);
    let with = |at: usize, value: u8| {
        let mut bytes = whole.clone();
        bytes[at] = value;
        bytes
    };
    for (reason, bytes) in [
        ("truncated", whole[..whole.len() - 1].to_vec()),
        ("unknown-version", with(0, 0x41)),
        ("unknown-type", with(0, 0x22)),
        ("checksum", with(2, 201)),
    ] {
        socket.send(STRANGER, IpAddr::V4(GROUP), &bytes).unwrap();
        local::instance(&home, "VI_1", |it| it.discards.get(reason) == Some(&1));
    }
    let after = local::instance(&home, "VI_1", |it| it.state == InstanceState::Master);
    assert_eq!((after.discards.len(), after.adverts_received), (4, 0), "{:?}", after.discards);
}
