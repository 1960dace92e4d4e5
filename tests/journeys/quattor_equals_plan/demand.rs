//! Demands on a host, and the comparison of two lists of them.

use serde_json::Value;
use std::collections::BTreeMap;

/// What is demanded, with the step that wants it where that is known.
#[derive(Debug, Default)]
pub(crate) struct Demands(BTreeMap<String, String>);

impl Demands {
    pub(crate) fn add(&mut self, id: &str, text: String) {
        self.0.insert(text, id.to_owned());
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn has_bridge(&self) -> bool {
        self.0.keys().any(|text| text.starts_with("bridge "))
    }

    /// The files of a bridge.
    pub(crate) fn network_files(&self) -> Vec<String> {
        let paths = self.0.keys().filter_map(|text| text.strip_prefix("network file "));
        paths.filter_map(|rest| rest.split(' ').next()).map(str::to_owned).collect()
    }
}

/// Files in which others configure interfaces.
const SHORTENED: [&str; 2] = ["/etc/network/interfaces", "/etc/network/interfaces.d/50-cloud-init"];

/// Reasons that explain why a step's demand is not in the profile.
const NOT_SAID: [&str; 17] = [
    "secret-made-there",
    "secret-file",
    "secret-inside",
    "ssh-key",
    "host-content",
    "own-lines",
    "database",
    "package-lists",
    "labels",
    "libvirt-network",
    "other-action",
    "group-number",
    "no-vnet",
    "no-host",
    "no-marketplace",
    "mark",
    "overlay",
];

/// What the plan demands and the profile does not, and the other way round, as far as the list of
/// what is left does not explain it. `interface` is the host's, as the facts have it.
pub(crate) fn differences(
    plan: &Demands,
    profile: &Demands,
    left: &[Value],
    interface: &Value,
) -> Vec<String> {
    let mac = interface["mac"].as_str().expect("a MAC address");
    let has = |what: &str, why: &str| left.iter().any(|l| l["what"] == what && l["why"] == why);
    let mut all = Vec::new();
    for (text, id) in plan.0.iter().filter(|(text, _)| !profile.0.contains_key(*text)) {
        let not_said = NOT_SAID.iter().any(|why| has(id, why));
        let bridge = has(id, "dummy-bridge") && text.contains(" VN_MAD=bridge");
        let field = setting(text).is_some_and(|(_, key)| has(&format!("{id}#{key}"), "no-field"));
        // The component that writes a file starts its reader again by itself.
        let reader = has(id, "whole-file") && text.contains(" when ");
        let network = match text.split(' ').collect::<Vec<_>>()[..] {
            ["network", "loaded", ..] => {
                has(id, "network-loaded") || has(id, "network-by-component")
            }
            ["network", "file" | "line", ..] if has(id, "network-by-component") => true,
            ["network", "file" | "line", path, ..] if SHORTENED.contains(&path) => {
                has(id, "port-elsewhere")
            }
            ["network", "line", ..] => has(id, "network-loaded") && text.contains(mac),
            _ => false,
        };
        if !(not_said || bridge || field || reader || network) {
            all.push(format!("only the plan, {id}: {text}"));
        }
    }
    for text in profile.0.keys().filter(|text| !plan.0.contains_key(*text)) {
        let whole =
            setting(text).is_some_and(|(path, _)| has(&format!("file:{path}"), "whole-file"));
        let bridge = text.ends_with(" VN_MAD=dummy")
            && text.split(' ').nth(1).is_some_and(|n| has(&format!("vnet:{n}"), "dummy-bridge"));
        // The line of the plan without the MAC address that only the host knows.
        let port = plan.0.iter().any(|(line, id)| {
            let bare = line.replace(&format!(" address {mac}"), "");
            has(id, "network-loaded") && line.contains(mac) && bare == *text
        });
        if !(whole || bridge || port) {
            all.push(format!("only the profile: {text}"));
        }
    }
    all
}

/// Path and first key of a setting.
fn setting(text: &str) -> Option<(&str, &str)> {
    let (path, rest) = text.strip_prefix("setting ")?.split_once(' ')?;
    Some((path, rest.split(['.', '=']).next()?))
}

/// `KEY = value` lines one by one, members of `[ … ]` each on its own.
pub(crate) fn setting_lines(content: &str) -> Vec<String> {
    let clean = |text: &str| text.trim().trim_matches('"').to_owned();
    let mut lines = Vec::new();
    for line in content.lines().filter(|line| !line.trim().is_empty()) {
        let (name, value) = line.split_once('=').expect("a setting");
        let name = name.trim();
        match value.trim().strip_prefix('[').and_then(|v| v.strip_suffix(']')) {
            Some(members) => {
                for member in members.split(',') {
                    let (key, value) = member.split_once('=').expect("a member");
                    lines.push(format!("{name}.{}={}", key.trim(), clean(value)));
                }
            }
            None => lines.push(format!("{name}={}", clean(value))),
        }
    }
    lines
}

/// Keys and values of files that have sections.
pub(crate) fn sections(path: &str, content: &str) -> Option<Vec<String>> {
    let end = std::path::Path::new(path).extension()?;
    if end != "repo" && end != "cnf" {
        return None;
    }
    let (mut lines, mut section) = (Vec::new(), "");
    for line in content.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name;
        } else {
            let (key, value) = line.split_once('=').expect("a key with its value");
            lines.push(format!("{section}.{}={}", key.trim(), value.trim()));
        }
    }
    Some(lines)
}

/// A content in one line.
pub(crate) fn short(content: &str) -> String {
    format!("{content:?}")
}
