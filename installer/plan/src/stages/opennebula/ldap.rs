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
    let (encryption, port) = if tls { (":simple_tls", 636) } else { (":start_tls", 389) };
    let yaml = |text: &str| quoted(text, Quoting::Yaml);
    let mut text = format!(
        "server {number}:\n  :auth_method: :simple\n  :host: {}\n  :port: {}\n  \
         :encryption: {encryption}\n  :base: {}\n  :user_field: {}\n  :rfc2307bis: true\n  \
         :mapping_generate: true\n  :mapping_timeout: 300\n  :mapping_filename: \
         server{number}.yaml\n  :mapping_key: GROUP_DN\n  :mapping_default: 1\n",
        yaml(url.host_str().unwrap_or_default()),
        url.port().unwrap_or(port),
        yaml(&identity.base),
        yaml(user_attribute(&identity.user_filter)),
    );
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

/// The attribute that holds the login. The driver has no filters, so the rest of ours is not told.
fn user_attribute(filter: &str) -> &str {
    let before = filter.split("={user}").next().filter(|b| b.len() < filter.len());
    before.and_then(|b| b.rsplit('(').next()).filter(|a| !a.is_empty()).unwrap_or("uid")
}

#[cfg(test)]
mod tests {
    use super::user_attribute;

    #[test]
    fn the_attribute_of_the_login_is_taken_from_the_filter() {
        assert_eq!(user_attribute("(&(objectClass=person)(uid={user}))"), "uid");
        assert_eq!(user_attribute("sAMAccountName={user}"), "sAMAccountName");
        assert_eq!(user_attribute("(objectClass=person)"), "uid");
    }
}
