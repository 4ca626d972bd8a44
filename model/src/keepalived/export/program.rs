//! Programs of checks and hooks: their paths, their users, and what `global_defs` must say so
//! that keepalived runs them at all.

use super::ExportOptions;
use super::desk::Desk;
use super::page::Page;
use super::word;
use crate::finding::Place;

/// Whom keepalived runs as.
const ROOT: &str = "root";

/// Every program met so far.
#[derive(Debug)]
pub(super) struct Programs<'a> {
    options: &'a ExportOptions,
    host: Place,
    any: bool,
    /// One of them names no user.
    without_user: bool,
    /// One of them names a user other than root.
    other_user: bool,
}

impl<'a> Programs<'a> {
    pub(super) fn new(options: &'a ExportOptions, host: Place) -> Self {
        Self { options, host, any: false, without_user: false, other_user: false }
    }

    /// The quoted command line of a file of the exec dir.
    pub(super) fn of_exec_dir(
        &mut self,
        place: &Place,
        file: &str,
        args: &[String],
        desk: &mut Desk,
    ) -> String {
        let Some(directory) = &self.options.exec_dir else {
            let message = format!("the directory of the program {file} is not known");
            desk.error("exec-dir", place.clone(), message, "say the agent's exec dir");
            return String::new();
        };
        let path = format!("{}/{file}", directory.trim_end_matches('/'));
        let words: Vec<&str> =
            std::iter::once(path.as_str()).chain(args.iter().map(String::as_str)).collect();
        if !words.iter().all(|word| word::fits_command(word)) {
            let message = "an argument cannot hold a zero byte";
            desk.error("bad-word", place.clone(), message, "remove it");
        }
        word::command(words)
    }

    /// The word for the user of a program, if it names one.
    pub(super) fn user(
        &mut self,
        place: &Place,
        user: Option<&str>,
        desk: &mut Desk,
    ) -> Option<String> {
        self.any = true;
        let Some(user) = user else {
            self.without_user = true;
            return None;
        };
        self.other_user |= user != ROOT;
        Some(desk.word(place, "user", user))
    }

    /// Without both lines keepalived 2.2.7 complains or drops every script. The agent refuses
    /// programs that others can write, too.
    pub(super) fn globals(&self, page: &mut Page, desk: &mut Desk) {
        if !self.any {
            return;
        }
        page.line("enable_script_security");
        let user = self.options.script_user.as_deref();
        if self.without_user {
            let written = desk.word(&self.host, "the script user", user.unwrap_or(ROOT));
            page.line(format!("script_user {written}"));
            if user.is_none() {
                let message = "programs that name no user run as root, not as the agent's user";
                let remedy = "name the user who is to run them";
                desk.warning("script-user", self.host.clone(), message, remedy);
            }
        }
        if self.other_user || self.without_user && user.is_some_and(|user| user != ROOT) {
            let message = "`keepalived -t` 2.2.7 kills itself over a script that is not root's; \
                           the daemon runs it";
            let remedy = "nothing to do: start it instead of testing the file";
            desk.warning("script-user", self.host.clone(), message, remedy);
        }
    }
}
