//! History for accounting: the simulator plays what a file says, `histories.xml` beside its
//! database, in the form of oned's own answer. The file is read at each call.

use stratus_opennebula::xmlrpc::Value;

use super::methods::{Answer, Work};

impl Work<'_> {
    pub(super) fn accounting(&mut self) -> Answer {
        let owner = self.parameters.id()?;
        let (from, to) = (self.parameters.id()?, self.parameters.id()?);
        if owner < -4 {
            return Self::refused(0x1000, "Incorrect filter_flag");
        }
        // Without the file nothing ever ran.
        let text = std::fs::read_to_string(self.histories).unwrap_or_default();
        let owner = match owner {
            -2 if self.is_admin() => None,
            uid @ 0.. if self.is_admin() || uid == self.user.id => Some(uid),
            _ => Some(self.user.id),
        };
        let mut answer = String::from("<HISTORY_RECORDS>");
        for record in text.split_inclusive("</HISTORY>") {
            let Some(start) = record.find("<HISTORY>") else { continue };
            let record = &record[start..];
            let own = record.find("<VM>").map_or("", |vm| &record[vm..]);
            let uid = number(own, "<UID>");
            let (started, ended) = (number(record, "<STIME>"), number(record, "<ETIME>"));
            let wanted = owner.is_none_or(|owner| uid == i64::from(owner))
                && (to < 0 || started <= i64::from(to))
                && (from < 0 || ended == 0 || ended >= i64::from(from));
            if wanted {
                answer.push_str(record);
            }
        }
        // A file that breaks off is played as it is: half an answer.
        let whole = text.is_empty() || text.trim_end().ends_with("</HISTORY_RECORDS>");
        answer.push_str(if whole { "</HISTORY_RECORDS>" } else { "<HISTORY><OID>1" });
        Ok(Value::Text(answer))
    }
}

/// The number after the first `element`; 0 where there is none.
fn number(text: &str, element: &str) -> i64 {
    let rest = text.split_once(element).map_or("", |(_, rest)| rest);
    rest.split('<').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
