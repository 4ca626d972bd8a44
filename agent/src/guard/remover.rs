//! The guard's hands on the kernel: it asks which addresses there are, and sends the messages of
//! the record, after it has seen that each removes something, and something of ours.

use crate::net::address::Seen;
use crate::net::heartbeat::record::{Entry, Kind};
use crate::net::startup::kernel_marks_addresses;
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::AddressMessage;
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage};
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

/// What the kernel shows.
#[derive(Debug, Default)]
struct Shown {
    addresses: Vec<Seen>,
    links: Vec<LinkMessage>,
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
    /// then rules, then links.
    pub(super) fn remove(&mut self, entries: &[Entry], may_go_on: impl Fn() -> bool) -> Outcome {
        let mut outcome = Outcome::default();
        let any = |kind| entries.iter().any(|entry| entry.kind == kind);
        let shown = match self.look(any(Kind::Address), any(Kind::Link)) {
            Ok(shown) => shown,
            Err(error) => {
                outcome.refused.push(format!("cannot read the kernel: {error}"));
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
    /// mark of routes and rules itself; of addresses it does not, and links have none.
    fn is_ours(&self, kind: Kind, message: &Message, shown: &Shown) -> bool {
        let NetlinkPayload::InnerMessage(message) = &message.payload else { return false };
        match (kind, message) {
            (Kind::Address, RouteNetlinkMessage::DelAddress(message)) => {
                let Some(named) = Seen::from_message(message) else { return false };
                let it = |seen: &&Seen| (seen.index, seen.address) == (named.index, named.address);
                shown.addresses.iter().find(it).is_some_and(|seen| {
                    let unmarked = !self.marks && seen.mark.is_none() && seen.valid.is_some();
                    seen.is_marked_lease() || unmarked
                })
            }
            (Kind::Route, RouteNetlinkMessage::DelRoute(route)) => route.header.protocol == MARK,
            (Kind::Rule, RouteNetlinkMessage::DelRule(rule)) => {
                rule.attributes.contains(&RuleAttribute::Protocol(MARK))
            }
            (Kind::Link, RouteNetlinkMessage::DelLink(named)) => is_of_virtual_mac(named, shown),
            _ => false,
        }
    }

    fn look(&mut self, addresses: bool, links: bool) -> io::Result<Shown> {
        let mut shown = Shown::default();
        if addresses {
            let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
            self.dump(request, |answer| {
                if let RouteNetlinkMessage::NewAddress(message) = answer {
                    shown.addresses.extend(Seen::from_message(&message));
                }
            })?;
        }
        if links {
            self.dump(RouteNetlinkMessage::GetLink(LinkMessage::default()), |answer| {
                if let RouteNetlinkMessage::NewLink(message) = answer {
                    shown.links.push(message);
                }
            })?;
        }
        Ok(shown)
    }

    fn dump(
        &mut self,
        request: RouteNetlinkMessage,
        mut take: impl FnMut(RouteNetlinkMessage),
    ) -> io::Result<()> {
        let mut request = Message::from(request);
        request.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        self.post(&mut request)?;
        loop {
            for answer in self.answers()? {
                match answer.payload {
                    NetlinkPayload::InnerMessage(answer) => take(answer),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    NetlinkPayload::Done(_) => return Ok(()),
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

/// Whether the kernel shows, where `named` says, a macvlan with the virtual router MAC that it
/// says (RFC 9568 §7.3).
fn is_of_virtual_mac(named: &LinkMessage, shown: &Shown) -> bool {
    let Some(mac @ [0x00, 0x00, 0x5e, 0x00, 0x01 | 0x02, _]) = mac(named) else { return false };
    let link = shown.links.iter().find(|link| link.header.index == named.header.index);
    link.is_some_and(|link| self::mac(link) == Some(mac) && is_macvlan(link))
}

fn mac(link: &LinkMessage) -> Option<&[u8]> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Address(mac) => Some(&mac[..]),
        _ => None,
    })
}

fn is_macvlan(link: &LinkMessage) -> bool {
    link.attributes.iter().any(|attribute| match attribute {
        LinkAttribute::LinkInfo(info) => info.contains(&LinkInfo::Kind(InfoKind::MacVlan)),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::address;

    fn link(index: u32, mac: [u8; 6], kind: InfoKind) -> LinkMessage {
        let mut link = LinkMessage::default();
        link.header.index = index;
        let info = LinkAttribute::LinkInfo(vec![LinkInfo::Kind(kind)]);
        link.attributes = vec![LinkAttribute::Address(mac.to_vec()), info];
        link
    }

    #[test]
    fn only_the_macvlan_of_a_virtual_router_is_a_link_to_remove() {
        let ours = [0x00, 0x00, 0x5e, 0x00, 0x01, 51];
        let shown = |link| Shown { links: vec![link], ..Shown::default() };
        let named = link(7, ours, InfoKind::MacVlan);
        assert!(is_of_virtual_mac(&named, &shown(named.clone())));
        let others = [
            link(8, ours, InfoKind::MacVlan),
            link(7, ours, InfoKind::Veth),
            link(7, [0x00, 0x00, 0x5e, 0x00, 0x01, 52], InfoKind::MacVlan),
        ];
        for other in others {
            assert!(!is_of_virtual_mac(&named, &shown(other.clone())), "{other:?}");
        }
        let hosts = link(7, [2, 0, 0, 0, 0, 1], InfoKind::MacVlan);
        assert!(!is_of_virtual_mac(&hosts, &shown(hosts.clone())));
    }

    #[test]
    fn a_message_that_removes_something_else_than_its_entry_says_is_not_sent() {
        let mut remover = Remover::open().unwrap();
        let seen =
            |valid, mark| Seen { valid, mark, ..Seen::bare(7, "192.0.2.10/32".parse().unwrap()) };
        let delete = |address: &str| {
            let named = address::named(7, address.parse().unwrap());
            Message::from(RouteNetlinkMessage::DelAddress(named))
        };
        let shown = |seen| Shown { addresses: vec![seen], ..Shown::default() };
        let ours = shown(seen(Some(5), Some(112)));
        let message = delete("192.0.2.10/32");
        for marks in [true, false] {
            remover.marks = marks;
            assert!(remover.is_ours(Kind::Address, &message, &ours));
            assert!(!remover.is_ours(Kind::Route, &message, &ours));
            assert!(!remover.is_ours(Kind::Address, &delete("192.0.2.11/32"), &ours));
            assert!(!remover.is_ours(Kind::Address, &delete("192.0.2.10/24"), &ours));
            // The host's own, with whatever mark.
            assert!(!remover.is_ours(Kind::Address, &message, &shown(seen(None, Some(112)))));
            assert!(!remover.is_ours(Kind::Address, &message, &shown(seen(Some(5), Some(3)))));
        }
        // A kernel without marks: a lifetime is all that there is to go by.
        let unmarked = shown(seen(Some(5), None));
        assert!(remover.is_ours(Kind::Address, &message, &unmarked));
        remover.marks = true;
        assert!(!remover.is_ours(Kind::Address, &message, &unmarked));
        let add = address::named(7, "192.0.2.10/32".parse().unwrap());
        let add = Message::from(RouteNetlinkMessage::NewAddress(add));
        assert!(!remover.is_ours(Kind::Address, &add, &ours));
    }
}
