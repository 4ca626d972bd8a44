//! Members that a new configuration has no more. They may learn of it later, and until then one of
//! them may be master: its adverts count for a while yet, so that nobody takes over from it before
//! it resigns. What it cannot know is that nobody advertises to it any more.

use crate::config::{Config, Destination};
use crate::coordinated::ACCEPTS_FORMER;
use crate::time::Time;
use std::collections::VecDeque;
use std::net::IpAddr;

/// Remembered at once; the oldest goes.
const REMEMBERED: usize = 32;

#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Departed {
    until: VecDeque<(IpAddr, Time)>,
}

impl Departed {
    /// `new` replaces `former`.
    pub(crate) fn change(&mut self, now: Time, former: &Config, new: &Config) {
        for address in known(former).filter(|address| !known(new).any(|it| it == *address)) {
            if self.until.len() == REMEMBERED {
                self.until.pop_front();
            }
            self.until.push_back((address, now + ACCEPTS_FORMER));
        }
    }

    /// Whether it was a member a moment ago.
    pub(crate) fn counts(&self, now: Time, address: IpAddr) -> bool {
        self.until.iter().any(|(departed, until)| *departed == address && now < *until)
    }
}

fn known(config: &Config) -> impl Iterator<Item = IpAddr> {
    let peers = match &config.destination {
        Destination::Unicast(peers) => peers.as_slice(),
        Destination::Multicast => &[],
    };
    config.members.iter().filter_map(|member| member.address).chain(peers.iter().copied())
}
