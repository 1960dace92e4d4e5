//! What must hold beyond the kind of a value. `quattor/profiles` says it in pan for the compiler; here
//! it stands again for tests without one. A rule there that is not here is a fault, so none is lost.

use super::lexer::Token;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// A rule of a type.
#[derive(Clone, Debug)]
pub(super) enum Rule {
    /// `match(SELF, '…')`.
    Pattern(String),
    /// Any other, by the type or field that has it.
    Of(String),
}

impl Rule {
    pub(super) fn of(owner: &str, with: &[Token]) -> Self {
        match with {
            [Token::Word(name), _, Token::Word(_), Token::Sign(','), Token::Text(pattern), _]
                if name == "match" =>
            {
                Self::Pattern(pattern.clone())
            }
            _ => Self::Of(owner.to_owned()),
        }
    }
}

/// How a value breaks a rule.
pub(super) fn broken(rule: &Rule, value: &Value) -> Option<String> {
    match rule {
        Rule::Pattern(pattern) => {
            let text = value.as_str().unwrap_or_default();
            match matches(pattern, text) {
                None => Some(format!("no test knows the pattern {pattern}")),
                Some(good) => (!good).then(|| format!("{value} does not match {pattern}")),
            }
        }
        Rule::Of(owner) => ruled(owner, value).err(),
    }
}

const ADDRESS: &str = r"^(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}$";

fn matches(pattern: &str, text: &str) -> Option<bool> {
    let word = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let lower = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    Some(match pattern {
        ADDRESS => text.parse::<Ipv4Addr>().is_ok(),
        "^/" => text.starts_with('/'),
        "^[0-9a-f]{2}(:[0-9a-f]{2}){5}$" => {
            let octets: Vec<&str> = text.split(':').collect();
            let octet = |o: &&str| o.len() == 2 && u8::from_str_radix(o, 16).is_ok();
            octets.len() == 6 && octets.iter().all(octet) && text == text.to_ascii_lowercase()
        }
        "^[0-7]{4}$" => text.len() == 4 && text.bytes().all(|b| (b'0'..=b'7').contains(&b)),
        r"^\w+(:\w+)?$" => text.splitn(2, ':').all(word),
        "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$" => {
            text.starts_with(lower)
                && text.ends_with(lower)
                && text.chars().all(|c| lower(c) || c == '-')
        }
        _ => return None,
    })
}

fn ruled(owner: &str, value: &Value) -> Result<(), String> {
    match owner {
        "rule_accounts" => accounts(value),
        "rule_filecopy.services" | "rule_metaconfig.services" => {
            let mut keys = members(value).map(|(key, _)| crate::profile::unescape(key));
            keys.try_for_each(|key| must(key.starts_with('/'), || format!("{key} is no path")))
        }
        "rule_interface" => {
            let placed = value["ip"].is_string() && value["netmask"].is_string();
            must(value["bootproto"] != "static" || placed, || "static without an address".into())
        }
        "rule_monitord.network" => {
            must(value["address"].is_string(), || "monitord needs an address".into())
        }
        "rule_network" => network(value),
        "rule_one_datastore" => {
            must(value["ds_mad"] != "fs" || value["tm_mad"] == "shared", || {
                "fs goes with shared only".into()
            })
        }
        "rule_one_db" => {
            let all = ["server", "port", "user", "passwd", "db_name"];
            let whole = all.iter().all(|name| !value[name].is_null());
            must(value["backend"] != "mysql" || whole, || format!("mysql needs {all:?}"))
        }
        "rule_one_vnet" => {
            let device = if value["vn_mad"] == "vxlan" { "phydev" } else { "bridge" };
            must(value[device].is_string(), || format!("the network needs {device}"))
        }
        "rule_systemd" => units(value),
        "stratus_qemu" => must(value["user"] == value["group"], || "user and group differ".into()),
        other => Err(format!("no test knows the rule of {other}")),
    }
}

fn must(good: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if good { Ok(()) } else { Err(otherwise()) }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// A group of a user is one of the profile or one that is kept.
fn accounts(value: &Value) -> Result<(), String> {
    let known = ["groups", "kept_groups"].into_iter().flat_map(|kind| members(&value[kind]));
    let known: BTreeSet<&String> = known.map(|(name, _)| name).collect();
    for (name, user) in members(&value["users"]) {
        for group in texts(&user["groups"]) {
            must(known.iter().any(|k| *k == group), || format!("{group} of {name} is not known"))?;
        }
    }
    Ok(())
}

/// The whole name of a unit ends with its type.
fn units(value: &Value) -> Result<(), String> {
    for (name, unit) in members(&value["unit"]) {
        let (name, kind) = (crate::profile::unescape(name), unit["type"].as_str().unwrap_or(""));
        must(name.ends_with(&format!(".{kind}")), || format!("{name} is not of the type {kind}"))?;
    }
    Ok(())
}

/// Bridges are there, broadcast addresses fit, and the router is in reach.
fn network(value: &Value) -> Result<(), String> {
    let mut nets = Vec::new();
    let address = |v: &Value| v.as_str().and_then(|a| a.parse::<Ipv4Addr>().ok());
    for (name, interface) in members(&value["interfaces"]) {
        if let Some(bridge) = interface["bridge"].as_str() {
            let there = value["interfaces"].get(bridge).is_some();
            must(there, || format!("{name} belongs to a bridge that is not there: {bridge}"))?;
        }
        if let (Some(ip), Some(mask)) = (address(&interface["ip"]), address(&interface["netmask"]))
        {
            let (net, mask) = (ip.to_bits() & mask.to_bits(), mask.to_bits());
            nets.push((net, mask));
            if let Some(broadcast) = address(&interface["broadcast"]) {
                must(broadcast.to_bits() == net | !mask, || format!("{name}: broadcast"))?;
            }
        }
    }
    let Some(router) = address(&value["default_gateway"]) else { return Ok(()) };
    let near = nets.iter().any(|(net, mask)| router.to_bits() & mask == *net);
    must(near || nets.is_empty(), || format!("{router} is in no interface's net"))
}
