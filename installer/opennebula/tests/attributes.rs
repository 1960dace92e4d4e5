//! Templates: both spellings say what was meant.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is the failure of a test")]

use proptest::prelude::*;
use stratus_opennebula::{Attribute, Attributes};

fn read(text: &str) -> Attributes {
    Attributes::from_syntax(text).unwrap()
}

#[test]
fn a_template_as_people_write_it_is_read() {
    let found = read(
        "# the public network\nNAME=\"public\"\nVN_MAD = bridge\nEMPTY =\nNOTE = \"it says \\\"hi\\\"\n\
         twice\"\nAR=[TYPE=IP4,IP=172.17.16.2,\n  SIZE = \"250\" ]\nAR=[TYPE=ETHER, SIZE=1]\n",
    );
    let expected = Attributes::new()
        .with("NAME", "public")
        .with("VN_MAD", "bridge")
        .with("EMPTY", "")
        .with("NOTE", "it says \"hi\"\ntwice")
        .with_vector("AR", &[("TYPE", "IP4"), ("IP", "172.17.16.2"), ("SIZE", "250")])
        .with_vector("AR", &[("TYPE", "ETHER"), ("SIZE", "1")]);
    assert_eq!(found, expected);
    assert_eq!(found.names(), ["NAME", "VN_MAD", "EMPTY", "NOTE", "AR"]);
    assert_eq!(found.values("ar").count(), 2);
}

#[test]
fn an_error_names_the_line_and_what_belongs_there() {
    for (text, expected) in [
        ("A=1\nB=[", "line 2: a name was expected"),
        ("A=\"1\n", "line 1: the `\"` that ends the text was expected"),
        ("A=[X=1 Y=2]", "line 1: `,` or `]` was expected"),
        ("A", "line 1: `=` was expected"),
        ("\n\n=5", "line 3: a name was expected"),
    ] {
        let error = Attributes::from_syntax(text).unwrap_err().to_string();
        assert!(error.ends_with(expected), "{text:?}: {error}");
    }
}

#[test]
fn what_opennebula_would_store_wrongly_is_not_written() {
    let context = |text: &str| Attributes::new().with_vector("CONTEXT", &[("START_SCRIPT", text)]);
    for wrong in [
        Attributes::new().with("NOTE", "a ]]> b"),
        Attributes::new().with("NOTE", "a\rb"),
        Attributes::new().with("NOTE", "a\u{0}b"),
        Attributes::new().with("1NOTE", "a"),
        Attributes::new().with("NO TE", "a"),
        Attributes::new().with("", "a"),
        context("cost: $ 5"),
        context("echo $(id)"),
        context("ends in $"),
    ] {
        assert!(wrong.to_xml("TEMPLATE").is_err(), "{wrong:?}");
        assert!(wrong.to_syntax().is_err(), "{wrong:?}");
    }
    let names = context("$USER[SSH_PUBLIC_KEY] and $NAME");
    assert!(names.to_xml("TEMPLATE").is_ok());
    // Outside a context a `$` is a letter like any other.
    assert!(Attributes::new().with("NOTE", "cost: $ 5").to_xml("TEMPLATE").is_ok());
}

#[test]
fn a_text_that_ends_in_a_backslash_goes_as_xml_only() {
    let path = Attributes::new().with("PATH", "C:\\");
    assert!(path.to_syntax().is_err());
    let xml = path.to_xml("TEMPLATE").unwrap();
    assert_eq!(Attributes::from_xml(&xml).unwrap(), path);
}

#[test]
fn a_merge_replaces_all_values_of_the_names_it_has() {
    let mut kept = read("A=1\nA=2\nB=3\nC=4\n");
    kept.merge(&read("A=5\nD=6\n"));
    assert_eq!(kept, read("B=3\nC=4\nA=5\nD=6\n"));
}

#[test]
fn members_of_a_vector_compare_in_any_order() {
    let one = read("AR=[A=1,B=2]\n");
    assert!(one.same(&read("AR=[B=2,A=1]\n"), "AR"));
    assert!(!one.same(&read("AR=[B=2,A=2]\n"), "AR"));
    assert!(!one.same(&read("AR=[B=2,A=1]\nAR=[B=2,A=1]\n"), "AR"));
}

fn name() -> impl Strategy<Value = String> {
    "[A-Z_][A-Z0-9_]{0,8}"
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z \"\\\\\n\t$\\[\\],=#<>&']{0,20}",
        "\\PC{0,20}",
        Just("]]".to_owned()),
        Just("\\\"".to_owned()),
    ]
}

fn value() -> impl Strategy<Value = Attribute> {
    prop_oneof![
        text().prop_map(Attribute::Text),
        prop::collection::vec((name(), text()), 1..4).prop_map(Attribute::Vector),
    ]
}

fn attributes() -> impl Strategy<Value = Attributes> {
    prop::collection::vec((name(), value()), 0..6).prop_map(|items| items.into_iter().collect())
}

proptest! {
    #[test]
    fn xml_says_every_template_that_may_be_written(meant in attributes()) {
        if let Ok(text) = meant.to_xml("TEMPLATE") {
            prop_assert_eq!(Attributes::from_xml(&text).unwrap(), meant.clone());
            prop_assert_eq!(Attributes::read(&text).unwrap(), meant);
        }
    }

    #[test]
    fn opennebulas_own_spelling_says_the_same(meant in attributes()) {
        if let Ok(text) = meant.to_syntax() {
            prop_assert_eq!(Attributes::from_syntax(&text).unwrap(), meant);
        }
    }

    #[test]
    fn xml_can_say_whatever_the_other_spelling_can(meant in attributes()) {
        prop_assert!(meant.to_syntax().is_err() || meant.to_xml("T").is_ok());
    }

    #[test]
    fn no_text_makes_the_readers_panic(text in "\\PC{0,60}") {
        let _ = Attributes::from_syntax(&text);
        let _ = Attributes::from_xml(&text);
    }

    #[test]
    fn no_template_like_text_makes_the_reader_panic(text in "[A-C=\\[\\],\"\\\\# \n]{0,40}") {
        let _ = Attributes::from_syntax(&text);
    }
}
