//! Another image of the program takes over from this one: nothing is sent, changed or announced
//! for it, and what was waited for is waited for still.

use crate::fixture;
use std::net::IpAddr;
use std::time::Duration;
use vipfleet_vrrp::{
    Config, Envelope, Health, Input, Output, ResignReason, Router, StateName, Time, Unsettled,
    parse,
};

const SECOND: Duration = Duration::from_secs(1);

fn at(millis: u64) -> Time {
    Time::ZERO + Duration::from_millis(millis)
}

fn drain(router: &mut Router) -> Vec<Output> {
    std::iter::from_fn(|| router.poll_output()).collect()
}

/// Fires everything until `end`.
fn pass(router: &mut Router, end: Time) -> Vec<(Time, Output)> {
    let mut seen = Vec::new();
    while let Some(deadline) = router.next_deadline().filter(|deadline| *deadline <= end) {
        router.handle_deadlines(deadline);
        seen.extend(drain(router).into_iter().map(|output| (deadline, output)));
    }
    seen
}

fn started(config: &Config) -> Router {
    let mut router = Router::new(config.clone()).expect("valid");
    router.handle(Time::ZERO, Input::PrimaryAddress(Some(fixture::host(1))));
    router.handle(Time::ZERO, Input::Start);
    drain(&mut router);
    router
}

/// MASTER since 3.609 s at priority 100, its addresses there and announced.
fn master(config: &Config) -> Router {
    let mut router = started(config);
    pass(&mut router, at(4000));
    assert_eq!(router.state(), StateName::Master);
    router.handle(at(4000), Input::Claimed);
    pass(&mut router, at(20_000));
    router
}

fn hear(router: &mut Router, now: Time, source: IpAddr, priority: u8) {
    let mut bytes = Vec::new();
    let config = router.config().clone();
    fixture::message(&config, priority).encode(source, fixture::multicast(), &mut bytes);
    let destination = fixture::multicast();
    let envelope = Envelope { source, destination, ttl: 255 };
    let advert = parse(envelope, &bytes).expect("well-formed");
    router.handle(now, Input::Advert { source, advert });
}

/// The router of the next image, `deaf` after the hand-over, and what it did at once.
fn succeed(mut router: Router, now: Time, deaf: Duration) -> (Router, Vec<Output>) {
    let past = router.hand_over(now).expect("settled");
    let mut next = Router::new(router.config().clone()).expect("valid");
    let then = now + deaf;
    next.handle(then, Input::PrimaryAddress(Some(fixture::host(1))));
    drain(&mut next);
    next.carry_on(then, past);
    let outputs = drain(&mut next);
    (next, outputs)
}

fn adverts(outputs: &[(Time, Output)]) -> Vec<Time> {
    let sent = outputs.iter().filter(|(_, output)| matches!(output, Output::Transmit(_)));
    sent.map(|(at, _)| *at).collect()
}

fn is_change(output: &Output) -> bool {
    matches!(output, Output::Changed(_) | Output::Announce)
}

#[test]
fn a_master_says_a_last_word_and_the_next_advert_is_an_interval_later() {
    let mut router = master(&fixture::config());
    let last = at(20_300);
    router.hand_over(last).unwrap();
    let said = drain(&mut router);
    assert!(matches!(said[..], [Output::Transmit(_)]), "{said:?}");
    let (mut next, at_once) = succeed(router, last, Duration::from_millis(400));
    assert!(matches!(at_once[..], [Output::Custody(_)]), "{at_once:?}");
    next.handle(at(20_710), Input::Claimed);
    let later = pass(&mut next, at(30_000));
    assert_eq!(adverts(&later).first(), Some(&(last + SECOND)));
    assert_eq!(adverts(&later).len(), 9);
    assert!(!later.iter().any(|(_, output)| is_change(output)), "{later:?}");
    assert!(!at_once.iter().any(is_change));
}

#[test]
fn a_master_whose_addresses_were_on_their_way_announces_them() {
    let mut router = started(&fixture::config());
    pass(&mut router, at(3700));
    let (mut next, _) = succeed(router, at(3700), Duration::from_millis(20));
    next.handle(at(3730), Input::Claimed);
    assert!(drain(&mut next).contains(&Output::Announce));
}

#[test]
fn a_backup_goes_on_waiting_for_the_master_that_it_heard() {
    let mut router = started(&fixture::config());
    hear(&mut router, at(1000), fixture::host(9), 200);
    drain(&mut router);
    let due = router.next_deadline();
    let (mut next, at_once) = succeed(router, at(1500), Duration::from_millis(100));
    assert_eq!(at_once, []);
    assert_eq!((next.state(), next.master()), (StateName::Backup, Some(fixture::host(9))));
    assert_eq!(next.next_deadline(), due);
    hear(&mut next, at(2000), fixture::host(9), 200);
    assert_eq!(next.next_deadline(), due.map(|due| due + SECOND));
}

#[test]
fn an_image_that_finds_itself_unfit_follows_from_where_it_stood() {
    let mut router = master(&fixture::config());
    let past = router.hand_over(at(20_100)).unwrap();
    let mut next = Router::new(fixture::config()).unwrap();
    let faults = vec!["check nginx is down".to_owned()];
    next.handle(at(20_200), Input::PrimaryAddress(Some(fixture::host(1))));
    next.handle(at(20_200), Input::Health(Health { faults, ..Health::default() }));
    next.carry_on(at(20_200), past);
    assert_eq!(next.state(), StateName::Fault);
    let said = drain(&mut next);
    let farewell =
        said.iter().any(|it| matches!(it, Output::Transmit(it) if it.priority.is_none()));
    assert!(farewell, "{said:?}");
}

#[test]
fn a_router_on_its_way_out_hands_nothing_over() {
    let mut router = master(&fixture::config());
    router.handle(at(20_100), Input::Resign(ResignReason::Stop));
    assert_eq!(router.past().unwrap_err(), Unsettled::HandingOver);
    assert_eq!(router.hand_over(at(20_100)).unwrap_err(), Unsettled::HandingOver);
}

#[test]
fn a_change_that_peers_may_not_know_yet_is_waited_for() {
    let config = fixture::config();
    let mut router = master(&config);
    let version = vipfleet_vrrp::Version::V2;
    let changed = Config { version, interval: SECOND, ..config };
    router.handle(at(20_100), Input::Reconfigure(Box::new(changed)));
    assert_eq!(router.past().unwrap_err(), Unsettled::Changing);
    pass(&mut router, at(51_000));
    assert!(router.past().is_ok());
}
