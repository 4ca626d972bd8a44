//! The interop matrix: what ours and keepalived 2.2.7 do together, row by row and in each
//! direction. `tests/matrix.rs` plays every row on a real kernel, and `docs/interop.md` is rendered
//! from the same rows. What is deliberately absent: times; the demo and other tests print those.

mod rows;
mod scene;
mod setup;

use std::fmt::Write;
use std::net::Ipv4Addr;

pub use self::rows::{FELLOW, ROWS, VIP};
pub use self::scene::play;

/// Where the table is, relative to the root of the checkout.
pub const PATH: &str = "docs/interop.md";

/// Whether the addresses of a row are IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    Four,
    /// IPv6, with a link-local address first.
    Six,
}

/// What happens when one of the two is n1, which has the highest priority or the lower address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Story {
    /// The higher owns; the other one takes over when it stops or dies; it returns, and owns again.
    Rank,
    /// The same, but who stopped and returned leaves the VIP where it is.
    Keeps,
    /// The same, but who stopped and returned waits before it owns again.
    Waits,
    /// As [`Story::Rank`], and a stop moves the VIP long before the timer could end that a death
    /// has to wait for.
    Resigns,
    /// Who stopped and returned leaves the VIP where it is; of two equal masters the one with the
    /// higher address stays, as when a cut LAN heals.
    Tie,
    /// Of three hosts the first two go in turn and return in the other order; each time the best
    /// that is left owns.
    Succession,
    /// As [`Story::Rank`], and a fault of one instance of a sync group moves both.
    Together,
    /// Both own the VIP, because one of them discards what the other one says; when the first
    /// stops or dies the other one serves alone.
    TwoOwners {
        /// What keepalived's log says of it.
        theirs: &'static str,
        /// What our log says of it.
        ours: &'static str,
    },
}

/// One way of configuring both.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// As the table has it.
    pub name: &'static str,
    /// IPv4 or IPv6.
    pub family: Family,
    /// Lines of the instance that both have.
    pub both: &'static str,
    /// Lines that only our file has.
    pub ours: &'static str,
    /// Lines that only keepalived's file has.
    pub theirs: &'static str,
    /// Addresses that only keepalived's file has.
    pub theirs_adds: &'static str,
    /// The priorities of n1, n2 and, in a row of three hosts, n3. Neighbours run different
    /// programs.
    pub priorities: &'static [u8],
    /// VIP of a second instance, in a sync group with the first.
    pub fellow: Option<Ipv4Addr>,
    /// With ours on n1, and with keepalived on n1.
    pub stories: [Story; 2],
    /// What our log has to say in the end, in some role.
    pub report: Option<&'static str>,
}

/// The whole document.
pub fn render() -> String {
    let mut text = String::from(HEAD);
    for row in ROWS {
        write!(text, "| {} ", row.name).expect("a String takes all");
        for story in row.stories {
            let [stop, death] = cells(story);
            write!(text, "| {stop} | {death} ").expect("a String takes all");
        }
        text.push_str("|\n");
    }
    text
}

fn cells(story: Story) -> [String; 2] {
    let same = |text: &str| [text.to_owned(), text.to_owned()];
    match story {
        Story::Rank | Story::Succession => same("green"),
        Story::Resigns => {
            ["green: long before the timer".into(), "green: when the timer is over".into()]
        }
        Story::Together => ["green; so is a fault of one".into(), "green".into()],
        Story::Keeps => ["green: the peer keeps it".into(), "green".into()],
        Story::Waits => ["green: back after the delay".into(), "green".into()],
        Story::Tie => ["green: the peer keeps it".into(), "green: the higher address stays".into()],
        Story::TwoOwners { theirs, .. } => {
            same(&format!("two owners: `{theirs}`; the other one serves alone"))
        }
    }
}

const HEAD: &str = "\
# Beside keepalived

What the agent and keepalived 2.2.7 do with one virtual router, each on one host of a LAN. Every row
is played by a test on a real kernel (`tests/tests/matrix.rs`), which asks both kernels who has the
VIP and a client whether it reaches it. This file is rendered from what the tests declare:
`VIPFLEET_BLESS=1 cargo test -p vipfleet-tests --test matrix table` writes it, and without the
variable the same test fails when it differs.

*Stops* is SIGTERM and the start afterwards; *dies* is a host that is cut off without a word, and
comes back. *Green*: one owner, the right one, at rest, after the move and after the return; at
10 ms after the moves only. Otherwise both own the VIP before and after, keepalived's log has the
line that is shown, and ours names the disagreement. Rows without a word on preemption preempt.
Of three hosts the first and the third run the one program, the second the other; the first two go
in turn. At 11 s ours has `garp_master_refresh 10`: who gives way may be silent, and the client then
learns of the return only when the MASTER announces the VIP again. A virtual MAC on keepalived
alone, and what a client's neighbour table says of one, are in `tests/tests/virtual_mac.rs`.

| | ours higher, stops | ours higher, dies | keepalived higher, stops | keepalived higher, dies |
|---|---|---|---|---|
";
