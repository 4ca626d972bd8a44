//! The guard at its post: sleeps until the earliest moment at which something could be due, looks
//! at the heartbeat, and sleeps again.

use super::Order;
use super::due::{Pulse, nanos};
use super::remover::Remover;
use crate::net::clock;
use crate::net::heartbeat::record::Entry;
use crate::net::heartbeat::watched::Watched;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, getppid, pidfd_open};
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// A removal that the kernel refused is tried again after this time.
const RETRY: Duration = Duration::from_millis(200);
/// So often.
const TRIES: u32 = 20;

/// Why a guard leaves its post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The agent has finished, or a newer incarnation has taken over.
    Dismissed,
    /// The agent is dead and nothing of it is left.
    Done,
}

/// How far the present silence was dealt with.
#[derive(Debug, Default)]
struct Handled {
    beat: u64,
    /// Everything due until then is gone.
    until: u64,
    tries: u32,
}

pub(super) struct Sentry {
    order: Order,
    watched: Watched,
    remover: Remover,
    timer: OwnedFd,
    /// Refers to the agent; `None` once it is dead.
    agent: Option<OwnedFd>,
    handled: Handled,
}

impl Sentry {
    pub(super) fn post(order: Order) -> io::Result<Self> {
        let watched = Watched::attach(io::stdin(), order.incarnation)?;
        let pid = Pid::from_raw(order.agent.cast_signed());
        let agent = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        // Asked after it was opened: so it is the agent, and not a process with its number.
        let agent = agent.filter(|_| getppid() == pid);
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        // It goes on in a suspend, and fires at once afterwards.
        let timer = timerfd_create(TimerfdClockId::Boottime, flags)?;
        let remover = Remover::open()?;
        Ok(Self { order, watched, remover, timer, agent, handled: Handled::default() })
    }

    pub(super) fn watch(mut self) -> io::Result<Ending> {
        loop {
            let next = self.turn();
            if !self.watched.is_current() {
                return Ok(Ending::Dismissed);
            }
            if self.agent.is_none() && next.is_none() {
                return Ok(Ending::Done);
            }
            self.sleep(next)?;
        }
    }

    /// Removes what is due; returns when something may be due next.
    fn turn(&mut self) -> Option<u64> {
        let shortest = self.watched.shortest()?;
        let now = clock::nanos(ClockId::Boottime);
        let beat = self.watched.beat();
        let earliest = beat.saturating_add(shortest);
        if earliest > now {
            return Some(earliest);
        }
        if self.handled.beat != beat {
            self.handled = Handled { beat, ..Handled::default() };
        }
        // While it is silent but alive: does it beat again?
        let again = self.agent.as_ref().map(|_| now.saturating_add(shortest));
        let Some(entries) = self.watched.record() else {
            return Some(now.saturating_add(nanos(RETRY)));
        };
        let excused_until = if self.agent.is_some() { self.watched.excused_until() } else { 0 };
        let timed = entries.into_iter().map(|entry| {
            let advert = self.watched.last_advert(&entry, beat);
            (Pulse { beat, advert, excused_until }.due(&entry), entry)
        });
        let waiting = timed.filter(|(at, _)| *at > self.handled.until);
        let (due, later): (Vec<_>, Vec<_>) = waiting.partition(|(at, _)| *at <= now);
        let later = later.into_iter().map(|(at, _)| at).min();
        let due: Vec<_> = due.into_iter().map(|(_, entry)| entry).collect();
        if !due.is_empty() && !self.remove(now, &due) {
            return Some(now.saturating_add(nanos(RETRY)));
        }
        later.into_iter().chain(again).min()
    }

    /// True when there is nothing to be tried again.
    fn remove(&mut self, now: u64, due: &[Entry]) -> bool {
        if !self.watched.begin_removal() {
            return true;
        }
        // An agent that woke in between keeps what it has.
        if self.watched.beat() != self.handled.beat {
            self.watched.end_removal();
            return true;
        }
        let silence = Duration::from_nanos(now.saturating_sub(self.handled.beat));
        self.watched.note_removal(silence, due);
        let outcome = self.remover.remove(due, || self.watched.is_current());
        self.watched.end_removal();
        let state = if self.agent.is_some() { "silent" } else { "dead" };
        let (removed, refused) = (outcome.removed, outcome.refused);
        if removed > 0 {
            let last = format!("the agent is {state}, its last beat {silence:?} ago");
            self.order.say(&format!("{last}: removed {removed}"));
        }
        self.handled.tries += 1;
        if let Some(first) = refused.first() {
            if self.handled.tries == 1 || self.handled.tries == TRIES {
                self.order.say(&format!("{} not removed; {first}", refused.len()));
            }
            if self.handled.tries < TRIES {
                return false;
            }
        }
        (self.handled.until, self.handled.tries) = (now, 0);
        true
    }

    /// Until `next`, until the bell rings, or until the agent ends.
    fn sleep(&mut self, next: Option<u64>) -> io::Result<()> {
        const SECOND: u64 = 1_000_000_000;
        // Zero would disarm it.
        let at = next.map_or(0, |at| at.max(1));
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let it_value = Timespec { tv_sec: whole(at / SECOND), tv_nsec: whole(at % SECOND) };
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        let when = Itimerspec { it_interval, it_value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &when)?;
        let bell = io::stdout();
        let mut fds = vec![
            PollFd::from_borrowed_fd(self.timer.as_fd(), PollFlags::IN),
            PollFd::from_borrowed_fd(bell.as_fd(), PollFlags::IN),
        ];
        fds.extend(self.agent.iter().map(|agent| PollFd::new(agent, PollFlags::IN)));
        match poll(&mut fds, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let rung = fds[1].revents().contains(PollFlags::IN);
        let ended = fds.get(2).is_some_and(|agent| agent.revents().contains(PollFlags::IN));
        drop(fds);
        if rung {
            let _ = rustix::io::read(&bell, &mut [0; 8]);
        }
        if ended {
            self.agent = None;
        }
        Ok(())
    }
}
