//! A real etcd on free loopback ports with a directory of its own, ended when dropped.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use vipfleet_server::store::{EtcdOptions, EtcdStore};

pub(crate) struct EtcdServer {
    directory: TempDir,
    client: u16,
    peer: u16,
    /// Every member's name and peer address, as `--initial-cluster` takes them.
    cluster: String,
    process: Option<Child>,
}

impl EtcdServer {
    pub(crate) fn start() -> Self {
        Self::start_cluster(1).remove(0)
    }

    /// Members of one cluster.
    pub(crate) fn start_cluster(members: usize) -> Vec<Self> {
        for _ in 0..5 {
            let mut servers = Self::prepare(members);
            servers.iter_mut().for_each(Self::launch);
            if servers.iter_mut().all(Self::answers) {
                return servers;
            }
            // Someone else took a port meanwhile.
        }
        panic!("etcd did not start");
    }

    fn prepare(members: usize) -> Vec<Self> {
        let ports = free_ports(members * 2);
        let all = ports.chunks(2).map(|pair| format!("m{0}=http://127.0.0.1:{0}", pair[1]));
        let cluster = all.collect::<Vec<_>>().join(",");
        let member = |pair: &[u16]| Self {
            directory: TempDir::with_prefix("vipfleet-etcd-").unwrap(),
            client: pair[0],
            peer: pair[1],
            cluster: cluster.clone(),
            process: None,
        };
        ports.chunks(2).map(member).collect()
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.client)
    }

    pub(crate) fn options(&self) -> EtcdOptions {
        EtcdOptions::new(vec![self.endpoint()])
    }

    pub(crate) async fn open(&self) -> EtcdStore {
        EtcdStore::open(self.options()).await.unwrap()
    }

    /// A plain client, to look behind the store's back.
    pub(crate) async fn client(&self) -> etcd_client::Client {
        etcd_client::Client::connect([self.endpoint()], None).await.unwrap()
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    /// On the same data and ports. Whether it answers.
    pub(crate) fn resume(&mut self) -> bool {
        self.launch();
        self.answers()
    }

    fn launch(&mut self) {
        let (client, peer) = (self.endpoint(), format!("http://127.0.0.1:{}", self.peer));
        let process = Command::new("etcd")
            .args(["--unsafe-no-fsync", "--log-level", "error"])
            .args(["--name", &format!("m{}", self.peer)])
            .arg("--data-dir")
            .arg(self.directory.path().join("data"))
            .args(["--listen-client-urls", &client, "--advertise-client-urls", &client])
            .args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer])
            .args(["--initial-cluster", &self.cluster])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("etcd runs these tests: install the package etcd-server");
        self.process = Some(process);
    }

    /// Waits until it listens; not when it ended instead.
    fn answers(&mut self) -> bool {
        let process = self.process.as_mut().expect("etcd was launched");
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", self.client)).is_err() {
            if process.try_wait().unwrap().is_some() {
                let mut said = String::new();
                process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
                eprintln!("etcd ended: {said}");
                return false;
            }
            assert!(Instant::now() < deadline, "etcd does not listen");
            sleep(Duration::from_millis(20));
        }
        true
    }

    /// A copy of what is on disk while it does not run.
    pub(crate) fn back_up(&self) -> TempDir {
        assert!(self.process.is_none());
        let backup = TempDir::with_prefix("vipfleet-etcd-").unwrap();
        copy(&self.directory.path().join("data"), &backup.path().join("data"));
        backup
    }

    pub(crate) fn restore(&self, backup: &TempDir) {
        assert!(self.process.is_none());
        let data = self.directory.path().join("data");
        std::fs::remove_dir_all(&data).unwrap();
        copy(&backup.path().join("data"), &data);
    }

    /// SIGSTOP, until [`Self::thaw`].
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.process.as_ref().expect("etcd runs").id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

impl Drop for EtcdServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(copied.success());
}

fn free_ports(count: usize) -> Vec<u16> {
    let bound: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    bound.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}
