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

    /// Whether the watcher was told of a key's revision, or a newer one of that key.
    pub(super) fn knows(&self, key: &[u8], at: i64) -> bool {
        let seen = || self.seen.get(key).is_some_and(|seen| *seen >= at);
        at <= self.delivered && (at <= self.verified || seen())
    }

    pub(super) fn agrees(&self, list: &Comparison) -> bool {
        list.keys.iter().all(|(key, at)| self.knows(key, *at))
    }

    pub(super) fn verify(&mut self, list: Option<Comparison>) {
        if let Some(list) = list {
            self.verified = list.until;
            self.seen.retain(|_, at| *at > list.until);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::etcd::client::Etcd;
    use crate::store::etcd::options::EtcdOptions;
    use tokio::sync::mpsc;

    /// Nothing here talks to etcd: connecting is lazy.
    async fn supervisor(after: i64) -> Supervisor {
        let options = EtcdOptions::new(vec!["http://127.0.0.1:1".to_owned()]);
        let etcd = Etcd::connect(&options).await.unwrap();
        Supervisor::new(etcd, mpsc::channel(1).0, after, options.compare_every)
    }

    impl Supervisor {
        fn saw(&mut self, key: &str, at: i64) {
            self.seen.insert(key.into(), at);
            self.delivered = self.delivered.max(at);
        }
    }

    fn list(keys: &[(&str, i64)]) -> Comparison {
        let until = keys.iter().map(|(_, at)| *at).max().unwrap();
        let keys = keys.iter().map(|(key, at)| (key.as_bytes().to_vec(), *at)).collect();
        Comparison { keys, until, deadline: Instant::now() }
    }

    #[tokio::test]
    async fn a_watch_agrees_with_a_list_it_has_seen_all_of() {
        let mut watch = supervisor(4).await;
        watch.saw("a", 5);
        watch.saw("b", 6);
        watch.saw("a", 7);
        assert!(watch.agrees(&list(&[("b", 6), ("a", 7)])));
        // A list may be older than what the watch saw meanwhile.
        assert!(watch.agrees(&list(&[("a", 5), ("b", 6)])));
    }

    #[tokio::test]
    async fn an_event_lost_between_two_others_is_found_and_only_that_is_missing() {
        let mut watch = supervisor(4).await;
        watch.saw("a", 5);
        watch.saw("c", 7);
        assert!(!watch.agrees(&list(&[("a", 5), ("b", 6), ("c", 7)])));
        assert!(!watch.knows(b"b", 6));
        assert!(watch.knows(b"a", 5) && watch.knows(b"c", 7));
    }

    #[tokio::test]
    async fn a_lost_newer_revision_of_a_known_key_is_found() {
        let mut watch = supervisor(4).await;
        watch.saw("a", 5);
        watch.saw("b", 8);
        assert!(!watch.agrees(&list(&[("a", 6), ("b", 8)])));
    }

    #[tokio::test]
    async fn a_watch_that_is_behind_the_list_does_not_agree_yet() {
        let mut watch = supervisor(4).await;
        watch.saw("a", 5);
        let ahead = list(&[("a", 5), ("b", 6)]);
        assert!(!watch.agrees(&ahead));
        watch.saw("b", 6);
        assert!(watch.agrees(&ahead));
    }

    #[tokio::test]
    async fn what_was_verified_is_forgotten_but_stays_known() {
        let mut watch = supervisor(4).await;
        watch.saw("a", 5);
        watch.saw("b", 6);
        watch.saw("a", 7);
        watch.verify(Some(list(&[("a", 5), ("b", 6)])));
        assert_eq!(watch.seen.len(), 1);
        assert!(watch.knows(b"b", 6) && watch.knows(b"a", 7));
        assert!(!watch.knows(b"a", 8));
    }

    #[tokio::test]
    async fn a_comparison_is_due_within_a_fifth_of_its_interval() {
        let watch = supervisor(0).await;
        for _ in 0..1_000 {
            let wait = watch.next_look() - Instant::now();
            assert!(wait > Duration::from_secs(47) && wait <= Duration::from_secs(72), "{wait:?}");
        }
    }
}
