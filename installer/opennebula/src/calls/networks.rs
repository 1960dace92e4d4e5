//! Virtual networks.

use std::net::Ipv4Addr;

use crate::attributes::Attributes;
use crate::client::{Client, Page, Update, template};
use crate::error::Error;
use crate::ids::{ClusterId, NetworkId, RangeId};
use crate::objects::VirtualNetwork;
use crate::xmlrpc::Value;

impl Client {
    /// Networks, newest first.
    pub async fn networks(&self, page: Page) -> Result<Vec<VirtualNetwork>, Error> {
        self.page("one.vnpool.info", page).await
    }

    /// One network.
    pub async fn network(&self, id: NetworkId) -> Result<VirtualNetwork, Error> {
        self.call_for_object("one.vn.info", vec![id.into(), false.into()]).await
    }

    /// Makes a network. It is not ready when this returns: see
    /// [`Client::wait_network_ready`](crate::Client::wait_network_ready).
    ///
    /// A wrong `AR` in the template is dropped by oned without a word; use
    /// [`add_range`](Self::add_range), which is refused with a reason.
    pub async fn allocate_network(
        &self,
        attributes: &Attributes,
        cluster: Option<ClusterId>,
    ) -> Result<NetworkId, Error> {
        let method = "one.vn.allocate";
        let text = template(method, attributes)?;
        let cluster = cluster.unwrap_or(ClusterId(-1));
        self.call_for_id(method, vec![text, cluster.into()]).await
    }

    /// Changes a network's template.
    pub async fn update_network(
        &self,
        id: NetworkId,
        attributes: &Attributes,
        mode: Update,
    ) -> Result<(), Error> {
        let method = "one.vn.update";
        let text = template(method, attributes)?;
        self.call_for_nothing(method, vec![id.into(), text, mode.into()]).await
    }

    /// Adds an address range: a template with one vector `AR`.
    pub async fn add_range(&self, id: NetworkId, range: &Attributes) -> Result<(), Error> {
        let method = "one.vn.add_ar";
        let text = template(method, range)?;
        self.call_for_nothing(method, vec![id.into(), text]).await
    }

    /// Changes an address range: a template with one vector `AR` that has an `AR_ID`.
    pub async fn update_range(&self, id: NetworkId, range: &Attributes) -> Result<(), Error> {
        let method = "one.vn.update_ar";
        let text = template(method, range)?;
        self.call_for_nothing(method, vec![id.into(), text]).await
    }

    /// Removes an address range; oned refuses while an address of it is in use.
    pub async fn remove_range(&self, id: NetworkId, range: RangeId) -> Result<(), Error> {
        self.call_for_nothing("one.vn.rm_ar", vec![id.into(), range.into()]).await
    }

    /// Holds an address back, so that no machine gets it.
    pub async fn hold_address(&self, id: NetworkId, ip: Ipv4Addr) -> Result<(), Error> {
        self.lease("one.vn.hold", id, ip).await
    }

    /// Ends a hold.
    pub async fn release_address(&self, id: NetworkId, ip: Ipv4Addr) -> Result<(), Error> {
        self.lease("one.vn.release", id, ip).await
    }

    /// Rights in the order owner, group, others; each use, manage, administer. -1 keeps.
    pub async fn chmod_network(&self, id: NetworkId, rights: [i32; 9]) -> Result<(), Error> {
        let mut parameters = vec![Value::from(id)];
        parameters.extend(rights.map(Value::from));
        self.call_for_nothing("one.vn.chmod", parameters).await
    }

    /// Deletes a network; it is gone a little later.
    pub async fn delete_network(&self, id: NetworkId) -> Result<(), Error> {
        self.call_for_nothing("one.vn.delete", vec![id.into()]).await
    }

    async fn lease(&self, method: &'static str, id: NetworkId, ip: Ipv4Addr) -> Result<(), Error> {
        let leases = Attributes::new().with_vector("LEASES", &[("IP", &ip.to_string())]);
        let text = template(method, &leases)?;
        self.call_for_nothing(method, vec![id.into(), text]).await
    }
}
