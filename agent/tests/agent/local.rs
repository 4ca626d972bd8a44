//! Asking the agent on its Unix socket.

use crate::lab::{GENEROUS, wait_for};
use crate::process::Home;
use hyper_util::rt::TokioIo;
use std::path::PathBuf;
use tokio::net::UnixStream;
use tonic::transport::{Channel, Endpoint, Uri};
use vipfleet_model::NodeReport;
use vipfleet_model::report::InstanceReport;
use vipfleet_proto::v1;
use vipfleet_proto::v1::local_client::LocalClient;

async fn channel(socket: PathBuf) -> Result<Channel, tonic::transport::Error> {
    let connect = move |_: Uri| {
        let socket = socket.clone();
        async move { UnixStream::connect(socket).await.map(TokioIo::new) }
    };
    let endpoint = Endpoint::from_static("http://agent").timeout(GENEROUS);
    endpoint.connect_with_connector(tower::service_fn(connect)).await
}

/// What the agent says of itself; `None` while nobody answers.
pub(crate) fn state(home: &Home) -> Option<v1::LocalStateResponse> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut client = LocalClient::new(channel(home.socket()).await.ok()?);
        Some(client.state(v1::LocalStateRequest {}).await.ok()?.into_inner())
    })
}

pub(crate) fn report(home: &Home) -> Option<NodeReport> {
    Some(NodeReport::try_from(state(home)?.report?).unwrap())
}

/// Waits for a report of one instance.
#[track_caller]
pub(crate) fn instance(
    home: &Home,
    name: &str,
    wanted: impl Fn(&InstanceReport) -> bool,
) -> InstanceReport {
    let mut last = None;
    let seen = std::panic::Location::caller();
    wait_for(&format!("{name} as wanted at {seen}"), || {
        last = report(home);
        let instances = last.iter().flat_map(|report| &report.instances);
        instances.into_iter().find(|it| it.name.as_str() == name && wanted(it)).cloned()
    })
}
