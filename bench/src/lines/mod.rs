//! The lines of the table, each in a module that says how it is measured.

mod change;
mod cold_start;
mod graceful;
mod load;
mod many;
mod memory;
mod process;
mod reload;
mod restart;
mod silent;
mod soak;
mod stale;
mod steady;
mod swarm;
mod switchover;

use crate::line::Line;

/// Lines that a hurried run of all leaves out: another one tells nearly as much.
pub const LEFT_OUT_IN_A_HURRY: &[&str] = &[
    "F2",
    "F1 IPv6",
    "F2 IPv6",
    "F5",
    "F4 IPv6",
    "F5 IPv6",
    "F7",
    "F8 100ms",
    "F8 stop",
    "F8 stop 100ms",
    "F8 all",
    "F9 100ms",
    "F10",
    "F10 crash",
    "F10 crash 100ms",
    "S3",
    "S4 1s",
    "S5",
    "S6",
    "C3",
];

/// Lines that are measured only when they are asked for by name: they take long.
pub const ONLY_WHEN_NAMED: &[&str] = &["SOAK", "SOAK-FLEET"];

/// All of them, in the order of the table.
pub fn all() -> Vec<Box<dyn Line>> {
    let mut lines: Vec<Box<dyn Line>> = Vec::new();
    lines.extend(silent::lines());
    lines.extend(graceful::lines());
    lines.extend(process::lines());
    lines.extend(stale::lines());
    lines.extend(switchover::lines());
    lines.extend(restart::lines());
    lines.extend(reload::lines());
    lines.extend(cold_start::lines());
    lines.extend(steady::lines());
    lines.extend(many::lines());
    lines.extend(memory::lines());
    lines.extend(load::lines());
    lines.extend(change::lines());
    lines.extend(swarm::lines());
    lines.extend(soak::lines());
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_row_has_an_id_of_its_own() {
        let lines = all();
        let ids: Vec<&str> = lines.iter().flat_map(|line| line.rows()).map(|row| row.id).collect();
        let distinct: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), distinct.len(), "{ids:?}");
        let firsts: Vec<&str> = lines.iter().map(|line| line.rows()[0].id).collect();
        let mut named = LEFT_OUT_IN_A_HURRY.iter().chain(ONLY_WHEN_NAMED);
        let unknown = named.find(|id| !firsts.contains(id));
        assert_eq!(unknown, None, "{firsts:?}");
    }
}
