//! Reading objects and pools.

use stratus_opennebula::xmlrpc::Value;

use super::methods::{Answer, Work};
use super::render;
use super::state::{Kind, Object};

impl Work<'_> {
    pub(super) fn info(&mut self, kind: Kind) -> Answer {
        let mut id = self.parameters.id()?;
        if kind == Kind::User && id == -1 {
            id = self.user.id;
        }
        let object = self.object(kind, id, "USE")?.clone();
        Ok(Value::Text(render::object(self.state, kind, &object, render::Body::Full)))
    }

    /// A pool without paging.
    pub(super) fn pool(&mut self, kind: Kind) -> Value {
        self.rendered(kind, render::Body::Full, |_| true)
    }

    /// A pool by owner and identifiers.
    pub(super) fn paged(&mut self, kind: Kind) -> Answer {
        let page = self.page()?;
        Ok(self.rendered(kind, render::Body::Full, page))
    }

    pub(super) fn machines(&mut self) -> Answer {
        let page = self.page()?;
        let state = self.parameters.id_or(-1)?;
        Ok(self.rendered(Kind::Machine, render::Body::Short, |machine| {
            let in_state = match state {
                -2 => true,
                -1 => machine.state != 6,
                wanted => machine.state == wanted,
            };
            in_state && page(machine)
        }))
    }

    fn page(&mut self) -> Result<impl Fn(&Object) -> bool + use<>, super::methods::Failure> {
        let (owner, first, last) =
            (self.parameters.id()?, self.parameters.id()?, self.parameters.id()?);
        if owner < -4 {
            return Self::refused(0x1000, "Incorrect filter_flag");
        }
        let (me, groups) = (self.user.id, self.user.groups.clone());
        Ok(move |object: &Object| {
            let owned = match owner {
                -2 => true,
                -1 => object.uid == me || groups.contains(&object.gid),
                -3 => object.uid == me,
                -4 => Some(&object.gid) == groups.first(),
                user => object.uid == user,
            };
            owned && (first < 0 || object.id >= first) && (last < 0 || object.id <= last)
        })
    }

    /// Newest first; a plain user sees what is its own or open to all.
    fn rendered(
        &mut self,
        kind: Kind,
        body: render::Body,
        wanted: impl Fn(&Object) -> bool,
    ) -> Value {
        let admin = self.is_admin();
        let me = &self.user;
        let visible = |object: &&Object| {
            admin
                || match kind {
                    Kind::User => object.id == me.id,
                    Kind::Group => me.groups.contains(&object.id),
                    Kind::Host | Kind::Cluster => false,
                    _ => object.uid == me.id || object.rights[6] == 1,
                }
        };
        let objects: Vec<_> =
            self.state.objects(kind).rev().filter(visible).filter(|o| wanted(o)).collect();
        Value::Text(render::pool(self.state, kind, &objects, body))
    }
}
