//! The scenarios of `tests/scenarios/*.txt`: each file is named after the sentence it shows and
//! reads as a protocol trace. `VIPFLEET_BLESS=1 cargo test -p vipfleet-vrrp --test engine`
//! rewrites the traces; review the difference.

use crate::script;
use std::fs;
use std::path::{Path, PathBuf};

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the scenarios' folder")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_scenario_leaves_the_trace_that_it_shows() {
    let files = files();
    assert!(files.len() >= 25, "only {} scenarios found", files.len());
    let bless = std::env::var_os("VIPFLEET_BLESS").is_some();
    let mut differing = Vec::new();
    for path in files {
        let expected = fs::read_to_string(&path).expect("a readable scenario");
        let actual = script::run(&expected);
        if actual == expected {
            continue;
        }
        if bless {
            fs::write(&path, &actual).expect("a writable scenario");
        } else {
            differing.push(difference(&path, &expected, &actual));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

/// The first line that differs, with its number.
fn difference(path: &Path, expected: &str, actual: &str) -> String {
    let (mut expected, mut actual) = (expected.lines(), actual.lines());
    let mut number = 0;
    loop {
        number += 1;
        let (was, is) = (expected.next(), actual.next());
        if was != is || was.is_none() {
            let (was, is) = (was.unwrap_or("(the end)"), is.unwrap_or("(the end)"));
            return format!("{}:{number}\n  shown {was}\n  is    {is}", path.display());
        }
    }
}
