//! Whether an assignment may replace what runs. Pure. A stale server is fenced, a restored store
//! that an administrator gave a new epoch is not.

use std::fmt;

/// Where an assignment comes from: comparable only within one fleet and epoch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Empty before the first assignment.
    pub fleet_id: String,
    pub epoch: u64,
    pub generation: u64,
}

/// Why an assignment is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    OtherFleet { ours: String, theirs: String },
    OldEpoch { ours: u64, theirs: u64 },
    OldGeneration { ours: u64, theirs: u64 },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherFleet { ours, theirs } => write!(
                f,
                "this node belongs to fleet {ours}, the server to {theirs}: stop the agent and \
                 remove assignment.json from its state dir to let it join the other fleet"
            ),
            Self::OldEpoch { ours, theirs } => {
                write!(f, "the server's store is of epoch {theirs}, this node has seen {ours}")
            }
            Self::OldGeneration { ours, theirs } => {
                write!(
                    f,
                    "generation {theirs} is older than {ours}, which runs: a store that was \
                     restored from a backup needs a new epoch (vipfleet-server raise-epoch)"
                )
            }
        }
    }
}

/// Whether a server may have a session at all: reports and transitions of one fleet are nothing
/// to another. A node that runs nothing yet joins any.
pub fn belongs(running: &Origin, fleet_id: &str, epoch: u64) -> Result<(), Refusal> {
    if running.fleet_id.is_empty() {
        return Ok(());
    }
    if running.fleet_id != fleet_id {
        let (ours, theirs) = (running.fleet_id.clone(), fleet_id.to_owned());
        return Err(Refusal::OtherFleet { ours, theirs });
    }
    if epoch < running.epoch {
        return Err(Refusal::OldEpoch { ours: running.epoch, theirs: epoch });
    }
    Ok(())
}

/// Admits what is of the same fleet and not older. An equal generation is admitted: it is the
/// same assignment said again.
pub fn admit(running: &Origin, offered: &Origin) -> Result<(), Refusal> {
    belongs(running, &offered.fleet_id, offered.epoch)?;
    if running.fleet_id.is_empty() {
        return Ok(());
    }
    if offered.epoch == running.epoch && offered.generation < running.generation {
        let (ours, theirs) = (running.generation, offered.generation);
        return Err(Refusal::OldGeneration { ours, theirs });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(fleet_id: &str, epoch: u64, generation: u64) -> Origin {
        Origin { fleet_id: fleet_id.into(), epoch, generation }
    }

    #[test]
    fn a_generation_never_goes_backwards_within_an_epoch() {
        let running = origin("f", 2, 10);
        assert_eq!(admit(&running, &origin("f", 2, 10)), Ok(()));
        assert_eq!(admit(&running, &origin("f", 2, 11)), Ok(()));
        let refusal = Refusal::OldGeneration { ours: 10, theirs: 9 };
        assert_eq!(admit(&running, &origin("f", 2, 9)), Err(refusal));
    }

    #[test]
    fn a_new_epoch_may_start_over_and_an_old_one_may_not_return() {
        let running = origin("f", 2, 10);
        assert_eq!(admit(&running, &origin("f", 3, 1)), Ok(()));
        let refusal = Refusal::OldEpoch { ours: 2, theirs: 1 };
        assert_eq!(admit(&running, &origin("f", 1, 99)), Err(refusal));
    }

    #[test]
    fn another_fleet_is_refused_and_a_new_node_joins_any() {
        assert!(admit(&origin("f", 1, 1), &origin("g", 9, 9)).is_err());
        assert_eq!(admit(&Origin::default(), &origin("g", 9, 9)), Ok(()));
    }
}
