//! What was seen of a change: by the clients, on the wire, in the kernels, in the logs.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use crate::kernel::{Change, Changed};
use crate::probe::{Advert, Losses};

/// A machine on which a client of one probe a millisecond waits for this long for its turn may make
/// an agent wait for longer.
const STOOD_STILL: Duration = Duration::from_millis(25);

/// From a moment before the change until it was over.
#[derive(Debug)]
pub struct Seen {
    /// When the first host was told.
    pub began: Instant,
    /// Of the clients, by address; addresses that were there before and after.
    pub losses: BTreeMap<Ipv4Addr, Losses>,
    /// Of the kernels of n1 and n2.
    pub addresses: [Vec<Changed>; 2],
    /// What passed the client's interface.
    pub adverts: Vec<Advert>,
    /// Changes of state that the agents of n1 and n2 logged.
    pub transitions: [Vec<String>; 2],
}

impl Seen {
    /// Whether the machine did not keep up.
    pub fn machine_stood_still(&self) -> bool {
        self.losses.values().any(|losses| losses.longest_pause >= STOOD_STILL)
    }

    /// Probes of every client without an answer.
    pub fn lost(&self) -> usize {
        self.losses.values().map(|losses| losses.lost).sum()
    }

    /// How often an address went away from the kernel of a host, 0 or 1.
    pub fn removals(&self, host: usize, address: Ipv4Addr) -> usize {
        let removed = |it: &&Changed| it.change == Change::Removed && it.address == address;
        self.addresses[host].iter().filter(removed).count()
    }

    /// Changes of state of one instance on both hosts, those of n1 first.
    pub fn of_instance(&self, name: &str) -> Vec<&str> {
        let word = format!("instance={name} ");
        let all = self.transitions.iter().flatten().map(String::as_str);
        all.filter(|line| line.contains(&word)).collect()
    }

    /// Who advertised a virtual router ID, resignations left out; each once, in order.
    pub fn claimants(&self, vrid: u8) -> Vec<IpAddr> {
        let mut all: Vec<IpAddr> =
            self.of(vrid).filter(|advert| advert.priority > 0).map(|it| it.source).collect();
        all.dedup();
        all
    }

    /// How often somebody resigned.
    pub fn resignations(&self, vrid: u8) -> usize {
        self.of(vrid).filter(|advert| advert.priority == 0).count()
    }

    /// The longest that nobody advertised a virtual router ID, from its first advert to its last.
    pub fn longest_silence(&self, vrid: u8) -> Duration {
        let times: Vec<Instant> = self.of(vrid).map(|advert| advert.at).collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default()
    }

    /// The last advert of a virtual router ID.
    ///
    /// # Panics
    /// When there was none.
    #[track_caller]
    pub fn last(&self, vrid: u8) -> Advert {
        *self.of(vrid).last().unwrap_or_else(|| panic!("nobody advertised {vrid}"))
    }

    fn of(&self, vrid: u8) -> impl Iterator<Item = &Advert> {
        self.adverts.iter().filter(move |advert| advert.router_id == vrid)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lost", self.lost())?;
        let mut ids: Vec<u8> = self.adverts.iter().map(|advert| advert.router_id).collect();
        ids.sort_unstable();
        ids.dedup();
        for vrid in ids {
            let (who, silence) = (self.claimants(vrid), self.longest_silence(vrid));
            write!(f, "; {vrid}: {who:?}, silent for {:.0?} at most", silence)?;
        }
        for (address, losses) in &self.losses {
            write!(f, "\n  {address}: {losses}")?;
        }
        self.transitions.iter().flatten().try_for_each(|line| write!(f, "\n  {line}"))
    }
}
