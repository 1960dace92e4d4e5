//! Messages as mails.

use super::{Message, secret};
use crate::settings::{Mail, MailTls};
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use std::time::Duration;

/// How long a mail server may take for each step.
const TIME: Duration = Duration::from_secs(20);
/// Characters of a subject.
const SUBJECT: usize = 120;

/// Sends one mail to everybody.
pub(super) async fn send(mail: &Mail, message: &Message) -> Result<(), String> {
    let told = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
    let mut builder = lettre::Message::builder()
        .from(mail.from.parse().map_err(|e| told("`mail_from` is no mail address", &e))?);
    for to in &mail.to {
        let to = to.parse().map_err(|e| told(&format!("`{to}` is no mail address"), &e))?;
        builder = builder.to(to);
    }
    let letter = builder
        .subject(subject(message))
        .header(ContentType::TEXT_PLAIN)
        .body(body(message))
        .map_err(|e| told("the mail cannot be written", &e))?;
    let mut server = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&mail.host)
        .port(mail.port)
        .timeout(Some(TIME));
    if mail.tls != MailTls::Nothing {
        let parameters = TlsParameters::new(mail.host.clone())
            .map_err(|e| told("TLS to the mail server cannot be set up", &e))?;
        let wrap = mail.tls == MailTls::Tls;
        server =
            server.tls(if wrap { Tls::Wrapper(parameters) } else { Tls::Required(parameters) });
    }
    if let Some((user, file)) = &mail.login {
        server = server.credentials(Credentials::new(user.clone(), secret(file)?));
    }
    let sent = server.build().send(letter).await;
    sent.map(|_| ()).map_err(|e| told(&format!("the mail server {} refused", mail.host), &e))
}

fn subject(message: &Message) -> String {
    let what = if message.over { "over" } else { "trouble" };
    let line: String = message.what.chars().take(SUBJECT).collect();
    format!("[{what}] {line}")
}

fn body(message: &Message) -> String {
    let since = jiff::Timestamp::from_second(message.since).unwrap_or_default();
    if message.over {
        return format!("This is over:\n{}\n\nIt began at {since}.\n", message.what);
    }
    format!("{}\n\n{}\n\nSince {since}.\n{}\n", message.what, message.cure, message.link)
}
