//! What keeps the agent on time on a host that is short of processors or memory, for who asks for
//! it: `--realtime` and `--lock-memory`. Claimed by `main` before anything is touched, and by the
//! self-check of a program that is to take over; what cannot be had is an error with its remedy.
//!
//! The VRRP thread alone is realtime. A thread that spins there would starve the host, so it is
//! taken back to the ordinary policy when it has run for 200 ms without a pause. No child
//! of the agent inherits anything of this: SCHED_RESET_ON_FORK (sched(7)), mlockall(2).

use crate::options::Options;
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CapabilitySet, capabilities};
use std::io;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::time::Duration;

/// What the thread may run without a pause. A thousand addresses that move at once are done in a
/// tenth of it, and the guard's shortest patience is longer.
const LONGEST_RUN: Duration = Duration::from_millis(200);
/// The kernel kills what still spins then: the signal at [`LONGEST_RUN`] had no effect.
const END: Duration = Duration::from_secs(1);

/// A priority of SCHED_RR, from 1 to 50: threads of the kernel that a packet needs run at 50.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RealtimePriority(u8);

impl FromStr for RealtimePriority {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.parse().ok().filter(|number| (1..=50).contains(number));
        number.map(Self).ok_or("a priority is a number from 1 to 50")
    }
}

/// Why what was asked for cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum RealtimeError {
    #[error(
        "--realtime {0}: this process may not use realtime priorities; allow it with \
         LimitRTPRIO={0} and RestrictRealtime=no in its unit (elsewhere ulimit -r {0}, or \
         CAP_SYS_NICE), or leave the option out"
    )]
    NoPriority(u8, #[source] io::Error),
    #[error(
        "--realtime {0}: the kernel refuses it although this process has the right to it; set \
         RestrictRealtime=no in its unit, and in a container or a control group of version 1 \
         check cpu.rt_runtime_us; or leave the option out"
    )]
    Refused(u8, #[source] io::Error),
    #[error(
        "--realtime: the time that a thread may run without a pause cannot be limited; leave the \
         option out, for a thread that spins would starve the host"
    )]
    NoLimit(#[source] io::Error),
    #[error(
        "--lock-memory: this process may lock {} KiB only, and would fail for want of memory \
         later; allow it all with LimitMEMLOCK=infinity in its unit (elsewhere ulimit -l \
         unlimited, or CAP_IPC_LOCK), or leave the option out", .0 / 1024
    )]
    LittleMemory(u64),
    #[error("--lock-memory: the memory cannot be locked; leave the option out, or free some")]
    NotLocked(#[source] io::Error),
    #[error("cannot read the capabilities of this process; leave --realtime and --lock-memory out")]
    Unknown(#[source] io::Error),
}

/// Locks memory, and makes sure that the VRRP thread can be realtime, as far as it is asked for.
pub fn claim(options: &Options) -> Result<(), RealtimeError> {
    if options.lock_memory {
        lock_memory()?;
    }
    options.realtime.map_or(Ok(()), rehearse)
}

/// All that there is now is read in and stays: the takeover's code has not run when the host runs
/// out of memory. What comes later is locked as it is touched (MCL_ONFAULT), or the stack of each
/// thread would take its full 2 MiB.
///
/// A limit on locked memory counts all that is reserved, touched or not, and would have the
/// allocator fail in the middle of a day: it must not be there.
fn lock_memory() -> Result<(), RealtimeError> {
    if let Some(limit) = getrlimit(Resource::Memlock).current
        && !holds(CapabilitySet::IPC_LOCK)?
    {
        return Err(RealtimeError::LittleMemory(limit));
    }
    let locked = mlockall(MlockAllFlags::CURRENT);
    let locked = locked.and_then(|()| mlockall(MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT));
    locked.map_err(|errno| RealtimeError::NotLocked(errno.into()))
}

/// Becomes realtime in a thread that ends at once.
fn rehearse(priority: RealtimePriority) -> Result<(), RealtimeError> {
    limit_runs().map_err(RealtimeError::NoLimit)?;
    let attempt = std::thread::spawn(move || set_policy(0, libc::SCHED_RR, priority.0));
    let Err(cause) = attempt.join().unwrap_or_else(|_| Err(io::Error::other("it panicked"))) else {
        return Ok(());
    };
    // None is no limit (setrlimit(2)).
    let limit = getrlimit(Resource::Rtprio).current;
    let has_right = limit.is_none_or(|limit| limit >= u64::from(priority.0));
    Err(match has_right || holds(CapabilitySet::SYS_NICE)? {
        true => RealtimeError::Refused(priority.0, cause),
        false => RealtimeError::NoPriority(priority.0, cause),
    })
}

fn holds(capability: CapabilitySet) -> Result<bool, RealtimeError> {
    let held = capabilities(None).map_err(|errno| RealtimeError::Unknown(errno.into()))?;
    Ok(held.effective.contains(capability))
}

/// RLIMIT_RTTIME (setrlimit(2)): SIGXCPU, and later SIGKILL, to a process one of whose realtime
/// threads runs for so long without blocking. The kernel raises the first by a second each time;
/// a limit that was lower before stays.
fn limit_runs() -> io::Result<()> {
    let micros = |length: Duration| u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
    let before = getrlimit(Resource::Rttime).maximum.unwrap_or(u64::MAX);
    let (first, last) = (micros(LONGEST_RUN).min(before), micros(END).min(before));
    setrlimit(Resource::Rttime, Rlimit { current: Some(first), maximum: Some(last) })?;
    // SAFETY: an all-zero sigaction is a valid one: no flags, nothing blocked meanwhile.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    action.sa_sigaction = take_back as extern "C" fn(libc::c_int) as libc::sighandler_t;
    action.sa_flags = libc::SA_RESTART;
    // SAFETY: the handler does nothing but what signal-safety(7) allows.
    let done = unsafe { libc::sigaction(libc::SIGXCPU, &raw const action, std::ptr::null_mut()) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The realtime thread; 0 while there is none.
static THREAD: AtomicI32 = AtomicI32::new(0);
static TAKEN_BACK: AtomicBool = AtomicBool::new(false);

/// Makes the calling thread, the VRRP thread, a realtime one.
pub fn enter(priority: RealtimePriority) -> io::Result<()> {
    THREAD.store(rustix::thread::gettid().as_raw_nonzero().get(), Ordering::Release);
    set_policy(0, libc::SCHED_RR, priority.0)
}

/// Whether the realtime thread was taken back since this was asked last.
pub fn was_taken_back() -> bool {
    TAKEN_BACK.load(Ordering::Relaxed) && TAKEN_BACK.swap(false, Ordering::Relaxed)
}

/// Of SIGXCPU, in whichever thread: a system call and a store, errno kept.
extern "C" fn take_back(_signal: libc::c_int) {
    let thread = THREAD.load(Ordering::Acquire);
    if thread != 0 {
        // SAFETY: errno of this thread.
        let before = unsafe { *libc::__errno_location() };
        if set_policy(thread, libc::SCHED_OTHER, 0).is_ok() {
            TAKEN_BACK.store(true, Ordering::Relaxed);
        }
        // SAFETY: as above.
        unsafe { *libc::__errno_location() = before };
    }
}

/// sched_setscheduler(2) of a thread, 0 for the calling one. What it forks starts as ordinary.
fn set_policy(thread: libc::pid_t, policy: libc::c_int, priority: u8) -> io::Result<()> {
    let policy = policy | libc::SCHED_RESET_ON_FORK;
    // The kernel's sched_param: the C library's may have more.
    let parameters = [libc::c_int::from(priority)];
    let (call, parameters) = (libc::SYS_sched_setscheduler, parameters.as_ptr());
    // SAFETY: reads one number.
    let done = unsafe { libc::syscall(call, thread, policy, parameters) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;
    use std::time::Instant;

    const SPINS: &str = "VIPFLEET_TEST_SPINS";

    fn is_realtime() -> bool {
        // SAFETY: asks about the calling thread.
        let policy = unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) };
        policy & i64::from(!libc::SCHED_RESET_ON_FORK) == i64::from(libc::SCHED_RR)
    }

    #[test]
    fn a_priority_is_from_1_to_50() {
        for text in ["1", "50"] {
            assert!(text.parse::<RealtimePriority>().is_ok(), "{text}");
        }
        for text in ["0", "51", "-1", "", "ten"] {
            assert!(text.parse::<RealtimePriority>().is_err(), "{text}");
        }
    }

    /// Nothing by itself; the test below runs it in a process of its own, for limits and handlers
    /// are of a process.
    #[test]
    fn a_thread_spins_where_the_environment_says() {
        if std::env::var_os(SPINS).is_none() {
            return;
        }
        let priority = RealtimePriority(1);
        rehearse(priority).unwrap();
        assert!(!was_taken_back());
        enter(priority).unwrap();
        assert!(is_realtime());
        let began = Instant::now();
        while is_realtime() {
            assert!(began.elapsed() < Duration::from_secs(60), "it spins for ever");
        }
        assert!(was_taken_back());
        assert!(!was_taken_back(), "it is said once");
    }

    #[test]
    fn a_realtime_thread_that_spins_becomes_an_ordinary_one() {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "realtime::tests::a_thread_spins_where_the_environment_says"])
            .env(SPINS, "1")
            .status()
            .unwrap();
        assert!(status.success(), "{status}");
    }
}
