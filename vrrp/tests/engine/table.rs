//! The rows and columns of the state × input table.

use crate::fixture;
use std::time::Duration;
use vipfleet_vrrp::{
    Config, Envelope, Follow, Health, Input, Output, Reason, ResignReason, Router, Time,
    Transmission, parse,
};

/// Where a router can be, holds included.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Situation {
    Init,
    InitStartupDelay,
    InitHolding,
    InitSilent,
    InitFarewell,
    Fault,
    FaultFarewell,
    Backup,
    BackupHeard,
    BackupSilent,
    BackupHolding,
    MasterUnclaimed,
    Master,
    MasterWithRival,
    MasterFrozen,
    Owner,
}

impl Situation {
    pub(crate) const ALL: [Self; 16] = [
        Self::Init,
        Self::InitStartupDelay,
        Self::InitHolding,
        Self::InitSilent,
        Self::InitFarewell,
        Self::Fault,
        Self::FaultFarewell,
        Self::Backup,
        Self::BackupHeard,
        Self::BackupSilent,
        Self::BackupHolding,
        Self::MasterUnclaimed,
        Self::Master,
        Self::MasterWithRival,
        Self::MasterFrozen,
        Self::Owner,
    ];
}

/// What can happen: every kind of input, split where the answer depends on what it says, and the
/// passing of all deadlines.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cause {
    Start,
    Introduce,
    Resume,
    AdvertZero,
    AdvertLower,
    AdvertEqualLowerAddress,
    AdvertEqualHigherAddress,
    AdvertHigher,
    AdvertOwner,
    AdvertOtherVersion,
    HealthSame,
    HealthFault,
    HealthLinkDown,
    HealthWeaker,
    AddressGone,
    AddressOther,
    Resign,
    ReconfigureSame,
    ReconfigureAddresses,
    ReconfigurePriority,
    ReconfigureInterval,
    LeaseExpired,
    Suspended,
    GroupLeads,
    GroupYields,
    Claimed,
    Deadlines,
}

impl Cause {
    pub(crate) const ALL: [Self; 27] = [
        Self::Start,
        Self::Introduce,
        Self::Resume,
        Self::AdvertZero,
        Self::AdvertLower,
        Self::AdvertEqualLowerAddress,
        Self::AdvertEqualHigherAddress,
        Self::AdvertHigher,
        Self::AdvertOwner,
        Self::AdvertOtherVersion,
        Self::HealthSame,
        Self::HealthFault,
        Self::HealthLinkDown,
        Self::HealthWeaker,
        Self::AddressGone,
        Self::AddressOther,
        Self::Resign,
        Self::ReconfigureSame,
        Self::ReconfigureAddresses,
        Self::ReconfigurePriority,
        Self::ReconfigureInterval,
        Self::LeaseExpired,
        Self::Suspended,
        Self::GroupLeads,
        Self::GroupYields,
        Self::Claimed,
        Self::Deadlines,
    ];
}

fn faulty() -> Health {
    Health { faults: vec!["check web is down".to_owned()], ..Health::default() }
}

fn plain(cause: Cause, config: &Config) -> Option<Input<'static>> {
    let reconfigured = |change: fn(&mut Config)| {
        let mut config = config.clone();
        change(&mut config);
        Input::Reconfigure(Box::new(config))
    };
    Some(match cause {
        Cause::Start => Input::Start,
        Cause::Introduce => Input::Introduce,
        Cause::Resume => Input::Resume,
        Cause::GroupLeads => Input::Follow(Follow::ToMaster(Reason::Owner.together())),
        Cause::GroupYields => Input::Follow(Follow::ToBackup(Reason::LeaseExpired.together())),
        Cause::HealthSame => Input::Health(Health::default()),
        Cause::HealthFault => Input::Health(faulty()),
        Cause::HealthLinkDown => {
            let faults = vec!["link is down".to_owned()];
            Input::Health(Health { faults, interface_down: true, ..Health::default() })
        }
        Cause::HealthWeaker => Input::Health(Health { weight: -20, ..Health::default() }),
        Cause::AddressGone => Input::PrimaryAddress(None),
        Cause::AddressOther => Input::PrimaryAddress(Some(fixture::host(7))),
        Cause::Resign => Input::Resign(ResignReason::Stop),
        Cause::ReconfigureSame => reconfigured(|_| {}),
        Cause::ReconfigureAddresses => {
            reconfigured(|config| config.addresses.push(fixture::host(101)))
        }
        Cause::ReconfigurePriority => {
            reconfigured(|config| config.priority = fixture::priority(90))
        }
        Cause::ReconfigureInterval => {
            reconfigured(|config| config.interval = Duration::from_millis(500))
        }
        Cause::LeaseExpired => Input::LeaseExpired,
        Cause::Suspended => Input::Suspended,
        Cause::Claimed => Input::Claimed,
        Cause::AdvertZero
        | Cause::AdvertLower
        | Cause::AdvertEqualLowerAddress
        | Cause::AdvertEqualHigherAddress
        | Cause::AdvertHigher
        | Cause::AdvertOwner
        | Cause::AdvertOtherVersion
        | Cause::Deadlines => return None,
    })
}

/// Calls `with` with the input of `cause`; with `None` where the cause is time alone.
pub(crate) fn with_input<R>(
    cause: Cause,
    router: &Router,
    with: impl FnOnce(Option<Input<'_>>) -> R,
) -> R {
    let (host, priority) = match cause {
        Cause::AdvertZero => (2, 0),
        Cause::AdvertLower => (2, 50),
        Cause::AdvertEqualLowerAddress => (0, 100),
        Cause::AdvertEqualHigherAddress => (2, 100),
        Cause::AdvertHigher | Cause::AdvertOtherVersion => (2, 200),
        Cause::AdvertOwner => (2, 255),
        _ => return with(plain(cause, router.config())),
    };
    let (source, destination) = (fixture::host(host), fixture::multicast());
    let mut message = fixture::message(router.config(), priority);
    if let Cause::AdvertOtherVersion = cause {
        message.version = vipfleet_vrrp::Version::V2;
    }
    let mut bytes = Vec::new();
    message.encode(source, destination, &mut bytes);
    let advert = parse(Envelope { source, destination, ttl: 255 }, &bytes).expect("well-formed");
    with(Some(Input::Advert { source, advert }))
}

fn at(millis: u64) -> Time {
    Time::ZERO + Duration::from_millis(millis)
}

fn advert(router: &mut Router, now: Time, cause: Cause) {
    let mut bytes = Vec::new();
    let (source, destination) = (fixture::host(2), fixture::multicast());
    let priority = if let Cause::AdvertLower = cause { 50 } else { 200 };
    fixture::message(router.config(), priority).encode(source, destination, &mut bytes);
    let advert = parse(Envelope { source, destination, ttl: 255 }, &bytes).expect("well-formed");
    router.handle(now, Input::Advert { source, advert });
}

/// A router in the situation, its outputs drained, and the present time.
pub(crate) fn router_in(situation: Situation) -> (Router, Time) {
    let mut config = fixture::config();
    match situation {
        Situation::InitStartupDelay => config.startup_delay = Duration::from_secs(60),
        Situation::InitFarewell => config.handover = false,
        Situation::Owner => config.priority = fixture::priority(255),
        _ => {}
    }
    let mut router = Router::new(config).expect("a valid configuration");
    router.handle(at(0), Input::PrimaryAddress(Some(fixture::host(1))));
    let now = lead(&mut router, situation);
    while router.poll_output().is_some() {}
    (router, now)
}

fn lead(router: &mut Router, situation: Situation) -> Time {
    if let Situation::Init = situation {
        return at(0);
    }
    router.handle(at(0), Input::Start);
    if let Situation::InitStartupDelay | Situation::Backup = situation {
        return at(1000);
    }
    if let Situation::BackupHeard = situation {
        advert(router, at(1000), Cause::AdvertHigher);
        return at(1500);
    }
    // All others are or were master.
    if router.state() != vipfleet_vrrp::StateName::Master {
        router.handle_deadlines(at(4000));
    }
    if let Situation::MasterUnclaimed = situation {
        return at(4001);
    }
    router.handle(at(4002), Input::Claimed);
    router.handle_deadlines(at(4500));
    let now = at(4600);
    match situation {
        Situation::InitHolding | Situation::InitSilent | Situation::InitFarewell => {
            router.handle(now, Input::Resign(ResignReason::Stop));
            if let Situation::InitSilent = situation {
                advert(router, now, Cause::AdvertLower);
            }
        }
        Situation::BackupHolding => {
            router.handle(now, Input::Resign(ResignReason::Drain));
            router.handle(now, Input::Start);
        }
        Situation::Fault | Situation::FaultFarewell => {
            router.handle(now, Input::Health(faulty()));
            if let Situation::Fault = situation {
                router.handle_deadlines(at(4700));
                router.handle_deadlines(at(4800));
                return at(5000);
            }
        }
        Situation::BackupSilent => advert(router, now, Cause::AdvertHigher),
        Situation::MasterWithRival => advert(router, now, Cause::AdvertLower),
        Situation::MasterFrozen => return at(9000),
        _ => {}
    }
    at(4605)
}

/// What the router does, and what its driver then has it do at once; then where it is.
pub(crate) fn row(situation: Situation, cause: Cause) -> String {
    let (mut router, now) = router_in(situation);
    let mut outputs = Vec::new();
    let config = Router::new(router.config().clone()).expect("it runs with it");
    with_input(cause, &config, |input| match input {
        Some(input) => router.handle(now, input),
        None => router.handle_deadlines(at(100_000)),
    });
    if router.next_deadline().is_some_and(|due| due <= now) {
        router.handle_deadlines(now);
    }
    while let Some(output) = router.poll_output() {
        outputs.push(say(&output));
    }
    let does = if outputs.is_empty() { "-".to_owned() } else { outputs.join(", ") };
    let place = format!("{} {:?}", router.state(), router.custody());
    format!("{place:<15} | {does}")
}

fn say(output: &Output) -> String {
    match output {
        Output::Transmit(Transmission { priority: Some(priority) }) => format!("advert {priority}"),
        Output::Transmit(Transmission { priority: None }) => "resignation".to_owned(),
        Output::Custody(custody) => format!("custody {custody:?}"),
        Output::Announce => "announce".to_owned(),
        Output::Elected(_) => "elected".to_owned(),
        Output::Changed(change) => format!("{}->{}", change.from, change.to),
        Output::Discarded { why, .. } => format!("discard {}", why.name()),
        Output::Warn(warning) => {
            let debug = format!("{warning:?}");
            let name = debug.split([' ', '(']).next().unwrap_or_default();
            format!("warn {name}")
        }
        Output::Stopped => "stopped".to_owned(),
    }
}
