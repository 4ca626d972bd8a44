//! A GET over HTTP/1.1 answers with the expected status, and its body arrives.
//!
//! Deliberately absent: TLS, redirects (a 302 is a status like any other), keep-alive (a fresh
//! connection is what a client would open), looking into the body.

use super::tally::Outcome;
use super::tcp::Target;
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::future::pending;
use vipfleet_model::check::HttpProbe;

/// A body is read up to here; what follows does not matter to the check.
const BODY_LIMIT: usize = 64 * 1024;

#[derive(Debug)]
pub(crate) struct HttpProber {
    request: Request<Empty<Bytes>>,
    url: String,
    expected: u16,
    target: Target,
}

impl HttpProber {
    /// An error is what every probe of this URL will say.
    pub(crate) fn new(probe: &HttpProbe) -> Result<Self, String> {
        let advice = |why: &str| {
            let url = &probe.url;
            format!("{url:?} cannot be probed: {why}; write http://HOST[:PORT]/PATH")
        };
        let uri: Uri = probe.url.parse().map_err(|cause| advice(&format!("{cause}")))?;
        if uri.scheme_str() != Some("http") {
            return Err(advice("only http:// is spoken"));
        }
        let authority = uri.authority().ok_or_else(|| advice("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(advice("credentials in a URL are not sent"));
        }
        let target = format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(80));
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::get(path)
            .header(HOST, authority.as_str())
            .header(USER_AGENT, concat!("vipfleet-agent/", env!("CARGO_PKG_VERSION")))
            .header(CONNECTION, "close")
            .body(Empty::new())
            .map_err(|cause| advice(&format!("{cause}")))?;
        let (url, expected) = (probe.url.clone(), probe.expect_status);
        Ok(Self { request, url, expected, target: Target::new(target) })
    }

    pub(crate) async fn probe(&mut self) -> Outcome {
        let stream = self.target.connect().await?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (sender, connection) = handshake.map_err(|cause| self.broken(&cause))?;
        let driver = async {
            // Its end or error reaches the exchange through the sender and the body.
            let _ = connection.await;
            pending::<Infallible>().await
        };
        tokio::select! {
            answer = exchange(sender, self.request.clone()) => {
                self.judge(answer.map_err(|cause| self.broken(&cause))?)
            }
            never = driver => match never {},
        }
    }

    fn judge(&self, status: StatusCode) -> Outcome {
        let said = format!("GET {} answered {}", self.url, status.as_u16());
        if status.as_u16() == self.expected {
            Ok(said)
        } else {
            Err(format!("{said}, expected {}", self.expected))
        }
    }

    fn broken(&self, cause: &hyper::Error) -> String {
        format!("GET {} failed: {cause}", self.url)
    }

    pub(crate) async fn settle(&mut self) {
        self.target.settle().await;
    }
}

async fn exchange(
    mut sender: SendRequest<Empty<Bytes>>,
    request: Request<Empty<Bytes>>,
) -> hyper::Result<StatusCode> {
    let answer = sender.send_request(request).await?;
    let status = answer.status();
    drain(answer.into_body()).await?;
    Ok(status)
}

async fn drain(mut body: Incoming) -> hyper::Result<()> {
    let mut read = 0;
    while read < BODY_LIMIT && !body.is_end_stream() {
        match body.frame().await {
            None => break,
            Some(frame) => read += frame?.data_ref().map_or(0, Bytes::len),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_cannot_be_probed_says_why_and_what_to_write() {
        let table = [
            ("https://a/", "only http:// is spoken"),
            ("/status", "only http:// is spoken"),
            ("http://u:p@a/", "credentials"),
            ("http://a b/", "invalid"),
            ("", "empty"),
        ];
        for (url, why) in table {
            let probe = HttpProbe { url: url.into(), expect_status: 200 };
            let refused = HttpProber::new(&probe).unwrap_err();
            assert!(refused.contains(why), "{refused}");
            assert!(refused.contains("write http://HOST[:PORT]/PATH"), "{refused}");
        }
    }

    #[test]
    fn the_request_names_the_host_as_the_url_does() {
        for (url, host, path) in [
            ("http://127.0.0.1", "127.0.0.1", "/"),
            ("http://www.example.com:8080/a?b=c", "www.example.com:8080", "/a?b=c"),
            ("http://[::1]:81/x", "[::1]:81", "/x"),
        ] {
            let probe = HttpProbe { url: url.into(), expect_status: 200 };
            let prober = HttpProber::new(&probe).unwrap();
            assert_eq!(prober.request.headers()[HOST], host);
            assert_eq!(prober.request.uri(), path);
        }
    }
}
