//! From a call to its answer: who asks, which method, what came of it.

use std::path::Path;

use stratus_opennebula::xmlrpc::{MethodCall, Value};

use super::settings::{Delays, Settings};
use super::state::{Kind, Object, State, digest};

/// An answer without the envelope around it.
pub(super) type Answer = Result<Value, Failure>;

pub(super) enum Failure {
    /// The call itself is wrong.
    Fault(i32, String),
    /// oned refuses: code, text without the method, object or -1.
    Refused(i64, String, i32),
}

/// The parameters still to be read.
pub(super) struct Parameters(std::vec::IntoIter<Value>);

impl Parameters {
    fn next(&mut self) -> Result<Value, Failure> {
        self.0.next().ok_or_else(|| Failure::Fault(-501, "Not enough parameters".into()))
    }

    fn wrong<T>(kind: &str) -> Result<T, Failure> {
        Err(Failure::Fault(-501, format!("Parameter that is supposed to be {kind} is not")))
    }

    pub(super) fn id(&mut self) -> Result<i32, Failure> {
        self.next()?.as_id().map_or_else(|| Self::wrong("integer"), Ok)
    }

    pub(super) fn text(&mut self) -> Result<String, Failure> {
        match self.next()? {
            Value::Text(text) => Ok(text),
            _ => Self::wrong("string"),
        }
    }

    pub(super) fn flag(&mut self) -> Result<bool, Failure> {
        match self.next()? {
            Value::Boolean(flag) => Ok(flag),
            _ => Self::wrong("boolean"),
        }
    }

    /// A number that may be left out.
    pub(super) fn id_or(&mut self, otherwise: i32) -> Result<i32, Failure> {
        match self.0.next() {
            None => Ok(otherwise),
            Some(value) => value.as_id().map_or_else(|| Self::wrong("integer"), Ok),
        }
    }

    pub(super) fn ids(&mut self) -> Vec<i32> {
        match self.0.next() {
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_id).collect(),
            _ => Vec::new(),
        }
    }
}

/// One call at work.
pub(super) struct Work<'a> {
    pub(super) state: &'a mut State,
    pub(super) delays: &'a Delays,
    /// File of history records.
    pub(super) histories: &'a Path,
    /// Milliseconds since 1970.
    pub(super) now: i64,
    pub(super) user: Object,
    pub(super) parameters: Parameters,
}

/// Answers a call as oned would.
pub(super) fn answer(
    state: &mut State,
    settings: &Settings,
    now: i64,
    call: MethodCall,
) -> Result<Value, (i32, String)> {
    let delays = &settings.delays;
    let histories = &settings.database.with_file_name("histories.xml");
    let method = call.method;
    let mut parameters = Parameters(call.parameters.into_iter());
    let done = match find(&method) {
        None => Err(Failure::Fault(-506, format!("Method '{method}' not defined"))),
        Some(run) => match parameters.next() {
            Err(_) => Err(Failure::Fault(-500, OUT_OF_BOUNDS.into())),
            Ok(session) => match authenticate(state, &session) {
                None => Err(Failure::Refused(
                    0x100,
                    "User couldn't be authenticated, aborting call.".into(),
                    -1,
                )),
                Some(user) => run(&mut Work { state, delays, histories, now, user, parameters }),
            },
        },
    };
    match done {
        Ok(value) => Ok(Value::Array(vec![Value::Boolean(true), value, Value::Integer(0)])),
        Err(Failure::Refused(code, text, object)) => Ok(Value::Array(vec![
            Value::Boolean(false),
            Value::Text(format!("[{method}] {text}")),
            Value::Integer(code),
            Value::from(object),
        ])),
        Err(Failure::Fault(code, text)) => Err((code, text)),
    }
}

const OUT_OF_BOUNDS: &str = "Unexpected error executing code for particular method, detected by \
    Xmlrpc-c method registry code.  Method did not fail; rather, it did not complete at all.  \
    Subscript of xmlrpc_c::paramList out of bounds";

type Run = fn(&mut Work<'_>) -> Answer;

/// The methods: what each is, on one screen.
fn find(method: &str) -> Option<Run> {
    let run: Run = match method {
        "one.system.version" => |_| Ok(Value::from("7.4.0")),
        "one.clusterpool.info" => |w| Ok(w.pool(Kind::Cluster)),
        "one.cluster.info" => |w| w.info(Kind::Cluster),
        "one.cluster.allocate" => |w| w.allocate_cluster(),
        "one.cluster.update" => |w| w.update(Kind::Cluster),
        "one.cluster.addhost" => |w| w.add_host(),
        "one.cluster.delete" => |w| w.delete(Kind::Cluster),
        "one.hostpool.info" => |w| Ok(w.pool(Kind::Host)),
        "one.host.info" => |w| w.info(Kind::Host),
        "one.host.allocate" => |w| w.allocate_host(),
        "one.host.update" => |w| w.update(Kind::Host),
        "one.host.status" => |w| w.switch_host(),
        "one.host.rename" => |w| w.rename(Kind::Host),
        "one.host.delete" => |w| w.delete(Kind::Host),
        "one.datastorepool.info" => |w| Ok(w.pool(Kind::Datastore)),
        "one.datastore.info" => |w| w.info(Kind::Datastore),
        "one.datastore.allocate" => |w| w.allocate_datastore(),
        "one.datastore.update" => |w| w.update(Kind::Datastore),
        "one.datastore.delete" => |w| w.delete(Kind::Datastore),
        "one.vnpool.info" => |w| w.paged(Kind::Network),
        "one.vn.info" => |w| w.info(Kind::Network),
        "one.vn.allocate" => |w| w.allocate_network(),
        "one.vn.update" => |w| w.update(Kind::Network),
        "one.vn.add_ar" => |w| w.add_range(),
        "one.vn.update_ar" => |w| w.update_range(),
        "one.vn.rm_ar" => |w| w.remove_range(),
        "one.vn.hold" => |w| w.hold(true),
        "one.vn.release" => |w| w.hold(false),
        "one.vn.chmod" => |w| w.chmod(Kind::Network),
        "one.vn.delete" => |w| w.delete(Kind::Network),
        "one.userpool.info" => |w| Ok(w.pool(Kind::User)),
        "one.user.info" => |w| w.info(Kind::User),
        "one.user.allocate" => |w| w.allocate_user(),
        "one.user.update" => |w| w.update(Kind::User),
        "one.user.passwd" => |w| w.set_password(),
        "one.user.chauth" => |w| w.set_driver(),
        "one.user.enable" => |w| w.enable(Kind::User),
        "one.user.addgroup" => |w| w.group(true),
        "one.user.delgroup" => |w| w.group(false),
        "one.user.delete" => |w| w.delete(Kind::User),
        "one.grouppool.info" => |w| Ok(w.pool(Kind::Group)),
        "one.group.info" => |w| w.info(Kind::Group),
        "one.group.allocate" => |w| w.allocate_group(),
        "one.group.update" => |w| w.update(Kind::Group),
        "one.group.delete" => |w| w.delete(Kind::Group),
        "one.marketpool.info" => |w| Ok(w.pool(Kind::Marketplace)),
        "one.market.info" => |w| w.info(Kind::Marketplace),
        "one.market.allocate" => |w| w.allocate_market(),
        "one.market.update" => |w| w.update(Kind::Marketplace),
        "one.market.enable" => |w| w.enable(Kind::Marketplace),
        "one.market.delete" => |w| w.delete(Kind::Marketplace),
        "one.marketapppool.info" => |w| w.paged(Kind::App),
        "one.marketapp.info" => |w| w.info(Kind::App),
        "one.imagepool.info" => |w| w.paged(Kind::Image),
        "one.image.info" => |w| w.info(Kind::Image),
        "one.image.allocate" => |w| w.allocate_image(),
        "one.image.update" => |w| w.update(Kind::Image),
        "one.image.chmod" => |w| w.chmod(Kind::Image),
        "one.image.delete" => |w| w.delete(Kind::Image),
        "one.templatepool.info" => |w| w.paged(Kind::Template),
        "one.template.info" => |w| w.info(Kind::Template),
        "one.template.allocate" => |w| w.allocate_template(),
        "one.template.update" => |w| w.update(Kind::Template),
        "one.template.instantiate" => |w| w.instantiate(),
        "one.template.delete" => |w| w.delete(Kind::Template),
        "one.vmpool.info" | "one.vmpool.infoextended" => |w| w.machines(),
        "one.vmpool.accounting" => |w| w.accounting(),
        "one.vm.info" => |w| w.info(Kind::Machine),
        "one.vm.allocate" => |w| w.allocate_machine(),
        "one.vm.action" => |w| w.act(),
        "one.vm.deploy" => |w| w.deploy(),
        "one.vm.recover" => |w| w.recover(),
        _ => return None,
    };
    Some(run)
}

fn authenticate(state: &State, session: &Value) -> Option<Object> {
    let (name, password) = session.as_text()?.split_once(':')?;
    let user = state.objects(Kind::User).find(|user| user.name == name)?;
    let kept = user.fields.get("PASSWORD")?;
    let good = match user.fields.get("AUTH_DRIVER")?.as_str() {
        "core" => *kept == digest(password),
        "plain" => kept == password,
        _ => false,
    };
    (good && user.state == 1).then(|| user.clone())
}

impl Work<'_> {
    pub(super) fn is_admin(&self) -> bool {
        self.user.groups.contains(&0)
    }

    pub(super) fn missing<T>(kind: Kind, id: i32) -> Result<T, Failure> {
        Err(Failure::Refused(0x400, format!("Error getting {} [{id}].", kind.word()), id))
    }

    pub(super) fn refused<T>(code: i64, text: impl Into<String>) -> Result<T, Failure> {
        Err(Failure::Refused(code, text.into(), -1))
    }

    /// Lets oneadmin's group pass.
    pub(super) fn authorize(&self, what: &str) -> Result<(), Failure> {
        if self.is_admin() {
            return Ok(());
        }
        let id = self.user.id;
        Self::refused(0x200, format!("User [{id}] : Not authorized to perform {what}."))
    }

    /// An object that the caller may use.
    pub(super) fn object(
        &mut self,
        kind: Kind,
        id: i32,
        right: &str,
    ) -> Result<&mut Object, Failure> {
        let Some(object) = self.state.get(kind, id) else { return Self::missing(kind, id) };
        let own = if kind == Kind::User { id == self.user.id } else { object.uid == self.user.id };
        let open = right == "USE" && object.rights[6] == 1;
        if !own && !open {
            self.authorize(&format!("{right} {} [{id}]", kind.capital()))?;
        }
        self.state.get_mut(kind, id).map_or_else(|| Self::missing(kind, id), Ok)
    }

    /// Refuses a name that is taken.
    pub(super) fn free_name(&self, kind: Kind, name: &str, before: &str) -> Result<(), Failure> {
        let per_owner =
            matches!(kind, Kind::Network | Kind::Image | Kind::Template | Kind::Datastore);
        let same =
            |object: &&Object| object.name == name && (!per_owner || object.uid == self.user.id);
        match self.state.objects(kind).find(same) {
            None => Ok(()),
            Some(taken) => {
                let code = if before.is_empty() { 0x2000 } else { 0x4000 };
                let (word, id) = (kind.capital(), taken.id);
                Self::refused(code, format!("{before}NAME is already taken by {word} {id}."))
            }
        }
    }
}
