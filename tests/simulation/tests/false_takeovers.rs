//! Fast takeover must not buy its speed with takeovers from a healthy master. Fleets that differ in
//! nothing but the takeover run through the same loss; both kinds are counted and compared.

mod fleet;

use fleet::{fleet, loses};
use std::time::Duration;
use vipfleet_simulation::{Mutation, Trace, run};
use vipfleet_vrrp::Takeover;

/// Fleets of each kind, interval and loss.
const FLEETS: u64 = 24;
/// Intervals that each fleet runs.
const ADVERTS: u32 = 500;
/// Fast may have this many times as many false takeovers as rfc.
const ALLOWED: f64 = 1.5;

/// Elections beyond the first: the master lives and never gives way, so each is a false takeover.
fn false_takeovers(takeover: Takeover, interval: Duration, loss: u8, priorities: &[u8]) -> u64 {
    let elections = (0..FLEETS).map(|seed| {
        let mut plan = fleet(seed, takeover, interval, priorities);
        loses(&mut plan, loss, ADVERTS);
        let outcome = run(&plan, Mutation::None, Trace::default());
        assert_eq!(outcome.violation, None, "seed {seed}");
        outcome.elected.len().saturating_sub(1) as u64
    });
    elections.sum()
}

#[test]
fn fast_takeover_has_at_most_one_and_a_half_times_the_false_takeovers_of_rfc() {
    println!("priorities       interval  loss    rfc   fast  ratio");
    let (mut all_rfc, mut all_fast) = (0, 0);
    for priorities in [&[150, 100][..], &[200, 100, 50], &[254, 253, 252, 251]] {
        for millis in [10, 100, 1000] {
            for loss in [10, 20, 30] {
                let count = |takeover| {
                    let interval = Duration::from_millis(millis);
                    false_takeovers(takeover, interval, loss, priorities)
                };
                let (rfc, fast) = (count(Takeover::Rfc), count(Takeover::Fast));
                let ratio = fast as f64 / rfc as f64;
                let shown = format!("{priorities:?}");
                println!("{shown:<20} {millis:>4}   {loss:>2} % {rfc:>6} {fast:>6}  {ratio:.2}");
                (all_rfc, all_fast) = (all_rfc + rfc, all_fast + fast);
                // Fewer than this say nothing.
                if rfc >= 100 {
                    assert!(ratio <= ALLOWED, "{priorities:?} {millis} ms {loss} %: {ratio:.2}");
                }
            }
        }
    }
    let ratio = all_fast as f64 / all_rfc as f64;
    println!("all: rfc {all_rfc}, fast {all_fast}, ratio {ratio:.2}");
    assert!(all_rfc > 1000, "only {all_rfc} false takeovers to compare");
    assert!(ratio <= ALLOWED, "{ratio:.2}");
}
