//! The instances of the loop: by name for whoever speaks of one, by number on the path of an
//! advert, where a look-up must cost nothing.

use super::instance::Instance;
use std::collections::BTreeMap;
use vipfleet_model::Name;

/// An instance as long as it is there; another may have the number afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Number(pub(super) u32);

impl Number {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Debug, Default)]
pub(super) struct Instances {
    slots: Vec<Option<Box<Instance>>>,
    numbers: BTreeMap<Name, Number>,
}

impl Instances {
    /// Replaces one of the same name.
    pub(super) fn insert(&mut self, name: Name, instance: Instance) -> &mut Instance {
        let free = || self.slots.iter().position(Option::is_none).unwrap_or(self.slots.len());
        let at = self.numbers.get(&name).map_or_else(free, |number| number.index());
        if at == self.slots.len() {
            self.slots.push(None);
        }
        self.numbers.insert(name, Number(u32::try_from(at).unwrap_or(u32::MAX)));
        self.slots[at].insert(Box::new(instance))
    }

    pub(super) fn remove(&mut self, name: &Name) -> Option<Number> {
        let number = self.numbers.remove(name)?;
        self.slots[number.index()] = None;
        Some(number)
    }

    pub(super) fn number(&self, name: &Name) -> Option<Number> {
        self.numbers.get(name).copied()
    }

    pub(super) fn at(&mut self, number: Number) -> Option<&mut Instance> {
        self.slots.get_mut(number.index())?.as_deref_mut()
    }

    pub(super) fn get(&self, name: &Name) -> Option<&Instance> {
        self.slots.get(self.number(name)?.index())?.as_deref()
    }

    pub(super) fn get_mut(&mut self, name: &Name) -> Option<&mut Instance> {
        self.at(self.number(name)?)
    }

    pub(super) fn contains_key(&self, name: &Name) -> bool {
        self.numbers.contains_key(name)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// In the order of their names.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Name> {
        self.numbers.keys()
    }

    /// In the order of their names.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Number, &Instance)> {
        let at = |number: &Number| Some((*number, self.slots[number.index()].as_deref()?));
        self.numbers.values().filter_map(at)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Instance> {
        self.slots.iter_mut().filter_map(|slot| slot.as_deref_mut())
    }

    /// In the order of their names.
    pub(super) fn values(&self) -> impl Iterator<Item = &Instance> {
        self.iter().map(|(_, instance)| instance)
    }
}
