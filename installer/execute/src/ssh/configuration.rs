//! The configuration that ssh gets: the administrator's own, and what we add.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use stratus_site::{HostName, Ssh as Settings};
use tempfile::TempDir;

/// Which host keys are believed.
#[derive(Clone, Debug)]
pub struct HostKeys {
    /// Our own file, beside the administrator's and the system's.
    pub file: PathBuf,
    /// Whether a host that is in none of them is believed this once and written into ours.
    pub learn: bool,
}

/// The way to all hosts: settings, known keys, and the folder of the connections.
pub struct Way {
    pub(super) ssh: Settings,
    pub(super) keys: HostKeys,
    folder: TempDir,
}

impl Way {
    /// Writes the configuration for these hosts. Where an address is stated, it is taken unless the
    /// administrator's configuration has another one.
    pub fn new(
        ssh: Settings,
        keys: HostKeys,
        hosts: &[(HostName, Option<IpAddr>)],
    ) -> std::io::Result<Self> {
        Self::with_user_file(ssh, keys, hosts, Path::new("~/.ssh/config"))
    }

    /// The same with another file as the administrator's.
    pub fn with_user_file(
        ssh: Settings,
        keys: HostKeys,
        hosts: &[(HostName, Option<IpAddr>)],
        user_file: &Path,
    ) -> std::io::Result<Self> {
        if let Some(folder) = keys.file.parent() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        // The path of a connection's socket may have 108 bytes: not below a long home.
        let folder = tempfile::Builder::new().prefix("stratus-").tempdir_in("/tmp")?;
        let known = if keys.learn { users_known(folder.path(), hosts, user_file)? } else { None };
        let text = configuration(&keys, hosts, user_file, known.as_deref());
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(folder.path().join("config"))?;
        file.write_all(text.as_bytes())?;
        Ok(Self { ssh, keys, folder })
    }

    pub(super) fn config_file(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

/// The administrator's own files of known keys, as ssh reads them out of the configuration: a host
/// that is known there by another key must not be learned anew. None where ssh does not tell.
fn users_known(
    folder: &Path,
    hosts: &[(HostName, Option<IpAddr>)],
    user_file: &Path,
) -> std::io::Result<Option<String>> {
    let Some((host, _)) = hosts.first() else { return Ok(None) };
    let file = folder.join("asked");
    let text = format!("Include {}\nInclude /etc/ssh/ssh_config\n", user_file.display());
    std::fs::write(&file, text)?;
    let mut ssh = std::process::Command::new("ssh");
    let told = ssh.arg("-F").arg(&file).args(["-G", host.as_str()]).output()?;
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let files = told.lines().find_map(|line| line.strip_prefix("userknownhostsfile "));
    Ok(files.map(str::to_owned))
}

/// ssh takes the first value that it meets. What must hold stands first; then the administrator's
/// and the system's files; then what holds where those say nothing.
fn configuration(
    keys: &HostKeys,
    hosts: &[(HostName, Option<IpAddr>)],
    user_file: &Path,
    users_known: Option<&str>,
) -> String {
    let ours = keys.file.display();
    let (strict, files) = if keys.learn {
        let user = users_known.unwrap_or("~/.ssh/known_hosts ~/.ssh/known_hosts2");
        ("accept-new", format!("UserKnownHostsFile \"{ours}\" {user}"))
    } else {
        let system = "/etc/ssh/ssh_known_hosts /etc/ssh/ssh_known_hosts2";
        ("yes", format!("GlobalKnownHostsFile \"{ours}\" {system}"))
    };
    let mut text = format!(
        "Host *\n    StrictHostKeyChecking {strict}\n    {files}\n    HashKnownHosts no\n    \
         BatchMode yes\n    LogLevel INFO\n    UpdateHostKeys no\n    ForwardAgent no\n    \
         RequestTTY no\n    RemoteCommand none\n    \
         Include {}\n    Include /etc/ssh/ssh_config\n    ServerAliveInterval 5\n    \
         ServerAliveCountMax 4\n",
        user_file.display()
    );
    for (host, address) in hosts {
        if let Some(address) = address {
            let _ = write!(text, "Host {host}\n    HostName {address}\n    HostKeyAlias {host}\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_always_checked_and_learned_only_into_our_file() {
        let keys = |learn| HostKeys { file: "/var/lib/stratus/known_hosts".into(), learn };
        let user = Path::new("~/.ssh/config");
        let strict = configuration(&keys(false), &[], user, None);
        assert!(strict.contains("StrictHostKeyChecking yes"));
        assert!(strict.contains("GlobalKnownHostsFile \"/var/lib/stratus/known_hosts\""));
        assert!(!strict.contains("accept-new"));
        let learning = configuration(&keys(true), &[], user, Some("~/.ssh/other"));
        assert!(
            learning.contains("UserKnownHostsFile \"/var/lib/stratus/known_hosts\" ~/.ssh/other\n")
        );
    }

    #[test]
    fn what_must_hold_stands_before_the_administrators_file_and_addresses_after() {
        let keys = HostKeys { file: "/k".into(), learn: false };
        let host = ("node1.example.org".parse().unwrap(), Some("10.0.0.1".parse().unwrap()));
        let text = configuration(&keys, &[host], Path::new("~/.ssh/config"), None);
        let place = |what| text.find(what).unwrap();
        assert!(place("StrictHostKeyChecking") < place("Include ~/.ssh/config"));
        assert!(place("Include /etc/ssh/ssh_config") < place("HostName 10.0.0.1"));
    }
}
