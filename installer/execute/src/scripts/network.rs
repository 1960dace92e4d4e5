//! The step that changes a host's network: its files and commands, and the program that outlives the
//! connection.

use super::name::{key, named, quote};
use super::program::Program;
use super::{Known, NETWORK, Unfit, content, octal, owners};
use stratus_plan::facts::NetworkTool;
use stratus_plan::step::Network;

pub(super) const MACHINE: &str = include_str!("network_machine.sh");

pub(super) fn add_network(
    program: &mut Program,
    network: &Network,
    known: &Known,
) -> Result<String, Unfit> {
    let (length, digest) = program.carry(MACHINE.as_bytes());
    program.uses(NETWORK).call("network_begin", &[&length, &digest]);
    for (name, words) in [("apply", &network.apply), ("revert", &network.revert)] {
        let (length, digest) = program.carry(commands(words).as_bytes());
        program.call("network_commands", &[name, &length, &digest]);
    }
    for (index, file) in network.files.iter().enumerate() {
        let content = content(file, known)?;
        let (length, digest) = program.carry(content.as_bytes());
        let (number, mode) = (format!("{index:03}"), octal(&file.access));
        let (at, key) = (program.at(&file.path)?, key("path", &file.path));
        let (owner, group) = owners(&file.access)?;
        program.call("stage", &[&number, &at, &mode, owner, group, &key, &length, &digest]);
    }
    for (index, path) in network.aside.iter().enumerate() {
        let (number, at) = (format!("{:03}", index + network.files.len()), program.at(path)?);
        program.call("aside", &[&number, &at, &key("path", path)]);
    }
    program.call("switch_network", &network_words(network)?);
    Ok(format!("the network of the bridge {}", network.bridge))
}

/// Commands as a program that ends at the first one that fails.
fn commands(commands: &[Vec<String>]) -> String {
    let line = |words: &Vec<String>| words.iter().map(|w| quote(w)).collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = commands.iter().map(line).collect();
    if lines.is_empty() { String::new() } else { format!("set -e\n{}\n", lines.join("\n")) }
}

fn network_words(network: &Network) -> Result<[&str; 4], Unfit> {
    let interface = network.interface.as_deref().map_or(Ok("-"), named)?;
    Ok([tool(network.tool), named(&network.bridge)?, interface, "up"])
}

fn tool(tool: NetworkTool) -> &'static str {
    match tool {
        NetworkTool::Ifupdown => "ifupdown",
        NetworkTool::Netplan => "netplan",
        NetworkTool::NetworkManager => "network-manager",
        NetworkTool::Networkd => "networkd",
        NetworkTool::Wicked => "wicked",
    }
}
