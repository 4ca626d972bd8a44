//! Interface checks, in a network namespace that ends with its thread.

use crate::scene::{Scene, lively};
use nix::sched::{CloneFlags, unshare};
use std::process::Command;
use vipfleet_agent::checks::ExecPolicy;
use vipfleet_model::check::{InterfaceProbe, Probe};

fn ip(arguments: &str) {
    assert!(Command::new("ip").args(arguments.split(' ')).status().unwrap().success());
}

#[test]
fn an_interface_is_up_only_with_carrier_and_in_this_namespace() {
    let alone = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        // One thread: everything happens in its namespace. /sys still shows another one.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let probe = Probe::Interface(InterfaceProbe { name: "vfl-a".into() });
            let mut scene = Scene::of(ExecPolicy::StandAlone, lively(probe));
            assert_eq!(scene.down().await, "no interface vfl-a on this host");
            ip("link add vfl-a type veth peer name vfl-b");
            ip("link set vfl-b up");
            ip("link set vfl-a up");
            assert_eq!(scene.up().await, "interface vfl-a is up with carrier");
            ip("link set vfl-b down");
            assert_eq!(scene.down().await, "interface vfl-a has no carrier");
            ip("link set vfl-b up");
            scene.up().await;
            ip("link set vfl-a down");
            assert_eq!(scene.down().await, "interface vfl-a is set down");
        });
    });
    alone.join().unwrap();
}
