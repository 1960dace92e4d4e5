use crate::attributes::Attributes;
use crate::ids::{TemplateId, UserId};
use crate::object::{Element, Object, ObjectError};

/// A template of machines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Identifier.
    pub id: TemplateId,
    /// Name; one owner has it once.
    pub name: String,
    /// Owner.
    pub owner: UserId,
    /// Its content.
    pub attributes: Attributes,
}

impl Object for Template {
    const ELEMENT: &'static str = "VMTEMPLATE";
    const POOL: &'static str = "VMTEMPLATE_POOL";

    fn read(element: Element<'_, '_>) -> Result<Self, ObjectError> {
        Ok(Self {
            id: element.needed("ID")?,
            name: element.needed_text("NAME")?,
            owner: element.needed("UID")?,
            attributes: element.attributes("TEMPLATE"),
        })
    }
}
