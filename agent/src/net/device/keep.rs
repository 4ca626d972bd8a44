//! Devices of virtual MACs step by step: made and set up before addresses are claimed, set down
//! and removed after they were let go. Part of the actor.

use super::book::Entry;
use super::{Aim, Device, named, set, settings};
use crate::net::actor::{Actor, Instance, RETRY};
use crate::net::clock;
use crate::net::error::Fault;
use crate::net::event::Event;
use crate::net::interface::Link;
use crate::net::ledger::Ledger;
use crate::net::place::{Holding, Place};
use crate::net::sysctl::{Borrowed, Key};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use rustix::io::Errno;
use std::collections::BTreeMap;
use vipfleet_model::Name;
use vipfleet_vrrp::{Custody, Family};

impl Actor {
    /// What a former incarnation made and left: ours again, once somebody wants it. Returns what
    /// of its settings must stay until then.
    pub(in crate::net) fn adopt_devices(&mut self, former: &mut Ledger) {
        for device in std::mem::take(&mut former.devices) {
            let name = device.name();
            let parent = self.mirror.index_of(&device.parent);
            let link = self.mirror.index_of(&name).and_then(|index| self.mirror.link(index));
            let (Some(parent), Some(link)) = (parent, link) else { continue };
            if !device.is_as_made(link, parent) {
                continue;
            }
            let kept =
                |it: &Borrowed| it.interface == device.parent && Key::SILENCE.contains(&it.key);
            if device.family == Family::Ipv4 {
                let kept = former.settings.extract_if(.., |it| kept(it));
                kept.for_each(|borrowed| self.settings.adopt(parent, borrowed));
            }
            let index = Some(link.index);
            self.devices.entries.insert(name, Entry { index, ..Entry::new(device) });
            self.devices.stale = true;
        }
    }

    /// Makes what is wanted and sets up what is to serve. Before claims.
    pub(in crate::net) async fn make_devices(&mut self) {
        let due = self.devices.next_try().is_some_and(|at| at <= clock::now());
        if !(self.devices.stale || due) {
            return;
        }
        self.aim_devices();
        let wanted = self.devices.entries.iter().filter(|(_, entry)| entry.aim.is_some());
        for name in wanted.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            let before = self.devices.index_of(&name);
            self.make(&name).await;
            if self.devices.index_of(&name) != before {
                self.touch_interface(&name);
            }
        }
        self.tell_obstacles();
    }

    /// Sets down what does not serve, and removes what nobody wants. After addresses went. True
    /// when there may be more: another's device may have waited for the name.
    pub(in crate::net) async fn rest_devices(&mut self) -> bool {
        if !std::mem::take(&mut self.devices.stale) {
            return false;
        }
        let rests = |(name, entry): (&String, &Entry)| Some((name.clone(), self.rest(entry)?));
        let resting: Vec<_> = self.devices.entries.iter().filter_map(rests).collect();
        for (name, rest) in resting {
            match rest {
                Rest::Down(index) => {
                    if let Err(error) = self.set(index, Aim::Down).await {
                        // Looked at again with the next resync.
                        tracing::warn!(device = %name, %error, "not set down");
                        self.devices.stale = false;
                    }
                }
                Rest::Remove(index) => {
                    self.devices.entries.remove(&name);
                    self.delete(&name, index).await;
                    self.unwritten = true;
                    self.put_settings_back();
                }
            }
        }
        self.devices.stale
    }

    /// What is to be done about a device that serves nobody. Whoever lets its last address go has
    /// this looked at again.
    fn rest(&self, entry: &Entry) -> Option<Rest> {
        let link = self.mirror.link(entry.index?)?;
        let serves = self.mirror.addresses_of(link.index).iter().any(|it| self.is_own(it));
        match entry.aim {
            _ if serves => None,
            None => self.is_reconciled().then_some(Rest::Remove(link.index)),
            Some(Aim::Down) if link.up => Some(Rest::Down(link.index)),
            Some(_) => None,
        }
    }

    /// What instances want of devices.
    fn aim_devices(&mut self) {
        let entries = &mut self.devices.entries;
        entries.values_mut().for_each(|entry| entry.aim = None);
        for instance in self.instances.values() {
            let Some(device) = &instance.desire.device else { continue };
            let entry = entries.entry(device.name()).or_insert_with(|| Entry::new(device.clone()));
            if entry.aim.is_none() && entry.device != *device && entry.index.is_none() {
                *entry = Entry::new(device.clone());
            }
            if entry.device == *device {
                entry.aim = entry.aim.max(Some(aim(instance, &self.holdings)));
            }
        }
        let unwanted = entries.values_mut().filter(|entry| entry.aim.is_none());
        unwanted.for_each(|entry| entry.not_before = None);
        // One that nobody wants and that is not there is nothing.
        entries.retain(|_, entry| entry.aim.is_some() || entry.index.is_some());
    }

    /// Takes one device as far as it goes.
    async fn make(&mut self, name: &str) {
        let now = clock::now();
        let Some(entry) = self.devices.entries.get(name) else { return };
        let (device, aim) = (entry.device.clone(), entry.aim);
        let Some(parent) = self.mirror.index_of(&device.parent) else {
            // Whoever needs it is told of that.
            if let Some(entry) = self.devices.entries.get_mut(name) {
                (entry.not_before, entry.fault) = (None, None);
            }
            return;
        };
        if entry.not_before.is_some_and(|at| at > now) {
            return;
        }
        let outcome = self.take_steps(name, &device, parent, aim).await;
        let Some(entry) = self.devices.entries.get_mut(name) else { return };
        (entry.not_before, entry.fault) = (None, outcome.err());
        if entry.fault.is_some() {
            entry.not_before = Some(clock::now() + RETRY);
        } else if entry.lost.take() == Some(parent) {
            entry.repaired = Some(now);
            for instance in self.users(&device) {
                self.events.send(Event::Restored { instance, what: device.to_string() });
            }
        }
    }

    async fn take_steps(
        &mut self,
        name: &str,
        device: &Device,
        parent: u32,
        aim: Option<Aim>,
    ) -> Result<(), Fault> {
        let held = self.devices.entries.get(name).and_then(|entry| entry.index);
        let link = |actor: &Self| {
            actor.mirror.index_of(name).and_then(|it| actor.mirror.link(it).cloned())
        };
        if let Some(index) = held
            && link(self).is_none_or(|it| it.index != index || !device.is_as_made(&it, parent))
        {
            // Somebody made another thing of it.
            self.delete(name, index).await;
            if let Some(entry) = self.devices.entries.get_mut(name) {
                (entry.index, entry.prepared, entry.lost) = (None, false, Some(parent));
            }
        }
        let ours = |actor: &Self| actor.devices.entries.get(name).and_then(|it| it.index);
        if link(self).is_some() && ours(self).is_none() {
            return Err(Fault::device_of_others(device));
        }
        if link(self).is_none() {
            self.create(name, device, parent).await?;
        }
        let Some(link) = link(self) else {
            return Err(Fault::kernel(&format!("make {device}"), Errno::NODEV));
        };
        let prepared = self.devices.entries.get(name).is_some_and(|it| it.prepared);
        if !prepared {
            settings::prepare(name, device.family)?;
            if device.family == Family::Ipv4 {
                self.borrow(parent, &device.parent, &Key::SILENCE).await?;
            }
            if let Some(entry) = self.devices.entries.get_mut(name) {
                entry.prepared = true;
            }
        }
        if aim == Some(Aim::Up) && !link.up {
            let refused = |error| Fault::kernel(&format!("set up {device}"), error);
            self.set(link.index, Aim::Up).await.map_err(refused)?;
        }
        Ok(())
    }

    /// Written to the ledger first, so that after a crash it is known to be ours.
    async fn create(&mut self, name: &str, device: &Device, parent: u32) -> Result<(), Fault> {
        if let Some(entry) = self.devices.entries.get_mut(name) {
            entry.fault = None;
        }
        self.write_ledger().await;
        let message = RouteNetlinkMessage::NewLink(device.creation(parent));
        let made = self.netlink.batch(vec![(message, NLM_F_CREATE | NLM_F_EXCL)]).await;
        self.unwritten = true;
        match made.into_iter().next() {
            Some(Ok(())) => {}
            Some(Err(Errno::EXIST)) => {
                self.resync_wanted = true;
                return Err(Fault::device_of_others(device));
            }
            Some(Err(error)) => return Err(Fault::device(device, error)),
            None => return Err(Fault::device(device, Errno::CONNRESET)),
        }
        let index = self.look_at(named(0), Some(name)).await;
        if let Some(entry) = self.devices.entries.get_mut(name) {
            entry.index = index;
        }
        Ok(())
    }

    async fn set(&mut self, index: u32, aim: Aim) -> Result<(), Errno> {
        let message = RouteNetlinkMessage::SetLink(set(index, aim));
        let outcome = self.netlink.batch(vec![(message, 0)]).await.into_iter().next();
        self.look_at(named(index), None).await;
        outcome.unwrap_or(Err(Errno::CONNRESET))
    }

    /// Our own changes are not told us. Returns the link's index.
    async fn look_at(
        &mut self,
        mut question: netlink_packet_route::link::LinkMessage,
        name: Option<&str>,
    ) -> Option<u32> {
        use netlink_packet_route::link::LinkAttribute::IfName;
        question.attributes.extend(name.map(|name| IfName(name.to_owned())));
        let answer = self.netlink.ask(vec![RouteNetlinkMessage::GetLink(question)]).await;
        let Some(Some(RouteNetlinkMessage::NewLink(message))) = answer.into_iter().next() else {
            return None;
        };
        let link = Link::from_message(&message)?;
        let index = link.index;
        self.link_is(link);
        self.links_changed = true;
        Some(index)
    }

    async fn delete(&mut self, name: &str, index: u32) {
        let message = RouteNetlinkMessage::DelLink(named(index));
        match self.netlink.batch(vec![(message, 0)]).await.into_iter().next() {
            Some(Err(error)) if error != Errno::NODEV => {
                tracing::warn!(device = name, %error, "not removed");
            }
            _ => tracing::info!(device = name, "removed"),
        }
        self.link_went(index);
        self.links_changed = true;
    }

    /// Shutdown: nothing of ours stays.
    pub(in crate::net) async fn remove_devices(&mut self) {
        for (name, entry) in std::mem::take(&mut self.devices.entries) {
            if let Some(index) = entry.index {
                self.delete(&name, index).await;
            }
        }
    }

    /// Interfaces whose settings devices need: ARP is IPv4's.
    pub(in crate::net) fn parents_of_devices(&self) -> Vec<u32> {
        let needs = |it: &&Entry| it.index.is_some() && it.device.family == Family::Ipv4;
        let made = self.devices.entries.values().filter(needs);
        made.filter_map(|entry| self.mirror.index_of(&entry.device.parent)).collect()
    }

    fn users(&self, device: &Device) -> Vec<Name> {
        let uses = |it: &&Instance| it.desire.device.as_ref() == Some(device);
        self.instances.values().filter(uses).map(|it| it.desire.instance.clone()).collect()
    }

    /// Tells each instance what keeps its device from being there, when that changed.
    fn tell_obstacles(&mut self) {
        let mut obstacles = BTreeMap::new();
        for (name, instance) in &self.instances {
            let Some(device) = &instance.desire.device else { continue };
            let Some(entry) = self.devices.entries.get(&device.name()) else { continue };
            if entry.device != *device {
                obstacles.insert(name.clone(), Fault::device_elsewhere(device, &entry.device));
            } else if let Some(fault) = &entry.fault {
                obstacles.insert(name.clone(), fault.clone());
            }
        }
        let now: BTreeMap<_, _> =
            obstacles.into_iter().map(|(name, fault)| (name, fault.to_string())).collect();
        let gone = self.devices.told.keys().filter(|name| !now.contains_key(*name));
        for instance in gone.cloned() {
            self.events.send(Event::Device { instance, obstacle: None });
        }
        for (instance, text) in &now {
            if self.devices.told.get(instance) != Some(text) {
                let (instance, obstacle) = (instance.clone(), Some(text.clone()));
                self.events.send(Event::Device { instance, obstacle });
            }
        }
        self.devices.told = now;
    }
}

/// Of a device that serves nobody.
enum Rest {
    Down(u32),
    Remove(u32),
}

/// Up while an instance serves. One whose lease is over must be wished anew.
fn aim(instance: &Instance, holdings: &BTreeMap<Place, Holding>) -> Aim {
    let name = &instance.desire.instance;
    let mut wants = instance.places.iter().filter_map(|place| holdings.get(place)?.wants.of(name));
    let serves = instance.desire.custody == Custody::Serving && !wants.any(|want| want.expired);
    if serves { Aim::Up } else { Aim::Down }
}
