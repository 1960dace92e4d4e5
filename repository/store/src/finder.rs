//! Searching what is published: in memory, beside the records.
//!
//! Every appliance has a number. For each word, and for each value that can be filtered by, a bitmap
//! says which numbers have it; a search combines bitmaps, counts what is left, and walks one of the
//! three orders until its page is full.

mod text;

use crate::Record;
use jiff::Timestamp;
use roaring::{MultiOps, RoaringBitmap};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};
use stratus_model::Subject;
use stratus_repository_api::search::{Cursor, SearchQuery, Sort, SortKey, StatusFilter};
use text::Text;

/// A page of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// How many appliances fit the query, on all pages.
    pub total: u64,
    /// Those of this page.
    pub records: Vec<Arc<Record>>,
    /// Where the next page begins; none on the last.
    pub next: Option<Cursor>,
}

/// Up to so many hits are put in order; more are met by walking everything that is in order.
const FEW: usize = 512;

/// What an appliance is known by here.
pub(crate) type Number = u32;

/// Which numbers have a word or a value.
type Postings = BTreeMap<Box<str>, RoaringBitmap>;

#[derive(Debug, Default)]
pub(crate) struct Finder {
    rows: Vec<Option<Row>>,
    free: Vec<Number>,
    all: RoaringBitmap,
    deprecated: RoaringBitmap,
    words: Postings,
    os: Postings,
    arch: Postings,
    kind: Postings,
    endorser: Postings,
    /// Numbers in the order of each [`SortKey`], then path.
    orders: [Vec<Number>; 3],
    expired: Mutex<Option<Expired>>,
}

#[derive(Debug)]
struct Row {
    record: Arc<Record>,
    text: Text,
}

/// Who is past the end of validity, from one moment until the next one that changes it.
#[derive(Debug)]
struct Expired {
    from: Timestamp,
    until: Timestamp,
    numbers: Arc<RoaringBitmap>,
}

/// The text that words are looked for in.
fn text_of(record: &Record) -> Text {
    let fields = [
        Some(record.name()),
        record.title.as_deref(),
        record.description.as_deref(),
        record.user.as_deref(),
        record.endorser.as_ref().map(Subject::as_str),
        record.email.as_deref(),
    ];
    Text::new(fields.into_iter().flatten())
}

/// The endorser as it is searched for a part of.
fn endorser_of(record: &Record) -> String {
    let subject = record.endorser.as_ref().map_or("", Subject::as_str);
    format!("{subject}\n{}", record.email.as_deref().unwrap_or_default()).to_lowercase()
}

/// What an order compares first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Key<'a> {
    Name(&'a str),
    Amount(i128),
}

/// The place of a record in an order.
fn place(key: SortKey, record: &Record) -> (Key<'_>, &str) {
    let first = match key {
        SortKey::Name => Key::Name(record.name()),
        SortKey::Published => Key::Amount(record.published.as_millisecond().into()),
        SortKey::Size => Key::Amount(record.compressed.bytes.into()),
    };
    (first, record.path.as_str())
}

/// The place that a cursor is after.
fn place_of(cursor: &Cursor) -> (Key<'_>, &str) {
    let first = match cursor.sort.key {
        SortKey::Name => Key::Name(&cursor.key),
        // Whoever makes up a cursor gets a page that starts elsewhere.
        SortKey::Published | SortKey::Size => Key::Amount(cursor.key.parse().unwrap_or_default()),
    };
    (first, &cursor.path)
}

fn cursor(sort: Sort, record: &Record) -> Cursor {
    let key = match sort.key {
        SortKey::Name => record.name().to_owned(),
        SortKey::Published => record.published.as_millisecond().to_string(),
        SortKey::Size => record.compressed.bytes.to_string(),
    };
    Cursor { sort, key, path: record.path.to_string() }
}

const fn order_of(key: SortKey) -> usize {
    match key {
        SortKey::Name => 0,
        SortKey::Published => 1,
        SortKey::Size => 2,
    }
}

impl Finder {
    /// Takes new records; answers the number of each.
    pub(crate) fn insert(&mut self, records: &[Arc<Record>]) -> Vec<Number> {
        let numbers: Vec<Number> = records.iter().map(|record| self.add_row(record)).collect();
        for key in SortKey::ALL {
            let mut order = std::mem::take(&mut self.orders[order_of(key)]);
            // Each insertion moves what is behind it; many at once are quicker sorted.
            if numbers.len() > FEW {
                order.extend(&numbers);
                order.sort_unstable_by(|a, b| self.compare(key, *a, *b));
            } else {
                for &number in &numbers {
                    let at =
                        order.partition_point(|other| self.compare(key, *other, number).is_lt());
                    order.insert(at, number);
                }
            }
            self.orders[order_of(key)] = order;
        }
        self.forget_expired();
        numbers
    }

    /// Forgets a record.
    pub(crate) fn remove(&mut self, number: Number) {
        for key in SortKey::ALL {
            let order = &self.orders[order_of(key)];
            let before = |other: &Number| self.compare(key, *other, number).is_lt();
            let at = order.partition_point(before);
            if order.get(at) == Some(&number) {
                self.orders[order_of(key)].remove(at);
            }
        }
        let Some(row) = self.rows.get_mut(number as usize).and_then(Option::take) else { return };
        self.free.push(number);
        self.all.remove(number);
        self.deprecated.remove(number);
        for word in row.text.words() {
            forget(&mut self.words, word, number);
        }
        let Row { record, .. } = row;
        forget(&mut self.os, &record.labels.os, number);
        forget(&mut self.arch, &record.labels.arch, number);
        forget(&mut self.kind, &record.labels.kind, number);
        forget(&mut self.endorser, &endorser_of(&record), number);
        self.forget_expired();
    }

    fn add_row(&mut self, record: &Arc<Record>) -> Number {
        let row = Row { record: Arc::clone(record), text: text_of(record) };
        let number = self.free.pop().unwrap_or_else(|| {
            self.rows.push(None);
            Number::try_from(self.rows.len() - 1).expect("fewer than 2^32 appliances fit in memory")
        });
        self.all.insert(number);
        if record.deprecated.is_some() {
            self.deprecated.insert(number);
        }
        for word in row.text.words() {
            note(&mut self.words, word, number);
        }
        note(&mut self.os, &record.labels.os, number);
        note(&mut self.arch, &record.labels.arch, number);
        note(&mut self.kind, &record.labels.kind, number);
        note(&mut self.endorser, &endorser_of(record), number);
        self.rows[number as usize] = Some(row);
        number
    }

    fn row(&self, number: Number) -> Option<&Row> {
        self.rows.get(number as usize)?.as_ref()
    }

    fn compare(&self, key: SortKey, a: Number, b: Number) -> Ordering {
        let place = |number| self.row(number).map(|row| place(key, &row.record));
        place(a).cmp(&place(b))
    }

    /// One page of what fits the query at this time.
    pub(crate) fn search(&self, query: &SearchQuery, now: Timestamp) -> Page {
        let hits = self.hits(query, now);
        let limit = usize::from(query.limit);
        let mut records = self.page(&hits, query, limit + 1);
        let more = records.len() > limit;
        records.truncate(limit);
        let next = records.last().filter(|_| more).map(|last| cursor(query.sort, last));
        Page { total: hits.len(), records, next }
    }

    /// Everything that fits.
    fn hits(&self, query: &SearchQuery, now: Timestamp) -> RoaringBitmap {
        let mut hits = match query.status {
            StatusFilter::All => self.all.clone(),
            StatusFilter::Deprecated => self.deprecated.clone(),
            StatusFilter::Expired => &*self.expired(now) - &self.deprecated,
            StatusFilter::Valid => &self.all - &self.deprecated - &*self.expired(now),
        };
        for (postings, value) in [(&self.os, &query.os), (&self.arch, &query.arch)] {
            if let Some(value) = value {
                hits &= postings.get(value.as_str()).unwrap_or(&RoaringBitmap::new());
            }
        }
        if let Some(kind) = &query.kind {
            // Sub-types begin with the type and a dot.
            let dotted = format!("{kind}.");
            let sub_types = beginning(&self.kind, &dotted);
            hits &= self.kind.get(kind.as_str()).into_iter().chain(sub_types).union();
        }
        if let Some(part) = &query.endorser {
            let part = part.to_lowercase();
            let fits = self.endorser.iter().filter(|(text, _)| text.contains(&part));
            hits &= fits.map(|(_, numbers)| numbers).union();
        }
        self.with_words(hits, &query.words())
    }

    /// Those that have every word, each as the beginning of a word.
    ///
    /// What separates words splits what was typed, and the pieces must stand together: `24.04` finds
    /// `24.04.1` and not `4 24`.
    fn with_words(&self, mut hits: RoaringBitmap, typed: &[String]) -> RoaringBitmap {
        let phrases: Vec<Text> = typed.iter().map(|word| Text::new([word.as_str()])).collect();
        for phrase in &phrases {
            let words: Vec<&str> = phrase.words().collect();
            let Some((last, whole)) = words.split_last() else { continue };
            for word in whole {
                hits &= self.words.get(*word).unwrap_or(&RoaringBitmap::new());
            }
            hits &= beginning(&self.words, last).union();
        }
        let phrases: Vec<&Text> = phrases.iter().filter(|p| p.words().nth(1).is_some()).collect();
        if phrases.is_empty() {
            return hits;
        }
        let together = |number: &Number| {
            let row = self.row(*number);
            row.is_some_and(|row| phrases.iter().all(|phrase| row.text.has(phrase)))
        };
        hits.iter().filter(together).collect()
    }

    /// The first `count` of the hits after the cursor, in order.
    fn page(&self, hits: &RoaringBitmap, query: &SearchQuery, count: usize) -> Vec<Arc<Record>> {
        let Sort { key, descending } = query.sort;
        let mut few: Vec<Number> = Vec::new();
        let order = if hits.len() <= FEW as u64 {
            few.extend(hits);
            few.sort_unstable_by(|a, b| self.compare(key, *a, *b));
            &few
        } else {
            &self.orders[order_of(key)]
        };
        let against = |number: &Number, cursor: &Cursor| {
            let row = self.row(*number);
            row.map(|row| place(key, &row.record)).cmp(&Some(place_of(cursor)))
        };
        let take = |numbers: &mut dyn Iterator<Item = &Number>| -> Vec<Arc<Record>> {
            let hits = numbers.filter(|number| hits.contains(**number));
            let rows = hits.filter_map(|number| self.row(*number));
            rows.take(count).map(|row| Arc::clone(&row.record)).collect()
        };
        match (&query.after, descending) {
            (None, false) => take(&mut order.iter()),
            (None, true) => take(&mut order.iter().rev()),
            (Some(cursor), false) => {
                let from = order.partition_point(|number| against(number, cursor).is_le());
                take(&mut order[from..].iter())
            }
            (Some(cursor), true) => {
                let to = order.partition_point(|number| against(number, cursor).is_lt());
                take(&mut order[..to].iter().rev())
            }
        }
    }

    /// Everything past the end of its validity at this time, deprecated or not.
    fn expired(&self, now: Timestamp) -> Arc<RoaringBitmap> {
        let mut known = self.expired.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(expired) = &*known
            && (expired.from..expired.until).contains(&now)
        {
            return Arc::clone(&expired.numbers);
        }
        let mut expired =
            Expired { from: Timestamp::MIN, until: Timestamp::MAX, numbers: Arc::default() };
        let mut numbers = RoaringBitmap::new();
        for number in &self.all {
            let Some(valid) = self.row(number).and_then(|row| row.record.valid) else { continue };
            if valid <= now {
                numbers.insert(number);
                expired.from = expired.from.max(valid);
            } else {
                expired.until = expired.until.min(valid);
            }
        }
        expired.numbers = Arc::new(numbers);
        Arc::clone(&known.insert(expired).numbers)
    }

    fn forget_expired(&mut self) {
        *self.expired.get_mut().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn note(postings: &mut Postings, value: &str, number: Number) {
    if let Some(numbers) = postings.get_mut(value) {
        numbers.insert(number);
    } else {
        postings.insert(value.into(), RoaringBitmap::from([number]));
    }
}

fn forget(postings: &mut Postings, value: &str, number: Number) {
    if let Some(numbers) = postings.get_mut(value) {
        numbers.remove(number);
        if numbers.is_empty() {
            postings.remove(value);
        }
    }
}

/// Those of every value that begins so.
fn beginning<'a>(
    postings: &'a Postings,
    prefix: &'a str,
) -> impl Iterator<Item = &'a RoaringBitmap> {
    postings
        .range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
        .take_while(move |(value, _)| value.starts_with(prefix))
        .map(|(_, numbers)| numbers)
}

#[cfg(test)]
mod tests;
