//! What a case runs on: a fresh store that can be reached by several replicas and restarted.

use async_trait::async_trait;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use vipfleet_server::store::{EmbeddedStore, Store};

#[async_trait]
pub(crate) trait Backend: Send {
    /// A store as one more replica opens it. The embedded store has one replica: the same.
    async fn replica(&mut self) -> Arc<dyn Store>;

    /// Ends what keeps the data and starts it again on the same data. Every handle that a case
    /// has of an embedded store must be dropped before.
    async fn restart(&mut self);

    /// Whether handles and their streams outlive a restart.
    fn outlives_restart(&self) -> bool;
}

/// A file in a directory of its own.
pub(crate) struct Embedded {
    directory: TempDir,
    open: Option<Arc<dyn Store>>,
}

impl Embedded {
    pub(crate) fn new() -> Self {
        Self { directory: TempDir::with_prefix("vipfleet-store-").unwrap(), open: None }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("data/store.redb")
    }
}

#[async_trait]
impl Backend for Embedded {
    async fn replica(&mut self) -> Arc<dyn Store> {
        let path = self.path();
        let open = || Arc::new(EmbeddedStore::open(&path).unwrap()) as Arc<dyn Store>;
        Arc::clone(self.open.get_or_insert_with(open))
    }

    async fn restart(&mut self) {
        let store = self.open.take().expect("an open store");
        assert_eq!(Arc::strong_count(&store), 1, "the case still holds the store");
    }

    fn outlives_restart(&self) -> bool {
        false
    }
}

/// An etcd of its own. Handles stay open to the end, as replicas do.
#[cfg(feature = "etcd")]
pub(crate) struct Etcd {
    server: crate::etcd_server::EtcdServer,
    replicas: Vec<Arc<dyn Store>>,
}

#[cfg(feature = "etcd")]
impl Etcd {
    pub(crate) fn new() -> Self {
        Self { server: crate::etcd_server::EtcdServer::start(), replicas: Vec::new() }
    }
}

#[cfg(feature = "etcd")]
#[async_trait]
impl Backend for Etcd {
    async fn replica(&mut self) -> Arc<dyn Store> {
        let store: Arc<dyn Store> = Arc::new(self.server.open().await);
        self.replicas.push(Arc::clone(&store));
        store
    }

    async fn restart(&mut self) {
        self.server.kill();
        assert!(self.server.resume(), "etcd did not come back");
    }

    fn outlives_restart(&self) -> bool {
        true
    }
}
