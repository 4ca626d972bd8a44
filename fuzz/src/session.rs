//! What agents and servers say to each other, and every message with a twin in the domain:
//! whatever bytes come, they do not decode, are refused with the place, or mean something that
//! survives the way back.

use prost::Message;
use std::fmt::Debug;
use vipfleet_model::node::NodeStatus;
use vipfleet_model::ownership::InstanceStatus;
use vipfleet_model::report::TransitionRecord;
use vipfleet_model::{Assignment, Definition, Finding, Key, NodeFacts, NodeReport};
use vipfleet_proto::v1::{agent_message, server_message};
use vipfleet_proto::{Malformed, v1};

/// Which message an input holds: its first byte. The session's own come first.
pub const KINDS: u8 = 8;

/// Reads one input.
pub fn run(data: &[u8]) {
    let Some((&kind, bytes)) = data.split_first() else { return };
    match kind % KINDS {
        0 => heard(bytes, from_agent),
        1 => heard(bytes, from_server),
        2 => heard(bytes, means::<v1::Definition, Definition>),
        3 => heard(bytes, means::<v1::DefinitionKey, Key>),
        4 => heard(bytes, means::<v1::Finding, Finding>),
        5 => heard(bytes, means::<v1::InstanceStatus, InstanceStatus>),
        6 => heard(bytes, means::<v1::NodeStatus, NodeStatus>),
        _ => heard(bytes, |local: v1::LocalStateResponse| {
            local.report.into_iter().for_each(means::<v1::NodeReport, NodeReport>);
            local.recent.into_iter().for_each(means::<v1::Transition, TransitionRecord>);
            local.facts.into_iter().for_each(means::<v1::NodeFacts, NodeFacts>);
        }),
    }
}

/// Decodes `bytes` if they can be, and reads the message.
fn heard<W: Message + Default + Clone + Debug + PartialEq>(bytes: &[u8], read: impl FnOnce(W)) {
    let Ok(message) = W::decode(bytes) else { return };
    assert_eq!(W::decode(message.encode_to_vec().as_slice()), Ok(message.clone()));
    read(message);
}

fn from_agent(said: v1::AgentMessage) {
    use agent_message::Message as Said;
    match said.message {
        Some(Said::Hello(v1::Hello { facts: Some(facts), .. }) | Said::Facts(facts)) => {
            means::<v1::NodeFacts, NodeFacts>(facts);
        }
        Some(Said::Report(report)) => means::<v1::NodeReport, NodeReport>(report),
        Some(Said::Transitions(batch)) => {
            batch.transitions.into_iter().for_each(means::<v1::Transition, TransitionRecord>);
        }
        Some(Said::Hello(_) | Said::Ack(_) | Said::Nack(_)) | None => {}
    }
}

fn from_server(said: v1::ServerMessage) {
    let Some(server_message::Message::Push(push)) = said.message else { return };
    let Some(assignment) = push.assignment else { return };
    means::<v1::Assignment, Assignment>(assignment.clone());
    if let Ok(assignment) = Assignment::try_from(assignment) {
        let heard = Assignment::try_from(v1::Assignment::from(assignment.clone()));
        assert_eq!(heard.map(|heard| heard.hash()), Ok(assignment.hash()));
        for instance in &assignment.instances {
            // An agent asks for this first; an engine is to take or refuse what comes.
            if let Ok(config) = instance.engine_config() {
                let _ = vipfleet_vrrp::Router::new(config);
            }
        }
    }
}

/// A message is refused with a place and a reason, or what it means comes back equal.
fn means<W, T>(wire: W)
where
    W: Message + Default + Clone + Debug + PartialEq + From<T>,
    T: TryFrom<W, Error = Malformed> + Clone + Debug + PartialEq,
{
    match T::try_from(wire) {
        Err(malformed) => {
            assert!(!malformed.path.is_empty(), "{malformed:?}");
            assert!(!malformed.reason.is_empty(), "{malformed:?}");
        }
        Ok(meant) => {
            let said = W::from(meant.clone());
            let heard = W::decode(said.encode_to_vec().as_slice()).expect("our own bytes decode");
            assert_eq!(heard, said);
            assert_eq!(T::try_from(heard), Ok(meant));
        }
    }
}
