//! From check results and the ground an instance stands on to the engine's [`Health`]. Pure.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use vipfleet_model::Name;
use vipfleet_model::instance::Track;
use vipfleet_model::report::CheckStatus;
use vipfleet_vrrp::Health;

/// What is known of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckState {
    pub status: CheckStatus,
    /// Why, in the check's own words: `process nginx not running`.
    pub detail: String,
    /// RFC 3339, when the status was entered.
    pub since: String,
}

/// Fitness of one instance. `obstacle` is why its interface cannot carry adverts, if it cannot;
/// `offset` is the operator's, and counts like a weight: a router that was turned down is not at
/// its full priority. A check without a result yet counts neither up nor down, but makes the
/// health pending: no preemption on unknown ground.
pub fn health(
    obstacle: Option<String>,
    offset: i16,
    tracks: &[Track],
    checks: &BTreeMap<Name, CheckState>,
) -> Health {
    let mut health = Health { interface_down: obstacle.is_some(), ..Health::default() };
    health.faults.extend(obstacle);
    if offset != 0 {
        health.weight += i32::from(offset);
        health.full_weight += i32::from(offset.max(0));
        health.weighted.push(format!("priority offset {offset:+}"));
    }
    for track in tracks {
        health.full_weight += i32::from(track.weight.max(0));
        count(track, checks.get(&track.check), &mut health);
    }
    health
}

fn count(track: &Track, state: Option<&CheckState>, health: &mut Health) {
    let (status, detail) = match state {
        Some(state) => (state.status, state.detail.as_str()),
        None => (CheckStatus::Pending, ""),
    };
    let up = match (status, track.reverse) {
        (CheckStatus::Pending, _) => {
            health.pending = true;
            return;
        }
        (CheckStatus::Up, reverse) => !reverse,
        (CheckStatus::Down, reverse) => reverse,
    };
    let said = || format!("check {} is {}: {detail}", track.check, if up { "up" } else { "down" });
    match (track.weight, up) {
        (0, false) => health.faults.push(said()),
        (0, true) => {}
        (weight, true) if weight > 0 => {
            health.weight += i32::from(weight);
            health.weighted.push(format!("{} (+{weight})", said()));
        }
        (weight, false) if weight < 0 => {
            health.weight += i32::from(weight);
            health.weighted.push(format!("{} ({weight})", said()));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(weight: i16, reverse: bool, status: CheckStatus) -> Health {
        let check: Name = "nginx".parse().unwrap();
        let track = Track { check: check.clone(), weight, reverse };
        let state = CheckState { status, detail: "because".into(), since: String::new() };
        health(None, 0, &[track], &BTreeMap::from([(check, state)]))
    }

    #[test]
    fn a_check_counts_as_its_weight_and_direction_say() {
        use CheckStatus::{Down, Pending, Up};
        let table = [
            (0, false, Up, 0, 0),
            (0, false, Down, 1, 0),
            (0, true, Up, 1, 0),
            (0, true, Down, 0, 0),
            (20, false, Up, 0, 20),
            (20, false, Down, 0, 0),
            (-30, false, Up, 0, 0),
            (-30, false, Down, 0, -30),
            (-30, true, Up, 0, -30),
            (20, true, Down, 0, 20),
            (0, false, Pending, 0, 0),
            (20, false, Pending, 0, 0),
        ];
        for (weight, reverse, status, faults, sum) in table {
            let health = one(weight, reverse, status);
            assert_eq!((health.faults.len(), health.weight), (faults, sum), "{weight} {status:?}");
            assert_eq!(health.pending, status == Pending);
        }
    }

    #[test]
    fn a_check_that_nobody_has_heard_of_is_pending() {
        let track = Track { check: "nginx".parse().unwrap(), weight: 0, reverse: false };
        assert!(health(None, 0, &[track], &BTreeMap::new()).pending);
    }

    #[test]
    fn an_absent_interface_is_a_fault_of_the_host() {
        let absent = "interface ens33 does not exist".to_owned();
        let health = health(Some(absent), 0, &[], &BTreeMap::new());
        assert!(health.interface_down);
        assert_eq!(health.faults, ["interface ens33 does not exist"]);
    }

    #[test]
    fn an_offset_weakens_like_a_check_and_strengthens_what_is_full() {
        let down = health(None, -40, &[], &BTreeMap::new());
        assert_eq!((down.weight, down.full_weight), (-40, 0));
        assert_eq!(down.weighted, ["priority offset -40"]);
        let up = health(None, 20, &[], &BTreeMap::new());
        assert_eq!((up.weight, up.full_weight), (20, 20));
    }
}
