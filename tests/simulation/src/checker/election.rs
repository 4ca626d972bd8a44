//! After the quiet time each component of the LAN with a fit member has exactly one MASTER, the
//! right one; its kernel serves, and no other kernel does.

use super::Checker;
use crate::world::World;
use vipfleet_vrrp::{Custody, Preemption, StateName};

#[derive(Debug)]
pub(super) struct Election;

impl Checker for Election {
    fn name(&self) -> &'static str {
        "election"
    }

    fn finish(&mut self, world: &World) -> Result<(), String> {
        for instance in 0..world.instances() {
            let mut judged = vec![false; world.hosts.len()];
            for host in 0..world.hosts.len() {
                if !judged[host] {
                    let component = world.component(host, instance);
                    component.iter().for_each(|member| judged[*member] = true);
                    judge(world, instance, &component)?;
                }
            }
        }
        Ok(())
    }
}

fn judge(world: &World, instance: usize, component: &[usize]) -> Result<(), String> {
    let masters: Vec<_> =
        component.iter().copied().filter(|host| world.is_master(*host, instance)).collect();
    let fit: Vec<_> =
        component.iter().copied().filter(|host| is_fit(world, *host, instance)).collect();
    let name = |host: &usize| format!("n{}", host + 1);
    let names = |hosts: &[usize]| hosts.iter().map(name).collect::<Vec<_>>().join(", ");
    let place = format!("VI_{} among {}", instance + 1, names(component));
    for host in component {
        let seat = world.seat(*host, instance);
        let due = match masters.contains(host) {
            true => Custody::Serving,
            false => Custody::None,
        };
        if world.hosts[*host].kernel_runs && seat.custody != due {
            let what = format!("{} holds {:?}, not {due:?}", name(host), seat.custody);
            return Err(format!("{place}: {what} (it is {})", seat.state));
        }
    }
    // In a torn group nobody may lead who must obey on one of its LANs.
    let torn = world.is_grouped(instance) && world.is_torn(instance);
    if torn && masters.len() < 2 {
        return Ok(());
    }
    let [master] = masters[..] else {
        return match (masters.is_empty(), fit.is_empty()) {
            (true, true) => Ok(()),
            (true, false) => Err(format!("{place}: nobody is MASTER, but {} is fit", names(&fit))),
            (false, _) => Err(format!("{place}: {} are MASTER", names(&masters))),
        };
    };
    if !fit.contains(&master) {
        return Err(format!("{place}: {} is MASTER and not fit", name(&master)));
    }
    let priority = |host: usize| world.seat(host, instance).priority(host);
    // RFC 9568 §6.1: an owner preempts whatever the mode.
    let better = fit.iter().copied().find(|host| {
        priority(*host) > priority(master)
            && (preempts(world, *host, instance)
                || priority(*host) == 255
                || world.seat(*host, instance).leads(*host))
    });
    match better {
        Some(better) => Err(format!(
            "{place}: {} is MASTER at {}, although {} at {} may preempt",
            name(&master),
            priority(master),
            name(&better),
            priority(better)
        )),
        None => Ok(()),
    }
}

fn is_fit(world: &World, host: usize, instance: usize) -> bool {
    let seat = world.seat(host, instance);
    let running = matches!(seat.state, StateName::Backup | StateName::Master | StateName::Fault);
    world.runs(host) && running && seat.definition.is_some() && seat.fit
}

fn preempts(world: &World, host: usize, instance: usize) -> bool {
    let seat = world.seat(host, instance);
    seat.definition.as_ref().is_some_and(|it| it.preemption == Preemption::Preempt)
}
