//! The interop matrix: one test a row, and one that holds `docs/interop.md` against the rows.

use std::path::Path;

use vipfleet_tests::matrix::{PATH, ROWS, play, render};

macro_rules! rows {
    ($($test:ident: $row:literal,)+) => {
        const PLAYED: &[&str] = &[$($row),+];
        $(
            #[test]
            fn $test() {
                play($row);
            }
        )+
    };
}

rows! {
    version_two_with_a_password: "v2, PASS, 1 s",
    version_two_without_a_password: "v2, no password, 1 s",
    version_three_by_multicast: "v3, multicast, 1 s",
    version_three_ten_times_a_second: "v3, multicast, 100 ms",
    version_three_a_hundred_times_a_second: "v3, multicast, 10 ms",
    version_three_by_unicast: "v3, unicast, 100 ms",
    version_three_over_ipv6: "v3, IPv6, 100 ms",
    a_virtual_mac_on_both: "v3, virtual MAC on both, 100 ms",
    a_virtual_mac_on_both_over_ipv6: "v3, IPv6, virtual MAC on both, 100 ms",
    a_virtual_mac_on_ours: "v3, virtual MAC on ours, 100 ms",
    who_does_not_preempt_leaves_the_vip_where_it_is: "nopreempt",
    who_preempts_with_a_delay_waits: "preempt delay",
    priority_zero_moves_the_vip_long_before_the_timer_that_a_death_waits_for:
        "priority 0, v2 at 11 s",
    an_owner_goes_and_returns: "owner, priority 255",
    of_equal_masters_the_higher_address_stays:
        "equal priorities (the higher address belongs to the other one)",
    another_list_of_vips_is_reported_and_never_discarded_by_ours: "keepalived has one more VIP",
    another_interval_of_version_two_makes_two_owners: "v2, other interval (1 s and 2 s)",
    another_interval_of_version_three_is_learned: "v3, other interval (200 ms and 500 ms)",
    another_password_makes_two_owners: "v2, other password",
    a_sync_group_moves_as_one: "sync group of two instances",
    of_three_hosts_the_best_that_is_left_serves: "three hosts, the programs by turns",
}

#[test]
fn the_table_is_what_the_tests_play() {
    let rows: Vec<_> = ROWS.iter().map(|row| row.name).collect();
    assert_eq!(rows, PLAYED, "every row of the table has a test, in this order");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(PATH);
    if std::env::var_os("VIPFLEET_BLESS").is_some() {
        std::fs::write(&path, render()).expect("a writable checkout");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == render(),
        "{PATH} is not what the tests declare: run with VIPFLEET_BLESS=1 and read the difference"
    );
}
