//! From an assigned instance to the engine's configuration. Called by the agent for every
//! instance it runs. Absent: what the protocol does not know (interface, checks, hooks).

use super::AssignedInstance;
use crate::hmac::{AntiReplay, Hmac, HmacKey, HmacMode, InvalidKey};
use crate::instance::{Authentication, Checksum, Takeover, Transport};
use crate::secret::Secret;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::sync::Arc;
use std::time::Duration;
use vipfleet_vrrp::config as engine;
use vipfleet_vrrp::{Enforcement, Freshness, Key, Keyring};

/// Bytes of a password that go on the wire (RFC 2338 §5.3.10); keepalived cuts likewise.
pub(crate) const PASSWORD_BYTES: usize = 8;

/// Why an assigned instance cannot be one virtual router. The server's validation refuses all of
/// these; an agent meets them in what a newer or faulty server sends.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineConfigError {
    #[error("virtualRouterId is 0: takes 1 to 255")]
    VirtualRouterId,
    #[error("version is {0}: takes 2 or 3")]
    Version(u8),
    #[error("priority is 0: takes 1 to 255")]
    Priority,
    #[error("authentication.activeKey and the ids of keys are 1 to 255")]
    KeyId,
    #[error("authentication.keys: {0}")]
    Key(#[source] InvalidKey),
    #[error("virtualAddresses is empty: takes at least one address")]
    NoAddress,
    #[error("virtualAddresses: an election without addresses has some")]
    AddressesOfElection,
    #[error("virtualAddresses: {0} is not of the family of the first address")]
    Family(IpAddr),
}

impl EngineConfigError {
    /// The field of the assigned instance that is to blame.
    pub const fn field(&self) -> &'static str {
        match self {
            Self::VirtualRouterId => "virtualRouterId",
            Self::Version(_) => "version",
            Self::Priority => "priority",
            Self::KeyId | Self::Key(_) => "authentication",
            Self::NoAddress | Self::AddressesOfElection | Self::Family(_) => "virtualAddresses",
        }
    }
}

impl AssignedInstance {
    /// What the engine runs. Intervals and counts are checked by the engine itself.
    pub fn engine_config(&self) -> Result<engine::Config, EngineConfigError> {
        let addresses = self.virtual_addresses.iter().map(|it| it.ip()).collect::<Vec<_>>();
        let family = match (self.election_only, addresses.first()) {
            (None, None) => return Err(EngineConfigError::NoAddress),
            (None, Some(first)) => engine::Family::of(*first),
            (Some(family), None) => family.into(),
            (Some(_), Some(_)) => return Err(EngineConfigError::AddressesOfElection),
        };
        if let Some(other) = addresses.iter().find(|it| engine::Family::of(**it) != family) {
            return Err(EngineConfigError::Family(*other));
        }
        let vrid = engine::Vrid::new(self.virtual_router_id);
        Ok(engine::Config {
            vrid: vrid.ok_or(EngineConfigError::VirtualRouterId)?,
            version: match self.version {
                2 => engine::Version::V2,
                3 => engine::Version::V3,
                other => return Err(EngineConfigError::Version(other)),
            },
            family,
            addresses,
            interval: self.advert_interval.0,
            priority: priority(self.priority)?,
            preemption: match self.preempt {
                true => engine::Preemption::Preempt,
                false => engine::Preemption::NoPreempt,
            },
            preempt_delay: self.preempt_delay.0,
            startup_delay: self.startup_delay.0,
            recover_delay: self.recover_delay.0,
            takeover: match self.takeover {
                Takeover::Rfc => engine::Takeover::Rfc,
                Takeover::Fast => engine::Takeover::Fast,
            },
            // Which group it is in, if any, its assignment says.
            content: match self.election_only {
                None => engine::Content::Addresses,
                Some(_) => engine::Content::Election,
            },
            election: engine::Election::Alone,
            standing: self.planned_move.as_ref().map(|it| it.role.into()).unwrap_or_default(),
            down_adverts: self.down_adverts,
            authentication: match &self.authentication {
                Authentication::None => engine::Authentication::None,
                Authentication::Pass { password } => engine::Authentication::Pass(wire(password)),
                Authentication::Hmac(hmac) => {
                    engine::Authentication::Hmac(Arc::new(keyring(hmac, self.advert_interval.0)?))
                }
            },
            checksum: match self.checksum {
                Checksum::PseudoHeader => engine::ChecksumForm::PseudoHeader,
                Checksum::Message => engine::ChecksumForm::MessageOnly,
            },
            destination: match self.transport {
                Transport::Multicast => engine::Destination::Multicast,
                Transport::Unicast => engine::Destination::Unicast(self.peers()),
            },
            members: self.engine_members()?,
            members_complete: self.members_complete,
            members_only: self.members_only,
            announcements: engine::Announcements {
                repeat: self.garp.repeat,
                delay: self.garp.delay.0,
                refresh: self.garp.refresh.0,
            },
            handover: !self.virtual_mac,
        })
    }

    /// Known addresses of the other members. One that is unknown gets no advert until its node
    /// has said Hello and a new assignment names it.
    fn peers(&self) -> Vec<IpAddr> {
        self.members.iter().filter(|member| !member.this).filter_map(|it| it.address).collect()
    }

    /// Unicast peers of a stand-alone agent, whose priority nobody told it, are no members: they
    /// only get adverts.
    fn engine_members(&self) -> Result<Vec<engine::Member>, EngineConfigError> {
        let member = |it: &super::AssignedMember| {
            Ok(engine::Member {
                address: it.address,
                priority: priority(it.priority)?,
                external: it.external,
                this: it.this,
            })
        };
        let unknown =
            |it: &&super::AssignedMember| !it.this && !self.members_complete && it.priority == 0;
        self.members.iter().filter(|it| !unknown(it)).map(member).collect()
    }
}

fn priority(number: u8) -> Result<engine::Priority, EngineConfigError> {
    engine::Priority::new(number).ok_or(EngineConfigError::Priority)
}

fn keyring(hmac: &Hmac, interval: Duration) -> Result<Keyring, EngineConfigError> {
    let id = |id| NonZeroU8::new(id).ok_or(EngineConfigError::KeyId);
    let key = |key: &HmacKey| {
        let secret = key.bytes().map_err(EngineConfigError::Key)?;
        Ok(Key { id: id(key.id)?, secret })
    };
    Ok(Keyring {
        keys: hmac.keys.iter().map(key).collect::<Result<_, _>>()?,
        active: id(hmac.active_key)?,
        enforcement: match hmac.mode {
            HmacMode::Enforce => Enforcement::Enforce,
            HmacMode::Permissive => Enforcement::Permissive,
        },
        freshness: match hmac.anti_replay {
            AntiReplay::Time => Freshness::Window(match hmac.time_window {
                Some(window) => window.0,
                // keepalived's default.
                None => (3 * interval).max(Duration::from_secs(5)),
            }),
            AntiReplay::Monotonic => Freshness::Monotonic,
        },
    })
}

/// The first eight bytes, padded with zeros.
fn wire(password: &Secret) -> [u8; PASSWORD_BYTES] {
    let mut bytes = [0; PASSWORD_BYTES];
    // The engine puts the password into adverts.
    for (byte, clear) in bytes.iter_mut().zip(password.reveal().bytes()) {
        *byte = clear;
    }
    bytes
}
