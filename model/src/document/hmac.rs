//! The keys of signed adverts, read field by field. Names are those of [`crate::hmac`].

use super::fields::{Context, Fields, Spot, list};
use super::scalar::{choice, duration, integer, secret};
use super::tree::Value;
use crate::hmac::{AntiReplay, Hmac, HmacKey, HmacMode};

/// The fields beside `type: hmac`.
pub(super) fn hmac(context: &mut Context<'_>, fields: &mut Fields<'_>) -> Option<Hmac> {
    let keys = fields.required(context, "keys", |c, s| list(c, s, key));
    let active = fields.required(context, "activeKey", |c, s| integer(c, s, "1 to 255"));
    let anti_replay = fields.optional(context, "antiReplay", |c, s| {
        choice(c, s, &[("time", AntiReplay::Time), ("monotonic", AntiReplay::Monotonic)])
    });
    let window = fields.optional(context, "timeWindow", duration);
    let mode = fields.optional(context, "mode", |c, s| {
        choice(c, s, &[("enforce", HmacMode::Enforce), ("permissive", HmacMode::Permissive)])
    });
    Some(Hmac {
        keys: keys?,
        active_key: active?,
        anti_replay: anti_replay.flatten().unwrap_or_default(),
        time_window: window.flatten(),
        mode: mode.flatten().unwrap_or_default(),
    })
}

fn key(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<HmacKey> {
    if !matches!(spot.node.value, Value::Mapping(_)) {
        // What stands here may be the key: it is not repeated.
        let place = context.place(spot.node.at, &spot.path);
        let remedy = "write {id: 1, key: \"hex:...\"}";
        context.error("wrong-type", place, "a key takes a mapping", remedy);
        return None;
    }
    let mut fields = Fields::of(context, spot)?;
    let id = fields.required(context, "id", |c, s| integer(c, s, "1 to 255"));
    let key = fields.required(context, "key", secret);
    fields.finish(context);
    Some(HmacKey { id: id?, key: key? })
}
