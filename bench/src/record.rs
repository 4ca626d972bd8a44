//! What was measured, as it is kept: a file for each line in `target/bench`, so that tables and
//! charts can be rendered again without measuring again.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::line::{Effort, Readings, Subject};
use crate::machine::Machine;

/// One run of one subject.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Who did the work.
    pub subject: Subject,
    /// What was found, or what went wrong.
    pub outcome: Result<Readings, String>,
}

/// One line as measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The id of its first row.
    pub id: String,
    /// RFC 3339, when it began.
    pub date: String,
    /// How long runs took.
    pub effort: Effort,
    /// The machine's load average when it began: what others did on it.
    pub load_average: f64,
    /// Where it was measured.
    pub machine: Machine,
    /// In the order in which they were made.
    pub runs: Vec<Run>,
}

impl Record {
    /// The readings of one row by one subject.
    pub fn readings(&self, row: &str, subject: Subject) -> Vec<f64> {
        self.outcomes(subject).filter_map(|readings| readings.values.get(row).copied()).collect()
    }

    /// The gaps that clients of one subject saw.
    pub fn gaps(&self, subject: Subject) -> Vec<f64> {
        self.outcomes(subject).flat_map(|readings| readings.gaps.iter().copied()).collect()
    }

    /// Runs that went wrong, each with what it said.
    pub fn failures(&self) -> impl Iterator<Item = (Subject, &str)> {
        let failure = |run: &'_ Run| run.outcome.is_err();
        let failed = self.runs.iter().filter(move |run| failure(run));
        failed.filter_map(|run| Some((run.subject, run.outcome.as_ref().err()?.as_str())))
    }

    fn outcomes(&self, subject: Subject) -> impl Iterator<Item = &Readings> {
        let of_subject = self.runs.iter().filter(move |run| run.subject == subject);
        of_subject.filter_map(|run| run.outcome.as_ref().ok())
    }

    /// Writes `ID.json` into `directory`, in place of an earlier one.
    ///
    /// # Errors
    /// When that does not work.
    pub fn write(&self, directory: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
        let path = place(directory, &self.id);
        let text = serde_json::to_string_pretty(self)?;
        fs::write(&path, text + "\n").with_context(|| path.display().to_string())
    }

    /// Reads `ID.json` from `directory`; None when there is none.
    ///
    /// # Errors
    /// When it cannot be read or is of another shape.
    pub fn read(directory: &Path, id: &str) -> anyhow::Result<Option<Self>> {
        let path = place(directory, id);
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let record = serde_json::from_str(&text).with_context(|| {
            format!("{} is no record of this version: measure {id} again", path.display())
        })?;
        Ok(Some(record))
    }
}

fn place(directory: &Path, id: &str) -> PathBuf {
    directory.join(format!("{}.json", id.replace(' ', "-")))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Readings of `F1` in milliseconds.
    pub(crate) fn record(theirs: &[f64], ours: &[f64]) -> Record {
        let run = |subject: Subject, value: f64| {
            let readings = Readings { gaps: vec![value], ..Readings::one("F1", value) };
            Run { subject, outcome: Ok(readings) }
        };
        let mut runs: Vec<Run> = theirs.iter().map(|it| run(Subject::Keepalived, *it)).collect();
        runs.extend(ours.iter().map(|it| run(Subject::Ours, *it)));
        Record {
            id: "F1".into(),
            date: "2026-01-02T03:04:05Z".into(),
            effort: Effort::Full,
            load_average: 0.1,
            machine: Machine::default(),
            runs,
        }
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let directory = tempfile::tempdir().unwrap();
        let mut written = record(&[3.5, 4.0], &[1.0]);
        written.runs.push(Run { subject: Subject::Ours, outcome: Err("no VIP".into()) });
        assert_eq!(Record::read(directory.path(), "F1").unwrap(), None);
        written.write(directory.path()).unwrap();
        let read = Record::read(directory.path(), "F1").unwrap().unwrap();
        assert_eq!(read, written);
        assert_eq!(read.readings("F1", Subject::Keepalived), [3.5, 4.0]);
        assert_eq!(read.gaps(Subject::Ours), [1.0]);
        assert_eq!(read.failures().collect::<Vec<_>>(), [(Subject::Ours, "no VIP")]);
    }

    #[test]
    fn a_file_of_another_shape_is_refused_with_what_to_do() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("F1.json"), "{}").unwrap();
        let error = format!("{:#}", Record::read(directory.path(), "F1").unwrap_err());
        assert!(error.contains("F1.json") && error.contains("measure F1 again"), "{error}");
    }
}
