//! What a list of adverts says about those who sent them. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use vipfleet_tests::probe::Advert;

/// The longest time between two adverts of one virtual router from `source`, in what was heard
/// after `since`; the advert before it counts as the first.
pub fn longest_gap(heard: &[Advert], source: IpAddr, since: Instant) -> Duration {
    let mut last: BTreeMap<u8, Instant> = BTreeMap::new();
    let mut longest = Duration::ZERO;
    for advert in heard.iter().filter(|advert| advert.source == source) {
        let before = last.insert(advert.router_id, advert.at);
        if let Some(before) = before.filter(|_| advert.at >= since) {
            longest = longest.max(advert.at.saturating_duration_since(before));
        }
    }
    longest
}

/// The virtual routers that `source` was MASTER of, a resignation being no claim.
pub fn claimed(heard: &[Advert], source: IpAddr) -> BTreeSet<u8> {
    claims(heard, source).map(|advert| advert.router_id).collect()
}

/// How often `source` became MASTER. Adverts of one router that are further apart than three
/// intervals belong to different times.
pub fn takeovers(heard: &[Advert], source: IpAddr, interval: Duration) -> usize {
    let mut last: BTreeMap<u8, Instant> = BTreeMap::new();
    let begins = |advert: &&Advert| {
        let before = last.insert(advert.router_id, advert.at);
        before.is_none_or(|before| advert.at.saturating_duration_since(before) > interval * 3)
    };
    claims(heard, source).filter(begins).count()
}

fn claims(heard: &[Advert], source: IpAddr) -> impl Iterator<Item = &Advert> {
    heard.iter().filter(move |advert| advert.source == source && advert.priority > 0)
}

/// A claim that another router's mastership did not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// When.
    pub at: Instant,
    /// Of which virtual router.
    pub router_id: u8,
    /// How long nothing had been heard of its master; None when nothing ever was.
    pub silence: Option<Duration>,
}

/// Adverts taken in as they come, for a run whose adverts are too many to keep: the master sends
/// them, and whatever the backup claims is a false takeover.
#[derive(Debug)]
pub struct Tally {
    master: IpAddr,
    backup: IpAddr,
    interval: Duration,
    /// The last advert of the master, by virtual router. A resignation ends it.
    last: BTreeMap<u8, Advert>,
    claimed: BTreeMap<u8, Instant>,
    longest: Duration,
    takeovers: Vec<Claim>,
}

impl Tally {
    /// Nothing heard yet.
    pub fn new(master: IpAddr, backup: IpAddr, interval: Duration) -> Self {
        let (last, claimed) = (BTreeMap::new(), BTreeMap::new());
        let (longest, takeovers) = (Duration::ZERO, Vec::new());
        Self { master, backup, interval, last, claimed, longest, takeovers }
    }

    /// Takes in what was heard next.
    pub fn hear(&mut self, heard: &[Advert]) {
        for advert in heard {
            if advert.source == self.master {
                self.hear_master(advert);
            } else if advert.source == self.backup && advert.priority > 0 {
                self.hear_backup(advert);
            }
        }
    }

    fn hear_master(&mut self, advert: &Advert) {
        let id = advert.router_id;
        let before = match advert.priority {
            0 => self.last.remove(&id),
            _ => self.last.insert(id, *advert),
        };
        let gap = before.map(|before| advert.at.saturating_duration_since(before.at));
        self.longest = self.longest.max(gap.unwrap_or_default());
    }

    fn hear_backup(&mut self, advert: &Advert) {
        let (at, router_id) = (advert.at, advert.router_id);
        let before = self.claimed.insert(router_id, at);
        // Further apart, they belong to different times.
        let goes_on = |before| at.saturating_duration_since(before) <= self.interval * 3;
        if !before.is_some_and(goes_on) {
            let last = self.last.get(&router_id);
            let silence = last.map(|last| at.saturating_duration_since(last.at));
            self.takeovers.push(Claim { at, router_id, silence });
        }
    }

    /// The longest time between two adverts that the master sent of one virtual router.
    pub fn longest_gap(&self) -> Duration {
        self.longest
    }

    /// How often the backup became MASTER.
    pub fn takeovers(&self) -> &[Claim] {
        &self.takeovers
    }

    /// What the master advertises at `now`: virtual routers with their priorities. One that fell
    /// silent without a word is not advertised after three intervals.
    pub fn advertised(&self, now: Instant) -> impl Iterator<Item = (u8, u8)> {
        let patience = self.interval * 3;
        let lives = move |advert: &&Advert| now.saturating_duration_since(advert.at) <= patience;
        self.last.values().filter(lives).map(|advert| (advert.router_id, advert.priority))
    }

    /// The master has a virtual router no more: what it may say of one of that number later has
    /// nothing to do with it.
    pub fn forget(&mut self, router_id: u8) {
        self.last.remove(&router_id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(adverts: &[(u64, u8, u8, u8)]) -> (Instant, Vec<Advert>) {
        let start = Instant::now();
        let advert = |&(at, host, router_id, priority): &(u64, u8, u8, u8)| Advert {
            at: start + Duration::from_millis(at),
            source: IpAddr::from([192, 0, 2, host]),
            version: 3,
            router_id,
            priority,
        };
        (start, adverts.iter().map(advert).collect())
    }

    #[test]
    fn gaps_are_of_one_router_and_one_source() {
        let (start, heard) = heard(&[
            (0, 1, 7, 100),
            (50, 1, 8, 100),
            (60, 2, 7, 80),
            (100, 1, 7, 100),
            (290, 1, 8, 100),
        ]);
        let source = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(longest_gap(&heard, source, start), Duration::from_millis(240));
        let later = start + Duration::from_millis(291);
        assert_eq!(longest_gap(&heard, source, later), Duration::ZERO);
    }

    #[test]
    fn a_resignation_is_no_claim_and_a_time_as_master_counts_once() {
        let (_, heard) = heard(&[
            (0, 2, 7, 0),
            (100, 2, 8, 80),
            (200, 2, 8, 80),
            (5000, 2, 8, 80),
            (5000, 1, 9, 100),
        ]);
        let source = IpAddr::from([192, 0, 2, 2]);
        assert_eq!(claimed(&heard, source), BTreeSet::from([8]));
        assert_eq!(takeovers(&heard, source, Duration::from_millis(100)), 2);
        assert_eq!(takeovers(&heard, source, Duration::from_secs(2)), 1);
    }

    fn tally(adverts: &[(u64, u8, u8, u8)]) -> (Instant, Tally) {
        let [master, backup] = [1, 2].map(|host| IpAddr::from([192, 0, 2, host]));
        let mut tally = Tally::new(master, backup, Duration::from_millis(100));
        let (start, heard) = heard(adverts);
        // In two parts: nothing depends on where they are cut.
        let (first, second) = heard.split_at(heard.len() / 2);
        tally.hear(first);
        tally.hear(second);
        (start, tally)
    }

    #[test]
    fn a_tally_knows_gaps_and_priorities_without_keeping_adverts() {
        let (start, tally) = tally(&[
            (0, 1, 7, 100),
            (10, 1, 8, 100),
            (130, 1, 7, 110),
            (200, 1, 8, 0),
            (400, 1, 8, 90),
        ]);
        assert_eq!(tally.longest_gap(), Duration::from_millis(190));
        let advertised = |at| {
            let at = start + Duration::from_millis(at);
            tally.advertised(at).collect::<Vec<_>>()
        };
        assert_eq!(advertised(430), [(7, 110), (8, 90)]);
        assert_eq!(advertised(431), [(8, 90)]);
        assert_eq!(tally.takeovers(), []);
    }

    #[test]
    fn what_a_forgotten_router_said_is_no_beginning_of_a_gap() {
        let (start, mut tally) = tally(&[(0, 1, 7, 100), (100, 1, 7, 100)]);
        tally.forget(7);
        assert_eq!(tally.advertised(start).count(), 0);
        let (_, again) = heard(&[(9000, 1, 7, 100)]);
        tally.hear(&again);
        assert_eq!(tally.longest_gap(), Duration::from_millis(100));
    }

    #[test]
    fn a_tally_counts_a_time_as_master_once_with_the_silence_before_it() {
        let (_, tally) = tally(&[
            (0, 1, 7, 100),
            (400, 2, 7, 80),
            (500, 2, 7, 80),
            (600, 2, 9, 0),
            (5000, 2, 7, 80),
            (5001, 2, 9, 80),
        ]);
        let silences = tally.takeovers().iter().map(|claim| (claim.router_id, claim.silence));
        let after = |milliseconds| Some(Duration::from_millis(milliseconds));
        assert_eq!(silences.collect::<Vec<_>>(), [(7, after(400)), (7, after(5000)), (9, None)]);
    }
}
