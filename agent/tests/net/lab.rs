//! Network namespaces for one test: made with `ip netns`, removed when dropped, and a thread
//! inside one of them for whatever a test does there.

use nix::sched::{CloneFlags, setns};
use std::fs::File;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long tests wait for what takes well under a second on an idle machine.
pub(crate) const GENEROUS: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

static COUNT: AtomicU32 = AtomicU32::new(0);

/// Runs a program that must succeed.
#[track_caller]
pub(crate) fn run(command: &str) -> String {
    let output = output(command);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn output(command: &str) -> Output {
    let mut words = command.split_whitespace();
    let program = words.next().unwrap();
    let run = Command::new(program).args(words).output();
    run.unwrap_or_else(|error| panic!("{program} (package iproute2): {error}"))
}

/// Polls until `seen` comes true.
#[track_caller]
pub(crate) fn until(what: &str, mut seen: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !seen() {
        assert!(start.elapsed() < GENEROUS, "waited {GENEROUS:?} for {what}");
        std::thread::sleep(POLL);
    }
    start.elapsed()
}

/// A network namespace with `lo` up.
pub(crate) struct Namespace {
    name: String,
    /// Somebody else's to remove.
    joined: bool,
}

impl Namespace {
    pub(crate) fn new() -> Self {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("vfnet-{}-{count}", std::process::id());
        run(&format!("ip netns add {name}"));
        let namespace = Self { name, joined: false };
        namespace.ip("link set lo up");
        namespace
    }

    /// A namespace that another process made and removes.
    pub(crate) fn join(name: &str) -> Self {
        Self { name: name.to_owned(), joined: true }
    }

    /// `ip <arguments>` inside.
    #[track_caller]
    pub(crate) fn ip(&self, arguments: &str) -> String {
        run(&format!("ip -n {} {arguments}", self.name))
    }

    /// Runs `work` on a thread inside. Threads that it starts stay inside.
    pub(crate) fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let path = format!("/var/run/netns/{}", self.name);
        std::thread::scope(|scope| {
            let inside = scope.spawn(move || {
                setns(File::open(path).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
                work()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn index(&self, interface: &str) -> u32 {
        let shown = self.ip(&format!("-o link show dev {interface}"));
        shown.split(':').next().unwrap().parse().unwrap()
    }

    pub(crate) fn mac(&self, interface: &str) -> [u8; 6] {
        let shown = self.ip(&format!("-o link show dev {interface}"));
        let mut words = shown.split_whitespace().skip_while(|word| *word != "link/ether");
        let text = words.nth(1).unwrap();
        let octets: Vec<_> =
            text.split(':').map(|it| u8::from_str_radix(it, 16).unwrap()).collect();
        octets.try_into().unwrap()
    }

    /// The line of `ip -o addr` of one address with its prefix, if it is there.
    pub(crate) fn address(&self, interface: &str, address: &str) -> Option<String> {
        let shown = self.ip(&format!("-o addr show dev {interface}"));
        let wanted = format!(" {address} ");
        let is_it = |line: &&str| line.contains(&wanted);
        shown.lines().find(is_it).map(|line| line.replace('\\', " "))
    }

    pub(crate) fn has(&self, interface: &str, address: &str) -> bool {
        self.address(interface, address).is_some()
    }

    pub(crate) fn is_permanent(&self, interface: &str, address: &str) -> bool {
        let line = self.address(interface, address);
        line.is_some_and(|line| line.contains("valid_lft forever preferred_lft forever"))
    }

    pub(crate) fn setting(&self, interface: &str, key: &str) -> i32 {
        let path = format!("/proc/sys/net/ipv4/conf/{interface}/{key}");
        self.enter(|| std::fs::read_to_string(path).unwrap().trim().parse().unwrap())
    }

    pub(crate) fn set(&self, interface: &str, key: &str, value: i32) {
        let path = format!("/proc/sys/net/ipv4/conf/{interface}/{key}");
        self.enter(|| std::fs::write(path, value.to_string()).unwrap());
    }

    /// Routes of this agent in the local table.
    pub(crate) fn handover_routes(&self) -> String {
        let six = self.ip("-6 route show table local proto 112");
        self.ip("route show table local proto 112") + &six
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if !self.joined {
            output(&format!("ip netns del {}", self.name));
        }
    }
}

/// Two hosts on one wire: interface `eth0` on both, 10.77.0.1/24 and 10.77.0.2/24.
pub(crate) struct Pair {
    pub(crate) host: Namespace,
    pub(crate) client: Namespace,
}

impl Pair {
    pub(crate) fn new() -> Self {
        let pair = Self { host: Namespace::new(), client: Namespace::new() };
        pair.plug();
        pair.host.ip("addr add 10.77.0.1/24 dev eth0");
        pair.client.ip("addr add 10.77.0.2/24 dev eth0");
        pair
    }

    /// With 2001:db8::1/64 and fe80::1/64 on the host, ::2 on the client, usable at once.
    pub(crate) fn over_ipv6() -> Self {
        let pair = Self::new();
        for (number, namespace) in [(1, &pair.host), (2, &pair.client)] {
            namespace.ip(&format!("addr add fe80::{number}/64 dev eth0 nodad"));
            namespace.ip(&format!("addr add 2001:db8::{number}/64 dev eth0 nodad"));
        }
        pair
    }

    /// Makes the wire; both ends up, without addresses.
    pub(crate) fn plug(&self) {
        let client = self.client.name();
        self.host.ip(&format!("link add eth0 type veth peer name eth0 netns {client}"));
        self.host.ip("link set eth0 up");
        self.client.ip("link set eth0 up");
    }
}
