//! Why fast takeover waits what it waits: the guard and the slot are varied, and false takeovers,
//! collisions and the time without a master are counted. `--nocapture` prints the table that
//! `docs/simulation.md` quotes.

mod fleet;

use fleet::{fleet, loses};
use std::time::Duration;
use vipfleet_simulation::plan::{Action, Step, Weather};
use vipfleet_simulation::{Chance, Elected, Plan, measure};
use vipfleet_vrrp::{Pace, Takeover, Time};

const PRIORITIES: [u8; 4] = [200, 150, 100, 50];
const INTERVALS: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(1)];
const LOSSES: [u8; 2] = [5, 10];
/// Fleets of each interval and loss, and how many adverts each hears.
const LOSSY: u64 = 80;
const ADVERTS: u32 = 500;
/// Masters that leave, of each interval and way to go.
const LEAVERS: u64 = 250;

/// What one pace brings about.
#[derive(Debug, Default)]
struct Row {
    /// Takeovers from a healthy master, on a LAN that loses packets.
    false_takeovers: usize,
    /// Departures of a master after which two thought it was their turn, in percent: on a calm
    /// LAN, and on a loaded one.
    collisions: [f64; 2],
    /// Time without a master, by interval: the mean after a power cut.
    vacancy: [Duration; 2],
}

impl Row {
    fn of(takeover: Takeover, pace: Pace) -> Self {
        let mut row = Self::default();
        let mut collisions = [0; 2];
        for (number, interval) in INTERVALS.into_iter().enumerate() {
            row.false_takeovers += false_takeovers(takeover, pace, interval);
            for way in [Way::PowerCut, Way::Resigns] {
                let mut vacant = Duration::ZERO;
                for (seed, load) in (0..LEAVERS).flat_map(|seed| LOADS.map(|load| (seed, load))) {
                    let succession = succession(seed, takeover, pace, interval, way, load);
                    collisions[load as usize] += usize::from(succession.masters > 1);
                    vacant += succession.vacant;
                }
                if way == Way::PowerCut {
                    row.vacancy[number] = vacant / (LEAVERS as u32 * 2);
                }
            }
        }
        let departures = LEAVERS as f64 * 4.0;
        row.collisions = collisions.map(|count| count as f64 * 100.0 / departures);
        row
    }

    fn print(&self, guard: &str, slot: &str) {
        let [calm, loaded] = self.collisions;
        let [short, long] = self.vacancy.map(|vacancy| vacancy.as_secs_f64() * 1000.0);
        let lost = self.false_takeovers;
        println!(
            "| {guard} | {slot} | {lost} | {calm:.1} % | {loaded:.1} % | {short:.0} ms | \
             {long:.0} ms |"
        );
    }
}

fn false_takeovers(takeover: Takeover, pace: Pace, interval: Duration) -> usize {
    let fleets = LOSSES.into_iter().flat_map(|loss| (0..LOSSY).map(move |seed| (loss, seed)));
    let count = fleets.map(|(loss, seed)| {
        let mut plan = fleet(seed, takeover, interval, &PRIORITIES);
        plan.instances[0].pace = pace;
        loses(&mut plan, loss, ADVERTS);
        measure(&plan).elected.len() - 1
    });
    count.sum()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    PowerCut,
    Resigns,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Load {
    Calm,
    Loaded,
}

const LOADS: [Load; 2] = [Load::Calm, Load::Loaded];

struct Succession {
    /// Who became MASTER before the first successor can have been heard, that one included.
    masters: usize,
    vacant: Duration,
}

/// The master leaves. On a loaded LAN packets take up to 3 ms and loops wake up to 3 ms late.
fn succession(
    seed: u64,
    takeover: Takeover,
    pace: Pace,
    interval: Duration,
    way: Way,
    load: Load,
) -> Succession {
    let mut plan = fleet(seed, takeover, interval, &PRIORITIES);
    plan.instances[0].pace = pace;
    if load == Load::Loaded {
        plan.weather = Weather { delay: Duration::from_millis(3), ..Weather::CALM };
        plan.hosts.iter_mut().for_each(|host| host.lateness = Duration::from_millis(3));
    }
    let at = leaves_at(&mut plan, way);
    let away = interval * 8;
    let action = match way {
        Way::PowerCut => Action::PowerOff { host: 0, away },
        Way::Resigns => Action::Restart { host: 0, away },
    };
    plan.steps = vec![Step { at, action }];
    let left = Time::ZERO + at;
    let elected = measure(&plan).elected;
    let successors: Vec<_> =
        elected.iter().filter(|it| it.at > left && it.at < left + away && it.host != 0).collect();
    let first: &Elected = successors.first().expect("somebody succeeds");
    Succession {
        masters: successors.iter().filter(|it| it.at < first.at + interval).count(),
        vacant: first.at.since(left),
    }
}

/// Any time within an interval, once all have settled.
fn leaves_at(plan: &mut Plan, way: Way) -> Duration {
    let interval = plan.instances[0].interval;
    let at = interval * 12 + Chance::stream(plan.seed, 99).between(Duration::ZERO, interval);
    // The weather lasts until the succession is over.
    plan.active = at + interval * if way == Way::PowerCut { 10 } else { 9 };
    at
}

#[test]
fn the_guard_and_the_slot_are_as_short_as_loss_and_jitter_allow() {
    println!("| guard | slot | false takeovers | calm | loaded | at 100 ms | at 1 s |");
    let rfc = Row::of(Takeover::Rfc, Pace::default());
    rfc.print("rfc", "");
    let millis = Duration::from_millis;
    let row = |guard: (&str, u64, u32), slot: u64| {
        let (name, least, guard_percent) = guard;
        let pace = Pace { guard_percent, least_guard: millis(least), slot: millis(slot) };
        let row = Row::of(Takeover::Fast, pace);
        row.print(name, &format!("{slot} ms"));
        row
    };
    let guards = [("0", 0, 0), ("2 ms", 2, 0), ("5 %", 2, 5), ("10 %", 2, 10), ("20 %", 2, 20)];
    let table = guards.map(|guard| [1, 5, 10].map(|slot| row(guard, slot)));
    let [none, _, _, chosen, long] = &table;
    let [narrow, slot, wide] = chosen;
    assert!(rfc.false_takeovers > 100, "{rfc:?}");
    assert!(slot.false_takeovers * 2 <= rfc.false_takeovers * 3, "{slot:?} {rfc:?}");
    assert!(none[1].false_takeovers > slot.false_takeovers * 3 / 2, "a guard is needed: {none:?}");
    assert!(slot.collisions[0] < 1.0 && slot.collisions[1] < 5.0, "{slot:?}");
    assert!(narrow.collisions[1] > slot.collisions[1] * 5.0, "a slot is needed: {narrow:?}");
    assert!(wide.collisions[1] <= slot.collisions[1], "{wide:?}");
    assert!(long[1].vacancy[1] > slot.vacancy[1], "a longer guard costs time: {long:?}");
    assert!(slot.vacancy[1] < rfc.vacancy[1], "{slot:?} {rfc:?}");
}
