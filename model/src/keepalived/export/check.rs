//! Checks as `vrrp_script` and `vrrp_track_process`.

use super::desk::{self, Desk, Rounding};
use super::page::Page;
use super::program::Programs;
use super::word;
use crate::check::{Check, ExecProbe, HttpProbe, NamedCheck, Probe, ProcessProbe, ProcessTarget};
use crate::name::Name;
use crate::span::Span;
use std::collections::BTreeMap;
use std::time::Duration;

/// Intervals and timeouts of scripts.
const SCRIPT: Rounding = Rounding { step: Duration::from_secs(1), most: Duration::from_secs(4294) };
/// `terminate_delay`.
const TERMINATE: Rounding =
    Rounding { step: Duration::from_micros(1), most: Duration::from_secs(3_600) };

/// What a check is to keepalived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Script,
    Process,
    /// Declared nowhere: the track block names the interface.
    Interface(String),
}

/// Every check that is written, by name.
#[derive(Debug, Default)]
pub(super) struct Checks(BTreeMap<Name, Written>);

impl Checks {
    /// `None`: left out, and a finding says so.
    pub(super) fn get(&self, name: &Name) -> Option<&Written> {
        self.0.get(name)
    }

    pub(super) fn write(
        &mut self,
        check: &NamedCheck,
        page: &mut Page,
        programs: &mut Programs<'_>,
        desk: &mut Desk,
    ) {
        let written = match &check.spec.probe {
            Probe::Process(probe) => match &probe.target {
                ProcessTarget::Name(name) => process_name(check, name, probe, page, desk),
                ProcessTarget::PidFile(path) => {
                    let command = word::command(["/usr/bin/pgrep", "-F", path.as_str()]);
                    by_program(check, "spec.process.pidFile", "pgrep(1)", desk);
                    script(check, &command, None, page, programs, desk)
                }
            },
            Probe::File(probe) => {
                let command = word::command(["/usr/bin/test", "-e", probe.path.as_str()]);
                by_program(check, "spec.file", "test(1)", desk);
                script(check, &command, None, page, programs, desk)
            }
            Probe::Exec(exec) => own_program(check, exec, page, programs, desk),
            Probe::Interface(probe) => {
                idle(check, "an interface", desk);
                if !check.spec.down_delay.is_zero() {
                    let place = desk::check(&check.name, "spec.downDelay");
                    let message = "keepalived has no down delay for one tracked interface alone";
                    desk.inexpressible(place, message, "leave it out, or use an exec check");
                }
                renamed(check, &probe.name, desk);
                Some(Written::Interface(probe.name.clone()))
            }
            Probe::Http(probe) => http(check, probe, desk),
            Probe::Tcp(probe) => {
                let remedy = format!(
                    "make it an exec check that runs: nc -z {}",
                    probe.address.replacen(':', " ", 1)
                );
                missing(check, "spec.tcp", "a TCP check", &remedy, desk)
            }
        };
        if let Some(written) = written {
            self.0.insert(check.name.clone(), written);
        }
    }
}

fn process_name(
    check: &NamedCheck,
    process: &str,
    probe: &ProcessProbe,
    page: &mut Page,
    desk: &mut Desk,
) -> Option<Written> {
    let place = desk::check(&check.name, "spec.process.name");
    if process.contains(char::is_whitespace) {
        let message = "keepalived takes what follows a blank for arguments of the process";
        desk.inexpressible(place, message, "make it an exec check that runs pgrep(1)");
        return None;
    }
    let process = desk.word(&place, "the process", process);
    idle(check, "a process", desk);
    let delay = check.spec.down_delay;
    page.open(format!("vrrp_track_process {}", check.name));
    page.line(format!("process {process}"));
    if probe.quorum != 1 {
        page.line(format!("quorum {}", probe.quorum));
    }
    if let Some(most) = probe.quorum_max {
        page.line(format!("quorum_max {most}"));
    }
    if !delay.is_zero() {
        let place = desk::check(&check.name, "spec.downDelay");
        let delay = desk.rounded(place, delay, TERMINATE);
        page.line(format!("terminate_delay {}", word::seconds(delay)));
    }
    page.close();
    Some(Written::Process)
}

fn own_program(
    check: &NamedCheck,
    exec: &ExecProbe,
    page: &mut Page,
    programs: &mut Programs<'_>,
    desk: &mut Desk,
) -> Option<Written> {
    let place = desk::check(&check.name, "spec.exec");
    let command = programs.of_exec_dir(&place, &exec.file, &exec.args, desk);
    script(check, &command, exec.user.as_deref(), page, programs, desk)
}

fn script(
    check: &NamedCheck,
    command: &str,
    user: Option<&str>,
    page: &mut Page,
    programs: &mut Programs<'_>,
    desk: &mut Desk,
) -> Option<Written> {
    let Check { interval, timeout, rise, fall, down_delay, .. } = check.spec;
    let user = programs.user(&desk::check(&check.name, "spec.exec.user"), user, desk);
    let place = |path: &str| desk::check(&check.name, path);
    let interval = desk.rounded(place("spec.interval"), interval, SCRIPT);
    page.open(format!("vrrp_script {}", check.name));
    page.line(format!("script {command}"));
    page.line(format!("interval {}", interval.as_secs()));
    if let Some(timeout) = timeout {
        let timeout = desk.rounded(place("spec.timeout"), timeout, SCRIPT);
        page.line(format!("timeout {}", timeout.as_secs()));
    }
    if rise != 1 {
        page.line(format!("rise {rise}"));
    }
    let fall = fall_with_delay(fall, down_delay, interval);
    if !down_delay.is_zero() {
        let message =
            format!("{down_delay} becomes a fall of {fall}: scripts of keepalived have no delay");
        let remedy = "nothing to do, or write fall instead";
        desk.warning("approximated", place("spec.downDelay"), message, remedy);
    }
    if fall != 1 {
        page.line(format!("fall {fall}"));
    }
    if let Some(user) = user {
        page.line(format!("user {user}"));
    }
    page.close();
    Some(Written::Script)
}

/// Results in a row until a check that is down counts, its delay over.
fn fall_with_delay(fall: u16, delay: Span, interval: Duration) -> u64 {
    let rounds = delay.0.as_millis().div_ceil(interval.as_millis().max(1));
    let most = u64::from(u16::MAX);
    u64::from(fall).saturating_add(u64::try_from(rounds).unwrap_or(most)).min(most)
}

fn http(check: &NamedCheck, probe: &HttpProbe, desk: &mut Desk) -> Option<Written> {
    let remedy = format!(
        "make it an exec check that runs: curl -s -o /dev/null -w '%{{http_code}}' '{}' \
         | grep -qx {}",
        probe.url.replace('\'', "%27"),
        probe.expect_status
    );
    missing(check, "spec.http", "an HTTP check", &remedy, desk)
}

fn missing(
    check: &NamedCheck,
    path: &str,
    what: &str,
    remedy: &str,
    desk: &mut Desk,
) -> Option<Written> {
    let place = desk::check(&check.name, path);
    desk.inexpressible(place, format!("keepalived has no word for {what}"), remedy);
    None
}

/// A probe of ours that becomes a program which keepalived runs.
fn by_program(check: &NamedCheck, path: &str, program: &str, desk: &mut Desk) {
    let message = format!("keepalived has no such check: it runs {program} every interval");
    let remedy = "nothing to do; expect a failure to be seen an interval later";
    desk.warning("approximated", desk::check(&check.name, path), message, remedy);
}

/// A tracked interface has no name of its own; the reader makes one.
fn renamed(check: &NamedCheck, interface: &str, desk: &mut Desk) {
    let called = format!("interface-{interface}");
    if check.name.as_str() != called {
        let message = format!("keepalived has no name for this: an import calls it {called}");
        let place = desk::check(&check.name, "name");
        desk.warning("name-changed", place, message, "nothing to do, or call it so here");
    }
}

/// Counts and times of what keepalived hears about from the kernel.
fn idle(check: &NamedCheck, what: &str, desk: &mut Desk) {
    let plain = Check { down_delay: check.spec.down_delay, ..Check::new(check.spec.probe.clone()) };
    if check.spec != plain {
        let place = desk::check(&check.name, "spec");
        let message = format!("interval, timeout, rise and fall of {what} are left out");
        let remedy = "nothing to do: keepalived hears about it from the kernel at once";
        desk.warning("approximated", place, message, remedy);
    }
}
