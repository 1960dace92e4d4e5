//! The RDF/XML metadata of 2011 to 2016.
//!
//! One `rdf:RDF` with one `rdf:Description` about `#identifier`, then at most one signature. The
//! rules are those that the tools of the time enforced: an identifier that agrees with the one
//! SHA-1 and with `rdf:about`, exactly one type, single fields once, dates in one spelling, plain
//! e-mail addresses, ports and ICMP types in range, `rdf:parseType` only as `Resource`.
//!
//! Only direct children of the description count: foreign elements may hold a whole description
//! of something else.

mod endorsement;
mod fields;

use crate::problem::printable;
use crate::reader::{Element, Reader, elements, name, namespace};
use crate::xml::DS;
use stratus_model::Manifest;

pub(crate) const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
pub(crate) const DCTERMS: &str = "http://purl.org/dc/terms/";
pub(crate) const SLREQ: &str = "http://mp.stratuslab.eu/slreq#";
const SLTERMS: &str = "http://mp.stratuslab.eu/slterms#";
/// The same terms, for five weeks in 2011.
const SLTERMS_EARLY: &str = "http://stratuslab.eu/terms#";

/// The vocabulary an element belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Vocabulary {
    Dcterms,
    Slreq,
    Slterms,
    Foreign,
}

fn vocabulary(node: Element<'_>) -> Vocabulary {
    match namespace(node) {
        Some(DCTERMS) => Vocabulary::Dcterms,
        Some(SLREQ) => Vocabulary::Slreq,
        Some(SLTERMS | SLTERMS_EARLY) => Vocabulary::Slterms,
        _ => Vocabulary::Foreign,
    }
}

/// Reads the tree below `rdf:RDF`.
pub(crate) fn read<'d>(reader: &mut Reader<'d>, root: Element<'d>) -> Manifest {
    reader.elements_only(root);
    let mut description = None;
    let mut signed = false;
    for node in elements(root) {
        if node.has_tag_name((RDF, "Description")) && description.is_none() && !signed {
            description = Some(node);
        } else if node.has_tag_name((DS, "Signature")) && description.is_some() && !signed {
            signed = true;
        } else {
            let rule = "<rdf:RDF> holds one rdf:Description and after it at most one ds:Signature";
            reader.wrong(node, rule, &format!("<{}>", name(node)));
        }
    }
    let Some(description) = description else {
        reader.broken(root, "<rdf:RDF> holds one rdf:Description, and this one has none");
        return Manifest::empty();
    };
    parse_types(reader, description);
    fields::read(reader, description, signed)
}

/// `rdf:parseType` changes how a parser reads what is inside; only `Resource` was ever allowed.
fn parse_types<'d>(reader: &mut Reader<'d>, description: Element<'d>) {
    for node in description.descendants().filter(roxmltree::Node::is_element) {
        if let Some(other) = node.attribute((RDF, "parseType")).filter(|t| *t != "Resource") {
            reader.wrong(node, "rdf:parseType may only be `Resource`", other);
        }
    }
}

/// What `rdf:about` says, without its `#`.
fn about<'d>(reader: &mut Reader<'d>, description: Element<'d>) -> Option<&'d str> {
    let Some(about) = description.attribute((RDF, "about")) else {
        reader.broken(description, "rdf:Description has rdf:about with `#` and the identifier");
        return None;
    };
    let rest = about.strip_prefix('#');
    if rest.is_none() {
        reader.wrong(description, "rdf:about must be `#` and the identifier", &printable(about));
    }
    rest
}
