//! A check: its counts and times, and whether its probe can be run at all.

use super::desk::Desk;
use super::names::{Port, host_port_trouble, interface_trouble, is_file_name};
use crate::check::{Check, ExecProbe, HttpProbe, Probe, ProcessProbe, ProcessTarget};
use crate::span::Span;

const SHORTEST: Span = Span::from_millis(10);
const LONGEST: Span = Span::from_secs(3600);

pub(super) fn examine(desk: &mut Desk<'_>, spec: &Check) {
    times(desk, spec);
    for (path, count) in [("spec.rise", spec.rise), ("spec.fall", spec.fall)] {
        if count == 0 {
            let message = "no result at all would change the check";
            desk.error("check-count", path, message, "write 1 or more");
        }
    }
    match &spec.probe {
        Probe::Process(probe) => process(desk, probe),
        Probe::Http(probe) => http(desk, probe),
        Probe::Tcp(probe) => {
            if let Some(trouble) = host_port_trouble(&probe.address, Port::Needed) {
                let message = format!("{:?}: {trouble}", probe.address);
                let remedy = "write HOST:PORT, such as 127.0.0.1:80 or [::1]:80";
                desk.error("tcp-address", "spec.tcp.address", message, remedy);
            }
        }
        Probe::Exec(probe) => exec(desk, probe),
        Probe::File(probe) => absolute(desk, "spec.file.path", &probe.path),
        Probe::Interface(probe) => {
            if let Some(trouble) = interface_trouble(&probe.name) {
                let message = format!("the interface is {trouble}");
                let remedy = "write its name as `ip link` shows it";
                desk.error("interface-name", "spec.interface.name", message, remedy);
            }
        }
    }
}

fn times(desk: &mut Desk<'_>, spec: &Check) {
    if spec.interval < SHORTEST {
        let message = format!("an interval of {} would keep the host busy probing", spec.interval);
        desk.error("check-interval", "spec.interval", message, format!("write {SHORTEST} or more"));
    } else if spec.interval > LONGEST {
        let message = format!("with an interval of {} a failure goes unseen", spec.interval);
        desk.warning("check-interval", "spec.interval", message, "write seconds rather than hours");
    }
    match spec.timeout {
        Some(timeout) if timeout.is_zero() => {
            let message = "with a timeout of 0s every probe fails";
            let remedy = "leave it out: it is the interval then";
            desk.error("check-timeout", "spec.timeout", message, remedy);
        }
        Some(timeout) if timeout > spec.interval => {
            let message = format!(
                "a probe may take {timeout}, longer than the interval of {}: probes never \
                 overlap, so the next one waits",
                spec.interval
            );
            let remedy = "make the timeout the interval or less";
            desk.warning("check-timeout", "spec.timeout", message, remedy);
        }
        _ => {}
    }
}

fn process(desk: &mut Desk<'_>, probe: &ProcessProbe) {
    match &probe.target {
        ProcessTarget::Name(name) => {
            if name.is_empty() || name.contains(['/', '\0']) {
                let message = format!("{name:?} is no name of a program");
                let remedy = "write the executable's file name, such as nginx";
                desk.error("process-name", "spec.process.name", message, remedy);
            }
        }
        ProcessTarget::PidFile(path) => {
            absolute(desk, "spec.process.pidFile", path);
            if probe.quorum > 1 {
                let message = format!("a pid file names one process, never {}", probe.quorum);
                let remedy = "leave quorum out, or look for the processes by name";
                desk.error("process-quorum", "spec.process.quorum", message, remedy);
            }
        }
    }
    if probe.quorum == 0 {
        let message = "a quorum of 0 is met by no process at all";
        let remedy = "write 1 or more; a track with reverse wants a process to be absent";
        desk.error("process-quorum", "spec.process.quorum", message, remedy);
    }
    if let Some(most) = probe.quorum_max.filter(|most| *most < probe.quorum) {
        let message = format!("at least {} and at most {most} is never met", probe.quorum);
        let remedy = format!("write {} or more, or leave it out", probe.quorum);
        desk.error("process-quorum", "spec.process.quorumMax", message, remedy);
    }
}

fn http(desk: &mut Desk<'_>, probe: &HttpProbe) {
    let path = "spec.http.url";
    let remedy = "write http://HOST[:PORT]/PATH, such as http://127.0.0.1/healthz";
    match probe.url.strip_prefix("http://") {
        None if probe.url.starts_with("https://") => {
            let message = "https is not supported by the http check";
            let remedy = "probe a plain http:// address of the host itself, or use tcp or exec";
            desk.error("http-url", path, message, remedy);
        }
        None => desk.error("http-url", path, format!("{:?} is no http:// URL", probe.url), remedy),
        Some(rest) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let odd = rest.contains(|c: char| c.is_whitespace() || c.is_control());
            let trouble = match host_port_trouble(&rest[..end], Port::Optional) {
                None if odd => Some("it has a blank or control character"),
                other => other,
            };
            if let Some(trouble) = trouble {
                desk.error("http-url", path, format!("{:?}: {trouble}", probe.url), remedy);
            }
        }
    }
    if !(100..=599).contains(&probe.expect_status) {
        let message = format!("{} is no HTTP status", probe.expect_status);
        desk.error("http-status", "spec.http.expectStatus", message, "write 100 to 599");
    }
}

fn exec(desk: &mut Desk<'_>, probe: &ExecProbe) {
    if !is_file_name(&probe.file) {
        let message = format!("{:?} is no file name", probe.file);
        let remedy = "put the file into the agent's exec dir and write its name without a path";
        desk.error("exec-path", "spec.exec.file", message, remedy);
    }
    for (index, argument) in probe.args.iter().enumerate() {
        if argument.contains('\0') {
            let message = "an argument cannot hold a zero byte";
            desk.error("exec-argument", format!("spec.exec.args[{index}]"), message, "remove it");
        }
    }
    if let Some(user) = &probe.user {
        let message = format!("running as {user:?} needs an agent that may change users");
        let remedy = "give the agent CAP_SETUID and CAP_SETGID, or leave user out";
        desk.warning("exec-user", "spec.exec.user", message, remedy);
    }
}

fn absolute(desk: &mut Desk<'_>, at: &str, path: &str) {
    if !path.starts_with('/') || path.contains('\0') {
        let message = format!("{path:?} is no absolute path");
        desk.error("absolute-path", at, message, "start it with /");
    }
}
