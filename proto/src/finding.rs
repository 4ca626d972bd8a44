//! Findings, which a server answers and vipctl renders.

use crate::field::{all, choice, mirrored, repeated, required};
use crate::{Malformed, v1};
use vipfleet_model::{Finding, Place, Severity};

mirrored!(Severity, v1::Severity, Warning, Error);

impl From<Finding> for v1::Finding {
    fn from(it: Finding) -> Self {
        let Finding { severity, rule, place, message, remedy, related } = it;
        Self {
            severity: v1::Severity::from(severity).into(),
            rule,
            place: Some(place.into()),
            message,
            remedy,
            related: all(related),
        }
    }
}

impl TryFrom<v1::Finding> for Finding {
    type Error = Malformed;

    fn try_from(wire: v1::Finding) -> Result<Self, Malformed> {
        let v1::Finding { severity, rule, place, message, remedy, related } = wire;
        Ok(Self {
            severity: choice::<v1::Severity, _>(severity, "severity")?,
            rule,
            place: required(place, "place")?,
            message,
            remedy,
            related: repeated(related, "related")?,
        })
    }
}

impl From<Place> for v1::Place {
    fn from(Place { file, line, column, document, path }: Place) -> Self {
        Self { file, line, column, document, path }
    }
}

impl TryFrom<v1::Place> for Place {
    type Error = Malformed;

    fn try_from(wire: v1::Place) -> Result<Self, Malformed> {
        let v1::Place { file, line, column, document, path } = wire;
        Ok(Self { file, line, column, document, path })
    }
}
