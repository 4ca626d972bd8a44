//! IPv6 instances of a stand-alone agent: where their adverts come from, and a thousand VIPs.

use crate::adverts::Listener;
use crate::lab::{Host, Lab, until};
use crate::local;
use crate::process::{Agent, Home};
use std::fmt::Write as _;
use std::time::{Duration, Instant};
use vipfleet_model::report::InstanceState;
use vipfleet_vrrp::Family;

/// An instance with these addresses.
fn config(priority: u8, addresses: &str) -> String {
    format!(
        "vrrp_instance SIX {{\n interface eth0\n virtual_router_id 51\n priority {priority}\n \
         advert_int 1\n version 3\n virtual_ipaddress {{\n{addresses}\n }}\n}}\n"
    )
}

fn set(host: &Host, key: &str, value: &str) {
    let path = format!("/proc/sys/net/ipv6/conf/eth0/{key}");
    let value = value.to_owned();
    host.spawn(move || std::fs::write(path, value).unwrap()).join().unwrap();
}

/// Without link-local addresses that come by themselves, so that a test says when.
fn over_ipv6() -> Lab {
    let lab = Lab::new();
    for host in [&lab.one, &lab.two] {
        set(host, "addr_gen_mode", "1");
        set(host, "disable_ipv6", "0");
    }
    lab
}

#[test]
fn an_instance_without_a_usable_link_local_address_says_why_and_waits() {
    let (lab, home) = (over_ipv6(), Home::new());
    set(&lab.one, "disable_ipv6", "1");
    let _agent = Agent::on(&lab.one, &home, &config(100, "fe80::51\n2001:db8::10"));
    let reason = |wanted: &str| {
        local::instance(&home, "SIX", |it| {
            it.state == InstanceState::Fault && it.reason.contains(wanted)
        });
    };
    reason("IPv6 is disabled on eth0: set net.ipv6.conf.eth0.disable_ipv6 to 0");
    set(&lab.one, "disable_ipv6", "0");
    lab.one.ip("addr add 2001:db8::1/64 dev eth0 nodad");
    reason("interface eth0 has no link-local IPv6 address");
    lab.two.ip("addr add fe80::1/64 dev eth0 nodad");
    lab.one.ip("addr add fe80::1/64 dev eth0");
    reason("fe80::1 on eth0 is a duplicate");
    lab.one.ip("addr del fe80::1/64 dev eth0");
    // Detection lasts a second: it is waited for.
    lab.one.ip("addr add fe80::2/64 dev eth0");
    let listener = Listener::over(&lab.two, Family::Ipv6);
    local::instance(&home, "SIX", |it| it.state == InstanceState::Master);
    until("an advert", || !listener.of(51).is_empty());
    let heard = listener.of(51);
    assert!(heard.iter().all(|it| it.source.to_string() == "fe80::2"), "{heard:?}");
    assert_eq!(heard[0].addresses[0].to_string(), "fe80::51");
}

#[test]
fn a_thousand_ipv6_vips_cost_neither_a_lease_nor_the_election() {
    let (lab, home, peer_home) = (over_ipv6(), Home::new(), Home::new());
    lab.one.ip("addr add fe80::1/64 dev eth0 nodad");
    lab.two.ip("addr add fe80::2/64 dev eth0 nodad");
    let mut excluded = String::from("virtual_ipaddress_excluded {\n");
    for number in 0..999 {
        writeln!(excluded, "2001:db8:91::{number:x}").unwrap();
    }
    let with_all = |priority| {
        let text = config(priority, "fe80::51");
        let body = text.trim_end().strip_suffix('}').unwrap();
        format!("{body}{excluded}}}\n}}\n")
    };
    let _agent = Agent::on(&lab.one, &home, &with_all(100));
    let all = |it: &vipfleet_model::report::InstanceReport| {
        it.addresses.len() == 1000 && it.addresses.iter().all(|at| at.in_kernel)
    };
    let begin = local::instance(&home, "SIX", |it| it.state == InstanceState::Master && all(it));
    let _peer = Agent::on(&lab.two, &peer_home, &with_all(90));
    let backup = local::instance(&peer_home, "SIX", |it| it.state == InstanceState::Backup);
    // Three leases long.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(15) {
        let now = local::instance(&home, "SIX", |_| true);
        assert_eq!((now.state, &now.since), (InstanceState::Master, &begin.since));
        assert!(all(&now), "{:?}", now.addresses.iter().filter(|at| !at.in_kernel).count());
        assert_eq!(now.warnings, Vec::<String>::new());
        std::thread::sleep(Duration::from_millis(500));
    }
    // Counters are published every few seconds.
    local::instance(&home, "SIX", |it| it.adverts_sent >= begin.adverts_sent + 14);
    // The peer never waited so long that it would have taken over.
    let after = local::instance(&peer_home, "SIX", |_| true);
    assert_eq!((after.state, after.since), (InstanceState::Backup, backup.since));
}

#[test]
fn by_unicast_adverts_come_from_a_global_address_and_reach_the_peer() {
    let (lab, home, peer_home) = (over_ipv6(), Home::new(), Home::new());
    for (host, number) in [(&lab.one, 1), (&lab.two, 2)] {
        host.ip(&format!("addr add fe80::{number}/64 dev eth0 nodad"));
        host.ip(&format!("addr add 2001:db8::{number}/64 dev eth0 nodad"));
    }
    let by_unicast = |priority, peer| {
        let peers = format!(" unicast_peer {{\n2001:db8::{peer}\n }}\n");
        config(priority, "2001:db8::10").replace(" virtual_ip", &format!("{peers} virtual_ip"))
    };
    let _agent = Agent::on(&lab.one, &home, &by_unicast(100, 2));
    local::instance(&home, "SIX", |it| it.state == InstanceState::Master);
    let _peer = Agent::on(&lab.two, &peer_home, &by_unicast(90, 1));
    local::instance(&peer_home, "SIX", |it| {
        let master = it.master.map(|master| master.to_string());
        it.state == InstanceState::Backup && master.as_deref() == Some("2001:db8::1")
    });
}
