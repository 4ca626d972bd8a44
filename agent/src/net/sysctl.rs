//! Per-interface IPv4 settings that the agent borrows: raised while somebody needs them, put
//! back when nobody does. Never lowered, and never put back over somebody else's change.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One borrowed setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Key {
    /// 1: answer ARP only for addresses of the interface itself.
    ArpIgnore,
    /// 2: never send ARP from an address that another interface or only a route has.
    ArpAnnounce,
    /// 1: when a primary address goes, its secondaries stay.
    PromoteSecondaries,
}

impl Key {
    /// What an ARP-silent handover needs.
    pub(super) const SILENCE: [Self; 2] = [Self::ArpIgnore, Self::ArpAnnounce];

    const fn wanted(self) -> i32 {
        match self {
            Self::ArpIgnore | Self::PromoteSecondaries => 1,
            Self::ArpAnnounce => 2,
        }
    }

    /// As sysctl(8) names it.
    pub(super) fn path_name(self, interface: &str) -> String {
        format!("net.ipv4.conf.{interface}.{}", self.name())
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ArpIgnore => "arp_ignore",
            Self::ArpAnnounce => "arp_announce",
            Self::PromoteSecondaries => "promote_secondaries",
        }
    }
}

/// A setting as it was before we raised it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Borrowed {
    pub(super) interface: String,
    pub(super) key: Key,
    pub(super) was: i32,
}

impl Borrowed {
    /// Puts it back, unless it is not what we had set (somebody else's change stands) or the
    /// interface is gone.
    pub(super) fn put_back(&self) -> io::Result<()> {
        match read(&self.interface, self.key) {
            Ok(now) if now == self.key.wanted() => write(&self.interface, self.key, self.was),
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

/// Everything borrowed now, by interface and key.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// `None`: it was high enough already.
    borrowed: BTreeMap<(u32, Key), Option<Borrowed>>,
}

impl Settings {
    /// Whether [`Self::raise`] would change the kernel.
    pub(super) fn is_raised(&self, index: u32, key: Key) -> bool {
        self.borrowed.contains_key(&(index, key))
    }

    /// Notes what a setting is before it is raised, so that it can be written down first.
    pub(super) fn note(&mut self, index: u32, interface: &str, key: Key) -> io::Result<()> {
        if self.is_raised(index, key) {
            return Ok(());
        }
        let was = read(interface, key)?;
        let interface = interface.to_owned();
        let borrowed = (was < key.wanted()).then_some(Borrowed { interface, key, was });
        self.borrowed.insert((index, key), borrowed);
        Ok(())
    }

    /// Takes over what a former incarnation raised and whose need goes on.
    pub(super) fn adopt(&mut self, index: u32, borrowed: Borrowed) {
        self.borrowed.insert((index, borrowed.key), Some(borrowed));
    }

    /// Raises what was noted.
    pub(super) fn raise(&mut self, index: u32, key: Key) -> io::Result<()> {
        match self.borrowed.get(&(index, key)) {
            Some(Some(borrowed)) => {
                let raised = write(&borrowed.interface, key, key.wanted());
                if raised.is_err() {
                    self.borrowed.remove(&(index, key));
                }
                raised
            }
            _ => Ok(()),
        }
    }

    /// Puts back everything that `needed` refuses. True when something was.
    pub(super) fn release(&mut self, needed: impl Fn(u32, Key) -> bool) -> bool {
        let before = self.borrowed.len();
        self.borrowed.retain(|(index, key), borrowed| {
            let keep = needed(*index, *key);
            if let (false, Some(borrowed)) = (keep, borrowed)
                && let Err(error) = borrowed.put_back()
            {
                let Borrowed { interface, was, .. } = borrowed;
                tracing::warn!(interface, key = key.name(), was, %error, "setting not put back");
            }
            keep
        });
        self.borrowed.len() != before
    }

    /// An interface was renamed.
    pub(super) fn rename(&mut self, index: u32, name: &str) {
        let keys = (index, Key::ArpIgnore)..=(index, Key::PromoteSecondaries);
        for borrowed in self.borrowed.range_mut(keys).filter_map(|(_, it)| it.as_mut()) {
            name.clone_into(&mut borrowed.interface);
        }
    }

    pub(super) fn borrowed(&self) -> impl Iterator<Item = &Borrowed> {
        self.borrowed.values().flatten()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.borrowed.is_empty()
    }
}

/// `net.ipv4.conf.IF.promote_secondaries` as the host has it: of the interface or of all
/// (the kernel takes either).
pub(super) fn promotes_secondaries(interface: &str, settings: &Settings) -> bool {
    let key = Key::PromoteSecondaries;
    let ours = settings.borrowed().any(|it| it.interface == interface && it.key == key);
    let is_set = |name: &str| read(name, key).is_ok_and(|value| value != 0);
    is_set("all") || (is_set(interface) && !ours)
}

/// Interface names hold no `/` (the kernel refuses them), and only names of existing interfaces
/// come here.
fn path(interface: &str, key: Key) -> PathBuf {
    ["/proc/sys/net/ipv4/conf", interface, key.name()].iter().collect()
}

fn read(interface: &str, key: Key) -> io::Result<i32> {
    fs::read_to_string(path(interface, key))?.trim().parse().map_err(io::Error::other)
}

fn write(interface: &str, key: Key, value: i32) -> io::Result<()> {
    fs::write(path(interface, key), value.to_string())
}
