//! The guard's hands on the kernel: it asks which addresses there are, and sends the messages of
//! the record, after it has seen that each removes something, and something of ours.

use crate::net::address::Seen;
use crate::net::heartbeat::record::{Entry, Kind};
use crate::net::startup::kernel_marks_addresses;
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::route::RouteProtocol;
use netlink_packet_route::rule::RuleAttribute;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use rustix::io::Errno;
use socket2::SockRef;
use std::io;
use std::time::Duration;

/// The kernel answers within microseconds.
const PATIENCE: Duration = Duration::from_secs(1);
/// `rtm_protocol` of ours: the IP protocol number of VRRP.
const MARK: RouteProtocol = RouteProtocol::Other(112);

type Message = NetlinkMessage<RouteNetlinkMessage>;

#[derive(Debug)]
pub(super) struct Remover {
    socket: Socket,
    sequence: u32,
    /// Whether the kernel keeps our mark on addresses.
    marks: bool,
}

/// What came of a removal.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) removed: usize,
    /// What the kernel refused, in its words.
    pub(super) refused: Vec<String>,
}

impl Remover {
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_cap_ack(true)?;
        SockRef::from(&socket).set_read_timeout(Some(PATIENCE))?;
        Ok(Self { socket, sequence: 0, marks: kernel_marks_addresses() })
    }

    /// Removes what is there of `entries` and ours, while `may_go_on`: addresses, then routes,
    /// then rules.
    pub(super) fn remove(&mut self, entries: &[Entry], may_go_on: impl Fn() -> bool) -> Outcome {
        let mut outcome = Outcome::default();
        let shown = match self.addresses() {
            Ok(shown) => shown,
            Err(error) => {
                outcome.refused.push(format!("cannot read the kernel's addresses: {error}"));
                return outcome;
            }
        };
        let mut ordered: Vec<_> = entries.iter().collect();
        ordered.sort_by_key(|entry| entry.kind);
        for entry in ordered {
            let Ok(message) = Message::deserialize(&entry.message) else { continue };
            if !self.is_ours(entry.kind, &message, &shown) {
                continue;
            }
            if !may_go_on() {
                break;
            }
            match self.send(message) {
                Ok(()) => outcome.removed += 1,
                // Gone with its address, or with its interface.
                Err(Errno::ADDRNOTAVAIL | Errno::SRCH | Errno::NODEV | Errno::NOENT) => {}
                Err(error) => outcome.refused.push(format!("{:?}: {error}", entry.kind)),
            }
        }
        outcome
    }

    /// Whether a message removes what its entry says, and that is ours. The kernel compares the
    /// mark of routes and rules itself; of addresses it does not.
    fn is_ours(&self, kind: Kind, message: &Message, shown: &[Seen]) -> bool {
        let NetlinkPayload::InnerMessage(message) = &message.payload else { return false };
        match (kind, message) {
            (Kind::Address, RouteNetlinkMessage::DelAddress(message)) => {
                let Some(named) = Seen::from_message(message) else { return false };
                let it = |seen: &&Seen| (seen.index, seen.address) == (named.index, named.address);
                shown.iter().find(it).is_some_and(|seen| {
                    let unmarked = !self.marks && seen.mark.is_none() && seen.valid.is_some();
                    seen.is_marked_lease() || unmarked
                })
            }
            (Kind::Route, RouteNetlinkMessage::DelRoute(route)) => route.header.protocol == MARK,
            (Kind::Rule, RouteNetlinkMessage::DelRule(rule)) => {
                rule.attributes.contains(&RuleAttribute::Protocol(MARK))
            }
            _ => false,
        }
    }

    fn addresses(&mut self) -> io::Result<Vec<Seen>> {
        let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        let mut request = Message::from(request);
        request.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        self.post(&mut request)?;
        let mut shown = Vec::new();
        loop {
            for answer in self.answers()? {
                match answer.payload {
                    NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewAddress(message)) => {
                        shown.extend(Seen::from_message(&message));
                    }
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    NetlinkPayload::Done(_) => return Ok(shown),
                    _ => {}
                }
            }
        }
    }

    fn send(&mut self, mut message: Message) -> Result<(), Errno> {
        let lost = |_| Errno::CONNRESET;
        self.post(&mut message).map_err(lost)?;
        loop {
            for answer in self.answers().map_err(lost)? {
                if let NetlinkPayload::Error(error) = answer.payload {
                    let code = error.code.map_or(0, std::num::NonZeroI32::get);
                    return match code {
                        0 => Ok(()),
                        _ => Err(Errno::from_raw_os_error(code.saturating_abs())),
                    };
                }
            }
        }
    }

    fn post(&mut self, message: &mut Message) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        message.header.sequence_number = self.sequence;
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        self.socket.send(&bytes, 0).map(drop)
    }

    /// The next datagram's answers to the latest question; late ones to a former are dropped.
    fn answers(&self) -> io::Result<Vec<Message>> {
        let (datagram, _) = self.socket.recv_from_full()?;
        let (mut rest, mut answers) = (&datagram[..], Vec::new());
        while let Ok(answer) = Message::deserialize(rest) {
            let length = usize::try_from(answer.header.length).unwrap_or(usize::MAX);
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            if answer.header.sequence_number == self.sequence {
                answers.push(answer);
            }
            if length == 0 {
                break;
            }
        }
        Ok(answers)
    }
}
