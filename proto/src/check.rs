//! Checks and what they probe. An absent field takes the default that documents give it.

use crate::field::{duration, name, number, optional_span, present, required, span_or};
use crate::malformed::{Malformed, Under};
use crate::v1;
use crate::v1::check::Probe as WireProbe;
use crate::v1::process_probe::Match;
use vipfleet_model::Check;
use vipfleet_model::check::{
    ExecProbe, FileProbe, HttpProbe, InterfaceProbe, NamedCheck, Probe, ProcessProbe,
    ProcessTarget, TcpProbe,
};

const DEFAULT_EXPECT_STATUS: u16 = 200;
const DEFAULT_QUORUM: u32 = 1;

impl From<Check> for v1::Check {
    fn from(Check { probe, interval, timeout, rise, fall, down_delay }: Check) -> Self {
        Self {
            probe: Some(probe.into()),
            interval: duration(interval),
            timeout: timeout.and_then(duration),
            rise: Some(rise.into()),
            fall: Some(fall.into()),
            down_delay: duration(down_delay),
        }
    }
}

impl TryFrom<v1::Check> for Check {
    type Error = Malformed;

    fn try_from(wire: v1::Check) -> Result<Self, Malformed> {
        let v1::Check { probe, interval, timeout, rise, fall, down_delay } = wire;
        let default = Self::new(present(probe, "probe")?.try_into()?);
        Ok(Self {
            interval: span_or(interval, default.interval, "interval")?,
            timeout: optional_span(timeout, "timeout")?,
            rise: number(rise.unwrap_or(default.rise.into()), "rise")?,
            fall: number(fall.unwrap_or(default.fall.into()), "fall")?,
            down_delay: span_or(down_delay, default.down_delay, "down_delay")?,
            probe: default.probe,
        })
    }
}

impl From<Probe> for WireProbe {
    fn from(probe: Probe) -> Self {
        match probe {
            Probe::Process(process) => Self::Process(process.into()),
            Probe::Http(http) => Self::Http(http.into()),
            Probe::Tcp(TcpProbe { address }) => Self::Tcp(v1::TcpProbe { address }),
            Probe::Exec(ExecProbe { file, args, user }) => {
                Self::Exec(v1::ExecProbe { file, args, user })
            }
            Probe::File(FileProbe { path }) => Self::File(v1::FileProbe { path }),
            Probe::Interface(InterfaceProbe { name }) => {
                Self::Interface(v1::InterfaceProbe { name })
            }
        }
    }
}

impl TryFrom<WireProbe> for Probe {
    type Error = Malformed;

    fn try_from(wire: WireProbe) -> Result<Self, Malformed> {
        Ok(match wire {
            WireProbe::Process(process) => Self::Process(process.try_into().under("process")?),
            WireProbe::Http(http) => Self::Http(http.try_into().under("http")?),
            WireProbe::Tcp(v1::TcpProbe { address }) => Self::Tcp(TcpProbe { address }),
            WireProbe::Exec(v1::ExecProbe { file, args, user }) => {
                Self::Exec(ExecProbe { file, args, user })
            }
            WireProbe::File(v1::FileProbe { path }) => Self::File(FileProbe { path }),
            WireProbe::Interface(v1::InterfaceProbe { name }) => {
                Self::Interface(InterfaceProbe { name })
            }
        })
    }
}

impl From<ProcessProbe> for v1::ProcessProbe {
    fn from(probe: ProcessProbe) -> Self {
        let found_by = match probe.target {
            ProcessTarget::Name(name) => Match::Name(name),
            ProcessTarget::PidFile(path) => Match::PidFile(path),
        };
        Self {
            r#match: Some(found_by),
            quorum: Some(probe.quorum.into()),
            quorum_max: probe.quorum_max.map(Into::into),
        }
    }
}

impl TryFrom<v1::ProcessProbe> for ProcessProbe {
    type Error = Malformed;

    fn try_from(wire: v1::ProcessProbe) -> Result<Self, Malformed> {
        let v1::ProcessProbe { r#match: found_by, quorum, quorum_max } = wire;
        let target = match present(found_by, "match")? {
            Match::Name(name) => ProcessTarget::Name(name),
            Match::PidFile(path) => ProcessTarget::PidFile(path),
        };
        Ok(Self {
            target,
            quorum: number(quorum.unwrap_or(DEFAULT_QUORUM), "quorum")?,
            quorum_max: quorum_max.map(|most| number(most, "quorum_max")).transpose()?,
        })
    }
}

impl From<HttpProbe> for v1::HttpProbe {
    fn from(HttpProbe { url, expect_status }: HttpProbe) -> Self {
        Self { url, expect_status: Some(expect_status.into()) }
    }
}

impl TryFrom<v1::HttpProbe> for HttpProbe {
    type Error = Malformed;

    fn try_from(v1::HttpProbe { url, expect_status }: v1::HttpProbe) -> Result<Self, Malformed> {
        let expect_status = expect_status.unwrap_or(DEFAULT_EXPECT_STATUS.into());
        Ok(Self { url, expect_status: number(expect_status, "expect_status")? })
    }
}

impl From<NamedCheck> for v1::NamedCheck {
    fn from(NamedCheck { name, spec }: NamedCheck) -> Self {
        Self { name: name.into(), spec: Some(spec.into()) }
    }
}

impl TryFrom<v1::NamedCheck> for NamedCheck {
    type Error = Malformed;

    fn try_from(wire: v1::NamedCheck) -> Result<Self, Malformed> {
        Ok(Self { name: name(wire.name, "name")?, spec: required(wire.spec, "spec")? })
    }
}
