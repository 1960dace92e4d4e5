//! OpenNebula as a plan sees it: pools, and what each change does to them.

use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};
use stratus_opennebula::converge::{Authentication, Change, Kind, MARK, New, Pools};
use stratus_opennebula::object::read_object;
use stratus_opennebula::{
    AddressRange, Attribute, Attributes, Cluster, Group, GroupId, Host, HostState, Marketplace,
    RangeId, ServiceState, Template, User, VirtualNetwork,
};

#[derive(Default)]
pub(crate) struct Model {
    pools: Pools,
    next: i32,
}

fn named<T>(pool: &mut [T], found: impl Fn(&T) -> bool) -> &mut T {
    pool.iter_mut().find(|object| found(object)).expect("a change is of an object that is there")
}

impl Model {
    pub(crate) fn pools(&self) -> &Pools {
        &self.pools
    }

    /// Somebody has an address of the first network's first range.
    pub(crate) fn lease(&mut self, lease: stratus_opennebula::Lease) {
        self.pools.networks[0].ranges[0].leases.push(lease);
    }

    /// Makes a change; `site` replaces the mark of what is made.
    pub(crate) fn make(&mut self, site: &str, change: &Change) {
        let pools = &mut self.pools;
        match change {
            Change::Create { kind, name, attributes, new } => {
                let mut attributes = attributes.clone();
                attributes.set(MARK, Attribute::Text(site.to_owned()));
                self.create(*kind, name, &attributes, new);
            }
            Change::Update { kind, id, differences, .. } => {
                let newer: Attributes = differences
                    .iter()
                    .flat_map(|d| d.after.iter().map(|value| (d.name.clone(), value.clone())))
                    .collect();
                self.attributes(*kind, *id).merge(&newer);
            }
            Change::AddRange { network, range } => {
                let net = named(&mut pools.networks, |net| net.name == *network);
                let id = net.ranges.iter().map(|range| range.id.0 + 1).max().unwrap_or(0);
                net.ranges.push(AddressRange {
                    id: RangeId(id),
                    kind: "IP4".into(),
                    ip: Some(range.ip),
                    mac: String::new(),
                    size: u64::from(range.size),
                    leases: vec![],
                    attributes: Attributes::new().with(MARK, site),
                });
            }
            Change::RemoveRange { network_id, range, .. } => {
                let net = named(&mut pools.networks, |net| net.id.0 == *network_id);
                net.ranges.retain(|own| own.id != *range);
            }
            Change::ResizeRange { network_id, size, template, .. } => {
                let net = named(&mut pools.networks, |net| net.id.0 == *network_id);
                let vector = template.values("AR").next().unwrap();
                let id = vector.member("AR_ID").unwrap();
                // oned keeps nothing of a range but what it is told again.
                assert_eq!(vector.member(MARK), Some(site));
                let range = named(&mut net.ranges, |range| range.id.0.to_string() == id);
                range.size = u64::from(*size);
            }
            Change::Move { host, to, .. } => {
                let id = named(&mut pools.clusters, |cluster| cluster.name == *to).id;
                let host = named(&mut pools.hosts, |own| own.name == *host);
                (host.cluster, host.cluster_name) = (id, to.clone());
                self.settle_clusters();
            }
            Change::Authenticate { id, authentication, .. } => {
                let user = named(&mut pools.users, |user| user.id.0 == *id);
                authenticate(user, authentication);
            }
            Change::Join { user, group } => {
                let group = named(&mut pools.groups, |own| own.name == *group);
                let user = named(&mut pools.users, |own| own.name == *user);
                user.groups.push(group.id);
                group.users.push(user.id);
            }
            Change::Enable { kind, name } => self.switch(*kind, name, true),
            Change::Disable { kind, name } => self.switch(*kind, name, false),
            Change::Delete { kind, id, .. } => self.delete(*kind, *id),
        }
    }

    /// The new object is read from a description, as a client would.
    fn create(&mut self, kind: Kind, name: &str, attributes: &Attributes, new: &New) {
        self.next += 1;
        let id = self.next;
        let template = attributes.to_xml("TEMPLATE").unwrap();
        let text = |element: &str, more: &str| {
            format!(
                "<{element}><ID>{id}</ID><NAME>{name}</NAME><UID>0</UID>{more}{template}</{element}>"
            )
        };
        let pools = &mut self.pools;
        match kind {
            Kind::Cluster => {
                pools.clusters.push(read_object::<Cluster>(&text("CLUSTER", "")).unwrap());
            }
            Kind::Host => {
                let more = "<STATE>2</STATE><CLUSTER_ID>0</CLUSTER_ID><CLUSTER>default</CLUSTER>";
                let mut host: Host = read_object(&text("HOST", more)).unwrap();
                if let New::Host { cluster: Some(cluster), .. } = new {
                    host.cluster = named(&mut pools.clusters, |own| own.name == *cluster).id;
                    host.cluster_name.clone_from(cluster);
                }
                pools.hosts.push(host);
                self.settle_clusters();
            }
            Kind::Network => {
                let more = "<STATE>1</STATE><USED_LEASES>0</USED_LEASES>";
                let net: VirtualNetwork = read_object(&text("VNET", more)).unwrap();
                pools.networks.push(net);
            }
            Kind::User => {
                let more = "<GID>1</GID><ENABLED>1</ENABLED>";
                let mut user: User = read_object(&text("USER", more)).unwrap();
                if let New::User(authentication) = new {
                    authenticate(&mut user, authentication);
                }
                pools.users.push(user);
            }
            Kind::Group => pools.groups.push(read_object::<Group>(&text("GROUP", "")).unwrap()),
            Kind::Marketplace => {
                let market: Marketplace =
                    read_object(&text("MARKETPLACE", "<STATE>0</STATE>")).unwrap();
                pools.marketplaces.push(market);
            }
            Kind::Template => {
                pools.templates.push(read_object::<Template>(&text("VMTEMPLATE", "")).unwrap());
            }
            Kind::Datastore | Kind::Image => panic!("the model has no {kind}"),
        }
    }

    fn attributes(&mut self, kind: Kind, id: i32) -> &mut Attributes {
        let pools = &mut self.pools;
        match kind {
            Kind::Cluster => &mut named(&mut pools.clusters, |o| o.id.0 == id).attributes,
            Kind::Host => &mut named(&mut pools.hosts, |o| o.id.0 == id).attributes,
            Kind::Network => &mut named(&mut pools.networks, |o| o.id.0 == id).attributes,
            Kind::User => &mut named(&mut pools.users, |o| o.id.0 == id).attributes,
            Kind::Group => &mut named(&mut pools.groups, |o| o.id.0 == id).attributes,
            Kind::Marketplace => &mut named(&mut pools.marketplaces, |o| o.id.0 == id).attributes,
            Kind::Template => &mut named(&mut pools.templates, |o| o.id.0 == id).attributes,
            Kind::Datastore | Kind::Image => panic!("the model has no {kind}"),
        }
    }

    fn switch(&mut self, kind: Kind, name: &str, on: bool) {
        let pools = &mut self.pools;
        match kind {
            Kind::Host => {
                named(&mut pools.hosts, |own| own.name == name).state =
                    if on { HostState::Monitored } else { HostState::Disabled };
            }
            Kind::User => named(&mut pools.users, |own| own.name == name).enabled = on,
            Kind::Marketplace => {
                named(&mut pools.marketplaces, |own| own.name == name).state =
                    if on { ServiceState::Enabled } else { ServiceState::Disabled };
            }
            other => panic!("a {other} has no switch"),
        }
    }

    /// Refuses, as OpenNebula does, what is in use.
    fn delete(&mut self, kind: Kind, id: i32) {
        let pools = &mut self.pools;
        match kind {
            Kind::Cluster => {
                assert!(
                    pools.hosts.iter().all(|host| host.cluster.0 != id),
                    "the cluster is empty"
                );
                pools.clusters.retain(|own| own.id.0 != id);
            }
            Kind::Host => pools.hosts.retain(|own| own.id.0 != id),
            Kind::Network => pools.networks.retain(|own| own.id.0 != id),
            Kind::User => {
                pools.users.retain(|own| own.id.0 != id);
                pools.groups.iter_mut().for_each(|group| group.users.retain(|user| user.0 != id));
            }
            Kind::Group => {
                let used = |user: &User| user.groups.contains(&GroupId(id));
                assert!(!pools.users.iter().any(used), "the group is empty");
                pools.groups.retain(|own| own.id.0 != id);
            }
            Kind::Marketplace => pools.marketplaces.retain(|own| own.id.0 != id),
            Kind::Template => pools.templates.retain(|own| own.id.0 != id),
            Kind::Datastore | Kind::Image => panic!("the model has no {kind}"),
        }
        self.settle_clusters();
    }

    fn settle_clusters(&mut self) {
        let Pools { clusters, hosts, .. } = &mut self.pools;
        for cluster in clusters {
            cluster.hosts = hosts
                .iter()
                .filter(|host| host.cluster == cluster.id)
                .map(|host| host.id)
                .collect();
        }
    }
}

fn authenticate(user: &mut User, wanted: &Authentication) {
    match wanted {
        Authentication::Ldap(name) => {
            (user.driver, user.password) = ("ldap".into(), name.clone().into());
        }
        Authentication::Core(password) | Authentication::CoreAtFirst(password) => {
            let digest = hex::encode(Sha256::digest(password.expose_secret().as_bytes()));
            (user.driver, user.password) = ("core".into(), digest.into());
        }
    }
}
