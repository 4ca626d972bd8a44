//! Sync groups: virtual routers of one node that are MASTER together or not at all. keepalived's
//! `vrrp_sync_group`; no RFC knows them.
//!
//! The routers stay what they are, each with its own LAN and timers; a driver that runs a group
//! carries their words from one to the other:
//!
//! * a router of a group ([`Election::Together`](crate::Election::Together)) that its timers make
//!   MASTER says [`Output::Elected`](crate::Output::Elected) instead. If [`may_lead`] says yes, the
//!   driver tells all of them [`Input::Follow`](crate::Input::Follow) [`Follow::ToMaster`], in the
//!   group's order. If not, the router asks again after an interval, and whichever router the group
//!   waits for asks when its own time has come;
//! * whatever takes a router from MASTER to BACKUP takes the others along ([`follows`]);
//! * a fault of one is a fault of all, which the driver says in their [`Health`](crate::Health),
//!   and so are a resignation, a restart and a resumption.
//!
//! The peers' groups do the same at the same time, so that adverts on one LAN never contradict
//! those on another for longer than they travel.

use crate::output::{Reason, Transition};
use crate::router::Router;
use crate::state::StateName;
use crate::time::Time;

/// What a router of a group is told to do with the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Follow {
    /// The group was elected: be MASTER.
    ToMaster(Reason),
    /// Another of the group is MASTER no more: hand over, and listen.
    ToBackup(Reason),
}

/// Whether none of a group's routers stands against being MASTER now.
pub fn may_lead<'r>(now: Time, routers: impl IntoIterator<Item = &'r Router>) -> bool {
    routers.into_iter().all(|router| router.may_lead(now))
}

/// What a change of one router asks of the others. A change that was itself asked for asks for
/// nothing.
pub fn follows(transition: &Transition) -> Option<Follow> {
    let steps_down = transition.from == StateName::Master && transition.to == StateName::Backup;
    match &transition.reason {
        Reason::Together(_) => None,
        reason if steps_down => Some(Follow::ToBackup(reason.clone().together())),
        _ => None,
    }
}
