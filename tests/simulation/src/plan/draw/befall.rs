//! What befalls a fleet: a handful of steps, some close together, some far apart.

use crate::chance::Chance;
use crate::plan::{Action, Change, Kind, Plan, Program, Step, Weather};
use std::time::Duration;
use vipfleet_vrrp::{Preemption, Takeover, Version};

/// Peers that are told of a coordinated change within this understand each other all the time.
const ROLLOUT: Duration = Duration::from_secs(8);
/// Several changes in a row reach everybody within this; a member may skip all but the last.
const QUICK_ROLLOUT: Duration = Duration::from_millis(4900);
/// For how long former passwords and the like are sent or accepted, and the longest hold.
const FORMER_FORMS: Duration = Duration::from_secs(31);

/// Between the steps of a change of membership.
const JOINING: Duration = Duration::from_millis(10);

#[derive(Clone, Copy)]
enum Theme {
    Operator,
    Service,
    Host,
    Network,
}

pub(super) fn draw(chance: &mut Chance, plan: &mut Plan, down: Duration) {
    // A router that starts during a change of the password does not know the former one: such a
    // roll-out waits until all have started, and nobody is restarted during it.
    let coordinated = plan.kind == Kind::Planned && chance.percent(20);
    let mut at = match coordinated {
        true => plan.active + Duration::from_secs(4),
        false => plan.active.mul_f64(chance.below(130) as f64 / 100.0),
    };
    for _ in 0..1 + chance.below(8) {
        let lasts = span(chance, down);
        let theme = match plan.kind {
            Kind::Planned => Theme::Operator,
            Kind::Services => chance.pick(&[Theme::Service, Theme::Service, Theme::Operator]),
            Kind::Hosts => Theme::Host,
            Kind::Network => Theme::Network,
            Kind::Everything => {
                chance.pick(&[Theme::Operator, Theme::Service, Theme::Host, Theme::Network])
            }
        };
        let action = match theme {
            Theme::Operator => operator(chance, plan, lasts, coordinated),
            Theme::Service => service(chance, plan, lasts),
            Theme::Host => host(chance, plan, lasts),
            Theme::Network => network(chance, plan, lasts),
        };
        if let Some(action) = action {
            plan.steps.push(Step { at, action });
        }
        at += span(chance, down);
    }
    // Nothing ends after this, save what lasts for ever.
    let ends = plan.steps.iter().map(|step| step.at + step.action.lasts().unwrap_or_default());
    let rollout = if coordinated { ROLLOUT + FORMER_FORMS } else { Duration::from_secs(1) };
    plan.active = ends.max().unwrap_or_default().max(plan.active);
    let delays = plan.instances.iter().map(|it| it.preempt_delay + it.startup_delay);
    let delays = delays.max().unwrap_or_default() + Duration::from_secs(4);
    plan.quiet = rollout + down * 4 + delays + Duration::from_secs(4);
}

/// Mostly around the master-down interval, where things are decided.
fn span(chance: &mut Chance, down: Duration) -> Duration {
    let most = match chance.below(4) {
        0 => Duration::from_millis(60),
        1 => down / 2,
        2 => down * 2,
        _ => down * 2 + Duration::from_secs(5),
    };
    Duration::from_micros(1) + chance.between(Duration::ZERO, most)
}

pub(super) fn weather(chance: &mut Chance) -> Weather {
    Weather {
        loss: chance.pick(&[0, 5, 15, 30]),
        duplicates: chance.pick(&[0, 0, 10, 50]),
        stragglers: chance.pick(&[0, 0, 10, 30]),
        delay: Duration::from_micros(chance.pick(&[300, 800, 3000])),
    }
}

fn operator(
    chance: &mut Chance,
    plan: &Plan,
    lasts: Duration,
    coordinated: bool,
) -> Option<Action> {
    let (host, instance) = place(chance, plan);
    Some(match chance.below(6) {
        0 if !coordinated => Action::Restart { host, away: lasts },
        1 if !coordinated => Action::Drain { host, instance, lasts },
        2 => Action::Weaken { host, instance, by: weight(chance), lasts },
        3 => Action::Unsure { host, instance, lasts },
        _ => redefine(chance, plan, host, instance, coordinated)?,
    })
}

fn redefine(
    chance: &mut Chance,
    plan: &Plan,
    host: usize,
    instance: usize,
    coordinated: bool,
) -> Option<Action> {
    let definition = &plan.instances[instance];
    let member = definition.is_member(host);
    let external = definition.has_external(&plan.programs());
    let priority = 1 + chance.below(254) as u8;
    let change = match chance.below(8) {
        0 | 1 if member => Change::Priority { host, to: priority },
        2 if definition.version == Version::V3 && !external => {
            Change::Interval(chance.pick(&[plan.instances[0].interval, definition.interval * 2]))
        }
        3 => Change::Addresses(1 + chance.below(4) as u8),
        4 => Change::Preemption(chance.pick(&[Preemption::Preempt, Preemption::NoPreempt])),
        5 => Change::PreemptDelay(Duration::from_millis(chance.below(3000))),
        _ if coordinated && !external && definition.version == Version::V2 => {
            Change::Password(chance.below(4) as u8)
        }
        6 => Change::Takeover(chance.pick(&[Takeover::Rfc, Takeover::Fast])),
        7 if plan.hosts[host].program == Program::Keepalived => return None,
        7 if coordinated => return None,
        7 if member && definition.priorities.iter().flatten().count() > 2 => {
            Change::Leaves { host }
        }
        7 if !member => Change::Joins { host, priority },
        _ => return None,
    };
    let most = match change {
        Change::Password(_) if plan.seed.is_multiple_of(2) => QUICK_ROLLOUT,
        Change::Password(_) if changes_password(plan, instance) => return None,
        Change::Password(_) => ROLLOUT,
        _ => chance.pick(&[Duration::from_millis(5), Duration::from_millis(900)]),
    };
    let delays = plan.hosts.iter().map(|_| chance.between(Duration::ZERO, most));
    let mut delays: Vec<_> = delays.collect();
    // Whoever leaves must have left before the others forget to talk to it, and whoever joins
    // comes when they know it.
    match change {
        Change::Leaves { host } => {
            delays.iter_mut().for_each(|delay| *delay += JOINING);
            delays[host] = Duration::ZERO;
        }
        Change::Joins { host, .. } => delays[host] = most + JOINING,
        _ => {}
    }
    Some(Action::Redefine { instance, change, delays })
}

/// Members that skip one of two slow changes in a row do not know the form between.
fn changes_password(plan: &Plan, instance: usize) -> bool {
    plan.steps.iter().any(|step| {
        matches!(&step.action, Action::Redefine { instance: of, change: Change::Password(_), .. }
            if *of == instance)
    })
}

fn service(chance: &mut Chance, plan: &Plan, lasts: Duration) -> Option<Action> {
    let (host, instance) = place(chance, plan);
    Some(match chance.below(6) {
        0 | 1 => Action::Fault { host, instance, lasts },
        2 | 3 => Action::Weaken { host, instance, by: weight(chance), lasts },
        4 => Action::Unsure { host, instance, lasts },
        _ => Action::LinkDown { lan: plan.lans[instance], host, lasts },
    })
}

/// keepalived is not made to die or freeze: what it leaves behind is known, and not ours to judge.
fn host(chance: &mut Chance, plan: &Plan, lasts: Duration) -> Option<Action> {
    let (host, _) = place(chance, plan);
    if plan.hosts[host].program == Program::Keepalived {
        return Some(Action::PowerOff { host, away: lasts });
    }
    Some(match chance.below(6) {
        0 => Action::Kill { host, away: lasts },
        1 => Action::PowerOff { host, away: lasts },
        2 => Action::Freeze { host, lasts },
        3 => Action::Stall { host, lasts },
        4 => Action::Pause { host, lasts },
        _ => Action::Suspend { host, lasts },
    })
}

fn network(chance: &mut Chance, plan: &Plan, lasts: Duration) -> Option<Action> {
    let hosts = plan.hosts.len();
    let lan = chance.index(plan.lan_count());
    Some(match chance.below(5) {
        0 | 1 => {
            let groups = (0..hosts).map(|_| chance.below(2) as u8).collect();
            let for_ever = chance.percent(10);
            Action::Partition { lan, groups, lasts: (!for_ever).then_some(lasts) }
        }
        2 | 3 => {
            let host = chance.index(hosts);
            let from = (host + 1 + chance.index(hosts - 1)) % hosts;
            Action::Deaf { lan, host, from, lasts }
        }
        _ => Action::Weather { weather: weather(chance), lasts },
    })
}

fn place(chance: &mut Chance, plan: &Plan) -> (usize, usize) {
    (chance.index(plan.hosts.len()), chance.index(plan.instances.len()))
}

fn weight(chance: &mut Chance) -> i32 {
    chance.pick(&[5, 30, 60, 200])
}
