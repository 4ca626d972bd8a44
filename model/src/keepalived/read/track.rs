//! `track_script`, `track_process` and `track_interface`, and weights.

use super::super::cell::Pos;
use super::super::host::Located;
use super::super::lexeme::Word;
use super::super::report::Report;
use super::super::tree::Statement;
use super::super::value::{integer, interface};
use super::check::{Declared, Kind, Known};
use crate::instance::Track;

/// More than any host can run.
const MAX_TRACKS: usize = 1_000;

/// What a check does to the priority, as keepalived has it: `reverse` turns the sign of the
/// adjustment around, not the result of the check.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    value: i16,
    reverse: bool,
}

impl Weight {
    /// Reads `VALUE [reverse|noreverse]`.
    pub(super) fn read(words: &[Word], most: i64, report: &mut Report) -> Self {
        let mut weight = Self::default();
        weight.update(words, most, report);
        weight
    }

    fn update(&mut self, words: &[Word], most: i64, report: &mut Report) {
        let Some(value) = words.first() else { return };
        let read = integer(value, "weight", -most..=most, report);
        if let Some(value) = read.and_then(|value| i16::try_from(value).ok()) {
            // 254 is an old way to write 253, and keepalived reads it so.
            self.value = value.clamp(-253, 253);
        }
        match words.get(1).map(|word| (word.text.as_str(), word.pos)) {
            None => {}
            Some(("reverse", _)) => self.reverse = true,
            Some(("noreverse", _)) => self.reverse = false,
            Some((other, pos)) => {
                let message =
                    format!("{other:?} after the weight is neither reverse nor noreverse");
                report.error(pos, "bad-value", message, "write reverse, noreverse or nothing");
            }
        }
    }

    /// keepalived's `10 reverse` takes 10 away while up: ours is `-10` with up counting as down.
    fn track(self, known: Known) -> Track {
        let weight = if self.reverse { -self.value } else { self.value };
        Track { check: known.name, weight, reverse: self.reverse }
    }
}

/// One instance's tracks.
#[derive(Debug, Default)]
pub(super) struct Tracks(pub(super) Vec<Located<Track>>);

impl Tracks {
    /// Reads a track block. `own` is the instance's interface, which is tracked in any case.
    pub(super) fn read(
        &mut self,
        block: &Statement,
        checks: &mut Declared,
        own: Option<&str>,
        report: &mut Report,
    ) {
        for line in block.statements() {
            if line.block.is_some() {
                let message = format!("no block belongs into {}", block.keyword());
                report.error(line.pos(), "stray-block", message, "remove the braces");
                continue;
            }
            let known = match block.keyword() {
                "track_script" => declared(line, Kind::Script, "vrrp_script", checks, report),
                "track_process" => {
                    declared(line, Kind::Process, "vrrp_track_process", checks, report)
                }
                _ if own == Some(line.keyword()) => None,
                _ => interface(&line.words[0], report)
                    .map(|name| checks.interface(&name, line.pos(), report)),
            };
            if let Some(known) = known {
                self.line(block.keyword(), line, known, report);
            }
        }
    }

    fn line(&mut self, keyword: &str, line: &Statement, known: Known, report: &mut Report) {
        let mut weight = known.weight;
        let words = line.parameters();
        match words.first().map(|word| (word.text.as_str(), word.pos)) {
            None => {}
            Some(("weight", pos)) if words.len() < 2 => {
                let message = "weight lacks its value; keepalived ignores the whole line";
                report.error(pos, "missing-value", message, "write: weight -20");
            }
            Some(("weight", _)) => weight.update(&words[1..], 254, report),
            Some((other, pos)) => {
                let message = format!("{other:?} is no option of {keyword}");
                let remedy = "write one name a line, followed by: weight NUMBER [reverse]";
                report.error(pos, "bad-value", message, remedy);
            }
        }
        if let Some(extra) = words.get(3) {
            extra_word(extra, report);
        }
        if self.0.len() >= MAX_TRACKS {
            let message = format!("an instance tracks at most {MAX_TRACKS} checks");
            return report.error(line.pos(), "too-many", message, "track fewer");
        }
        let track = weight.track(known.clone());
        if self.0.iter().any(|other| other.value.check == track.check) {
            let message =
                format!("{} is tracked already; keepalived ignores this line", line.keyword());
            report.warning(line.pos(), "duplicate-track", message, "remove one of the lines");
        } else if known.sound {
            self.0.push(report.located(track, line.pos()));
        }
    }
}

/// keepalived drops what it has not met by then: so do we, with a warning.
fn declared(
    line: &Statement,
    kind: Kind,
    block: &str,
    checks: &Declared,
    report: &mut Report,
) -> Option<Known> {
    let known = checks.find(kind, line.keyword());
    if known.is_none() {
        report.warning(
            line.pos(),
            "undeclared-check",
            format!(
                "no {block} {} is declared above; it is dropped, as keepalived does",
                line.keyword()
            ),
            format!("declare {block} {} above the instance, or remove the line", line.keyword()),
        );
    }
    known
}

fn extra_word(word: &Word, report: &mut Report) {
    let message = format!("{:?} is ignored, as keepalived ignores it", word.text);
    let pos: Pos = word.pos;
    report.warning(pos, "extra-word", message, "remove it");
}
