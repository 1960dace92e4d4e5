//! What a profile does not say, or says in other words, and why: a closed list, which the guide
//! shows as a table.

use serde::Serialize;
use std::fmt::Write as _;

/// A step, or an object of OpenNebula, that a profile does not carry as the plan has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Left {
    /// The step's name in the plan (`secret:/var/lib/one/.one/one_auth`), or `vnet:NAME` and the
    /// like for an object.
    pub what: String,
    /// Why.
    pub why: Why,
}

impl Left {
    /// One of them.
    pub(crate) fn new(what: impl Into<String>, why: Why) -> Self {
        Self { what: what.into(), why }
    }
}

/// Makes the closed list with its texts, so that none is without.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident: $steps:literal, $reason:literal, $cure:literal;)*) => {
        /// Why a profile does not carry something as the plan has it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Why { $($(#[$doc])* $name,)* }

        impl Why {
            /// All.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Which steps or objects it is about.
            pub fn about(self) -> &'static str {
                match self { $(Self::$name => $steps,)* }
            }

            /// The reason, one sentence.
            pub fn reason(self) -> &'static str {
                match self { $(Self::$name => $reason,)* }
            }

            /// What to do.
            pub fn cure(self) -> &'static str {
                match self { $(Self::$name => $cure,)* }
            }
        }
    };
}

reasons! {
    /// A random secret.
    SecretMadeThere: "random secrets, such as oneadmin's password",
        "a secret is made on its host and stays there; a profile is readable by others",
        "`opennebula` makes oneadmin's own at its installation; make a database's by hand, mode 0600";
    /// A secret of the administrator's.
    SecretFile: "secret files of the administrator, such as the key of a certificate",
        "a profile is readable by others",
        "bring it to the host by the way your site has for secrets, as `--json` names it, and restart what reads it";
    /// A file with a secret in it.
    SecretInside: "files with a secret inside, such as the directory's settings",
        "the secret is put in on the host itself; ncm-filecopy would need it in the profile",
        "`stratus-install apply` writes it, or write it by hand, mode 0640, group oneadmin";
    /// A key pair.
    SshKey: "the key pair of oneadmin",
        "a private key never leaves its host, and ncm-accounts makes RSA keys under another name",
        "`sudo -u oneadmin ssh-keygen -t ed25519` on each host, once";
    /// Content that hosts make.
    HostContent: "`authorized_keys` and `known_hosts` of oneadmin",
        "their content is public keys that hosts make; it is not known when a profile is compiled",
        "give the front-end's public key to ncm-useraccess once it is made; collect host keys with `ssh-keyscan`";
    /// Lines in somebody else's file.
    OwnLines: "marked lines in a file of others (AppArmor, SELinux, dnf's proxy)",
        "ncm-filecopy and ncm-metaconfig own a file whole; the lines of others would be lost",
        "add the lines by hand or with your site's own file";
    /// A database.
    Database: "the database and its user",
        "ncm-mysql wants the password in the profile",
        "make both on the front-end with the password of STRATUS_DATABASE_PASSWORD";
    /// Lists of packages.
    PackageLists: "reading the package lists again",
        "ncm-spma does so whenever it runs",
        "nothing";
    /// Packages that the installer brings.
    Carried: "packages that the installer carries to a host",
        "ncm-spma takes packages from a repository; an export with `packages.offline` is refused",
        "serve the directory as a repository, and name it in `packages.opennebula`";
    /// SELinux labels.
    Labels: "SELinux labels of the datastores",
        "they follow the lines of SELinux above",
        "`restorecon -R /var/lib/one/datastores`";
    /// A boolean of SELinux.
    Boolean: "the SELinux boolean `virt_use_nfs`",
        "it is wanted where SELinux is enforcing, and ncm-filecopy and ncm-metaconfig set no booleans",
        "`setsebool -P virt_use_nfs 1` on nodes with `share = \"nfs\"`";
    /// libvirt's network.
    LibvirtNetwork: "libvirt's own network is taken away",
        "no component knows libvirt's networks",
        "`virsh net-destroy default; virsh net-autostart default --disable`";
    /// Another action.
    OtherAction: "other actions",
        "no component does it",
        "`stratus-install apply`";
    /// A group or user without a number.
    GroupNumber: "groups and users without a number, and their folders",
        "ncm-accounts needs the number",
        "nothing where a package makes them; `stratus-vpn` by `useradd --system`, and its folder";
    /// A network that is loaded.
    NetworkLoaded: "loading a bridge with a way back",
        "ncm-network writes the files of EL only; for other systems the files are put in place, without the MAC address that only a host knows, and count from the next start of the host",
        "look at the files and start the host again, with a console at hand";
    /// Where the port is configured already.
    PortElsewhere: "what `/etc/network/interfaces` and its like say of the port of a bridge",
        "what stands there is known only on the host, and ncm-filecopy owns a file whole",
        "take the port out of these files, or put your site's own there";
    /// The network of EL.
    NetworkByComponent: "the files of a bridge on EL",
        "ncm-network writes its own files from `/system/network`; the fields are the same",
        "nothing; on nodes with NetworkManager use ncm-network's nmstate back end";
    /// A file with sections.
    OtherLayout: "files of keys and values",
        "ncm-metaconfig lays them out in its own way; keys and values are the same",
        "nothing";
    /// A file of settings that is owned whole.
    WholeFile: "settings in files of OpenNebula and libvirt",
        "the installer sets its keys and leaves the others; ncm-opennebula and ncm-metaconfig write the whole file, with their defaults for the others",
        "compare once with `stratus-install plan --verbose`, and put what you need beside it";
    /// A key of oned.conf that the schema does not have.
    NoField: "keys of oned.conf that ncm-opennebula's schema does not have",
        "the schema has no field for it",
        "set it in ncm-opennebula's template, or by hand";
    /// A bridge network.
    DummyBridge: "networks of the driver `bridge`",
        "ncm-opennebula's schema has no such driver; `dummy` is the same where the bridge is there, and it is",
        "nothing";
    /// A network that the schema cannot have.
    NoVnet: "networks with security groups, several ranges, several name servers, or tags with OpenNebula's own bridge",
        "ncm-opennebula's schema has no field for it; a poorer network of the same name would let through what the site filters, so it is `untouchable` there",
        "`stratus-install apply` makes it";
    /// A host that the schema cannot have.
    NoHost: "hosts of a driver other than `kvm`",
        "ncm-opennebula's schema knows kvm and xen; the host is `untouchable` there",
        "`onehost create`, or `stratus-install apply`";
    /// A marketplace.
    NoMarketplace: "the marketplace of the site's repository",
        "ncm-opennebula has no marketplaces",
        "`onemarket create`, or `stratus-install apply`";
    /// What no site file asks for today.
    OtherObject: "users, groups, images and templates of machines",
        "a user has a password, and ncm-opennebula has no images and templates; no site file asks for any",
        "people come through the directory at their first login";
    /// The overlay.
    Overlay: "the authority of `[vpn]`, and the server's settings",
        "`stratus-vpn` makes them on the gateway, with private keys that stay there",
        "`stratus-vpn init` on the gateway, then `systemctl restart stratus-vpn-server`; units, bridge and rules of the firewall are in the profile";
    /// What programs read of the site file itself.
    SiteFileItself: "`[accounting]` on a front-end that is not the monitor's host",
        "`stratus-accounting` reads the site file; the installer does not put it there either",
        "keep the site file as `/etc/stratus/stratus.toml` on the host that feeds the ledger";
    /// How the installer works.
    InstallersOwn: "`[ssh]`",
        "it says how the installer reaches hosts; Quattor has its own way",
        "nothing";
    /// The mark.
    Mark: "the attribute `STRATUS` of objects",
        "ncm-opennebula marks what it made with its own attribute",
        "let one of the two make an object, not both";
}

/// One entry of the list, as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// Its name, as an export's `left` has it.
    pub why: Why,
    /// Which steps or objects it is about.
    pub about: &'static str,
    /// The reason, one sentence.
    pub reason: &'static str,
    /// What to do.
    pub cure: &'static str,
}

/// The list as data.
pub fn reasons() -> Vec<Reason> {
    let of = |why: &Why| Reason {
        why: *why,
        about: why.about(),
        reason: why.reason(),
        cure: why.cure(),
    };
    Why::ALL.iter().map(of).collect()
}

/// The list as a table in Markdown.
pub fn table() -> String {
    let mut text = "| what | why | what to do |\n|---|---|---|\n".to_owned();
    for why in Why::ALL {
        let _ = writeln!(text, "| {} | {} | {} |", why.about(), why.reason(), why.cure());
    }
    text
}
