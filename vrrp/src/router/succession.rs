//! Another image of the program takes this one's place: what is handed over, and how the next
//! router carries on without a transition, an advert missed or an announcement.

use super::Router;
use crate::past::{Past, Unsettled};
use crate::state::{Backup, State};
use crate::time::Time;

impl Router {
    /// What another image would be left now. Changes nothing.
    pub fn past(&self) -> Result<Past, Unsettled> {
        let mut state = self.state;
        let resigns = state.farewell().is_some_and(|farewell| farewell.is_some());
        let parts = matches!(state, State::Backup(Backup { parting: Some(_), .. }));
        if self.is_holding() || self.stopping || resigns || parts {
            return Err(Unsettled::HandingOver);
        }
        if self.forms.deadline().is_some() {
            return Err(Unsettled::Changing);
        }
        if let State::Master(master) = &mut state {
            master.announcer.carry();
        }
        Ok(Past {
            state,
            priority: self.effective_priority(),
            recovered: self.recovered,
            presumed_fit: self.presumed_fit,
            departed: self.departed.clone(),
            sequence: self.sequence.get(),
            replays: self.replays.clone(),
        })
    }

    /// The same, and the last word of this image: a master advertises, so that its peers' whole
    /// patience lies before the next one. A router that goes on after all is none the worse.
    pub fn hand_over(&mut self, now: Time) -> Result<Past, Unsettled> {
        self.past()?;
        let interval = self.own_interval();
        if let State::Master(master) = &mut self.state {
            (master.sent, master.advert) = (now, now + interval);
            let priority = self.effective_priority();
            self.transmit(Some(priority));
        }
        self.past()
    }

    /// Instead of `Start`, given the health and the primary address: goes on as what the former
    /// image was. No transition; whatever is different by now follows from there.
    pub fn carry_on(&mut self, now: Time, past: Past) {
        let State::Init(_) = self.state else { return };
        self.state = past.state;
        self.recovered = past.recovered;
        self.presumed_fit = past.presumed_fit && self.health.pending;
        (self.departed, self.replays) = (past.departed, past.replays);
        self.sequence.set(past.sequence);
        if let State::Master(_) = self.state {
            self.serve();
        }
        self.reassess(now);
        self.priority_changed(now, past.priority);
        self.reconsider_preemption(now);
    }
}
