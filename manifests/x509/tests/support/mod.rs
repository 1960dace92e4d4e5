//! A folder in which the real `openssl` makes keys, certificates and revocation lists.
//!
//! Everything goes through `openssl ca`, because it alone can write any dates, any extensions and
//! version 1. A certificate is asked for by a short name: `root` is kept in `root.crt`, its key in
//! `root.key`.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    clippy::unwrap_used,
    reason = "a test helper; no test file uses all of it"
)]

use jiff::Timestamp;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Command;
use stratus_x509::Certificate;
use tempfile::TempDir;

/// The day on which the tests take place.
pub const TODAY: &str = "20260601000000Z";

/// Extensions of an authority, of a person and of a proxy.
pub const CA: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";
pub const PERSON: &str = "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n";
pub const PROXY: &str =
    "keyUsage=critical,digitalSignature\nproxyCertInfo=critical,language:id-ppl-inheritAll\n";

/// The instant of a text such as `20260601000000Z`.
pub fn instant(text: &str) -> Timestamp {
    let (date, time) = (&text[..8], &text[8..14]);
    let text = format!(
        "{}-{}-{}T{}:{}:{}Z",
        &date[..4],
        &date[4..6],
        &date[6..],
        &time[..2],
        &time[2..4],
        &time[4..]
    );
    text.parse().unwrap()
}

/// The instant of [`TODAY`].
pub fn today() -> Timestamp {
    instant(TODAY)
}

/// The folder.
pub struct Openssl {
    folder: TempDir,
}

/// What one call said.
pub struct Answer {
    pub is_good: bool,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Openssl {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Runs openssl in the folder; a refusal is an answer too.
    pub fn ask(&self, arguments: &[&str]) -> Answer {
        let output = Command::new("openssl")
            .args(arguments)
            .current_dir(self.folder.path())
            .env_remove("OPENSSL_CONF")
            .output();
        let output = match output {
            Ok(output) => output,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                panic!(
                    "these tests need the `openssl` command; install the Debian package `openssl`"
                )
            }
            Err(error) => panic!("openssl: {error}"),
        };
        Answer {
            is_good: output.status.success(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs openssl, which must succeed.
    pub fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let answer = self.ask(arguments);
        assert!(answer.is_good, "openssl {arguments:?}: {}", answer.stderr);
        answer.stdout
    }

    /// The same with a line of words.
    pub fn line(&self, words: &str) -> Vec<u8> {
        self.run(&words.split_whitespace().collect::<Vec<_>>())
    }

    /// Makes the key `<name>.key` on P-256, once.
    pub fn key(&self, name: &str) {
        if !self.path(&format!("{name}.key")).exists() {
            self.line(&format!(
                "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {name}.key"
            ));
        }
    }

    /// Begins a certificate.
    pub fn certificate<'a>(&'a self, name: &'a str, subject: &'a str) -> Order<'a> {
        Order {
            openssl: self,
            name,
            subject,
            key: name,
            issuer: None,
            extensions: PERSON,
            from: "20250101000000Z",
            to: "20300101000000Z",
            digest: "sha256",
            mask: "utf8only",
            serial: None,
        }
    }

    /// A root.
    pub fn root(&self, name: &str, subject: &str) -> Certificate {
        self.certificate(name, subject).extensions(CA).make()
    }

    /// An authority below another one.
    pub fn intermediate(&self, name: &str, subject: &str, issuer: &str) -> Certificate {
        self.certificate(name, subject).extensions(CA).by(issuer).make()
    }

    /// A person's certificate.
    pub fn person(&self, name: &str, subject: &str, issuer: &str) -> Certificate {
        self.certificate(name, subject).by(issuer).make()
    }

    /// A proxy of somebody.
    pub fn proxy(&self, name: &str, subject: &str, issuer: &str) -> Certificate {
        self.certificate(name, subject).extensions(PROXY).by(issuer).make()
    }

    /// The certificate of a name.
    pub fn get(&self, name: &str) -> Certificate {
        Certificate::from_pem(&self.read(&format!("{name}.crt"))).unwrap()
    }

    /// DER of certificates, as a signature carries them.
    pub fn chain(&self, names: &[&str]) -> Vec<Vec<u8>> {
        names.iter().map(|name| self.get(name).der().to_vec()).collect()
    }

    /// PEM of certificates, one behind the other.
    pub fn bundle(&self, names: &[&str]) -> Vec<u8> {
        names.iter().flat_map(|name| self.read(&format!("{name}.crt"))).collect()
    }

    /// What `openssl verify` says of a chain on a day. The roots may be any of its trust anchors.
    pub fn verify(&self, roots: &[&str], chain: &[&str], options: &str, day: &str) -> Answer {
        self.write("verify.roots", self.bundle(roots));
        self.write("verify.others", self.bundle(&chain[1..]));
        let others = if chain.len() > 1 { "-untrusted verify.others" } else { "" };
        let at = instant(day).as_second();
        let line = format!(
            "verify -no-CApath -no-CAstore -CAfile verify.roots {others} -attime {at} {options} {}.crt",
            chain[0]
        );
        self.ask(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// Puts a certificate on its issuer's next list.
    pub fn revoke(&self, name: &str, issuer: &str, reason: &str) {
        self.settings(issuer, "", "utf8only");
        let line = format!("ca -config {issuer}.cnf -cert {issuer}.crt -keyfile {issuer}.key");
        let reason =
            if reason.is_empty() { String::new() } else { format!("-crl_reason {reason}") };
        self.line(&format!("{line} -revoke {name}.crt {reason}"));
    }

    /// An authority's revocation list, PEM, from one day to another. With extensions it is of
    /// version 2, without any of version 1.
    pub fn list(&self, issuer: &str, extensions: &str, from: &str, to: &str) -> Vec<u8> {
        self.settings(issuer, extensions, "utf8only");
        let mut line = format!(
            "ca -config {issuer}.cnf -cert {issuer}.crt -keyfile {issuer}.key -gencrl -out {issuer}.crl -crl_lastupdate {from} -crl_nextupdate {to}"
        );
        if !extensions.is_empty() {
            line += " -crlexts extensions";
        }
        self.line(&line);
        self.read(&format!("{issuer}.crl"))
    }

    /// A list that is up to date on [`TODAY`].
    pub fn fresh_list(&self, issuer: &str) -> Vec<u8> {
        self.list(issuer, "authorityKeyIdentifier=keyid", "20260501000000Z", "20260701000000Z")
    }

    /// The same, signed over a digest of one's choice.
    pub fn list_over(&self, digest: &str, issuer: &str) -> Vec<u8> {
        self.fresh_list(issuer);
        self.line(&format!(
            "ca -config {issuer}.cnf -cert {issuer}.crt -keyfile {issuer}.key -gencrl -out {issuer}.crl -md {digest} -crl_lastupdate 20260501000000Z -crl_nextupdate 20260701000000Z -crlexts extensions"
        ));
        self.read(&format!("{issuer}.crl"))
    }

    /// The settings and the book-keeping of one authority.
    fn settings(&self, issuer: &str, extensions: &str, mask: &str) {
        for (file, content) in [("index", ""), ("crlnumber", "01\n")] {
            if !self.path(&format!("{issuer}.{file}")).exists() {
                self.write(&format!("{issuer}.{file}"), content);
            }
        }
        self.write(&format!("{issuer}.index.attr"), "unique_subject = no\n");
        let text = format!(
            "[ca]\ndefault_ca=ours\n[ours]\ndatabase={issuer}.index\nnew_certs_dir=.\nrand_serial=yes\n\
             default_md=sha256\npolicy=policy\npreserve=yes\nunique_subject=no\n\
             email_in_dn=yes\n[policy]\ncommonName=optional\n\
             [req]\nprompt=no\nstring_mask={mask}\nutf8=yes\ndistinguished_name=name\n\
             [name]\nCN=unused\n[extensions]\n{extensions}\n"
        );
        self.write(&format!("{issuer}.cnf"), text);
    }
}

/// A certificate to be made.
pub struct Order<'a> {
    openssl: &'a Openssl,
    name: &'a str,
    subject: &'a str,
    key: &'a str,
    issuer: Option<&'a str>,
    extensions: &'a str,
    from: &'a str,
    to: &'a str,
    digest: &'a str,
    mask: &'a str,
    serial: Option<&'a str>,
}

impl<'a> Order<'a> {
    /// With the key of another name.
    pub fn key(self, key: &'a str) -> Self {
        Self { key, ..self }
    }

    /// Signed by somebody else.
    pub fn by(self, issuer: &'a str) -> Self {
        Self { issuer: Some(issuer), ..self }
    }

    /// With these extensions; none at all make version 1.
    pub fn extensions(self, extensions: &'a str) -> Self {
        Self { extensions, ..self }
    }

    /// Valid from one day to another.
    pub fn valid(self, from: &'a str, to: &'a str) -> Self {
        Self { from, to, ..self }
    }

    /// Signed over another digest.
    pub fn digest(self, digest: &'a str) -> Self {
        Self { digest, ..self }
    }

    /// With names of another string type, as openssl's `string_mask` says it.
    pub fn string_mask(self, mask: &'a str) -> Self {
        Self { mask, ..self }
    }

    /// With a serial number, in hexadecimal digits.
    pub fn serial(self, serial: &'a str) -> Self {
        Self { serial: Some(serial), ..self }
    }

    /// Makes it.
    pub fn make(self) -> Certificate {
        let openssl = self.openssl;
        let (name, key) = (self.name, self.key);
        openssl.key(key);
        let issuer = self.issuer.unwrap_or(name);
        openssl.settings(issuer, self.extensions, self.mask);
        let (settings, request, certificate, key) = (
            format!("{issuer}.cnf"),
            format!("{name}.csr"),
            format!("{name}.crt"),
            format!("{key}.key"),
        );
        openssl.run(&[
            "req",
            "-new",
            "-utf8",
            "-config",
            &settings,
            "-key",
            &key,
            "-subj",
            self.subject,
            "-out",
            &request,
        ]);
        let (issuer_crt, issuer_key) = (format!("{issuer}.crt"), format!("{issuer}.key"));
        let mut line = vec![
            "ca",
            "-batch",
            "-notext",
            "-config",
            &settings,
            "-in",
            &request,
            "-out",
            &certificate,
            "-startdate",
            self.from,
            "-enddate",
            self.to,
            "-md",
            self.digest,
            "-utf8",
            "-preserveDN",
        ];
        match self.issuer {
            Some(_) => line.extend(["-cert", &issuer_crt, "-keyfile", &issuer_key]),
            None => line.extend(["-selfsign", "-keyfile", &key]),
        }
        if !self.extensions.is_empty() {
            line.extend(["-extensions", "extensions"]);
        }
        if let Some(serial) = self.serial {
            openssl.write("serial", format!("{serial}\n"));
            let text = String::from_utf8(openssl.read(&settings)).unwrap();
            openssl.write(&settings, text.replace("rand_serial=yes", "serial=serial"));
        }
        openssl.run(&line);
        openssl.get(name)
    }
}
