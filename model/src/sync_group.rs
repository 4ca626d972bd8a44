//! The SyncGroup definition: instances that are MASTER together or not at all.

use crate::instance::Notify;
use crate::name::Name;
use serde::{Deserialize, Serialize};

/// `spec` of `kind: SyncGroup`. An IPv4 and an IPv6 instance of one service, or the two sides of a
/// router: where one goes, all go, and a fault of one is a fault of all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SyncGroup {
    /// At least two, on the same nodes and in the same order of priorities. The order of the list
    /// is the order in which they change.
    pub instances: Vec<Name>,
    /// Run once a change of the whole group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<Notify>,
}
