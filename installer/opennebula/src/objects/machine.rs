use std::net::IpAddr;

use crate::attributes::{Attribute, Attributes};
use crate::ids::{DatastoreId, HostId, MachineId, NetworkId, UserId};
use crate::object::{Element, Object, ObjectError};
use crate::states::{LcmState, MachineState};

/// A virtual machine. In a pool oned sends a shorter body: then `attributes` has few names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Identifier.
    pub id: MachineId,
    /// Name.
    pub name: String,
    /// Owner.
    pub owner: UserId,
    /// State.
    pub state: MachineState,
    /// What it is doing, if it is active.
    pub lcm_state: LcmState,
    /// When it was made, seconds since 1970.
    pub started: i64,
    /// When it ended, seconds since 1970; `None` while it lives.
    pub ended: Option<i64>,
    /// The hypervisor's name for it; empty before it is deployed.
    pub deploy_id: String,
    /// Where it was, oldest first.
    pub history: Vec<HistoryRecord>,
    /// Its network interfaces.
    pub nics: Vec<Nic>,
    /// What oned keeps of its template.
    pub attributes: Attributes,
    /// The owner's part of its template.
    pub user_attributes: Attributes,
}

/// One stay on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRecord {
    /// Number of the stay, from 0.
    pub sequence: i32,
    /// The host.
    pub host: HostId,
    /// The host's name.
    pub host_name: String,
    /// The system datastore.
    pub datastore: DatastoreId,
    /// Why it ended, oned's number; 0 if it did not.
    pub action: i32,
}

/// A network interface of a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nic {
    /// Name of its network.
    pub network: String,
    /// Its network, if oned named one.
    pub network_id: Option<NetworkId>,
    /// Its address, if it has one.
    pub ip: Option<IpAddr>,
    /// Its hardware address.
    pub mac: String,
}

impl Machine {
    /// What went wrong last, in oned's words.
    pub fn error(&self) -> Option<&str> {
        self.user_attributes.text("ERROR")
    }

    /// Why the scheduler has not placed it.
    pub fn sched_message(&self) -> Option<&str> {
        self.user_attributes.text("SCHED_MESSAGE")
    }

    /// The host it is on, or was on last.
    pub fn host(&self) -> Option<&HistoryRecord> {
        self.history.last()
    }

    /// The state in words: what it is doing, if it is active.
    pub fn state_words(&self) -> String {
        match self.state {
            MachineState::Active => self.lcm_state.to_string(),
            other => other.to_string(),
        }
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        self.state == MachineState::Active && self.lcm_state == LcmState::Running
    }
}

impl Object for Machine {
    const ELEMENT: &'static str = "VM";
    const POOL: &'static str = "VM_POOL";

    fn read(element: Element<'_, '_>) -> Result<Self, ObjectError> {
        let attributes = element.attributes("TEMPLATE");
        let records = element.child("HISTORY_RECORDS");
        let history = records
            .into_iter()
            .flat_map(|records| records.children("HISTORY"))
            .map(HistoryRecord::read)
            .collect::<Result<_, _>>()?;
        Ok(Self {
            id: element.needed("ID")?,
            name: element.needed_text("NAME")?,
            owner: element.needed("UID")?,
            state: element.needed("STATE")?,
            lcm_state: element.needed("LCM_STATE")?,
            started: element.needed("STIME")?,
            ended: element.optional("ETIME")?.filter(|end| *end != 0),
            deploy_id: element.text("DEPLOY_ID"),
            history,
            nics: attributes.values("NIC").map(Nic::read).collect(),
            attributes,
            user_attributes: element.attributes("USER_TEMPLATE"),
        })
    }
}

impl HistoryRecord {
    fn read(element: Element<'_, '_>) -> Result<Self, ObjectError> {
        Ok(Self {
            sequence: element.needed("SEQ")?,
            host: element.needed("HID")?,
            host_name: element.needed_text("HOSTNAME")?,
            datastore: element.needed("DS_ID")?,
            action: element.needed("ACTION")?,
        })
    }
}

impl Nic {
    fn read(value: &Attribute) -> Self {
        let member = |name| value.member(name).unwrap_or_default();
        Self {
            network: member("NETWORK").to_owned(),
            network_id: member("NETWORK_ID").parse().ok(),
            ip: member("IP").parse().or_else(|_| member("IP6").parse()).ok(),
            mac: member("MAC").to_owned(),
        }
    }
}
