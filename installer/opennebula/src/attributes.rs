//! Templates: the attributes that OpenNebula keeps of an object.
//!
//! A template is an ordered list of names with values; a name may come several times, and a value
//! is a text or a list of named texts (`NIC = [ NETWORK = "public", IP = "..." ]`). Names count
//! without case and are kept in capitals, as oned does.
//!
//! Templates have two spellings, XML and OpenNebula's own. oned takes both. **We send XML**: every
//! text can be said in it. In OpenNebula's own spelling a text that ends in a backslash cannot be
//! said at all, since only `\"` is an escape there; that spelling is for people to read.
//! Both writers refuse what oned would store wrongly: see [`Unwritable`].

mod syntax;
mod xml;

pub use syntax::SyntaxError;

/// A value of a template.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Attribute {
    /// `NAME = "text"`.
    Text(String),
    /// `NAME = [ A = "text", B = "text" ]`, in order.
    Vector(Vec<(String, String)>),
}

impl Attribute {
    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Vector(_) => None,
        }
    }

    /// The text below a name of a vector.
    pub fn member(&self, name: &str) -> Option<&str> {
        match self {
            Self::Text(_) => None,
            Self::Vector(members) => members
                .iter()
                .find(|(own, _)| own.eq_ignore_ascii_case(name))
                .map(|(_, text)| text.as_str()),
        }
    }

    /// Members in order of their names, so that two vectors compare by content.
    fn sorted(&self) -> Self {
        match self {
            Self::Text(_) => self.clone(),
            Self::Vector(members) => {
                let mut members = members.clone();
                members.sort();
                Self::Vector(members)
            }
        }
    }
}

/// An ordered list of names and values.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Attributes(Vec<(String, Attribute)>);

/// Why a template cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the attribute `{name}` cannot be written in a template: {reason}")]
pub struct Unwritable {
    /// Name of the attribute; `VECTOR/NAME` for a member.
    pub name: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl Attributes {
    /// No attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text, and gives the list back, to write lists down.
    #[must_use]
    pub fn with(mut self, name: &str, text: impl Into<String>) -> Self {
        self.push(name, Attribute::Text(text.into()));
        self
    }

    /// Adds a vector, and gives the list back.
    #[must_use]
    pub fn with_vector(mut self, name: &str, members: &[(&str, &str)]) -> Self {
        let members = members
            .iter()
            .map(|(name, text)| (name.to_ascii_uppercase(), (*text).to_owned()))
            .collect();
        self.push(name, Attribute::Vector(members));
        self
    }

    /// Adds a value at the end; another of the same name stays.
    pub fn push(&mut self, name: &str, value: Attribute) {
        self.0.push((name.to_ascii_uppercase(), value));
    }

    /// Removes all values of a name, and adds this one.
    pub fn set(&mut self, name: &str, value: Attribute) {
        self.remove(name);
        self.push(name, value);
    }

    /// Removes all values of a name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
    }

    /// The first text of a name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values(name).find_map(Attribute::as_text)
    }

    /// All values of a name, in order.
    pub fn values<'a, 'n>(
        &'a self,
        name: &'n str,
    ) -> impl Iterator<Item = &'a Attribute> + use<'a, 'n> {
        self.0.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }

    /// The names, each once, in order of first use.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in &self.0 {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Attribute)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// What an update in oned's *merge* mode leaves: each name of `newer` replaces all values of
    /// that name.
    pub fn merge(&mut self, newer: &Attributes) {
        for name in newer.names() {
            self.remove(name);
        }
        self.0.extend(newer.0.iter().cloned());
    }

    /// Whether both have the same values for a name: in the same order, members in any order.
    pub fn same(&self, other: &Attributes, name: &str) -> bool {
        self.values(name).map(Attribute::sorted).eq(other.values(name).map(Attribute::sorted))
    }

    /// The attributes of one name only.
    #[must_use]
    pub fn only(&self, name: &str) -> Attributes {
        Self(self.0.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name)).cloned().collect())
    }
}

impl FromIterator<(String, Attribute)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (String, Attribute)>>(items: I) -> Self {
        let mut attributes = Self::new();
        for (name, value) in items {
            attributes.push(&name, value);
        }
        attributes
    }
}

/// Checks a name and a text for either writer.
fn check(vector: Option<&str>, name: &str, text: &str) -> Result<(), Unwritable> {
    let refuse = |reason| {
        let name = vector.map_or_else(|| name.to_owned(), |vector| format!("{vector}/{name}"));
        Err(Unwritable { name, reason })
    };
    let mut letters = name.chars();
    let starts_well = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if !starts_well || !letters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return refuse("a name consists of letters, digits and `_`, and begins with no digit");
    }
    if text.contains("]]>") {
        return refuse("`]]>` would end the text in OpenNebula's database");
    }
    if text
        .chars()
        .any(|c| (c.is_control() && c != '\n' && c != '\t') || c > '\u{fffd}' && c <= '\u{ffff}')
    {
        return refuse("a control character; send it as `..._BASE64`");
    }
    if vector == Some("CONTEXT") && !dollars_name_variables(text) {
        return refuse(
            "a `$` that begins no variable is a template error; send it as `..._BASE64`",
        );
    }
    Ok(())
}

/// Whether each `$` begins the name of a variable, as OpenNebula wants it in a context.
fn dollars_name_variables(text: &str) -> bool {
    text.split('$')
        .skip(1)
        .all(|rest| rest.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_'))
}
