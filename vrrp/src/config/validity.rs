//! What the engine refuses to run. The definitions' validation says it first and better.

use super::{Authentication, Config, Content, Family, Version};
use crate::trailer::Keyring;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

impl Config {
    /// Whether a router can run this configuration; [`crate::Router::new`] asks the same.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.version == Version::V2 && self.family == Family::Ipv6 {
            return Err(ConfigError::FamilyOfVersion);
        }
        match &self.authentication {
            Authentication::Pass(_) if self.version == Version::V3 => {
                return Err(ConfigError::AuthenticationOfVersion);
            }
            Authentication::Hmac(keyring) => keyring.check()?,
            Authentication::None | Authentication::Pass(_) => {}
        }
        if !fits_the_wire(self.version, self.interval) {
            return Err(ConfigError::Interval { version: self.version, interval: self.interval });
        }
        if !(2..=10).contains(&self.down_adverts) {
            return Err(ConfigError::DownAdverts(self.down_adverts));
        }
        match (self.content, self.addresses.len()) {
            (Content::Addresses, 0) => return Err(ConfigError::NoAddress),
            (Content::Addresses, 1..=255) | (Content::Election, 0) => {}
            (Content::Addresses, count) => return Err(ConfigError::TooManyAddresses(count)),
            (Content::Election, _) => return Err(ConfigError::AddressesOfElection),
        }
        match self.addresses.iter().find(|address| Family::of(**address) != self.family) {
            Some(stray) => Err(ConfigError::FamilyOfAddress(*stray)),
            None => Ok(()),
        }
    }
}

impl Keyring {
    fn check(&self) -> Result<(), ConfigError> {
        for (index, key) in self.keys.iter().enumerate() {
            if !(32..=64).contains(&key.secret.len()) {
                return Err(ConfigError::KeyLength(key.id));
            }
            if self.keys[..index].iter().any(|other| other.id == key.id) {
                return Err(ConfigError::DuplicateKey(key.id));
            }
        }
        match self.keys.iter().any(|key| key.id == self.active) {
            true => Ok(()),
            false => Err(ConfigError::NoActiveKey(self.active)),
        }
    }
}

/// RFC 3768 §5.3.7: eight bits of seconds. RFC 9568 §5.2.7: twelve bits of centiseconds.
fn fits_the_wire(version: Version, interval: Duration) -> bool {
    let (step, most) = match version {
        Version::V2 => (Duration::from_secs(1), 255),
        Version::V3 => (Duration::from_millis(10), 4095),
    };
    let steps = interval.as_nanos() / step.as_nanos();
    interval.as_nanos().is_multiple_of(step.as_nanos()) && (1..=most).contains(&steps)
}

/// Why a [`Config`] cannot be run. The definitions' validation says it first and better; this
/// is the engine's own guard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// v2 wants whole seconds 1–255 s; v3 wants 10 ms steps, 10 ms – 40.95 s.
    Interval {
        version: Version,
        interval: Duration,
    },
    /// v2 speaks IPv4 only.
    FamilyOfVersion,
    /// An address of the other family.
    FamilyOfAddress(IpAddr),
    /// The count field has eight bits.
    TooManyAddresses(usize),
    /// Passwords exist in v2 only.
    AuthenticationOfVersion,
    /// The key that signs is not on the ring.
    NoActiveKey(NonZeroU8),
    DuplicateKey(NonZeroU8),
    /// Shorter than 32 bytes or longer than 64.
    KeyLength(NonZeroU8),
    /// Outside 2–10.
    DownAdverts(u8),
    /// RFC 9568 §5.2.5: an advert carries at least one address.
    NoAddress,
    /// An election without addresses has one.
    AddressesOfElection,
    /// [`crate::Input::Reconfigure`] with another VRID or family: that is another router.
    Identity,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interval { version: Version::V2, interval } => {
                write!(f, "interval {interval:?}: version 2 takes whole seconds from 1 s to 255 s")
            }
            Self::Interval { version: Version::V3, interval } => {
                write!(f, "interval {interval:?}: version 3 takes 10 ms steps up to 40.95 s")
            }
            Self::FamilyOfVersion => f.write_str("version 2 carries IPv4 addresses only"),
            Self::FamilyOfAddress(address) => {
                write!(f, "address {address} is not of the instance's family")
            }
            Self::TooManyAddresses(count) => {
                write!(f, "{count} addresses: an advert carries at most 255")
            }
            Self::AuthenticationOfVersion => f.write_str("version 3 has no password"),
            Self::NoActiveKey(id) => write!(f, "there is no key {id} to sign with"),
            Self::DuplicateKey(id) => write!(f, "there are two keys {id}"),
            Self::KeyLength(id) => write!(f, "key {id} has not 32 to 64 bytes"),
            Self::DownAdverts(count) => write!(f, "down adverts {count}: takes 2 to 10"),
            Self::NoAddress => f.write_str("no address: an advert carries at least one"),
            Self::AddressesOfElection => f.write_str("an election without addresses has addresses"),
            Self::Identity => f.write_str("another VRID or family makes another router"),
        }
    }
}

impl std::error::Error for ConfigError {}
