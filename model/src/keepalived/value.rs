//! Values as keepalived reads them: integers, seconds with a fraction, on/off, addresses.

use super::lexeme::Word;
use super::report::Report;
use crate::span::Span;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A decimal integer within `range`; a finding otherwise.
pub(super) fn integer(
    word: &Word,
    keyword: &str,
    range: RangeInclusive<i64>,
    report: &mut Report,
) -> Option<i64> {
    let digits = word.text.trim_start();
    let plain = digits.strip_prefix(['-', '+']).unwrap_or(digits);
    let is_number = !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit());
    // A number too large for the type is out of range like any other.
    let value = digits.parse::<i64>().ok().filter(|value| range.contains(value));
    if value.is_none() || !is_number {
        let (least, most) = range.into_inner();
        let what = if is_number { "is out of range" } else { "is no whole number" };
        let message = format!("{keyword} {:?} {what}", word.text);
        report.error(
            word.pos,
            "bad-value",
            message,
            format!("write a number from {least} to {most}"),
        );
        return None;
    }
    value
}

/// Seconds with a fraction, to the microsecond.
pub(super) fn seconds(
    word: &Word,
    keyword: &str,
    range: RangeInclusive<Duration>,
    report: &mut Report,
) -> Option<Span> {
    let value = decimal(word.text.trim_start());
    if let Some(value) = value.filter(|value| range.contains(value)) {
        return Some(Span(value));
    }
    let (least, most) = range.into_inner();
    let what = if value.is_some() { "is out of range" } else { "is no number of seconds" };
    report.error(
        word.pos,
        "bad-value",
        format!("{keyword} {:?} {what}", word.text),
        format!("write {} to {}, for instance 1 or 0.5", least.as_secs_f64(), most.as_secs_f64()),
    );
    None
}

fn decimal(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let seconds = if whole.is_empty() { 0 } else { whole.parse::<u32>().ok()? };
    let micros: String = fraction.chars().chain("000000".chars()).take(6).collect();
    Some(Duration::from_secs(seconds.into()) + Duration::from_micros(micros.parse().ok()?))
}

/// The optional `on|off|true|false|yes|no` of a keyword; absent is on.
pub(super) fn switch(word: Option<&Word>, keyword: &str, report: &mut Report) -> Option<bool> {
    let Some(word) = word else { return Some(true) };
    match word.text.as_str() {
        "on" | "true" | "yes" => Some(true),
        "off" | "false" | "no" => Some(false),
        other => {
            let message = format!("{keyword} {other:?} is neither on nor off");
            report.error(word.pos, "bad-value", message, "write on, off, true, false, yes or no");
            None
        }
    }
}

/// An address without a prefix.
pub(super) fn address(word: &Word, keyword: &str, report: &mut Report) -> Option<IpAddr> {
    let parsed = word.text.parse().ok();
    if parsed.is_none() {
        let message = format!("{keyword} {:?} is no IP address", word.text);
        report.error(word.pos, "bad-address", message, "write it as 192.0.2.10 or 2001:db8::10");
    }
    parsed
}

/// Most characters of an interface name, IFNAMSIZ without its NUL.
const MAX_INTERFACE: usize = 15;

/// The name of an interface.
pub(super) fn interface(word: &Word, report: &mut Report) -> Option<String> {
    let text = &word.text;
    let odd = |ch: char| ch == '/' || ch.is_whitespace() || ch.is_control();
    if text.is_empty() || text.len() > MAX_INTERFACE || text.contains(odd) {
        let message = format!("{text:?} cannot be the interface");
        let remedy = "name a network interface, at most 15 bytes";
        report.error(word.pos, "bad-interface", message, remedy);
        return None;
    }
    Some(text.clone())
}
