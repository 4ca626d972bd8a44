//! Which well-formed adverts count (the second half of RFC 9568 §7.1), and what an operator hears
//! of those that do not, or that count but differ.

use super::Router;
use crate::config::{Content, Destination, Version};
use crate::coordinated::{From, Proof};
use crate::output::{Discard, Warning};
use crate::packet::{Advertisement, TTL};
use crate::time::Time;
use std::net::IpAddr;

impl Router {
    pub(super) fn admit(
        &mut self,
        now: Time,
        source: IpAddr,
        advert: &Advertisement<'_>,
    ) -> Result<(), Discard> {
        // RFC 9568 §5.2.5: an advert without an address is ignored; an election has none.
        if advert.addresses().len() == 0 && self.config.content == Content::Addresses {
            return Err(Discard::NoAddresses);
        }
        if self.primary == Some(source) {
            return Err(Discard::OwnAddress);
        }
        // RFC 9568 §7.1. Only an instance that speaks unicast itself may be spoken to from afar.
        if self.config.destination == Destination::Multicast && advert.ttl != TTL {
            return Err(Discard::Ttl);
        }
        self.admit_sender(now, source, advert.priority)?;
        let from = From { advert, source, wall: self.wall };
        let proof = match self.forms.admit(from) {
            Ok(proof) => proof,
            Err(why) => {
                self.warn(now, Warning::Disagreement { source, why });
                return Err(why);
            }
        };
        if let Some(Proof { sequence, freshness }) = proof {
            // A LAN may deliver an advert twice: that is no disagreement.
            self.replays.admit(source, sequence, self.wall, freshness)?;
        }
        self.warnings.end(
            |warning| matches!(warning, Warning::Disagreement { source: of, .. } if *of == source),
        );
        self.compare_addresses(now, source, advert);
        Ok(())
    }

    /// A stranger is reported, and ignored if the configuration says so.
    fn admit_sender(&mut self, now: Time, source: IpAddr, priority: u8) -> Result<(), Discard> {
        if self.departed.counts(now, source) {
            return Ok(());
        }
        let members = &self.config.members;
        let is_member = members.iter().any(|member| member.address == Some(source));
        // While anybody's address is unknown, a stranger may be that member.
        let all_known = self.config.members_complete
            && members.iter().all(|member| member.this || member.address.is_some());
        if all_known && !is_member {
            self.warn(now, Warning::Stranger { source, priority });
            if self.config.members_only {
                return Err(Discard::NotMember);
            }
        }
        match &self.config.destination {
            Destination::Unicast(peers) if !peers.contains(&source) => {
                self.warn(now, Warning::Stranger { source, priority });
                Err(Discard::NotPeer)
            }
            Destination::Unicast(_) | Destination::Multicast => Ok(()),
        }
    }

    /// RFC 9568 §7.1: a difference is logged, never a reason to discard.
    fn compare_addresses(&mut self, now: Time, source: IpAddr, advert: &Advertisement<'_>) {
        let ours = &self.config.addresses;
        let same = advert.addresses().eq(ours.iter().copied())
            || (advert.addresses().len() == ours.len()
                && advert.addresses().all(|address| ours.contains(&address)));
        if same {
            self.warnings.end(|warning| {
                matches!(warning, Warning::AddressListDiffers { source: of } if *of == source)
            });
        } else {
            self.warn(now, Warning::AddressListDiffers { source });
        }
    }

    /// The master's interval is learned (RFC 9568 §6.4.2); that it differs is worth knowing.
    pub(super) fn compare_interval(
        &mut self,
        now: Time,
        source: IpAddr,
        advert: &Advertisement<'_>,
    ) {
        let interval = advert.interval;
        if advert.version == Version::V3 && interval != self.config.interval {
            self.warn(now, Warning::IntervalLearned { source, interval });
        } else {
            self.warnings.end(|warning| {
                matches!(warning, Warning::IntervalLearned { source: of, .. } if *of == source)
            });
        }
    }
}
