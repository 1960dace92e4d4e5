//! Values to text.

use quick_xml::escape::escape;

use super::Value;

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n";

/// The text of a call.
pub fn write_call(method: &str, parameters: &[Value]) -> String {
    let mut out =
        String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<methodCall><methodName>");
    out.push_str(&escape(method));
    out.push_str("</methodName><params>");
    for parameter in parameters {
        out.push_str("<param>");
        value(&mut out, parameter);
        out.push_str("</param>");
    }
    out.push_str("</params></methodCall>\n");
    out
}

/// The text of an answer with one value, in oned's own line ends.
pub fn write_response(answer: &Value) -> String {
    let mut out = String::from(DECLARATION);
    out.push_str("<methodResponse>\r\n<params>\r\n<param>");
    value(&mut out, answer);
    out.push_str("</param>\r\n</params>\r\n</methodResponse>\r\n");
    out
}

/// The text of a fault, in oned's own line ends.
pub fn write_fault(code: i32, message: &str) -> String {
    format!(
        "{DECLARATION}<methodResponse>\r\n<fault>\r\n<value><struct>\r\n\
         <member><name>faultCode</name>\r\n<value><i4>{code}</i4></value></member>\r\n\
         <member><name>faultString</name>\r\n<value><string>{}</string></value></member>\r\n\
         </struct></value>\r\n</fault>\r\n</methodResponse>\r\n",
        text(message)
    )
}

/// Character data, as a reader gives it back.
fn text(content: &str) -> String {
    escape(content).into_owned()
}

fn value(out: &mut String, value_: &Value) {
    out.push_str("<value>");
    match value_ {
        Value::Integer(number) if i32::try_from(*number).is_ok() => {
            out.push_str(&format!("<i4>{number}</i4>"));
        }
        Value::Integer(number) => out.push_str(&format!("<i8>{number}</i8>")),
        Value::Boolean(flag) => out.push_str(&format!("<boolean>{}</boolean>", u8::from(*flag))),
        Value::Double(number) => out.push_str(&format!("<double>{number}</double>")),
        Value::Text(content) => out.push_str(&format!("<string>{}</string>", text(content))),
        Value::Array(items) => {
            out.push_str("<array><data>\r\n");
            for item in items {
                value(out, item);
                out.push_str("\r\n");
            }
            out.push_str("</data></array>");
        }
        Value::Struct(members) => {
            out.push_str("<struct>\r\n");
            for (name, member) in members {
                out.push_str(&format!("<member><name>{}</name>\r\n", text(name)));
                value(out, member);
                out.push_str("</member>\r\n");
            }
            out.push_str("</struct>");
        }
        Value::Nil => out.push_str("<nil/>"),
    }
    out.push_str("</value>");
}
