//! `vipctl version`.

use super::Context;
use crate::args::VersionArgs;
use crate::exit::{Exit, Failure};
use crate::output::print;
use serde::Serialize;

#[derive(Debug, Serialize)]
struct Versions {
    client: Client,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<ServerVersion>,
}

#[derive(Debug, Serialize)]
struct Client {
    version: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ServerVersion {
    address: String,
    version: String,
    fleet_id: String,
    epoch: u64,
    store: String,
}

/// Ours is printed also when no server answers.
pub(super) async fn run(context: &Context, args: &VersionArgs) -> Result<Exit, Failure> {
    let client = Client { version: env!("CARGO_PKG_VERSION") };
    if context.output.is_for_people() {
        print(&format!("vipctl  {}\n", client.version))?;
    }
    if args.client {
        return match context.output.is_for_people() {
            true => Ok(Exit::Done),
            false => end(context, Versions { client, server: None }),
        };
    }
    let connected = context.connect().await;
    let server = connected.as_ref().ok().map(|server| ServerVersion {
        address: server.address.clone(),
        version: server.version.version.clone(),
        fleet_id: server.version.fleet_id.clone(),
        epoch: server.version.epoch,
        store: server.version.store.clone(),
    });
    if !context.output.is_for_people() {
        end(context, Versions { client, server })?;
    } else if let Some(server) = &server {
        let ServerVersion { address, version, fleet_id, epoch, store } = server;
        print(&format!(
            "server  {version} at {address}\nstore   {store}\nfleet   {fleet_id}, epoch {epoch}\n"
        ))?;
    }
    connected.map(|_| Exit::Done)
}

fn end(context: &Context, versions: Versions) -> Result<Exit, Failure> {
    let names = || {
        let server = versions.server.iter().map(|server| server.version.clone());
        std::iter::once(versions.client.version.to_owned()).chain(server).collect()
    };
    context.output.outcome(&versions, names)?;
    Ok(Exit::Done)
}
