//! The authentication trailer of draft-cassen-vrrp-auth-hmac, as keepalived sends it from 2.4.1 on:
//! 28 bytes after the advert with a time-based sequence and an HMAC-SHA-256 cut to 128 bits.
//!
//! It proves that an advert comes from a holder of the key, is unchanged, and is new. The key is
//! shared by all members, so it says nothing about which of them sent it. Called by
//! [`crate::Router`] on both ends; absent: how keys reach the members.

use crate::config::{Family, Version, Vrid};
use crate::output::Discard;
use crate::time::WallTime;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

/// Bytes of a trailer.
pub(crate) const TRAILER: usize = 28;
/// Bytes of the tag that ends it.
const TAG: usize = 16;
/// The only extension type: HMAC-SHA-256 cut to 128 bits.
const HMAC_SHA256: u8 = 1;
/// Where the VRRP checksum stands; it reads as zero in the HMAC.
const CHECKSUM: std::ops::Range<usize> = 6..8;
/// Senders whose last sequence is remembered; more than an instance can have members.
const SENDERS: usize = 256;

/// A shared key.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    pub id: NonZeroU8,
    /// 32 to 64 bytes.
    pub secret: Vec<u8>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("id", &self.id).field("secret", &"<redacted>").finish()
    }
}

/// Keys that are accepted, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyring {
    pub keys: Vec<Key>,
    /// Which of them signs.
    pub active: NonZeroU8,
    pub enforcement: Enforcement,
    pub freshness: Freshness,
}

/// What becomes of an advert without a trailer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enforcement {
    /// It is discarded.
    Enforce,
    /// It is heard: for the time in which members learn to sign.
    Permissive,
}

/// How a repeated advert is told from a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Its time of day is within this of ours, and its sequence grows. Needs synchronised clocks.
    Window(Duration),
    /// Its sequence grows.
    Monotonic,
}

/// What an instance and a packet have in common, bound into the HMAC.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) version: Version,
    pub(crate) vrid: Vrid,
    pub(crate) source: IpAddr,
}

/// Seconds, 2⁻¹⁶ seconds and a counter, in one number that grows. Compared as in RFC 1982.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Sequence(u64);

impl Sequence {
    fn of(wall: WallTime) -> Self {
        let since = wall.since_epoch();
        let fraction = (u64::from(since.subsec_nanos()) << 16) / 1_000_000_000;
        Self((since.as_secs() & 0xffff_ffff) << 32 | fraction << 16)
    }

    fn is_after(self, other: Self) -> bool {
        (self.0.wrapping_sub(other.0) as i64) > 0
    }

    fn seconds(self) -> u32 {
        (self.0 >> 32) as u32
    }

    /// Seconds from the other to this one, on a clock of 32 bits.
    fn seconds_after(self, other: Self) -> i32 {
        self.seconds().wrapping_sub(other.seconds()) as i32
    }

    /// The next to send: the clock, or one more where the clock has not moved on.
    pub(crate) fn next(self, wall: WallTime, freshness: Freshness) -> Self {
        let clock = Self::of(wall);
        let stranded = matches!(freshness, Freshness::Window(window)
            if is_outside(self.seconds_after(clock), window));
        if clock.is_after(self) || stranded { clock } else { Self(self.0.wrapping_add(1)) }
    }
}

/// Appends the trailer to an advert, whose checksum field may hold anything.
pub(crate) fn sign(keyring: &Keyring, bound: Bound, sequence: Sequence, advert: &mut Vec<u8>) {
    let unsigned = advert.len();
    advert.extend_from_slice(&[HMAC_SHA256, keyring.active.get(), 0, 0]);
    advert.extend_from_slice(&sequence.0.to_be_bytes());
    let tag = keyring.tag(keyring.active, bound, advert).unwrap_or_default();
    advert.extend_from_slice(&tag);
    debug_assert_eq!(advert.len(), unsigned + TRAILER);
}

/// Judges the trailer that ends `signed`; what it says of its sequence is good only then.
pub(crate) fn verify(
    keyring: &Keyring,
    bound: Bound,
    wall: WallTime,
    signed: &[u8],
) -> Result<Sequence, Discard> {
    let prefix = signed.len().saturating_sub(TAG);
    let trailer = signed.last_chunk::<TRAILER>().ok_or(Discard::AuthenticationMismatch)?;
    let [kind, id, reserved, reserved_too, rest @ ..] = *trailer;
    let sequence = rest.first_chunk().map(|raw| Sequence(u64::from_be_bytes(*raw)));
    let sequence = sequence.ok_or(Discard::AuthenticationMismatch)?;
    if (kind, reserved, reserved_too) != (HMAC_SHA256, 0, 0) {
        return Err(Discard::AuthenticationMismatch);
    }
    // Before the digest, so that a flood of old adverts costs little. It only ever rejects.
    if let Freshness::Window(window) = keyring.freshness
        && is_outside(sequence.seconds_after(Sequence::of(wall)), window)
    {
        return Err(Discard::Stale);
    }
    let id = NonZeroU8::new(id).ok_or(Discard::AuthenticationMismatch)?;
    let mac = keyring.mac(id, bound, &signed[..prefix]).ok_or(Discard::AuthenticationMismatch)?;
    // Compares in constant time.
    mac.verify_truncated_left(&signed[prefix..]).map_err(|_| Discard::AuthenticationMismatch)?;
    Ok(sequence)
}

fn is_outside(seconds: i32, window: Duration) -> bool {
    u64::from(seconds.unsigned_abs()) > window.as_secs()
}

impl Keyring {
    /// `None` when there is no such key.
    fn mac(&self, id: NonZeroU8, bound: Bound, prefix: &[u8]) -> Option<Hmac<Sha256>> {
        let key = self.keys.iter().find(|key| key.id == id)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key.secret).ok()?;
        mac.update(&bound.bytes());
        let (before, after) = (prefix.get(..CHECKSUM.start)?, prefix.get(CHECKSUM.end..)?);
        mac.update(before);
        mac.update(&[0; 2]);
        mac.update(after);
        mac.update(&[0; TAG]);
        Some(mac)
    }

    fn tag(&self, id: NonZeroU8, bound: Bound, prefix: &[u8]) -> Option<[u8; TAG]> {
        let digest = self.mac(id, bound, prefix)?.finalize().into_bytes();
        digest.first_chunk().copied()
    }
}

impl Bound {
    /// The draft's pseudo-header: a trailer of one instance or sender is none of another's.
    fn bytes(&self) -> [u8; 20] {
        let mut bytes = [0; 20];
        bytes[0] = match Family::of(self.source) {
            Family::Ipv4 => 4,
            Family::Ipv6 => 6,
        };
        bytes[1] = match self.version {
            Version::V2 => 2,
            Version::V3 => 3,
        };
        bytes[2] = self.vrid.get();
        match self.source {
            IpAddr::V4(source) => bytes[4..8].copy_from_slice(&source.octets()),
            IpAddr::V6(source) => bytes[4..].copy_from_slice(&source.octets()),
        }
        bytes
    }
}

/// The last sequence of each sender.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Replays(BTreeMap<IpAddr, Sequence>);

impl Replays {
    /// Takes note of a verified sequence, unless it is not new.
    pub(crate) fn admit(
        &mut self,
        source: IpAddr,
        sequence: Sequence,
        wall: WallTime,
        freshness: Freshness,
    ) -> Result<(), Discard> {
        let clock = Sequence::of(wall);
        let counts = |mark: &Sequence| match freshness {
            // A mark outside the window orders only what the window rejects already; without
            // it a sender whose clock was set back is heard again.
            Freshness::Window(window) => !is_outside(mark.seconds_after(clock), window),
            Freshness::Monotonic => true,
        };
        let mark = self.0.get(&source).filter(|mark| counts(mark));
        if mark.is_some_and(|mark| !sequence.is_after(*mark)) {
            return Err(Discard::Replay);
        }
        if self.0.len() >= SENDERS && !self.0.contains_key(&source) {
            let oldest = self.0.iter().min_by_key(|(_, mark)| mark.0).map(|(source, _)| *source);
            oldest.map(|source| self.0.remove(&source));
        }
        self.0.insert(source, sequence);
        Ok(())
    }
}
