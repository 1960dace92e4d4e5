//! Changing and deleting objects.

use std::time::Duration;

use stratus_opennebula::xmlrpc::Value;

use super::methods::{Answer, Failure, Work};
use super::state::Kind;

impl Work<'_> {
    /// Milliseconds since 1970, this much later.
    pub(super) fn after(&self, delay: Duration) -> i64 {
        self.now + i64::try_from(delay.as_millis()).unwrap_or(i64::MAX / 2)
    }

    pub(super) fn update(&mut self, kind: Kind) -> Answer {
        let id = self.parameters.id()?;
        let newer = self.template()?;
        let merge = self.parameters.id_or(0)? == 1;
        let object = self.object(kind, id, "MANAGE")?;
        if merge {
            object.attributes.merge(&newer);
        } else {
            object.attributes = newer;
        }
        Ok(Value::from(id))
    }

    pub(super) fn rename(&mut self, kind: Kind) -> Answer {
        let (id, name) = (self.parameters.id()?, self.parameters.text()?);
        self.object(kind, id, "MANAGE")?;
        self.free_name(kind, &name, "")?;
        self.object(kind, id, "MANAGE")?.name = name;
        Ok(Value::from(id))
    }

    pub(super) fn switch_host(&mut self) -> Answer {
        let (id, switch) = (self.parameters.id()?, self.parameters.id()?);
        let due = self.after(self.delays.host);
        let host = self.object(Kind::Host, id, "MANAGE")?;
        (host.state, host.due) = match switch {
            0 => (0, due),
            1 => (4, 0),
            2 => (8, 0),
            _ => return Self::refused(0x2000, "Wrong status code"),
        };
        Ok(Value::from(id))
    }

    pub(super) fn add_host(&mut self) -> Answer {
        let (cluster, host) = (self.parameters.id()?, self.parameters.id()?);
        self.object(Kind::Cluster, cluster, "ADMIN")?;
        self.object(Kind::Host, host, "ADMIN")?.cluster = cluster;
        Ok(Value::from(cluster))
    }

    /// Rights as the rest of the parameters: nine numbers, -1 keeps.
    pub(super) fn chmod(&mut self, kind: Kind) -> Answer {
        let id = self.parameters.id()?;
        let mut rights = [0; 9];
        for right in &mut rights {
            *right = self.parameters.id()?;
        }
        let object = self.object(kind, id, "MANAGE")?;
        for (own, new) in object.rights.iter_mut().zip(rights) {
            if new >= 0 {
                *own = new;
            }
        }
        Ok(Value::from(id))
    }

    pub(super) fn delete(&mut self, kind: Kind) -> Answer {
        let id = self.parameters.id()?;
        self.object(kind, id, "MANAGE")?;
        self.refuse_if_used(kind, id)?;
        let due = self.after(self.delays.deletion);
        if matches!(kind, Kind::Host | Kind::Network | Kind::Image) {
            let object = self.object(kind, id, "MANAGE")?;
            (object.leaving, object.due) = (true, due);
            if kind != Kind::Host {
                object.state = if kind == Kind::Network { 3 } else { 7 };
            }
        } else {
            self.state.pool(kind).objects.remove(&id);
        }
        Ok(Value::from(id))
    }

    fn refuse_if_used(&self, kind: Kind, id: i32) -> Result<(), Failure> {
        let hosts = self.state.objects(Kind::Host).filter(|host| host.cluster == id).count();
        let machines = |used: &dyn Fn(&super::state::Object) -> bool| {
            self.state.objects(Kind::Machine).any(|m| m.state != 6 && used(m))
        };
        let refuse = |text: String| Self::refused(0x800, text);
        match kind {
            Kind::Cluster if hosts > 0 => refuse(format!(
                "Cannot delete cluster. Cluster {id} is not empty, it contains {hosts} hosts."
            )),
            Kind::Host
                if machines(&|m| {
                    m.state == 3 && m.history.last().is_some_and(|s| s.host == id)
                }) =>
            {
                refuse("Cannot delete host. Can not remove a host with running VMs".to_owned())
            }
            Kind::Network => {
                let network = self.state.get(kind, id);
                let used = network.is_some_and(|n| n.ranges.iter().any(|r| !r.leases.is_empty()));
                if used {
                    let text = "Cannot delete network. Can not remove a virtual network with \
                                leases in use";
                    return refuse(text.to_owned());
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
