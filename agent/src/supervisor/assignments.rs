//! What this node runs: pushed by a server, kept in the cache, or read from a file. All or
//! nothing: what cannot run whole leaves everything as it was.

use super::{Source, Supervisor};
use crate::arrival::Arrival;
use crate::cache::CachedAssignment;
use crate::node::{self, Command, Prepared};
use crate::received::Received;
use crate::standalone;
use crate::succession::Document;
use crate::uplink::fence::Origin;
use crate::uplink::{Rejected, Running};
use tracing::{error, info, warn};
use vipfleet_model::{Assignment, Findings};

/// What came with an assignment and is no part of it.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// When, if a server gave it, now or once.
    pub(super) received: Option<Received>,
    pub(super) arrival: Arrival,
}

impl Supervisor {
    /// Runs what a server assigned and remembers it.
    pub(super) async fn run_assignment(
        &mut self,
        origin: Origin,
        hash: String,
        assignment: Assignment,
        given: Given,
    ) -> Result<(), Rejected> {
        self.apply(&origin, &hash, assignment, given).await?;
        if let Some(applied) = self.assignment.clone() {
            self.keeper.assignment(applied);
        }
        Ok(())
    }

    async fn apply(
        &mut self,
        origin: &Origin,
        hash: &str,
        assignment: Assignment,
        given: Given,
    ) -> Result<(), Rejected> {
        let whole = |reason: String| Rejected { field_path: String::new(), reason };
        let Given { received, arrival } = given;
        let now = Received::now("", &self.boot_id);
        let came = received.as_ref().unwrap_or(&now);
        let former = &self.instances;
        let prepared = node::prepare(origin.generation, hash.to_owned(), &assignment, former)
            .and_then(|prepared| prepared.timed(|until| came.ends(until, &now)))
            .map_err(|unfit| Rejected { field_path: unfit.field_path, reason: unfit.reason })?;
        let prepared = Prepared { arrival, ..prepared };
        let Origin { fleet_id, epoch, generation } = origin.clone();
        let hash = hash.to_owned();
        let applied = CachedAssignment { fleet_id, epoch, generation, hash, assignment, received };
        let encoded =
            applied.encode().map_err(|cause| whole(format!("not to be kept: {cause}")))?;
        let instances = prepared.instances.clone();
        let ended = |_| whole("the VRRP thread has ended".to_owned());
        self.node.send(Command::Apply(Box::new(prepared))).await.map_err(ended)?;
        (self.instances, self.assignment) = (instances, Some(encoded));
        let CachedAssignment { hash, assignment, .. } = applied;
        // Their results follow the assignment that they belong to.
        self.checks.configure(assignment.checks);
        self.running.send_replace(Running { origin: origin.clone(), hash });
        self.spare.soon();
        Ok(())
    }

    /// The first assignment of a stand-alone agent: without it there is no agent.
    pub(super) async fn begin(
        &mut self,
        assignment: Assignment,
        findings: &Findings,
    ) -> anyhow::Result<()> {
        findings.iter().for_each(|finding| warn!("{finding}"));
        let rejected = |it: Rejected| anyhow::anyhow!("{it}");
        self.take_config(assignment).await.map_err(rejected)
    }

    async fn take_config(&mut self, assignment: Assignment) -> Result<(), Rejected> {
        let generation = self.running.borrow().origin.generation + 1;
        let hash = assignment.hash();
        let origin = Origin { fleet_id: String::new(), epoch: 0, generation };
        self.apply(&origin, &hash, assignment, Given::default()).await
    }

    /// What ran last goes on, whether a server is there or not.
    pub(super) async fn resume_cached(&mut self, cached: Option<CachedAssignment>) {
        let Some(cached) = cached else {
            return info!("no assignment yet: waiting for a server");
        };
        let CachedAssignment { fleet_id, epoch, generation, hash, assignment, received } = cached;
        info!(generation, "running the last assignment");
        let origin = Origin { fleet_id, epoch, generation };
        let given = Given { received, ..Given::default() };
        if let Err(rejected) = self.apply(&origin, &hash, assignment, given).await {
            error!(%rejected, "the cached assignment does not run any more");
            // Nothing runs, but nothing older may either.
            self.running.send_replace(Running { origin, hash: String::new() });
        }
    }

    /// What the former image of this process ran goes on, from where it stood. A stand-alone agent
    /// reads its file again at SIGHUP, and not before.
    pub(super) async fn carry_on(&mut self, document: Document) {
        info!(from = document.version, to = env!("CARGO_PKG_VERSION"), "upgraded in place");
        self.checks.carry_on(document.checks);
        self.resume_cached(document.assignment).await;
        document.notices.into_iter().for_each(|notice| self.heed(notice));
    }

    /// SIGHUP: a file that is refused leaves everything as it was.
    pub(super) async fn reload(&mut self) {
        let Source::Config(file) = &self.source else {
            return info!("nothing to reload: the server pushes changes by itself");
        };
        let file = file.clone();
        let read = tokio::task::spawn_blocking(move || standalone::read(&file)).await;
        match read {
            Ok(Ok((assignment, findings))) => {
                findings.iter().for_each(|finding| warn!("{finding}"));
                match self.take_config(assignment).await {
                    Ok(()) => info!("configuration reloaded"),
                    Err(rejected) => error!("not reloaded: {rejected}"),
                }
            }
            Ok(Err(refused)) => {
                refused.to_string().lines().for_each(|line| error!("not reloaded: {line}"));
            }
            Err(panic) => error!("not reloaded: reading the file failed: {panic}"),
        }
    }
}
