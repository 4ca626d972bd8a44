//! A real etcd on free loopback ports with a directory of its own, ended when dropped.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub(crate) struct Etcd {
    directory: TempDir,
    ports: [u16; 2],
    process: Option<Child>,
}

impl Etcd {
    pub(crate) fn start() -> Self {
        for _ in 0..5 {
            let bound = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
            let ports = bound.map(|listener| listener.local_addr().unwrap().port());
            let directory = TempDir::with_prefix("vipfleet-etcd-").unwrap();
            let mut etcd = Self { directory, ports, process: None };
            if etcd.resume() {
                return etcd;
            }
            // Someone else took a port meanwhile.
        }
        panic!("etcd did not start");
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// On the same data and ports. Whether it listens.
    pub(crate) fn resume(&mut self) -> bool {
        let (client, peer) = (self.endpoint(), format!("http://127.0.0.1:{}", self.ports[1]));
        let process = Command::new("etcd")
            .args(["--unsafe-no-fsync", "--log-level", "error", "--name", "one"])
            .arg("--data-dir")
            .arg(self.directory.path().join("data"))
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &format!("one={peer}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("etcd runs these tests: install the package etcd-server");
        let process = self.process.insert(process);
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", self.ports[0])).is_err() {
            if process.try_wait().unwrap().is_some() {
                return false;
            }
            assert!(Instant::now() < deadline, "etcd does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        true
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}
