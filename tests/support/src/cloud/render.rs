//! Pools as oned writes them.

use super::{CloudHost, CloudMachine};
use std::time::{SystemTime, UNIX_EPOCH};

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(0)
}

pub(super) fn pool_of(name: &str, objects: impl Iterator<Item = String>) -> String {
    format!("<{name}>{}</{name}>", objects.collect::<String>())
}

/// A name in XML; the odd one where there is one.
fn named(odd: Option<&str>, name: &str) -> String {
    escaped(odd.unwrap_or(name))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

pub(super) fn machine_xml(m: &CloudMachine, full: bool) -> String {
    let made = 1_795_000_000 + i64::from(m.id % 200_000);
    let (state, lcm_state) = m.state;
    let history = if m.host < 0 {
        "<HISTORY_RECORDS/>".to_owned()
    } else {
        let times = if full {
            format!(
                "<STIME>{made}</STIME><ETIME>0</ETIME><PSTIME>{made}</PSTIME><PETIME>{}</PETIME>\
                 <RSTIME>{}</RSTIME><RETIME>0</RETIME><ESTIME>0</ESTIME><EETIME>0</EETIME>",
                made + 12,
                made + 15
            )
        } else {
            String::new()
        };
        format!(
            "<HISTORY_RECORDS><HISTORY><OID>{}</OID><SEQ>0</SEQ><HOSTNAME><![CDATA[node{:04}]]>\
             </HOSTNAME><HID>{}</HID><CID>0</CID><DS_ID>0</DS_ID>{times}<VM_MAD><![CDATA[kvm]]>\
             </VM_MAD><TM_MAD><![CDATA[ssh]]></TM_MAD><ACTION><![CDATA[0]]></ACTION></HISTORY>\
             </HISTORY_RECORDS>",
            m.id,
            m.host + 1,
            m.host
        )
    };
    let cdata = |name: &str, text: &str| {
        if text.is_empty() { String::new() } else { format!("<{name}><![CDATA[{text}]]></{name}>") }
    };
    let monitoring = if m.state == (3, 3) {
        format!(
            "<MONITORING><CPU><![CDATA[{}.5]]></CPU><ID><![CDATA[{}]]></ID><MEMORY><![CDATA[{}]]>\
             </MEMORY><NETRX><![CDATA[{}]]></NETRX><NETTX><![CDATA[{}]]></NETTX><TIMESTAMP>\
             <![CDATA[{}]]></TIMESTAMP></MONITORING>",
            m.id % 100,
            m.id,
            900_000 + m.id % 1000,
            now() * 1000,
            now() * 300,
            now()
        )
    } else {
        "<MONITORING/>".to_owned()
    };
    format!(
        "<VM><ID>{id}</ID><UID>2</UID><GID>100</GID><UNAME>{user}</UNAME><GNAME>users</GNAME>\
         <NAME>{name}</NAME><LAST_POLL>0</LAST_POLL><STATE>{state}</STATE><LCM_STATE>{lcm_state}\
         </LCM_STATE><RESCHED>0</RESCHED><STIME>{made}</STIME><ETIME>0</ETIME><DEPLOY_ID>one-{id}\
         </DEPLOY_ID><TEMPLATE><CPU>1</CPU><MEMORY>2048</MEMORY><VCPU>1</VCPU><DISK><DISK_ID>\
         <![CDATA[0]]></DISK_ID><DATASTORE><![CDATA[default]]></DATASTORE><DATASTORE_ID><![CDATA[1]]>\
         </DATASTORE_ID><IMAGE><![CDATA[ubuntu-24.04]]></IMAGE><IMAGE_ID><![CDATA[0]]></IMAGE_ID>\
         <SIZE><![CDATA[10240]]></SIZE><TYPE><![CDATA[FILE]]></TYPE><CLONE><![CDATA[YES]]></CLONE>\
         </DISK><NIC><IP><![CDATA[{ip}]]></IP><MAC><![CDATA[02:00:0a:00:00:01]]></MAC><NETWORK>\
         <![CDATA[private]]></NETWORK><NETWORK_ID><![CDATA[0]]></NETWORK_ID><NIC_ID><![CDATA[0]]>\
         </NIC_ID><SECURITY_GROUPS><![CDATA[0]]></SECURITY_GROUPS></NIC><GRAPHICS><LISTEN>\
         <![CDATA[127.0.0.1]]></LISTEN><TYPE><![CDATA[VNC]]></TYPE></GRAPHICS></TEMPLATE>{monitoring}\
         <USER_TEMPLATE>{error}{waits}</USER_TEMPLATE>{history}</VM>",
        id = m.id,
        user = escaped(&m.user),
        name = escaped(&m.name),
        ip = address(m.id),
        error = cdata("ERROR", &m.error),
        waits = cdata("SCHED_MESSAGE", &m.waits),
    )
}

fn address(id: i32) -> std::net::Ipv4Addr {
    std::net::Ipv4Addr::from(0x0a00_0002 + u32::try_from(id).unwrap_or(0))
}

pub(super) fn hosts_xml(
    hosts: &[CloudHost],
    machines: &[CloudMachine],
    odd: Option<&str>,
) -> String {
    let mut on: Vec<Vec<i32>> = vec![Vec::new(); hosts.len()];
    for machine in machines {
        let place = usize::try_from(machine.host).ok().and_then(|place| on.get_mut(place));
        if let Some(on) = place {
            on.push(machine.id);
        }
    }
    let host = |(h, on): (&CloudHost, &Vec<i32>)| {
        let ids: String = on.iter().map(|id| format!("<ID>{id}</ID>")).collect();
        let used = i64::try_from(on.len()).unwrap_or(0);
        let failed = if h.state == 3 {
            "<ERROR><![CDATA[Error monitoring host: ssh: connect: no route]]></ERROR>"
        } else {
            ""
        };
        format!(
            "<HOST><ID>{id}</ID><NAME>{name}</NAME><STATE>{state}</STATE><PREV_STATE>2</PREV_STATE>\
             <IM_MAD><![CDATA[kvm]]></IM_MAD><VM_MAD><![CDATA[kvm]]></VM_MAD><CLUSTER_ID>0</CLUSTER_ID>\
             <CLUSTER>{cluster}</CLUSTER><HOST_SHARE><MEM_USAGE>{memory}</MEM_USAGE><CPU_USAGE>{cpu}\
             </CPU_USAGE><TOTAL_MEM>67108864</TOTAL_MEM><TOTAL_CPU>3200</TOTAL_CPU><MAX_MEM>67108864\
             </MAX_MEM><MAX_CPU>3200</MAX_CPU><RUNNING_VMS>{used}</RUNNING_VMS><DATASTORES><DISK_USAGE>\
             <![CDATA[0]]></DISK_USAGE><DS><FREE_MB><![CDATA[500000]]></FREE_MB><ID><![CDATA[0]]></ID>\
             <TOTAL_MB><![CDATA[900000]]></TOTAL_MB><USED_MB><![CDATA[400000]]></USED_MB></DS>\
             </DATASTORES></HOST_SHARE><VMS>{ids}</VMS><TEMPLATE><ARCH><![CDATA[x86_64]]></ARCH>{failed}\
             <HYPERVISOR><![CDATA[kvm]]></HYPERVISOR><VERSION><![CDATA[7.4.0]]></VERSION></TEMPLATE>\
             <MONITORING><TIMESTAMP>{heard}</TIMESTAMP><ID>{id}</ID><CAPACITY><FREE_CPU>\
             <![CDATA[2000]]></FREE_CPU><FREE_MEMORY><![CDATA[40000000]]></FREE_MEMORY><USED_CPU>\
             <![CDATA[1200]]></USED_CPU><USED_MEMORY><![CDATA[27108864]]></USED_MEMORY></CAPACITY>\
             </MONITORING></HOST>",
            id = h.id,
            name = escaped(&h.name),
            state = h.state,
            memory = used * 2_097_152,
            cpu = used * 100,
            cluster = named(odd, "default"),
            heard = now() - h.silent,
        )
    };
    pool_of("HOST_POOL", hosts.iter().zip(&on).map(host))
}

pub(super) fn networks_xml(machines: &[CloudMachine], odd: Option<&str>) -> Vec<String> {
    let leases: String = machines
        .iter()
        .take(200)
        .map(|m| {
            format!(
                "<LEASE><IP><![CDATA[{}]]></IP><VM><![CDATA[{}]]></VM></LEASE>",
                address(m.id),
                m.id
            )
        })
        .collect();
    let used = machines.len().min(200);
    let network = |id: i32, name: &str, state: i32, ranges: String, error: &str| {
        format!(
            "<VNET><ID>{id}</ID><UID>0</UID><NAME>{}</NAME><BRIDGE><![CDATA[br0]]></BRIDGE><STATE>\
             <![CDATA[{state}]]></STATE><TEMPLATE>{error}</TEMPLATE><AR_POOL>{ranges}</AR_POOL></VNET>",
            named(odd, name)
        )
    };
    let private = format!(
        "<AR><AR_ID><![CDATA[0]]></AR_ID><IP><![CDATA[10.0.0.2]]></IP><SIZE><![CDATA[250]]></SIZE>\
         <USED_LEASES>{used}</USED_LEASES><LEASES>{leases}</LEASES></AR>"
    );
    let one = |ip: &str| {
        format!(
            "<AR><IP><![CDATA[{ip}]]></IP><SIZE><![CDATA[1]]></SIZE><USED_LEASES>0</USED_LEASES></AR>"
        )
    };
    let error = "<ERROR><![CDATA[Wrong or empty IP attribute]]></ERROR>";
    vec![
        network(2, "broken", 5, String::new(), error),
        network(1, "public", 1, one("192.0.2.10") + &one("192.0.2.11"), ""),
        network(0, "private", 1, private, ""),
    ]
}

pub(super) fn datastores_xml(odd: Option<&str>) -> Vec<String> {
    let store = |id: i32, name: &str, kind: i32, free: u64| {
        format!(
            "<DATASTORE><ID>{id}</ID><NAME>{}</NAME><TYPE>{kind}</TYPE><TOTAL_MB>2000000</TOTAL_MB>\
             <FREE_MB>{free}</FREE_MB><USED_MB>{}</USED_MB><IMAGES><ID>0</ID></IMAGES></DATASTORE>",
            named(odd, name),
            2_000_000 - free
        )
    };
    vec![store(1, "default", 0, 1_200_000), store(0, "system", 1, 900_000)]
}

pub(super) fn images_xml(odd: Option<&str>) -> Vec<String> {
    let image = |id: i32, name: &str, state: i32, error: &str| {
        format!(
            "<IMAGE><ID>{id}</ID><UID>0</UID><UNAME>oneadmin</UNAME><NAME>{}</NAME><TYPE>0</TYPE>\
             <SIZE>10240</SIZE><STATE>{state}</STATE><RUNNING_VMS>7</RUNNING_VMS><DATASTORE>default\
             </DATASTORE><TEMPLATE>{error}</TEMPLATE></IMAGE>",
            named(odd, name)
        )
    };
    vec![image(1, "debian-12", 1, ""), image(0, "ubuntu-24.04", 2, "")]
}

pub(super) fn users_xml(odd: Option<&str>) -> Vec<String> {
    let user = |(id, name): (usize, &&str)| {
        format!(
            "<USER><ID>{}</ID><GID>1</GID><GNAME>users</GNAME><NAME>{}</NAME><PASSWORD>\
             <![CDATA[never-shown]]></PASSWORD><AUTH_DRIVER><![CDATA[ldap]]></AUTH_DRIVER>\
             <ENABLED>1</ENABLED></USER>",
            id + 2,
            named(odd, name)
        )
    };
    ["alice", "bob", "carol"].iter().enumerate().map(user).collect()
}
