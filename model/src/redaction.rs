//! Definitions as people may see them, and back: `get`, `describe`, `edit` and history show
//! [`REDACTED`] for a password, and apply takes that word to mean the stored one.

use crate::definition::{Definition, Definitions};
use crate::finding::{Finding, Findings, Place};
use crate::instance::Authentication;
use crate::secret::{REDACTED, Secret};

impl Definition {
    /// The definition with every secret replaced by [`REDACTED`].
    #[must_use]
    pub fn redacted(&self) -> Self {
        let mut shown = self.clone();
        if let Some(secret) = shown.secret() {
            *secret = Secret::new(REDACTED);
        }
        shown
    }

    fn secret(&mut self) -> Option<&mut Secret> {
        match self {
            Self::Instance { spec, .. } => match &mut spec.authentication {
                Authentication::Pass { password } => Some(password),
                Authentication::None => None,
            },
            Self::Check { .. } | Self::SyncGroup { .. } => None,
        }
    }
}

/// Puts the stored secret where the new definition says [`REDACTED`]. A finding where nothing is
/// stored that it could stand for; then the definition keeps the word and must not be stored.
pub fn unredact(new: &mut Definition, stored: Option<&Definition>) -> Findings {
    let key = new.key();
    let mut findings = Findings::default();
    let Some(secret) = new.secret().filter(|secret| secret.is_redacted()) else {
        return findings;
    };
    match stored.cloned().as_mut().and_then(Definition::secret) {
        Some(kept) => *secret = kept.clone(),
        None => {
            let place = Place {
                document: Some(key.to_string()),
                path: Some("spec.authentication.password".into()),
                ..Place::default()
            };
            let message = format!("{REDACTED} stands for the stored password, and none is stored");
            let remedy = "write the password itself";
            findings.push(Finding::error("no-stored-secret", place, message, remedy));
        }
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
