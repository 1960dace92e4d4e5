//! Which field rules a response: a targeted one (RFC 9213) or `Cache-Control` (RFC 9111).

use crate::cache_control::{Directives, Restriction};
use crate::field;
use crate::hop;
use crate::options::Options;
use crate::structured::{self, Value};
use http::{HeaderMap, HeaderName};

/// The directives in force for a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// What they are.
    pub directives: Directives,
    /// Whether they come from a targeted field. Then `Cache-Control` and `Expires` do not count
    /// (RFC 9213 section 2.2).
    pub targeted: bool,
}

impl Policy {
    /// The first targeted field that is valid and not empty, or else `Cache-Control`.
    pub fn of(headers: &HeaderMap, options: &Options) -> Self {
        options.targeted.iter().find_map(|name| targeted(headers, name)).map_or_else(
            || Self { directives: Directives::of(headers), targeted: false },
            |directives| Self { directives, targeted: true },
        )
    }
}

/// The fields of a response that are for the one who asked alone: those that a qualified `private`
/// or `no-cache` names (RFC 9111 sections 5.2.2.4 and 5.2.2.7). They are not among the stored ones.
pub fn for_one_client(headers: &HeaderMap, options: &Options) -> HeaderMap {
    let directives = Policy::of(headers, options).directives;
    let names =
        [&directives.private, &directives.no_cache].into_iter().flat_map(Restriction::fields);
    let mut found = HeaderMap::new();
    for name in names.filter(|name| !hop::is_hop_by_hop(name)) {
        found.remove(name);
        for value in headers.get_all(name) {
            let _ = found.try_append(name.clone(), value.clone());
        }
    }
    found
}

/// A directive whose value has the wrong type makes the field invalid, as a syntax error does.
fn targeted(headers: &HeaderMap, name: &HeaderName) -> Option<Directives> {
    let members = structured::dictionary(&field::combined(headers, name)?)?;
    if members.is_empty() {
        return None;
    }
    let mut found = Directives::default();
    for (key, value) in members {
        add(&mut found, &key, &value)?;
    }
    Some(found)
}

fn add(found: &mut Directives, key: &str, value: &Value) -> Option<()> {
    match (key, value) {
        // `?0` says that the directive is not there.
        (_, Value::Boolean(false)) => {}
        ("max-age" | "s-maxage" | "stale-while-revalidate" | "stale-if-error", value) => {
            let Value::Integer(seconds) = value else { return None };
            found.add(key, Some(seconds.to_string().as_bytes()));
        }
        ("no-cache" | "private", Value::String(names)) => found.add(key, Some(names.as_bytes())),
        ("no-cache" | "private", Value::InnerList(names)) => {
            found.add(key, Some(joined(names)?.as_bytes()));
        }
        (_, Value::Boolean(true)) => found.add(key, None),
        (known, _) if FLAGS.contains(&known) => return None,
        _ => {}
    }
    Some(())
}

/// Directives that have no value.
const FLAGS: [&str; 8] = [
    "no-cache",
    "private",
    "no-store",
    "must-understand",
    "must-revalidate",
    "proxy-revalidate",
    "public",
    "immutable",
];

fn joined(names: &[Value]) -> Option<String> {
    let name = |value: &Value| match value {
        Value::String(name) | Value::Token(name) => Some(name.clone()),
        _ => None,
    };
    names.iter().map(name).collect::<Option<Vec<_>>>().map(|names| names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache_control::Period;
    use std::time::Duration;

    fn read(cdn: &[&str], plain: &str) -> Policy {
        let mut headers = HeaderMap::new();
        headers.insert("cache-control", plain.parse().unwrap());
        for line in cdn {
            headers.append("cdn-cache-control", line.parse().unwrap());
        }
        Policy::of(&headers, &Options::default())
    }

    fn max_age(seconds: u64) -> Period {
        Period::Given(Duration::from_secs(seconds))
    }

    #[test]
    fn rfc_9213_2_2_a_valid_targeted_field_is_the_only_one_that_counts() {
        let found = read(&["foobar", "max-age=99999999999"], "no-store, private");
        assert!(found.targeted);
        assert_eq!(found.directives.max_age, max_age(99_999_999_999));
        assert!(!found.directives.no_store && !found.directives.private.is_whole());
    }

    #[test]
    fn rfc_9213_2_2_an_invalid_or_empty_one_does_not_count() {
        for invalid in [
            "",
            "max-age=10, &&&&&",
            "max-age=\"10\"",
            "max-age",
            "max-age=1.5",
            "max-age =10",
            "max-age= 10",
            "MaX-aGe=10",
            "no-store=1",
            "no-cache=3",
        ] {
            let found = read(&[invalid], "max-age=5");
            assert_eq!(
                (found.targeted, found.directives.max_age),
                (false, max_age(5)),
                "{invalid}"
            );
        }
    }

    #[test]
    fn rfc_9213_2_1_values_have_the_types_of_structured_fields() {
        let found = read(&["max-age=-1, no-store=?0, no-cache=\"a, b\", private=(c d)"], "");
        assert_eq!(found.directives.max_age, Period::Invalid);
        assert!(!found.directives.no_store);
        let fields =
            |a: &str, b: &str| Restriction::Fields(vec![a.parse().unwrap(), b.parse().unwrap()]);
        assert_eq!(found.directives.no_cache, fields("a", "b"));
        assert_eq!(found.directives.private, fields("c", "d"));
    }
}
