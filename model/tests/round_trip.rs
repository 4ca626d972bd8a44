//! What is written is read back equal, through YAML, through JSON, and through serde.

mod arbitrary;

use proptest::prelude::*;
use vipfleet_model::Definition;
use vipfleet_model::document::{parse, to_json, to_yaml};

fn read_back(text: &str) -> Vec<Definition> {
    let parsed = parse(text, None);
    assert!(parsed.findings.is_empty(), "{:?} in:\n{text}", parsed.findings);
    parsed.definitions.into_iter().map(|placed| placed.value).collect()
}

proptest! {
    #[test]
    fn yaml_is_read_back_equal(definitions in arbitrary::definitions()) {
        prop_assert_eq!(read_back(&to_yaml(&definitions)), definitions);
    }

    #[test]
    fn json_is_read_back_equal(definitions in arbitrary::definitions()) {
        prop_assert_eq!(read_back(&to_json(&definitions)), definitions);
    }

    #[test]
    fn serde_json_is_read_back_equal(definitions in arbitrary::definitions()) {
        let text = serde_json::to_string(&definitions).unwrap();
        prop_assert_eq!(serde_json::from_str::<Vec<Definition>>(&text).unwrap(), definitions);
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "[-a-z0-9:{}\\[\\], \"'&*!#|>%\n\t]{0,200}") {
        parse(&text, None);
    }

    #[test]
    fn no_damage_to_a_document_makes_the_parser_panic(
        cut in 0..400usize,
        put in "[-:{}\\[\\],\"'&*!|>\n]{0,3}",
    ) {
        let mut text = include_str!("sample.yaml").to_owned();
        text.insert_str(cut.min(text.len()), &put);
        parse(&text, None);
    }
}
