//! When waiting is over, and how. Pure: the time comes in.

use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;
use vipfleet_proto::v1;

/// How long a node may be away before waiting for it is pointless.
const ABSENCE: Duration = Duration::from_secs(5);
/// How long a refusal must stand: the first word may still be about what was wanted before.
const REFUSAL: Duration = Duration::from_secs(1);

/// One node on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Member {
    pub(crate) node: String,
    pub(crate) connected: bool,
    pub(crate) accepted: bool,
    pub(crate) observed: bool,
    /// Why it refused; `null` while it did not.
    pub(crate) rejected: Option<String>,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done {
        members: Vec<Member>,
        elapsed: Duration,
    },
    Refused {
        members: Vec<Member>,
    },
    /// Some are not connected, and waiting does not bring them back.
    Absent {
        members: Vec<Member>,
    },
    Behind {
        members: Vec<Member>,
    },
}

impl Member {
    fn is_there(&self) -> bool {
        self.accepted && self.observed
    }

    /// Why it is not there yet.
    pub(crate) fn trouble(&self) -> Option<String> {
        let Self { node, connected, accepted, rejected, .. } = self;
        Some(match (rejected, connected, accepted) {
            _ if self.is_there() => return None,
            (_, false, _) => format!("{node}: its agent is not connected"),
            (Some(reason), ..) => format!("{node} refused it: {reason}"),
            (None, true, false) => format!("{node} has not accepted it yet"),
            (None, true, true) => format!("{node} accepted it, its kernel does not show it yet"),
        })
    }
}

impl Verdict {
    pub(crate) fn members(&self) -> &[Member] {
        match self {
            Self::Done { members, .. }
            | Self::Refused { members }
            | Self::Absent { members }
            | Self::Behind { members } => members,
        }
    }
}

/// What was heard so far.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    began: Instant,
    timeout: Duration,
    done: bool,
    heard: bool,
    members: Vec<Member>,
    absent: BTreeMap<String, Instant>,
    refused: BTreeMap<String, Instant>,
}

impl Progress {
    pub(super) fn new(now: Instant, timeout: Duration) -> Self {
        Self {
            began: now,
            timeout,
            done: false,
            heard: false,
            members: Vec::new(),
            absent: BTreeMap::new(),
            refused: BTreeMap::new(),
        }
    }

    pub(super) fn hear(&mut self, wire: v1::Convergence, now: Instant) {
        self.heard = true;
        self.done = wire.done;
        let member = |it: v1::MemberConvergence| Member {
            node: it.node,
            connected: it.connected,
            accepted: it.accepted,
            observed: it.observed,
            rejected: (!it.rejected.is_empty()).then_some(it.rejected),
        };
        self.members = wire.members.into_iter().map(member).collect();
        let absent = self.members.iter().filter(|it| !it.connected);
        self.absent = since(&self.absent, absent, now);
        let refused = self.members.iter().filter(|it| it.rejected.is_some() && !it.is_there());
        self.refused = since(&self.refused, refused, now);
    }

    /// Waiting for others goes on while one is absent: those that can are told to.
    pub(super) fn verdict(&self, now: Instant) -> Option<Verdict> {
        let members = self.members.clone();
        if self.done {
            return Some(Verdict::Done { members, elapsed: now - self.began });
        }
        if lasted(&self.refused, now, REFUSAL) {
            return Some(Verdict::Refused { members });
        }
        if lasted(&self.absent, now, ABSENCE) {
            return Some(Verdict::Absent { members });
        }
        (now - self.began >= self.timeout).then_some(Verdict::Behind { members })
    }

    /// `1 of 2 nodes have it, waiting for lb2`.
    pub(super) fn line(&self) -> String {
        if !self.heard {
            return "waiting for the server".to_owned();
        }
        let there = self.members.iter().filter(|it| it.is_there()).count();
        let have = format!("{there} of {} nodes have it", self.members.len());
        let missing = self.members.iter().filter_map(Member::trouble);
        std::iter::once(have).chain(missing).collect::<Vec<_>>().join(" · ")
    }
}

fn since<'a>(
    before: &BTreeMap<String, Instant>,
    members: impl Iterator<Item = &'a Member>,
    now: Instant,
) -> BTreeMap<String, Instant> {
    members.map(|it| (it.node.clone(), *before.get(&it.node).unwrap_or(&now))).collect()
}

fn lasted(since: &BTreeMap<String, Instant>, now: Instant, limit: Duration) -> bool {
    since.values().any(|since| now - *since >= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn member(node: &str) -> v1::MemberConvergence {
        v1::MemberConvergence { node: node.into(), connected: true, ..Default::default() }
    }

    fn there(node: &str) -> v1::MemberConvergence {
        v1::MemberConvergence { accepted: true, observed: true, ..member(node) }
    }

    fn not_done(members: Vec<v1::MemberConvergence>) -> v1::Convergence {
        v1::Convergence { done: false, members }
    }

    #[test]
    fn done_is_done_whatever_the_time() {
        let start = Instant::now();
        let mut progress = Progress::new(start, seconds(0));
        progress.hear(v1::Convergence { done: true, members: vec![there("lb1")] }, start);
        assert!(matches!(progress.verdict(start), Some(Verdict::Done { .. })));
    }

    #[test]
    fn a_node_that_stays_away_ends_the_wait_after_a_grace() {
        let start = Instant::now();
        let mut progress = Progress::new(start, seconds(30));
        let away = v1::MemberConvergence { connected: false, ..member("lb2") };
        progress.hear(not_done(vec![there("lb1"), away.clone()]), start);
        assert_eq!(progress.verdict(start + seconds(4)), None);
        let verdict = progress.verdict(start + seconds(5)).unwrap();
        assert!(matches!(verdict, Verdict::Absent { .. }));
        let troubles = verdict.members().iter().filter_map(Member::trouble).collect::<Vec<_>>();
        assert_eq!(troubles, ["lb2: its agent is not connected"]);
        // One that came back meanwhile starts anew.
        progress.hear(not_done(vec![member("lb2")]), start + seconds(4));
        progress.hear(not_done(vec![away]), start + seconds(5));
        assert_eq!(progress.verdict(start + seconds(9)), None);
    }

    #[test]
    fn a_refusal_counts_when_it_stands() {
        let start = Instant::now();
        let mut progress = Progress::new(start, seconds(30));
        let refused = v1::MemberConvergence { rejected: "no ens9".into(), ..member("lb1") };
        progress.hear(not_done(vec![refused.clone()]), start);
        assert_eq!(progress.verdict(start), None);
        progress.hear(not_done(vec![member("lb1")]), start + seconds(1));
        assert_eq!(progress.verdict(start + seconds(2)), None);
        progress.hear(not_done(vec![refused]), start + seconds(2));
        let verdict = progress.verdict(start + seconds(3));
        assert!(matches!(verdict, Some(Verdict::Refused { .. })), "{verdict:?}");
    }

    #[test]
    fn time_runs_out_even_when_nothing_is_heard() {
        let start = Instant::now();
        let progress = Progress::new(start, seconds(30));
        assert_eq!(progress.verdict(start + seconds(29)), None);
        assert_eq!(
            progress.verdict(start + seconds(30)),
            Some(Verdict::Behind { members: Vec::new() })
        );
    }
}
