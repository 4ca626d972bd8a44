//! Fast takeover must not buy its speed with takeovers from a healthy master. Fleets that differ in
//! nothing but the takeover run through the same loss; both kinds are counted and compared.

use std::time::Duration;
use vipfleet_simulation::plan::{HostPlan, Kind, Program, Weather};
use vipfleet_simulation::{Definition, Mutation, Plan, Trace, run};
use vipfleet_vrrp::{Family, Preemption, Takeover, Version};

/// Fleets of each kind, interval and loss.
const FLEETS: u64 = 24;
/// Intervals that each fleet runs.
const ADVERTS: u32 = 500;
/// Fast may have this many times as many false takeovers as rfc.
const ALLOWED: f64 = 1.5;

/// A healthy fleet of `priorities`, on a LAN that loses `loss` percent all the time.
fn fleet(seed: u64, takeover: Takeover, interval: Duration, loss: u8, priorities: &[u8]) -> Plan {
    let host = |_: &u8| HostPlan {
        program: Program::Vipfleet,
        starts: Duration::ZERO,
        pending: Duration::ZERO,
        lateness: Duration::from_micros(500),
        netlink: Duration::from_millis(2),
    };
    let definition = Definition {
        vrid: 51,
        version: Version::V3,
        family: Family::Ipv4,
        interval,
        preemption: Preemption::Preempt,
        preempt_delay: Duration::ZERO,
        startup_delay: Duration::ZERO,
        recover_delay: Duration::ZERO,
        takeover,
        down_adverts: 3,
        password: 0,
        unicast: false,
        handover: true,
        addresses: 1,
        full_weight: 0,
        priorities: priorities.iter().copied().map(Some).collect(),
    };
    Plan {
        seed,
        kind: Kind::Network,
        hosts: priorities.iter().map(host).collect(),
        instances: vec![definition],
        weather: Weather { loss, duplicates: 0, stragglers: 5, ..Weather::CALM },
        steps: Vec::new(),
        active: interval * ADVERTS,
        quiet: Duration::from_secs(5) + interval * 10,
    }
}

/// Elections beyond the first: the master lives and never gives way, so each is a false takeover.
fn false_takeovers(takeover: Takeover, interval: Duration, loss: u8, priorities: &[u8]) -> u64 {
    let elections = (0..FLEETS).map(|seed| {
        let plan = fleet(seed, takeover, interval, loss, priorities);
        let outcome = run(&plan, Mutation::None, Trace::default());
        assert_eq!(outcome.violation, None, "seed {seed}");
        u64::from(outcome.elections.saturating_sub(1))
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
