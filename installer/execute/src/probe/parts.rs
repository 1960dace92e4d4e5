//! The sections of an answer, and the simple ones.

use super::BadAnswer;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::{BTreeMap, BTreeSet};
use stratus_plan::facts::{
    Feature, HostFacts, NetworkTool, OsRelease, Questions, SelinuxFacts, UnitFacts, UserFacts,
};

/// An answer taken apart.
pub(super) struct Sections<'a>(BTreeMap<&'a str, &'a [u8]>);

impl<'a> Sections<'a> {
    pub(super) fn of(answer: &'a [u8]) -> Result<Self, BadAnswer> {
        let mut sections = BTreeMap::new();
        let mut parts = answer.split(|b| *b == 1);
        // What stands before the first mark was printed by the login's shell, not by us.
        parts.next();
        for part in parts {
            let end = part.iter().position(|b| *b == b'\n').unwrap_or(part.len());
            let name = std::str::from_utf8(&part[..end]);
            let name = name.map_err(|_| BadAnswer::new("end", "a section has no name"))?;
            if sections.insert(name, part.get(end + 1..).unwrap_or_default()).is_some() {
                return Err(BadAnswer::new("end", format!("`{name:.40}` is there twice")));
            }
        }
        if !sections.contains_key("end") {
            return Err(BadAnswer::new("end", "the answer was cut off"));
        }
        Ok(Self(sections))
    }

    pub(super) fn bytes(&self, name: &str) -> &'a [u8] {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// The section as text; bytes that are none become question marks.
    pub(super) fn text(&self, name: &str) -> String {
        String::from_utf8_lossy(self.bytes(name)).into_owned()
    }

    pub(super) fn line(&self, name: &'static str) -> Result<String, BadAnswer> {
        let text = self.text(name);
        let line = text.lines().next().ok_or_else(|| BadAnswer::new(name, "it is empty"))?;
        Ok(line.to_owned())
    }

    pub(super) fn base64(&self, name: &'static str) -> Result<Vec<u8>, BadAnswer> {
        let text = self.bytes(name).trim_ascii();
        STANDARD.decode(text).map_err(|_| BadAnswer::new(name, "it is not base64"))
    }
}

pub(super) fn basic(sections: &Sections<'_>, facts: &mut HostFacts) -> Result<(), BadAnswer> {
    facts.os = os_release(&String::from_utf8_lossy(&sections.base64("os")?));
    let text = sections.text("basic");
    let lines: Vec<&str> = text.lines().collect();
    let [architecture, hostname, machine_id, init, uid, cpus, memory] = lines.as_slice() else {
        return Err(BadAnswer::new("basic", format!("{} lines, not 7", lines.len())));
    };
    let number = |t: &str| {
        t.parse::<u64>().map_err(|_| BadAnswer::new("basic", format!("`{t:.40}` is no number")))
    };
    (*architecture).clone_into(&mut facts.architecture);
    (*hostname).clone_into(&mut facts.hostname);
    (*machine_id).clone_into(&mut facts.machine_id);
    facts.systemd = *init == "systemd";
    facts.root = number(uid)? == 0;
    facts.cpus = u32::try_from(number(cpus)?).unwrap_or(u32::MAX);
    facts.memory_bytes = number(memory)?.saturating_mul(1024);
    let text = sections.text("free");
    let mut lines = text.lines();
    let places = lines.next().unwrap_or_default().split(' ');
    // The next line is df's heading.
    for (place, bytes) in places.zip(lines.skip(1)) {
        if let Ok(bytes) = bytes.trim().parse() {
            facts.free_bytes.insert(place.to_owned(), bytes);
        }
    }
    Ok(())
}

/// os-release(5): `KEY=value` or `KEY="value"`.
fn os_release(text: &str) -> OsRelease {
    let mut os = OsRelease::default();
    for line in text.lines() {
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = value.trim().trim_matches(['"', '\'']).to_owned();
        match key.trim() {
            "ID" => os.id = value,
            "ID_LIKE" => os.like = value.split_whitespace().map(str::to_owned).collect(),
            "VERSION_ID" => os.version = value,
            "PRETTY_NAME" => os.pretty = value,
            _ => {}
        }
    }
    os
}

/// Only what was tried is told: without `ip` or the right to a namespace nothing is known.
pub(super) fn features(sections: &Sections<'_>, facts: &mut HostFacts) {
    let text = sections.text("kernel");
    let has = |word: &str| text.lines().any(|l| l.trim() == word);
    let made = |name: &str| {
        // `5: svlan@sbridge: <BROADCAST,…` and `2: sbridge: <…`
        let second =
            |l: &str| l.split_whitespace().nth(1).map(|w| w.trim_end_matches(':').to_owned());
        text.lines().filter_map(second).any(|w| w.split('@').next() == Some(name))
    };
    facts.features.insert(Feature::Kvm, has("kvm"));
    facts.features.insert(Feature::NfsClient, has("nfs"));
    facts.features.insert(Feature::NfsServer, has("nfsd"));
    facts.features.insert(Feature::WireGuardProgram, has("wireguard-go"));
    if !has("tried") {
        return;
    }
    for (feature, name) in [
        (Feature::Bridge, "sbridge"),
        (Feature::Tap, "stap"),
        (Feature::Vlan, "svlan"),
        (Feature::Vxlan, "svxlan"),
        (Feature::WireGuard, "swireguard"),
    ] {
        facts.features.insert(feature, made(name));
    }
    if has("nft-there") {
        facts.features.insert(Feature::Nftables, has("snft"));
    }
}

/// The tool that manages the network: netplan stands above the others, which it writes for.
pub(super) fn network_tool(sections: &Sections<'_>) -> Option<NetworkTool> {
    let text = sections.text("tools");
    let lines: Vec<&str> = text.lines().collect();
    let has = |word: &str| lines.contains(&word);
    let active: Vec<bool> = lines
        .iter()
        .filter(|l| matches!(**l, "active" | "inactive" | "failed" | "activating" | "unknown"))
        .map(|l| *l == "active")
        .collect();
    let runs = |index: usize| active.get(index).copied().unwrap_or(false);
    if has("netplan") {
        Some(NetworkTool::Netplan)
    } else if has("wicked") && runs(2) {
        Some(NetworkTool::Wicked)
    } else if runs(0) {
        Some(NetworkTool::NetworkManager)
    } else if runs(1) {
        Some(NetworkTool::Networkd)
    } else if has("ifupdown") {
        Some(NetworkTool::Ifupdown)
    } else {
        None
    }
}

pub(super) fn packages(sections: &Sections<'_>, facts: &mut HostFacts) {
    let listed = [sections.text("packages"), sections.text("provided")];
    for line in listed.iter().flat_map(|text| text.lines()) {
        let mut words = line.split('\t');
        if let (Some(state), Some(name), Some(version)) = (words.next(), words.next(), words.next())
            && state.starts_with("ii")
        {
            facts.packages.insert(name.to_owned(), version.to_owned());
        }
    }
    facts.package_lock = sections.text("lock").lines().next().map(str::to_owned);
    facts.available = available(&sections.text("available"));
}

/// Of apt-cache policy, dnf repoquery or zypper search.
fn available(text: &str) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    let mut package = "";
    for line in text.lines() {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        if let Some(version) = line.trim().strip_prefix("Candidate: ") {
            if version != "(none)" {
                all.insert(package.to_owned(), version.to_owned());
            }
        } else if let Some(name) = line.strip_suffix(':').filter(|n| !n.starts_with(' ')) {
            package = name;
        } else if let Some((name, version)) = line.split_once('\t') {
            all.insert(name.to_owned(), version.to_owned());
        } else if let [_, name, "package", version, ..] = columns.as_slice() {
            all.entry((*name).to_owned()).or_insert_with(|| (*version).to_owned());
        }
    }
    all
}

pub(super) fn lists(
    sections: &Sections<'_>,
    questions: &Questions,
    facts: &mut HostFacts,
) -> Result<(), BadAnswer> {
    units(sections, &questions.units, facts)?;
    users(sections, &questions.users, facts)?;
    for line in sections.text("groups").lines() {
        let mut words = line.split(':');
        if let (Some(name), Some(gid)) = (words.next(), words.nth(1).and_then(|g| g.parse().ok())) {
            facts.groups.insert(name.to_owned(), gid);
        }
    }
    facts.seen = notes(&sections.text("seen"));
    facts.after = notes(&sections.text("after"));
    facts.selinux = selinux(&sections.text("selinux"));
    let edited = sections.text("network");
    let edited = edited.lines().filter_map(|line| line.split_once(' '));
    facts.edited_network =
        edited.map(|(state, path)| (path.to_owned(), state == "there")).collect();
    for line in sections.text("listening").lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let port = words.get(3).and_then(|a| a.rsplit_once(':')).and_then(|(_, p)| p.parse().ok());
        if let Some(port) = port {
            let program = line.split('"').nth(1).unwrap_or_default();
            facts.listening.entry(port).or_insert_with(|| program.to_owned());
        }
    }
    let known: BTreeSet<String> = sections.text("databases").lines().map(str::to_owned).collect();
    facts.databases = known.intersection(&questions.databases).cloned().collect();
    Ok(())
}

/// What is enforcing, and a boolean as selinuxfs has it: its value now and the one to come.
fn selinux(text: &str) -> Option<SelinuxFacts> {
    let mut lines = text.lines();
    (lines.next()? == "enforcing")
        .then(|| SelinuxFacts { nfs_machines: lines.next().is_some_and(|l| l.starts_with('1')) })
}

/// `digest name` on each line.
fn notes(text: &str) -> BTreeMap<String, String> {
    let note = |line: &str| line.split_once(' ').map(|(d, name)| (name.to_owned(), d.to_owned()));
    text.lines().filter_map(note).collect()
}

/// Blocks of `Key=value`, parted by empty lines, in the order that was asked.
fn units(
    sections: &Sections<'_>,
    asked: &BTreeSet<String>,
    facts: &mut HostFacts,
) -> Result<(), BadAnswer> {
    let (text, listening) = (sections.text("units"), sections.text("sockets"));
    let listening: BTreeSet<&str> = listening.lines().collect();
    let blocks: Vec<&str> =
        text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()).collect();
    // A host without a running systemd has no block at all.
    if blocks.is_empty() {
        return Ok(());
    }
    if blocks.len() != asked.len() {
        let reason = format!("{} units told, {} asked", blocks.len(), asked.len());
        return Err(BadAnswer::new("units", reason));
    }
    for (name, block) in asked.iter().zip(blocks) {
        let value = |key: &str| {
            let line = |l: &str| l.strip_prefix(key)?.strip_prefix('=').map(str::to_owned);
            block.lines().find_map(line).unwrap_or_default()
        };
        let load = value("LoadState");
        if load == "not-found" {
            continue;
        }
        let enabled = if load == "masked" { load } else { value("UnitFileState") };
        // A daemon may leave when it has been idle for a while, as libvirtd does: it is there as
        // long as its socket is.
        let starts_when_asked = value("TriggeredBy").split(' ').any(|s| listening.contains(s));
        let active = match value("ActiveState") {
            state if state == "inactive" && starts_when_asked => "active".to_owned(),
            state => state,
        };
        let unit = UnitFacts { enabled, active };
        facts.units.insert(name.clone(), unit);
    }
    Ok(())
}

fn users(
    sections: &Sections<'_>,
    asked: &BTreeSet<String>,
    facts: &mut HostFacts,
) -> Result<(), BadAnswer> {
    let text = sections.text("memberships");
    let memberships: Vec<&str> = text.lines().collect();
    if memberships.len() != asked.len() {
        let reason = format!("{} users told, {} asked", memberships.len(), asked.len());
        return Err(BadAnswer::new("memberships", reason));
    }
    let of: BTreeMap<&str, &str> =
        asked.iter().map(String::as_str).zip(memberships.iter().copied()).collect();
    for line in sections.text("users").lines() {
        let words: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, _, home, shell] = words.as_slice() else { continue };
        let (Ok(uid), Ok(gid)) = (uid.parse(), gid.parse()) else {
            return Err(BadAnswer::new("users", format!("`{line:.80}` has no numbers")));
        };
        let groups = of.get(name).copied().unwrap_or_default().split_whitespace();
        let user = UserFacts {
            uid,
            gid,
            home: (*home).to_owned(),
            shell: (*shell).to_owned(),
            groups: groups.map(str::to_owned).collect(),
        };
        facts.users.insert((*name).to_owned(), user);
    }
    Ok(())
}
