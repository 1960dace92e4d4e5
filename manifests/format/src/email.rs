//! E-mail addresses as manifests carry them.

/// The pattern of the historical tools: letters, digits and `._%+-`, an `@`, then letters, digits,
/// `.` and `-`. Format 1 uses the same.
pub(crate) fn plain(text: &str) -> Option<String> {
    let (local, host) = text.split_once('@')?;
    let fits = |part: &str, marks: &[u8]| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || marks.contains(&b))
    };
    (text.len() <= 254 && fits(local, b"._%+-") && fits(host, b".-")).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn an_address_has_a_local_part_and_a_host() {
        for good in ["signer@example.org", "a.b+c%d-e_f@localhost"] {
            assert_eq!(plain(good).as_deref(), Some(good));
        }
        for bad in
            ["", "@", "a@", "@b", "a@b@c", "a b@c", "a@b c", "a@b\n", "<a@b>", "é@example.org"]
        {
            assert_eq!(plain(bad), None, "{bad}");
        }
    }
}
