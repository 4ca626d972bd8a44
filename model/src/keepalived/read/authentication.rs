//! `authentication { auth_type PASS  auth_pass … }`. Findings never repeat the password.

use super::super::Lvs;
use super::super::cell::Pos;
use super::super::keyword::{AUTHENTICATION, admit};
use super::super::report::Report;
use super::super::tree::Statement;
use crate::instance::Authentication;
use crate::secret::Secret;

/// Bytes of a password that travel in an advert (RFC 2338 § 5.3.10).
const PASSWORD_BYTES: usize = 8;

/// Reads the block; none when keepalived would run without authentication, or when refused.
pub(super) fn read(block: &Statement, report: &mut Report) -> Option<(Authentication, Pos)> {
    let mut kind: Option<(String, Pos)> = None;
    let mut password: Option<(String, Pos)> = None;
    for statement in block.statements() {
        if !admit(statement, AUTHENTICATION, "authentication", Lvs::Refuse, report) {
            continue;
        }
        let word = &statement.parameters()[0];
        match statement.keyword() {
            "auth_type" => kind = Some((word.text.clone(), word.pos)),
            _ => password = Some((word.text.clone(), word.pos)),
        }
    }
    match (kind, password) {
        (Some((kind, pos)), _) if kind == "AH" => {
            report.error(
                pos,
                "not-supported",
                "auth_type AH is not supported: RFC 3768 took it out of VRRP",
                "use PASS or no authentication, on all members",
            );
            None
        }
        (Some((kind, pos)), _) if kind != "PASS" => {
            let message = format!("unknown auth_type {kind:?}");
            report.error(pos, "bad-value", message, "write PASS, or remove the block");
            None
        }
        (_, Some((password, pos))) if password.is_empty() => {
            report.error(pos, "bad-value", "the password is empty", "write one of 1 to 8 bytes");
            None
        }
        (Some(_), Some((password, pos))) => Some((pass(password, pos, report), pos)),
        (Some((_, pos)), None) => {
            report.error(
                pos,
                "missing-value",
                "auth_type without auth_pass; keepalived runs without authentication",
                "add auth_pass on a line of its own, or remove the block on all members",
            );
            None
        }
        (None, Some((_, pos))) => {
            report.error(
                pos,
                "missing-value",
                "auth_pass without auth_type; keepalived runs without authentication",
                "add auth_type PASS on a line of its own, or remove the block on all members",
            );
            None
        }
        (None, None) => None,
    }
}

fn pass(password: String, pos: Pos, report: &mut Report) -> Authentication {
    if password.len() <= PASSWORD_BYTES {
        return Authentication::Pass { password: Secret::new(password) };
    }
    report.warning(
        pos,
        "password-cut",
        "only the first eight bytes of the password count",
        "shorten it to eight bytes on all members",
    );
    let mut end = PASSWORD_BYTES;
    while !password.is_char_boundary(end) {
        end -= 1;
    }
    Authentication::Pass { password: Secret::new(&password[..end]) }
}
