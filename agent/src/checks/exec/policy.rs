//! Which programs the agent runs at all, and as whom.
//!
//! A server may name files of the exec dir, nothing else: it can never hand a host a command line
//! of its own. Only the host's own configuration (stand-alone) names paths. In both cases whoever
//! can change the file, or swap it by way of a directory, could run code as the agent: such files
//! are refused.

use super::credentials::{self, Credentials};
use rustix::process::geteuid;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Where programs may come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecPolicy {
    /// Definitions come from a server and name files directly inside `exec_dir`.
    ServerPushed { exec_dir: Option<PathBuf> },
    /// The host's own file gives absolute paths.
    StandAlone,
}

/// Why a program is not run. Each says what to do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error(
        "this agent runs no programs for a server: start it with --exec-dir and put {0:?} there"
    )]
    NoExecDir(String),
    #[error("{0:?} is no plain file name: name a file directly inside the exec dir")]
    NotAPlainName(String),
    #[error("{0:?} is no absolute path: start it with /")]
    NotAbsolute(String),
    #[error("no file {0}: put it there, owned by root, mode 0755")]
    Missing(PathBuf),
    #[error("cannot look at {0}")]
    Unreadable(PathBuf, #[source] io::Error),
    #[error("{0} leads out of the exec dir to {1}: put the program itself there")]
    Escapes(PathBuf, PathBuf),
    #[error("{0} is not a regular file")]
    NotAFile(PathBuf),
    #[error("{0} is not executable: chmod 0755 {0}")]
    NotExecutable(PathBuf),
    #[error("{0} can be written by its group or by others: chmod go-w {0}")]
    WritableByOthers(PathBuf),
    #[error("{0} belongs to uid {1}, neither root nor the agent's user: chown root {0}")]
    ForeignOwner(PathBuf, u32),
    #[error("there is no user {0:?} on this host")]
    NoSuchUser(String),
    #[error("cannot look up user {0:?}")]
    UserLookup(String, #[source] io::Error),
    #[error("cannot run it as {0:?}: the agent lacks CAP_SETUID and CAP_SETGID")]
    MayNotSwitchUser(String),
    #[error("cannot start {0}")]
    Start(PathBuf, #[source] io::Error),
}

/// What to run: a file that has passed, with everything that exec needs.
#[derive(Debug)]
pub(crate) struct Program {
    /// Without symbolic links: what was looked at is what runs.
    pub(crate) path: PathBuf,
    /// As it was named, for `argv[0]`.
    pub(crate) named: PathBuf,
    pub(crate) user: Option<Credentials>,
}

impl ExecPolicy {
    /// Looks at the file as it is now. Blocks on the disk and, with a user, on NSS.
    pub(crate) fn resolve(&self, file: &str, user: Option<&str>) -> Result<Program, Refused> {
        let named = self.locate(file)?;
        let path = fs::canonicalize(&named).map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => Refused::Missing(named.clone()),
            _ => Refused::Unreadable(named.clone(), cause),
        })?;
        self.confine(&named, &path)?;
        check_file(&path)?;
        check_directories(&path)?;
        // The link, too, must not be somebody else's to turn.
        check_directories(&named)?;
        let user = user.map(credentials::lookup).transpose()?.flatten();
        Ok(Program { path, named, user })
    }

    fn locate(&self, file: &str) -> Result<PathBuf, Refused> {
        match self {
            Self::ServerPushed { exec_dir } => {
                if file.is_empty() || file == "." || file == ".." || file.contains(['/', '\0']) {
                    return Err(Refused::NotAPlainName(file.into()));
                }
                let dir = exec_dir.as_ref().ok_or_else(|| Refused::NoExecDir(file.into()))?;
                Ok(dir.join(file))
            }
            Self::StandAlone if !file.starts_with('/') || file.contains('\0') => {
                Err(Refused::NotAbsolute(file.into()))
            }
            Self::StandAlone => Ok(file.into()),
        }
    }

    fn confine(&self, named: &Path, path: &Path) -> Result<(), Refused> {
        let Self::ServerPushed { exec_dir: Some(dir) } = self else {
            return Ok(());
        };
        let real = fs::canonicalize(dir).map_err(|c| Refused::Unreadable(dir.clone(), c))?;
        if path.parent() == Some(&real) {
            Ok(())
        } else {
            Err(Refused::Escapes(named.into(), path.into()))
        }
    }
}

fn look(path: &Path) -> Result<Metadata, Refused> {
    fs::metadata(path).map_err(|cause| Refused::Unreadable(path.into(), cause))
}

fn check_file(path: &Path) -> Result<(), Refused> {
    let file = look(path)?;
    if !file.is_file() {
        return Err(Refused::NotAFile(path.into()));
    }
    check_owner(path, &file)?;
    if file.mode() & 0o022 != 0 {
        return Err(Refused::WritableByOthers(path.into()));
    }
    if file.mode() & 0o111 == 0 {
        return Err(Refused::NotExecutable(path.into()));
    }
    Ok(())
}

/// Every directory on the way. A sticky one further up, such as /tmp, keeps others from renaming
/// what is not theirs; the file's own directory gets no such allowance.
fn check_directories(path: &Path) -> Result<(), Refused> {
    const STICKY: u32 = 0o1000;
    for (distance, directory) in path.ancestors().skip(1).enumerate() {
        let found = look(directory)?;
        check_owner(directory, &found)?;
        let sticky = distance > 0 && found.mode() & STICKY != 0;
        if found.mode() & 0o022 != 0 && !sticky {
            return Err(Refused::WritableByOthers(directory.into()));
        }
    }
    Ok(())
}

fn check_owner(path: &Path, found: &Metadata) -> Result<(), Refused> {
    if found.uid() == 0 || found.uid() == geteuid().as_raw() {
        Ok(())
    } else {
        Err(Refused::ForeignOwner(path.into(), found.uid()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use tempfile::TempDir;

    struct Host {
        root: TempDir,
        policy: ExecPolicy,
    }

    impl Host {
        fn new() -> Self {
            let root = tempfile::tempdir().unwrap();
            let dir = root.path().join("exec");
            fs::create_dir(&dir).unwrap();
            chmod(&dir, 0o755);
            Self { policy: ExecPolicy::ServerPushed { exec_dir: Some(dir) }, root }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.root.path().join(name)
        }

        fn file(&self, name: &str, mode: u32) -> PathBuf {
            let path = self.path(name);
            fs::write(&path, "#!/bin/sh\n").unwrap();
            chmod(&path, mode);
            path
        }

        fn refusal(&self, file: &str) -> String {
            self.policy.resolve(file, None).unwrap_err().to_string()
        }
    }

    fn chmod(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_plain_file_of_the_exec_dir_runs() {
        let host = Host::new();
        let path = host.file("exec/check.sh", 0o755);
        let program = host.policy.resolve("check.sh", None).unwrap();
        assert_eq!(program.path, fs::canonicalize(path).unwrap());
    }

    #[test]
    fn a_server_can_only_name_files_of_the_exec_dir() {
        let host = Host::new();
        host.file("outside", 0o755);
        for name in ["", ".", "..", "../outside", "/bin/true", "a/b", "a\0b"] {
            assert!(host.refusal(name).contains("no plain file name"), "{name:?}");
        }
        let none = ExecPolicy::ServerPushed { exec_dir: None };
        let refused = none.resolve("check.sh", None).unwrap_err().to_string();
        assert!(refused.contains("--exec-dir"), "{refused}");
    }

    #[test]
    fn a_link_out_of_the_exec_dir_is_refused_and_one_inside_is_not() {
        let host = Host::new();
        host.file("outside", 0o755);
        host.file("exec/inside", 0o755);
        symlink(host.path("outside"), host.path("exec/out")).unwrap();
        symlink("inside", host.path("exec/in")).unwrap();
        assert!(host.refusal("out").contains("leads out of the exec dir"));
        assert!(host.policy.resolve("in", None).is_ok());
    }

    #[test]
    fn what_others_could_change_is_refused() {
        let host = Host::new();
        for mode in [0o775, 0o757, 0o777] {
            host.file("exec/check.sh", mode);
            assert!(host.refusal("check.sh").contains("chmod go-w"), "{mode:o}");
        }
        host.file("exec/check.sh", 0o755);
        for mode in [0o775, 0o757, 0o1777] {
            chmod(&host.path("exec"), mode);
            assert!(host.refusal("check.sh").contains("chmod go-w"), "{mode:o}");
        }
        chmod(&host.path("exec"), 0o755);
        chmod(host.root.path(), 0o777);
        assert!(host.refusal("check.sh").contains("chmod go-w"));
        chmod(host.root.path(), 0o1777);
        assert!(host.policy.resolve("check.sh", None).is_ok());
    }

    #[test]
    fn a_file_of_another_user_is_refused() {
        let host = Host::new();
        let path = host.file("exec/check.sh", 0o755);
        std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
        assert!(host.refusal("check.sh").contains("belongs to uid 65534"));
    }

    #[test]
    fn what_cannot_be_run_says_what_to_do() {
        let host = Host::new();
        host.file("exec/plain", 0o644);
        fs::create_dir(host.path("exec/dir")).unwrap();
        assert!(host.refusal("missing.sh").contains("put it there, owned by root"));
        assert!(host.refusal("plain").contains("chmod 0755"));
        assert!(host.refusal("dir").contains("not a regular file"));
        let user = host.policy.resolve("plain", Some("no-such-user"));
        assert!(user.unwrap_err().to_string().contains("not executable"));
        host.file("exec/plain", 0o755);
        let user = host.policy.resolve("plain", Some("no-such-user"));
        assert!(user.unwrap_err().to_string().contains("no user \"no-such-user\""));
    }

    #[test]
    fn stand_alone_takes_absolute_paths_only() {
        let alone = ExecPolicy::StandAlone;
        assert!(alone.resolve("/bin/sh", None).is_ok());
        for relative in ["sh", "./sh", "", "bin/sh"] {
            let refused = alone.resolve(relative, None).unwrap_err().to_string();
            assert!(refused.contains("no absolute path"), "{relative:?}");
        }
    }

    #[test]
    fn a_link_in_a_directory_that_others_can_write_is_refused_stand_alone() {
        let host = Host::new();
        host.file("exec/check.sh", 0o755);
        let open = host.path("open");
        fs::create_dir(&open).unwrap();
        chmod(&open, 0o777);
        symlink(host.path("exec/check.sh"), open.join("link")).unwrap();
        let named = open.join("link").to_str().unwrap().to_owned();
        let refused = ExecPolicy::StandAlone.resolve(&named, None).unwrap_err().to_string();
        assert!(refused.contains("can be written"), "{refused}");
    }
}
