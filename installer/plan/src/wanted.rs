//! A step as a stage wants it, before anybody compared it with what is there.

use crate::offline::CARRY;
use crate::plan::Stage;
use crate::step::{Access, Action, File, OurShare, Piece, Step, Unit};
use std::collections::BTreeSet;
use stratus_site::HostName;

/// A wanted step.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) id: String,
    pub(crate) stage: Stage,
    pub(crate) step: Step,
    pub(crate) reason: String,
    /// Steps of other hosts that come first.
    pub(crate) after: Vec<(HostName, String)>,
    /// A step of this host that makes what this one changes.
    pub(crate) needs: Option<String>,
}

impl Wanted {
    /// A step with its reason; the stage is filled in by the list of stages.
    pub(crate) fn new(step: Step, reason: impl Into<String>) -> Self {
        let id = id(&step);
        let stage = Stage::Repositories;
        Self { id, stage, step, reason: reason.into(), after: Vec::new(), needs: None }
    }

    /// Packages for one purpose.
    pub(crate) fn packages(purpose: &str, names: &[String], reason: impl Into<String>) -> Self {
        let step = Step::Packages { names: names.iter().cloned().collect() };
        Self { id: packages_id(purpose), ..Self::new(step, reason) }
    }

    /// A unit that starts with the host and runs.
    pub(crate) fn runs(name: &str, inputs: &[&str], reason: impl Into<String>) -> Self {
        Self::new(Step::Unit(running(name, inputs)), reason)
    }

    /// An action that follows its inputs.
    pub(crate) fn action(action: Action, inputs: &[&str], reason: impl Into<String>) -> Self {
        Self::new(Step::Action { action, inputs: set(inputs) }, reason)
    }

    pub(crate) fn needs(self, id: impl Into<String>) -> Self {
        Self { needs: Some(id.into()), ..self }
    }

    pub(crate) fn after(mut self, host: &HostName, id: impl Into<String>) -> Self {
        self.after.push((host.clone(), id.into()));
        self
    }
}

/// The id of packages for a purpose.
pub(crate) fn packages_id(purpose: &str) -> String {
    format!("packages:{purpose}")
}

/// The name that a step keeps from run to run.
fn id(step: &Step) -> String {
    match step {
        Step::Packages { names } => {
            packages_id(names.first().map(String::as_str).unwrap_or_default())
        }
        Step::Carry(_) => CARRY.to_owned(),
        Step::Group { name, .. } => format!("group:{name}"),
        Step::User(user) => format!("user:{}", user.name),
        Step::Directory { path, .. } => format!("directory:{path}"),
        Step::File(file) => file_id(&file.path),
        Step::Secret { path, .. } => format!("secret:{path}"),
        Step::SecretFile { path, .. } => format!("secret-file:{path}"),
        Step::SshKey { path, .. } => format!("ssh-key:{path}"),
        Step::Unit(unit) => format!("unit:{}", unit.name),
        Step::Action { action, .. } => format!("action:{}", action.name()),
        Step::Database { name, .. } => format!("database:{name}"),
        Step::Network(network) => format!("network:{}", network.bridge),
    }
}

pub(crate) fn file_id(path: &str) -> String {
    format!("file:{path}")
}

/// A file that is ours alone.
pub(crate) fn whole(path: &str, mode: u32, content: impl Into<String>) -> File {
    File {
        path: path.into(),
        content: vec![Piece::Text(content.into())],
        share: OurShare::Whole,
        access: Access::root(mode),
        secret: false,
    }
}

/// A block of ours in a file of others.
pub(crate) fn block(path: &str, name: &str, content: impl Into<String>) -> File {
    let share = OurShare::Block { name: name.into(), comment: "#".into() };
    File { share, ..whole(path, 0o644, content) }
}

/// A unit that starts with the host and runs.
pub(crate) fn running(name: &str, inputs: &[&str]) -> Unit {
    let inputs = set(inputs);
    Unit { name: name.into(), enabled: true, running: true, inputs, reload: false }
}

pub(crate) fn set(texts: &[&str]) -> BTreeSet<String> {
    texts.iter().map(|&t| t.to_owned()).collect()
}

/// A template with its `{name}`s filled in; it begins with a newline in the data for looks.
pub(crate) fn filled(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = template.trim_start_matches('\n').to_owned();
    for (name, value) in values {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    text
}
