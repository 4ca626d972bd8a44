//! `~SEQ(var, start, step, end) text` and `~LST(var, a, b) text`: one line made into several.

use super::cell::{Line, is_blank};

/// Values one sequence may have. keepalived has no bound; a file must not exhaust the memory.
const MAX_VALUES: u64 = 65_536;

/// A sequence, ready to be run through.
#[derive(Clone, Debug)]
pub(super) struct Sequence {
    pub(super) variables: Vec<String>,
    /// One entry a round, each as long as `variables`.
    pub(super) values: Values,
    pub(super) text: Line,
}

#[derive(Clone, Debug)]
pub(super) enum Values {
    Numbers { next: i64, last: i64, step: i64, hex: bool },
    List(std::vec::IntoIter<Vec<String>>),
}

/// Whether `line` begins a sequence.
pub(super) fn begins(line: &Line) -> bool {
    let head: String = line.cells.iter().take(4).map(|cell| cell.ch).collect();
    head == "~SEQ" || head == "~LST"
}

/// The closing parenthesis of the sequence that `line` begins, and the text inside.
pub(super) fn parameters(line: &Line) -> Option<(Line, usize)> {
    let hex = line.at(4) == Some('x');
    let open = 4 + usize::from(hex);
    let open = open + line.span(open, is_blank);
    if line.at(open) != Some('(') {
        return None;
    }
    let close = open + 1 + line.span(open + 1, |ch| ch != ')');
    (close < line.cells.len()).then(|| (line.part(open + 1, close), close))
}

/// Reads a sequence from its line and its parameters, in which definitions have been replaced.
/// The error says what is wrong with it.
pub(super) fn read(line: &Line, parameters: &Line, close: usize) -> Result<Sequence, String> {
    let text = line.tail(close + 1);
    let inside = parameters.text();
    if line.at(1) == Some('L') {
        let mut items = items(&inside)?.into_iter();
        let variables = items.next().unwrap_or_default();
        let values: Vec<Vec<String>> = items.collect();
        if values.is_empty() || variables.iter().any(String::is_empty) {
            return Err("a variable and at least one value are needed".into());
        }
        if values.iter().any(|value| value.len() != variables.len()) {
            return Err("every value needs as many parts as there are variables".into());
        }
        return Ok(Sequence { variables, values: Values::List(values.into_iter()), text });
    }
    let hex = line.at(4) == Some('x');
    let mut parts = inside.split(',').map(str::trim);
    let variable = parts.next().unwrap_or_default().to_owned();
    if variable.is_empty() {
        return Err("it names no variable".into());
    }
    let numbers: Vec<i64> = parts.map(number).collect::<Result<_, _>>()?;
    let (start, step, last) = match numbers[..] {
        [last] => (if last < 1 { -1 } else { 1 }, if last < 1 { -1 } else { 1 }, last),
        [start, last] => (start, if start <= last { 1 } else { -1 }, last),
        [start, step, last] => (start, step, last),
        _ => return Err("it takes a variable and one, two or three numbers".into()),
    };
    if step == 0 || (start < last && step < 0) || (start > last && step > 0) {
        return Err(format!("a step of {step} does not lead from {start} to {last}"));
    }
    if hex && (start < 0 || last < 0) {
        return Err("~SEQx counts non-negative numbers only".into());
    }
    if start.abs_diff(last) / step.unsigned_abs() >= MAX_VALUES {
        return Err(format!("it has more than {MAX_VALUES} values"));
    }
    let values = Values::Numbers { next: start, last, step, hex };
    Ok(Sequence { variables: vec![variable], values, text })
}

impl Iterator for Values {
    type Item = Vec<String>;

    fn next(&mut self) -> Option<Vec<String>> {
        match self {
            Self::List(values) => values.next(),
            Self::Numbers { next, last, step, hex } => {
                let over = if *step > 0 { *next > *last } else { *next < *last };
                if over {
                    return None;
                }
                let text = if *hex { format!("{next:x}") } else { next.to_string() };
                *next = next.checked_add(*step)?;
                Some(vec![text])
            }
        }
    }
}

/// `1`, `-2`, `0x90`, `010` as strtol(3) reads them.
fn number(text: &str) -> Result<i64, String> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, radix) = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => (hex, 16),
        None if digits.len() > 1 && digits.starts_with('0') => (&digits[1..], 8),
        None => (digits, 10),
    };
    let bounded =
        i32::from_str_radix(digits, radix).ok().filter(|_| !digits.starts_with(['-', '+']));
    let value = bounded.ok_or_else(|| format!("{text:?} is no number in range"))?;
    Ok(if negative { -i64::from(value) } else { i64::from(value) })
}

/// `{a, b}, {1, 2}` or `a, 1, 2` as groups.
fn items(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut groups = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (group, after) = match rest.strip_prefix('{') {
            Some(inner) => {
                let (group, after) = inner.split_once('}').ok_or("a '{' is not closed")?;
                (group.split(',').map(|part| part.trim().to_owned()).collect(), after)
            }
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                (vec![rest[..end].trim().to_owned()], &rest[end..])
            }
        };
        groups.push(group);
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(next) => next.trim_start(),
            None if after.is_empty() => after,
            None => return Err("values are separated by commas".into()),
        };
    }
    Ok(groups)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keepalived::cell::Pos;

    fn rounds(text: &str) -> Result<Vec<String>, String> {
        let line = Line::generated(text, Pos::default());
        let (inside, close) = parameters(&line).ok_or("no parentheses")?;
        let sequence = read(&line, &inside, close)?;
        Ok(sequence.values.map(|round| round.join("+")).collect())
    }

    #[test]
    fn sequences_count_as_the_manual_says() {
        assert_eq!(rounds("~SEQ(A, 0, 3) x").unwrap(), ["0", "1", "2", "3"]);
        assert_eq!(rounds("~SEQ(A, 2) x").unwrap(), ["1", "2"]);
        assert_eq!(rounds("~SEQ(A, -2) x").unwrap(), ["-1", "-2"]);
        assert_eq!(rounds("~SEQx(A, 0x90, 0x10, 0xb0) x").unwrap(), ["90", "a0", "b0"]);
        assert_eq!(rounds("~SEQ(A, 5, -2, 1) x").unwrap(), ["5", "3", "1"]);
        assert_eq!(rounds("~LST(A, 1, b) x").unwrap(), ["1", "b"]);
        assert_eq!(rounds("~LST({A, B}, {10,1},{20,4}) x").unwrap(), ["10+1", "20+4"]);
    }

    #[test]
    fn a_sequence_that_leads_nowhere_says_why() {
        let table = [
            "~SEQ(A, 5, 1, 1) x",
            "~SEQ(A, b)",
            "~SEQ(A)",
            "~SEQ A",
            "~LST(A)",
            "~SEQ(A,0,1,2147483647)",
        ];
        for text in table {
            assert!(rounds(text).is_err(), "{text}");
        }
    }
}
