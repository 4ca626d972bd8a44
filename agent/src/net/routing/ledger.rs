//! Routes and rules of ours as the ledger remembers them. A rule of a kernel that keeps no marks
//! is told by it.

use super::{Key, Thing, rule};
use serde::{Deserialize, Serialize};
use vipfleet_model::routing::{VirtualRoute, VirtualRule};

/// One route or rule that we put into the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::net) enum Remembered {
    Route(VirtualRoute),
    Rule { ipv4: bool, rule: VirtualRule },
}

impl Remembered {
    pub(super) fn of(key: &Key, thing: &Thing) -> Option<Self> {
        match (key, thing) {
            (Key::Rule(rule::Selector { ipv4, rule }), _) => {
                Some(Self::Rule { ipv4: *ipv4, rule: rule.clone() })
            }
            (_, Thing::Route(route)) => Some(Self::Route(route.clone())),
            _ => None,
        }
    }

    pub(super) fn is_rule(&self, wanted: &rule::Selector) -> bool {
        matches!(self, Self::Rule { ipv4, rule } if *ipv4 == wanted.ipv4 && *rule == wanted.rule)
    }
}
