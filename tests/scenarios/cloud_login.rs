//! What the installer writes for OpenNebula's LDAP driver, used as the driver uses it: by its library
//! (Ruby's net-ldap) against a real directory.

#![expect(clippy::unwrap_used, reason = "a test helper")]

use serde_json::Value;
use std::fs;
use std::path::Path;
use stratus_tests::{DIRECTORY_PASSWORD, Directory, Output, program, run, tool};
use tempfile::TempDir;

const EXAMPLE: &str = "installer/site/examples";
const FACTS: &str = "installer/plan/examples/three-hosts.facts.json";

/// Reads the settings and asks the directory in the order in which OpenNebula's driver does: the
/// person by login, a bind with the password, the groups. The password comes in a file.
const DRIVER: &str = r#"
require "yaml"
require "net/ldap"
settings = YAML.load(File.read(ARGV[0]))
settings[:order].each do |name|
  of = settings[name]
  auth = { method: of[:auth_method], username: of[:user], password: of[:password] }
  ldap = Net::LDAP.new(host: of[:host], port: of[:port], encryption: of[:encryption], auth: auth)
  login = Net::LDAP::Filter.equals(of[:user_field], ARGV[1])
  wanted = ["memberOf", of[:user_field], of[:user_group_field]].compact
  person = ldap.search(base: of[:base], attributes: wanted, filter: login).first
  abort "nobody" unless person
  groups = if of[:rfc2307bis]
    person["memberOf"]
  else
    member = Net::LDAP::Filter.ex(of[:group_field], person[of[:user_group_field]].first)
    ldap.search(base: of[:base], filter: member).map(&:dn)
  end
  bound = ldap.bind(method: of[:auth_method], username: person.dn, password: File.read(ARGV[2]))
  puts [name, person.dn, bound, groups.join(";")].join(" ")
end
"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The settings as they are on the front-end, but for where the authorities are.
fn settings(directory: &Directory, ca: &Path, more: &str) -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let mut site = fs::read_to_string(root().join(EXAMPLE).join("three-hosts.toml")).unwrap();
    site += &directory.section(&[directory.secure_url(), directory.url()], more);
    site = site.replace(directory.ca().to_str().unwrap(), ca.to_str().unwrap());
    fs::write(folder.path().join("site.toml"), site).unwrap();
    let key = root().join(EXAMPLE).join("opennebula.asc");
    fs::copy(key, folder.path().join("opennebula.asc")).unwrap();
    let plan = run(program("stratus-install")
        .args(["plan", "--json", "--config"])
        .arg(folder.path().join("site.toml"))
        .arg("--facts")
        .arg(root().join(FACTS)));
    assert_eq!(plan.code, 10, "{}", plan.stderr);
    let plan: Value = serde_json::from_str(&plan.stdout).unwrap();
    let steps = plan["hosts"][0]["steps"].as_array().unwrap();
    let file = |path: &str| {
        let step = steps.iter().map(|s| &s["step"]).find(|s| s["path"] == path).unwrap();
        step["content"].as_array().unwrap().clone()
    };
    let authorities = "/etc/one/auth/stratus-ldap-ca.pem";
    let copied = file(authorities);
    assert_eq!(copied[0]["text"].as_str().unwrap(), fs::read_to_string(ca).unwrap());
    let password = fs::read_to_string(directory.robot_password()).unwrap();
    let password = format!("'{}'", password.trim_end().replace('\'', "''"));
    let text: String = file("/etc/one/auth/ldap_auth.conf")
        .iter()
        .map(|piece| piece["text"].as_str().unwrap_or(&password).to_owned())
        .collect();
    (folder, text.replace(authorities, ca.to_str().unwrap()))
}

fn log_in(directory: &Directory, ca: &Path, more: &str, login: &str, password: &str) -> Output {
    let (folder, text) = settings(directory, ca, more);
    let file = folder.path().join("ldap_auth.conf");
    fs::write(&file, text).unwrap();
    let secret = folder.path().join("password");
    fs::write(&secret, password).unwrap();
    run(tool("ruby", "ruby").args(["-e", DRIVER]).arg(file).arg(login).arg(secret))
}

#[test]
fn people_log_in_by_either_kind_of_server_and_have_their_groups() {
    let directory = Directory::start();
    let person = "uid=signer,ou=people,dc=example,dc=org";
    let group = "cn=image-makers,ou=groups,dc=example,dc=org";
    // The directory notes `memberOf` with a change, not with what it was filled with.
    directory.modify(&format!(
        "dn: {group}\nchangetype: modify\ndelete: member\nmember: {person}\n-\n\
         add: member\nmember: {person}\n"
    ));
    let by_members = "group_filter = \"(member={dn})\"";
    let by_name = "user_filter = \"(cn={login})\"";
    for more in ["", by_members, by_name] {
        let out = log_in(&directory, &directory.ca(), more, "signer", DIRECTORY_PASSWORD).good();
        let lines: Vec<_> = out.stdout.lines().collect();
        let expected = [1, 2].map(|n| format!("server {n} {person} true {group}"));
        assert_eq!(lines, expected, "{more}");
    }
    let out = log_in(&directory, &directory.ca(), "", "signer", "another").good();
    assert_eq!(out.stdout.matches(" false ").count(), 2, "{}", out.stdout);
    let none = "user_filter = \"(mail={login})\"";
    let out = log_in(&directory, &directory.ca(), none, "signer", DIRECTORY_PASSWORD);
    assert!(out.code == 1 && out.stderr.contains("nobody"), "{}", out.stderr);
}

#[test]
fn a_directory_of_a_foreign_authority_hears_no_password() {
    let (directory, foreign) = (Directory::start(), Directory::start());
    let out = log_in(&directory, &foreign.ca(), "", "signer", DIRECTORY_PASSWORD);
    assert_ne!(out.code, 0, "{}", out.stdout);
    assert!(out.stderr.contains("certificate verify failed"), "{}", out.stderr);
}
