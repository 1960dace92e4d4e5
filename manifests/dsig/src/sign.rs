//! Making a signature: one form only, exclusive canonicalization and SHA-256 or better.

use crate::c14n::{C14n, canonicalize};
use crate::error::{SignError, SignatureError};
use crate::key::SigningKey;
use crate::parse::{line_ends, parse};
use crate::profile::is_ds;
use crate::uri;
use crate::verify::verify;
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::STANDARD};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Signs a document: adds one `ds:Signature` as the last child of the root. Every other byte stays.
///
/// `certificates` are DER, the signer's first.
///
/// # Errors
/// [`SignError`]: the document is no XML or is signed already, or key and certificate do not fit.
pub fn sign(xml: &str, key: &SigningKey, certificates: &[Vec<u8>]) -> Result<String, SignError> {
    check_certificate(key, certificates)?;
    let document = parse(xml).map_err(SignError::Document)?;
    if document.descendants().any(|n| is_ds(n, "Signature")) {
        return Err(SignError::AlreadySigned);
    }
    let root = document.root_element().range();
    let at = root.start + xml[root].rfind("</").ok_or(SignError::Empty)?;
    // The white space around the signature is part of the document, so it must be there before the
    // digest is made.
    let (before, after) = (xml[..at].to_owned() + "  ", "\n".to_owned() + &xml[at..]);
    let unsigned = format!("{before}{after}");
    let unsigned = line_ends(&unsigned);
    let tree = parse(&unsigned).map_err(SignError::Document)?;
    let canonical =
        canonicalize(tree.root(), None, C14n::EXCLUSIVE).map_err(SignError::Document)?;
    let digest_value = STANDARD.encode(digest(&SHA256, canonical.as_bytes()).as_ref());
    let signed_info = signed_info(key.method().uri(), &digest_value);
    let value = key.sign(canonical_signed_info(&signed_info)?.as_bytes())?;
    let signed = format!("{before}{}{after}", signature(&signed_info, &value, certificates));
    // The signature may have carried the document over a limit, or the chain may be in disorder.
    verify(&signed).map_err(SignError::Document)?;
    Ok(signed)
}

fn check_certificate(key: &SigningKey, certificates: &[Vec<u8>]) -> Result<(), SignError> {
    let leaf = certificates.first().ok_or(SignError::NoCertificate)?;
    let (_, leaf) = X509Certificate::from_der(leaf).map_err(|_| SignError::NoCertificate)?;
    let same = leaf.public_key().subject_public_key.data.as_ref() == key.public();
    if same { Ok(()) } else { Err(SignError::KeyMismatch) }
}

fn signed_info(method: &str, digest_value: &str) -> String {
    format!(
        r#"<ds:SignedInfo>
      <ds:CanonicalizationMethod Algorithm="{c14n}"></ds:CanonicalizationMethod>
      <ds:SignatureMethod Algorithm="{method}"></ds:SignatureMethod>
      <ds:Reference URI="">
        <ds:Transforms>
          <ds:Transform Algorithm="{enveloped}"></ds:Transform>
          <ds:Transform Algorithm="{c14n}"></ds:Transform>
        </ds:Transforms>
        <ds:DigestMethod Algorithm="{sha256}"></ds:DigestMethod>
        <ds:DigestValue>{digest_value}</ds:DigestValue>
      </ds:Reference>
    </ds:SignedInfo>"#,
        c14n = uri::EXC_C14N,
        enveloped = uri::ENVELOPED,
        sha256 = uri::SHA256,
    )
}

/// The exclusive form of SignedInfo does not depend on what is around it, so it can be made alone.
fn canonical_signed_info(signed_info: &str) -> Result<String, SignError> {
    let alone = format!("<ds:Signature xmlns:ds=\"{}\">{signed_info}</ds:Signature>", uri::DS);
    let tree = parse(&alone).map_err(SignError::Document)?;
    let node = tree.root_element().first_element_child();
    let node = node.ok_or(SignError::Document(SignatureError::Absent))?;
    canonicalize(node, None, C14n::EXCLUSIVE).map_err(SignError::Document)
}

fn signature(signed_info: &str, value: &[u8], certificates: &[Vec<u8>]) -> String {
    let mut chain = String::new();
    for der in certificates {
        chain += "
        <ds:X509Certificate>
";
        chain += &wrapped(der);
        chain += "</ds:X509Certificate>";
    }
    format!(
        r#"<ds:Signature xmlns:ds="{}">
    {signed_info}
    <ds:SignatureValue>
{}</ds:SignatureValue>
    <ds:KeyInfo>
      <ds:X509Data>{chain}
      </ds:X509Data>
    </ds:KeyInfo>
  </ds:Signature>"#,
        uri::DS,
        wrapped(value),
    )
}

/// Base64 in lines of 76 characters (RFC 2045 section 6.8).
fn wrapped(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let lines =
        text.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line).into_owned() + "\n");
    lines.collect()
}
