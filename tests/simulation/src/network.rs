//! The LAN: who hears whom, and what happens to packets on their way.

use crate::chance::Chance;
use crate::plan::Weather;
use std::time::Duration;
use vipfleet_vrrp::Time;

/// The fastest a packet travels.
const FASTEST: Duration = Duration::from_micros(40);

#[derive(Clone, Debug)]
struct Path {
    /// How many faults cut it just now.
    cuts: u32,
    /// When that last changed between none and some.
    since: Time,
    /// When the last packet that was no straggler arrives: a switch keeps their order.
    last: Time,
    chance: Chance,
}

#[derive(Clone, Debug)]
pub struct Network {
    hosts: usize,
    paths: Vec<Path>,
    weather: Weather,
}

impl Network {
    pub(crate) fn new(seed: u64, hosts: usize, weather: Weather) -> Self {
        let path = |number: usize| Path {
            cuts: 0,
            since: Time::ZERO,
            last: Time::ZERO,
            chance: Chance::stream(seed, 1000 + number as u64),
        };
        Self { hosts, paths: (0..hosts * hosts).map(path).collect(), weather }
    }

    /// Whether what `from` sends reaches `to`.
    pub fn reaches(&self, from: usize, to: usize) -> bool {
        self.paths[from * self.hosts + to].cuts == 0
    }

    pub fn connected(&self, one: usize, other: usize) -> bool {
        self.reaches(one, other) && self.reaches(other, one)
    }

    /// Whether everybody hears everybody.
    pub fn is_whole(&self) -> bool {
        self.paths.iter().all(|path| path.cuts == 0)
    }

    /// Whether that has been so ever since.
    pub fn is_whole_since(&self, since: Time) -> bool {
        self.is_whole() && self.paths.iter().all(|path| path.since <= since)
    }

    /// Since when it is so, or is not so.
    pub fn since(&self, one: usize, other: usize) -> Time {
        let since = |from: usize, to: usize| self.paths[from * self.hosts + to].since;
        since(one, other).max(since(other, one))
    }

    pub(crate) fn set_weather(&mut self, weather: Weather) {
        self.weather = weather;
    }

    pub(crate) fn cut(&mut self, from: usize, to: usize, now: Time) {
        let path = &mut self.paths[from * self.hosts + to];
        path.cuts += 1;
        if path.cuts == 1 {
            path.since = now;
        }
    }

    pub(crate) fn mend(&mut self, from: usize, to: usize, now: Time) {
        let path = &mut self.paths[from * self.hosts + to];
        path.cuts -= 1;
        if path.cuts == 0 {
            path.since = now;
        }
    }

    /// When the copies of a packet sent now arrive: none, one or two.
    pub(crate) fn arrivals(&mut self, from: usize, to: usize, now: Time) -> [Option<Time>; 2] {
        let weather = self.weather;
        let path = &mut self.paths[from * self.hosts + to];
        if path.cuts > 0 || path.chance.percent(weather.loss) {
            return [None, None];
        }
        let first = path.travel(weather, now);
        let second = path.chance.percent(weather.duplicates).then(|| path.travel(weather, now));
        [Some(first), second]
    }
}

impl Path {
    fn travel(&mut self, weather: Weather, now: Time) -> Time {
        if self.chance.percent(weather.stragglers) {
            return now + self.chance.between(weather.delay, weather.delay * 10);
        }
        let arrives = (now + self.chance.between(FASTEST, weather.delay)).max(self.last);
        self.last = arrives;
        arrives
    }
}
