//! What one end says, the other hears: every type, over bytes, and back equal.

use crate::strategies as any;
use proptest::prelude::*;
use std::fmt::Debug;
use vipfleet_model::node::NodeStatus;
use vipfleet_model::ownership::InstanceStatus;
use vipfleet_model::report::{CheckReport, TransitionRecord};
use vipfleet_model::{
    Assignment, Check, Definition, Finding, Instance, Key, NodeFacts, NodeReport,
};
use vipfleet_proto::{Malformed, v1};

/// Model → message → bytes → message → model.
fn over_the_wire<W, T>(value: T) -> T
where
    W: prost::Message + Default + From<T>,
    T: TryFrom<W, Error = Malformed> + Debug,
{
    let bytes = W::from(value).encode_to_vec();
    let message = W::decode(bytes.as_slice()).expect("our own bytes decode");
    T::try_from(message).expect("our own messages are well-formed")
}

macro_rules! survives {
    ($($sentence:ident: $wire:ty, $model:ty, $strategy:expr;)+) => {
        proptest! {
            #![proptest_config(ProptestConfig::with_cases(64))]
            $(
                #[test]
                fn $sentence(value in $strategy) {
                    let heard: $model = over_the_wire::<$wire, $model>(value.clone());
                    prop_assert_eq!(heard, value);
                }
            )+
        }
    };
}

survives! {
    a_definition_survives_the_wire: v1::Definition, Definition, any::definition();
    a_key_survives_the_wire: v1::DefinitionKey, Key, any::key();
    an_instance_survives_the_wire: v1::Instance, Instance, any::instance();
    a_check_survives_the_wire: v1::Check, Check, any::check();
    a_finding_survives_the_wire: v1::Finding, Finding, any::finding();
    an_assignment_survives_the_wire: v1::Assignment, Assignment, any::assignment();
    a_node_report_survives_the_wire: v1::NodeReport, NodeReport, any::node_report();
    a_check_report_survives_the_wire: v1::CheckReport, CheckReport, any::check_report();
    a_transition_survives_the_wire: v1::Transition, TransitionRecord, any::transition();
    an_instance_status_survives_the_wire:
        v1::InstanceStatus, InstanceStatus, any::instance_status();
    a_node_status_survives_the_wire: v1::NodeStatus, NodeStatus, any::node_status();
    node_facts_survive_the_wire: v1::NodeFacts, NodeFacts, any::node_facts();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_assignment_keeps_its_hash_over_the_wire(value in any::assignment()) {
        let hash = value.hash();
        let heard: Assignment = over_the_wire::<v1::Assignment, _>(value);
        prop_assert_eq!(heard.hash(), hash);
    }

    #[test]
    fn equal_reports_have_equal_bytes(value in any::node_report()) {
        use prost::Message as _;
        let bytes = || v1::NodeReport::from(value.clone()).encode_to_vec();
        prop_assert_eq!(bytes(), bytes());
    }
}
