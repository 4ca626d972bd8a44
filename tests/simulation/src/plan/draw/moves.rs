//! Planned moves among all that befalls a fleet: who leads, who yields, and the end of both, each
//! told to every host in its own time.

use crate::chance::Chance;
use crate::plan::{Action, Change, Plan, Step};
use std::time::Duration;

pub(super) fn draw(chance: &mut Chance, plan: &mut Plan) {
    if !chance.percent(40) {
        return;
    }
    for _ in 0..1 + chance.below(4) {
        let (host, instance) = (chance.index(plan.hosts.len()), chance.index(plan.instances.len()));
        // keepalived takes no orders, and one that knows of a password only is no party to this.
        let definition = &plan.instances[instance];
        let foreign = definition.has_external(&plan.programs());
        let coordinated = plan.steps.iter().any(|step| {
            matches!(&step.action, Action::Redefine { change: Change::Password(_), .. })
        });
        if foreign || coordinated || !definition.is_member(host) {
            continue;
        }
        let change = match chance.below(5) {
            0 | 1 => Change::Leads { host },
            2 | 3 => Change::Yields { host },
            _ => Change::Ordinary,
        };
        let most = chance.pick(&[Duration::from_millis(5), Duration::from_millis(900)]);
        let delays = plan.hosts.iter().map(|_| chance.between(Duration::ZERO, most)).collect();
        let at = plan.active.mul_f64(chance.below(100) as f64 / 100.0);
        plan.steps.push(Step { at, action: Action::Redefine { instance, change, delays } });
    }
    plan.steps.sort_by_key(|step| step.at);
}
