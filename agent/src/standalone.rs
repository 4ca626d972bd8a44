//! Stand-alone mode: a keepalived.conf of this host becomes an assignment, with no server.

use std::path::{Path, PathBuf};
use vipfleet_model::keepalived::{self, IncludeRequest, Included, Lvs, NamedText, Sources};
use vipfleet_model::{Assignment, Findings};

/// What to read, and how.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    pub path: PathBuf,
    pub config_id: Option<String>,
    pub lvs: Lvs,
}

/// Why the file cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    #[error("cannot read {path}: {source}; check the path and its permissions")]
    Read { path: PathBuf, source: std::io::Error },
    /// Every finding, at least one of them an error.
    #[error("{}", lines(.0))]
    Refused(Findings),
}

/// Reads the file; warnings come with the assignment.
pub fn read(file: &ConfigFile) -> Result<(Assignment, Findings), ConfigFileError> {
    let text = std::fs::read(&file.path)
        .map_err(|source| ConfigFileError::Read { path: file.path.clone(), source })?;
    let name = file.path.display().to_string();
    let options = keepalived::Options {
        config_id: file.config_id.clone(),
        lvs: file.lvs,
        ..Default::default()
    };
    let (host, mut findings) = keepalived::parse(&name, &text, &Files, &options);
    let (assignment, more) = keepalived::assignment(&host);
    findings.append(more);
    if findings.has_errors() {
        Err(ConfigFileError::Refused(findings))
    } else {
        Ok((assignment, findings))
    }
}

fn lines(findings: &Findings) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Included files of this host.
struct Files;

impl Sources for Files {
    fn include(&self, request: &IncludeRequest<'_>) -> Included {
        let directory = Path::new(request.from).parent().unwrap_or(Path::new("."));
        let mut included = Included::default();
        for pattern in keepalived::alternatives(request.pattern) {
            matching(&directory.join(pattern), &mut included);
        }
        included
    }
}

/// Adds the files of one glob(3) pattern, by name. A hidden file is matched by a dot only.
fn matching(pattern: &Path, included: &mut Included) {
    let options = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let paths = match glob::glob_with(&pattern.to_string_lossy(), options) {
        Ok(paths) => paths,
        Err(cause) => {
            included.unreadable.push((pattern.display().to_string(), cause.to_string()));
            return;
        }
    };
    for path in paths {
        let read = path
            .map_err(|cause| (cause.path().to_owned(), cause.error().to_string()))
            .and_then(|path| match std::fs::read(&path) {
                Ok(text) => Ok((path, text)),
                Err(cause) => Err((path, cause.to_string())),
            });
        match read {
            Ok((path, text)) => {
                included.texts.push(NamedText { name: path.display().to_string(), text });
            }
            Err((path, why)) => included.unreadable.push((path.display().to_string(), why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_include_takes_braces_and_no_hidden_files() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["b.conf", "a.conf", ".a.conf.swp", ".c.conf", "d.txt"] {
            std::fs::write(directory.path().join(name), name).unwrap();
        }
        let from = directory.path().join("keepalived.conf");
        let from = from.to_str().unwrap();
        let names = |pattern| {
            let request = IncludeRequest { pattern, from };
            let included = Files.include(&request);
            assert!(included.unreadable.is_empty(), "{included:?}");
            included.texts.into_iter().map(|it| it.text).collect::<Vec<_>>()
        };
        assert_eq!(names("{b,a}.conf"), [b"b.conf", b"a.conf"]);
        assert_eq!(names("*.conf"), [b"a.conf", b"b.conf"]);
        assert_eq!(
            names("{*.conf,d.txt}"),
            [b"a.conf".to_vec(), b"b.conf".to_vec(), b"d.txt".to_vec()]
        );
        assert_eq!(names("none{1,2}"), Vec::<Vec<u8>>::new());
    }
}
