//! What the simulator keeps, as one JSON file written atomically.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stratus_opennebula::{Attribute, Attributes};

/// One object of any kind. What a kind has not stays empty.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Object {
    pub(super) id: i32,
    pub(super) uid: i32,
    pub(super) gid: i32,
    pub(super) name: String,
    pub(super) state: i32,
    pub(super) lcm_state: i32,
    pub(super) attributes: Attributes,
    pub(super) user_attributes: Attributes,
    /// Simple values by their element's name.
    pub(super) fields: BTreeMap<String, String>,
    pub(super) cluster: i32,
    pub(super) groups: Vec<i32>,
    pub(super) ranges: Vec<Range>,
    pub(super) history: Vec<Stay>,
    pub(super) rights: [i32; 9],
    /// Seconds since 1970.
    pub(super) made: i64,
    pub(super) ended: i64,
    /// Milliseconds since 1970: when the next step of its life is due; 0 for none.
    pub(super) due: i64,
    pub(super) leaving: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Range {
    pub(super) id: i32,
    pub(super) attributes: Vec<(String, String)>,
    pub(super) next: u32,
    /// Offset in the range to the machine that has it; -1 is a hold.
    pub(super) leases: BTreeMap<u32, i32>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stay {
    pub(super) host: i32,
    pub(super) host_name: String,
    pub(super) started: i64,
    pub(super) ended: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Kind {
    Cluster,
    Host,
    Datastore,
    Network,
    User,
    Group,
    Marketplace,
    App,
    Image,
    Template,
    Machine,
}

impl Kind {
    /// The word in `Error getting ... [n].`
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Host => "host",
            Self::Datastore => "datastore",
            Self::Network => "virtual network",
            Self::User => "user",
            Self::Group => "group",
            Self::Marketplace => "marketplace",
            Self::App => "marketplaceapp",
            Self::Image => "image",
            Self::Template => "virtual machine template",
            Self::Machine => "virtual machine",
        }
    }

    /// The word in authorization errors and in `NAME is already taken by ... n.`
    pub(super) fn capital(self) -> &'static str {
        match self {
            Self::Cluster => "CLUSTER",
            Self::Host => "HOST",
            Self::Datastore => "DATASTORE",
            Self::Network => "NET",
            Self::User => "USER",
            Self::Group => "GROUP",
            Self::Marketplace => "MARKETPLACE",
            Self::App => "MARKETPLACEAPP",
            Self::Image => "IMAGE",
            Self::Template => "TEMPLATE",
            Self::Machine => "VM",
        }
    }

    /// Clusters, datastores, groups and marketplaces of administrators begin here.
    fn first_id(self) -> i32 {
        match self {
            Self::Cluster | Self::Datastore | Self::Group | Self::Marketplace => 100,
            _ => 0,
        }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Pool {
    pub(super) next: i32,
    pub(super) objects: BTreeMap<i32, Object>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct State {
    pools: Vec<(Kind, Pool)>,
}

impl State {
    /// What a new oned has.
    pub(super) fn new(oneadmin: &str, now: i64) -> Self {
        let mut state = Self::default();
        let (name, password) = oneadmin.split_once(':').unwrap_or((oneadmin, ""));
        for (id, group) in [(0, "oneadmin"), (1, "users")] {
            state.put(Kind::Group, Object { id, name: group.into(), ..Object::default() });
        }
        for (id, user, password) in [(0, name, password), (1, "serveradmin", "serveradmin")] {
            let mut user = Object { id, name: user.into(), groups: vec![0], ..Object::default() };
            user.fields.insert("PASSWORD".into(), digest(password));
            user.fields.insert("AUTH_DRIVER".into(), "core".into());
            user.state = 1;
            state.put(Kind::User, user);
        }
        state.put(Kind::Cluster, Object { name: "default".into(), ..Object::default() });
        for (id, name, kind, mad) in [
            (0, "system", "SYSTEM_DS", None),
            (1, "default", "IMAGE_DS", Some("fs")),
            (2, "files", "FILE_DS", Some("fs")),
        ] {
            let mut attributes = Attributes::new().with("TM_MAD", "ssh").with("TYPE", kind);
            if let Some(mad) = mad {
                attributes.push("DS_MAD", Attribute::Text(mad.into()));
            }
            let name = name.into();
            state.put(Kind::Datastore, Object { id, name, attributes, ..Object::default() });
        }
        let attributes = Attributes::new()
            .with("DESCRIPTION", "OpenNebula Systems MarketPlace")
            .with("MARKET_MAD", "one");
        let name = "OpenNebula Public".into();
        state.put(Kind::Marketplace, Object { name, attributes, ..Object::default() });
        for (_, pool) in &mut state.pools {
            for object in pool.objects.values_mut() {
                object.made = now / 1000;
            }
        }
        state
    }

    pub(super) fn load(path: &Path) -> Result<Option<Self>, String> {
        let problem = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|e| problem(&e)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(problem(&e)),
        }
    }

    /// Writes beside, syncs and renames, so that a kill at any point leaves a whole file.
    pub(super) fn save(&self, path: &Path) -> Result<(), String> {
        let problem = |e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
        let bytes = serde_json::to_vec(self).map_err(|e| problem(&e))?;
        if std::fs::read(path).is_ok_and(|kept| kept == bytes) {
            return Ok(());
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|e| problem(&e))?;
        file.write_all(&bytes).map_err(|e| problem(&e))?;
        file.as_file().sync_all().map_err(|e| problem(&e))?;
        file.persist(path).map_err(|e| problem(&e))?;
        Ok(())
    }

    pub(super) fn pool(&mut self, kind: Kind) -> &mut Pool {
        let place = match self.pools.iter().position(|(own, _)| *own == kind) {
            Some(place) => place,
            None => {
                self.pools.push((kind, Pool { next: kind.first_id(), ..Pool::default() }));
                self.pools.len() - 1
            }
        };
        &mut self.pools[place].1
    }

    pub(super) fn objects(&self, kind: Kind) -> impl DoubleEndedIterator<Item = &Object> {
        let pool = self.pools.iter().find(|(own, _)| *own == kind);
        pool.into_iter().flat_map(|(_, pool)| pool.objects.values())
    }

    pub(super) fn get(&self, kind: Kind, id: i32) -> Option<&Object> {
        self.pools.iter().find(|(own, _)| *own == kind)?.1.objects.get(&id)
    }

    pub(super) fn get_mut(&mut self, kind: Kind, id: i32) -> Option<&mut Object> {
        self.pool(kind).objects.get_mut(&id)
    }

    pub(super) fn name_of(&self, kind: Kind, id: i32) -> String {
        self.get(kind, id).map(|object| object.name.clone()).unwrap_or_default()
    }

    fn put(&mut self, kind: Kind, object: Object) {
        let pool = self.pool(kind);
        pool.next = pool.next.max(object.id + 1).max(kind.first_id());
        pool.objects.insert(object.id, object);
    }

    /// Gives a new object its number.
    pub(super) fn add(&mut self, kind: Kind, mut object: Object) -> i32 {
        object.id = self.pool(kind).next;
        let id = object.id;
        self.put(kind, object);
        id
    }
}

/// How oned keeps a password.
pub(super) fn digest(password: &str) -> String {
    hex::encode(Sha256::digest(password.as_bytes()))
}
