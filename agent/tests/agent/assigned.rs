//! Assignments as a server would derive them.

use vipfleet_model::assignment::AssignedMember;
use vipfleet_model::keepalived::{self, NoSources, Options};
use vipfleet_model::{Assignment, VirtualAddress};

/// One instance on `eth0`, owner of its addresses: MASTER at once.
pub(crate) fn owner(addresses: &[&str]) -> Assignment {
    assignment(255, addresses)
}

pub(crate) fn assignment(priority: u8, addresses: &[&str]) -> Assignment {
    let text = format!(
        "vrrp_instance VI_1 {{\n interface eth0\n virtual_router_id 51\n priority {priority}\n \
         advert_int 1\n virtual_ipaddress {{ 10.78.0.10 }}\n}}\n"
    );
    let (host, _) = keepalived::parse("k.conf", text.as_bytes(), &NoSources, &Options::default());
    let (mut assignment, _) = keepalived::assignment(&host);
    let address = |text: &&str| VirtualAddress::host(text.parse().unwrap());
    assignment.instances[0].virtual_addresses = addresses.iter().map(address).collect();
    assignment
}

/// Both hosts of the lab as the members of every instance: (name, address, priority).
pub(crate) fn members(this: &str, all: &[(&str, &str, u8)]) -> Vec<AssignedMember> {
    let member = |(node, address, priority): &(&str, &str, u8)| AssignedMember {
        node: Some(node.parse().unwrap()),
        address: Some(address.parse().unwrap()),
        priority: *priority,
        external: false,
        this: *node == this,
    };
    all.iter().map(member).collect()
}
