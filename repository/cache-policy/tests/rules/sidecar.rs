use super::support::*;
use stratus_cache_policy::Stored;

fn read(text: &str) -> Result<Stored, String> {
    serde_json::from_str(text).map_err(|e| e.to_string())
}

#[test]
fn what_was_written_is_read_again_byte_for_byte() {
    let found = stored_for(
        "Foo: \u{fc} | Bar: 1",
        "Cache-Control: max-age=9 | Vary: Foo, Nothing | A: 1 | A: \u{fc}\u{20ac} | Date: {-3}",
    );
    let text = serde_json::to_string(&found).unwrap();
    assert!(text.contains(r#"["a","1"]"#), "{text}");
    assert_eq!(read(&text).unwrap(), found);
}

#[test]
fn a_damaged_sidecar_is_no_response() {
    let good = serde_json::to_value(stored("Cache-Control: max-age=9")).unwrap();
    for (key, value) in [
        ("status", serde_json::json!(99)),
        ("status", serde_json::json!(103)),
        ("headers", serde_json::json!([["a b", "c"]])),
        ("headers", serde_json::json!([["a", "\n"]])),
        ("headers", serde_json::json!([["a", "\u{20ac}"]])),
        ("headers", serde_json::json!([["a"]])),
        ("headers", serde_json::json!([["a", "x".repeat(200_000)]])),
        ("headers", serde_json::json!(vec![["a", "b"]; 513])),
        ("selecting", serde_json::json!([["a b", null]])),
        ("date", serde_json::json!("yesterday")),
    ] {
        let mut bad = good.clone();
        bad[key] = value;
        assert!(read(&bad.to_string()).is_err(), "{key}");
    }
    assert!(read(&good.to_string()).is_ok());
    assert!(read("{}").is_err());
}
