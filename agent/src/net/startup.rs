//! Taking over from a former incarnation of the agent. Part of the actor.

use super::actor::Actor;
use super::error::{Fault, NetError};
use super::event::{Event, Leftover};
use super::route;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rustix::io::Errno;
use std::fs;
use std::io;
use std::time::Duration;

/// IFA_PROTO came with this kernel.
const MARKS_SINCE: (u32, u32) = (5, 18);

/// Whether this kernel keeps the mark that we put on addresses.
pub(crate) fn kernel_marks_addresses() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= MARKS_SINCE,
        _ => false,
    }
}

impl Actor {
    /// Reads the kernel; ends every silent grace that a crash left behind, since those have no
    /// lease; reports the addresses that are left.
    pub(super) async fn take_over(&mut self) -> Result<(), NetError> {
        let fail = |what| move |source| NetError::Dump { what, source };
        self.read_kernel().await.map_err(fail("links and addresses"))?;
        self.remove_routes().await.map_err(fail("routes"))?;
        self.read_routing().await.map_err(fail("routes and rules"))?;
        // Only now: with a route still there, ARP would be answered from here.
        let mut former = std::mem::take(&mut self.former);
        self.adopt_devices(&mut former);
        self.former = former;
        for borrowed in std::mem::take(&mut self.former.settings) {
            if let Err(error) = borrowed.put_back() {
                let fault = Fault::setting(&borrowed.key.path_name(&borrowed.interface), &error);
                self.events.send(Event::Warning(fault));
            }
        }
        let left = self.mirror.addresses().filter(|seen| self.is_leftover(seen));
        let left = left.filter_map(|seen| {
            Some(Leftover {
                interface: self.mirror.link(seen.index)?.name.clone(),
                address: seen.address,
                remaining: Duration::from_secs(seen.valid?.into()),
            })
        });
        self.events.send(Event::Owned(left.collect()));
        Ok(())
    }

    async fn remove_routes(&mut self) -> io::Result<()> {
        let mut stale = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let request = RouteNetlinkMessage::GetRoute(route::all(family));
            for message in self.netlink.dump(request).await? {
                if let RouteNetlinkMessage::NewRoute(message) = message {
                    stale.extend(route::ours(&message));
                }
            }
        }
        let delete = |(index, address): &(u32, std::net::IpAddr)| {
            (RouteNetlinkMessage::DelRoute(route::local(*index, *address)), 0)
        };
        let results = self.netlink.batch(stale.iter().map(delete).collect()).await;
        for ((index, address), result) in stale.into_iter().zip(results) {
            let Err(error) = result else { continue };
            if error == Errno::SRCH {
                continue;
            }
            let interface = self.mirror.link(index).map_or("?", |link| link.name.as_str());
            let what = format!("remove the handover route of {address} on {interface}");
            self.events.send(Event::Warning(Fault::kernel(&what, error)));
        }
        Ok(())
    }
}
