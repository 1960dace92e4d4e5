//! OpenNebula's database, where it is not a file of oned's own.

use crate::plan::Role;
use crate::step::{Access, Step};
use crate::view::View;
use crate::wanted::{Wanted, packages_id, whole};
use stratus_site::Database;

/// The database, and the user who owns it.
pub(crate) const NAME: &str = "opennebula";
/// The file with that user's password, made on the front-end and read there only.
pub(crate) const PASSWORD: &str = "/var/lib/stratus/installer/secrets/mariadb-opennebula";

pub(super) fn wanted(view: &View) -> Vec<Wanted> {
    if !view.is(Role::Frontend) || view.site.frontend.database != Database::Mariadb {
        return Vec::new();
    }
    let settings = view.system.family.files.mariadb.as_str();
    let content = "[mysqld]\ntransaction-isolation = READ-COMMITTED\n";
    let unit = &view.system.family.units.mariadb;
    let secret =
        Step::Secret { path: PASSWORD.into(), access: Access::root(0o600), prefix: String::new() };
    let database = Step::Database { name: NAME.into(), password_file: PASSWORD.into() };
    vec![
        Wanted::new(
            Step::File(whole(settings, 0o644, content)),
            "oned asks for this isolation: with the default one its queries block each other",
        ),
        Wanted::runs(unit, &[settings], "frontend.database = \"mariadb\"")
            .needs(packages_id("mariadb")),
        Wanted::new(secret, "a password of its own that nobody has to know"),
        Wanted::new(database, "oned keeps its state here").needs(format!("unit:{unit}")),
    ]
}
