//! The life of one check: probe, count, publish, again.
//!
//! A probe starts at once, then every interval; a late one delays the next instead of doubling
//! it. A probe that exceeds the timeout has failed at that moment, whatever becomes of it, and the
//! next starts only once nothing of it is left.

use super::probe::Prober;
use super::tally::{Change, Counted, Counting, Tally};
use std::pin::pin;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use vipfleet_model::check::Check;

/// Below this a check would be nothing but load.
const SHORTEST: Duration = Duration::from_millis(10);
/// The clock's arithmetic must not overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Everything that one check's task is given.
pub(crate) struct Task<P> {
    pub(crate) prober: Prober,
    /// How to probe and count. What to probe never changes in a task.
    pub(crate) spec: watch::Receiver<Check>,
    pub(crate) publish: P,
    pub(crate) cancel: CancellationToken,
    /// The task of the same name before this one: it may still have a child to end.
    pub(crate) predecessor: Option<JoinHandle<Counted>>,
    /// Where the former image of the agent stood.
    pub(crate) past: Option<Counted>,
}

impl<P: Fn(Change) + Send + 'static> Task<P> {
    /// Runs until cancelled, and then until nothing of the check is left. Returns its count.
    pub(crate) async fn run(mut self) -> Counted {
        let cancel = self.cancel.clone();
        let check = self.spec.borrow_and_update().clone();
        let counting = Counting::from(&check);
        let tally = match self.past.take() {
            Some(past) => Tally::resume(counting, now(), past),
            None => Tally::new(counting),
        };
        let Self { prober, spec, publish, predecessor, .. } = &mut self;
        let mut watcher = Watcher { prober, tally, publish: &*publish };
        tokio::select! {
            () = cancel.cancelled() => {}
            () = async {
                watcher.outlive(predecessor, &check).await;
                watcher.watch(check, spec).await;
            } => {}
        }
        let counted = watcher.tally.counted(now());
        self.prober.settle().await;
        if let Some(predecessor) = self.predecessor {
            let _ = predecessor.await;
        }
        counted
    }
}

struct Watcher<'a, P> {
    prober: &'a mut Prober,
    tally: Tally,
    publish: &'a P,
}

impl<P: Fn(Change)> Watcher<'_, P> {
    /// Never two runs of one check at a time, not even across a change of what it runs.
    async fn outlive(&mut self, predecessor: &mut Option<JoinHandle<Counted>>, check: &Check) {
        let Some(earlier) = predecessor else { return };
        if timeout(patience(check), &mut *earlier).await.is_err() {
            let why = "the program of the definition before this one cannot be ended";
            self.observe(Err(why.into()));
            let _ = earlier.await;
        }
        *predecessor = None;
    }

    async fn watch(&mut self, mut check: Check, spec: &mut watch::Receiver<Check>) {
        let mut ticks = ticks(Instant::now(), period(&check));
        loop {
            let deadline = self.tally.deadline().map(Instant::from_std);
            tokio::select! {
                _ = ticks.tick() => self.look(&check).await,
                () = self.prober.woken() => self.look(&check).await,
                () = until(deadline) => self.lapse(),
                changed = spec.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    let new = spec.borrow_and_update().clone();
                    self.tally.adopt(Counting::from(&new));
                    if period(&new) != period(&check) {
                        ticks = self::ticks(Instant::now() + period(&new), period(&new));
                    }
                    check = new;
                }
            }
        }
    }

    /// One probe, its outcome, and the end of whatever it left behind.
    async fn look(&mut self, check: &Check) {
        let limit = check.timeout().0.clamp(Duration::from_millis(1), LONGEST);
        let outcome = {
            let mut probe = pin!(timeout(limit, self.prober.probe()));
            loop {
                let deadline = self.tally.deadline().map(Instant::from_std);
                tokio::select! {
                    biased;
                    outcome = &mut probe => break outcome,
                    () = until(deadline) => publish(self.publish, self.tally.lapse(now())),
                }
            }
        };
        self.observe(outcome.unwrap_or_else(|_| Err(self.prober.overdue(limit))));
        let mut settle = pin!(self.prober.settle());
        loop {
            let deadline = self.tally.deadline().map(Instant::from_std);
            tokio::select! {
                biased;
                () = &mut settle => return,
                () = until(deadline) => publish(self.publish, self.tally.lapse(now())),
            }
        }
    }

    fn observe(&mut self, outcome: super::tally::Outcome) {
        publish(self.publish, self.tally.observe(now(), outcome));
    }

    fn lapse(&mut self) {
        publish(self.publish, self.tally.lapse(now()));
    }
}

fn publish(to: &impl Fn(Change), change: Option<Change>) {
    if let Some(change) = change {
        to(change);
    }
}

/// The runtime's clock, which tests can stop.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn period(check: &Check) -> Duration {
    check.interval.0.clamp(SHORTEST, LONGEST)
}

/// How long an earlier child may take to go: it is killed after the grace.
fn patience(check: &Check) -> Duration {
    period(check).min(Duration::from_secs(60)) + super::exec::GRACE * 2
}

fn ticks(first: Instant, period: Duration) -> Interval {
    let mut ticks = interval_at(first, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
