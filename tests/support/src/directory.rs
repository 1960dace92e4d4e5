//! A real `slapd` with people and groups, on loopback.

use crate::ports::{await_listener, free_port};
use crate::programs::{program, run, tool};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use tempfile::TempDir;

/// The password of everybody in the directory.
pub const DIRECTORY_PASSWORD: &str = crate::PASSWORD;

/// Everybody and every group. `signer` is bound to the subject that signs in the tests, `other` to none,
/// `outsider` is in no group; the logins after them are spelt to break filters.
const ENTRIES: &str = "\
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: cn=robot,dc=example,dc=org
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: robot
userPassword: the robot's own

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups
";

/// login, subject bound to it, whether in the group of image makers.
const PEOPLE: [(&str, Option<&str>, bool); 5] = [
    ("signer", Some("cn=signer,o=Example"), true),
    ("other", Some("cn=other,o=Example"), true),
    ("unbound", None, true),
    ("outsider", Some("cn=signer,o=Example"), false),
    ("odd(*)\\name", Some("cn=signer,o=Example"), true),
];

/// A directory server that runs; ended and forgotten when dropped.
pub struct Directory {
    folder: TempDir,
    server: Option<Child>,
    plain: u16,
    secure: u16,
}

impl Directory {
    /// Starts one with a certificate of its own.
    ///
    /// # Panics
    /// It does not start; with what it said.
    pub fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        fs::create_dir(folder.path().join("db")).expect("a folder for the database");
        let certificate = ["--server", "localhost", "--server", "127.0.0.1", "--out", "ldap"];
        run(program("stratus-generate-cert").current_dir(folder.path()).args(certificate)).good();
        fs::write(folder.path().join("slapd.conf"), configuration(folder.path()))
            .expect("settings");
        fs::write(folder.path().join("people.ldif"), entries()).expect("entries");
        run(tool("slapadd", "slapd")
            .args(["-f"])
            .arg(folder.path().join("slapd.conf"))
            .arg("-l")
            .arg(folder.path().join("people.ldif")))
        .good();
        let mut directory = Self { folder, server: None, plain: free_port(), secure: free_port() };
        directory.restart();
        directory
    }

    /// Starts it again at the same addresses.
    ///
    /// # Panics
    /// It does not start; with what it said.
    pub fn restart(&mut self) {
        self.stop();
        let urls = format!("ldap://127.0.0.1:{}/ ldaps://127.0.0.1:{}/", self.plain, self.secure);
        let mut server = tool("slapd", "slapd")
            .args(["-d", "stats", "-h", &urls, "-f"])
            .arg(self.folder.path().join("slapd.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("slapd starts");
        let mut lines = BufReader::new(server.stderr.take().expect("its log is piped")).lines();
        let mut said = String::new();
        let started = lines.by_ref().map_while(Result::ok).any(|line| {
            said += &format!("{line}\n");
            line.ends_with("slapd starting")
        });
        self.server = Some(server);
        assert!(started, "slapd did not start:\n{said}");
        // Its log is read to the end, or it would wait for a reader.
        std::thread::spawn(move || lines.for_each(drop));
        // It says so before it listens: for a moment, connections are refused.
        for port in [self.plain, self.secure] {
            await_listener(port);
        }
    }

    /// Ends it at once.
    ///
    /// # Panics
    /// It cannot be ended.
    pub fn stop(&mut self) {
        if let Some(mut server) = self.server.take() {
            server.kill().expect("slapd can be killed");
            server.wait().expect("slapd ends");
        }
    }

    /// `ldap://localhost:<port>`, for StartTLS.
    pub fn url(&self) -> String {
        format!("ldap://localhost:{}", self.plain)
    }

    /// `ldaps://localhost:<port>`.
    pub fn secure_url(&self) -> String {
        format!("ldaps://localhost:{}", self.secure)
    }

    /// The authority that certifies it.
    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ldap.crt")
    }

    /// A file with the password of `cn=robot,dc=example,dc=org`, who may search.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn robot_password(&self) -> PathBuf {
        let file = self.folder.path().join("robot.password");
        fs::write(&file, "the robot's own\n").expect("a password file");
        file
    }

    /// The section `[identity.ldap]` that asks these servers, with `more` lines.
    pub fn section(&self, urls: &[String], more: &str) -> String {
        format!(
            "[identity.ldap]\nurls = {urls:?}\nca = \"{}\"\nbase = \"dc=example,dc=org\"\n\
             bind_dn = \"cn=robot,dc=example,dc=org\"\nbind_password_file = \"{}\"\ntimeout = \"5s\"\n{more}\n",
            self.ca().display(),
            self.robot_password().display()
        )
    }

    /// Changes the directory, as LDIF says.
    pub fn modify(&self, ldif: &str) {
        let file = self.folder.path().join("change.ldif");
        fs::write(&file, ldif).expect("a change");
        run(tool("ldapmodify", "ldap-utils")
            .args(["-x", "-H", &format!("ldap://127.0.0.1:{}", self.plain)])
            .args(["-D", "cn=admin,dc=example,dc=org", "-w", "secret", "-f"])
            .arg(file))
        .good();
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.stop();
    }
}

fn configuration(folder: &Path) -> String {
    let at = folder.display();
    format!(
        "include /etc/ldap/schema/core.schema\n\
         include /etc/ldap/schema/cosine.schema\n\
         include /etc/ldap/schema/inetorgperson.schema\n\
         modulepath /usr/lib/ldap\nmoduleload back_mdb\nmoduleload memberof\n\
         TLSCertificateFile {at}/ldap.crt\nTLSCertificateKeyFile {at}/ldap.key\n\
         database mdb\nsuffix dc=example,dc=org\ndirectory {at}/db\nmaxsize 16777216\n\
         rootdn cn=admin,dc=example,dc=org\nrootpw secret\noverlay memberof\n\
         access to attrs=userPassword by anonymous auth by * none\n\
         access to * by dn.exact=cn=robot,dc=example,dc=org read by * none\n"
    )
}

fn entries() -> String {
    let mut text = ENTRIES.to_owned();
    let mut members = String::new();
    for (login, subject, maker) in PEOPLE {
        // RFC 4514: what means something in a DN is escaped there, and nowhere else.
        let dn = format!("uid={},ou=people,dc=example,dc=org", login.replace('\\', "\\5C"));
        text += &format!(
            "\ndn: {dn}\nobjectClass: inetOrgPerson\nuid: {login}\ncn: {login}\nsn: {login}\nuserPassword: {DIRECTORY_PASSWORD}\n"
        );
        if let Some(subject) = subject {
            text += &format!("seeAlso: {subject}\n");
        }
        if maker {
            members += &format!("member: {dn}\n");
        }
    }
    text + &format!(
        "\ndn: cn=image-makers,ou=groups,dc=example,dc=org\nobjectClass: groupOfNames\ncn: image-makers\n{members}"
    )
}
