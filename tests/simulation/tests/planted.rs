//! Each checker sees the bug it is there for: bugs are planted in the driver one at a time, and
//! some of a few hundred seeds must be condemned, by the checker that knows the broken promise.

use std::collections::BTreeMap;
use vipfleet_simulation::{Mutation, Plan, Trace, run, shrink};

/// Seeds that a bug may hide from.
const SEEDS: std::ops::Range<u64> = 0..400;

/// The first seed that `checker` condemns; what others objected to before is counted.
fn condemned(mutation: Mutation, checker: &str) -> Result<u64, BTreeMap<&'static str, u64>> {
    let mut others = BTreeMap::new();
    for seed in SEEDS {
        match run(&Plan::draw(seed), mutation, Trace::default()).violation {
            Some(violation) if violation.checker == checker => return Ok(seed),
            Some(violation) => *others.entry(violation.checker).or_default() += 1,
            None => {}
        }
    }
    Err(others)
}

#[track_caller]
fn assert_caught(mutation: Mutation, by: &str) {
    if let Err(others) = condemned(mutation, by) {
        panic!("{mutation:?} is not caught by {by}, but by {others:?}");
    }
}

#[test]
fn addresses_kept_by_a_router_that_gave_way_are_seen() {
    assert_caught(Mutation::CustodyKeptOnStepDown, "custody");
}

#[test]
fn a_stale_advert_that_is_sent_again_is_seen() {
    assert_caught(Mutation::StaleAdvert, "duel");
}

#[test]
fn a_backup_that_fires_before_it_reads_is_seen() {
    assert_caught(Mutation::DeadlinesBeforeDraining, "usurper");
}

#[test]
fn a_claim_that_is_never_answered_leaves_clients_behind() {
    assert_caught(Mutation::ClaimNeverAnswered, "reach");
}

#[test]
fn a_lease_that_never_ends_is_seen() {
    assert_caught(Mutation::LeaseNeverExpires, "custody");
}

#[test]
fn a_lease_renewed_for_a_loop_that_hangs_is_seen() {
    assert_caught(Mutation::LeaseRenewedUnvouched, "custody");
}

#[test]
fn addresses_that_go_before_the_successor_is_there_are_seen() {
    assert_caught(Mutation::AddressesGoneBeforeSuccessor, "continuity");
}

#[test]
fn a_sleep_that_nobody_is_told_of_is_seen() {
    assert_caught(Mutation::SuspendNotTold, "awakening");
}

#[test]
fn a_definition_that_never_arrives_is_seen() {
    assert_caught(Mutation::RedefinitionIgnored, "election");
}

#[test]
fn a_mastership_that_is_resumed_too_late_is_seen() {
    assert_caught(Mutation::ResumesWhateverTheTime, "awakening");
}

#[test]
fn a_flood_of_adverts_is_seen() {
    assert_caught(Mutation::AdvertsRepeated, "storm");
}

#[test]
fn successors_out_of_order_are_seen() {
    assert_caught(Mutation::RanksReversed, "rank");
}

#[test]
fn false_masters_at_a_cold_start_are_seen() {
    assert_caught(Mutation::PrioritiesReversed, "cold start");
}

#[test]
fn members_of_a_new_instance_that_do_not_wait_for_the_highest_are_seen() {
    assert_caught(Mutation::CreationNotTold, "cold start");
}

#[test]
fn a_deleted_instance_that_somebody_is_asked_to_take_over_is_seen() {
    assert_caught(Mutation::DeletionNotTold, "deletion");
}

#[test]
fn a_group_whose_members_do_not_follow_is_seen() {
    assert_caught(Mutation::GroupNotFollowed, "group");
}

#[test]
fn a_timer_that_never_fires_is_seen() {
    assert_caught(Mutation::DeadlinesForgotten, "vacancy");
}

#[test]
fn a_failing_plan_shrinks_to_its_cause_and_its_trace_reads_as_a_log() {
    let mutation = Mutation::CustodyKeptOnStepDown;
    let seed = condemned(mutation, "custody").expect("a seed that shows it");
    let plan = Plan::draw(seed);
    let small = shrink(&plan, mutation).expect("it fails");
    assert!(small.steps.len() <= 2, "{:?}", small.steps);
    let outcome = run(&small, mutation, Trace::on());
    let violation = outcome.violation.expect("the small plan fails, too");
    assert_eq!(violation.checker, "custody");
    let log = outcome.trace.to_string();
    for line in ["BACKUP -> MASTER", "advertises priority", "kernel: addresses there", "VIOLATION"]
    {
        assert!(log.contains(line), "no `{line}` in\n{log}");
    }
}

#[test]
fn equal_seeds_give_equal_traces() {
    for seed in [4, 9, 14] {
        let log = || run(&Plan::draw(seed), Mutation::None, Trace::on()).trace.to_string();
        assert_eq!(log(), log(), "seed {seed}");
    }
}
