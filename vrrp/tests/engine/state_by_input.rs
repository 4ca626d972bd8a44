//! Every situation a router can be in × every input it can get, against a table that is read and
//! reviewed as a whole: `tests/state_by_input.txt`, rewritten when `VIPFLEET_BLESS` is set.
//!
//! A new [`Input`], [`StateName`] or [`Custody`] does not compile here until it is classified,
//! and a class without a row fails.

use crate::table::{self, Cause, Situation};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use vipfleet_vrrp::{Custody, Input, StateName};

#[test]
fn every_situation_answers_every_input_as_the_table_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/state_by_input.txt");
    let mut actual = String::new();
    for situation in Situation::ALL {
        writeln!(actual, "{situation:?}").expect("a string takes it");
        for cause in Cause::ALL {
            let row = table::row(situation, cause);
            writeln!(actual, "    {:<24} {row}", format!("{cause:?}")).expect("a string takes it");
        }
    }
    if std::env::var_os("VIPFLEET_BLESS").is_some() {
        std::fs::write(&path, &actual).expect("a writable table");
    }
    let expected = std::fs::read_to_string(&path).expect("the table");
    for (number, (is, was)) in actual.lines().zip(expected.lines()).enumerate() {
        assert_eq!(is, was, "{}:{}", path.display(), number + 1);
    }
    assert_eq!(actual.lines().count(), expected.lines().count(), "rows of {}", path.display());
}

/// Which state can go with which custody; all others would be a bug.
fn is_possible(state: StateName, custody: Custody) -> bool {
    match (state, custody) {
        (StateName::Init | StateName::Backup, _) => true,
        (StateName::Fault, Custody::None) => true,
        (StateName::Fault, Custody::Serving | Custody::Silent) => false,
        (StateName::Master, Custody::Serving) => true,
        (StateName::Master, Custody::None | Custody::Silent) => false,
    }
}

#[test]
fn every_possible_state_and_custody_is_a_situation_of_the_table() {
    let reached: BTreeSet<_> = Situation::ALL
        .into_iter()
        .map(|situation| {
            let (router, _) = table::router_in(situation);
            (router.state(), format!("{:?}", router.custody()))
        })
        .collect();
    let states = [StateName::Init, StateName::Fault, StateName::Backup, StateName::Master];
    for state in states {
        for custody in [Custody::None, Custody::Serving, Custody::Silent] {
            let key = (state, format!("{custody:?}"));
            assert_eq!(reached.contains(&key), is_possible(state, custody), "{key:?}");
        }
    }
}

/// Number of the input's kind; a new kind must be counted here and caused in the table.
fn kind(input: &Input<'_>) -> usize {
    match input {
        Input::Start => 0,
        Input::Advert { .. } => 1,
        Input::Health(_) => 2,
        Input::PrimaryAddress(_) => 3,
        Input::Resign(_) => 4,
        Input::Reconfigure(_) => 5,
        Input::LeaseExpired => 6,
        Input::Suspended => 7,
        Input::Claimed => 8,
        Input::Resume => 9,
        Input::Follow(_) => 10,
        Input::Introduce => 11,
    }
}

#[test]
fn every_kind_of_input_has_a_column() {
    let (router, _) = table::router_in(Situation::Backup);
    let mut kinds = BTreeSet::new();
    for cause in Cause::ALL {
        table::with_input(cause, &router, |input| {
            kinds.extend(input.as_ref().map(kind));
        });
    }
    assert_eq!(kinds, (0..12).collect());
}
