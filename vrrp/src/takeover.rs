//! Rank-aware takeover: what a backup that knows every member can do better than RFC 9568's skew.
//!
//! The skew of the RFC orders backups that know nothing of each other, and costs up to one
//! interval. Members that know each other have a *rank* instead, and wait
//!
//! * `guard + rank × slot` beyond the silence, where the guard tolerates one late advert (without
//!   it two lost adverts, not three, cause a takeover);
//! * `2 ms + rank × slot` on evidence from the current master: its resignation, or an advert lower
//!   than this router's priority.
//!
//! The rank is static: by base priority, then address, without the current master. What is
//! believed of anybody's health never enters, because beliefs differ and equal ranks collide.
//! Only a router's own weakness does: below its full effective priority it ranks behind all.
//!
//! There is no rank, and everything is rfc, whenever a member is external, an address unknown, the
//! member list incomplete, this router not on it, or the current master unheard or no member.

use crate::config::{Config, Member, Takeover};
use std::cmp::Reverse;
use std::net::IpAddr;
use std::time::Duration;

/// What a rank waits. There is one pace, the default; the simulator varies it to show why
/// (`docs/simulation.md`), and all members must keep the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Of the interval, in percent: what rank 0 waits beyond the silence.
    pub guard_percent: u32,
    /// The least guard, and what rank 0 waits on evidence: never nothing, so that a second advert
    /// on its way can still contradict the first.
    pub least_guard: Duration,
    /// What one rank waits for the one before: a LAN's delay and a loaded host's wake-up.
    pub slot: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let (least_guard, slot) = (Duration::from_millis(2), Duration::from_millis(5));
        Self { guard_percent: 10, least_guard, slot }
    }
}

/// Place in the queue of successors, 0 first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rank(u32);

impl Rank {
    /// Whom the operator named.
    pub(crate) const FIRST: Self = Self(0);

    /// What replaces the skew when the master has fallen silent.
    pub(crate) fn skew(self, pace: Pace, interval: Duration) -> Duration {
        let guard = interval * pace.guard_percent / 100;
        pace.least_guard.max(guard) + pace.slot * self.0
    }

    /// From evidence to takeover.
    pub(crate) fn slot(self, pace: Pace) -> Duration {
        pace.least_guard + pace.slot * self.0
    }
}

/// Whether this router is at its full effective priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fitness {
    Full,
    Weakened,
}

/// Rank of this router, at `own`, among the successors of `master`.
pub(crate) fn rank(
    config: &Config,
    own: Option<IpAddr>,
    master: Option<IpAddr>,
    fitness: Fitness,
) -> Option<Rank> {
    let (own, master) = (own?, master?);
    let members = &config.members;
    if !ranks(config) || !members.iter().any(|it| it.address == Some(master) && !it.this) {
        return None;
    }
    // The others must know this router under the address it advertises from.
    let this = members.iter().find(|member| member.this && member.address == Some(own))?;
    let place = |priority, address| (Reverse(priority), Reverse(address));
    let mine = place(this.priority, this.address);
    let rivals = members.iter().filter(|member| !member.this && member.address != Some(master));
    let (mut others, mut ahead) = (0, 0);
    for rival in rivals {
        others += 1;
        ahead += u32::from(place(rival.priority, rival.address) < mine);
    }
    Some(Rank(match fitness {
        Fitness::Full => ahead,
        // Behind everybody, and apart from others that are weakened too.
        Fitness::Weakened => others + 1 + ahead,
    }))
}

/// Whether the peers of `own` have ranks once it is their master.
pub(crate) fn ranks_peers_of(config: &Config, own: Option<IpAddr>) -> bool {
    let is_own = |member: &Member| member.this && member.address == own;
    own.is_some() && ranks(config) && config.members.iter().any(is_own)
}

fn ranks(config: &Config) -> bool {
    config.takeover == Takeover::Fast
        && config.members_complete
        && config.members.iter().all(|member| !member.external && member.address.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{address, config, member};

    fn fleet() -> Config {
        Config {
            takeover: Takeover::Fast,
            members_complete: true,
            members: vec![
                member(1, 100, true),
                member(2, 150, false),
                member(3, 100, false),
                member(4, 50, false),
            ],
            ..config()
        }
    }

    fn rank_of(config: &Config, master: u8, fitness: Fitness) -> Option<u32> {
        rank(config, Some(address(1)), Some(address(master)), fitness).map(|rank| rank.0)
    }

    #[test]
    fn the_rank_counts_who_is_ahead_without_the_current_master() {
        let fleet = fleet();
        assert_eq!(rank_of(&fleet, 2, Fitness::Full), Some(1), "3 is ahead by its address");
        assert_eq!(rank_of(&fleet, 3, Fitness::Full), Some(1), "2 is ahead by its priority");
        assert_eq!(rank_of(&fleet, 4, Fitness::Full), Some(2));
    }

    #[test]
    fn a_weakened_router_ranks_behind_all_others_and_apart_from_other_weakened_ones() {
        let mut fleet = fleet();
        assert_eq!(rank_of(&fleet, 2, Fitness::Weakened), Some(4));
        for member in &mut fleet.members {
            member.this = member.address == Some(address(3));
        }
        let third = rank(&fleet, Some(address(3)), Some(address(2)), Fitness::Weakened);
        assert_eq!(third, Some(Rank(3)));
    }

    #[test]
    fn there_is_no_rank_when_anything_about_the_members_is_uncertain() {
        let certain = fleet();
        let mut external = fleet();
        external.members[3].external = true;
        let mut unknown = fleet();
        unknown.members[3].address = None;
        let incomplete = Config { members_complete: false, ..fleet() };
        let rfc = Config { takeover: Takeover::Rfc, ..fleet() };
        for config in [external, unknown, incomplete, rfc] {
            assert_eq!(rank_of(&config, 2, Fitness::Full), None, "{config:?}");
        }
        assert_eq!(rank_of(&certain, 9, Fitness::Full), None, "the master is no member");
        assert_eq!(rank(&certain, Some(address(1)), None, Fitness::Full), None, "never heard");
        assert_eq!(rank(&certain, Some(address(7)), Some(address(2)), Fitness::Full), None);
        assert_eq!(rank(&certain, None, Some(address(2)), Fitness::Full), None);
    }

    #[test]
    fn the_guard_is_a_tenth_of_the_interval_and_the_slot_is_never_zero() {
        let pace = Pace::default();
        assert_eq!(Rank(0).skew(pace, Duration::from_secs(1)), Duration::from_millis(100));
        assert_eq!(Rank(0).skew(pace, Duration::from_millis(10)), Duration::from_millis(2));
        assert_eq!(Rank(2).skew(pace, Duration::from_millis(10)), Duration::from_millis(12));
        assert_eq!(Rank(0).slot(pace), Duration::from_millis(2));
        assert_eq!(Rank(3).slot(pace), Duration::from_millis(17));
    }
}
