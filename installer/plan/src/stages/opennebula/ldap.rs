//! OpenNebula's LDAP driver: `[identity]` in the driver's own YAML.
//!
//! The password of the directory goes from the administrator's file to a file of root's on the
//! front-end, and from there into the driver's settings, on the host itself: it is in no plan.

use crate::content::quoted;
use crate::metadata::opennebula;
use crate::step::{Access, File, Piece, Quoting, Step};
use crate::view::View;
use crate::wanted::{Wanted, packages_id, whole};
use stratus_site::Identity;
use url::Url;

const PASSWORD: &str = "/var/lib/stratus/installer/secrets/ldap-bind";

/// `OpenSSL::SSL::VERIFY_PEER`. Told nothing, the library below the driver (net-ldap) looks at the
/// name in the directory's certificate only, and takes one of any authority.
const VERIFY_PEER: u8 = 1;

/// Beside the driver's settings, for `oneadmin` to read.
const AUTHORITIES: &str = "/etc/one/auth/stratus-ldap-ca.pem";

pub(super) fn wanted(view: &View, identity: &Identity) -> Vec<Wanted> {
    let mut steps = Vec::new();
    if let Some(source) = &identity.password_file {
        let step = Step::SecretFile {
            path: PASSWORD.into(),
            access: Access::root(0o600),
            source: source.clone(),
        };
        steps.push(Wanted::new(step, "identity.password_file: the driver searches with it"));
    }
    if let Some(source) = &identity.ca {
        let step = Step::File(whole(AUTHORITIES, 0o644, view.input(source)));
        let reason = "identity.ca: the driver knows the directory by it";
        steps.push(Wanted::new(step, reason).needs(packages_id("frontend")));
    }
    let content = settings(view, identity);
    let secret = content.iter().any(|p| !matches!(p, Piece::Text(_)));
    let file = File { content, secret, access: super::settings(), ..whole(path(), 0o640, "") };
    let reason = "[identity]: people log in with the password of the directory";
    steps.push(Wanted::new(Step::File(file), reason).needs(packages_id("frontend")));
    steps
}

fn path() -> &'static str {
    &opennebula().files.ldap
}

fn settings(view: &View, identity: &Identity) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (index, url) in identity.urls.iter().enumerate() {
        pieces.push(Piece::Text(server(index + 1, url, identity)));
        pieces.extend(login(view, identity));
    }
    let names = (1..=identity.urls.len()).map(|n| format!("  - server {n}\n"));
    pieces.push(Piece::Text(format!(":order:\n{}", names.collect::<String>())));
    pieces
}

fn server(number: usize, url: &Url, identity: &Identity) -> String {
    let tls = url.scheme() == "ldaps";
    let (method, port) = if tls { (":simple_tls", 636) } else { (":start_tls", 389) };
    let yaml = |text: &str| quoted(text, Quoting::Yaml);
    let login = attribute_of(&identity.user_filter, "{login}").unwrap_or("uid");
    let mut text = format!(
        "server {number}:\n  :auth_method: :simple\n  :host: {}\n  :port: {}\n  \
         :encryption:\n    :method: {method}\n    :tls_options:\n      :verify_mode: \
         {VERIFY_PEER}\n",
        yaml(url.host_str().unwrap_or_default()),
        url.port().unwrap_or(port),
    );
    if identity.ca.is_some() {
        text.push_str(&format!("      :ca_file: {}\n", yaml(AUTHORITIES)));
    }
    text.push_str(&format!(
        "  :base: {}\n  :user_field: {}\n{}  :mapping_generate: true\n  :mapping_timeout: \
         300\n  :mapping_filename: server{number}.yaml\n  :mapping_key: GROUP_DN\n  \
         :mapping_default: 1\n",
        yaml(&identity.base),
        yaml(login),
        groups(identity.group_filter.as_deref(), login),
    ));
    // The driver wants a distinguished name here; a plain name it could not look up.
    if let Some(group) = identity.admin_group.as_ref().filter(|g| g.contains('=')) {
        text.push_str(&format!("  :group_admin_group_dn: {}\n", yaml(group)));
    }
    text
}

fn login(view: &View, identity: &Identity) -> Vec<Piece> {
    let Some(user) = &identity.bind_dn else { return Vec::new() };
    let mut pieces = vec![Piece::Text(format!("  :user: {}\n", quoted(user, Quoting::Yaml)))];
    if identity.password_file.is_some() {
        let host = view.host.clone();
        pieces.push(Piece::Text("  :password: ".into()));
        pieces.push(Piece::Quoted { host, path: PASSWORD.into(), quoting: Quoting::Yaml });
        pieces.push(Piece::Text("\n".into()));
    }
    pieces
}

/// How the driver finds a person's groups: by `memberOf` of the person, or by the groups' members.
fn groups(filter: Option<&str>, login: &str) -> String {
    let members = |placeholder| attribute_of(filter.unwrap_or_default(), placeholder);
    let searched = members("{dn}").map(|field| (field, "dn"));
    match searched.or_else(|| members("{login}").map(|field| (field, login))) {
        None => "  :rfc2307bis: true\n".to_owned(),
        Some((field, person)) => format!(
            "  :rfc2307bis: false\n  :group_field: {}\n  :user_group_field: {}\n",
            quoted(field, Quoting::Yaml),
            quoted(person, Quoting::Yaml)
        ),
    }
}

/// The attribute that a filter compares with `placeholder`. The driver has no filters: it takes the
/// attribute, and the rest of ours is not told.
fn attribute_of<'a>(filter: &'a str, placeholder: &str) -> Option<&'a str> {
    let (before, _) = filter.split_once(&format!("={placeholder}"))?;
    before.rsplit('(').next().filter(|attribute| !attribute.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{attribute_of, groups};

    #[test]
    fn the_attribute_of_the_login_is_taken_from_the_filter() {
        let of = |filter| attribute_of(filter, "{login}");
        assert_eq!(of("(&(objectClass=person)(uid={login}))"), Some("uid"));
        assert_eq!(of("(sAMAccountName={login})"), Some("sAMAccountName"));
        assert_eq!(of("(objectClass=person)"), None);
    }

    #[test]
    fn groups_are_found_by_the_person_or_by_their_members() {
        assert_eq!(groups(None, "uid"), "  :rfc2307bis: true\n");
        assert_eq!(
            groups(Some("(|(member={dn})(memberUid={login}))"), "uid"),
            "  :rfc2307bis: false\n  :group_field: 'member'\n  :user_group_field: 'dn'\n"
        );
        assert_eq!(
            groups(Some("(memberUid={login})"), "mail"),
            "  :rfc2307bis: false\n  :group_field: 'memberUid'\n  :user_group_field: 'mail'\n"
        );
    }
}
