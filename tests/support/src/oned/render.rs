//! Objects as oned writes them: the same elements in the same order.

use stratus_opennebula::{Attribute, Attributes};

use super::state::{Kind, Object, Range, State};

/// How much of a machine is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    Full,
    /// As in `one.vmpool.info`.
    Short,
}

pub(super) fn pool(state: &State, kind: Kind, objects: &[&Object], body: Body) -> String {
    let name = element(kind);
    let body: String = objects.iter().map(|o| entry(state, kind, o, body)).collect();
    let defaults = match kind {
        Kind::User => tag("DEFAULT_USER_QUOTAS", &quotas()),
        Kind::Group => tag("DEFAULT_GROUP_QUOTAS", &quotas()),
        _ => String::new(),
    };
    let name = if kind == Kind::Cluster { "CLUSTER" } else { name };
    tag(&format!("{name}_POOL"), &(body + &defaults))
}

/// An object in a pool: users and groups have their quotas beside them.
fn entry(state: &State, kind: Kind, object: &Object, body: Body) -> String {
    let text = self::content(state, kind, object, body, true);
    let beside = match kind {
        Kind::User => tag("QUOTAS", &(plain("ID", object.id) + &quotas())),
        Kind::Group => {
            tag("QUOTAS", &(plain("ID", object.id) + &quotas()))
                + &tag("VLAN_RULES", &cdata("ID", object.id))
        }
        _ => String::new(),
    };
    tag(element(kind), &text) + &beside
}

pub(super) fn object(state: &State, kind: Kind, object: &Object, body: Body) -> String {
    tag(element(kind), &content(state, kind, object, body, false))
}

fn element(kind: Kind) -> &'static str {
    match kind {
        Kind::Cluster => "CLUSTER",
        Kind::Host => "HOST",
        Kind::Datastore => "DATASTORE",
        Kind::Network => "VNET",
        Kind::User => "USER",
        Kind::Group => "GROUP",
        Kind::Marketplace => "MARKETPLACE",
        Kind::App => "MARKETPLACEAPP",
        Kind::Image => "IMAGE",
        Kind::Template => "VMTEMPLATE",
        Kind::Machine => "VM",
    }
}

fn content(state: &State, kind: Kind, o: &Object, body: Body, in_pool: bool) -> String {
    match kind {
        Kind::Cluster => cluster(state, o),
        Kind::Host => host(state, o),
        Kind::Datastore => datastore(state, o),
        Kind::Network => network(state, o),
        Kind::User => user(state, o, in_pool),
        Kind::Group => group(state, o, in_pool),
        Kind::Marketplace | Kind::App => market(state, o),
        Kind::Image => image(state, o),
        Kind::Template => {
            owned(state, o)
                + &rights(o)
                + &plain("REGTIME", o.made)
                + &template("TEMPLATE", &o.attributes)
        }
        Kind::Machine => machine(state, o, body),
    }
}

fn tag(name: &str, body: &str) -> String {
    format!("<{name}>{body}</{name}>")
}

fn plain(name: &str, text: impl ToString) -> String {
    let text = text.to_string();
    tag(name, &text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;"))
}

fn cdata(name: &str, text: impl ToString) -> String {
    tag(name, &format!("<![CDATA[{}]]>", text.to_string()))
}

fn ids(name: &str, ids: impl IntoIterator<Item = i32>) -> String {
    let ids: String = ids.into_iter().map(|id| plain("ID", id)).collect();
    tag(name, &ids)
}

/// oned keeps attributes in the order of their names.
fn template(root: &str, attributes: &Attributes) -> String {
    let mut names = attributes.names();
    names.sort_unstable();
    let body: String = names
        .into_iter()
        .flat_map(|name| attributes.values(name).map(move |value| (name, value)))
        .map(|(name, value)| match value {
            Attribute::Text(text) => cdata(name, text),
            Attribute::Vector(members) => {
                let mut members = members.clone();
                members.sort();
                tag(name, &members.iter().map(|(n, text)| cdata(n, text)).collect::<String>())
            }
        })
        .collect();
    tag(root, &body)
}

fn owned(state: &State, o: &Object) -> String {
    plain("ID", o.id)
        + &plain("UID", o.uid)
        + &plain("GID", o.gid)
        + &plain("UNAME", state.name_of(Kind::User, o.uid))
        + &plain("GNAME", state.name_of(Kind::Group, o.gid))
        + &plain("NAME", &o.name)
}

fn rights(o: &Object) -> String {
    let names = [
        "OWNER_U", "OWNER_M", "OWNER_A", "GROUP_U", "GROUP_M", "GROUP_A", "OTHER_U", "OTHER_M",
        "OTHER_A",
    ];
    let all: String = names.iter().zip(o.rights).map(|(name, right)| plain(name, right)).collect();
    tag("PERMISSIONS", &all)
}

fn quotas() -> String {
    ["DATASTORE_QUOTA", "NETWORK_QUOTA", "VM_QUOTA", "IMAGE_QUOTA"]
        .map(|name| tag(name, ""))
        .concat()
}

fn with_defaults(attributes: &Attributes, names: &[&str]) -> Attributes {
    let mut all = attributes.clone();
    for name in names {
        if all.text(name).is_none() {
            all.push(name, Attribute::Text(String::new()));
        }
    }
    all
}

fn cluster(state: &State, o: &Object) -> String {
    let of = |kind| -> Vec<i32> {
        state.objects(kind).filter(|other| other.cluster == o.id).map(|other| other.id).collect()
    };
    plain("ID", o.id)
        + &plain("NAME", &o.name)
        + &ids("HOSTS", of(Kind::Host))
        + &ids("DATASTORES", of(Kind::Datastore))
        + &ids("VNETS", of(Kind::Network))
        + &template("TEMPLATE", &with_defaults(&o.attributes, &["RESERVED_CPU", "RESERVED_MEM"]))
}

fn host(state: &State, o: &Object) -> String {
    let on = |m: &&Object| m.state == 3 && m.history.last().is_some_and(|stay| stay.host == o.id);
    let machines: Vec<_> = state.objects(Kind::Machine).filter(on).map(|m| m.id).collect();
    let (memory, cpu) = if o.state == 2 { (16_777_216, 800) } else { (0, 0) };
    let share = plain("MEM_USAGE", 0)
        + &plain("CPU_USAGE", 0)
        + &plain("TOTAL_MEM", memory)
        + &plain("TOTAL_CPU", cpu)
        + &plain("MAX_MEM", memory)
        + &plain("MAX_CPU", cpu)
        + &plain("RUNNING_VMS", machines.len())
        + &plain("VMS_THREAD", 1)
        + &tag(
            "DATASTORES",
            &["DISK_USAGE", "FREE_DISK", "MAX_DISK", "USED_DISK"].map(|n| cdata(n, 0)).concat(),
        )
        + &tag("PCI_DEVICES", "")
        + &tag("NUMA_NODES", "");
    plain("ID", o.id)
        + &plain("NAME", &o.name)
        + &plain("STATE", o.state)
        + &plain("PREV_STATE", o.state)
        + &cdata("IM_MAD", o.attributes.text("IM_MAD").unwrap_or_default())
        + &cdata("VM_MAD", o.attributes.text("VM_MAD").unwrap_or_default())
        + &plain("CLUSTER_ID", o.cluster)
        + &plain("CLUSTER", state.name_of(Kind::Cluster, o.cluster))
        + &tag("HOST_SHARE", &share)
        + &ids("VMS", machines)
        + &template("TEMPLATE", &with_defaults(&o.attributes, &["RESERVED_CPU", "RESERVED_MEM"]))
        + "<MONITORING/>"
}

fn datastore(state: &State, o: &Object) -> String {
    let text = |name| o.attributes.text(name).unwrap_or_default();
    let kinds = ["IMAGE_DS", "SYSTEM_DS", "FILE_DS", "BACKUP_DS"];
    let kind = kinds.iter().position(|kind| *kind == text("TYPE")).unwrap_or(0);
    let on = |image: &&Object| image.fields.get("DATASTORE_ID") == Some(&o.id.to_string());
    owned(state, o)
        + &rights(o)
        + &cdata("DS_MAD", text("DS_MAD"))
        + &cdata("TM_MAD", text("TM_MAD"))
        + &cdata("BASE_PATH", format!("/var/lib/one//datastores/{}", o.id))
        + &plain("TYPE", kind)
        + &plain("DISK_TYPE", 0)
        + &plain("STATE", o.state)
        + &ids("CLUSTERS", [o.cluster])
        + &plain("TOTAL_MB", 100_000)
        + &plain("FREE_MB", 90_000)
        + &plain("USED_MB", 10_000)
        + &ids("IMAGES", state.objects(Kind::Image).filter(on).map(|image| image.id))
        + &template("TEMPLATE", &o.attributes)
}

fn network(state: &State, o: &Object) -> String {
    let text = |name| o.attributes.text(name).unwrap_or_default();
    let used: usize = o.ranges.iter().map(|range| range.leases.len()).sum();
    let number =
        |name, text: &str| if text.is_empty() { format!("<{name}/>") } else { cdata(name, text) };
    let ranges: String = o.ranges.iter().map(range).collect();
    owned(state, o)
        + &rights(o)
        + &ids("CLUSTERS", [o.cluster])
        + &cdata("BRIDGE", text("BRIDGE"))
        + &cdata("BRIDGE_TYPE", "linux")
        + &cdata("STATE", o.state)
        + &cdata("PREV_STATE", o.state)
        + "<PARENT_NETWORK_ID/><TEMPLATE_ID/>"
        + &cdata("VN_MAD", text("VN_MAD"))
        + &number("PHYDEV", text("PHYDEV"))
        + &number("VLAN_ID", text("VLAN_ID"))
        + &number("OUTER_VLAN_ID", text("OUTER_VLAN_ID"))
        + &plain("VLAN_ID_AUTOMATIC", 0)
        + &plain("OUTER_VLAN_ID_AUTOMATIC", 0)
        + &plain("USED_LEASES", used)
        + &["VROUTERS", "UPDATED_VMS", "OUTDATED_VMS", "UPDATING_VMS", "ERROR_VMS"]
            .map(|name| tag(name, ""))
            .concat()
        + &template("TEMPLATE", &o.attributes)
        + &tag("AR_POOL", &ranges)
}

fn range(range: &Range) -> String {
    let mut all = range.attributes.clone();
    all.push(("AR_ID".to_owned(), range.id.to_string()));
    all.push(("NEXT_INDEX".to_owned(), range.next.to_string()));
    if range.member("SHARED").is_none() {
        all.push(("SHARED".to_owned(), "NO".to_owned()));
    }
    all.sort();
    let last = range.size().saturating_sub(1);
    let mut out: String = all.iter().map(|(name, text)| cdata(name, text)).collect();
    out += &cdata("MAC_END", range.mac(last));
    out += &range.ip(last).map(|ip| cdata("IP_END", ip)).unwrap_or_default();
    out += &plain("USED_LEASES", range.leases.len());
    let leases: String = range
        .leases
        .iter()
        .map(|(offset, machine)| {
            let ip = range.ip(*offset).map(|ip| cdata("IP", ip)).unwrap_or_default();
            tag("LEASE", &(ip + &cdata("MAC", range.mac(*offset)) + &cdata("VM", machine)))
        })
        .collect();
    out += &if leases.is_empty() { "<LEASES/>".to_owned() } else { tag("LEASES", &leases) };
    tag("AR", &out)
}

fn user(state: &State, o: &Object, in_pool: bool) -> String {
    let field = |name| o.fields.get(name).cloned().unwrap_or_default();
    let mut groups = o.groups.clone();
    groups.sort_unstable();
    let first = o.groups.first().copied().unwrap_or(1);
    let mut out = plain("ID", o.id)
        + &plain("GID", first)
        + &ids("GROUPS", groups)
        + &plain("GNAME", state.name_of(Kind::Group, first))
        + &plain("NAME", &o.name)
        + &cdata("PASSWORD", field("PASSWORD"))
        + &cdata("AUTH_DRIVER", field("AUTH_DRIVER"))
        + &plain("ENABLED", o.state)
        + &template("TEMPLATE", &o.attributes.clone().with("TOKEN_PASSWORD", "0".repeat(64)));
    if !in_pool {
        out += &(quotas() + &tag("DEFAULT_USER_QUOTAS", &quotas()));
    }
    out
}

fn group(state: &State, o: &Object, in_pool: bool) -> String {
    let members = state.objects(Kind::User).filter(|user| user.groups.contains(&o.id));
    let mut out = plain("ID", o.id)
        + &plain("NAME", &o.name)
        + &template("TEMPLATE", &o.attributes)
        + &ids("USERS", members.map(|user| user.id))
        + &tag("ADMINS", "");
    if !in_pool {
        let rules = tag("VLAN_RULES", &cdata("ID", o.id));
        out += &(quotas() + &rules + &tag("DEFAULT_GROUP_QUOTAS", &quotas()));
    }
    out
}

fn market(state: &State, o: &Object) -> String {
    owned(state, o)
        + &plain("STATE", o.state)
        + &cdata("MARKET_MAD", o.attributes.text("MARKET_MAD").unwrap_or_default())
        + &cdata("ZONE_ID", 0)
        + &["TOTAL_MB", "FREE_MB", "USED_MB"].map(|name| plain(name, 0)).concat()
        + &tag("MARKETPLACEAPPS", "")
        + &rights(o)
        + &template("TEMPLATE", &o.attributes)
}

fn image(state: &State, o: &Object) -> String {
    let field = |name: &str| o.fields.get(name).cloned().unwrap_or_default();
    let datastore = field("DATASTORE_ID");
    let store = datastore.parse().map(|id| state.name_of(Kind::Datastore, id)).unwrap_or_default();
    let source = if o.state == 1 { super::drivers::source(o) } else { String::new() };
    let uses = |m: &&Object| {
        let id = o.id.to_string();
        m.state != 6 && m.attributes.values("DISK").any(|d| d.member("IMAGE_ID") == Some(&id))
    };
    let machines: Vec<_> = state.objects(Kind::Machine).filter(uses).map(|m| m.id).collect();
    owned(state, o)
        + &rights(o)
        + &plain("TYPE", field("TYPE"))
        + &plain("DISK_TYPE", 0)
        + &plain("PERSISTENT", field("PERSISTENT"))
        + &plain("REGTIME", o.made)
        + &plain("MODTIME", o.made)
        + &cdata("SOURCE", source)
        + &cdata("PATH", field("PATH"))
        + &cdata("FORMAT", if o.state == 1 { "raw" } else { "" })
        + &cdata("FS", "")
        + &plain("SIZE", field("SIZE"))
        + &plain("STATE", if o.state == 1 && !machines.is_empty() { 2 } else { o.state })
        + &plain("PREV_STATE", o.state)
        + &plain("RUNNING_VMS", machines.len())
        + &plain("CLONING_OPS", 0)
        + &plain("CLONING_ID", -1)
        + &plain("TARGET_SNAPSHOT", -1)
        + &plain("DATASTORE_ID", datastore)
        + &plain("DATASTORE", store)
        + &ids("VMS", machines)
        + &["CLONES", "APP_CLONES"].map(|name| tag(name, "")).concat()
        + &template("TEMPLATE", &o.attributes)
        + &tag(
            "SNAPSHOTS",
            &(cdata("ALLOW_ORPHANS", "NO")
                + &cdata("CURRENT_BASE", -1)
                + &cdata("NEXT_SNAPSHOT", 0)),
        )
        + &["BACKUP_INCREMENTS", "BACKUP_DISK_IDS"].map(|name| tag(name, "")).concat()
}

fn machine(state: &State, o: &Object, body: Body) -> String {
    let full = body == Body::Full;
    let history: String = o
        .history
        .iter()
        .enumerate()
        .map(|(n, stay)| {
            let times =
                plain("CID", 0) + &plain("STIME", stay.started) + &plain("ETIME", stay.ended);
            let host = if full {
                plain("HOSTNAME", &stay.host_name)
            } else {
                cdata("HOSTNAME", &stay.host_name)
            };
            let long = ["PSTIME", "PETIME", "RSTIME", "RETIME", "ESTIME", "EETIME"]
                .map(|t| plain(t, 0))
                .concat();
            let mut out = plain("OID", o.id) + &plain("SEQ", n) + &host + &plain("HID", stay.host);
            if full {
                out += &(times
                    + &cdata("VM_MAD", "kvm")
                    + &cdata("TM_MAD", "ssh")
                    + &plain("DS_ID", 0));
                out +=
                    &(plain("PLAN_ID", -2) + &plain("ACTION_ID", -1) + &long + &plain("ACTION", 0));
                out += &["UID", "GID", "REQUEST_ID"].map(|name| plain(name, -1)).concat();
            } else {
                out += &(plain("CID", 0) + &plain("DS_ID", 0) + &cdata("VM_MAD", "kvm"));
                out += &(cdata("TM_MAD", "ssh") + &cdata("ACTION", 0));
            }
            tag("HISTORY", &out)
        })
        .collect();
    let records = if history.is_empty() {
        "<HISTORY_RECORDS/>".to_owned()
    } else {
        tag("HISTORY_RECORDS", &history)
    };
    let deploy_id = o.fields.get("DEPLOY_ID").cloned().unwrap_or_default();
    let times = plain("RESCHED", 0)
        + &plain("STIME", o.made)
        + &plain("ETIME", o.ended)
        + &plain("DEPLOY_ID", deploy_id);
    let states =
        plain("LAST_POLL", 0) + &plain("STATE", o.state) + &plain("LCM_STATE", o.lcm_state);
    let users = template("USER_TEMPLATE", &o.user_attributes);
    if !full {
        return owned(state, o)
            + &states
            + &times
            + &template("TEMPLATE", &o.attributes)
            + "<MONITORING/>"
            + &users
            + &records;
    }
    owned(state, o)
        + &rights(o)
        + &states
        + &plain("PREV_STATE", o.state)
        + &plain("PREV_LCM_STATE", o.lcm_state)
        + &times
        + "<MONITORING/>"
        + &tag("SCHED_ACTIONS", "")
        + &template("TEMPLATE", &o.attributes)
        + &users
        + &records
        + &tag("BACKUPS", "<BACKUP_CONFIG/><BACKUP_IDS></BACKUP_IDS>")
}
