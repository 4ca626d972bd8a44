//! Listening to VRRP on a host's interface: who advertised what, at the time the kernel stamped on
//! the packet, however late the listener itself was scheduled.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, Socket, Type};

use crate::lab::Host;

const VRRP: u8 = 112;
/// Where the protocol is in a header of IPv4 and in one of IPv6.
const PROTOCOL_AT: [u32; 2] = [9, 6];
const RECEIVE_BUFFER: usize = 8 << 20;

/// One advert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advert {
    /// When it passed the interface.
    pub at: Instant,
    /// Whose it is.
    pub source: IpAddr,
    /// 2 or 3.
    pub version: u8,
    /// Virtual router ID.
    pub router_id: u8,
    /// 0 is a resignation.
    pub priority: u8,
}

/// Every advert that a host could hear since the start.
#[derive(Debug)]
pub struct AdvertWatch {
    heard: Arc<Mutex<Vec<Advert>>>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl AdvertWatch {
    /// Listens to adverts over the address family of `like`; those that pass after this returns
    /// are heard.
    pub fn start(host: &Host, like: impl Into<IpAddr>) -> Self {
        let is_ipv4 = like.into().is_ipv4();
        let socket = host.within(move || open(is_ipv4));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (hearing, stopping) = (Arc::clone(&heard), Arc::clone(&stop));
        let reader = std::thread::spawn(move || listen(&socket, is_ipv4, &hearing, &stopping));
        Self { heard, stop, reader: Some(reader) }
    }

    /// What was heard so far, in order.
    pub fn heard(&self) -> Vec<Advert> {
        self.heard.lock().expect("no holder panics").clone()
    }

    /// What was heard since this was last called, and is not kept any longer.
    pub fn take(&self) -> Vec<Advert> {
        std::mem::take(&mut *self.heard.lock().expect("no holder panics"))
    }
}

impl Drop for AdvertWatch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

fn open(is_ipv4: bool) -> Socket {
    let (protocol, at) =
        if is_ipv4 { (libc::ETH_P_IP, PROTOCOL_AT[0]) } else { (libc::ETH_P_IPV6, PROTOCOL_AT[1]) };
    let protocol = Protocol::from(i32::from((protocol as u16).to_be()));
    let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol))
        .and_then(|socket| filter(&socket, at).map(|()| socket))
        .and_then(|socket| {
            socket.set_read_timeout(Some(Duration::from_millis(50)))?;
            setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER)?;
            setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
            Ok(socket)
        });
    socket.unwrap_or_else(|error| panic!("packet socket: {error}; listening needs CAP_NET_RAW"))
}

/// Leaves a client's own traffic in the kernel.
fn filter(socket: &Socket, protocol_at: u32) -> io::Result<()> {
    let code = |bits: u32| bits as u16;
    let load = code(libc::BPF_LD | libc::BPF_B | libc::BPF_ABS);
    let equal = code(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K);
    let result = code(libc::BPF_RET | libc::BPF_K);
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut program = [
        step(load, 0, 0, protocol_at),
        step(equal, 0, 1, u32::from(VRRP)),
        step(result, 0, 0, u32::MAX),
        step(result, 0, 0, 0),
    ];
    let attached = libc::sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    // SAFETY: the program outlives the call, which copies it.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const attached).cast(),
            size_of_val(&attached) as libc::socklen_t,
        )
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn listen(socket: &Socket, is_ipv4: bool, heard: &Mutex<Vec<Advert>>, stop: &AtomicBool) {
    let mut buffer = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        match receive(socket, &mut buffer) {
            Ok((length, stamp)) => {
                let at = instant(SystemTime::UNIX_EPOCH + stamp);
                let advert = read(&buffer[..length], is_ipv4);
                let advert = advert.map(|(source, version, router_id, priority)| Advert {
                    at,
                    source,
                    version,
                    router_id,
                    priority,
                });
                heard.lock().expect("no holder panics").extend(advert);
            }
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            // The host is being taken down.
            Err(Errno::ENETDOWN) => {}
            Err(error) => panic!("read adverts: {error}"),
        }
    }
}

/// A time of day on the clock that nobody sets, by how long ago it was: the time of day may have
/// been set since the listener began.
fn instant(stamp: SystemTime) -> Instant {
    const AT_ONCE: Duration = Duration::from_micros(20);
    loop {
        let (now, wall) = (Instant::now(), SystemTime::now());
        if now.elapsed() <= AT_ONCE {
            let age = wall.duration_since(stamp).unwrap_or_default();
            return now.checked_sub(age).unwrap_or(now);
        }
    }
}

/// The length of a packet, and when the kernel had it, since the epoch.
fn receive(socket: &Socket, buffer: &mut [u8]) -> nix::Result<(usize, Duration)> {
    let mut control = nix::cmsg_space!(TimeSpec);
    let mut slices = [IoSliceMut::new(buffer)];
    let message =
        recvmsg::<()>(socket.as_raw_fd(), &mut slices, Some(&mut control), MsgFlags::empty())?;
    let stamp = message.cmsgs()?.find_map(|it| match it {
        ControlMessageOwned::ScmTimestampns(stamp) => Some(Duration::from(stamp)),
        _ => None,
    });
    Ok((message.bytes, stamp.expect("the kernel was asked for timestamps")))
}

/// Source, version, virtual router ID and priority (RFC 9568 §5.1); versions 2 and 3 agree on them.
fn read(packet: &[u8], is_ipv4: bool) -> Option<(IpAddr, u8, u8, u8)> {
    let (source, payload) = if is_ipv4 {
        let source: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
        let header = usize::from(packet.first()? & 0x0f) * 4;
        (Ipv4Addr::from(source).into(), packet.get(header..)?)
    } else {
        let source: [u8; 16] = packet.get(8..24)?.try_into().ok()?;
        (Ipv6Addr::from(source).into(), packet.get(40..)?)
    };
    let (version, kind) = (payload.first()? >> 4, payload.first()? & 0x0f);
    (kind == 1).then_some((source, version, *payload.get(1)?, *payload.get(2)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_router_and_priority_are_read_behind_a_header_with_options() {
        let mut packet = vec![0x46; 24];
        packet[12..16].copy_from_slice(&[192, 168, 248, 11]);
        packet.extend([0x31, 51, 100, 1]);
        let source = IpAddr::from([192, 168, 248, 11]);
        assert_eq!(read(&packet, true), Some((source, 3, 51, 100)));
        packet[24] = 0x32;
        assert_eq!(read(&packet, true), None);
    }

    #[test]
    fn an_advert_over_ipv6_is_read_and_a_short_packet_is_not() {
        let mut packet = vec![0; 40];
        packet[23] = 1;
        packet.extend([0x31, 7, 255]);
        assert_eq!(read(&packet, false), Some((Ipv6Addr::LOCALHOST.into(), 3, 7, 255)));
        assert_eq!(read(&packet[..42], false), None);
    }
}
