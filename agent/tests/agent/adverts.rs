//! What a neighbour hears.

use crate::lab::Host;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use vipfleet_agent::net::{Incoming, Packet, VrrpSocket};
use vipfleet_vrrp::{Family, Time, packet};

/// One advert as it came.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) at: Time,
    pub(crate) source: IpAddr,
    pub(crate) priority: u8,
    pub(crate) addresses: Vec<IpAddr>,
}

/// Listens on `eth0` of a host until dropped.
pub(crate) struct Listener {
    heard: Arc<Mutex<BTreeMap<u8, Vec<Heard>>>>,
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Listener {
    pub(crate) fn start(host: &Host) -> Self {
        Self::over(host, Family::Ipv4)
    }

    pub(crate) fn over(host: &Host, family: Family) -> Self {
        let shown = host.ip("-o link show dev eth0");
        let index = shown.split(':').next().unwrap().parse().unwrap();
        let (heard, ended) = (Arc::default(), Arc::default());
        let (theirs, stop) = (Arc::clone(&heard), Arc::clone(&ended));
        let thread = host.spawn(move || {
            let mut socket = VrrpSocket::open("eth0", index, family).unwrap();
            let mut incoming = Box::<Incoming>::default();
            while !AtomicBool::load(&stop, Ordering::Relaxed) {
                socket.read(&mut incoming).unwrap();
                incoming.packets().for_each(|packet| take(&theirs, &packet));
                std::thread::sleep(Duration::from_millis(2));
            }
        });
        Self { heard, ended, thread: Some(thread) }
    }

    pub(crate) fn of(&self, vrid: u8) -> Vec<Heard> {
        self.heard.lock().unwrap().get(&vrid).cloned().unwrap_or_default()
    }

    pub(crate) fn longest_gap(&self, vrid: u8) -> Duration {
        let heard = self.of(vrid);
        heard.windows(2).map(|two| two[1].at - two[0].at).max().unwrap_or_default()
    }
}

fn take(heard: &Mutex<BTreeMap<u8, Vec<Heard>>>, packet: &Packet<'_>) {
    let advert = packet::parse(packet.envelope, packet.message).unwrap();
    let (priority, addresses) = (advert.priority, advert.addresses().collect());
    let mut heard = heard.lock().unwrap();
    let of = heard.entry(advert.vrid.get()).or_default();
    let source = packet.envelope.source;
    of.push(Heard { at: packet.received, source, priority, addresses });
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().ok();
    }
}
