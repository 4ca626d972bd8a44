//! S1 to S3: what 250 instances cost while nothing happens. The master is measured alone on the
//! segment, the backup as what is added when it joins.

use std::thread;
use std::time::{Duration, Instant};

use vipfleet_tests::lab::Lab;

use crate::accounts::{Load, watch};
use crate::line::{Effort, Line, Readings, Row, Subject, Target, Turn, Unit, milliseconds};
use crate::scene::{Router, wait_for_all};
use crate::sender::Sender;
use crate::setup::{Role, Setup};

/// After the laboratory before: the kernel takes its namespaces apart when nobody asks any more.
const TIDYING: Duration = Duration::from_secs(4);
/// Past the second announcement of a new master, 5 s after the first.
const SETTLING: Duration = Duration::from_secs(7);
/// A backup announces nothing.
const LISTENING: Duration = Duration::from_secs(3);

#[derive(Debug)]
struct Steady {
    rows: [Row; 4],
    setup: Setup,
    /// How long each state is watched: the less there is to see, the longer.
    period: Duration,
}

pub(super) fn lines() -> Vec<Box<dyn Line>> {
    let row = |id, work, limit, factor: Option<f64>| {
        let target = factor.map_or(Target::Open, Target::OfKeepalived);
        Row { id, work, unit: Unit::MillisecondsPerSecond, limit, target }
    };
    let lines = [
        Steady {
            rows: [
                row("S1", "250 masters at 100 ms: processor time", "the yardstick", Some(0.6)),
                row("S2", "250 backups at 100 ms: processor time", "", Some(0.6)),
                row("S1 own", "250 masters at 100 ms: the processes alone", "", None),
                row("S2 own", "250 backups at 100 ms: the processes alone", "", None),
            ],
            setup: Setup::many(1, Duration::from_millis(100)),
            period: Duration::from_secs(8),
        },
        Steady {
            rows: [
                row("S3", "250 masters at 1 s: processor time", "the yardstick", Some(1.0)),
                row("S3 backup", "250 backups at 1 s: processor time", "", Some(1.0)),
                row("S3 own", "250 masters at 1 s: the processes alone", "", None),
                row("S3 backup own", "250 backups at 1 s: the processes alone", "", None),
            ],
            setup: Setup::many(1, Duration::from_secs(1)),
            period: Duration::from_secs(10),
        },
    ];
    lines.into_iter().map(|line| Box::new(line) as Box<dyn Line>).collect()
}

impl Line for Steady {
    fn rows(&self) -> Vec<Row> {
        self.rows.to_vec()
    }

    fn subjects(&self) -> &'static [Subject] {
        &[Subject::Keepalived, Subject::Ours, Subject::Yardstick]
    }

    fn runs(&self, _subject: Subject, effort: Effort) -> usize {
        effort.pick(1, 2)
    }

    fn run(&self, subject: Subject, turn: Turn) -> Readings {
        let period = turn.effort.pick(Duration::from_secs(4), self.period);
        let lab = Lab::pair();
        thread::sleep(TIDYING);
        let idle = watch(period, &[]);
        if subject == Subject::Yardstick {
            return self.floor(&lab, &idle, period);
        }
        let mut first = Router::start(&lab, subject, &self.setup, Role::Higher);
        wait_for_all(lab.host("n1"), &self.setup);
        thread::sleep(SETTLING);
        let alone = watch(period, &[first.process().pid()]);
        let mut second = Router::start(&lab, subject, &self.setup, Role::Lower);
        thread::sleep(LISTENING);
        let both = watch(period, &[first.process().pid(), second.process().pid()]);
        let [master, backup, own_master, own_backup] = &self.rows;
        let readings =
            Readings::one(own_master.id, alone.trees[0]).with(own_backup.id, both.trees[1]);
        if !is_quiet(&idle) {
            return readings;
        }
        readings
            .with(master.id, alone.machine - idle.machine)
            .with(backup.id, both.machine - alone.machine)
    }
}

/// Other work on the machine hides what a daemon costs: then there is no reading of the whole.
fn is_quiet(idle: &Load) -> bool {
    idle.machine < 100.0
}

impl Steady {
    fn floor(&self, lab: &Lab, idle: &Load, period: Duration) -> Readings {
        let sender = Sender::start(lab.host("n1"), self.setup.instances, self.setup.interval);
        // A thread of the bench: what it takes is not the machine's until it is said to be.
        let (before, start) = (sender.time(), Instant::now());
        let load = watch(period, &[]);
        let own = milliseconds(sender.time() - before) / start.elapsed().as_secs_f64();
        let [master, _, own_master, _] = &self.rows;
        let readings = Readings::one(own_master.id, own);
        if is_quiet(idle) {
            readings.with(master.id, own + load.machine - idle.machine)
        } else {
            readings
        }
    }
}
