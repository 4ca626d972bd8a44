//! What both hosts run, as one description: their files differ in priorities alone.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// One instance.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Its name.
    pub name: &'static str,
    /// Where it runs.
    pub interface: &'static str,
    /// Virtual router ID.
    pub vrid: u8,
    /// Of n1 and n2.
    pub priorities: [u8; 2],
    /// Further lines, such as those of version, interval and tracked scripts.
    pub lines: String,
    /// Its virtual addresses, as a file has them.
    pub addresses: Vec<String>,
}

impl Instance {
    /// One of version 3 at adverts every 100 ms.
    pub fn quick(name: &'static str, vrid: u8, priorities: [u8; 2], addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|it| (*it).to_owned()).collect();
        let lines = "version 3\n advert_int 0.1".to_owned();
        Self { name, interface: crate::lab::INTERFACE, vrid, priorities, lines, addresses }
    }

    /// The same with other lines.
    #[must_use]
    pub fn with(self, lines: &str) -> Self {
        Self { lines: lines.to_owned(), ..self }
    }

    fn text(&self, host: usize) -> String {
        let Self { name, interface, vrid, priorities, lines, addresses } = self;
        format!(
            "vrrp_instance {name} {{\n interface {interface}\n virtual_router_id {vrid}\n \
             priority {}\n {lines}\n virtual_ipaddress {{\n {}\n }}\n}}\n",
            priorities[host],
            addresses.join("\n ")
        )
    }
}

/// Everything that runs.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// Declarations of scripts.
    pub scripts: String,
    /// In the order of the file.
    pub instances: Vec<Instance>,
}

impl Files {
    /// The instance of this name.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn instance(&mut self, name: &str) -> &mut Instance {
        let found = self.instances.iter_mut().find(|it| it.name == name);
        found.unwrap_or_else(|| panic!("no instance {name}"))
    }

    pub(super) fn text(&self, host: usize) -> String {
        let mut text = format!("{}\n", self.scripts);
        for instance in &self.instances {
            let _ = write!(text, "{}", instance.text(host));
        }
        text
    }

    /// Which host is preferred for each address.
    pub(super) fn owners(&self) -> BTreeMap<Ipv4Addr, usize> {
        let of = |instance: &Instance| {
            let host = usize::from(instance.priorities[1] > instance.priorities[0]);
            let bare = |text: &String| {
                let address = text.split(['/', ' ']).next().unwrap_or_default();
                address.parse().unwrap_or_else(|error| panic!("{text:?}: {error}"))
            };
            instance.addresses.iter().map(move |it| (bare(it), host)).collect::<Vec<_>>()
        };
        self.instances.iter().flat_map(of).collect()
    }
}
