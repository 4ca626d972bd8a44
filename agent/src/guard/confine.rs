//! Giving up everything that a guard does not need: before it opens anything, and once it has.

use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};
use std::io;

/// What the guard does once it is at its post, and what its memory allocator and its panic
/// messages need. Everything else is refused.
const CALLS: &[libc::c_long] = &[
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_writev,
    libc::SYS_close,
    libc::SYS_ppoll,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_poll,
    libc::SYS_sendto,
    libc::SYS_recvfrom,
    libc::SYS_timerfd_settime,
    libc::SYS_clock_gettime,
    libc::SYS_futex,
    libc::SYS_brk,
    libc::SYS_mmap,
    libc::SYS_mremap,
    libc::SYS_munmap,
    libc::SYS_madvise,
    libc::SYS_sigaltstack,
    libc::SYS_rt_sigreturn,
    libc::SYS_restart_syscall,
    libc::SYS_exit,
    libc::SYS_exit_group,
];

/// Closes what the agent had open in spite of itself: a guard that outlives it must not hold a
/// lock or a socket of its. Called before anything is opened.
pub(super) fn close_inherited() -> io::Result<()> {
    // SAFETY: nothing of this process owns a descriptor beyond the first three yet.
    let done = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) };
    let error = io::Error::last_os_error();
    // Kernels before 5.9 have no such call; the agent's own are all close-on-exec.
    let missing = error.raw_os_error() == Some(libc::ENOSYS);
    if done == 0 || missing { Ok(()) } else { Err(error) }
}

/// Only CAP_NET_ADMIN is left, now and after any exec, and only the calls above are answered.
pub(super) fn confine() -> io::Result<()> {
    set_no_new_privs(true)?;
    clear_ambient_capability_set()?;
    for capability in CapabilitySet::all().iter().filter(|it| *it != CapabilitySet::NET_ADMIN) {
        // Takes CAP_SETPCAP, which only a guard of root has; no_new_privs stands before it.
        let _ = remove_capability_from_bounding_set(capability);
    }
    let only = CapabilitySet::NET_ADMIN;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: only, permitted: only, inheritable: none };
    set_capabilities(None, sets)?;
    filter_calls().map_err(io::Error::other)
}

fn filter_calls() -> Result<(), seccompiler::Error> {
    let rules = CALLS.iter().map(|call| (*call, Vec::new())).collect();
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    let filter = SeccompFilter::new(rules, refuse, SeccompAction::Allow, architecture)?;
    seccompiler::apply_filter(&BpfProgram::try_from(filter)?)
}
