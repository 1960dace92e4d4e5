//! Dictionaries of structured fields (RFC 9651, which reads all that RFC 8941 reads). Values are
//! kept as far as cache directives need them; parameters are checked and dropped.

/// A value of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Integer(i64),
    Boolean(bool),
    String(String),
    Token(String),
    InnerList(Vec<Value>),
    /// A decimal, a byte sequence, a date or a display string: no directive has one.
    Other,
}

/// Most members that are read: as many as every reader must take (RFC 9651 section 3.2).
const MEMBER_LIMIT: usize = 1024;

/// The members in their order, or none if the text is no dictionary (RFC 9651 section 4.2.2). Of a
/// key that comes twice the last value counts.
pub(crate) fn dictionary(value: &[u8]) -> Option<Vec<(String, Value)>> {
    let mut input = Input(value);
    let mut members: Vec<(String, Value)> = Vec::new();
    input.skip(b" ");
    while !input.0.is_empty() {
        let key = input.key()?;
        if members.len() == MEMBER_LIMIT {
            return None;
        }
        let found = if input.take(b'=') { input.member()? } else { Value::Boolean(true) };
        input.parameters()?;
        members.retain(|(known, _)| *known != key);
        members.push((key, found));
        input.skip(b" \t");
        if input.0.is_empty() {
            break;
        }
        if !input.take(b',') {
            return None;
        }
        input.skip(b" \t");
        if input.0.is_empty() {
            return None;
        }
    }
    Some(members)
}

/// What is still to be read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn skip(&mut self, any: &[u8]) {
        let end = self.0.iter().position(|b| !any.contains(b)).unwrap_or(self.0.len());
        self.0 = &self.0[end..];
    }

    fn take(&mut self, byte: u8) -> bool {
        let rest = self.0.strip_prefix(&[byte]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn while_in(&mut self, allowed: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|&b| !allowed(b)).unwrap_or(self.0.len());
        let (found, rest) = self.0.split_at(end);
        self.0 = rest;
        found
    }

    /// Section 4.2.3.3.
    fn key(&mut self) -> Option<String> {
        let starts = self.0.first().is_some_and(|b| b.is_ascii_lowercase() || *b == b'*');
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.*".contains(&b);
        starts.then(|| text(self.while_in(allowed)))
    }

    /// Section 4.2.1.1, without the parameters of the whole.
    fn member(&mut self) -> Option<Value> {
        if !self.take(b'(') {
            return self.bare_item();
        }
        let mut list = Vec::new();
        loop {
            self.skip(b" ");
            if self.take(b')') {
                return Some(Value::InnerList(list));
            }
            list.push(self.bare_item()?);
            self.parameters()?;
            if !matches!(self.0.first(), Some(b' ' | b')')) {
                return None;
            }
        }
    }

    /// Section 4.2.3.2.
    fn parameters(&mut self) -> Option<()> {
        while self.take(b';') {
            self.skip(b" ");
            self.key()?;
            if self.take(b'=') {
                self.bare_item()?;
            }
        }
        Some(())
    }

    /// Section 4.2.3.1.
    fn bare_item(&mut self) -> Option<Value> {
        match *self.0.first()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string().map(Value::String),
            b'*' | b'A'..=b'Z' | b'a'..=b'z' => Some(self.token()),
            b':' => self.byte_sequence(),
            b'?' => self.boolean(),
            b'@' => self.date(),
            b'%' => self.display_string(),
            _ => None,
        }
    }

    /// Section 4.2.4: at most 15 digits, or 12 and up to 3 after the point.
    fn number(&mut self) -> Option<Value> {
        let negative = self.take(b'-');
        let whole = self.while_in(|b| b.is_ascii_digit());
        if self.take(b'.') {
            let part = self.while_in(|b| b.is_ascii_digit());
            let fits = (1..=12).contains(&whole.len()) && (1..=3).contains(&part.len());
            return fits.then_some(Value::Other);
        }
        if whole.is_empty() || whole.len() > 15 {
            return None;
        }
        let number: i64 = text(whole).parse().ok()?;
        Some(Value::Integer(if negative { -number } else { number }))
    }

    /// Section 4.2.5.
    fn string(&mut self) -> Option<String> {
        self.next()?;
        let mut found = String::new();
        loop {
            match self.next()? {
                b'"' => return Some(found),
                b'\\' => match self.next()? {
                    escaped @ (b'"' | b'\\') => found.push(char::from(escaped)),
                    _ => return None,
                },
                byte @ 0x20..=0x7e => found.push(char::from(byte)),
                _ => return None,
            }
        }
    }

    /// Section 4.2.6.
    fn token(&mut self) -> Value {
        let allowed = |b: u8| crate::field::is_token(&[b]) || b":/".contains(&b);
        Value::Token(text(self.while_in(allowed)))
    }

    /// Section 4.2.7. What the bytes are does not matter here.
    fn byte_sequence(&mut self) -> Option<Value> {
        self.next()?;
        self.while_in(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
        self.take(b':').then_some(Value::Other)
    }

    /// Section 4.2.8.
    fn boolean(&mut self) -> Option<Value> {
        self.next()?;
        match self.next()? {
            b'0' => Some(Value::Boolean(false)),
            b'1' => Some(Value::Boolean(true)),
            _ => None,
        }
    }

    /// Section 4.2.9.
    fn date(&mut self) -> Option<Value> {
        self.next()?;
        matches!(self.number()?, Value::Integer(_)).then_some(Value::Other)
    }

    /// Section 4.2.10.
    fn display_string(&mut self) -> Option<Value> {
        self.next()?;
        if !self.take(b'"') {
            return None;
        }
        self.while_in(|b| (0x20..=0x7e).contains(&b) && b != b'"');
        self.take(b'"').then_some(Value::Other)
    }
}

/// Only called with ASCII.
fn text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_9651_4_2_2_dictionaries() {
        let found =
            dictionary(b" a=1,b;x=2,\tc=\"q\\\"\", d=(t \"u\";v 3), e=?0, f=-7, a=:aGk=:").unwrap();
        let string = |s: &str| Value::String(s.into());
        let expected = [
            ("b", Value::Boolean(true)),
            ("c", string("q\"")),
            ("d", Value::InnerList(vec![Value::Token("t".into()), string("u"), Value::Integer(3)])),
            ("e", Value::Boolean(false)),
            ("f", Value::Integer(-7)),
            ("a", Value::Other),
        ];
        // `b;x=(1)` is wrong: a parameter has no inner list.
        assert_eq!(dictionary(b"b;x=(1)"), None);
        assert_eq!(found, expected.map(|(k, v)| (k.to_owned(), v)));
    }

    #[test]
    fn rfc_9651_4_2_a_mistake_anywhere_is_no_dictionary() {
        for wrong in [
            "a=1, &&&",
            "a =1",
            "a= 1",
            "A=1",
            "a=1,",
            ",a",
            "a=1;",
            "a=\"x",
            "a=\"\\x\"",
            "a=(1",
            "a=(1\t2)",
            "a=1.",
            "a=1.2345",
            "a=1234567890123456",
            "a=-",
            "a=?2",
            "a=:x",
            "a=@1.5",
            "a=%\"x",
            "a b",
            "a=\"\u{fc}\"",
        ] {
            assert_eq!(dictionary(wrong.as_bytes()), None, "{wrong}");
        }
        for right in ["", "  ", "a", "*a=*", "a=@1", "a=%\"x\"", "a=1.5", "a=999999999999999"] {
            assert!(dictionary(right.as_bytes()).is_some(), "{right}");
        }
    }
}
