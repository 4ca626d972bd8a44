//! Words that the kernel or the agent must be able to use: interfaces, files, hosts with ports.

use std::net::Ipv6Addr;

/// Bytes of an interface name or label, without the zero (`IFNAMSIZ`, linux/if.h).
const INTERFACE_BYTES: usize = 15;

/// Why a word is no interface name, in words that follow "is".
pub(super) fn interface_trouble(name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("empty".into());
    }
    if name.len() > INTERFACE_BYTES {
        return Some(format!("longer than {INTERFACE_BYTES} bytes"));
    }
    let odd = |c: char| c == '/' || c.is_whitespace() || c.is_control();
    (name == "." || name == ".." || name.contains(odd)).then(|| "no interface name".into())
}

/// Why an address label cannot be set.
pub(super) fn label_trouble(label: &str) -> Option<String> {
    if label.is_empty() {
        return Some("empty".into());
    }
    (label.len() > INTERFACE_BYTES).then(|| format!("longer than {INTERFACE_BYTES} bytes"))
}

/// Whether a word names a file inside a directory and nothing else: a definition can never hand
/// a host a path.
pub(super) fn is_file_name(word: &str) -> bool {
    !word.is_empty() && word != "." && word != ".." && !word.contains(['/', '\0'])
}

/// Why `HOST:PORT` cannot be connected to.
pub(super) fn host_port_trouble(text: &str, port: Port) -> Option<&'static str> {
    let (host, number) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            if address.parse::<Ipv6Addr>().is_err() {
                return Some("what stands in brackets is no IPv6 address");
            }
            match rest.strip_prefix(':') {
                Some(number) => (address, Some(number)),
                None if rest.is_empty() => (address, None),
                None => return Some("something other than a port follows the bracket"),
            }
        }
        None => match text.split_once(':') {
            Some((_, rest)) if rest.contains(':') => {
                return Some("an IPv6 address stands without brackets");
            }
            Some((host, number)) => (host, Some(number)),
            None => (text, None),
        },
    };
    if host.is_empty() {
        return Some("the host is missing");
    }
    if host.contains(|c: char| c.is_whitespace() || c.is_control() || "/@?#".contains(c)) {
        return Some("the host has a character that no host name has");
    }
    match (number, port) {
        (None, Port::Needed) => Some("the port is missing"),
        (None, Port::Optional) => None,
        (Some(number), _) => {
            let fits = number.bytes().all(|byte| byte.is_ascii_digit())
                && number.parse::<u16>().is_ok_and(|number| number > 0);
            (!fits).then_some("the port is no number from 1 to 65535")
        }
    }
}

#[derive(Clone, Copy)]
pub(super) enum Port {
    Needed,
    Optional,
}
