//! The zoo of attacks on XML signatures: one case each, with the exact answer. Nothing is ever taken out.
//!
//! Most begin with a good document and change one thing. Where an attacker would have a key of his own,
//! `xmlsec1` signs what it is told to, so that the mathematics are right and only the rule is broken.

use crate::workshop::{
    ECDSA_SHA256, ECDSA_SHA384, ENVELOPED, EXCLUSIVE, INCLUSIVE, ISSUED, MALLORY, MANIFEST, P256,
    P384, RSA, RSA_1024, RSA_SHA1, RSA_SHA256, SHA1, SHA256, Signer, Template, change, good,
    mismatch, not_xml, part, refused, sign_with_hmac, signature_of, transform, value,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::*;
use std::sync::LazyLock;
use stratus_dsig::{SignError, SignatureError, Strength, sign, verify};

const WHOLE: &str = "the Reference must be to the whole document: URI=\"\" and nothing else";
const PARTS: &str = "Signature must hold exactly SignedInfo, SignatureValue, KeyInfo";
const INFO: &str =
    "SignedInfo must hold exactly CanonicalizationMethod, SignatureMethod, Reference";
const TRANSFORMS: &str = "the Transforms must be enveloped-signature and one canonicalization";

fn signed() -> String {
    P256.sign(MANIFEST)
}

/// A document that nobody signed.
const EVIL: &str = "<manifest xmlns=\"urn:stratus:manifest:1\"><type>evil</type>HERE</manifest>";

fn without_declaration(xml: &str) -> &str {
    xml.split_once("?>\n").expect("there is a declaration").1
}

// Wrapping: the signature is right, for something else than what is read.

#[test]
fn the_signed_document_moved_into_an_object() {
    let good = signed();
    let signature = signature_of(&good);
    let original = without_declaration(&good).replace(signature, "");
    let object = format!("<ds:Object>{original}</ds:Object></ds:Signature>");
    let wrapped = change(signature, "</ds:Signature>", &object);
    assert_eq!(refused(&EVIL.replace("HERE", &wrapped)), PARTS);
}

#[test]
fn the_signed_document_below_another_root() {
    let evil = EVIL.replace("HERE", without_declaration(&signed()));
    assert_eq!(refused(&evil), "the signature is not a child of the root element");
}

#[test]
fn the_signature_lent_to_another_document() {
    let good = signed();
    assert_eq!(mismatch(&EVIL.replace("HERE", signature_of(&good))), "digest");
}

#[test]
fn the_signature_deeper_than_where_it_was() {
    let good = signed();
    let deeper = format!("<comment>{}</comment>", signature_of(&good));
    let moved = change(&good, signature_of(&good), &deeper);
    assert_eq!(refused(&moved), "the signature is not a child of the root element");
}

#[test]
fn the_signature_around_the_document() {
    let good = signed();
    let signature = signature_of(&good);
    let inside = without_declaration(&good).replace(signature, "");
    let around = change(signature, "</ds:Signature>", &format!("{inside}</ds:Signature>"));
    assert_eq!(refused(&around), "the signature is not a child of the root element");
}

#[test]
fn the_signature_moved_to_the_front() {
    let good = signed();
    let signature = signature_of(&good).to_owned();
    let moved = change(&good.replace(&signature, ""), "<type>", &format!("{signature}<type>"));
    // The canonical document is the same one: nothing that is signed has moved.
    assert_eq!(crate::workshop::good(&moved).canonical, crate::workshop::good(&good).canonical);
}

#[test]
fn the_signed_element_found_by_an_id_that_is_there_twice() {
    let manifest = change(MANIFEST, "<type>", "<type xml:id=\"signed\">");
    let template =
        Template { manifest, reference: "URI=\"#signed\"", ..Template::of(ECDSA_SHA256) };
    let by_id = P256.sign_with_xmlsec(&template);
    assert_eq!(refused(&by_id), WHOLE);
    let twice = change(&by_id, "<bytes>", "<type xml:id=\"signed\">evil</type><bytes>");
    assert_eq!(refused(&twice), WHOLE);
}

#[test]
fn a_document_hidden_among_the_names_of_the_certificate() {
    let name = format!("<ds:X509SubjectName>{MANIFEST}</ds:X509SubjectName></ds:X509Data>");
    let name = name.replace("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", "");
    let hidden = change(&signed(), "</ds:X509Data>", &name);
    assert_eq!(refused(&hidden), "X509SubjectName may not have parameters");
    let foreign = "<evil:X509SKI xmlns:evil=\"urn:evil\"/></ds:X509Data>";
    let foreign = change(&signed(), "</ds:X509Data>", foreign);
    assert_eq!(refused(&foreign), "X509Data may hold only certificates and their names");
}

#[test]
fn the_names_of_the_certificate_say_nothing() {
    let names = "<ds:X509SubjectName>CN=evil</ds:X509SubjectName><ds:X509SKI>AAAA</ds:X509SKI>\
        <ds:X509IssuerSerial><ds:X509IssuerName>CN=evil</ds:X509IssuerName>\
        <ds:X509SerialNumber>1</ds:X509SerialNumber></ds:X509IssuerSerial></ds:X509Data>";
    let named = change(&signed(), "</ds:X509Data>", names);
    assert_eq!(good(&named).certificates, [P256.der()]);
}

#[test]
fn a_second_child_of_the_root() {
    let more = change(&signed(), "</type>", "</type><type>evil</type>");
    assert_eq!(mismatch(&more), "digest");
}

#[test]
fn a_second_child_of_the_root_behind_the_signature() {
    let more = change(&signed(), "</ds:Signature>", "</ds:Signature><type>evil</type>");
    assert_eq!(mismatch(&more), "digest");
}

#[test]
fn a_second_root() {
    let two = signed() + "<manifest/>";
    assert_eq!(not_xml(&two), "unknown token at 40:1");
}

#[test]
fn the_elements_in_another_order() {
    let one = part(MANIFEST, "<type>", "</type>");
    let two = part(MANIFEST, "<bytes>", "</bytes>");
    let swapped = change(&change(&signed(), one, "@"), two, one).replace('@', two);
    assert_eq!(mismatch(&swapped), "digest");
}

// More than one, or less.

#[test]
fn two_signatures() {
    let good = signed();
    let signature = signature_of(&good);
    let twice = change(&good, signature, &format!("{signature}{signature}"));
    assert_eq!(refused(&twice), "there is more than one signature");
}

#[test]
fn a_signature_inside_the_signature() {
    let good = signed();
    let inner = format!("{}</ds:KeyInfo>", signature_of(&good));
    assert_eq!(
        refused(&change(&good, "</ds:KeyInfo>", &inner)),
        "there is more than one signature"
    );
}

#[test]
fn a_signature_under_another_prefix() {
    let good = signed();
    let signature = signature_of(&good);
    let other = signature.replace("ds:", "s:").replace(":ds", ":s");
    let both = change(&good, signature, &format!("{signature}{other}"));
    assert_eq!(refused(&both), "there is more than one signature");
}

#[test]
fn no_signature() {
    assert_eq!(verify(MANIFEST), Err(SignatureError::Absent));
}

#[test]
fn a_signature_in_another_namespace() {
    let other = change(&signed(), "2000/09/xmldsig#\">", "2000/09/xmldsig\">");
    assert_eq!(verify(&other), Err(SignatureError::Absent));
}

#[test]
fn a_document_that_is_signed_already_is_not_signed_again() {
    let again = sign(&signed(), &MALLORY.signing_key(), &[MALLORY.der()]);
    assert_eq!(again, Err(SignError::AlreadySigned));
}

#[test]
fn parts_of_the_signature_left_out_twice_or_in_another_order() {
    let good = signed();
    let number = part(&good, "<ds:SignatureValue>", "</ds:SignatureValue>");
    let keys = part(&good, "<ds:KeyInfo>", "</ds:KeyInfo>");
    let info = part(&good, "<ds:SignedInfo>", "</ds:SignedInfo>");
    for (from, to) in [
        (number, String::new()),
        (number, format!("{number}{number}")),
        (keys, String::new()),
        (keys, format!("{keys}{keys}")),
        (info, format!("{info}{info}")),
        (info, format!("<ds:Object/>{info}")),
        (info, format!("<evil/>{info}")),
        (info, String::new()),
    ] {
        assert_eq!(refused(&change(&good, from, &to)), PARTS);
    }
    let swapped = change(&change(&good, keys, ""), number, &format!("{keys}{number}"));
    assert_eq!(refused(&swapped), PARTS);
}

// References.

#[test]
fn a_reference_to_something_else() {
    for attributes in [
        "URI=\"#signed\"",
        "URI=\"other.xml\"",
        "URI=\"http://example.org/manifest\"",
        "URI=\"#xpointer(/)\"",
        "URI=\" \"",
        "",
        "URI=\"\" Id=\"a\"",
        "URI=\"\" xml:id=\"a\"",
        "URI=\"\" Type=\"http://www.w3.org/2000/09/xmldsig#Object\"",
        "xmlns:x=\"urn:x\" x:URI=\"\"",
    ] {
        assert_eq!(refused(&change(&signed(), "URI=\"\"", attributes)), WHOLE, "{attributes}");
    }
}

#[test]
fn no_reference() {
    let good = signed();
    let reference = part(&good, "<ds:Reference", "</ds:Reference>");
    assert_eq!(refused(&change(&good, reference, "")), INFO);
}

#[test]
fn two_references() {
    let good = signed();
    let reference = part(&good, "<ds:Reference", "</ds:Reference>");
    assert_eq!(refused(&change(&good, reference, &reference.repeat(2))), INFO);
    let other = reference.replace("URI=\"\"", "URI=\"#b\"");
    assert_eq!(refused(&change(&good, reference, &format!("{reference}{other}"))), INFO);
}

// Transforms.

fn with_transforms(transforms: String) -> String {
    P256.sign_with_xmlsec(&Template { transforms, ..Template::of(ECDSA_SHA256) })
}

#[test]
fn an_xpath_transform_that_leaves_something_out() {
    let xpath = "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xpath-19991116\">\
        <ds:XPath>not(ancestor-or-self::ds:Signature or name(..)='type')</ds:XPath></ds:Transform>";
    assert_eq!(refused(&with_transforms(xpath.to_owned())), "Transform may not have parameters");
    let also = transform(ENVELOPED) + xpath + &transform(EXCLUSIVE);
    assert_eq!(refused(&with_transforms(also)), "Transform may not have parameters");
}

#[test]
fn an_xpath_filter_2_transform() {
    let filter = "<ds:Transform Algorithm=\"http://www.w3.org/2002/06/xmldsig-filter2\">\
        <f:XPath xmlns:f=\"http://www.w3.org/2002/06/xmldsig-filter2\" Filter=\"subtract\">//*[name()='type']\
        </f:XPath></ds:Transform>";
    let refused = refused(&with_transforms(transform(ENVELOPED) + filter + &transform(EXCLUSIVE)));
    assert_eq!(refused, "Transform may not have parameters");
}

#[test]
fn an_xslt_transform() {
    let xslt = "<ds:Transform Algorithm=\"http://www.w3.org/TR/1999/REC-xslt-19991116\">\
        <xsl:stylesheet version=\"1.0\" xmlns:xsl=\"http://www.w3.org/1999/XSL/Transform\">\
        <xsl:template match=\"/\">nothing</xsl:template></xsl:stylesheet></ds:Transform>";
    let transforms = transform(ENVELOPED) + xslt + &transform(EXCLUSIVE);
    let template = Template { transforms, ..Template::of(ECDSA_SHA256) };
    assert_eq!(refused(&template.document()), "Transform may not have parameters");
}

#[test]
fn a_base64_transform() {
    let base64 = transform("http://www.w3.org/2000/09/xmldsig#base64");
    for transforms in [transform(ENVELOPED) + &base64, base64] {
        let template = Template { transforms, ..Template::of(ECDSA_SHA256) };
        assert_eq!(refused(&template.document()), TRANSFORMS);
    }
}

#[test]
fn transforms_missing_twice_or_in_another_order() {
    let (enveloped, exclusive) = (transform(ENVELOPED), transform(EXCLUSIVE));
    for transforms in [
        String::new(),
        exclusive.clone(),
        format!("{exclusive}{enveloped}"),
        format!("{enveloped}{enveloped}"),
        format!("{enveloped}{exclusive}{exclusive}"),
        format!("{enveloped}{exclusive}{enveloped}"),
        format!("{enveloped}<evil/>"),
    ] {
        let template = Template { transforms, ..Template::of(ECDSA_SHA256) };
        assert_eq!(refused(&template.document()), TRANSFORMS, "{}", template.transforms);
    }
}

#[test]
fn prefixes_that_the_canonical_form_is_told_to_keep() {
    let inclusive = "<ec:InclusiveNamespaces PrefixList=\"ds\" \
        xmlns:ec=\"http://www.w3.org/2001/10/xml-exc-c14n#\"/></ds:Transform>";
    let transforms =
        transform(ENVELOPED) + &format!("<ds:Transform Algorithm=\"{EXCLUSIVE}\">{inclusive}");
    assert_eq!(refused(&with_transforms(transforms)), "Transform may not have parameters");
}

#[test]
fn parameters_of_the_other_algorithms() {
    for name in ["CanonicalizationMethod", "SignatureMethod", "DigestMethod"] {
        let end = format!("</ds:{name}>");
        let with = change(&signed(), &end, &format!("<evil/>{end}"));
        assert_eq!(refused(&with), format!("{name} may not have parameters"));
    }
}

// Algorithms.

#[test]
fn algorithms_that_nobody_knows() {
    let good = signed();
    let method = part(&good, "<ds:SignatureMethod", ">");
    let digest = part(&good, "<ds:DigestMethod", ">");
    let form = part(&good, "<ds:CanonicalizationMethod", ">");
    for uri in [
        "urn:unknown",
        "",
        " http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
        "HTTP://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
        "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
        "http://www.w3.org/2001/04/xmldsig-more#md5",
        "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha1",
        "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1",
        "http://www.w3.org/2006/12/xml-c14n11",
    ] {
        let with = |tag: &str| {
            let start = tag.split_once('"').expect("an attribute").0;
            change(&good, tag, &format!("{start}\"{uri}\">"))
        };
        assert_eq!(refused(&with(method)), "this SignatureMethod is not accepted", "{uri}");
        assert_eq!(refused(&with(digest)), "this DigestMethod is not accepted", "{uri}");
        assert_eq!(refused(&with(form)), "this CanonicalizationMethod is not accepted", "{uri}");
    }
}

#[test]
fn an_algorithm_that_is_not_named() {
    let good = signed();
    let method = part(&good, "<ds:SignatureMethod", ">");
    let nameless = change(&good, method, "<ds:SignatureMethod>");
    assert_eq!(refused(&nameless), "SignatureMethod has no Algorithm");
    let foreign = method.replace("Algorithm", "xmlns:x=\"urn:x\" x:Algorithm");
    assert_eq!(refused(&change(&good, method, &foreign)), "SignatureMethod has no Algorithm");
}

#[test]
fn an_sha_1_digest_is_weak() {
    let document = P256.sign_with_xmlsec(&Template { digest: SHA1, ..Template::of(ECDSA_SHA256) });
    let strength = good(&document).strength;
    assert_eq!(strength, Strength::Weak("covers a SHA-1 digest, which proves nothing any more"));
}

#[test]
fn an_sha_1_signature_is_weak() {
    let document = RSA.sign_with_xmlsec(&Template::of(RSA_SHA1));
    let strength = good(&document).strength;
    let why = "was made with rsa-sha1, which proves nothing any more";
    assert_eq!(strength, Strength::Weak(why));
    let document = RSA_1024.sign_with_xmlsec(&Template::of(RSA_SHA1));
    assert_eq!(good(&document).strength, Strength::Weak(why));
}

#[test]
fn an_md5_digest() {
    let document = change(&signed(), SHA256, "http://www.w3.org/2001/04/xmldsig-more#md5");
    assert_eq!(refused(&document), "this DigestMethod is not accepted");
}

#[test]
fn an_rsa_key_below_2048_bits() {
    let document = RSA_1024.sign_with_xmlsec(&Template::of(RSA_SHA256));
    assert_eq!(refused(&document), "RSA keys below 2048 bits are not accepted");
    let almost = Signer::new("almost", &["rsa:2047"]).sign_with_xmlsec(&Template::of(RSA_SHA256));
    assert_eq!(refused(&almost), "RSA keys below 2048 bits are not accepted");
}

#[test]
fn a_key_too_short_to_sign_anything_old() {
    let document = Signer::new("tiny", &["rsa:768"]).sign_with_xmlsec(&Template::of(RSA_SHA1));
    assert_eq!(mismatch(&document), "signature");
}

#[test]
fn the_public_key_as_the_secret_of_an_hmac() {
    for method in [
        "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
        "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
    ] {
        let template = Template { key_info: "", ..Template::of(method) };
        let forged = sign_with_hmac(&template, &RSA.certificate);
        let keys = part(&signed(), "<ds:KeyInfo>", "</ds:KeyInfo>").to_owned();
        let forged = change(&forged, part(&forged, "<ds:KeyInfo", ">"), &keys);
        let forged = forged.replace("</ds:KeyInfo></ds:KeyInfo>", "</ds:KeyInfo>");
        assert_eq!(refused(&forged), "this SignatureMethod is not accepted");
    }
}

#[test]
fn an_hmac_cut_to_nothing() {
    let good = signed();
    let method = part(&good, "<ds:SignatureMethod", "</ds:SignatureMethod>");
    let cut = "<ds:SignatureMethod Algorithm=\"http://www.w3.org/2000/09/xmldsig#hmac-sha1\">\
        <ds:HMACOutputLength>0</ds:HMACOutputLength></ds:SignatureMethod>";
    assert_eq!(refused(&change(&good, method, cut)), "SignatureMethod may not have parameters");
}

#[test]
fn a_signature_method_for_another_kind_of_key() {
    let fit = "the certificate's key does not fit the SignatureMethod";
    assert_eq!(refused(&change(&signed(), ECDSA_SHA256, RSA_SHA256)), fit);
    assert_eq!(refused(&change(&RSA.sign(MANIFEST), RSA_SHA256, ECDSA_SHA256)), fit);
    let p384 = P384.sign(MANIFEST);
    assert_eq!(refused(&change(&p384, ECDSA_SHA384, ECDSA_SHA256)), fit);
    assert_eq!(refused(&change(&signed(), ECDSA_SHA256, ECDSA_SHA384)), fit);
}

#[test]
fn a_canonical_form_with_comments_is_weak() {
    let form = crate::workshop::EXCLUSIVE_COMMENTS;
    let document = P256.sign_with_xmlsec(&Template { form, ..Template::of(ECDSA_SHA256) });
    let why = "names the canonical form with comments, which is not that of manifests";
    assert_eq!(good(&document).strength, Strength::Weak(why));
}

#[test]
fn the_inclusive_canonical_form_is_weak() {
    let why = Strength::Weak("covers the inclusive canonical form, which only old documents have");
    let template = Template { form: INCLUSIVE, ..Template::of(ECDSA_SHA256) };
    assert_eq!(good(&P256.sign_with_xmlsec(&template)).strength, why);
    assert_eq!(good(&with_transforms(transform(ENVELOPED) + &transform(INCLUSIVE))).strength, why);
    assert_eq!(good(&with_transforms(transform(ENVELOPED))).strength, why);
    assert_eq!(
        good(&with_transforms(Template::of(ECDSA_SHA256).transforms)).strength,
        Strength::Strong
    );
}

// Keys.

fn certificate(signer: &Signer) -> String {
    let text = STANDARD.encode(signer.der());
    format!("<ds:X509Certificate>{text}</ds:X509Certificate>")
}

fn with_certificates(certificates: &str) -> String {
    let good = ISSUED.sign(MANIFEST);
    change(&good, part(&good, "<ds:X509Certificate>", "</ds:X509Certificate>"), certificates)
}

#[test]
fn the_key_itself_beside_the_certificate() {
    let key = "<ds:KeyValue><ds:RSAKeyValue><ds:Modulus>AQAB</ds:Modulus>\
        <ds:Exponent>AQAB</ds:Exponent></ds:RSAKeyValue></ds:KeyValue>";
    let add = |xml: &str| change(xml, "<ds:KeyInfo>", &format!("<ds:KeyInfo>{key}"));
    assert_eq!(refused(&add(&RSA.sign(MANIFEST))), "KeyInfo may hold only X509Data");
    let old = add(&RSA.sign_with_xmlsec(&Template::of(RSA_SHA1)));
    assert_eq!(refused(&old), "the KeyValue is another key than the certificate's");
    assert_eq!(refused(&add(&signed())), "KeyInfo may hold only X509Data");
}

#[test]
fn the_right_key_beside_the_certificate_of_an_old_document() {
    let key_info = "<ds:KeyValue/><ds:X509Data/>";
    let old = Template { key_info, ..Template::of(RSA_SHA1) };
    assert!(matches!(good(&RSA.sign_with_xmlsec(&old)).strength, Strength::Weak(_)));
    let new = Template { key_info, ..Template::of(RSA_SHA256) };
    assert_eq!(refused(&RSA.sign_with_xmlsec(&new)), "KeyInfo may hold only X509Data");
}

#[test]
fn a_key_without_certificate() {
    let template = Template { key_info: "<ds:KeyValue/>", ..Template::of(RSA_SHA256) };
    assert_eq!(refused(&RSA.sign_with_xmlsec(&template)), "there is no X509Certificate");
    assert_eq!(refused(&with_certificates("")), "there is no X509Certificate");
}

#[test]
fn a_key_known_by_name_or_to_be_fetched() {
    let good = signed();
    let data = part(&good, "<ds:X509Data>", "</ds:X509Data>");
    for hint in [
        "<ds:KeyName>p256</ds:KeyName>",
        "<ds:RetrievalMethod URI=\"http://example.org/key\"/>",
        "<ds:PGPData/>",
        "<evil/>",
        data,
    ] {
        let hinted = change(&good, data, &format!("{data}{hint}"));
        assert_eq!(refused(&hinted), "KeyInfo may hold only one X509Data", "{hint}");
    }
}

#[test]
fn the_certificate_of_somebody_else() {
    assert_eq!(mismatch(&with_certificates(&certificate(&P256))), "signature");
    assert_eq!(mismatch(&with_certificates(&certificate(&MALLORY))), "signature");
}

#[test]
fn the_chain_in_order() {
    let both = certificate(&ISSUED) + &certificate(&P256);
    assert_eq!(good(&with_certificates(&both)).certificates, [ISSUED.der(), P256.der()]);
}

#[test]
fn the_chain_in_another_order_or_with_strangers() {
    let chain = "the certificates are not one chain with the signer first";
    let (leaf, issuer, other) = (certificate(&ISSUED), certificate(&P256), certificate(&MALLORY));
    for certificates in [
        format!("{issuer}{leaf}"),
        format!("{other}{leaf}"),
        format!("{leaf}{other}"),
        format!("{leaf}{other}{issuer}"),
        format!("{leaf}{leaf}"),
    ] {
        assert_eq!(refused(&with_certificates(&certificates)), chain);
    }
}

#[test]
fn more_certificates_than_any_chain_has() {
    let many = certificate(&ISSUED) + &certificate(&P256).repeat(10);
    assert_eq!(refused(&with_certificates(&many)), "there are more than 10 certificates");
}

#[test]
fn a_certificate_that_is_none() {
    let element =
        |der: &[u8]| format!("<ds:X509Certificate>{}</ds:X509Certificate>", STANDARD.encode(der));
    let der = ISSUED.der();
    let longer = [&der[..], b"more"].concat();
    let behind = "there are bytes behind a certificate";
    assert_eq!(refused(&with_certificates(&element(&longer))), behind);
    for wrong in
        [&der[..der.len() - 1], b"", b"0", &[0x30, 0x80], &[0x30, 0x84, 255, 255, 255, 255]]
    {
        let refused = refused(&with_certificates(&element(wrong)));
        assert_eq!(refused, "a certificate cannot be read", "{wrong:?}");
    }
}

#[test]
fn nothing_is_signed_without_the_certificate_of_the_key() {
    let key = P256.signing_key();
    assert_eq!(sign(MANIFEST, &key, &[]), Err(SignError::NoCertificate));
    assert_eq!(sign(MANIFEST, &key, &[b"no certificate".to_vec()]), Err(SignError::NoCertificate));
    assert_eq!(sign(MANIFEST, &key, &[MALLORY.der()]), Err(SignError::KeyMismatch));
    assert_eq!(sign(MANIFEST, &key, &[MALLORY.der(), P256.der()]), Err(SignError::KeyMismatch));
    assert_eq!(sign("<manifest/>", &key, &[P256.der()]), Err(SignError::Empty));
}

#[test]
fn a_chain_in_disorder_is_not_signed() {
    let chain = [ISSUED.der(), MALLORY.der()];
    let refused = sign(MANIFEST, &ISSUED.signing_key(), &chain);
    assert!(matches!(refused, Err(SignError::Document(SignatureError::Profile { .. }))));
    let chain = [ISSUED.der(), P256.der()];
    let signed = sign(MANIFEST, &ISSUED.signing_key(), &chain).expect("a chain in order");
    assert_eq!(good(&signed).certificates, chain);
}

// Text.

#[test]
fn a_comment_inside_a_text_does_not_cut_it() {
    let whole = "<location>https://example.org/image</location>";
    let cut = change(&signed(), whole, "<location>https://example.org<!-- -->/image</location>");
    let read = good(&cut);
    assert!(read.canonical.contains(whole), "{}", read.canonical);
    assert!(!read.canonical.contains("<!--"));
    // The other way round: signed with a comment, which is then taken out.
    let document = P256.sign(&change(MANIFEST, "example.org", "example.org<!--.evil-->"));
    assert!(good(&document).canonical.contains(whole));
    assert!(good(&change(&document, "<!--.evil-->", "")).canonical.contains(whole));
}

#[test]
fn a_comment_outside_of_the_root() {
    let more = signed().replace("<manifest", "<!-- a --><manifest") + "<!-- b -->";
    assert_eq!(good(&more).canonical, good(&signed()).canonical);
}

#[test]
fn markup_inside_a_base64_value() {
    let good = signed();
    for name in ["DigestValue", "SignatureValue", "X509Certificate"] {
        let text = value(&good, name);
        let (half, rest) = text.split_at(8);
        for markup in ["<!-- -->", "<?say?>", "<evil/>", "<evil>AAAA</evil>"] {
            let cut = change(&good, text, &format!("{half}{markup}{rest}"));
            assert_eq!(refused(&cut), "there is markup inside a base64 value", "{name} {markup}");
        }
    }
}

#[test]
fn comments_between_the_parts_of_the_signature() {
    let spoken = signed().replace("<ds:", "<!-- < --><ds:");
    assert_eq!(good(&spoken).canonical, good(&signed()).canonical);
}

#[test]
fn a_comment_in_signed_info_is_signed_where_the_form_keeps_comments() {
    let form = crate::workshop::EXCLUSIVE_COMMENTS;
    let transforms = "<!-- kept\n-->".to_owned() + &Template::of("").transforms;
    let template = Template { form, transforms, ..Template::of(ECDSA_SHA256) };
    let document = P256.sign_with_xmlsec(&template);
    assert!(matches!(good(&document).strength, Strength::Weak(_)));
    assert_eq!(mismatch(&change(&document, "kept", "lost")), "signature");
    // And elsewhere it is not.
    let document = P256.sign_with_xmlsec(&Template { form: EXCLUSIVE, ..template });
    assert_eq!(good(&change(&document, "kept", "lost")).strength, Strength::Strong);
}

#[test]
fn cdata_and_character_references_spell_the_same_text() {
    let spelled = change(&signed(), ">base<", "><![CDATA[ba]]>&#115;&#x65;<");
    assert_eq!(good(&spelled).canonical, good(&signed()).canonical);
}

#[test]
fn white_space_changed_in_the_document() {
    for (from, to) in [
        ("  <bytes>", " <bytes>"),
        ("  <bytes>", "\t<bytes>"),
        (">base<", ">base <"),
        ("</type>\n", "</type>&#13;\n"),
        ("</ds:Signature>\n", "</ds:Signature>"),
        ("</ds:Signature>\n", "</ds:Signature>\u{a0}\n"),
    ] {
        assert_eq!(mismatch(&change(&signed(), from, to)), "digest", "{to:?}");
    }
}

#[test]
fn white_space_changed_in_signed_info() {
    let changed = change(&signed(), "<ds:DigestMethod", " <ds:DigestMethod");
    assert_eq!(mismatch(&changed), "signature");
}

#[test]
fn white_space_that_no_parser_keeps() {
    let same = good(&signed()).canonical;
    for (from, to) in [
        ("</type>", "</type\n >"),
        ("<type>", "<type  >"),
        ("algorithm=\"SHA-256\"", "\n\talgorithm  = 'SHA-256'  "),
        ("</manifest>\n", "</manifest>\n\n\n"),
        ("<ds:DigestMethod ", "<ds:DigestMethod   "),
    ] {
        assert_eq!(good(&change(&signed(), from, to)).canonical, same, "{to:?}");
    }
    assert_eq!(good(&signed().replace('\n', "\r\n")).canonical, same);
}

#[test]
fn attributes_in_another_order() {
    let (one, two) = ("algorithm=\"SHA-256\"", "encoding=\"hex\"");
    let turned = change(&signed(), &format!("{one} {two}"), &format!("{two} {one}"));
    assert_eq!(good(&turned).canonical, good(&signed()).canonical);
}

#[test]
fn an_attribute_changed_added_or_left_out() {
    for (from, to) in [
        ("encoding=\"hex\"", "encoding=\"hex \""),
        ("encoding=\"hex\"", "encoding=\"hex\" more=\"\""),
        (" encoding=\"hex\"", ""),
    ] {
        assert_eq!(mismatch(&change(&signed(), from, to)), "digest", "{to:?}");
    }
}

#[test]
fn an_attribute_that_is_there_twice() {
    let twice = change(&signed(), "encoding=\"hex\"", "encoding=\"hex\" encoding=\"hex\"");
    assert_eq!(not_xml(&twice), "attribute 'encoding' at 5:48 is already defined");
}

// Document types, entities, instructions.

#[test]
fn a_document_type() {
    let refused = "XML with DTD detected";
    for declaration in [
        "<!DOCTYPE manifest>",
        "<!DOCTYPE manifest SYSTEM \"http://example.org/evil.dtd\">",
        "<!DOCTYPE manifest [<!ENTITY a \"b\">]>",
        "<!DOCTYPE manifest [<!ATTLIST type evil CDATA \"yes\">]>",
    ] {
        let typed = change(&signed(), "<manifest", &format!("{declaration}<manifest"));
        assert_eq!(not_xml(&typed), refused, "{declaration}");
    }
}

#[test]
fn entities_that_explode_or_come_from_a_file() {
    for entity in ["<!ENTITY a SYSTEM \"file:///etc/passwd\">", "<!ENTITY a \"&b;&b;&b;\">"] {
        let text = format!("<!DOCTYPE manifest [{entity}]><manifest");
        let document = change(&signed(), "<manifest", &text).replace(">base<", ">&a;<");
        assert_eq!(not_xml(&document), "XML with DTD detected");
    }
    let unknown = change(&signed(), ">base<", ">&a;<");
    assert_eq!(not_xml(&unknown), "unknown entity reference 'a' at 3:9");
}

#[test]
fn a_processing_instruction_in_the_document() {
    let more = change(&signed(), "<type>", "<?evil?><type>");
    assert_eq!(mismatch(&more), "digest");
    let before = change(&signed(), "<manifest", "<?xml-stylesheet href='evil'?><manifest");
    assert_eq!(mismatch(&before), "digest");
    assert_eq!(mismatch(&(signed() + "<?evil?>")), "digest");
    let inside = change(&signed(), "<ds:Reference", "<?evil?><ds:Reference");
    assert_eq!(mismatch(&inside), "signature");
}

#[test]
fn a_processing_instruction_beside_the_signed_parts_says_nothing() {
    let more = change(&signed(), "<ds:KeyInfo>", "<?evil?><ds:KeyInfo>");
    assert_eq!(good(&more).canonical, good(&signed()).canonical);
}

// Values.

/// The same document with other bytes in its signature value.
fn with_signature_value(xml: &str, change_bytes: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let text = value(xml, "SignatureValue");
    let digits: String = text.split_whitespace().collect();
    let bytes = change_bytes(STANDARD.decode(digits).expect("base64"));
    change(xml, text, &STANDARD.encode(bytes))
}

#[test]
fn a_signature_value_with_one_bit_changed() {
    for good in [signed(), RSA.sign(MANIFEST), P384.sign(MANIFEST)] {
        for at in [0, 10, 63] {
            let changed = with_signature_value(&good, |mut bytes| {
                bytes[at] ^= 1;
                bytes
            });
            assert_eq!(mismatch(&changed), "signature");
        }
    }
}

#[test]
fn a_signature_value_of_another_length() {
    for good in [signed(), RSA.sign(MANIFEST), P384.sign(MANIFEST)] {
        let shorter = |bytes: Vec<u8>| bytes[..bytes.len() - 1].to_vec();
        let longer = |bytes: Vec<u8>| [&bytes[..], &[0]].concat();
        let padded = |bytes: Vec<u8>| [&[0], &bytes[..]].concat();
        let half = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
        assert_eq!(mismatch(&with_signature_value(&good, shorter)), "signature");
        assert_eq!(mismatch(&with_signature_value(&good, longer)), "signature");
        assert_eq!(mismatch(&with_signature_value(&good, padded)), "signature");
        assert_eq!(mismatch(&with_signature_value(&good, half)), "signature");
        assert_eq!(mismatch(&with_signature_value(&good, |_| Vec::new())), "signature");
    }
}

#[test]
fn an_ecdsa_signature_of_zeros() {
    for good in [signed(), P384.sign(MANIFEST)] {
        let zeros = with_signature_value(&good, |bytes| vec![0; bytes.len()]);
        assert_eq!(mismatch(&zeros), "signature");
        let ones = with_signature_value(&good, |bytes| vec![255; bytes.len()]);
        assert_eq!(mismatch(&ones), "signature");
    }
}

#[test]
fn an_ecdsa_signature_in_der() {
    let der = with_signature_value(&signed(), |bytes| {
        // Always with a zero in front: an INTEGER of 33 bytes.
        let number = |half: &[u8]| [&[2, 33, 0], half].concat();
        let both = [number(&bytes[..32]), number(&bytes[32..])].concat();
        [&[0x30, 70], &both[..]].concat()
    });
    assert_eq!(mismatch(&der), "signature");
}

#[test]
fn a_digest_value_changed() {
    let good = signed();
    let text = value(&good, "DigestValue");
    let bytes = STANDARD.decode(text).expect("base64");
    for other in [&[0; 32][..], &bytes[..31], &[], &[&bytes[..], &[0]].concat()] {
        assert_eq!(mismatch(&change(&good, text, &STANDARD.encode(other))), "digest");
    }
}

#[test]
fn white_space_inside_base64() {
    let good_one = signed();
    for space in [" ", "\n", "\r\n", "\t\t"] {
        let split = |name: &str| {
            let (half, rest) = value(&good_one, name).split_at(10);
            change(&good_one, &format!("{half}{rest}"), &format!("{half}{space}{rest}"))
        };
        // The digest value is signed as it is spelled; the others are only numbers.
        assert_eq!(mismatch(&split("DigestValue")), "signature");
        assert_eq!(good(&split("SignatureValue")), good(&good_one));
        assert_eq!(good(&split("X509Certificate")), good(&good_one));
    }
}

#[test]
fn values_that_are_not_base64() {
    let good = signed();
    for name in ["DigestValue", "SignatureValue", "X509Certificate"] {
        let text = value(&good, name);
        let whole: String = text.split_whitespace().collect();
        let (half, rest) = whole.split_at(8);
        let url_safe = format!("{half}-_{rest}");
        let no_break = format!("{half}\u{a0}{rest}");
        let early_end = format!("{half}=={rest}");
        let more = format!("{whole}A");
        let less = whole[..whole.len() - 1].to_owned();
        for wrong in [url_safe, no_break, early_end, more, less] {
            let document = change(&good, text, &wrong);
            assert_eq!(refused(&document), "this is not base64", "{name} {wrong}");
        }
    }
}

#[test]
fn a_second_spelling_of_the_same_base64() {
    // 32 bytes leave two bits over, which must be zero.
    let good = signed();
    let text = value(&good, "DigestValue");
    let last = text.chars().rev().nth(1).expect("a digit");
    let next = char::from_u32(u32::from(last) + 1).expect("a digit");
    let other = format!("{}{next}=", &text[..text.len() - 2]);
    assert_eq!(refused(&change(&good, text, &other)), "this is not base64");
}

#[test]
fn megabytes_of_base64() {
    let good = signed();
    let huge = "AAAA".repeat(900_000);
    let with = |name: &str| change(&good, value(&good, name), &huge);
    assert_eq!(mismatch(&with("DigestValue")), "digest");
    assert_eq!(mismatch(&with("SignatureValue")), "signature");
    assert_eq!(refused(&with("X509Certificate")), "a certificate cannot be read");
    let more = format!("{huge}{huge}");
    let larger = change(&good, value(&good, "SignatureValue"), &more);
    assert_eq!(not_xml(&larger), "the document is larger than 4194304 bytes");
}

// Cut off, and bytes turned.

#[test]
fn a_truncated_document_is_never_good() {
    let good = signed();
    for length in 0..good.trim_end().len() {
        let cut = &good[..length];
        assert!(matches!(verify(cut), Err(SignatureError::NotXml { .. })), "{cut}");
    }
}

#[test]
fn a_document_with_one_byte_changed_says_the_same_or_is_refused() {
    let whole = signed();
    let canonical = good(&whole).canonical;
    for at in 0..whole.len() {
        for turned in [b' ', b'A', whole.as_bytes()[at] ^ 1] {
            let mut bytes = whole.clone().into_bytes();
            bytes[at] = turned;
            let text = String::from_utf8(bytes).expect("all of it is ASCII");
            if let Ok(read) = verify(&text) {
                assert_eq!(read.canonical, canonical, "{text}");
                // Only what nobody signed may differ: the declaration, white space, and names that
                // stand in the signature for people.
                assert_eq!(read.strength, Strength::Strong);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_document_with_pieces_put_in_or_taken_out_says_the_same_or_is_refused(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0..30_usize, piece()), 1..4),
    ) {
        let mut text: Vec<char> = PATIENT.chars().collect();
        for (index, length, piece) in changes {
            let from = index.index(text.len());
            let to = (from + length).min(text.len());
            text.splice(from..to, piece.chars());
        }
        if let Ok(read) = verify(&text.into_iter().collect::<String>()) {
            prop_assert_eq!(read.canonical, good(&PATIENT).canonical);
        }
    }
}

static PATIENT: LazyLock<String> = LazyLock::new(signed);

/// Something to put into a document.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "",
        " ",
        "\r",
        "é",
        "<",
        ">",
        "/>",
        "\"",
        "'",
        "&",
        "&amp;",
        "&#13;",
        "=",
        ":",
        "<!--",
        "-->",
        "<?",
        "?>",
        "<![CDATA[",
        "]]>",
        "</type>",
        "<type>evil</type>",
        "<evil/>",
        " xmlns=\"urn:evil\"",
        " xmlns:ds=\"urn:evil\"",
        " a=\"\"",
        " xml:id='a'",
        "<ds:Object>",
        "</ds:Object>",
        "</ds:Signature>",
        "<ds:Signature/>",
        "</manifest>",
        "<manifest>",
        "AAAA",
        "\0",
        "\u{fffe}",
    ])
}

// Namespaces and the attributes of XML itself.

#[test]
fn the_root_in_another_namespace() {
    let other = change(&signed(), "manifest:1", "manifest:2");
    assert_eq!(mismatch(&other), "digest");
    let none = change(&signed(), " xmlns=\"urn:stratus:manifest:1\"", "");
    assert_eq!(mismatch(&none), "digest");
}

#[test]
fn the_same_namespace_under_a_prefix() {
    let prefixed = change(&signed(), "<type>base</type>", "<m:type>base</m:type>");
    let prefixed = change(&prefixed, "<manifest ", "<manifest xmlns:m=\"urn:stratus:manifest:1\" ");
    assert_eq!(mismatch(&prefixed), "digest");
}

#[test]
fn a_prefix_bound_again_inside() {
    let rebound = change(&signed(), "<type>base", "<type xmlns=\"urn:evil\">base");
    assert_eq!(mismatch(&rebound), "digest");
    let rebound = change(&signed(), "<ds:SignedInfo>", "<ds:SignedInfo xmlns:ds=\"urn:evil\">");
    assert_eq!(refused(&rebound), PARTS);
    let away = change(&signed(), "<type>base", "<type xmlns=\"\">base");
    assert_eq!(mismatch(&away), "digest");
}

#[test]
fn the_signature_under_another_prefix() {
    let good = signed();
    let signature = signature_of(&good);
    let other = signature.replace("ds:", "s:").replace(":ds", ":s");
    assert_eq!(mismatch(&change(&good, signature, &other)), "signature");
}

#[test]
fn namespaces_that_nobody_uses_are_not_part_of_the_document() {
    let more = change(&signed(), "<manifest ", "<manifest xmlns:evil=\"urn:evil\" ");
    assert_eq!(good(&more).canonical, good(&signed()).canonical);
    // In the inclusive form they are.
    let old = with_transforms(transform(ENVELOPED));
    let more = change(&old, "<manifest ", "<manifest xmlns:evil=\"urn:evil\" ");
    assert_eq!(mismatch(&more), "digest");
}

#[test]
fn a_default_namespace_declared_twice_or_in_disguise() {
    let twice = change(&signed(), "<manifest ", "<manifest xmlns=\"urn:evil\" ");
    assert_eq!(not_xml(&twice), "the default namespace is declared twice in one element");
    let disguise = "<manifest xmlns:a=\"urn:a\" a:xmlns=\"urn:evil\" ";
    let refused = not_xml(&change(&signed(), "<manifest ", disguise));
    assert_eq!(refused, "an attribute may not be called xmlns in a namespace");
}

#[test]
fn the_attributes_of_xml_itself() {
    for attribute in ["xml:base=\"http://evil.example\"", "xml:id=\"a\"", "xml:lang=\"en\""] {
        let root = change(&signed(), "<manifest ", &format!("<manifest {attribute} "));
        assert_eq!(mismatch(&root), "digest", "{attribute}");
        let info = change(&signed(), "<ds:SignedInfo>", &format!("<ds:SignedInfo {attribute}>"));
        assert_eq!(mismatch(&info), "signature", "{attribute}");
        // Nobody signed what the signature is called.
        let own = change(&signed(), "<ds:Signature ", &format!("<ds:Signature {attribute} "));
        assert_eq!(good(&own).canonical, good(&signed()).canonical, "{attribute}");
    }
}

#[test]
fn an_attribute_of_xml_itself_beside_the_inclusive_form() {
    // The inclusive form of SignedInfo takes over what its ancestors say.
    let template = Template { form: INCLUSIVE, ..Template::of(ECDSA_SHA256) };
    let document = P256.sign_with_xmlsec(&template);
    let own = change(&document, "<ds:Signature ", "<ds:Signature xml:base=\"urn:evil\" ");
    assert_eq!(mismatch(&own), "signature");
}
