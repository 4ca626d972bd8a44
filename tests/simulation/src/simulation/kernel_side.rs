//! What the net thread and the kernel of a host do: claims that take their time, leases that are
//! renewed while somebody vouches for the loop, addresses that vanish when they run out.

use super::{Event, Simulation};
use crate::checker::Happening;
use crate::host::News;
use crate::kernel::{EXPIRY_LATENESS, KernelEvent, Lease, RENEW_AGAIN};
use crate::mutation::Mutation;
use crate::world::Status;
use std::time::Duration;
use vipfleet_vrrp::{Custody, Time};

/// netlink is never faster.
const FASTEST: Duration = Duration::from_micros(150);

impl Simulation<'_> {
    pub(super) fn wish(&mut self, host: usize, instance: usize, custody: Custody) {
        let serial = self.hosts[host].seats[instance].kernel.wish(custody);
        let kept = self.mutation == Mutation::CustodyKeptOnStepDown && custody != Custody::Serving;
        if !kept {
            let took = self.netlink.between(FASTEST, self.plan.hosts[host].netlink);
            let event = KernelEvent::Apply(serial);
            self.schedule(self.world.now + took, Event::Kernel { host, instance, event });
        }
    }

    pub(super) fn kernel_event(&mut self, host: usize, instance: usize, event: KernelEvent) {
        match (self.world.hosts[host].status, event) {
            // Its clock stands still; leases are moved when it runs again.
            (Status::Paused, KernelEvent::Expire(_)) => {}
            // The net thread is stopped, too.
            (Status::Paused | Status::Frozen, KernelEvent::Apply(_) | KernelEvent::Renew(_)) => {
                self.deferred[host].push((instance, event));
            }
            (_, KernelEvent::Apply(serial)) => self.apply(host, instance, serial),
            (Status::Down, KernelEvent::Renew(_)) => {}
            (_, KernelEvent::Renew(epoch)) => self.renew(host, instance, epoch),
            (_, KernelEvent::Expire(epoch)) => {
                if self.hosts[host].seats[instance].kernel.epoch == epoch {
                    self.run_out(host, instance);
                }
            }
        }
    }

    /// The host moves again: what its kernel side put off happens now.
    pub(super) fn catch_up(&mut self, host: usize) {
        for (instance, event) in std::mem::take(&mut self.deferred[host]) {
            self.kernel_event(host, instance, event);
        }
    }

    fn apply(&mut self, host: usize, instance: usize, serial: u64) {
        let leased = self.is_vipfleet(host) && self.mutation != Mutation::LeaseNeverExpires;
        let kernel = &mut self.hosts[host].seats[instance].kernel;
        if kernel.serial != serial {
            return;
        }
        match kernel.wanted {
            Custody::Serving => {
                kernel.held = Custody::Serving;
                if leased {
                    self.begin_lease(host, instance);
                }
                if self.mutation != Mutation::ClaimNeverAnswered {
                    self.news(host, News::Claimed { instance, serial });
                }
            }
            // A route knows no lifetime.
            Custody::Silent => {
                kernel.drop_all();
                kernel.held = Custody::Silent;
            }
            Custody::None => kernel.drop_all(),
        }
        self.kernel_changed(host, instance);
    }

    fn begin_lease(&mut self, host: usize, instance: usize) {
        let now = self.world.now;
        let seat = &mut self.hosts[host].seats[instance];
        let (valid, period) = (seat.definition.lease(host), seat.definition.renewal(host));
        let lease = Lease { renewed: now, ends: now + valid };
        let epoch = seat.kernel.lease(lease);
        self.await_lease(host, instance, epoch, lease, period);
    }

    fn await_lease(
        &mut self,
        host: usize,
        instance: usize,
        epoch: u64,
        lease: Lease,
        period: Duration,
    ) {
        let late = self.netlink.between(Duration::ZERO, EXPIRY_LATENESS);
        let mut await_event = |at: Time, event: KernelEvent| {
            self.schedule(at, Event::Kernel { host, instance, event });
        };
        await_event(lease.renewed + period, KernelEvent::Renew(epoch));
        await_event(lease.ends + late, KernelEvent::Expire(epoch));
    }

    fn renew(&mut self, host: usize, instance: usize, epoch: u64) {
        let now = self.world.now;
        let seat = &self.hosts[host].seats[instance];
        let Some(lease) = seat.kernel.lease else { return };
        if seat.kernel.epoch != epoch || seat.kernel.wanted != Custody::Serving {
            return;
        }
        let careless = self.mutation == Mutation::LeaseRenewedUnvouched;
        if lease.may_have_expired(now) && !careless {
            // Slept through it: a renewal would bring back what another host serves by now.
            return self.run_out(host, instance);
        }
        let view = &self.world.hosts[host];
        let hangs = view.status == Status::Stalled
            && now.since(view.since) > seat.definition.freshness(host);
        if hangs && !careless {
            let event = KernelEvent::Renew(epoch);
            return self.schedule(now + RENEW_AGAIN, Event::Kernel { host, instance, event });
        }
        self.begin_lease(host, instance);
    }

    /// The addresses are gone; whoever lives hears of it.
    fn run_out(&mut self, host: usize, instance: usize) {
        self.hosts[host].seats[instance].kernel.drop_all();
        self.trace.note(self.world.now, Some(host), Some(instance), || "lease runs out".into());
        self.kernel_changed(host, instance);
        self.news(host, News::LeaseExpired { instance });
    }

    /// The clock of a machine stood still for `span`: its leases have as long to go as before.
    pub(super) fn leases_slept(&mut self, host: usize, span: Duration) {
        for instance in 0..self.world.instances() {
            let seat = &mut self.hosts[host].seats[instance];
            let period = seat.definition.renewal(host);
            if let Some((epoch, lease)) = seat.kernel.slept(span) {
                self.await_lease(host, instance, epoch, lease, period);
            }
        }
    }

    fn news(&mut self, host: usize, news: News) {
        if self.world.hosts[host].status != Status::Down {
            self.hosts[host].news.push_back(news);
            self.wake_soon(host);
        }
    }

    pub(super) fn kernel_changed(&mut self, host: usize, instance: usize) {
        let held = self.hosts[host].seats[instance].kernel.held;
        let seat = &mut self.world.seats[host][instance];
        if seat.custody == held {
            return;
        }
        (seat.custody, seat.custody_since) = (held, self.world.now);
        let text = match held {
            Custody::None => "kernel: addresses gone",
            Custody::Serving => "kernel: addresses there, answering ARP",
            Custody::Silent => "kernel: served, silent in ARP",
        };
        self.trace.note(self.world.now, Some(host), Some(instance), || text.to_owned());
        self.judge(&Happening::Kernel { host, instance });
    }
}
