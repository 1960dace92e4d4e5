//! The canonical forms beside those of `xmllint`, for documents that nobody thought of.

use super::{C14n, canonicalize};
use crate::parse::{line_ends, parse};
use proptest::prelude::*;
use std::process::Command;

/// What may stand between two tags, or in an attribute.
fn text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "a",
        "é",
        "\u{10348}",
        " ",
        "  ",
        "\t",
        "\n",
        "\r\n",
        "\r",
        "\r\r\n",
        "&#13;",
        "&#xA;",
        "&#9;",
        "&amp;",
        "&lt;",
        "&gt;",
        "&quot;",
        "&apos;",
        ">",
        "'",
        "&#x10FFFF;",
        "=",
        "xmlns='urn:a'",
        "\u{a0}",
        "\u{85}",
        "\u{2028}",
        "/",
    ]);
    prop::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat())
}

/// A comment or a processing instruction.
fn aside() -> impl Strategy<Value = String> {
    let pieces = ["", "a", " a\r\nb\rc\n ", " &amp; é ", "  x=\"y\"\t> ", "<b>", "\r"];
    let said = prop::sample::select(pieces.to_vec());
    prop_oneof![
        said.clone().prop_map(|text| format!("<!--{text}-->")),
        said.prop_map(|text| format!("<?say {text}?>")),
        Just("<?say?>".to_owned()),
    ]
}

fn cdata() -> impl Strategy<Value = String> {
    let said = prop::sample::select(vec!["", "a", "<&>", "\r\n", "]]", "&amp;"]);
    said.prop_map(|text| format!("<![CDATA[{text}]]>"))
}

fn attributes() -> impl Strategy<Value = String> {
    let names =
        vec!["b", "a", "é", "A", "xml:lang", "xml:space", "xml:base", "p:a", "p:b", "q:c", "q:a"];
    let names = prop::sample::subsequence(names, 0..5).prop_shuffle();
    (names, prop::collection::vec(text(), 5)).prop_map(|(names, values)| {
        let quoted = names.iter().zip(values).map(|(name, value)| match *name {
            // One language, space or base is as good as another, if it is one.
            "xml:lang" => " xml:lang='en'".to_owned(),
            "xml:space" => " xml:space='preserve'".to_owned(),
            "xml:base" => " xml:base='urn:base'".to_owned(),
            name => format!(" {name} =\r\n\"{value}\"", value = value.replace('"', "&quot;")),
        });
        quoted.collect()
    })
}

/// Declarations under which no two attributes of above have the same name.
fn declarations() -> impl Strategy<Value = String> {
    let all = [" xmlns=''", " xmlns='urn:a'", " xmlns='urn:b'"];
    let default = prop::option::of(prop::sample::select(all.to_vec()));
    let prefixes = vec![
        " xmlns:p='urn:a'",
        " xmlns:p='urn:c'",
        " xmlns:q='urn:b?a'",
        " xmlns:q='urn:d'",
        " xmlns:r='urn:a'",
        " xmlns:r='urn:r'",
        " xmlns:xml='http://www.w3.org/XML/1998/namespace'",
    ];
    (default, prop::sample::subsequence(prefixes, 0..4).prop_shuffle()).prop_map(
        |(default, some)| {
            let mut text = default.unwrap_or_default().to_owned();
            for declaration in some {
                let name = declaration.split('=').next().unwrap_or_default();
                if !text.contains(&format!("{name}=")) {
                    text += declaration;
                }
            }
            text
        },
    )
}

fn element() -> impl Strategy<Value = String> {
    let names = prop::sample::select(vec!["a", "é.b-c", "p:a", "q:a", "r:xmlns", "r:b"]);
    let head = (names, declarations(), attributes(), any::<bool>()).boxed();
    let leaf = prop_oneof![3 => text(), 2 => aside(), 1 => cdata()];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        (head.clone(), prop::collection::vec(inner, 0..5)).prop_map(|(head, children)| {
            let ((name, declarations, attributes, turned), inside) = (head, children.concat());
            let written = if turned {
                format!("{attributes}{declarations}")
            } else {
                format!("{declarations}{attributes}")
            };
            if inside.is_empty() && turned {
                format!("<{name}{written}/>")
            } else {
                format!("<{name}{written}\n>{inside}</{name} >")
            }
        })
    })
}

fn document() -> impl Strategy<Value = String> {
    let space = prop::sample::select(vec!["", "\n", "\r\n  "]);
    let around = prop::collection::vec((aside(), space), 0..3).prop_map(|pieces| {
        pieces.into_iter().map(|(aside, space)| aside + space).collect::<String>()
    });
    let around = around.boxed();
    let head = prop::sample::select(vec!["", "<?xml version='1.0' encoding='UTF-8'?>\r\n"]);
    let root = " xmlns:p='urn:p' xmlns:q='urn:q' xmlns:r='urn:r'";
    let inside = prop::collection::vec(element(), 0..4);
    (head, around.clone(), attributes(), inside, around).prop_map(
        move |(head, before, attributes, inside, after)| {
            format!("{head}{before}<a{root}{attributes}>{}</a>{after}", inside.concat())
        },
    )
}

/// What `xmllint` makes of a document; with comments.
fn xmllint(option: &str, text: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("document.xml");
    std::fs::write(&path, text).expect("a file is written");
    let output = Command::new("xmllint").arg(option).arg(&path).output().unwrap_or_else(|error| {
        panic!("`xmllint` cannot be started ({error}); install the Debian package `libxml2-utils`")
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "xmllint refuses: {said}\n{text}");
    String::from_utf8(output.stdout).expect("the canonical form is UTF-8")
}

fn ours(exclusive: bool, text: &str) -> String {
    let text = &line_ends(text);
    let document = parse(text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    let form = C14n { exclusive, comments: true };
    canonicalize(document.root(), None, form).expect("it is small")
}

/// The one place where we write what the specification says and libxml2 does not: it forgets to escape
/// the `&` of a namespace, so that its canonical form is no XML.
#[test]
fn a_namespace_is_escaped_as_attributes_are() {
    let text = "<a xmlns='urn:a?b&amp;c&lt;&quot;'></a>";
    assert_eq!(ours(true, text), "<a xmlns=\"urn:a?b&amp;c&lt;&quot;\"></a>");
    assert_eq!(ours(false, text), ours(true, text));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_forms_are_those_of_xmllint(text in document()) {
        prop_assert_eq!(ours(true, &text), xmllint("--exc-c14n", &text));
        prop_assert_eq!(ours(false, &text), xmllint("--c14n", &text));
    }

    #[test]
    fn a_canonical_form_is_its_own_canonical_form(text in document()) {
        for exclusive in [true, false] {
            let once = ours(exclusive, &text);
            prop_assert_eq!(&ours(exclusive, &once), &once);
        }
    }
}
