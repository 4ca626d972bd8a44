//! Which of the processes of one name is in charge. Pure: censuses in, masters out.
//!
//! A server such as nginx is one master and its workers, all of one name. The program runs while a
//! master lives. When a master dies alone, its workers live on, adopted by init: they serve, but
//! nobody replaces them or reloads them, so they do not count. That they are orphans can be told
//! only by what was seen before, hence the memory kept here.

use std::collections::BTreeSet;

/// A process as a scan saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Seen {
    pub(crate) pid: i32,
    /// Clock ticks since boot; with the pid it names a process for good.
    pub(crate) started: u64,
    pub(crate) parent: i32,
    pub(crate) session: i32,
}

impl Seen {
    fn id(&self) -> Id {
        (self.started, self.pid)
    }
}

/// Start time first: the smallest is the eldest.
type Id = (u64, i32);

/// What is known of the processes of one name.
#[derive(Debug, Default)]
pub(crate) struct Family {
    masters: Vec<Seen>,
    /// Had a parent of the same name when last seen.
    workers: BTreeSet<Id>,
    orphans: BTreeSet<Id>,
}

impl Family {
    /// Takes in a new census.
    pub(crate) fn update(&mut self, census: &[Seen]) {
        let pids: BTreeSet<i32> = census.iter().map(|seen| seen.pid).collect();
        let parents: BTreeSet<i32> = census.iter().map(|seen| seen.parent).collect();
        let present: BTreeSet<Id> = census.iter().map(Seen::id).collect();
        let (living, dead): (Vec<Seen>, Vec<Seen>) =
            self.masters.iter().partition(|master| present.contains(&master.id()));
        let living: BTreeSet<Id> = living.iter().map(Seen::id).collect();

        let (children, roots): (Vec<Seen>, Vec<Seen>) =
            census.iter().partition(|seen| pids.contains(&seen.parent));
        let in_charge = |root: &Seen| {
            living.contains(&root.id())
                // A binary upgrade's new master is a child of the old one, with workers of its own.
                || parents.contains(&root.pid)
                || !(self.orphans.contains(&root.id()) || self.orphaned(root, &dead))
        };
        let (masters, orphans): (Vec<Seen>, Vec<Seen>) = roots.into_iter().partition(in_charge);
        self.masters = masters;
        self.orphans = orphans.iter().map(Seen::id).collect();
        self.workers = children.iter().map(Seen::id).collect();
    }

    /// Whether one of the `dead` masters left `root` behind. A daemon that puts itself into the
    /// background also loses its parent, but into a session of its own.
    fn orphaned(&self, root: &Seen, dead: &[Seen]) -> bool {
        const INIT: i32 = 1;
        dead.iter().filter(|master| master.session == root.session).any(|master| {
            // Born since the last census: an adopted worker, or a sibling of the dead master,
            // started by the same supervisor.
            let sibling = root.parent == master.parent && root.parent != INIT;
            self.workers.contains(&root.id()) || !sibling
        })
    }

    /// The one to watch: the longest running master.
    pub(crate) fn eldest(&self) -> Option<Seen> {
        self.masters.iter().copied().min_by_key(Seen::id)
    }

    /// Everybody of the census but workers that outlived their master.
    pub(crate) fn serving(&self, census: &[Seen]) -> Vec<Seen> {
        census.iter().copied().filter(|seen| !self.orphans.contains(&seen.id())).collect()
    }

    pub(crate) fn orphans(&self) -> usize {
        self.orphans.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(pid, parent, session)`; the start time follows the pid.
    fn census(processes: &[(i32, i32, i32)]) -> Vec<Seen> {
        let seen = |&(pid, parent, session): &(i32, i32, i32)| Seen {
            pid,
            started: pid as u64,
            parent,
            session,
        };
        processes.iter().map(seen).collect()
    }

    /// The eldest master's pid after each census.
    fn eldest_after(censuses: &[&[(i32, i32, i32)]]) -> Vec<Option<i32>> {
        let mut family = Family::default();
        let mut after = |processes: &&[(i32, i32, i32)]| {
            family.update(&census(processes));
            family.eldest().map(|seen| seen.pid)
        };
        censuses.iter().map(&mut after).collect()
    }

    #[test]
    fn the_master_is_the_one_whose_parent_has_another_name() {
        assert_eq!(eldest_after(&[&[(12, 10, 10), (10, 1, 10), (11, 10, 10)]]), [Some(10)]);
    }

    #[test]
    fn workers_that_outlive_their_master_do_not_count() {
        let whole: &[_] = &[(10, 1, 10), (11, 10, 10), (12, 10, 10)];
        let left: &[_] = &[(11, 1, 10), (12, 1, 10)];
        assert_eq!(
            eldest_after(&[whole, left, left, &[(11, 1, 10)]]),
            [Some(10), None, None, None]
        );
    }

    #[test]
    fn workers_born_since_the_last_scan_do_not_count_either() {
        assert_eq!(eldest_after(&[&[(10, 1, 10)], &[(11, 1, 10)]]), [Some(10), None]);
    }

    #[test]
    fn a_restarted_program_counts_beside_the_orphans_of_the_old_one() {
        let left: &[_] = &[(11, 1, 10)];
        let again: &[_] = &[(11, 1, 10), (20, 1, 20), (21, 20, 20)];
        let same_session: &[_] = &[(11, 1, 10), (30, 5, 10)];
        let whole: &[_] = &[(10, 1, 10), (11, 10, 10)];
        assert_eq!(eldest_after(&[whole, left, again]), [Some(10), None, Some(20)]);
        assert_eq!(eldest_after(&[whole, left, same_session]), [Some(10), None, Some(30)]);
    }

    #[test]
    fn a_binary_upgrade_hands_over_to_the_new_master() {
        let before: &[_] = &[(10, 1, 10), (11, 10, 10)];
        let both: &[_] = &[(10, 1, 10), (11, 10, 10), (20, 10, 10), (21, 20, 10)];
        let after: &[_] = &[(20, 1, 10), (21, 20, 10)];
        assert_eq!(eldest_after(&[before, both, after, after]).last(), Some(&Some(20)));
        assert_eq!(eldest_after(&[before, both, after])[1], Some(10));
    }

    #[test]
    fn a_daemon_caught_while_it_goes_to_the_background_counts() {
        let forking: &[_] = &[(10, 5, 5), (11, 10, 11)];
        assert_eq!(eldest_after(&[forking, &[(11, 1, 11)]]), [Some(10), Some(11)]);
    }

    #[test]
    fn of_two_independent_programs_one_is_enough() {
        let two: &[_] = &[(10, 5, 5), (20, 5, 5)];
        assert_eq!(eldest_after(&[two, &[(20, 5, 5)]]), [Some(10), Some(20)]);
        assert_eq!(eldest_after(&[&[(10, 5, 5)], &[(20, 5, 5)]]), [Some(10), Some(20)]);
    }

    #[test]
    fn a_reused_pid_is_another_process() {
        let mut family = Family::default();
        let before = Seen { pid: 10, started: 1, parent: 1, session: 10 };
        let worker = Seen { pid: 11, started: 2, parent: 10, session: 10 };
        family.update(&[before, worker]);
        let reused = Seen { pid: 10, started: 99, parent: 1, session: 10 };
        let orphan = Seen { parent: 1, ..worker };
        family.update(&[orphan]);
        assert_eq!((family.eldest(), family.orphans()), (None, 1));
        family.update(&[orphan, reused]);
        assert_eq!(family.eldest(), Some(reused));
    }
}
