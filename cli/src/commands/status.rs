//! `vipctl status`, the default.

use super::stream::follow;
use super::{Context, malformed};
use crate::args::StatusArgs;
use crate::connect::Server;
use crate::exit::{Exit, Failure};
use crate::render::status::FleetStatus;
use vipfleet_model::node::NodeStatus;
use vipfleet_model::ownership::InstanceStatus;
use vipfleet_proto::v1;

pub(super) async fn run(context: &Context, args: &StatusArgs) -> Result<Exit, Failure> {
    if args.watch {
        return follow(context, async |_, status| Ok(status)).await;
    }
    let server = context.connect().await?;
    context.output.show(&status(&server).await?)?;
    Ok(Exit::Done)
}

pub(super) async fn status(server: &Server) -> Result<FleetStatus, Failure> {
    let answered = server.client.clone().status(v1::StatusRequest {}).await;
    read(answered.map_err(|status| server.failure(&status))?.into_inner())
}

pub(crate) fn read(wire: v1::StatusResponse) -> Result<FleetStatus, Failure> {
    let instances = wire.instances.into_iter().map(InstanceStatus::try_from);
    let nodes = wire.nodes.into_iter().map(NodeStatus::try_from);
    Ok(FleetStatus {
        revision: wire.revision,
        instances: instances.collect::<Result<_, _>>().map_err(|it| malformed(&it))?,
        nodes: nodes.collect::<Result<_, _>>().map_err(|it| malformed(&it))?,
    })
}
