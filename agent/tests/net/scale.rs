//! A thousand addresses at once.

use crate::agent::{Agent, state_dir};
use crate::lab::{Pair, until};
use std::fmt::Write;
use std::time::{Duration, Instant};
use vipfleet_agent::net::Event;
use vipfleet_vrrp::Custody;

fn count(pair: &Pair, network: &str) -> usize {
    pair.host.ip("-o -4 addr show dev eth0").matches(network).count()
}

#[test]
fn a_thousand_addresses_cost_about_what_ip_batch_takes_and_stay_renewed() {
    let (pair, dir) = (Pair::new(), state_dir());
    let mut batch = String::new();
    for number in 0..1000 {
        let (high, low) = (number / 250, number % 250);
        writeln!(batch, "addr add 10.90.{high}.{low}/32 dev eth0").unwrap();
    }
    let file = dir.path().join("batch");
    std::fs::write(&file, &batch).unwrap();
    let start = Instant::now();
    pair.host.ip(&format!("-batch {}", file.display()));
    let yardstick = start.elapsed();
    pair.host.ip("addr flush dev eth0 to 10.90.0.0/16");

    let agent = Agent::start(&pair.host, dir.path());
    let addresses: Vec<_> =
        (0..1000).map(|number| format!("10.91.{}.{}", number / 250, number % 250)).collect();
    let start = Instant::now();
    for (number, chunk) in addresses.chunks(4).enumerate() {
        let chunk: Vec<_> = chunk.iter().map(String::as_str).collect();
        agent.desire(&format!("i{number}"), &chunk, Custody::Serving);
    }
    for _ in 0..250 {
        agent.expect("Claimed", |event| matches!(event, Event::Claimed { .. }).then_some(()));
    }
    let ours = start.elapsed();
    println!("1,000 addresses: ours {ours:?}, ip -batch {yardstick:?}");
    assert_eq!(count(&pair, " 10.91."), 1000);
    assert!(ours < yardstick * 10 + Duration::from_secs(1), "{ours:?} against {yardstick:?}");
    // Two leases long: every one is renewed in its chunk.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(6) {
        assert_eq!(count(&pair, " 10.91."), 1000, "after {:?}", start.elapsed());
        std::thread::sleep(Duration::from_millis(100));
    }
    let lost = |event: &Event| matches!(event, Event::LeaseExpired { .. });
    assert!(!agent.drain().iter().any(lost));
    let start = Instant::now();
    agent.shutdown();
    println!("let go of in {:?}", start.elapsed());
    until("all to be gone", || count(&pair, " 10.91.") == 0);
}

#[test]
fn a_thousand_ipv6_addresses_stay_renewed_and_their_news_are_no_drift() {
    let (pair, dir) = (Pair::over_ipv6(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    let addresses: Vec<_> =
        (0..1000).map(|number| format!("2001:db8:91::{number:x}/128")).collect();
    let all: Vec<_> = addresses.iter().map(String::as_str).collect();
    // The lease of 1 s adverts and a priority around 100.
    agent.desire_for("a", &all, Custody::Serving, Duration::from_millis(3609));
    agent.expect_claimed("a");
    let held = || pair.host.ip("-o -6 addr show dev eth0").matches(" 2001:db8:91::").count();
    assert_eq!(held(), 1000);
    // Three leases long.
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(15) {
        assert_eq!(held(), 1000, "after {:?}", start.elapsed());
        std::thread::sleep(Duration::from_millis(500));
    }
    let trouble = |event: &Event| {
        matches!(event, Event::LeaseExpired { .. } | Event::Drift { .. } | Event::Failed { .. })
    };
    assert!(!agent.drain().iter().any(trouble));
    agent.shutdown();
    until("all to be gone", || held() == 0);
}

#[test]
fn a_storm_of_foreign_news_hides_no_deletion_for_long() {
    let (pair, dir) = (Pair::new(), state_dir());
    let agent = Agent::start(&pair.host, dir.path());
    agent.desire("a", &["10.77.0.100"], Custody::Serving);
    agent.expect_claimed("a");
    let mut batch = String::new();
    for number in 0..2000 {
        let (high, low) = (number / 250, number % 250);
        writeln!(batch, "addr add 10.92.{high}.{low}/32 dev eth0").unwrap();
    }
    batch.push_str("addr del 10.77.0.100/32 dev eth0\n");
    let file = dir.path().join("batch");
    std::fs::write(&file, &batch).unwrap();
    pair.host.ip(&format!("-batch {}", file.display()));
    until("the VIP to be back", || pair.host.has("eth0", "10.77.0.100/32"));
    agent.shutdown();
    assert_eq!(count(&pair, " 10.92."), 2000);
}
