//! Single nodes: in, drained, out.

use super::plan::World;
use super::session::Session;
use super::{agreed, apply, objects, undo};
use crate::choices::{Choices, is_called};
use crate::daemon::client;
use crate::fleet::Fleet;
use crate::site_file::{load, site};
use crate::wanted;
use anyhow::Result;
use stratus_execute::journal::Ended;
use stratus_opennebula::converge::{Kind, Removal, Wanted};
use stratus_opennebula::{Host, HostSwitch};
use stratus_site::{HostName, Site};
use stratus_terminal::{Exit, Failure, note, print_line};

/// Sets up nodes of the file, and the front-end as far as it has to know them.
pub async fn add_node(choices: &Choices, hosts: &[HostName]) -> Result<Exit> {
    let (site, _) = site(choices)?;
    let mut limit = vec![site.frontend.host.clone()];
    for name in hosts {
        limit.push(node(&site, name)?);
    }
    apply::apply(&Choices { limit, ..choices.clone() }).await
}

/// Takes a host out of service for new machines, and tells which are still there.
/// Exit code 10 while there are some.
pub async fn drain_node(choices: &Choices, name: &HostName) -> Result<Exit> {
    let (site, _) = site(choices)?;
    let host = &node(&site, name)?;
    let fleet = Fleet::of(&site, &only_frontend(&site, choices))?;
    let client = client(&site, &fleet).await?;
    let Some(found) = find(&client.hosts().await?, host) else {
        return Err(unknown(host).into());
    };
    let session = Session::over(&site, &fleet, "drain-node").await?;
    session.run_began().await?;
    let sentence = format!("disable host `{host}`");
    session.began(&sentence, "no new machine is to be placed there").await?;
    let switched = client.switch_host(found.id, HostSwitch::Disable).await;
    let result = match &switched {
        Ok(()) => Ended::Changed(vec![sentence.clone()]),
        Err(error) => Ended::Failed(error.to_string()),
    };
    session.ended(&sentence, result).await?;
    session.end(switched.is_ok()).await?;
    switched?;
    tell_left(host, &found)
}

/// The machines that are still on a drained host.
fn tell_left(host: &HostName, found: &Host) -> Result<Exit> {
    let left = found.machines.len();
    if left == 0 {
        print_line(&format!("{host} is drained: no machine runs there, and none will come"))?;
        return Ok(Exit::Done);
    }
    let ids: Vec<String> = found.machines.iter().map(ToString::to_string).collect();
    print_line(&format!("{host}: none will come; {left} are still there: {}", ids.join(", ")))?;
    note("move them with `onevm migrate --live ID HOST`, or wait for their end");
    Ok(Exit::Changes)
}

/// Takes a host out: OpenNebula forgets it, and it becomes what it was before.
pub async fn remove_node(choices: &Choices, name: &HostName, gone: bool) -> Result<Exit> {
    let (site, _) = site(choices)?;
    let host = &node(&site, name)?;
    let fleet = Fleet::of(&site, &only_frontend(&site, choices))?;
    let client = client(&site, &fleet).await?;
    let found = find(&client.hosts().await?, host);
    let machines = found.map_or(0, |h| h.machines.len());
    if machines > 0 && !gone {
        let message = format!("{machines} machines are still on {host}");
        return Err(Failure::new(Exit::Refused, message)
            .hint(format!("first `stratus-install drain-node {host}`; for a dead host `--gone`"))
            .into());
    }
    let question = format!("Take {host} out of the site?");
    if !agreed(choices, &question, &format!("{host} is to leave the site"))? {
        return Ok(Exit::Changes);
    }
    let world = World::of(choices, load(choices)?, vec![host.clone()]).await?;
    let session = Session::begin(&world, "remove-node").await?;
    if gone {
        session.run_began().await?;
    }
    let bad = objects::carry_out(&session, &site, &fleet, &without(&site, host)).await?;
    for line in &bad {
        note(&format!("OpenNebula: {line}"));
    }
    let mut exit = if bad.is_empty() { Exit::Done } else { Exit::Failed };
    if !gone && undo::give_back(&world, &session).await? != Exit::Done {
        exit = Exit::Failed;
    }
    session.end(exit == Exit::Done).await?;
    note(&format!(
        "take {host} out of `hosts` in [nodes] as well, or the next apply sets it up again"
    ));
    Ok(exit)
}

/// What the site wants when this host is not of it.
fn without(site: &Site, host: &HostName) -> Wanted {
    let mut wanted = wanted(site);
    wanted.hosts.retain(|h| h.name != host.as_str());
    wanted.removal = Removal::Named(vec![(Kind::Host, host.to_string())]);
    wanted
}

fn only_frontend(site: &Site, choices: &Choices) -> Choices {
    Choices { limit: vec![site.frontend.host.clone()], ..choices.clone() }
}

fn find(hosts: &[Host], name: &HostName) -> Option<Host> {
    hosts.iter().find(|h| h.name == name.as_str()).cloned()
}

/// The node with this name, or the only one with this short name.
fn node(site: &Site, name: &HostName) -> Result<HostName> {
    let mut called: Vec<&HostName> =
        site.nodes.iter().map(|n| &n.host).filter(|host| is_called(host, name)).collect();
    if called.contains(&name) {
        called = vec![name];
    }
    match called.as_slice() {
        [host] => Ok((*host).clone()),
        [] => Err(Failure::usage(format!("the site file has no node `{name}`"))
            .hint("add it to `hosts` in [nodes]")
            .into()),
        several => {
            let names: Vec<&str> = several.iter().map(|host| host.as_str()).collect();
            let message = format!("`{name}` is several nodes: {}", names.join(", "));
            Err(Failure::usage(message).hint("say its whole name").into())
        }
    }
}

fn unknown(host: &HostName) -> Failure {
    Failure::new(Exit::Failed, format!("OpenNebula has no host `{host}`"))
        .hint(format!("`stratus-install add-node {host}` makes it known"))
}
