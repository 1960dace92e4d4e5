//! What oned has its drivers do, done for real: images are copied into datastores, machines are
//! started by libvirt on their host, with the files and the domain that the real drivers write.
//!
//! Commands run as the real ones do: on the front-end, and by ssh on the host, as oneadmin.

use std::path::PathBuf;
use std::process::Stdio;

use stratus_opennebula::Attribute;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::domain;
use super::state::{Kind, Object, State};

/// Where machines' and images' files are, on the front-end and on hosts.
const DATASTORES: &str = "/var/lib/one/datastores";
const BOOT_FAILURE: i32 = 36;
const PROLOG_FAILURE: i32 = 39;

/// Something to be done outside.
pub(super) enum Job {
    /// Copies a file: the image, its path, where it goes.
    Copy(i32, PathBuf, PathBuf),
    /// Deletes a file of an image.
    Remove(i32, PathBuf),
    /// Starts a machine.
    Start(Box<Start>),
    /// Ends a machine: its number and its host, if it has one.
    End(i32, Option<String>),
}

/// Everything that starting a machine needs.
pub(super) struct Start {
    id: i32,
    host: String,
    kernel: String,
    initrd: String,
    context: String,
    /// The number of the context's disk.
    disk: usize,
    domain: String,
}

/// What became of a job: what went wrong, with the machine's state.
pub(super) type Outcome = Result<(), (i32, String)>;

/// Where an image is kept.
pub(super) fn source(image: &Object) -> String {
    let datastore = image.fields.get("DATASTORE_ID").map_or("1", String::as_str);
    format!("{DATASTORES}/{datastore}/{:032x}", image.id)
}

/// The jobs that are due; each is given out once.
pub(super) fn due(state: &mut State, now: i64) -> Vec<Job> {
    let is_due = |object: &&mut Object| object.due != 0 && object.due <= now;
    let mut jobs = Vec::new();
    for image in state.pool(Kind::Image).objects.values_mut().filter(is_due) {
        image.due = 0;
        let target = PathBuf::from(source(image));
        let path = PathBuf::from(image.fields.get("PATH").map_or("", String::as_str));
        jobs.push(if image.leaving {
            Job::Remove(image.id, target)
        } else {
            Job::Copy(image.id, path, target)
        });
    }
    let mut started = Vec::new();
    for machine in state.pool(Kind::Machine).objects.values_mut().filter(is_due) {
        if machine.leaving {
            machine.due = 0;
            let host = machine.history.last().map(|stay| stay.host_name.clone());
            jobs.push(Job::End(machine.id, host));
        } else if machine.state == 3 && machine.lcm_state == 1 {
            (machine.due, machine.lcm_state) = (0, 2);
            started.push(machine.clone());
        }
    }
    jobs.extend(started.iter().filter_map(|machine| start(state, machine)).map(Job::Start));
    jobs
}

fn start(state: &State, machine: &Object) -> Option<Box<Start>> {
    let host = machine.history.last()?;
    let place = state.get(Kind::Host, host.host)?;
    let driver = place.attributes.text("VM_MAD").unwrap_or("kvm");
    let boots = machine.attributes.values("OS").next();
    let file = |name| boots.and_then(|os| os.member(name)).unwrap_or_default().to_owned();
    let disk = machine.attributes.values("DISK").count();
    let folder = format!("{DATASTORES}/0/{}", machine.id);
    Some(Box::new(Start {
        id: machine.id,
        host: host.host_name.clone(),
        kernel: file("KERNEL"),
        initrd: file("INITRD"),
        context: domain::context(state, machine, disk),
        disk,
        domain: domain::xml(machine, driver, &folder, disk),
    }))
}

impl Job {
    /// Does it.
    pub(super) async fn work(&self) -> Outcome {
        match self {
            Self::Copy(_, from, to) => {
                let copied = async {
                    if let Some(folder) = to.parent() {
                        tokio::fs::create_dir_all(folder).await?;
                    }
                    tokio::fs::copy(from, to).await
                };
                let told =
                    |e| (0, format!("cannot copy {} to {}: {e}", from.display(), to.display()));
                copied.await.map(drop).map_err(told)
            }
            Self::Remove(_, file) => {
                // An image that was never copied has no file.
                let _ = tokio::fs::remove_file(file).await;
                Ok(())
            }
            Self::Start(start) => start.work().await,
            Self::End(_, None) => Ok(()),
            Self::End(id, Some(host)) => {
                let line = include_str!("drivers/end.sh");
                shell(line, &[("ID", &id.to_string()), ("HOST", host)], "")
                    .await
                    .map_err(|e| (3, e))
            }
        }
    }

    /// Writes down what became of it.
    pub(super) fn done(&self, state: &mut State, outcome: Outcome, now: i64) {
        match (self, outcome) {
            (Self::Copy(id, ..), outcome) => {
                let Some(image) = state.get_mut(Kind::Image, *id) else { return };
                image.state = if outcome.is_ok() { 1 } else { 5 };
                if let Err((_, text)) = outcome {
                    let text = format!("Error copying image in the datastore: {text}");
                    image.attributes.set("ERROR", Attribute::Text(text));
                }
            }
            (Self::Remove(id, _), _) => {
                state.pool(Kind::Image).objects.remove(id);
            }
            (Self::Start(start), outcome) => {
                let Some(machine) = state.get_mut(Kind::Machine, start.id) else { return };
                if machine.leaving {
                    machine.due = now;
                }
                machine.lcm_state = outcome.as_ref().map_or_else(|(state, _)| *state, |()| 3);
                machine.fields.insert("DEPLOY_ID".to_owned(), format!("one-{}", start.id));
                failed(machine, outcome);
            }
            (Self::End(id, _), Ok(())) => super::life::ended(state, *id, now),
            (Self::End(id, _), outcome) => {
                let Some(machine) = state.get_mut(Kind::Machine, *id) else { return };
                (machine.leaving, machine.lcm_state) = (false, 3);
                failed(machine, outcome);
            }
        }
    }
}

fn failed(machine: &mut Object, outcome: Outcome) {
    if let Err((_, text)) = outcome {
        machine.user_attributes.set("ERROR", Attribute::Text(text));
    }
}

impl Start {
    async fn work(&self) -> Outcome {
        let (id, disk) = (self.id.to_string(), self.disk.to_string());
        let common = [("ID", id.as_str()), ("HOST", &self.host), ("DISK", &disk)];
        let files = [("KERNEL", self.kernel.as_str()), ("INITRD", &self.initrd)];
        let prolog = [&common[..], &files[..]].concat();
        shell(include_str!("drivers/prolog.sh"), &prolog, &self.context)
            .await
            .map_err(|text| (PROLOG_FAILURE, text))?;
        shell(include_str!("drivers/deploy.sh"), &common, &self.domain)
            .await
            .map_err(|text| (BOOT_FAILURE, text))
    }
}

/// Runs a script with this input; what it said last where it failed.
async fn shell(script: &str, environment: &[(&str, &str)], input: &str) -> Result<(), String> {
    let mut child = Command::new("sh")
        .args(["-eu", "-c", script])
        .envs(environment.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|e| e.to_string())?;
    let mut stdin = child.stdin.take().ok_or("no standard input")?;
    // One that ended without reading says why itself.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = child.wait_with_output().await.map_err(|e| e.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    Err(lines[lines.len().saturating_sub(3)..].join(" "))
}
