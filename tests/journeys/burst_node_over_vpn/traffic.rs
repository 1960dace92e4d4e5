//! What a node of the site does on its LAN.

use crate::bed::{LAN_HOST, eventually};
use std::time::{Duration, Instant};
use stratus_tests::hosts::{Cloud, Host};

/// A folder of the LAN host's as a share.
const SHARE: &str = "
NFS_CORE_PARAM { Protocols = 3, 4; mount_path_pseudo = true; Enable_NLM = false; }
NFSv4 { Graceless = true; }
EXPORT {
    Export_Id = 1; Path = /srv/share; Pseudo = /share; Access_Type = RW; Squash = None; SecType = sys;
    FSAL { Name = VFS; }
}
";

/// What the LAN's own host does for others: the share, the batch system's controller, an echo.
pub(crate) fn prepare(lan: &Host) {
    let share = "rpcbind nfs-ganesha nfs-ganesha-vfs libnfs-utils";
    install(lan, &format!("{share} munge slurmctld slurm-client"));
    lan.write("/etc/ganesha/ganesha.conf", 0o644, SHARE);
    // An overlay, which the rest of the host is on, has no handles that a file server could use.
    lan.run("mkdir -p /srv/share && mount -t tmpfs tmpfs /srv/share").good();
    lan.run("systemctl restart rpcbind nfs-ganesha").good();
    start(lan, "echo", ECHO);
}

/// Writes a program onto a host and starts it as a unit; what it prints is in `/tmp/NAME.out`.
fn start(host: &Host, name: &str, program: &str) {
    host.write(&format!("/tmp/{name}.py"), 0o644, program);
    host.run(&format!(
        "systemd-run -q --collect --unit={name} sh -c 'exec python3 -u /tmp/{name}.py > /tmp/{name}.out 2>&1'"
    ))
    .good();
    eventually(name, || said(host, name).starts_with("ready\n"));
}

/// What a program that was started has printed.
fn said(host: &Host, name: &str) -> String {
    host.run(&format!("cat /tmp/{name}.out")).stdout
}

/// A datagram of a LAN host to everybody.
pub(crate) fn hears_a_broadcast(lan: &Host, burst: &Host) {
    const HEAR: &str = "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 9999)); s.settimeout(60)
print('ready'); print(s.recvfrom(100)[0].decode())";
    const SAY: &str = "
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1); s.sendto(b'to all', ('10.77.0.255', 9999))";
    start(burst, "hear", HEAR);
    lan.write("/tmp/say.py", 0o644, SAY);
    lan.run("python3 /tmp/say.py").good();
    eventually("a broadcast of the LAN", || said(burst, "hear") == "ready\nto all\n");
}

/// The site's DHCP service answers a machine of the site that is asked for from the burst node.
pub(crate) fn gets_a_dhcp_answer(burst: &Host, device: &str, mac: &str, address: &str) {
    const ASK: &str = "
import random, socket, struct, sys
mac = bytes.fromhex(sys.argv[1].replace(':', ''))
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, sys.argv[2].encode())
s.bind(('', 68)); s.settimeout(5)
mark = random.getrandbits(32)
# A discovery that asks for the answer to everybody, for nobody has the address yet.
head = struct.pack('!BBBBIHH4s4s4s4s16s64s128s', 1, 1, 6, 0, mark, 0, 0x8000,
                   bytes(4), bytes(4), bytes(4), bytes(4), mac, b'', b'')
s.sendto(head + bytes([99, 130, 83, 99, 53, 1, 1, 255]), ('255.255.255.255', 67))
while True:
    answer = s.recv(2000)
    if struct.unpack('!I', answer[4:8])[0] == mark:
        print(socket.inet_ntoa(answer[16:20])); break";
    burst.write("/tmp/dhcp.py", 0o644, ASK);
    // A lost datagram is asked for again, as DHCP clients do.
    let mut offered = String::new();
    eventually("an answer of the site's DHCP service", || {
        let told = burst.run(&format!("python3 /tmp/dhcp.py {mac} {device}")).stdout;
        told.trim().clone_into(&mut offered);
        !offered.is_empty()
    });
    assert_eq!(offered, address);
}

/// A share on the LAN, whose files are written by NFS 3 and read by NFS 4: what the burst node writes,
/// the LAN reads, and the other way round, and not a packet of it was cut. Server and clients are
/// programs, for the kernel need not have either. Gives the digest of the file `from-burst`.
pub(crate) fn writes_and_reads_the_share(front: &Host, lan: &Host, burst: &Host) -> String {
    let cut = || [front, lan, burst].map(fragments);
    let before = cut();
    let mut digests = Vec::new();
    for (writer, reader, file) in [(lan, burst, "from-lan"), (burst, lan, "from-burst")] {
        let made = format!("head -c 5000000 /dev/urandom | tee /tmp/{file} | sha256sum");
        let digest = writer.run(&made).good().stdout;
        // The client that there is writes nothing but small files by NFS 4.
        let copy = format!("nfs-cp /tmp/{file} 'nfs://{LAN_HOST}/share/{file}?version=3'");
        eventually("a file is written to the share", || writer.run(&copy).code == 0);
        let read = format!("nfs-cat {} | sha256sum", share(file));
        assert_eq!(digest, reader.run(&read).good().stdout, "{file}");
        let kept = lan.run(&format!("sha256sum < /srv/share/{file}")).good().stdout;
        assert_eq!(digest, kept, "{file}");
        digests.push(digest);
    }
    assert_eq!(before, cut(), "packets were cut");
    digests.remove(1)
}

/// How many packets a host had to cut, and how many it could not send for their size.
fn fragments(host: &Host) -> [u64; 2] {
    let text = String::from_utf8(host.read("/proc/net/snmp")).unwrap();
    let mut lines = text.lines().filter(|line| line.starts_with("Ip: "));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    ["FragCreates", "FragFails"].map(|wanted| {
        let at = names.split(' ').position(|name| name == wanted).unwrap();
        values.split(' ').nth(at).unwrap().parse().unwrap()
    })
}

/// A file of the share as those that read it name it, for a shell.
pub(crate) fn share(file: &str) -> String {
    format!("'nfs://{LAN_HOST}/share/{file}?version=4'")
}

pub(crate) fn install(host: &Host, packages: &str) {
    host.run(&format!(
        "apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends install {packages}"
    ))
    .good();
}

/// Answers each line with the same line.
const ECHO: &str = "
import socket, threading
s = socket.create_server(('', 7777)); print('ready')
def serve(c):
    while data := c.recv(65536): c.sendall(data)
while True: threading.Thread(target=serve, args=(s.accept()[0],)).start()";

/// What is sent comes back, byte for byte; gives how much.
pub(crate) fn whole_over_a_poor_line(burst: &Host) -> u32 {
    const SEND: &str = "
import socket, sys, threading, random
data = random.Random(1).randbytes(200000); got = bytearray()
c = socket.create_connection((sys.argv[1], 7777), 60); c.settimeout(60)
threading.Thread(target=c.sendall, args=(data,)).start()
while len(got) < len(data): got += c.recv(65536)
assert got == data; print(len(got))";
    burst.write("/tmp/send.py", 0o644, SEND);
    let out = burst.run(&format!("python3 /tmp/send.py {LAN_HOST}")).good().stdout;
    out.trim().parse().unwrap()
}

/// A connection is the same one after half a minute without a line.
pub(crate) fn a_session_outlives_an_outage(cloud: &Cloud, burst: &Host) {
    const TALK: &str = "
import os, socket, sys, time
c = socket.create_connection(('10.77.0.13', 7777)); c.settimeout(170)
def say(text): c.sendall(text); assert c.recv(100) == text
say(b'before'); print('ready')
while not os.path.exists('/tmp/cut'): time.sleep(0.05)
say(b'within'); print('after', c.getsockname()[0])";
    start(burst, "talk", TALK);
    cloud.cut();
    burst.run("touch /tmp/cut").good();
    let begin = Instant::now();
    // The length of the outage is what is promised.
    std::thread::sleep(Duration::from_secs(30));
    assert_eq!(said(burst, "talk"), "ready\n", "nothing passes a line that is cut");
    cloud.mend();
    eventually("the session goes on", || said(burst, "talk").contains("after 10.77.0."));
    println!("the session went on {:.1?} after the cut of 30 s began", begin.elapsed());
}
