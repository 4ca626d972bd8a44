//! What the kernel refused, where, and what an operator can do about it.

use super::device::Device;
use rustix::io::Errno;
use std::fmt;
use std::io;

/// The net thread could not be started.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    #[error("cannot open the netlink socket for {what}")]
    Netlink { what: &'static str, source: io::Error },
    #[error("the net thread died while it started")]
    Died,
    #[error("cannot start the net thread")]
    Thread { source: io::Error },
    #[error("cannot read the kernel's {what}")]
    Dump { what: &'static str, source: io::Error },
}

/// One refusal: what was tried, why it failed, and the remedy. Plain text, because it travels to
/// operators as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `add 192.0.2.10/32 to eth0`.
    pub what: String,
    /// The system's words: `operation not permitted (EPERM)`.
    pub error: String,
    /// What to do about it.
    pub remedy: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}: {}; {}", self.what, self.error, self.remedy)
    }
}

impl Fault {
    /// A refusal of the kernel.
    pub(super) fn kernel(what: &str, error: Errno) -> Self {
        let remedy = match error {
            Errno::PERM => "give the agent CAP_NET_ADMIN (AmbientCapabilities= in its unit)",
            Errno::ACCESS => "see that IPv6 is enabled on the interface",
            Errno::NODEV => "see that the interface exists",
            Errno::INVAL | Errno::RANGE => {
                "check its prefix, broadcast, scope (one for all addresses of a subnet) and label \
                 (at most 15 characters)"
            }
            _ => "the agent keeps trying",
        };
        Self { what: what.to_owned(), error: error.to_string(), remedy }
    }

    /// A refusal of a route or rule.
    pub(super) fn routing(what: &str, error: Errno) -> Self {
        let remedy = match error {
            Errno::NETUNREACH | Errno::HOSTUNREACH => {
                "see that an address of the host reaches the gateway, or write onLink"
            }
            Errno::NETDOWN => "see that its interface is up",
            Errno::INVAL => {
                "see that its source is an address of the host, its gateway none, and its scope \
                 fits"
            }
            Errno::PERM => "give the agent CAP_NET_ADMIN (AmbientCapabilities= in its unit)",
            Errno::ACCESS => "see that IPv6 is enabled on the interface",
            Errno::NODEV => "see that the interface exists",
            _ => "the agent keeps trying",
        };
        Self { what: what.to_owned(), error: error.to_string(), remedy }
    }

    /// A setting below `/proc/sys` that cannot be read or written.
    pub(super) fn setting(name: &str, error: &io::Error) -> Self {
        let remedy = match error.kind() {
            io::ErrorKind::PermissionDenied => "give the agent CAP_NET_ADMIN",
            io::ErrorKind::ReadOnlyFilesystem => {
                "let the agent write /proc/sys (ProtectKernelTunables=no in its unit)"
            }
            _ => "see that the interface exists and /proc/sys is mounted",
        };
        Self { what: format!("set {name}"), error: error.to_string(), remedy }
    }

    /// The device of a virtual MAC cannot be made.
    pub(super) fn device(device: &Device, error: Errno) -> Self {
        let remedy = match error {
            Errno::OPNOTSUPP => "load the kernel's macvlan module, or leave out virtualMac",
            Errno::INVAL | Errno::BUSY => {
                "virtualMac needs an Ethernet interface that is no port of a bridge or bond"
            }
            Errno::PERM => "give the agent CAP_NET_ADMIN (AmbientCapabilities= in its unit)",
            _ => "the agent keeps trying",
        };
        Self { what: format!("make {device}"), error: error.to_string(), remedy }
    }

    /// Its name is taken.
    pub(super) fn device_of_others(device: &Device) -> Self {
        Self {
            what: format!("make {device}"),
            error: "there is an interface of that name, and the agent did not make it".to_owned(),
            remedy: "stop what made it (keepalived with use_vmac?) or remove it with ip link del",
        }
    }

    /// Another instance of this host has it on another interface.
    pub(super) fn device_elsewhere(device: &Device, other: &Device) -> Self {
        Self {
            what: format!("make {device}"),
            error: format!("it is on {}", other.parent),
            remedy: "give one of the instances another virtual router ID",
        }
    }

    /// The ledger on disk.
    pub(super) fn ledger(verb: &str, error: &str) -> Self {
        Self {
            what: format!("{verb} the ledger of owned addresses"),
            error: error.to_owned(),
            remedy: "see that the state directory can be written and has room; VIPs are served \
                     meanwhile, and after a crash the kernel's own marks tell what is ours",
        }
    }
}
