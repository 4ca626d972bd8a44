//! The short run: every target reads its seeds, the kept corpus, and a bounded number of damaged
//! copies of both, the same ones every time. `make fuzz` is the long one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use vipfleet_fuzz::keepalived::{self, Reached};
use vipfleet_fuzz::mutation::{Numbers, mutated};
use vipfleet_fuzz::{TARGETS, Target, seeds};

/// Every input, until one makes the target panic: that one.
fn first_failure(target: Target, damaged: usize) -> Option<Vec<u8>> {
    let words = target.dictionary().expect("the dictionary is readable");
    let mut inputs = (target.seeds)().expect("the seeds are readable");
    inputs.extend(target.corpus().expect("the corpus is readable"));
    let mut numbers = Numbers::new(1);
    let fails = |input: &Vec<u8>| catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err();
    if let Some(input) = inputs.iter().find(|input| fails(input)) {
        return Some(input.clone());
    }
    (0..damaged).map(|_| mutated(&mut numbers, &inputs, &words)).find(fails)
}

fn holds(name: &str, damaged: usize) {
    let target = TARGETS.into_iter().find(|it| it.name == name).expect("a target");
    if let Some(input) = first_failure(target, damaged) {
        panic!(
            "{name} panics; keep this input as a file in fuzz/corpus/{name}/:\n{}",
            input.escape_ascii()
        );
    }
}

#[test]
fn adverts_are_read_as_their_bytes_say() {
    holds("advert", 40_000);
}

#[test]
fn announcements_say_what_was_meant() {
    holds("announcement", 10_000);
}

#[test]
fn keepalived_files_are_read_and_come_back_from_an_export() {
    holds("keepalived", 500);
}

#[test]
fn definitions_are_read_judged_and_come_back_as_written() {
    holds("definitions", 500);
}

#[test]
fn messages_are_refused_with_a_place_or_survive_the_way_back() {
    holds("session", 10_000);
}

#[test]
fn seeds_of_the_reader_come_back_from_an_export_and_others_are_refused() {
    let seeds = seeds::keepalived().expect("readable");
    let reached: Vec<Reached> = seeds.iter().map(|seed| keepalived::reached(seed)).collect();
    for (far, least) in [(Reached::Refused, 5), (Reached::Exported, 1), (Reached::CameBack, 5)] {
        let many = reached.iter().filter(|it| **it == far).count();
        assert!(many >= least, "{many} {far:?}: {reached:?}");
    }
}

#[test]
fn every_target_has_seeds_a_kept_corpus_and_a_program() {
    for target in TARGETS {
        let name = target.name;
        assert!((target.seeds)().expect("readable").len() >= 5, "{name}");
        assert!(!target.corpus().expect("readable").is_empty(), "{name}");
        let program = format!("{}/fuzz_targets/{name}.rs", env!("CARGO_MANIFEST_DIR"));
        let program = std::fs::read_to_string(program).expect("readable");
        assert!(program.contains(&format!("vipfleet_fuzz::{name}::run(data)")), "{program}");
    }
}

#[test]
fn a_planted_bug_is_found() {
    let planted = |data: &[u8]| assert!(!data.windows(2).any(|it| it == [0xff, 0x00]));
    let target = Target {
        name: "advert",
        run: planted,
        seeds: || Ok(vec![vec![0x21, 0x33, 0x64, 0x01, 0x10, 0x20, 0x30, 0x40]]),
    };
    assert!(first_failure(target, 40_000).is_some());
}
