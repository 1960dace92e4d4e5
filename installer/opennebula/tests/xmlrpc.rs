//! Calls and answers as text.

#![expect(clippy::unwrap_used, reason = "helpers of tests: a panic is the failure of a test")]

use proptest::prelude::*;
use stratus_opennebula::xmlrpc::{
    Malformed, Response, Value, read_call, read_response, write_call, write_fault, write_response,
};

fn answer(value: &str) -> Result<Response, Malformed> {
    let text = format!(
        "<?xml version=\"1.0\"?>\r\n<methodResponse>\r\n<params>\r\n<param>{value}</param>\r\n\
         </params>\r\n</methodResponse>\r\n"
    );
    read_response(text.as_bytes())
}

fn value(text: &str) -> Value {
    match answer(text).unwrap() {
        Response::Value(value) => value,
        Response::Fault { .. } => panic!("a fault"),
    }
}

#[test]
fn text_without_a_type_is_a_string() {
    assert_eq!(value("<value> plain </value>"), Value::from(" plain "));
    assert_eq!(value("<value/>"), Value::from(""));
    assert_eq!(value("<value><string/></value>"), Value::from(""));
}

#[test]
fn all_three_integers_are_read() {
    for kind in ["int", "i4", "i8"] {
        assert_eq!(value(&format!("<value><{kind}>-7</{kind}></value>")), Value::Integer(-7));
    }
    let large = format!("<value><i8>{}</i8></value>", i64::MAX);
    assert_eq!(value(&large), Value::Integer(i64::MAX));
}

#[test]
fn line_ends_inside_a_text_are_line_feeds() {
    assert_eq!(value("<value><string>a\r\nb</string></value>"), Value::from("a\nb"));
    assert_eq!(value("<value><string>a&#13;b</string></value>"), Value::from("a\rb"));
    assert_eq!(value("<value><string><![CDATA[<a>]]>&lt;</string></value>"), Value::from("<a><"));
}

#[test]
fn an_error_never_repeats_the_answer() {
    for text in [
        "<value><i4>SECRET</i4></value>",
        "<value><string>SECRET</value>",
        "<value><boolean>SECRET</boolean></value>",
        "<value><string>&SECRET;</string></value>",
        "<SECRET/>",
    ] {
        let error = answer(text).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
    }
}

#[test]
fn nesting_and_doctypes_are_refused() {
    let deep = format!(
        "{}{}",
        "<value><array><data>".repeat(100_000),
        "</data></array></value>".repeat(100_000)
    );
    assert_eq!(answer(&deep), Err(Malformed::TooMuch));
    let doctype = "<!DOCTYPE x [<!ENTITY a 'b'>]><methodResponse/>";
    assert_eq!(read_response(doctype.as_bytes()), Err(Malformed::Doctype));
    assert_eq!(read_response(&[0xff, 0xfe]), Err(Malformed::NotUtf8));
}

#[test]
fn a_deep_object_is_read_without_harm() {
    let depth = 100_000;
    let deep = format!("<T>{}{}</T>", "<A>".repeat(depth), "</A>".repeat(depth));
    let _ = stratus_opennebula::Attributes::from_xml(&deep);
}

#[test]
fn a_fault_is_read_as_it_is_written() {
    let text = write_fault(-506, "Method 'x' not defined");
    let expected = Response::Fault { code: -506, message: "Method 'x' not defined".into() };
    assert_eq!(read_response(text.as_bytes()), Ok(expected));
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        any::<bool>().prop_map(Value::Boolean),
        "[\\PC\r\n\t]{0,20}".prop_map(Value::Text),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec(("[a-z]{1,5}", inner), 0..4).prop_map(Value::Struct),
        ]
    })
}

proptest! {
    #[test]
    fn a_call_is_read_as_it_is_written(parameters in prop::collection::vec(any_value(), 0..5)) {
        let text = write_call("one.vn.info", &parameters);
        let call = read_call(text.as_bytes()).unwrap();
        prop_assert_eq!(call.method, "one.vn.info");
        prop_assert_eq!(call.parameters, parameters);
    }

    #[test]
    fn an_answer_is_read_as_it_is_written(value in any_value()) {
        let text = write_response(&value);
        prop_assert_eq!(read_response(text.as_bytes()), Ok(Response::Value(value)));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "(<(/?)(value|array|data|i4|params|param|methodResponse)/?>|[a-z&;0-9]){0,30}") {
        let _ = read_response(text.as_bytes());
        let _ = read_call(text.as_bytes());
    }
}
