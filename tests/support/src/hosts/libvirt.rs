//! A libvirt that answers and runs nothing: its units by both families' names, and its files.

use super::Package;

/// The sockets that the family of Enterprise Linux has in place of one service.
const SOCKETS: [&str; 3] = ["virtqemud", "virtnodedevd", "virtstoraged"];
const UNITS: &str = "/usr/lib/systemd/system";
const SERVICE: &str = "[Unit]\nDescription=libvirt (stand-in)\n\n\
    [Service]\nExecStart=/bin/sleep infinity\n\n[Install]\nWantedBy=multi-user.target\n";
/// It has no network of its own.
const VIRSH: &str = "#!/bin/sh\ncase \"$*\" in *net-*) exit 1 ;; esac\necho stand-in\n";

pub(super) fn standin() -> Package {
    let package = Package::new("libvirt-daemon-system", "9.0.0-1")
        .file("/etc/libvirt/qemu.conf", 0o600, "# What runs machines.\n")
        .file("/usr/bin/virsh", 0o755, VIRSH)
        .file(&format!("{UNITS}/libvirtd.service"), 0o644, SERVICE);
    SOCKETS.into_iter().fold(package, |package, name| {
        let socket = format!(
            "[Socket]\nListenStream=/run/{name}\nService=libvirtd.service\n\n\
             [Install]\nWantedBy=sockets.target\n"
        );
        package.file(&format!("{UNITS}/{name}.socket"), 0o644, socket)
    })
}
