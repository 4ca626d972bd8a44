//! Requests on their way to the net thread. Posting never waits: desires sit in one slot per
//! instance, where a later one replaces an unread one, and the lock is held for a map operation.

use super::request::{Desire, Request, RequestError};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use vipfleet_model::Name;

/// Instances with an unread wish; far above what one host runs.
const CAPACITY: usize = 16_384;

/// What one turn of the net thread takes out.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// In the order in which the instances were first posted.
    pub(super) wishes: Vec<(Name, Option<Desire>)>,
    pub(super) once: Once,
}

/// The requests that are not about one instance.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Once {
    pub(super) reconcile: bool,
    pub(super) watch_interfaces: bool,
    pub(super) shutdown: bool,
    /// Nobody can post any more: end, leaving the kernel to its leases.
    pub(super) abandoned: bool,
}

#[derive(Debug, Default)]
struct Pending {
    order: Vec<Name>,
    /// `None` is a forget.
    wishes: HashMap<Name, Option<Desire>>,
    once: Once,
    stopped: bool,
}

#[derive(Debug, Default)]
pub(super) struct Inbox {
    pending: Mutex<Pending>,
    wake: Notify,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Several at once are taken at once: what one instance lets go and another takes over in
    /// one change stays where it is.
    pub(super) fn post(
        &self,
        requests: impl IntoIterator<Item = Request>,
    ) -> Result<(), RequestError> {
        let mut pending = self.lock();
        let refused = requests.into_iter().filter_map(|request| pending.post(request).err()).last();
        drop(pending);
        self.wake.notify_one();
        refused.map_or(Ok(()), Err)
    }

    /// Everything posted since the last call.
    pub(super) fn take(&self) -> Batch {
        let mut pending = self.lock();
        let order = std::mem::take(&mut pending.order);
        let mut wishes = std::mem::take(&mut pending.wishes);
        let once = pending.once;
        pending.once = Once { reconcile: false, watch_interfaces: false, ..once };
        drop(pending);
        let take = |name: Name| wishes.remove(&name).map(|wish| (name, wish));
        Batch { wishes: order.into_iter().filter_map(take).collect(), once }
    }

    /// Whether [`Self::take`] would find something.
    pub(super) fn has_post(&self) -> bool {
        let pending = self.lock();
        let Once { reconcile, watch_interfaces, shutdown, abandoned } = pending.once;
        !pending.order.is_empty() || reconcile || watch_interfaces || shutdown || abandoned
    }

    /// Waits until something was posted. Cancel-safe: a wake-up is kept until it is awaited.
    pub(super) async fn posted(&self) {
        self.wake.notified().await;
    }

    /// The last poster is gone.
    pub(super) fn abandon(&self) {
        self.lock().once.abandoned = true;
        self.wake.notify_one();
    }

    /// The net thread reads no more.
    pub(super) fn stop(&self) {
        self.lock().stopped = true;
    }
}

impl Pending {
    fn post(&mut self, request: Request) -> Result<(), RequestError> {
        if self.stopped || self.once.shutdown {
            return Err(RequestError::Stopped);
        }
        match request {
            Request::Desire(desire) => self.put(desire.instance.clone(), Some(desire))?,
            Request::Forget { instance } => self.put(instance, None)?,
            Request::Reconcile => self.once.reconcile = true,
            Request::WatchInterfaces => self.once.watch_interfaces = true,
            Request::Shutdown => self.once.shutdown = true,
        }
        Ok(())
    }

    fn put(&mut self, name: Name, wish: Option<Desire>) -> Result<(), RequestError> {
        if !self.wishes.contains_key(&name) {
            if self.order.len() >= CAPACITY {
                return Err(RequestError::Full(CAPACITY));
            }
            self.order.push(name.clone());
        }
        self.wishes.insert(name, wish);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::LeaseTerms;
    use std::sync::Arc;
    use std::time::Duration;
    use vipfleet_vrrp::Custody;

    fn desire(instance: &str, custody: Custody) -> Desire {
        Desire {
            instance: instance.parse().unwrap(),
            serial: 1,
            interface: "eth0".into(),
            device: None,
            addresses: Arc::new([]),
            following: Arc::default(),
            custody,
            lease: LeaseTerms::of(Duration::from_secs(3)),
        }
    }

    #[test]
    fn a_later_wish_of_an_instance_replaces_its_earlier_one() {
        let inbox = Inbox::default();
        inbox.post([Request::Desire(desire("a", Custody::Serving))]).unwrap();
        inbox.post([Request::Desire(desire("b", Custody::Serving))]).unwrap();
        inbox.post([Request::Desire(desire("a", Custody::None))]).unwrap();
        let batch = inbox.take();
        let seen: Vec<_> = batch.wishes.into_iter().map(|(_, wish)| wish.unwrap()).collect();
        assert_eq!(seen, [desire("a", Custody::None), desire("b", Custody::Serving)]);
        assert!(!inbox.has_post());
    }

    #[test]
    fn a_full_inbox_says_so_and_still_takes_news_of_what_it_holds() {
        let inbox = Inbox::default();
        for number in 0..CAPACITY {
            inbox.post([Request::Desire(desire(&format!("i{number}"), Custody::None))]).unwrap();
        }
        let more = inbox.post([Request::Desire(desire("more", Custody::None))]);
        assert_eq!(more, Err(RequestError::Full(CAPACITY)));
        inbox.post([Request::Desire(desire("i0", Custody::Serving))]).unwrap();
    }

    #[test]
    fn nothing_is_taken_after_a_shutdown() {
        let inbox = Inbox::default();
        inbox.post([Request::Shutdown]).unwrap();
        assert_eq!(inbox.post([Request::Reconcile]), Err(RequestError::Stopped));
        assert!(inbox.take().once.shutdown);
    }
}
