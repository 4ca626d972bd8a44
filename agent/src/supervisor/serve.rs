//! The supervisor's loop, and its end.

use super::assignments::Given;
use super::signals::{Asked, Signals};
use super::upgrade::checked;
use super::{Source, Supervisor, lock};
use crate::hooks::{HookState, Subject};
use crate::node::{Command, Former, Notice};
use crate::uplink::{FromServer, Offer};
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::{info, warn};
use vipfleet_model::report::InstanceState;

/// Above the engine's own limit for a handover (30 s), below systemd's TimeoutStopSec.
const STOP_LIMIT: Duration = Duration::from_secs(35);

/// How long hooks of a stopping agent may take.
const HOOKS_LIMIT: Duration = Duration::from_secs(5);

/// How long a stopping agent waits for the server to take its last transitions; what it does not
/// take is kept for the next start.
const FAREWELL_LIMIT: Duration = Duration::from_secs(1);

impl Supervisor {
    pub(super) async fn serve(mut self, mut signals: Signals) -> anyhow::Result<()> {
        if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
            warn!(%error, "cannot tell systemd that the agent is ready");
        }
        info!("ready");
        loop {
            tokio::select! {
                notice = self.notices.recv() => match notice {
                    Some(Notice::Stopped) | None => anyhow::bail!("the VRRP thread ended"),
                    Some(notice) => self.heed(notice),
                },
                Some(message) = self.from_server.recv() => self.take(message).await,
                asked = signals.next() => match asked {
                    Asked::Reload => self.reload().await,
                    Asked::Upgrade => self.begin_upgrade(),
                    Asked::Stop => return self.finish(signals).await,
                },
                image = checked(&mut self.candidate) => {
                    match self.upgrade(image, &mut signals).await {
                        Some(Asked::Stop) => return self.finish(signals).await,
                        Some(Asked::Reload) => self.reload().await,
                        Some(Asked::Upgrade) | None => {}
                    }
                }
            }
        }
    }

    /// Make before break: the VRRP thread ends when every successor was heard, or its limit came,
    /// or it was told a second time.
    async fn finish(mut self, mut signals: Signals) -> anyhow::Result<()> {
        info!("stopping");
        sd_notify::notify(&[sd_notify::NotifyState::Stopping]).ok();
        self.node.send(Command::Stop).await?;
        let deadline = Instant::now() + STOP_LIMIT;
        let in_time = timeout_at(deadline, self.wait_until_stopped(&mut signals)).await.is_ok();
        if in_time {
            self.heartbeat.finish();
        }
        timeout(FAREWELL_LIMIT, self.wait_until_acknowledged()).await.ok();
        self.stop.cancel();
        self.hooks.drain(HOOKS_LIMIT).await;
        drop(self.checks.stop().await);
        self.keeper.flush().await;
        if in_time { Ok(()) } else { anyhow::bail!("not every VIP was let go within 35 s") }
    }

    async fn wait_until_stopped(&mut self, signals: &mut Signals) {
        loop {
            tokio::select! {
                notice = self.notices.recv() => match notice {
                    Some(Notice::Stopped) | None => return,
                    Some(notice) => self.heed(notice),
                },
                Some(message) = self.from_server.recv() => self.take_while_stopping(message),
                asked = signals.next() => if asked == Asked::Stop {
                    info!("told to stop again: letting go at once");
                    self.node.send(Command::Stop).await.ok();
                },
            }
        }
    }

    async fn wait_until_acknowledged(&mut self) {
        while !self.connected_to.borrow().is_empty() && lock(&self.outbox).has_pending() {
            let Some(message) = self.from_server.recv().await else { return };
            self.take_while_stopping(message);
        }
    }

    /// Something the VRRP thread says once.
    pub(super) fn heed(&mut self, notice: Notice) {
        match notice {
            Notice::Transition { record, notify, ends } => {
                let instance = record.instance.clone();
                self.note_mastership(&instance, record.to);
                if let Some(state) = HookState::of(record.to, ends) {
                    let (subject, priority) =
                        (Subject::Instance(instance), record.effective_priority);
                    self.hooks.state_changed(&subject, &notify, state, priority);
                }
                self.keep(record);
            }
            Notice::Group { group, to, notify, ends } => {
                if let Some(state) = HookState::of(to, ends) {
                    self.hooks.state_changed(&Subject::Group(group), &notify, state, 0);
                }
            }
            Notice::Warning { instance: Some(instance), text } => warn!(%instance, "{text}"),
            Notice::Warning { instance: None, text } => warn!("{text}"),
            Notice::Stopped => {}
        }
    }

    /// What a next incarnation may carry on.
    fn note_mastership(&mut self, instance: &vipfleet_model::Name, state: InstanceState) {
        let changed = match state {
            InstanceState::Master => self.masters.insert(instance.clone()),
            _ => self.masters.remove(instance),
        };
        if changed {
            let masters = self.masters.iter().cloned().collect();
            self.keeper.masters(Former { boot_id: self.boot_id.clone(), masters });
        }
    }

    fn keep(&self, record: vipfleet_model::report::TransitionRecord) {
        let mut outbox = lock(&self.outbox);
        outbox.push(record);
        if matches!(self.source, Source::Config(_)) {
            outbox.acknowledge_all();
        }
        drop(outbox);
        self.keeper.outbox_changed();
        self.outbox_grew.notify_one();
    }

    async fn take(&mut self, message: FromServer) {
        match message {
            FromServer::Offer(offer) => {
                let Offer { origin, hash, assignment, received, arrival, verdict } = *offer;
                let given = Given { received: Some(received), arrival };
                let judged = self.run_assignment(origin, hash, assignment, given).await;
                // A session that ended meanwhile does not need the verdict.
                verdict.send(judged).ok();
            }
            other => self.note(other),
        }
    }

    /// An offer is not taken any more: its dropped verdict says so.
    fn take_while_stopping(&mut self, message: FromServer) {
        if !matches!(message, FromServer::Offer(_)) {
            self.note(message);
        }
    }

    fn note(&mut self, message: FromServer) {
        match message {
            FromServer::Connected { endpoint, fleet_id, epoch } => {
                info!(server = %endpoint, fleet = %fleet_id, epoch, "connected");
                self.connected_to.send_replace(endpoint);
            }
            FromServer::Disconnected => {
                self.connected_to.send_replace(String::new());
            }
            FromServer::Acknowledged(sequence) => {
                lock(&self.outbox).acknowledge(sequence);
                self.keeper.outbox_changed();
            }
            FromServer::Offer(_) => {}
        }
    }
}
