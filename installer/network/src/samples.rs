//! The site of the tests: every kind of network, one VPN, hosts inside a range.

use stratus_site::Site;

/// `testdata/site.json`.
pub(crate) fn site() -> Site {
    serde_json::from_str(include_str!("../testdata/site.json")).unwrap()
}
