//! R2: both hosts come up at once, 250 instances each. The lower one has no business being MASTER
//! of any.

use std::thread;
use std::time::Duration;

use vipfleet_tests::lab::Lab;
use vipfleet_tests::probe::AdvertWatch;

use crate::line::{Effort, Line, Readings, Row, Subject, Target, Turn, Unit};
use crate::scene::{Pair, wait_for_all};
use crate::setup::Setup;
use crate::wire::claimed;

/// Longer than the master-down interval of the lower one.
const AFTERMATH: Duration = Duration::from_secs(4);

#[derive(Debug)]
struct ColdStart;

pub(super) fn lines() -> Vec<Box<dyn Line>> {
    vec![Box::new(ColdStart)]
}

impl Line for ColdStart {
    fn rows(&self) -> Vec<Row> {
        let work = "cold start of both hosts, 250 instances × 4 VIPs, 1 s: false MASTERs";
        let target = Target::Every(0.0);
        vec![Row { id: "R2", work, unit: Unit::Count, limit: "0", target }]
    }

    fn runs(&self, subject: Subject, effort: Effort) -> usize {
        effort.pick(1, if subject == Subject::Ours { 5 } else { 2 })
    }

    fn run(&self, subject: Subject, _turn: Turn) -> Readings {
        let lab = Lab::pair();
        let setup = Setup::many(4, Duration::from_secs(1));
        let adverts = AdvertWatch::start(lab.host("client"), setup.vip());
        let _pair = Pair::start_cold(&lab, subject, &setup);
        wait_for_all(lab.host("n1"), &setup);
        thread::sleep(AFTERMATH);
        let lower = lab.host("n2").address().into();
        Readings::one("R2", claimed(&adverts.heard(), lower).len() as f64)
    }
}
