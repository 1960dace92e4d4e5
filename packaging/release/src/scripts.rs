//! What runs when packages come and go: accounts, units, and what a purge takes away.
//!
//! Nothing is asked, nothing is fetched, and each script may run again. On Debian a service that can
//! work as it is installed starts, as the policy has it; on RPM's family presets decide. A unit that
//! was changed is restarted if it runs.

use crate::description::System;
use std::fmt::Write as _;

/// Debian's maintainer scripts, by name.
pub(crate) fn debian(system: &System) -> Vec<(&'static str, String)> {
    if system.units.is_empty() {
        return Vec::new();
    }
    let script = |body: String| format!("#!/bin/sh\nset -e\n{body}");
    vec![
        ("postinst", script(debian_postinst(system))),
        ("prerm", script(debian_prerm(system))),
        ("postrm", script(debian_postrm(system))),
    ]
}

fn debian_postinst(system: &System) -> String {
    let mut text = "case \"$1\" in\nconfigure | abort-upgrade | abort-deconfigure | abort-remove) ;;\n*) exit 0 ;;\nesac\n".to_owned();
    for list in &system.account_lists {
        let _ = writeln!(text, "systemd-sysusers ${{DPKG_ROOT:+--root=\"$DPKG_ROOT\"}} {list}");
    }
    for (unit, starts) in &system.units {
        let _ = write!(
            text,
            "deb-systemd-helper unmask {unit} > /dev/null || true\n\
             if {condition}deb-systemd-helper --quiet was-enabled {unit}; then\n    \
             deb-systemd-helper enable {unit} > /dev/null || true\n\
             else\n    \
             deb-systemd-helper update-state {unit} > /dev/null || true\n\
             fi\n",
            // Without it the first installation would enable it: nobody said no yet.
            condition = if *starts {
                String::new()
            } else {
                format!("deb-systemd-helper debian-installed {unit} && ")
            },
        );
    }
    text += "if [ -z \"${DPKG_ROOT:-}\" ] && [ -d /run/systemd/system ]; then\n    \
             systemctl --system daemon-reload > /dev/null || true\n";
    for (unit, starts) in &system.units {
        if *starts {
            let _ = write!(
                text,
                "    if [ -n \"$2\" ]; then action=restart; else action=start; fi\n    \
                 deb-systemd-invoke $action {unit} > /dev/null || true\n"
            );
        } else {
            let _ = writeln!(
                text,
                "    [ -z \"$2\" ] || deb-systemd-invoke try-restart {unit} > /dev/null || true"
            );
        }
    }
    text + "fi\n"
}

fn debian_prerm(system: &System) -> String {
    let units = names(system);
    format!(
        "if [ -z \"${{DPKG_ROOT:-}}\" ] && [ \"$1\" = remove ] && [ -d /run/systemd/system ]; then\n    \
         deb-systemd-invoke stop {units} > /dev/null || true\nfi\n"
    )
}

/// A purge is the word for "leave nothing": what services kept in their own folders goes with the
/// accounts that owned it.
fn debian_postrm(system: &System) -> String {
    let mut text = "if [ -z \"${DPKG_ROOT:-}\" ] && [ \"$1\" = remove ] && [ -d /run/systemd/system ]; then\n    \
                    systemctl --system daemon-reload > /dev/null || true\nfi\n\
                    [ \"$1\" = purge ] || exit 0\n"
        .to_owned();
    let _ = write!(
        text,
        "if [ -x /usr/bin/deb-systemd-helper ]; then\n    \
         deb-systemd-helper purge {} > /dev/null || true\nfi\n",
        names(system)
    );
    for folder in &system.folders {
        let _ = writeln!(text, "rm -rf \"${{DPKG_ROOT:-}}{folder}\"");
    }
    text += "rmdir \"${DPKG_ROOT:-}/var/lib/stratus\" 2> /dev/null || true\n";
    for account in &system.accounts {
        let _ = write!(
            text,
            "if [ -z \"${{DPKG_ROOT:-}}\" ] && getent passwd {account} > /dev/null; then\n    \
             userdel {account} || true\nfi\n"
        );
    }
    text
}

/// RPM's scriptlets, by section.
pub(crate) fn rpm(system: &System) -> Vec<(&'static str, String)> {
    if system.units.is_empty() {
        return Vec::new();
    }
    let (units, lists) = (names(system), system.account_lists.join(" "));
    let reload = "if [ -d /run/systemd/system ]; then systemctl daemon-reload || :; fi\n";
    vec![
        (
            "%post",
            format!(
                "systemd-sysusers {lists} || :\n{reload}\
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
            folders: vec!["/var/lib/stratus/a".to_owned()],
        }
    }

    #[test]
    fn a_package_without_units_has_no_scripts() {
        assert!(debian(&System::default()).is_empty() && rpm(&System::default()).is_empty());
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
