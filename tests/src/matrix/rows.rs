//! The rows of the interop matrix.

use std::net::Ipv4Addr;

use super::{Family, Row, Story};

/// The address that every IPv4 row moves.
pub const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 248, 120);
/// The address of the second instance of a sync group.
pub const FELLOW: Ipv4Addr = Ipv4Addr::new(192, 168, 248, 121);

const PASS: &str = "version 2\n advert_int 1\n authentication {\n auth_type PASS\n \
                    auth_pass 1111\n }";

const PLAIN: Row = Row {
    name: "",
    family: Family::Four,
    both: "version 3\n advert_int 0.1",
    ours: "",
    theirs: "",
    theirs_adds: "",
    priorities: &[100, 80],
    fellow: None,
    stories: [Story::Rank; 2],
    report: None,
};

const OTHER_PASSWORD: Story =
    Story::TwoOwners { theirs: "received an invalid passwd!", ours: "both may be MASTER" };
const OTHER_INTERVAL: Story = Story::TwoOwners {
    theirs: "advertisement interval mismatch mine=2 sec rcv'd=1 sec",
    ours: "both may be MASTER",
};
const OTHER_ADDRESSES: Story = Story::TwoOwners {
    theirs: "received an unexpected ip number count 1, expected 2!",
    ours: "advertises other addresses than configured here",
};

/// All of them, in the order of the table.
pub const ROWS: &[Row] = &[
    Row { name: "v2, PASS, 1 s", both: PASS, ..PLAIN },
    Row { name: "v2, no password, 1 s", both: "version 2\n advert_int 1", ..PLAIN },
    Row { name: "v3, multicast, 1 s", both: "version 3\n advert_int 1", ..PLAIN },
    Row { name: "v3, multicast, 100 ms", ..PLAIN },
    Row { name: "v3, multicast, 10 ms", both: "version 3\n advert_int 0.01", ..PLAIN },
    Row {
        name: "v3, unicast, 100 ms",
        both: "version 3\n advert_int 0.1\n unicast_peer {\n PEER\n }",
        ..PLAIN
    },
    Row { name: "v3, IPv6, 100 ms", family: Family::Six, ..PLAIN },
    Row {
        name: "v3, virtual MAC on both, 100 ms",
        both: "version 3\n advert_int 0.1\n use_vmac",
        ..PLAIN
    },
    Row {
        name: "v3, IPv6, virtual MAC on both, 100 ms",
        family: Family::Six,
        both: "version 3\n advert_int 0.1\n use_vmac",
        ..PLAIN
    },
    Row { name: "v3, virtual MAC on ours, 100 ms", ours: "use_vmac", ..PLAIN },
    Row { name: "nopreempt", both: "version 3\n advert_int 0.1\n nopreempt", ..NOPREEMPT },
    Row {
        name: "preempt delay",
        both: "version 3\n advert_int 0.1\n preempt_delay 4",
        stories: [Story::Waits; 2],
        ..PLAIN
    },
    Row {
        name: "priority 0, v2 at 11 s",
        both: "version 2\n advert_int 11",
        // A keepalived that gives way is silent, and no advert may come for 11 s.
        ours: "garp_master_refresh 10",
        priorities: &[255, 254],
        stories: [Story::Resigns; 2],
        ..PLAIN
    },
    Row { name: "owner, priority 255", priorities: &[255, 100], ..PLAIN },
    Row {
        name: "equal priorities (the higher address belongs to the other one)",
        priorities: &[100, 100],
        stories: [Story::Tie; 2],
        ..PLAIN
    },
    Row {
        name: "keepalived has one more VIP",
        theirs_adds: "192.168.248.122",
        stories: [OTHER_ADDRESSES, Story::Rank],
        report: Some("advertises other addresses than configured here"),
        ..PLAIN
    },
    Row {
        name: "v2, other interval (1 s and 2 s)",
        both: "version 2",
        ours: "advert_int 1",
        theirs: "advert_int 2",
        stories: [OTHER_INTERVAL; 2],
        ..PLAIN
    },
    Row {
        name: "v3, other interval (200 ms and 500 ms)",
        both: "version 3",
        ours: "advert_int 0.2",
        theirs: "advert_int 0.5",
        report: Some("following its interval"),
        ..PLAIN
    },
    Row {
        name: "v2, other password",
        both: "version 2\n advert_int 1",
        ours: "authentication {\n auth_type PASS\n auth_pass 1111\n }",
        theirs: "authentication {\n auth_type PASS\n auth_pass 2222\n }",
        stories: [OTHER_PASSWORD; 2],
        ..PLAIN
    },
    Row {
        name: "sync group of two instances",
        fellow: Some(FELLOW),
        stories: [Story::Together; 2],
        ..PLAIN
    },
    Row {
        name: "three hosts, the programs by turns",
        priorities: &[150, 100, 50],
        stories: [Story::Succession; 2],
        ..PLAIN
    },
];

const NOPREEMPT: Row = Row { stories: [Story::Keeps; 2], ..PLAIN };
