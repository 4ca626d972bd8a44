//! The words of a scenario line: flags, and `key=value` pairs taken by name.

use crate::fixture;
use std::time::Duration;
use vipfleet_vrrp::{
    Authentication, ChecksumForm, Config, Destination, Health, Member, Preemption, Standing,
    Takeover, Time, Version,
};

pub(super) struct Words<'t> {
    left: Vec<&'t str>,
}

impl<'t> Words<'t> {
    pub(super) fn new(line: &'t str) -> Self {
        Self { left: line.split_whitespace().collect() }
    }

    pub(super) fn next(&mut self) -> &'t str {
        self.left.remove(0)
    }

    pub(super) fn take(&mut self, key: &str) -> Option<&'t str> {
        let value = |word: &&'t str| word.strip_prefix(key).and_then(|rest| rest.strip_prefix('='));
        let at = self.left.iter().position(|word| value(word).is_some())?;
        value(&self.left.remove(at))
    }

    pub(super) fn flag(&mut self, name: &str) -> bool {
        let at = self.left.iter().position(|word| *word == name);
        at.map(|at| self.left.remove(at)).is_some()
    }

    pub(super) fn assert_empty(&self, line: &str) {
        assert!(self.left.is_empty(), "not understood: {:?} in {line}", self.left);
    }

    /// Every word of the configuration that is there.
    pub(super) fn configure(&mut self, config: &mut Config) {
        if let Some(version) = self.take("version") {
            config.version = if version == "2" { Version::V2 } else { Version::V3 };
        }
        if let Some(password) = self.take("password") {
            let mut data = [0; 8];
            data[..password.len()].copy_from_slice(password.as_bytes());
            config.authentication = Authentication::Pass(data);
        }
        if let Some(vips) = self.take("vips") {
            config.addresses =
                vips.split(',').map(|vip| vip.parse().expect("an address")).collect();
        }
        if let Some(peers) = self.take("peers") {
            let peers = peers.split(',').filter(|peer| !peer.is_empty());
            let peers = peers.map(|peer| peer.parse().expect("an address")).collect();
            config.destination = Destination::Unicast(peers);
        }
        if let Some(base) = self.take("base") {
            config.priority = fixture::priority(base.parse().expect("a number"));
        }
        if let Some(adverts) = self.take("down-adverts") {
            config.down_adverts = adverts.parse().expect("a number");
        }
        if let Some(repeat) = self.take("repeat") {
            config.announcements.repeat = repeat.parse().expect("a number");
        }
        for (key, field) in [
            ("interval", &mut config.interval),
            ("preempt-delay", &mut config.preempt_delay),
            ("startup-delay", &mut config.startup_delay),
            ("recover-delay", &mut config.recover_delay),
            ("garp-delay", &mut config.announcements.delay),
            ("garp-refresh", &mut config.announcements.refresh),
        ] {
            if let Some(value) = self.take(key) {
                *field = span(value);
            }
        }
        self.configure_flags(config);
    }

    fn configure_flags(&mut self, config: &mut Config) {
        config.members_complete |= self.flag("members-complete");
        config.members_only |= self.flag("members-only");
        config.handover &= !self.flag("no-handover");
        if self.flag("nopreempt") {
            config.preemption = Preemption::NoPreempt;
        }
        for (word, standing) in [
            ("ordinary", Standing::Ordinary),
            ("leads", Standing::Leads),
            ("follows", Standing::Follows),
            ("yields", Standing::Yields),
        ] {
            if self.flag(word) {
                config.standing = standing;
            }
        }
        if self.flag("fast") {
            config.takeover = Takeover::Fast;
        }
        if self.flag("message-only") {
            config.checksum = ChecksumForm::MessageOnly;
        }
    }

    /// `HOST BASE [external] [unknown]`; host 1 is this router.
    pub(super) fn member(&mut self) -> Member {
        let number = self.next().parse().expect("a host number");
        let mut member = fixture::member(number, self.next().parse().expect("a priority"));
        member.external = self.flag("external");
        if self.flag("unknown") {
            member.address = None;
        }
        member
    }

    /// What is not named stays as it was; `ok` clears the faults.
    pub(super) fn health(&mut self, health: &mut Health) {
        if self.flag("ok") {
            health.faults.clear();
            health.interface_down = false;
        }
        if let Some(fault) = self.take("fault") {
            health.faults = vec![fault.replace('_', " ")];
        }
        if let Some(weight) = self.take("weight") {
            health.weight = weight.parse().expect("a number");
        }
        if let Some(weight) = self.take("full") {
            health.full_weight = weight.parse().expect("a number");
        }
        if let Some(pending) = self.take("pending") {
            health.pending = pending == "yes";
        }
        if self.flag("link-down") {
            health.faults = vec!["link is down".to_owned()];
            health.interface_down = true;
        }
    }
}

/// The time that begins an input line.
pub(super) fn time_of(line: &str) -> Option<Time> {
    let seconds: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(Time::ZERO + Duration::from_nanos((seconds * 1e9).round() as u64))
}

/// `250ms`, `4s`.
pub(super) fn span(text: &str) -> Duration {
    let number = |digits: &str| digits.parse().expect("a whole number");
    match text.strip_suffix("ms") {
        Some(digits) => Duration::from_millis(number(digits)),
        None => Duration::from_secs(number(text.strip_suffix('s').expect("a unit, s or ms"))),
    }
}

pub(super) fn password(authentication: Authentication) -> String {
    match authentication {
        Authentication::None => String::new(),
        Authentication::Pass(data) => {
            let text = String::from_utf8_lossy(&data);
            format!(" password {}", text.trim_end_matches('\0'))
        }
        Authentication::Hmac(_) => " signed".to_owned(),
    }
}
