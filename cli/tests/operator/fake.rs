//! A control server on loopback that keeps definitions as a real one does and says of the rest
//! what the test wants.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status};
use vipfleet_model::redaction::unredact_all;
use vipfleet_model::validate::validate_input;
use vipfleet_model::{Definition, Definitions, Key, document};
use vipfleet_proto::v1;
use vipfleet_proto::v1::control_server::{Control, ControlServer};
use vipfleet_proto::v1::transition_event::Event;

/// What it has and what it will say.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) revision: u64,
    pub(crate) definitions: BTreeMap<Key, (Definition, u64)>,
    pub(crate) history: Vec<v1::Change>,
    /// So many applies find that somebody else was faster.
    pub(crate) overtaken: u32,
    pub(crate) applies: Vec<v1::ApplyRequest>,
    pub(crate) status: v1::StatusResponse,
    /// The answer to every planned move.
    pub(crate) moved: v1::ApplyResponse,
    pub(crate) switchovers: Vec<v1::SwitchoverRequest>,
    pub(crate) drains: Vec<v1::DrainRequest>,
    /// Said one after the other; then nothing more, with the stream open.
    pub(crate) convergence: Vec<v1::Convergence>,
    pub(crate) waits: Vec<v1::WatchConvergenceRequest>,
    pub(crate) transitions: Vec<v1::FleetTransition>,
    pub(crate) first_kept: u64,
    /// Ends a transition stream after what it has.
    pub(crate) hangs_up: Option<()>,
    /// Every answer is this, until it is taken away.
    pub(crate) failure: Option<Status>,
}

/// Ends, with every connection, when it is dropped.
#[derive(Debug)]
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    runtime: Option<Runtime>,
}

#[derive(Clone, Debug)]
struct Service(Arc<Mutex<State>>);

impl Fake {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let state = Arc::new(Mutex::new(State { revision: 1, ..State::default() }));
        let listener = runtime.block_on(TcpListener::bind((own_loopback(), 0))).unwrap();
        let address = listener.local_addr().unwrap();
        let service = ControlServer::new(Service(state.clone()));
        let server = tonic::transport::Server::builder().add_service(service);
        runtime.spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
        Self { address, state, runtime: Some(runtime) }
    }

    /// With these documents stored at revision 1.
    pub(crate) fn with(documents: &str) -> Self {
        let fake = Self::start();
        let parsed = document::parse(documents, None);
        assert!(parsed.findings.is_empty(), "{:?}", parsed.findings);
        let stored = parsed.definitions.into_iter().map(|it| (it.value.key(), (it.value, 1)));
        fake.state().definitions = stored.collect();
        fake
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn instance(&self, name: &str) -> vipfleet_model::Instance {
        let state = self.state();
        let found = state.definitions.values().find(|(it, _)| it.name().as_str() == name);
        match found.map(|(definition, _)| definition.clone()) {
            Some(Definition::Instance { spec, .. }) => *spec,
            other => panic!("{name} is {other:?}"),
        }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A loopback address that no other fake has: when this one is gone, nobody answers there.
fn own_loopback() -> Ipv4Addr {
    static STARTED: AtomicU8 = AtomicU8::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 1 + high / 2, low, 1 + STARTED.fetch_add(1, Ordering::Relaxed) % 254)
}

type Streamed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Service {
    fn state(&self) -> Result<MutexGuard<'_, State>, Status> {
        let state = self.0.lock().unwrap();
        state.failure.clone().map_or(Ok(state), Err)
    }
}

impl State {
    fn change(
        &mut self,
        put: Vec<Definition>,
        delete: Vec<Key>,
        request: &v1::ApplyRequest,
    ) -> Result<v1::ApplyResponse, Status> {
        if self.overtaken > 0 {
            self.overtaken -= 1;
            self.revision += 1;
        }
        if let Some(pinned) = request.if_revision.filter(|it| *it != self.revision) {
            let now = self.revision;
            let text = format!("the definitions are at revision {now}, not {pinned}");
            return Err(Status::aborted(text));
        }
        let before = self.definitions.values().map(|(it, _)| it.clone()).collect::<Definitions>();
        let mut put = put;
        let mut findings = unredact_all(put.iter_mut(), &before);
        let mut after = before.clone();
        after.0.retain(|key, _| !delete.contains(key));
        after.0.extend(put.into_iter().map(|it| (it.key(), it)));
        findings.append(validate_input(&after));
        let keys = before.0.keys().chain(after.0.keys()).collect::<std::collections::BTreeSet<_>>();
        let changed = keys.into_iter().filter(|key| before.0.get(*key) != after.0.get(*key));
        let shown = |it: Option<&Definition>| it.map(|it| it.redacted().into());
        let changes = changed.map(|key| v1::DefinitionChange {
            key: Some(key.clone().into()),
            before: shown(before.0.get(key)),
            after: shown(after.0.get(key)),
        });
        let changes = changes.collect::<Vec<_>>();
        let committed = !findings.has_errors() && !request.dry_run && !changes.is_empty();
        if committed {
            self.commit(after, &changes, request);
        }
        Ok(v1::ApplyResponse {
            findings: findings.into_iter().map(Into::into).collect(),
            changes,
            revision: self.revision,
            committed,
        })
    }

    fn commit(
        &mut self,
        after: Definitions,
        changes: &[v1::DefinitionChange],
        request: &v1::ApplyRequest,
    ) {
        self.revision += 1;
        let old = std::mem::take(&mut self.definitions);
        let revision = |key: &Key, definition: &Definition| match old.get(key) {
            Some((before, revision)) if before == definition => *revision,
            _ => self.revision,
        };
        let stored = after.0.into_iter().map(|(key, definition)| {
            let revision = revision(&key, &definition);
            (key, (definition, revision))
        });
        self.definitions = stored.collect();
        let change = v1::Change {
            revision: self.revision,
            at: Some(prost_types::Timestamp { seconds: 1_772_000_000, nanos: 0 }),
            author: request.author.clone(),
            message: request.message.clone(),
            changes: changes.to_vec(),
        };
        self.history.insert(0, change);
    }
}

#[tonic::async_trait]
impl Control for Service {
    async fn apply(
        &self,
        request: Request<v1::ApplyRequest>,
    ) -> Result<Response<v1::ApplyResponse>, Status> {
        let request = request.into_inner();
        let mut state = self.state()?;
        state.applies.push(request.clone());
        let put = request.put.iter().cloned().map(|it| it.try_into().unwrap()).collect();
        let delete = request.delete.iter().cloned().map(|it| it.try_into().unwrap()).collect();
        state.change(put, delete, &request).map(Response::new)
    }

    async fn rollback(
        &self,
        request: Request<v1::RollbackRequest>,
    ) -> Result<Response<v1::ApplyResponse>, Status> {
        let revision = request.into_inner().to_revision;
        Err(Status::not_found(format!("revision {revision} is not in the history")))
    }

    async fn switchover(
        &self,
        request: Request<v1::SwitchoverRequest>,
    ) -> Result<Response<v1::ApplyResponse>, Status> {
        let mut state = self.state()?;
        state.switchovers.push(request.into_inner());
        Ok(Response::new(state.moved.clone()))
    }

    async fn drain(
        &self,
        request: Request<v1::DrainRequest>,
    ) -> Result<Response<v1::ApplyResponse>, Status> {
        let mut state = self.state()?;
        state.drains.push(request.into_inner());
        Ok(Response::new(state.moved.clone()))
    }

    async fn uncordon(
        &self,
        _: Request<v1::UncordonRequest>,
    ) -> Result<Response<v1::ApplyResponse>, Status> {
        Ok(Response::new(self.state()?.moved.clone()))
    }

    async fn get(
        &self,
        request: Request<v1::GetRequest>,
    ) -> Result<Response<v1::GetResponse>, Status> {
        let state = self.state()?;
        let v1::GetRequest { keys, reveal_secrets } = request.into_inner();
        let keys = keys.into_iter().map(|it| it.try_into().unwrap());
        let keys = keys.collect::<Vec<Key>>();
        if let Some(missing) = keys.iter().find(|key| !state.definitions.contains_key(key)) {
            return Err(Status::not_found(format!("there is no {missing}")));
        }
        let wanted = state.definitions.iter();
        let wanted = wanted.filter(|(key, _)| keys.is_empty() || keys.contains(key));
        let definitions = wanted.map(|(_, (definition, revision))| v1::StoredDefinition {
            definition: Some(match reveal_secrets {
                true => definition.clone().into(),
                false => definition.redacted().into(),
            }),
            revision: *revision,
        });
        let definitions = definitions.collect();
        Ok(Response::new(v1::GetResponse { revision: state.revision, definitions }))
    }

    async fn history(
        &self,
        _: Request<v1::HistoryRequest>,
    ) -> Result<Response<v1::HistoryResponse>, Status> {
        let changes = self.state()?.history.clone();
        Ok(Response::new(v1::HistoryResponse { changes }))
    }

    async fn status(
        &self,
        _: Request<v1::StatusRequest>,
    ) -> Result<Response<v1::StatusResponse>, Status> {
        Ok(Response::new(self.state()?.status.clone()))
    }

    type WatchStatusStream = Streamed<v1::StatusResponse>;

    async fn watch_status(
        &self,
        _: Request<v1::StatusRequest>,
    ) -> Result<Response<Self::WatchStatusStream>, Status> {
        let status = self.state()?.status.clone();
        let stream = tokio_stream::once(Ok(status)).chain(tokio_stream::pending());
        Ok(Response::new(Box::pin(stream)))
    }

    type WatchTransitionsStream = Streamed<v1::TransitionEvent>;

    async fn watch_transitions(
        &self,
        request: Request<v1::WatchTransitionsRequest>,
    ) -> Result<Response<Self::WatchTransitionsStream>, Status> {
        let state = self.state()?;
        let last = state.transitions.last().map_or(state.revision, |it| it.revision);
        let after = request.into_inner().after_revision.unwrap_or(last);
        let mut events = vec![Event::Started(v1::WatchStarted { revision: after })];
        if after + 1 < state.first_kept {
            let first_kept_revision = state.first_kept;
            events.push(Event::Gap(v1::TransitionGap { first_kept_revision }));
        }
        let later = state.transitions.iter().filter(|it| it.revision > after);
        events.extend(later.cloned().map(Event::Transition));
        let events = events.into_iter().map(|it| Ok(v1::TransitionEvent { event: Some(it) }));
        let said = tokio_stream::iter(events);
        Ok(Response::new(match state.hangs_up {
            Some(()) => Box::pin(said),
            None => Box::pin(said.chain(tokio_stream::pending())),
        }))
    }

    type WatchConvergenceStream = Streamed<v1::Convergence>;

    async fn watch_convergence(
        &self,
        request: Request<v1::WatchConvergenceRequest>,
    ) -> Result<Response<Self::WatchConvergenceStream>, Status> {
        let mut state = self.state()?;
        state.waits.push(request.into_inner());
        let said = tokio_stream::iter(state.convergence.clone().into_iter().map(Ok));
        Ok(Response::new(Box::pin(said.chain(tokio_stream::pending()))))
    }

    async fn version(
        &self,
        _: Request<v1::VersionRequest>,
    ) -> Result<Response<v1::VersionResponse>, Status> {
        Ok(Response::new(v1::VersionResponse {
            version: "9.8.7".into(),
            fleet_id: "a-fleet".into(),
            epoch: 1,
            store: "memory".into(),
        }))
    }
}
