//! Readers of single values: each gives the value, or a finding with the way to write it.

use super::fields::{Context, Spot, closest};
use super::tree::Value;
use crate::name::Name;
use crate::secret::Secret;
use crate::span::Span;
use std::net::IpAddr;

/// Text, quoted or not. A number or truth value is taken as it is spelled.
pub(super) fn text(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<String> {
    match &spot.node.value {
        Value::Scalar { text, .. } if !spot.node.is_null() => Some(text.clone()),
        _ => {
            context.wrong(
                spot,
                "text",
                "write one value, in quotes when it has special characters",
            );
            None
        }
    }
}

pub(super) fn secret(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<Secret> {
    text(context, spot).map(Secret::new)
}

pub(super) fn name(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<Name> {
    let written = text(context, spot)?;
    written.parse().ok().or_else(|| {
        let remedy = "use 1 to 63 letters, digits, '_', '-' or '.', not starting with '-' or '.'";
        context.wrong(spot, "a name", remedy);
        None
    })
}

/// A whole number that fits `T`; `range` says in words which make sense.
pub(super) fn integer<T: TryFrom<i64>>(
    context: &mut Context<'_>,
    spot: &Spot<'_>,
    range: &str,
) -> Option<T> {
    let number = match &spot.node.value {
        Value::Scalar { text, plain: true } => text.parse::<i64>().ok(),
        _ => None,
    };
    let fitting = number.and_then(|number| T::try_from(number).ok());
    if fitting.is_none() {
        context.wrong(spot, &format!("a number from {range}"), "write a whole number, no quotes");
    }
    fitting
}

pub(super) fn boolean(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<bool> {
    match &spot.node.value {
        Value::Scalar { text, plain: true } if text == "true" => Some(true),
        Value::Scalar { text, plain: true } if text == "false" => Some(false),
        _ => {
            context.wrong(spot, "a truth value", "write true or false");
            None
        }
    }
}

pub(super) fn duration(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<Span> {
    let remedy = "write a number with a unit, such as 100ms, 1s or 1m 30s";
    let read = match &spot.node.value {
        Value::Scalar { text, .. } => humantime::parse_duration(text).ok(),
        _ => None,
    };
    if read.is_none() {
        context.wrong(spot, "a duration", remedy);
    }
    read.map(Span)
}

pub(super) fn ip(context: &mut Context<'_>, spot: &Spot<'_>) -> Option<IpAddr> {
    let read = match &spot.node.value {
        Value::Scalar { text, .. } => text.parse().ok(),
        _ => None,
    };
    if read.is_none() {
        context.wrong(spot, "an address", "write it as 192.0.2.10 or 2001:db8::10, no prefix");
    }
    read
}

/// One of a few words.
pub(super) fn choice<T: Copy>(
    context: &mut Context<'_>,
    spot: &Spot<'_>,
    choices: &[(&'static str, T)],
) -> Option<T> {
    let written = match &spot.node.value {
        Value::Scalar { text, .. } => text.as_str(),
        _ => "",
    };
    if let Some((_, value)) = choices.iter().find(|(word, _)| *word == written) {
        return Some(*value);
    }
    let words = choices.iter().map(|(word, _)| *word).collect::<Vec<_>>();
    let remedy = match closest(written, &words) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("write {}", words.join(" or ")),
    };
    context.wrong(spot, &format!("one of {}", words.join(", ")), remedy);
    None
}
