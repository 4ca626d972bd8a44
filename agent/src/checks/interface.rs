//! An interface of the agent's own network namespace: up, with carrier.
//!
//! Asked by ioctl, not in /sys: /sys may be mounted for another network namespace.

use super::tally::Outcome;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::io;
use std::os::fd::AsRawFd;

pub(crate) fn probe(name: &str) -> Outcome {
    match flags(name) {
        Ok(flags) => judge(name, flags),
        Err(cause) if cause.raw_os_error() == Some(libc::ENODEV) => {
            Err(format!("no interface {name} on this host"))
        }
        Err(cause) => Err(format!("cannot read the state of interface {name}: {cause}")),
    }
}

fn judge(name: &str, flags: i32) -> Outcome {
    if flags & libc::IFF_UP == 0 {
        Err(format!("interface {name} is set down"))
    // IFF_RUNNING: operational state up, or unknown to a driver that has no carrier to report.
    } else if flags & libc::IFF_RUNNING == 0 {
        Err(format!("interface {name} has no carrier"))
    } else {
        Ok(format!("interface {name} is up with carrier"))
    }
}

fn flags(name: &str) -> io::Result<i32> {
    // SAFETY: ifreq is plain data for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // One byte stays for the terminating zero.
    if name.is_empty() || name.len() >= request.ifr_name.len() || name.contains('\0') {
        return Err(io::Error::from_raw_os_error(libc::ENODEV));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: SIOCGIFFLAGS reads the name and writes the flags of the ifreq it is handed, which
    // lives on this stack frame.
    let done = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as _, &mut request) };
    if done < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the ioctl succeeded, so the flags are the member of the union that was written.
    Ok(i32::from(unsafe { request.ifr_ifru.ifru_flags }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn up_needs_both_the_flag_and_carrier() {
        assert!(judge("e", libc::IFF_UP | libc::IFF_RUNNING).is_ok());
        assert_eq!(judge("e", libc::IFF_UP), Err("interface e has no carrier".into()));
        assert_eq!(judge("e", libc::IFF_RUNNING), Err("interface e is set down".into()));
    }

    #[test]
    fn an_interface_that_is_not_there_is_down() {
        for name in ["vfl-none", "", "a-name-of-more-than-fifteen-bytes", "a\0b"] {
            assert_eq!(probe(name), Err(format!("no interface {name} on this host")));
        }
    }
}
