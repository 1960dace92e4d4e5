//! Back to what a host was before, from what it recorded itself: the present plan need not know of
//! what an earlier one made.

use super::name::{absolute, named};
use super::network::MACHINE;
use super::program::Program;
use super::{ACCOUNTS, FILES, Job, NETWORK, PACKAGES, UNDO, UNITS, Unfit};
use crate::host::Deadlines;

/// What is taken back, and how.
#[derive(Clone, Debug, Default)]
pub struct Back {
    /// Units in the order in which they are to end; others that are recorded end after them.
    pub units: Vec<String>,
    /// Folders with data: nothing in them is touched.
    pub data: Vec<String>,
}

/// The programs that give a host back, with their names, in order. They print what they change, and
/// lines that begin with `left` for what stays, with the reason.
pub fn undo(
    back: &Back,
    root: &str,
    deadlines: Deadlines,
) -> Result<Vec<(&'static str, Job)>, Unfit> {
    let units = back.units.iter().map(|n| named(n)).collect::<Result<Vec<_>, _>>()?;
    let data = back.data.iter().map(|p| absolute(p)).collect::<Result<Vec<_>, _>>()?;
    let mut first = Program::new(root)?;
    first.uses(UNITS).call("undo_units", &units);
    let mut second = Program::new(root)?;
    let (length, digest) = second.carry(MACHINE.as_bytes());
    second.uses(NETWORK).call("undo_network", &[&length, &digest]);
    let mut confirm = Program::new(root)?;
    confirm.uses(NETWORK).call("confirm_gone", &[]);
    let mut last = Program::new(root)?;
    last.uses(FILES).uses(PACKAGES).uses(ACCOUNTS).uses(UNITS).uses(UNDO);
    last.call("give_back", &data);
    let job = |program: Program, what: &str| Job {
        work: program.work(what.to_owned(), deadlines),
        confirm: None,
    };
    let network = Job {
        confirm: Some(confirm.work("confirming the old network".to_owned(), deadlines)),
        ..job(second, "putting the old network back")
    };
    Ok(vec![
        ("back:units", job(first, "units as before")),
        ("back:network", network),
        ("back:rest", job(last, "files, packages and accounts as before")),
    ])
}
