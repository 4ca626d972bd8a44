//! What becomes of every keyword of keepalived 2.2.7: read, in force anyway, without effect here,
//! or refused. The tables are the documentation of the reader's coverage.

mod global;
mod instance;
mod small;

pub(super) use global::{GLOBAL_DEFS, ROOT};
pub(super) use instance::INSTANCE;
pub(super) use small::{AUTHENTICATION, PROCESS, SCRIPT, SYNC_GROUP};

use super::Lvs;
use super::cell::Pos;
use super::report::Report;
use super::tree::Statement;

/// A keyword and its fate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keyword {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) fate: Fate,
}

/// What follows the keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// So many words; further ones are complained about.
    Words { least: usize, most: usize },
    /// A block, after so many words.
    Block { words: usize },
}

/// Of what a master does on hearing a lower one.
const AGAIN: Fate = Fate::NoEffect(
    "a master that hears a lower one announces its addresses twice: soon, and when that one has \
     gone",
);
const ANSWER: Fate = Fate::NoEffect(
    "a lower advert is answered at once (RFC 9568 §6.4.3), so that the lower router gives way",
);

/// A number in a file, multiplied by a weight. A `file` check knows only whether the file is there,
/// and keepalived takes one that is not for 0, which is well.
const TRACK_FILE: Fate = Fate::Refused(
    "the number in a file is not read",
    "turn the priority by `vipctl set instance NAME --priority-offset NODE=N`; stand-alone write a \
     vrrp_script that tests the file",
);

/// For keywords whose words are counted elsewhere, or not at all.
const MANY: usize = usize::MAX;

/// What vipfleet does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The reader takes it.
    Read,
    /// vipfleet behaves like that in any case.
    InForce,
    /// A warning: accepted, but it changes nothing here.
    NoEffect(&'static str),
    /// A warning: the agent has it as an option of its command line, which the remedy names.
    CommandLine(&'static str),
    /// An error: leaving it out would change what the host does.
    Refused(&'static str, &'static str),
    /// An error unless LVS is ignored.
    Lvs,
}

pub(super) const fn words(name: &'static str, least: usize, most: usize, fate: Fate) -> Keyword {
    Keyword { name, shape: Shape::Words { least, most }, fate }
}

pub(super) const fn block(name: &'static str, words: usize, fate: Fate) -> Keyword {
    Keyword { name, shape: Shape::Block { words }, fate }
}

/// Looks `statement` up in `table` and complains as its fate demands. `Some` when the reader
/// should take it; `context` is what findings call the block.
pub(super) fn admit(
    statement: &Statement,
    table: &'static [Keyword],
    context: &str,
    lvs: Lvs,
    report: &mut Report,
) -> bool {
    let pos = statement.pos();
    let name = statement.keyword();
    let Some(keyword) = table.iter().find(|keyword| keyword.name == name) else {
        unknown(statement, table, context, report);
        return false;
    };
    match keyword.fate {
        Fate::Read => return fits(statement, keyword, report),
        Fate::InForce => {
            fits(statement, keyword, report);
        }
        Fate::NoEffect(why) => {
            report.warning(
                pos,
                "no-effect",
                format!("{name} has no effect here: {why}"),
                "nothing to do; remove it to silence this",
            );
        }
        Fate::CommandLine(remedy) => {
            let message =
                format!("{name} has no effect here: it is an option of the agent's command line");
            report.warning(pos, "no-effect", message, remedy);
        }
        Fate::Refused(why, remedy) => {
            report.error(pos, "not-supported", format!("{name} is not supported: {why}"), remedy);
        }
        Fate::Lvs => refuse_lvs(pos, name, lvs, report),
    }
    false
}

fn refuse_lvs(pos: Pos, name: &str, lvs: Lvs, report: &mut Report) {
    let message = format!("{name} is not reproduced: vipfleet has no LVS part");
    match lvs {
        Lvs::Refuse => report.error(
            pos,
            "lvs",
            message,
            "keep keepalived for LVS, or leave that part out with --ignore-lvs",
        ),
        Lvs::Ignore => report.warning(pos, "lvs", message, "ignored as asked"),
    }
}

/// Whether the words and the block of `statement` are what the keyword takes.
fn fits(statement: &Statement, keyword: &Keyword, report: &mut Report) -> bool {
    let name = keyword.name;
    let pos = statement.pos();
    let given = statement.parameters().len();
    let (least, most, wants_block) = match keyword.shape {
        Shape::Words { least, most } => (least, most, false),
        Shape::Block { words } => (words, words, true),
    };
    if wants_block && statement.block.is_none() {
        report.error(pos, "missing-block", format!("{name} needs a block"), "write { … } after it");
        return false;
    }
    if !wants_block && statement.block.is_some() {
        let message = format!("{name} takes no block");
        report.error(pos, "stray-block", message, "remove the braces, or correct the keyword");
        return false;
    }
    if given < least {
        let message = format!("{name} lacks a value");
        report.error(pos, "missing-value", message, "write the value after it on the same line");
        return false;
    }
    if let Some(extra) = statement.parameters().get(most) {
        if matches!(name, "vrrp_instance" | "vrrp_sync_group") {
            let message = format!("the name of a {name} is one word; keepalived skips the block");
            report.error(extra.pos, "bad-value", message, "make it one word, or remove the second");
            return false;
        }
        // The rest of a password with a blank in it is still a secret.
        let word = match name {
            "auth_pass" => "the second word".to_owned(),
            _ => format!("{:?}", extra.text),
        };
        report.warning(
            extra.pos,
            "extra-word",
            format!("{word} after {name} is ignored, as keepalived ignores it"),
            "put it on a line of its own if it is a keyword, or in double quotes, or remove it",
        );
    }
    true
}

fn unknown(statement: &Statement, table: &[Keyword], context: &str, report: &mut Report) {
    let name = statement.keyword();
    let names = || table.iter().map(|keyword| keyword.name);
    let place = if context.is_empty() { String::new() } else { format!(" in {context}") };
    let message = format!("unknown keyword {name:?}{place}");
    if !context.is_empty() && ROOT.iter().any(|root| root.name == name) && statement.block.is_some()
    {
        let remedy = "a '}' is missing before this line";
        return report.error(statement.pos(), "unknown-keyword", message, remedy);
    }
    let remedy = match closest(name, names()) {
        Some(near) => format!("did you mean {near}?"),
        None => "correct or remove it; see keepalived.conf(5)".to_owned(),
    };
    report.error(statement.pos(), "unknown-keyword", message, remedy);
}

/// The name nearest to `written`, if any is near.
pub(super) fn closest<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let length = written.chars().count();
    let allowed = match length {
        0..=2 => return None,
        3..=5 => 1,
        6..=10 => 2,
        11..=64 => 3,
        _ => return None,
    };
    let lower = written.to_ascii_lowercase();
    names
        .filter(|name| name.chars().count().abs_diff(length) <= allowed)
        .filter(|name| distance_at_least(&lower, name) <= allowed)
        .map(|name| (distance(&lower, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// A bound that costs little, so that a long file of unknown words takes no long time: characters
/// that only one of the two has, by the last five bits of each.
fn distance_at_least(left: &str, right: &str) -> usize {
    let mut surplus = [0_isize; 32];
    left.chars().for_each(|it| surplus[it as usize % 32] += 1);
    right.chars().for_each(|it| surplus[it as usize % 32] -= 1);
    let more: isize = surplus.iter().filter(|it| **it > 0).sum();
    let less: isize = surplus.iter().filter(|it| **it < 0).sum();
    more.max(-less).unsigned_abs()
}

/// Edit distance in which a swap of neighbours counts once.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().collect();
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, from) in left.iter().enumerate() {
        let mut current = Vec::with_capacity(right.len() + 1);
        current.push(row + 1);
        for (column, to) in right.iter().enumerate() {
            let substituted = above[column] + usize::from(from != to);
            let mut least = substituted.min(above[column + 1] + 1).min(current[column] + 1);
            let swapped =
                row > 0 && column > 0 && *from == right[column - 1] && left[row - 1] == *to;
            if swapped {
                least = least.min(before[column - 1] + 1);
            }
            current.push(least);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_recognised_and_far_ones_are_not() {
        let names = || INSTANCE.iter().map(|keyword| keyword.name);
        let table = [
            ("virtual_routr_id", Some("virtual_router_id")),
            ("prioirty", Some("priority")),
            ("Interface", Some("interface")),
            ("advert_interval", None),
            ("x", None),
            ("colour", None),
        ];
        for (written, expected) in table {
            assert_eq!(closest(written, names()), expected, "{written}");
        }
    }

    #[test]
    fn the_cheap_bound_is_never_above_the_distance() {
        let written = ["prioirty", "Ünterface", "interfäce", "aaaa", "", "vrrp__instance", "🦀"];
        for left in INSTANCE.iter().map(|keyword| keyword.name).chain(written) {
            for right in SCRIPT.iter().map(|keyword| keyword.name).chain(written) {
                let (bound, distance) = (distance_at_least(left, right), distance(left, right));
                assert!(bound <= distance, "{left} {right}: {bound} > {distance}");
            }
        }
    }

    #[test]
    fn no_table_names_a_keyword_twice() {
        for table in [ROOT, GLOBAL_DEFS, INSTANCE, SCRIPT, PROCESS, SYNC_GROUP, AUTHENTICATION] {
            let mut names: Vec<&str> = table.iter().map(|keyword| keyword.name).collect();
            names.sort_unstable();
            let count = names.len();
            names.dedup();
            assert_eq!(names.len(), count);
        }
    }
}
