//! `vrrp_instance`, as written.

use super::super::Lvs;
use super::super::cell::Pos;
use super::super::host::{Hook, Located};
use super::super::keyword::{INSTANCE, admit};
use super::super::lexeme::Word;
use super::super::report::Report;
use super::super::tree::Statement;
use super::super::value::{address, interface, seconds};
use super::check::Declared;
use super::global::{
    Globals, down_adverts, multicast_group, small, strict, version, whole_seconds,
};
use super::track::Tracks;
use super::{Put, addresses, authentication, hooks, put, routes, rules};
use crate::address::VirtualAddress;
use crate::instance::Authentication;
use crate::span::Span;
use std::net::IpAddr;
use std::time::Duration;

/// One for every priority below the own.
const MAX_PEERS: usize = 254;

/// The state an instance wants at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Master,
    Backup,
}

/// What a `vrrp_instance` says, no defaults filled in.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    title: &'a Word,
    pub(super) state: Put<Wanted>,
    pub(super) interface: Put<String>,
    pub(super) virtual_router_id: Put<u8>,
    pub(super) priority: Put<u8>,
    pub(super) version: Put<u8>,
    pub(super) advert_interval: Put<Span>,
    pub(super) authentication: Put<Authentication>,
    pub(super) addresses: Vec<(VirtualAddress, Pos)>,
    pub(super) excluded: Vec<(VirtualAddress, Pos)>,
    pub(super) routes: Vec<routes::Placed>,
    pub(super) rules: Vec<rules::Placed>,
    pub(super) source: Put<IpAddr>,
    pub(super) unicast: Put<()>,
    pub(super) peers: Vec<(IpAddr, Pos)>,
    pub(super) preempt: Put<bool>,
    pub(super) preempt_delay: Put<Span>,
    pub(super) down_adverts: Put<u8>,
    pub(super) garp_delay: Put<Span>,
    pub(super) garp_repeat: Put<u8>,
    pub(super) garp_refresh: Put<Span>,
    pub(super) check_unicast_source: Put<bool>,
    /// With the words after `use_vmac`.
    pub(super) virtual_mac: Put<Vec<String>>,
    pub(super) transmit_base: Put<()>,
    pub(super) tracks: Tracks,
    pub(super) hooks: Vec<Located<Hook>>,
    /// Keywords that were given, readable or not: a broken value is no missing one.
    pub(super) given: Vec<&'a str>,
}

/// Reads one instance.
pub(super) fn read<'a>(
    block: &'a Statement,
    globals: &Globals,
    checks: &mut Declared,
    lvs: Lvs,
    report: &mut Report,
) -> Draft<'a> {
    let mut draft = Draft::new(&block.parameters()[0]);
    let context = format!("vrrp_instance {}", draft.title.text);
    let mut tracks = Vec::new();
    for statement in block.statements() {
        draft.given.push(statement.keyword());
        if !admit(statement, INSTANCE, &context, lvs, report) {
            continue;
        }
        let keyword = statement.keyword();
        match keyword {
            "track_script" | "track_interface" | "track_process" => tracks.push(statement),
            "virtual_ipaddress" => addresses::read(statement, &mut draft.addresses, report),
            "virtual_ipaddress_excluded" => {
                addresses::read(statement, &mut draft.excluded, report);
            }
            "virtual_routes" => routes::read(statement, &mut draft.routes, report),
            "virtual_rules" => rules::read(statement, &mut draft.rules, report),
            "authentication" => {
                if let Some((authentication, pos)) = authentication::read(statement, report) {
                    put(&mut draft.authentication, keyword, authentication, pos, report);
                }
            }
            "unicast_peer" => draft.peers(statement, report),
            _ if keyword.starts_with("notify") => {
                hooks::read(&mut draft.hooks, statement, globals, report);
            }
            _ => draft.word(statement, report),
        }
    }
    let own = draft.interface.as_ref().map(|(name, _)| name.as_str());
    for statement in tracks {
        draft.tracks.read(statement, checks, own, report);
    }
    draft
}

impl<'a> Draft<'a> {
    fn new(title: &'a Word) -> Self {
        Self {
            title,
            state: None,
            interface: None,
            virtual_router_id: None,
            priority: None,
            version: None,
            advert_interval: None,
            authentication: None,
            addresses: Vec::new(),
            excluded: Vec::new(),
            routes: Vec::new(),
            rules: Vec::new(),
            source: None,
            unicast: None,
            peers: Vec::new(),
            preempt: None,
            preempt_delay: None,
            down_adverts: None,
            garp_delay: None,
            garp_repeat: None,
            garp_refresh: None,
            check_unicast_source: None,
            virtual_mac: None,
            transmit_base: None,
            tracks: Tracks::default(),
            hooks: Vec::new(),
            given: Vec::new(),
        }
    }

    pub(super) fn name(&self) -> &'a Word {
        self.title
    }

    /// Keywords followed by words.
    fn word(&mut self, statement: &Statement, report: &mut Report) {
        let keyword = statement.keyword();
        let Some(word) = statement.parameters().first() else {
            return self.flag(statement, report);
        };
        let pos = word.pos;
        match keyword {
            "state" => self.state(word, report),
            "interface" if word.text == "lo" => {
                let message = "VRRP cannot run on the loopback interface";
                report.error(pos, "bad-interface", message, "name a network interface");
            }
            "interface" => {
                let name = interface(word, report);
                put_some(&mut self.interface, keyword, name, pos, report);
            }
            "virtual_router_id" => {
                let id = small(word, keyword, 1..=255, report);
                put_some(&mut self.virtual_router_id, keyword, id, pos, report);
            }
            "priority" => {
                let priority = small(word, keyword, 1..=255, report);
                put_some(&mut self.priority, keyword, priority, pos, report);
            }
            "version" => {
                let version = version(word, keyword, report);
                put_some(&mut self.version, keyword, version, pos, report);
            }
            "advert_int" => {
                let range = Duration::from_millis(10)..=Duration::from_secs(255);
                let interval = seconds(word, keyword, range, report);
                put_some(&mut self.advert_interval, keyword, interval, pos, report);
            }
            "unicast_src_ip" | "mcast_src_ip" => {
                let source = address(word, keyword, report);
                put_some(&mut self.source, keyword, source, pos, report);
            }
            "preempt_delay" => {
                let range = Duration::ZERO..=Duration::from_secs(1_000);
                let delay = seconds(word, keyword, range, report);
                put_some(&mut self.preempt_delay, keyword, delay, pos, report);
            }
            "down_timer_adverts" => {
                let adverts = down_adverts(word, keyword, report);
                put_some(&mut self.down_adverts, keyword, adverts, pos, report);
            }
            "garp_master_delay" => {
                let delay = whole_seconds(word, keyword, report);
                put_some(&mut self.garp_delay, keyword, delay, pos, report);
            }
            "garp_master_repeat" => {
                let repeat = small(word, keyword, 1..=255, report);
                put_some(&mut self.garp_repeat, keyword, repeat, pos, report);
            }
            "garp_master_refresh" => {
                let refresh = whole_seconds(word, keyword, report);
                put_some(&mut self.garp_refresh, keyword, refresh, pos, report);
            }
            "mcast_dst_ip" => multicast_group(word, keyword, report),
            "unicast_ttl" => {
                let ttl = small(word, keyword, 0..=255, report);
                if ttl.is_some_and(|ttl| ttl != 255) {
                    let message = "adverts are sent with TTL 255 only";
                    report.error(pos, "not-supported", message, "remove it on all members");
                }
            }
            _ => self.flag(statement, report),
        }
    }

    /// Keywords that stand alone or may.
    fn flag(&mut self, statement: &Statement, report: &mut Report) {
        let keyword = statement.keyword();
        let pos = statement.pos();
        let word = statement.parameters().first();
        match keyword {
            "nopreempt" => put(&mut self.preempt, keyword, false, pos, report),
            "preempt" => put(&mut self.preempt, keyword, true, pos, report),
            "check_unicast_src" => {
                put(&mut self.check_unicast_source, keyword, true, pos, report);
            }
            "use_vmac" => {
                let words = statement.parameters().iter().map(|word| word.text.clone());
                put(&mut self.virtual_mac, keyword, words.collect(), pos, report);
            }
            "vmac_xmit_base" => put(&mut self.transmit_base, keyword, (), pos, report),
            "strict_mode" => strict(word, statement, report),
            "old_unicast_checksum" if word.is_none_or(|word| word.text != "never") => report.error(
                pos,
                "not-supported",
                "the checksum of keepalived before 1.4 is not supported",
                "upgrade the other members and remove it",
            ),
            _ => {}
        }
    }

    fn state(&mut self, word: &Word, report: &mut Report) {
        let wanted = match word.text.as_str() {
            "MASTER" => Wanted::Master,
            "BACKUP" => Wanted::Backup,
            other => {
                let message = format!("unknown state {other:?}");
                return report.error(word.pos, "bad-value", message, "write MASTER or BACKUP");
            }
        };
        if matches!(self.state, Some((Wanted::Master, _))) && wanted == Wanted::Backup {
            let message = "state is MASTER already; keepalived ignores this BACKUP";
            return report.warning(word.pos, "repeated-keyword", message, "remove one of them");
        }
        self.state = Some((wanted, word.pos));
    }

    fn peers(&mut self, block: &Statement, report: &mut Report) {
        self.unicast.get_or_insert(((), block.pos()));
        for line in block.statements() {
            let word = &line.words[0];
            let Some(peer) = address(word, "unicast_peer", report) else {
                continue;
            };
            if let Some(option) = line.parameters().first() {
                let message = format!("{:?} after a peer is not supported", option.text);
                let remedy = "write one peer a line; the TTL of unicast adverts is not checked";
                report.error(option.pos, "not-supported", message, remedy);
            }
            if self.peers.len() >= MAX_PEERS {
                let message = format!("an instance has at most {MAX_PEERS} unicast peers");
                return report.error(word.pos, "too-many", message, "list fewer");
            }
            if self.peers.iter().any(|(other, _)| *other == peer) {
                let message = format!("the peer {peer} is listed twice");
                report.warning(word.pos, "duplicate-address", message, "remove one of the lines");
                continue;
            }
            self.peers.push((peer, word.pos));
        }
    }
}

fn put_some<T>(slot: &mut Put<T>, keyword: &str, value: Option<T>, pos: Pos, report: &mut Report) {
    if let Some(value) = value {
        put(slot, keyword, value, pos, report);
    }
}
