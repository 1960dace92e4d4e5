//! Steps backwards: what a host was before, from what it recorded.

use super::name::{absolute, key, named};
use super::network::{MACHINE, commands, network_words};
use super::program::Program;
use super::{ACCOUNTS, FILES, NETWORK, PACKAGES, UNDO, UNITS, Unfit, key_of};
use crate::host::{Deadlines, Work};
use stratus_plan::step::{Network, OurShare, Step};

/// The program that takes a step back; none where there is nothing to take back. What somebody
/// changed after us, data and what others need stay; the program says so in lines that begin with
/// `left`.
pub fn undo(step: &Step, root: &str, deadlines: Deadlines) -> Result<Option<Work>, Unfit> {
    let mut program = Program::new(root)?;
    program.uses(FILES).uses(UNDO);
    let what = match step {
        Step::Packages { names } => {
            let names = names.iter().map(|n| named(n)).collect::<Result<Vec<_>, _>>()?;
            program.uses(PACKAGES).call("remove_packages", &names);
            "removing the packages that were added".to_owned()
        }
        Step::Group { name, .. } => {
            program.uses(ACCOUNTS).call("undo_group", &[named(name)?]);
            format!("removing the group {name}")
        }
        Step::User(user) => {
            program.uses(ACCOUNTS).call("undo_user", &[named(&user.name)?]);
            format!("removing the user {}", user.name)
        }
        Step::Directory { path, .. }
        | Step::Secret { path, .. }
        | Step::SecretFile { path, .. } => undo_path(&mut program, path)?,
        Step::SshKey { path, .. } => {
            let public = format!("{}.pub", program.at(path)?);
            let key = format!("{}.pub", key("path", path));
            program.call("undo_path", &[&key, &public]);
            undo_path(&mut program, path)?
        }
        Step::File(file) => match &file.share {
            OurShare::Whole | OurShare::OnedKeys => undo_path(&mut program, &file.path)?,
            OurShare::Block { name, comment } => {
                let at = program.at(&file.path)?;
                program.call("undo_block", &[&key_of(file), &at, comment, name]);
                format!("taking our lines out of {}", file.path)
            }
        },
        Step::Unit(unit) => {
            program.uses(UNITS).call("undo_unit", &[named(&unit.name)?]);
            format!("the unit {} as before", unit.name)
        }
        Step::Action { .. } => return Ok(None),
        Step::Database { name, .. } => {
            let text = format!("the database {}: its data are not ours to delete", named(name)?);
            program.call("left", &[&text]);
            format!("the database {name}")
        }
        Step::Network(network) => undo_network(&mut program, network)?,
    };
    Ok(Some(program.work(what, deadlines)))
}

fn undo_path(program: &mut Program, path: &str) -> Result<String, Unfit> {
    let at = program.at(path)?;
    program.call("undo_path", &[&key("path", path), &at]);
    Ok(format!("{path} as before"))
}

/// The old network is a new one: it is loaded the same way, with the same way back.
fn undo_network(program: &mut Program, network: &Network) -> Result<String, Unfit> {
    let (length, digest) = program.carry(MACHINE.as_bytes());
    program.uses(NETWORK).call("network_begin", &[&length, &digest]);
    for (name, words) in [("apply", &network.revert), ("revert", &network.apply)] {
        let (length, digest) = program.carry(commands(words).as_bytes());
        program.call("network_commands", &[name, &length, &digest]);
    }
    let paths = network.files.iter().map(|f| &f.path).chain(&network.aside);
    for (index, path) in paths.enumerate() {
        let (number, at) = (format!("{index:03}"), program.at(absolute(path)?)?);
        program.call("stage_before", &[&number, &at, &key("path", path)]);
    }
    program.call("switch_network", &network_words(network, "gone")?);
    Ok(format!("the network before the bridge {}", network.bridge))
}
