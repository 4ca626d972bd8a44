//! `vipctl set`: read, modify, write, and again when somebody was faster.

use super::change::{conclude, request, submit};
use super::{Context, malformed};
use crate::args::{SetInstanceArgs, SetTarget};
use crate::connect::Server;
use crate::exit::{Exit, Failure};
use crate::input::Input;
use vipfleet_model::instance::{Instance, Member};
use vipfleet_model::{Definition, Key, Kind, Name};
use vipfleet_proto::v1;

/// How often a change is planned anew, unless the operator named a revision.
const ATTEMPTS: usize = 8;

/// A definition as it is stored, secrets redacted.
#[derive(Clone, Debug)]
pub(super) struct Current {
    pub(super) definition: Definition,
    /// That last changed this definition.
    pub(super) changed_at: u64,
    /// Of all definitions.
    pub(super) revision: u64,
}

pub(super) async fn run(context: &Context, target: &SetTarget) -> Result<Exit, Failure> {
    let SetTarget::Instance(args) = target;
    let server = context.connect().await?;
    let key = Key { kind: Kind::Instance, name: args.name.clone() };
    let mut attempts = 0;
    let answer = loop {
        attempts += 1;
        let current = current(&server, &key).await?;
        let definition = changed(current.definition, args)?;
        let mut request = request(&args.change);
        request.if_revision = Some(args.change.if_revision.unwrap_or(current.revision));
        request.put = vec![definition.into()];
        match submit(&server, request).await {
            Err(failure)
                if failure.exit == Exit::Refused
                    && args.change.if_revision.is_none()
                    && attempts < ATTEMPTS => {}
            answered => break answered?,
        }
    };
    let asked = vec![args.name.clone()];
    conclude(context, &server, &args.change, answer, asked, &Input::default()).await
}

pub(super) async fn current(server: &Server, key: &Key) -> Result<Current, Failure> {
    let keys = vec![v1::DefinitionKey::from(key.clone())];
    let request = v1::GetRequest { keys, reveal_secrets: false };
    let answered = server.client.clone().get(request).await.map_err(|status| {
        let failure = server.failure(&status);
        if failure.exit == Exit::Failed {
            failure.remedy("list what there is with `vipctl get definitions`")
        } else {
            failure
        }
    })?;
    let answered = answered.into_inner();
    let stored = answered.definitions.into_iter().next();
    let changed_at = stored.as_ref().map_or(0, |it| it.revision);
    let definition = stored.and_then(|it| it.definition);
    let definition = definition.ok_or_else(|| Failure::failed(format!("there is no {key}")))?;
    let definition = definition.try_into().map_err(|it| malformed(&it))?;
    Ok(Current { definition, changed_at, revision: answered.revision })
}

fn changed(definition: Definition, args: &SetInstanceArgs) -> Result<Definition, Failure> {
    match definition {
        Definition::Instance { name, mut spec } => {
            modify(&mut spec, args)?;
            Ok(Definition::Instance { name, spec })
        }
        other => Err(Failure::failed(format!("{} is no instance", other.key()))),
    }
}

fn modify(spec: &mut Instance, args: &SetInstanceArgs) -> Result<(), Failure> {
    for (node, priority) in &args.priority {
        member(spec, node, args)?.priority = *priority;
    }
    for (node, offset) in &args.priority_offset {
        member(spec, node, args)?.priority_offset = *offset;
    }
    for vip in &args.remove_vip {
        let Some(at) = spec.virtual_addresses.iter().position(|it| it.ip() == vip.ip()) else {
            let vips = spec.virtual_addresses.iter().map(ToString::to_string).collect::<Vec<_>>();
            let what = format!("{} is no virtual address of {}", vip.ip(), args.name);
            let remedy = format!("its addresses are {}", vips.join(", "));
            return Err(Failure::refused(what).remedy(remedy));
        };
        spec.virtual_addresses.remove(at);
    }
    for vip in &args.add_vip {
        match spec.virtual_addresses.iter_mut().find(|it| it.ip() == vip.ip()) {
            Some(there) => there.address = vip.address,
            None => spec.virtual_addresses.push(vip.clone()),
        }
    }
    if let Some(interval) = args.advert_interval {
        spec.advert_interval = interval;
    }
    if let Some(preempt) = args.preempt {
        spec.preempt = preempt;
    }
    if let Some(takeover) = args.takeover {
        spec.takeover = takeover.into();
    }
    Ok(())
}

fn member<'i>(
    spec: &'i mut Instance,
    node: &Name,
    args: &SetInstanceArgs,
) -> Result<&'i mut Member, Failure> {
    let nodes = spec.members.iter().map(|it| it.node.to_string()).collect::<Vec<_>>();
    let member = spec.members.iter_mut().find(|member| member.node == *node);
    member.ok_or_else(|| {
        let failure = Failure::refused(format!("{node} is no member of {}", args.name));
        failure.remedy(format!("its members are {}", nodes.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Arguments, Command};
    use clap::Parser as _;
    use vipfleet_model::document;

    fn set(fields: &[&str]) -> Result<Instance, Failure> {
        let all = [&["vipctl", "set", "instance", "VI_1"], fields].concat();
        let command = Arguments::try_parse_from(all).unwrap().command;
        let Some(Command::Set(set)) = command else { panic!("{command:?}") };
        let SetTarget::Instance(args) = set.target;
        let text = "kind: Instance\nname: VI_1\nspec: {virtualRouterId: 51, virtualAddresses: \
                    [192.0.2.10/24], members: [{node: lb1, interface: eth0, priority: 100}]}";
        let definition = document::parse(text, None).definitions.remove(0).value;
        match changed(definition, &args)? {
            Definition::Instance { spec, .. } => Ok(*spec),
            other => panic!("{} came back", other.key()),
        }
    }

    fn vips(spec: &Instance) -> Vec<String> {
        spec.virtual_addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn addresses_are_added_once_and_removed_by_their_address() {
        let spec = set(&["--add-vip", "192.0.2.11", "--add-vip", "192.0.2.11"]).unwrap();
        assert_eq!(vips(&spec), ["192.0.2.10/24", "192.0.2.11"]);
        let spec = set(&["--remove-vip", "192.0.2.10", "--add-vip", "192.0.2.12"]).unwrap();
        assert_eq!(vips(&spec), ["192.0.2.12"]);
    }

    #[test]
    fn what_is_not_there_is_refused_with_what_is() {
        let failure = set(&["--priority", "lb9=100"]).unwrap_err();
        assert_eq!((failure.exit, failure.remedy.as_str()), (Exit::Refused, "its members are lb1"));
        let failure = set(&["--remove-vip", "192.0.2.99"]).unwrap_err();
        assert!(failure.remedy.contains("192.0.2.10/24"), "{failure}");
    }

    #[test]
    fn an_offset_is_put_beside_the_priority_and_taken_away_again() {
        let spec = set(&["--priority-offset", "lb1=-30"]).unwrap();
        assert_eq!((spec.members[0].priority, spec.members[0].priority_offset), (100, -30));
        let spec = set(&["--priority-offset=lb1=0"]).unwrap();
        assert_eq!(spec.members[0].priority_offset, 0);
    }

    #[test]
    fn other_fields_change_alone() {
        let spec = set(&["--priority", "lb1=90", "--preempt", "false"]).unwrap();
        assert_eq!((spec.members[0].priority, spec.preempt), (90, false));
        assert_eq!(vips(&spec), ["192.0.2.10/24"]);
    }
}
