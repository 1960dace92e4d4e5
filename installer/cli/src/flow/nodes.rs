//! Single nodes: in, drained, out.

use super::plan::World;
use super::session::Session;
use super::{agreed, apply, objects, undo};
use crate::choices::Choices;
use crate::daemon::client;
use crate::fleet::Fleet;
use crate::site_file::{load, site};
use crate::wanted;
use anyhow::Result;
use stratus_opennebula::converge::{Kind, Removal, Wanted};
use stratus_opennebula::{Host, HostSwitch};
use stratus_site::{HostName, Site};
use stratus_terminal::{Exit, Failure, note, print_line};

/// Sets up one node of the file, and the front-end as far as it has to know it.
pub async fn add_node(choices: &Choices, host: HostName) -> Result<Exit> {
    let (site, _) = site(choices)?;
    is_node(&site, &host)?;
    let limit = vec![site.frontend.host.clone(), host];
    apply::apply(&Choices { limit, ..choices.clone() }).await
}

/// Takes a host out of service for new machines, and tells which are still there.
/// Exit code 10 while there are some.
pub async fn drain_node(choices: &Choices, host: &HostName) -> Result<Exit> {
    let (site, _) = site(choices)?;
    is_node(&site, host)?;
    let fleet = Fleet::of(&site, &only_frontend(&site, choices))?;
    let client = client(&site, &fleet).await?;
    let Some(found) = find(&client.hosts().await?, host) else {
        return Err(unknown(host).into());
    };
    client.switch_host(found.id, HostSwitch::Disable).await?;
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
pub async fn remove_node(choices: &Choices, host: &HostName, gone: bool) -> Result<Exit> {
    let (site, _) = site(choices)?;
    is_node(&site, host)?;
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
    if !agreed(choices, &format!("Take {host} out of the site?"))? {
        return Ok(Exit::Changes);
    }
    let world = World::of(choices, load(choices)?, vec![host.clone()]).await?;
    let session = Session::begin(&world, "remove-node").await?;
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

fn is_node(site: &Site, host: &HostName) -> Result<()> {
    if site.nodes.iter().any(|n| n.host == *host) {
        return Ok(());
    }
    Err(Failure::usage(format!("the site file has no node `{host}`"))
        .hint("add it to `hosts` in [nodes]")
        .into())
}

fn unknown(host: &HostName) -> Failure {
    Failure::new(Exit::Failed, format!("OpenNebula has no host `{host}`"))
        .hint(format!("`stratus-install add-node {host}` makes it known"))
}
