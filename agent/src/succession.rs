//! What one image of the agent leaves to the next when it replaces itself in place (SIGUSR2): a
//! document in memory and the descriptors that must not close on the way. Nothing of it is ever on
//! a disk, and a document of another process, boot or format counts for nothing: then the next
//! image starts as after a crash, and everything here falls to the kernel's leases.
//!
//! Who calls it: the supervisor, on both sides. What the parts know is their own business.

use crate::cache::CachedAssignment;
use crate::checks::Counted;
use crate::node;
use crate::node::Notice;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::time::Duration;
use tracing::warn;
use vipfleet_model::Name;

/// Grows when an older agent could not read a document any more.
pub const FORMAT: u32 = 1;

/// By which the next image finds it among its descriptors.
const NAME: &str = "vipfleet-agent-succession";

/// BOOTTIME − MONOTONIC grows by the length of a suspend; below this it is noise.
const NOT_ASLEEP: Duration = Duration::from_millis(50);

/// What is understood of a document of any format.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    pub format: u32,
    /// Of whom it is; exec keeps it.
    pub pid: u32,
    /// Everything that was left open.
    pub descriptors: Vec<RawFd>,
}

/// All that the next image is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    #[serde(flatten)]
    pub envelope: Envelope,
    pub version: String,
    pub boot_id: String,
    /// BOOTTIME − MONOTONIC: all times in the document are of CLOCK_MONOTONIC.
    pub slept: Duration,
    /// Of the state dir.
    pub lock: RawFd,
    /// Of the local API.
    pub listener: RawFd,
    /// What runs; `None` before the first assignment.
    pub assignment: Option<CachedAssignment>,
    pub node: node::Past,
    pub checks: BTreeMap<Name, Counted>,
    /// Said by the VRRP thread, and heeded by nobody yet.
    pub notices: Vec<Notice>,
}

/// Why a document counts for nothing.
#[derive(Debug, thiserror::Error)]
pub enum SuccessionError {
    #[error("cannot {action} the handed-over state")]
    Io {
        action: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("the handed-over state is damaged ({0})")]
    Damaged(serde_json::Error),
    #[error("the handed-over state has format {0}, this version knows {FORMAT}")]
    Format(u32),
    #[error("the handed-over state is of another boot, or of before a suspend")]
    Stale,
}

impl Document {
    /// Reads and checks a document, as far as that is possible before it takes effect.
    pub fn parse(text: &[u8]) -> Result<Self, SuccessionError> {
        let envelope: Envelope = serde_json::from_slice(text).map_err(SuccessionError::Damaged)?;
        if envelope.format != FORMAT {
            return Err(SuccessionError::Format(envelope.format));
        }
        serde_json::from_slice(text).map_err(SuccessionError::Damaged)
    }

    /// Names the descriptors, which stay open from now on.
    pub fn seal(&mut self) {
        let two = [self.lock, self.listener];
        self.envelope.descriptors = two.into_iter().chain(self.node.descriptors()).collect();
    }

    /// Puts it into memory that outlives exec, unless it is closed.
    pub fn to_memory(&self) -> Result<OwnedFd, SuccessionError> {
        let io = |source| SuccessionError::Io { action: "write", source };
        let text = serde_json::to_vec(self).map_err(|error| io(error.into()))?;
        let memory = memfd_create(NAME, MemfdFlags::CLOEXEC).map_err(|error| io(error.into()))?;
        let mut file = File::from(memory);
        file.write_all(&text).and_then(|()| file.rewind()).map_err(io)?;
        Ok(file.into())
    }
}

/// Whether a descriptor is closed by exec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtExec {
    Close,
    Keep,
}

impl AtExec {
    pub fn set(self, descriptor: BorrowedFd<'_>) -> io::Result<()> {
        let flags = match self {
            Self::Close => FdFlags::CLOEXEC,
            Self::Keep => FdFlags::empty(),
        };
        Ok(fcntl_setfd(descriptor, flags)?)
    }

    /// The same by number. Of numbers that a document names, while their owners live.
    pub fn set_all(self, descriptors: &[RawFd]) -> io::Result<()> {
        descriptors.iter().try_for_each(|number| {
            // SAFETY: borrowed for one fcntl; a number that is not open fails with EBADF.
            self.set(unsafe { BorrowedFd::borrow_raw(*number) })
        })
    }
}

/// What the former image left: the document, and the open descriptors by their numbers.
#[derive(Debug)]
pub struct Estate {
    pub document: Document,
    open: BTreeMap<RawFd, OwnedFd>,
}

impl Estate {
    /// A descriptor by its number, once.
    pub fn open(&mut self, number: RawFd) -> Option<OwnedFd> {
        self.open.remove(&number)
    }

    /// Takes what the VRRP thread is to carry on.
    pub fn inherit(mut self) -> (Document, node::Inherited) {
        let past = std::mem::take(&mut self.document.node);
        let inherited = past.inherit(|number| self.open.remove(&number));
        (self.document, inherited)
    }
}

/// What a former image of this process left, if there was one. Called once, before anything else
/// is opened. What cannot be used is closed, and said.
pub fn take(boot_id: &str) -> Option<Estate> {
    let memory = find()?;
    let (text, open) = receive(memory)?;
    let usable = Document::parse(&text).and_then(|document| {
        let asleep = slept().abs_diff(document.slept) >= NOT_ASLEEP;
        let stale = document.boot_id != boot_id || asleep;
        if stale { Err(SuccessionError::Stale) } else { Ok(document) }
    });
    match usable {
        Ok(document) => Some(Estate { document, open }),
        Err(error) => {
            warn!(%error, "starting as after a crash");
            None
        }
    }
}

/// BOOTTIME − MONOTONIC.
pub fn slept() -> Duration {
    let read = |clock| {
        let time = clock_gettime(clock);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
    };
    // Descheduled between the two, the distance only looks larger: the smaller of two readings.
    let distance = || {
        let monotonic = read(ClockId::Monotonic);
        read(ClockId::Boottime).saturating_sub(monotonic)
    };
    distance().min(distance())
}

/// The memory that the former image left open under its name. Nothing else has it: what this
/// process opens is close-on-exec, and so is a document until the moment of the exec.
fn find() -> Option<OwnedFd> {
    let wanted = format!("/memfd:{NAME} (deleted)");
    let found = std::fs::read_dir("/proc/self/fd").ok()?.flatten().find_map(|entry| {
        let target = std::fs::read_link(entry.path()).ok()?;
        let number: RawFd = entry.file_name().to_str()?.parse().ok()?;
        (target.as_os_str() == wanted.as_str()).then_some(number)
    })?;
    own(found)
}

/// Reads the document and takes the descriptors that it names, whatever its format; `None` when it
/// is another process's.
fn receive(memory: OwnedFd) -> Option<(Vec<u8>, BTreeMap<RawFd, OwnedFd>)> {
    let mut text = Vec::new();
    let mut file = File::from(memory);
    let read = file.rewind().and_then(|()| file.read_to_end(&mut text));
    let envelope = read.ok().and_then(|_| serde_json::from_slice::<Envelope>(&text).ok());
    let envelope = envelope.filter(|it| it.pid == std::process::id())?;
    let memory = file.as_raw_fd();
    let numbers = envelope.descriptors.into_iter().filter(|number| *number > 2);
    let numbers = numbers.filter(|number| *number != memory);
    let open = numbers.filter_map(|number| Some((number, own(number)?))).collect();
    Some((text, open))
}

/// Owns a descriptor that came through exec, and lets it go no further.
fn own(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: borrowed for one fcntl; a number that is not open fails with EBADF.
    let flags = fcntl_getfd(unsafe { BorrowedFd::borrow_raw(number) }).ok()?;
    if flags.contains(FdFlags::CLOEXEC) {
        // Opened by this image: not left by any other.
        return None;
    }
    // SAFETY: it is open, and came through exec: nothing in this image owns it yet.
    let owned = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl_setfd(&owned, FdFlags::CLOEXEC).ok()?;
    Some(owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        Document {
            envelope: Envelope { format: FORMAT, pid: 1, descriptors: Vec::new() },
            version: "0".into(),
            boot_id: "b".into(),
            slept: Duration::ZERO,
            lock: 100,
            listener: 101,
            assignment: None,
            node: node::Past::default(),
            checks: BTreeMap::new(),
            notices: Vec::new(),
        }
    }

    #[test]
    fn a_document_is_read_back_from_memory() {
        let mut document = document();
        document.seal();
        let mut text = Vec::new();
        File::from(document.to_memory().unwrap()).read_to_end(&mut text).unwrap();
        let read = Document::parse(&text).unwrap();
        assert_eq!(read.envelope, document.envelope);
        assert_eq!(read.envelope.descriptors, [100, 101]);
    }

    #[test]
    fn a_newer_format_is_refused_and_its_descriptors_are_still_known() {
        let text = br#"{"format":7,"pid":1,"descriptors":[4,5],"unheardOf":{"of":1}}"#;
        let refused = Document::parse(text).unwrap_err();
        assert!(matches!(refused, SuccessionError::Format(7)), "{refused}");
        let envelope: Envelope = serde_json::from_slice(text).unwrap();
        assert_eq!(envelope.descriptors, [4, 5]);
    }

    #[test]
    fn damage_is_said_and_does_not_panic() {
        for text in ["", "{", "[]", r#"{"format":1,"pid":1,"descriptors":[]}"#] {
            let refused = Document::parse(text.as_bytes()).unwrap_err();
            assert!(matches!(refused, SuccessionError::Damaged(_)), "{text}: {refused}");
        }
    }

    #[test]
    fn what_this_image_opened_is_no_inheritance() {
        let file = File::open("/dev/null").unwrap();
        assert!(own(file.as_raw_fd()).is_none());
        assert!(own(RawFd::MAX).is_none());
    }
}
