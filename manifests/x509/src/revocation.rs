//! Certificate revocation lists (RFC 5280 section 5), version 1 and 2.

use crate::certificate::Certificate;
use crate::signature::signed_list;
use crate::subject::{compat, parts_of};
use crate::trust::CLOCK_SKEW;
use jiff::Timestamp;
use rustls_pki_types::{CertificateRevocationListDer, pem::PemObject};
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

/// What a missing or outdated list means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RevocationPolicy {
    /// Nobody is trusted without a list of their issuer that is up to date.
    Require,
    /// A list counts where there is one.
    #[default]
    IfPresent,
}

/// The lists of a site.
#[derive(Clone, Debug, Default)]
pub(crate) struct RevocationLists {
    pub(crate) policy: RevocationPolicy,
    lists: Vec<List>,
}

#[derive(Clone, Debug)]
struct List {
    der: Vec<u8>,
    issuer: String,
}

/// Whether a certificate was revoked.
pub(crate) enum Revoked {
    No,
    Yes { since: Timestamp },
    Unknown(String),
}

impl RevocationLists {
    /// The lists in a PEM text; broken ones are passed over, as one that says nothing.
    pub(crate) fn from_pem(pem: &[u8]) -> Self {
        let mut lists = Self::default();
        for der in CertificateRevocationListDer::pem_slice_iter(pem).flatten() {
            // A list that cannot be read is as good as none, and `look_up` then says so.
            let _ = lists.add(&der);
        }
        lists
    }

    /// Adds a file: PEM or DER.
    pub(crate) fn add_file(&mut self, bytes: &[u8]) -> Result<(), String> {
        if bytes.first() == Some(&0x30) {
            return self.add(bytes);
        }
        let mut found = false;
        for der in CertificateRevocationListDer::pem_slice_iter(bytes) {
            found = true;
            self.add(&der.map_err(|_| "this is no revocation list".to_owned())?)?;
        }
        if found { Ok(()) } else { Err("this is no revocation list".to_owned()) }
    }

    fn add(&mut self, der: &[u8]) -> Result<(), String> {
        match CertificateRevocationList::from_der(der) {
            Ok(([], list)) => {
                let issuer = compat(&parts_of(list.issuer()));
                self.lists.push(List { der: der.to_vec(), issuer });
                Ok(())
            }
            _ => Err("this revocation list cannot be read".to_owned()),
        }
    }

    /// Whether there is a list of this authority.
    pub(crate) fn speaks_of(&self, authority: &Certificate) -> bool {
        self.lists.iter().any(|l| l.issuer == authority.compat_names().0)
    }

    /// Looks a certificate up in its issuer's lists. Lists that are not the issuer's own work, not up
    /// to date, or about a part only are not used; the reason says so.
    pub(crate) fn look_up(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
        at: Timestamp,
    ) -> Revoked {
        let authority = issuer.subject();
        let mut reason = format!("there is no revocation list of `{authority}`");
        let Ok((_, x)) = X509Certificate::from_der(certificate.der()) else {
            return Revoked::Unknown("a certificate cannot be read".to_owned());
        };
        let mut checked = false;
        for list in self.lists.iter().filter(|l| l.issuer == issuer.compat_names().0) {
            let Ok((_, crl)) = CertificateRevocationList::from_der(&list.der) else { continue };
            if !signed_list(issuer.spki(), &list.der) {
                reason = format!("a revocation list of `{authority}` was not made by it");
                continue;
            }
            if crl.extensions().iter().any(|e| e.critical) {
                reason = format!(
                    "the revocation list of `{authority}` is about a part of its certificates only"
                );
                continue;
            }
            // What is on a list stays revoked, even when the list is out of date.
            if let Some(entry) =
                crl.iter_revoked_certificates().find(|r| *r.serial() == x.tbs_certificate.serial)
            {
                let since = Timestamp::from_second(entry.revocation_date.timestamp()).unwrap_or(at);
                return Revoked::Yes { since };
            }
            let made = crl.last_update();
            let latest = at.saturating_add(CLOCK_SKEW).unwrap_or(at);
            if made.timestamp() > latest.as_second() {
                reason =
                    format!("the revocation list of `{authority}` is dated in the future: {made}");
                continue;
            }
            match crl.next_update() {
                Some(next) if next.timestamp() < at.as_second() => {
                    reason =
                        format!("the revocation list of `{authority}` is out of date since {next}");
                }
                _ => checked = true,
            }
        }
        if checked { Revoked::No } else { Revoked::Unknown(reason) }
    }
}
