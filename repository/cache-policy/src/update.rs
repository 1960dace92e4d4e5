//! What a 304 or a HEAD says about stored responses (RFC 9111 sections 3.2, 4.3.4 and 4.3.5).

use crate::hop;
use crate::options::Options;
use crate::policy::Policy;
use crate::store;
use crate::stored::{Exchange, Stored};
use crate::validator::{self, Tag};
use crate::vary::{self, Vary};
use http::{HeaderMap, HeaderName, StatusCode, header};
use jiff::Timestamp;

/// Fields that describe the stored bytes; the bytes stay, so they stay (section 3.2).
const DESCRIBE_THE_BYTES: [HeaderName; 3] =
    [header::CONTENT_LENGTH, header::CONTENT_ENCODING, header::CONTENT_RANGE];

/// A stored response with new fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Updated {
    /// The response as it is now. It answers the request at hand in any case.
    pub stored: Stored,
    /// Whether it may stay in the store: the new fields may forbid it.
    pub keep: bool,
}

/// What a HEAD says about a stored response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeadOutcome {
    /// Nothing.
    Unchanged,
    /// It is still the same; these are its fields now.
    Updated(Box<Updated>),
    /// It is another one now: what is stored must not be used.
    Invalidated,
}

/// Which candidates a 304 is about (section 4.3.4). `asked` is the one whose validators were sent.
///
/// A 304 without any validator is taken to be about that one: it answers our condition, and no other
/// was in it. None at all: the 304 fits nothing that is stored, and the request must be repeated
/// without conditions.
pub fn identified_by_304(
    candidates: &[&Stored],
    asked: usize,
    not_modified: &HeaderMap,
    received: Timestamp,
) -> Vec<usize> {
    let all = || candidates.iter().enumerate();
    let youngest = |fits: &dyn Fn(&Stored) -> bool| {
        let fitting = all().filter(|(_, stored)| fits(stored));
        fitting.max_by_key(|(_, stored)| (stored.date(), stored.received_at())).map(|(at, _)| at)
    };
    if let Some(tag) = Tag::of(not_modified) {
        let same =
            |stored: &Stored| Tag::of(stored.headers()).is_some_and(|t| t.weakly_equals(&tag));
        if tag.is_weak() {
            return youngest(&same).into_iter().collect();
        }
        let strong = |stored: &Stored| {
            Tag::of(stored.headers()).is_some_and(|ours| ours.strongly_equals(&tag))
        };
        return all().filter(|(_, stored)| strong(stored)).map(|(at, _)| at).collect();
    }
    match validator::last_modified(not_modified, received) {
        Some(date) => {
            let same = |stored: &Stored| {
                validator::last_modified(stored.headers(), stored.received_at()) == Some(date)
            };
            youngest(&same).into_iter().collect()
        }
        None => Some(asked).filter(|at| *at < candidates.len()).into_iter().collect(),
    }
}

/// Brings the fields of a 304 into a stored response (section 3.2). `request` is the client's, for a
/// `Vary` that changed.
pub fn freshen(
    stored: &Stored,
    not_modified: &HeaderMap,
    request: &HeaderMap,
    exchange: Exchange,
    options: &Options,
) -> Updated {
    let mut new = Stored { exchange, ..stored.clone() };
    // The age that came with the old head is no age of the new one.
    new.headers.remove(header::AGE);
    replace(&mut new.headers, not_modified);
    if !not_modified.contains_key(header::DATE) {
        new.headers.remove(header::DATE);
    }
    let policy = Policy::of(&new.headers, options);
    store::prepare(&mut new, &policy);
    let selectable = reselect(&mut new, stored, request);
    let allowed = store::check_policy(new.status, &policy).is_ok();
    Updated { keep: selectable && allowed && new.fits(), stored: new }
}

/// Every field of the update takes the place of all stored ones of its name.
fn replace(headers: &mut HeaderMap, update: &HeaderMap) {
    let mut update = update.clone();
    hop::strip(&mut update);
    for name in DESCRIBE_THE_BYTES {
        update.remove(name);
    }
    for name in update.keys() {
        headers.remove(name);
        for value in update.get_all(name) {
            // Fails only beyond the size of any header map; then the response does not fit anyway.
            let _ = headers.try_append(name, value.clone());
        }
    }
}

/// Takes the selecting fields from this request if `Vary` changed; whether anything can still select
/// the response.
fn reselect(new: &mut Stored, old: &Stored, request: &HeaderMap) -> bool {
    match Vary::of(&new.headers) {
        Vary::Never => false,
        fields if fields == Vary::of(&old.headers) => true,
        Vary::Fields(names) => {
            new.selecting = vary::selecting(names, request);
            true
        }
    }
}

/// What the answer to a HEAD says about the response that a GET would have selected (section 4.3.5).
pub fn after_head(
    stored: &Stored,
    status: StatusCode,
    head: &HeaderMap,
    request: &HeaderMap,
    exchange: Exchange,
    options: &Options,
) -> HeadOutcome {
    if status != StatusCode::OK {
        return HeadOutcome::Unchanged;
    }
    let absent = |name: &HeaderName| !head.contains_key(name);
    let equal = |name: &HeaderName| stored.headers.get(name) == head.get(name);
    let same = [header::ETAG, header::LAST_MODIFIED].iter().all(|n| absent(n) || equal(n))
        && (absent(&header::CONTENT_LENGTH)
            || !stored.headers.contains_key(header::CONTENT_LENGTH)
            || equal(&header::CONTENT_LENGTH));
    if !same {
        return HeadOutcome::Invalidated;
    }
    HeadOutcome::Updated(Box::new(freshen(stored, head, request, exchange, options)))
}
