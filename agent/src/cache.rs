//! Files of the state dir that survive the agent: written whole, atomically, and read back with
//! a clear word when they cannot be. Losing one never stops VRRP.

use crate::received::Received;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use vipfleet_model::Assignment;

/// Why a state file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    #[error("cannot {action} {path}")]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} is damaged ({reason}); it is ignored")]
    Damaged { path: PathBuf, reason: String },
    #[error("{0} is in use by another agent: give each agent a --state-dir of its own")]
    Locked(PathBuf),
}

/// The state dir, locked for this process as long as the value lives.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    lock: nix::fcntl::Flock<File>,
}

/// The last assignment that ran, with where it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CachedAssignment {
    pub fleet_id: String,
    pub epoch: u64,
    pub generation: u64,
    pub hash: String,
    pub assignment: Assignment,
    /// Absent in files of earlier releases, which knew no planned moves.
    #[serde(default)]
    pub received: Option<Received>,
}

/// The same as it is written. What runs lies prepared in the VRRP thread; for whoever else may
/// ask for it later, this takes a fraction of the room, in one piece.
#[derive(Clone, Debug)]
pub struct EncodedAssignment(Arc<[u8]>);

impl CachedAssignment {
    pub fn encode(&self) -> serde_json::Result<EncodedAssignment> {
        Ok(EncodedAssignment(serde_json::to_vec(self)?.into()))
    }
}

impl EncodedAssignment {
    pub fn decode(&self) -> serde_json::Result<CachedAssignment> {
        serde_json::from_slice(&self.0)
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl StateDir {
    /// Creates the directory (mode 0700) if need be and takes its lock.
    pub fn open(path: &Path) -> Result<Self, CacheError> {
        let io = |action, at: &Path| {
            let path = at.to_owned();
            move |source| CacheError::Io { action, path, source }
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(io("create", path))?;
        let lock_path = path.join("lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock_path)
            .map_err(io("open", &lock_path))?;
        Self::locked(path, file)
    }

    /// Goes on with the lock that the former image of the agent held: it is never free between.
    pub fn adopt(path: &Path, lock: OwnedFd) -> Result<Self, CacheError> {
        Self::locked(path, File::from(lock))
    }

    fn locked(path: &Path, file: File) -> Result<Self, CacheError> {
        let lock = nix::fcntl::Flock::lock(file, nix::fcntl::FlockArg::LockExclusiveNonblock)
            .map_err(|_| CacheError::Locked(path.to_owned()))?;
        Ok(Self { path: path.to_owned(), lock })
    }

    /// The descriptor that holds the lock.
    pub fn lock(&self) -> BorrowedFd<'_> {
        self.lock.as_fd()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a file of the state dir; `None` when there is none.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, CacheError> {
        read(&self.path, name)
    }

    /// Replaces a file of the state dir: the old one stays whole until the new one is.
    pub fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), CacheError> {
        self.replace(name, || serde_json::to_vec(value), File::sync_all)
    }

    /// The same of what is encoded already.
    pub fn write_encoded(&self, name: &str, text: &[u8]) -> Result<(), CacheError> {
        self.replace(name, || Ok(text), File::sync_all)
    }

    /// The same without waiting for the disk: it survives a crash of the agent, and what counts in
    /// one boot only need not survive the machine's.
    pub fn write_for_this_boot<T: Serialize>(
        &self,
        name: &str,
        value: &T,
    ) -> Result<(), CacheError> {
        self.replace(name, || serde_json::to_vec(value), |_| Ok(()))
    }

    fn replace<T: AsRef<[u8]>>(
        &self,
        name: &str,
        encode: impl Fn() -> serde_json::Result<T>,
        sync: impl Fn(&File) -> io::Result<()>,
    ) -> Result<(), CacheError> {
        let path = self.path.join(name);
        let beside = self.path.join(format!("{name}.new"));
        let write = || -> io::Result<()> {
            let text = encode()?;
            let mut file = File::options()
                .create(true)
                .truncate(true)
                .write(true)
                .mode(0o600)
                .open(&beside)?;
            file.write_all(text.as_ref())?;
            sync(&file)?;
            fs::rename(&beside, &path)
        };
        write().map_err(|source| {
            // Best effort: the next write truncates it anyway.
            fs::remove_file(&beside).ok();
            CacheError::Io { action: "write", path: path.clone(), source }
        })
    }
}

/// Reads a file of a state dir that another process may hold; `None` when there is none.
pub fn read<T: DeserializeOwned>(state_dir: &Path, name: &str) -> Result<Option<T>, CacheError> {
    let path = state_dir.join(name);
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(CacheError::Io { action: "read", path, source }),
    };
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|cause| CacheError::Damaged { path, reason: cause.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        assert_eq!(state.read::<Vec<u8>>("numbers.json").unwrap(), None);
        state.write("numbers.json", &vec![1, 2, 3]).unwrap();
        assert_eq!(state.read::<Vec<u8>>("numbers.json").unwrap(), Some(vec![1, 2, 3]));
    }

    #[test]
    fn an_assignment_is_kept_as_it_was_encoded() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let cached = CachedAssignment {
            fleet_id: "f1".into(),
            epoch: 2,
            generation: 3,
            hash: "h".into(),
            assignment: Assignment::default(),
            received: Some(Received::now("2026-03-04T12:00:00Z", "b1")),
        };
        let encoded = cached.encode().unwrap();
        assert_eq!(encoded.decode().unwrap(), cached);
        state.write_encoded("assignment.json", encoded.as_bytes()).unwrap();
        assert_eq!(state.read("assignment.json").unwrap(), Some(cached));
    }

    #[test]
    fn a_damaged_file_is_named_and_does_not_panic() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        fs::write(dir.path().join("numbers.json"), "[1, 2").unwrap();
        let error = state.read::<Vec<u8>>("numbers.json").unwrap_err();
        assert!(error.to_string().contains("numbers.json is damaged"), "{error}");
    }

    #[test]
    fn a_full_disk_leaves_the_old_file_whole() {
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        state.write("numbers.json", &vec![1]).unwrap();
        // /dev/full refuses every write as a full disk does.
        std::os::unix::fs::symlink("/dev/full", dir.path().join("numbers.json.new")).unwrap();
        let error = state.write("numbers.json", &vec![2]).unwrap_err();
        assert!(error.to_string().contains("cannot write"), "{error}");
        assert_eq!(state.read::<Vec<u8>>("numbers.json").unwrap(), Some(vec![1]));
    }

    #[test]
    fn a_second_agent_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let _first = StateDir::open(dir.path()).unwrap();
        let error = StateDir::open(dir.path()).unwrap_err();
        assert!(error.to_string().contains("in use by another agent"), "{error}");
    }
}
