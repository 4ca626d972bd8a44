//! Signed adverts: that the keys can be used, and that one of them signs.

use super::desk::Desk;
use crate::hmac::{AntiReplay, Hmac, HmacMode, InvalidKey};
use crate::span::Span;
use std::collections::BTreeSet;

const PATH: &str = "spec.authentication";

pub(super) fn examine(desk: &mut Desk<'_>, hmac: &Hmac) {
    let mut seen = BTreeSet::new();
    for (index, key) in hmac.keys.iter().enumerate() {
        let path = format!("{PATH}.keys[{index}]");
        if key.id == 0 {
            desk.error("key-id", format!("{path}.id"), "0 is no key id", "write 1 to 255");
        } else if !seen.insert(key.id) {
            let message = format!("there are two keys {}", key.id);
            desk.error("duplicate-key-id", format!("{path}.id"), message, "give it another id");
        }
        // What stands for the stored key is as long as that is.
        if let Some(trouble) = key.bytes().err().filter(|_| !key.key.is_redacted()) {
            let remedy = match trouble {
                InvalidKey::Digits => "write hex: and an even number of digits",
                InvalidKey::Length(_) => "make one with `openssl rand -hex 32` and write hex:...",
            };
            desk.error("key-length", format!("{path}.key"), trouble.to_string(), remedy);
        }
    }
    if !seen.contains(&hmac.active_key) {
        let message = format!("there is no key {} to sign with", hmac.active_key);
        let remedy = "name the id of one of the keys";
        desk.error("no-active-key", format!("{PATH}.activeKey"), message, remedy);
    }
    window(desk, hmac);
    if hmac.mode == HmacMode::Permissive {
        let message = "adverts that nobody signed are heard too: this protects nothing";
        let remedy = "write mode: enforce once every member signs";
        desk.warning("hmac-permissive", format!("{PATH}.mode"), message, remedy);
    }
}

fn window(desk: &mut Desk<'_>, hmac: &Hmac) {
    let Some(window @ Span(length)) = hmac.time_window else { return };
    let path = format!("{PATH}.timeWindow");
    if hmac.anti_replay == AntiReplay::Monotonic {
        let message = "timeWindow has no effect with antiReplay: monotonic";
        desk.warning("time-window-unused", path, message, "leave it out");
    } else if length.subsec_nanos() != 0 || !(1..=300).contains(&length.as_secs()) {
        let message = format!("a window of {window} is not whole seconds from 1s to 300s");
        desk.error("time-window", path, message, "write 5s, or more where clocks differ more");
    }
}
