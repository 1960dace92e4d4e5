//! The page of the cache in a real browser.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};
use stratus_tests::{Browser, Cache, FaultyOrigin, Page, Readers};

/// axe-core, where `cargo xtask test` puts it.
fn axe() -> String {
    let tools = std::env::var_os("STRATUS_TOOLS").map_or_else(
        || Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("tools"),
        PathBuf::from,
    );
    fs::read_to_string(tools.join("axe.min.js"))
        .expect("axe-core is installed; `cargo xtask setup` does that")
}

/// Looks at the page as people with different eyes and screens meet it.
fn check(browser: &Browser, axe: &str, name: &str) {
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    fs::create_dir_all(&pictures).unwrap();
    for (look, dark, width) in
        [("light", false, 1280), ("dark", true, 1280), ("narrow", false, 320)]
    {
        browser.width(width);
        browser.dark(dark);
        browser.picture(&pictures.join(format!("{name}-{look}.png")));
        let faults = browser.faults(axe);
        assert!(faults.is_empty(), "{name}, {look}:\n{}", faults.join("\n"));
        let sideways = browser.script(
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth",
        );
        assert_eq!(sideways, 0, "{name}, {look} scrolls sideways");
    }
}

#[test]
fn an_administrator_sees_what_is_stored() {
    let origin = FaultyOrigin::start();
    for number in 0..3 {
        let path =
            format!("/images/base/a-rather-long-name-{number}/1.0/image-{number}-1.0.img.gz");
        origin.put(&path, Page::new(vec![7; 2 << 20]));
    }
    let cache = Cache::before(&origin.url());
    let (browser, axe) = (Browser::start(), axe());
    browser.goto(&format!("{}/-/cache/", cache.url()));
    browser.wait_for("Nothing is stored yet");
    check(&browser, &axe, "cache-empty");
    let readers = Readers::new();
    for number in 0..3 {
        let path =
            format!("/images/base/a-rather-long-name-{number}/1.0/image-{number}-1.0.img.gz");
        readers.get(&format!("{}{path}", cache.url()), &[]).is("a reader", 200, &vec![7; 2 << 20]);
    }
    browser.goto(&format!("{}/-/cache/", cache.url()));
    browser.wait_for("image-2-1.0.img.gz");
    check(&browser, &axe, "cache");
}
