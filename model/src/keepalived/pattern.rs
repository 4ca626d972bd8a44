//! Brace expressions in the pattern of an `include`. Called by the [`super::Sources`] of the agent
//! and of vipctl, whose glob has none.

/// Most patterns that one expression stands for.
const MOST_PATTERNS: usize = 1_000;

/// `a{b,c}d` as `abd` and `acd`, in this order, as glob(3) does with GLOB_BRACE.
pub fn alternatives(pattern: &str) -> Vec<String> {
    let mut waiting = vec![pattern.to_owned()];
    let mut done = Vec::new();
    while let Some(pattern) = waiting.pop() {
        match first_brace(&pattern) {
            Some((before, options, after)) if done.len() + waiting.len() < MOST_PATTERNS => {
                let expanded = options.iter().rev().map(|it| format!("{before}{it}{after}"));
                waiting.extend(expanded);
            }
            _ => done.push(pattern),
        }
    }
    done
}

/// What is before the first brace expression, its options, and what is after it.
fn first_brace(pattern: &str) -> Option<(&str, Vec<&str>, &str)> {
    let open = pattern.find('{')?;
    let mut depth = 0;
    let mut options = Vec::new();
    let mut start = open + 1;
    for (at, c) in pattern.char_indices().skip_while(|(at, _)| *at < open) {
        match c {
            '{' => depth += 1,
            ',' if depth == 1 => {
                options.push(&pattern[start..at]);
                start = at + 1;
            }
            '}' if depth == 1 => {
                options.push(&pattern[start..at]);
                return Some((&pattern[..open], options, &pattern[at + 1..]));
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::alternatives;

    #[test]
    fn brace_expressions_stand_for_several_patterns() {
        assert_eq!(alternatives("a{b,c}d"), ["abd", "acd"]);
        assert_eq!(alternatives("{a,b{1,2}}.conf"), ["a.conf", "b1.conf", "b2.conf"]);
        assert_eq!(alternatives("plain*.conf"), ["plain*.conf"]);
        assert_eq!(alternatives("open{a,b"), ["open{a,b"]);
    }

    #[test]
    fn braces_within_braces_do_not_explode() {
        let pattern = "{a,b}".repeat(40);
        assert!(alternatives(&pattern).len() <= 1_100);
    }
}
