//! Lines of `virtual_ipaddress` and `virtual_ipaddress_excluded`.

use super::super::cell::Pos;
use super::super::lexeme::Word;
use super::super::report::Report;
use super::super::tree::Statement;
use super::super::value::interface;
use crate::address::{Scope, VirtualAddress};
use ipnet::{IpNet, Ipv4Net};
use std::net::IpAddr;

/// More than an advert carries, and than a master can take over in time.
const MAX_ADDRESSES: usize = 4_096;

/// Longest label, IFNAMSIZ without its NUL.
const MAX_LABEL: usize = 15;

/// Reads every line of the block; broken ones are findings and left out.
pub(super) fn read(block: &Statement, into: &mut Vec<(VirtualAddress, Pos)>, report: &mut Report) {
    for line in block.statements() {
        if line.block.is_some() {
            let message = format!("no block belongs into {}", block.keyword());
            report.error(line.pos(), "stray-block", message, "remove the braces");
            continue;
        }
        let Some(address) = read_line(line, report) else {
            continue;
        };
        if into.len() >= MAX_ADDRESSES {
            let message = format!("an instance holds at most {MAX_ADDRESSES} addresses");
            report.error(line.pos(), "too-many", message, "spread them over several instances");
            return;
        }
        if into.iter().any(|(other, _)| other.ip() == address.ip()) {
            let message = format!("{} is listed twice", address.ip());
            report.warning(line.pos(), "duplicate-address", message, "remove one of the lines");
            continue;
        }
        into.push((address, line.pos()));
    }
}

fn read_line(line: &Statement, report: &mut Report) -> Option<VirtualAddress> {
    let net = network(&line.words[0], report)?;
    let mut address = VirtualAddress { address: net, ..VirtualAddress::host(net.addr()) };
    let mut words = line.parameters().iter();
    while let Some(word) = words.next() {
        match word.text.as_str() {
            "dev" => address.dev = Some(interface(value(word, &mut words, report)?, report)?),
            "brd" | "broadcast" => {
                address.broadcast = broadcast(value(word, &mut words, report)?, net, report);
            }
            "scope" => {
                let scope = scope(value(word, &mut words, report)?, report);
                if net.addr().is_ipv6() {
                    let message = "the kernel derives the scope of IPv6 addresses";
                    report.warning(word.pos, "no-effect", message, "remove it");
                } else if let Some(scope) = scope {
                    address.scope = scope;
                }
            }
            "label" => address.label = label(value(word, &mut words, report)?, report),
            "preferred_lft" => {
                let lifetime = value(word, &mut words, report)?;
                if net.addr().is_ipv4() || lifetime.text != "0" {
                    refuse(word, "lifetimes are the agent's (IPv6: preferred_lft 0)", report);
                }
            }
            // IPv6 addresses are always added without duplicate address detection.
            "-nodad" => {}
            "no_track" => report.warning(
                word.pos,
                "no-effect",
                "no_track has no effect here: an address that goes missing is added again",
                "remove it",
            ),
            "use_vmac" => {
                let why = "all addresses of an instance have its virtual MAC, or none";
                refuse(word, why, report);
            }
            "peer" => {
                words.next();
                refuse(word, "peer addresses are not supported", report);
            }
            "home" | "mngtmpaddr" | "noprefixroute" | "autojoin" => {
                refuse(word, "this address flag is not supported", report);
            }
            "track_group" => {
                words.next();
                refuse(word, "track groups are for static addresses", report);
            }
            other => unknown(word, other, report),
        }
    }
    Some(address)
}

fn unknown(word: &Word, other: &str, report: &mut Report) {
    let message = format!("unknown option {other:?} of an address");
    let looks_like_address = other.split('/').next().is_some_and(|a| a.parse::<IpAddr>().is_ok());
    let remedy = if looks_like_address {
        "write one address a line"
    } else {
        "options are brd, dev, scope, label; see keepalived.conf(5)"
    };
    report.error(word.pos, "unknown-keyword", message, remedy);
}

fn refuse(word: &Word, why: &str, report: &mut Report) {
    let message = format!("{} is not supported: {why}", word.text);
    report.error(word.pos, "not-supported", message, "remove it");
}

pub(super) fn value<'a>(
    option: &Word,
    words: &mut impl Iterator<Item = &'a Word>,
    report: &mut Report,
) -> Option<&'a Word> {
    let value = words.next();
    if value.is_none() {
        let message = format!("{} lacks its value", option.text);
        report.error(option.pos, "missing-value", message, "write the value after it");
    }
    value
}

/// `A` or `A/prefix`; a host prefix when none is written.
fn network(word: &Word, report: &mut Report) -> Option<IpNet> {
    let parsed = match word.text.split_once('/') {
        None => word.text.parse::<IpAddr>().ok().map(IpNet::from),
        Some((_, prefix)) if prefix.is_empty() || prefix.starts_with('+') => None,
        Some(_) => word.text.parse().ok(),
    };
    if parsed.is_none() {
        let message = format!("{:?} is no address", word.text);
        let remedy = "write it as 192.0.2.10, 192.0.2.10/24 or 2001:db8::10/64";
        report.error(word.pos, "bad-address", message, remedy);
    }
    parsed
}

/// An address, or `+` and `-` for the host bits set and clear.
fn broadcast(word: &Word, net: IpNet, report: &mut Report) -> Option<IpAddr> {
    let IpNet::V4(net) = net else {
        let message = "IPv6 has no broadcast";
        report.error(word.pos, "bad-address", message, "remove brd");
        return None;
    };
    let read = match word.text.as_str() {
        "+" => Some(Ipv4Net::broadcast(&net)),
        "-" => Some(Ipv4Net::network(&net)),
        other => other.parse().ok(),
    };
    if read.is_none() {
        let message = format!("brd {:?} is no IPv4 address", word.text);
        report.error(word.pos, "bad-address", message, "write an address, + or -");
    }
    read.map(IpAddr::from)
}

/// Names and numbers of rt_scopes.
pub(super) fn scope(word: &Word, report: &mut Report) -> Option<Scope> {
    match word.text.as_str() {
        "global" | "0" => Some(Scope::Global),
        "site" | "200" => Some(Scope::Site),
        "link" | "253" => Some(Scope::Link),
        "host" | "254" => Some(Scope::Host),
        other => {
            let message = format!("scope {other:?} is not supported");
            report.error(word.pos, "bad-value", message, "write global, site, link or host");
            None
        }
    }
}

fn label(word: &Word, report: &mut Report) -> Option<String> {
    if word.text.is_empty() || word.text.len() > MAX_LABEL {
        let message = format!("the label {:?} does not have 1 to {MAX_LABEL} bytes", word.text);
        report.error(word.pos, "bad-value", message, "shorten it");
        return None;
    }
    Some(word.text.clone())
}
