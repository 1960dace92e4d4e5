use crate::attributes::Attributes;
use crate::ids::{ClusterId, DatastoreId, HostId, NetworkId};
use crate::object::{Element, Object, ObjectError};

/// A cluster: hosts with the datastores and networks that they can reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Identifier; the default cluster is 0.
    pub id: ClusterId,
    /// Name.
    pub name: String,
    /// Its hosts.
    pub hosts: Vec<HostId>,
    /// Its datastores.
    pub datastores: Vec<DatastoreId>,
    /// Its networks.
    pub networks: Vec<NetworkId>,
    /// Its template.
    pub attributes: Attributes,
}

impl Object for Cluster {
    const ELEMENT: &'static str = "CLUSTER";
    const POOL: &'static str = "CLUSTER_POOL";

    fn read(element: Element<'_, '_>) -> Result<Self, ObjectError> {
        Ok(Self {
            id: element.needed("ID")?,
            name: element.needed_text("NAME")?,
            hosts: element.ids("HOSTS")?,
            datastores: element.ids("DATASTORES")?,
            networks: element.ids("VNETS")?,
            attributes: element.attributes("TEMPLATE"),
        })
    }
}
