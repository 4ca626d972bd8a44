//! The net thread under test, with a VRRP loop's heart beating beside it.

use crate::lab::{GENEROUS, Namespace};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use vipfleet_agent::net::{
    Desire, Device, Event, Events, Following, Heartbeat, LeaseTerms, Net, Options, Request, clock,
};
use vipfleet_model::VirtualAddress;
use vipfleet_vrrp::{Custody, Family, Vrid};

/// A heart that beats on a thread of its own until it is stopped.
struct Heart {
    heartbeat: Arc<Heartbeat>,
    beating: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Heart {
    fn new() -> Self {
        let heartbeat = Arc::new(Heartbeat::new());
        let (beating, ended) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let (heart, beats, ends) = (heartbeat.clone(), beating.clone(), ended.clone());
        let thread = std::thread::spawn(move || {
            while !ends.load(Ordering::Relaxed) {
                if beats.load(Ordering::Relaxed) {
                    heart.beat(clock::now());
                }
                std::thread::sleep(Heartbeat::INTERVAL / 4);
            }
        });
        Self { heartbeat, beating, ended, thread: Some(thread) }
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// One incarnation of the net thread in a namespace.
pub(crate) struct Agent {
    pub(crate) net: Option<Net>,
    pub(crate) events: Events,
    heart: Heart,
    /// Of the latest desire.
    serial: AtomicU64,
}

/// A state directory that outlives incarnations.
pub(crate) fn state_dir() -> TempDir {
    tempfile::tempdir().unwrap()
}

impl Agent {
    pub(crate) fn start(namespace: &Namespace, state_dir: &Path) -> Self {
        let heart = Heart::new();
        let state_dir: PathBuf = state_dir.to_owned();
        let options = Options { state_dir, heartbeat: heart.heartbeat.clone() };
        let (net, events) = namespace.enter(|| Net::spawn(options)).unwrap();
        Self { net: Some(net), events, heart, serial: AtomicU64::new(0) }
    }

    pub(crate) fn request(&self, request: Request) {
        self.net.as_ref().unwrap().request(request).unwrap();
    }

    pub(crate) fn desire(&self, instance: &str, addresses: &[&str], custody: Custody) {
        self.desire_for(instance, addresses, custody, Duration::from_millis(900));
    }

    /// A desire on `eth0` with the lease of a master-down interval.
    pub(crate) fn desire_for(
        &self,
        instance: &str,
        addresses: &[&str],
        custody: Custody,
        master_down: Duration,
    ) {
        self.desire_with(instance, addresses, custody, master_down, Following::default());
    }

    /// The same with routes and rules.
    pub(crate) fn desire_with(
        &self,
        instance: &str,
        addresses: &[&str],
        custody: Custody,
        master_down: Duration,
        following: Following,
    ) {
        let desire = self.plain(instance, addresses, custody, master_down);
        self.request(Request::Desire(Desire { following: Arc::new(following), ..desire }));
    }

    /// On the device of virtual router 51, for 3 s as far as others can tell.
    pub(crate) fn desire_on_device(
        &self,
        instance: &str,
        family: Family,
        addresses: &[&str],
        custody: Custody,
    ) {
        self.desire_on_device_of(instance, "eth0", family, addresses, custody);
    }

    pub(crate) fn desire_on_device_of(
        &self,
        instance: &str,
        parent: &str,
        family: Family,
        addresses: &[&str],
        custody: Custody,
    ) {
        let desire = self.plain(instance, addresses, custody, Duration::from_secs(3));
        let device = Device { parent: parent.into(), vrid: Vrid::new(51).unwrap(), family };
        let interface = device.name();
        self.request(Request::Desire(Desire { interface, device: Some(device), ..desire }));
    }

    fn plain(
        &self,
        instance: &str,
        addresses: &[&str],
        custody: Custody,
        master_down: Duration,
    ) -> Desire {
        Desire {
            instance: instance.parse().unwrap(),
            serial: self.serial.fetch_add(1, Ordering::Relaxed) + 1,
            interface: "eth0".into(),
            device: None,
            addresses: addresses.iter().map(|text| vip(text)).collect(),
            following: Arc::default(),
            custody,
            lease: LeaseTerms::of(master_down),
        }
    }

    pub(crate) fn stop_heart(&self) {
        self.heart.beating.store(false, Ordering::Relaxed);
    }

    pub(crate) fn start_heart(&self) {
        self.heart.beating.store(true, Ordering::Relaxed);
    }

    /// The next event that `wanted` picks; the ones before it are read and dropped.
    #[track_caller]
    pub(crate) fn expect<T>(&self, what: &str, wanted: impl Fn(&Event) -> Option<T>) -> T {
        let start = Instant::now();
        let mut seen = Vec::new();
        while start.elapsed() < GENEROUS {
            while let Some(event) = self.events.try_recv() {
                if let Some(found) = wanted(&event) {
                    return found;
                }
                seen.push(event);
            }
            let mut fds = [PollFd::new(&self.events, PollFlags::IN)];
            poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 100_000_000 })).unwrap();
        }
        panic!("waited {GENEROUS:?} for {what}; seen: {seen:#?}");
    }

    #[track_caller]
    pub(crate) fn expect_claimed(&self, instance: &str) {
        self.expect("Claimed", |event| match event {
            Event::Claimed { instance: name, .. } => (name.as_str() == instance).then_some(()),
            _ => None,
        });
    }

    /// Waits until the instance's truth is settled with its addresses in the kernel or not.
    #[track_caller]
    pub(crate) fn expect_settled(&self, instance: &str, wanted_in_kernel: bool) {
        self.expect("a settled truth", |event| match event {
            Event::Truth { instance: name, addresses, settled: true, .. } => {
                let all = addresses.iter().all(|it| it.in_kernel == wanted_in_kernel);
                (name.as_str() == instance && all).then_some(())
            }
            _ => None,
        });
    }

    /// Everything unread.
    pub(crate) fn drain(&self) -> Vec<Event> {
        std::iter::from_fn(|| self.events.try_recv()).collect()
    }

    /// Ends as a crash does: the kernel keeps what it has.
    pub(crate) fn crash(mut self) {
        self.net = None;
        self.expect_stopped();
    }

    pub(crate) fn shutdown(self) {
        self.request(Request::Shutdown);
        self.expect_stopped();
    }

    #[track_caller]
    fn expect_stopped(&self) {
        self.expect("Stopped", |event| (*event == Event::Stopped).then_some(()));
    }
}

pub(crate) fn vip(text: &str) -> VirtualAddress {
    let text = if text.contains('/') { text.to_owned() } else { format!("{text}/32") };
    let any = VirtualAddress::host([0, 0, 0, 0].into());
    VirtualAddress { address: text.parse().unwrap(), ..any }
}
