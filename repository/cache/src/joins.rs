//! Requests for the same thing at the same time: one goes upstream, the others wait for its head.

use crate::object::Object;
use http::StatusCode;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// What the request upstream came to.
#[derive(Clone)]
pub(crate) enum Outcome {
    /// There is an object now, or it was found to be valid.
    Object(Arc<Object>, StatusCode),
    /// The answer is for the one who asked alone.
    Private,
    /// No answer came, or none that is better than what is stored: why, and what to answer.
    Failed(Arc<str>, StatusCode),
}

/// Requests under way.
#[derive(Clone, Default)]
pub(crate) struct Joins(Arc<Mutex<Waiting>>);

type Waiting = HashMap<Arc<str>, watch::Receiver<Option<Outcome>>>;

/// What a request is.
pub(crate) enum Join {
    /// The first: it goes upstream.
    Lead(Lead),
    /// One more.
    Follow(Follow),
}

/// The one that goes upstream. When it is dropped, the others go their own ways.
pub(crate) struct Lead {
    joins: Joins,
    key: Arc<str>,
    tell: watch::Sender<Option<Outcome>>,
}

/// One that waits.
pub(crate) struct Follow(watch::Receiver<Option<Outcome>>);

impl Joins {
    /// Joins the request under way for this key, or becomes it.
    pub(crate) fn join(&self, key: &str) -> Join {
        let mut joins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(receiver) = joins.get(key) {
            return Join::Follow(Follow(receiver.clone()));
        }
        let (tell, receiver) = watch::channel(None);
        let key: Arc<str> = key.into();
        joins.insert(Arc::clone(&key), receiver);
        Join::Lead(Lead { joins: self.clone(), key, tell })
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
        let mut joins = self.joins.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = self.tell.subscribe();
        // Another may lead by now.
        if joins.get(&self.key).is_some_and(|waiting| waiting.same_channel(&own)) {
            joins.remove(&self.key);
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
        let told = self.0.wait_for(Option::is_some).await;
        told.ok().and_then(|outcome| outcome.clone()).unwrap_or(Outcome::Private)
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
        let Join::Lead(lead) = joins.join("a") else { panic!("nobody was there") };
        let Join::Follow(follow) = joins.join("a") else { panic!("somebody leads") };
        assert!(matches!(joins.join("b"), Join::Lead(_)));
        lead.tell(Outcome::Failed("away".into(), StatusCode::BAD_GATEWAY));
        assert!(matches!(follow.outcome().await, Outcome::Failed(..)));
        let Join::Lead(lead) = joins.join("a") else { panic!("it is over") };
        let Join::Follow(follow) = joins.join("a") else { panic!("somebody leads") };
        drop(lead);
        assert!(matches!(follow.outcome().await, Outcome::Private));
    }

    /// Joins in the moment in which it is woken.
    struct Hasty(Joins, Mutex<Option<Join>>);

    impl Wake for Hasty {
        fn wake(self: Arc<Self>) {
            *self.1.lock().unwrap() = Some(self.0.join("a"));
        }
    }

    #[test]
    fn whoever_hears_of_it_may_lead_at_once() {
        let joins = Joins::default();
        let Join::Lead(lead) = joins.join("a") else { panic!("nobody was there") };
        let Join::Follow(follow) = joins.join("a") else { panic!("somebody leads") };
        let hasty = Arc::new(Hasty(joins.clone(), Mutex::default()));
        let mut waiting = pin!(follow.outcome());
        let waker = Arc::clone(&hasty).into();
        assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        lead.tell(Outcome::Private);
        let next = hasty.1.lock().unwrap().take();
        assert!(matches!(next, Some(Join::Lead(_))), "it joined what was over");
        // And the one before took nothing of its successor's away.
        assert!(matches!(joins.join("a"), Join::Follow(_)));
    }
}
