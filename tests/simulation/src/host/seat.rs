//! One instance's place on a host.

use crate::daemon::Daemon;
use crate::definition::Definition;
use crate::kernel::Kernel;
use crate::tally::Tally;
use std::rc::Rc;
use vipfleet_vrrp::Time;

#[derive(Debug)]
pub(crate) struct Seat {
    pub(crate) daemon: Option<Daemon>,
    pub(crate) kernel: Kernel,
    /// What the instance is meant to be, as far as this host has been told.
    pub(crate) definition: Rc<Definition>,
    pub(crate) generation: u64,
    pub(crate) drained: bool,
    pub(crate) tally: Tally,
    pub(super) leaving: bool,
    /// The engine's time never runs backwards, although packets bear their own.
    pub(super) clock: Time,
    pub(super) first_advert: Option<Rc<[u8]>>,
}

impl Seat {
    /// Nothing runs yet.
    pub(crate) fn new(definition: Rc<Definition>) -> Self {
        Self {
            daemon: None,
            kernel: Kernel::default(),
            definition,
            generation: 0,
            drained: false,
            tally: Tally::default(),
            leaving: false,
            clock: Time::ZERO,
            first_advert: None,
        }
    }
}
