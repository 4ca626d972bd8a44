//! How hosts live, die, freeze, sleep and come back.

use super::{Event, Simulation};
use crate::checker::Happening;
use crate::mutation::Mutation;
use crate::world::Status;
use vipfleet_vrrp::{Custody, Health, StateName};

impl Simulation<'_> {
    /// The agent starts. What it finds in the kernel it carries on with, or removes.
    pub(super) fn boot(&mut self, host: usize) {
        if self.world.hosts[host].status != Status::Down {
            return;
        }
        let now = self.world.now;
        self.trace.note(now, Some(host), None, || "starts".to_owned());
        self.boots[host] += 1;
        self.set_status(host, Status::Running);
        self.world.hosts[host].kernel_runs = true;
        let pending = self.plan.hosts[host].pending;
        let instances = 0..self.world.instances();
        let all_may = |instance: usize| {
            self.plan.fellows(instance).into_iter().all(|it| self.may_resume(host, it))
        };
        let resumes: Vec<_> = instances.map(all_may).collect();
        for (instance, resumes) in resumes.iter().enumerate() {
            self.hosts[host].seats[instance].tally.booting = u32::from(!pending.is_zero());
            let seat = &mut self.world.seats[host][instance];
            (seat.state, seat.since) = (StateName::Init, now);
            (seat.recovered, seat.presumed) = (None, false);
            if !resumes {
                self.wish(host, instance, Custody::None);
            }
        }
        if !pending.is_zero() {
            let boot = self.boots[host];
            self.schedule(now + pending, Event::ChecksSpoke { host, boot });
        }
        let effects = self.hosts[host].boot(now, &resumes);
        self.perform(host, effects);
        self.wake_soon(host);
    }

    /// The former incarnation was MASTER, and its addresses were renewed so lately that no backup
    /// can have taken over.
    fn may_resume(&self, host: usize, instance: usize) -> bool {
        let seat = &self.hosts[host].seats[instance];
        let patience = seat.definition.interval * u32::from(seat.definition.down_adverts);
        let recent =
            seat.kernel.lease.is_some_and(|it| self.world.now.since(it.renewed) < patience);
        let was_master = self.world.seat(host, instance).state == StateName::Master;
        let always = self.mutation == Mutation::ResumesWhateverTheTime;
        let runs = seat.definition.is_member(host) && !seat.drained;
        runs && self.is_vipfleet(host) && was_master && (recent || always)
    }

    /// The process is gone; what it held stays until its lease runs out.
    pub(super) fn kill(&mut self, host: usize) {
        if self.world.hosts[host].status == Status::Down {
            return;
        }
        self.wakes[host] = None;
        self.hosts[host].forget();
        self.deferred[host].clear();
        self.world.hosts[host].died = self.world.runs(host).then_some(self.world.now);
        self.set_status(host, Status::Down);
        self.world.hosts[host].kernel_runs = true;
        for instance in 0..self.world.instances() {
            self.world.seats[host][instance].definition = None;
            self.judge(&Happening::Runs { host, instance });
        }
    }

    pub(super) fn power_off(&mut self, host: usize) {
        self.kill(host);
        self.world.hosts[host].kernel_runs = false;
        for instance in 0..self.world.instances() {
            self.hosts[host].seats[instance].kernel.drop_all();
            self.world.seats[host][instance].state = StateName::Init;
            self.kernel_changed(host, instance);
        }
    }

    /// Every router has let go, and the process ends.
    pub(super) fn exited(&mut self, host: usize) {
        self.trace.note(self.world.now, Some(host), None, || "exits".to_owned());
        self.kill(host);
        if std::mem::take(&mut self.restarts[host]) {
            self.boot(host);
        }
    }

    pub(super) fn pass_into(&mut self, host: usize, status: Status) {
        if self.world.runs(host) {
            self.wakes[host] = None;
            self.set_status(host, status);
            self.world.hosts[host].kernel_runs = status != Status::Paused;
        }
    }

    pub(super) fn come_back(&mut self, host: usize, from: Status) {
        if self.world.hosts[host].status == from {
            self.set_status(host, Status::Running);
            let view = &mut self.world.hosts[host];
            (view.kernel_runs, view.woke) = (true, Some(self.world.now));
            self.catch_up(host);
            self.wake_soon(host);
        }
    }

    /// The clock of a machine runs on from where it stood.
    pub(super) fn wakes_up(&mut self, host: usize, knows: bool) {
        if self.world.hosts[host].status != Status::Paused {
            return;
        }
        let slept = self.world.now.since(self.world.hosts[host].since);
        self.hosts[host].clock_ahead -= slept;
        self.hosts[host].woke_from_sleep = knows;
        let now = self.world.now;
        let view = &mut self.world.hosts[host];
        view.paused = Some(now);
        view.slept = knows.then_some(now);
        self.leases_slept(host, slept);
        self.come_back(host, Status::Paused);
    }

    fn set_status(&mut self, host: usize, status: Status) {
        let view = &mut self.world.hosts[host];
        (view.status, view.since) = (status, self.world.now);
        self.judge(&Happening::Status { host });
    }

    pub(super) fn healthy(&mut self, host: usize, instance: usize, health: &Health) {
        let now = self.world.now;
        let seat = &mut self.world.seats[host][instance];
        let before = seat.priority(host);
        let fit = health.faults.is_empty();
        // A link that returns is no recovery, nor is a first result.
        let came_back =
            fit && !seat.fit && !seat.link_down || health.weight > seat.weight && !seat.pending;
        seat.link_down = health.interface_down;
        if came_back && seat.state != StateName::Init {
            seat.recovered = Some(now);
        }
        (seat.fit, seat.weight, seat.pending) = (fit, health.weight, health.pending);
        seat.presumed &= health.pending;
        if seat.priority(host) != before {
            seat.priority_since = now;
        }
        self.judge(&Happening::Healthy { host, instance });
    }
}
