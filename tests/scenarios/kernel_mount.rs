//! A burst node with Debian's own kernel mounts the site's share over the tunnel: a machine of qemu's
//! in a cloud behind NAT, joined by the bundle of `stratus-vpn`, and a file server that is a program,
//! for the kernel that tests run on need not have NFS.
//!
//! ```text
//!  lan 10.50.0.9 --- br0 [gate] --- [net] --- [burst] NAT, 10.99.0.1 --- guest0 --- eth0 10.99.0.2
//!  ganesha.nfsd       tap-stratus =================================== tap-stratus 10.50.0.200
//! ```

#![expect(clippy::unwrap_used, reason = "a test")]
#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "bed and namespaces are those of other scenarios, and this one uses a part of them"
)]

#[path = "overlay/bed.rs"]
mod bed;
#[path = "kernel_mount/guest.rs"]
mod guest;
#[path = "network_files/namespace.rs"]
mod namespace;
#[path = "kernel_mount/root.rs"]
mod root;
#[path = "kernel_mount/share.rs"]
mod share;

use bed::{Bed, LAN_HOST, eventually, pings};
use guest::Guest;
use namespace::Namespace;
use share::{Share, digest};
use std::time::{Duration, Instant};
use stratus_tests::run;

const ADDRESS: &str = "10.50.0.200";
/// What passes through the tunnel in each direction, bytes.
const SIZE: usize = 5_000_000;
/// How long the line is cut in the middle of a read.
const OUTAGE: Duration = Duration::from_secs(5);

#[test]
fn a_machine_with_a_kernel_of_its_own_mounts_the_share_over_the_tunnel() {
    let begun = Instant::now();
    let told = |what: &str| println!("{:>6.1} s  {what}", begun.elapsed().as_secs_f64());
    let mut bed = Bed::new("range = \"10.50.0.200-10.50.0.239\"\n");
    bed.vpn(&["init"]).good();
    bed.vpn(&["add", "burst1"]).good();
    bed.serve();
    let share = Share::of(&bed);
    let cloud = behind_nat(bed.cloud());
    told("the site is there");

    let mut guest = Guest::boot(&cloud, &bed.profile("burst1"));
    told("the machine is up");
    joins(&bed, &mut guest);
    told("it is on the LAN");
    mounts(&mut guest);
    told("the share is mounted");
    writes_and_reads_back(&share, &mut guest);
    told("written and read back");
    sees_what_the_lan_writes(&share, &mut guest);
    told("a file of the LAN is read");
    locks_count_on_both_sides(&share, &mut guest);
    told("locks count");
    a_read_outlives_an_outage(&share, &mut guest, &cloud);
    told("a read has outlived an outage");
    unmounts(&bed, &mut guest);
    guest.ends();
    told("unmounted, and switched off");
}

/// A cloud whose machine has a private address.
fn behind_nat(cloud: Namespace) -> Namespace {
    cloud.ip(&format!("tuntap add dev {} mode tap", guest::CARD));
    cloud.ip(&format!("addr add {}/24 dev {}", guest::GATEWAY, guest::CARD));
    cloud.ip(&format!("link set {} up", guest::CARD));
    let nat = "echo 1 > /proc/sys/net/ipv4/ip_forward && nft add table ip nat \
        && nft 'add chain ip nat post { type nat hook postrouting priority 100; }' \
        && nft add rule ip nat post oifname eth0 masquerade";
    run(&mut cloud.command(&["sh", "-c", nat])).good();
    cloud
}

fn joins(bed: &Bed, guest: &mut Guest) {
    guest
        .run("openvpn --config /etc/openvpn/client/stratus.conf --daemon --log /tmp/openvpn.log")
        .good();
    eventually("the LAN reaches the burst node", || pings(&bed.lan, ADDRESS));
    guest.run(&format!("ping -c 1 -W 5 {LAN_HOST}")).good();
    let peer = bed.node("burst1")["session"]["peer"].as_str().unwrap().to_owned();
    assert!(peer.starts_with("203.0.113."), "{peer}");
}

/// With the options that the guide has in `/etc/fstab`, and Debian's mount program, not the shell's own.
fn mounts(guest: &mut Guest) {
    guest
        .run(&format!("/usr/bin/mount -t nfs4 -o {} {LAN_HOST}:/share /mnt", share::options()))
        .good();
    let line = guest.run("grep ' /mnt nfs4 ' /proc/mounts").good().stdout;
    println!("{}", line.trim());
    for option in ["vers=4.2", "hard", "proto=tcp", "clientaddr=10.50.0.200"] {
        assert!(line.split([',', ' ']).any(|is| is == option), "{option}: {line}");
    }
}

/// What the burst node writes is on the server whole, and comes back whole over the wire.
fn writes_and_reads_back(share: &Share, guest: &mut Guest) {
    let begun = Instant::now();
    let made = format!("head -c {SIZE} /dev/urandom > /tmp/own && sha256sum < /tmp/own");
    let sum = guest.run(&made).good().stdout;
    // What is closed is on the server.
    guest.run("cp /tmp/own /mnt/from-burst").good();
    let written = share.read("from-burst");
    assert_eq!((written.len(), digest(&written)), (SIZE, sum.trim().replace("  -", "")));
    println!("{SIZE} bytes written in {:.1?}", begun.elapsed());

    let (begun, before) = (Instant::now(), received(guest));
    guest.forget();
    assert_eq!(guest.run("sha256sum < /mnt/from-burst").good().stdout, sum);
    let passed = received(guest) - before;
    assert!(passed > SIZE, "{passed} bytes came through the tunnel: it was read from memory");
    println!("{SIZE} bytes read back in {:.1?}", begun.elapsed());
}

/// How many bytes the node has received through the tunnel.
fn received(guest: &mut Guest) -> usize {
    let file = "/sys/class/net/tap-stratus/statistics/rx_bytes";
    guest.run(&format!("cat {file}")).good().stdout.trim().parse().unwrap()
}

fn sees_what_the_lan_writes(share: &Share, guest: &mut Guest) {
    assert_eq!(guest.run("ls /mnt").good().stdout.trim(), "from-burst");
    let bytes = noise();
    share.write("from-lan", &bytes);
    // The client looks at a folder again when what it knows is half a minute old, or a minute.
    eventually("a file of the LAN is seen", || {
        guest.run("ls /mnt").good().stdout.contains("from-lan")
    });
    let sum = guest.run("sha256sum < /mnt/from-lan").good().stdout;
    assert_eq!(sum.trim(), format!("{}  -", digest(&bytes)));
}

/// Bytes that no layer can make smaller.
fn noise() -> Vec<u8> {
    let mut bytes = vec![0; SIZE];
    stratus_overlay::system_random(&mut bytes);
    bytes
}

/// A lock by `fcntl` on one side keeps the other side out until it is given back.
fn locks_count_on_both_sides(share: &Share, guest: &mut Guest) {
    share.write("lock", b"");
    let held = share.lock("lock").unwrap();
    let refused = guest.run("perl /usr/bin/hold /mnt/lock < /dev/null");
    assert_eq!(
        (refused.code, refused.stdout.trim()),
        (1, "refused: Resource temporarily unavailable")
    );
    drop(held);
    guest.start("lock", "perl /usr/bin/hold /mnt/lock");
    eventually("the burst node has the lock", || guest.said("lock") == "held\n");
    assert!(share.lock("lock").is_none(), "the server gave one lock to two");
}

/// The line is cut when a part of a file was read: the rest comes when the line is back, to the same
/// open file, and a lock that was held is held still.
fn a_read_outlives_an_outage(share: &Share, guest: &mut Guest, cloud: &Namespace) {
    guest.forget();
    guest.start(
        "read",
        "{ dd bs=100000 count=10 2> /dev/null; echo begun >&2; \
         until [ -e /tmp/cut ]; do sleep 1; done; cat; } < /mnt/from-lan 2> /tmp/begun | sha256sum",
    );
    eventually("a part is read", || guest.run("cat /tmp/begun").stdout == "begun\n");
    cloud.ip(&format!("link set {} down", guest::CARD));
    guest.run("touch /tmp/cut").good();
    // The length of the outage is what is promised.
    std::thread::sleep(OUTAGE);
    assert_eq!(guest.said("read"), "", "nothing passes a line that is cut");
    cloud.ip(&format!("link set {} up", guest::CARD));
    let waited = eventually("the read goes on", || !guest.said("read").is_empty());
    println!("the rest was read {waited:.1?} after an outage of {OUTAGE:?}");
    assert_eq!(guest.said("read").trim(), format!("{}  -", digest(&share.read("from-lan"))));

    assert!(share.lock("lock").is_none(), "the lock was lost");
    guest.run("touch /tmp/release").good();
    eventually("the lock is given back", || share.lock("lock").is_some());
}

/// Nothing holds the share, and the server has no connection any more.
fn unmounts(bed: &Bed, guest: &mut Guest) {
    guest.run("/usr/bin/umount /mnt").good();
    assert_eq!(guest.run("grep nfs4 /proc/mounts").stdout, "");
    let connections = ["ss", "-tnH", "state", "established", "sport", "=", ":2049"];
    eventually("the server has no client", || {
        run(&mut bed.lan.command(&connections)).good().stdout.is_empty()
    });
}
