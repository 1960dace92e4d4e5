//! A cloud to look at: oned's reading calls for any number of hosts and machines, and the ways in
//! which they go wrong.
//!
//! The bodies have the elements of the recordings in `tests/recordings/oned`, in their order. What
//! changes a cloud is a method here, not a call.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use stratus_opennebula::xmlrpc::{MethodCall, Value, read_call, write_response};

/// How calls go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// As they should.
    Well,
    /// The connection ends without an answer.
    Away,
    /// The answer comes after so many milliseconds.
    Slow(u64),
    /// The answer is not XML-RPC.
    Nonsense,
    /// The answer breaks off in the middle, as does the document in it.
    Half,
    /// Every pool is empty.
    Empty,
    /// Every call is refused: the five elements of a failure.
    Refused,
}

/// A machine of the cloud.
#[derive(Clone, Debug)]
pub struct CloudMachine {
    /// Identifier.
    pub id: i32,
    /// Name.
    pub name: String,
    /// Login of its owner.
    pub user: String,
    /// oned's numbers of its state.
    pub state: (i32, i32),
    /// Its host; negative for none.
    pub host: i32,
    /// The text of `USER_TEMPLATE/ERROR`.
    pub error: String,
    /// The text of `USER_TEMPLATE/SCHED_MESSAGE`.
    pub waits: String,
}

/// A host of the cloud.
#[derive(Clone, Debug)]
pub struct CloudHost {
    /// Identifier.
    pub id: i32,
    /// Name.
    pub name: String,
    /// oned's number of its state.
    pub state: i32,
    /// Seconds since it was heard.
    pub silent: i64,
}

#[derive(Debug)]
struct Content {
    hosts: Vec<CloudHost>,
    machines: Vec<CloudMachine>,
    mood: Mood,
}

struct Shared {
    content: Mutex<Content>,
    ended: AtomicBool,
    looks: AtomicUsize,
    refused: AtomicUsize,
}

/// A running cloud; it ends when dropped.
pub struct Cloud {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Cloud {
    /// A cloud of so many hosts with machines evenly on them.
    ///
    /// # Panics
    /// It cannot listen.
    pub fn start(hosts: i32, machines: i32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the cloud listens");
        let address = listener.local_addr().expect("an address");
        let content = Content {
            hosts: (0..hosts).map(host).collect(),
            machines: (0..machines).map(|id| machine(id, hosts)).collect(),
            mood: Mood::Well,
        };
        let shared = Arc::new(Shared {
            content: Mutex::new(content),
            ended: AtomicBool::new(false),
            looks: AtomicUsize::new(0),
            refused: AtomicUsize::new(0),
        });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if serving.ended.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&serving);
                // A client that goes away is no concern of oned.
                std::thread::spawn(move || drop(connection(stream, &shared)));
            }
        });
        Self { address, shared }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}/RPC2", self.address)
    }

    /// How calls go from now on.
    pub fn mood(&self, mood: Mood) {
        self.content().mood = mood;
    }

    /// Changes a machine.
    ///
    /// # Panics
    /// There is no such machine.
    pub fn machine(&self, id: i32, change: impl FnOnce(&mut CloudMachine)) {
        let mut content = self.content();
        change(content.machines.iter_mut().find(|m| m.id == id).expect("a machine"));
    }

    /// Changes a host.
    ///
    /// # Panics
    /// There is no such host.
    pub fn host(&self, id: i32, change: impl FnOnce(&mut CloudHost)) {
        let mut content = self.content();
        change(content.hosts.iter_mut().find(|h| h.id == id).expect("a host"));
    }

    /// Ends a machine: it is in no pool any more.
    pub fn end(&self, id: i32) {
        self.content().machines.retain(|m| m.id != id);
    }

    /// How often its hosts were asked for.
    pub fn looks(&self) -> usize {
        self.shared.looks.load(Ordering::SeqCst)
    }

    /// How many calls were other than reading.
    pub fn changes_asked(&self) -> usize {
        self.shared.refused.load(Ordering::SeqCst)
    }

    fn content(&self) -> std::sync::MutexGuard<'_, Content> {
        self.shared.content.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the one who listens; it may be gone already.
        let _ = TcpStream::connect(self.address);
    }
}

fn host(id: i32) -> CloudHost {
    CloudHost { id, name: format!("node{:04}", id + 1), state: 2, silent: 5 }
}

fn machine(id: i32, hosts: i32) -> CloudMachine {
    CloudMachine {
        id,
        name: format!("worker-{id}"),
        user: ["alice", "bob", "carol"][usize::try_from(id % 3).unwrap_or(0)].to_owned(),
        state: (3, 3),
        host: if hosts > 0 { id % hosts } else { -1 },
        error: String::new(),
        waits: String::new(),
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(0)
}

fn connection(mut stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let Some(body) = request(&mut stream)? else { return Ok(()) };
    let mood = shared.content.lock().unwrap_or_else(PoisonError::into_inner).mood;
    let text = match mood {
        Mood::Away => return Ok(()),
        Mood::Nonsense => "<html><body>Welcome to the proxy</body></html>".to_owned(),
        _ => answer(&body, shared, mood),
    };
    if let Mood::Slow(millis) = mood {
        std::thread::sleep(Duration::from_millis(millis));
    }
    let sent =
        if mood == Mood::Half { &text.as_bytes()[..text.len() / 2] } else { text.as_bytes() };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-type: text/xml; charset=utf-8\r\nContent-length: {}\r\n\
         Connection: close\r\n\r\n",
        sent.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(sent)
}

fn request(stream: &mut TcpStream) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let mut piece = [0; 16 << 10];
    loop {
        let head = bytes.windows(4).position(|w| w == b"\r\n\r\n").map(|at| at + 4);
        if let Some(head) = head {
            let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
            let length = text.lines().find_map(|l| l.strip_prefix("content-length:"));
            let length: usize = length.and_then(|l| l.trim().parse().ok()).unwrap_or(0);
            if bytes.len() >= head + length {
                return Ok(Some(bytes.split_off(head)));
            }
        }
        let read = stream.read(&mut piece)?;
        if read == 0 {
            return Ok(None);
        }
        bytes.extend_from_slice(&piece[..read]);
    }
}

fn answer(body: &[u8], shared: &Shared, mood: Mood) -> String {
    let Ok(call) = read_call(body) else { return "not a call".to_owned() };
    if call.method == "one.hostpool.info" {
        shared.looks.fetch_add(1, Ordering::SeqCst);
    }
    if mood == Mood::Refused {
        let text = format!("[{}] User couldn't be authenticated, aborting call.", call.method);
        let refused = vec![
            Value::Boolean(false),
            Value::Text(text),
            Value::Integer(0x100),
            Value::Integer(-1),
            Value::Integer(-1),
        ];
        return write_response(&Value::Array(refused));
    }
    let content = shared.content.lock().unwrap_or_else(PoisonError::into_inner);
    let text = pool(&call, &content, mood == Mood::Empty);
    drop(content);
    let text = text.unwrap_or_else(|| {
        shared.refused.fetch_add(1, Ordering::SeqCst);
        String::new()
    });
    write_response(&Value::Array(vec![Value::Boolean(true), Value::Text(text), Value::Integer(0)]))
}

fn pool(call: &MethodCall, content: &Content, empty: bool) -> Option<String> {
    let (hosts, machines) =
        if empty { (&[][..], &[][..]) } else { (&content.hosts[..], &content.machines[..]) };
    let number = |n: usize| match call.parameters.get(n) {
        Some(Value::Integer(number)) => *number,
        _ => -1,
    };
    Some(match call.method.as_str() {
        "one.hostpool.info" => hosts_xml(hosts, machines),
        "one.vmpool.info" => {
            let page = page(machines, number(2), number(3));
            pool_of("VM_POOL", page.iter().map(|m| machine_xml(m, false)))
        }
        "one.vmpool.infoset" => {
            let ids = call.parameters.get(1).and_then(Value::as_text).unwrap_or_default();
            let ids: Vec<i32> = ids.split(',').filter_map(|id| id.parse().ok()).collect();
            let wanted = machines.iter().filter(|m| ids.contains(&m.id));
            pool_of("VM_POOL", wanted.map(|m| machine_xml(m, true)))
        }
        "one.vnpool.info" => pool_of("VNET_POOL", networks_xml(machines).into_iter()),
        "one.datastorepool.info" => pool_of("DATASTORE_POOL", datastores_xml().into_iter()),
        "one.imagepool.info" => pool_of("IMAGE_POOL", images_xml().into_iter()),
        "one.userpool.info" => {
            let user = |(id, name): (usize, &&str)| {
                format!(
                    "<USER><ID>{}</ID><GID>1</GID><GNAME>users</GNAME><NAME>{name}</NAME><PASSWORD>\
                     <![CDATA[never-shown]]></PASSWORD><AUTH_DRIVER><![CDATA[ldap]]></AUTH_DRIVER>\
                     <ENABLED>1</ENABLED></USER>",
                    id + 2
                )
            };
            pool_of("USER_POOL", ["alice", "bob", "carol"].iter().enumerate().map(user))
        }
        _ => return None,
    })
}

/// Newest first, by range or by offset and a negative size below -1, as oned does it.
fn page(machines: &[CloudMachine], first: i64, last: i64) -> Vec<&CloudMachine> {
    let newest = machines.iter().rev();
    if last < -1 {
        let skip = usize::try_from(first).unwrap_or(0);
        return newest.skip(skip).take(usize::try_from(-last).unwrap_or(0)).collect();
    }
    let within = |m: &&CloudMachine| {
        let id = i64::from(m.id);
        (first < 0 || id >= first) && (last < 0 || id <= last)
    };
    newest.filter(within).collect()
}

fn pool_of(name: &str, objects: impl Iterator<Item = String>) -> String {
    format!("<{name}>{}</{name}>", objects.collect::<String>())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn machine_xml(m: &CloudMachine, full: bool) -> String {
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
        user = m.user,
        name = escaped(&m.name),
        ip = address(m.id),
        error = cdata("ERROR", &m.error),
        waits = cdata("SCHED_MESSAGE", &m.waits),
    )
}

fn address(id: i32) -> std::net::Ipv4Addr {
    std::net::Ipv4Addr::from(0x0a00_0002 + u32::try_from(id).unwrap_or(0))
}

fn hosts_xml(hosts: &[CloudHost], machines: &[CloudMachine]) -> String {
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
             <CLUSTER>default</CLUSTER><HOST_SHARE><MEM_USAGE>{memory}</MEM_USAGE><CPU_USAGE>{cpu}\
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
            heard = now() - h.silent,
        )
    };
    pool_of("HOST_POOL", hosts.iter().zip(&on).map(host))
}

fn networks_xml(machines: &[CloudMachine]) -> Vec<String> {
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
            "<VNET><ID>{id}</ID><UID>0</UID><NAME>{name}</NAME><BRIDGE><![CDATA[br0]]></BRIDGE><STATE>\
             <![CDATA[{state}]]></STATE><TEMPLATE>{error}</TEMPLATE><AR_POOL>{ranges}</AR_POOL></VNET>"
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

fn datastores_xml() -> Vec<String> {
    let store = |id: i32, name: &str, kind: i32, free: u64| {
        format!(
            "<DATASTORE><ID>{id}</ID><NAME>{name}</NAME><TYPE>{kind}</TYPE><TOTAL_MB>2000000</TOTAL_MB>\
             <FREE_MB>{free}</FREE_MB><USED_MB>{}</USED_MB><IMAGES><ID>0</ID></IMAGES></DATASTORE>",
            2_000_000 - free
        )
    };
    vec![store(1, "default", 0, 1_200_000), store(0, "system", 1, 900_000)]
}

fn images_xml() -> Vec<String> {
    let image = |id: i32, name: &str, state: i32, error: &str| {
        format!(
            "<IMAGE><ID>{id}</ID><UID>0</UID><UNAME>oneadmin</UNAME><NAME>{name}</NAME><TYPE>0</TYPE>\
             <SIZE>10240</SIZE><STATE>{state}</STATE><RUNNING_VMS>7</RUNNING_VMS><DATASTORE>default\
             </DATASTORE><TEMPLATE>{error}</TEMPLATE></IMAGE>"
        )
    };
    vec![image(1, "debian-12", 1, ""), image(0, "ubuntu-24.04", 2, "")]
}
