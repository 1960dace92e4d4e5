//! `<endorsement>` {`created`, `endorser` {`subject`, `issuer`, `email`}}.

use super::{NAMESPACE, attributes, line, unknown};
use crate::email;
use crate::reader::{Element, Reader, Seen, elements, name, namespace};
use stratus_model::{Endorsement, Endorser, Subject};

/// Reads an endorsement; everything but the e-mail address must be there.
pub(crate) fn read<'d>(reader: &mut Reader<'d>, node: Element<'d>) -> Endorsement {
    let mut seen = Seen::default();
    let mut endorsement = Endorsement {
        created: None,
        endorser: Endorser { subject: None, issuer: None, email: None },
    };
    for child in children(reader, node, &mut seen) {
        match name(child) {
            "created" => endorsement.created = reader.date(child),
            "endorser" => endorsement.endorser = endorser(reader, child),
            other => unknown(reader, child, other),
        }
    }
    needed(reader, node, &seen, &["created", "endorser"]);
    endorsement
}

fn endorser<'d>(reader: &mut Reader<'d>, node: Element<'d>) -> Endorser {
    let mut seen = Seen::default();
    let mut endorser = Endorser { subject: None, issuer: None, email: None };
    for child in children(reader, node, &mut seen) {
        match name(child) {
            "subject" => endorser.subject = line(reader, child).map(Subject::new),
            "issuer" => endorser.issuer = line(reader, child).map(Subject::new),
            "email" => endorser.email = reader.parsed(child, "an e-mail address", email::plain),
            other => unknown(reader, child, other),
        }
    }
    needed(reader, node, &seen, &["subject", "issuer"]);
    endorser
}

/// The children, each once; one that is not ours is refused by name.
fn children<'d>(
    reader: &mut Reader<'d>,
    node: Element<'d>,
    seen: &mut Seen<'d>,
) -> Vec<Element<'d>> {
    reader.elements_only(node);
    let mut found = Vec::new();
    for child in elements(node) {
        attributes(reader, child, &[]);
        if namespace(child) != Some(NAMESPACE) {
            unknown(reader, child, name(child));
        } else if seen.first(reader, child) {
            found.push(child);
        }
    }
    found
}

fn needed<'d>(reader: &mut Reader<'d>, node: Element<'d>, seen: &Seen<'d>, fields: &[&'d str]) {
    for field in fields {
        if !seen.has(Some(NAMESPACE), field) {
            let rule = format!("<{}> has <{field}>, and this one has none", name(node));
            reader.broken(node, rule);
        }
    }
}
