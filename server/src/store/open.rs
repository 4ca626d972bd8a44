//! From what an operator wrote after `--store` to an open store.

use super::{EmbeddedStore, OpenError, Store};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// File of the embedded store when the spec names none.
const FILE: &str = "store.redb";

/// Opens `embedded`, `embedded:PATH` (relative to `data_dir`) or `etcd:ENDPOINTS` (separated by
/// commas, each `http://HOST:PORT`).
pub async fn open(spec: &str, data_dir: &Path) -> Result<Arc<dyn Store>, OpenError> {
    if let Some(path) = file_of(spec, data_dir) {
        return embedded(path).await;
    }
    match spec.split_once(':') {
        Some(("etcd", endpoints)) => etcd(spec, endpoints).await,
        _ => Err(OpenError::UnknownSpec { spec: spec.to_owned() }),
    }
}

/// The same for a store that has to be there: a file that is missing is not made.
pub async fn open_existing(spec: &str, data_dir: &Path) -> Result<Arc<dyn Store>, OpenError> {
    if let Some(path) = file_of(spec, data_dir)
        && !path.exists()
    {
        return Err(OpenError::Missing { path });
    }
    open(spec, data_dir).await
}

/// Whether several servers can have it open at a time.
pub fn is_shared(spec: &str) -> bool {
    spec.starts_with("etcd:")
}

fn file_of(spec: &str, data_dir: &Path) -> Option<PathBuf> {
    let (kind, rest) = spec.split_once(':').unwrap_or((spec, ""));
    (kind == "embedded").then(|| data_dir.join(if rest.is_empty() { FILE } else { rest }))
}

async fn embedded(path: PathBuf) -> Result<Arc<dyn Store>, OpenError> {
    let opening = path.clone();
    let opened = tokio::task::spawn_blocking(move || EmbeddedStore::open(&opening)).await;
    let store =
        opened.map_err(|source| OpenError::Unreadable { path, source: source.into() })??;
    Ok(Arc::new(store))
}

#[cfg(not(feature = "etcd"))]
async fn etcd(spec: &str, _endpoints: &str) -> Result<Arc<dyn Store>, OpenError> {
    Err(OpenError::WithoutEtcd { spec: spec.to_owned() })
}

#[cfg(feature = "etcd")]
async fn etcd(spec: &str, endpoints: &str) -> Result<Arc<dyn Store>, OpenError> {
    let options = super::EtcdOptions::parse(spec, endpoints)?;
    Ok(Arc::new(super::EtcdStore::open(options).await?))
}
