//! `vipctl get`.

use super::status::status;
use super::stream::follow;
use super::{Context, malformed};
use crate::args::{Format, GetArgs, Listing};
use crate::connect::Server;
use crate::exit::{Exit, Failure};
use crate::output::{View, print};
use crate::render::check::checks;
use crate::render::definition::{Stored, StoredDefinition};
use crate::render::list::{List, Listed};
use crate::render::revision::Revision;
use crate::render::status::FleetStatus;
use crate::render::sync_group::sync_groups;
use crate::render::vip::vips;
use std::cell::RefCell;
use vipfleet_model::Definition;
use vipfleet_proto::v1;

pub(super) async fn run(context: &Context, args: &GetArgs) -> Result<Exit, Failure> {
    let name = args.name.as_deref();
    match args.kind {
        Listing::Instances => {
            let pick = async |_: &Server, it: FleetStatus| only(it.instances, name, "instance");
            show(context, args, pick).await
        }
        Listing::Nodes => {
            let pick = async |_: &Server, it: FleetStatus| only(it.nodes, name, "node");
            show(context, args, pick).await
        }
        Listing::Vips => {
            let pick = async |_: &Server, it: FleetStatus| only(vips(&it.instances), name, "VIP");
            show(context, args, pick).await
        }
        Listing::Checks => {
            let kept = Kept::default();
            let pick = async |server: &Server, it: FleetStatus| {
                let stored = kept.definitions(server, it.revision).await?;
                only(checks(&stored, &it.nodes), name, "check")
            };
            show(context, args, pick).await
        }
        Listing::Syncgroups => {
            let kept = Kept::default();
            let pick = async |server: &Server, it: FleetStatus| {
                let stored = kept.definitions(server, it.revision).await?;
                only(sync_groups(&stored, &it.instances), name, "sync group")
            };
            show(context, args, pick).await
        }
        Listing::Revisions => {
            let pick = async |server: &Server, _: FleetStatus| {
                Ok(List { items: revisions(server, name).await? })
            };
            show(context, args, pick).await
        }
        Listing::Definitions => {
            let kept = Kept::default();
            let pick = async |server: &Server, it: FleetStatus| {
                let items = kept.definitions(server, it.revision).await?.into_iter();
                let items =
                    items.map(|(definition, revision)| StoredDefinition { definition, revision });
                let List { items } = only(items.collect(), name, "definition")?;
                Ok(Stored { items })
            };
            if context.output.format == Format::Yaml && !args.watch {
                let server = context.connect().await?;
                print(&pick(&server, status(&server).await?).await?.yaml())?;
                return Ok(Exit::Done);
            }
            show(context, args, pick).await
        }
    }
}

async fn show<V, F>(context: &Context, args: &GetArgs, pick: F) -> Result<Exit, Failure>
where
    V: View + PartialEq,
    F: AsyncFn(&Server, FleetStatus) -> Result<V, Failure>,
{
    if args.watch {
        return follow(context, pick).await;
    }
    let server = context.connect().await?;
    let status = status(&server).await?;
    context.output.show(&pick(&server, status).await?)?;
    Ok(Exit::Done)
}

/// The ones of this name, when one is given.
fn only<T: Listed>(items: Vec<T>, name: Option<&str>, what: &str) -> Result<List<T>, Failure> {
    let Some(name) = name else {
        return Ok(List { items });
    };
    let is_it = |item: &T| item.name() == name || item.name().ends_with(&format!("/{name}"));
    let known = items.iter().map(Listed::name).collect::<Vec<_>>();
    let items = items.into_iter().filter(is_it).collect::<Vec<_>>();
    if items.is_empty() {
        return Err(unknown(what, name, &known));
    }
    Ok(List { items })
}

/// A definition and the revision that last changed it.
pub(super) type Revised = (Definition, u64);

/// Most names that an error lists.
const LISTED: usize = 10;

pub(super) fn unknown(what: &str, name: &str, known: &[String]) -> Failure {
    let failure = Failure::failed(format!("there is no {what} {name}"));
    match known.len() {
        0 => failure.remedy(format!("there is no {what} at all")),
        1..=LISTED => failure.remedy(format!("there is {}", known.join(", "))),
        many => failure.remedy(format!("there are {many}: list them with `vipctl get`")),
    }
}

pub(super) async fn definitions(server: &Server) -> Result<Vec<Revised>, Failure> {
    let request = v1::GetRequest { keys: Vec::new(), reveal_secrets: false };
    let answered = server.client.clone().get(request).await;
    let answered = answered.map_err(|status| server.failure(&status))?.into_inner();
    let definition = |stored: v1::StoredDefinition| {
        let definition = stored.definition.map(Definition::try_from)?;
        Some(definition.map(|definition| (definition, stored.revision)))
    };
    let definitions = answered.definitions.into_iter().filter_map(definition);
    definitions.collect::<Result<_, _>>().map_err(|it| malformed(&it))
}

/// Definitions as of a revision: under -w states come often, and new definitions rarely.
#[derive(Default)]
struct Kept(RefCell<Option<(u64, Vec<Revised>)>>);

impl Kept {
    async fn definitions(&self, server: &Server, revision: u64) -> Result<Vec<Revised>, Failure> {
        let kept = self.0.borrow().clone().filter(|(of, _)| *of == revision);
        if let Some((_, kept)) = kept {
            return Ok(kept);
        }
        let fresh = definitions(server).await?;
        *self.0.borrow_mut() = Some((revision, fresh.clone()));
        Ok(fresh)
    }
}

async fn revisions(server: &Server, name: Option<&str>) -> Result<Vec<Revision>, Failure> {
    let Some(name) = name else {
        return history(server, v1::HistoryRequest::default()).await;
    };
    let wrong = |_| Failure::usage(format!("{name:?} is no revision: it is a number"));
    let wanted = name.parse::<u64>().map_err(wrong)?;
    let before = wanted.saturating_add(1);
    let request = v1::HistoryRequest { key: None, limit: 1, before };
    let mut found = history(server, request).await?;
    found.retain(|it| it.revision == wanted);
    if found.is_empty() {
        let failure = Failure::failed(format!("no definitions changed in revision {wanted}"));
        return Err(failure.remedy("list those in which some did: `vipctl get revisions`"));
    }
    Ok(found)
}

pub(super) async fn history(
    server: &Server,
    request: v1::HistoryRequest,
) -> Result<Vec<Revision>, Failure> {
    let answered = server.client.clone().history(request).await;
    let answered = answered.map_err(|status| server.failure(&status))?.into_inner();
    let revisions = answered.changes.into_iter().map(Revision::try_from);
    revisions.collect::<Result<_, _>>().map_err(|it| malformed(&it))
}
