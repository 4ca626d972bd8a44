//! Makes a failing plan small: leaves out steps and misfortunes one by one for as long as the same
//! checker still objects.

use crate::mutation::Mutation;
use crate::plan::{Plan, Weather};
use crate::simulation::run;
use crate::trace::Trace;
use std::time::Duration;

/// The smallest plan found that fails the same checker as `plan` does; `None` if it fails none.
pub fn shrink(plan: &Plan, mutation: Mutation) -> Option<Plan> {
    let fails = |plan: &Plan| run(plan, mutation, Trace::default()).violation;
    let checker = fails(plan)?.checker;
    let mut best = plan.clone();
    loop {
        let smaller = candidates(&best).into_iter().find(|candidate| {
            fails(candidate).is_some_and(|violation| violation.checker == checker)
        });
        match smaller {
            Some(smaller) => best = smaller,
            None => return Some(best),
        }
    }
}

/// Plans with one thing less, the most telling first.
fn candidates(plan: &Plan) -> Vec<Plan> {
    let mut candidates = Vec::new();
    let mut offer = |change: &dyn Fn(&mut Plan)| {
        let mut candidate = plan.clone();
        change(&mut candidate);
        if candidate != *plan {
            candidates.push(candidate);
        }
    };
    for number in (0..plan.steps.len()).rev() {
        offer(&|plan| drop(plan.steps.remove(number)));
    }
    offer(&|plan| plan.weather = Weather::CALM);
    offer(&|plan| plan.groups.clear());
    for instance in 0..plan.instances.len() {
        for host in 0..plan.hosts.len() {
            // A group has the same members everywhere.
            offer(&|plan| {
                for instance in plan.fellows(instance) {
                    plan.instances[instance].priorities[host] = None;
                }
            });
        }
    }
    for instance in 0..plan.instances.len() {
        offer(&|plan| plan.instances[instance].preempt_delay = Duration::ZERO);
        offer(&|plan| plan.instances[instance].startup_delay = Duration::ZERO);
        offer(&|plan| plan.instances[instance].recover_delay = Duration::ZERO);
        offer(&|plan| plan.instances[instance].full_weight = 0);
        offer(&|plan| plan.instances[instance].unicast = false);
    }
    for host in 0..plan.hosts.len() {
        offer(&|plan| plan.hosts[host].starts = Duration::ZERO);
        offer(&|plan| plan.hosts[host].pending = Duration::ZERO);
    }
    candidates
}
