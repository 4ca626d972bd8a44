//! What both programs are configured to run: the same instances, written as a keepalived.conf for
//! each host and as definitions for a fleet. Pure.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use vipfleet_tests::lab::INTERFACE;

/// IPv4 or IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    Four,
    /// IPv6, with a link-local address first.
    Six,
}

/// What a dead nginx does to the instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tracking {
    /// Nobody looks.
    Nothing,
    /// A fault: the instance is given up.
    Fault,
    /// The priority sinks by so much.
    Weight(u8),
}

/// Which of the two hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// n1, priority 100.
    Higher,
    /// n2, priority 80.
    Lower,
}

impl Role {
    /// Its base priority.
    pub fn priority(self) -> u8 {
        match self {
            Self::Higher => 100,
            Self::Lower => 80,
        }
    }

    pub(crate) fn initial_state(self) -> &'static str {
        match self {
            Self::Higher => "MASTER",
            Self::Lower => "BACKUP",
        }
    }
}

/// The instances of one run. All are alike and on both hosts.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// How many; their virtual router IDs count from 1.
    pub instances: u8,
    /// Virtual addresses of each.
    pub addresses: u8,
    /// Protocol version, 2 or 3.
    pub version: u8,
    /// Between two adverts.
    pub interval: Duration,
    /// Of the virtual addresses.
    pub family: Family,
    /// What a dead nginx does.
    pub tracking: Tracking,
}

impl Setup {
    /// One instance with one address.
    pub const fn single(version: u8, interval: Duration) -> Self {
        let (family, tracking) = (Family::Four, Tracking::Nothing);
        Self { instances: 1, addresses: 1, version, interval, family, tracking }
    }

    /// 250 instances of version 3 with so many addresses each.
    pub const fn many(addresses: u8, interval: Duration) -> Self {
        Self { instances: 250, addresses, ..Self::single(3, interval) }
    }

    /// The address that clients of a single instance ask.
    pub fn vip(&self) -> IpAddr {
        self.address(1, 0)
    }

    /// All virtual addresses, without link-local ones.
    pub fn vips(&self) -> impl Iterator<Item = IpAddr> {
        let numbers = move |id| (0..self.addresses).map(move |number| (id, number));
        (1..=self.instances).flat_map(numbers).map(|(id, number)| self.address(id, number))
    }

    /// One virtual address of one instance.
    pub fn address(&self, router_id: u8, number: u8) -> IpAddr {
        match self.family {
            Family::Four if self.instances == 1 && self.addresses == 1 => {
                Ipv4Addr::new(192, 168, 248, 120).into()
            }
            Family::Four => Ipv4Addr::new(10, router_id, 0, number + 1).into(),
            Family::Six => {
                let [id, number] = [router_id, number].map(u16::from);
                Ipv6Addr::new(0x2001, 0xdb8, 0x248, 0, 0, 0, id, 0x120 + number).into()
            }
        }
    }

    /// What an instance advertises, the link-local address first.
    fn advertised(&self, router_id: u8) -> Vec<String> {
        let link_local = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0x51, router_id.into());
        let first = (self.family == Family::Six).then(|| link_local.to_string());
        let vips = (0..self.addresses).map(|number| self.address(router_id, number).to_string());
        first.into_iter().chain(vips).collect()
    }

    /// The file of one host, for keepalived and for a stand-alone agent. `more` is one more
    /// address of the first instance.
    pub fn file(&self, role: Role, more: Option<Ipv4Addr>) -> String {
        let mut text = String::new();
        if self.tracking != Tracking::Nothing {
            text.push_str(SCRIPT);
        }
        for id in 1..=self.instances {
            let more = more.filter(|_| id == 1).map(|it| it.to_string());
            let addresses: Vec<String> = self.advertised(id).into_iter().chain(more).collect();
            let track = match self.tracking {
                Tracking::Nothing => String::new(),
                Tracking::Fault => " track_script {\n nginx\n }\n".to_owned(),
                Tracking::Weight(by) => format!(" track_script {{\n nginx weight -{by}\n }}\n"),
            };
            let (state, priority) = (role.initial_state(), role.priority());
            let (version, seconds) = (self.version, self.interval.as_secs_f64());
            let addresses = addresses.join("\n ");
            write!(
                text,
                "vrrp_instance VI_{id} {{\n state {state}\n interface {INTERFACE}\n \
                 virtual_router_id {id}\n priority {priority}\n version {version}\n \
                 advert_int {seconds}\n virtual_ipaddress {{\n {addresses}\n }}\n{track}}}\n"
            )
            .expect("a String takes all");
        }
        text
    }

    /// The definitions of the fleet of nodes `lb1` and `lb2`.
    pub fn definitions(&self) -> String {
        let mut text = String::new();
        if self.tracking != Tracking::Nothing {
            text.push_str(
                "kind: Check\nname: nginx\nspec:\n  process: {pidFile: /run/nginx.pid}\n---\n",
            );
        }
        let track = match self.tracking {
            Tracking::Nothing => String::new(),
            Tracking::Fault => "  track: [{check: nginx}]\n".to_owned(),
            Tracking::Weight(by) => format!("  track: [{{check: nginx, weight: -{by}}}]\n"),
        };
        for id in 1..=self.instances {
            let addresses: Vec<String> =
                self.advertised(id).iter().map(|it| format!("\"{it}\"")).collect();
            let members: String = [("lb1", Role::Higher), ("lb2", Role::Lower)]
                .map(|(node, role)| {
                    let priority = role.priority();
                    format!(
                        "    - {{node: {node}, interface: {INTERFACE}, priority: {priority}}}\n"
                    )
                })
                .concat();
            write!(
                text,
                "kind: Instance\nname: VI_{id}\nspec:\n  virtualRouterId: {id}\n  version: {}\n  \
                 advertInterval: {}ms\n  virtualAddresses: [{}]\n{track}  members:\n{members}---\n",
                self.version,
                self.interval.as_millis(),
                addresses.join(", ")
            )
            .expect("a String takes all");
        }
        text
    }
}

/// keepalived's way of watching a process, every 2 s as in the files the project started from.
const SCRIPT: &str = "\
global_defs {
 script_user root
 enable_script_security
}
vrrp_script nginx {
 script \"/usr/bin/pgrep -x nginx\"
 interval 2
 fall 1
 rise 1
}
";

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn every_instance_is_in_the_file_of_each_host_and_in_the_definitions() {
        let setup = Setup::many(4, Duration::from_millis(100));
        for role in [Role::Higher, Role::Lower] {
            let file = setup.file(role, None);
            assert_eq!(file.matches("vrrp_instance").count(), 250);
            assert_eq!(file.matches(" 10.").count(), 1000);
            assert_eq!(file.matches("advert_int 0.1\n").count(), 250);
        }
        let definitions = setup.definitions();
        assert_eq!(definitions.matches("kind: Instance").count(), 250);
        assert_eq!(definitions.matches("advertInterval: 100ms").count(), 250);
        assert_eq!(setup.vips().count(), 1000);
    }

    #[test]
    fn one_more_address_changes_the_first_instance_alone() {
        let setup = Setup::many(1, SECOND);
        let [before, after] =
            [None, Some(Ipv4Addr::new(10, 1, 0, 99))].map(|it| setup.file(Role::Higher, it));
        let added: Vec<&str> = after.lines().filter(|it| it.trim() == "10.1.0.99").collect();
        assert_eq!((added.len(), after.lines().count()), (1, before.lines().count() + 1));
    }

    #[test]
    fn over_ipv6_the_link_local_address_is_first() {
        let setup = Setup { family: Family::Six, ..Setup::single(3, SECOND) };
        let definitions = setup.definitions();
        assert!(definitions.contains("[\"fe80::51:1\", \"2001:db8:248::1:120\"]"), "{definitions}");
        assert_eq!(setup.vip().to_string(), "2001:db8:248::1:120");
    }
}
