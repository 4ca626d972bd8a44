//! TCP clients of one address: new ones that connect every ten milliseconds, and a few that keep
//! their connections and send something just as often. [`EchoServer`] is what they talk to.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::lab::Host;

const PORT: u16 = 7;
const EVERY: Duration = Duration::from_millis(10);
/// A new connection that takes longer has failed: a SYN is sent again only after 1 s.
const PROMPTLY: Duration = Duration::from_millis(100);
/// An open connection without an answer for so long, at the end, is broken.
const SILENT: Duration = Duration::from_secs(1);

/// What became of the connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpReport {
    /// Connections tried.
    pub tried: usize,
    /// Of these, the ones that were refused or took longer than 100 ms.
    pub failed: usize,
    /// Connections open from the start.
    pub open: usize,
    /// Of these, the ones that were reset or without an answer in the end.
    pub broken: usize,
}

/// Answers on every address of a host with what it is sent.
#[derive(Debug)]
pub struct EchoServer {
    stop: Arc<AtomicBool>,
    runner: Option<JoinHandle<()>>,
}

impl EchoServer {
    /// Serves when this returns.
    pub fn start(host: &Host) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let listener = host.within(listen);
        let runner = thread::spawn(move || echo_until(&listener, &stopping));
        Self { stop, runner: Some(runner) }
    }
}

impl Drop for EchoServer {
    fn drop(&mut self) {
        end(&self.stop, &mut self.runner);
    }
}

/// Both kinds of client, running.
#[derive(Debug)]
pub struct TcpClients {
    stop: Arc<AtomicBool>,
    newcomers: Option<JoinHandle<(usize, usize)>>,
    regulars: Option<JoinHandle<(usize, usize)>>,
}

impl TcpClients {
    /// Opens `regulars` connections to an [`EchoServer`] at `target` and begins.
    ///
    /// # Panics
    /// When one of them cannot be opened.
    pub fn start(client: &Host, target: impl Into<IpAddr>, regulars: usize) -> Self {
        let target = SocketAddr::new(target.into(), PORT);
        let stop = Arc::new(AtomicBool::new(false));
        let open: Vec<TcpStream> = client.within(move || {
            let connect = |_| TcpStream::connect_timeout(&target, Duration::from_secs(5));
            let open: Result<Vec<_>, _> = (0..regulars).map(connect).collect();
            open.unwrap_or_else(|error| panic!("connect to {target}: {error}"))
        });
        let stopping = Arc::clone(&stop);
        let newcomers = client.spawn_within(move || connect_until(target, &stopping));
        let stopping = Arc::clone(&stop);
        let regulars = thread::spawn(move || talk_until(open, &stopping));
        Self { stop, newcomers: Some(newcomers), regulars: Some(regulars) }
    }

    /// Stops and reports.
    pub fn finish(mut self) -> TcpReport {
        self.stop.store(true, Ordering::Relaxed);
        let of = |it: Option<JoinHandle<_>>| match it.expect("joined only once").join() {
            Ok(counts) => counts,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        let (tried, failed) = of(self.newcomers.take());
        let (open, broken) = of(self.regulars.take());
        TcpReport { tried, failed, open, broken }
    }
}

impl Drop for TcpClients {
    fn drop(&mut self) {
        end(&self.stop, &mut self.newcomers);
        end(&self.stop, &mut self.regulars);
    }
}

fn end<T>(stop: &AtomicBool, runner: &mut Option<JoinHandle<T>>) {
    stop.store(true, Ordering::Relaxed);
    if let Some(runner) = runner.take() {
        let _ = runner.join();
    }
}

/// Tried and failed.
fn connect_until(target: SocketAddr, stop: &AtomicBool) -> (usize, usize) {
    let (mut tried, mut failed) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        tried += 1;
        failed += usize::from(TcpStream::connect_timeout(&target, PROMPTLY).is_err());
        thread::sleep(EVERY.saturating_sub(began.elapsed()));
    }
    (tried, failed)
}

/// Open and broken.
fn talk_until(open: Vec<TcpStream>, stop: &AtomicBool) -> (usize, usize) {
    let mut answered: Vec<Option<Instant>> = vec![Some(Instant::now()); open.len()];
    for stream in &open {
        stream.set_nonblocking(true).expect("an open socket");
        stream.set_nodelay(true).expect("an open socket");
    }
    while !stop.load(Ordering::Relaxed) {
        for (mut stream, answered) in open.iter().zip(&mut answered) {
            let mut buffer = [0; 256];
            let sent = stream.write(&[0]).map(|_| ());
            let outcome = sent.and_then(|()| stream.read(&mut buffer));
            match outcome {
                Ok(1..) if answered.is_some() => *answered = Some(Instant::now()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Reset, closed, or given up by the kernel: no way back.
                _ => *answered = None,
            }
        }
        thread::sleep(EVERY);
    }
    let alive = |at: &&Option<Instant>| at.is_some_and(|at| at.elapsed() < SILENT);
    let alive = answered.iter().filter(alive).count();
    (open.len(), open.len() - alive)
}

/// On both families.
fn listen() -> Socket {
    let open = || {
        let socket = Socket::new(Domain::IPV6, Type::STREAM, None)?;
        socket.set_only_v6(false)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT)).into())?;
        socket.listen(256)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    open().unwrap_or_else(|error: std::io::Error| panic!("listen on port {PORT}: {error}"))
}

fn echo_until(listener: &Socket, stop: &AtomicBool) {
    let mut streams: Vec<Socket> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        wait_readable(listener, &streams);
        while let Ok((stream, _)) = listener.accept() {
            if stream.set_nonblocking(true).is_ok() {
                streams.push(stream);
            }
        }
        streams.retain(echo);
    }
}

/// False once the connection is over.
fn echo(mut stream: &Socket) -> bool {
    let mut buffer = [0; 256];
    match stream.read(&mut buffer) {
        Ok(0) => false,
        Ok(length) => stream.write(&buffer[..length]).is_ok(),
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}

fn wait_readable(listener: &Socket, streams: &[Socket]) {
    let poll =
        |socket: &Socket| libc::pollfd { fd: socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let mut polls: Vec<libc::pollfd> = std::iter::once(listener).chain(streams).map(poll).collect();
    // SAFETY: as many initialised pollfds as said.
    unsafe { libc::poll(polls.as_mut_ptr(), polls.len() as libc::nfds_t, 50) };
}
