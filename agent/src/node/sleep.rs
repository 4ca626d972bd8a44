//! How the loop waits: for a packet, for news of the kernel, for a command, for a time.
//!
//! Adverts of many instances come in bursts, and a reader that is woken by each of them costs
//! itself, and a sender on the same host, a switch of context for each. So once a turn has read
//! packets, the sockets are left alone for a moment, and what comes meanwhile is read together.

use super::wake::Wake;
use crate::net::{Events, clock};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::BorrowedFd;
use std::time::Duration;
use tracing::error;
use vipfleet_vrrp::Time;

/// The longest that a packet waits to be read while the loop has nothing else to do. Timers lose
/// nothing by it: packets are dated by the kernel, and a deadline ends the wait.
const LONGEST_PAUSE: Duration = Duration::from_millis(1);

/// So many packets in one turn are a fleet of instances in step: its adverts come together, ten
/// times in an interval.
const CROWD: usize = 8;

/// The longest that a packet of a crowd waits.
const LONGEST_PAUSE_IN_A_CROWD: Duration = Duration::from_millis(10);

/// How long packets may wait so that others join them after a turn that read so many, if the
/// shortest interval of all instances is `interval`: a hundredth of it, far below what a peer
/// waits for an answer to its advert (half an interval at the least). In a crowd a tenth, if that
/// is short: then a turn finds all that was sent since the last, instead of waking for the first
/// of them and once more for the others.
pub(super) fn pause(interval: Duration, packets: usize) -> Duration {
    let tenth = interval / 10;
    match packets >= CROWD && tenth <= LONGEST_PAUSE_IN_A_CROWD {
        true => tenth,
        false => LONGEST_PAUSE.min(tenth / 10),
    }
}

/// What ended a sleep. Packets are not among it: sockets are asked themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Woken {
    /// Somebody rang.
    pub(super) rung: bool,
    /// The kernel side has news.
    pub(super) news: bool,
}

/// Until somebody rings, the kernel has news, a packet waits in `sockets` or `until` has come.
/// Until `quiet` no packet counts.
pub(super) fn sleep(
    (wake, events, sockets): (&Wake, &Events, BorrowedFd<'_>),
    quiet: Time,
    until: Time,
) -> Woken {
    let bell = PollFd::new(wake, PollFlags::IN);
    let news = PollFd::new(events, PollFlags::IN);
    let packets = PollFd::from_borrowed_fd(sockets, PollFlags::IN);
    let mut fds = [bell, news, packets];
    if quiet > clock::now() {
        wait(&mut fds[..2], quiet.min(until));
    } else {
        wait(&mut fds, until);
    }
    let is_ready = |at: usize| !fds[at].revents().is_empty();
    Woken { rung: is_ready(0), news: is_ready(1) }
}

fn wait(fds: &mut [PollFd<'_>], until: Time) {
    let wait = until.since(clock::now());
    let timeout = Timespec {
        tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(wait.subsec_nanos()),
    };
    match poll(fds, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => {
            error!(%error, "cannot wait for packets");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_a_hundredth_of_the_interval_and_a_millisecond_at_most() {
        assert_eq!(pause(Duration::from_millis(10), 1), Duration::from_micros(100));
        assert_eq!(pause(Duration::from_millis(100), 7), Duration::from_millis(1));
        assert_eq!(pause(Duration::from_secs(40), 1), Duration::from_millis(1));
    }

    #[test]
    fn a_crowd_waits_a_tenth_where_that_is_short() {
        assert_eq!(pause(Duration::from_millis(10), 8), Duration::from_millis(1));
        assert_eq!(pause(Duration::from_millis(100), 25), Duration::from_millis(10));
        assert_eq!(pause(Duration::from_secs(1), 25), Duration::from_millis(1));
    }
}
