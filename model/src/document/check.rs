//! The spec of a Check, read field by field. Names and defaults are those of [`crate::check`].

use super::fields::{Context, Fields, Spot, list};
use super::scalar::{duration, integer, text};
use crate::check::{
    Check, ExecProbe, FileProbe, HttpProbe, InterfaceProbe, Probe, ProcessProbe, TcpProbe,
    process_target,
};

pub(super) fn check(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<Check> {
    let mut fields = Fields::of(context, spot)?;
    let before = context.findings.0.len();
    let mut probes = Vec::new();
    for (kind, read) in READERS {
        if let Some(probe) = fields.optional(context, kind, read) {
            probes.push((kind, probe));
        }
    }
    let interval = fields.optional(context, "interval", duration);
    let timeout = fields.optional(context, "timeout", duration);
    let rise = fields.optional(context, "rise", |c, s| integer(c, s, "1 to 65535"));
    let fall = fields.optional(context, "fall", |c, s| integer(c, s, "1 to 65535"));
    let down_delay = fields.optional(context, "downDelay", duration);
    fields.finish(context);

    if probes.len() != 1 {
        let kinds = probes.iter().map(|(kind, _)| *kind).collect::<Vec<_>>();
        let message = crate::check::wrong_probes(&kinds);
        let place = context.place(spot.node.at, &spot.path);
        context.error("one-probe", place, message, "keep exactly one; one Check is one probe");
    }
    let plain = Check::new(probes.pop()?.1?);
    let check = Check {
        interval: interval.flatten().unwrap_or(plain.interval),
        timeout: timeout.flatten(),
        rise: rise.flatten().unwrap_or(plain.rise),
        fall: fall.flatten().unwrap_or(plain.fall),
        down_delay: down_delay.flatten().unwrap_or(plain.down_delay),
        ..plain
    };
    (context.findings.0.len() == before).then_some(check)
}

type Reader = fn(&mut Context<'_>, &Spot<'_>) -> Option<Probe>;

const READERS: [(&str, Reader); 6] = [
    ("process", process),
    ("http", http),
    ("tcp", tcp),
    ("exec", exec),
    ("file", file),
    ("interface", interface),
];

fn process(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<Probe> {
    let mut fields = Fields::of(context, spot)?;
    let name = fields.optional(context, "name", text);
    let pid_file = fields.optional(context, "pidFile", text);
    let quorum = fields.optional(context, "quorum", |c, s| integer(c, s, "1 to 65535"));
    let quorum_max = fields.optional(context, "quorumMax", |c, s| integer(c, s, "1 to 65535"));
    fields.finish(context);
    // Written, but wrong: the finding is noted, and which of the two it is still counts.
    let written = |it: Option<Option<String>>| it.map(Option::unwrap_or_default);
    let wrong = matches!(name, Some(None)) || matches!(pid_file, Some(None));
    match process_target(written(name), written(pid_file)) {
        Ok(_) if wrong => None,
        Ok(target) => Some(Probe::Process(ProcessProbe {
            target,
            quorum: quorum.flatten().unwrap_or(1),
            quorum_max: quorum_max.flatten(),
        })),
        Err(message) => {
            let place = context.place(spot.node.at, &spot.path);
            context.error("one-probe", place, message, "keep exactly one of them");
            None
        }
    }
}

fn http(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<Probe> {
    let mut fields = Fields::of(context, spot)?;
    let url = fields.required(context, "url", text);
    let status = fields.optional(context, "expectStatus", |c, s| integer(c, s, "100 to 599"));
    fields.finish(context);
    let plain = HttpProbe::new(url?);
    let expect_status = status.flatten().unwrap_or(plain.expect_status);
    Some(Probe::Http(HttpProbe { expect_status, ..plain }))
}

fn tcp(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<Probe> {
    only(context, spot, "address").map(|address| Probe::Tcp(TcpProbe { address }))
}

fn exec(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<Probe> {
    let mut fields = Fields::of(context, spot)?;
    let file = fields.required(context, "file", text);
    let args = fields.optional(context, "args", |c, s| list(c, s, text));
    let user = fields.optional(context, "user", text);
    fields.finish(context);
    let args = args.flatten().unwrap_or_default();
    Some(Probe::Exec(ExecProbe { file: file?, args, user: user.flatten() }))
}

fn file(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<Probe> {
    only(context, spot, "path").map(|path| Probe::File(FileProbe { path }))
}

fn interface(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<Probe> {
    only(context, spot, "name").map(|name| Probe::Interface(InterfaceProbe { name }))
}

/// The text of the one field there is.
fn only(context: &mut Context<'_>, spot: &Spot<'_>, field: &'static str) -> Option<String> {
    let mut fields = Fields::of(context, spot)?;
    let value = fields.required(context, field, text);
    fields.finish(context);
    value
}
