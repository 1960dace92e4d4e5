use secrecy::SecretString;

use crate::attributes::Attributes;
use crate::ids::{GroupId, UserId};
use crate::object::{Element, Object, ObjectError};

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// Identifier; 0 is oneadmin.
    pub id: UserId,
    /// Name.
    pub name: String,
    /// The primary group.
    pub group: GroupId,
    /// All groups.
    pub groups: Vec<GroupId>,
    /// What oned compares passwords with: the SHA-256 in hexadecimal with the driver `core`, else
    /// the driver's own text, which may be a password.
    pub password: SecretString,
    /// The driver that checks passwords: `core`, `ldap`, ...
    pub driver: String,
    /// Whether the user may log in.
    pub enabled: bool,
    /// The user's template.
    pub attributes: Attributes,
}

impl Object for User {
    const ELEMENT: &'static str = "USER";
    const POOL: &'static str = "USER_POOL";

    fn read(element: Element<'_, '_>) -> Result<Self, ObjectError> {
        let mut attributes = element.attributes("TEMPLATE");
        // A secret that oned keeps for itself, which nobody here needs.
        attributes.remove("TOKEN_PASSWORD");
        Ok(Self {
            id: element.needed("ID")?,
            name: element.needed_text("NAME")?,
            group: element.needed("GID")?,
            groups: element.ids("GROUPS")?,
            password: element.text("PASSWORD").into(),
            driver: element.text("AUTH_DRIVER"),
            enabled: element.needed::<i32>("ENABLED")? != 0,
            attributes,
        })
    }
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Identifier; 0 is oneadmin's, 1 the users'.
    pub id: GroupId,
    /// Name.
    pub name: String,
    /// Its members.
    pub users: Vec<UserId>,
    /// Its template.
    pub attributes: Attributes,
}

impl Object for Group {
    const ELEMENT: &'static str = "GROUP";
    const POOL: &'static str = "GROUP_POOL";

    fn read(element: Element<'_, '_>) -> Result<Self, ObjectError> {
        Ok(Self {
            id: element.needed("ID")?,
            name: element.needed_text("NAME")?,
            users: element.ids("USERS")?,
            attributes: element.attributes("TEMPLATE"),
        })
    }
}
