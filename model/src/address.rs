//! A virtual address and how it sits on an interface.

use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// `"A"`, `"A/prefix"` or `{address, dev, label, scope, broadcast}`; /32 and /128 by default.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "wire::Written", into = "wire::Written")]
pub struct VirtualAddress {
    pub address: IpNet,
    /// Interface it sits on when not the instance's own.
    pub dev: Option<String>,
    /// IPv4 label, `dev:something`.
    pub label: Option<String>,
    pub scope: Scope,
    pub broadcast: Option<IpAddr>,
}

/// Kernel address scope (rtnetlink(7)).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    #[default]
    Global,
    Site,
    Link,
    Host,
}

impl VirtualAddress {
    /// `address` with its host prefix and nothing else said.
    pub fn host(address: IpAddr) -> Self {
        Self {
            address: IpNet::from(address),
            dev: None,
            label: None,
            scope: Scope::Global,
            broadcast: None,
        }
    }

    pub fn ip(&self) -> IpAddr {
        self.address.addr()
    }
}

/// Why a string is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address: write it as 192.0.2.10, 192.0.2.10/24 or 2001:db8::10")]
pub struct InvalidAddress(pub String);

impl FromStr for VirtualAddress {
    type Err = InvalidAddress;

    /// `A` or `A/prefix`.
    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        let address = net.map_err(|_| InvalidAddress(text.to_owned()))?;
        Ok(Self { address, ..Self::host(address.addr()) })
    }
}

impl fmt::Display for VirtualAddress {
    /// The address, with its prefix unless that is the host's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.address.prefix_len() == self.address.max_prefix_len() {
            self.ip().fmt(f)
        } else {
            self.address.fmt(f)
        }
    }
}

mod wire {
    use super::{Scope, VirtualAddress};
    use serde::{Deserialize, Serialize};
    use std::net::IpAddr;

    #[derive(Clone, Serialize, Deserialize)]
    #[serde(untagged)]
    pub(super) enum Written {
        Short(String),
        Long(Long),
    }

    #[derive(Clone, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Long {
        address: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dev: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        label: Option<String>,
        #[serde(default, skip_serializing_if = "is_global")]
        scope: Scope,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        broadcast: Option<IpAddr>,
    }

    fn is_global(scope: &Scope) -> bool {
        *scope == Scope::Global
    }

    impl TryFrom<Written> for VirtualAddress {
        type Error = String;

        fn try_from(written: Written) -> Result<Self, String> {
            match written {
                Written::Short(text) => Ok(text.parse::<Self>().map_err(|it| it.to_string())?),
                Written::Long(long) => Ok(Self {
                    address: long.address.parse::<Self>().map_err(|it| it.to_string())?.address,
                    dev: long.dev,
                    label: long.label,
                    scope: long.scope,
                    broadcast: long.broadcast,
                }),
            }
        }
    }

    impl From<VirtualAddress> for Written {
        fn from(it: VirtualAddress) -> Self {
            let address = it.to_string();
            let plain = it.dev.is_none() && it.label.is_none() && it.broadcast.is_none();
            if plain && it.scope == Scope::Global {
                return Self::Short(address);
            }
            let VirtualAddress { dev, label, scope, broadcast, .. } = it;
            Self::Long(Long { address, dev, label, scope, broadcast })
        }
    }
}
