//! HTTP, TCP and file checks.

use crate::scene::{ExecDir, Scene, lively, once};
use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use vipfleet_agent::checks::ExecPolicy;
use vipfleet_model::check::{Check, FileProbe, HttpProbe, Probe, TcpProbe};
use vipfleet_model::span::Span;

/// A server that answers every request with what `answer` holds, and then does as it says.
struct Server {
    address: SocketAddr,
    answer: Arc<Mutex<(Vec<u8>, Then)>>,
    requests: Arc<Mutex<Vec<String>>>,
}

#[derive(Clone, Copy)]
enum Then {
    Close,
    Hang,
    /// Body without end.
    Flood,
}

impl Server {
    async fn new(answer: &str, then: Then) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new((answer.as_bytes().to_vec(), then)));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (answers, seen) = (answer.clone(), requests.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, then) = answers.lock().unwrap().clone();
                tokio::spawn(serve(stream, answer, then, seen.clone()));
            }
        });
        Self { address, answer, requests }
    }

    fn answer(&self, answer: &str) {
        self.answer.lock().unwrap().0 = answer.as_bytes().to_vec();
    }

    fn probe(&self, path: &str) -> Probe {
        let url = format!("http://{}{path}", self.address);
        Probe::Http(HttpProbe { url, expect_status: 200 })
    }
}

async fn serve(mut stream: TcpStream, answer: Vec<u8>, then: Then, seen: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_buf(&mut request).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    seen.lock().unwrap().push(String::from_utf8(request).unwrap());
    let _ = stream.write_all(&answer).await;
    match then {
        Then::Close => {}
        // Until the other side goes.
        Then::Hang => drop(stream.read(&mut [0]).await),
        Then::Flood => while stream.write_all(&[b'x'; 4096]).await.is_ok() {},
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[tokio::test(flavor = "multi_thread")]
async fn the_expected_status_is_up_and_any_other_is_down() {
    let server = Server::new(OK, Then::Close).await;
    let mut scene = Scene::of(ExecPolicy::StandAlone, lively(server.probe("/health?x=1")));
    let url = format!("http://{}/health?x=1", server.address);
    assert_eq!(scene.up().await, format!("GET {url} answered 200"));
    server.answer("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(scene.down().await, format!("GET {url} answered 503, expected 200"));
    let request = server.requests.lock().unwrap()[0].clone();
    assert!(request.starts_with("GET /health?x=1 HTTP/1.1\r\n"), "{request}");
    assert!(request.contains(&format!("host: {}\r\n", server.address)), "{request}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_not_followed() {
    let there = Server::new(OK, Then::Close).await;
    let moved = format!("HTTP/1.1 302 Found\r\nLocation: http://{}/\r\n\r\n", there.address);
    let server = Server::new(&moved, Then::Close).await;
    let mut scene = Scene::of(ExecPolicy::StandAlone, once(server.probe("/")));
    assert!(scene.down().await.contains("answered 302"));
    assert!(there.requests.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_timeout_covers_the_head_and_the_body() {
    for answer in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"] {
        let server = Server::new(answer, Then::Hang).await;
        let timeout = Some(Span::from_millis(200));
        let check = Check { timeout, ..once(server.probe("/")) };
        let mut scene = Scene::of(ExecPolicy::StandAlone, check);
        assert_eq!(scene.down().await, "no answer within 200ms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_without_end_is_read_up_to_a_bound() {
    let server = Server::new("HTTP/1.1 200 OK\r\n\r\n", Then::Flood).await;
    let mut scene = Scene::of(ExecPolicy::StandAlone, once(server.probe("/")));
    scene.up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_breaks_off_or_babbles_is_down() {
    for answer in
        ["", "220 mail.example.com ESMTP\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"]
    {
        let server = Server::new(answer, Then::Close).await;
        let mut scene = Scene::of(ExecPolicy::StandAlone, once(server.probe("/")));
        let detail = scene.down().await;
        assert!(detail.contains("failed: "), "{detail}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_may_name_a_host() {
    let server = Server::new(OK, Then::Close).await;
    let url = format!("http://localhost:{}/", server.address.port());
    let probe = Probe::Http(HttpProbe { url, expect_status: 200 });
    Scene::of(ExecPolicy::StandAlone, once(probe)).up().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_cannot_be_probed_is_down_with_the_remedy() {
    let probe = Probe::Http(HttpProbe { url: "https://a/".into(), expect_status: 200 });
    let detail = Scene::of(ExecPolicy::StandAlone, once(probe)).down().await;
    assert!(detail.contains("write http://HOST"), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_is_up_while_something_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let probe = Probe::Tcp(TcpProbe { address: address.clone() });
    let mut scene = Scene::of(ExecPolicy::StandAlone, lively(probe));
    assert_eq!(scene.up().await, format!("{address} accepts connections"));
    drop(listener);
    assert_eq!(scene.down().await, format!("cannot connect to {address}: connection refused"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_without_a_port_is_down_and_says_so() {
    let probe = Probe::Tcp(TcpProbe { address: "127.0.0.1".into() });
    let detail = Scene::of(ExecPolicy::StandAlone, once(probe)).down().await;
    assert!(detail.starts_with("cannot resolve 127.0.0.1: "), "{detail}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_check_follows_the_file() {
    let dir = ExecDir::new();
    let path = dir.path("flag").to_str().unwrap().to_owned();
    let mut scene = Scene::of(dir.policy(), lively(Probe::File(FileProbe { path: path.clone() })));
    assert_eq!(scene.down().await, format!("{path} does not exist"));
    fs::write(&path, "").unwrap();
    assert_eq!(scene.up().await, format!("{path} exists"));
    fs::remove_file(&path).unwrap();
    scene.down().await;
}
