//! What an agent was sent, and what it made of it: decides whether an assignment is due. Pure.

use super::greeting::Hello;
use crate::fleet::Desired;
use std::collections::VecDeque;

/// Pushes that may wait for their verdict; of an agent that never answers the latest are kept.
const UNANSWERED: usize = 8;

/// A push without a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    pub(super) nonce: u64,
    pub(super) generation: u64,
    pub(super) hash: String,
}

#[derive(Debug)]
pub(super) struct Verdicts {
    /// Hash of what the agent was sent last, or said it runs.
    sent_hash: String,
    /// Hash of what it refused, in this session or before: not pushed again by itself.
    refused_hash: Option<String>,
    /// What the agent runs is of this generation or later: older ones are not pushed, since this
    /// replica has yet to catch up with the store.
    at_least: u64,
    nonce: u64,
    unanswered: VecDeque<Sent>,
}

impl Verdicts {
    pub(super) fn new(hello: &Hello) -> Self {
        Self {
            sent_hash: hello.hash.clone(),
            refused_hash: None,
            at_least: hello.generation,
            nonce: 0,
            unanswered: VecDeque::new(),
        }
    }

    /// Takes in what an earlier session of the node was refused.
    #[must_use]
    pub(super) fn with_refused(self, hash: Option<String>) -> Self {
        Self { refused_hash: hash, ..self }
    }

    pub(super) fn may_push(&self, desired: &Desired) -> bool {
        desired.generation.0 >= self.at_least
            && desired.hash() != self.sent_hash
            && self.refused_hash.as_deref() != Some(desired.hash())
    }

    /// Notes that it is sent; returns its nonce.
    pub(super) fn push(&mut self, desired: &Desired) -> u64 {
        self.nonce += 1;
        let (nonce, generation) = (self.nonce, desired.generation.0);
        let hash = desired.hash().to_owned();
        self.sent_hash.clone_from(&hash);
        self.at_least = generation;
        if self.unanswered.len() == UNANSWERED {
            self.unanswered.pop_front();
        }
        self.unanswered.push_back(Sent { nonce, generation, hash });
        nonce
    }

    /// What the agent accepted, unless nobody knows of it.
    pub(super) fn accepted(&mut self, nonce: u64) -> Option<Sent> {
        let sent = self.answered(nonce)?;
        self.refused_hash = None;
        Some(sent)
    }

    /// What the agent refused for what it is. A push that came too late to an agent which runs
    /// something newer says nothing about its content.
    pub(super) fn refused(&mut self, nonce: u64, running_generation: u64) -> Option<Sent> {
        let sent = self.answered(nonce)?;
        if running_generation > sent.generation {
            self.at_least = self.at_least.max(running_generation);
            if self.sent_hash == sent.hash {
                self.sent_hash.clear();
            }
            return None;
        }
        self.refused_hash = Some(sent.hash.clone());
        Some(sent)
    }

    /// Verdicts come in order: what is older than this one gets none any more.
    fn answered(&mut self, nonce: u64) -> Option<Sent> {
        while self.unanswered.front().is_some_and(|sent| sent.nonce < nonce) {
            self.unanswered.pop_front();
        }
        self.unanswered.pop_front_if(|sent| sent.nonce == nonce)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Revision;
    use std::sync::Arc;
    use vipfleet_model::NodeFacts;

    fn desired(generation: u64, hash: &str) -> Desired {
        let generation = Revision(generation);
        Desired { generation, assignment: Arc::default(), hash: hash.to_owned().into() }
    }

    fn verdicts(generation: u64, hash: &str) -> Verdicts {
        Verdicts::new(&Hello {
            facts: NodeFacts { node: "lb1".parse().unwrap(), interfaces: Vec::new() },
            boot_id: String::new(),
            agent_version: String::new(),
            generation,
            hash: hash.into(),
        })
    }

    #[test]
    fn what_runs_already_is_not_sent() {
        let mut verdicts = verdicts(5, "a");
        assert!(!verdicts.may_push(&desired(9, "a")));
        assert!(verdicts.may_push(&desired(9, "b")));
        verdicts.push(&desired(9, "b"));
        assert!(!verdicts.may_push(&desired(10, "b")));
        assert!(verdicts.may_push(&desired(10, "a")));
    }

    #[test]
    fn nothing_older_than_what_runs_is_sent() {
        let verdicts = verdicts(5, "a");
        assert!(!verdicts.may_push(&desired(4, "b")));
        assert!(verdicts.may_push(&desired(5, "b")));
    }

    #[test]
    fn what_was_refused_is_not_sent_again_until_it_changes() {
        let mut verdicts = verdicts(0, "");
        let nonce = verdicts.push(&desired(3, "a"));
        assert_eq!(verdicts.refused(nonce, 0).unwrap().hash, "a");
        assert!(!verdicts.may_push(&desired(4, "a")));
        let nonce = verdicts.push(&desired(5, "b"));
        assert!(!verdicts.may_push(&desired(6, "a")), "b is not accepted yet");
        assert_eq!(verdicts.accepted(nonce).unwrap().generation, 5);
        assert!(verdicts.may_push(&desired(6, "a")), "changed back after another was accepted");
    }

    #[test]
    fn what_an_earlier_session_was_refused_is_not_sent_either() {
        let verdicts = verdicts(0, "").with_refused(Some("a".into()));
        assert!(!verdicts.may_push(&desired(3, "a")));
        assert!(verdicts.may_push(&desired(4, "b")));
    }

    #[test]
    fn a_push_that_came_too_late_is_no_refusal_of_its_content() {
        let mut verdicts = verdicts(0, "");
        let nonce = verdicts.push(&desired(3, "a"));
        assert_eq!(verdicts.refused(nonce, 8), None);
        assert!(!verdicts.may_push(&desired(7, "a")));
        assert!(verdicts.may_push(&desired(8, "a")));
    }

    #[test]
    fn an_answer_to_nothing_counts_for_nothing() {
        let mut verdicts = verdicts(0, "");
        assert_eq!(verdicts.accepted(1), None);
        let first = verdicts.push(&desired(1, "a"));
        let second = verdicts.push(&desired(2, "b"));
        assert_eq!(verdicts.accepted(second).unwrap().hash, "b");
        assert_eq!(verdicts.accepted(first), None);
        for generation in 3..100 {
            verdicts.push(&desired(generation, &generation.to_string()));
        }
        assert_eq!(verdicts.unanswered.len(), UNANSWERED);
    }
}
