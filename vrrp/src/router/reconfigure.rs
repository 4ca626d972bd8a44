//! A new configuration, in place: only what changed is disturbed, and no advert is missed.

use super::Router;
use crate::config::{Config, ConfigError};
use crate::output::Warning;
use crate::state::State;
use crate::time::Time;

impl Router {
    pub(super) fn reconfigure(&mut self, now: Time, config: Config) {
        if let Err(error) = self.accepts(&config) {
            return self.warn(now, Warning::ConfigRefused(error));
        }
        self.warnings.end(|warning| matches!(warning, Warning::ConfigRefused(_)));
        if config == self.config {
            return;
        }
        let before = self.effective_priority();
        let former = std::mem::replace(&mut self.config, config);
        self.forms.change(now, &self.config, self.running());
        self.departed.change(now, &former, &self.config);
        if former.members != self.config.members || former.destination != self.config.destination {
            self.warnings.end(|warning| matches!(warning, Warning::Stranger { .. }));
        }
        if former.addresses != self.config.addresses {
            self.repeat_custody();
        }
        if former.announcements.refresh != self.config.announcements.refresh
            && let State::Master(master) = &mut self.state
        {
            master.announcer.reschedule(now, self.config.announcements);
        }
        if !self.config.handover && self.is_holding() {
            self.let_go();
            self.stop_if_let_go();
        }
        self.shorten_advert_timer(now);
        self.stand_down(now, former.standing);
        self.priority_changed(now, before);
        self.reconsider_preemption(now);
        self.step_up(now, former.standing);
    }

    /// A former form has served its time.
    pub(super) fn forms_fire(&mut self, now: Time) {
        self.forms.fire(now);
        self.shorten_advert_timer(now);
    }

    /// The present wait never grows: the peers' timers still count the former interval, until the
    /// next advert tells them the new one.
    fn shorten_advert_timer(&mut self, now: Time) {
        let interval = self.own_interval();
        if let State::Master(master) = &mut self.state {
            master.advert = master.advert.min(now + interval);
        }
    }

    fn accepts(&self, config: &Config) -> Result<(), ConfigError> {
        if (config.vrid, config.family) != (self.config.vrid, self.config.family) {
            return Err(ConfigError::Identity);
        }
        config.check()
    }
}
