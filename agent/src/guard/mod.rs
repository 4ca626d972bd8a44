//! The guard: a tiny process beside the agent that takes VIPs, routes and rules away once the
//! VRRP loop is dead or stands still and their peers may take over, so that the stale owner is
//! gone when the new one comes. Leases of the kernel stand behind it.
//!
//! Two ends: [`keep`] is the agent's, which starts the guard and keeps it running; [`run`] is the
//! guard's own. Between them lies nothing but the heartbeat's memory. The guard knows of routes
//! only the messages that remove them, which the agent wrote there; it has no message of its own
//! but questions. Absent on purpose: a runtime, files, configuration, every other capability.

mod confine;
mod due;
mod keeper;
mod lean;
mod remover;
mod sentry;

pub use keeper::keep;

use crate::log;
use sentry::{Ending, Sentry};
use std::process::ExitCode;

const PROGRAM: &str = "vipfleet-guard";
const USAGE: &str =
    "vipfleet-guard is started by vipfleet-agent: --agent PID --incarnation N [--log-json]";
const LOG_JSON: &str = "--log-json";

/// What the guard is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Order {
    agent: u32,
    incarnation: u64,
    /// Of what it says on standard error, which is the agent's log.
    format: log::Format,
}

impl Order {
    fn arguments(self) -> Vec<String> {
        let Self { agent, incarnation, format } = self;
        let mut arguments = vec![
            "--agent".into(),
            agent.to_string(),
            "--incarnation".into(),
            incarnation.to_string(),
        ];
        if format == log::Format::Json {
            arguments.push(LOG_JSON.into());
        }
        arguments
    }

    fn parse(arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut arguments: Vec<_> = arguments.collect();
        let format = match arguments.pop_if(|last| last == LOG_JSON) {
            Some(_) => log::Format::Json,
            None => log::Format::Text,
        };
        let [first, agent, second, incarnation] = &arguments[..] else { return None };
        let named = first == "--agent" && second == "--incarnation";
        let (agent, incarnation) = (agent.parse().ok()?, incarnation.parse().ok()?);
        named.then_some(Self { agent, incarnation, format })
    }

    /// Says one line.
    fn say(self, message: &str) {
        eprint!("{}", self.format.line(PROGRAM, message));
    }
}

/// The guard's process, from its start to its end. Standard input is the heartbeat's memory,
/// standard output the bell.
pub fn run(arguments: impl Iterator<Item = String>) -> ExitCode {
    let Some(order) = Order::parse(arguments) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let ending = confine::close_inherited().and_then(|()| Sentry::post(order));
    let ending = ending.and_then(|sentry| {
        lean::forget_the_start();
        confine::confine()?;
        sentry.watch()
    });
    match ending {
        Ok(Ending::Dismissed | Ending::Done) => ExitCode::SUCCESS,
        Err(error) => {
            order.say(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guard_understands_its_order_and_nothing_else() {
        for format in [log::Format::Text, log::Format::Json] {
            let order = Order { agent: 7, incarnation: u64::MAX >> 2, format };
            assert_eq!(Order::parse(order.arguments().into_iter()), Some(order));
        }
        for text in [
            "",
            "--help",
            "--agent 7",
            "--agent 7 --log-json",
            "--agent x --incarnation 1",
            "--incarnation 1 --agent 7",
        ] {
            assert_eq!(Order::parse(text.split_whitespace().map(String::from)), None, "{text}");
        }
    }
}
