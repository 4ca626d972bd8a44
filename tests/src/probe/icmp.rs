//! One echo every millisecond, by ICMP or ICMPv6 as the target is, from a raw socket on a thread
//! inside the client's network.
//!
//! When the prober itself is late it does not send the missed probes in a burst; the pause is
//! reported instead, so that a busy machine is not mistaken for a lossless one.

use std::io::{ErrorKind, Read};
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::flusher::Flusher;
use super::losses::{Losses, Sample};
use crate::lab::Host;

const PERIOD: Duration = Duration::from_millis(1);
/// How long after the last probe an answer still counts.
const LATE_ANSWERS: Duration = Duration::from_millis(500);
/// Request and reply.
const ECHO_V4: (u8, u8) = (8, 0);
const ECHO_V6: (u8, u8) = (128, 129);
const HEADER: usize = 8;
const PACKET: usize = HEADER + mem::size_of::<u64>();

static IDENTIFIER: AtomicU16 = AtomicU16::new(1);

/// What the client knows about its neighbour while it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Neighbour {
    /// Left to the kernel.
    Warm,
    /// Its neighbour entry is removed this often: every time, a client that has to ask who has
    /// the address.
    FlushedEvery(Duration),
}

/// A running prober.
#[derive(Debug)]
pub struct Pinger {
    start: Instant,
    stop: Arc<AtomicBool>,
    runner: Option<JoinHandle<Losses>>,
}

impl Pinger {
    /// Starts asking `target` from `client`, once each millisecond.
    pub fn start(client: &Host, target: impl Into<IpAddr>, neighbour: Neighbour) -> Self {
        let target = target.into();
        let start = Instant::now();
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let runner = client.spawn_within(move || ping_since(start, target, neighbour, &stopping));
        Self { start, stop, runner: Some(runner) }
    }

    /// What the times in its report are counted from.
    pub fn start_time(&self) -> Instant {
        self.start
    }

    /// Stops asking, waits for late answers and reports.
    pub fn finish(mut self) -> Losses {
        self.stop.store(true, Ordering::Relaxed);
        match self.runner.take().expect("taken only here and on drop").join() {
            Ok(losses) => losses,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Pinger {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(runner) = self.runner.take() {
            let _ = runner.join();
        }
    }
}

/// Asks `target` until `stop`, in the network namespace of the calling thread.
pub fn ping(target: IpAddr, neighbour: Neighbour, stop: &AtomicBool) -> Losses {
    ping_since(Instant::now(), target, neighbour, stop)
}

fn ping_since(start: Instant, target: IpAddr, neighbour: Neighbour, stop: &AtomicBool) -> Losses {
    let mut run = Run::open(start, target);
    let mut flusher = match neighbour {
        Neighbour::Warm => None,
        Neighbour::FlushedEvery(every) => Some(Flusher::open(target, every)),
    };
    let mut flushes = 0;
    let mut next = run.start.elapsed();
    while !stop.load(Ordering::Relaxed) {
        let now = run.start.elapsed();
        if let Some(flusher) = &mut flusher {
            flushes += usize::from(flusher.flush_when_due(now));
        }
        run.send();
        next = (next + PERIOD).max(now);
        run.receive_until(next);
    }
    let end = run.start.elapsed();
    run.receive_until(end + LATE_ANSWERS);
    Losses { neighbour_flushes: flushes, ..Losses::of(&run.samples, end) }
}

struct Run {
    socket: Socket,
    target: SocketAddr,
    identifier: u16,
    start: Instant,
    samples: Vec<Sample>,
}

impl Run {
    fn open(start: Instant, target: IpAddr) -> Self {
        let (domain, protocol) = match target {
            IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
            IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
        };
        let socket = Socket::new(domain, Type::RAW, Some(protocol))
            .and_then(|socket| socket.set_nonblocking(true).map(|()| socket))
            .unwrap_or_else(|error| panic!("raw socket: {error}; the prober needs CAP_NET_RAW"));
        // The low bits tell the probers of one process apart, the pid those of several.
        let low = IDENTIFIER.fetch_add(1, Ordering::Relaxed) & 0xff;
        let pid = u16::try_from(std::process::id() & 0xff).expect("eight bits");
        let identifier = pid << 8 | low;
        let target = SocketAddr::new(target, 0);
        Self { socket, target, identifier, start, samples: Vec::new() }
    }

    fn send(&mut self) {
        let packet = request(self.target.ip(), self.identifier, self.samples.len() as u64);
        let sent_at = self.start.elapsed();
        // No route or no neighbour: the probe is lost, which is what is being counted.
        let _ = self.socket.send_to(&packet, &self.target.into());
        self.samples.push((sent_at, None));
    }

    fn receive_until(&mut self, deadline: Duration) {
        loop {
            self.drain();
            let Some(left) = deadline.checked_sub(self.start.elapsed()) else {
                return;
            };
            self.sleep_until_readable(left);
        }
    }

    fn drain(&mut self) {
        let mut buffer = [0; 256];
        loop {
            match (&self.socket).read(&mut buffer) {
                Ok(length) => self.record(&buffer[..length]),
                // An ICMP error that the kernel reports on this socket says no more than silence.
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => {}
            }
        }
    }

    fn record(&mut self, datagram: &[u8]) {
        let now = self.start.elapsed();
        let Some(number) = answer(datagram, self.identifier, self.target.ip()) else {
            return;
        };
        let sample = usize::try_from(number).ok().and_then(|number| self.samples.get_mut(number));
        if let Some((sent_at, answered @ None)) = sample {
            *answered = Some(now.saturating_sub(*sent_at));
        }
    }

    fn sleep_until_readable(&self, left: Duration) {
        let mut poll =
            libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let timeout = libc::timespec {
            tv_sec: left.as_secs().cast_signed(),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        // SAFETY: one initialised pollfd, one timespec, no signal mask.
        unsafe { libc::ppoll(&raw mut poll, 1, &raw const timeout, std::ptr::null()) };
    }
}

fn request(target: IpAddr, identifier: u16, number: u64) -> [u8; PACKET] {
    let mut packet = [0; PACKET];
    packet[0] = if target.is_ipv4() { ECHO_V4.0 } else { ECHO_V6.0 };
    packet[4..6].copy_from_slice(&identifier.to_be_bytes());
    packet[6..8].copy_from_slice(&(number as u16).to_be_bytes());
    // The sequence number wraps after 65 s; the payload does not.
    packet[HEADER..].copy_from_slice(&number.to_be_bytes());
    // Over IPv6 the kernel writes its own over it (RFC 3542 §3.1).
    let checksum = checksum(&packet);
    packet[2..4].copy_from_slice(&checksum.to_be_bytes());
    packet
}

/// The number of the probe that what was read answers, if it answers one of ours: an IP datagram,
/// or over IPv6, where raw sockets deliver no header, its payload.
fn answer(read: &[u8], identifier: u16, from: IpAddr) -> Option<u64> {
    let (icmp, reply) = match from {
        IpAddr::V4(from) => {
            let header = usize::from(read.first()? & 0x0f) * 4;
            let is_from = read.get(12..16)? == from.octets();
            (read.get(header..).filter(|_| is_from)?, ECHO_V4.1)
        }
        IpAddr::V6(_) => (read, ECHO_V6.1),
    };
    let ours =
        icmp.first() == Some(&reply) && icmp.get(4..6) == Some(&identifier.to_be_bytes()[..]);
    let number: [u8; 8] = icmp.get(HEADER..PACKET)?.try_into().ok()?;
    ours.then(|| u64::from_be_bytes(number))
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}
