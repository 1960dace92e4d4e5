//! Where the tests get their keys and documents: `openssl` makes keys, `xmlsec1` signs whatever it is
//! told to, also what no manifest may look like.

use base64::{Engine, engine::general_purpose::STANDARD};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::LazyLock;
use stratus_dsig::{SignatureError, SignedDocument, SigningKey, verify};
use tempfile::TempDir;

pub(crate) const MANIFEST: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<manifest xmlns="urn:stratus:manifest:1">
  <type>base</type>
  <bytes>73728</bytes>
  <checksum algorithm="SHA-256" encoding="hex">1db07d84</checksum>
  <location>https://example.org/image</location>
</manifest>
"#;

pub(crate) const EXCLUSIVE: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
pub(crate) const EXCLUSIVE_COMMENTS: &str = "http://www.w3.org/2001/10/xml-exc-c14n#WithComments";
pub(crate) const INCLUSIVE: &str = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315";
pub(crate) const INCLUSIVE_COMMENTS: &str =
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments";
pub(crate) const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
pub(crate) const SHA1: &str = "http://www.w3.org/2000/09/xmldsig#sha1";
pub(crate) const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";
pub(crate) const SHA384: &str = "http://www.w3.org/2001/04/xmldsig-more#sha384";
pub(crate) const SHA512: &str = "http://www.w3.org/2001/04/xmlenc#sha512";
pub(crate) const RSA_SHA1: &str = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
pub(crate) const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
pub(crate) const RSA_SHA384: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384";
pub(crate) const RSA_SHA512: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512";
pub(crate) const ECDSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
pub(crate) const ECDSA_SHA384: &str = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384";

pub(crate) static RSA: LazyLock<Signer> = LazyLock::new(|| Signer::new("rsa", &["rsa:2048"]));
pub(crate) static RSA_1024: LazyLock<Signer> =
    LazyLock::new(|| Signer::new("short", &["rsa:1024"]));
pub(crate) static P256: LazyLock<Signer> = LazyLock::new(|| Signer::new("p256", &curve("P-256")));
pub(crate) static P384: LazyLock<Signer> = LazyLock::new(|| Signer::new("p384", &curve("P-384")));
/// Somebody else, with a key of the same kind as `P256`.
pub(crate) static MALLORY: LazyLock<Signer> =
    LazyLock::new(|| Signer::new("mallory", &curve("P-256")));
/// `P256` and `MALLORY` signed nothing for this one: it has a certificate from `P256`.
pub(crate) static ISSUED: LazyLock<Signer> =
    LazyLock::new(|| Signer::made("issued", &curve("P-256"), Some(&P256)));

/// `openssl req` wants these words for a key on a curve.
fn curve(name: &str) -> [&'static str; 3] {
    let option =
        if name == "P-256" { "ec_paramgen_curve:P-256" } else { "ec_paramgen_curve:P-384" };
    ["ec", "-pkeyopt", option]
}

/// A key and its certificate, both in PEM.
pub(crate) struct Signer {
    pub(crate) key: String,
    pub(crate) certificate: String,
}

impl Signer {
    /// A key as `openssl req -newkey` names it, with a certificate signed by itself.
    pub(crate) fn new(name: &str, kind: &[&str]) -> Self {
        Self::made(name, kind, None)
    }

    fn made(name: &str, kind: &[&str], issuer: Option<&Self>) -> Self {
        let folder = folder();
        let subject = format!("/O=Example/CN={name}");
        let mut arguments = vec!["req", "-x509", "-batch", "-nodes", "-days", "3650"];
        arguments.extend(["-subj", &subject, "-keyout", "key.pem", "-out", "certificate.pem"]);
        arguments.push("-newkey");
        arguments.extend(kind);
        if let Some(issuer) = issuer {
            write(folder.path(), "issuer.pem", &issuer.certificate);
            write(folder.path(), "issuer-key.pem", &issuer.key);
            arguments.extend(["-CA", "issuer.pem", "-CAkey", "issuer-key.pem"]);
        }
        succeed("openssl", "openssl", &arguments, folder.path());
        Self {
            key: read(folder.path(), "key.pem"),
            certificate: read(folder.path(), "certificate.pem"),
        }
    }

    pub(crate) fn der(&self) -> Vec<u8> {
        decoded(&self.certificate)
    }

    /// The key as this crate holds it.
    pub(crate) fn signing_key(&self) -> SigningKey {
        SigningKey::from_pkcs8(&self.key_der()).expect("a key that may sign")
    }

    /// The key in PKCS#8.
    pub(crate) fn key_der(&self) -> Vec<u8> {
        decoded(&self.key)
    }

    /// A document signed by this crate.
    pub(crate) fn sign(&self, xml: &str) -> String {
        stratus_dsig::sign(xml, &self.signing_key(), &[self.der()]).expect("a signed document")
    }

    /// A document signed by `xmlsec1`.
    pub(crate) fn sign_with_xmlsec(&self, template: &Template) -> String {
        let folder = folder();
        write(folder.path(), "template.xml", &template.document());
        write(folder.path(), "key.pem", &self.key);
        write(folder.path(), "certificate.pem", &self.certificate);
        let arguments =
            ["--sign", "--privkey-pem", "key.pem,certificate.pem", "--output", "out.xml"];
        xmlsec(&[&arguments[..], &["template.xml"]].concat(), folder.path());
        read(folder.path(), "out.xml")
    }
}

/// What `xmlsec1` is asked to sign, and how.
#[derive(Clone)]
pub(crate) struct Template {
    pub(crate) manifest: String,
    pub(crate) form: &'static str,
    pub(crate) method: &'static str,
    /// Attributes of the Reference.
    pub(crate) reference: &'static str,
    /// The Transform elements.
    pub(crate) transforms: String,
    pub(crate) digest: &'static str,
    /// What stands in KeyInfo.
    pub(crate) key_info: &'static str,
}

impl Template {
    /// The profile that manifests use.
    pub(crate) fn of(method: &'static str) -> Self {
        Self {
            manifest: MANIFEST.to_owned(),
            form: EXCLUSIVE,
            method,
            reference: "URI=\"\"",
            transforms: transform(ENVELOPED) + &transform(EXCLUSIVE),
            digest: SHA256,
            key_info: "<ds:X509Data/>",
        }
    }

    pub(crate) fn document(&self) -> String {
        let Self { form, method, reference, transforms, digest, key_info, .. } = self;
        let signature = format!(
            r#"<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#">
  <ds:SignedInfo>
    <ds:CanonicalizationMethod Algorithm="{form}"/>
    <ds:SignatureMethod Algorithm="{method}"/>
    <ds:Reference {reference}>
      <ds:Transforms>{transforms}</ds:Transforms>
      <ds:DigestMethod Algorithm="{digest}"/>
      <ds:DigestValue></ds:DigestValue>
    </ds:Reference>
  </ds:SignedInfo>
  <ds:SignatureValue></ds:SignatureValue>
  <ds:KeyInfo>{key_info}</ds:KeyInfo>
</ds:Signature>
</manifest>"#
        );
        change(&self.manifest, "</manifest>", &signature)
    }
}

pub(crate) fn transform(uri: &str) -> String {
    format!("<ds:Transform Algorithm=\"{uri}\"/>")
}

/// Signs with a secret that both sides know.
pub(crate) fn sign_with_hmac(template: &Template, secret: &str) -> String {
    let folder = folder();
    write(folder.path(), "template.xml", &template.document());
    write(folder.path(), "secret", secret);
    let arguments = ["--sign", "--hmackey", "secret", "--output", "out.xml", "template.xml"];
    xmlsec(&arguments, folder.path());
    read(folder.path(), "out.xml")
}

/// Whether `xmlsec1` accepts a document when it trusts this certificate.
pub(crate) fn xmlsec_accepts(signed: &str, trusted: &Signer) -> bool {
    let folder = folder();
    write(folder.path(), "signed.xml", signed);
    write(folder.path(), "trusted.pem", &trusted.certificate);
    let arguments = ["--verify", "--trusted-pem", "trusted.pem", "signed.xml"];
    run("xmlsec1", "xmlsec1", &arguments, folder.path()).status.success()
}

fn xmlsec(arguments: &[&str], folder: &Path) {
    succeed("xmlsec1", "xmlsec1", arguments, folder);
}

fn succeed(program: &str, package: &str, arguments: &[&str], folder: &Path) {
    let output = run(program, package, arguments, folder);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}

fn run(program: &str, package: &str, arguments: &[&str], folder: &Path) -> Output {
    Command::new(program).args(arguments).current_dir(folder).output().unwrap_or_else(|error| {
        panic!("`{program}` cannot be started ({error}); install the Debian package `{package}`")
    })
}

fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a file is written");
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).expect("a file is read")
}

fn decoded(pem: &str) -> Vec<u8> {
    let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    STANDARD.decode(text).expect("PEM is base64")
}

/// Puts `to` where `from` is, which must be there once.
pub(crate) fn change(xml: &str, from: &str, to: &str) -> String {
    assert_eq!(xml.matches(from).count(), 1, "{from:?} must be there once:\n{xml}");
    xml.replacen(from, to, 1)
}

/// What is from the first `start` up to and with the next `end`.
pub(crate) fn part<'t>(xml: &'t str, start: &str, end: &str) -> &'t str {
    let from = xml.find(start).expect("the part begins");
    let length = xml[from..].find(end).expect("the part ends");
    &xml[from..from + length + end.len()]
}

/// The Signature element of a document.
pub(crate) fn signature_of(xml: &str) -> &str {
    part(xml, "<ds:Signature ", "</ds:Signature>")
}

/// The text of the first element of this name in the signature's namespace.
pub(crate) fn value<'t>(xml: &'t str, name: &str) -> &'t str {
    let (start, end) = (format!("<ds:{name}>"), format!("</ds:{name}>"));
    let whole = part(xml, &start, &end);
    &whole[start.len()..whole.len() - end.len()]
}

pub(crate) fn good(xml: &str) -> SignedDocument {
    verify(xml).unwrap_or_else(|error| panic!("{error}:\n{xml}"))
}

/// The rule of the profile that a document breaks.
pub(crate) fn refused(xml: &str) -> String {
    match verify(xml) {
        Err(SignatureError::Profile { reason, .. }) => reason,
        other => panic!("not refused by the profile: {other:?}"),
    }
}

/// What does not match.
pub(crate) fn mismatch(xml: &str) -> &'static str {
    match verify(xml) {
        Err(SignatureError::Mismatch { what }) => what,
        other => panic!("no mismatch: {other:?}"),
    }
}

/// Why a document cannot be read.
pub(crate) fn not_xml(xml: &str) -> String {
    match verify(xml) {
        Err(SignatureError::NotXml { message, .. }) => message,
        other => panic!("not refused as XML: {other:?}"),
    }
}
