//! One suite, written once against `dyn Store`, run on every store; and what only one of them
//! can suffer. The etcd half runs a real etcd of its own per test.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod backend;
mod concurrency;
mod definitions;
mod embedded_only;
mod epoch;
#[cfg(feature = "etcd")]
mod etcd_only;
#[cfg(feature = "etcd")]
mod etcd_server;
mod history;
mod nodes;
mod opening;
mod samples;
mod transitions;
mod watching;

/// Runs each case on each store.
macro_rules! on_every_store {
    ($($module:ident :: $case:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let mut backend = crate::backend::Embedded::new();
                crate::$module::$case(&mut backend).await;
            })+
        }

        #[cfg(feature = "etcd")]
        mod etcd {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let mut backend = crate::backend::Etcd::new();
                crate::$module::$case(&mut backend).await;
            })+
        }
    };
}

on_every_store! {
    concurrency::a_race_makes_one_identity,
    concurrency::of_commits_with_one_base_one_wins,
    concurrency::a_watcher_sees_every_change_of_two_replicas_once_and_in_order,
    concurrency::a_thousand_node_records_at_once_all_arrive,
    definitions::a_new_store_is_empty,
    definitions::what_was_committed_is_read_back,
    definitions::a_change_against_an_old_revision_is_refused,
    definitions::a_put_of_what_is_stored_is_no_change,
    definitions::of_a_mixed_change_only_what_differs_is_recorded,
    definitions::a_deleted_definition_is_gone_and_can_come_back,
    definitions::deleting_what_is_not_there_is_no_change,
    definitions::two_thousand_definitions_appear_at_once,
    definitions::ten_thousand_definitions_appear_at_once,
    definitions::planned_moves_are_kept_beside_what_is_declared,
    definitions::everything_is_there_after_a_restart,
    epoch::is_raised_by_one_and_outlives_a_restart,
    epoch::of_two_that_raise_it_at_once_none_takes_it_back,
    history::is_newest_first_and_comes_in_pages,
    history::of_one_key_shows_only_changes_that_touch_it,
    history::definitions_can_be_read_as_of_every_revision,
    history::a_revision_that_never_was_is_refused,
    history::an_old_revision_can_be_committed_again,
    nodes::facts_that_did_not_change_are_not_written,
    nodes::the_latest_record_of_a_node_is_kept,
    nodes::a_large_record_is_kept_whole,
    nodes::replicas_are_seen_to_beat,
    transitions::each_has_a_revision_of_its_own_in_order,
    transitions::a_repeated_append_changes_nothing,
    transitions::of_several_nodes_come_in_one_order_and_in_pages,
    transitions::beyond_the_kept_number_a_gap_is_told,
    watching::from_zero_delivers_all_that_was_written,
    watching::from_now_delivers_only_what_comes,
    watching::from_the_middle_misses_and_repeats_nothing,
    watching::a_slow_watcher_misses_no_definition_and_no_transition,
    watching::from_a_snapshot_joins_it_without_seam,
    watching::survives_a_restart_of_the_store,
}
