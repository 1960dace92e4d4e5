//! Standing for an image: the endorsement is filled from the certificate, then the whole document
//! is signed.
//!
//! An endorsement or a signature that is there already is replaced, and that is said. What is signed
//! is always the written form of format 1, never the bytes that came in.

use crate::email;
use crate::emit::WriteError;
use crate::extensions;
use crate::problem::{ReadError, printable_line};
use crate::read::read;
use crate::seal;
use crate::write::write_with;
use jiff::Timestamp;
use stratus_dsig::{KeyError, SignError, SigningKey};
use stratus_model::{Endorsement, Endorser, Manifest, ManifestFormat};
use stratus_x509::Credential;

/// Choices when signing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndorseOptions {
    /// E-mail address for the endorsement; without it the certificate's first one.
    pub email: Option<String>,
    /// Whether a manifest of a historical format may be written anew as format 1.
    pub upgrade: bool,
}

/// A signed document and what was done to it on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endorsed {
    /// The signed document.
    pub xml: String,
    /// Sentences for the person: what was replaced or left out.
    pub notes: Vec<String>,
}

/// Why a document cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum EndorseError {
    /// It cannot be read.
    #[error("the document cannot be read")]
    Read(#[source] ReadError),
    /// It is of a historical format.
    #[error(
        "only format 1 is signed, and this is a manifest of a historical format; ask for it to be upgraded, or make a new one from the image"
    )]
    Historical(ManifestFormat),
    /// It does not say enough about its image to stand for it.
    #[error("the manifest does not say enough to be signed; it lacks {}", .0.join(", "))]
    Incomplete(Vec<&'static str>),
    /// The content cannot be written as format 1.
    #[error("the document cannot be written in the form that is signed")]
    Write(#[source] WriteError),
    /// The certificate is not valid at the time of signing.
    #[error(
        "the certificate of `{subject}` is valid from {not_before} to {not_after}, not at {now}"
    )]
    CertificateNotValid {
        /// Whose.
        subject: String,
        /// Start of its validity.
        not_before: Timestamp,
        /// End of its validity.
        not_after: Timestamp,
        /// The time of signing.
        now: Timestamp,
    },
    /// The e-mail address is none, or is not the certificate's.
    #[error("`{0}` is not an e-mail address of the certificate")]
    Email(String),
    /// The key cannot sign.
    #[error("the key cannot be used for signing")]
    Key(#[source] KeyError),
    /// The signature could not be made.
    #[error("the signature cannot be made")]
    Sign(#[source] SignError),
    /// What was signed does not verify, as when key and certificate do not belong together.
    #[error("the signature that was made is not good: {0}")]
    NotGood(String),
}

/// Endorses and signs a manifest of format 1 with the certificate's own e-mail address.
pub fn endorse(
    unsigned_xml: &str,
    credential: &Credential,
    now: Timestamp,
) -> Result<String, EndorseError> {
    endorse_with(unsigned_xml, credential, now, &EndorseOptions::default()).map(|e| e.xml)
}

/// As [`endorse()`], with choices; says what was replaced or left out.
pub fn endorse_with(
    unsigned_xml: &str,
    credential: &Credential,
    now: Timestamp,
    options: &EndorseOptions,
) -> Result<Endorsed, EndorseError> {
    let unverified = read(unsigned_xml.as_bytes()).map_err(EndorseError::Read)?;
    let format = unverified.format();
    if format != ManifestFormat::Format1 && !options.upgrade {
        return Err(EndorseError::Historical(format));
    }
    let mut notes = unverified.notes().to_vec();
    notes.extend(replaced(
        unverified.carries_signature(),
        unverified.manifest().endorsement.is_some(),
    ));
    let extensions = match format {
        ManifestFormat::Format1 => extensions::of(unsigned_xml).map_err(EndorseError::Read)?,
        ManifestFormat::Flat2010 | ManifestFormat::Rdf => Vec::new(),
    };
    let mut manifest = unverified.into_unverified_manifest();
    if format != ManifestFormat::Format1 {
        notes.extend(left_out(&manifest));
    }
    let lacks = lacking(&manifest, format);
    if !lacks.is_empty() {
        return Err(EndorseError::Incomplete(lacks));
    }
    manifest.endorsement = Some(endorsement(credential, now, options.email.as_deref())?);
    let xml = write_with(&manifest, &extensions).map_err(EndorseError::Write)?;
    Ok(Endorsed { xml: sign(&xml, credential)?, notes })
}

/// What is replaced, as sentences.
pub(crate) fn replaced(signature: bool, endorsement: bool) -> Option<String> {
    match (signature, endorsement) {
        (true, _) => Some("the signature and endorsement that were there are replaced".to_owned()),
        (false, true) => Some("the endorsement that was there is replaced".to_owned()),
        (false, false) => None,
    }
}

/// What a historical manifest says that format 1 has no place for.
fn left_out(manifest: &Manifest) -> impl Iterator<Item = String> {
    manifest.historical.iter().map(|(name, value)| {
        format!("<{name}> has no place in format 1 and is left out: `{}`", printable_line(value))
    })
}

/// The fields that somebody who stands for an image must have filled. A historical manifest cannot
/// know about the compressed file.
fn lacking(manifest: &Manifest, format: ManifestFormat) -> Vec<&'static str> {
    let strong = manifest.checksums.iter().any(|d| d.algorithm().is_strong());
    let served = manifest.compressed.is_some() || format != ManifestFormat::Format1;
    [
        (manifest.created.is_some(), "<created>"),
        (manifest.kind.is_some(), "<type>"),
        (manifest.version.is_some(), "<version>"),
        (manifest.arch.is_some(), "<arch>"),
        (manifest.user.is_some(), "<user>"),
        (manifest.os.is_some(), "<os>"),
        (manifest.osversion.is_some(), "<osversion>"),
        (manifest.compression.is_some(), "<compression>"),
        (manifest.format.is_some(), "<format>"),
        (manifest.bytes.is_some(), "<bytes>"),
        (strong, "<checksum> of SHA-256 or SHA-512"),
        (served, "<compressed>"),
    ]
    .into_iter()
    .filter_map(|(there, name)| (!there).then_some(name))
    .collect()
}

/// Who stands for it, as the certificate says.
pub(crate) fn endorsement(
    credential: &Credential,
    now: Timestamp,
    email: Option<&str>,
) -> Result<Endorsement, EndorseError> {
    let leaf = credential
        .chain
        .first()
        .ok_or_else(|| EndorseError::NotGood("the credential has no certificate".to_owned()))?;
    if now < leaf.not_before() || now > leaf.not_after() {
        return Err(EndorseError::CertificateNotValid {
            subject: leaf.subject().to_string(),
            not_before: leaf.not_before(),
            not_after: leaf.not_after(),
            now,
        });
    }
    let email = match email {
        Some(given) => Some(own_email(given, leaf.emails())?),
        None => leaf.emails().iter().find_map(|e| email::plain(e)),
    };
    let endorser = Endorser {
        subject: Some(leaf.subject().clone()),
        issuer: Some(leaf.issuer().clone()),
        email,
    };
    Ok(Endorsement { created: Some(now), endorser })
}

/// An address that the certificate has, or any where it has none.
fn own_email(given: &str, certified: &[String]) -> Result<String, EndorseError> {
    let known = certified.is_empty() || certified.iter().any(|e| e.eq_ignore_ascii_case(given));
    email::plain(given)
        .filter(|_| known)
        .ok_or_else(|| EndorseError::Email(crate::problem::printable(given)))
}

/// Signs a written document and looks at the result as a stranger would.
pub(crate) fn sign(xml: &str, credential: &Credential) -> Result<String, EndorseError> {
    let key = SigningKey::from_pkcs8(credential.key.pkcs8_der()).map_err(EndorseError::Key)?;
    let chain: Vec<Vec<u8>> = credential.chain.iter().map(|c| c.der().to_vec()).collect();
    let signed = stratus_dsig::sign(xml, &key, &chain).map_err(EndorseError::Sign)?;
    match seal::open(&signed) {
        Ok(_) => Ok(signed),
        Err(unsealed) => Err(EndorseError::NotGood(unsealed.reason)),
    }
}
