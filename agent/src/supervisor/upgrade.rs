//! SIGUSR2: the program at the agent's path takes this one's place, in this process, and nobody on
//! the LAN notices. First it checks itself in a child; only then is anything touched. Whatever
//! fails on the way leaves the agent as it was, and says so.
//!
//! [`crate::succession`] is what is handed over, `image` the program, `self_check` the other side.

use super::image::Image;
use super::signals::{Asked, Held, Signals};
use super::{Supervisor, chain};
use crate::cache::{CachedAssignment, EncodedAssignment};
use crate::checks::Counted;
use crate::hooks::Hooks;
use crate::node::{Command, Ending, Node, NotNow, Notice, Past};
use crate::succession::{Document, Envelope, FORMAT, slept};
use anyhow::{Context as _, bail};
use std::collections::BTreeMap;
use std::os::fd::AsRawFd as _;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tracing::{error, info};
use vipfleet_model::Name;

/// How long a router may be on its way from one state to the next: above the engine's 30 s.
const PATIENCE: Duration = Duration::from_secs(40);
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// The VRRP thread answers within a turn.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);

/// How long hooks under way may take; then they are ended.
const HOOKS_LIMIT: Duration = Duration::from_secs(5);

/// What a stalled reader of the log may cost while the VRRP thread waits.
const LOG_LIMIT: Duration = Duration::from_millis(20);

/// A check of the new program that is under way.
pub(super) type Candidate = JoinHandle<anyhow::Result<Image>>;

/// The outcome of the check, once there is one.
pub(super) async fn checked(candidate: &mut Option<Candidate>) -> anyhow::Result<Image> {
    let Some(task) = candidate else { return std::future::pending().await };
    let outcome = task.await.context("the self-check panicked").flatten();
    *candidate = None;
    outcome
}

impl Supervisor {
    /// Has the new program check itself; everything goes on meanwhile.
    pub(super) fn begin_upgrade(&mut self) {
        if self.candidate.is_some() {
            return info!("an upgrade is under way already");
        }
        info!("asked to upgrade in place");
        let (node, document) = (self.node.clone(), self.document());
        self.candidate = Some(tokio::spawn(async move {
            let mut document = document?;
            document.node = settled(&node).await?;
            document.seal();
            let image = Image::look()?;
            image.check(&document).await?;
            Ok(image)
        }));
    }

    /// Becomes the new program. Returns only if it could not; then everything goes on, and what
    /// was asked meanwhile is to be done.
    pub(super) async fn upgrade(
        &mut self,
        checked: anyhow::Result<Image>,
        signals: &mut Signals,
    ) -> Option<Asked> {
        let ready = checked.and_then(|image| Ok((image, self.applied()?)));
        let (image, applied) = match ready {
            Ok(ready) => ready,
            Err(why) => {
                error!("not upgraded: {why:#}; the running agent goes on");
                return None;
            }
        };
        let checks = applied.map(|it| it.assignment.checks).unwrap_or_default();
        // Their children would be nobody's. What changes from here on is heeded by the next image.
        let hooks = std::mem::replace(&mut self.hooks, Hooks::new(self.policy.clone()));
        hooks.drain(HOOKS_LIMIT).await;
        let stood = self.checks.stop().await;
        let mut unheeded = Vec::new();
        let (asked, why) = match self.replace(&image, &stood, &mut unheeded, signals).await {
            Ok(asked) => (Some(asked), "asked for something else".to_owned()),
            Err(why) => (None, format!("{why:#}")),
        };
        error!("not upgraded: {why}; the running agent goes on");
        self.checks.carry_on(stood);
        self.checks.configure(checks);
        unheeded.into_iter().for_each(|notice| self.heed(notice));
        asked
    }

    async fn replace(
        &mut self,
        image: &Image,
        stood: &BTreeMap<Name, Counted>,
        unheeded: &mut Vec<Notice>,
        signals: &mut Signals,
    ) -> anyhow::Result<Asked> {
        if !self.keeper.written().await {
            bail!("the state dir cannot be written");
        }
        settled(&self.node).await?;
        let _held = Held::begin();
        // What came before that is on its way through the runtime.
        sleep(Duration::from_millis(1)).await;
        if let Some(asked) = signals.waiting().await.filter(|asked| *asked != Asked::Upgrade) {
            return Ok(asked);
        }
        image.insist_unchanged()?;
        let mut document = self.document()?;
        document.checks.clone_from(stood);
        info!("becoming the new program");
        self.log.settle(LOG_LIMIT);
        // From here on the VRRP thread waits.
        document.node = ask(&self.node, Ending::Pause).await??;
        while let Ok(notice) = self.notices.try_recv() {
            unheeded.push(notice);
        }
        document.notices.clone_from(unheeded);
        document.seal();
        let failed = image.exec(&document);
        self.node.send(Command::GoOn).await?;
        bail!(chain(&failed))
    }

    /// What runs, as it came; `None` before the first assignment.
    fn applied(&self) -> anyhow::Result<Option<CachedAssignment>> {
        let decoded = self.assignment.as_ref().map(EncodedAssignment::decode).transpose();
        decoded.context("what runs cannot be handed over")
    }

    /// All but what the VRRP thread says.
    fn document(&self) -> anyhow::Result<Document> {
        let envelope =
            Envelope { format: FORMAT, pid: std::process::id(), descriptors: Vec::new() };
        Ok(Document {
            envelope,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: self.boot_id.clone(),
            slept: slept(),
            lock: self.state.lock().as_raw_fd(),
            listener: self.listener.as_raw_fd(),
            assignment: self.applied()?,
            node: Past::default(),
            checks: BTreeMap::new(),
            notices: Vec::new(),
        })
    }
}

/// What the VRRP thread would hand over, as soon as nothing is on its way from one member to
/// another.
async fn settled(node: &Node) -> anyhow::Result<Past> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match ask(node, Ending::No).await? {
            Ok(past) => return Ok(past),
            Err(why) if why == NotNow::Stopping || Instant::now() >= deadline => bail!(chain(&why)),
            Err(_) => sleep(ASK_AGAIN).await,
        }
    }
}

async fn ask(node: &Node, ending: Ending) -> anyhow::Result<Result<Past, NotNow>> {
    let (answer, answered) = oneshot::channel();
    node.send(Command::HandOver { ending, answer }).await?;
    let answer = timeout(ANSWER_LIMIT, answered).await;
    answer.context("the VRRP thread does not answer")?.context("the VRRP thread has ended")
}
