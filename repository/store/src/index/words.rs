//! Words of people as a query of SQLite's full-text search.

/// Every word must occur, as the beginning of a word; `None` if there is nothing to look for.
///
/// Each word is quoted, so that nothing in it is an operator (SQLite FTS5, section 3). What the
/// tokenizer takes for separators splits it, and the pieces must stand together: `24.04` finds
/// `24.04.1` and not `4 24`.
pub(super) fn match_expression(words: &[String]) -> Option<String> {
    let terms: Vec<String> = words
        .iter()
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .map(|word| format!("\"{}\"*", word.replace(['"', '\0'], " ")))
        .collect();
    (!terms.is_empty()).then(|| terms.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_typed_is_an_operator() {
        let expression = |words: &[&str]| {
            match_expression(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(expression(&["ubuntu", "24.04"]).as_deref(), Some("\"ubuntu\"* \"24.04\"*"));
        assert_eq!(expression(&["a\"", "OR"]).as_deref(), Some("\"a \"* \"OR\"*"));
        assert_eq!(expression(&["-", "\"", "*"]), None);
        assert_eq!(expression(&[]), None);
    }
}
