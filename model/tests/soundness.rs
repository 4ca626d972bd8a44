//! Whatever the definitions, validation and placement come to an end without a panic, and what
//! validation takes an engine can run.

mod arbitrary;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use vipfleet_model::instance::{Authentication, Checksum, Instance, Member, Transport};
use vipfleet_model::placement::place;
use vipfleet_model::secret::Secret;
use vipfleet_model::span::Span;
use vipfleet_model::validate::{validate, validate_input};
use vipfleet_model::{Definition, Definitions, InterfaceFacts, Name, NodeFacts, VirtualAddress};

/// Instances that are sound or one slip away from it.
fn nearly_sound() -> impl Strategy<Value = Instance> {
    let vip =
        (0..=255u8, prop::sample::select(vec![8u8, 24, 31, 32])).prop_map(|(last, prefix)| {
            let text = format!("10.0.0.{last}/{prefix}");
            text.parse::<VirtualAddress>().expect("an address")
        });
    let node = |index: usize| format!("n{index}").parse::<Name>().expect("a name");
    let members = vec(prop_oneof![9 => 1..=254u8, 1 => any::<u8>()], 1..4).prop_map(move |all| {
        let member = |(index, priority)| Member::new(node(index), "eth0", priority);
        all.into_iter().enumerate().map(member).collect::<Vec<_>>()
    });
    let millis =
        prop::sample::select(vec![0u64, 5, 10, 100, 1_000, 2_000, 40_950, 40_960, 255_000]);
    let numbers = (prop_oneof![9 => 1..=255u8, 1 => Just(0)], 2..=4u8, 1..=11u8);
    let switches = any::<[bool; 4]>();
    (numbers, vec(vip, 0..4), members, millis, option::of("[a-z]{0,10}"), switches).prop_map(
        |((id, version, down_adverts), addresses, members, millis, password, switches)| {
            let [preempt, unicast, message, members_only] = switches;
            Instance {
                version,
                advert_interval: Span::from_millis(millis),
                preempt,
                down_adverts,
                authentication: match password {
                    Some(clear) => Authentication::Pass { password: Secret::new(clear) },
                    None => Authentication::None,
                },
                checksum: if message { Checksum::Message } else { Checksum::PseudoHeader },
                transport: if unicast { Transport::Unicast } else { Transport::Multicast },
                members_only,
                ..Instance::new(id, addresses, members)
            }
        },
    )
}

fn facts() -> BTreeMap<Name, NodeFacts> {
    let node = |index: u8| {
        let name = format!("n{index}").parse::<Name>().expect("a name");
        let interface = InterfaceFacts {
            name: "eth0".into(),
            addresses: vec![format!("10.0.0.{index}/24").parse().expect("a net")],
            promote_secondaries: index == 0,
        };
        (name.clone(), NodeFacts { node: name, interfaces: vec![interface] })
    };
    (0..4).map(node).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn an_engine_runs_what_validation_takes(spec in nearly_sound()) {
        let definition = Definition::Instance {
            name: "i".parse().expect("a name"),
            spec: Box::new(spec),
        };
        let definitions = Definitions::from_iter([definition]);
        if !validate_input(&definitions).has_errors() {
            for assignment in place(&definitions, &facts()).into_values() {
                for instance in assignment.instances {
                    let config = instance.engine_config();
                    prop_assert!(config.as_ref().is_ok_and(|it| it.check().is_ok()), "{config:?}");
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn no_definition_makes_validation_or_placement_panic(all in arbitrary::definitions()) {
        let definitions = all.into_iter().collect::<Definitions>();
        let changed = definitions.0.keys().cloned().collect::<BTreeSet<_>>();
        validate(&definitions, &facts(), &changed);
        for assignment in place(&definitions, &facts()).into_values() {
            for instance in assignment.instances {
                let _ = instance.engine_config();
            }
        }
    }
}

#[test]
fn some_of_the_nearly_sound_are_sound() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let sound = |spec| {
        let name = "i".parse().expect("a name");
        let definition = Definition::Instance { name, spec: Box::new(spec) };
        !validate_input(&Definitions::from_iter([definition])).has_errors()
    };
    let specs = (0..500).map(|_| nearly_sound().new_tree(&mut runner).expect("a tree").current());
    let count = specs.filter(|spec| sound(spec.clone())).count();
    assert!(count > 20, "{count} of 500");
}
