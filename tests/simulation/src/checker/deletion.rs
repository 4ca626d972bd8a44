//! Nobody is asked to succeed in an instance that is deleted: a MASTER that is told of it lets go
//! in silence, and who has not been told yet hears of nothing.

use super::{Checker, Happening};
use crate::plan::{Action, Change, Plan};
use crate::world::World;
use vipfleet_vrrp::{Reason, StateName};

#[derive(Debug)]
pub(super) struct Deletion;

/// Where nothing else makes a MASTER resign.
pub(super) fn applies_to(plan: &Plan) -> bool {
    let resigns = |action: &Action| match action {
        Action::Redefine { change, .. } => {
            matches!(change, Change::Leaves { .. } | Change::Leads { .. } | Change::Yields { .. })
        }
        Action::Restart { .. }
        | Action::Drain { .. }
        | Action::Fault { .. }
        | Action::LinkDown { .. } => true,
        _ => false,
    };
    plan.groups.is_empty() && !plan.steps.iter().any(|step| resigns(&step.action))
}

impl Checker for Deletion {
    fn name(&self) -> &'static str {
        "deletion"
    }

    fn see(&mut self, world: &World, happening: &Happening<'_>) -> Result<(), String> {
        let Happening::Changed { host, instance, reason } = *happening else { return Ok(()) };
        let Reason::MasterResigned { master } = reason else { return Ok(()) };
        let elected = world.seat(host, instance).state == StateName::Master;
        match elected && !world.definitions[instance].exists {
            true => Err(format!(
                "{master} had n{} succeed in VI_{}, which is deleted",
                host + 1,
                instance + 1
            )),
            false => Ok(()),
        }
    }
}
