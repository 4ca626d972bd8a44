//! The netlink sockets: one for requests, one for news. Used by the net thread alone.
//!
//! Requests go out many to a datagram and are answered in order, which costs a thousand changes
//! one wait per hundred. They have a socket of their own because the sequence number of foreign
//! news could otherwise be taken for an answer. Knows messages, not what they are for.

use super::error::NetError;
use futures::channel::mpsc::UnboundedReceiver;
use futures::stream::StreamExt;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_proto::{Connection, ConnectionHandle};
use netlink_sys::{AsyncSocket, SocketAddr, TokioSocket, protocols::NETLINK_ROUTE};
use nix::sys::socket::{setsockopt, sockopt};
use rtnetlink::MulticastGroup;
use rustix::io::Errno;
use socket2::{SockFilter, SockRef};
use std::io;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Messages to one datagram. The net thread is inside the kernel for as long as it takes to work
/// through them.
const WINDOW: usize = 128;
/// Both sockets; a full one loses news or answers, and is made up for by a resync.
const RECEIVE_BUFFER: usize = 4 << 20;
/// The kernel answers within microseconds, unless it lost the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// A dump that changes keep interrupting is accepted after this many tries; the next resync
/// repairs it.
const DUMP_TRIES: usize = 5;

type Message = NetlinkMessage<RouteNetlinkMessage>;
type News = UnboundedReceiver<(Message, SocketAddr)>;

/// What arrived unasked.
#[derive(Debug)]
pub(super) enum Notice {
    Message(Box<RouteNetlinkMessage>),
    /// News were lost: read everything anew.
    Lost,
}

/// An open pair of sockets.
#[derive(Debug)]
pub(super) struct Netlink {
    requests: ConnectionHandle<RouteNetlinkMessage>,
    /// Port number of the request socket: the sender of our own changes.
    port: u32,
    news: News,
    tasks: [JoinHandle<()>; 2],
    /// An answer did not come: nothing more is to be expected of these sockets.
    broken: bool,
}

impl Drop for Netlink {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Netlink {
    /// Opens both sockets in the thread's network namespace. Needs no privilege by itself.
    pub(super) fn open() -> Result<Self, NetError> {
        let fail = |what| move |source| NetError::Netlink { what, source };
        let (mut connection, requests, _) = netlink_proto::new_connection_with_socket::<
            RouteNetlinkMessage,
            TokioSocket,
        >(NETLINK_ROUTE)
        .map_err(fail("requests"))?;
        // Every message gets exactly one answer, in order.
        connection.set_forward_ack(true);
        connection.set_forward_done(true);
        let port = prepare(&mut connection).map_err(fail("requests"))?;
        let groups = [
            MulticastGroup::Link,
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv6Ifaddr,
            MulticastGroup::Ipv4Route,
            MulticastGroup::Ipv6Route,
            MulticastGroup::Ipv4Rule,
            MulticastGroup::Ipv6Rule,
        ];
        let (mut watcher, _, news) =
            rtnetlink::new_multicast_connection(&groups).map_err(fail("news"))?;
        filter(&mut watcher, port).map_err(fail("news"))?;
        let tasks = [tokio::spawn(connection), tokio::spawn(watcher)];
        Ok(Self { requests, port, news, tasks, broken: false })
    }

    /// Sends `messages` with `flags` (and `REQUEST | ACK`), in order. One result for each.
    pub(super) async fn batch(
        &mut self,
        messages: Vec<(RouteNetlinkMessage, u16)>,
    ) -> Vec<Result<(), Errno>> {
        let total = messages.len();
        let mut results = Vec::with_capacity(total);
        let mut messages = messages.into_iter().map(|(message, flags)| {
            let mut message = NetlinkMessage::from(message);
            message.header.flags = NLM_F_REQUEST | NLM_F_ACK | flags;
            message
        });
        while results.len() < total {
            let window: Vec<_> = messages.by_ref().take(WINDOW).collect();
            let answered = results.len() + window.len();
            if let Ok(mut answers) = self.requests.request_batch(window, SocketAddr::new(0, 0)) {
                while let Ok(Some(answer)) = timeout(PATIENCE, answers.next()).await {
                    if let NetlinkPayload::Error(error) = answer.payload {
                        results.push(outcome(&error));
                    }
                }
            }
            // A socket that died owes the rest of the answers.
            self.broken |= results.len() < answered;
            results.resize(answered, Err(Errno::CONNRESET));
        }
        results
    }

    /// One question for each message, one answer for each: `None` where the kernel refused.
    pub(super) async fn ask(
        &mut self,
        messages: Vec<RouteNetlinkMessage>,
    ) -> Vec<Option<RouteNetlinkMessage>> {
        let total = messages.len();
        let messages = messages.into_iter().map(|message| {
            let mut message = NetlinkMessage::from(message);
            message.header.flags = NLM_F_REQUEST | NLM_F_ACK;
            message
        });
        let mut found = Vec::with_capacity(total);
        if total == 0 {
            return found;
        }
        if let Ok(mut answers) = self.requests.request_batch(messages, SocketAddr::new(0, 0)) {
            let mut answer = None;
            while let Ok(Some(next)) = timeout(PATIENCE, answers.next()).await {
                match next.payload {
                    NetlinkPayload::InnerMessage(message) => answer = Some(message),
                    // Ends each answer, good or bad.
                    NetlinkPayload::Error(_) => found.push(answer.take()),
                    _ => {}
                }
            }
        }
        self.broken |= found.len() < total;
        found.resize(total, None);
        found
    }

    /// Everything of one kind that the kernel has.
    pub(super) async fn dump(
        &mut self,
        request: RouteNetlinkMessage,
    ) -> io::Result<Vec<RouteNetlinkMessage>> {
        for attempt in 1..=DUMP_TRIES {
            let mut message = NetlinkMessage::from(request.clone());
            message.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
            let mut answers = self
                .requests
                .request(message, SocketAddr::new(0, 0))
                .map_err(|_| io::Error::from(io::ErrorKind::ConnectionReset))?;
            let (mut found, mut interrupted, mut complete) = (Vec::new(), false, false);
            while let Ok(Some(answer)) = timeout(PATIENCE, answers.next()).await {
                interrupted |= answer.header.flags & NLM_F_DUMP_INTR != 0;
                match answer.payload {
                    NetlinkPayload::InnerMessage(message) => found.push(message),
                    NetlinkPayload::Done(_) => complete = true,
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    _ => {}
                }
            }
            if !complete {
                self.broken = true;
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            if !interrupted || attempt == DUMP_TRIES {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    /// Whether a new pair must be opened.
    pub(super) fn is_broken(&self) -> bool {
        self.broken
    }

    /// The next piece of news; waits for it. Cancel-safe.
    pub(super) async fn notice(&mut self) -> Notice {
        loop {
            let Some((message, _)) = self.news.next().await else {
                self.broken = true;
                return Notice::Lost;
            };
            if let Some(notice) = self.judge(message) {
                return notice;
            }
        }
    }

    /// The next piece of news that is here already.
    pub(super) fn next_notice(&mut self) -> Option<Notice> {
        loop {
            let (message, _) = self.news.try_recv().ok()?;
            if let Some(notice) = self.judge(message) {
                return Some(notice);
            }
        }
    }

    /// News of our own making are dropped: the socket filter does that, except in the moment
    /// before it is attached.
    fn judge(&self, message: Message) -> Option<Notice> {
        match message.payload {
            NetlinkPayload::InnerMessage(_) if message.header.port_number == self.port => None,
            NetlinkPayload::InnerMessage(inner) => Some(Notice::Message(Box::new(inner))),
            NetlinkPayload::Overrun(_) => Some(Notice::Lost),
            _ => None,
        }
    }
}

fn outcome(error: &netlink_packet_core::ErrorMessage) -> Result<(), Errno> {
    match error.code {
        None => Ok(()),
        Some(code) => Err(Errno::from_raw_os_error(code.get().saturating_abs())),
    }
}

/// Sizes and binds the request socket; returns its port number.
fn prepare(connection: &mut Connection<RouteNetlinkMessage>) -> io::Result<u32> {
    let socket = connection.socket_mut().socket_mut();
    enlarge(socket)?;
    // An error answer need not carry the request again.
    socket.set_cap_ack(true)?;
    // Dumps give what is asked for alone; a kernel before 4.20 gives everything.
    let _ = socket.set_netlink_get_strict_chk(true);
    Ok(socket.bind_auto()?.port_number())
}

fn enlarge(socket: &netlink_sys::Socket) -> io::Result<()> {
    if setsockopt(socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        socket.set_rx_buf_sz(RECEIVE_BUFFER)?;
    }
    Ok(())
}

/// Lets the kernel drop news whose `nlmsg_pid` says that they follow from a request of `port`.
fn filter(watcher: &mut Connection<RouteNetlinkMessage>, port: u32) -> io::Result<()> {
    const LOAD_WORD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    /// Where `nlmsg_pid` lies in a message's header (netlink(7)).
    const PORT_AT: u32 = 12;
    let socket = watcher.socket_mut().socket_mut();
    enlarge(socket)?;
    // The filter machine loads in network order what the kernel wrote in its own.
    let program = [
        SockFilter::new(LOAD_WORD, 0, 0, PORT_AT),
        SockFilter::new(JUMP_IF_EQUAL, 0, 1, port.to_be()),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ];
    SockRef::from(&*socket).attach_filter(&program)
}
