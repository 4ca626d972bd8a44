//! Calls to etcd: each tried again for a while when etcd does not answer, which is safe because
//! every write of this store is idempotent. Knows nothing of what is stored.

use super::layout::Layout;
use super::options::EtcdOptions;
use crate::store::StoreError;
use etcd_client::{
    Client, ConnectOptions, Error, GetOptions, GetResponse, KeyValue, KvClient, LeaseClient, Txn,
    TxnResponse, WatchClient,
};
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// One try. etcd itself gives up on a proposal after some 7 s; a frozen member shows after 8 s.
const TRY: Duration = Duration::from_secs(4);
/// All tries of a call.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(2);
/// etcd ends connections that are pinged more often than every 5 s.
const PING_EVERY: Duration = Duration::from_secs(6);
const PING_ANSWER: Duration = Duration::from_secs(2);
/// A page of keys whose values are as large as values get.
const MESSAGE: usize = 128 << 20;
/// Keys of a page.
pub(super) const PAGE: i64 = 256;

/// Clients of one etcd, with the keys of one fleet.
#[derive(Clone)]
pub(super) struct Etcd {
    kv: KvClient,
    pub(super) lease: LeaseClient,
    /// Ends watches of a member that lost its leader, which would be silently stale.
    pub(super) watch: WatchClient,
    pub(super) layout: Layout,
    endpoints: String,
}

impl std::fmt::Debug for Etcd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Etcd").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

/// Why a call failed.
#[derive(Debug)]
pub(super) enum Trouble {
    /// The revision asked for is compacted.
    Compacted,
    Store(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Trouble> for StoreError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Compacted => Self::failed("read", "the revision was compacted meanwhile"),
            Trouble::Store(error) => error,
        }
    }
}

impl Etcd {
    pub(super) async fn connect(options: &EtcdOptions) -> Result<Self, Error> {
        let plain = ConnectOptions::new()
            .with_connect_timeout(CONNECT)
            .with_keep_alive(PING_EVERY, PING_ANSWER);
        let client = Client::connect(&options.endpoints, Some(plain.clone())).await?;
        let with_leader = plain.with_require_leader(true);
        let watching = Client::connect(&options.endpoints, Some(with_leader)).await?;
        Ok(Self {
            kv: client.kv_client().max_decoding_message_size(MESSAGE),
            lease: client.lease_client(),
            watch: watching.watch_client().max_decoding_message_size(MESSAGE),
            layout: Layout::new(&options.prefix),
            endpoints: options.endpoints(),
        })
    }

    pub(super) async fn get(
        &self,
        key: impl Into<Vec<u8>>,
        options: Option<GetOptions>,
    ) -> Result<GetResponse, Trouble> {
        let key = key.into();
        self.call("read", || {
            let (mut kv, key, options) = (self.kv.clone(), key.clone(), options.clone());
            async move { kv.get(key, options).await }
        })
        .await
    }

    /// The keys from `first` up to but not with `end`, as of a revision, in pages. Options may
    /// filter, not sort.
    pub(super) async fn list(
        &self,
        first: String,
        end: Vec<u8>,
        revision: i64,
        options: GetOptions,
    ) -> Result<Vec<KeyValue>, Trouble> {
        let mut next = first.into_bytes();
        let mut all = Vec::new();
        loop {
            let page = options.clone().with_range(end.clone()).with_revision(revision);
            let mut page = self.get(next, Some(page.with_limit(PAGE))).await?;
            let more = page.more();
            all.extend(page.take_kvs());
            match all.last() {
                Some(last) if more => next = [last.key(), b"\0"].concat(),
                _ => return Ok(all),
            }
        }
    }

    pub(super) async fn txn(&self, txn: Txn) -> Result<TxnResponse, Trouble> {
        self.call("write", || {
            let (mut kv, txn) = (self.kv.clone(), txn.clone());
            async move { kv.txn(txn).await }
        })
        .await
    }

    /// Tells etcd to forget what was before a revision.
    pub(super) async fn compact(&self, revision: i64) -> Result<(), Trouble> {
        let compacted = self.call("compact", || {
            let mut kv = self.kv.clone();
            async move { kv.compact(revision, None).await }
        });
        compacted.await.map(drop)
    }

    /// Tries until there is an answer, etcd refuses, or patience ends.
    pub(super) async fn call<T, F>(
        &self,
        action: &'static str,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let deadline = Instant::now() + PATIENCE;
        let mut pause = Pause::new(Duration::from_millis(50), Duration::from_secs(1));
        loop {
            let source: Box<dyn std::error::Error + Send + Sync> =
                match timeout(TRY, attempt()).await {
                    Ok(Ok(answer)) => return Ok(answer),
                    Ok(Err(error)) => match gravity(&error) {
                        Gravity::Passing => error.into(),
                        Gravity::Compacted => return Err(Trouble::Compacted),
                        Gravity::Lasting => return Err(StoreError::failed(action, error).into()),
                    },
                    Err(_) => format!("no answer within {} s", TRY.as_secs()).into(),
                };
            let pause = pause.next();
            if Instant::now() + pause >= deadline {
                return Err(self.unavailable(source).into());
            }
            sleep(pause).await;
        }
    }

    pub(super) fn unavailable(
        &self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> StoreError {
        StoreError::Unavailable { endpoint: self.endpoints.clone(), source: source.into() }
    }
}

enum Gravity {
    Passing,
    Compacted,
    Lasting,
}

fn gravity(error: &Error) -> Gravity {
    // gRPC status codes, as etcd uses them.
    const CANCELLED: i32 = 1;
    const UNKNOWN: i32 = 2;
    const DEADLINE_EXCEEDED: i32 = 4;
    const OUT_OF_RANGE: i32 = 11;
    const UNAVAILABLE: i32 = 14;
    match error {
        Error::IoError(_) | Error::TransportError(_) => Gravity::Passing,
        Error::GRpcStatus(status) => match status.code() as i32 {
            CANCELLED | UNKNOWN | DEADLINE_EXCEEDED | UNAVAILABLE => Gravity::Passing,
            OUT_OF_RANGE if status.message().contains("compacted") => Gravity::Compacted,
            _ => Gravity::Lasting,
        },
        _ => Gravity::Lasting,
    }
}

/// Pauses between tries: each anywhere up to a ceiling that doubles, so that replicas which lost
/// etcd together do not come back together.
#[derive(Debug)]
pub(super) struct Pause {
    ceiling: Duration,
    most: Duration,
}

impl Pause {
    pub(super) fn new(first: Duration, most: Duration) -> Self {
        Self { ceiling: first, most }
    }

    pub(super) fn next(&mut self) -> Duration {
        let pause = self.ceiling.mul_f64(random());
        self.ceiling = (self.ceiling * 2).min(self.most);
        pause
    }
}

/// Anywhere from 0 to 1.
pub(super) fn random() -> f64 {
    let (random, _) = uuid::Uuid::new_v4().as_u64_pair();
    (random >> 16) as u32 as f64 / f64::from(u32::MAX)
}

/// Where the keys that start with `prefix` end.
pub(super) fn end_of(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    // Every prefix of this store ends with '/'.
    let last = end.last_mut().expect("a prefix");
    *last += 1;
    end
}
