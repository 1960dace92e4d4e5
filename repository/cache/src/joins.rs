//! Requests for the same thing at the same time: one goes upstream, the others wait for its head.

mod apart;

use crate::object::Object;
use apart::Apart;
use http::StatusCode;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::watch;

/// What the request upstream came to.
#[derive(Clone)]
pub(crate) enum Outcome {
    /// There is an object now, or it was found to be valid.
    Object(Arc<Object>, StatusCode),
    /// The answer is for the one who asked alone, and so will be the others'.
    Private,
    /// Nothing that says what the others will get.
    Open,
    /// No answer came, or none that is better than what is stored: why, and what to answer.
    Failed(Arc<str>, StatusCode),
}

/// Requests under way.
#[derive(Clone, Default)]
pub(crate) struct Joins(Arc<Inner>);

#[derive(Default)]
struct Inner {
    table: Mutex<Table>,
    waiting: AtomicU64,
}

#[derive(Default)]
struct Table {
    leads: HashMap<Arc<str>, watch::Receiver<Option<Outcome>>>,
    apart: Apart,
}

/// What a request is.
pub(crate) enum Join {
    /// The first: it goes upstream.
    Lead(Lead),
    /// One more.
    Follow(Follow),
    /// One whose answer will be for it alone.
    Alone,
}

/// The one that goes upstream. When it is dropped, the others go their own ways.
pub(crate) struct Lead {
    joins: Joins,
    key: Arc<str>,
    tell: watch::Sender<Option<Outcome>>,
}

/// One that waits.
pub(crate) struct Follow {
    joins: Joins,
    told: watch::Receiver<Option<Outcome>>,
}

impl Joins {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the request under way for this key, or becomes it.
    pub(crate) fn join(&self, key: &str, now: Instant) -> Join {
        let mut table = self.table();
        if let Some(told) = table.leads.get(key) {
            self.0.waiting.fetch_add(1, Ordering::Relaxed);
            return Join::Follow(Follow { joins: self.clone(), told: told.clone() });
        }
        if table.apart.has(key, now) {
            return Join::Alone;
        }
        let (tell, told) = watch::channel(None);
        let key: Arc<str> = key.into();
        table.leads.insert(Arc::clone(&key), told);
        Join::Lead(Lead { joins: self.clone(), key, tell })
    }

    /// What comes for this key is for one client alone: for a while nobody waits for it.
    pub(crate) fn keep_apart(&self, key: &str, now: Instant) {
        self.table().apart.note(key, now);
    }

    /// What comes for this key may be shared.
    pub(crate) fn bring_together(&self, key: &str) {
        self.table().apart.forget(key);
    }

    /// How many wait now.
    pub(crate) fn waiting(&self) -> u64 {
        self.0.waiting.load(Ordering::Relaxed)
    }
}

impl Lead {
    /// The head is there: those who wait hear of it, those who come look at the store.
    pub(crate) fn tell(self, outcome: Outcome) {
        // Whoever hears of it and still has to ask must not join what is over.
        self.leave();
        let _ = self.tell.send(Some(outcome));
    }

    fn leave(&self) {
        let mut table = self.joins.table();
        let own = self.tell.subscribe();
        // Another may lead by now.
        if table.leads.get(&self.key).is_some_and(|told| told.same_channel(&own)) {
            table.leads.remove(&self.key);
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Follow {
    /// Waits for the head.
    pub(crate) async fn outcome(mut self) -> Outcome {
        let told = self.told.wait_for(Option::is_some).await;
        told.ok().and_then(|outcome| outcome.clone()).unwrap_or(Outcome::Open)
    }
}

impl Drop for Follow {
    fn drop(&mut self) {
        self.joins.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Wake};

    #[tokio::test]
    async fn whoever_follows_hears_what_came_of_it() {
        let joins = Joins::default();
        let Join::Lead(lead) = joins.join("a", Instant::now()) else { panic!("nobody was there") };
        let Join::Follow(follow) = joins.join("a", Instant::now()) else {
            panic!("somebody leads")
        };
        assert!(matches!(joins.join("b", Instant::now()), Join::Lead(_)));
        lead.tell(Outcome::Failed("away".into(), StatusCode::BAD_GATEWAY));
        assert!(matches!(follow.outcome().await, Outcome::Failed(..)));
        let Join::Lead(lead) = joins.join("a", Instant::now()) else { panic!("it is over") };
        let Join::Follow(follow) = joins.join("a", Instant::now()) else {
            panic!("somebody leads")
        };
        drop(lead);
        assert_eq!(joins.waiting(), 1);
        assert!(matches!(follow.outcome().await, Outcome::Open));
        assert_eq!(joins.waiting(), 0);
    }

    #[tokio::test]
    async fn where_nothing_is_shared_nobody_waits() {
        let (joins, now) = (Joins::default(), Instant::now());
        let Join::Lead(lead) = joins.join("a", now) else { panic!("nobody was there") };
        joins.keep_apart("a", now);
        drop(lead);
        assert!(matches!(joins.join("a", now), Join::Alone));
        joins.bring_together("a");
        assert!(matches!(joins.join("a", now), Join::Lead(_)));
    }

    /// Joins in the moment in which it is woken.
    struct Hasty(Joins, Mutex<Option<Join>>);

    impl Wake for Hasty {
        fn wake(self: Arc<Self>) {
            *self.1.lock().unwrap() = Some(self.0.join("a", Instant::now()));
        }
    }

    #[test]
    fn whoever_hears_of_it_may_lead_at_once() {
        let joins = Joins::default();
        let Join::Lead(lead) = joins.join("a", Instant::now()) else { panic!("nobody was there") };
        let Join::Follow(follow) = joins.join("a", Instant::now()) else {
            panic!("somebody leads")
        };
        let hasty = Arc::new(Hasty(joins.clone(), Mutex::default()));
        let mut waiting = pin!(follow.outcome());
        let waker = Arc::clone(&hasty).into();
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        lead.tell(Outcome::Private);
        let next = hasty.1.lock().unwrap().take();
        assert!(matches!(next, Some(Join::Lead(_))), "it joined what was over");
        // And the one before took nothing of its successor's away.
        assert!(matches!(joins.join("a", Instant::now()), Join::Follow(_)));
    }
}
