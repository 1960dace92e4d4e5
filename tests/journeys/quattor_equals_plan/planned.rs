//! What the installer would do to a host, as demands: short lines that can be compared.

use crate::demand::{Demands, sections, setting_lines, short};
use serde_json::Value;
use std::collections::BTreeMap;
use stratus_network::vnets;
use stratus_site::{Share, Site};

/// The demands of one host of `stratus-install plan --json`.
pub(crate) fn demands(host: &Value, site: &Site) -> Demands {
    let mut demands = Demands::default();
    let steps = host["steps"].as_array().expect("the host is planned");
    let makers = steps.iter().filter_map(|p| Some((p["step"]["path"].as_str()?, text(p, "id"))));
    let makers: BTreeMap<&str, &str> = makers.collect();
    for planned in steps {
        match text(&planned["step"], "step") {
            "unit" => unit(&mut demands, text(planned, "id"), &planned["step"], &makers),
            _ => step(&mut demands, text(planned, "id"), &planned["step"]),
        }
    }
    let is = |wanted: &str| host["roles"].as_array().unwrap().iter().any(|role| role == wanted);
    if is("frontend") {
        objects(&mut demands, site);
    }
    demands
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("{key} in {value}"))
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect()
}

fn access(step: &Value) -> String {
    let access = &step["access"];
    let mode = access["mode"].as_u64().unwrap();
    format!("{}:{} {mode:04o}", text(access, "owner"), text(access, "group"))
}

fn step(demands: &mut Demands, id: &str, step: &Value) {
    match text(step, "step") {
        "packages" => {
            for name in strings(&step["names"]) {
                demands.add(id, format!("package {name}"));
            }
        }
        "user" => {
            let mut groups = strings(&step["groups"]);
            groups.insert(0, text(step, "group"));
            let (name, uid) = (text(step, "name"), &step["uid"]);
            demands.add(id, format!("user {name} is {uid} with the group {uid}"));
            demands.add(id, format!("user {name} at home {}", text(step, "home")));
            demands.add(id, format!("user {name} with the shell {}", text(step, "shell")));
            demands.add(id, format!("user {name} in {}", groups.join(" ")));
        }
        "directory" => {
            demands.add(id, format!("directory {} {}", text(step, "path"), access(step)));
        }
        "file" => file(demands, id, step),
        "network" => network(demands, id, step),
        // Whatever they want, they want it: an export says it, or says why not.
        _ => demands.add(id, id.to_owned()),
    }
}

/// The text of a file; parts of hosts and secrets are marked.
fn content(step: &Value) -> String {
    let part = |piece: &Value| match piece["text"].as_str() {
        Some(text) => text.to_owned(),
        None if piece.get("quoted").is_some() => crate::subset::SECRET.to_owned(),
        None => piece.to_string(),
    };
    step["content"].as_array().unwrap().iter().map(part).collect()
}

fn file(demands: &mut Demands, id: &str, step: &Value) {
    let path = text(step, "path");
    let content = content(step);
    if step["share"] == "oned-keys" {
        for line in setting_lines(&content) {
            demands.add(id, format!("setting {path} {line}"));
        }
        return;
    }
    demands.add(id, format!("access {path} {}", access(step)));
    if let Some(lines) = sections(path, &content) {
        for line in lines {
            demands.add(id, format!("setting {path} {line}"));
        }
        return;
    }
    demands.add(id, format!("content {path} {}", short(&content)));
}

/// A unit, and what makes it start again: `makers` are the steps by the paths that they make.
fn unit(demands: &mut Demands, id: &str, step: &Value, makers: &BTreeMap<&str, &str>) {
    let name = text(step, "name");
    let (enabled, running) = (&step["enabled"], &step["running"]);
    demands.add(id, format!("unit {name} enabled {enabled} running {running}"));
    let verb = if step["reload"] == true { "reload" } else { "restart" };
    for input in strings(&step["inputs"]) {
        let maker = makers.get(input).unwrap_or(&id);
        demands.add(maker, format!("{verb} {name} when {input} changes"));
    }
}

fn network(demands: &mut Demands, id: &str, step: &Value) {
    let bridge = text(step, "bridge");
    demands.add(id, format!("bridge {bridge}"));
    if let Some(port) = step["interface"].as_str() {
        demands.add(id, format!("port {port} in {bridge}"));
    }
    for file in step["files"].as_array().unwrap() {
        let path = text(file, "path");
        demands.add(id, format!("network file {path} {}", access(file)));
        for line in content(file).lines().filter(|line| !line.trim().is_empty()) {
            demands.add(id, format!("network line {path} {}", line.trim()));
        }
    }
    demands.add(id, "network loaded with a way back".to_owned());
}

/// Address and router of a bridge: those that the interface has now.
pub(crate) fn place(demands: &mut Demands, facts: &Value) {
    if !demands.has_bridge() {
        return;
    }
    let leased = facts["interfaces"][0]["leased"].as_array();
    if leased.is_some_and(|leased| !leased.is_empty()) {
        demands.add("network", "address by DHCP".to_owned());
        return;
    }
    let address = facts["interfaces"][0]["addresses"][0].as_str().unwrap();
    demands.add("network", format!("address {address}"));
    demands.add("network", format!("router {}", facts["default_route"][1].as_str().unwrap()));
}

fn objects(demands: &mut Demands, site: &Site) {
    for node in &site.nodes {
        let id = format!("host:{}", node.host);
        demands.add(&id, format!("host {} kvm", node.host));
        if let Some(cluster) = &node.cluster {
            demands.add(&id, format!("host {} in {cluster}", node.host));
            // OpenNebula has this one from its beginning.
            if cluster != "default" {
                demands.add(&format!("cluster:{cluster}"), format!("cluster {cluster}"));
            }
        }
    }
    let shared = site.nodes.iter().all(|node| node.share == Share::Nfs);
    for name in ["system", "default"] {
        let driver = if shared { "shared" } else { "ssh" };
        demands.add(&format!("datastore:{name}"), format!("datastore {name} {driver}"));
    }
    for vnet in vnets(site) {
        let id = format!("vnet:{}", vnet.name);
        for (name, value) in &vnet.attributes {
            demands.add(&id, format!("vnet {} {name}={value}", vnet.name));
        }
        for range in &vnet.ranges {
            let mac = range.mac.map(|mac| mac.to_string()).unwrap_or_default();
            let line = format!("vnet {} AR={}/{mac}/{}", vnet.name, range.first, range.size);
            demands.add(&id, line);
        }
    }
    if site.repository.is_some() || site.cache.is_some() {
        let id = format!("marketplace:Stratus {}", site.general.name);
        demands.add(&id, "the repository as a marketplace".to_owned());
    }
    demands.add("object:STRATUS", "objects marked with the site's name".to_owned());
}
