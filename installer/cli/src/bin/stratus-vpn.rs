//! `stratus-vpn`: the overlay that puts machines in other clouds on the site's LAN.

use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use stratus_installer::vpn::{self, BundleChoice, Options, Places, Rotation, wireguard};
use stratus_overlay::{Form, wireguard::Form as WireGuardForm};
use stratus_plan::burst::{auth_file, public_key_file};
use stratus_site::HostName;
use stratus_terminal::{Exit, Failure, arguments, run};

/// Lets burst nodes, machines in other clouds, join the site's LAN through OpenVPN or WireGuard.
///
/// Runs on the host of the VPN's server, as root. `vpn.mode` of the site file says which of the two.
/// WireGuard has no certificates and no join tokens: whoever has a bundle is the node, until `revoke`
/// or `renew`.
#[derive(Parser)]
#[command(name = "stratus-vpn", version, after_help = EXAMPLES)]
struct Arguments {
    /// The site file
    #[arg(
        long,
        value_name = "FILE",
        env = "STRATUS_CONFIG",
        default_value = "/etc/stratus/stratus.toml",
        global = true
    )]
    config: PathBuf,
    /// The folder with authority, register and the server's files
    #[arg(
        long,
        value_name = "FOLDER",
        env = "STRATUS_VPN_DIRECTORY",
        default_value = "/var/lib/stratus/vpn",
        global = true
    )]
    directory: PathBuf,
    /// The folder with the socket of the server's management interface
    #[arg(
        long,
        value_name = "FOLDER",
        env = "STRATUS_VPN_RUNTIME",
        default_value = "/run/stratus-vpn",
        global = true
    )]
    runtime: PathBuf,
    /// Account and group that the server runs as
    #[arg(
        long,
        value_name = "USER:GROUP",
        default_value = "stratus-vpn:stratus-vpn",
        value_parser = account,
        global = true
    )]
    account: (String, String),
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    task: Task,
}

const EXAMPLES: &str = "Examples:
  stratus-vpn init                                    the authority and the server's files, once
  stratus-vpn add burst1 burst2                       two nodes, each with its own address
  stratus-vpn bundle burst1 -o burst1.ovpn            one file for openvpn, or for wg-quick
  stratus-vpn bundle burst1 --as cloud-init -o u.yml  user-data that lets one machine join, once
  stratus-vpn bundle burst1 --as context              the same for an OpenNebula template
  stratus-vpn status                                  who is connected, and what went wrong
  stratus-vpn register                                connected ones are hosts of OpenNebula
  stratus-vpn revoke burst1                           out, its session too; the name is free again
  stratus-vpn rotate ca                               a new authority beside the old one

`stratus-vpn renew` runs daily by stratus-vpn-renew.timer.";

#[derive(Subcommand)]
enum Task {
    /// Make the authority and the server's files; again, it puts the files right
    Init,
    /// Put burst nodes in; without a name those of the site file that are missing
    Add {
        /// Their names
        names: Vec<HostName>,
    },
    /// Show the register
    List,
    /// Take burst nodes out and end their sessions; the names can be given again
    Revoke {
        /// Their names
        #[arg(required = true)]
        names: Vec<HostName>,
    },
    /// Print what a burst node boots from; it is a secret
    Bundle {
        /// The node
        name: HostName,
        /// The form; `ovpn` where absent, and `conf` with WireGuard
        #[arg(long = "as", value_enum)]
        form: Option<FormName>,
        /// Write it to a file that only its owner may read
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Largest packet that the way from the node's cloud carries, in bytes
        #[arg(long, value_name = "BYTES", default_value_t = 1500, value_parser = clap::value_parser!(u16).range(1280..=9000))]
        path_mtu: u16,
        /// Days that the join token may be used, 7 where absent; WireGuard has none
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=90))]
        token_days: Option<u16>,
        /// The public key that oneadmin of the front-end logs in with, for a node that becomes a host
        #[arg(long, value_name = "FILE", default_value = public_key_file())]
        frontend_key: PathBuf,
    },
    /// Show who is connected, and what needs attention
    Status {
        /// Write it to a file as JSON instead, at once, for the monitor
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Make connected burst nodes hosts of OpenNebula, and put those offline that are gone
    ///
    /// Nodes with `register = true` in the site file. A timer on the front-end runs it each minute.
    Register {
        /// oned, instead of that of this host
        #[arg(long, value_name = "URL")]
        endpoint: Option<String>,
        /// The file with oneadmin's name and password
        #[arg(long, value_name = "FILE", default_value = auth_file())]
        auth: PathBuf,
        /// The file that gets their names
        #[arg(long, value_name = "FILE", default_value = "/etc/hosts")]
        hosts_file: PathBuf,
        /// The file that gets the keys of their ssh servers
        #[arg(long, value_name = "FILE", default_value = "/etc/ssh/ssh_known_hosts")]
        known_hosts: PathBuf,
        /// Only take their names and keys out of both files
        #[arg(long)]
        forget: bool,
    },
    /// Exchange keys; old and new nodes work meanwhile. With WireGuard only `server`, and by force:
    /// it has no overlap
    Rotate {
        /// What
        #[arg(value_enum)]
        what: What,
        /// With `ca`: take the old authority away
        #[arg(long)]
        finish: bool,
        /// With --finish: also while nodes have certificates of the old one only; with WireGuard's
        /// server: also while nodes have its key
        #[arg(long)]
        force: bool,
        /// Start the server anew
        #[arg(long)]
        restart: bool,
    },
    /// Make anew what ends soon: the revocation list, the server's certificate; or those of nodes.
    /// With WireGuard: have the running server take the register over; or give nodes new keys
    Renew {
        /// Nodes that get new certificates, or keys
        names: Vec<HostName>,
        /// Start the server anew if it must be
        #[arg(long, conflicts_with = "names")]
        restart: bool,
    },
    /// Let OpenVPN ask whether a machine may join
    #[command(hide = true)]
    Verify { invitations: PathBuf, notes: PathBuf, password_file: PathBuf },
}

#[derive(Clone, Copy, ValueEnum)]
enum FormName {
    /// One file for openvpn
    Ovpn,
    /// One file for wg-quick, with WireGuard
    Conf,
    /// User-data for cloud-init
    CloudInit,
    /// The CONTEXT section of an OpenNebula template
    Context,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// The server's key and certificate
    Server,
    /// The authority
    Ca,
}

fn main() -> ExitCode {
    run(|| {
        let Arguments { config, directory, runtime, account, json, task } = arguments();
        let options = Options { config, directory, runtime, account, json };
        // OpenVPN asks as an account that may read no site file.
        if let Task::Verify { invitations, notes, password_file } = &task {
            return Ok(vpn::verify(invitations, notes, password_file));
        }
        if let Task::Register { endpoint, auth, hosts_file: names, known_hosts, forget: true } =
            task
        {
            return vpn::forget(&Places { endpoint, auth, names, known_hosts });
        }
        if wireguard::is_chosen(&options) {
            return by_wireguard(&options, task);
        }
        match task {
            Task::Init => vpn::init(&options),
            Task::Add { names } => vpn::add(&options, &names),
            Task::List => vpn::list(&options),
            Task::Revoke { names } => vpn::revoke(&options, &names),
            Task::Bundle { name, form, output, path_mtu, token_days, frontend_key } => {
                let days = u64::from(token_days.unwrap_or(7));
                let token_validity = Duration::from_secs(days * 86_400);
                let (name, form, output) = (&name, openvpn_form(form)?, output.as_deref());
                let frontend_key = &*frontend_key;
                let choice =
                    BundleChoice { name, form, path_mtu, token_validity, output, frontend_key };
                vpn::bundle(&options, choice)
            }
            Task::Status { to } => vpn::status(&options, to.as_deref()),
            Task::Register { endpoint, auth, hosts_file: names, known_hosts, .. } => {
                registered(&options, &Places { endpoint, auth, names, known_hosts })
            }
            Task::Rotate { what, finish, force, restart } => {
                vpn::rotate(&options, rotation(what, finish, force)?, restart)
            }
            Task::Renew { names, restart } => vpn::renew(&options, &names, restart),
            Task::Verify { .. } => Ok(Exit::Failed),
        }
    })
}

fn registered(options: &Options, places: &Places) -> anyhow::Result<Exit> {
    tokio::runtime::Runtime::new()?.block_on(vpn::register(options, places))
}

/// The same tasks where `vpn.mode` is `wireguard`.
fn by_wireguard(options: &Options, task: Task) -> anyhow::Result<Exit> {
    match task {
        Task::Init => wireguard::init(options),
        Task::Add { names } => wireguard::add(options, &names),
        Task::List => wireguard::list(options),
        Task::Revoke { names } => wireguard::revoke(options, &names),
        Task::Bundle { name, form, output, path_mtu, token_days, .. } => {
            if token_days.is_some() {
                let message = "WireGuard has no join tokens: whoever has the bundle is the node";
                return Err(Failure::usage(message).hint("leave --token-days out").into());
            }
            let form = wireguard_form(form)?;
            wireguard::bundle(options, &name, (form, path_mtu), output.as_deref())
        }
        Task::Status { to } => wireguard::status(options, to.as_deref()),
        Task::Rotate { what: What::Ca, .. } => {
            let message = "WireGuard has no authority that could be exchanged: the server knows each node by its own key";
            let hint = "`stratus-vpn renew NAME` gives a node new keys";
            Err(Failure::usage(message).hint(hint).into())
        }
        Task::Rotate { what: What::Server, finish: true, .. } => Err(no_finish()),
        // A running server takes another key over; there is nothing to start anew.
        Task::Rotate { what: What::Server, force, .. } => wireguard::rotate(options, force),
        Task::Renew { names, .. } => wireguard::renew(options, &names),
        Task::Register { .. } => {
            let message = "burst nodes become hosts of OpenNebula where `vpn.mode` is `tap` only";
            Err(Failure::usage(message).hint("machines on them need the site's Ethernet").into())
        }
        Task::Verify { .. } => Ok(Exit::Failed),
    }
}

fn no_finish() -> anyhow::Error {
    Failure::usage("`--finish` goes with `ca`").into()
}

fn rotation(what: What, finish: bool, force: bool) -> anyhow::Result<Rotation> {
    match (what, finish, force) {
        (What::Server, true, _) => Err(no_finish()),
        (_, false, true) => Err(Failure::usage("`--force` goes with `ca --finish`").into()),
        (What::Server, false, false) => Ok(Rotation::Server),
        (What::Ca, false, false) => Ok(Rotation::Begin),
        (What::Ca, true, force) => Ok(Rotation::Finish { force }),
    }
}

fn openvpn_form(name: Option<FormName>) -> anyhow::Result<Form> {
    match name.unwrap_or(FormName::Ovpn) {
        FormName::Ovpn => Ok(Form::Ovpn),
        FormName::CloudInit => Ok(Form::CloudInit),
        FormName::Context => Ok(Form::Context),
        FormName::Conf => {
            let message = "`conf` is a file for WireGuard, and `vpn.mode` of the site file is not `wireguard`";
            Err(Failure::usage(message).hint("`--as ovpn` makes one for openvpn").into())
        }
    }
}

fn wireguard_form(name: Option<FormName>) -> anyhow::Result<WireGuardForm> {
    match name.unwrap_or(FormName::Conf) {
        FormName::Conf => Ok(WireGuardForm::Conf),
        FormName::CloudInit => Ok(WireGuardForm::CloudInit),
        FormName::Context => Ok(WireGuardForm::Context),
        FormName::Ovpn => {
            let message =
                "`ovpn` is a file for openvpn, and `vpn.mode` of the site file is `wireguard`";
            Err(Failure::usage(message).hint("`--as conf` makes one for wg-quick").into())
        }
    }
}

fn account(text: &str) -> Result<(String, String), String> {
    let plain = |t: &str| {
        !t.is_empty()
            && t.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
    };
    match text.split_once(':') {
        Some((user, group)) if plain(user) && plain(group) => Ok((user.into(), group.into())),
        _ => Err("write it as user:group".to_owned()),
    }
}
