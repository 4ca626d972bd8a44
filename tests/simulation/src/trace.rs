//! What happened, as a protocol log: virtual time, host, instance, event. Costs nothing unless it
//! is asked for.

use crate::host::Effect;
use std::fmt;
use vipfleet_vrrp::{StateName, Time};

#[derive(Clone, Debug, Default)]
pub struct Trace {
    lines: Option<Vec<String>>,
}

impl Trace {
    /// One that remembers.
    pub fn on() -> Self {
        Self { lines: Some(Vec::new()) }
    }

    pub(crate) fn note(
        &mut self,
        now: Time,
        host: Option<usize>,
        instance: Option<usize>,
        text: impl FnOnce() -> String,
    ) {
        let Some(lines) = &mut self.lines else { return };
        let host = host.map_or("--".to_owned(), |host| format!("n{}", host + 1));
        let instance = instance.map_or(String::new(), |it| format!("VI_{}", it + 1));
        let seconds = now.as_nanos() as f64 / 1e9;
        lines.push(format!("{seconds:12.6}  {host:3} {instance:5} {}", text()));
    }

    pub(crate) fn effect(&mut self, now: Time, host: usize, effect: &Effect) {
        if self.lines.is_none() {
            return;
        }
        let (instance, text) = match effect {
            Effect::Heard { instance, from, priority } => {
                (*instance, format!("hears n{} priority {priority}", from + 1))
            }
            Effect::Send { instance, priority: 0, destination, .. } => {
                (*instance, format!("resigns: priority 0 to {destination}"))
            }
            Effect::Send { instance, priority, destination, .. } => {
                (*instance, format!("advertises priority {priority} to {destination}"))
            }
            Effect::Custody { instance, custody } => (*instance, format!("custody {custody:?}")),
            Effect::Announce { instance } => (*instance, "announces its addresses".to_owned()),
            Effect::Changed { instance, transition } => {
                let mark = if transition.to == StateName::Master { "** " } else { "" };
                let (from, to, reason) = (transition.from, transition.to, &transition.reason);
                (*instance, format!("{mark}{from} -> {to}: {reason}"))
            }
            Effect::Discarded { instance, source, why } => {
                (*instance, format!("discards an advert of {source}: {}", why.name()))
            }
            Effect::Warn { instance, warning } => (*instance, format!("warns: {warning}")),
            Effect::Runs { instance, definition, introduced } => {
                let base = definition.base(host);
                let new = if *introduced { "is introduced to it, and " } else { "" };
                (*instance, format!("{new}runs it at base priority {base}"))
            }
            Effect::Healthy { instance, health } => {
                let (fit, weight) = (health.faults.is_empty(), health.weight);
                let pending = if health.pending { ", pending" } else { "" };
                (*instance, format!("health: fit {fit}, weight {weight}{pending}"))
            }
            Effect::Left { instance } => (*instance, "has left it".to_owned()),
            Effect::Exited => return,
        };
        self.note(now, Some(host), Some(instance), || text);
    }

    /// The last `count` lines; all if there are fewer.
    pub fn tail(&self, count: usize) -> &[String] {
        let lines = self.lines.as_deref().unwrap_or_default();
        &lines[lines.len().saturating_sub(count)..]
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().flatten().try_for_each(|line| writeln!(f, "{line}"))
    }
}
