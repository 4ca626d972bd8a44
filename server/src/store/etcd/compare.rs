//! A watch compared with a list: of every key written since the last comparison, the watch must
//! have seen the newest revision. More than a count and the highest revision can show: it also
//! finds an event that was lost between two others.

use super::client::{end_of, random};
use super::watch::{End, Supervisor};
use etcd_client::GetOptions;
use std::time::Duration;
use tokio::time::Instant;

/// For the watch to catch up with a list that it is compared with.
const GRACE: Duration = Duration::from_secs(10);

/// A list that the watch must come to agree with.
pub(super) struct Comparison {
    keys: Vec<(Vec<u8>, i64)>,
    until: i64,
    pub(super) deadline: Instant,
}

impl Supervisor {
    pub(super) fn next_look(&self) -> Instant {
        Instant::now() + self.compare_every.mul_f64(0.8 + 0.4 * random())
    }

    /// What was written since the last comparison, by a linearizable list.
    pub(super) async fn compare_with(&self) -> Result<Comparison, End> {
        let prefix = self.etcd.layout.key("live/");
        let options = GetOptions::new().with_keys_only().with_min_mod_revision(self.verified + 1);
        let kvs = self.etcd.list(prefix.clone(), end_of(&prefix), 0, options).await?;
        let keys: Vec<_> = kvs.iter().map(|kv| (kv.key().to_vec(), kv.mod_revision())).collect();
        let until = keys.iter().map(|(_, at)| *at).max().unwrap_or(self.verified);
        Ok(Comparison { keys, until, deadline: Instant::now() + GRACE })
    }

    pub(super) fn agrees(&self, list: &Comparison) -> bool {
        list.keys.iter().all(|(key, at)| self.seen.get(key).is_some_and(|seen| seen >= at))
    }

    pub(super) fn verify(&mut self, list: Option<Comparison>) {
        if let Some(list) = list {
            self.verified = list.until;
            self.seen.retain(|_, at| *at > list.until);
        }
    }
}
