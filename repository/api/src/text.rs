//! What a stranger sent, made harmless for a message.

/// At most 80 characters of it.
pub(crate) fn printable(text: &str) -> String {
    stratus_model::text::printable(text, 80)
}

/// Digits only (no sign, no blank), within `u64`.
pub(crate) fn number(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}
