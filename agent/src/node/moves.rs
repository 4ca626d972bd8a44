//! Planned moves end by themselves here, whether a server is there to say so or not. What the end
//! means is the engine's business ([`vipfleet_vrrp::Standing`]).

use super::event_loop::EventLoop;
use super::prepared::PreparedInstances;
use crate::net::clock;
use tracing::info;
use vipfleet_vrrp::Input;

impl EventLoop {
    /// Before an assignment runs: what is over already does not begin.
    pub(super) fn time_moves(&mut self, instances: &mut PreparedInstances) {
        let now = clock::up_for();
        for instance in instances.iter_mut() {
            instance.end_move(now);
        }
        self.next_move_end = instances.iter().filter_map(|it| it.move_ends).min();
    }

    /// Ends what is over. Called every turn; reads a clock only while something will end.
    pub(super) fn end_moves(&mut self) {
        let Some(next) = self.next_move_end else { return };
        let now = clock::up_for();
        if now < next {
            return;
        }
        let instances = self.instances.values_mut();
        let over = instances.filter_map(|it| it.prepared.end_move(now).then(|| it.name().clone()));
        for name in over.collect::<Vec<_>>() {
            info!(instance = %name, "the planned move is over");
            self.dirty = true;
            if let Some(instance) = self.instances.get(&name) {
                let config = Box::new(instance.prepared.config.clone());
                self.tell(&name, Input::Reconfigure(config));
            }
        }
        let ends = self.instances.values().filter_map(|it| it.prepared.move_ends);
        self.next_move_end = ends.min();
    }
}
