//! What runs when packages come and go: accounts, units, and what a purge takes away.
//!
//! Nothing is asked, nothing is fetched, and each script may run again. On Debian a service that can
//! work as it is installed starts, as the policy has it; on RPM's family presets decide. A unit that
//! was changed is restarted if it runs.

use crate::description::System;
use std::fmt::Write as _;

/// Debian's maintainer scripts, by name.
pub(crate) fn debian(system: &System) -> Vec<(&'static str, String)> {
    if system.account_lists.is_empty() {
        return Vec::new();
    }
    let script = |body: String| format!("#!/bin/sh\nset -e\n{body}");
    let mut scripts = vec![
        ("postinst", script(debian_postinst(system))),
        ("postrm", script(debian_postrm(system))),
    ];
    if !system.units.is_empty() {
        scripts.push(("prerm", script(debian_prerm(system))));
    }
    scripts
}

fn debian_postinst(system: &System) -> String {
    let mut text =
        "case \"$1\" in\nconfigure | abort-upgrade | abort-deconfigure | abort-remove) ;;\n\
                    *) exit 0 ;;\nesac\n"
            .to_owned();
    for list in &system.account_lists {
        let _ = writeln!(text, "systemd-sysusers ${{DPKG_ROOT:+--root=\"$DPKG_ROOT\"}} {list}");
    }
    for (unit, starts) in &system.units {
        // Without the condition the first installation would enable it: nobody said no yet.
        let condition = if *starts {
            String::new()
        } else {
            format!("deb-systemd-helper debian-installed {unit} && ")
        };
        let _ = write!(
            text,
            "deb-systemd-helper unmask {unit} > /dev/null || true\n\
             if {condition}deb-systemd-helper --quiet was-enabled {unit}; then\n    \
             deb-systemd-helper enable {unit} > /dev/null || true\n\
             else\n    \
             deb-systemd-helper update-state {unit} > /dev/null || true\n\
             fi\n"
        );
    }
    text + &debian_start(system)
}

/// Starts what can work as it is installed; after a change of version what runs is restarted.
fn debian_start(system: &System) -> String {
    if system.units.is_empty() {
        return String::new();
    }
    let mut text =
        format!("{DEBIAN_RUNS}; then\n    systemctl --system daemon-reload > /dev/null || true\n");
    for (unit, starts) in &system.units {
        let line = if *starts {
            format!(
                "if [ -n \"$2\" ]; then action=restart; else action=start; fi\n    \
                 deb-systemd-invoke $action {unit} > /dev/null || true"
            )
        } else {
            format!("[ -z \"$2\" ] || deb-systemd-invoke try-restart {unit} > /dev/null || true")
        };
        let _ = writeln!(text, "    {line}");
    }
    text + "fi\n"
}

/// The system runs, and it is this one that packages are changed of.
const DEBIAN_RUNS: &str = "if [ -z \"${DPKG_ROOT:-}\" ] && [ -d /run/systemd/system ]";

fn debian_prerm(system: &System) -> String {
    let units = names(system);
    format!(
        "{DEBIAN_RUNS} && [ \"$1\" = remove ]; then\n    \
         deb-systemd-invoke stop {units} > /dev/null || true\nfi\n"
    )
}

/// A purge is the word for "leave nothing": what services kept in their own folders goes with the
/// accounts that owned it.
fn debian_postrm(system: &System) -> String {
    let mut text = String::new();
    if !system.units.is_empty() {
        let _ = write!(
            text,
            "{DEBIAN_RUNS} && [ \"$1\" = remove ]; then\n    \
             systemctl --system daemon-reload > /dev/null || true\nfi\n"
        );
    }
    text += "[ \"$1\" = purge ] || exit 0\n";
    if !system.units.is_empty() {
        let _ = write!(
            text,
            "if command -v deb-systemd-helper > /dev/null; then\n    \
             deb-systemd-helper purge {} > /dev/null || true\nfi\n",
            names(system)
        );
    }
    for folder in &system.folders {
        let _ = writeln!(text, "rm -rf \"${{DPKG_ROOT:-}}{folder}\"");
    }
    text += "rmdir \"${DPKG_ROOT:-}/var/lib/stratus\" 2> /dev/null || true\n";
    let accounts = system.accounts.iter().map(|name| ("passwd", "userdel", name));
    let groups = system.groups.iter().map(|name| ("group", "groupdel", name));
    for (list, remove, name) in accounts.chain(groups) {
        let _ = write!(
            text,
            "if [ -z \"${{DPKG_ROOT:-}}\" ] && getent {list} {name} > /dev/null; then\n    \
             {remove} {name} || true\nfi\n"
        );
    }
    text
}

/// RPM's scriptlets, by section.
pub(crate) fn rpm(system: &System) -> Vec<(&'static str, String)> {
    if system.account_lists.is_empty() {
        return Vec::new();
    }
    let accounts = format!("systemd-sysusers {} || :\n", system.account_lists.join(" "));
    if system.units.is_empty() {
        return vec![("%post", accounts)];
    }
    let units = names(system);
    let reload = "if [ -d /run/systemd/system ]; then systemctl daemon-reload || :; fi\n";
    vec![
        (
            "%post",
            format!(
                "{accounts}{reload}\
                 if [ \"$1\" -eq 1 ]; then systemctl --no-reload preset {units} || :; fi\n"
            ),
        ),
        (
            "%preun",
            format!(
                "if [ \"$1\" -eq 0 ]; then\n    systemctl --no-reload disable {units} || :\n    \
                 if [ -d /run/systemd/system ]; then systemctl stop {units} || :; fi\nfi\n"
            ),
        ),
        (
            "%postun",
            format!(
                "{reload}if [ \"$1\" -ge 1 ] && [ -d /run/systemd/system ]; then\n    \
                 systemctl try-restart {units} || :\nfi\n"
            ),
        ),
    ]
}

fn names(system: &System) -> String {
    system.units.iter().map(|(unit, _)| unit.as_str()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system() -> System {
        System {
            units: vec![("a.service".to_owned(), true), ("b.timer".to_owned(), false)],
            account_lists: vec!["a.conf".to_owned()],
            accounts: vec!["a".to_owned()],
            groups: vec!["shared".to_owned()],
            folders: vec!["/var/lib/stratus/a".to_owned()],
        }
    }

    #[test]
    fn a_package_has_the_scripts_that_it_needs() {
        assert!(debian(&System::default()).is_empty() && rpm(&System::default()).is_empty());
        let accounts = System { units: Vec::new(), ..system() };
        let names = |scripts: Vec<(&'static str, String)>| -> Vec<_> {
            scripts.into_iter().map(|(name, _)| name).collect()
        };
        assert_eq!(names(debian(&accounts)), ["postinst", "postrm"]);
        assert_eq!(names(rpm(&accounts)), ["%post"]);
    }

    #[test]
    fn scripts_are_shell() {
        let debian = debian(&system());
        let rpm = rpm(&system());
        assert_eq!((debian.len(), rpm.len()), (3, 3));
        for (name, script) in debian.iter().chain(&rpm) {
            let mut shell = crate::run::program("sh");
            crate::run::check(shell.args(["-n", "-c", script]))
                .unwrap_or_else(|e| panic!("{name}: {e}"));
        }
        let of = |name| &debian.iter().find(|(n, _)| *n == name).unwrap().1;
        assert!(of("postinst").contains("deb-systemd-invoke $action a.service"));
        assert!(!of("postinst").contains("$action b.timer"));
        assert!(of("postrm").contains("rm -rf \"${DPKG_ROOT:-}/var/lib/stratus/a\""));
    }
}
