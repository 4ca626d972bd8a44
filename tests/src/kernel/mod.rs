//! Kernel truth: what the kernel of a host says about its addresses and routes, as opposed to
//! what any daemon believes.

mod watch;

use std::net::IpAddr;
use std::time::Duration;

use serde::Deserialize;

pub use self::watch::{AddressWatch, Change, Changed};
use crate::lab::{Host, INTERFACE, Lab, ip};

/// How the hosts' interfaces are called, and the devices of virtual MACs on them, ours and
/// keepalived's.
const DEVICES: [&str; 2] = ["ens", "vrrp"];
/// How the kernel says "for ever" in an address lifetime.
const FOREVER: u32 = u32::MAX;

/// One address on an interface of the host, or on the device of a virtual MAC there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub address: IpAddr,
    /// Its prefix length.
    pub prefix: u8,
    /// What is left of its valid lifetime; None is for ever.
    pub valid: Option<Duration>,
    /// Its scope, such as `global`.
    pub scope: String,
    /// Its label, such as `ens33:1`.
    pub label: Option<String>,
}

/// One route of a table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Route {
    /// What it leads to.
    pub dst: String,
    /// Through which interface.
    pub dev: Option<String>,
    /// What put it there: `kernel` for an address's own route.
    pub protocol: Option<String>,
}

/// The addresses on the host's interfaces, link-local ones of IPv6 left out.
#[track_caller]
pub fn addresses(host: &Host) -> Vec<Address> {
    let mut addresses = entries(host);
    addresses.retain(|entry| entry.scope != "link");
    addresses
}

#[track_caller]
fn entries(host: &Host) -> Vec<Address> {
    #[derive(Deserialize)]
    struct Link {
        ifname: String,
        #[serde(default)]
        addr_info: Vec<Info>,
    }
    #[derive(Deserialize)]
    struct Info {
        local: IpAddr,
        prefixlen: u8,
        scope: String,
        label: Option<String>,
        valid_life_time: u32,
    }
    let printed = ip::run(&["-n", host.namespace(), "-j", "address", "show"]);
    let links: Vec<Link> = serde_json::from_str(&printed)
        .unwrap_or_else(|error| panic!("`ip -j address` printed {printed:?}: {error}"));
    links
        .into_iter()
        .filter(|link| DEVICES.iter().any(|device| link.ifname.starts_with(device)))
        .flat_map(|link| link.addr_info)
        .map(|info| Address {
            address: info.local,
            prefix: info.prefixlen,
            valid: (info.valid_life_time != FOREVER)
                .then(|| Duration::from_secs(info.valid_life_time.into())),
            scope: info.scope,
            label: info.label,
        })
        .collect()
}

/// The entry of `address` on the host's interfaces, if it is there.
#[track_caller]
pub fn address(host: &Host, address: impl Into<IpAddr>) -> Option<Address> {
    let wanted = address.into();
    entries(host).into_iter().find(|entry| entry.address == wanted)
}

/// True when the host has `vip` as an address.
#[track_caller]
pub fn holds(host: &Host, vip: impl Into<IpAddr>) -> bool {
    address(host, vip).is_some()
}

/// The names of all hosts that have `vip` in their kernel.
#[track_caller]
pub fn owners(lab: &Lab, vip: impl Into<IpAddr> + Copy) -> Vec<String> {
    lab.hosts().iter().filter(|host| holds(host, vip)).map(|host| host.name().to_owned()).collect()
}

/// The routes of table `local` through `ens33`: those of addresses, and those a former master
/// serves by during a handover.
#[track_caller]
pub fn local_routes(host: &Host) -> Vec<Route> {
    let arguments = ["-n", host.namespace(), "-j", "route", "show", "table", "local"];
    let printed = ip::run(&arguments);
    let routes: Vec<Route> = serde_json::from_str(&printed)
        .unwrap_or_else(|error| panic!("`ip -j route` printed {printed:?}: {error}"));
    routes.into_iter().filter(|route| route.dev.as_deref() == Some(INTERFACE)).collect()
}
