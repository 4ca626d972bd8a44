//! Runs a scenario file: one router, inputs at given times, and the trace of what it did.
//!
//! A file is comments (`#`), a `config` line, `member` lines, and inputs `TIME COMMAND …` with
//! TIME in seconds. Everything indented is the trace: it is compared, or rewritten when
//! `VIPFLEET_BLESS` is set. Deadlines fire on time by themselves, and addresses are reported as
//! claimed `claim=` (2 ms) after they were asked for; `freeze` stops both until `thaw`.

mod words;

use crate::fixture;
use std::collections::VecDeque;
use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;
use vipfleet_vrrp::{
    Config, Custody, Envelope, Health, Input, Output, ResignReason, Router, Time, Transmission,
    Version, parse,
};
use words::{Words, span};

/// The file with its trace as it is now.
pub(crate) fn run(text: &str) -> String {
    let mut script = Script::default();
    let mut lines = text.lines().filter(|line| !line.starts_with(' ')).peekable();
    while let Some(line) = lines.next() {
        script.trace.push_str(line);
        script.trace.push('\n');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let until = lines.clone().find_map(words::time_of);
        script.line(line, until);
    }
    script.trace
}

#[derive(Default)]
struct Script {
    config: Option<Config>,
    claim: Option<Duration>,
    claims: VecDeque<Time>,
    health: Health,
    frozen: bool,
    router: Option<Router>,
    trace: String,
}

impl Script {
    fn line(&mut self, line: &str, until: Option<Time>) {
        let mut words = Words::new(line);
        match words.next() {
            "config" => {
                let mut config = fixture::config();
                self.claim = words.take("claim").map(span).or(Some(Duration::from_millis(2)));
                words.configure(&mut config);
                self.config = Some(config);
            }
            "member" => {
                let member = words.member();
                self.config.as_mut().expect("config comes first").members.push(member);
            }
            _ => return self.input(line, until),
        }
        words.assert_empty(line);
    }

    fn input(&mut self, line: &str, until: Option<Time>) {
        let now = words::time_of(line).unwrap_or_else(|| panic!("a time begins: {line}"));
        let mut words = Words::new(line);
        words.next();
        let command = words.next().to_owned();
        self.start_router(now);
        match command.as_str() {
            "freeze" => self.frozen = true,
            "thaw" => {
                self.frozen = false;
                self.router().handle_deadlines(now);
            }
            "end" => {}
            "advert" => self.advert(now, &mut words),
            "config" => {
                let mut config = self.router().config().clone();
                words.configure(&mut config);
                self.router().handle(now, Input::Reconfigure(Box::new(config)));
            }
            "health" => {
                words.health(&mut self.health);
                let health = self.health.clone();
                self.router().handle(now, Input::Health(health));
            }
            command => self.router().handle(now, plain_input(command)),
        }
        words.assert_empty(line);
        self.drain(now);
        self.run_until(until.unwrap_or(now));
        self.summary();
    }

    /// On the first input, so that `member` lines are in.
    fn start_router(&mut self, now: Time) {
        if self.router.is_none() {
            let config = self.config.clone().expect("config comes first");
            let mut router = Router::new(config).expect("a valid configuration");
            router.handle(now, Input::PrimaryAddress(Some(fixture::host(1))));
            self.router = Some(router);
        }
    }

    fn router(&mut self) -> &mut Router {
        self.router.as_mut().expect("started by the first input")
    }

    fn advert(&mut self, now: Time, words: &mut Words<'_>) {
        let source: IpAddr = words.take("from").expect("from=").parse().expect("an address");
        let ttl = words.take("ttl").map_or(255, |ttl| ttl.parse().expect("a number"));
        let priority = words.take("priority").expect("priority=").parse().expect("a number");
        let destination = match words.flag("unicast") {
            true => fixture::host(1),
            false => fixture::multicast(),
        };
        let mut sender = self.router().config().clone();
        words.configure(&mut sender);
        let mut bytes = Vec::new();
        fixture::message(&sender, priority).encode(source, destination, &mut bytes);
        let advert = parse(Envelope { source, destination, ttl }, &bytes).expect("well-formed");
        self.router().handle(now, Input::Advert { source, advert });
    }

    /// Fires what is due before `end`.
    fn run_until(&mut self, end: Time) {
        while !self.frozen {
            let deadline = self.router().next_deadline();
            let claim = self.claims.front().copied();
            let Some(next) = [deadline, claim].into_iter().flatten().min() else {
                break;
            };
            if next >= end {
                break;
            }
            if claim == Some(next) {
                self.claims.pop_front();
                self.router().handle(next, Input::Claimed);
            } else {
                self.router().handle_deadlines(next);
            }
            self.drain(next);
        }
    }

    fn drain(&mut self, now: Time) {
        while let Some(output) = self.router().poll_output() {
            let said = match output {
                Output::Transmit(transmission) => self.transmitted(transmission),
                Output::Custody(custody) => {
                    let asks = custody == Custody::Serving;
                    self.claims.extend(self.claim.filter(|_| asks).map(|claim| now + claim));
                    format!("custody {custody:?}")
                }
                Output::Announce => "announce".to_owned(),
                Output::Elected(reason) => format!("elected: {reason}"),
                Output::Changed(change) => {
                    assert_eq!(change.at, now);
                    format!("{} -> {}: {}", change.from, change.to, change.reason)
                }
                Output::Discarded { source, why } => format!("discard {} {source}", why.name()),
                Output::Warn(warning) => format!("warn {warning}"),
                Output::Stopped => "stopped".to_owned(),
            };
            writeln!(self.trace, "    {now}  {said}").expect("a string takes it");
        }
    }

    /// Says what is on the wire, not what was meant.
    fn transmitted(&mut self, transmission: Transmission) -> String {
        let (source, destination) = (fixture::host(1), fixture::multicast());
        let mut bytes = Vec::new();
        self.router().encode(transmission, source, destination, &mut bytes);
        let envelope = Envelope { source, destination, ttl: 255 };
        let advert = parse(envelope, &bytes).expect("our own adverts are well-formed");
        let version = match advert.version {
            Version::V2 => "v2",
            Version::V3 => "v3",
        };
        let mut said = format!("transmit {version} priority {}", advert.priority);
        write!(said, " every {:?}", advert.interval).expect("a string takes it");
        said.push_str(&words::password(advert.authentication));
        said
    }

    fn summary(&mut self) {
        let router = self.router();
        let (state, custody) = (router.state(), router.custody());
        let mut summary = format!("    = {state}, custody {custody:?}");
        if let Some(master) = router.master() {
            write!(summary, ", master {master}").expect("a string takes it");
        }
        if let Some(deadline) = router.next_deadline() {
            write!(summary, ", next {deadline}").expect("a string takes it");
        }
        writeln!(self.trace, "{summary}").expect("a string takes it");
    }
}

fn plain_input(command: &str) -> Input<'static> {
    match command {
        "start" => Input::Start,
        "introduce" => Input::Introduce,
        "resume" => Input::Resume,
        "stop" => Input::Resign(ResignReason::Stop),
        "drain" => Input::Resign(ResignReason::Drain),
        "deleted" => Input::Resign(ResignReason::Deleted),
        "removed" => Input::Resign(ResignReason::Removed),
        "lease-expired" => Input::LeaseExpired,
        "suspended" => Input::Suspended,
        "claimed" => Input::Claimed,
        "address-gone" => Input::PrimaryAddress(None),
        "address-back" => Input::PrimaryAddress(Some(fixture::host(1))),
        other => panic!("no such command: {other}"),
    }
}
