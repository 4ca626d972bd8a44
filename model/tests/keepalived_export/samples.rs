//! Files and definitions that lie in the tree: there and back again, and as a snapshot shows them.

use super::expressible::{Fleet, facts, name};
use super::laboratory::Laboratory;
use super::{files, options, read_back, rules};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use vipfleet_model::Definitions;
use vipfleet_model::keepalived::{self, ExportOptions, Inexpressible, NoSources, Options, Origin};

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.sort();
    paths
}

/// The definitions in the files of a folder, by node; `None` when an import refuses them.
fn imported(folder: &Path, suffix: &str) -> Option<Definitions> {
    let mut hosts = Vec::new();
    for path in sorted(folder) {
        let file = path.file_name().and_then(|it| it.to_str()).expect("UTF-8").to_owned();
        let Some(node) = file.strip_suffix(suffix) else { continue };
        let text = fs::read(&path).expect("readable");
        let (host, findings) = keepalived::parse(&file, text, &NoSources, &Options::default());
        if findings.has_errors() {
            return None;
        }
        hosts.push((name(node), host));
    }
    assert!(!hosts.is_empty(), "{}", folder.display());
    let (definitions, findings) = keepalived::import(&hosts);
    (!findings.has_errors()).then(|| definitions.into_iter().collect())
}

#[test]
fn pairs_of_files_survive_the_way_there_and_back() {
    let mut survived = Vec::new();
    for folder in sorted(&tests().join("keepalived/pairs")) {
        let Some(definitions) = imported(&folder, ".conf") else { continue };
        let fleet = Fleet { definitions, facts: facts() };
        let (files, said) = files(&fleet, &options(Inexpressible::Refuse)).expect("an export");
        assert!(rules(&said).is_subset(&BTreeSet::from(["script-user"])), "{said:?}");
        assert_eq!(read_back(&files).0, fleet.definitions, "{files:?}");
        survived.push(folder.file_name().unwrap().to_str().unwrap().to_owned());
    }
    // No import takes the others: their hosts disagree, or one is missing.
    assert_eq!(survived, ["checks", "per-host-settings", "same-vrid-apart", "seed", "sync-group"]);
}

#[test]
fn single_files_survive_the_way_there_and_back() {
    let mut survived = 0;
    for path in sorted(&tests().join("keepalived/corpus")) {
        if path.extension().is_none_or(|it| it != "conf") {
            continue;
        }
        let text = fs::read(&path).unwrap();
        let (host, found) = keepalived::parse("lb1.conf", text, &NoSources, &Options::default());
        let (definitions, refused) = keepalived::import(&[(name("lb1"), host)]);
        if found.has_errors() || refused.has_errors() || definitions.is_empty() {
            continue;
        }
        let fleet = Fleet { definitions: definitions.into_iter().collect(), facts: facts() };
        match files(&fleet, &options(Inexpressible::Refuse)) {
            Ok((files, said)) => {
                // preemptDelay beside nopreempt: keepalived drops it, and so does the file.
                if rules(&said).contains("no-effect") {
                    continue;
                }
                let harmless = BTreeSet::from(["script-user", "nopreempt-weights"]);
                assert!(rules(&said).is_subset(&harmless), "{said:?}");
                let back = read_back(&files).0;
                let placed = |of| vipfleet_model::placement::place(of, &fleet.facts);
                assert_eq!(placed(&back), placed(&fleet.definitions), "{}", path.display());
                // What one instance of a group tracks, all of them do when it comes back.
                let grouped = fleet.definitions.sync_groups().next().is_some();
                assert!(grouped || back == fleet.definitions, "{}: {files:?}", path.display());
                survived += 1;
            }
            // No store would take these either.
            Err(said) => assert!(!rules(&said).contains("not-in-keepalived"), "{said:?}"),
        }
    }
    assert!(survived >= 8, "{survived}");
}

/// Folders of samples.
fn samples() -> Vec<PathBuf> {
    let all = sorted(&tests().join("../../deploy/samples"));
    all.into_iter().filter(|path| path.is_dir()).collect()
}

fn sample(folder: &Path) -> Fleet {
    let text = fs::read_to_string(folder.join("definitions.yaml")).expect("the sample");
    let parsed = vipfleet_model::document::parse(&text, None);
    assert!(parsed.findings.is_empty(), "{:?}", parsed.findings);
    let definitions = parsed.definitions.into_iter().map(|placed| placed.value).collect();
    Fleet { definitions, facts: facts() }
}

#[test]
fn the_sample_pair_survives_the_way_there_and_back() {
    let folder = tests().join("../../deploy/samples/dual-master");
    let definitions = imported(&folder, ".keepalived.conf").expect("an import");
    let fleet = Fleet { definitions, facts: facts() };
    let (files, said) = files(&fleet, &options(Inexpressible::Refuse)).expect("an export");
    assert!(said.is_empty(), "{said:?}");
    assert_eq!(read_back(&files).0, fleet.definitions);
    let laboratory = Laboratory::new();
    files.values().for_each(|text| laboratory.test(text));
}

#[test]
fn every_sample_is_written_as_its_snapshot_says_and_keepalived_takes_it() {
    let origin = Some(Origin { fleet: "a fleet".to_owned(), revision: 7 });
    let known = ExportOptions { origin, ..options(Inexpressible::Refuse) };
    let laboratory = Laboratory::new();
    for folder in samples() {
        let called = folder.file_name().and_then(|it| it.to_str()).expect("UTF-8").to_owned();
        let fleet = sample(&folder);
        let (files, said) = files(&fleet, &known).unwrap_or_else(|it| panic!("{called}: {it:?}"));
        let mut all = String::new();
        for finding in &said {
            writeln!(all, "{finding}").unwrap();
        }
        for text in files.values() {
            laboratory.test(text);
            writeln!(all, "\n{text}").unwrap();
        }
        snapshot(&called, &all);
        let lost = said.iter().any(|finding| finding.rule != "script-user");
        assert!(lost || read_back(&files).0 == fleet.definitions, "{called}: {files:?}");
    }
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn every_setting_is_written_as_its_snapshot_says_and_keepalived_takes_it() {
    let text = include_str!("every-setting.yaml");
    let parsed = vipfleet_model::document::parse(text, None);
    assert!(parsed.findings.is_empty(), "{:?}", parsed.findings);
    let definitions = parsed.definitions.into_iter().map(|placed| placed.value).collect();
    let fleet = Fleet { definitions, facts: facts() };
    let (mut files, said) = files(&fleet, &options(Inexpressible::Refuse)).expect("an export");
    assert_eq!(read_back(&files).0, fleet.definitions);
    let text = files.remove(&name("lb1")).unwrap();
    let mut all = String::new();
    for finding in &said {
        writeln!(all, "{finding}").unwrap();
    }
    snapshot("every-setting", &format!("{all}\n{text}"));
    let laboratory = Laboratory::new();
    laboratory.test(&text.replace("/etc/vipfleet/exec", &laboratory.exec_dir()));
}
