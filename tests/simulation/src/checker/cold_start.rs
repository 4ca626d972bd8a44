//! Where no MASTER was ever heard, the RFC's skew alone decides: whoever listens as long and has
//! the shorter skew comes first, and the others hear it in time. A cold start in any order makes no
//! false MASTER, as far as the skews differ by more than chance. Of an instance that is new to the
//! fleet, the member that ranks highest may begin a second later than the others.

use super::{Checker, Happening};
use crate::world::{SeatView, World};
use std::time::Duration;
use vipfleet_vrrp::{Reason, StateName, Time};

/// Skews this close may be decided by chance.
const TOO_CLOSE: Duration = Duration::from_millis(2);
/// How much longer a member listens that another outranks, when the instance is new.
const INTRODUCTION: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct ColdStart;

impl Checker for ColdStart {
    fn name(&self) -> &'static str {
        "cold start"
    }

    fn see(&mut self, world: &World, happening: &Happening<'_>) -> Result<(), String> {
        let Happening::Changed { host, instance, reason } = *happening else { return Ok(()) };
        let unheard = matches!(reason, Reason::MasterSilent { master: None, .. });
        // keepalived does not say whom it heard.
        let since = world.seat(host, instance).former_since;
        let clear = world.lossless && world.network(instance).is_whole_since(since);
        let silent = unheard && clear && world.is_vipfleet(host);
        let better = silent
            .then(|| world.others(host).find(|other| comes_first(world, *other, host, instance)))
            .flatten();
        match better {
            Some(other) => {
                let (host, other, instance) = (host + 1, other + 1, instance + 1);
                Err(format!("n{host} made itself MASTER of VI_{instance} in spite of n{other}"))
            }
            None => Ok(()),
        }
    }
}

/// Whether `other` has listened, undisturbed, for so long that it is through before `host`.
fn comes_first(world: &World, other: usize, host: usize, instance: usize) -> bool {
    let (ours, theirs) = (world.seat(host, instance), world.seat(other, instance));
    let since = ours.former_since;
    let listens = match theirs.state {
        StateName::Backup => theirs.since,
        StateName::Master if theirs.since > since => theirs.former_since,
        StateName::Init | StateName::Fault | StateName::Master => return false,
    };
    let (Some(definition), Some(same)) = (&ours.definition, &theirs.definition) else {
        return false;
    };
    let skew = |of: usize| definition.skew(world.seat(of, instance).priority(of));
    let margin = TOO_CLOSE + world.reaction * 2;
    let is_through_first = if world.is_grouped(instance) {
        // Routers of a group ask each other, and again after an interval.
        !theirs.patient && listens <= since && skew(other) + margin < skew(host)
    } else {
        let patience = |seat: &SeatView| match seat.patient {
            true => INTRODUCTION,
            false => Duration::ZERO,
        };
        listens + patience(theirs) + skew(other) + margin < since + patience(ours) + skew(host)
    };
    definition == same
        && is_undisturbed(world, host, instance, since)
        && is_undisturbed(world, other, instance, listens)
        && nobody_was(world, &[host, other], instance)
        && is_through_first
}

fn is_undisturbed(world: &World, host: usize, instance: usize, since: Time) -> bool {
    let view = &world.hosts[host];
    let redefined = world.redefined[instance].is_some_and(|at| at > since);
    world.runs(host)
        && view.since <= since
        && !redefined
        && world.seat(host, instance).priority_since <= since
        && world.seat(host, instance).told <= since
}

/// Whether no other was ever MASTER: whoever heard one waits on other grounds.
fn nobody_was(world: &World, but: &[usize], instance: usize) -> bool {
    let elected = |host: usize| world.seat(host, instance).elected;
    (0..world.hosts.len()).all(|host| elected(host) <= u32::from(but.contains(&host)))
}
