//! Definitions as text: what is read, what is found wrong and where, what is written back.

use vipfleet_model::check::{Probe, ProcessProbe};
use vipfleet_model::document::{self, MAX_BYTES, Parsed, locate, parse};
use vipfleet_model::{Definition, Finding, Findings, Place};

const SAMPLE: &str = include_str!("sample.yaml");

fn findings(text: &str) -> String {
    let parsed = parse(text, Some("fleet.yaml"));
    parsed.findings.iter().map(|finding| format!("{finding}\n")).collect()
}

fn read(text: &str) -> Vec<Definition> {
    let parsed = parse(text, None);
    assert_eq!(parsed.findings, Findings::default());
    parsed.definitions.into_iter().map(|placed| placed.value).collect()
}

#[test]
fn the_sample_is_read_without_a_finding() {
    let definitions = read(SAMPLE);
    let keys = definitions.iter().map(|it| it.key().to_string()).collect::<Vec<_>>();
    assert_eq!(keys, ["Instance VI_1", "Check check_nginx_alive"]);
    let Definition::Instance { spec, .. } = &definitions[0] else { panic!("an instance") };
    assert_eq!(spec.members[0].track[0].check.as_str(), "check_nginx_alive");
    assert!(spec.preempt);
    assert_eq!(spec.down_adverts, 3);
}

#[test]
fn a_check_has_its_probe_beside_its_interval() {
    let definitions =
        read("{kind: Check, name: c, spec: {process: {name: nginx}, interval: 1s, fall: 2}}");
    let Definition::Check { spec, .. } = &definitions[0] else { panic!("a check") };
    assert_eq!(spec.probe, Probe::Process(ProcessProbe::named("nginx")));
    assert_eq!(spec.fall, 2);
}

#[test]
fn serde_takes_a_check_with_exactly_one_probe_and_refuses_unknown_fields() {
    let check = |text: &str| serde_json::from_str::<vipfleet_model::Check>(text);
    assert!(check(r#"{"process": {"name": "nginx"}, "interval": "1s"}"#).is_ok());
    let two = check(r#"{"tcp": {"address": "h:1"}, "file": {"path": "/x"}}"#).unwrap_err();
    insta::assert_snapshot!(two, @"a check has exactly one of process, http, tcp, exec, file, interface; this one has tcp and file");
    let unknown = check(r#"{"tcp": {"address": "h:1"}, "intervall": "1s"}"#).unwrap_err();
    assert!(unknown.to_string().starts_with("unknown field `intervall`"), "{unknown}");
}

#[test]
fn an_unquoted_password_keeps_its_leading_zeros() {
    let yaml = SAMPLE.replace("\"1111\"", "0011");
    let Definition::Instance { spec, .. } = &read(&yaml)[0] else { panic!("an instance") };
    let json = serde_json::to_string(&spec.authentication).unwrap();
    assert_eq!(json, r#"{"type":"pass","password":"0011"}"#);
}

#[test]
fn a_misplaced_password_is_not_repeated_in_the_finding() {
    let yaml = SAMPLE.replace("{type: pass, password: \"1111\"}", "hunter2");
    insta::assert_snapshot!(findings(&yaml), @r#"error: fleet.yaml:8:19 Instance VI_1 spec.authentication: authentication takes a mapping; write {type: pass, password: "..."}"#);
}

#[test]
fn every_finding_of_every_document_is_noted_with_its_line() {
    insta::assert_snapshot!(findings(include_str!("broken.yaml")));
}

#[test]
fn a_document_that_is_no_yaml_does_not_hide_the_others() {
    let text = format!("kind: [unclosed\n---\n{SAMPLE}\n---\nname: x: y\n");
    assert_eq!(parse(&text, None).definitions.len(), 2);
    insta::assert_snapshot!(findings(&text), @r"
    error: fleet.yaml:1:7 document 1: this is no YAML: unclosed bracket '['; correct the document from here on
    error: fleet.yaml:20:8 document 4: this is no YAML: mapping values are not allowed in this context; correct the document from here on
    ");
}

#[test]
fn kinds_that_are_unknown_or_not_built_yet_are_told_apart() {
    insta::assert_snapshot!(findings(
        "{kind: Pool, name: p, spec: {}}\n---\n{kind: instance, name: p, spec: {}}\n---\n\
         {kind: Banana, name: p}\n---\njust text\n"
    ), @r#"
    error: fleet.yaml:1:8 document 1 kind: kind Pool is not supported yet; leave it out; this release has Check, Instance, SyncGroup
    error: fleet.yaml:3:8 document 2 kind: unknown kind "instance"; did you mean `Instance`?
    error: fleet.yaml:5:8 document 3 kind: unknown kind "Banana"; kinds are Check, Instance, SyncGroup
    error: fleet.yaml:7:1 document 4: "just text" is not a mapping; write fields as `name: value`
    "#);
}

#[test]
fn a_definition_written_twice_is_found_in_one_file_and_over_two() {
    let twice = "kind: Check\nname: c\nspec: {file: {path: /a}}\n";
    let in_one = parse(&format!("{twice}---\n{twice}"), Some("a.yaml"));
    let over_two = Parsed::merge([parse(twice, Some("a.yaml")), parse(twice, Some("b.yaml"))]);
    for (parsed, second) in [(in_one, "a.yaml:5:1"), (over_two, "b.yaml:1:1")] {
        assert_eq!(parsed.definitions.len(), 1);
        let [finding] = parsed.findings.0.as_slice() else { panic!("one: {:?}", parsed.findings) };
        assert_eq!(finding.rule, "duplicate-definition");
        assert_eq!(finding.place.to_string(), format!("{second} Check c"));
        assert_eq!(finding.related[0].to_string(), "a.yaml:1:1 Check c");
    }
}

#[test]
fn a_later_finding_is_located_at_its_line_and_column() {
    let parsed = parse(SAMPLE, Some("fleet.yaml"));
    let place = |path: &str| Place {
        document: Some("Instance VI_1".into()),
        path: Some(path.into()),
        ..Place::default()
    };
    let paths = ["spec.members[1].priority", "spec.members[0].track[0].check", "spec.garp.repeat"];
    let finding = |path: &&str| Finding::error("some-rule", place(path), "m", "r");
    let mut findings = paths.iter().map(finding).collect::<Findings>();
    locate(&mut findings, &parsed.definitions);
    let places = findings.iter().map(|it| it.place.to_string()).collect::<Vec<_>>();
    // The last is not written: its nearest part above is.
    assert_eq!(
        places,
        [
            "fleet.yaml:11:47 Instance VI_1 spec.members[1].priority",
            "fleet.yaml:10:68 Instance VI_1 spec.members[0].track[0].check",
            "fleet.yaml:4:3 Instance VI_1 spec.garp.repeat",
        ]
    );
}

#[test]
fn json_is_read_as_one_object_a_list_or_items() {
    let one = r#"{"kind": "Check", "name": "c", "spec": {"file": {"path": "/a"}}}"#;
    let two = one.replace("\"c\"", "\"d\"");
    assert_eq!(read(one).len(), 1);
    assert_eq!(read(&format!("[{one},\n\t{two}]")).len(), 2);
    assert_eq!(read(&format!("{{\"items\": [{one}, {two}]}}")).len(), 2);
}

#[test]
fn a_list_of_ten_thousand_definitions_on_one_line_is_read() {
    let one = read(SAMPLE).remove(0);
    let Definition::Instance { spec, .. } = one else { panic!("an instance") };
    let many = (0..10_000).map(|number| Definition::Instance {
        name: format!("VI_{number}").parse().unwrap(),
        spec: spec.clone(),
    });
    let many = many.collect::<Vec<_>>();
    assert!(read(&serde_json::to_string(&many).unwrap()) == many);
    let few = &many[..100];
    assert!(read(&document::to_json(few)) == few);
    assert!(read(&document::to_yaml(few)) == few);
}

#[test]
fn objects_that_follow_each_other_without_a_separator_are_a_finding() {
    let one = r#"{"kind": "Check", "name": "c", "spec": {"file": {"path": "/a"}}}"#;
    insta::assert_snapshot!(findings(&format!("{one}\n{one}\n")), @"error: fleet.yaml:2:1 document 2: this is no YAML: did not find expected <document start>; put a line with --- between documents, or commas and [ ] around");
}

#[test]
fn comments_directives_and_empty_documents_are_no_findings() {
    assert_eq!(read("").len(), 0);
    assert_eq!(read("\u{feff}# only words\n---\n---\n# more\n...\n").len(), 0);
    assert_eq!(read(&format!("%YAML 1.2\n---\n{SAMPLE}")).len(), 2);
    assert_eq!(read(&SAMPLE.replace('\n', "\r\n")).len(), 2);
}

#[test]
fn aliases_are_expanded_and_an_alias_bomb_is_refused() {
    let aliased = SAMPLE.replace("priority: 100", "priority: &p 100").replace(": 80", ": *p");
    let Definition::Instance { spec, .. } = &read(&aliased)[0] else { panic!("an instance") };
    assert_eq!(spec.members[1].priority, 100);

    let mut bomb = String::from("a0: &a0 [x, x]\n");
    for level in 1..64 {
        let below = level - 1;
        bomb += &format!("a{level}: &a{level} [*a{below}, *a{below}]\n");
    }
    let parsed = parse(&bomb, None);
    assert_eq!(parsed.findings.0[0].rule, "document-too-large");
}

#[test]
fn deep_nesting_and_huge_inputs_are_findings() {
    for deep in ["[".repeat(100_000), "{a: ".repeat(100_000), "- ".repeat(100_000)] {
        let parsed = parse(&deep, None);
        assert_eq!(parsed.findings.0[0].rule, "syntax", "{}", &deep[..8]);
    }
    let parsed = parse(&" ".repeat(MAX_BYTES + 1), Some("big.yaml"));
    assert_eq!(parsed.findings.0[0].rule, "input-too-large");
}

#[test]
fn findings_stop_at_a_bound() {
    let parsed = parse(&"nonsense\n---\n".repeat(5_000), None);
    assert_eq!(parsed.findings.0.len(), document::MAX_FINDINGS + 1);
    assert_eq!(parsed.findings.0.last().unwrap().rule, "too-many-findings");
}

#[test]
fn yaml_is_written_the_way_a_person_would() {
    insta::assert_snapshot!(document::to_yaml(&read(SAMPLE)));
}

#[test]
fn json_is_written_as_a_list() {
    insta::assert_snapshot!(document::to_json(&read(SAMPLE)));
}

#[test]
fn a_value_out_of_range_hides_no_other_finding_of_its_document() {
    let text = "kind: Instance\nname: VI_1\nspec:\n  virtualRouterId: 300\n  version: 2\n  \
                virtualAddresses: [192.0.2.10]\n  advertInterval: 100ms\n  members:\n    \
                - {node: lb1, interface: ens33, priority: 100}\n    \
                - {node: lb2, interface: ens33, priority: high}\n";
    let parsed = parse(text, Some("fleet.yaml"));
    assert!(parsed.definitions.is_empty());
    let findings = parsed.judge().iter().map(|it| format!("{it}\n")).collect::<String>();
    insta::assert_snapshot!(findings, @r#"
    error: fleet.yaml:4:20 Instance VI_1 spec.virtualRouterId: "300" is not a number from 1 to 255; write a whole number, no quotes
    error: fleet.yaml:10:47 Instance VI_1 spec.members[1].priority: "high" is not a number from 1 to 255; write a whole number, no quotes
    error: fleet.yaml:7:19 Instance VI_1 spec.advertInterval: an interval of 100ms does not fit an advert of version 2; version 2 takes whole seconds from 1s to 255s; version 3 takes less
    "#);
}
