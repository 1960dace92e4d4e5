//! Files: by the component that knows the format, else by ncm-filecopy as they are.

use super::{Around, COMPONENTS, Said};
use crate::ini;
use crate::left::Why;
use crate::pan::{self, Line, Unwritable, Value};
use crate::settings::{self, Setting};
use stratus_plan::metadata::opennebula;
use stratus_plan::step::{Action, File, OurShare, Piece, Unit};

/// The variable of the database's password: it stands for it in a template.
pub(crate) const DATABASE_PASSWORD: &str = "STRATUS_DATABASE_PASSWORD";

/// Keys of oned.conf with a field in ncm-opennebula's schema.
const ONED: [&str; 6] = ["DB", "LISTEN_ADDRESS", "LOG", "MAC_PREFIX", "ONEGATE_ENDPOINT", "PORT"];

/// The same of monitord.conf.
const MONITORD: [&str; 1] = ["PROBES_PERIOD"];

/// Where the kernel sends datagrams of any address: monitord's own default, which the schema asks
/// for and the plan does not touch.
const ANY: &str = "0.0.0.0";

pub(super) fn say(
    around: &Around,
    file: &File,
    id: &str,
    reason: &str,
    said: &mut Said,
) -> Result<(), Unwritable> {
    match &file.share {
        OurShare::Block { .. } => {
            let foreign = file.content.iter().any(|p| matches!(p, Piece::From { .. }));
            said.leave(id, if foreign { Why::HostContent } else { Why::OwnLines });
            Ok(())
        }
        OurShare::OnedKeys => settings(around, file, id, reason, said),
        OurShare::Whole => whole(around, file, id, reason, said),
    }
}

/// The text of a file that is made of texts only.
fn text(file: &File) -> Option<String> {
    let mut text = String::new();
    for piece in &file.content {
        let Piece::Text(part) = piece else { return None };
        text.push_str(part);
    }
    Some(text)
}

fn whole(
    around: &Around,
    file: &File,
    id: &str,
    reason: &str,
    said: &mut Said,
) -> Result<(), Unwritable> {
    let Some(text) = text(file).filter(|_| !file.secret) else {
        said.leave(id, Why::SecretInside);
        return Ok(());
    };
    pan::writable(&text)?;
    let structured = [".repo", ".cnf"].iter().any(|end| file.path.ends_with(end));
    if let Some(sections) = ini::sections(&text).filter(|_| structured) {
        said.leave(id, Why::OtherLayout);
        return by_metaconfig(around, file, reason, "tiny", sections, said);
    }
    let access = &file.access;
    let mut lines = vec![
        Line::set("config", Value::text(text)),
        Line::set("group", Value::text(&access.group)),
        Line::set("owner", Value::text(&access.owner)),
        Line::set("perms", Value::text(format!("{:04o}", access.mode))),
    ];
    lines.extend(command(around, &file.path).map(|c| Line::set("restart", Value::text(c))));
    let key = pan::escaped(&file.path)?;
    said.say(format!("{COMPONENTS}/filecopy/services/{key}"), reason, lines);
    Ok(())
}

/// What is run when the file has changed: what the installer does then, once.
pub(super) fn command(around: &Around, path: &str) -> Option<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut add = |command: String| {
        if !commands.contains(&command) {
            commands.push(command);
        }
    };
    if path.starts_with("/etc/systemd/system/") {
        add("systemctl daemon-reload".to_owned());
    }
    for action in around.actions.get(path).into_iter().flatten() {
        match action {
            Action::ExportShares => add("exportfs -ra".to_owned()),
            Action::LoadSysctl => add("sysctl --system".to_owned()),
            Action::ReloadUnits => add("systemctl daemon-reload".to_owned()),
            // Each of these is left, and says why.
            Action::RefreshPackages
            | Action::RemoveLibvirtNetwork
            | Action::RestoreLabels
            | Action::AllowNfsMachines
            | Action::LoadFirewall
            | Action::MakeOverlay
            | Action::MakeWireguard
            | Action::SyncRemotes => {}
        }
    }
    for unit in around.readers.get(path).into_iter().flatten() {
        add(format!("systemctl {} {}", verb(unit), unit.name));
    }
    (!commands.is_empty()).then(|| commands.join("; "))
}

/// A unit that does not run yet is started.
fn verb(unit: &Unit) -> &'static str {
    if unit.reload { "reload-or-restart" } else { "restart" }
}

fn by_metaconfig(
    around: &Around,
    file: &File,
    reason: &str,
    module: &str,
    contents: Value,
    said: &mut Said,
) -> Result<(), Unwritable> {
    let mut lines = vec![Line::set("contents", contents)];
    for unit in around.readers.get(file.path.as_str()).into_iter().flatten() {
        let name = unit.name.strip_suffix(".service").unwrap_or(&unit.name);
        let action = if unit.reload { "reload" } else { "restart" };
        lines.push(Line::set(format!("daemons/{}", pan::key(name)?), Value::text(action)));
    }
    lines.extend([
        Line::set("group", Value::text(&file.access.group)),
        Line::set("mode", Value::Mode(file.access.mode)),
        Line::set("module", Value::text(module)),
        Line::set("owner", Value::text(&file.access.owner)),
    ]);
    let key = pan::escaped(&file.path)?;
    said.say(format!("{COMPONENTS}/metaconfig/services/{key}"), reason, lines);
    Ok(())
}

fn settings(
    around: &Around,
    file: &File,
    id: &str,
    reason: &str,
    said: &mut Said,
) -> Result<(), Unwritable> {
    let Some(settings) = settings::read(&file.content) else {
        said.leave(id, Why::SecretInside);
        return Ok(());
    };
    said.leave(id, Why::WholeFile);
    let files = &opennebula().files;
    let (known, path) = match file.path.as_str() {
        path if path == files.oned => (&ONED[..], format!("{COMPONENTS}/opennebula/oned")),
        path if path == files.monitord => {
            (&MONITORD[..], format!("{COMPONENTS}/opennebula/monitord"))
        }
        _ => return qemu(around, file, reason, &settings, said),
    };
    let mut lines = Vec::new();
    for (name, setting) in &settings {
        if known.contains(&name.as_str()) {
            lines.push(Line::set(name.to_ascii_lowercase(), setting.value(DATABASE_PASSWORD)));
        } else {
            said.leave(&format!("{id}#{name}"), Why::NoField);
        }
    }
    if file.path == files.monitord {
        lines.push(Line::default("network/address", Value::text(ANY)));
    }
    said.say(path, reason, lines);
    Ok(())
}

/// qemu.conf as ncm-metaconfig's `libvirtd` knows it: numbers that mean yes or no are booleans.
fn qemu(
    around: &Around,
    file: &File,
    reason: &str,
    settings: &[(String, Setting)],
    said: &mut Said,
) -> Result<(), Unwritable> {
    let mut members = Vec::new();
    for (name, setting) in settings {
        let value = match setting {
            Setting::Number(number @ 0..=1) => Value::Flag(*number == 1),
            other => other.value(DATABASE_PASSWORD),
        };
        members.push((pan::key(name)?, value));
    }
    by_metaconfig(around, file, reason, "libvirtd/libvirtd", Value::Record(members), said)
}
