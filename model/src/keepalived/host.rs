//! What one host's keepalived.conf says, with keepalived's defaults filled in.

use super::exec::Exec;
use super::source::NamedText;
use crate::address::VirtualAddress;
use crate::check::Check;
use crate::finding::Place;
use crate::instance::{Authentication, Garp, NotifyOn, Track};
use crate::name::Name;
use crate::routing::{VirtualRoute, VirtualRule};
use crate::span::Span;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// A place in a file, counted from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At {
    pub file: Arc<str>,
    pub line: u32,
    pub column: u32,
}

/// A value and where it is written; for a default, where its owner begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    pub value: T,
    pub at: At,
}

/// One host's file, with the files it includes.
#[derive(Clone, Debug)]
pub struct HostConfig {
    /// Name of the first file.
    pub file: Arc<str>,
    /// Every file that was read, for [`super::render()`].
    pub texts: Vec<NamedText>,
    pub router_id: Option<Located<String>>,
    /// `vrrp_startup_delay`: holds for every instance.
    pub startup_delay: Located<Span>,
    /// In the order of the file.
    pub instances: Vec<VrrpInstance>,
    /// Scripts, processes and tracked interfaces, whether tracked or not.
    pub checks: Vec<HostCheck>,
    /// In the order of the file. What they track is in their instances.
    pub sync_groups: Vec<SyncGroup>,
}

/// A `vrrp_instance`. An instance without VRID, interface or address is an error finding and
/// not here.
#[derive(Clone, Debug)]
pub struct VrrpInstance {
    pub name: Located<Name>,
    pub virtual_router_id: Located<u8>,
    pub version: Located<u8>,
    pub interface: Located<String>,
    pub priority: Located<u8>,
    pub advert_interval: Located<Span>,
    pub down_adverts: Located<u8>,
    pub preempt: Located<bool>,
    pub preempt_delay: Located<Span>,
    pub authentication: Located<Authentication>,
    pub garp: Located<Garp>,
    /// `check_unicast_src`.
    pub members_only: Located<bool>,
    /// `use_vmac`.
    pub virtual_mac: Located<bool>,
    /// `unicast_src_ip` or `mcast_src_ip`.
    pub source_address: Option<Located<IpAddr>>,
    /// Not empty: unicast.
    pub unicast_peers: Vec<Located<IpAddr>>,
    /// At least one.
    pub virtual_addresses: Vec<Located<VirtualAddress>>,
    pub excluded_addresses: Vec<Located<VirtualAddress>>,
    pub virtual_routes: Vec<Located<VirtualRoute>>,
    pub virtual_rules: Vec<Located<VirtualRule>>,
    /// Each names one of [`HostConfig::checks`].
    pub track: Vec<Located<Track>>,
    pub notify: Vec<Located<Hook>>,
}

/// A notify script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    pub on: NotifyOn,
    pub exec: Exec,
}

/// A `vrrp_script`, a `vrrp_track_process` or a tracked interface. The file of an exec probe is
/// the path as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCheck {
    pub name: Located<Name>,
    pub spec: Check,
}

/// A `vrrp_sync_group` of at least two instances, none of which is in another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncGroup {
    pub name: Located<Name>,
    /// Each names one of [`HostConfig::instances`].
    pub instances: Vec<Located<Name>>,
    pub notify: Vec<Located<Hook>>,
}

impl At {
    pub fn place(&self) -> Place {
        Place {
            file: Some(self.file.to_string()),
            line: Some(self.line),
            column: Some(self.column),
            ..Place::default()
        }
    }
}

impl HostConfig {
    pub fn check(&self, name: &Name) -> Option<&HostCheck> {
        self.checks.iter().find(|check| check.name.value == *name)
    }

    /// Names of the checks that some instance tracks.
    pub(super) fn tracked(&self) -> BTreeSet<&Name> {
        let tracks = self.instances.iter().flat_map(|instance| &instance.track);
        tracks.map(|track| &track.value.check).collect()
    }
}

impl VrrpInstance {
    pub fn is_ipv6(&self) -> bool {
        self.virtual_addresses.first().is_some_and(|address| address.value.ip().is_ipv6())
    }
}
