//! Who endorsed: `slreq:endorsement` {`dcterms:created`, `slreq:endorser` {email, subject, issuer}}.

use super::{DCTERMS, SLREQ};
use crate::email;
use crate::reader::{Element, Reader, elements, name};
use stratus_model::{Endorsement, Endorser, Subject};

/// Reads one endorsement. In a document that is not signed it may be empty: it is filled when
/// somebody signs.
pub(super) fn read<'d>(
    reader: &mut Reader<'d>,
    node: Element<'d>,
    signed: bool,
) -> Option<Endorsement> {
    let children: Vec<_> = elements(node).collect();
    if children.is_empty() && !signed {
        return None;
    }
    let created = one(reader, node, DCTERMS, "created").and_then(|n| reader.date(n));
    let endorser = one(reader, node, SLREQ, "endorser");
    let endorser = endorser.map_or_else(nobody, |n| read_endorser(reader, n));
    Some(Endorsement { created, endorser })
}

fn nobody() -> Endorser {
    Endorser { subject: None, issuer: None, email: None }
}

fn read_endorser<'d>(reader: &mut Reader<'d>, node: Element<'d>) -> Endorser {
    let email = one(reader, node, SLREQ, "email")
        .and_then(|n| reader.parsed(n, "an e-mail address", email::plain));
    let subject = one(reader, node, SLREQ, "subject").and_then(|n| reader.required_text(n));
    // The schema allowed several issuers; the first is the one of the certificate.
    let issuers: Vec<_> = elements(node).filter(|n| n.has_tag_name((SLREQ, "issuer"))).collect();
    let issuer = issuers.first().and_then(|n| reader.required_text(*n));
    if issuers.is_empty() {
        reader.broken(node, "<endorser> has at least one <issuer>, and this one has none");
    }
    Endorser { subject: subject.map(Subject::new), issuer: issuer.map(Subject::new), email }
}

/// The one child of a name; none or several are problems.
fn one<'d>(
    reader: &mut Reader<'d>,
    parent: Element<'d>,
    namespace: &'d str,
    wanted: &str,
) -> Option<Element<'d>> {
    let mut found = elements(parent).filter(|n| n.has_tag_name((namespace, wanted)));
    let first = found.next();
    if first.is_none() {
        let rule = format!("<{}> has one <{wanted}>, and this one has none", name(parent));
        reader.broken(parent, rule);
    }
    if let Some(second) = found.next() {
        reader.broken(second, format!("<{wanted}> may be given once in <{}>", name(parent)));
    }
    first
}
