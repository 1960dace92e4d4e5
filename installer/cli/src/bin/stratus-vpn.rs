//! `stratus-vpn`: the overlay that puts machines in other clouds on the site's LAN.

use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use stratus_installer::vpn::{self, BundleChoice, Options, Rotation};
use stratus_overlay::Form;
use stratus_site::HostName;
use stratus_terminal::{Exit, arguments, run};

/// Lets burst nodes, machines in other clouds, join the site's LAN through OpenVPN.
///
/// Runs on the host of the VPN's server, as root.
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
  stratus-vpn bundle burst1 --as cloud-init -o u.yml  user-data that lets one machine join, once
  stratus-vpn bundle burst1 --as context              the same for an OpenNebula template
  stratus-vpn status                                  who is connected, and what went wrong
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
        /// The form
        #[arg(long = "as", value_enum)]
        form: FormName,
        /// Write it to a file that only its owner may read
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Largest packet that the way from the node's cloud carries, in bytes
        #[arg(long, value_name = "BYTES", default_value_t = 1500, value_parser = clap::value_parser!(u16).range(1280..=9000))]
        path_mtu: u16,
        /// Days that the join token may be used
        #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=90))]
        token_days: u16,
    },
    /// Show who is connected, and what needs attention
    Status {
        /// Write it to a file as JSON instead, at once, for the monitor
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Exchange keys; old and new nodes work meanwhile
    Rotate {
        /// What
        #[arg(value_enum)]
        what: What,
        /// With `ca`: take the old authority away
        #[arg(long)]
        finish: bool,
        /// With --finish: also while nodes have certificates of the old one only
        #[arg(long, requires = "finish")]
        force: bool,
        /// Start the server anew
        #[arg(long)]
        restart: bool,
    },
    /// Make anew what ends soon: the revocation list, the server's certificate; or those of nodes
    Renew {
        /// Nodes that get new certificates
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
        match task {
            Task::Init => vpn::init(&options),
            Task::Add { names } => vpn::add(&options, &names),
            Task::List => vpn::list(&options),
            Task::Revoke { names } => vpn::revoke(&options, &names),
            Task::Bundle { name, form, output, path_mtu, token_days } => {
                let token_validity = Duration::from_secs(u64::from(token_days) * 86_400);
                let (name, form, output) = (&name, form.into(), output.as_deref());
                vpn::bundle(&options, BundleChoice { name, form, path_mtu, token_validity, output })
            }
            Task::Status { to } => vpn::status(&options, to.as_deref()),
            Task::Rotate { what, finish, force, restart } => {
                vpn::rotate(&options, rotation(what, finish, force)?, restart)
            }
            Task::Renew { names, restart } => vpn::renew(&options, &names, restart),
            Task::Verify { invitations, notes, password_file } => {
                Ok(vpn::verify(&invitations, &notes, &password_file))
            }
        }
    })
}

fn rotation(what: What, finish: bool, force: bool) -> anyhow::Result<Rotation> {
    match (what, finish) {
        (What::Server, true) => {
            Err(stratus_terminal::Failure::new(Exit::Usage, "`--finish` goes with `ca`").into())
        }
        (What::Server, false) => Ok(Rotation::Server),
        (What::Ca, false) => Ok(Rotation::Begin),
        (What::Ca, true) => Ok(Rotation::Finish { force }),
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

impl From<FormName> for Form {
    fn from(name: FormName) -> Self {
        match name {
            FormName::Ovpn => Self::Ovpn,
            FormName::CloudInit => Self::CloudInit,
            FormName::Context => Self::Context,
        }
    }
}
