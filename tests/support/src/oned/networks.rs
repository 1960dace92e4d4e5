//! Networks and their addresses.

use std::net::Ipv4Addr;

use stratus_opennebula::Attribute;
use stratus_opennebula::xmlrpc::Value;

use super::methods::{Answer, Failure, Work};
use super::state::{Kind, Object, Range};

const BAD_IP: &str = "Wrong or empty IP attribute";

impl Work<'_> {
    pub(super) fn allocate_network(&mut self) -> Answer {
        let mut attributes = self.template()?;
        let cluster = self.cluster()?;
        self.authorize(&format!(
            "CREATE NET; Not authorized to perform ADMIN CLUSTER [{cluster}]"
        ))?;
        let name = Self::name(&attributes, "Virtual Network")?;
        let Some(driver) = attributes.text("VN_MAD") else {
            return Self::refused(0x2000, "No VN_MAD in template for Virtual Network.");
        };
        let needed = match driver {
            "dummy" => "BRIDGE",
            "802.1Q" | "vxlan" => "PHYDEV",
            _ => "VN_MAD",
        };
        if attributes.text(needed).is_none() {
            let text = format!("{needed} is mandatory for driver {driver}");
            return Self::refused(0x2000, text);
        }
        self.free_name(Kind::Network, &name, "")?;
        // Empty names that oned always adds.
        for (always, text) in [
            ("BRIDGE_TYPE", "linux"),
            ("OUTER_VLAN_ID", ""),
            ("SECURITY_GROUPS", "0"),
            ("VLAN_ID", ""),
        ] {
            if attributes.text(always).is_none() {
                attributes.push(always, Attribute::Text(text.to_owned()));
            }
        }
        let mut network = self.new_object(&name, attributes);
        network.cluster = cluster;
        network.state = 2;
        network.due = self.after(self.delays.network);
        Ok(self.added(Kind::Network, network))
    }

    /// The members of the vector `AR` of the next parameter.
    fn range_template(&mut self) -> Result<Vec<(String, String)>, Failure> {
        let template = self.template()?;
        match template.values("AR").next() {
            Some(Attribute::Vector(members)) => Ok(members.clone()),
            _ => Self::refused(0x2000, "Wrong AR format"),
        }
    }

    pub(super) fn add_range(&mut self) -> Answer {
        let id = self.parameters.id()?;
        let members = self.range_template()?;
        let network = self.object(Kind::Network, id, "MANAGE")?;
        if let Err(problem) = insert_range(network, &members) {
            return Self::refused(0x2000, problem);
        }
        Ok(Value::from(id))
    }

    pub(super) fn update_range(&mut self) -> Answer {
        let id = self.parameters.id()?;
        let members = self.range_template()?;
        let network = self.object(Kind::Network, id, "MANAGE")?;
        let wanted = member(&members, "AR_ID").and_then(|id| id.parse().ok());
        let Some(range) = network.ranges.iter_mut().find(|range| Some(range.id) == wanted) else {
            return Self::refused(0x2000, "Address Range does not exist");
        };
        let size = member(&members, "SIZE").and_then(|size| size.parse().ok());
        let size: u32 = size.unwrap_or(range.size());
        if range.leases.keys().any(|offset| *offset >= size) {
            return Self::refused(0x2000, "Address Range has leases in use");
        }
        // Whatever a range has besides is what the last template says.
        let fixed = ["TYPE", "IP", "MAC"];
        range.attributes.retain(|(own, _)| fixed.contains(&own.as_str()));
        let new = |(name, _): &(String, String)| {
            !fixed.contains(&name.as_str()) && name != "AR_ID" && name != "SIZE"
        };
        range.attributes.push(("SIZE".to_owned(), size.to_string()));
        range.attributes.extend(members.into_iter().filter(new));
        Ok(Value::from(id))
    }

    pub(super) fn remove_range(&mut self) -> Answer {
        let (id, range) = (self.parameters.id()?, self.parameters.id()?);
        let network = self.object(Kind::Network, id, "MANAGE")?;
        let Some(place) = network.ranges.iter().position(|own| own.id == range) else {
            return Self::refused(0x2000, "Address Range does not exist");
        };
        if !network.ranges[place].leases.is_empty() {
            return Self::refused(0x2000, "Address Range has leases in use");
        }
        network.ranges.remove(place);
        Ok(Value::from(id))
    }

    pub(super) fn hold(&mut self, hold: bool) -> Answer {
        let id = self.parameters.id()?;
        let template = self.template()?;
        let ip = template.values("LEASES").next().and_then(|leases| leases.member("IP"));
        let ip = ip.and_then(|ip| ip.parse::<Ipv4Addr>().ok());
        let network = self.object(Kind::Network, id, "MANAGE")?;
        let place =
            ip.and_then(|ip| network.ranges.iter_mut().find_map(|r| Some((r.offset(ip)?, r))));
        match place {
            Some((offset, range)) if hold && !range.leases.contains_key(&offset) => {
                range.leases.insert(offset, -1);
            }
            Some((offset, range)) if !hold && range.leases.get(&offset) == Some(&-1) => {
                range.leases.remove(&offset);
            }
            _ => {
                let text = "Address is not part of the address range or in use.";
                return Self::refused(0x2000, text);
            }
        }
        Ok(Value::from(id))
    }
}

impl Range {
    pub(super) fn member(&self, name: &str) -> Option<&str> {
        member(&self.attributes, name)
    }

    pub(super) fn size(&self) -> u32 {
        self.member("SIZE").and_then(|size| size.parse().ok()).unwrap_or(0)
    }

    pub(super) fn ip(&self, offset: u32) -> Option<Ipv4Addr> {
        let first: Ipv4Addr = self.member("IP")?.parse().ok()?;
        Some(Ipv4Addr::from(u32::from(first).checked_add(offset)?))
    }

    pub(super) fn mac(&self, offset: u32) -> String {
        let first = self.member("MAC").unwrap_or("02:00:00:00:00:00");
        let digits: String = first.chars().filter(char::is_ascii_hexdigit).collect();
        let number = u64::from_str_radix(&digits, 16).unwrap_or(0) + u64::from(offset);
        let bytes = number.to_be_bytes();
        let pairs: Vec<_> = bytes[2..].iter().map(|byte| format!("{byte:02x}")).collect();
        pairs.join(":")
    }

    fn offset(&self, ip: Ipv4Addr) -> Option<u32> {
        let offset = u32::from(ip).checked_sub(u32::from(self.ip(0)?))?;
        (offset < self.size()).then_some(offset)
    }

    /// The next free address, round robin as 7.4 does, or the one that is asked for.
    pub(super) fn lease(&mut self, machine: i32, ip: Option<Ipv4Addr>) -> Option<u32> {
        let size = self.size();
        let offset = match ip {
            Some(ip) => self.offset(ip).filter(|offset| !self.leases.contains_key(offset))?,
            None => {
                let order = (0..size).map(|step| (self.next + step) % size);
                order.into_iter().find(|offset| !self.leases.contains_key(offset))?
            }
        };
        self.leases.insert(offset, machine);
        if ip.is_none() {
            self.next = (offset + 1) % size;
        }
        Some(offset)
    }
}

fn member<'a>(members: &'a [(String, String)], name: &str) -> Option<&'a str> {
    members.iter().find(|(own, _)| own == name).map(|(_, text)| text.as_str())
}

/// Adds a range, as oned does: it checks type and address, and gives number and MAC.
pub(super) fn insert_range(
    network: &mut Object,
    members: &[(String, String)],
) -> Result<(), &'static str> {
    let kind = member(members, "TYPE").unwrap_or_default();
    let kinds = ["IP4", "IP6", "IP6_STATIC", "IP4_6", "IP4_6_STATIC", "ETHER"];
    if !kinds.contains(&kind) {
        return Err("Unknown or missing address range TYPE.");
    }
    if member(members, "SIZE").and_then(|size| size.parse().ok()).is_none_or(|size: u32| size == 0)
    {
        return Err("Wrong SIZE for address range");
    }
    let mut mac = [2, 0, 0, 0, 0, 0];
    if kind.starts_with("IP4") {
        let ip: Ipv4Addr = member(members, "IP").and_then(|ip| ip.parse().ok()).ok_or(BAD_IP)?;
        mac[2..].copy_from_slice(&ip.octets());
    }
    let id = network.ranges.iter().map(|range| range.id + 1).max().unwrap_or(0);
    let mut attributes = members.to_vec();
    if member(members, "MAC").is_none() {
        let mac: Vec<_> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        attributes.push(("MAC".to_owned(), mac.join(":")));
    }
    network.ranges.push(Range {
        id,
        attributes,
        next: 0,
        leases: std::collections::BTreeMap::new(),
    });
    Ok(())
}
