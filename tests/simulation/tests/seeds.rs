//! A few thousand seeds with each build; `make soak` runs many more.

use vipfleet_simulation::soak::soak;

/// Other seeds than a soak begins with would be as good; these are fixed so that a failure is
/// somebody's doing.
const SEEDS: std::ops::Range<u64> = 0..3000;

#[test]
fn no_seed_breaks_a_promise() {
    let summary = soak(SEEDS);
    println!("{summary}");
    assert!(summary.elections > summary.seeds, "fleets elect masters: {summary}");
    let failures: Vec<_> =
        summary.failures.iter().map(|(seed, why)| format!("seed {seed}: {why}")).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
