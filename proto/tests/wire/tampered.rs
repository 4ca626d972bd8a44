//! Bytes that a broken peer or network made of a sound message: refused or taken, never a panic.

use crate::strategies;
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;
use vipfleet_model::{Assignment, Definition, NodeReport};
use vipfleet_proto::{Malformed, v1};

/// `bytes` with some of them replaced, cut or inserted; decoded and converted if they still can be.
fn tampered<W, T>(mut bytes: Vec<u8>, edits: &[(usize, u8, u8)]) -> Option<Result<T, Malformed>>
where
    W: Message + Default,
    T: TryFrom<W, Error = Malformed>,
{
    for &(at, byte, edit) in edits {
        let at = at % bytes.len().max(1);
        match edit % 4 {
            0 if at < bytes.len() => drop(bytes.remove(at)),
            1 => bytes.insert(at, byte),
            _ if at < bytes.len() => bytes[at] = byte,
            _ => {}
        }
    }
    W::decode(bytes.as_slice()).ok().map(T::try_from)
}

/// Few, so that the bytes mostly still decode.
fn edits() -> impl Strategy<Value = Vec<(usize, u8, u8)>> {
    vec(any::<(usize, u8, u8)>(), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn tampered_assignments_convert_or_are_refused_with_a_path(
        value in strategies::assignment(), edits in edits(),
    ) {
        let bytes = v1::Assignment::from(value).encode_to_vec();
        if let Some(Err(malformed)) = tampered::<v1::Assignment, Assignment>(bytes, &edits) {
            prop_assert!(!malformed.path.is_empty());
            prop_assert!(!malformed.reason.is_empty());
        }
    }

    #[test]
    fn tampered_definitions_convert_or_are_refused_with_a_path(
        value in strategies::definition(), edits in edits(),
    ) {
        let bytes = v1::Definition::from(value).encode_to_vec();
        if let Some(Err(malformed)) = tampered::<v1::Definition, Definition>(bytes, &edits) {
            prop_assert!(!malformed.path.is_empty());
        }
    }

    #[test]
    fn tampered_reports_convert_or_are_refused_with_a_path(
        value in strategies::node_report(), edits in edits(),
    ) {
        let bytes = v1::NodeReport::from(value).encode_to_vec();
        if let Some(Err(malformed)) = tampered::<v1::NodeReport, NodeReport>(bytes, &edits) {
            prop_assert!(!malformed.path.is_empty());
        }
    }
}
