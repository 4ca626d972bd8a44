//! Planned moves: judged against the fleet as it is now ([`vipfleet_model::moves::judge`]), then
//! stored as every other change is. Agents hear of them from the store's watch.

use super::Api;
use super::apply::{Plan, Run, Wish};
use super::base::Base;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use tonic::Status;
use vipfleet_model::moves::judge::{Force, Sight};
use vipfleet_model::moves::{Drain, Order, Switchover, fellows};
use vipfleet_model::{Definition, Definitions, Finding, Findings, Key, Kind, Name, Place};
use vipfleet_proto::v1;

/// Longest that a move may last; for longer there is no end.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

impl Api {
    pub(super) async fn switch_over(
        &self,
        request: v1::SwitchoverRequest,
    ) -> Result<v1::ApplyResponse, Status> {
        let instance = name(request.instance, "instance")?;
        let to = request.to.map(|to| name(to, "to")).transpose()?;
        let wish = wish(request.author, request.message, request.dry_run);
        let force = force(request.force);
        let order = order(&wish, request.r#for)?;
        let plan = |now: &Base| match &to {
            Some(to) => {
                let findings = self.judge(now, |sight| sight.switchover(&instance, to, force));
                let spec = Switchover { to: to.clone(), order: order.clone() };
                let put = vec![Definition::Switchover { name: instance.clone(), spec }];
                // One order for a sync group.
                let mut delete = switchovers_of(&now.definitions, &instance);
                delete.retain(|key| key.name != instance);
                Plan { put, delete, findings }
            }
            None => {
                let delete = switchovers_of(&now.definitions, &instance);
                let nothing = format!("no switchover of {instance} is in force");
                let findings = nothing_to_do(&instance, delete.is_empty(), nothing);
                Plan { delete, findings, ..Plan::default() }
            }
        };
        self.change(&wish, plan).await
    }

    pub(super) async fn drain_node(
        &self,
        request: v1::DrainRequest,
    ) -> Result<v1::ApplyResponse, Status> {
        let node = name(request.node, "node")?;
        let wish = wish(request.author, request.message, request.dry_run);
        let force = force(request.force);
        let order = order(&wish, request.r#for)?;
        let plan = |now: &Base| {
            let mut findings = self.judge(now, |sight| sight.drain(&node, force));
            let mut delete = Vec::new();
            for (instance, _) in now.definitions.switchovers().filter(|(_, it)| it.to == node) {
                delete.push(Key { kind: Kind::Switchover, name: instance.clone() });
                let what = format!("its switchover to {node} ends with this");
                let remedy = "order another with `vipctl switchover`";
                findings.push(Finding::warning("switchover-ends", place(instance), what, remedy));
            }
            let spec = Drain { order: order.clone() };
            Plan { put: vec![Definition::Drain { name: node.clone(), spec }], delete, findings }
        };
        self.change(&wish, plan).await
    }

    pub(super) async fn uncordon_node(
        &self,
        request: v1::UncordonRequest,
    ) -> Result<v1::ApplyResponse, Status> {
        let node = name(request.node, "node")?;
        let wish = wish(request.author, request.message, request.dry_run);
        let plan = |now: &Base| {
            let key = Key { kind: Kind::Drain, name: node.clone() };
            let drained = now.definitions.0.contains_key(&key);
            let findings = nothing_to_do(&node, !drained, format!("{node} is not drained"));
            let delete = if drained { vec![key] } else { Vec::new() };
            Plan { delete, findings, ..Plan::default() }
        };
        self.change(&wish, plan).await
    }

    /// What is stored, with what is reported.
    fn judge(&self, now: &Base, verdict: impl FnOnce(Sight<'_>) -> Findings) -> Findings {
        let view = self.fleet.view();
        let (instances, nodes) = (view.instances(), view.nodes());
        let definitions = &now.definitions;
        verdict(Sight { definitions, instances: &instances, nodes: &nodes })
    }
}

/// The switchovers of an instance and of those that go along.
fn switchovers_of(definitions: &Definitions, instance: &Name) -> Vec<Key> {
    let keys = fellows(definitions, instance).into_iter();
    let keys = keys.map(|name| Key { kind: Kind::Switchover, name: name.clone() });
    keys.filter(|key| definitions.0.contains_key(key)).collect()
}

fn nothing_to_do(name: &Name, nothing: bool, what: String) -> Findings {
    let remedy = "see what is in force with `vipctl status`";
    let finding = || Finding::warning("nothing-to-end", place(name), what, remedy);
    Findings(nothing.then(finding).into_iter().collect())
}

fn place(name: &Name) -> Place {
    Place { document: Some(name.to_string()), ..Place::default() }
}

fn wish(author: String, message: String, dry_run: bool) -> Wish {
    Wish { if_revision: None, author, message, run: Run::of(dry_run) }
}

fn force(insists: bool) -> Force {
    if insists { Force::Yes } else { Force::No }
}

fn order(wish: &Wish, lasts: Option<prost_types::Duration>) -> Result<Order, Status> {
    let now = Timestamp::now();
    let until = lasts.map(|lasts| {
        let lasts = Duration::try_from(lasts).ok().filter(|it| !it.is_zero() && *it <= LONGEST);
        let lasts = lasts.and_then(|it| SignedDuration::try_from(it).ok());
        let until = lasts.and_then(|it| now.checked_add(it).ok());
        until
            .ok_or_else(|| Status::invalid_argument("for: takes more than nothing, a year at most"))
    });
    Ok(Order {
        by: wish.author.clone(),
        message: wish.message.clone(),
        since: now.to_string(),
        until: until.transpose()?.map(|until| until.to_string()),
    })
}

fn name(text: String, field: &str) -> Result<Name, Status> {
    Name::try_from(text).map_err(|cause| Status::invalid_argument(format!("{field}: {cause}")))
}
