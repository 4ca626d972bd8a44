//! Definitions as people may see them, and back: `get`, `describe`, `edit` and history show
//! [`REDACTED`] for a password, and apply takes that word to mean the stored one.

use crate::definition::{Definition, Definitions};
use crate::finding::{Finding, Findings, Place};
use crate::hmac::HmacKey;
use crate::instance::Authentication;
use crate::secret::{REDACTED, Secret};

impl Definition {
    /// The definition with every secret replaced by [`REDACTED`].
    #[must_use]
    pub fn redacted(&self) -> Self {
        let mut shown = self.clone();
        for (_, secret) in shown.secrets() {
            *secret = Secret::new(REDACTED);
        }
        shown
    }

    /// Every secret, and what tells it from the others when the definition is written anew.
    fn secrets(&mut self) -> Vec<(Held, &mut Secret)> {
        let Self::Instance { spec, .. } = self else { return Vec::new() };
        match &mut spec.authentication {
            Authentication::None => Vec::new(),
            Authentication::Pass { password } => vec![(Held::Password, password)],
            Authentication::Hmac(hmac) => {
                let keys = hmac.keys.iter_mut();
                keys.map(|HmacKey { id, key }| (Held::Key(*id), key)).collect()
            }
        }
    }
}

/// What a secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Password,
    Key(u8),
}

/// Puts the stored secrets where the new definition says [`REDACTED`]. A finding where nothing is
/// stored that it could stand for; then the definition keeps the word and must not be stored.
pub fn unredact(new: &mut Definition, stored: Option<&Definition>) -> Findings {
    let document = Some(new.key().to_string());
    let mut findings = Findings::default();
    let mut stored = stored.cloned();
    let kept = stored.as_mut().map(Definition::secrets).unwrap_or_default();
    let redacted = new.secrets().into_iter().enumerate();
    for (index, (held, secret)) in redacted.filter(|(_, (_, it))| it.is_redacted()) {
        if let Some((_, kept)) = kept.iter().find(|(of, _)| *of == held) {
            *secret = Secret::clone(kept);
            continue;
        }
        let (what, path) = match held {
            Held::Password => ("password", "spec.authentication.password".to_owned()),
            Held::Key(_) => ("key", format!("spec.authentication.keys[{index}].key")),
        };
        let place = Place { document: document.clone(), path: Some(path), ..Place::default() };
        let message = format!("{REDACTED} stands for the stored {what}, and none is stored");
        let remedy = format!("write the {what} itself");
        findings.push(Finding::error("no-stored-secret", place, message, remedy));
    }
    findings
}

/// [`unredact`] for every definition of an input.
pub fn unredact_all<'a>(
    new: impl IntoIterator<Item = &'a mut Definition>,
    stored: &Definitions,
) -> Findings {
    let mut findings = Findings::default();
    for definition in new {
        let kept = stored.0.get(&definition.key());
        findings.append(unredact(definition, kept));
    }
    findings
}
