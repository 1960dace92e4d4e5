//! What an answer of oned means: `[true, value, 0]`, or `[false, text, code, object, index]`.

use crate::error::{Error, ErrorCode};
use crate::xmlrpc::{Response, Value, read_response};

/// Reads the text of an answer to a method.
pub fn read_answer(endpoint: &str, method: &'static str, bytes: &[u8]) -> Result<Value, Error> {
    let endpoint = endpoint.to_owned();
    let response = match read_response(bytes) {
        Ok(response) => response,
        Err(source) => return Err(Error::Malformed { endpoint, method, source }),
    };
    let items = match response {
        Response::Fault { code, message } => {
            return Err(Error::Fault { endpoint, method, code, message });
        }
        Response::Value(Value::Array(items)) => items,
        Response::Value(_) => {
            return Err(Error::Unexpected { endpoint, method, expected: "an array" });
        }
    };
    let mut items = items.into_iter();
    match (items.next(), items.next(), items.next(), items.next()) {
        (Some(Value::Boolean(true)), Some(value), _, _) => Ok(value),
        (Some(Value::Boolean(false)), Some(Value::Text(text)), Some(code), object) => {
            let Value::Integer(code) = code else {
                return Err(Error::Unexpected { endpoint, method, expected: "an error code" });
            };
            let object = match object {
                Some(Value::Integer(object)) if object >= 0 => Some(object),
                _ => None,
            };
            let prefix = format!("[{method}] ");
            let message = text.strip_prefix(&prefix).unwrap_or(&text).to_owned();
            Err(Error::Refused { endpoint, method, code: ErrorCode::from(code), object, message })
        }
        _ => Err(Error::Unexpected { endpoint, method, expected: "success or failure" }),
    }
}

/// Reads the answer of a call that gives a document. A pool of thousands of objects is one text with
/// millions of references, and an event for each of them costs more than all the rest; so the text is
/// cut out, the answer around it is read as every answer is, and the text is resolved in one pass.
/// An answer that is not of this form is read in the usual way.
pub(crate) fn read_document(
    endpoint: &str,
    method: &'static str,
    bytes: &[u8],
) -> Result<Value, Error> {
    let resolved = cut(bytes).and_then(|(around, document)| {
        let empty = read_answer(endpoint, method, &around).ok()?;
        let is_it = matches!(empty, Value::Text(text) if text.is_empty());
        is_it.then(|| quick_xml::escape::unescape(document).ok()).flatten()
    });
    match resolved {
        Some(text) => Ok(Value::Text(text.into_owned())),
        None => read_answer(endpoint, method, bytes),
    }
}

/// The first string's text, and what is around it; `None` where it holds more than characters and
/// references.
fn cut(bytes: &[u8]) -> Option<(Vec<u8>, &str)> {
    let text = std::str::from_utf8(bytes).ok()?;
    let begins = text.find("<string>")? + "<string>".len();
    let ends = begins + text[begins..].find('<')?;
    let document = &text[begins..ends];
    if !text[ends..].starts_with("</string>") || document.contains('\r') {
        return None;
    }
    Some(([&bytes[..begins], &bytes[ends..]].concat(), document))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmlrpc::write_response;

    fn answer(items: Vec<Value>) -> Vec<u8> {
        write_response(&Value::Array(items)).into_bytes()
    }

    #[test]
    fn a_document_is_read_as_any_answer_is() {
        let text = "<VM_POOL><NAME>a &amp; <![CDATA[ü ]]></NAME>\u{202e}</VM_POOL>";
        for text in [text, "", "a\r\nb", "&#x41;"] {
            let good = answer(vec![Value::Boolean(true), text.into(), Value::Integer(0)]);
            let read = read_document("e", "m", &good).unwrap();
            assert_eq!(read, read_answer("e", "m", &good).unwrap(), "{text}");
        }
    }

    #[test]
    fn a_refusal_keeps_its_words() {
        let refused = answer(vec![
            Value::Boolean(false),
            "[m] no right".into(),
            Value::Integer(0x200),
            Value::Integer(7),
            Value::Integer(-1),
        ]);
        let told = read_document("e", "m", &refused).unwrap_err().to_string();
        assert_eq!(told, read_answer("e", "m", &refused).unwrap_err().to_string());
        assert!(told.contains("no right"), "{told}");
        let good = answer(vec![Value::Boolean(true), "<A>text</A>".into(), Value::Integer(0)]);
        for end in 0..good.len() - 20 {
            assert!(read_document("e", "m", &good[..end]).is_err());
        }
    }
}
