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
    let options = keepalived::Options { config_id: file.config_id.clone(), lvs: file.lvs };
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
        let pattern = directory.join(request.pattern);
        let mut included = Included::default();
        let paths = match glob::glob(&pattern.to_string_lossy()) {
            Ok(paths) => paths,
            Err(cause) => {
                included.unreadable.push((request.pattern.into(), cause.to_string()));
                return included;
            }
        };
        for path in paths {
            let read = path.map_err(|cause| (cause.path().to_owned(), cause.to_string())).and_then(
                |path| match std::fs::read(&path) {
                    Ok(text) => Ok((path, text)),
                    Err(cause) => Err((path, cause.to_string())),
                },
            );
            match read {
                Ok((path, text)) => {
                    included.texts.push(NamedText { name: path.display().to_string(), text });
                }
                Err((path, why)) => included.unreadable.push((path.display().to_string(), why)),
            }
        }
        included
    }
}
