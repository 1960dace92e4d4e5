use std::fmt;
use std::net::Ipv4Addr;

use crate::attributes::Attributes;
use crate::ids::{ClusterId, MachineId, NetworkId, RangeId, UserId};
use crate::object::{Element, Object, ObjectError};
use crate::states::NetworkState;

/// A virtual network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualNetwork {
    /// Identifier.
    pub id: NetworkId,
    /// Name; one owner has it once.
    pub name: String,
    /// Owner.
    pub owner: UserId,
    /// State. Before READY its ranges are not there yet.
    pub state: NetworkState,
    /// The clusters that have it.
    pub clusters: Vec<ClusterId>,
    /// Bridge on the hosts.
    pub bridge: String,
    /// Driver.
    pub driver: String,
    /// Addresses in use.
    pub used_leases: i64,
    /// Its address ranges.
    pub ranges: Vec<AddressRange>,
    /// Its template.
    pub attributes: Attributes,
}

/// A range of addresses of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressRange {
    /// Identifier inside the network.
    pub id: RangeId,
    /// `IP4`, `IP6`, `ETHER`, ...
    pub kind: String,
    /// First address, if it has IPv4 addresses.
    pub ip: Option<Ipv4Addr>,
    /// First hardware address.
    pub mac: String,
    /// How many addresses.
    pub size: u64,
    /// Addresses in use.
    pub leases: Vec<Lease>,
    /// All that oned tells of it.
    pub attributes: Attributes,
}

/// An address in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The address, if it is IPv4.
    pub ip: Option<Ipv4Addr>,
    /// The hardware address.
    pub mac: String,
    /// Who has it.
    pub holder: Holder,
}

/// Who has an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A machine.
    Machine(MachineId),
    /// Another network: a reservation.
    Network(NetworkId),
    /// Nobody: it is held back (oned writes machine -1).
    OnHold,
    /// Something that oned names otherwise, a virtual router for instance.
    Other,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Machine(id) => write!(f, "machine {id}"),
            Self::Network(id) => write!(f, "the reservation in network {id}"),
            Self::OnHold => f.write_str("a hold"),
            Self::Other => f.write_str("another object of OpenNebula"),
        }
    }
}

impl Object for VirtualNetwork {
    const ELEMENT: &'static str = "VNET";
    const POOL: &'static str = "VNET_POOL";

    fn read(element: Element<'_, '_>) -> Result<Self, ObjectError> {
        let ranges = element
            .child("AR_POOL")
            .into_iter()
            .flat_map(|pool| pool.children("AR"))
            .map(AddressRange::read)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            id: element.needed("ID")?,
            name: element.needed_text("NAME")?,
            owner: element.needed("UID")?,
            state: element.needed("STATE")?,
            clusters: element.ids("CLUSTERS")?,
            bridge: element.text("BRIDGE"),
            driver: element.text("VN_MAD"),
            used_leases: element.needed("USED_LEASES")?,
            ranges,
            attributes: element.attributes("TEMPLATE"),
        })
    }
}

impl AddressRange {
    fn read(element: Element<'_, '_>) -> Result<Self, ObjectError> {
        let leases = element
            .child("LEASES")
            .into_iter()
            .flat_map(|leases| leases.children("LEASE"))
            .map(Lease::read)
            .collect::<Result<_, _>>()?;
        let mut attributes = element.all_attributes();
        attributes.remove("LEASES");
        Ok(Self {
            id: element.needed("AR_ID")?,
            kind: element.needed_text("TYPE")?,
            ip: element.optional("IP")?,
            mac: element.text("MAC"),
            size: element.needed("SIZE")?,
            leases,
            attributes,
        })
    }
}

impl Lease {
    fn read(element: Element<'_, '_>) -> Result<Self, ObjectError> {
        let holder = match (element.optional::<i32>("VM")?, element.optional::<i32>("VNET")?) {
            (Some(-1), _) => Holder::OnHold,
            (Some(machine), _) => Holder::Machine(MachineId(machine)),
            (None, Some(network)) => Holder::Network(NetworkId(network)),
            (None, None) => Holder::Other,
        };
        Ok(Self { ip: element.optional("IP")?, mac: element.text("MAC"), holder })
    }
}
