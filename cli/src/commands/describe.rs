//! `vipctl describe`: everything about one thing.

use super::Context;
use super::get::{definitions, history, unknown};
use super::set::current;
use super::status::status;
use crate::args::{DescribeArgs, DescribedKind};
use crate::connect::Server;
use crate::exit::{Exit, Failure};
use crate::render::check::checks;
use crate::render::describe::{CheckStory, InstanceStory, NodeStory, Recent};
use crate::render::sync_group::{SyncGroupStory, sync_groups};
use std::net::IpAddr;
use vipfleet_model::ownership::InstanceStatus;
use vipfleet_model::{Key, Kind, Name};
use vipfleet_proto::v1;

/// How many of the latest changes are shown.
const LATEST: u32 = 5;

pub(super) async fn run(context: &Context, args: &DescribeArgs) -> Result<Exit, Failure> {
    let server = context.connect().await?;
    let output = context.output;
    match args.kind {
        DescribedKind::Instance => output.show(&instance(&server, &name(&args.name)?).await?)?,
        DescribedKind::Check => output.show(&check(&server, &name(&args.name)?).await?)?,
        DescribedKind::Syncgroup => {
            output.show(&sync_group(&server, &name(&args.name)?).await?)?;
        }
        DescribedKind::Node => output.show(&node(&server, &args.name).await?)?,
        DescribedKind::Vip => output.show(&vip(&server, &args.name).await?)?,
    }
    Ok(Exit::Done)
}

fn name(text: &str) -> Result<Name, Failure> {
    text.parse::<Name>().map_err(|cause| Failure::usage(cause.to_string()))
}

async fn instance(server: &Server, name: &Name) -> Result<InstanceStory, Failure> {
    let key = Key { kind: Kind::Instance, name: name.clone() };
    let current = current(server, &key).await?;
    let status = status(server).await?;
    let of_it = status.instances.into_iter().find(|it| it.name == *name);
    let members = of_it.iter().flat_map(|it| &it.members).map(|it| &it.node).collect::<Vec<_>>();
    let nodes = status.nodes.into_iter().filter(|it| members.contains(&&it.name)).collect();
    Ok(InstanceStory {
        definition: current.definition,
        revision: current.changed_at,
        status: of_it,
        nodes,
        history: latest(server, key).await?,
    })
}

async fn check(server: &Server, name: &Name) -> Result<CheckStory, Failure> {
    let key = Key { kind: Kind::Check, name: name.clone() };
    let current = current(server, &key).await?;
    let nodes = status(server).await?.nodes;
    let stored = [(current.definition.clone(), current.changed_at)];
    let all = definitions(server).await?;
    Ok(CheckStory {
        tracked_by: CheckStory::trackers(name, all.iter().map(|(definition, _)| definition)),
        definition: current.definition,
        revision: current.changed_at,
        nodes: checks(&stored, &nodes).into_iter().flat_map(|it| it.nodes).collect(),
        history: latest(server, key).await?,
    })
}

async fn sync_group(server: &Server, name: &Name) -> Result<SyncGroupStory, Failure> {
    let key = Key { kind: Kind::SyncGroup, name: name.clone() };
    let current = current(server, &key).await?;
    let mut instances = status(server).await?.instances;
    let stored = [(current.definition.clone(), current.changed_at)];
    let of_it = sync_groups(&stored, &instances).into_iter().next();
    let of_it = of_it.ok_or_else(|| Failure::failed(format!("{key} is no sync group")))?;
    let place = |it: &InstanceStatus| of_it.instances.iter().position(|own| own.name == it.name);
    instances.retain(|it| place(it).is_some());
    instances.sort_by_key(place);
    Ok(SyncGroupStory {
        definition: current.definition,
        status: of_it,
        instances,
        history: latest(server, key).await?,
    })
}

async fn node(server: &Server, name: &str) -> Result<NodeStory, Failure> {
    let status = status(server).await?;
    let known = status.nodes.iter().map(|it| it.name.to_string()).collect::<Vec<_>>();
    let node = status.nodes.into_iter().find(|it| it.name.as_str() == name);
    let Some(node) = node else {
        return Err(unknown("node", name, &known));
    };
    let member = |it: &vipfleet_model::ownership::InstanceStatus| {
        it.members.iter().any(|member| member.node == node.name)
    };
    let instances = status.instances.into_iter().filter(member).collect();
    Ok(NodeStory { node, instances })
}

/// The instance that has the address.
async fn vip(server: &Server, text: &str) -> Result<InstanceStory, Failure> {
    let address = text.split('/').next().unwrap_or_default().parse::<IpAddr>();
    let address = address.map_err(|_| {
        Failure::usage(format!("{text:?} is no address")).remedy("write one such as 192.0.2.10")
    })?;
    let status = status(server).await?;
    let has = |it: &&vipfleet_model::ownership::InstanceStatus| {
        it.addresses.iter().any(|it| it.address == address)
    };
    let Some(found) = status.instances.iter().find(has) else {
        let all = status.instances.iter().flat_map(|it| &it.addresses);
        let known = all.map(|it| it.address.to_string()).collect::<Vec<_>>();
        return Err(unknown("VIP", text, &known));
    };
    instance(server, &found.name).await
}

async fn latest(server: &Server, key: Key) -> Result<Vec<Recent>, Failure> {
    let request = v1::HistoryRequest { key: Some(key.into()), limit: LATEST, before: 0 };
    Ok(history(server, request).await?.into_iter().map(Recent::from).collect())
}
