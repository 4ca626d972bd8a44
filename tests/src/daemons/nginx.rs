//! nginx with one server that answers `/` with the name of its host, on every address.

use std::fs;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::lab::Host;
use crate::process::Process;
use crate::wait;

/// An nginx of one host, pid in the host's own `/run/nginx.pid`.
#[derive(Debug)]
pub struct Nginx {
    process: Process,
}

impl Nginx {
    /// Starts it and waits until it serves.
    #[track_caller]
    pub fn start(host: &Host) -> Self {
        let directory = host.directory().join("nginx");
        fs::create_dir_all(&directory)
            .unwrap_or_else(|error| panic!("create {}: {error}", directory.display()));
        let configuration = directory.join("nginx.conf");
        fs::write(&configuration, configuration_text(host.name(), &directory.to_string_lossy()))
            .unwrap_or_else(|error| panic!("write {}: {error}", configuration.display()));
        let mut command = Command::new(super::installed("nginx", "nginx-light"));
        command.arg("-c").arg(&configuration).arg("-p").arg(&directory);
        command.args(["-e", "stderr"]);
        let nginx = Self { process: host.start("nginx", command) };
        let address = std::net::SocketAddr::from((host.address(), 80));
        wait::until(
            "nginx to listen",
            wait::GENEROUS,
            || {
                host.within(move || {
                    std::net::TcpStream::connect_timeout(&address, Duration::from_secs(1))
                        .map(|_| ())
                        .map_err(|error| error.to_string())
                })
            },
            Result::is_ok,
        );
        nginx
    }

    /// The master process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// A crash as nobody wants it: the master and its workers at once.
    #[track_caller]
    pub fn crash(&mut self) {
        let workers = children(self.process.pid());
        self.process.kill();
        for worker in workers {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(worker), Signal::SIGKILL);
        }
    }
}

fn children(pid: u32) -> Vec<i32> {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("read {path}: {error}"));
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn configuration_text(name: &str, directory: &str) -> String {
    format!(
        r#"daemon off;
worker_processes 1;
pid /run/nginx.pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    server {{
        listen 0.0.0.0:80;
        location / {{ return 200 "{name}\n"; }}
    }}
}}
"#
    )
}
