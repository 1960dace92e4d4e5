//! Making a change.

use super::{AWAY, BurstChange, MARK};
use crate::attributes::Attributes;
use crate::calls::HostSwitch;
use crate::client::{Client, Update};
use crate::error::Error;
use crate::ids::ClusterId;

/// What a new host is made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drivers {
    /// Driver that monitors it.
    pub im_mad: String,
    /// Driver that runs machines on it.
    pub vm_mad: String,
    /// Its cluster; OpenNebula's default one where absent.
    pub cluster: Option<ClusterId>,
}

/// Makes one change for this site.
pub async fn apply(
    client: &Client,
    site: &str,
    drivers: &Drivers,
    change: &BurstChange,
) -> Result<(), Error> {
    match change {
        BurstChange::Make { name } => make(client, site, drivers, name).await,
        BurstChange::NoteAway { id, since, .. } => {
            let note = Attributes::new().with(AWAY, since.to_string());
            client.update_host(*id, &note, Update::Merge).await
        }
        BurstChange::ForgetAway { id, .. } => {
            // An update takes no attribute away.
            client.update_host(*id, &Attributes::new().with(AWAY, "no"), Update::Merge).await
        }
        BurstChange::Offline { id, .. } => client.switch_host(*id, HostSwitch::Offline).await,
        BurstChange::Enable { id, .. } => client.switch_host(*id, HostSwitch::Enable).await,
        BurstChange::Delete { id, .. } => client.delete_host(*id).await,
    }
}

/// oned takes no template with a new host. One that cannot be marked would be a stranger for ever, so
/// it is taken away again.
async fn make(client: &Client, site: &str, drivers: &Drivers, name: &str) -> Result<(), Error> {
    let Drivers { im_mad, vm_mad, cluster } = drivers;
    let id = client.allocate_host(name, im_mad, vm_mad, *cluster).await?;
    let mark = Attributes::new().with(MARK, site);
    match client.update_host(id, &mark, Update::Merge).await {
        Ok(()) => Ok(()),
        Err(error) => {
            // The first error is the one to tell.
            let _ = client.delete_host(id).await;
            Err(error)
        }
    }
}
