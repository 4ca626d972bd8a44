//! The end of a program's output, however much there was.

use std::collections::VecDeque;
use std::io;
use tokio::net::unix::pipe;

/// Kept; what came before is forgotten.
const LIMIT: usize = 1024;

/// Read at one go, so that a program that floods cannot hold the task.
const AT_ONCE: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Tail(VecDeque<u8>);

impl Tail {
    /// Takes what the pipe holds now. `false` once nothing more will come.
    pub(crate) fn drain(&mut self, pipe: &pipe::Receiver) -> bool {
        let mut chunk = [0; 4096];
        for _ in 0..AT_ONCE {
            match pipe.try_read(&mut chunk) {
                Ok(0) => return false,
                Ok(length) => self.push(&chunk[..length]),
                Err(cause) => return cause.kind() == io::ErrorKind::WouldBlock,
            }
        }
        true
    }

    fn push(&mut self, bytes: &[u8]) {
        self.0.extend(bytes);
        let excess = self.0.len().saturating_sub(LIMIT);
        self.0.drain(..excess);
    }

    /// The last line that says something, safe to print.
    pub(crate) fn last_line(&mut self) -> Option<String> {
        let text = String::from_utf8_lossy(self.0.make_contiguous());
        let line = text.lines().map(str::trim).rfind(|line| !line.is_empty())?;
        Some(line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last_line(output: &[u8]) -> Option<String> {
        let mut tail = Tail::default();
        tail.push(output);
        tail.last_line()
    }

    #[test]
    fn the_last_line_that_says_something_is_kept() {
        assert_eq!(last_line(b"one\ntwo\n\n  \n").as_deref(), Some("two"));
        assert_eq!(last_line(b" \n\n"), None);
        assert_eq!(last_line(b""), None);
        assert_eq!(last_line(b"bell\x07 and \x1b[31mred").as_deref(), Some("bell  and  [31mred"));
        assert_eq!(last_line(b"caf\xe9").as_deref(), Some("caf\u{fffd}"));
    }

    #[test]
    fn a_flood_keeps_only_its_end() {
        let mut flood = vec![b'x'; 1_000_000];
        flood.extend(b"\nthe end");
        assert_eq!(last_line(&flood).as_deref(), Some("the end"));
        assert_eq!(last_line(&vec![b'y'; 5000]).map(|line| line.len()), Some(LIMIT));
    }
}
