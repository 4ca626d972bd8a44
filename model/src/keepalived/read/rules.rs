//! Lines of `virtual_rules`.

use super::super::cell::Pos;
use super::super::lexeme::Word;
use super::super::report::Report;
use super::super::tree::Statement;
use super::super::value::{integer, interface};
use super::addresses::value;
use super::routes::{last, number, table};
use crate::instance::Family;
use crate::routing::{VirtualRule, default_network, network};
use ipnet::IpNet;

/// More than a kernel should ask for every packet.
const MAX_RULES: usize = 1_000;

/// A rule and where it is written.
pub(super) type Placed = (VirtualRule, Pos);

/// Reads every line of the block; broken ones are findings and left out.
pub(super) fn read(block: &Statement, into: &mut Vec<Placed>, report: &mut Report) {
    for line in block.statements() {
        if line.block.is_some() {
            let message = format!("no block belongs into {}", block.keyword());
            report.error(line.pos(), "stray-block", message, "remove the braces");
            continue;
        }
        let Some(rule) = Line::default().read(line, report) else { continue };
        if into.len() >= MAX_RULES {
            let message = format!("an instance has at most {MAX_RULES} rules");
            return report.error(line.pos(), "too-many", message, "write fewer");
        }
        if into.iter().any(|(other, _)| *other == rule) {
            let message = "the rule is there already";
            report.warning(line.pos(), "duplicate-rule", message, "remove one of the lines");
            continue;
        }
        into.push((rule, line.pos()));
    }
}

/// A rule without a prefix is IPv4 to keepalived, and of the instance's family here; a prefix
/// that says no more than the family does is left out.
pub(super) fn settled(mut rule: VirtualRule, family: Family) -> VirtualRule {
    let ipv4 = rule.ipv4().unwrap_or(true);
    let every = |net: &mut IpNet| net.prefix_len() == 0;
    rule.from.take_if(every);
    rule.to.take_if(every);
    if rule.ipv4().is_none() && ipv4 != (family == Family::Ipv4) {
        rule.from = Some(default_network(|| !ipv4));
    }
    rule
}

/// What a line says.
#[derive(Debug, Default)]
struct Line {
    ipv6: bool,
    from: Option<IpNet>,
    to: Option<IpNet>,
    iif: Option<String>,
    oif: Option<String>,
    fwmark: Option<u32>,
    fwmask: Option<u32>,
    table: Option<u32>,
    priority: Option<u32>,
}

impl Line {
    fn read(mut self, line: &Statement, report: &mut Report) -> Option<VirtualRule> {
        let mut words = line.words.iter();
        while let Some(word) = words.next() {
            self.word(word, &mut words, report)?;
        }
        self.finish(line.pos(), report)
    }

    /// `None` when the rest of the line cannot be understood.
    fn word<'a>(
        &mut self,
        word: &'a Word,
        words: &mut impl Iterator<Item = &'a Word>,
        report: &mut Report,
    ) -> Option<()> {
        match word.text.as_str() {
            "from" => self.from = prefix(value(word, words, report)?, report)?,
            "to" => self.to = prefix(value(word, words, report)?, report)?,
            "inet" | "inet6" => self.ipv6 = last(word, words, report)?,
            "iif" | "dev" => self.iif = Some(interface(value(word, words, report)?, report)?),
            "oif" => self.oif = Some(interface(value(word, words, report)?, report)?),
            "fwmark" => self.mark(value(word, words, report)?, report)?,
            "table" | "lookup" => self.table = Some(table(value(word, words, report)?, report)?),
            "preference" | "priority" | "order" => {
                let word = value(word, words, report)?;
                let priority = integer(word, "preference", 1..=32_765, report)?;
                self.priority = u32::try_from(priority).ok();
            }
            // A rule that goes missing is added again, and never moves the addresses.
            "no_track" => {}
            option if UNSUPPORTED.contains(&option) => {
                let message = format!("{option} of a rule is not supported");
                let remedy = "remove it, or set the rule in a notify script";
                report.error(word.pos, "not-supported", message, remedy);
                return None;
            }
            other => {
                let message = format!("unknown option {other:?} of a rule");
                let remedy = "options are from, to, iif, oif, fwmark, table, preference, \
                              no_track; write one rule a line";
                report.error(word.pos, "unknown-keyword", message, remedy);
                return None;
            }
        }
        Some(())
    }

    /// `MARK` or `MARK/MASK`.
    fn mark(&mut self, word: &Word, report: &mut Report) -> Option<()> {
        let (mark, mask) = match word.text.split_once('/') {
            None => (number(&word.text), None),
            Some((mark, mask)) => (number(mark), Some(number(mask))),
        };
        let bits = mask.map_or(Some(u32::MAX), |mask| mask);
        let (Some(mark), Some(bits)) = (mark, bits) else {
            let message = format!("fwmark {:?} is no mark", word.text);
            report.error(word.pos, "bad-value", message, "write 16, 0x10 or 0x10/0xff");
            return None;
        };
        if mark & !bits != 0 {
            let message = format!("no packet matches {mark:#x} in the bits of {bits:#x}");
            report.error(word.pos, "bad-value", message, "write a mark within the mask");
            return None;
        }
        self.fwmark = Some(mark);
        self.fwmask = mask.flatten();
        Some(())
    }

    fn finish(self, start: Pos, report: &mut Report) -> Option<VirtualRule> {
        let Line { ipv6, from, to, iif, oif, fwmark, fwmask, table, priority } = self;
        if let (Some(from), Some(to)) = (from, to)
            && Family::of(from.addr()) != Family::of(to.addr())
        {
            let message = format!("{to} is not of the family of {from}");
            let remedy = "write both as IPv4, or both as IPv6";
            report.error(start, "mixed-families", message, remedy);
            return None;
        }
        let Some(table) = table else {
            let message = "the rule names no table";
            report.error(start, "missing-value", message, "add: table NUMBER");
            return None;
        };
        let Some(priority) = priority else {
            let message = "the rule has no preference; keepalived makes one up";
            report.error(start, "missing-value", message, "add: preference 1 to 32765");
            return None;
        };
        let from = match (from, to) {
            (None, None) if ipv6 => Some(default_network(|| true)),
            (from, _) => from,
        };
        Some(VirtualRule { from, to, iif, oif, fwmark, fwmask, table, priority })
    }
}

/// What keepalived knows of ip-rule(8) and vipfleet does not.
const UNSUPPORTED: [&str; 16] = [
    "not",
    "goto",
    "nop",
    "blackhole",
    "unreachable",
    "prohibit",
    "tos",
    "dsfield",
    "realms",
    "uidrange",
    "l3mdev",
    "protocol",
    "ip_proto",
    "sport",
    "dport",
    "suppress_prefixlength",
];

/// `Some(None)`: every address, of a family that something else has to say.
#[expect(clippy::option_option, reason = "broken, every address, a prefix")]
fn prefix(word: &Word, report: &mut Report) -> Option<Option<IpNet>> {
    if matches!(word.text.as_str(), "default" | "all" | "any") {
        return Some(None);
    }
    let Some(net) = network(&word.text) else {
        let message = format!("{:?} is no prefix", word.text);
        let remedy = "write it as 10.0.0.0/8, 192.0.2.10 or 2001:db8::/32";
        report.error(word.pos, "bad-address", message, remedy);
        return None;
    };
    // The kernel looks at no others.
    Some(Some(net.trunc()))
}
