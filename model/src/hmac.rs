//! Keys of the authentication trailer (draft-cassen-vrrp-auth-hmac) as definitions hold them.

use crate::secret::Secret;
use crate::span::Span;
use serde::{Deserialize, Serialize};

/// What a key may be long, in bytes; the draft's limits.
pub const KEY_BYTES: std::ops::RangeInclusive<usize> = 32..=64;

/// `{type: hmac}` of an instance's authentication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Hmac {
    /// All of them are accepted.
    pub keys: Vec<HmacKey>,
    /// Which of them signs.
    pub active_key: u8,
    #[serde(default, skip_serializing_if = "is_default")]
    pub anti_replay: AntiReplay,
    /// How far clocks may differ, 1 s to 300 s; by default three intervals, and 5 s at least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_window: Option<Span>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub mode: HmacMode,
}

/// One shared key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HmacKey {
    /// 1–255; goes on the wire.
    pub id: u8,
    /// `hex:` and digits, or the text itself; 32 to 64 bytes.
    pub key: Secret,
}

/// How a repeated advert is told from a new one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AntiReplay {
    /// By time of day as well: needs synchronised clocks.
    #[default]
    Time,
    /// By a growing sequence alone.
    Monotonic,
}

/// What becomes of adverts that are not signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HmacMode {
    #[default]
    Enforce,
    /// They are heard: while keepalived members learn to sign.
    Permissive,
}

/// Why a key cannot be used. Never repeats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    #[error("the digits after hex: are not pairs of 0-9 and a-f")]
    Digits,
    #[error("the key has {0} bytes: 32 to 64 are needed")]
    Length(usize),
}

impl HmacKey {
    /// The key itself, for the engine.
    pub fn bytes(&self) -> Result<Vec<u8>, InvalidKey> {
        // For the digest alone.
        let text = self.key.reveal();
        let bytes = match text.strip_prefix("hex:") {
            Some(digits) => hex(digits).ok_or(InvalidKey::Digits)?,
            None => text.as_bytes().to_vec(),
        };
        if KEY_BYTES.contains(&bytes.len()) {
            Ok(bytes)
        } else {
            Err(InvalidKey::Length(bytes.len()))
        }
    }
}

fn hex(digits: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|it| u8::try_from(it).ok());
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?)).collect()
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Result<Vec<u8>, InvalidKey> {
        HmacKey { id: 1, key: Secret::new(text) }.bytes()
    }

    #[test]
    fn a_key_is_text_or_hex_of_32_to_64_bytes() {
        assert_eq!(key(&"k".repeat(32)), Ok(vec![b'k'; 32]));
        assert_eq!(key(&format!("hex:{}", "0aF0".repeat(16))), Ok([0x0a, 0xf0].repeat(16)));
        assert_eq!(key(&"k".repeat(65)), Err(InvalidKey::Length(65)));
        assert_eq!(key("hex:00"), Err(InvalidKey::Length(1)));
        assert_eq!(key("hex:000"), Err(InvalidKey::Digits));
        assert_eq!(key("hex:0ä"), Err(InvalidKey::Digits));
    }
}
