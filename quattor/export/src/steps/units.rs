//! Units of systemd by ncm-systemd.

use super::{COMPONENTS, Said};
use crate::pan::{self, Line, Unwritable, Value};
use stratus_plan::step::Unit;

pub(super) fn say(unit: &Unit, reason: &str, said: &mut Said) -> Result<(), Unwritable> {
    let (name, kind) = unit.name.rsplit_once('.').unwrap_or((&unit.name, "service"));
    let state = if unit.enabled { "enabled" } else { "disabled" };
    let lines = vec![
        Line::set("name", Value::text(name)),
        Line::set("startstop", Value::Flag(unit.enabled == unit.running)),
        Line::set("state", Value::text(state)),
        Line::set("type", Value::text(kind)),
    ];
    let key = pan::escaped(&unit.name)?;
    said.say(format!("{COMPONENTS}/systemd/unit/{key}"), reason, lines);
    Ok(())
}
