//! Who makes a change, for the history: `alice@admin-host`. Not authentication: a name tag.

use std::env;
use std::os::unix::fs::MetadataExt as _;

/// The person behind sudo, else the user, at this host.
pub(crate) fn author() -> String {
    let named = ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|name| env::var(name).ok());
    let user = named.filter(|name| !name.is_empty()).unwrap_or_else(user_of_this_process);
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match host.trim() {
        "" => user,
        host => format!("{user}@{host}"),
    }
}

/// From the user database, since a service or a container may have no such variable.
fn user_of_this_process() -> String {
    let Ok(uid) = std::fs::metadata("/proc/self").map(|it| it.uid()) else {
        return "unknown".to_owned();
    };
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    name_of(uid, &users).unwrap_or_else(|| format!("uid {uid}"))
}

/// passwd(5): name, password, uid, …
fn name_of(uid: u32, users: &str) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn a_uid_is_looked_up_in_the_user_database() {
        let users = "root:x:0:0:root:/:/bin/sh\nbroken\nalice:x:1000:1000::/:/bin/sh\n";
        assert_eq!(name_of(1000, users).as_deref(), Some("alice"));
        assert_eq!(name_of(7, users), None);
    }
}
