//! RFC 9111 section 4.4: what changes at the origin is not served any more.

use crate::row::{Case, Row, try_rows};

#[test]
fn invalidation() {
    try_rows(ROWS);
}

fn stored(case: &Case<'_>) {
    case.origin(200, &["cache-control: max-age=60"]);
    case.get(&[]).answer(1);
}

/// The first answer is gone.
fn gone(case: &Case<'_>) {
    let before = case.asked().len();
    case.origin(200, &["cache-control: max-age=60"]);
    case.get(&[]).answer(before + 1).missed();
}

const ROWS: &[Row] = &[
    ("RFC 9111 4.4: an unsafe method that succeeds ends what is stored", |case| {
        for method in ["PUT", "POST", "DELETE", "PATCH", "UNKNOWN"] {
            let case = case.at(&format!("/{method}"));
            stored(&case);
            case.origin(204, &[]);
            case.ask(method, &[], b"x").is(204).says("fwd=method");
            gone(&case);
        }
    }),
    ("RFC 9111 4.4: an unsafe method that redirects ends it, too", |case| {
        stored(case);
        case.origin(303, &["location: /elsewhere"]);
        case.ask("POST", &[], b"x").is(303);
        gone(case);
    }),
    ("RFC 9111 4.4: one that fails ends nothing", |case| {
        for status in [403, 500] {
            let case = case.at(&format!("/{status}"));
            stored(&case);
            case.origin(status, &[]);
            case.ask("PUT", &[], b"x").is(status);
            case.get(&[]).answer(1).hit();
        }
    }),
    ("RFC 9111 4.4: a safe method ends nothing", |case| {
        stored(case);
        case.origin(204, &[]);
        case.ask("OPTIONS", &[], b"").is(204);
        case.get(&[]).answer(1).hit();
    }),
    ("RFC 9111 4.4: Location and Content-Location of the same origin end, too", |case| {
        for name in ["location", "content-location"] {
            let case = case.at(&format!("/{name}"));
            for (at, form) in ["path", "whole", "relative"].into_iter().enumerate() {
                let (asked, other) = (case.at(&format!("/{at}")), case.at(&format!("/{form}")));
                stored(&other);
                let target = match form {
                    "whole" => format!("{}{}", case.origin_url(), other.path()),
                    "relative" => form.to_owned(),
                    _ => other.path().to_owned(),
                };
                asked.origin(201, &[&format!("{name}: {target}")]);
                asked.ask("POST", &[], b"x").is(201);
                gone(&other);
            }
        }
    }),
    ("RFC 9111 4.4: a Location of another origin ends nothing", |case| {
        let other = case.at("/other");
        stored(&other);
        case.origin(201, &[&format!("location: http://elsewhere.example{}", other.path())]);
        case.ask("POST", &[], b"x").is(201);
        other.get(&[]).answer(1).hit();
    }),
    ("RFC 9111 4.4: all variants end", |case| {
        for kind in ["x-kind: a", "x-kind: b"] {
            case.origin(200, &["cache-control: max-age=60", "vary: x-kind"]);
            case.get(&[kind]).is(200);
        }
        case.origin(204, &[]);
        case.ask("DELETE", &[], b"").is(204);
        for kind in ["x-kind: a", "x-kind: b"] {
            case.origin(200, &["cache-control: max-age=60"]);
            case.get(&[kind]).is(200).missed();
            case.origin(204, &[]);
            case.ask("DELETE", &[], b"").is(204);
        }
    }),
];
