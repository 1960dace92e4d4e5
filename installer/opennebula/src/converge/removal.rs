//! What we made and the site no longer wants.

use std::collections::BTreeSet;

use crate::converge::change::{Change, Convergence, Kind};
use crate::converge::networks::holders;
use crate::converge::plan::{Found, Pools, find};
use crate::converge::{Removal, Wanted};
use crate::objects::{Cluster, Datastore, Group, Host, Image, VirtualNetwork};

/// Deletions, in the order opposite to making.
pub(crate) fn removals(out: &mut Convergence, wanted: &Wanted, pools: &Pools) {
    // A host that moves no longer holds the cluster it leaves.
    let moves = |host: &&Host| {
        out.changes
            .iter()
            .any(|c| matches!(c, Change::Move { host: name, .. } if *name == host.name))
    };
    let gone = pools.hosts.iter().filter(moves).map(|host| (Kind::Host, host.id.0)).collect();
    let mut going = Going { out, wanted, gone };
    let names = Names::of(wanted);
    going.pool(&pools.templates, &names, |_, _| None);
    going.pool(&pools.images, &names, image_in_use);
    going.pool(&pools.marketplaces, &names, |_, _| None);
    going.pool(&pools.users, &names, |_, _| None);
    going.pool(&pools.groups, &names, group_in_use);
    going.pool(&pools.networks, &names, |_, network| network_in_use(network, pools));
    going.pool(&pools.datastores, &names, datastore_in_use);
    going.pool(&pools.hosts, &names, host_in_use);
    going.pool(&pools.clusters, &names, cluster_in_use);
    going.not_ours(pools);
}

struct Names(BTreeSet<(Kind, String)>);

impl Names {
    fn of(wanted: &Wanted) -> Self {
        let mut all = BTreeSet::new();
        let mut add = |kind: Kind, name: &str| {
            all.insert((kind, name.to_owned()));
        };
        wanted.clusters.iter().for_each(|w| add(Kind::Cluster, &w.name));
        wanted.hosts.iter().for_each(|w| add(Kind::Host, &w.name));
        wanted.datastores.iter().for_each(|w| add(Kind::Datastore, &w.name));
        wanted.networks.iter().for_each(|w| add(Kind::Network, &w.name));
        wanted.users.iter().for_each(|w| add(Kind::User, &w.name));
        wanted.groups.iter().for_each(|w| add(Kind::Group, &w.name));
        wanted.marketplaces.iter().for_each(|w| add(Kind::Marketplace, &w.name));
        wanted.images.iter().for_each(|w| add(Kind::Image, &w.name));
        wanted.templates.iter().for_each(|w| add(Kind::Template, &w.name));
        // What a wanted object refers to stays too.
        wanted.users.iter().flat_map(|w| &w.groups).for_each(|name| add(Kind::Group, name));
        wanted.hosts.iter().flat_map(|w| &w.cluster).for_each(|name| add(Kind::Cluster, name));
        wanted.images.iter().for_each(|w| add(Kind::Datastore, &w.datastore));
        Self(all)
    }

    fn has(&self, kind: Kind, name: &str) -> bool {
        self.0.contains(&(kind, name.to_owned()))
    }
}

struct Going<'a> {
    out: &'a mut Convergence,
    wanted: &'a Wanted,
    /// What goes in this plan: it no longer holds what it was using.
    gone: BTreeSet<(Kind, i32)>,
}

impl Going<'_> {
    fn pool<T: Found>(
        &mut self,
        pool: &[T],
        names: &Names,
        in_use: impl Fn(&BTreeSet<(Kind, i32)>, &T) -> Option<String>,
    ) {
        let kind = T::KIND;
        let unwanted =
            |object: &&T| object.is_ours(&self.wanted.site) && !names.has(kind, object.name());
        let unwanted: Vec<&T> = pool.iter().filter(unwanted).collect();
        for object in unwanted {
            let (id, name) = (object.id(), object.name());
            if !self.told(kind, name) {
                let reason = "ours and no longer wanted, but nobody asked for its removal";
                self.out.settle(kind, name, reason);
            } else if let Some(reason) = in_use(&self.gone, object) {
                self.out.refuse(kind, name, format!("it is no longer wanted, but {reason}"));
            } else {
                self.gone.insert((kind, id));
                self.out.changes.push(Change::Delete { kind, id, name: name.to_owned() });
            }
        }
    }

    fn told(&self, kind: Kind, name: &str) -> bool {
        match &self.wanted.removal {
            Removal::Keep => false,
            Removal::Unwanted => true,
            Removal::Named(names) => names.iter().any(|(k, n)| *k == kind && n == name),
        }
    }

    /// Refuses what was named for removal and is not ours.
    fn not_ours(&mut self, pools: &Pools) {
        let Removal::Named(names) = &self.wanted.removal else { return };
        let site = &self.wanted.site;
        for (kind, name) in names {
            let strange = match kind {
                Kind::Cluster => stranger(&pools.clusters, name, site),
                Kind::Host => stranger(&pools.hosts, name, site),
                Kind::Datastore => stranger(&pools.datastores, name, site),
                Kind::Network => stranger(&pools.networks, name, site),
                Kind::User => stranger(&pools.users, name, site),
                Kind::Group => stranger(&pools.groups, name, site),
                Kind::Marketplace => stranger(&pools.marketplaces, name, site),
                Kind::Image => stranger(&pools.images, name, site),
                Kind::Template => stranger(&pools.templates, name, site),
            };
            if strange {
                let reason = "it is not deleted: it was not made by this site; delete it yourself \
                              if it should go";
                self.out.refuse(*kind, name, reason.to_owned());
            }
        }
    }
}

fn stranger<T: Found>(pool: &[T], name: &str, site: &str) -> bool {
    find(pool, name, site).is_some_and(|found| !found.is_ours(site))
}

type Gone = BTreeSet<(Kind, i32)>;

fn listed<T: ToString>(ids: &[T]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn host_in_use(_: &Gone, host: &Host) -> Option<String> {
    (!host.machines.is_empty())
        .then(|| format!("machines are on it: {}; move or end them first", listed(&host.machines)))
}

fn image_in_use(_: &Gone, image: &Image) -> Option<String> {
    (!image.machines.is_empty())
        .then(|| format!("machines use it: {}; end them first", listed(&image.machines)))
}

fn network_in_use(network: &VirtualNetwork, pools: &Pools) -> Option<String> {
    let leases: Vec<_> = network.ranges.iter().flat_map(|range| range.leases.clone()).collect();
    (!leases.is_empty())
        .then(|| format!("addresses are in use: {}", holders(&leases, &pools.machines)))
}

fn datastore_in_use(gone: &Gone, datastore: &Datastore) -> Option<String> {
    let left: Vec<_> =
        datastore.images.iter().filter(|id| !gone.contains(&(Kind::Image, id.0))).collect();
    (!left.is_empty()).then(|| format!("images are on it: {}", listed(&left)))
}

fn group_in_use(gone: &Gone, group: &Group) -> Option<String> {
    let left: Vec<_> =
        group.users.iter().filter(|id| !gone.contains(&(Kind::User, id.0))).collect();
    (!left.is_empty()).then(|| format!("users are in it: {}", listed(&left)))
}

fn cluster_in_use(gone: &Gone, cluster: &Cluster) -> Option<String> {
    let left: Vec<_> =
        cluster.hosts.iter().filter(|id| !gone.contains(&(Kind::Host, id.0))).collect();
    (!left.is_empty()).then(|| format!("hosts are in it: {}", listed(&left)))
}
