//! The hosts of a site, as something that work can be given to.

use crate::choices::{Choices, is_called};
use crate::site_file::state_folder;
use anyhow::Result;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use stratus_execute::error::HostError;
use stratus_execute::host::Host;
use stratus_execute::local::{Local, is_this_machine};
use stratus_execute::ssh::{HostKeys, Ssh, Way, learned_keys};
use stratus_plan::roles;
use stratus_site::{HostName, Site};
use stratus_terminal::{Exit, Failure, note};

/// The hosts of a site by name.
pub struct Fleet {
    /// Every host that is meant.
    pub hosts: BTreeMap<HostName, Arc<dyn Host>>,
    /// Whether the front-end is the machine that we run on.
    pub frontend_is_here: bool,
    learning: Option<Learning>,
}

impl Fleet {
    /// The hosts that are meant; none is spoken to yet.
    pub(crate) fn of(site: &Site, choices: &Choices) -> Result<Self> {
        let addresses = addresses(site);
        let names: Vec<HostName> = roles(site).into_iter().map(|(h, _)| h.clone()).collect();
        all_known(&names, choices)?;
        let meant = |host: &&HostName| choices.means(host) || **host == site.frontend.host;
        let file = state_folder().join("known_hosts");
        let learning = choices
            .learn_host_keys
            .then(|| Learning { before: Mutex::new(Learning::read(&file)), file: file.clone() });
        let keys = HostKeys { file, learn: choices.learn_host_keys };
        let known: Vec<_> = names.iter().map(|n| (n.clone(), addresses.get(n).copied())).collect();
        let way = Way::new(site.ssh.clone(), keys, &known).map_err(|error| {
            Failure::new(Exit::Failed, "ssh cannot be set up on this machine").because(error)
        })?;
        let way = Arc::new(way);
        let is_here = |host: &HostName| {
            is_this_machine(host, &addresses.get(host).copied().into_iter().collect::<Vec<_>>())
        };
        let host = |name: &HostName| -> Arc<dyn Host> {
            if is_here(name) {
                Arc::new(Local::new(name.clone()))
            } else {
                Arc::new(Ssh::new(name.clone(), way.clone()))
            }
        };
        Ok(Self {
            hosts: names.iter().filter(meant).map(|n| (n.clone(), host(n))).collect(),
            frontend_is_here: is_here(&site.frontend.host),
            learning,
        })
    }

    /// Shows the keys of hosts that were learned since the last time, to be compared by eye.
    pub(crate) fn tell_learned_keys(&self) {
        if let Some(learning) = &self.learning {
            learning.tell();
        }
    }

    /// The front-end.
    pub fn frontend(&self, site: &Site) -> Arc<dyn Host> {
        // Every fleet has it: `of` puts it in whatever is meant.
        self.hosts[&site.frontend.host].clone()
    }
}

/// What a host's trouble means for the command: 5 where nobody could speak to it.
pub(crate) fn host_failure(error: HostError) -> Failure {
    let exit = if error.trouble.is_away() { Exit::Unreachable } else { Exit::Failed };
    let cure = error.cure();
    Failure::new(exit, error.to_string()).hint(cure)
}

/// A host that is meant and is not of the site was mistyped; nothing would be done, and nobody would
/// notice.
fn all_known(names: &[HostName], choices: &Choices) -> Result<()> {
    let is_unknown = |meant: &&HostName| !names.iter().any(|name| is_called(name, meant));
    let Some(unknown) = choices.limit.iter().find(is_unknown) else { return Ok(()) };
    let failure = Failure::usage(format!("the site has no host `{unknown}`"));
    let meant = names.iter().find(|name| name.short() == unknown.short());
    Err(match meant {
        Some(name) => failure.hint(format!("did you mean `{name}`?")).into(),
        None => failure.hint("`stratus-config nodes.hosts` prints the nodes of the file").into(),
    })
}

/// Our own file of known keys, while new ones are learned.
struct Learning {
    file: PathBuf,
    before: Mutex<String>,
}

impl Learning {
    fn read(file: &Path) -> String {
        std::fs::read_to_string(file).unwrap_or_default()
    }

    /// Shows what was learned since the last time.
    fn tell(&self) {
        let now = Self::read(&self.file);
        let mut before = self.before.lock().unwrap_or_else(PoisonError::into_inner);
        for key in learned_keys(&before, &now) {
            note(&format!(
                "{}: learned its key {} {}; compare it with `ssh-keygen -lf` of its own",
                key.host, key.kind, key.fingerprint
            ));
        }
        *before = now;
    }
}

fn addresses(site: &Site) -> BTreeMap<HostName, IpAddr> {
    let frontend = site.frontend.address.map(|a| (site.frontend.host.clone(), a));
    let nodes = site.nodes.iter().filter_map(|n| Some((n.host.clone(), n.address?)));
    frontend.into_iter().chain(nodes).collect()
}
