//! The corpus: every file's findings and what it amounts to, as snapshots; and no input, however
//! broken, makes the reader panic or run on.

use proptest::prelude::*;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use vipfleet_model::Findings;
use vipfleet_model::keepalived::{
    self, IncludeRequest, Included, Lvs, NamedText, NoSources, Options, Sources,
};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keepalived")
}

/// Files below the corpus; a pattern may have one `*` in its last part.
struct Corpus;

impl Sources for Corpus {
    fn include(&self, request: &IncludeRequest<'_>) -> Included {
        let base = Path::new(request.from).parent().unwrap_or(Path::new(""));
        let wanted = base.join(request.pattern);
        let Some((folder, last)) = wanted.parent().zip(wanted.file_name()) else {
            return Included::default();
        };
        if wanted.is_absolute() {
            return Included::default();
        }
        let last = last.to_str().expect("UTF-8");
        let (head, tail) = last.split_once('*').unwrap_or((last, ""));
        let matches = |name: &str| match last.contains('*') {
            true => name.starts_with(head) && name.ends_with(tail),
            false => name == last,
        };
        let names = sorted(&directory().join("corpus").join(folder));
        let texts = names
            .into_iter()
            .filter(|path| {
                path.is_file()
                    && matches(path.file_name().expect("a file").to_str().expect("UTF-8"))
            })
            .map(|path| NamedText {
                name: folder
                    .join(path.file_name().expect("a file"))
                    .to_str()
                    .expect("UTF-8")
                    .to_owned(),
                text: fs::read(path).expect("readable"),
            })
            .collect();
        Included { texts, unreadable: Vec::new() }
    }
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).map(|all| all.map(|entry| entry.expect("readable").path()));
    let mut paths: Vec<PathBuf> = entries.map(Iterator::collect).unwrap_or_default();
    paths.sort();
    paths
}

fn configurations(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let is_conf = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "conf");
    let read = |path: PathBuf| {
        let name = path.file_name().expect("a file").to_str().expect("UTF-8").to_owned();
        (name, fs::read(path).expect("readable"))
    };
    sorted(folder).into_iter().filter(is_conf).map(read).collect()
}

fn options(name: &str) -> Options {
    let lvs = if name.contains("lvs-ignored") { Lvs::Ignore } else { Lvs::Refuse };
    Options { config_id: Some("lb1".to_owned()), lvs, ..Options::default() }
}

fn list(text: &mut String, title: &str, findings: &Findings) {
    writeln!(text, "{title}:").expect("a String takes everything");
    for finding in findings.iter() {
        writeln!(text, "  {finding}").expect("a String takes everything");
        for place in &finding.related {
            writeln!(text, "    see {place}").expect("a String takes everything");
        }
    }
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("keepalived/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn every_file_of_the_corpus_means_what_its_snapshot_says() {
    let files = configurations(&directory().join("corpus"));
    assert!(files.len() >= 24, "{}", files.len());
    for (name, text) in files {
        let (host, findings) = keepalived::parse(&name, &text, &Corpus, &options(&name));
        let mut said = String::new();
        list(&mut said, "findings", &findings);
        let (assignment, findings) = keepalived::assignment(&host);
        list(&mut said, "stand-alone", &findings);
        said.push_str(&serde_json::to_string_pretty(&assignment).unwrap());
        snapshot(name.trim_end_matches(".conf"), &said);
    }
}

#[test]
fn hosts_merge_as_their_snapshots_say() {
    for folder in sorted(&directory().join("pairs")) {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let mut said = String::new();
        let mut hosts = Vec::new();
        for (file, text) in configurations(&folder) {
            let (host, findings) = keepalived::parse(&file, &text, &NoSources, &options(&file));
            list(&mut said, &file, &findings);
            hosts.push((file.trim_end_matches(".conf").parse().unwrap(), host));
        }
        let (definitions, findings) = keepalived::import(&hosts);
        list(&mut said, "import", &findings);
        said.push_str(&serde_json::to_string_pretty(&definitions).unwrap());
        snapshot(&format!("pair-{name}"), &said);
    }
}

#[test]
fn a_rendered_finding_shows_the_lines_and_no_password() {
    let read = |host: &str| {
        let path = directory().join("pairs/hosts-disagree").join(host).with_extension("conf");
        let text = fs::read(path).unwrap();
        keepalived::parse(&format!("{host}.conf"), text, &NoSources, &options(host)).0
    };
    let (one, two) = (read("lb1"), read("lb2"));
    let texts: Vec<NamedText> = one.texts.iter().chain(&two.texts).cloned().collect();
    let hosts = [("lb1".parse().unwrap(), one), ("lb2".parse().unwrap(), two)];
    let (_, findings) = keepalived::import(&hosts);
    let rendered: Vec<String> =
        findings.iter().map(|finding| keepalived::render(finding, &texts)).collect();
    let said = rendered.join("\n\n");
    assert!(!said.contains("secret1") && !said.contains("secret2"), "{said}");
    snapshot("rendered", &said);
}

/// Reads, merges and renders; hands back how long that took.
fn exercise(text: &[u8]) -> Duration {
    let begin = Instant::now();
    let (host, findings) = keepalived::parse("lb1.conf", text, &Corpus, &options(""));
    for finding in findings.iter().take(20) {
        assert!(!keepalived::render(finding, &host.texts).is_empty());
    }
    let _ = keepalived::assignment(&host);
    let _ = keepalived::import(&[("lb1".parse().expect("a name"), host)]);
    begin.elapsed()
}

/// Far above what any input of this size takes, far below what a runaway would.
const LIMIT: Duration = Duration::from_secs(20);

/// A corpus file with parts cut, doubled and overwritten.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let files: Vec<Vec<u8>> =
        configurations(&directory().join("corpus")).into_iter().map(|(_, text)| text).collect();
    let pieces =
        ["{", "}", "\"", "'", "\\", "\n", "$A=", "${A}", "~SEQ(A,1,9) ", "@lb1 ", "#", "\0"];
    let edit = (any::<prop::sample::Index>(), prop::sample::select(pieces.to_vec()), 0..3usize);
    let edits = prop::collection::vec(edit, 1..8);
    (prop::sample::select(files), edits).prop_map(|(mut text, edits)| {
        for (index, piece, kind) in edits {
            let at = index.index(text.len() + 1);
            match kind {
                0 => drop(text.splice(at..at, piece.bytes())),
                1 => drop(text.splice(at..(at + 7).min(text.len()), piece.bytes())),
                _ => text.extend_from_within(at..),
            }
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 192,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_bytes_make_the_reader_panic_or_run_on(
        text in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        prop_assert!(exercise(&text) < LIMIT);
    }

    #[test]
    fn no_characters_of_the_grammar_make_the_reader_panic_or_run_on(
        text in "([{}\"'#!@$~=(),. \n\\\\a-c0-2]|~SEQ\\(a,|vrrp_instance |\\$a=|\\$\\{a\\}){0,200}",
    ) {
        prop_assert!(exercise(text.as_bytes()) < LIMIT);
    }

    #[test]
    fn no_mutation_of_the_corpus_makes_the_reader_panic_or_run_on(text in mutated()) {
        prop_assert!(exercise(&text) < LIMIT);
    }
}

#[test]
fn a_file_of_many_instances_and_checks_is_read_in_reasonable_time() {
    let many = "~SEQ(I, 1, 40) ~SEQ(N, 1, 250) $BOTH\n";
    let both = "$BOTH= \\\nvrrp_script s_${I}_${N} { \\\nscript /bin/true \\\n} \\\n\
        vrrp_instance V_${I}_${N} { \\\ninterface eth${I} \\\nvirtual_router_id ${N} \\\n\
        virtual_ipaddress { \\\n10.${I}.0.${N} \\\n} \\\n\
        track_script { \\\ns_${I}_${N} \\\n} \\\n}\n\n";
    let begin = Instant::now();
    let text = format!("{both}{many}");
    let (host, findings) = keepalived::parse("many.conf", &text, &NoSources, &options(""));
    assert!(!findings.has_errors(), "{findings:?}");
    assert_eq!((host.instances.len(), host.checks.len()), (10_000, 10_000));
    let (assignment, _) = keepalived::assignment(&host);
    assert_eq!(assignment.checks.len(), 10_000);
    let (definitions, _) = keepalived::import(&[("lb1".parse().unwrap(), host)]);
    assert_eq!(definitions.len(), 20_000);
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
}

#[test]
fn a_group_of_very_many_does_not_multiply_what_they_track() {
    let both = "$BOTH= \\\nvrrp_script s_${N} { \\\nscript /bin/true \\\n} \\\n\
        vrrp_instance V_${N} { \\\ninterface eth0 \\\nvirtual_router_id ${N} \\\n\
        virtual_ipaddress { \\\n10.0.0.${N} \\\n} \\\n\
        track_script { \\\ns_${N} \\\n} \\\n}\n\n";
    let names: String = (1..=250).map(|n| format!("V_{n}\n")).collect();
    let group = format!("vrrp_sync_group all {{\ngroup {{\n{names}}}\n}}\n");
    let text = format!("{both}~SEQ(N, 1, 250) $BOTH\n{group}");
    let (host, findings) = keepalived::parse("many.conf", &text, &NoSources, &options(""));
    assert!(findings.iter().any(|finding| finding.rule == "too-many"), "{findings:?}");
    assert_eq!((host.instances.len(), host.sync_groups.len()), (250, 1));
    let (assignment, _) = keepalived::assignment(&host);
    assert!(assignment.instances.iter().all(|it| it.track.len() == 100));
}

#[test]
fn nested_sequences_are_bounded() {
    let bomb = "~SEQ(A,1,9999) ~SEQ(B,1,9999) ~SEQ(C,1,9999) x $A $B $C\n";
    let (_, findings) = keepalived::parse("bomb.conf", bomb, &NoSources, &Options::default());
    assert!(findings.iter().any(|finding| finding.rule == "too-much-text"), "{findings:?}");
}

#[test]
fn a_caller_may_bound_what_a_file_becomes_more_tightly() {
    let limits = keepalived::Limits { lines: 9, ..keepalived::Limits::default() };
    let too_much = |text: &str| {
        let options = Options { limits, ..Options::default() };
        let (_, findings) = keepalived::parse("k.conf", text, &NoSources, &options);
        findings.iter().any(|finding| finding.rule == "too-much-text")
    };
    assert!(!too_much("~SEQ(A,1,8) $B=1\n"));
    assert!(too_much("~SEQ(A,1,9) $B=1\n"));
}
