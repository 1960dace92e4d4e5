//! A hostile document of the permitted size is refused at once, and says why.

use crate::workshop::{MALLORY, change, good, mismatch, not_xml};
use std::fmt::Write as _;
use std::time::{Duration, Instant};
use stratus_dsig::{SignError, SignatureError, sign, verify};

/// Generous: the machine may be slow and busy. What was out of proportion took minutes.
const AT_ONCE: Duration = Duration::from_secs(30);

fn at_once<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    assert!(start.elapsed() < AT_ONCE, "took {:?}", start.elapsed());
    result
}

fn with_attributes(count: usize) -> String {
    let mut text = "<root".to_owned();
    for number in 0..count {
        write!(text, " a{number}=\"\"").expect("text grows");
    }
    text + "></root>"
}

fn with_namespaces(count: usize, children: &str) -> String {
    let mut text = "<root".to_owned();
    for number in 0..count {
        write!(text, " xmlns:n{number}=\"urn:{number}\"").expect("text grows");
    }
    format!("{text}>{children}</root>")
}

#[test]
fn an_element_may_have_64_attributes() {
    assert_eq!(verify(&with_attributes(64)), Err(SignatureError::Absent));
    assert_eq!(not_xml(&with_attributes(65)), "an element may have 64 attributes, not more");
}

#[test]
fn a_third_of_a_million_attributes_are_refused_at_once() {
    let text = with_attributes(350_000);
    assert_eq!(at_once(|| not_xml(&text)), "an element may have 64 attributes, not more");
}

#[test]
fn attributes_hide_neither_behind_quotes_nor_behind_other_markup() {
    let many = with_attributes(65);
    let rule = "an element may have 64 attributes, not more";
    assert_eq!(not_xml(&change(&many, "<root", "<root q='>' r=\">'\"")), rule);
    assert_eq!(not_xml(&change(&many, "<root", "<!-- \" --><root")), rule);
    assert_eq!(not_xml(&change(&many, "<root", "<root\tq\n=\r\n'\"'")), rule);
}

#[test]
fn what_only_looks_like_attributes_is_not_counted() {
    let text = "a=\"b\" ".repeat(100);
    for document in [
        format!("<root>{text}</root>"),
        format!("<root a='{text}'></root>"),
        format!("<root><!-- {text} --></root>"),
        format!("<root><![CDATA[{text}]]></root>"),
        format!("<root><?say {text}?></root>"),
    ] {
        assert_eq!(verify(&document), Err(SignatureError::Absent), "{document}");
    }
}

#[test]
fn a_document_may_have_256_namespace_declarations() {
    let rule = "a document may have 256 namespace declarations, not more";
    assert_eq!(verify(&with_namespaces(256, "")), Err(SignatureError::Absent));
    assert_eq!(not_xml(&with_namespaces(257, "")), rule);
    assert_eq!(not_xml(&with_namespaces(256, "<a xmlns=''/>")), rule);
    assert_eq!(verify(&with_namespaces(256, "xmlns=''")), Err(SignatureError::Absent));
}

#[test]
fn namespaces_cost_no_more_than_their_number() {
    // Inside of the limits, as dear as can be, and with a signature, so that all of it is digested.
    let signature = with_namespaces(200, "<a/><n199:a n198:b=''/>").replace("/root", "/manifest");
    let manifest = signature.replace("<root", "<manifest");
    let signed = MALLORY.sign(&manifest);
    let hostile = change(&signed, "<a/>", &"<a/>".repeat(190_000));
    assert_eq!(at_once(|| mismatch(&hostile)), "digest");
    let inclusive = hostile.replace("2001/10/xml-exc-c14n#", "TR/2001/REC-xml-c14n-20010315");
    assert_eq!(at_once(|| mismatch(&inclusive)), "digest");
}

#[test]
fn a_long_namespace_is_not_repeated_without_end() {
    let uri = "u".repeat(1 << 20);
    let text = format!("<root xmlns:n='urn:{uri}'>{}</root>", "<n:a/>".repeat(100_000));
    let key = MALLORY.signing_key();
    let refused = at_once(|| sign(&text, &key, &[MALLORY.der()]));
    let Err(SignError::Document(error)) = refused else { panic!("{refused:?}") };
    assert_eq!(error.to_string(), "1:1: the canonical form is larger than 4194304 bytes");
}

#[test]
fn elements_nest_32_deep() {
    let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
    assert_eq!(verify(&nested(32)), Err(SignatureError::Absent));
    assert_eq!(not_xml(&nested(33)), "elements are nested deeper than 32");
    let deep = "<a>".repeat(1_000_000);
    assert_eq!(at_once(|| not_xml(&deep)), "nodes limit reached");
    assert_eq!(at_once(|| not_xml(&nested(90_000))), "elements are nested deeper than 32");
}

#[test]
fn a_document_may_have_4_mib() {
    let fill = |size: usize| format!("<a>{}</a>", "x".repeat(size - 7));
    assert_eq!(verify(&fill(4 << 20)), Err(SignatureError::Absent));
    assert_eq!(not_xml(&fill((4 << 20) + 1)), "the document is larger than 4194304 bytes");
}

#[test]
fn a_name_longer_than_the_parser_counts_is_refused() {
    let name = "é".repeat(32_768);
    let rule = "the name of an attribute may have 1024 bytes, not more";
    assert_eq!(not_xml(&format!("<root {name}=''></root>")), rule);
    // Where the canonical form is made, such a name would be cut inside of a letter.
    let signed = MALLORY.sign("<root></root>");
    assert_eq!(not_xml(&change(&signed, "<root>", &format!("<root {name}=''>"))), rule);
    let prefix = "p".repeat(70_000);
    assert_eq!(not_xml(&format!("<root xmlns:{prefix}='urn:a' {prefix}:a=''></root>")), rule);
}

#[test]
fn a_refused_tag_is_shown_with_its_place() {
    let text = format!("<manifest>\n  é {}</manifest>", with_attributes(65));
    let Err(SignatureError::NotXml { line, column, .. }) = verify(&text) else {
        panic!("it is refused");
    };
    assert_eq!((line, column), (2, 5));
}

#[test]
fn nothing_is_signed_that_would_not_be_verified() {
    let key = MALLORY.signing_key();
    let chain = [MALLORY.der()];
    let refused = |xml: &str, chain: &[Vec<u8>]| match sign(xml, &key, chain) {
        Err(SignError::Document(error)) => error.to_string(),
        other => panic!("not refused: {other:?}"),
    };
    // Each of these fits the limits before it is signed, and not afterwards.
    let namespaces = with_namespaces(256, "");
    assert!(refused(&namespaces, &chain).ends_with("256 namespace declarations, not more"));
    let size = format!("<a>{}</a>", "x".repeat((4 << 20) - 100));
    assert!(refused(&size, &chain).ends_with("larger than 4194304 bytes"));
    let many = vec![MALLORY.der(); 11];
    assert!(refused("<a></a>", &many).ends_with("there are more than 10 certificates"));
    good(&MALLORY.sign("<a></a>"));
}
