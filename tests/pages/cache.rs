//! The page of the cache in a real browser.

use stratus_tests::{Browser, Cache, FaultyOrigin, Page, Readers};

#[test]
fn an_administrator_sees_what_is_stored() {
    let origin = FaultyOrigin::start();
    for number in 0..3 {
        let path =
            format!("/images/base/a-rather-long-name-{number}/1.0/image-{number}-1.0.img.gz");
        origin.put(&path, Page::new(vec![7; 2 << 20]));
    }
    let cache = Cache::before(&origin.url());
    let browser = Browser::start();
    browser.goto(&format!("{}/-/cache/", cache.url()));
    browser.wait_for("Nothing is stored yet");
    browser.check("cache-empty");
    let readers = Readers::new();
    for number in 0..3 {
        let path =
            format!("/images/base/a-rather-long-name-{number}/1.0/image-{number}-1.0.img.gz");
        readers.get(&format!("{}{path}", cache.url()), &[]).is("a reader", 200, &vec![7; 2 << 20]);
    }
    browser.goto(&format!("{}/-/cache/", cache.url()));
    browser.wait_for("image-2-1.0.img.gz");
    browser.check("cache");
}
