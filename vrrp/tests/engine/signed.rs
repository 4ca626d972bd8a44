//! The authentication trailer: the draft's own vectors, and two routers with and without keys.

use crate::fixture;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;
use vipfleet_vrrp::{
    Authentication, Config, Discard, Enforcement, Envelope, Family, Freshness, Input, Key, Keyring,
    Output, Router, StateName, Time, Transmission, Version, WallTime, parse,
};

/// draft-cassen-vrrp-auth-hmac, appendix: key 00..1f, VRID 51, priority 200, one second, sequence
/// 0x6800000080000000. Over IPv4 from 198.51.100.10 for 192.0.2.100, the checksum of the message
/// alone; over IPv6 from fe80::10 to fe80::20 for fe80::100.
const IPV4: &str = "3133c80100644402c000026401010000680000008000000\
     01b84bc4e8e43892dc6d98448f8ee2265";
const IPV6: &str = "3133c8010064a2e9fe800000000000000000000000000100010100006800000080000000\
                    c8c56146ebfd66ee10ec4d8186461b78";

fn digit(digit: u8) -> u8 {
    char::from(digit).to_digit(16).expect("a digit") as u8
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|it| digit(it[0]) << 4 | digit(it[1])).collect()
}

fn id(id: u8) -> NonZeroU8 {
    NonZeroU8::new(id).expect("not zero")
}

fn key(number: u8) -> Key {
    Key { id: id(number), secret: (0..32).map(|byte| byte + number - 1).collect() }
}

fn keyring(keys: &[u8], active: u8) -> Keyring {
    Keyring {
        keys: keys.iter().map(|number| key(*number)).collect(),
        active: id(active),
        enforcement: Enforcement::Enforce,
        freshness: Freshness::Window(Duration::from_secs(5)),
    }
}

fn noon() -> WallTime {
    WallTime::from_epoch(Duration::from_millis(1_795_435_200_500))
}

fn after_noon(seconds: u64) -> WallTime {
    WallTime::from_epoch(Duration::from_millis(1_795_435_200_500 + seconds * 1000))
}

fn router(host: u8, priority: u8, authentication: Authentication) -> Router {
    let config =
        Config { priority: fixture::priority(priority), authentication, ..fixture::config() };
    let mut router = Router::new(config).expect("a router");
    router.set_wall_clock(noon());
    router.handle(Time::ZERO, Input::PrimaryAddress(Some(fixture::host(host))));
    router.handle(Time::ZERO, Input::Start);
    while router.poll_output().is_some() {}
    router
}

fn signed(keyring: &Keyring) -> Authentication {
    Authentication::Hmac(Arc::new(keyring.clone()))
}

fn advert_of(router: &Router, host: u8) -> Vec<u8> {
    let mut message = Vec::new();
    let transmission = Transmission { priority: Some(router.effective_priority()) };
    router.encode(transmission, fixture::host(host), fixture::multicast(), &mut message);
    message
}

/// What a router at host 1 makes of a message from host 2.
fn judged(router: &mut Router, at: Time, message: &[u8]) -> Result<(), Discard> {
    let source = fixture::host(2);
    let envelope = Envelope { source, destination: fixture::multicast(), ttl: 255 };
    let advert = parse(envelope, message)?;
    router.handle(at, Input::Advert { source, advert });
    let outputs = std::iter::from_fn(|| router.poll_output()).collect::<Vec<_>>();
    let discard = outputs.iter().find_map(|output| match output {
        Output::Discarded { why, .. } => Some(*why),
        _ => None,
    });
    discard.map_or(Ok(()), Err)
}

#[test]
fn the_images_of_the_draft_are_what_its_key_signs() {
    let images = [
        (IPV4, "198.51.100.10", "198.51.100.20", Family::Ipv4),
        (IPV6, "fe80::10", "fe80::20", Family::Ipv6),
    ];
    for (image, source, destination, family) in images {
        let [source, destination]: [IpAddr; 2] =
            [source, destination].map(|address| address.parse().expect("an address"));
        let keyring = Keyring { freshness: Freshness::Monotonic, ..keyring(&[1], 1) };
        let mut image = bytes(image);
        let envelope = Envelope { source, destination, ttl: 255 };
        let judge = |image: &[u8]| {
            let advert = parse(envelope, image).expect("an advert");
            let addresses = advert.addresses().collect();
            let config = Config {
                family,
                addresses,
                version: Version::V3,
                authentication: signed(&keyring),
                destination: vipfleet_vrrp::Destination::Unicast(vec![source]),
                ..fixture::config()
            };
            let mut router = Router::new(config).expect("a router");
            router.handle(Time::ZERO, Input::PrimaryAddress(Some(destination)));
            router.handle(Time::ZERO, Input::Start);
            router.handle(Time::ZERO, Input::Advert { source, advert });
            (router.master(), std::iter::from_fn(move || router.poll_output()).collect::<Vec<_>>())
        };
        let (master, outputs) = judge(&image);
        assert_eq!(master, Some(source), "{outputs:?}");
        // The last byte of the tag, which no checksum over IPv4 covers.
        *image.last_mut().expect("a byte") ^= 1;
        if family == Family::Ipv4 {
            assert_eq!(judge(&image).0, None);
        } else {
            assert_eq!(parse(envelope, &image), Err(Discard::Checksum));
        }
    }
}

#[test]
fn two_that_share_a_key_elect_one_and_an_outsider_is_heard_by_neither() {
    let keys = signed(&keyring(&[1], 1));
    let mut backup = router(1, 100, keys.clone());
    let master = router(2, 200, keys);
    assert_eq!(judged(&mut backup, Time::ZERO, &advert_of(&master, 2)), Ok(()));
    assert_eq!(backup.master(), Some(fixture::host(2)));
    let outsiders = [
        Authentication::None,
        signed(&Keyring { keys: vec![Key { id: id(1), ..key(2) }], ..keyring(&[1], 1) }),
        signed(&keyring(&[2], 2)),
    ];
    for outsider in outsiders {
        let outsider = router(2, 250, outsider);
        let why = judged(&mut backup, Time::ZERO, &advert_of(&outsider, 2));
        assert_eq!(why, Err(Discard::AuthenticationMismatch));
    }
}

#[test]
fn an_advert_heard_again_or_long_after_is_discarded() {
    let keys = signed(&keyring(&[1], 1));
    let (mut backup, master) = (router(1, 100, keys.clone()), router(2, 200, keys));
    let (first, second) = (advert_of(&master, 2), advert_of(&master, 2));
    assert_ne!(first, second, "each has a sequence of its own");
    assert_eq!(judged(&mut backup, Time::ZERO, &second), Ok(()));
    assert_eq!(judged(&mut backup, Time::ZERO, &second), Err(Discard::Replay));
    assert_eq!(judged(&mut backup, Time::ZERO, &first), Err(Discard::Replay));
    backup.set_wall_clock(after_noon(6));
    assert_eq!(judged(&mut backup, Time::ZERO, &second), Err(Discard::Stale));
    assert_eq!(
        backup.warnings(Time::ZERO).count(),
        1,
        "clocks that differ are said, copies are not"
    );
}

#[test]
fn a_sender_whose_clock_was_set_back_is_heard_again() {
    let keys = signed(&keyring(&[1], 1));
    let (mut backup, mut master) = (router(1, 100, keys.clone()), router(2, 200, keys));
    for wall in [after_noon(3600), noon()] {
        for router in [&mut backup, &mut master] {
            router.set_wall_clock(wall);
        }
        assert_eq!(judged(&mut backup, Time::ZERO, &advert_of(&master, 2)), Ok(()));
    }
}

#[test]
fn a_permissive_member_hears_unsigned_adverts_and_no_forged_ones() {
    let ring = Keyring { enforcement: Enforcement::Permissive, ..keyring(&[1], 1) };
    let mut backup = router(1, 100, signed(&ring));
    let unsigned = router(2, 200, Authentication::None);
    assert_eq!(judged(&mut backup, Time::ZERO, &advert_of(&unsigned, 2)), Ok(()));
    let forged = router(2, 200, signed(&keyring(&[2], 2)));
    let why = judged(&mut backup, Time::ZERO, &advert_of(&forged, 2));
    assert_eq!(why, Err(Discard::AuthenticationMismatch));
}

#[test]
fn keys_are_brought_in_changed_and_dropped_with_every_member_at_its_own_time() {
    let rings = [
        Authentication::None,
        signed(&keyring(&[1], 1)),
        signed(&keyring(&[2], 2)),
        Authentication::None,
    ];
    let mut now = Time::ZERO;
    let mut backup = router(1, 100, rings[0].clone());
    let mut master = router(2, 200, rings[0].clone());
    let change = |router: &mut Router, now: Time, to: &Authentication| {
        let config = Config { authentication: to.clone(), ..router.config().clone() };
        router.handle(now, Input::Reconfigure(Box::new(config)));
        while router.poll_output().is_some() {}
    };
    for (step, ring) in rings.iter().enumerate().skip(1) {
        let backup_first = step % 2 == 0;
        for turn in 0..40_u64 {
            match (turn, backup_first) {
                (0, true) | (3, false) => change(&mut backup, now, ring),
                (0, false) | (3, true) => change(&mut master, now, ring),
                _ => {}
            }
            let wall = after_noon(now.since(Time::ZERO).as_secs());
            for router in [&mut backup, &mut master] {
                router.set_wall_clock(wall);
            }
            assert_eq!(judged(&mut backup, now, &advert_of(&master, 2)), Ok(()), "{step} {turn}");
            assert_eq!(backup.state(), StateName::Backup);
            now = now + Duration::from_secs(1);
            for router in [&mut backup, &mut master] {
                router.handle_deadlines(now);
            }
            while backup.poll_output().or(master.poll_output()).is_some() {}
        }
    }
}

#[test]
fn a_ring_that_cannot_sign_is_refused() {
    let short = Keyring { keys: vec![Key { id: id(1), secret: vec![7; 31] }], ..keyring(&[1], 1) };
    let twice = Keyring { keys: vec![key(1), key(1)], ..keyring(&[1], 1) };
    for ring in [keyring(&[1], 2), short, twice] {
        let config = Config { authentication: signed(&ring), ..fixture::config() };
        let refused = Router::new(config).expect_err("no router").to_string();
        assert!(refused.contains("key"), "{refused}");
        assert!(!format!("{ring:?}").contains('7'), "no key is ever shown");
    }
}
