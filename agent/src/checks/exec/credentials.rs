//! Whom a program runs as, and what its process may do: nothing beyond plain file access.
//!
//! Called between looking a program up and running it. [`confine`] runs in the forked child.

use super::policy::Refused;
use nix::unistd::{User, getgrouplist};
use rustix::fs::Mode;
use rustix::process::{geteuid, setsid, umask};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, Gid, Uid, capabilities,
    capabilities_secure_bits, clear_ambient_capability_set, set_capabilities,
    set_capabilities_secure_bits, set_no_new_privs, set_thread_groups, set_thread_res_gid,
    set_thread_res_uid,
};
use std::ffi::CString;
use std::io;

/// A user to become, with all its groups.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

/// `None` when `name` is the user the agent runs as anyway. Blocks on NSS.
pub(crate) fn lookup(name: &str) -> Result<Option<Credentials>, Refused> {
    let failed = |errno: nix::Error| Refused::UserLookup(name.into(), errno.into());
    let missing = || Refused::NoSuchUser(name.into());
    let c_name = CString::new(name).map_err(|_| missing())?;
    let user = User::from_name(name).map_err(failed)?.ok_or_else(missing)?;
    let uid = Uid::from_raw(user.uid.as_raw());
    if uid == geteuid() {
        return Ok(None);
    }
    let held =
        capabilities(None).map_err(|errno| Refused::UserLookup(name.into(), errno.into()))?;
    if !held.effective.contains(CapabilitySet::SETUID | CapabilitySet::SETGID) {
        return Err(Refused::MayNotSwitchUser(name.into()));
    }
    let groups = getgrouplist(&c_name, user.gid).map_err(failed)?;
    let groups = groups.iter().map(|gid| Gid::from_raw(gid.as_raw())).collect();
    Ok(Some(Credentials { uid, gid: Gid::from_raw(user.gid.as_raw()), groups }))
}

/// Makes the calling process, a child about to exec, one that may do nothing special: its own
/// session and process group, no descriptors beyond its first three, default signals, no
/// capabilities now or later.
///
/// A child that stays uid 0 has no capabilities either: exec would give root its bounding set
/// back, but no_new_privs limits the result to what was permitted before, which is nothing. It
/// still owns root's files.
///
/// Runs between fork and exec: system calls only, no allocation, no locks.
pub(crate) fn confine(user: Option<&Credentials>) -> io::Result<()> {
    setsid()?;
    close_descriptors_on_exec()?;
    reset_signals();
    umask(Mode::WGRP | Mode::WOTH);
    forget_root_privilege();
    if let Some(user) = user {
        set_thread_groups(&user.groups)?;
        set_thread_res_gid(user.gid, user.gid, user.gid)?;
        set_thread_res_uid(user.uid, user.uid, user.uid)?;
    }
    set_no_new_privs(true)?;
    clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    set_capabilities(None, sets)?;
    Ok(())
}

/// A second lock beside no_new_privs where the agent holds the key to it (CAP_SETPCAP): uid 0
/// means nothing to exec, for good.
fn forget_root_privilege() {
    if let Ok(bits) = capabilities_secure_bits() {
        let no_root = CapabilitiesSecureBits::NO_ROOT | CapabilitiesSecureBits::NO_ROOT_LOCKED;
        let _ = set_capabilities_secure_bits(bits | no_root);
    }
}

/// Ours are all close-on-exec; this covers what the agent itself inherited.
fn close_descriptors_on_exec() -> io::Result<()> {
    let flags = libc::CLOSE_RANGE_CLOEXEC;
    // SAFETY: marks descriptors, closes none now; no memory is handed over.
    let done = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, flags) };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// exec resets handlers but keeps ignored signals ignored.
fn reset_signals() {
    for signal in 1..=libc::SIGSYS {
        // SAFETY: sets the default action; SIGKILL and SIGSTOP refuse, which changes nothing.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}
