//! The device of a virtual MAC: a macvlan on the interface of its virtual router, which has the
//! router's addresses while it serves and is set down while it does not. Messages and judgement
//! here, the steps in [`keep`].
//!
//! Down, because a host that is not MASTER must not take frames for the virtual MAC (RFC 9568
//! §6.4.2), nor send any: the kernel says goodbye to multicast groups some time after an IPv6
//! address went, and a switch would take that for the MASTER. Mode VEPA and not private: a
//! private macvlan keeps from its parent all multicast that comes from its own MAC, the adverts
//! of another MASTER among it; nothing else differs on a parent with one macvlan of a MAC.

mod book;
mod keep;
mod settings;

use super::interface::Link;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoMacVlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, MacVlanMode,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use vipfleet_vrrp::{Family, Vrid};

pub(super) use book::Devices;

/// Names the device of one virtual router on one interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Remembered", try_from = "Remembered")]
pub struct Device {
    /// The interface of the virtual router.
    pub parent: String,
    pub vrid: Vrid,
    pub family: Family,
}

/// The same in the ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Remembered {
    parent: String,
    vrid: u8,
    ipv6: bool,
}

impl From<Device> for Remembered {
    fn from(device: Device) -> Self {
        let Device { parent, vrid, family } = device;
        Self { parent, vrid: vrid.get(), ipv6: family == Family::Ipv6 }
    }
}

impl TryFrom<Remembered> for Device {
    type Error = &'static str;

    fn try_from(it: Remembered) -> Result<Self, Self::Error> {
        let vrid = Vrid::new(it.vrid).ok_or("0 is no virtual router ID")?;
        let family = if it.ipv6 { Family::Ipv6 } else { Family::Ipv4 };
        Ok(Self { parent: it.parent, vrid, family })
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "device {} on {}", self.name(), self.parent)
    }
}

impl Device {
    /// `vrrp.51`, as keepalived names it; `vrrp6.51`, since a VRID may serve both families.
    pub fn name(&self) -> String {
        match self.family {
            Family::Ipv4 => format!("vrrp.{}", self.vrid),
            Family::Ipv6 => format!("vrrp6.{}", self.vrid),
        }
    }

    /// RFC 9568 §7.3.
    pub fn mac(&self) -> [u8; 6] {
        let family = match self.family {
            Family::Ipv4 => 1,
            Family::Ipv6 => 2,
        };
        [0x00, 0x00, 0x5e, 0x00, family, self.vrid.get()]
    }

    /// Whether a link is as we make it.
    fn is_as_made(&self, link: &Link, parent: u32) -> bool {
        link.parent == Some(parent)
            && link.mac == Some(self.mac())
            && link.macvlan == Some(MacVlanMode::Vepa)
    }

    /// Makes it, down.
    fn creation(&self, parent: u32) -> LinkMessage {
        let mut message = LinkMessage::default();
        let mode = InfoMacVlan::Mode(MacVlanMode::Vepa);
        message.attributes = vec![
            LinkAttribute::IfName(self.name()),
            LinkAttribute::Address(self.mac().to_vec()),
            LinkAttribute::Link(parent),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::MacVlan),
                LinkInfo::Data(InfoData::MacVlan(vec![mode])),
            ]),
        ];
        message
    }
}

/// The mode of a macvlan; `None` for everything else.
pub(super) fn macvlan_mode(info: &[LinkInfo]) -> Option<MacVlanMode> {
    let data = info.iter().find_map(|it| match it {
        LinkInfo::Data(InfoData::MacVlan(data)) => Some(data),
        _ => None,
    })?;
    data.iter().find_map(|it| match it {
        InfoMacVlan::Mode(mode) => Some(*mode),
        _ => None,
    })
}

/// Asks for a link, or removes it.
fn named(index: u32) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message
}

/// Sets a link up or down.
fn set(index: u32, aim: Aim) -> LinkMessage {
    let mut message = named(index);
    message.header.change_mask = LinkFlags::Up;
    if aim == Aim::Up {
        message.header.flags = LinkFlags::Up;
    }
    message
}

/// What the wishes for a device come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Aim {
    /// Some instance runs, none serves.
    Down,
    Up,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(family: Family) -> Device {
        Device { parent: "eth0".into(), vrid: Vrid::new(51).unwrap(), family }
    }

    #[test]
    fn a_device_has_the_name_and_the_mac_of_its_virtual_router() {
        assert_eq!(device(Family::Ipv4).name(), "vrrp.51");
        assert_eq!(device(Family::Ipv4).mac(), [0x00, 0x00, 0x5e, 0x00, 0x01, 0x33]);
        assert_eq!(device(Family::Ipv6).name(), "vrrp6.51");
        assert_eq!(device(Family::Ipv6).mac(), [0x00, 0x00, 0x5e, 0x00, 0x02, 0x33]);
    }

    #[test]
    fn only_a_link_that_is_as_we_make_it_is_taken_for_ours() {
        let device = device(Family::Ipv4);
        let mut made = device.creation(7);
        made.header.index = 9;
        let link = Link::from_message(&made).unwrap();
        assert!(device.is_as_made(&link, 7));
        assert!(!device.is_as_made(&link, 8));
        assert!(!device.is_as_made(&Link { mac: Some([2; 6]), ..link.clone() }, 7));
        assert!(
            !device.is_as_made(&Link { macvlan: Some(MacVlanMode::Private), ..link.clone() }, 7)
        );
        assert!(!device.is_as_made(&Link { macvlan: None, ..link }, 7));
    }

    #[test]
    fn the_ledger_brings_a_device_back_and_refuses_one_that_cannot_be() {
        let device = device(Family::Ipv6);
        let text = serde_json::to_string(&device).unwrap();
        assert_eq!(serde_json::from_str::<Device>(&text).unwrap(), device);
        let broken = text.replace("51", "0");
        assert!(serde_json::from_str::<Device>(&broken).is_err(), "{broken}");
    }
}
