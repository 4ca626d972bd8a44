//! Keys of signed adverts.

use crate::field::{all, choice, duration, mirrored, number, optional_span, repeated};
use crate::{Malformed, v1};
use std::fmt;
use vipfleet_model::hmac::{AntiReplay, Hmac, HmacKey, HmacMode};
use vipfleet_model::secret::{REDACTED, Secret};

mirrored!(AntiReplay, v1::AntiReplay, Time, Monotonic);
mirrored!(HmacMode, v1::HmacMode, Enforce, Permissive);

impl From<Hmac> for v1::HmacAuthentication {
    fn from(Hmac { keys, active_key, anti_replay, time_window, mode }: Hmac) -> Self {
        Self {
            keys: all(keys),
            active_key: active_key.into(),
            anti_replay: v1::AntiReplay::from(anti_replay).into(),
            time_window: time_window.and_then(duration),
            mode: v1::HmacMode::from(mode).into(),
        }
    }
}

impl TryFrom<v1::HmacAuthentication> for Hmac {
    type Error = Malformed;

    fn try_from(wire: v1::HmacAuthentication) -> Result<Self, Malformed> {
        Ok(Self {
            keys: repeated(wire.keys, "keys")?,
            active_key: number(wire.active_key, "active_key")?,
            anti_replay: choice::<v1::AntiReplay, _>(wire.anti_replay, "anti_replay")?,
            time_window: optional_span(wire.time_window, "time_window")?,
            mode: choice::<v1::HmacMode, _>(wire.mode, "mode")?,
        })
    }
}

impl From<HmacKey> for v1::HmacKey {
    fn from(HmacKey { id, key }: HmacKey) -> Self {
        // As with passwords: redacted before, if it is for showing.
        Self { id: id.into(), key: key.reveal().to_owned() }
    }
}

impl TryFrom<v1::HmacKey> for HmacKey {
    type Error = Malformed;

    fn try_from(v1::HmacKey { id, key }: v1::HmacKey) -> Result<Self, Malformed> {
        Ok(Self { id: number(id, "id")?, key: Secret::new(key) })
    }
}

impl fmt::Debug for v1::HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let redacted = format_args!("{REDACTED}");
        f.debug_struct("HmacKey").field("id", &self.id).field("key", &redacted).finish()
    }
}
