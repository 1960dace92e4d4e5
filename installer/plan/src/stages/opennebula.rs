//! OpenNebula's own settings: the keys that the site decides, and nothing else of its files.

mod ldap;

use super::database;
use crate::metadata::opennebula;
use crate::plan::Role;
use crate::step::{Access, File, OurShare, Piece, Quoting, Step};
use crate::view::View;
use crate::wanted::{Wanted, packages_id, whole};
use stratus_site::{Database, Frontend};

pub(super) fn wanted(view: &View) -> Vec<Wanted> {
    if !view.is(Role::Frontend) {
        return Vec::new();
    }
    let mut steps = vec![auth(), oned(view), monitord(view)];
    if let Some(identity) = &view.site.identity {
        steps.extend(ldap::wanted(view, identity));
    }
    steps
}

/// The settings' owner: oned reads them, people do not, for a password may be in them.
fn settings() -> Access {
    Access { owner: "root".into(), group: opennebula().user.group.clone(), mode: 0o640 }
}

fn auth() -> Wanted {
    let access = super::accounts::oneadmin(0o600);
    let path = opennebula().files.auth.clone();
    let step = Step::Secret { path, access, prefix: format!("{}:", opennebula().user.name) };
    Wanted::new(step, "oneadmin's password, made once; the package may have made it already")
        .needs(packages_id("frontend"))
}

fn oned(view: &View) -> Wanted {
    let frontend = &view.site.frontend;
    let mut content = database_key(view, frontend);
    content.push(Piece::Text(oned_keys(view, frontend)));
    let file = File {
        content,
        share: OurShare::OnedKeys,
        access: settings(),
        // With MariaDB the file holds the database's password.
        secret: frontend.database == Database::Mariadb,
        ..whole(&opennebula().files.oned, 0o640, "")
    };
    let reason = "[frontend] and [identity] say how oned works; every other key stays";
    Wanted::new(Step::File(file), reason).needs(packages_id("frontend"))
}

fn database_key(view: &View, frontend: &Frontend) -> Vec<Piece> {
    let text = |text: String| Piece::Text(text);
    match frontend.database {
        Database::Sqlite => vec![text("DB = [ BACKEND = \"sqlite\" ]\n".into())],
        Database::Mariadb => {
            let name = database::NAME;
            let before = format!(
                "DB = [ BACKEND = \"mysql\", SERVER = \"localhost\", PORT = 0, USER = \"{name}\", \
                 DB_NAME = \"{name}\", CONNECTIONS = 25, PASSWD = "
            );
            let host = view.host.clone();
            let path = database::PASSWORD.into();
            let password = Piece::Quoted { host, path, quoting: Quoting::Oned };
            vec![text(before), password, text(" ]\n".into())]
        }
    }
}

fn oned_keys(view: &View, frontend: &Frontend) -> String {
    let gate = opennebula().ports.gate;
    let mut keys = format!(
        "PORT = {}\nLISTEN_ADDRESS = \"{}\"\nMAC_PREFIX = \"{}\"\nLOG = [ SYSTEM = \"file\", DEBUG_LEVEL = {} ]\n\
         ONEGATE_ENDPOINT = \"http://{}:{gate}\"\n",
        frontend.port,
        frontend.listen,
        frontend.mac_prefix,
        frontend.debug_level,
        view.frontend_address(),
    );
    if view.site.identity.is_some() {
        keys.push_str("DEFAULT_AUTH = \"ldap\"\n");
    }
    keys
}

fn monitord(view: &View) -> Wanted {
    let seconds = view.site.frontend.monitoring_interval.as_secs();
    // The other periods are those that OpenNebula comes with: a list is set as a whole.
    let keys = format!(
        "PROBES_PERIOD = [ BEACON_HOST = 30, SYSTEM_HOST = 600, MONITOR_HOST = {seconds}, \
         STATE_VM = 5, MONITOR_VM = {seconds}, SYNC_STATE_VM = 180 ]\n"
    );
    let file = File {
        share: OurShare::OnedKeys,
        access: settings(),
        ..whole(&opennebula().files.monitord, 0o640, keys)
    };
    let reason = "frontend.monitoring_interval: how often hosts and machines are looked at";
    Wanted::new(Step::File(file), reason).needs(packages_id("frontend"))
}
