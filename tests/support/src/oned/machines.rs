//! Machines: made, placed, ended.

use std::net::Ipv4Addr;

use stratus_opennebula::xmlrpc::Value;
use stratus_opennebula::{Attribute, Attributes};

use super::drivers::source;
use super::methods::{Answer, Failure, Work};
use super::state::{Kind, Stay};

/// What of a machine's template is oned's; the rest is the owner's.
const SYSTEM: &[&str] =
    &["CPU", "VCPU", "MEMORY", "DISK", "NIC", "OS", "GRAPHICS", "CONTEXT", "FEATURES", "RAW"];

impl Work<'_> {
    pub(super) fn allocate_machine(&mut self) -> Answer {
        let template = self.template()?;
        let hold = self.parameters.flag()?;
        self.make_machine(template, hold)
    }

    pub(super) fn instantiate(&mut self) -> Answer {
        let (id, name) = (self.parameters.id()?, self.parameters.text()?);
        let hold = self.parameters.flag()?;
        let mut template = self.object(Kind::Template, id, "USE")?.attributes.clone();
        let extra = self.template()?;
        template.merge(&extra);
        if !name.is_empty() {
            template.set("NAME", Attribute::Text(name));
        }
        template.set("TEMPLATE_ID", Attribute::Text(id.to_string()));
        self.make_machine(template, hold)
    }

    fn make_machine(&mut self, template: Attributes, hold: bool) -> Answer {
        let memory = template.text("MEMORY").and_then(|memory| memory.parse::<u64>().ok());
        if memory.is_none_or(|memory| memory == 0) {
            return Self::refused(0x2000, "MEMORY attribute must be a positive integer value.");
        }
        let id = self.state.pool(Kind::Machine).next;
        let name = template.text("NAME").map_or_else(|| format!("one-{id}"), str::to_owned);
        let (mut own, mut users) = (Attributes::new(), Attributes::new());
        let (mut disks, mut nics) = (0, 0);
        for (attribute, value) in template.iter().filter(|(name, _)| *name != "NAME") {
            let value = match attribute {
                "DISK" => {
                    disks += 1;
                    self.disk(value, disks - 1)?
                }
                "NIC" => {
                    nics += 1;
                    match self.nic(value, id, nics - 1) {
                        Ok(nic) => nic,
                        Err(failure) => {
                            self.free_leases(id);
                            return Err(failure);
                        }
                    }
                }
                "OS" => self.boot(value)?,
                _ => value.clone(),
            };
            let of = if SYSTEM.contains(&attribute) { &mut own } else { &mut users };
            of.push(attribute, value);
        }
        own.push("VMID", Attribute::Text(id.to_string()));
        let mut machine = self.new_object(&name, own);
        machine.user_attributes = users;
        machine.state = if hold { 2 } else { 1 };
        machine.due = if hold { 0 } else { self.after(self.delays.machine) };
        Ok(self.added(Kind::Machine, machine))
    }

    fn disk(&mut self, value: &Attribute, number: i32) -> Result<Attribute, Failure> {
        let Attribute::Vector(mut members) = value.clone() else { return Ok(value.clone()) };
        if let Some(id) = value.member("IMAGE_ID") {
            let image = id.parse().ok().and_then(|id| self.state.get(Kind::Image, id));
            let Some(image) = image else {
                let text = format!("DISK {number}: Image with ID: {id} does not exist");
                return Self::refused(0x2000, text);
            };
            members.push(("IMAGE".to_owned(), image.name.clone()));
        } else if let Some(name) = value.member("IMAGE") {
            let Some(image) = self.state.objects(Kind::Image).find(|i| i.name == name) else {
                let text = format!(
                    "DISK {number}: User {} does not own an image with name: {name}",
                    self.user.id
                );
                return Self::refused(0x2000, text);
            };
            members.push(("IMAGE_ID".to_owned(), image.id.to_string()));
        }
        members.push(("DISK_ID".to_owned(), number.to_string()));
        Ok(Attribute::Vector(members))
    }

    /// Kernel and initial file system, where they are images: `$FILE[IMAGE_ID=7]`.
    fn boot(&self, value: &Attribute) -> Result<Attribute, Failure> {
        let Attribute::Vector(mut members) = value.clone() else { return Ok(value.clone()) };
        for (wish, name) in [("KERNEL_DS", "KERNEL"), ("INITRD_DS", "INITRD")] {
            let Some(file) = value.member(wish) else { continue };
            let id = file.strip_prefix("$FILE[IMAGE_ID=").and_then(|id| id.strip_suffix(']'));
            let image =
                id.and_then(|id| id.parse().ok()).and_then(|id| self.state.get(Kind::Image, id));
            match image.filter(|image| image.state == 1) {
                Some(image) => members.push((name.to_owned(), source(image))),
                None => {
                    return Self::refused(
                        0x2000,
                        format!("{wish}: {file} is no image that is ready"),
                    );
                }
            }
        }
        Ok(Attribute::Vector(members))
    }

    fn nic(&mut self, value: &Attribute, machine: i32, number: i32) -> Result<Attribute, Failure> {
        let Attribute::Vector(mut members) = value.clone() else { return Ok(value.clone()) };
        let by_id = value.member("NETWORK_ID").and_then(|id| id.parse().ok());
        let by_name = value.member("NETWORK").and_then(|name| {
            self.state.objects(Kind::Network).find(|net| net.name == name).map(|net| net.id)
        });
        let Some(network) = by_id.or(by_name) else {
            return Self::refused(0x2000, "NIC without a network");
        };
        let Some(found) = self.state.get_mut(Kind::Network, network) else {
            let text = format!("Virtual network with ID: {network} does not exist");
            return Self::refused(0x2000, text);
        };
        let ip = value.member("IP").and_then(|ip| ip.parse::<Ipv4Addr>().ok());
        let leased = found.ranges.iter_mut().find_map(|range| {
            let offset = range.lease(machine, ip)?;
            Some((range.id, range.ip(offset), range.mac(offset)))
        });
        let Some((range, ip, mac)) = leased else {
            let text = format!("Cannot get IP/MAC lease from virtual network {network}.");
            return Self::refused(0x2000, text);
        };
        let bridge = found.attributes.text("BRIDGE").map(str::to_owned);
        members.extend(bridge.map(|bridge| ("BRIDGE".to_owned(), bridge)));
        members.retain(|(name, _)| !["IP", "NETWORK", "NETWORK_ID"].contains(&name.as_str()));
        members.push(("AR_ID".to_owned(), range.to_string()));
        members.extend(ip.map(|ip| ("IP".to_owned(), ip.to_string())));
        members.push(("MAC".to_owned(), mac));
        members.push(("NETWORK".to_owned(), found.name.clone()));
        members.push(("NETWORK_ID".to_owned(), network.to_string()));
        members.push(("NIC_ID".to_owned(), number.to_string()));
        Ok(Attribute::Vector(members))
    }

    fn free_leases(&mut self, machine: i32) {
        for network in self.state.pool(Kind::Network).objects.values_mut() {
            for range in &mut network.ranges {
                range.leases.retain(|_, holder| *holder != machine);
            }
        }
    }

    pub(super) fn act(&mut self) -> Answer {
        let (action, id) = (self.parameters.text()?, self.parameters.id()?);
        let due = self.after(self.delays.machine);
        let machine = self.object(Kind::Machine, id, "MANAGE")?;
        match (action.as_str(), machine.state) {
            // Not while a driver is at work on it.
            ("terminate" | "terminate-hard", state)
                if matches!(state, 1..=5 | 8 | 9) && machine.lcm_state != 2 =>
            {
                (machine.leaving, machine.due) = (true, due);
                if machine.state == 3 {
                    machine.lcm_state = 12;
                }
            }
            ("hold", 1) => (machine.state, machine.due) = (2, 0),
            ("release", 2) => (machine.state, machine.due) = (1, due),
            ("poweroff" | "poweroff-hard", 3) => (machine.state, machine.lcm_state) = (8, 0),
            ("resume", 8) => (machine.state, machine.lcm_state) = (3, 3),
            (
                "terminate" | "terminate-hard" | "hold" | "release" | "poweroff" | "poweroff-hard"
                | "resume" | "stop" | "suspend" | "reboot" | "reboot-hard" | "undeploy",
                state,
            ) => {
                let state = stratus_opennebula::MachineState::from(state);
                let text = format!(
                    "Error performing action \"{action}\": This action is not available for state \
                     {state}"
                );
                return Self::refused(0x800, text);
            }
            _ => return Self::refused(0x800, format!("Action \"{action}\" is not supported")),
        }
        Ok(Value::from(id))
    }

    pub(super) fn deploy(&mut self) -> Answer {
        let (id, host) = (self.parameters.id()?, self.parameters.id()?);
        let (now, due) = (self.now / 1000, self.after(self.delays.machine));
        let Some(found) = self.state.get(Kind::Host, host) else {
            return Self::missing(Kind::Host, host);
        };
        let host_name = found.name.clone();
        let machine = self.object(Kind::Machine, id, "ADMIN")?;
        if ![1, 2].contains(&machine.state) {
            let text = "Deploy action is not available for state RUNNING";
            return Self::refused(0x800, text);
        }
        (machine.state, machine.lcm_state, machine.due) = (3, 1, due);
        machine.history.push(Stay { host, host_name, started: now, ended: 0 });
        Ok(Value::from(id))
    }

    pub(super) fn recover(&mut self) -> Answer {
        let (id, operation) = (self.parameters.id()?, self.parameters.id()?);
        let due = self.after(self.delays.machine);
        let machine = self.object(Kind::Machine, id, "ADMIN")?;
        if operation == 3 {
            // A driver that is at work on it is waited for.
            (machine.leaving, machine.due) = (true, if machine.lcm_state == 2 { 0 } else { due });
        }
        Ok(Value::from(id))
    }
}
