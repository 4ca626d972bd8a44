//! Passwords are hidden from people, and hidden ones mean the stored ones.

use vipfleet_model::document::{parse, to_yaml};
use vipfleet_model::redaction::{unredact, unredact_all};
use vipfleet_model::secret::REDACTED;
use vipfleet_model::{Definition, Definitions};

fn sample() -> Vec<Definition> {
    let parsed = parse(include_str!("sample.yaml"), None);
    parsed.definitions.into_iter().map(|placed| placed.value).collect()
}

#[test]
fn a_redacted_definition_shows_no_password_and_comes_back_from_text() {
    let shown = sample().iter().map(Definition::redacted).collect::<Vec<_>>();
    let text = to_yaml(&shown);
    assert!(!text.contains("1111") && text.contains(REDACTED), "{text}");
    let mut edited = parse(&text, None).definitions.remove(0).value;
    assert!(unredact(&mut edited, Some(&sample()[0])).is_empty());
    assert_eq!(edited, sample()[0]);
}

#[test]
fn debug_shows_no_password() {
    let shown = format!("{:?} {:?}", sample(), parse(include_str!("sample.yaml"), None));
    assert!(!shown.contains("1111"), "{shown}");
}

#[test]
fn a_new_password_replaces_the_stored_one() {
    let mut new = sample().remove(0);
    let stored = new.redacted();
    assert!(unredact(&mut new, Some(&stored)).is_empty());
    assert_eq!(new, sample()[0]);
}

#[test]
fn a_redacted_password_without_a_stored_one_is_an_error() {
    let mut new = sample().iter().map(Definition::redacted).collect::<Vec<_>>();
    let findings = unredact_all(&mut new, &Definitions::default());
    insta::assert_snapshot!(findings.iter().map(ToString::to_string).collect::<String>(), @"error: Instance VI_1 spec.authentication.password: <redacted> stands for the stored password, and none is stored; write the password itself");
    let without = to_yaml(&sample())
        .replace("type: pass", "type: none")
        .replace("\n    password: \"1111\"", "");
    let stored = parse(&without, None).definitions.remove(0).value;
    assert!(unredact(&mut new[0], Some(&stored)).has_errors());
}
