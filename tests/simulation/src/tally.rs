//! What the checks and the link of a host say about one instance, and the [`Health`] the agent's
//! tally makes of it. The agent's own tally (`agent/src/node/health.rs`) lives in a crate full of
//! sockets; its effect is modelled here, and its table of cases is tested there.

use vipfleet_vrrp::Health;

/// Counted, so that faults may overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) faults: u32,
    /// The sum of what failed checks take away, not above 0.
    pub(crate) weakened: i32,
    pub(crate) links_down: u32,
    /// Of others in its sync group.
    pub(crate) links_of_others: u32,
    /// Checks without a result.
    pub(crate) unsure: u32,
    /// The agent has just started and no check has spoken.
    pub(crate) booting: u32,
}

impl Tally {
    pub(crate) fn health(self, full_weight: i32) -> Health {
        let mut faults = Vec::new();
        if self.links_down > 0 {
            faults.push("interface eth0 is down".to_owned());
        }
        let spoken = self.booting == 0;
        if self.faults > 0 && spoken {
            faults.push("check nginx is down".to_owned());
        }
        if self.links_of_others > 0 {
            faults.push("VI_9 of sync group G: interface eth1 is down".to_owned());
        }
        Health {
            faults,
            weight: if spoken { full_weight + self.weakened } else { 0 },
            full_weight,
            weighted: Vec::new(),
            pending: self.unsure > 0 || !spoken,
            interface_down: self.links_down > 0,
        }
    }
}
