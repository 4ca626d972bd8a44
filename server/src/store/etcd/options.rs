//! Where etcd is and what of it is ours. The place for TLS and a user when they come.

use crate::store::{HistoryBounds, OpenError};
use std::time::Duration;

/// How to reach and use an etcd.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EtcdOptions {
    /// `http://HOST:PORT` each.
    pub endpoints: Vec<String>,
    /// Everything that this fleet keeps is below it. Ends with `/`.
    pub prefix: String,
    /// What a writer that died left behind goes after this long. At least a few seconds: etcd
    /// rounds up to its election timeout.
    pub orphans_after: Duration,
    pub history: HistoryBounds,
    /// A reader replays at most about this many changes.
    pub snapshot_every: u64,
    /// Old revisions of etcd itself go after this long: without, its database grows for ever.
    /// `None` when something else compacts (`etcd --auto-compaction-retention`).
    pub compact_after: Option<Duration>,
    /// A watch is compared with a list this often, ± 20 %.
    pub compare_every: Duration,
}

impl EtcdOptions {
    pub fn new(endpoints: Vec<String>) -> Self {
        Self {
            endpoints,
            prefix: "/vipfleet/".to_owned(),
            orphans_after: Duration::from_secs(600),
            history: HistoryBounds::default(),
            snapshot_every: 64,
            compact_after: Some(Duration::from_secs(600)),
            compare_every: Duration::from_secs(60),
        }
    }

    /// From what follows `etcd:` in `spec`.
    pub(crate) fn parse(spec: &str, endpoints: &str) -> Result<Self, OpenError> {
        let endpoints = endpoints.split(',').map(|endpoint| match fault(endpoint) {
            None => Ok(endpoint.trim_end_matches('/').to_owned()),
            Some(reason) => Err(OpenError::BadEndpoint {
                spec: spec.to_owned(),
                endpoint: endpoint.to_owned(),
                reason,
            }),
        });
        endpoints.collect::<Result<_, _>>().map(Self::new)
    }

    /// The endpoints, for people.
    pub(crate) fn endpoints(&self) -> String {
        self.endpoints.join(",")
    }
}

fn fault(endpoint: &str) -> Option<&'static str> {
    if endpoint.is_empty() {
        return Some("it is empty");
    }
    if endpoint.starts_with("https://") {
        return Some("TLS to etcd is not supported yet");
    }
    let Some(rest) = endpoint.strip_prefix("http://") else {
        return Some("it does not start with http://");
    };
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    let Some((host, port)) = authority.rsplit_once(':') else {
        return Some("it has no port");
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let plain =
        !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if !bracketed && !plain {
        return Some("that is no host");
    }
    match port.parse::<u16>() {
        Ok(1..) => None,
        _ => Some("that is no port"),
    }
}
