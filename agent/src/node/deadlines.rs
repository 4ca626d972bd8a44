//! Which instance is due next. Costs nothing for an instance that waits.

use super::instances::Number;
use vipfleet_vrrp::Time;

/// A heap of one deadline for each instance. A deadline that moves later stays where it is filed
/// until it comes to the top: a backup's moves with every advert it hears, and rarely comes.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    heap: Vec<Number>,
    of: Vec<Option<Deadline>>,
}

#[derive(Clone, Copy, Debug)]
struct Deadline {
    at: Time,
    /// What the heap is ordered by; never later than `at`.
    filed: Time,
    /// Where in the heap.
    place: usize,
}

impl Deadlines {
    /// Replaces the deadline of an instance; `None` when it awaits nothing.
    pub(super) fn set(&mut self, number: Number, at: Option<Time>) {
        if self.of.len() <= number.index() {
            self.of.resize(number.index() + 1, None);
        }
        match (&mut self.of[number.index()], at) {
            (None, None) => {}
            (Some(deadline), Some(at)) => {
                deadline.at = at;
                if at < deadline.filed {
                    deadline.filed = at;
                    let place = deadline.place;
                    self.rise(place);
                }
            }
            (slot @ None, Some(at)) => {
                let place = self.heap.len();
                *slot = Some(Deadline { at, filed: at, place });
                self.heap.push(number);
                self.rise(place);
            }
            (slot @ Some(_), None) => {
                let place = slot.take().map_or(0, |deadline| deadline.place);
                self.heap.swap_remove(place);
                if let Some(moved) = self.heap.get(place).copied() {
                    self.settle(place, moved);
                    self.rise(place);
                    self.sink(place);
                }
            }
        }
    }

    pub(super) fn next(&mut self) -> Option<Time> {
        loop {
            let top = *self.heap.first()?;
            let deadline = self.of[top.index()].as_mut()?;
            if deadline.filed == deadline.at {
                return Some(deadline.at);
            }
            deadline.filed = deadline.at;
            self.sink(0);
        }
    }

    /// The earliest instance that is due at `now`.
    pub(super) fn due(&mut self, now: Time) -> Option<Number> {
        let is_due = self.next()? <= now;
        if is_due { self.heap.first().copied() } else { None }
    }

    fn filed(&self, place: usize) -> Option<Time> {
        let number = self.heap.get(place)?;
        Some(self.of[number.index()]?.filed)
    }

    fn settle(&mut self, place: usize, number: Number) {
        self.heap[place] = number;
        if let Some(deadline) = &mut self.of[number.index()] {
            deadline.place = place;
        }
    }

    fn swap(&mut self, one: usize, other: usize) {
        let (first, second) = (self.heap[one], self.heap[other]);
        self.settle(one, second);
        self.settle(other, first);
    }

    fn rise(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.filed(parent) <= self.filed(place) {
                return;
            }
            self.swap(place, parent);
            place = parent;
        }
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let children = [2 * place + 1, 2 * place + 2];
            let earliest = children
                .into_iter()
                .filter_map(|child| Some((self.filed(child)?, child)))
                .min()
                .filter(|(filed, _)| Some(*filed) < self.filed(place));
            let Some((_, child)) = earliest else { return };
            self.swap(place, child);
            place = child;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn at(nanos: u64) -> Option<Time> {
        Some(Time::from_nanos(nanos))
    }

    #[test]
    fn the_earliest_is_due_first_and_a_new_deadline_replaces_the_old() {
        let (one, two) = (Number(0), Number(1));
        let mut deadlines = Deadlines::default();
        deadlines.set(one, at(10));
        deadlines.set(two, at(20));
        assert_eq!(deadlines.next(), at(10));
        assert_eq!(deadlines.due(Time::from_nanos(9)), None);
        deadlines.set(one, at(30));
        assert_eq!(deadlines.due(Time::from_nanos(20)), Some(two));
        deadlines.set(two, None);
        assert_eq!(deadlines.next(), at(30));
    }

    #[test]
    fn whatever_is_set_and_unset_the_earliest_of_all_is_next() {
        let mut random = fastrand::Rng::with_seed(51);
        let (mut deadlines, mut model) = (Deadlines::default(), BTreeMap::new());
        for _ in 0..20_000 {
            let number = random.u32(0..40);
            let time = random.bool().then(|| Time::from_nanos(random.u64(0..1000)));
            deadlines.set(Number(number), time);
            match time {
                Some(time) => model.insert(number, time),
                None => model.remove(&number),
            };
            assert_eq!(deadlines.next(), model.values().min().copied());
            let due = deadlines.due(Time::from_nanos(500));
            let earliest = model.values().min().filter(|it| it.as_nanos() <= 500);
            assert_eq!(due.map(|it| model[&it.0]), earliest.copied());
        }
    }
}
