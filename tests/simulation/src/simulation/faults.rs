//! Carries out the steps of a plan, and undoes each when its time has come.

use super::{Event, Simulation};
use crate::checker::Happening;
use crate::definition::Definition;
use crate::host::Order;
use crate::plan::{Action, Change};
use crate::tally::Tally;
use crate::world::Status;
use std::rc::Rc;
use std::time::Duration;

impl Simulation<'_> {
    pub(super) fn step_begins(&mut self, number: usize) {
        let plan = self.plan;
        let step = &plan.steps[number];
        self.trace.note(self.world.now, None, None, || format!("{:?}", step.action));
        if let Some(lasts) = step.action.lasts() {
            self.schedule(self.world.now + lasts, Event::Ends(number));
        }
        match &step.action {
            Action::Partition { lan, groups, .. } => self.partition(*lan, groups, Self::cut),
            Action::Deaf { lan, host, from, .. } => self.cut(*lan, *from, *host),
            Action::Weather { weather, .. } => self.set_weather(*weather),
            // Nothing can be done to a machine whose clock stands still but cut its power.
            Action::Kill { host, .. } if self.world.hosts[*host].status == Status::Paused => {}
            Action::Kill { host, .. } => self.kill(*host),
            Action::PowerOff { host, .. } => self.power_off(*host),
            Action::Freeze { host, .. } => self.pass_into(*host, Status::Frozen),
            Action::Stall { host, .. } => self.pass_into(*host, Status::Stalled),
            Action::Pause { host, .. } | Action::Suspend { host, .. } => {
                self.pass_into(*host, Status::Paused);
            }
            Action::LinkDown { lan, host, .. } => self.link(*lan, *host, true),
            Action::Fault { host, instance, .. } => {
                self.tally(*host, *instance, |tally| tally.faults += 1);
            }
            Action::Weaken { host, instance, by, .. } => {
                self.tally(*host, *instance, |tally| tally.weakened -= by);
            }
            Action::Unsure { host, instance, .. } => {
                self.tally(*host, *instance, |tally| tally.unsure += 1);
            }
            Action::Restart { host, .. } => self.order(*host, Order::Stop),
            Action::Drain { host, instance, .. } => self.drain(*host, *instance, true),
            Action::Redefine { instance, change, delays } => {
                self.redefine(*instance, *change, delays);
            }
            Action::Recreate { instance, deleted, .. } => self.exist(*instance, false, deleted),
        }
        self.judge(&Happening::Step { action: &step.action });
    }

    pub(super) fn step_ends(&mut self, number: usize) {
        let plan = self.plan;
        let step = &plan.steps[number];
        self.trace.note(self.world.now, None, None, || format!("over: {:?}", step.action));
        match &step.action {
            Action::Partition { lan, groups, .. } => self.partition(*lan, groups, Self::mend),
            Action::Deaf { lan, host, from, .. } => self.mend(*lan, *from, *host),
            Action::Weather { .. } => self.set_weather(self.usual_weather()),
            Action::Kill { host, .. } | Action::PowerOff { host, .. } => self.boot(*host),
            Action::Freeze { host, .. } => self.come_back(*host, Status::Frozen),
            Action::Stall { host, .. } => self.come_back(*host, Status::Stalled),
            Action::Pause { host, .. } => self.wakes_up(*host, false),
            Action::Suspend { host, .. } => self.wakes_up(*host, true),
            Action::LinkDown { lan, host, .. } => self.link(*lan, *host, false),
            Action::Fault { host, instance, .. } => {
                self.tally(*host, *instance, |tally| tally.faults -= 1);
            }
            Action::Weaken { host, instance, by, .. } => {
                self.tally(*host, *instance, |tally| tally.weakened += by);
            }
            Action::Unsure { host, instance, .. } => {
                self.tally(*host, *instance, |tally| tally.unsure -= 1);
            }
            Action::Restart { host, .. } => match self.world.hosts[*host].status {
                Status::Down => self.boot(*host),
                _ => self.restarts[*host] = self.hosts[*host].stopping,
            },
            Action::Drain { host, instance, .. } => self.drain(*host, *instance, false),
            Action::Redefine { .. } => {}
            Action::Recreate { instance, created, .. } => self.exist(*instance, true, created),
        }
        self.judge(&Happening::Step { action: &step.action });
    }

    pub(super) fn order(&mut self, host: usize, order: Order) {
        if self.world.hosts[host].status != Status::Down {
            self.hosts[host].orders.push_back(order);
            self.wake_soon(host);
        }
    }

    pub(super) fn checks_spoke(&mut self, host: usize) {
        for instance in 0..self.world.instances() {
            self.tally_alone(host, instance, |tally| tally.booting = 0);
        }
    }

    fn partition(&mut self, lan: usize, groups: &[u8], change: fn(&mut Self, usize, usize, usize)) {
        for from in 0..groups.len() {
            for to in self.world.others(from) {
                if groups[from] != groups[to] {
                    change(self, lan, from, to);
                }
            }
        }
    }

    fn cut(&mut self, lan: usize, from: usize, to: usize) {
        self.world.version += 1;
        self.world.networks[lan].cut(from, to, self.world.now);
    }

    fn mend(&mut self, lan: usize, from: usize, to: usize) {
        self.world.version += 1;
        self.world.networks[lan].mend(from, to, self.world.now);
    }

    fn link(&mut self, lan: usize, host: usize, goes_down: bool) {
        for other in self.world.others(host) {
            let change = if goes_down { Self::cut } else { Self::mend };
            change(self, lan, host, other);
            change(self, lan, other, host);
        }
        let on_it = |instance: &usize| self.world.lans[*instance] == lan;
        for instance in (0..self.world.instances()).filter(on_it).collect::<Vec<_>>() {
            let count = |links: &mut u32| match goes_down {
                true => *links += 1,
                false => *links -= 1,
            };
            // A fault of one is a fault of all: the host says so in the others' health.
            for other in self.world.fellows(instance).collect::<Vec<_>>() {
                self.tally_alone(host, other, |tally| count(&mut tally.links_of_others));
            }
            self.tally_alone(host, instance, |tally| count(&mut tally.links_down));
        }
    }

    /// The instances of a group track the same checks.
    fn tally(&mut self, host: usize, instance: usize, change: impl Fn(&mut Tally)) {
        for instance in self.plan.fellows(instance) {
            self.tally_alone(host, instance, &change);
        }
    }

    fn tally_alone(&mut self, host: usize, instance: usize, change: impl Fn(&mut Tally)) {
        change(&mut self.hosts[host].seats[instance].tally);
        self.order(host, Order::Refresh(instance));
    }

    fn drain(&mut self, host: usize, instance: usize, drained: bool) {
        for instance in self.plan.fellows(instance) {
            self.hosts[host].seats[instance].drained = drained;
            self.order(host, Order::Bring { instance, is_new: false });
        }
    }

    fn redefine(&mut self, instance: usize, change: Change, delays: &[Duration]) {
        let fellows = match change.is_of_group() {
            true => self.plan.fellows(instance),
            false => vec![instance],
        };
        fellows.into_iter().for_each(|instance| self.redefine_alone(instance, change, delays));
    }

    fn redefine_alone(&mut self, instance: usize, change: Change, delays: &[Duration]) {
        let mut definition = (*self.world.definitions[instance]).clone();
        // Nobody changes what is deleted.
        if !definition.exists {
            return;
        }
        change.apply(&mut definition);
        self.hand_out(instance, definition, delays);
    }

    /// A sync group comes and goes as a whole.
    fn exist(&mut self, instance: usize, exists: bool, delays: &[Duration]) {
        for instance in self.plan.fellows(instance) {
            let mut definition = (*self.world.definitions[instance]).clone();
            definition.exists = exists;
            self.unserved[instance] = exists;
            if exists {
                self.world.begin_anew(instance);
            }
            self.hand_out(instance, definition, delays);
        }
    }

    fn hand_out(&mut self, instance: usize, definition: Definition, delays: &[Duration]) {
        let definition = Rc::new(definition);
        self.world.definitions[instance] = definition.clone();
        self.world.redefined[instance] = Some(self.world.now);
        self.generations[instance] += 1;
        for (host, delay) in delays.iter().enumerate() {
            let definition = definition.clone();
            let generation = self.generations[instance];
            let is_new = self.unserved[instance];
            let event = Event::Reaches { host, instance, generation, definition, is_new };
            self.schedule(self.world.now + *delay, event);
        }
    }
}
