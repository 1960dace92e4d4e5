//! Chains and rules as text: nft(8).

use super::families;
use ipnet::IpNet;
use stratus_site::InterfaceName;

/// Who may reach a port.
pub(super) enum Source {
    /// Everybody.
    Anywhere,
    /// These subnets; nobody where there is none.
    Nets(Vec<IpNet>),
}

/// A chain in the making.
pub(super) struct Chain {
    name: &'static str,
    lines: Vec<String>,
}

impl Chain {
    pub(super) fn new(name: &'static str, hook: &str) -> Self {
        Self { name, lines: vec![hook.to_owned()] }
    }

    /// A line that is not a rule.
    pub(super) fn line(&mut self, text: &str) {
        self.lines.push(text.to_owned());
    }

    /// A rule with its reason, which `nft list ruleset` shows too.
    pub(super) fn rule(&mut self, rule: &str, reason: &str) {
        self.lines.push(format!("{rule} comment \"{}\"", comment(reason)));
    }

    /// Opens a port, or a range of ports, to somebody.
    pub(super) fn open(&mut self, from: &Source, protocol: &str, ports: &str, reason: &str) {
        match from {
            Source::Anywhere => self.rule(&format!("{protocol} dport {ports} accept"), reason),
            Source::Nets(nets) => {
                for (family, nets) in families(nets) {
                    if !nets.is_empty() {
                        let set = set(&nets);
                        let rule = format!("{family} saddr {set} {protocol} dport {ports} accept");
                        self.rule(&rule, reason);
                    }
                }
            }
        }
    }

    pub(super) fn text(&self) -> String {
        let lines: String = self.lines.iter().map(|line| format!("\t\t{line}\n")).collect();
        format!("\tchain {} {{\n{lines}\t}}\n", self.name)
    }
}

/// An anonymous set.
pub(super) fn set(nets: &[IpNet]) -> String {
    let texts: Vec<String> = nets.iter().map(ToString::to_string).collect();
    format!("{{ {} }}", texts.join(", "))
}

/// The name of an interface as a string. A star at its end would stand for any further letters.
pub(super) fn device(name: &InterfaceName) -> String {
    match name.as_str().strip_suffix('*') {
        Some(rest) => format!("\"{rest}\\*\""),
        None => format!("\"{name}\""),
    }
}

/// The kernel takes at most 128 bytes with the end mark (`NFTNL_UDATA_COMMENT_MAXLEN`).
fn comment(reason: &str) -> String {
    let plain = |c: &char| c.is_ascii() && !c.is_ascii_control() && !matches!(c, '"' | '\\');
    reason.chars().filter(plain).take(127).collect()
}
