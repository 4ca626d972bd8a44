//! What a store cannot do, and why one cannot be opened.

use super::Revision;
use std::path::PathBuf;

/// What a store cannot do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the store is unreachable at {endpoint}")]
    Unavailable {
        endpoint: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The definitions moved on since `base`.
    #[error("the definitions are at revision {current}, not {base}")]
    Conflict { base: Revision, current: Revision },
    #[error("revision {0} is not in the history")]
    UnknownRevision(Revision),
    #[error("{what} in the store cannot be read: {reason}")]
    Corrupt { what: String, reason: String },
    #[error("the store failed to {action}")]
    Failed {
        action: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl StoreError {
    pub(crate) fn corrupt(what: impl Into<String>, reason: impl ToString) -> Self {
        Self::Corrupt { what: what.into(), reason: reason.to_string() }
    }

    pub(crate) fn failed<E>(action: &'static str, source: E) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::Failed { action, source: source.into() }
    }
}

/// Why a store cannot be opened: what, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(
        "{spec:?} names no store: write embedded, embedded:PATH or \
         etcd:http://HOST:PORT[,http://HOST2:PORT2]"
    )]
    UnknownSpec { spec: String },
    #[error(
        "{endpoint:?} in {spec:?} is no etcd endpoint: {reason}; write http://HOST:PORT, \
         several separated by commas"
    )]
    BadEndpoint { spec: String, endpoint: String, reason: &'static str },
    #[error(
        "{spec:?} needs a server built with the feature etcd: build without \
         --no-default-features, or use embedded:PATH"
    )]
    WithoutEtcd { spec: String },
    #[error(
        "{path} is in use by another vipfleet-server: stop that one, or give this one a file of \
         its own; several replicas need etcd:ENDPOINTS"
    )]
    InUse { path: PathBuf },
    #[error("{path} does not exist: restore it first, or check --store and --data-dir")]
    Missing { path: PathBuf },
    #[error("cannot create {path}: check that its parent can be written by this user")]
    Create {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "{path} cannot be opened as a store: if it is damaged, move it away and restore a copy"
    )]
    Unreadable {
        path: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error(
        "{path} is in format {found}, this server reads format {expected}: use the release that \
         wrote it"
    )]
    Format { path: PathBuf, found: u64, expected: u64 },
    #[error(
        "etcd did not answer at {endpoints}: check that it runs and that this address is right"
    )]
    Unreachable {
        endpoints: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
