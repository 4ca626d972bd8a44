//! The way to a server: addresses checked, the first that answers taken, and what a gRPC status
//! means for the operator. Absent: TLS, which servers do not speak yet.

use crate::exit::{Exit, Failure};
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use vipfleet_proto::v1::control_client::ControlClient;
use vipfleet_proto::v1::{VersionRequest, VersionResponse};

pub(crate) const DEFAULT_SERVER: &str = "http://127.0.0.1:7700";

/// Largest request or answer, the server's own limit: 10,000 definitions with room to spare.
const MESSAGE_LIMIT: usize = 64 << 20;
/// How long an address may take to answer that it is a server.
const DIAL_LIMIT: Duration = Duration::from_secs(3);
/// A server that answers no ping for this long is gone.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// Addresses of replicas, at least one.
#[derive(Clone, Debug)]
pub(crate) struct Endpoints(Vec<(String, Endpoint)>);

/// One replica that answered.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) address: String,
    pub(crate) version: VersionResponse,
    pub(crate) client: ControlClient<Channel>,
}

impl Endpoints {
    /// `http://HOST:PORT`, several separated by commas.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let endpoints = parts.map(endpoint).collect::<Result<Vec<_>, _>>()?;
        if endpoints.is_empty() {
            let failure = Failure::usage("no server address is given");
            return Err(failure.remedy(format!("write one such as {DEFAULT_SERVER}")));
        }
        Ok(Self(endpoints))
    }

    /// The first replica, in the order given, that answers.
    pub(crate) async fn connect(&self) -> Result<Server, Failure> {
        let mut causes = Vec::new();
        for (address, endpoint) in &self.0 {
            match tokio::time::timeout(DIAL_LIMIT, dial(endpoint)).await {
                Ok(Ok((client, version))) => {
                    return Ok(Server { address: address.clone(), version, client });
                }
                Ok(Err(cause)) => causes.push(format!("{address}: {cause}")),
                Err(_) => {
                    causes.push(format!("{address}: no answer within {} s", DIAL_LIMIT.as_secs()));
                }
            }
        }
        let what = match self.0.len() {
            1 => "cannot reach the server",
            _ => "cannot reach any of the servers",
        };
        let remedy = "is vipfleet-server running there? Name another with --server or \
                      VIPFLEET_SERVER";
        Err(Failure { causes, ..Failure::new(Exit::Unreachable, what).remedy(remedy) })
    }
}

fn endpoint(text: &str) -> Result<(String, Endpoint), Failure> {
    let example = "write it as http://HOST:PORT, several separated by commas";
    if text.starts_with("https://") {
        let what = format!("{text}: TLS is not spoken yet");
        let remedy = "use an http:// address, on loopback or inside a tunnel";
        return Err(Failure::usage(what).remedy(remedy));
    }
    let Some(authority) = text.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'))
    else {
        return Err(Failure::usage(format!("{text:?} is no server address")).remedy(example));
    };
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
    if host.is_empty() || port.parse::<u16>().is_err() || authority.contains(['/', '@', '?']) {
        return Err(Failure::usage(format!("{text:?} is no server address")).remedy(example));
    }
    let address = format!("http://{authority}");
    let endpoint = Endpoint::from_shared(address.clone()).map_err(|cause| {
        let failure = Failure::usage(format!("{text:?} is no server address"));
        failure.because(cause.to_string()).remedy(example)
    })?;
    let endpoint = endpoint
        .connect_timeout(DIAL_LIMIT)
        .tcp_nodelay(true)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE)
        .keep_alive_while_idle(true);
    Ok((address, endpoint))
}

async fn dial(endpoint: &Endpoint) -> Result<(ControlClient<Channel>, VersionResponse), String> {
    let channel = endpoint.connect().await.map_err(|error| innermost(&error))?;
    let mut client = ControlClient::new(channel)
        .max_decoding_message_size(MESSAGE_LIMIT)
        .max_encoding_message_size(MESSAGE_LIMIT);
    let version = client.version(VersionRequest {}).await.map_err(|status| {
        let foreign = status.code() == Code::Unimplemented || is_http(&status);
        if foreign { "what answers there is no vipfleet-server".to_owned() } else { said(&status) }
    })?;
    Ok((client, version.into_inner()))
}

/// An HTTP answer that is not gRPC.
fn is_http(status: &Status) -> bool {
    status.message().contains("grpc-status header missing")
}

impl Server {
    /// What a status of this server means.
    pub(crate) fn failure(&self, status: &Status) -> Failure {
        let said = said(status);
        if is_connection(status) {
            let failure = Failure::new(Exit::Unreachable, "the server does not answer");
            return failure.because(format!("{}: {said}", self.address)).remedy(
                "nothing is known of a change that was on its way: look with `vipctl history`",
            );
        }
        match status.code() {
            Code::Aborted => {
                let failure = Failure::refused("the fleet has changed meanwhile").because(said);
                failure.remedy("see `vipctl history`, then plan the change against what is there")
            }
            Code::Unavailable => {
                let failure = Failure::new(Exit::Unreachable, "the server cannot answer");
                failure.because(format!("{}: {said}", self.address))
            }
            Code::InvalidArgument => Failure::refused("the server refused the request")
                .because(said)
                .remedy("compare the versions: `vipctl version`"),
            Code::NotFound => Failure::failed(said),
            _ => Failure::failed("the server failed")
                .because(format!("{}: {said}", self.address))
                .remedy("its log says more"),
        }
    }
}

/// Whether the status tells of the connection and not of an answer.
pub(crate) fn is_connection(status: &Status) -> bool {
    std::error::Error::source(status).is_some()
        || matches!(status.code(), Code::Cancelled | Code::DeadlineExceeded)
}

fn said(status: &Status) -> String {
    match std::error::Error::source(status) {
        Some(source) => innermost(source),
        None if status.message().is_empty() => status.code().description().to_owned(),
        None => status.message().to_owned(),
    }
}

/// The last cause, without the operating system's number.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    let text = last.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut letters = text.chars();
    let lower = letters.next().map(|first| first.to_lowercase().to_string());
    format!("{}{}", lower.unwrap_or_default(), letters.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Failure {
        Endpoints::parse(text).err().unwrap_or_else(|| panic!("{text:?} was taken"))
    }

    #[test]
    fn several_addresses_are_separated_by_commas() {
        let endpoints = Endpoints::parse("http://127.0.0.1:7700/, http://[::1]:7701").unwrap();
        let addresses = endpoints.0.iter().map(|(address, _)| address.as_str());
        assert_eq!(addresses.collect::<Vec<_>>(), ["http://127.0.0.1:7700", "http://[::1]:7701"]);
    }

    #[test]
    fn what_is_no_address_is_a_usage_error_that_says_how_to_write_one() {
        for text in
            ["127.0.0.1:7700", "http://", "http://lb1", "http://lb1:99999", "", "http://a:1/b"]
        {
            let failure = refusal(text);
            assert_eq!(failure.exit, Exit::Usage);
            assert!(failure.remedy.contains("http://"), "{failure}");
        }
    }

    #[test]
    fn tls_is_refused_by_name() {
        assert!(refusal("https://lb1:7700").what.contains("TLS"));
    }

    #[test]
    fn a_conflict_is_a_refusal_and_an_absent_store_is_unreachable() {
        let endpoint = Endpoint::from_static("http://127.0.0.1:1");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let server = Server {
            address: "http://127.0.0.1:1".into(),
            version: VersionResponse::default(),
            client: ControlClient::new(runtime.block_on(async { endpoint.connect_lazy() })),
        };
        let exit = |status: Status| server.failure(&status).exit;
        assert_eq!(exit(Status::aborted("moved")), Exit::Refused);
        assert_eq!(exit(Status::unavailable("store")), Exit::Unreachable);
        assert_eq!(exit(Status::not_found("none")), Exit::Failed);
        assert_eq!(exit(Status::data_loss("bits")), Exit::Failed);
        assert_eq!(exit(Status::invalid_argument("x")), Exit::Refused);
    }
}
