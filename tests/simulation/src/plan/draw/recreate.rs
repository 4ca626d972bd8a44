//! An instance that an operator deletes and defines again, among all that befalls a fleet.

use crate::chance::Chance;
use crate::plan::{Action, Change, Plan, Step};
use std::time::Duration;

pub(super) fn draw(chance: &mut Chance, plan: &mut Plan) {
    let instance = chance.index(plan.instances.len());
    // keepalived is not deleted from anywhere, and a router that starts during a change of a
    // password does not know the former one.
    let programs = plan.programs();
    let of_group = plan.fellows(instance);
    let foreign = of_group.iter().any(|it| plan.instances[*it].has_external(&programs));
    let coordinated = plan
        .steps
        .iter()
        .any(|step| matches!(&step.action, Action::Redefine { change: Change::Password(_), .. }));
    // Hosts are told of one instance at a time here, of a group as a whole in truth.
    let torn = of_group.len() > 1
        && plan.steps.iter().any(|step| {
            matches!(&step.action, Action::Redefine { instance, change, .. }
            if of_group.contains(instance) && !change.is_of_group())
        });
    if foreign || coordinated || torn || !chance.percent(30) {
        return;
    }
    let at = plan.active.mul_f64(chance.below(80) as f64 / 100.0);
    let lasts = Duration::from_micros(1) + chance.between(Duration::ZERO, plan.active - at);
    let mut delays = || {
        let most = chance.pick(&[Duration::from_millis(5), Duration::from_millis(900)]);
        plan.hosts.iter().map(|_| chance.between(Duration::ZERO, most)).collect()
    };
    let (deleted, created) = (delays(), delays());
    plan.steps.push(Step { at, action: Action::Recreate { instance, deleted, created, lasts } });
    plan.steps.sort_by_key(|step| step.at);
}
