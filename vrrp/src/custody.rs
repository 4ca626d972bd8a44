//! Who serves the addresses while mastership moves: make before break.
//!
//! RFC 9568 knows only "Active serves". Here a former master goes on serving until its successor
//! is heard, then falls silent in ARP for a short grace, then lets go, so that at no instant
//! nobody serves. This is a second, smaller state beside the router's; it follows that one's
//! orders and the adverts of others, and knows neither priorities nor why.

use crate::output::Custody;
use crate::time::Time;
use crate::timers::GRACE;

/// The hold on the addresses, with the deadline of each temporary one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Keeping {
    #[default]
    None,
    /// Serving as MASTER.
    Serving,
    /// Resigned, serving as before until a successor is heard, or `until`.
    Holding { until: Time },
    /// A successor was heard: serving what still comes, silent in ARP.
    Silent { until: Time },
}

impl Keeping {
    /// Silence begins now.
    pub(crate) fn silent(now: Time) -> Self {
        Self::Silent { until: now + GRACE }
    }

    /// What the kernel is to hold.
    pub(crate) fn custody(self) -> Custody {
        match self {
            Self::None => Custody::None,
            Self::Serving | Self::Holding { .. } => Custody::Serving,
            Self::Silent { .. } => Custody::Silent,
        }
    }

    /// Whether this is what a former master does.
    pub(crate) fn is_temporary(self) -> bool {
        self.deadline().is_some()
    }

    /// When to let go.
    pub(crate) fn deadline(self) -> Option<Time> {
        match self {
            Self::None | Self::Serving => None,
            Self::Holding { until } | Self::Silent { until } => Some(until),
        }
    }
}
