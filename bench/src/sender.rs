//! The floor of steady cost: a loop that sends the adverts of so many masters in one `sendmmsg`
//! each interval and does nothing else.

use std::mem;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use vipfleet_tests::lab::Host;

use crate::accounts;

const VRRP: i32 = 112;
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// A running sender.
#[derive(Debug)]
pub struct Sender {
    stop: Arc<AtomicBool>,
    runner: Option<JoinHandle<()>>,
    thread: libc::pid_t,
}

impl Sender {
    /// Starts sending for virtual routers 1 to `instances` from `host`.
    pub fn start(host: &Host, instances: u8, interval: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let source = host.address();
        let (tell, told) = std::sync::mpsc::channel();
        let runner = host.spawn_within(move || {
            // SAFETY: takes nothing and touches no memory.
            let _ = tell.send(unsafe { libc::gettid() });
            send_until(&stopping, source, instances, interval);
        });
        let thread = told.recv().expect("the thread has begun");
        Self { stop, runner: Some(runner), thread }
    }

    /// The processor time it has taken.
    pub fn time(&self) -> Duration {
        accounts::thread_time(Path::new(&format!("/proc/self/task/{}", self.thread)))
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(runner) = self.runner.take() {
            let _ = runner.join();
        }
    }
}

fn send_until(stop: &AtomicBool, source: Ipv4Addr, instances: u8, interval: Duration) {
    let socket = open(source).unwrap_or_else(|error| panic!("raw socket: {error}"));
    let group = SockAddr::from(SocketAddrV4::new(GROUP, 0));
    let adverts: Vec<[u8; 12]> = (1..=instances).map(|id| advert(id, interval)).collect();
    let mut slices: Vec<libc::iovec> = adverts
        .iter()
        .map(|it| libc::iovec { iov_base: it.as_ptr().cast_mut().cast(), iov_len: it.len() })
        .collect();
    let mut messages: Vec<libc::mmsghdr> =
        slices.iter_mut().map(|slice| message(&group, slice)).collect();
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        // SAFETY: every header points to an address and a slice that outlive the call.
        let sent = unsafe {
            libc::sendmmsg(socket.as_raw_fd(), messages.as_mut_ptr(), messages.len() as u32, 0)
        };
        assert!(sent > 0, "sendmmsg: {}", std::io::Error::last_os_error());
        next += interval;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
}

fn open(source: Ipv4Addr) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(VRRP)))?;
    socket.set_multicast_if_v4(&source)?;
    socket.set_multicast_ttl_v4(255)?;
    socket.set_multicast_loop_v4(false)?;
    Ok(socket)
}

fn message(group: &SockAddr, slice: &mut libc::iovec) -> libc::mmsghdr {
    // SAFETY: a message header of zeros is one without name, data and control.
    let mut message: libc::mmsghdr = unsafe { mem::zeroed() };
    message.msg_hdr.msg_name = group.as_ptr().cast_mut().cast();
    message.msg_hdr.msg_namelen = group.len();
    message.msg_hdr.msg_iov = slice;
    message.msg_hdr.msg_iovlen = 1;
    message
}

/// A version 3 advert of one address (RFC 9568 §5.2), its checksum over the message alone.
fn advert(router_id: u8, interval: Duration) -> [u8; 12] {
    let centiseconds = (interval.as_millis() / 10) as u16;
    let [high, low] = centiseconds.to_be_bytes();
    let mut bytes = [0x31, router_id, 100, 1, high, low, 0, 0, 10, router_id, 0, 1];
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !(folded as u16);
    bytes[6..8].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advert_sums_to_all_ones() {
        let bytes = advert(51, Duration::from_millis(100));
        let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
        let sum: u32 = words.sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
        assert_eq!(bytes[..6], [0x31, 51, 100, 1, 0, 10]);
    }
}
