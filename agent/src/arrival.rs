//! Where an assignment comes from, and what that says of the other members: how an instance begins
//! that this node did not run, and how one ends.

use std::collections::BTreeSet;
use vipfleet_model::Name;

#[derive(Clone, Debug, Default)]
pub enum Arrival {
    /// This host had it, in a file or a cache: they may long run, or be gone.
    #[default]
    Found,
    /// A server says it to them too, about now.
    Pushed {
        /// Of its instances, those that are new and that nobody has served yet.
        created: BTreeSet<Name>,
        /// Of the instances that are in it no more, those that no node has any more.
        deleted: BTreeSet<Name>,
    },
}

impl Arrival {
    pub fn creates(&self, instance: &Name) -> bool {
        matches!(self, Self::Pushed { created, .. } if created.contains(instance))
    }

    pub fn deletes(&self, instance: &Name) -> bool {
        matches!(self, Self::Pushed { deleted, .. } if deleted.contains(instance))
    }
}
