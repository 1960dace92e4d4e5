//! The promises of the typed reading.

use crate::{Element, SiteText, Switch};
use std::path::{Path, PathBuf};
use std::time::Duration;
use stratus_model::ByteCount;

fn site(text: &str) -> SiteText {
    SiteText::parse(Path::new("/etc/stratus/stratus.toml"), text).unwrap()
}

#[test]
fn values_come_with_their_types() {
    let site = site(
        "[cache]\nlisten = \"a\"\nsize = \"2 GiB\"\nage = \"7 days\"\nwait = 5\ndirectory = \"x\"\non = true\n",
    );
    let s = site.section("cache");
    assert_eq!(s.texts("listen"), ["a"]);
    assert_eq!(s.size("size"), Some(ByteCount(2 << 30)));
    assert_eq!(s.duration("age"), Some(Duration::from_hours(7 * 24)));
    assert_eq!(s.duration("wait"), Some(Duration::from_secs(5)));
    assert_eq!(s.path("directory"), Some(PathBuf::from("/etc/stratus/x")));
    assert!(s.flag("on", false));
    assert!(site.conclude(s.finish()).is_ok());
}

#[test]
fn every_problem_is_reported_at_once_with_its_place_and_cure() {
    let site = site("[cache]\nlistem = \"a\"\nsize = \"much\"\non = 3\n");
    let s = site.section("cache");
    s.texts("listen");
    s.size("size");
    s.flag("on", true);
    s.required_text("directory");
    let report = site.conclude(s.finish()).unwrap_err().to_string();
    for expected in [
        "[cache] has no key `listem`",
        "stratus.toml:2:1",
        "did you mean `listen`?",
        "`size` must be a size",
        "stratus.toml:3:8",
        "`on` must be true or false",
        "[cache] needs `directory`",
    ] {
        assert!(report.contains(expected), "{expected} not in:\n{report}");
    }
}

#[test]
fn repeated_keys_are_reported_together_with_everything_else() {
    let twice = "[a]\nx = 1\nx = 2\n[b]\ny = true\ny = false\nz = 1\n";
    let twice = SiteText::parse(Path::new("s.toml"), twice).unwrap();
    let section = twice.section("b");
    section.flag("y", false);
    let report = twice.conclude(section.finish()).unwrap_err().to_string();
    for expected in ["s.toml:3:1", "s.toml:6:1", "duplicate key", "[b] has no key `z`"] {
        assert!(report.contains(expected), "{expected} not in:\n{report}");
    }
}

#[test]
fn a_slip_of_syntax_ends_the_reading() {
    for text in ["[a]\nx = \n", "[a]\nx = 1\nx = [\n1\n]\n"] {
        let report = SiteText::parse(Path::new("s.toml"), text).unwrap_err();
        assert_eq!(report.problems().len(), 1, "{report}");
    }
}

#[test]
fn a_section_given_twice_hides_nothing_of_the_others() {
    let site = site("[a]\n[a]\ny = \"\u{e9}\"\n[b]\nz = 1\n");
    let section = site.section("b");
    section.text("z");
    let mut problems = section.finish();
    problems.extend(site.section("a").finish());
    problems.extend(site.only_sections(&["a"]));
    let report = site.conclude(problems).unwrap_err();
    let told: Vec<&str> = report.problems().iter().map(|p| p.message.as_str()).collect();
    let twice = "the section [a] is there twice";
    assert_eq!(told, [twice, "there is no section [b]", "`z` must be a text in quotes"]);
    assert!(report.to_string().contains("s.toml:5:5"), "{report}");
}

#[test]
fn what_has_no_cure_shows_an_example_and_nothing_is_said_twice() {
    let site = site("[a]\nip = \"x\"\n");
    let site = site.with_examples(|path| (path == "a.ip").then_some("\"192.0.2.1\""));
    let section = site.section("a");
    section.parsed::<std::net::Ipv4Addr>("ip");
    section.parsed::<std::net::Ipv4Addr>("ip");
    section.required_text("name");
    let report = site.conclude(section.finish()).unwrap_err();
    let cures: Vec<_> = report.problems().iter().map(|p| p.cure.as_deref().unwrap()).collect();
    assert_eq!(cures, ["write name = \"…\" in [a]", "write it as ip = \"192.0.2.1\""]);
}

#[test]
fn keys_that_were_asked_for_are_known_afterwards() {
    let site = site("[n.one]\nx = [\"a\", { y = 1 }]\n[n.two]\nz = { y = 2 }\n");
    let section = site.section("n");
    for (_, _, table) in section.tables_by_name() {
        for element in table.list("x", "texts or tables") {
            if let Element::Table(inner) = element {
                inner.number("y", 0..=9);
                inner.finish();
            }
        }
        if let Switch::With(inner) = table.switch("z") {
            inner.number("y", 0..=9);
            inner.finish();
        }
        assert!(site.conclude(table.finish()).is_ok());
    }
    assert!(site.conclude(section.finish()).is_ok());
    let asked: Vec<String> = site.asked().into_iter().collect();
    assert_eq!(asked, ["n.*.x", "n.*.x.y", "n.*.z", "n.*.z.y"]);
}

#[test]
fn a_report_has_an_end() {
    let keys: String = (0..2000).map(|n| format!("k{n} = 1\n")).collect();
    let site = site(&format!("[a]\n{keys}"));
    let report = site.conclude(site.section("a").finish()).unwrap_err();
    assert_eq!(report.problems().len(), 2000);
    let text = report.to_string();
    assert!(text.ends_with("and 1800 more problems"), "{}", &text[text.len() - 200..]);
}

#[test]
fn what_is_hidden_is_in_no_report() {
    let site = site("[a]\nx = \"caf\u{e9}\" # p\n");
    site.hide(8..15);
    let report = site.conclude(site.section("a").finish()).unwrap_err().to_string();
    assert!(report.contains("x = ******* # p"), "{report}");
}
