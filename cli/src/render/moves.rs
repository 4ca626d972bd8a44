//! Planned moves in one line each, wherever something they concern is shown.

use jiff::Timestamp;
use vipfleet_model::moves::{Order, SwitchoverStatus};

/// `override → lb2 for 9m`, `override → lb2 until cleared`.
pub(crate) fn switchover(it: &SwitchoverStatus, now: Timestamp) -> String {
    format!("override → {} {}", it.to, lasts(&it.order, now))
}

/// `drained for 9m`, `drained until uncordoned`.
pub(crate) fn drained(order: &Order, now: Timestamp) -> String {
    match order.until {
        Some(_) => format!("drained {}", lasts(order, now)),
        None => "drained until uncordoned".to_owned(),
    }
}

/// ` by ana, 5m ago: new kernel`.
pub(crate) fn ordered(order: &Order, now: Timestamp) -> String {
    let age = super::age::age(Some(&order.since), now);
    let message = match order.message.as_str() {
        "" => String::new(),
        message => format!(": {message}"),
    };
    format!("by {}, {age} ago{message}", order.by)
}

/// `for 9m` of what is left, or `until cleared`.
fn lasts(order: &Order, now: Timestamp) -> String {
    match order.until.as_deref().map(str::parse::<Timestamp>) {
        None => "until cleared".to_owned(),
        Some(Ok(until)) if until <= now => "until now".to_owned(),
        Some(Ok(until)) => format!("for {}", super::age::between(now, until)),
        Some(Err(_)) => "until an unknown time".to_owned(),
    }
}
