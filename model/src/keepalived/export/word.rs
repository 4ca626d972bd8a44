//! Words as keepalived reads them back: those of ordinary lines, those of command lines, numbers.

use std::time::Duration;

/// Characters that no word needs quotes for.
fn is_plain(ch: char) -> bool {
    ch.is_ascii_alphanumeric() || matches!(ch, '_' | '-' | '.' | ':' | '/' | '+' | '%' | ',')
}

/// `text` as one word of an ordinary line, in double quotes where it needs them. `None` when no
/// way of writing it gives it back: such lines have no escapes, and definitions and sequences
/// are replaced even within quotes.
pub(super) fn ordinary(text: &str) -> Option<String> {
    let refused = |ch: char| ch.is_control() || matches!(ch, '"' | '\\' | '$' | '~');
    if text.is_empty() || text.contains(refused) {
        return None;
    }
    Some(if text.chars().all(is_plain) { text.to_owned() } else { format!("\"{text}\"") })
}

/// A whole command line as the one quoted word after `script` or `notify`. keepalived splits it
/// twice, like a shell, so a backslash that is meant for the second time is doubled.
pub(super) fn command<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(shell).collect();
    format!("\"{}\"", words.join(" ").replace('\\', "\\\\"))
}

/// Whether a command line can hold `text` at all.
pub(super) fn fits_command(text: &str) -> bool {
    !text.contains('\0')
}

/// A word of the second splitting. What means something to the first, or anywhere in the file,
/// becomes an octal escape, of three digits so that none that follows belongs to it.
fn shell(text: &str) -> String {
    let mut word = String::new();
    for ch in text.chars() {
        match ch {
            '"' | '\'' | '\\' | '$' | '~' | '\0'..='\x1f' | '\x7f' => {
                word.push_str(&format!("\\{:03o}", u32::from(ch)));
            }
            _ => word.push(ch),
        }
    }
    let bare = !text.is_empty() && text.chars().all(|ch| is_plain(ch) || ch == '=' || ch == '@');
    if bare { word } else { format!("'{word}'") }
}

/// Seconds to the microsecond, without zeros that say nothing.
pub(super) fn seconds(length: Duration) -> String {
    let text = format!("{}.{:06}", length.as_secs(), length.subsec_micros());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_get_quotes_only_where_they_need_them() {
        let table = [
            ("eth0", Some("eth0")),
            ("eth0:1", Some("eth0:1")),
            ("a#b !{c", Some("\"a#b !{c\"")),
            ("@lb1", Some("\"@lb1\"")),
            ("", None),
            ("a\"b", None),
            ("a\\", None),
            ("${_RANDOM}", None),
            ("a\nb", None),
        ];
        for (text, expected) in table {
            assert_eq!(ordinary(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_command_line_is_one_word_of_escaped_words() {
        let table: [(&[&str], &str); 4] = [
            (&["/bin/true"], "\"/bin/true\""),
            (&["/x", "a b", ""], "\"/x 'a b' ''\""),
            (&["/x", "it's \"$5\""], "\"/x 'it\\\\047s \\\\042\\\\0445\\\\042'\""),
            (&["/x", "--url=http://a/?b=c"], "\"/x '--url=http://a/?b=c'\""),
        ];
        for (words, expected) in table {
            assert_eq!(command(words.iter().copied()), expected);
        }
    }

    #[test]
    fn seconds_have_no_idle_zeros() {
        let table = [(1_000_000, "1"), (10_000, "0.01"), (10_000_000, "10"), (1, "0.000001")];
        for (micros, expected) in table {
            assert_eq!(seconds(Duration::from_micros(micros)), expected);
        }
    }
}
