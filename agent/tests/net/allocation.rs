//! What the path of an advert allocates: nothing, sent and received, in the loop as it runs.

use crate::agent::state_dir;
use crate::lab::{Namespace, Pair, until};
use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use vipfleet_agent::net::{self, Heartbeat, Net};
use vipfleet_agent::node::{self, Command, Former, Node, Notice, Notices, PreparedInstances};
use vipfleet_model::keepalived::{self, NoSources};
use vipfleet_model::report::InstanceState;

/// Counts what threads called `vrrp` ask for.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;
static BY_VRRP: AtomicU64 = AtomicU64::new(0);

fn count() {
    let mut name = [0_u8; 16];
    // SAFETY: prctl(2) writes at most 16 bytes for PR_GET_NAME.
    unsafe { nix::libc::prctl(nix::libc::PR_GET_NAME, name.as_mut_ptr()) };
    BY_VRRP.fetch_add(u64::from(name.starts_with(b"vrrp\0")), Ordering::Relaxed);
}

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller keeps the contract.
        unsafe { System.realloc(block, layout, size) }
    }
}

const INSTANCES: u64 = 40;

/// A node without anything around it.
struct Bare {
    node: Node,
    notices: Notices,
    thread: JoinHandle<()>,
}

impl Bare {
    fn start(host: &Namespace, state_dir: &Path, priority: u8) -> Self {
        let heartbeat = Arc::new(Heartbeat::new());
        let options =
            net::Options { state_dir: state_dir.into(), heartbeat: Arc::clone(&heartbeat) };
        let (node, notices, thread) = host.enter(|| {
            let (net, net_events) = Net::spawn(options).unwrap();
            let (node, boot_id) = ("n".parse().unwrap(), String::new());
            let former = Former::default();
            let (inherited, realtime) = (None, None);
            let options = node::Options {
                node,
                boot_id,
                former,
                inherited,
                net,
                net_events,
                heartbeat,
                realtime,
            };
            node::spawn(options).unwrap()
        });
        let mut text = String::from("global_defs {\n vrrp_version 3\n}\n");
        for vrid in 1..=INSTANCES {
            writeln!(
                text,
                "vrrp_instance VI_{vrid} {{\n interface eth0\n virtual_router_id {vrid}\n \
                 priority {priority}\n advert_int 0.1\n \
                 virtual_ipaddress {{\n 10.93.0.{vrid}\n 10.94.0.{vrid}\n }}\n}}"
            )
            .unwrap();
        }
        let options = keepalived::Options::default();
        let (host, _) = keepalived::parse("k.conf", text.as_bytes(), &NoSources, &options);
        let (assignment, _) = keepalived::assignment(&host);
        let prepared =
            node::prepare(1, "h".into(), &assignment, &PreparedInstances::default()).unwrap();
        wait(node.send(Command::Apply(Box::new(prepared)))).unwrap();
        Self { node, notices, thread }
    }

    fn is_in(&self, state: InstanceState) -> bool {
        let report = self.node.report.borrow();
        let count = report.instances.iter().filter(|it| it.state == state).count();
        report.settled && count as u64 == INSTANCES
    }

    fn adverts(&self) -> u64 {
        let report = self.node.report.borrow();
        report.instances.iter().map(|it| it.adverts_sent + it.adverts_received).sum()
    }

    fn stop(mut self) {
        // Said twice: nobody waits for a successor. One that has nothing to hand over is gone by
        // the second time.
        for _ in 0..2 {
            wait(self.node.send(Command::Stop)).ok();
        }
        while !matches!(wait(self.notices.recv()), None | Some(Notice::Stopped)) {}
        self.thread.join().unwrap();
    }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

#[test]
fn adverts_sent_and_received_allocate_nothing() {
    let (pair, dirs) = (Pair::new(), [state_dir(), state_dir()]);
    let master = Bare::start(&pair.host, dirs[0].path(), 200);
    until("40 masters", || master.is_in(InstanceState::Master));
    let backup = Bare::start(&pair.client, dirs[1].path(), 100);
    until("40 backups", || backup.is_in(InstanceState::Backup));
    // The second round of announcements, and what is published once more, are over by then.
    std::thread::sleep(Duration::from_secs(7));
    let heard = [master.adverts(), backup.adverts()];
    let (mut steps, mut last) = (0, BY_VRRP.load(Ordering::Relaxed));
    for _ in 0..120 {
        std::thread::sleep(Duration::from_millis(100));
        let now = BY_VRRP.load(Ordering::Relaxed);
        steps += u64::from(now != last);
        last = now;
    }
    // In twelve seconds each of the two publishes its counters three times at most, and a step
    // may be cut in two by a sample.
    assert!(steps <= 12, "the loops allocated in {steps} of 120 tenths of a second");
    for (node, before) in [&master, &backup].into_iter().zip(heard) {
        let adverts = node.adverts() - before;
        assert!(adverts > INSTANCES * 10 * 4, "{adverts} adverts in twelve seconds");
    }
    backup.stop();
    master.stop();
}
