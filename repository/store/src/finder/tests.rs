//! Searches against plain comparison of every record.

use super::*;
use crate::FileFacts;
use proptest::prelude::*;
use stratus_model::{
    AppliancePath, Digest, Endorsement, Endorser, Manifest, PolicyState, SignatureState,
    SignerState, Verdict,
};

const NAMES: [&str; 6] = ["ubuntu", "debian", "alma-linux", "b2", "b", "grid"];
const TITLES: [&str; 5] = ["Ubuntu 24.04", "04 24 worker", "Été à Genève", "front-end", "front"];
const KINDS: [&str; 4] = ["base", "grid", "grid.ce", "gridlock"];
const TYPED: [&str; 9] =
    ["24.04", "4", "ete", "FRONT", "front-end", "gen", "b", "-", "example.org"];

fn example(path: &AppliancePath) -> Record {
    let mut manifest = Manifest::empty();
    let subject = Some(Subject::new("/O=Example/CN=Été".to_owned()));
    let endorser = Endorser { subject, issuer: None, email: None };
    manifest.endorsement = Some(Endorsement { created: None, endorser });
    let verdict = Verdict {
        signature: SignatureState::Good,
        signer: SignerState::Trusted,
        policy: PolicyState::Allowed,
        reasons: vec![],
    };
    let file = FileFacts {
        bytes: 1,
        sha256: Digest::sha256([0; 32]),
        modified: moment(0),
        stamp: String::new(),
    };
    Record::describe(path, &manifest, verdict, file, String::new())
}

fn moment(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

prop_compose! {
    fn records()(
        rows in prop::collection::btree_map(
            (0..NAMES.len(), 0..9_u8),
            (0..TITLES.len(), 0..KINDS.len(), 0..4_i64, 0..3_u64, 0..5_i64, any::<bool>()),
            0..30,
        ),
    ) -> Vec<Record> {
        rows.into_iter().map(|((name, version), (title, kind, published, size, valid, bad))| {
            let name = NAMES[name];
            let path = format!("{}/{name}-img/1.{version}/{name}-img-1.{version}", KINDS[kind]);
            let mut record = example(&AppliancePath::parse(&path).unwrap());
            record.labels.kind = KINDS[kind].to_owned();
            record.labels.os = name.to_owned();
            record.title = Some(TITLES[title].to_owned());
            record.published = moment(published);
            record.compressed.bytes = size;
            record.valid = (valid > 0).then(|| moment(valid));
            record.email = (size > 0).then(|| format!("{name}@example.org"));
            record.deprecated = bad.then(|| crate::Deprecation {
                reason: "old".to_owned(), replaced_by: None, by: None, at: None,
            });
            record
        }).collect()
    }
}

prop_compose! {
    fn queries()(
        typed in prop::collection::vec(0..TYPED.len(), 0..3),
        os in prop::option::of(0..NAMES.len()),
        kind in prop::option::of(0..KINDS.len()),
        endorser in prop::option::of(0..TYPED.len()),
        status in 0..StatusFilter::ALL.len(),
        key in 0..SortKey::ALL.len(),
        descending in any::<bool>(),
        limit in 1..6_u16,
    ) -> SearchQuery {
        let q: Vec<&str> = typed.into_iter().map(|n| TYPED[n]).collect();
        SearchQuery {
            q: (!q.is_empty()).then(|| q.join(" ")),
            os: os.map(|n| NAMES[n].to_owned()),
            kind: kind.map(|n| KINDS[n].to_owned()),
            endorser: endorser.map(|n| TYPED[n].to_owned()),
            status: StatusFilter::ALL[status],
            sort: Sort { key: SortKey::ALL[key], descending },
            limit,
            ..SearchQuery::default()
        }
    }
}

/// Whether a record fits, told without any index.
fn fits(record: &Record, query: &SearchQuery, now: Timestamp) -> bool {
    let is_expired = record.valid.is_some_and(|valid| valid <= now);
    let status = match query.status {
        StatusFilter::Valid => record.deprecated.is_none() && !is_expired,
        StatusFilter::Expired => record.deprecated.is_none() && is_expired,
        StatusFilter::Deprecated => record.deprecated.is_some(),
        StatusFilter::All => true,
    };
    let kind = &record.labels.kind;
    let text = text_of(record);
    status
        && query.os.as_ref().is_none_or(|os| *os == record.labels.os)
        && query.kind.as_ref().is_none_or(|k| k == kind || kind.starts_with(&format!("{k}.")))
        && query.endorser.as_ref().is_none_or(|e| endorser_of(record).contains(&e.to_lowercase()))
        && query.words().iter().all(|word| text.has(&Text::new([word.as_str()])))
}

fn expected(records: &[Arc<Record>], query: &SearchQuery, now: Timestamp) -> Vec<Arc<Record>> {
    let mut found: Vec<_> = records.iter().filter(|r| fits(r, query, now)).cloned().collect();
    found.sort_by(|a, b| place(query.sort.key, a).cmp(&place(query.sort.key, b)));
    if query.sort.descending {
        found.reverse();
    }
    found
}

/// All pages of a search.
fn every_page(finder: &Finder, query: &SearchQuery, now: Timestamp) -> (u64, Vec<Arc<Record>>) {
    let mut query = query.clone();
    let mut found = Vec::new();
    loop {
        let page = finder.search(&query, now);
        assert!(page.records.len() <= usize::from(query.limit));
        assert!(page.next.is_none() || !page.records.is_empty());
        found.extend(page.records);
        query.after = page.next;
        if query.after.is_none() {
            return (page.total, found);
        }
    }
}

proptest! {
    #[test]
    fn a_search_finds_what_comparing_every_record_finds(
        records in records(),
        queries in prop::collection::vec((queries(), 0..6_i64), 1..8),
        removed in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut left: Vec<Arc<Record>> = records.into_iter().map(Arc::new).collect();
        let mut finder = Finder::default();
        let mut numbers = finder.insert(&left);
        for index in removed {
            if !left.is_empty() {
                let at = index.index(left.len());
                let record = left.swap_remove(at);
                finder.remove(numbers.swap_remove(at));
                // Some come back, with a number that was free.
                if at % 2 == 0 {
                    numbers.extend(finder.insert(std::slice::from_ref(&record)));
                    left.push(record);
                }
            }
        }
        for (query, now) in queries {
            let want = expected(&left, &query, moment(now));
            let (total, found) = every_page(&finder, &query, moment(now));
            prop_assert_eq!(total, want.len() as u64);
            prop_assert_eq!(found, want);
        }
    }
}

/// More than are sorted for each search.
#[test]
fn many_hits_come_in_the_same_order() {
    let count = i64::try_from(FEW).unwrap() * 2;
    let records: Vec<Arc<Record>> = (0..count)
        .map(|n| {
            let path = format!("base/ubuntu-img/{n}/ubuntu-img-{n}");
            let mut record = example(&AppliancePath::parse(&path).unwrap());
            record.published = moment(n * 7919 % 101);
            record.valid = (n % 3 == 0).then(|| moment(5));
            Arc::new(record)
        })
        .collect();
    let mut finder = Finder::default();
    finder.insert(&records);
    for sort in ["name", "-name", "published", "-published", "size"] {
        let query = SearchQuery { sort: sort.parse().unwrap(), ..SearchQuery::default() };
        let want = expected(&records, &query, moment(9));
        assert!(want.len() > FEW);
        let (total, found) = every_page(&finder, &query, moment(9));
        assert_eq!(total, want.len() as u64);
        assert!(found == want, "{sort}");
    }
}

#[test]
fn what_is_forgotten_leaves_nothing() {
    let path = AppliancePath::parse("base/ubuntu-img/1.0/ubuntu-img-1.0").unwrap();
    let mut finder = Finder::default();
    let numbers = finder.insert(&[Arc::new(example(&path))]);
    finder.remove(numbers[0]);
    finder.remove(numbers[0]);
    assert!(finder.words.is_empty() && finder.os.is_empty() && finder.endorser.is_empty());
    assert!(finder.orders.iter().all(Vec::is_empty) && finder.all.is_empty());
    assert_eq!(finder.search(&SearchQuery::default(), moment(0)), Page::default());
}
