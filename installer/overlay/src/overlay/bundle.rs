//! What is given to a burst node.

use super::files::{block, text};
use super::make::client_file;
use super::{Error, Overlay};
use crate::Random;
use crate::register::{Handed, Issued, after};
use crate::token;
use jiff::Timestamp;
use std::time::Duration;
use stratus_network::overlay::{
    ClientKeys, Token, client_profile, cloud_init, context, join_script,
};
use stratus_site::HostName;
use zeroize::Zeroizing;

/// The form of a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One `.ovpn` file; whoever has it may connect.
    Ovpn,
    /// User-data for cloud-init.
    CloudInit,
    /// The CONTEXT section of an OpenNebula template.
    Context,
}

/// A bundle.
pub struct Bundle {
    /// Its text, with a private key.
    pub text: Zeroizing<String>,
    /// Until when its join token may be used; none for a form without one.
    pub token_expires: Option<Timestamp>,
    /// The end of its certificate.
    pub certificate_expires: Timestamp,
}

impl Overlay<'_> {
    /// Makes a bundle. A certificate is given out once with a token, or any number of times
    /// without one; anything else gets a new certificate, so no bundle weakens another.
    pub fn bundle(
        &mut self,
        name: &HostName,
        form: Form,
        path_mtu: u16,
        token_validity: Duration,
        now: Timestamp,
        random: Random<'_>,
    ) -> Result<Bundle, Error> {
        let newest = self.register.client(name)?.certificates.last().cloned();
        let certificate = match newest.filter(|newest| may_be_given(newest, form, now)) {
            Some(newest) => newest,
            None => {
                let new = self.issue(name, now, random)?;
                self.register.client_mut(name)?.certificates.push(new.clone());
                new
            }
        };
        let mut secret = None;
        let handed = if form == Form::Ovpn {
            Handed::Alone
        } else {
            let mut bytes = [0; 24];
            random(&mut bytes);
            let (text, record) = token::make(bytes, after(now, token_validity));
            secret = Some((text, record.expires));
            Handed::WithToken(record)
        };
        let client = self.register.client_mut(name)?;
        if let Some(own) = client.certificates.iter_mut().find(|c| c.serial == certificate.serial) {
            own.handed = Some(handed);
        }
        // Before the bundle leaves: what it needs is known to the server.
        self.commit()?;
        let token_text = secret.as_ref().map(|(text, _)| text.as_str());
        Ok(Bundle {
            text: self.written(name, &certificate, form, path_mtu, token_text)?,
            token_expires: secret.as_ref().map(|(_, expires)| *expires),
            certificate_expires: certificate.to,
        })
    }

    fn written(
        &self,
        name: &HostName,
        certificate: &Issued,
        form: Form,
        path_mtu: u16,
        token: Option<&str>,
    ) -> Result<Zeroizing<String>, Error> {
        let file = client_file(certificate.serial);
        let all = text(&self.folder, &file)?;
        let part = |kind: &str| {
            block(&all, kind).ok_or_else(|| Error::Unreadable {
                path: self.folder.path(&file),
                problem: format!("it has no {kind}"),
            })
        };
        let authorities = self.authority_certificates();
        let keys = ClientKeys {
            ca: &authorities,
            certificate: part("CERTIFICATE")?,
            key: part("PRIVATE KEY")?,
            tls_crypt_v2: part("OpenVPN tls-crypt-v2 client key")?,
        };
        let mac = self.register.client(name)?.mac;
        let password = token.map(|_| Token::FILE);
        let profile = Zeroizing::new(client_profile(self.vpn, keys, mac, path_mtu, password));
        let Some(token) = token else { return Ok(profile) };
        if let Some(software) = &self.software {
            let token = Token { name, text: token };
            return self.written_for_host(&profile, token, form, path_mtu, software);
        }
        let script = Zeroizing::new(join_script(&profile, Token { name, text: token }));
        Ok(Zeroizing::new(match form {
            Form::Context => context(&script, name),
            Form::CloudInit | Form::Ovpn => cloud_init(&script, name),
        }))
    }
}

/// Whether a certificate may go out (again) in this form.
fn may_be_given(certificate: &Issued, form: Form, now: Timestamp) -> bool {
    let fits = match (&certificate.handed, form) {
        (None, _) | (Some(Handed::Alone), Form::Ovpn) => true,
        (Some(_), _) => false,
    };
    fits && now < certificate.to
}
