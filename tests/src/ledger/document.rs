//! The ledger as it is written: tables of requirements, the counts it declares of itself, and the
//! list of departures. Every table has one of the two headers below; anything else is a mistake.

use std::collections::BTreeMap;

/// Header of a table of requirements.
pub const ROWS: &str = "| § | word | demand | where | shown by |";
/// Header of the table that says how many rows there are.
pub const COUNTS: &str = "| rows | MUST | SHOULD | MAY | plain |";
/// Heading of the list of departures.
pub const DEPARTURES: &str = "## Where we depart";
/// How a row names a departure, before its numbers.
const DEPARTS: &str = "departs";

/// How strongly the RFC says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strength {
    /// MUST, MUST NOT.
    Must,
    /// SHOULD, SHOULD NOT, RECOMMENDED, NOT RECOMMENDED.
    Should,
    /// MAY.
    May,
    /// A sentence without such a word: a step of the state machine, a field of the packet.
    Plain,
}

impl Strength {
    fn of(word: &str) -> Option<Self> {
        match word {
            "MUST" | "MUST NOT" => Some(Self::Must),
            "SHOULD" | "SHOULD NOT" | "RECOMMENDED" | "NOT RECOMMENDED" => Some(Self::Should),
            "MAY" => Some(Self::May),
            "plain" => Some(Self::Plain),
            _ => None,
        }
    }
}

/// One requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub line: usize,
    /// `6.4.2`, or `v2 7.1` of the RFCs of version 2.
    pub section: String,
    pub strength: Strength,
    /// What stands in backticks under `where`.
    pub places: Vec<String>,
    /// What stands in backticks under `shown by`, and the bold **T**.
    pub tests: Vec<String>,
    pub departures: Vec<usize>,
}

impl Row {
    /// What its count is declared under: `6`, or `v2`.
    pub fn group(&self) -> &str {
        self.section.split([' ', '.']).next().unwrap_or_default()
    }
}

/// One numbered departure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Departure {
    pub line: usize,
    pub number: usize,
    /// What stands in backticks, with the line it is on.
    pub spans: Vec<(usize, String)>,
}

/// The whole ledger.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Document {
    pub rows: Vec<Row>,
    pub departures: Vec<Departure>,
    /// Group and strength to the number of rows declared, with the line of the declaration.
    pub declared: BTreeMap<(String, Strength), (usize, usize)>,
    /// What could not be read, by line.
    pub mistakes: Vec<(usize, String)>,
}

#[derive(Clone, Copy, PartialEq)]
enum Table {
    None,
    Rows,
    Counts,
    Unknown,
}

/// Reads a ledger.
pub fn parse(text: &str) -> Document {
    let mut document = Document::default();
    let (mut table, mut in_departures) = (Table::None, false);
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if line.starts_with('#') {
            in_departures = line.starts_with(DEPARTURES);
        }
        if !line.starts_with('|') {
            table = Table::None;
            if in_departures {
                document.departure(number, line);
            }
        } else if table == Table::None {
            table = document.header(number, line);
        } else if !line.starts_with("|---") {
            match table {
                Table::Rows => document.row(number, line),
                Table::Counts => document.count(number, line),
                Table::None | Table::Unknown => {}
            }
        }
    }
    document
}

impl Document {
    fn mistake(&mut self, line: usize, what: impl Into<String>) {
        self.mistakes.push((line, what.into()));
    }

    fn header(&mut self, number: usize, line: &str) -> Table {
        match line.trim_end() {
            ROWS => Table::Rows,
            COUNTS => Table::Counts,
            _ => {
                self.mistake(number, format!("a table with another header than `{ROWS}`"));
                Table::Unknown
            }
        }
    }

    fn row(&mut self, number: usize, line: &str) {
        let Some([section, word, _, place, shown]) = cells(line) else {
            return self.mistake(number, "a row has five cells");
        };
        let Some(strength) = Strength::of(word) else {
            return self.mistake(number, format!("`{word}` is no word of RFC 2119, nor `plain`"));
        };
        let mut tests = spans(shown);
        if shown.contains("**T**") {
            tests.push("T".to_owned());
        }
        let departures = [place, shown].into_iter().flat_map(departures_of).collect();
        let (section, places) = (section.to_owned(), spans(place));
        self.rows.push(Row { line: number, section, strength, places, tests, departures });
    }

    fn count(&mut self, number: usize, line: &str) {
        let Some([group, counts @ ..]) = cells::<5>(line) else {
            return self.mistake(number, "a count has five cells");
        };
        let group = group.trim_start_matches('§');
        let kinds = [Strength::Must, Strength::Should, Strength::May, Strength::Plain];
        for (strength, count) in kinds.into_iter().zip(counts) {
            match count.parse() {
                Ok(count) => {
                    self.declared.insert((group.to_owned(), strength), (number, count));
                }
                Err(_) => self.mistake(number, format!("`{count}` is no number of rows")),
            }
        }
    }

    fn departure(&mut self, line: usize, text: &str) {
        let numbered = text.split_once(". ").and_then(|(number, _)| number.parse().ok());
        if let Some(number) = numbered {
            self.departures.push(Departure { line, number, spans: Vec::new() });
        }
        if let Some(departure) = self.departures.last_mut() {
            departure.spans.extend(spans(text).into_iter().map(|span| (line, span)));
        }
    }
}

/// The cells of a table's line.
fn cells<const N: usize>(line: &str) -> Option<[&str; N]> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    let cells: Vec<_> = inner.split('|').map(str::trim).collect();
    cells.try_into().ok()
}

/// What stands in backticks.
fn spans(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The numbers behind each `departs`: `departs 2, 3 and 7`.
fn departures_of(text: &str) -> Vec<usize> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices(DEPARTS) {
        let words = text[at + DEPARTS.len()..].split([' ', ',', ')']);
        let words = words.filter(|word| !word.is_empty() && *word != "and");
        found.extend(words.map_while(|word| word.trim_end_matches('.').parse::<usize>().ok()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_its_section_strength_places_tests_and_departures() {
        let text = format!(
            "{ROWS}\n|---|---|---|---|---|\n\
             | 5.2.5 | MUST NOT | a `word` of the demand | `a.rs:f`, by hand | `one`, **T** |\n\
             | v2 7.1 | plain | d | departs 2, 3 and 10 | (departs 4) |\n"
        );
        let document = parse(&text);
        assert_eq!(document.mistakes, []);
        let [first, second] = &document.rows[..] else { panic!("{document:?}") };
        assert_eq!((first.line, first.group(), first.strength), (3, "5", Strength::Must));
        assert_eq!(
            (&first.places[..], &first.tests[..]),
            (&["a.rs:f".into()][..], &["one".into(), "T".into()][..])
        );
        assert_eq!((second.group(), second.strength), ("v2", Strength::Plain));
        assert_eq!(second.departures, [2, 3, 10, 4]);
    }

    #[test]
    fn what_is_no_row_is_a_mistake() {
        for (rows, mistake) in [
            ("| 5.1 | MUST | too | few |", "a row has five cells"),
            ("| 5.1 | OUGHT | d | `a.rs` | `t` |", "no word of RFC 2119"),
        ] {
            let document = parse(&format!("{ROWS}\n|---|\n{rows}\n"));
            assert!(document.mistakes[0].1.contains(mistake), "{document:?}");
            assert_eq!(document.rows, []);
        }
        let document = parse("| § | demand |\n|---|---|\n| 5.1 | unread |\n");
        assert_eq!(document.mistakes.len(), 1, "{document:?}");
    }

    #[test]
    fn counts_are_declared_by_section_and_strength() {
        let document =
            parse(&format!("{COUNTS}\n|---|\n| §5 | 17 | 0 | 1 | 8 |\n| v2 | x | 0 | 0 | 0 |\n"));
        assert_eq!(document.declared[&("5".into(), Strength::Must)], (3, 17));
        assert_eq!(document.declared[&("5".into(), Strength::Plain)], (3, 8));
        assert!(document.mistakes[0].1.contains("`x` is no number"), "{document:?}");
    }

    #[test]
    fn departures_are_numbered_and_own_what_they_cite() {
        let text = format!(
            "7. **no departure yet**\n{DEPARTURES}, and why\n\n\
             1. **One** `a.rs:f`\n   more `b`\n2. **Two**\n"
        );
        let numbers = |document: &Document| -> Vec<_> {
            document.departures.iter().map(|it| (it.line, it.number)).collect()
        };
        let document = parse(&text);
        assert_eq!(numbers(&document), [(4, 1), (6, 2)]);
        assert_eq!(document.departures[0].spans, [(4, "a.rs:f".into()), (5, "b".into())]);
    }
}
