//! Documents made to cost time or memory: each is answered soon.

use std::fmt::Write as _;
use std::time::{Duration, Instant};
use stratus_manifest::{SIZE_LIMIT, validate};

/// Generous, because tests run unoptimised beside others; the mistakes looked for cost minutes.
const SOON: Duration = Duration::from_secs(20);

/// As long as a document may be: a beginning, many pieces, an end.
fn full(beginning: &str, piece: impl Fn(usize) -> String, end: &str) -> String {
    let mut text = beginning.to_owned();
    for number in 0.. {
        let next = piece(number);
        if text.len() + next.len() + end.len() > SIZE_LIMIT {
            break;
        }
        text += &next;
    }
    text + end
}

fn refused_soon(name: &str, document: &str) {
    let begin = Instant::now();
    assert!(validate(document.as_bytes(), None, None, jiff::Timestamp::UNIX_EPOCH).fault.is_some());
    assert!(begin.elapsed() < SOON, "{name} took {:?}", begin.elapsed());
}

const ROOT: &str = "<manifest xmlns=\"urn:stratus:manifest:1\">";

#[test]
fn a_document_full_of_faults_is_answered_soon() {
    refused_soon("repeated elements", &full(ROOT, |_| "<os>x</os>\n".repeat(90), "</manifest>"));
    refused_soon(
        "long text lines",
        &full(ROOT, |_| "<os>".to_owned() + &"x".repeat(4000) + "</os>", "</manifest>"),
    );
    let flat = |_| "<checksum type='md5'>00</checksum>".to_owned();
    refused_soon("flat checksums", &full("<manifest>", flat, "</manifest>"));
}

#[test]
fn a_document_of_nothing_but_structure_is_answered_soon() {
    refused_soon("elements", &full(ROOT, |_| "<a/>".to_owned(), "</manifest>"));
    refused_soon("attributes", &full("<manifest", |n| format!(" a{n}=''"), "/>"));
    refused_soon("namespaces", &full("<manifest", |n| format!(" xmlns:a{n}='u{n}'"), "/>"));
    refused_soon("open tags", &full("", |_| "<a>".to_owned(), ""));
    refused_soon("comments", &full(ROOT, |_| "<!---->".to_owned(), "</manifest>"));
    refused_soon("unfinished comments", &full(ROOT, |_| "<!--".to_owned(), "</manifest>"));
    refused_soon("unfinished sections", &full(ROOT, |_| "<![CDATA[".to_owned(), "</manifest>"));
    refused_soon("unfinished tags", &full(ROOT, |_| "<a ".to_owned(), "</manifest>"));
    refused_soon("references", &full(ROOT, |_| "&amp;".to_owned(), "</manifest>"));
}

#[test]
fn inherited_namespaces_do_not_multiply() {
    let declared = (0..60).fold(String::new(), |mut text, n| {
        let _ = write!(text, " xmlns:a{n}='urn:{n}'");
        text
    });
    let root = ROOT.replace('>', &format!("{declared}>"));
    refused_soon(
        "namespaces on every element",
        &full(&root, |n| format!("<a{}:b/>", n % 60), "</manifest>"),
    );
}
