//! Keywords of the small blocks.

use super::Fate::{NoEffect, Read, Refused};
use super::{Keyword, MANY, block, words};

const ONE_PROCESS: super::Fate = Refused(
    "a process check looks for processes by the name of their program",
    "write a vrrp_script for it",
);

pub(in crate::keepalived) const AUTHENTICATION: &[Keyword] =
    &[words("auth_type", 1, 1, Read), words("auth_pass", 1, 1, Read)];

pub(in crate::keepalived) const SCRIPT: &[Keyword] = &[
    words("script", 1, MANY, Read),
    words("interval", 1, 1, Read),
    words("timeout", 1, 1, Read),
    words("weight", 1, 2, Read),
    words("rise", 1, 1, Read),
    words("fall", 1, 1, Read),
    words("user", 1, 2, Read),
    words("init_fail", 0, 0, NoEffect("no preemption before every check has its first result")),
];

pub(in crate::keepalived) const PROCESS: &[Keyword] = &[
    words("process", 1, MANY, Read),
    words("weight", 1, 2, Read),
    words("quorum", 1, 1, Read),
    words("delay", 1, 1, Read),
    words("terminate_delay", 1, 1, Read),
    words("fork_delay", 1, 1, NoEffect("a process counts as running once it is seen")),
    words("quorum_max", 1, 1, Read),
    words("param_match", 1, 1, ONE_PROCESS),
    words("full_command", 0, 0, ONE_PROCESS),
];

pub(in crate::keepalived) const SYNC_GROUP: &[Keyword] = &[
    block("group", 0, Read),
    block("track_script", 0, Read),
    block("track_interface", 0, Read),
    block("track_process", 0, Read),
    words("notify_master", 1, MANY, Read),
    words("notify_backup", 1, MANY, Read),
    words("notify_fault", 1, MANY, Read),
    words("notify_stop", 1, MANY, Read),
    words("notify", 1, MANY, Read),
    words("sync_group_tracking_weight", 0, 0, Read),
    words("global_tracking", 0, 0, Read),
    block("track_file", 0, super::TRACK_FILE),
    block("track_bfd", 0, Refused("there is no BFD", "remove the block")),
    words("notify_priority_changes", 0, 1, NoEffect("there is no notify FIFO")),
    words("smtp_alert", 0, 1, NoEffect("no mail is sent")),
];
