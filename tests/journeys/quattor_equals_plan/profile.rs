//! What a profile asks for, as demands.

use crate::demand::{Demands, short};
use serde_json::Value;

/// The demands of a profile's tree. `network_files` are those that belong to a bridge.
pub(crate) fn demands(tree: &Value, network_files: &[String]) -> Demands {
    let mut demands = Demands::default();
    let software = &tree["software"];
    for (name, _) in unescaped(&software["packages"]) {
        demands.add("", format!("package {name}"));
    }
    let components = &software["components"];
    accounts(&mut demands, &components["accounts"]);
    for entry in components["dirperm"]["paths"].as_array().into_iter().flatten() {
        let (path, owner) = (text(&entry["path"]), text(&entry["owner"]));
        demands.add("", format!("directory {path} {owner} {}", text(&entry["perm"])));
    }
    for (path, file) in unescaped(&components["filecopy"]["services"]) {
        copied(&mut demands, &path, file, network_files.contains(&path));
    }
    for (path, file) in unescaped(&components["metaconfig"]["services"]) {
        structured(&mut demands, &path, file);
    }
    for (name, unit) in unescaped(&components["systemd"]["unit"]) {
        let enabled = unit["state"] == "enabled";
        let running = enabled && unit["startstop"] == true;
        demands.add("", format!("unit {name} enabled {enabled} running {running}"));
    }
    network(&mut demands, &tree["system"]["network"]);
    opennebula(&mut demands, &components["opennebula"]);
    demands
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The members of a dict.
fn entries(value: &Value) -> Vec<(String, &Value)> {
    let members = value.as_object().into_iter().flatten();
    members.map(|(key, value)| (key.clone(), value)).collect()
}

/// The same where components unescape the keys.
fn unescaped(value: &Value) -> Vec<(String, &Value)> {
    entries(value).into_iter().map(|(key, value)| (unescape(&key), value)).collect()
}

/// A key as it was before the compiler escaped it.
pub(crate) fn unescape(key: &str) -> String {
    let (mut text, mut rest) = (String::new(), key);
    while let Some(at) = rest.find('_') {
        text.push_str(&rest[..at]);
        match rest.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                text.push(char::from(byte));
                rest = &rest[at + 3..];
            }
            None => {
                text.push('_');
                rest = &rest[at + 1..];
            }
        }
    }
    text + rest
}

fn accounts(demands: &mut Demands, accounts: &Value) {
    for (name, user) in entries(&accounts["users"]) {
        let groups: Vec<String> = user["groups"].as_array().unwrap().iter().map(text).collect();
        let gid = &accounts["groups"][&groups[0]]["gid"];
        demands.add("", format!("user {name} is {} with the group {gid}", user["uid"]));
        demands.add("", format!("user {name} at home {}", text(&user["homeDir"])));
        demands.add("", format!("user {name} with the shell {}", text(&user["shell"])));
        demands.add("", format!("user {name} in {}", groups.join(" ")));
    }
}

fn copied(demands: &mut Demands, path: &str, file: &Value, of_network: bool) {
    let content = text(&file["config"]);
    let (owner, group) = (text(&file["owner"]), text(&file["group"]));
    let access = format!("{path} {owner}:{group} {}", text(&file["perms"]));
    if of_network {
        demands.add("", format!("network file {access}"));
        for line in content.lines().filter(|line| !line.trim().is_empty()) {
            demands.add("", format!("network line {path} {}", line.trim()));
        }
        return;
    }
    demands.add("", format!("access {access}"));
    demands.add("", format!("content {path} {}", short(&content)));
    let commands = file["restart"].as_str().unwrap_or_default();
    for command in commands.split("; ") {
        let words: Vec<&str> = command.split(' ').collect();
        match words.as_slice() {
            ["exportfs", "-ra"] => demands.add("", "action:export-shares".to_owned()),
            ["sysctl", "--system"] => demands.add("", "action:load-sysctl".to_owned()),
            ["systemctl", "restart", unit] => {
                demands.add("", format!("restart {unit} when {path} changes"));
            }
            ["systemctl", "reload-or-restart", unit] => {
                demands.add("", format!("reload {unit} when {path} changes"));
            }
            ["systemctl", "daemon-reload"] => {
                assert!(path.starts_with("/etc/systemd/system/"), "{path}: {command}");
            }
            other => assert_eq!(other, [""], "{path}: a command that no plan has"),
        }
    }
}

fn structured(demands: &mut Demands, path: &str, file: &Value) {
    let mode = file["mode"].as_u64().unwrap();
    let settings = file["module"] == "libvirtd/libvirtd";
    if !settings {
        let (owner, group) = (text(&file["owner"]), text(&file["group"]));
        demands.add("", format!("access {path} {owner}:{group} {mode:04o}"));
    }
    for (name, value) in entries(&file["contents"]) {
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    demands.add("", format!("setting {path} {name}.{key}={}", text(value)));
                }
            }
            Value::Bool(flag) => {
                demands.add("", format!("setting {path} {name}={}", u8::from(*flag)));
            }
            other => demands.add("", format!("setting {path} {name}={}", text(other))),
        }
    }
    for (unit, action) in entries(&file["daemons"]) {
        demands.add("", format!("{} {unit}.service when {path} changes", text(action)));
    }
}

fn network(demands: &mut Demands, network: &Value) {
    if let Some(router) = network["default_gateway"].as_str() {
        demands.add("", format!("router {router}"));
    }
    for (name, interface) in entries(&network["interfaces"]) {
        if let Some(mask) = interface["netmask"].as_str() {
            let mask: std::net::Ipv4Addr = mask.parse().unwrap();
            let prefix = mask.to_bits().leading_ones();
            demands.add("", format!("address {}/{prefix}", text(&interface["ip"])));
        }
        if interface["bootproto"] == "dhcp" {
            demands.add("", "address by DHCP".to_owned());
        }
        if interface["type"] == "Bridge" {
            demands.add("", format!("bridge {name}"));
        }
        if let Some(bridge) = interface["bridge"].as_str() {
            demands.add("", format!("port {name} in {bridge}"));
        }
    }
}

fn opennebula(demands: &mut Demands, component: &Value) {
    for (part, path) in [("oned", "/etc/one/oned.conf"), ("monitord", "/etc/one/monitord.conf")] {
        for (name, value) in entries(&component[part]) {
            let name = name.to_uppercase();
            let Value::Object(members) = value else {
                demands.add("", format!("setting {path} {name}={}", text(value)));
                continue;
            };
            for (key, value) in members {
                let key = key.to_uppercase();
                demands.add("", format!("setting {path} {name}.{key}={}", text(value)));
            }
        }
    }
    for (name, _) in entries(&component["clusters"]) {
        demands.add("", format!("cluster {name}"));
    }
    for (name, host) in entries(&component["hosts"]) {
        demands.add("", format!("host {name} {}", text(&host["host_hyp"])));
        if let Some(cluster) = host["cluster"].as_str() {
            demands.add("", format!("host {name} in {cluster}"));
        }
    }
    for (name, store) in entries(&component["datastores"]) {
        demands.add("", format!("datastore {name} {}", text(&store["tm_mad"])));
    }
    for (name, vnet) in entries(&component["vnets"]) {
        for (key, value) in entries(vnet) {
            if key == "ar" {
                let mac = value["mac"].as_str().unwrap_or_default();
                let line = format!("{}/{mac}/{}", text(&value["ip"]), value["size"]);
                demands.add("", format!("vnet {name} AR={line}"));
            } else {
                demands.add("", format!("vnet {name} {}={}", key.to_uppercase(), text(value)));
            }
        }
    }
}
