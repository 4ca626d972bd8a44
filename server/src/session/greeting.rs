//! The Hello of an agent, read and judged. Pure.

use crate::store::FleetIdentity;
use tonic::Status;
use vipfleet_model::NodeFacts;
use vipfleet_proto::v1;
use vipfleet_proto::v1::agent_message::Message;

/// A Hello that may have a session.
#[derive(Clone, Debug)]
pub(super) struct Hello {
    pub(super) facts: NodeFacts,
    pub(super) boot_id: String,
    pub(super) agent_version: String,
    pub(super) generation: u64,
    pub(super) hash: String,
}

pub(super) fn read(
    first: Option<v1::AgentMessage>,
    fleet: &FleetIdentity,
) -> Result<Hello, Status> {
    let Some(v1::AgentMessage { message: Some(Message::Hello(hello)) }) = first else {
        return Err(Status::invalid_argument("the first message of a session must be Hello"));
    };
    let ours = vipfleet_proto::PROTOCOL_VERSION;
    if hello.protocol_version != ours {
        return Err(Status::failed_precondition(format!(
            "node {} speaks session protocol {}, this server {ours}: bring both to one release",
            hello.node, hello.protocol_version
        )));
    }
    if !hello.fleet_id.is_empty() && hello.fleet_id != fleet.id {
        return Err(Status::failed_precondition(format!(
            "node {} belongs to fleet {}, this server keeps fleet {}: remove assignment.json from \
             the agent's state dir to let it join this fleet",
            hello.node, hello.fleet_id, fleet.id
        )));
    }
    if hello.fleet_id == fleet.id && hello.epoch > fleet.epoch {
        return Err(Status::failed_precondition(format!(
            "node {} has seen epoch {} of this fleet, this server's store is of epoch {}: it is \
             stale",
            hello.node, hello.epoch, fleet.epoch
        )));
    }
    let Some(facts) = hello.facts else {
        return Err(Status::invalid_argument("hello.facts: absent"));
    };
    let facts = NodeFacts::try_from(v1::NodeFacts { node: hello.node, ..facts })
        .map_err(|malformed| Status::invalid_argument(format!("hello.facts.{malformed}")))?;
    // What ran under another origin is not comparable: it is sent again, so that the agent
    // learns where it belongs now.
    let comparable = hello.fleet_id == fleet.id && hello.epoch == fleet.epoch;
    Ok(Hello {
        facts,
        boot_id: hello.boot_id,
        agent_version: hello.agent_version,
        generation: if comparable { hello.generation } else { 0 },
        hash: if comparable { hello.hash } else { String::new() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet() -> FleetIdentity {
        FleetIdentity { id: "f".into(), epoch: 2 }
    }

    fn hello() -> v1::Hello {
        v1::Hello {
            node: "lb1".into(),
            protocol_version: vipfleet_proto::PROTOCOL_VERSION,
            fleet_id: "f".into(),
            epoch: 2,
            generation: 7,
            facts: Some(v1::NodeFacts::default()),
            ..Default::default()
        }
    }

    fn judge(hello: v1::Hello) -> Result<Hello, Status> {
        read(Some(v1::AgentMessage { message: Some(Message::Hello(hello)) }), &fleet())
    }

    #[test]
    fn a_node_of_this_fleet_may_come_in() {
        let read = judge(hello()).unwrap();
        assert_eq!((read.facts.node.as_str(), read.generation), ("lb1", 7));
    }

    #[test]
    fn what_ran_in_an_older_epoch_or_in_no_fleet_counts_for_nothing() {
        let before = v1::Hello { hash: "cafe".into(), ..hello() };
        assert_eq!(judge(before.clone()).unwrap().hash, "cafe");
        for hello in [
            v1::Hello { epoch: 1, ..before.clone() },
            v1::Hello { fleet_id: String::new(), ..before },
        ] {
            let read = judge(hello).unwrap();
            assert_eq!((read.generation, read.hash.as_str()), (0, ""));
        }
    }

    #[test]
    fn what_cannot_have_a_session_is_told_why() {
        let table = [
            (v1::Hello { protocol_version: 99, ..hello() }, "bring both to one release"),
            (v1::Hello { fleet_id: "g".into(), ..hello() }, "belongs to fleet g"),
            (v1::Hello { epoch: 3, ..hello() }, "is stale"),
            (v1::Hello { node: "not a name".into(), ..hello() }, "not a name"),
            (v1::Hello { facts: None, ..hello() }, "hello.facts: absent"),
        ];
        for (hello, expected) in table {
            let status = judge(hello).unwrap_err();
            assert!(status.message().contains(expected), "{}", status.message());
        }
        assert!(read(None, &fleet()).is_err());
    }
}
