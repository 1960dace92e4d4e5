use crate::attributes::Attributes;
use crate::ids::{ClusterId, HostId, MachineId};
use crate::object::{Element, Object, ObjectError};
use crate::states::HostState;

/// A host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Identifier.
    pub id: HostId,
    /// Name: what oned calls by ssh.
    pub name: String,
    /// State.
    pub state: HostState,
    /// Driver that monitors it.
    pub im_mad: String,
    /// Driver that runs machines on it.
    pub vm_mad: String,
    /// Its cluster.
    pub cluster: ClusterId,
    /// The name of its cluster.
    pub cluster_name: String,
    /// Capacity.
    pub share: HostShare,
    /// Machines on it.
    pub machines: Vec<MachineId>,
    /// Its template; what monitoring found is in it too.
    pub attributes: Attributes,
}

/// Capacity of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostShare {
    /// Memory given to machines, KB.
    pub memory_used_kb: i64,
    /// Memory for machines, KB; 0 until the first monitoring.
    pub memory_max_kb: i64,
    /// Processors given to machines, hundredths of a core.
    pub cpu_used: i64,
    /// Processors for machines, hundredths of a core; may be negative before monitoring.
    pub cpu_max: i64,
    /// Machines that run.
    pub running: i64,
}

impl Object for Host {
    const ELEMENT: &'static str = "HOST";
    const POOL: &'static str = "HOST_POOL";

    fn read(element: Element<'_, '_>) -> Result<Self, ObjectError> {
        let share = element.child("HOST_SHARE").map(HostShare::read).transpose()?;
        Ok(Self {
            id: element.needed("ID")?,
            name: element.needed_text("NAME")?,
            state: element.needed("STATE")?,
            im_mad: element.text("IM_MAD"),
            vm_mad: element.text("VM_MAD"),
            cluster: element.needed("CLUSTER_ID")?,
            cluster_name: element.text("CLUSTER"),
            share: share.unwrap_or_default(),
            machines: element.ids("VMS")?,
            attributes: element.attributes("TEMPLATE"),
        })
    }
}

impl HostShare {
    fn read(element: Element<'_, '_>) -> Result<Self, ObjectError> {
        Ok(Self {
            memory_used_kb: element.needed("MEM_USAGE")?,
            memory_max_kb: element.needed("MAX_MEM")?,
            cpu_used: element.needed("CPU_USAGE")?,
            cpu_max: element.needed("MAX_CPU")?,
            running: element.needed("RUNNING_VMS")?,
        })
    }
}
