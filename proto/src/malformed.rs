//! Why a message of a peer is no value of the domain. Every `TryFrom` of this crate fails with
//! it; servers answer it as INVALID_ARGUMENT, agents as a Nack with its path.

/// A message that decoded, but says something impossible.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", Prefix(path))]
pub struct Malformed {
    /// Field in the message that was converted, as the .proto files name it:
    /// `instance.members[0].priority`. Empty: the message itself.
    pub path: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Malformed {
    /// A finding about the message or value itself; callers say where it was with [`Under`].
    pub(crate) fn here(reason: impl Into<String>) -> Self {
        Self { path: String::new(), reason: reason.into() }
    }

    /// The same, seen from the message that has this one in `field`.
    #[must_use]
    pub fn under(self, field: &str) -> Self {
        let path = match self.path.as_str() {
            "" => field.to_owned(),
            inner if inner.starts_with('[') => format!("{field}{inner}"),
            inner => format!("{field}.{inner}"),
        };
        Self { path, ..self }
    }
}

/// Says where a failure was, on the way out.
pub(crate) trait Under {
    fn under(self, field: &str) -> Self;
}

impl<T> Under for Result<T, Malformed> {
    fn under(self, field: &str) -> Self {
        self.map_err(|malformed| malformed.under(field))
    }
}

struct Prefix<'a>(&'a str);

impl std::fmt::Display for Prefix<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, "{}: ", self.0) }
    }
}
