//! One state of the churn as a keepalived.conf of a host, and as definitions for a fleet. Pure.

use std::fmt::Write;

use vipfleet_tests::lab::INTERFACE;

use super::{Churn, Instance, WEIGHT, place, spare_address};
use crate::setup::Role;

/// The label that addresses gain.
pub(super) const LABEL: &str = "ens33:spare";

impl Churn {
    /// The file of one host, for keepalived and for a stand-alone agent.
    pub fn file(&self, role: Role) -> String {
        let interval = self.check_interval;
        let mut text = format!(
            "global_defs {{\n script_user root\n enable_script_security\n}}\n\
             vrrp_script ok {{\n script \"/bin/true\"\n interval {interval}\n timeout 10\n}}\n"
        );
        let seconds = self.setup.interval.as_secs_f64();
        for (id, instance) in &self.instances {
            let (state, priority) = (role.initial_state(), instance.priorities[place(role)]);
            // Only a BACKUP may wait before it preempts.
            let delay = match role {
                Role::Lower if instance.preempt_delay > 0 => {
                    format!(" preempt_delay {}\n", instance.preempt_delay)
                }
                _ => String::new(),
            };
            let track = match instance.is_tracked {
                true => format!(" track_script {{\n ok weight -{WEIGHT}\n }}\n"),
                false => String::new(),
            };
            let addresses = self.addresses(*id, instance, |address, prefix, label| {
                let label = label.map_or(String::new(), |label| format!(" label {label}"));
                format!("{address}/{prefix} dev {INTERFACE}{label}")
            });
            let (version, addresses) = (self.setup.version, addresses.join("\n "));
            write!(
                text,
                "vrrp_instance VI_{id} {{\n state {state}\n interface {INTERFACE}\n \
                 virtual_router_id {id}\n priority {priority}\n version {version}\n \
                 advert_int {seconds}\n{delay} virtual_ipaddress {{\n {addresses}\n }}\n{track}}}\n"
            )
            .expect("a String takes all");
        }
        text
    }

    /// The definition of one virtual router in the fleet of nodes `lb1` and `lb2`; nothing when it
    /// is gone.
    pub fn definition(&self, router_id: u8) -> Option<String> {
        let instance = self.instances.get(&router_id)?;
        let addresses = self.addresses(router_id, instance, |address, prefix, label| {
            let label = label.map_or(String::new(), |label| format!(", label: \"{label}\""));
            format!("{{address: \"{address}/{prefix}\"{label}}}")
        });
        let members: String = [("lb1", Role::Higher), ("lb2", Role::Lower)]
            .map(|(node, role)| {
                let priority = instance.priorities[place(role)];
                format!("    - {{node: {node}, interface: {INTERFACE}, priority: {priority}}}\n")
            })
            .concat();
        let track = match instance.is_tracked {
            true => format!("  track: [{{check: ok, weight: -{WEIGHT}}}]\n"),
            false => String::new(),
        };
        Some(format!(
            "kind: Instance\nname: VI_{router_id}\nspec:\n  virtualRouterId: {router_id}\n  \
             version: {}\n  advertInterval: {}ms\n  preemptDelay: {}s\n  \
             virtualAddresses: [{}]\n{track}  members:\n{members}---\n",
            self.setup.version,
            self.setup.interval.as_millis(),
            instance.preempt_delay,
            addresses.join(", ")
        ))
    }

    /// The definition of the check.
    pub fn check(&self) -> String {
        let interval = self.check_interval;
        format!(
            "kind: Check\nname: ok\nspec:\n  file: {{path: /proc}}\n  interval: {interval}s\n---\n"
        )
    }

    /// All definitions.
    pub fn definitions(&self) -> String {
        let instances = self.instances.keys().filter_map(|id| self.definition(*id));
        std::iter::once(self.check()).chain(instances).collect()
    }

    fn addresses(
        &self,
        router_id: u8,
        instance: &Instance,
        show: impl Fn(std::net::IpAddr, u8, Option<&str>) -> String,
    ) -> Vec<String> {
        let own = (0..self.setup.addresses).map(|it| self.setup.address(router_id, it));
        let own = own.map(|address| show(address, super::NARROW, None));
        let spares = instance.spares.iter().map(|(octet, spare)| {
            let label = spare.has_label.then_some(LABEL);
            show(spare_address(router_id, *octet), spare.prefix, label)
        });
        own.chain(spares).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::setup::Setup;

    #[test]
    fn a_state_is_written_whole_for_both_programs() {
        let mut churn = Churn::new(Setup::many(4, Duration::from_millis(100)), 1);
        for _ in 0..200 {
            churn.step();
        }
        let instances = churn.priorities(Role::Higher).count();
        let addresses = churn.wanted().len();
        assert!(addresses > 1000);
        let file = churn.file(Role::Lower);
        assert_eq!(file.matches("vrrp_instance").count(), instances);
        assert_eq!(file.matches(" dev ens33").count(), addresses);
        let definitions = churn.definitions();
        assert_eq!(definitions.matches("kind: Instance").count(), instances);
        assert_eq!(definitions.matches("{address: ").count(), addresses);
        let labels = churn.wanted().values().filter(|it| it.label.is_some()).count();
        assert!(labels > 0 && definitions.matches(LABEL).count() == labels, "{labels}");
        assert_eq!(churn.definition(255), None);
    }
}
