//! HTTP/1.1 messages, written and read by hand: a row may send what no library would.

use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::{SignedDuration, Timestamp};
use std::io::{self, BufRead};

/// Field lines in their order, names in lower case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    /// A field's value, its lines joined with commas.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        let lines = self.0.iter().filter(|(own, _)| own == name);
        lines.map(|(_, value)| value.clone()).reduce(|all, next| format!("{all}, {next}"))
    }
}

/// The date so many seconds from now.
pub(crate) fn date(seconds: i64) -> String {
    let at = Timestamp::now() + SignedDuration::from_secs(seconds);
    DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap()
}

/// Puts dates in the place of `{60}` and `{-60}`.
pub(crate) fn with_dates(field: &str) -> String {
    let Some((before, rest)) = field.split_once('{') else { return field.to_owned() };
    let (seconds, after) = rest.split_once('}').unwrap();
    format!("{before}{}{after}", date(seconds.parse().unwrap()))
}

/// Whether a field line has this name.
pub(crate) fn is_named(field: &str, name: &str) -> bool {
    field.split_once(':').is_some_and(|(own, _)| own.eq_ignore_ascii_case(name))
}

/// The first line and the fields of a message; none where the connection ends.
pub(crate) fn head(from: &mut impl BufRead) -> io::Result<Option<(String, Fields)>> {
    let mut start = String::new();
    if from.read_line(&mut start)? == 0 {
        return Ok(None);
    }
    let mut fields = Fields::default();
    loop {
        let mut line = String::new();
        from.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            return Ok(Some((start.trim_end().to_owned(), fields)));
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        fields.0.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

/// The content; `to_end` says that it ends with the connection where no field says otherwise.
pub(crate) fn body(from: &mut impl BufRead, fields: &Fields, to_end: bool) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if fields.get("transfer-encoding").is_some() {
        loop {
            let mut size = String::new();
            from.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            let mut chunk = vec![0; size + 2];
            from.read_exact(&mut chunk)?;
            body.extend(&chunk[..size]);
            if size == 0 {
                return Ok(body);
            }
        }
    }
    match fields.get("content-length") {
        Some(length) => {
            body = vec![0; length.parse().map_err(io::Error::other)?];
            from.read_exact(&mut body)?;
        }
        None if to_end => {
            from.read_to_end(&mut body)?;
        }
        None => {}
    }
    Ok(body)
}
