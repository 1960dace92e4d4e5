//! Keys and certificates in every file that openssl writes.

mod support;

use secrecy::SecretString;
use stratus_x509::{Certificate, CertificateError, Credential, CredentialError};
use support::Openssl;

/// A root, an authority below it and Alice.
fn site() -> Openssl {
    let openssl = Openssl::new();
    openssl.root("root", "/O=Example/CN=Root");
    openssl.intermediate("mid", "/O=Example/CN=Intermediate", "root");
    openssl.person("alice", "/O=Example/CN=Alice", "mid");
    openssl
}

/// Alice with an RSA key.
fn rsa_site() -> Openssl {
    let openssl = Openssl::new();
    openssl.line("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out alice.key");
    openssl.certificate("alice", "/O=Example/CN=Alice").make();
    openssl
}

fn secret(text: &str) -> SecretString {
    text.into()
}

/// The key is the one of `alice.key`, whatever the file was.
fn is_alice(openssl: &Openssl, credential: &Credential) {
    assert_eq!(credential.chain[0], openssl.get("alice"));
    openssl.write("read.der", credential.key.pkcs8_der());
    let public =
        |name: &str, form: &str| openssl.line(&format!("pkey -in {name} -inform {form} -pubout"));
    assert_eq!(public("read.der", "DER"), public("alice.key", "PEM"));
}

fn from_files(
    openssl: &Openssl,
    key: &str,
    password: Option<&str>,
) -> Result<Credential, CredentialError> {
    let password = password.map(secret);
    Credential::from_pem(&openssl.bundle(&["alice"]), &openssl.read(key), password.as_ref())
}

#[test]
fn plain_keys_are_read_in_each_form() {
    let openssl = rsa_site();
    openssl.line("pkey -in alice.key -traditional -out pkcs1.key");
    openssl.line("pkcs8 -topk8 -nocrypt -in alice.key -out pkcs8.key");
    assert!(openssl.read("pkcs1.key").starts_with(b"-----BEGIN RSA PRIVATE KEY"));
    assert!(openssl.read("pkcs8.key").starts_with(b"-----BEGIN PRIVATE KEY"));
    for file in ["pkcs1.key", "pkcs8.key"] {
        is_alice(&openssl, &from_files(&openssl, file, None).unwrap());
        // A password that nobody asked for does no harm.
        is_alice(&openssl, &from_files(&openssl, file, Some("x")).unwrap());
    }
    for curve in ["P-256", "P-384"] {
        let openssl = Openssl::new();
        openssl.line(&format!(
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{curve} -out alice.key"
        ));
        openssl.certificate("alice", "/O=Example/CN=Alice").make();
        openssl.line("ec -in alice.key -out sec1.key");
        openssl.line("ec -in alice.key -no_public -out short.key");
        openssl.line("ec -in alice.key -param_out -out parameters");
        assert!(openssl.read("sec1.key").starts_with(b"-----BEGIN EC PRIVATE KEY"));
        // `openssl ecparam -genkey` writes the curve in front of the key.
        openssl.write("both.key", [openssl.read("parameters"), openssl.read("sec1.key")].concat());
        for file in ["alice.key", "sec1.key", "short.key", "both.key"] {
            is_alice(&openssl, &from_files(&openssl, file, None).unwrap());
        }
    }
}

#[test]
fn encrypted_keys_need_their_password() {
    let openssl = site();
    for (name, options) in [
        ("default", ""),
        ("aes-256", "-v2 aes-256-cbc"),
        ("aes-192", "-v2 aes-192-cbc"),
        ("aes-128", "-v2 aes-128-cbc"),
        ("sha512", "-v2 aes-256-cbc -v2prf hmacWithSHA512"),
        ("sha1", "-v2 aes-256-cbc -v2prf hmacWithSHA1"),
        ("scrypt", "-scrypt -scrypt_N 1024"),
        ("iterations", "-iter 10000"),
        ("triple-des", "-v2 des3"),
    ] {
        openssl.line(&format!(
            "pkcs8 -topk8 -in alice.key -out {name}.key -passout pass:geheim {options}"
        ));
        let file = format!("{name}.key");
        let read = |password| from_files(&openssl, &file, password);
        is_alice(&openssl, &read(Some("geheim")).unwrap_or_else(|e| panic!("{name}: {e}")));
        assert_eq!(read(None).unwrap_err(), CredentialError::PasswordNeeded, "{name}");
        for wrong in ["", "Geheim", "geheim ", "ä"] {
            assert_eq!(read(Some(wrong)).unwrap_err(), CredentialError::WrongPassword, "{name}");
        }
    }
}

/// What is not supported is no matter of the password.
#[test]
fn old_encryptions_are_named_and_not_taken_for_a_wrong_password() {
    let openssl = site();
    let legacy = "-provider legacy -provider default";
    for (name, line) in [
        ("md5-des", format!("pkcs8 -topk8 -in alice.key -v1 PBE-MD5-DES {legacy}")),
        ("sha1-3des", format!("pkcs8 -topk8 -in alice.key -v1 PBE-SHA1-3DES {legacy}")),
        ("rc2", format!("pkcs8 -topk8 -in alice.key -v2 rc2-cbc {legacy}")),
        ("camellia", "pkcs8 -topk8 -in alice.key -v2 camellia-256-cbc".to_owned()),
        ("proc-type", "ec -in alice.key -aes256".to_owned()),
        ("proc-type-3des", "ec -in alice.key -des3".to_owned()),
    ] {
        openssl.line(&format!("{line} -out {name}.key -passout pass:geheim"));
        for password in ["geheim", "wrong"] {
            let error = from_files(&openssl, &format!("{name}.key"), Some(password)).unwrap_err();
            assert!(matches!(error, CredentialError::NotSupported(_)), "{name}: {error}");
            assert!(error.to_string().contains("openssl pkcs8 -topk8"), "{name}: {error}");
        }
    }
}

#[test]
fn damage_is_not_taken_for_a_wrong_password() {
    let openssl = site();
    openssl.line("pkcs8 -topk8 -in alice.key -out key -passout pass:geheim");
    let text = String::from_utf8(openssl.read("key")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let without_a_line = [&lines[..2], &lines[3..]].concat().join("\n");
    let without_an_end = lines[..lines.len() - 1].join("\n");
    let with_strange_digits = text.replacen(&lines[1][10..12], "!!", 1);
    for damaged in [without_a_line, without_an_end, with_strange_digits] {
        openssl.write("damaged", &damaged);
        let error = from_files(&openssl, "damaged", Some("geheim")).unwrap_err();
        assert!(matches!(error, CredentialError::NotSupported(_)), "{error}:\n{damaged}");
        assert!(error.to_string().contains("cannot be read"), "{error}");
    }
}

#[test]
fn pkcs12_files_are_read_with_their_chain() {
    let openssl = site();
    openssl.write("chain", openssl.bundle(&["root", "mid"]));
    let legacy = "-legacy";
    for (name, options) in [
        ("default", ""),
        ("legacy", legacy),
        ("aes-128", "-keypbe AES-128-CBC -certpbe AES-128-CBC -macalg sha512"),
        ("plain-certificates", "-certpbe NONE"),
        ("named", "-name Alice -caname Root"),
        ("no-mac", "-nomac"),
        ("3des", "-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES"),
    ] {
        let file = format!("{name}.p12");
        openssl.line(&format!(
            "pkcs12 -export -in alice.crt -inkey alice.key -certfile chain -out {file} -passout pass:geheim {options}"
        ));
        let read = |p: &str| Credential::from_pkcs12(&openssl.read(&file), &secret(p));
        let credential = read("geheim").unwrap_or_else(|e| panic!("{name}: {e}"));
        is_alice(&openssl, &credential);
        let mut others = credential.chain[1..].to_vec();
        others.sort_by_key(|c| c.subject().to_string());
        assert_eq!(others, [openssl.get("mid"), openssl.get("root")], "{name}");
        for wrong in ["", "Geheim", "geheim "] {
            let error = read(wrong).unwrap_err();
            // Without a checksum, one wrong password in 256 looks like damage.
            assert!(error == CredentialError::WrongPassword || name == "no-mac", "{name}: {error}");
        }
        let read = Credential::load_bytes(&openssl.read(&file), None);
        assert_eq!(read.unwrap_err(), CredentialError::PasswordNeeded);
        let read = Credential::load_bytes(&openssl.read(&file), Some(&secret("geheim")));
        is_alice(&openssl, &read.unwrap());
    }
}

#[test]
fn pkcs12_passwords_may_be_empty_or_of_any_script() {
    let openssl = site();
    for (number, password) in ["", "ä", "пароль", "密码", "with space"].into_iter().enumerate()
    {
        for options in [&[][..], &["-legacy"]] {
            let pass = format!("pass:{password}");
            let file = format!("{number}.p12");
            let mut line = vec![
                "pkcs12",
                "-export",
                "-in",
                "alice.crt",
                "-inkey",
                "alice.key",
                "-out",
                &file,
                "-passout",
                &pass,
            ];
            line.extend(options);
            openssl.run(&line);
            let read = |p: &str| Credential::from_pkcs12(&openssl.read(&file), &secret(p));
            is_alice(
                &openssl,
                &read(password).unwrap_or_else(|e| panic!("{password:?} {options:?}: {e}")),
            );
            assert_eq!(read("other").unwrap_err(), CredentialError::WrongPassword);
        }
    }
}

#[test]
fn pkcs12_files_without_a_key_or_with_damage_are_told() {
    let openssl = site();
    openssl.line("pkcs12 -export -in alice.crt -nokeys -out no-key.p12 -passout pass:x");
    let read = |bytes: &[u8]| Credential::from_pkcs12(bytes, &secret("x")).unwrap_err();
    assert_eq!(read(&openssl.read("no-key.p12")), CredentialError::NoKey);
    openssl.line("pkcs12 -export -in alice.crt -inkey alice.key -out good.p12 -passout pass:x");
    let good = openssl.read("good.p12");
    openssl.line("x509 -in alice.crt -outform DER -out alice.der");
    let longer = [&good[..], b"more"].concat();
    for wrong in [&good[..good.len() / 2], &longer, b"", b"garbage", &openssl.read("alice.der")] {
        let error = read(wrong);
        assert!(matches!(error, CredentialError::NotSupported(_)), "{error}");
        assert!(error.to_string().contains("not a PKCS#12 file"), "{error}");
    }
}

#[test]
fn a_key_of_somebody_else_is_told() {
    let openssl = site();
    openssl.person("bob", "/O=Example/CN=Bob", "mid");
    let read = |certificates: &[&str], key: &str| {
        Credential::from_pem(&openssl.bundle(certificates), &openssl.read(key), None)
    };
    assert_eq!(read(&["alice"], "bob.key").unwrap_err(), CredentialError::Mismatch);
    assert_eq!(read(&["alice", "mid", "root"], "bob.key").unwrap_err(), CredentialError::Mismatch);
    assert!(read(&["bob"], "bob.key").is_ok());
    let rsa = rsa_site();
    let mixed = Credential::from_pem(&openssl.bundle(&["alice"]), &rsa.read("alice.key"), None);
    assert_eq!(mixed.unwrap_err(), CredentialError::Mismatch);
}

#[test]
fn the_certificate_of_the_key_comes_first() {
    let openssl = site();
    for order in
        [&["alice", "mid", "root"][..], &["mid", "alice", "root"], &["root", "mid", "alice"]]
    {
        let read = Credential::from_pem(&openssl.bundle(order), &openssl.read("alice.key"), None);
        let chain = read.unwrap().chain;
        let others: Vec<Certificate> =
            order.iter().filter(|n| **n != "alice").map(|n| openssl.get(n)).collect();
        assert_eq!((&chain[0], &chain[1..]), (&openssl.get("alice"), &others[..]));
    }
}

#[test]
fn text_between_the_blocks_is_passed_over() {
    let openssl = site();
    let text = openssl.line("x509 -in alice.crt -text");
    let (key, mid) = (openssl.read("alice.key"), openssl.read("mid.crt"));
    openssl.line("pkcs8 -topk8 -in alice.key -out encrypted.key -passout pass:geheim");
    let encrypted = openssl.read("encrypted.key");
    // Names of files in another character set, and words that look like headers.
    let latin = b"Bag Attributes\n    friendlyName: M\xfcller\n    note: ENCRYPTED\n".to_vec();
    let pieces = [&text[..], &latin, &mid, b"\n\nthe key:\n"].concat();
    for key in [&key, &encrypted] {
        for ends in ["\n", "\r\n"] {
            let lines = [&pieces[..], key, &latin].concat();
            let lines: Vec<u8> =
                lines.split(|b| *b == b'\n').collect::<Vec<_>>().join(ends.as_bytes());
            let read = Credential::load_bytes(&lines, Some(&secret("geheim")));
            let read = read.unwrap();
            is_alice(&openssl, &read);
            assert_eq!(read.chain.len(), 2);
        }
    }
    openssl.line("pkcs12 -export -in alice.crt -inkey alice.key -certfile mid.crt -name Al -out a.p12 -passout pass:x");
    for options in ["-nodes", "-passout pass:geheim"] {
        let pem = openssl.line(&format!("pkcs12 -in a.p12 -passin pass:x {options}"));
        let read = Credential::load_bytes(&pem, Some(&secret("geheim"))).unwrap();
        is_alice(&openssl, &read);
        assert_eq!(read.chain.len(), 2);
    }
}

#[test]
fn files_that_hold_something_else_are_told() {
    let openssl = site();
    let (certificate, key) = (openssl.read("alice.crt"), openssl.read("alice.key"));
    let load = |bytes: &[u8]| Credential::load_bytes(bytes, None).unwrap_err();
    assert_eq!(load(&certificate), CredentialError::NoKey);
    assert_eq!(load(&key), CredentialError::Certificate(CertificateError::None));
    let public = openssl.line("pkey -in alice.key -pubout");
    assert_eq!(load(&[&certificate[..], &public].concat()), CredentialError::NoKey);
    for garbage in [&b""[..], b"garbage", &[0xff; 64]] {
        assert!(matches!(load(garbage), CredentialError::NotSupported(_)));
    }
    let broken = String::from_utf8(certificate.clone()).unwrap().replacen("MII", "!!!", 1);
    let error = load(&[broken.as_bytes(), &key].concat());
    assert_eq!(error, CredentialError::Certificate(CertificateError::Unreadable));
    let cut = [&certificate[..certificate.len() / 2], b"\n", &key].concat();
    assert!(matches!(load(&cut), CredentialError::Certificate(_)));
}

#[test]
fn keys_that_cannot_sign_here_are_named() {
    for line in [
        "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out alice.key",
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out alice.key",
        "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1 -out alice.key",
        "genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -out alice.key",
    ] {
        let openssl = Openssl::new();
        openssl.line(line);
        openssl.certificate("alice", "/CN=Alice").make();
        for options in ["-out", "-traditional -out"] {
            let line = format!("pkey -in alice.key {options} key");
            // Not every kind has a traditional form.
            if !openssl.ask(&line.split_whitespace().collect::<Vec<_>>()).is_good {
                continue;
            }
            let error = from_files(&openssl, "key", None).unwrap_err();
            assert!(matches!(error, CredentialError::NotSupported(_)), "{line}: {error}");
        }
    }
}

#[test]
fn a_key_shows_nothing_of_itself() {
    let openssl = site();
    let read = from_files(&openssl, "alice.key", None).unwrap();
    assert!(format!("{read:?}").contains("PrivateKey(..)"));
}
