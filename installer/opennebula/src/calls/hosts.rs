//! Hosts and clusters.

use crate::attributes::Attributes;
use crate::calls::HostSwitch;
use crate::client::{Client, Update, template};
use crate::error::Error;
use crate::ids::{ClusterId, DatastoreId, HostId, NetworkId};
use crate::objects::{Cluster, Host};

impl Client {
    /// All hosts, newest first. For a user without rights the pool is empty.
    pub async fn hosts(&self) -> Result<Vec<Host>, Error> {
        self.call_for_pool("one.hostpool.info", vec![]).await
    }

    /// One host.
    pub async fn host(&self, id: HostId) -> Result<Host, Error> {
        self.call_for_object("one.host.info", vec![id.into(), false.into()]).await
    }

    /// Registers a host. oned does not check that it has these drivers.
    pub async fn allocate_host(
        &self,
        name: &str,
        im_mad: &str,
        vm_mad: &str,
        cluster: Option<ClusterId>,
    ) -> Result<HostId, Error> {
        let cluster = cluster.unwrap_or(ClusterId(-1));
        let parameters = vec![name.into(), im_mad.into(), vm_mad.into(), cluster.into()];
        self.call_for_id("one.host.allocate", parameters).await
    }

    /// Changes a host's template.
    pub async fn update_host(
        &self,
        id: HostId,
        attributes: &Attributes,
        mode: Update,
    ) -> Result<(), Error> {
        let method = "one.host.update";
        let text = template(method, attributes)?;
        self.call_for_nothing(method, vec![id.into(), text, mode.into()]).await
    }

    /// Switches a host.
    pub async fn switch_host(&self, id: HostId, switch: HostSwitch) -> Result<(), Error> {
        let number = match switch {
            HostSwitch::Enable => 0,
            HostSwitch::Disable => 1,
            HostSwitch::Offline => 2,
        };
        self.call_for_nothing("one.host.status", vec![id.into(), number.into()]).await
    }

    /// Gives a host another name.
    pub async fn rename_host(&self, id: HostId, name: &str) -> Result<(), Error> {
        self.call_for_nothing("one.host.rename", vec![id.into(), name.into()]).await
    }

    /// Deletes a host; it is gone a little later.
    pub async fn delete_host(&self, id: HostId) -> Result<(), Error> {
        self.call_for_nothing("one.host.delete", vec![id.into()]).await
    }

    /// All clusters, newest first.
    pub async fn clusters(&self) -> Result<Vec<Cluster>, Error> {
        self.call_for_pool("one.clusterpool.info", vec![]).await
    }

    /// One cluster.
    pub async fn cluster(&self, id: ClusterId) -> Result<Cluster, Error> {
        self.call_for_object("one.cluster.info", vec![id.into(), false.into()]).await
    }

    /// Makes a cluster.
    pub async fn allocate_cluster(&self, name: &str) -> Result<ClusterId, Error> {
        self.call_for_id("one.cluster.allocate", vec![name.into()]).await
    }

    /// Changes a cluster's template.
    pub async fn update_cluster(
        &self,
        id: ClusterId,
        attributes: &Attributes,
        mode: Update,
    ) -> Result<(), Error> {
        let method = "one.cluster.update";
        let text = template(method, attributes)?;
        self.call_for_nothing(method, vec![id.into(), text, mode.into()]).await
    }

    /// Moves a host into a cluster.
    pub async fn add_host_to_cluster(&self, id: ClusterId, host: HostId) -> Result<(), Error> {
        self.call_for_nothing("one.cluster.addhost", vec![id.into(), host.into()]).await
    }

    /// Gives a cluster a datastore.
    pub async fn add_datastore_to_cluster(
        &self,
        id: ClusterId,
        datastore: DatastoreId,
    ) -> Result<(), Error> {
        self.call_for_nothing("one.cluster.adddatastore", vec![id.into(), datastore.into()]).await
    }

    /// Gives a cluster a network.
    pub async fn add_network_to_cluster(
        &self,
        id: ClusterId,
        network: NetworkId,
    ) -> Result<(), Error> {
        self.call_for_nothing("one.cluster.addvnet", vec![id.into(), network.into()]).await
    }

    /// Deletes an empty cluster.
    pub async fn delete_cluster(&self, id: ClusterId) -> Result<(), Error> {
        self.call_for_nothing("one.cluster.delete", vec![id.into()]).await
    }
}
