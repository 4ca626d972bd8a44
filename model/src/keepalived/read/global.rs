//! `global_defs`: what holds for every instance.

use super::super::Lvs;
use super::super::exec::same_group;
use super::super::keyword::{GLOBAL_DEFS, admit};
use super::super::report::Report;
use super::super::tree::Statement;
use super::super::value::{address, integer, seconds, switch};
use super::{Put, put};
use crate::span::Span;
use std::net::IpAddr;
use std::time::Duration;

/// What `global_defs` says.
#[derive(Debug, Default)]
pub(super) struct Globals {
    pub(super) router_id: Put<String>,
    pub(super) version: Put<u8>,
    pub(super) garp_delay: Put<Span>,
    pub(super) garp_repeat: Put<u8>,
    pub(super) garp_refresh: Put<Span>,
    pub(super) min_garp: Put<bool>,
    pub(super) down_adverts: Put<u8>,
    pub(super) check_unicast_source: Put<bool>,
    pub(super) startup_delay: Put<Span>,
    pub(super) script_user: Put<String>,
}

impl Globals {
    pub(super) fn read(&mut self, block: &Statement, lvs: Lvs, report: &mut Report) {
        for statement in block.statements() {
            if admit(statement, GLOBAL_DEFS, "global_defs", lvs, report) {
                self.statement(statement, report);
            }
        }
    }

    fn statement(&mut self, statement: &Statement, report: &mut Report) {
        let keyword = statement.keyword();
        let first = statement.parameters().first();
        let pos = first.map_or(statement.pos(), |word| word.pos);
        match (keyword, first) {
            ("router_id", Some(word)) => {
                put(&mut self.router_id, keyword, word.text.clone(), pos, report);
            }
            ("vrrp_version", Some(word)) => {
                if let Some(version) = version(word, keyword, report) {
                    put(&mut self.version, keyword, version, pos, report);
                }
            }
            ("vrrp_garp_master_delay", Some(word)) => {
                if let Some(delay) = whole_seconds(word, keyword, report) {
                    put(&mut self.garp_delay, keyword, delay, pos, report);
                }
            }
            ("vrrp_garp_master_repeat", Some(word)) => {
                if let Some(repeat) = small(word, keyword, 1..=255, report) {
                    put(&mut self.garp_repeat, keyword, repeat, pos, report);
                }
            }
            ("vrrp_garp_master_refresh", Some(word)) => {
                if let Some(refresh) = whole_seconds(word, keyword, report) {
                    put(&mut self.garp_refresh, keyword, refresh, pos, report);
                }
            }
            ("vrrp_min_garp", word) => {
                if let Some(on) = switch(word, keyword, report) {
                    put(&mut self.min_garp, keyword, on, pos, report);
                }
            }
            ("vrrp_down_timer_adverts", Some(word)) => {
                if let Some(adverts) = down_adverts(word, keyword, report) {
                    put(&mut self.down_adverts, keyword, adverts, pos, report);
                }
            }
            ("vrrp_check_unicast_src", _) => {
                put(&mut self.check_unicast_source, keyword, true, pos, report);
            }
            ("vrrp_startup_delay", Some(word)) => {
                let range = Duration::ZERO..=MAX_STARTUP;
                if let Some(delay) = seconds(word, keyword, range, report) {
                    put(&mut self.startup_delay, keyword, delay, pos, report);
                }
            }
            ("vrrp_mcast_group4" | "vrrp_mcast_group6", Some(word)) => {
                multicast_group(word, keyword, report);
            }
            ("vrrp_strict", word) => strict(word, statement, report),
            ("script_user", Some(word)) => {
                same_group(Some(word), statement.parameters().get(1), report);
                self.script_user(word, keyword, report);
            }
            _ => {}
        }
    }

    /// Programs run as keepalived's own user when it is root, so here as the agent's own. An
    /// agent that may not change users would refuse every program otherwise.
    fn script_user(&mut self, word: &Word, keyword: &str, report: &mut Report) {
        if word.text != "root" {
            return put(&mut self.script_user, keyword, word.text.clone(), word.pos, report);
        }
        self.script_user = None;
        report.warning(
            word.pos,
            "script-user",
            "script_user root is not taken: programs run as the agent's own user",
            "see that they can, or give those that need it a `user root` of their own",
        );
    }
}

use super::super::lexeme::Word;
use std::ops::RangeInclusive;

pub(super) fn small(
    word: &Word,
    keyword: &str,
    range: RangeInclusive<i64>,
    report: &mut Report,
) -> Option<u8> {
    integer(word, keyword, range, report).and_then(|value| u8::try_from(value).ok())
}

pub(super) fn version(word: &Word, keyword: &str, report: &mut Report) -> Option<u8> {
    small(word, keyword, 2..=3, report)
}

/// `u32` microseconds.
const MAX_STARTUP: Duration = Duration::from_micros(4_294_967_295);
/// Most seconds that keepalived delays an announcement.
const MAX_DELAY: i64 = 4_294;
/// More than any switch forgets in.
const MAX_REFRESH: i64 = 86_400;

/// GARP times are whole seconds.
pub(super) fn whole_seconds(word: &Word, keyword: &str, report: &mut Report) -> Option<Span> {
    let most = if keyword.ends_with("refresh") { MAX_REFRESH } else { MAX_DELAY };
    let value = integer(word, keyword, 0..=most, report)?;
    u64::try_from(value).ok().map(Span::from_secs)
}

/// keepalived takes 1 to 100.
pub(super) fn down_adverts(word: &Word, keyword: &str, report: &mut Report) -> Option<u8> {
    small(word, keyword, 2..=10, report)
}

/// Adverts go to the groups of RFC 9568 §§ 5.1.1.2, 5.1.2.2 only.
pub(super) fn multicast_group(word: &Word, keyword: &str, report: &mut Report) {
    let standard: [IpAddr; 2] = [[224, 0, 0, 18].into(), [0xff02, 0, 0, 0, 0, 0, 0, 0x12].into()];
    let Some(group) = address(word, keyword, report) else {
        return;
    };
    if !standard.contains(&group) {
        report.error(
            word.pos,
            "not-supported",
            format!("{keyword} {group} is not supported: adverts go to 224.0.0.18 and ff02::12"),
            "remove it on all members",
        );
    }
}

pub(super) fn strict(word: Option<&Word>, statement: &Statement, report: &mut Report) {
    if switch(word, statement.keyword(), report) == Some(true) {
        report.error(
            statement.pos(),
            "not-supported",
            "strict mode is not supported: it drops packets to the addresses and forbids \
             authentication and unicast",
            "remove it on all members",
        );
    }
}
