//! The tasks of `stratus-install`, one function each.

mod apply;
mod drift;
mod look;
mod mirror;
mod nodes;
mod objects;
mod plan;
mod session;
mod status;
mod undo;
mod verify;

pub use apply::apply;
pub use drift::drift;
pub use look::{bundle, check, facts, preflight};
pub use mirror::{Mirroring, mirror};
pub use nodes::{add_node, drain_node, remove_node};
pub use plan::plan;
pub use status::status;
pub use undo::uninstall;
pub use verify::{Outcome, Pick, list, verify};

use crate::choices::{Choices, Confirmation};
use crate::junit::Report;
use anyhow::Result;
use stratus_terminal::{Exit, Failure, note};

/// Check, preflight, plan, ask, apply, verify: what no task means.
pub async fn everything(choices: &Choices) -> Result<Exit> {
    apply::apply(choices).await?;
    verify::verify(choices, &Pick::default(), &Report::default()).await
}

/// Whether the administrator agrees. Without a terminal nobody is there to say yes; `wanted` is what
/// has to be so for it.
fn agreed(choices: &Choices, question: &str, wanted: &str) -> Result<bool> {
    use std::io::IsTerminal as _;
    if choices.confirmation == Confirmation::Given {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        let failure = Failure::usage("there is no terminal to ask on")
            .hint(format!("say `--yes` when {wanted}; nothing has been changed"));
        return Err(failure.into());
    }
    let yes = inquire::Confirm::new(question).with_default(false).prompt()?;
    if !yes {
        note("nothing has been changed");
    }
    Ok(yes)
}
