//! Telling people: one message for each cause, when it has lasted, and one when it is over.

mod mail;

use crate::settings::{Alerts as Settings, Webhook};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;
use stratus_monitor_state::{Cause, Concern, Severity};
use stratus_terminal::read_secret_file;

/// How long a webhook may take.
const TIME: Duration = Duration::from_secs(15);
/// Most messages after one look; the rest come after the next.
const BURST: usize = 20;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Message {
    /// Whether it begins or is over.
    pub(crate) over: bool,
    /// What it is about, the same at the beginning and the end.
    pub(crate) cause: String,
    /// How urgent it is.
    pub(crate) severity: Severity,
    /// The sentence.
    pub(crate) what: String,
    /// What to do.
    pub(crate) cure: String,
    /// Since when, seconds since 1970.
    pub(crate) since: i64,
    /// Where the monitor shows more.
    pub(crate) link: String,
}

/// What was told, and what is to be told now. Pure.
#[derive(Debug, Default)]
pub(crate) struct Told {
    open: BTreeMap<Cause, Concern>,
}

impl Told {
    /// The messages that are due. `silent` says whether a cause is silenced.
    pub(crate) fn due(
        &self,
        concerns: &[Concern],
        settings: &Settings,
        now: i64,
        base: &str,
        silent: impl Fn(&Cause) -> bool,
    ) -> Vec<Message> {
        let after = i64::try_from(settings.after.as_secs()).unwrap_or(i64::MAX);
        let lasts = |c: &&Concern| now - c.since >= after && c.severity <= settings.severity;
        let begun = concerns
            .iter()
            .filter(lasts)
            .filter(|c| !self.open.contains_key(&c.cause) && !silent(&c.cause))
            .map(|c| message(c, false, base));
        let known = |cause: &Cause| concerns.iter().any(|c| c.cause == *cause);
        let over = self.open.values().filter(|c| !known(&c.cause)).map(|c| message(c, true, base));
        begun.chain(over).take(BURST).collect()
    }

    /// Notes that a message went out.
    pub(crate) fn sent(&mut self, message: &Message, concerns: &[Concern]) {
        let cause = Cause(message.cause.clone());
        if message.over {
            self.open.remove(&cause);
        } else if let Some(concern) = concerns.iter().find(|c| c.cause == cause) {
            self.open.insert(cause, concern.clone());
        }
    }
}

fn message(concern: &Concern, over: bool, base: &str) -> Message {
    Message {
        over,
        cause: concern.cause.0.clone(),
        severity: concern.severity,
        what: concern.what.clone(),
        cure: concern.cure.clone(),
        since: concern.since,
        link: format!("{base}{}", concern.link),
    }
}

/// Sends messages.
pub(crate) struct Alerts {
    settings: Settings,
    base: String,
    client: reqwest::Client,
    told: Told,
}

impl Alerts {
    pub(crate) fn new(settings: Settings, base: String) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .timeout(TIME)
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { settings, base, client, told: Told::default() })
    }

    /// Tells what is due. What could not be sent is tried again after the next look.
    pub(crate) async fn tell(
        &mut self,
        concerns: &[Concern],
        now: i64,
        silent: impl Fn(&Cause) -> bool,
    ) {
        for message in self.told.due(concerns, &self.settings, now, &self.base, silent) {
            match self.send(&message).await {
                Ok(()) => self.told.sent(&message, concerns),
                Err(error) => {
                    tracing::error!(cause = message.cause, error, "an alert was not sent");
                    // The others would fail the same way.
                    return;
                }
            }
        }
    }

    /// Sends to both; one that failed does not keep the other from hearing.
    async fn send(&self, message: &Message) -> Result<(), String> {
        let hook = match &self.settings.webhook {
            Some(webhook) => self.post(webhook, message).await,
            None => Ok(()),
        };
        let mail = match &self.settings.mail {
            Some(mail) => mail::send(mail, message).await,
            None => Ok(()),
        };
        match (hook, mail) {
            (Err(a), Err(b)) => Err(format!("{a}; {b}")),
            (Err(error), Ok(())) if self.settings.mail.is_none() => Err(error),
            (Ok(()), Err(error)) if self.settings.webhook.is_none() => Err(error),
            // Somebody heard it; the same again would be noise.
            (Err(error), Ok(())) | (Ok(()), Err(error)) => {
                tracing::error!(error, "an alert went out on one way only");
                Ok(())
            }
            (Ok(()), Ok(())) => Ok(()),
        }
    }

    async fn post(&self, webhook: &Webhook, message: &Message) -> Result<(), String> {
        let mut request = self.client.post(webhook.url.clone()).json(message);
        if let Some(file) = &webhook.token_file {
            request = request.bearer_auth(secret(file)?);
        }
        let answer = request.send().await.map_err(|e| {
            let e = e.without_url();
            format!("the webhook cannot be reached: {e}")
        })?;
        if answer.status().is_success() {
            return Ok(());
        }
        Err(format!("the webhook answers {}", answer.status()))
    }
}

/// A secret as its file has it now, without the end of the line.
fn secret(file: &Path) -> Result<String, String> {
    use secrecy::ExposeSecret;
    let secret = read_secret_file(file).map_err(|error| error.to_string())?;
    Ok(secret.expose_secret().trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concern(cause: &str, severity: Severity, since: i64) -> Concern {
        Concern {
            cause: Cause(cause.to_owned()),
            severity,
            what: format!("{cause} is broken."),
            cure: "Mend it.".to_owned(),
            since,
            count: 1,
            link: "/hosts/1".to_owned(),
        }
    }

    fn settings() -> Settings {
        let after = Duration::from_mins(1);
        Settings { webhook: None, mail: None, severity: Severity::Bad, after }
    }

    fn causes(messages: &[Message]) -> Vec<(&str, bool)> {
        messages.iter().map(|m| (m.cause.as_str(), m.over)).collect()
    }

    #[test]
    fn a_cause_is_told_once_when_it_lasts_and_once_when_it_is_over() {
        let (mut told, s) = (Told::default(), settings());
        let now = [concern("a", Severity::Bad, 100), concern("b", Severity::Warn, 0)];
        assert_eq!(told.due(&now, &s, 159, "", |_| false), []);
        let due = told.due(&now, &s, 160, "https://m", |_| false);
        assert_eq!(causes(&due), [("a", false)]);
        assert_eq!(due[0].link, "https://m/hosts/1");
        told.sent(&due[0], &now);
        assert_eq!(told.due(&now, &s, 9999, "", |_| false), []);
        let due = told.due(&[], &s, 10_000, "", |_| false);
        assert_eq!(causes(&due), [("a", true)]);
        told.sent(&due[0], &[]);
        assert_eq!(told.due(&[], &s, 10_001, "", |_| false), []);
    }

    #[test]
    fn a_silenced_cause_is_not_told_and_what_was_not_sent_is_due_again() {
        let (told, s) = (Told::default(), settings());
        let now = [concern("a", Severity::Bad, 0), concern("c", Severity::Bad, 0)];
        let due = told.due(&now, &s, 100, "", |cause| cause.0 == "a");
        assert_eq!(causes(&due), [("c", false)]);
        assert_eq!(told.due(&now, &s, 101, "", |_| false).len(), 2);
    }

    #[test]
    fn a_storm_is_bounded() {
        let many: Vec<Concern> =
            (0..500).map(|n| concern(&format!("c{n}"), Severity::Bad, 0)).collect();
        assert_eq!(Told::default().due(&many, &settings(), 100, "", |_| false).len(), BURST);
    }
}
