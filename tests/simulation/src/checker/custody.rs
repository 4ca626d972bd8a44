//! A VIP on a non-master goes soon: within netlink's time when the router gave way or failed, after
//! the silent grace when it was outranked, after the hold at the latest when it resigned, and with
//! its lease when nobody is there to remove it.

use super::Checker;
use crate::plan::Program;
use crate::world::{Status, World};
use std::time::Duration;
use vipfleet_vrrp::{Custody, StateName, Time};

/// RFC 9568 has no such thing; ours is silent for this long after the successor is heard.
const GRACE: Duration = Duration::from_millis(100);
/// The kernel drops an address this much later than its lease says.
const KERNEL_LATENESS: Duration = Duration::from_secs(2);
const LONGEST_HOLD: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(super) struct Custodians {
    /// Since when a seat holds addresses without being a live MASTER.
    unentitled: Vec<Vec<Option<Holding>>>,
}

impl Custodians {
    pub(super) fn new(world: &World) -> Self {
        Self { unentitled: vec![vec![None; world.instances()]; world.hosts.len()] }
    }
}

/// An unentitled holding.
#[derive(Clone, Copy, Debug)]
struct Holding {
    since: Time,
    /// The router had resigned: it holds until its successor is heard.
    resigned: bool,
}

impl Checker for Custodians {
    fn name(&self) -> &'static str {
        "custody"
    }

    fn time_passes(&mut self, world: &World, next: Time) -> Result<(), String> {
        for host in 0..world.hosts.len() {
            for instance in 0..world.instances() {
                let seat = world.seat(host, instance);
                let entitled = seat.custody == Custody::None || world.is_master(host, instance);
                if entitled {
                    self.unentitled[host][instance] = None;
                    continue;
                }
                // A router that follows its group into BACKUP resigns, too, and one that yields.
                let follows = seat.state == StateName::Backup
                    && (world.is_grouped(instance) || seat.yields(host));
                let resigned = seat.state == StateName::Init || follows;
                let holding = *self.unentitled[host][instance]
                    .get_or_insert(Holding { since: world.now, resigned });
                // The promise is counted from when it began to apply.
                let since = holding.since.max(seat.custody_since).max(world.hosts[host].since);
                // Who leaves or fails while it gives way asks the kernel once more.
                let again = matches!(seat.state, StateName::Init | StateName::Fault);
                let since = if again { since.max(seat.since) } else { since };
                let Some(bound) = patience(world, host, instance, holding) else { continue };
                if next.since(since) > bound {
                    return Err(format!(
                        "n{} is {} and holds {:?} of VI_{} for more than {bound:?}",
                        host + 1,
                        seat.state,
                        seat.custody,
                        instance + 1
                    ));
                }
            }
        }
        Ok(())
    }

    fn is_idle(&self, _: &World) -> bool {
        self.unentitled.iter().flatten().all(Option::is_none)
    }
}

/// How long a host that is no live MASTER may hold addresses; `None` where nobody promises.
fn patience(world: &World, host: usize, instance: usize, holding: Holding) -> Option<Duration> {
    let seat = world.seat(host, instance);
    if world.hosts[host].program == Program::Keepalived && !world.runs(host) {
        return None;
    }
    let newest = &world.definitions[instance];
    let definition = seat.definition.as_ref().unwrap_or(newest);
    let lease = definition.lease(host).max(newest.lease(host));
    let vouched = definition.freshness(host).max(newest.freshness(host));
    match world.hosts[host].status {
        // A route has no lease: it goes when the agent is back.
        Status::Down | Status::Frozen | Status::Stalled if seat.custody == Custody::Silent => None,
        Status::Down | Status::Frozen => Some(lease + KERNEL_LATENESS + world.netlink),
        Status::Stalled => Some(vouched + lease + KERNEL_LATENESS + world.netlink),
        Status::Paused => None,
        Status::Running => {
            let promised = match seat.custody {
                Custody::Silent => GRACE,
                Custody::Serving if holding.resigned => hold(world, host, instance),
                Custody::Serving | Custody::None => Duration::ZERO,
            };
            Some(promised + world.netlink + world.reaction)
        }
    }
}

/// The master-down interval of the slowest peer, and the grace after it is heard.
fn hold(world: &World, host: usize, instance: usize) -> Duration {
    let definition = &world.definitions[instance];
    let interval = world.longest_interval(instance).max(definition.interval);
    let down = interval * u32::from(definition.down_adverts);
    let skews = definition.skew(definition.base(host)) + definition.skew(1) * 2;
    (down + skews * 2).min(LONGEST_HOLD) + GRACE
}
