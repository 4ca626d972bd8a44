//! Watching a host's kernel announce address changes, with the time at which each was read.
//!
//! A netlink subscription rather than polling: a test that asks how soon a VIP was there needs
//! better than the ten milliseconds that a run of `ip` takes. IPv4 only, for now.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::mem;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::socket::{setsockopt, sockopt};

use crate::lab::Host;

const MESSAGE_HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;
const ATTRIBUTE_HEADER: usize = 4;
const IFA_LOCAL: u16 = 2;
/// A thousand addresses that change at once must not overrun it.
const RECEIVE_BUFFER: usize = 8 << 20;

/// What happened to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Added, or its lifetime renewed.
    Added,
    /// Removed, by somebody or by its lifetime.
    Removed,
}

/// One announcement of the kernel.
#[derive(Debug, Clone, Copy)]
pub struct Changed {
    /// When it was read.
    pub at: Instant,
    /// Which address.
    pub address: Ipv4Addr,
    /// What happened to it.
    pub change: Change,
}

/// A subscription to the address changes of one host.
#[derive(Debug)]
pub struct AddressWatch {
    host: String,
    seen: Mutex<Vec<Changed>>,
    events: Mutex<Receiver<Changed>>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl AddressWatch {
    /// Subscribes; changes that happen after this returns are seen.
    pub fn start(host: &Host) -> Self {
        let (sender, events) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let socket = host.within(subscribe);
        let stopping = Arc::clone(&stop);
        let reader = std::thread::spawn(move || read_changes(socket, &sender, &stopping));
        Self {
            host: host.name().to_owned(),
            seen: Mutex::new(Vec::new()),
            events: Mutex::new(events),
            stop,
            reader: Some(reader),
        }
    }

    /// Everything announced so far, oldest first.
    pub fn changes(&self) -> Vec<Changed> {
        let mut seen = self.seen.lock().expect("no holder panics");
        seen.extend(self.events.lock().expect("no holder panics").try_iter());
        seen.clone()
    }

    /// Waits for the first `change` of `address` at or after `since` and returns its time.
    ///
    /// # Panics
    /// When it does not come within `patience`.
    #[track_caller]
    pub fn wait_for(
        &self,
        change: Change,
        address: Ipv4Addr,
        since: Instant,
        patience: Duration,
    ) -> Instant {
        let start = Instant::now();
        loop {
            let changes = self.changes();
            let found = changes
                .iter()
                .find(|seen| seen.change == change && seen.address == address && seen.at >= since);
            if let Some(found) = found {
                return found.at;
            }
            assert!(
                start.elapsed() < patience,
                "{address} not {change:?} on {} within {patience:?}; seen: {changes:?}",
                self.host
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for AddressWatch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn subscribe() -> File {
    // SAFETY: plain system calls; the address is a fully initialised value of the size passed.
    unsafe {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        let fd = libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE);
        assert!(fd >= 0, "netlink socket: {}", std::io::Error::last_os_error());
        let socket = OwnedFd::from_raw_fd(fd);
        let mut address: libc::sockaddr_nl = mem::zeroed();
        address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
        address.nl_groups = libc::RTMGRP_IPV4_IFADDR as u32;
        let length = mem::size_of_val(&address) as libc::socklen_t;
        let bound = libc::bind(fd, (&raw const address).cast(), length);
        assert!(bound == 0, "netlink bind: {}", std::io::Error::last_os_error());
        let timeout = libc::timeval { tv_sec: 0, tv_usec: 50_000 };
        let set = libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_RCVTIMEO,
            (&raw const timeout).cast(),
            mem::size_of_val(&timeout) as libc::socklen_t,
        );
        assert!(set == 0, "netlink timeout: {}", std::io::Error::last_os_error());
        setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER)
            .unwrap_or_else(|error| panic!("netlink buffer: {error}"));
        File::from(socket)
    }
}

fn read_changes(mut socket: File, sender: &Sender<Changed>, stop: &AtomicBool) {
    let mut buffer = vec![0; 64 * 1024];
    while !stop.load(Ordering::Relaxed) {
        match socket.read(&mut buffer) {
            Ok(length) => {
                let at = Instant::now();
                for (change, address) in parse(&buffer[..length]) {
                    let _ = sender.send(Changed { at, address, change });
                }
            }
            Err(error)
                if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => panic!("read netlink: {error}"),
        }
    }
}

/// The address changes in a datagram of route messages (rtnetlink(7)).
fn parse(mut datagram: &[u8]) -> Vec<(Change, Ipv4Addr)> {
    let mut changes = Vec::new();
    while datagram.len() >= MESSAGE_HEADER {
        let length = usize::try_from(word(datagram)).unwrap_or(usize::MAX);
        let Some(message) = datagram.get(MESSAGE_HEADER..length) else {
            break;
        };
        let change = match half(&datagram[4..]) {
            libc::RTM_NEWADDR => Some(Change::Added),
            libc::RTM_DELADDR => Some(Change::Removed),
            _ => None,
        };
        let address = message.get(ADDRESS_HEADER..).and_then(local_address);
        changes.extend(change.zip(address));
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    changes
}

fn local_address(mut attributes: &[u8]) -> Option<Ipv4Addr> {
    while attributes.len() >= ATTRIBUTE_HEADER {
        let length = usize::from(half(attributes));
        let value = attributes.get(ATTRIBUTE_HEADER..length)?;
        if half(&attributes[2..]) == IFA_LOCAL {
            return <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from);
        }
        attributes = attributes.get(length.next_multiple_of(4)..)?;
    }
    None
}

fn word(bytes: &[u8]) -> u32 {
    u32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

fn half(bytes: &[u8]) -> u16 {
    u16::from_ne_bytes([bytes[0], bytes[1]])
}
