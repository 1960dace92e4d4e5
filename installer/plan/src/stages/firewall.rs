//! What may come in: one table of nftables, loaded by a unit of our own.
//!
//! The distribution's `nftables.service` empties the whole rule set when it loads its file, and
//! with it the rules of others; ours touches its own table only. A second firewall that closes
//! what this one opens is switched off.

use crate::step::{Step, Unit};
use crate::view::View;
use crate::wanted::{Wanted, packages_id, running, set, whole};

const RULES: &str = "/etc/stratus/firewall.nft";
const UNIT: &str = "stratus-firewall.service";

pub(super) fn wanted(view: &View) -> Vec<Wanted> {
    let family = view.system.family;
    let unit_path = format!("/etc/systemd/system/{UNIT}");
    let unit = Unit { reload: true, ..running(UNIT, &[RULES, &unit_path]) };
    let mut steps = vec![
        Wanted::packages("firewall", &family.packages.firewall, "the rules are nftables' own"),
        Wanted::new(
            Step::File(whole(RULES, 0o600, view.rules)),
            "what the host serves comes in, from where it is meant to; nothing else does",
        ),
        Wanted::new(
            Step::File(whole(&unit_path, 0o644, unit_file(&family.files.nft))),
            "the rules are there from the start of the host, before its services",
        ),
    ];
    steps.extend(family.units.other_firewalls.iter().map(|name| other(name)));
    let step = Step::Unit(unit);
    steps.push(Wanted::new(step, "the rules are loaded").needs(packages_id("firewall")));
    steps
}

fn other(name: &str) -> Wanted {
    let step = Step::Unit(Unit {
        name: name.into(),
        enabled: false,
        running: false,
        inputs: set(&[]),
        reload: false,
    });
    Wanted::new(step, "one firewall: this one would close what the site's rules open")
}

fn unit_file(nft: &str) -> String {
    format!(
        "[Unit]\nDescription=Firewall of the site\nWants=network-pre.target\n\
         Before=network-pre.target shutdown.target\nConflicts=shutdown.target\n\
         DefaultDependencies=no\nAfter=local-fs.target\n\n\
         [Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart={nft} -f {RULES}\n\
         ExecReload={nft} -f {RULES}\nExecStop={nft} delete table inet stratus\nExecStop=-{nft} delete table ip stratus_nat\n\n\
         [Install]\nWantedBy=sysinit.target\n"
    )
}
