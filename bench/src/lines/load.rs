//! S6: six busy loops fight for the processors while the backup waits for adverts every 10 ms.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use vipfleet_tests::lab::Lab;
use vipfleet_tests::probe::AdvertWatch;

use crate::line::{Effort, Line, Readings, Row, Subject, Target, Turn, Unit, milliseconds};
use crate::scene::{Pair, settling};
use crate::setup::Setup;
use crate::wire::{longest_gap, takeovers};

const LOOPS: usize = 6;

#[derive(Debug)]
struct Busy;

pub(super) fn lines() -> Vec<Box<dyn Line>> {
    vec![Box::new(Busy)]
}

impl Line for Busy {
    fn rows(&self) -> Vec<Row> {
        let row = |id, work, unit, limit, target| Row { id, work, unit, limit, target };
        vec![
            row(
                "S6",
                "six busy loops, 20 s, v3, 10 ms: false takeovers",
                Unit::Count,
                "0",
                Target::Every(0.0),
            ),
            row(
                "S6 gap",
                "the same: longest time between two adverts",
                Unit::Milliseconds,
                "10 ms",
                Target::Open,
            ),
        ]
    }

    fn runs(&self, _subject: Subject, effort: Effort) -> usize {
        effort.pick(1, 2)
    }

    fn run(&self, subject: Subject, turn: Turn) -> Readings {
        let lab = Lab::pair();
        let setup = Setup::single(3, Duration::from_millis(10));
        let _pair = Pair::start(&lab, subject, &setup);
        thread::sleep(settling(&setup));
        let adverts = AdvertWatch::start(lab.host("client"), setup.vip());
        let begins = std::time::Instant::now();
        let loops = Loops::start(LOOPS);
        thread::sleep(turn.effort.pick(Duration::from_secs(5), Duration::from_secs(20)));
        drop(loops);
        let heard = adverts.heard();
        let [master, backup] = ["n1", "n2"].map(|name| lab.host(name).address().into());
        Readings::one("S6", takeovers(&heard, backup, setup.interval) as f64)
            .with("S6 gap", milliseconds(longest_gap(&heard, master, begins)))
    }
}

/// Threads that do nothing as fast as they can.
pub(super) struct Loops {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Loops {
    pub(super) fn start(count: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let spin = |_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        Self { threads: (0..count).map(spin).collect(), stop }
    }
}

impl Drop for Loops {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
