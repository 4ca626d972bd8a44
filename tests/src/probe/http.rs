//! HTTP requests, each over a new TCP connection: what a browser that arrives now would see.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::losses::Losses;
use crate::lab::Host;

/// What became of the requests.
#[derive(Debug, Clone, Default)]
pub struct HttpReport {
    /// Requests made, requests failed, and the gaps they make.
    pub losses: Losses,
    /// Why requests failed, and how often.
    pub failures: BTreeMap<String, usize>,
    /// Which body was served how often: it names the host that answered.
    pub bodies: BTreeMap<String, usize>,
}

impl fmt::Display for HttpReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Losses { sent, lost, .. } = self.losses;
        let gap = self.losses.longest_gap().as_millis();
        write!(f, "{sent} requests, {lost} failed, longest gap {gap} ms")?;
        for (body, count) in &self.bodies {
            write!(f, "\n  {count} answered: {}", body.trim())?;
        }
        for (reason, count) in &self.failures {
            write!(f, "\n  {count} failed: {reason}")?;
        }
        Ok(())
    }
}

/// How a client asks.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// From the start of one request to the start of the next.
    pub every: Duration,
    /// When a request that has no answer has failed.
    pub timeout: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { every: Duration::from_millis(10), timeout: Duration::from_secs(1) }
    }
}

/// A running client.
#[derive(Debug)]
pub struct Requester {
    stop: Arc<AtomicBool>,
    runner: Option<JoinHandle<HttpReport>>,
}

impl Requester {
    /// Starts requesting `/` from port 80 of `target`.
    pub fn start(client: &Host, target: Ipv4Addr, pace: Pace) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let runner = client.spawn_within(move || request_until(target, pace, &stopping));
        Self { stop, runner: Some(runner) }
    }

    /// Stops and reports.
    pub fn finish(mut self) -> HttpReport {
        self.stop.store(true, Ordering::Relaxed);
        match self.runner.take().expect("taken only here and on drop").join() {
            Ok(report) => report,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

impl Drop for Requester {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(runner) = self.runner.take() {
            let _ = runner.join();
        }
    }
}

/// Requests `/` from port 80 of `target` until `stop`, in the network of the calling thread.
pub fn request_until(target: Ipv4Addr, pace: Pace, stop: &AtomicBool) -> HttpReport {
    let start = Instant::now();
    let mut report = HttpReport::default();
    let mut samples = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let sent_at = start.elapsed();
        let outcome = request(SocketAddr::from((target, 80)), pace.timeout);
        let took = start.elapsed().saturating_sub(sent_at);
        samples.push((sent_at, outcome.is_ok().then_some(took)));
        match outcome {
            Ok(body) => *report.bodies.entry(body).or_default() += 1,
            Err(error) => *report.failures.entry(reason(&error)).or_default() += 1,
        }
        std::thread::sleep(pace.every.saturating_sub(took));
    }
    report.losses = Losses::of(&samples, start.elapsed());
    report
}

fn request(server: SocketAddr, timeout: Duration) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&server, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    write!(stream, "GET / HTTP/1.0\r\nHost: {}\r\n\r\n", server.ip())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let unusable = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| unusable("cut off"))?;
    let status = head.split(' ').nth(1).ok_or_else(|| unusable("no status line"))?;
    if status == "200" { Ok(body.to_owned()) } else { Err(unusable(&format!("status {status}"))) }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        // A read that ran into SO_RCVTIMEO says WouldBlock.
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => "timed out".to_owned(),
        _ => error.to_string(),
    }
}
