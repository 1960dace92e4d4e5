//! `xmlsec1` accepts what we sign, and we accept what `xmlsec1` signs in the same profile.

use crate::workshop::{
    ECDSA_SHA256, ECDSA_SHA384, ENVELOPED, EXCLUSIVE, EXCLUSIVE_COMMENTS, INCLUSIVE,
    INCLUSIVE_COMMENTS, MALLORY, MANIFEST, P256, P384, RSA, RSA_SHA1, RSA_SHA256, RSA_SHA384,
    RSA_SHA512, SHA1, SHA256, SHA384, SHA512, Signer, Template, change, good, transform,
    xmlsec_accepts,
};
use stratus_dsig::{KeyError, SigningKey, Strength};

/// Documents that a canonicaliser may get wrong.
fn difficult() -> Vec<String> {
    let with = |from: &str, to: &str| change(MANIFEST, from, to);
    vec![
        MANIFEST.to_owned(),
        MANIFEST.replace('\n', "\r\n"),
        format!("\u{feff}{MANIFEST}"),
        with(">base<", "><![CDATA[<&]]>&#13;&amp;&gt;&#x10FFFF;ä<"),
        with("encoding=\"hex\"", "a='&#9;&#10;&#13;&quot;&apos;&lt;>\r\n\ty' xml:lang='en'"),
        with("<type>", "<!-- a\r\nb --><?say  a\r\nb ?><?nothing?><type>"),
        with("<manifest", "<!-- before --><?before it?>\n<manifest") + "<?after it?><!-- x -->\n",
        with("<manifest ", "<manifest xmlns:unused='urn:u' xml:space='preserve' xml:base='urn:b' "),
        with(
            "<bytes>73728</bytes>",
            "<b:a xmlns:b='urn:b' xmlns:a='urn:a' b:z='' a:z='' z=''><b:a xmlns=''><c xmlns:b='urn:c' \
             b:d=''/></b:a><b:a/></b:a>",
        ),
        with("xmlns=\"urn:stratus:manifest:1\"", "xmlns:ds='urn:ds' ds:a='' b='' "),
    ]
}

fn both_accept(document: &str, signer: &Signer) {
    assert!(xmlsec_accepts(document, signer), "xmlsec1 refuses:\n{document}");
    assert_eq!(good(document).certificates, [signer.der()]);
}

#[test]
fn xmlsec_accepts_every_kind_of_key() {
    let larger = [Signer::new("3072", &["rsa:3072"]), Signer::new("4096", &["rsa:4096"])];
    for signer in [&*RSA, &*P256, &*P384].into_iter().chain(&larger) {
        let document = signer.sign(MANIFEST);
        both_accept(&document, signer);
        assert_eq!(good(&document).strength, Strength::Strong);
    }
}

#[test]
fn xmlsec_accepts_what_is_difficult_to_make_canonical() {
    for manifest in difficult() {
        both_accept(&P256.sign(&manifest), &P256);
    }
}

#[test]
fn xmlsec_refuses_what_we_refuse() {
    let document = P256.sign(MANIFEST);
    assert!(!xmlsec_accepts(&change(&document, ">base<", ">evil<"), &P256));
    assert!(!xmlsec_accepts(&document, &MALLORY));
}

#[test]
fn keys_that_manifests_are_not_signed_with() {
    let kinds: [&[&str]; 4] = [
        &["ed25519"],
        &["rsa:1024"],
        &["ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
        &["ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
    ];
    for kind in kinds {
        let signer = Signer::new("other", kind);
        let der = signer.key_der();
        assert_eq!(SigningKey::from_pkcs8(&der).err(), Some(KeyError::Unsupported), "{kind:?}");
    }
}

#[test]
fn we_accept_what_xmlsec_signs_with_every_algorithm() {
    let pairs = [
        (&*RSA, RSA_SHA256, SHA256),
        (&*RSA, RSA_SHA384, SHA384),
        (&*RSA, RSA_SHA512, SHA512),
        (&*RSA, RSA_SHA512, SHA256),
        (&*P256, ECDSA_SHA256, SHA256),
        (&*P256, ECDSA_SHA256, SHA512),
        (&*P384, ECDSA_SHA384, SHA384),
        (&*P384, ECDSA_SHA384, SHA256),
    ];
    for (signer, method, digest) in pairs {
        let template = Template { digest, ..Template::of(method) };
        let read = good(&signer.sign_with_xmlsec(&template));
        assert_eq!(read.strength, Strength::Strong, "{method} {digest}");
        assert_eq!(read.algorithm, method);
        assert_eq!(read.certificates, [signer.der()]);
    }
    for (method, digest) in [(RSA_SHA1, SHA1), (RSA_SHA1, SHA256), (RSA_SHA256, SHA1)] {
        let template = Template { digest, ..Template::of(method) };
        let strength = good(&RSA.sign_with_xmlsec(&template)).strength;
        assert!(matches!(strength, Strength::Weak(_)), "{method} {digest}");
    }
}

#[test]
fn we_accept_what_xmlsec_signs_in_every_canonical_form() {
    let forms = [EXCLUSIVE, EXCLUSIVE_COMMENTS, INCLUSIVE, INCLUSIVE_COMMENTS];
    let spoken = change(MANIFEST, "<type>", "<!-- a --><?say a?><type xml:lang=\"en\">");
    let manifest =
        change(&spoken, "<manifest", "<!-- b --><manifest xml:lang=\"de\" xmlns:u=\"urn:u\"");
    for form in forms {
        let mut transforms = vec![transform(ENVELOPED)];
        transforms.extend(forms.map(|f| transform(ENVELOPED) + &transform(f)));
        for transforms in transforms {
            let template = Template {
                manifest: manifest.clone(),
                form,
                transforms,
                ..Template::of(ECDSA_SHA256)
            };
            let read = good(&P256.sign_with_xmlsec(&template));
            let ours = form == EXCLUSIVE && template.transforms == Template::of("").transforms;
            let strong = read.strength == Strength::Strong;
            assert_eq!(strong, ours, "{form} {}", template.transforms);
        }
    }
}

#[test]
fn we_accept_what_is_difficult_when_xmlsec_signs_it() {
    for manifest in difficult() {
        for form in [EXCLUSIVE, INCLUSIVE] {
            let transforms = transform(ENVELOPED) + &transform(form);
            let manifest = manifest.clone();
            good(&P256.sign_with_xmlsec(&Template {
                manifest,
                form,
                transforms,
                ..Template::of(ECDSA_SHA256)
            }));
        }
    }
}
