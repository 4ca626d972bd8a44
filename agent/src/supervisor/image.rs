//! The program that this process runs, and the one at its path now: which file that is, whether it
//! says that it could take over, and the exec itself.

use crate::succession::{AtExec, Document};
use std::ffi::{CString, OsStr, OsString};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::process::Command;
use tokio::time::timeout;
use tracing::info;

/// What a self-check may take.
const CHECK_LIMIT: Duration = Duration::from_secs(10);

/// Why the program at the path does not take over.
#[derive(Debug, thiserror::Error)]
pub(super) enum ImageError {
    #[error("there is no program {0}: install it, then send SIGUSR2 again")]
    Missing(PathBuf),
    #[error("cannot look at {0}")]
    Unreadable(PathBuf, #[source] io::Error),
    #[error("{0} changed while it was checked: send SIGUSR2 again once it is installed")]
    Changed(PathBuf),
    #[error("cannot run the self-check of {0}")]
    CheckNotRun(PathBuf, #[source] io::Error),
    #[error("the self-check of {0} did not end within {limit} s", limit = CHECK_LIMIT.as_secs())]
    CheckHangs(PathBuf),
    #[error("the self-check of {0} failed: {1}")]
    CheckFailed(PathBuf, String),
    #[error("cannot exec {0}")]
    Exec(PathBuf, #[source] io::Error),
}

/// The program to become, as it was when it was looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Image {
    path: PathBuf,
    arguments: Vec<OsString>,
    /// Device, inode, length, and when the content changed last.
    identity: (u64, u64, u64, i64, i64),
}

impl Image {
    /// The path that the agent was started as, resolved anew: a package puts a new file there.
    pub(super) fn look() -> Result<Self, ImageError> {
        let arguments: Vec<OsString> = std::env::args_os().collect();
        let started_as = arguments.first().map(PathBuf::from).unwrap_or_default();
        let path = resolve(&started_as).ok_or(ImageError::Missing(started_as))?;
        let found = fs::metadata(&path).map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => ImageError::Missing(path.clone()),
            _ => ImageError::Unreadable(path.clone(), cause),
        })?;
        let identity = (found.dev(), found.ino(), found.len(), found.mtime(), found.mtime_nsec());
        Ok(Self { path, arguments, identity })
    }

    /// Has the program say whether it could take over with `sketch`, in a process of its own.
    pub(super) async fn check(&self, sketch: &Document) -> Result<(), ImageError> {
        let not_run = |cause| ImageError::CheckNotRun(self.path.clone(), cause);
        let memory = sketch.to_memory().map_err(|error| not_run(io::Error::other(error)))?;
        let child = Command::new(&self.path)
            .args(self.arguments.get(1..).unwrap_or_default())
            .arg("--self-check")
            .stdin(File::from(memory))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .process_group(0)
            .spawn()
            .map_err(not_run)?;
        let ended = timeout(CHECK_LIMIT, child.wait_with_output()).await;
        let Output { status, stdout, stderr } =
            ended.map_err(|_| ImageError::CheckHangs(self.path.clone()))?.map_err(not_run)?;
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().replace('\n', "; ");
        if status.success() {
            info!(said = said(&stdout), "the program at {} can take over", self.path.display());
            return Ok(());
        }
        let why = [said(&stderr), said(&stdout), status.to_string()];
        let why = why.into_iter().find(|it| !it.is_empty()).unwrap_or_default();
        Err(ImageError::CheckFailed(self.path.clone(), why))
    }

    /// Refuses a file that is another by now.
    pub(super) fn insist_unchanged(&self) -> Result<(), ImageError> {
        match Self::look()? == *self {
            true => Ok(()),
            false => Err(ImageError::Changed(self.path.clone())),
        }
    }

    /// Becomes the program: same process, same arguments, same environment. Returns only why not.
    pub(super) fn exec(&self, document: &Document) -> ImageError {
        let failed = |cause: io::Error| ImageError::Exec(self.path.clone(), cause);
        let memory = match document.to_memory() {
            Ok(memory) => memory,
            Err(error) => return failed(io::Error::other(error)),
        };
        let kept = &document.envelope.descriptors;
        let exec = || {
            AtExec::Keep.set_all(kept)?;
            AtExec::Keep.set(memory.as_fd())?;
            let path = text(self.path.as_os_str())?;
            let arguments = self.arguments.iter().map(|it| text(it)).collect::<Result<Vec<_>, _>>();
            match nix::unistd::execv(&path, &arguments?) {
                Ok(never) => match never {},
                Err(cause) => Err(io::Error::from(cause)),
            }
        };
        let outcome: io::Result<()> = exec();
        // A check's program must not get them.
        AtExec::Close.set_all(kept).ok();
        failed(outcome.err().unwrap_or_else(|| io::Error::other("exec returned")))
    }
}

fn text(word: &OsStr) -> io::Result<CString> {
    Ok(CString::new(word.as_bytes())?)
}

/// As execvp(3) does: a name without a slash is looked up in PATH.
fn resolve(started_as: &Path) -> Option<PathBuf> {
    if started_as.as_os_str().as_bytes().contains(&b'/') {
        return Some(started_as.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(started_as)).find(|it| it.is_file())
}
