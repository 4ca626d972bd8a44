//! The operator's editor.

use crate::exit::Failure;
use std::env;
use std::path::Path;
use tokio::process::Command;

/// Runs it on the file and waits. As git does: by the shell, since it may come with arguments.
pub(super) async fn open(path: &Path) -> Result<(), Failure> {
    let named = ["VISUAL", "EDITOR"].into_iter().find_map(|name| env::var(name).ok());
    let editor = named.filter(|it| !it.trim().is_empty()).unwrap_or_else(|| "vi".to_owned());
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(format!("{editor} \"$@\"")).arg(&editor).arg(path);
    let failure = || {
        Failure::failed(format!("the editor {editor:?} failed: nothing was changed"))
            .remedy("name another one in EDITOR")
    };
    match command.status().await {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failure().because(status.to_string())),
        Err(cause) => Err(failure().because(cause.to_string())),
    }
}
