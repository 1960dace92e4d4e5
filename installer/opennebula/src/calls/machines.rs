//! Virtual machines.

use crate::attributes::Attributes;
use crate::client::{Client, Page, Update, template};
use crate::error::Error;
use crate::ids::{HostId, MachineId};
use crate::objects::Machine;
use crate::states::MachineState;
use crate::xmlrpc::Value;

/// What to do with a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineAction {
    /// End it: shut it down, then free what it has.
    Terminate,
    /// End it without shutting it down.
    TerminateHard,
    /// Keep it from being placed.
    Hold,
    /// End a hold.
    Release,
    /// Save and free the host.
    Stop,
    /// Save.
    Suspend,
    /// Go on.
    Resume,
    /// Restart it.
    Reboot,
    /// Restart it without shutting it down.
    RebootHard,
    /// Shut it down and keep the host.
    PowerOff,
    /// Switch it off and keep the host.
    PowerOffHard,
    /// Shut it down and free the host.
    Undeploy,
    /// Place it anew.
    Resched,
    /// Do not place it anew.
    Unresched,
}

impl MachineAction {
    /// oned's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Terminate => "terminate",
            Self::TerminateHard => "terminate-hard",
            Self::Hold => "hold",
            Self::Release => "release",
            Self::Stop => "stop",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Reboot => "reboot",
            Self::RebootHard => "reboot-hard",
            Self::PowerOff => "poweroff",
            Self::PowerOffHard => "poweroff-hard",
            Self::Undeploy => "undeploy",
            Self::Resched => "resched",
            Self::Unresched => "unresched",
        }
    }
}

/// How to go on with a machine whose step failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// The step failed.
    Failure,
    /// The step went well after all.
    Success,
    /// Do the step again.
    Retry,
    /// Delete the machine.
    Delete,
    /// Delete it and make it anew.
    Recreate,
}

/// Which machines to read, by state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineFilter {
    /// All, those that ended too.
    All,
    /// All that have not ended.
    NotDone,
    /// Those in one state.
    In(MachineState),
}

impl MachineFilter {
    fn number(self) -> i32 {
        match self {
            Self::All => -2,
            Self::NotDone => -1,
            Self::In(state) => state.number(),
        }
    }
}

impl Client {
    /// Machines, newest first, with short bodies.
    pub async fn machines(&self, page: Page, filter: MachineFilter) -> Result<Vec<Machine>, Error> {
        self.machine_pool("one.vmpool.info", page, filter).await
    }

    /// Machines, newest first, with full bodies.
    pub async fn machines_in_full(
        &self,
        page: Page,
        filter: MachineFilter,
    ) -> Result<Vec<Machine>, Error> {
        self.machine_pool("one.vmpool.infoextended", page, filter).await
    }

    async fn machine_pool(
        &self,
        method: &'static str,
        page: Page,
        filter: MachineFilter,
    ) -> Result<Vec<Machine>, Error> {
        let numbers = [page.owner, page.first, page.last, filter.number()];
        self.call_for_pool(method, numbers.map(Value::from).to_vec()).await
    }

    /// The history records that reach into a time, as oned's text: a month of a large site is too
    /// much for a tree in memory, so the reader of it takes one record at a time. `owner` is as in
    /// [`Page`]; `from` and `to` are seconds since 1970, `None` is no bound.
    pub async fn accounting(
        &self,
        owner: i32,
        from: Option<i64>,
        to: Option<i64>,
    ) -> Result<String, Error> {
        let bound = |time: Option<i64>| Value::Integer(time.unwrap_or(-1));
        let parameters = vec![owner.into(), bound(from), bound(to)];
        self.call_for_text("one.vmpool.accounting", parameters).await
    }

    /// One machine.
    pub async fn machine(&self, id: MachineId) -> Result<Machine, Error> {
        self.call_for_object("one.vm.info", vec![id.into(), false.into()]).await
    }

    /// Makes a machine; `hold` keeps it from being placed.
    pub async fn allocate_machine(
        &self,
        attributes: &Attributes,
        hold: bool,
    ) -> Result<MachineId, Error> {
        let method = "one.vm.allocate";
        let text = template(method, attributes)?;
        self.call_for_id(method, vec![text, hold.into()]).await
    }

    /// Places a machine on a host; `enforce` refuses if it does not fit.
    pub async fn deploy_machine(
        &self,
        id: MachineId,
        host: HostId,
        enforce: bool,
    ) -> Result<(), Error> {
        let parameters =
            vec![id.into(), host.into(), enforce.into(), Value::from(-1), Value::from("")];
        self.call_for_nothing("one.vm.deploy", parameters).await
    }

    /// Acts on a machine.
    pub async fn act(&self, id: MachineId, action: MachineAction) -> Result<(), Error> {
        // The action comes before the machine in this one method.
        self.call_for_nothing("one.vm.action", vec![action.word().into(), id.into()]).await
    }

    /// Goes on with a machine whose step failed.
    pub async fn recover(&self, id: MachineId, recovery: Recovery) -> Result<(), Error> {
        let number = match recovery {
            Recovery::Failure => 0,
            Recovery::Success => 1,
            Recovery::Retry => 2,
            Recovery::Delete => 3,
            Recovery::Recreate => 4,
        };
        self.call_for_nothing("one.vm.recover", vec![id.into(), number.into()]).await
    }

    /// Changes the owner's part of a machine's template.
    pub async fn update_machine(
        &self,
        id: MachineId,
        attributes: &Attributes,
        mode: Update,
    ) -> Result<(), Error> {
        let method = "one.vm.update";
        let text = template(method, attributes)?;
        self.call_for_nothing(method, vec![id.into(), text, mode.into()]).await
    }
}
