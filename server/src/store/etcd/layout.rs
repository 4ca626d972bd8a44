//! Keys and documents in etcd.
//!
//! `live/` is what watchers watch, one event per revision:
//! `live/log/SEQUENCE` a change (small: whole; large: a reference to its blob),
//! `live/facts/NODE`, `live/node/NODE`, `live/replica/REPLICA`,
//! `live/transition/NODE/SEQUENCE`.
//! Beside it: `fleet`; `head`, whose compare-and-swap makes a change visible and whose
//! mod_revision is the definitions revision; `snapshot` (definitions as of a sequence);
//! `history-floor`, `transitions-floor`, `floor/NODE` (what is no longer kept); `compacted`;
//! `blob/…/ID/CHUNK`, leased until the transaction that refers to it.

use crate::store::{DefinitionChange, Revision, StoreError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use vipfleet_model::{Definition, Key, Name};

/// Builds keys below the prefix.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    prefix: String,
}

impl Layout {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    /// A key, or the start of several.
    pub(super) fn key(&self, rest: &str) -> String {
        format!("{}{rest}", self.prefix)
    }

    /// What follows the prefix.
    pub(super) fn rest<'a>(&self, key: &'a [u8]) -> Option<&'a str> {
        std::str::from_utf8(key).ok()?.strip_prefix(self.prefix.as_str())
    }

    /// Twenty digits, so that keys sort as numbers do.
    pub(super) fn log(&self, sequence: u64) -> String {
        self.key(&format!("live/log/{sequence:020}"))
    }

    /// Where chunks of the change of this sequence go.
    pub(super) fn log_blobs(&self, sequence: u64) -> String {
        self.key(&format!("blob/log/{sequence:020}/"))
    }

    pub(super) fn node_blobs(&self, node: &Name) -> String {
        self.key(&format!("blob/node/{node}/"))
    }

    pub(super) fn transition(&self, node: &Name, sequence: u64) -> String {
        self.key(&format!("live/transition/{node}/{sequence:020}"))
    }

    /// Holds the highest sequence of the node's transitions that is no longer kept.
    pub(super) fn floor(&self, node: &Name) -> String {
        self.key(&format!("floor/{node}"))
    }
}

/// `head`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// Of the newest change; changes are numbered from 1 without holes.
    pub(super) sequence: u64,
    /// Bytes of all changes ever, to find where the kept ones must start.
    pub(super) bytes: u64,
}

/// `live/log/SEQUENCE`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Tells a writer whose answer was lost whether this one is its own.
    pub(super) id: String,
    pub(super) author: String,
    pub(super) message: String,
    pub(super) at: String,
    /// [`Head::bytes`] with this change.
    pub(super) bytes: u64,
    /// What it touches, unless that is too much to say here.
    pub(super) keys: Option<Vec<Key>>,
    pub(super) changes: Stored<Vec<DefinitionChange>>,
}

/// A value in place, or where its chunks are.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Stored<T> {
    Here(T),
    Blob(Blob),
}

/// Chunks `KEY/0000`, `KEY/0001`, …
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Blob {
    /// Below the prefix, ends with `/`.
    pub(super) key: String,
    pub(super) chunks: usize,
}

/// `snapshot`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Pointer {
    pub(super) sequence: u64,
    /// [`Head::bytes`] then.
    pub(super) bytes: u64,
    pub(super) blob: Blob,
}

/// What the blob of a snapshot holds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Contents {
    pub(super) sequence: u64,
    pub(super) revision: Revision,
    pub(super) definitions: Vec<(Revision, Definition)>,
    pub(super) deleted: Vec<(Revision, Key)>,
}

/// `history-floor`: the newest change that is no longer kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Floor {
    pub(super) sequence: u64,
    pub(super) revision: Revision,
    /// [`Head::bytes`] with it.
    pub(super) bytes: u64,
}

pub(super) fn encode(value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(value).map_err(|error| StoreError::failed("encode a value", error))
}

pub(super) fn decode<T: DeserializeOwned>(key: &[u8], value: &[u8]) -> Result<T, StoreError> {
    serde_json::from_slice(value)
        .map_err(|error| StoreError::corrupt(String::from_utf8_lossy(key), error))
}
