//! Log lines on their way to stderr, through a thread of their own: a reader of stderr that
//! stalls must never stall the VRRP thread. Lines that find the queue full are dropped, and how
//! many is said in the log.

use jiff::Timestamp;
use serde_json::json;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tracing_subscriber::fmt::MakeWriter;

/// Lines that may wait.
const QUEUE: usize = 8192;

/// How long the end of the process waits for a reader that stalls.
const FLUSH_LIMIT: Duration = Duration::from_millis(500);

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Text,
    /// One object each, of the members that `tracing_subscriber` writes.
    Json,
}

impl Format {
    /// A line of who has no subscriber: the guard, and the log about itself.
    pub(crate) fn line(self, program: &str, message: &str) -> String {
        match self {
            Self::Text => format!("{program}: {message}\n"),
            Self::Json => {
                let timestamp = Timestamp::now().to_string();
                let fields = json!({ "message": message });
                let line = json!({
                    "timestamp": timestamp, "level": "WARN", "fields": fields, "target": program,
                });
                format!("{line}\n")
            }
        }
    }
}

/// Makes a writer for each line. Clones share the queue.
#[derive(Clone, Debug)]
pub struct Lines(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Mutex<Option<SyncSender<Vec<u8>>>>,
    dropped: AtomicU64,
    queued: AtomicU64,
    written: AtomicU64,
}

impl Lines {
    /// Waits until what was logged so far is written, but not for longer than `limit`.
    pub fn settle(&self, limit: Duration) {
        let start = Instant::now();
        let queued = self.0.queued.load(Ordering::Acquire);
        while self.0.written.load(Ordering::Acquire) < queued && start.elapsed() < limit {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
}

/// Ends the log: what waits is written when it drops.
#[derive(Debug)]
pub struct Flush {
    lines: Lines,
    writer: JoinHandle<()>,
}

/// Starts the thread that writes to `out`; `format` is of what it says itself.
pub fn start(out: impl Write + Send + 'static, format: Format) -> io::Result<(Lines, Flush)> {
    let (queue, taken) = sync_channel(QUEUE);
    let queue = Mutex::new(Some(queue));
    let (dropped, queued, written) = Default::default();
    let shared = Shared { queue, dropped, queued, written };
    let lines = Lines(Arc::new(shared));
    let theirs = lines.clone();
    let writer = std::thread::Builder::new()
        .name("log".into())
        .spawn(move || write_all(&taken, out, &theirs.0, format))?;
    Ok((lines.clone(), Flush { lines, writer }))
}

fn write_all(taken: &Receiver<Vec<u8>>, mut out: impl Write, shared: &Shared, format: Format) {
    loop {
        // A reader that is gone is no reason to stop taking lines.
        let _ = match taken.recv_timeout(Duration::from_secs(1)) {
            Ok(line) => {
                let done = out.write_all(&line);
                shared.written.fetch_add(1, Ordering::Release);
                done
            }
            Err(RecvTimeoutError::Timeout) => Ok(()),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let lost = shared.dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let message = format!("{lost} log lines were dropped");
            let _ = out.write_all(format.line("vipfleet-agent", &message).as_bytes());
        }
    }
}

impl Flush {
    fn finish(&self) {
        self.lines.0.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let start = Instant::now();
        while !self.writer.is_finished() && start.elapsed() < FLUSH_LIMIT {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        self.finish();
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { shared: &self.0, text: Vec::new() }
    }
}

/// One line; queued when it drops.
#[derive(Debug)]
pub struct Line<'a> {
    shared: &'a Shared,
    text: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        let text = std::mem::take(&mut self.text);
        // Held for a try_send only.
        let queue = self.shared.queue.lock().unwrap_or_else(PoisonError::into_inner);
        match queue.as_ref().map(|queue| queue.try_send(text)) {
            Some(Ok(())) => self.shared.queued.fetch_add(1, Ordering::Release),
            Some(Err(_)) => self.shared.dropped.fetch_add(1, Ordering::Relaxed),
            None => 0,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that takes a line only when it is let.
    struct Stalled(Arc<Mutex<Vec<u8>>>);

    impl Write for Stalled {
        fn write(&mut self, part: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(part);
            Ok(part.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_stalled_reader_costs_lines_and_nobody_waits() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (lines, flush) = start(Stalled(Arc::clone(&seen)), Format::Text).unwrap();
        let stall = seen.lock().unwrap();
        for _ in 0..QUEUE * 2 {
            lines.make_writer().write_all(b"line\n").unwrap();
        }
        drop(stall);
        // Once it goes on, it reads what waited and how much was lost.
        drop(flush);
        let text = String::from_utf8(seen.lock().unwrap().clone()).unwrap();
        assert!(text.contains("log lines were dropped"), "{} bytes", text.len());
        assert!(text.lines().filter(|line| *line == "line").count() >= QUEUE);
    }

    #[test]
    fn a_line_without_a_subscriber_looks_as_one_with() {
        assert_eq!(Format::Text.line("guard", "gone"), "guard: gone\n");
        let line = Format::Json.line("guard", "\"VI_1\"\nis gone");
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["fields"]["message"], "\"VI_1\"\nis gone");
        assert_eq!((&line["target"], &line["level"]), (&json!("guard"), &json!("WARN")));
        assert!(line["timestamp"].as_str().unwrap().parse::<Timestamp>().is_ok(), "{line}");
    }
}
