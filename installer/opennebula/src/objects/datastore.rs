use crate::attributes::Attributes;
use crate::ids::{ClusterId, DatastoreId, ImageId, UserId};
use crate::object::{Element, Object, ObjectError};
use crate::states::{DatastoreType, ServiceState};

/// A datastore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datastore {
    /// Identifier; 0 is `system`, 1 `default`, 2 `files`.
    pub id: DatastoreId,
    /// Name.
    pub name: String,
    /// Owner.
    pub owner: UserId,
    /// What it keeps.
    pub kind: DatastoreType,
    /// Whether machines may be placed on it.
    pub state: ServiceState,
    /// The clusters that reach it.
    pub clusters: Vec<ClusterId>,
    /// Size in MB.
    pub total_mb: i64,
    /// Free space in MB.
    pub free_mb: i64,
    /// Images on it.
    pub images: Vec<ImageId>,
    /// Its template, with `DS_MAD`, `TM_MAD` and `TYPE`.
    pub attributes: Attributes,
}

impl Object for Datastore {
    const ELEMENT: &'static str = "DATASTORE";
    const POOL: &'static str = "DATASTORE_POOL";

    fn read(element: Element<'_, '_>) -> Result<Self, ObjectError> {
        Ok(Self {
            id: element.needed("ID")?,
            name: element.needed_text("NAME")?,
            owner: element.needed("UID")?,
            kind: element.needed("TYPE")?,
            state: element.needed("STATE")?,
            clusters: element.ids("CLUSTERS")?,
            total_mb: element.needed("TOTAL_MB")?,
            free_mb: element.needed("FREE_MB")?,
            images: element.ids("IMAGES")?,
            attributes: element.attributes("TEMPLATE"),
        })
    }
}
