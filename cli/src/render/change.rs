//! Changes of definitions: one line each, or line by line.

use super::table::Tone;
use serde::Serialize;
use similar::TextDiff;
use vipfleet_model::{Definition, Key, Kind, Name, document};
use vipfleet_proto::{Malformed, v1};

/// A definition before and after; secrets are redacted.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) key: Key,
    pub(crate) before: Option<Definition>,
    pub(crate) after: Option<Definition>,
}

/// What happened to a definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verb {
    Created,
    Changed,
    Deleted,
}

/// A change for programs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ChangeLine {
    pub(crate) kind: Kind,
    pub(crate) name: Name,
    pub(crate) change: Verb,
}

impl TryFrom<v1::DefinitionChange> for Change {
    type Error = Malformed;

    fn try_from(wire: v1::DefinitionChange) -> Result<Self, Malformed> {
        let absent = || Malformed { path: "key".into(), reason: "is absent".into() };
        Ok(Self {
            key: wire.key.ok_or_else(absent)?.try_into()?,
            before: wire.before.map(TryInto::try_into).transpose()?,
            after: wire.after.map(TryInto::try_into).transpose()?,
        })
    }
}

impl Change {
    pub(crate) fn verb(&self) -> Verb {
        match (&self.before, &self.after) {
            (None, _) => Verb::Created,
            (Some(_), Some(_)) => Verb::Changed,
            (Some(_), None) => Verb::Deleted,
        }
    }

    pub(crate) fn line(&self) -> ChangeLine {
        ChangeLine { kind: self.key.kind, name: self.key.name.clone(), change: self.verb() }
    }

    /// `+ Instance VI_1 created`.
    pub(crate) fn sentence(&self) -> String {
        let (mark, tone, verb) = match self.verb() {
            Verb::Created => ("+", Tone::Good, "created"),
            Verb::Changed => ("~", Tone::Warn, "changed"),
            Verb::Deleted => ("-", Tone::Bad, "deleted"),
        };
        format!("{} {} {verb}\n", tone.paint(mark), self.key)
    }

    /// A unified diff of the documents.
    pub(crate) fn diff(&self) -> String {
        let text = |it: &Option<Definition>| match it {
            Some(definition) => document::to_yaml(std::slice::from_ref(definition)),
            None => String::new(),
        };
        let (before, after) = (text(&self.before), text(&self.after));
        let side = |it: &Option<Definition>, prefix: &str| match it {
            Some(_) => format!("{prefix}/{}", self.key),
            None => "/dev/null".to_owned(),
        };
        if before == after {
            return format!("{}: the password changes\n", self.key);
        }
        let diff = TextDiff::from_lines(&before, &after);
        let mut unified = diff.unified_diff();
        unified.context_radius(3).header(&side(&self.before, "a"), &side(&self.after, "b"));
        unified.to_string().lines().map(painted).collect()
    }
}

fn painted(line: &str) -> String {
    let tone = match line.as_bytes() {
        [b'+', b'+', ..] | [b'-', b'-', ..] => Tone::Strong,
        [b'+', ..] => Tone::Good,
        [b'-', ..] => Tone::Bad,
        [b'@', ..] => Tone::Faint,
        _ => return format!("{line}\n"),
    };
    tone.paint(line) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::list::testing::unstyled;

    fn check(file: &str) -> Definition {
        let text = format!("kind: Check\nname: nginx\nspec: {{process: {{name: {file}}}}}");
        document::parse(&text, None).definitions.remove(0).value
    }

    fn change(before: Option<&str>, after: Option<&str>) -> Change {
        let key = check("x").key();
        Change { key, before: before.map(check), after: after.map(check) }
    }

    #[test]
    fn a_change_is_shown_line_by_line() {
        insta::assert_snapshot!(unstyled(&change(Some("nginx"), Some("angie")).diff()), @r"
        --- a/Check nginx
        +++ b/Check nginx
        @@ -2,5 +2,5 @@
         name: nginx
         spec:
           process:
        -    name: nginx
        +    name: angie
           interval: 1s
        ");
    }

    #[test]
    fn a_new_definition_is_all_additions_and_a_deleted_one_all_removals() {
        let created = unstyled(&change(None, Some("nginx")).diff());
        assert!(created.starts_with("--- /dev/null\n+++ b/Check nginx\n"), "{created}");
        let deleted = change(Some("nginx"), None);
        assert_eq!(unstyled(&deleted.sentence()), "- Check nginx deleted\n");
        assert!(unstyled(&deleted.diff()).contains("\n-kind: Check\n"));
    }

    #[test]
    fn a_change_that_redaction_hides_is_named() {
        assert!(change(Some("nginx"), Some("nginx")).diff().contains("the password changes"));
    }
}
