//! What the protocol itself asks of an instance: numbers, intervals, authentication.

use super::desk::Desk;
use super::hmac;
use super::names::interface_trouble;
use super::virtual_mac;
use crate::assignment::PASSWORD_BYTES;
use crate::instance::{Authentication, Checksum, Instance};
use crate::span::Span;
use std::time::Duration;

pub(super) fn examine(desk: &mut Desk<'_>, spec: &Instance) {
    if spec.virtual_router_id == 0 {
        let message = "0 is no virtual router ID";
        desk.error("vrid-range", "spec.virtualRouterId", message, "choose one from 1 to 255");
    }
    if !matches!(spec.version, 2 | 3) {
        let message = format!("there is no VRRP version {}", spec.version);
        desk.error("version", "spec.version", message, "write 2 or 3");
    }
    interval(desk, spec);
    if !(2..=10).contains(&spec.down_adverts) {
        let message = format!("{} lost adverts are outside 2 to 10", spec.down_adverts);
        desk.error("down-adverts", "spec.downAdverts", message, "write 2 to 10; 3 is usual");
    }
    authentication(desk, spec);
    if spec.version == 2 && spec.checksum == Checksum::Message {
        let message = "version 2 has one form of checksum";
        desk.warning("checksum-unused", "spec.checksum", message, "leave the field out");
    }
    if !spec.preempt && !spec.preempt_delay.is_zero() {
        let message = "preemptDelay has no effect while preempt is false";
        let remedy = "leave out preemptDelay, or let the instance preempt";
        desk.warning("preempt-delay-unused", "spec.preemptDelay", message, remedy);
    }
    garp(desk, spec);
    virtual_mac::examine(desk, spec);
}

fn interval(desk: &mut Desk<'_>, spec: &Instance) {
    let Span(interval) = spec.advert_interval;
    let (step, most, words) = match spec.version {
        // RFC 3768 §5.3.7: eight bits of seconds.
        2 => (Duration::from_secs(1), 255, "whole seconds from 1s to 255s"),
        // RFC 9568 §5.2.7: twelve bits of centiseconds.
        _ => (Duration::from_millis(10), 4095, "steps of 10ms from 10ms to 40s 950ms"),
    };
    let steps = interval.as_nanos() / step.as_nanos();
    if !interval.as_nanos().is_multiple_of(step.as_nanos()) || !(1..=most).contains(&steps) {
        let message = format!(
            "an interval of {} does not fit an advert of version {}",
            spec.advert_interval, spec.version
        );
        let mut remedy = format!("version {} takes {words}", spec.version);
        if spec.version == 2 && interval < Duration::from_secs(1) && !interval.is_zero() {
            remedy.push_str("; version 3 takes less");
        }
        desk.error("advert-interval", "spec.advertInterval", message, remedy);
    }
}

fn authentication(desk: &mut Desk<'_>, spec: &Instance) {
    let password = match &spec.authentication {
        Authentication::None => return,
        Authentication::Hmac(hmac) => return hmac::examine(desk, hmac),
        Authentication::Pass { password } => password,
    };
    if spec.version == 3 {
        // RFC 9568 §9: version 3 has no authentication field.
        let message = "version 3 has no passwords";
        let remedy = "leave authentication out, write version: 2, or {type: hmac} with keys";
        desk.error("authentication-version", "spec.authentication", message, remedy);
    }
    let path = "spec.authentication.password";
    // Only its length is looked at.
    let length = password.reveal().len();
    if length == 0 {
        let remedy = "write one to eight characters, the same as every other router has";
        desk.error("password-empty", path, "the password is empty", remedy);
    } else if length > PASSWORD_BYTES && !password.is_redacted() {
        let message = format!(
            "the password has {length} bytes: only the first {PASSWORD_BYTES} go on the wire and \
             count"
        );
        let remedy = "shorten it to eight; keepalived cuts it in the same place, so both agree";
        desk.warning("password-length", path, message, remedy);
    }
}

fn garp(desk: &mut Desk<'_>, spec: &Instance) {
    if spec.garp.repeat == 0 {
        let message = "with no announcement, neighbours would go on sending to the old host";
        desk.error("garp-repeat", "spec.garp.repeat", message, "write 1 or more; 5 is usual");
    }
    let refresh = spec.garp.refresh;
    if !refresh.is_zero() && refresh < Span::from_secs(1) {
        let message = format!("announcing every {refresh} would flood the segment");
        desk.error(
            "garp-refresh",
            "spec.garp.refresh",
            message,
            "write 1s or more, or 0s for none",
        );
    }
    for (index, interface) in spec.garp.interfaces.iter().enumerate() {
        let path = format!("spec.garp.interfaces[{index}]");
        if let Some(trouble) = interface_trouble(interface) {
            let message = format!("{interface:?} is {trouble}");
            let remedy = "write the interface's name as `ip link` on the hosts shows it";
            desk.error("interface-name", path, message, remedy);
        } else if spec.garp.interfaces[..index].contains(interface) {
            let message = format!("{interface} is listed twice");
            desk.error("duplicate-garp-interface", path, message, "keep one");
        }
    }
}
