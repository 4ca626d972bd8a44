//! Values larger than a request: chunks under a lease, made lasting by the transaction that
//! refers to them. A writer that dies before leaves nothing: etcd drops the chunks with the
//! lease.

use super::client::{Etcd, Trouble};
use super::layout::Blob;
use crate::store::StoreError;
use etcd_client::{Compare, CompareOp, DeleteOptions, GetOptions, PutOptions, Txn, TxnOp};
use std::time::Duration;

/// Of a chunk. etcd refuses requests above 1.5 MiB.
const CHUNK: usize = 384 << 10;
/// etcd refuses transactions of more than 128 operations; some are for what refers to the blob.
const CHUNKS: usize = 112;
/// Chunks read at a time.
const READ: usize = 8;

/// What fits beside other things in one request.
pub(super) const INLINE: usize = CHUNK;

/// Chunks that are written but not yet referred to.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) blob: Blob,
    lease: i64,
    keys: Vec<String>,
}

impl Etcd {
    /// Writes chunks below `under`, which ends with `/`, with a lease of `ttl`.
    pub(super) async fn write_blob(
        &self,
        under: &str,
        bytes: &[u8],
        ttl: Duration,
    ) -> Result<Pending, Trouble> {
        let chunks: Vec<&[u8]> = bytes.chunks(CHUNK).collect();
        if chunks.len() > CHUNKS {
            let size = bytes.len() >> 20;
            let most = (CHUNKS * CHUNK) >> 20;
            let reason = format!("{size} MiB at once is more than the {most} MiB that etcd takes");
            return Err(StoreError::failed("write", reason).into());
        }
        let seconds = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
        let granted = self.call("write", || {
            let mut lease = self.lease.clone();
            async move { lease.grant(seconds, None).await }
        });
        let lease = granted.await?.id();
        let key = format!("{under}{}/", uuid::Uuid::new_v4());
        let keys: Vec<_> = (0..chunks.len()).map(|n| format!("{key}{n:04}")).collect();
        for (key, chunk) in keys.iter().zip(&chunks) {
            let put = PutOptions::new().with_lease(lease);
            self.txn(Txn::new().and_then([TxnOp::put(key.as_str(), *chunk, Some(put))])).await?;
        }
        let blob = Blob { key, chunks: keys.len() };
        Ok(Pending { blob, lease, keys })
    }

    /// Ends the lease of chunks, when it is known what became of them: settled ones stay,
    /// others go at once.
    pub(super) async fn end_lease(&self, pending: &Pending) {
        let mut lease = self.lease.clone();
        // Failing that, it ends by itself.
        let _ = lease.revoke(pending.lease).await;
    }

    /// The bytes, or `None` when they are no longer there.
    pub(super) async fn read_blob(&self, blob: &Blob) -> Result<Option<Vec<u8>>, Trouble> {
        let mut bytes = Vec::new();
        for first in (0..blob.chunks).step_by(READ) {
            let last = (first + READ).min(blob.chunks);
            let range = GetOptions::new().with_range(format!("{}{last:04}", blob.key));
            let page = self.get(format!("{}{first:04}", blob.key), Some(range)).await?;
            if page.kvs().len() != last - first {
                return Ok(None);
            }
            page.kvs().iter().for_each(|chunk| bytes.extend_from_slice(chunk.value()));
        }
        Ok(Some(bytes))
    }
}

impl Pending {
    /// That no chunk is gone yet.
    pub(super) fn all_there(&self) -> impl Iterator<Item = Compare> {
        let keys = self.keys.iter();
        keys.map(|key| Compare::create_revision(key.as_str(), CompareOp::Greater, 0))
    }

    /// Takes every chunk out of the lease.
    pub(super) fn settle(&self) -> impl Iterator<Item = TxnOp> {
        let keys = self.keys.iter();
        let unleased = || PutOptions::new().with_ignore_value();
        keys.map(move |key| TxnOp::put(key.as_str(), "", Some(unleased())))
    }
}

pub(super) fn remove(blob: &Blob) -> TxnOp {
    TxnOp::delete(blob.key.as_str(), Some(DeleteOptions::new().with_prefix()))
}
