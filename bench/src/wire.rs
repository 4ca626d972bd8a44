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

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(adverts: &[(u64, u8, u8, u8)]) -> (Instant, Vec<Advert>) {
        let start = Instant::now();
        let advert = |&(at, host, router_id, priority): &(u64, u8, u8, u8)| Advert {
            at: start + Duration::from_millis(at),
            source: IpAddr::from([192, 0, 2, host]),
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
}
