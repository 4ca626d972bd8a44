//! How long ago, as an operator says it.

use jiff::Timestamp;

/// `42s`, `5m`, `3h`, `2d`; `-` when the time is unknown. Clocks of nodes may be ahead: then 0s.
pub(crate) fn age(since: Option<&str>, now: Timestamp) -> String {
    match since.and_then(|since| since.parse::<Timestamp>().ok()) {
        None => "-".to_owned(),
        Some(since) => between(since, now),
    }
}

pub(crate) fn between(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.duration_since(since).as_secs().max(0);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..7200 => format!("{}m", seconds / 60),
        7200..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_one_unit_that_says_enough() {
        let now: Timestamp = "2026-03-04T12:00:00Z".parse().unwrap();
        let at = |since| age(Some(since), now);
        assert_eq!(at("2026-03-04T11:59:18Z"), "42s");
        assert_eq!(at("2026-03-04T11:54:50Z"), "5m");
        assert_eq!(at("2026-03-04T08:30:00+00:00"), "3h");
        assert_eq!(at("2026-03-01T12:00:00Z"), "3d");
        assert_eq!(at("2026-03-04T12:00:09Z"), "0s");
        assert_eq!(at("yesterday"), "-");
        assert_eq!(age(None, now), "-");
    }
}
