//! The facts on which all routers of an instance must agree, and how they change without two
//! masters: version, authentication, and in v2 the interval.
//!
//! A router that has the new value while its peers have the old is deaf to them and they to it.
//! So after a change it *sends* the former form for [`SENDS_FORMER`] more, and *accepts* it for
//! [`ACCEPTS_FORMER`]. Any peer that is changed within the first span has always understood and
//! been understood: it goes on sending the former form until `2 × SENDS_FORMER` after the first
//! router's change, and the rest is margin for adverts on their way and clocks of the rollout.
//!
//! A second change while the first is not over starts both spans anew, for every form since: peers
//! may have skipped the form between, and all know the oldest. That holds if each change reaches
//! everybody within half of [`SENDS_FORMER`], so that nobody sends a form that a peer has skipped.
//!
//! A router that *starts* within the span knows no former form and does not tolerate it: a roll-out
//! that restarts agents waits the span out first.

use crate::config::{Authentication, Config, Version};
use crate::output::Discard;
use crate::packet::Advertisement;
use crate::time::{Time, WallTime};
use crate::trailer::{self, Bound, Enforcement, Freshness, Sequence};
use std::net::IpAddr;
use std::time::Duration;

/// How far apart the members of an instance may learn of a change.
pub(crate) const SENDS_FORMER: Duration = Duration::from_secs(10);
/// Bounded: afterwards a router that was forgotten is reported, not tolerated.
pub(crate) const ACCEPTS_FORMER: Duration = Duration::from_secs(30);
/// Former forms remembered at once. Beyond that the second oldest goes: the oldest is what is sent.
const REMEMBERED: usize = 4;

/// What an advert looks like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) version: Version,
    pub(crate) authentication: Authentication,
    pub(crate) interval: Duration,
}

impl Form {
    fn of(config: &Config) -> Self {
        let Config { version, ref authentication, interval, .. } = *config;
        Self { version, authentication: authentication.clone(), interval }
    }

    /// Whether a router of one form understands one of the other. In v3 the interval is learned
    /// (RFC 9568 §6.4.2), not agreed on.
    fn agrees_with(&self, other: &Self) -> bool {
        match self.version {
            Version::V2 => self == other,
            Version::V3 => {
                other.version == Version::V3 && self.authentication == other.authentication
            }
        }
    }

    /// RFC 3768 §7.1: authentication, then the interval, must match. What a trailer has proven is
    /// returned.
    fn admits(&self, from: From<'_>) -> Result<Option<Proof>, Discard> {
        let From { advert, source, wall } = from;
        if advert.version != self.version {
            return Err(Discard::VersionMismatch);
        }
        let proof = match &self.authentication {
            Authentication::Hmac(keyring) => {
                let bound = Bound { version: self.version, vrid: advert.vrid, source };
                match advert.signed {
                    Some(signed) => {
                        let sequence = trailer::verify(keyring, bound, wall, signed)?;
                        Some(Proof { sequence, freshness: keyring.freshness })
                    }
                    None if keyring.enforcement == Enforcement::Permissive => None,
                    None => return Err(Discard::AuthenticationMismatch),
                }
            }
            own if self.version == Version::V2 && advert.authentication != *own => {
                return Err(Discard::AuthenticationMismatch);
            }
            Authentication::None | Authentication::Pass(_) => None,
        };
        match self.version {
            Version::V2 if advert.interval != self.interval => Err(Discard::IntervalMismatch),
            Version::V2 | Version::V3 => Ok(proof),
        }
    }
}

/// An advert, who sent it, and when that was by the clock on the wall.
#[derive(Clone, Copy, Debug)]
pub(crate) struct From<'a> {
    pub(crate) advert: &'a Advertisement<'a>,
    pub(crate) source: IpAddr,
    pub(crate) wall: WallTime,
}

/// What a trailer has proven, short of not having been heard before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proof {
    pub(crate) sequence: Sequence,
    pub(crate) freshness: Freshness,
}

/// The form in force, and the former ones that still are for a while.
#[derive(Clone, Debug)]
pub(crate) struct Forms {
    current: Form,
    sends: Option<(Form, Time)>,
    accepts: Vec<(Form, Time)>,
}

impl Forms {
    pub(crate) fn new(config: &Config) -> Self {
        Self { current: Form::of(config), sends: None, accepts: Vec::new() }
    }

    /// What an advert sent now looks like.
    pub(crate) fn sent(&self) -> &Form {
        self.sends.as_ref().map_or(&self.current, |(form, _)| form)
    }

    /// The configuration changed. `running` says whether anybody has been talked to yet.
    pub(crate) fn change(&mut self, now: Time, config: &Config, running: Running) {
        let former = std::mem::replace(&mut self.current, Form::of(config));
        if running == Running::No {
            self.sends = None;
            self.accepts.clear();
        } else if !self.current.agrees_with(&former) {
            if self.accepts.len() == REMEMBERED {
                self.accepts.remove(1);
            }
            self.accepts.push((former.clone(), now));
            self.accepts.iter_mut().for_each(|(_, until)| *until = now + ACCEPTS_FORMER);
            // A second change within the span: peers may not have seen even the first.
            let oldest = self.sends.take().map_or(former, |(form, _)| form);
            self.sends = Some((oldest, now + SENDS_FORMER));
        }
    }

    /// Whether the advert is of a form that is in force.
    pub(crate) fn admit(&self, from: From<'_>) -> Result<Option<Proof>, Discard> {
        let by_former = || self.accepts.iter().find_map(|(form, _)| form.admits(from).ok());
        self.current.admits(from).or_else(|why| by_former().ok_or(why))
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        let accepts = self.accepts.iter().map(|(_, until)| *until);
        self.sends.as_ref().map(|(_, until)| *until).into_iter().chain(accepts).min()
    }

    pub(crate) fn fire(&mut self, now: Time) {
        self.sends.take_if(|(_, until)| *until <= now);
        self.accepts.retain(|(_, until)| *until > now);
    }
}

/// Whether the router has left INIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Running {
    Yes,
    No,
}
