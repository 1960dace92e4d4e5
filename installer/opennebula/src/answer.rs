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
