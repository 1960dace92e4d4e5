//! The plan: kind by kind, object by object.

use crate::attributes::{Attribute, Attributes};
use crate::converge::change::{Change, Convergence, Difference, Kind, New};
use crate::converge::{MARK, Wanted, WantedHost, networks, removal, users};
use crate::ids::UserId;
use crate::objects::{
    Cluster, Datastore, Group, Host, Image, Machine, Marketplace, Template, User, VirtualNetwork,
};
use crate::states::{HostState, ServiceState};

/// What OpenNebula has.
#[derive(Clone, Debug, Default)]
pub struct Pools {
    /// Clusters.
    pub clusters: Vec<Cluster>,
    /// Hosts.
    pub hosts: Vec<Host>,
    /// Datastores.
    pub datastores: Vec<Datastore>,
    /// Networks.
    pub networks: Vec<VirtualNetwork>,
    /// Users.
    pub users: Vec<User>,
    /// Groups.
    pub groups: Vec<Group>,
    /// Marketplaces.
    pub marketplaces: Vec<Marketplace>,
    /// Images.
    pub images: Vec<Image>,
    /// Templates.
    pub templates: Vec<Template>,
    /// Machines that have not ended: their names are for the reasons of refusals.
    pub machines: Vec<Machine>,
}

/// What all kinds of objects have.
pub(crate) trait Found {
    const KIND: Kind;
    fn id(&self) -> i32;
    fn name(&self) -> &str;
    fn attributes(&self) -> &Attributes;
    /// Oneadmin for kinds whose names are unique in the cloud.
    fn owner(&self) -> UserId {
        UserId(0)
    }
    /// Whether this site made it.
    fn is_ours(&self, site: &str) -> bool {
        self.attributes().text(MARK) == Some(site)
    }
}

macro_rules! found {
    ($($object:ident $kind:ident $($owner:ident)?,)+) => {$(
        impl Found for $object {
            const KIND: Kind = Kind::$kind;
            fn id(&self) -> i32 {
                self.id.0
            }
            fn name(&self) -> &str {
                &self.name
            }
            fn attributes(&self) -> &Attributes {
                &self.attributes
            }
            $(fn owner(&self) -> UserId {
                self.$owner
            })?
        }
    )+};
}

found! {
    Cluster Cluster,
    Host Host,
    Datastore Datastore owner,
    VirtualNetwork Network owner,
    User User,
    Group Group,
    Marketplace Marketplace owner,
    Image Image owner,
    Template Template owner,
}

/// The object of a name: ours first, then oneadmin's. Another user's object of the same name is
/// no concern of the site.
pub(crate) fn find<'a, T: Found>(pool: &'a [T], name: &str, site: &str) -> Option<&'a T> {
    pool.iter()
        .filter(|object| object.name() == name)
        .filter(|object| object.is_ours(site) || object.owner() == UserId(0))
        .min_by_key(|object| (!object.is_ours(site), object.id()))
}

/// The changes from what is there to what is wanted. Names within a kind should differ; of two
/// equal ones the first counts.
pub fn converge(wanted: &Wanted, pools: &Pools) -> Convergence {
    let mut plan = Planner { site: &wanted.site, out: Convergence::default() };
    for cluster in &wanted.clusters {
        plan.object(&pools.clusters, &cluster.name, &cluster.attributes, || New::Plain);
    }
    for host in &wanted.hosts {
        plan.host(&pools.hosts, host);
    }
    for datastore in &wanted.datastores {
        plan.object(&pools.datastores, &datastore.name, &datastore.attributes, || New::Plain);
    }
    for network in &wanted.networks {
        let attributes = &network.attributes;
        let found = plan.object(&pools.networks, &network.name, attributes, || New::Plain);
        networks::ranges(&mut plan.out, &wanted.site, network, found, &pools.machines);
    }
    for user in &wanted.users {
        users::user(&mut plan, &pools.users, user);
    }
    for group in &wanted.groups {
        plan.object(&pools.groups, &group.name, &group.attributes, || New::Plain);
    }
    users::memberships(&mut plan.out, wanted, pools);
    for market in &wanted.marketplaces {
        let found =
            plan.object(&pools.marketplaces, &market.name, &market.attributes, || New::Plain);
        let on = found.is_none_or(|found| found.state == ServiceState::Enabled);
        plan.out.switch(Kind::Marketplace, &market.name, market.switch, on);
    }
    for image in &wanted.images {
        plan.object(&pools.images, &image.name, &image.attributes, || New::Image {
            datastore: image.datastore.clone(),
            source: image.source.clone(),
        });
    }
    for template in &wanted.templates {
        plan.object(&pools.templates, &template.name, &template.attributes, || New::Plain);
    }
    removal::removals(&mut plan.out, wanted, pools);
    plan.out
}

pub(crate) struct Planner<'a> {
    pub(crate) site: &'a str,
    pub(crate) out: Convergence,
}

impl Planner<'_> {
    /// Plans one object, and gives the one that is there.
    pub(crate) fn object<'p, T: Found>(
        &mut self,
        pool: &'p [T],
        name: &str,
        wanted: &Attributes,
        new: impl FnOnce() -> New,
    ) -> Option<&'p T> {
        let kind = T::KIND;
        let Some(found) = find(pool, name, self.site) else {
            let mut attributes = wanted.clone();
            attributes.set(MARK, Attribute::Text(self.site.to_owned()));
            let name = name.to_owned();
            self.out.changes.push(Change::Create { kind, name, attributes, new: new() });
            return None;
        };
        let differences = differences(found.attributes(), wanted);
        if !differences.is_empty() {
            let (id, name) = (found.id(), name.to_owned());
            self.out.changes.push(Change::Update { kind, id, name, differences });
        } else if found.is_ours(self.site) {
            self.out.settle(kind, name, "it is there and has the wanted attributes");
        } else {
            let reason = "it was there before us, and has the wanted attributes; \
                          its other attributes are not ours";
            self.out.settle(kind, name, reason);
        }
        Some(found)
    }

    fn host(&mut self, pool: &[Host], wanted: &WantedHost) {
        let mut attributes = wanted.attributes.clone();
        attributes.set("IM_MAD", Attribute::Text(wanted.im_mad.clone()));
        attributes.set("VM_MAD", Attribute::Text(wanted.vm_mad.clone()));
        let found = self.object(pool, &wanted.name, &attributes, || New::Host {
            im_mad: wanted.im_mad.clone(),
            vm_mad: wanted.vm_mad.clone(),
            cluster: wanted.cluster.clone(),
        });
        if let (Some(found), Some(cluster)) = (found, &wanted.cluster)
            && found.cluster_name != *cluster
        {
            self.out.changes.push(Change::Move {
                host: wanted.name.clone(),
                from: found.cluster_name.clone(),
                to: cluster.clone(),
            });
        }
        let off = [HostState::Disabled, HostState::MonitoringDisabled, HostState::Offline];
        let on = found.is_none_or(|found| !off.contains(&found.state));
        self.out.switch(Kind::Host, &wanted.name, wanted.switch, on);
    }
}

fn differences(found: &Attributes, wanted: &Attributes) -> Vec<Difference> {
    let values = |of: &Attributes, name: &str| of.values(name).cloned().collect();
    wanted
        .names()
        .into_iter()
        .filter(|name| *name != MARK && !found.same(wanted, name))
        .map(|name| Difference {
            name: name.to_owned(),
            before: values(found, name),
            after: values(wanted, name),
        })
        .collect()
}
