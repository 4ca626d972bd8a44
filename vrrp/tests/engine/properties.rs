//! What holds whatever happens, in whatever order: random inputs to one router, random bytes to
//! the parser.

use crate::{capture, fixture};
use proptest::prelude::*;
use std::net::IpAddr;
use std::time::Duration;
use vipfleet_vrrp::{
    Authentication, ChecksumForm, Config, Custody, Envelope, Health, Input, Message, Output,
    Preemption, ResignReason, Router, StateName, Takeover, Time, Transmission, Version, parse,
};

/// One step of a random life.
#[derive(Clone, Debug)]
enum Step {
    Wait(Duration),
    /// Time passes and nothing is fired, then an advert is read before the deadlines.
    StallThenAdvert(Duration, u8, u8),
    Advert {
        host: u8,
        priority: u8,
        version: Version,
        interval: u16,
    },
    Health {
        faulty: bool,
        link_down: bool,
        weight: i32,
        pending: bool,
    },
    Address(Option<u8>),
    Reconfigure {
        base: u8,
        vips: u8,
        interval: u16,
        fast: bool,
        handover: bool,
    },
    Start,
    Introduce,
    Resume,
    Resign,
    LeaseExpired,
    Suspended,
    Claimed,
}

fn version() -> impl Strategy<Value = Version> {
    prop_oneof![9 => Just(Version::V3), 1 => Just(Version::V2)]
}

fn step() -> impl Strategy<Value = Step> {
    let span = (0_u64..5_000_000).prop_map(Duration::from_micros);
    prop_oneof![
        8 => span.clone().prop_map(Step::Wait),
        2 => (span, 0..6_u8, any::<u8>()).prop_map(|(span, host, priority)| {
            Step::StallThenAdvert(span, host, priority)
        }),
        8 => (0..6_u8, any::<u8>(), version(), 1..300_u16).prop_map(
            |(host, priority, version, interval)| Step::Advert { host, priority, version, interval }
        ),
        3 => (any::<bool>(), any::<bool>(), -300..300_i32, any::<bool>()).prop_map(
            |(faulty, link_down, weight, pending)| {
                Step::Health { faulty, link_down: faulty && link_down, weight, pending }
            }
        ),
        1 => proptest::option::of(1..3_u8).prop_map(Step::Address),
        2 => (1..=255_u8, 1..4_u8, 1..300_u16, any::<bool>(), any::<bool>()).prop_map(
            |(base, vips, interval, fast, handover)| {
                Step::Reconfigure { base, vips, interval, fast, handover }
            }
        ),
        3 => Just(Step::Start),
        1 => Just(Step::Introduce),
        1 => Just(Step::Resume),
        1 => Just(Step::Resign),
        1 => Just(Step::LeaseExpired),
        1 => Just(Step::Suspended),
        3 => Just(Step::Claimed),
    ]
}

fn config(nopreempt: bool, delays: u64) -> Config {
    Config {
        preemption: if nopreempt { Preemption::NoPreempt } else { Preemption::Preempt },
        preempt_delay: Duration::from_millis(delays),
        startup_delay: Duration::from_millis(delays),
        recover_delay: Duration::from_millis(delays),
        members: (1..5).map(|number| fixture::member(number, 50 + 40 * number)).collect(),
        members_complete: true,
        ..fixture::config()
    }
}

/// A driver that checks the promises after every call.
struct Life {
    router: Router,
    now: Time,
    /// What the outputs have told the kernel.
    kernel: Custody,
    state: StateName,
}

impl Life {
    fn new(config: Config) -> Self {
        let mut router = Router::new(config).expect("a valid configuration");
        router.handle(Time::ZERO, Input::PrimaryAddress(Some(fixture::host(1))));
        Self { router, now: Time::ZERO, kernel: Custody::None, state: StateName::Init }
    }

    fn live(&mut self, step: Step) {
        match step {
            Step::Wait(span) => return self.wait(span),
            Step::StallThenAdvert(span, host, priority) => {
                self.now = self.now + span;
                self.advert(host, priority, Version::V3, 100);
                self.router.handle_deadlines(self.now);
                self.assert_no_deadline_is_past();
            }
            Step::Advert { host, priority, version, interval } => {
                self.advert(host, priority, version, interval);
            }
            Step::Health { faulty, link_down, weight, pending } => {
                let faults = if faulty { vec!["check web is down".to_owned()] } else { vec![] };
                let health = Health {
                    faults,
                    weight,
                    pending,
                    interface_down: link_down,
                    ..Health::default()
                };
                self.router.handle(self.now, Input::Health(health));
            }
            Step::Address(host) => {
                let address = host.map(fixture::host);
                self.router.handle(self.now, Input::PrimaryAddress(address));
            }
            Step::Reconfigure { base, vips, interval, fast, handover } => {
                let mut config = self.router.config().clone();
                config.priority = fixture::priority(base);
                config.addresses = (0..vips).map(|vip| fixture::host(100 + vip)).collect();
                config.interval = Duration::from_millis(10) * u32::from(interval);
                config.takeover = if fast { Takeover::Fast } else { Takeover::Rfc };
                config.handover = handover;
                self.router.handle(self.now, Input::Reconfigure(Box::new(config)));
            }
            Step::Start => self.router.handle(self.now, Input::Start),
            Step::Introduce => self.router.handle(self.now, Input::Introduce),
            Step::Resume => self.router.handle(self.now, Input::Resume),
            Step::Resign => self.router.handle(self.now, Input::Resign(ResignReason::Stop)),
            Step::LeaseExpired => self.router.handle(self.now, Input::LeaseExpired),
            Step::Suspended => self.router.handle(self.now, Input::Suspended),
            Step::Claimed => self.router.handle(self.now, Input::Claimed),
        }
        self.drain();
    }

    fn advert(&mut self, host: u8, priority: u8, version: Version, interval: u16) {
        let interval = match version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 => Duration::from_millis(10) * u32::from(interval),
        };
        let (source, destination) = (fixture::host(host), fixture::multicast());
        let mut message = fixture::message(self.router.config(), priority);
        (message.version, message.interval) = (version, interval);
        let mut bytes = Vec::new();
        message.encode(source, destination, &mut bytes);
        let advert = parse(Envelope { source, destination, ttl: 255 }, &bytes).expect("our own");
        self.router.handle(self.now, Input::Advert { source, advert });
    }

    fn wait(&mut self, span: Duration) {
        let end = self.now + span;
        while let Some(next) = self.router.next_deadline().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.router.handle_deadlines(self.now);
            self.assert_no_deadline_is_past();
            self.drain();
        }
        self.now = end;
    }

    fn assert_no_deadline_is_past(&self) {
        assert!(self.router.next_deadline().is_none_or(|next| next > self.now));
    }

    fn drain(&mut self) {
        let mut count = 0;
        while let Some(output) = self.router.poll_output() {
            count += 1;
            match output {
                Output::Custody(custody) => self.kernel = custody,
                Output::Transmit(transmission) => self.transmitted(transmission),
                Output::Changed(change) => {
                    assert_eq!(change.from, self.state, "transitions are contiguous");
                    assert_ne!(change.from, change.to);
                    self.state = change.to;
                }
                Output::Announce => {
                    let is_master = self.router.state() == StateName::Master;
                    let holds = self.router.is_holding() && self.kernel == Custody::Serving;
                    assert!(is_master || holds, "only one who serves announces");
                }
                Output::Stopped => assert_eq!(self.kernel, Custody::None, "stopped and holding"),
                Output::Elected(_) | Output::Discarded { .. } | Output::Warn(_) => {}
            }
        }
        assert!(count <= 16, "{count} outputs of one call");
        self.assert_consistent();
    }

    fn assert_consistent(&self) {
        let router = &self.router;
        assert_eq!(router.state(), self.state, "every transition was told");
        assert_eq!(router.custody(), self.kernel, "every custody was told");
        match router.state() {
            StateName::Master => assert_eq!(self.kernel, Custody::Serving),
            StateName::Fault => assert_eq!(self.kernel, Custody::None),
            StateName::Init | StateName::Backup => {
                assert_eq!(self.kernel != Custody::None, router.is_holding());
            }
        }
        if let StateName::Backup | StateName::Master = router.state() {
            assert!(router.next_deadline().is_some(), "nobody waits for ever");
        }
    }

    /// Every advert is one that a peer would accept.
    fn transmitted(&self, transmission: Transmission) {
        let (source, destination) = (fixture::host(1), fixture::multicast());
        let mut bytes = Vec::new();
        self.router.encode(transmission, source, destination, &mut bytes);
        let advert = parse(Envelope { source, destination, ttl: 255 }, &bytes);
        let advert = advert.expect("our own adverts are well-formed");
        assert_eq!(advert.priority, transmission.priority.map_or(0, |priority| priority.get()));
        assert!(advert.addresses().eq(self.router.config().addresses.iter().copied()));
    }
}

/// `PROPTEST_CASES` for more.
fn cases() -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(1500),
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn whatever_happens_the_promises_hold(
        nopreempt in any::<bool>(),
        delays in 0_u64..4000,
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut life = Life::new(config(nopreempt, delays));
        for step in steps {
            life.live(step);
        }
        // Past every hold: only a master holds anything.
        life.live(Step::Advert { host: 3, priority: 200, version: Version::V3, interval: 100 });
        life.wait(Duration::from_secs(31));
        let master = life.router.state() == StateName::Master;
        prop_assert_eq!(life.kernel == Custody::Serving, master);
        prop_assert_ne!(life.kernel, Custody::Silent);
    }

    #[test]
    fn equal_inputs_give_equal_outputs(steps in proptest::collection::vec(step(), 1..40)) {
        let mut lives = [Life::new(config(false, 500)), Life::new(config(false, 500))];
        for step in steps {
            for life in &mut lives {
                life.live(step.clone());
            }
            let [one, other] = &lives;
            prop_assert_eq!(format!("{:?}", one.router), format!("{:?}", other.router));
        }
    }

    #[test]
    fn random_bytes_never_panic_the_parser(
        bytes in proptest::collection::vec(any::<u8>(), 0..1500),
        source in any::<IpAddr>(),
        destination in any::<IpAddr>(),
        ttl in any::<u8>(),
    ) {
        if let Ok(advert) = parse(Envelope { source, destination, ttl }, &bytes) {
            prop_assert!(advert.addresses().count() > 0);
        }
    }

    #[test]
    fn a_damaged_advert_of_keepalived_never_panics_and_is_mostly_seen(
        file in 0..5_usize,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
        cuts in any::<bool>(),
    ) {
        let file = ["fixture-dual-master-v2.pcap", "v2.pcap", "v3m.pcap", "v3u.pcap", "v6.pcap"]
            [file];
        let mut captured = capture::adverts(file).remove(0);
        let original = captured.message.clone();
        for (at, xor) in damage {
            let at = at.index(captured.message.len());
            captured.message[at] ^= xor;
        }
        if cuts {
            captured.message.truncate(cut.index(captured.message.len()));
        }
        // The checksum sees any single damaged byte; several may cancel out, none may panic.
        let differing =
            original.iter().zip(&captured.message).filter(|(was, is)| was != is).count();
        let parsed = parse(captured.envelope, &captured.message);
        prop_assert!(!(differing == 1 || cuts) || parsed.is_err(), "{parsed:?}");
    }

    #[test]
    fn whatever_is_encoded_is_parsed_as_it_was_meant(
        v2 in any::<bool>(),
        vrid in 1..=255_u8,
        priority in any::<u8>(),
        interval in 1..=255_u32,
        password in proptest::option::of(any::<[u8; 8]>()),
        message_only in any::<bool>(),
        addresses in proptest::collection::vec(any::<[u8; 4]>(), 1..=255),
        source in any::<[u8; 4]>(),
    ) {
        let addresses: Vec<_> = addresses.into_iter().map(IpAddr::from).collect();
        let (version, unit) = match v2 {
            true => (Version::V2, Duration::from_secs(1)),
            false => (Version::V3, Duration::from_millis(10)),
        };
        let authentication = match password.filter(|_| v2) {
            Some(password) => Authentication::Pass(password),
            None => Authentication::None,
        };
        let message = Message {
            version,
            vrid: vipfleet_vrrp::Vrid::new(vrid).expect("not zero"),
            priority,
            interval: unit * interval,
            authentication: authentication.clone(),
            checksum: match message_only {
                true => ChecksumForm::MessageOnly,
                false => ChecksumForm::PseudoHeader,
            },
            addresses: &addresses,
        };
        let (source, destination) = (IpAddr::from(source), fixture::multicast());
        let mut bytes = Vec::new();
        message.encode(source, destination, &mut bytes);
        let advert = parse(Envelope { source, destination, ttl: 255 }, &bytes);
        let advert = advert.expect("well-formed");
        prop_assert_eq!(
            (advert.version, advert.vrid.get(), advert.priority, advert.interval),
            (version, vrid, priority, unit * interval)
        );
        prop_assert_eq!(&advert.authentication, &authentication);
        prop_assert!(advert.addresses().eq(addresses.iter().copied()));
    }
}
