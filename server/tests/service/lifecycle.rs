//! How a replica starts, what it says of itself, and how it ends.

use crate::agent::{Agent, hello, open};
use crate::process::{Server, config};
use crate::samples::SOON;
use crate::transitions::Watcher;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_stream::StreamExt as _;
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};
use vipfleet_proto::v1;
use vipfleet_proto::v1::agent_message::Message as Say;
use vipfleet_proto::v1::server_message::Message as Heard;
use vipfleet_server::listen::Plaintext;
use vipfleet_server::serve::{Config, Replica};
use vipfleet_server::store;

async fn channel(server: &Server) -> Channel {
    let channel = Channel::from_shared(format!("http://{}", server.address())).unwrap();
    channel.connect().await.unwrap()
}

#[tokio::test]
async fn a_graceful_stop_with_open_streams_tells_each_and_ends_within_seconds() {
    let mut server = Server::start().await;
    let mut client = server.client().await;
    let mut agent = Agent::join(server.address(), "lb1").await;
    agent.pushed().await;
    let mut states = client.watch_status(v1::StatusRequest {}).await.unwrap().into_inner();
    states.message().await.unwrap();
    let watcher = v1::WatchTransitionsRequest::default();
    let mut moves = client.watch_transitions(watcher).await.unwrap().into_inner();
    moves.message().await.unwrap();
    let waiting = v1::WatchConvergenceRequest { revision: 99, ..Default::default() };
    let mut waiting = client.watch_convergence(waiting).await.unwrap().into_inner();
    waiting.message().await.unwrap();
    // One that never says Hello, and one that never reads.
    let rude = open(server.address(), Say::Hello(hello("lb2"))).await.unwrap();
    let _watcher = Watcher::after(&mut client, None).await;
    let took = server.process.stop().await;
    assert!(took < Duration::from_secs(12), "it took {took:?}");
    let Some(Heard::GoAway(away)) = agent.hear().await.unwrap() else {
        panic!("the agent is not sent away");
    };
    assert_eq!(away.reason, "the server is stopping");
    loop {
        match states.message().await {
            Ok(Some(_)) => {}
            ended => break assert_eq!(ended.unwrap_err().code(), Code::Unavailable),
        }
    }
    assert_eq!(moves.message().await.unwrap_err().code(), Code::Unavailable);
    loop {
        match waiting.message().await {
            Ok(Some(progress)) => assert!(!progress.done),
            ended => break assert_eq!(ended.unwrap_err().code(), Code::Unavailable),
        }
    }
    drop(rude);
}

#[tokio::test]
async fn health_is_told_for_each_service() {
    let server = Server::start().await;
    let mut client = HealthClient::new(channel(&server).await);
    for service in ["", "vipfleet.v1.Control", "vipfleet.v1.Session"] {
        let request = HealthCheckRequest { service: service.into() };
        let answer = client.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service:?}");
    }
    let unknown = HealthCheckRequest { service: "vipfleet.v1.Nothing".into() };
    assert_eq!(client.check(unknown).await.unwrap_err().code(), Code::NotFound);
}

/// The services that one version of reflection lists.
macro_rules! listed {
    ($version:ident, $server:expr) => {{
        use tonic_reflection::pb::$version::ServerReflectionRequest;
        use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
        use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
        use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let mut client = ServerReflectionClient::new(channel($server).await);
        let asked = tokio_stream::once(request);
        let mut answers = client.server_reflection_info(asked).await.unwrap().into_inner();
        let answer = answers.next().await.unwrap().unwrap().message_response;
        let Some(MessageResponse::ListServicesResponse(list)) = answer else {
            panic!("no list, but {answer:?}");
        };
        list.service.into_iter().map(|it| it.name).collect::<Vec<_>>()
    }};
}

#[tokio::test]
async fn reflection_lists_the_services_in_both_of_its_versions() {
    let server = Server::start().await;
    for listed in [listed!(v1, &server), listed!(v1alpha, &server)] {
        for service in ["vipfleet.v1.Control", "vipfleet.v1.Session", "grpc.health.v1.Health"] {
            assert!(listed.iter().any(|it| it == service), "{service} is not in {listed:?}");
        }
    }
}

#[tokio::test]
async fn plaintext_beyond_loopback_needs_to_be_asked_for() {
    let directory = TempDir::with_prefix("vipfleet-server-").unwrap();
    let store = store::open("embedded", directory.path()).await.unwrap();
    let anywhere = Config { listen: "0.0.0.0:0".parse().unwrap(), ..config() };
    let error = Replica::start(store.clone(), anywhere.clone()).await.unwrap_err();
    assert!(error.to_string().contains("--insecure"), "{error}");
    let asked = Config { plaintext: Plaintext::Anywhere, ..anywhere };
    let replica = Replica::start(store, asked).await.unwrap();
    replica.stop();
    replica.ended().await.unwrap();
}

/// The program itself.
struct Program {
    process: Child,
    _directory: TempDir,
}

impl Program {
    fn start(options: &[&str]) -> Self {
        let directory = TempDir::with_prefix("vipfleet-server-").unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_vipfleet-server"))
            .arg("--data-dir")
            .arg(directory.path())
            .args(options)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { process, _directory: directory }
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// Waits for its end: the exit code, and what it said last on stderr.
    fn ended(&mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + SOON;
        let status = loop {
            match self.process.try_wait().unwrap() {
                Some(status) => break status,
                None => assert!(Instant::now() < deadline, "it does not end"),
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let mut said = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        (status.code(), said.lines().last().unwrap_or_default().to_owned())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

#[tokio::test]
async fn the_program_says_where_it_listens_and_ends_by_a_signal() {
    for signal in ["-TERM", "-INT"] {
        let mut program = Program::start(&["--listen", "127.0.0.1:0"]);
        let mut line = String::new();
        let mut said = BufReader::new(program.process.stdout.take().unwrap());
        said.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("vipfleet-server listening on ").unwrap().to_owned();
        let address = url.strip_prefix("http://").unwrap().parse().unwrap();
        let agent = Agent::join(address, "lb1").await;
        program.signal(signal);
        assert_eq!(program.ended().0, Some(0));
        drop(agent);
    }
}

#[test]
fn the_program_says_what_keeps_it_from_starting() {
    let table: [(&[&str], &str); 3] = [
        (&["--listen", "0.0.0.0:0"], "--insecure"),
        (&["--store", "oracle:x"], "names no store"),
        (&["--listen", "203.0.113.1:7700", "--insecure"], "cannot listen on 203.0.113.1:7700"),
    ];
    for (options, expected) in table {
        let (code, said) = Program::start(options).ended();
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(expected), "{expected:?}: {said}");
    }
}

#[test]
fn an_agent_that_is_busy_for_a_few_seconds_keeps_its_session() {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let server_runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let server = server_runtime.block_on(Server::start());
    let agent_runtime = builder.enable_all().build().unwrap();
    let mut agent = agent_runtime.block_on(Agent::join(server.address(), "lb1"));
    agent_runtime.block_on(agent.pushed());
    // Three pings find nobody at home; the kernel acknowledges them.
    std::thread::sleep(Duration::from_secs(6));
    let heard = agent_runtime
        .block_on(async { tokio::time::timeout(Duration::from_secs(1), agent.hear()).await });
    assert!(heard.is_err(), "the session ended: {heard:?}");
}
