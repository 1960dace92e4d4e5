use crate::ids::AclId;
use crate::object::{Element, Object, ObjectError};

/// A rule of access control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acl {
    /// Identifier.
    pub id: AclId,
    /// Whom it is about, as oned's hexadecimal number (`200000064` is group 100).
    pub user: String,
    /// What it is about, likewise.
    pub resource: String,
    /// What is allowed, likewise: 1 use, 2 manage, 4 administer, 8 create.
    pub rights: String,
    /// The zones, likewise.
    pub zone: String,
    /// The rule in oned's words: `@1 HOST/* MANAGE #0`.
    pub rule: String,
}

impl Object for Acl {
    const ELEMENT: &'static str = "ACL";
    const POOL: &'static str = "ACL_POOL";

    fn read(element: Element<'_, '_>) -> Result<Self, ObjectError> {
        Ok(Self {
            id: element.needed("ID")?,
            user: element.needed_text("USER")?,
            resource: element.needed_text("RESOURCE")?,
            rights: element.needed_text("RIGHTS")?,
            zone: element.needed_text("ZONE")?,
            rule: element.needed_text("STRING")?,
        })
    }
}
