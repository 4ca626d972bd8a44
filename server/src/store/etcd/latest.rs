//! What is kept as the latest only: facts, node records, replicas.

use super::EtcdStore;
use super::blob::{INLINE, remove};
use super::client::{Etcd, Trouble, end_of};
use super::layout::{Blob, Stored, decode, encode};
use crate::store::{FleetIdentity, NodeRecord, ReplicaRecord, StoreError};
use etcd_client::{
    Compare, CompareOp, DeleteOptions, GetOptions, KeyValue, Txn, TxnOp, TxnOpResponse,
};
use vipfleet_model::NodeFacts;

impl Etcd {
    /// The identity; made by whoever asks first.
    pub(super) async fn identity(&self) -> Result<FleetIdentity, Trouble> {
        let key = self.layout.key("fleet");
        let new = FleetIdentity { id: uuid::Uuid::new_v4().to_string(), epoch: 1 };
        let txn = Txn::new()
            .when([Compare::version(key.as_str(), CompareOp::Equal, 0)])
            .and_then([TxnOp::put(key.as_str(), encode(&new)?, None)])
            .or_else([TxnOp::get(key.as_str(), None)]);
        let answer = self.txn(txn).await?;
        for response in answer.op_responses() {
            if let TxnOpResponse::Get(found) = response
                && let Some(kv) = found.kvs().first()
            {
                return Ok(decode(kv.key(), kv.value())?);
            }
        }
        Ok(new)
    }

    /// Sent again when the answer is lost: what is there then is one more already.
    pub(super) async fn raise_epoch(&self) -> Result<FleetIdentity, Trouble> {
        let key = self.layout.key("fleet");
        let FleetIdentity { id, epoch } = self.identity().await?;
        let old = FleetIdentity { id: id.clone(), epoch };
        let new = FleetIdentity { id, epoch: epoch + 1 };
        let txn = Txn::new()
            .when([Compare::value(key.as_str(), CompareOp::Equal, encode(&old)?)])
            .and_then([TxnOp::put(key.as_str(), encode(&new)?, None)]);
        self.txn(txn).await?;
        let found = self.identity().await?;
        if found == new {
            return Ok(new);
        }
        let why = format!("epoch {} of fleet {} is there now", found.epoch, found.id);
        Err(StoreError::failed("raise the epoch", why).into())
    }

    /// The record that a key under `live/node/` holds; `None` when a newer one replaced it
    /// while its blob was read.
    pub(super) async fn node_record(&self, kv: &KeyValue) -> Result<Option<NodeRecord>, Trouble> {
        match decode(kv.key(), kv.value())? {
            Stored::Here(record) => Ok(Some(record)),
            Stored::Blob(blob) => match self.read_blob(&blob).await? {
                Some(bytes) => Ok(Some(decode(blob.key.as_bytes(), &bytes)?)),
                None => Ok(None),
            },
        }
    }

    /// Ids of blobs that start with `under`.
    async fn blobs(&self, under: &str) -> Result<Vec<Blob>, Trouble> {
        let keys_only = GetOptions::new().with_keys_only();
        let chunks = self.list(under.to_owned(), end_of(under), 0, keys_only).await?;
        let mut keys: Vec<String> = chunks
            .iter()
            .filter_map(|kv| Some(kv.key_str().ok()?.rsplit_once('/')?.0.to_owned() + "/"))
            .collect();
        keys.dedup();
        Ok(keys.into_iter().map(|key| Blob { key, chunks: 0 }).collect())
    }
}

impl EtcdStore {
    /// One round trip, written only if it differs.
    pub(super) async fn write_facts(&self, facts: &NodeFacts) -> Result<(), Trouble> {
        let key = self.etcd.layout.key(&format!("live/facts/{}", facts.node));
        let value = encode(facts)?;
        let put = TxnOp::put(key.as_str(), value.as_slice(), None);
        let differs = Compare::value(key.as_str(), CompareOp::NotEqual, value);
        let replace = Txn::new().when([differs]).and_then([put.clone()]);
        let txn = Txn::new()
            .when([Compare::version(key, CompareOp::Equal, 0)])
            .and_then([put])
            .or_else([TxnOp::txn(replace)]);
        self.etcd.txn(txn).await.map(drop)
    }

    pub(super) async fn write_replica(&self, record: &ReplicaRecord) -> Result<(), Trouble> {
        let key = self.etcd.layout.key(&format!("live/replica/{}", record.replica));
        let put = TxnOp::put(key, encode(record)?, None);
        self.etcd.txn(Txn::new().and_then([put])).await.map(drop)
    }

    /// Also drops what an earlier, larger record left.
    pub(super) async fn write_node(&self, record: &NodeRecord) -> Result<(), Trouble> {
        let layout = &self.etcd.layout;
        let key = layout.key(&format!("live/node/{}", record.node));
        let blobs = layout.node_blobs(&record.node);
        let value = encode(record)?;
        if value.len() <= INLINE {
            let put = TxnOp::put(key, encode(&Stored::Here(record))?, None);
            let clean = TxnOp::delete(blobs, Some(DeleteOptions::new().with_prefix()));
            return self.etcd.txn(Txn::new().and_then([put, clean])).await.map(drop);
        }
        let old = self.etcd.blobs(&blobs).await?;
        let pending = self.etcd.write_blob(&blobs, &value, self.options.orphans_after).await?;
        let stored: Stored<NodeRecord> = Stored::Blob(pending.blob.clone());
        let mut then = vec![TxnOp::put(key.as_str(), encode(&stored)?, None)];
        then.extend(pending.settle());
        then.extend(old.iter().map(remove).take(8));
        let when: Vec<_> = pending.all_there().collect();
        let answer = self.etcd.txn(Txn::new().when(when).and_then(then)).await?;
        self.etcd.end_lease(&pending).await;
        if answer.succeeded() {
            return Ok(());
        }
        Err(StoreError::failed("write", "another replica wrote this node's record").into())
    }
}
