//! What goes wrong with a host, and what to do about it.

use std::path::PathBuf;
use std::time::Duration;
use stratus_plan::facts::Unreachable;
use stratus_site::HostName;

/// Why a host did not do its work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{host}: {trouble}")]
pub struct HostError {
    /// The host.
    pub host: HostName,
    /// What went wrong.
    pub trouble: Trouble,
}

/// What can go wrong with a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It does not answer.
    #[error("not reachable: {0}")]
    Unreachable(String),
    /// Its key is not known.
    #[error("its host key is not known yet")]
    KeyUnknown,
    /// Its key is another one than the known one.
    #[error("its host key is not the one in {}{}", file.display(), line.map(|l| format!(", line {l}")).unwrap_or_default())]
    KeyChanged {
        /// The file with the known key.
        file: PathBuf,
        /// The line.
        line: Option<u32>,
    },
    /// The login was refused.
    #[error("the login was refused: {0}")]
    Authentication(String),
    /// sudo wants a password.
    #[error("sudo asks {user} for a password")]
    SudoAsks {
        /// The login.
        user: String,
    },
    /// The login is not root and shall not use sudo, or there is none.
    #[error("the login is not root: {0}")]
    NotRoot(String),
    /// Nothing was heard for too long.
    #[error("nothing heard for {} s: {command}", after.as_secs())]
    Silent {
        /// For how long.
        after: Duration,
        /// The command that hangs.
        command: String,
    },
    /// It took too long.
    #[error("not done after {} s: {command}", after.as_secs())]
    TooLong {
        /// How long.
        after: Duration,
        /// The command that ran.
        command: String,
    },
    /// The connection broke.
    #[error("the connection broke during: {command}")]
    Broken {
        /// The command that ran.
        command: String,
    },
    /// The work was ended because somebody asked for it.
    #[error("ended on request during: {command}")]
    Aborted {
        /// The command that ran.
        command: String,
    },
    /// A command failed.
    #[error("failed with status {status}: {command}{}", tail(last))]
    Failed {
        /// Exit status.
        status: i32,
        /// The command.
        command: String,
        /// The last lines that it wrote.
        last: String,
    },
    /// It answered with something that is no answer.
    #[error("{command} gave an answer that cannot be read: {reason}")]
    Answer {
        /// What was asked.
        command: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something on this machine failed.
    #[error("{0}")]
    Here(String),
}

fn tail(last: &str) -> String {
    if last.is_empty() { String::new() } else { format!("\n{last}") }
}

impl Trouble {
    /// Of this host.
    pub fn of(self, host: &HostName) -> HostError {
        HostError { host: host.clone(), trouble: self }
    }

    /// Whether trying again may help: nobody could speak to the host. A wrong host key or a login that
    /// is refused has to be mended.
    pub fn is_away(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_) | Self::Silent { .. } | Self::TooLong { .. } | Self::Broken { .. }
        )
    }
}

impl From<HostError> for Unreachable {
    fn from(error: HostError) -> Self {
        let away = error.trouble.is_away();
        Self { reason: error.trouble.to_string(), cure: Some(error.cure()), away }
    }
}

impl HostError {
    /// What to do.
    pub fn cure(&self) -> String {
        let host = &self.host;
        match &self.trouble {
            Trouble::Unreachable(_) => format!(
                "see whether the host runs and `ssh {host}` works; `[ssh]` in the site file has port, jump_host and connect_timeout"
            ),
            Trouble::KeyUnknown => format!(
                "compare the key with the host's own (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on it) and log in once with `ssh {host}`, or run again with --learn-host-keys"
            ),
            Trouble::KeyChanged { file, line } => {
                let take_out = match line {
                    Some(line) => format!("sed -i {line}d {}", file.display()),
                    None => format!("ssh-keygen -R {host} -f {}", file.display()),
                };
                format!(
                    "if the host was installed anew, forget its old key with `{take_out}` and run again with --learn-host-keys; if not, somebody may stand in its place: do not go on"
                )
            }
            Trouble::Authentication(_) => format!(
                "put your public key on the host (`ssh-copy-id {host}`), load it into your agent, or name it as `key` in `[ssh]`"
            ),
            Trouble::SudoAsks { user } => format!(
                "allow it on the host: `echo '{user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/stratus-login`, or log in as root with `user` in `[ssh]`"
            ),
            Trouble::NotRoot(_) => {
                "log in as root with `user` in `[ssh]`, or let `sudo` there be \"auto\" and install sudo on the host".into()
            }
            Trouble::Silent { .. } => format!(
                "look at the host (`ssh {host} ps axf`); if the command only needs longer, raise `step_timeout` in `[ssh]`; then run it again"
            ),
            Trouble::Broken { .. } | Trouble::TooLong { .. } | Trouble::Aborted { .. } => {
                "run it again: it goes on where it was".into()
            }
            Trouble::Failed { last, .. } => format!(
                "{}, then run it again: it goes on where it was",
                first_thing(host, last).unwrap_or_else(|| "mend what the command says".into())
            ),
            Trouble::Answer { .. } => {
                "see whether the login's shell start files print something, then run it again".into()
            }
            Trouble::Here(_) => "mend that on this machine, then run it again".into(),
        }
    }
}

/// What to do first about a command that failed, as far as its last words tell. They are those of
/// apt, dpkg, dnf, rpm, zypper and the kernel.
fn first_thing(host: &HostName, last: &str) -> Option<String> {
    let says = |words: &[&str]| words.iter().any(|word| last.contains(word));
    if says(&["No space left on device", "enough free space", "Disk quota exceeded"]) {
        return Some(format!(
            "make room on {host} (`df -h` there shows which file system is full)"
        ));
    }
    if says(&["is held by process", "Could not get lock", "System management is locked"]) {
        return Some(format!(
            "wait on {host} for the program that holds the package manager's lock"
        ));
    }
    if says(&["error processing package", "scriptlet failed", "%post("]) {
        return Some(format!(
            "a package does not configure: mend on {host} what its script says (`dpkg --configure -a` or `rpm -V` there tries it alone)"
        ));
    }
    if says(&[
        "Failed to fetch",
        "Unable to fetch",
        "Failed to download",
        "Cannot download",
        "Could not resolve",
        "Unable to locate package",
        "Unable to find a match",
        "No match for argument",
        "Download (curl) error",
    ]) {
        return Some(format!(
            "see that {host} reaches its package repositories and that they are whole; `opennebula` and `proxy` in [packages] name another way"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_package_manager_said_decides_on_the_cure() {
        for (last, cure) in [
            ("E: You don't have enough free space in /var/cache/apt/archives/.", "make room on n1"),
            ("dpkg: error processing package x (--configure):", "dpkg --configure -a"),
            ("E: Failed to fetch http://r/x.deb  404", "reaches its package repositories"),
            ("something else", "mend what the command says"),
        ] {
            let (status, command, last) = (1, "apt".to_owned(), last.to_owned());
            let error = Trouble::Failed { status, command, last }.of(&"n1".parse().unwrap());
            assert!(error.cure().contains(cure), "{}", error.cure());
            assert!(error.cure().ends_with("then run it again: it goes on where it was"));
        }
    }
}
