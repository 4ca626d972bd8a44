//! From what an operator wrote after `--store` to an open store.

use super::{EmbeddedStore, OpenError, Store};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// File of the embedded store when the spec names none.
const FILE: &str = "store.redb";

/// Opens `embedded`, `embedded:PATH` (relative to `data_dir`) or `etcd:ENDPOINTS` (separated by
/// commas, each `http://HOST:PORT`).
pub async fn open(spec: &str, data_dir: &Path) -> Result<Arc<dyn Store>, OpenError> {
    let (kind, rest) = spec.split_once(':').unwrap_or((spec, ""));
    match kind {
        "embedded" => {
            let path = data_dir.join(if rest.is_empty() { FILE } else { rest });
            embedded(path).await
        }
        "etcd" => etcd(spec, rest).await,
        _ => Err(OpenError::UnknownSpec { spec: spec.to_owned() }),
    }
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
