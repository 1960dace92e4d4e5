//! The structure a signature must have. XML-DSig lets a signer choose what is covered; a manifest
//! needs none of that freedom, and each freedom is an attack:
//!
//! exactly one `ds:Signature`, a child of the root; in it SignedInfo, SignatureValue, KeyInfo and
//! nothing else; one Reference to the whole document, transformed by *enveloped-signature* and at
//! most one canonicalization; KeyInfo with certificates.

use crate::c14n::C14n;
use crate::error::SignatureError;
use crate::parse::place;
use crate::uri;
use crate::verify::trim;
use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD};
use roxmltree::{Document, Node};

/// Most certificates in a signature.
const CHAIN_LIMIT: usize = 10;

/// The signature methods that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    RsaSha1,
    RsaSha256,
    RsaSha384,
    RsaSha512,
    EcdsaSha256,
    EcdsaSha384,
}

impl Method {
    const ALL: [Self; 6] = [
        Self::RsaSha1,
        Self::RsaSha256,
        Self::RsaSha384,
        Self::RsaSha512,
        Self::EcdsaSha256,
        Self::EcdsaSha384,
    ];

    pub(crate) const fn uri(self) -> &'static str {
        match self {
            Self::RsaSha1 => uri::RSA_SHA1,
            Self::RsaSha256 => uri::RSA_SHA256,
            Self::RsaSha384 => uri::RSA_SHA384,
            Self::RsaSha512 => uri::RSA_SHA512,
            Self::EcdsaSha256 => uri::ECDSA_SHA256,
            Self::EcdsaSha384 => uri::ECDSA_SHA384,
        }
    }

    /// Bits of the curve; none for RSA.
    pub(crate) const fn curve_bits(self) -> Option<usize> {
        match self {
            Self::EcdsaSha256 => Some(256),
            Self::EcdsaSha384 => Some(384),
            Self::RsaSha1 | Self::RsaSha256 | Self::RsaSha384 | Self::RsaSha512 => None,
        }
    }
}

/// The digest methods that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DigestMethod(&'static str);

impl DigestMethod {
    pub(crate) fn is_weak(self) -> bool {
        self.0 == uri::SHA1
    }

    pub(crate) fn compute(self, data: &[u8]) -> Vec<u8> {
        let algorithm = match self.0 {
            uri::SHA1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            uri::SHA384 => &digest::SHA384,
            uri::SHA512 => &digest::SHA512,
            _ => &digest::SHA256,
        };
        digest::digest(algorithm, data).as_ref().to_vec()
    }
}

/// The parts of a signature that has the right structure.
pub(crate) struct SignatureElement<'a> {
    pub(crate) node: Node<'a, 'a>,
    pub(crate) signed_info: Node<'a, 'a>,
    pub(crate) signed_info_form: C14n,
    pub(crate) method: Method,
    pub(crate) reference_form: C14n,
    pub(crate) digest: DigestMethod,
    pub(crate) digest_value: Vec<u8>,
    pub(crate) signature_value: Vec<u8>,
    pub(crate) key_info: Node<'a, 'a>,
    pub(crate) certificates: Vec<Vec<u8>>,
    key_value: Option<(Vec<u8>, Vec<u8>)>,
}

pub(crate) fn is_ds(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element()
        && node.tag_name().namespace() == Some(uri::DS)
        && node.tag_name().name() == name
}

/// A broken rule, with its place.
pub(crate) fn refuse(node: Node<'_, '_>, reason: impl Into<String>) -> SignatureError {
    let (line, column) = place(node);
    SignatureError::Profile { reason: reason.into(), line, column }
}

impl<'a> SignatureElement<'a> {
    pub(crate) fn read(document: &'a Document<'a>) -> Result<Self, SignatureError> {
        let node = only_signature(document)?;
        let names = ["SignedInfo", "SignatureValue", "KeyInfo"];
        let [signed_info, value, key_info] = exactly(node, names)?;
        let names = ["CanonicalizationMethod", "SignatureMethod", "Reference"];
        let [form, method, reference] = exactly(signed_info, names)?;
        without_children(form)?;
        without_children(method)?;
        let (reference_form, digest, digest_value) = read_reference(reference)?;
        let (certificates, key_value) = read_key_info(key_info)?;
        let signed_info_form = C14n::from_uri(algorithm(form)?)
            .ok_or_else(|| refuse(form, "this CanonicalizationMethod is not accepted"))?;
        let method = method_of(method)?;
        if key_value.is_some() && method != Method::RsaSha1 {
            return Err(refuse(key_info, "KeyInfo may hold only X509Data"));
        }
        Ok(Self {
            node,
            signed_info,
            signed_info_form,
            method,
            reference_form,
            digest,
            digest_value,
            signature_value: base64(value)?,
            key_info,
            certificates,
            key_value,
        })
    }

    /// A bare key beside the certificate, which only old documents have.
    pub(crate) fn check_key_value(
        &self,
        modulus: &[u8],
        exponent: &[u8],
    ) -> Result<(), SignatureError> {
        match &self.key_value {
            None => Ok(()),
            Some((m, e)) if trim(m) == modulus && trim(e) == exponent => Ok(()),
            Some(_) => {
                Err(refuse(self.key_info, "the KeyValue is another key than the certificate's"))
            }
        }
    }
}

fn only_signature<'a>(document: &'a Document<'a>) -> Result<Node<'a, 'a>, SignatureError> {
    let mut all = document.descendants().filter(|n| is_ds(*n, "Signature"));
    let node = all.next().ok_or(SignatureError::Absent)?;
    if let Some(second) = all.next() {
        return Err(refuse(second, "there is more than one signature"));
    }
    if node.parent() != Some(document.root_element()) {
        return Err(refuse(node, "the signature is not a child of the root element"));
    }
    Ok(node)
}

/// The children of a node, which must be exactly these.
fn exactly<'a, const N: usize>(
    node: Node<'a, 'a>,
    names: [&str; N],
) -> Result<[Node<'a, 'a>; N], SignatureError> {
    let children: Vec<Node<'a, 'a>> = node.children().filter(Node::is_element).collect();
    let right = children.len() == N && children.iter().zip(names).all(|(c, name)| is_ds(*c, name));
    let wrong = || {
        refuse(node, format!("{} must hold exactly {}", node.tag_name().name(), names.join(", ")))
    };
    if right { children.try_into().map_err(|_| wrong()) } else { Err(wrong()) }
}

fn without_children(node: Node<'_, '_>) -> Result<(), SignatureError> {
    if node.children().any(|c| c.is_element()) {
        return Err(refuse(node, format!("{} may not have parameters", node.tag_name().name())));
    }
    Ok(())
}

/// An attribute in no namespace. The tree's own `attribute(name)` takes one of any namespace.
fn plain_attribute<'a>(node: Node<'a, 'a>, name: &str) -> Option<&'a str> {
    node.attributes().find(|a| a.namespace().is_none() && a.name() == name).map(|a| a.value())
}

fn algorithm<'a>(node: Node<'a, 'a>) -> Result<&'a str, SignatureError> {
    plain_attribute(node, "Algorithm")
        .ok_or_else(|| refuse(node, format!("{} has no Algorithm", node.tag_name().name())))
}

fn method_of(node: Node<'_, '_>) -> Result<Method, SignatureError> {
    let uri = algorithm(node)?;
    Method::ALL
        .into_iter()
        .find(|m| m.uri() == uri)
        .ok_or_else(|| refuse(node, "this SignatureMethod is not accepted"))
}

fn read_reference(node: Node<'_, '_>) -> Result<(C14n, DigestMethod, Vec<u8>), SignatureError> {
    if plain_attribute(node, "URI") != Some("") || node.attributes().len() != 1 {
        return Err(refuse(
            node,
            "the Reference must be to the whole document: URI=\"\" and nothing else",
        ));
    }
    let [transforms, method, value] = exactly(node, ["Transforms", "DigestMethod", "DigestValue"])?;
    without_children(method)?;
    let digest = [uri::SHA1, uri::SHA256, uri::SHA384, uri::SHA512]
        .into_iter()
        .find(|known| algorithm(method) == Ok(known))
        .ok_or_else(|| refuse(method, "this DigestMethod is not accepted"))?;
    Ok((transform_form(transforms)?, DigestMethod(digest), base64(value)?))
}

/// Enveloped-signature, then at most one canonicalization; without one it is the inclusive form.
fn transform_form(node: Node<'_, '_>) -> Result<C14n, SignatureError> {
    let wrong =
        || refuse(node, "the Transforms must be enveloped-signature and one canonicalization");
    let mut uris = Vec::new();
    for child in node.children().filter(Node::is_element) {
        if !is_ds(child, "Transform") {
            return Err(wrong());
        }
        without_children(child)?;
        uris.push(algorithm(child)?);
    }
    match uris.as_slice() {
        [uri::ENVELOPED] => Ok(C14n::INCLUSIVE),
        [uri::ENVELOPED, form] => C14n::from_uri(form).ok_or_else(wrong),
        _ => Err(wrong()),
    }
}

type KeyValue = Option<(Vec<u8>, Vec<u8>)>;

fn read_key_info(node: Node<'_, '_>) -> Result<(Vec<Vec<u8>>, KeyValue), SignatureError> {
    let (mut certificates, mut key_value) = (Vec::new(), None);
    let mut data = 0;
    for child in node.children().filter(Node::is_element) {
        if is_ds(child, "X509Data") && data == 0 {
            data += 1;
            for entry in child.children().filter(Node::is_element) {
                if is_ds(entry, "X509Certificate") {
                    certificates.push(base64(entry)?);
                } else {
                    check_name_of_certificate(entry)?;
                }
            }
        } else if is_ds(child, "KeyValue") && key_value.is_none() {
            let [rsa] = exactly(child, ["RSAKeyValue"])?;
            let [modulus, exponent] = exactly(rsa, ["Modulus", "Exponent"])?;
            key_value = Some((base64(modulus)?, base64(exponent)?));
        } else {
            return Err(refuse(child, "KeyInfo may hold only one X509Data"));
        }
    }
    if certificates.is_empty() {
        return Err(refuse(node, "there is no X509Certificate"));
    }
    if certificates.len() > CHAIN_LIMIT {
        return Err(refuse(node, format!("there are more than {CHAIN_LIMIT} certificates")));
    }
    Ok((certificates, key_value))
}

/// Names of the certificate again. Nobody decides by them, and nothing else hides in them.
fn check_name_of_certificate(node: Node<'_, '_>) -> Result<(), SignatureError> {
    if is_ds(node, "X509SubjectName") || is_ds(node, "X509SKI") {
        without_children(node)
    } else if is_ds(node, "X509IssuerSerial") {
        let parts = exactly(node, ["X509IssuerName", "X509SerialNumber"])?;
        parts.into_iter().try_for_each(without_children)
    } else {
        Err(refuse(node, "X509Data may hold only certificates and their names"))
    }
}

fn base64(node: Node<'_, '_>) -> Result<Vec<u8>, SignatureError> {
    if node.children().any(|c| !c.is_text()) {
        return Err(refuse(node, "there is markup inside a base64 value"));
    }
    let text = node.text().unwrap_or_default();
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '\t' | '\r' | '\n')).collect();
    STANDARD.decode(digits).map_err(|_| refuse(node, "this is not base64"))
}
