//! What a router leaves to the router of another image of the program, which replaces this one in
//! place a moment later: everything that it has learned and still waits for.
//!
//! Made by [`Router::past`] and [`Router::hand_over`], taken by [`Router::carry_on`]. Opaque: a
//! driver only stores it, with the feature `serde`. The configuration and the health are not part
//! of it; a driver gives them anew. The clock must be the same one.
//!
//! [`Router::past`]: crate::Router::past
//! [`Router::hand_over`]: crate::Router::hand_over
//! [`Router::carry_on`]: crate::Router::carry_on

use crate::config::Priority;
use crate::departed::Departed;
use crate::state::{State, StateName};
use crate::time::Time;
use crate::trailer::{Replays, Sequence};
use std::fmt;

/// See the module.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Past {
    pub(crate) state: State,
    /// Of the last advert.
    pub(crate) priority: Priority,
    pub(crate) recovered: Option<Time>,
    pub(crate) presumed_fit: bool,
    pub(crate) departed: Departed,
    pub(crate) sequence: Sequence,
    pub(crate) replays: Replays,
}

impl Past {
    /// The state that is carried on.
    pub fn state(&self) -> StateName {
        self.state.name()
    }
}

/// Why a router has no past to hand over yet. Both end by themselves, within half a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsettled {
    /// A resignation or the grace of a former master is under way.
    HandingOver,
    /// Adverts of a former version, password or interval are still sent or accepted.
    Changing,
}

impl fmt::Display for Unsettled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::HandingOver => "its addresses are on their way to another member",
            Self::Changing => "a change of what all members agree on is not over yet",
        })
    }
}

impl std::error::Error for Unsettled {}
