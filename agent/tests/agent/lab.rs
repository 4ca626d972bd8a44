//! Two hosts on one wire, `eth0` on both: 10.78.0.1/24 and 10.78.0.2/24. Network namespaces made
//! with `ip netns`, removed when dropped.

use nix::sched::{CloneFlags, setns};
use std::fs::File;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long tests wait for what takes far less on an idle machine.
pub(crate) const GENEROUS: Duration = Duration::from_secs(30);

static COUNT: AtomicU32 = AtomicU32::new(0);

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

/// Polls until `seen` gives something.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut seen: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = seen() {
            return found;
        }
        assert!(start.elapsed() < GENEROUS, "waited {GENEROUS:?} for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[track_caller]
pub(crate) fn until(what: &str, mut seen: impl FnMut() -> bool) {
    wait_for(what, || seen().then_some(()));
}

/// One host.
pub(crate) struct Host {
    name: String,
}

impl Host {
    fn new() -> Self {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("vfagent-{}-{count}", std::process::id());
        run(&format!("ip netns add {name}"));
        let host = Self { name };
        host.ip("link set lo up");
        // Link-local addresses come by themselves, and late.
        let path = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
        host.spawn(move || std::fs::write(path, "1").unwrap()).join().unwrap();
        host
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// `ip <arguments>` inside.
    #[track_caller]
    pub(crate) fn ip(&self, arguments: &str) -> String {
        run(&format!("ip -n {} {arguments}", self.name))
    }

    /// Runs `work` on a thread inside. Threads that it starts stay inside.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> std::thread::JoinHandle<T> {
        let path = format!("/var/run/netns/{}", self.name);
        std::thread::spawn(move || {
            setns(File::open(path).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
            work()
        })
    }

    /// A program inside, which is what its pid names.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Whether an address is on an interface, whatever its prefix.
    pub(crate) fn has(&self, address: &str) -> bool {
        self.line(address).is_some()
    }

    /// The line of `ip -o addr` of one address.
    pub(crate) fn line(&self, address: &str) -> Option<String> {
        let shown = self.ip("-o addr show");
        let wanted = format!(" {address}/");
        shown.lines().find(|line| line.contains(&wanted)).map(ToOwned::to_owned)
    }

    /// Everything that an agent could leave behind.
    pub(crate) fn state(&self) -> Vec<String> {
        let addresses = self.ip("-o addr show");
        let routes = self.ip("route show table all");
        let sysctls = ["arp_ignore", "arp_announce", "promote_secondaries"].map(|key| {
            let path = format!("/proc/sys/net/ipv4/conf/eth0/{key}");
            let read = move || std::fs::read_to_string(path).unwrap();
            format!("{key}={}", self.spawn(read).join().unwrap().trim())
        });
        let lines = addresses.lines().chain(routes.lines());
        lines.map(ToOwned::to_owned).chain(sysctls).collect()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        output(&format!("ip netns del {}", self.name));
    }
}

/// The two.
pub(crate) struct Lab {
    pub(crate) one: Host,
    pub(crate) two: Host,
}

impl Lab {
    pub(crate) fn new() -> Self {
        let lab = Self { one: Host::new(), two: Host::new() };
        lab.plug();
        lab
    }

    /// Lays the wire, with both ends up.
    pub(crate) fn plug(&self) {
        let peer = self.two.name();
        self.one.ip(&format!("link add eth0 type veth peer name eth0 netns {peer}"));
        for (host, number) in [(&self.one, 1), (&self.two, 2)] {
            host.ip("link set eth0 up");
            host.ip(&format!("addr add 10.78.0.{number}/24 dev eth0"));
        }
    }

    /// A second one beside it, `eth1` on both: 10.79.0.1/24 and 10.79.0.2/24.
    pub(crate) fn plug_second_wire(&self) {
        let peer = self.two.name();
        self.one.ip(&format!("link add eth1 type veth peer name eth1 netns {peer}"));
        for (host, number) in [(&self.one, 1), (&self.two, 2)] {
            host.ip("link set eth1 up");
            host.ip(&format!("addr add 10.79.0.{number}/24 dev eth1"));
        }
    }
}

/// What `ip monitor` says of one host's addresses, from its start on.
pub(crate) struct AddressMonitor {
    child: std::process::Child,
    log: tempfile::NamedTempFile,
}

impl AddressMonitor {
    pub(crate) fn start(host: &Host) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut command = host.command("ip");
        command.args(["-o", "monitor", "address"]).stdout(log.reopen().unwrap());
        let monitor = Self { child: command.spawn().unwrap(), log };
        // It listens once it shows what is done for it to see.
        until("ip monitor to listen", || {
            host.ip("addr add 192.0.2.254/32 dev lo");
            host.ip("addr del 192.0.2.254/32 dev lo");
            monitor.deletions("192.0.2.254") > 0
        });
        monitor
    }

    /// How often an address was deleted.
    /// Where an address was added and deleted, in order: `+eth0`, `-eth0`. Renewals are left out.
    pub(crate) fn moves(&self, address: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.log.path()).unwrap();
        let wanted = format!(" {address}/");
        let mut moves: Vec<String> = Vec::new();
        for line in text.lines().filter(|line| line.contains(&wanted)) {
            let (sign, line) = match line.strip_prefix("Deleted ") {
                Some(rest) => ('-', rest),
                None => ('+', line),
            };
            let interface = line.split_whitespace().nth(1).unwrap();
            let is_known = |it: &&String| it.ends_with(interface);
            let one = format!("{sign}{interface}");
            if moves.iter().rfind(is_known) != Some(&one) {
                moves.push(one);
            }
        }
        moves
    }

    pub(crate) fn deletions(&self, address: &str) -> usize {
        let text = std::fs::read_to_string(self.log.path()).unwrap();
        let wanted = format!(" {address}/");
        text.lines().filter(|line| line.starts_with("Deleted") && line.contains(&wanted)).count()
    }
}

impl Drop for AddressMonitor {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
