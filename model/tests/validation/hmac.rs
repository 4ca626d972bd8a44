//! Signed adverts: what makes their keys unusable, and that nobody shows them.

use crate::fleet::{both, broken, fleet, lines, read};
use vipfleet_model::assignment::Assignment;
use vipfleet_model::placement::place;
use vipfleet_model::redaction::unredact;
use vipfleet_model::secret::REDACTED;
use vipfleet_model::{Definition, document};
use vipfleet_vrrp::{Authentication, Freshness};

const SIGNED: &str = "{type: hmac, activeKey: 1, keys: [\
                      {id: 1, key: 'hex:000102030405060708090a0b0c0d0e0f\
                      101112131415161718191a1b1c1d1e1f'}, \
                      {id: 2, key: a-passphrase-of-thirty-two-bytes}]}";

fn with(authentication: &str) -> String {
    broken(&[("{type: pass, password: \"1111\"}", authentication)])
}

fn only(assignment: &Assignment) -> Authentication {
    assignment.instances[0].engine_config().expect("sound").authentication
}

#[test]
fn keys_in_hex_and_text_are_sound_in_both_versions_and_reach_the_engine() {
    for version in ["version: 2", "version: 3"] {
        let text = with(SIGNED).replace("version: 2", version);
        assert_eq!(lines(&fleet(&text, &both())), "");
        let (definitions, _) = read(&text);
        let Authentication::Hmac(ring) = only(&place(&definitions, &both())["lb1"]) else {
            panic!("signed");
        };
        assert_eq!(ring.active.get(), 1);
        assert_eq!(ring.keys[0].secret, (0..32).collect::<Vec<u8>>());
        assert_eq!(ring.keys[1].secret, b"a-passphrase-of-thirty-two-bytes");
        assert_eq!(ring.freshness, Freshness::Window(std::time::Duration::from_secs(5)));
    }
}

#[test]
fn what_cannot_sign_or_protect_is_said_and_no_key_with_it() {
    let table = [
        ("key-length", SIGNED.replace("a-passphrase", "a-short-one")),
        ("key-length", SIGNED.replace("hex:00", "hex:0")),
        ("duplicate-key-id", SIGNED.replace("id: 2", "id: 1")),
        ("no-active-key", SIGNED.replace("activeKey: 1", "activeKey: 3")),
        ("time-window", SIGNED.replace("type: hmac", "type: hmac, timeWindow: 301s")),
        ("time-window", SIGNED.replace("type: hmac", "type: hmac, timeWindow: 1500ms")),
        (
            "time-window-unused",
            SIGNED.replace("type: hmac", "type: hmac, timeWindow: 5s, antiReplay: monotonic"),
        ),
        ("hmac-permissive", SIGNED.replace("type: hmac", "type: hmac, mode: permissive")),
    ];
    for (rule, authentication) in table {
        let findings = lines(&fleet(&with(&authentication), &both()));
        assert!(findings.contains(&format!("[{rule}]")), "{rule}:\n{findings}");
        assert!(!findings.contains("passphrase") && !findings.contains("0102"), "{findings}");
    }
}

#[test]
fn a_key_is_shown_to_nobody_and_stays_when_its_place_holder_comes_back() {
    let (definitions, _) = read(&with(SIGNED));
    let stored = definitions.0.into_values().find(|it| matches!(it, Definition::Instance { .. }));
    let stored = stored.unwrap();
    let shown = document::to_yaml(&[stored.redacted()]);
    assert!(!shown.contains("passphrase") && !shown.contains("0102"), "{shown}");
    assert_eq!(shown.matches(REDACTED).count(), 2, "{shown}");
    assert!(!format!("{stored:?}").contains("passphrase"));
    // Back in another order, as an operator may write it.
    let swapped =
        shown.replace("id: 1", "id: 9").replace("id: 2", "id: 1").replace("id: 9", "id: 2");
    let mut edited = document::parse(&swapped, None).definitions.remove(0).value;
    assert!(unredact(&mut edited, Some(&stored)).is_empty());
    let text = document::to_yaml(&[edited.clone()]);
    let second = text.find("passphrase").unwrap();
    assert!(text.find("0102").unwrap() > second, "each kept its id: {text}");
    let mut strange = document::parse(&shown.replace("id: 2", "id: 3"), None);
    let findings = unredact(&mut strange.definitions[0].value, Some(&stored));
    let paths = findings.iter().map(|it| it.place.path.clone().unwrap());
    assert_eq!(paths.collect::<Vec<_>>(), ["spec.authentication.keys[1].key"]);
}
