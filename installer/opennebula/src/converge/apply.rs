//! The effects: reading the pools, and making one change.

use std::time::Duration;

use secrecy::SecretString;

use crate::attributes::Attributes;
use crate::calls::{HostSwitch, MachineFilter};
use crate::client::{Client, Page, Update};
use crate::converge::change::{Change, Difference, Kind, New};
use crate::converge::plan::{Found, Pools, find};
use crate::converge::{Authentication, WantedRange};
use crate::error::Error;
use crate::ids::{
    ClusterId, DatastoreId, GroupId, HostId, ImageId, MarketplaceId, NetworkId, TemplateId, UserId,
};

/// Reads all pools that a plan needs.
pub async fn read_pools(client: &Client) -> Result<Pools, Error> {
    let all = Page::default();
    Ok(Pools {
        clusters: client.clusters().await?,
        hosts: client.hosts().await?,
        datastores: client.datastores().await?,
        networks: client.networks(all).await?,
        users: client.users().await?,
        groups: client.groups().await?,
        marketplaces: client.marketplaces().await?,
        images: client.images(all).await?,
        templates: client.templates(all).await?,
        machines: client.machines(all, MachineFilter::NotDone).await?,
    })
}

/// Makes one change of a plan for this site. `patience` bounds the waiting for what oned does
/// after its answer.
pub async fn apply(
    client: &Client,
    site: &str,
    change: &Change,
    patience: Duration,
) -> Result<(), Error> {
    match change {
        Change::Create { kind, name, attributes, new } => {
            create(client, *kind, name, attributes, new, patience).await
        }
        Change::Update { kind, id, differences, .. } => {
            update(client, *kind, *id, &merged(differences)).await
        }
        Change::AddRange { network, range } => {
            add_range(client, site, network, range, patience).await
        }
        Change::RemoveRange { network_id, range, .. } => {
            client.remove_range(NetworkId(*network_id), *range).await
        }
        Change::ResizeRange { network_id, template, .. } => {
            client.update_range(NetworkId(*network_id), template).await
        }
        Change::Move { host, to, .. } => {
            let host = HostId(named(client, &client.hosts().await?, host, site)?);
            let cluster = ClusterId(named(client, &client.clusters().await?, to, site)?);
            client.add_host_to_cluster(cluster, host).await
        }
        Change::Authenticate { id, authentication, .. } => {
            let (driver, secret) = credentials(authentication);
            client.set_authentication(UserId(*id), driver, &secret).await
        }
        Change::Join { user, group } => {
            let user = UserId(named(client, &client.users().await?, user, site)?);
            let group = GroupId(named(client, &client.groups().await?, group, site)?);
            client.add_user_to_group(user, group).await
        }
        Change::Enable { kind, name } => switch(client, site, *kind, name, true).await,
        Change::Disable { kind, name } => switch(client, site, *kind, name, false).await,
        Change::Delete { kind, id, name } => delete(client, *kind, *id, name, patience).await,
    }
}

fn merged(differences: &[Difference]) -> Attributes {
    differences
        .iter()
        .flat_map(|difference| {
            difference.after.iter().map(|v| (difference.name.clone(), v.clone()))
        })
        .collect()
}

fn credentials(authentication: &Authentication) -> (&'static str, SecretString) {
    match authentication {
        Authentication::Ldap(name) => ("ldap", name.clone().into()),
        Authentication::Core(password) | Authentication::CoreAtFirst(password) => {
            ("core", password.clone())
        }
    }
}

/// The number of an object by its name.
fn named<T: Found>(client: &Client, pool: &[T], name: &str, site: &str) -> Result<i32, Error> {
    find(pool, name, site).map(Found::id).ok_or_else(|| Error::NoSuchName {
        endpoint: client.endpoint().to_owned(),
        kind: T::KIND.word(),
        name: name.to_owned(),
    })
}

async fn create(
    client: &Client,
    kind: Kind,
    name: &str,
    attributes: &Attributes,
    new: &New,
    patience: Duration,
) -> Result<(), Error> {
    let mut whole = Attributes::new().with("NAME", name);
    whole.merge(attributes);
    // Some kinds are made by name alone and get their template afterwards. If that is cut in
    // half, the next plan finds an object without our mark: it is updated, and never deleted.
    let id = match (kind, new) {
        (Kind::Cluster, _) => client.allocate_cluster(name).await?.0,
        (Kind::Group, _) => client.allocate_group(name).await?.0,
        (Kind::Host, New::Host { im_mad, vm_mad, cluster }) => {
            let cluster = match cluster {
                Some(cluster) => {
                    Some(ClusterId(named(client, &client.clusters().await?, cluster, "")?))
                }
                None => None,
            };
            client.allocate_host(name, im_mad, vm_mad, cluster).await?.0
        }
        (Kind::User, New::User(authentication)) => {
            let (driver, secret) = credentials(authentication);
            client.allocate_user(name, &secret, driver, &[]).await?.0
        }
        (Kind::Image, New::Image { datastore, source }) => {
            whole.merge(source);
            let stores = client.datastores().await?;
            let datastore = DatastoreId(named(client, &stores, datastore, "")?);
            let id = client.allocate_image(&whole, datastore).await?;
            return client.wait_image_ready(id, patience).await.map(drop);
        }
        (Kind::Network, _) => {
            let id = client.allocate_network(&whole, None).await?;
            return client.wait_network_ready(id, patience).await.map(drop);
        }
        (Kind::Datastore, _) => return client.allocate_datastore(&whole, None).await.map(drop),
        (Kind::Marketplace, _) => return client.allocate_marketplace(&whole).await.map(drop),
        (Kind::Template, _) => return client.allocate_template(&whole).await.map(drop),
        (Kind::Host | Kind::User | Kind::Image, _) => {
            let problem = format!("the change for {kind} `{name}` lacks what that kind needs");
            return Err(Error::Settings(problem));
        }
    };
    update(client, kind, id, attributes).await
}

async fn update(client: &Client, kind: Kind, id: i32, new: &Attributes) -> Result<(), Error> {
    let merge = Update::Merge;
    match kind {
        Kind::Cluster => client.update_cluster(ClusterId(id), new, merge).await,
        Kind::Host => client.update_host(HostId(id), new, merge).await,
        Kind::Datastore => client.update_datastore(DatastoreId(id), new, merge).await,
        Kind::Network => client.update_network(NetworkId(id), new, merge).await,
        Kind::User => client.update_user(UserId(id), new, merge).await,
        Kind::Group => client.update_group(GroupId(id), new, merge).await,
        Kind::Marketplace => client.update_marketplace(MarketplaceId(id), new, merge).await,
        Kind::Image => client.update_image(ImageId(id), new, merge).await,
        Kind::Template => client.update_template(TemplateId(id), new, merge).await,
    }
}

async fn add_range(
    client: &Client,
    site: &str,
    network: &str,
    range: &WantedRange,
    patience: Duration,
) -> Result<(), Error> {
    let id = NetworkId(named(client, &client.networks(Page::default()).await?, network, site)?);
    client.wait_network_ready(id, patience).await?;
    client.add_range(id, &range.template(site)).await
}

async fn switch(
    client: &Client,
    site: &str,
    kind: Kind,
    name: &str,
    on: bool,
) -> Result<(), Error> {
    match kind {
        Kind::Host => {
            let id = HostId(named(client, &client.hosts().await?, name, site)?);
            let switch = if on { HostSwitch::Enable } else { HostSwitch::Disable };
            client.switch_host(id, switch).await
        }
        Kind::User => {
            let id = UserId(named(client, &client.users().await?, name, site)?);
            client.enable_user(id, on).await
        }
        Kind::Marketplace => {
            let id = MarketplaceId(named(client, &client.marketplaces().await?, name, site)?);
            client.enable_marketplace(id, on).await
        }
        Kind::Cluster
        | Kind::Datastore
        | Kind::Network
        | Kind::Group
        | Kind::Image
        | Kind::Template => Err(Error::Settings(format!("a {kind} has no switch"))),
    }
}

async fn delete(
    client: &Client,
    kind: Kind,
    id: i32,
    name: &str,
    patience: Duration,
) -> Result<(), Error> {
    let what = format!("{kind} {id} ({name})");
    match kind {
        Kind::Cluster => client.delete_cluster(ClusterId(id)).await,
        Kind::Datastore => client.delete_datastore(DatastoreId(id)).await,
        Kind::User => client.delete_user(UserId(id)).await,
        Kind::Group => client.delete_group(GroupId(id)).await,
        Kind::Marketplace => client.delete_marketplace(MarketplaceId(id)).await,
        Kind::Template => client.delete_template(TemplateId(id)).await,
        // These three go a little after the answer.
        Kind::Host => {
            client.delete_host(HostId(id)).await?;
            client.wait_gone(&what, patience, || client.host(HostId(id))).await
        }
        Kind::Network => {
            client.delete_network(NetworkId(id)).await?;
            client.wait_gone(&what, patience, || client.network(NetworkId(id))).await
        }
        Kind::Image => {
            client.delete_image(ImageId(id)).await?;
            client.wait_gone(&what, patience, || client.image(ImageId(id))).await
        }
    }
}
