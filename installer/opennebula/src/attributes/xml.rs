//! Templates as XML.

use roxmltree::Node;

use super::{Attribute, Attributes, Unwritable, check};

impl Attributes {
    /// Reads the children of an element. An element with elements inside is a vector; what is
    /// below the second level counts as text, since OpenNebula knows two levels only.
    pub fn from_element(element: Node<'_, '_>) -> Self {
        let mut attributes = Self::new();
        for child in element.children().filter(Node::is_element) {
            let name = child.tag_name().name();
            let members: Vec<_> = child
                .children()
                .filter(Node::is_element)
                .map(|m| (m.tag_name().name().to_ascii_uppercase(), all_text(m)))
                .collect();
            if members.is_empty() {
                attributes.push(name, Attribute::Text(all_text(child)));
            } else {
                attributes.push(name, Attribute::Vector(members));
            }
        }
        attributes
    }

    /// Reads a template of XML with any root element.
    pub fn from_xml(text: &str) -> Result<Self, crate::object::ObjectError> {
        let document = crate::object::parse(text)?;
        Ok(Self::from_element(document.root_element()))
    }

    /// Writes XML with this root element. Every text is one CDATA section, as oned itself writes:
    /// so an empty text stays an attribute, and oned sees one text, not several.
    ///
    /// An empty vector is left out: oned has none.
    pub fn to_xml(&self, root: &str) -> Result<String, Unwritable> {
        let mut out = format!("<{root}>");
        for (name, value) in self.iter() {
            match value {
                Attribute::Text(text) => write(&mut out, None, name, text)?,
                Attribute::Vector(members) if members.is_empty() => {}
                Attribute::Vector(members) => {
                    check(None, name, "")?;
                    out.push_str(&format!("<{name}>"));
                    for (member, text) in members {
                        write(&mut out, Some(name), member, text)?;
                    }
                    out.push_str(&format!("</{name}>"));
                }
            }
        }
        out.push_str(&format!("</{root}>"));
        Ok(out)
    }
}

fn write(out: &mut String, vector: Option<&str>, name: &str, text: &str) -> Result<(), Unwritable> {
    check(vector, name, text)?;
    out.push_str(&format!("<{name}><![CDATA[{text}]]></{name}>"));
    Ok(())
}

fn all_text(element: Node<'_, '_>) -> String {
    element.descendants().filter(Node::is_text).filter_map(|n| n.text()).collect()
}
