use crate::attributes::Attributes;
use crate::ids::{DatastoreId, ImageId, MachineId, UserId};
use crate::object::{Element, Object, ObjectError};
use crate::states::{ImageState, ImageType};

/// An image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Identifier.
    pub id: ImageId,
    /// Name; one owner has it once.
    pub name: String,
    /// Owner.
    pub owner: UserId,
    /// What it is for.
    pub kind: ImageType,
    /// State.
    pub state: ImageState,
    /// Whether machines keep what they write.
    pub persistent: bool,
    /// Where it came from.
    pub path: String,
    /// Size in MB.
    pub size_mb: i64,
    /// Its datastore.
    pub datastore: DatastoreId,
    /// Machines that use it.
    pub machines: Vec<MachineId>,
    /// Its template.
    pub attributes: Attributes,
}

impl Image {
    /// Why it is in the state ERROR, in oned's words.
    pub fn error(&self) -> Option<&str> {
        self.attributes.text("ERROR")
    }
}

impl Object for Image {
    const ELEMENT: &'static str = "IMAGE";
    const POOL: &'static str = "IMAGE_POOL";

    fn read(element: Element<'_, '_>) -> Result<Self, ObjectError> {
        Ok(Self {
            id: element.needed("ID")?,
            name: element.needed_text("NAME")?,
            owner: element.needed("UID")?,
            kind: element.needed("TYPE")?,
            state: element.needed("STATE")?,
            persistent: element.needed::<i32>("PERSISTENT")? != 0,
            path: element.text("PATH"),
            size_mb: element.needed("SIZE")?,
            datastore: element.needed("DATASTORE_ID")?,
            machines: element.ids("VMS")?,
            attributes: element.attributes("TEMPLATE"),
        })
    }
}
