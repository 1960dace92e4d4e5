//! Packages, units, actions, accounts, the database: with stand-ins that remember.

use crate::bench::Bench;
use std::fs;
use stratus_plan::step::{Action, Step, Unit, User};

/// A Debian whose package manager keeps its packages in a file; in another those that it removed and
/// has the configuration of, which only libraries have none of.
pub(crate) fn debian(bench: &Bench) {
    bench.program("dpkg-query", DPKG_QUERY);
    bench.program("dpkg", "case $* in *--audit*) cat \"$T/half\" 2>/dev/null ;; *--configure*) rm -f \"$T/half\" ;; esac");
    bench.program("apt-get", APT_GET);
}

const DPKG_QUERY: &str = r#"
touch "$T/packages"
for last; do :; done
case $* in
*Package*) sed 's/^/ii  /' "$T/packages" ;;
*Status-Status*) grep -qx "$last" "$T/configured" || exit 1; printf config-files ;;
*) grep -qx "$last" "$T/packages" || exit 1; printf 'ii ' ;;
esac"#;

const APT_GET: &str = r#"
[ ! -e "$T/half" ] || { echo 'E: dpkg was interrupted' >&2; exit 100; }
verb= ; names=
for word; do
    case $word in
    -o) skip=1 ;;
    DPkg::* | Dpkg::* | -*) ;;
    install | remove | purge | update) verb=$word ;;
    *) names="$names $word" ;;
    esac
done
case "$verb $*" in
update*) echo 'Hit:1 http://mirror.example.org' ;;
install*)
    for verb in start restart stop; do
        "$T/root/usr/sbin/policy-rc.d" x $verb && echo "$verb" >> "$T/allowed"
    done
    for verb in reload force-reload; do "$T/root/usr/sbin/policy-rc.d" dbus $verb && echo $verb >> "$T/allowed"; done
    STRATUS_INSTALLING= "$T/root/usr/sbin/policy-rc.d" x start && echo "start by others" >> "$T/allowed"
    echo x > "$T/half"
    for name in $names; do printf '%s\n' "$name" "lib$name" >> "$T/packages"; done
    sort -u "$T/packages" -o "$T/packages"
    rm -f "$T/half" ;;
"remove "*" -s "* | "remove "*"-s remove"*) for name in $names; do echo "Remv $name [1]"; done ;;
remove*)
    for name in $names; do
        grep -vx "$name" "$T/packages" > "$T/p"; mv "$T/p" "$T/packages"
        case $name in lib*) ;; *) echo "$name" >> "$T/configured" ;; esac
    done ;;
purge*)
    for name in $names; do
        grep -qx "$name" "$T/configured" || { echo "E: Unable to locate package $name" >&2; exit 100; }
        grep -vx "$name" "$T/configured" > "$T/p"; mv "$T/p" "$T/configured"
    done ;;
esac"#;

pub(crate) fn one_service(bench: &Bench) {
    bench.put("/etc/one.conf", "a\n");
    bench.program("systemctl", SYSTEMCTL);
}

const SYSTEMCTL: &str = r#"
verb=$1; for unit; do :; done
case $verb in
is-enabled) if [ -e "$T/enabled-$unit" ]; then echo enabled; else echo disabled; exit 1; fi ;;
is-active) if [ -e "$T/active-$unit" ]; then echo active; else echo inactive; exit 3; fi ;;
show)
    case $* in
    *TriggeredBy*) if [ -e "$T/active-one.socket" ]; then echo 'one.path one.socket'; fi ;;
    *) echo no ;;
    esac
    ;;
enable) : > "$T/enabled-$unit" ;;
disable) rm -f "$T/enabled-$unit" ;;
start | restart | reload-or-restart) [ ! -e "$T/broken" ] || exit 1; : > "$T/active-$unit" ;;
stop) rm -f "$T/active-$unit" ;;
esac"#;

pub(crate) fn unit(running: bool) -> Step {
    Step::Unit(Unit {
        name: "one.service".into(),
        enabled: running,
        running,
        inputs: ["/etc/one.conf".into()].into(),
        reload: false,
    })
}

fn verbs(bench: &Bench) -> Vec<String> {
    let changes = |c: &String| !c.contains("is-") && !c.contains(" show") && !c.contains(" cat ");
    let word = |c: String| c.split_whitespace().nth(1).unwrap_or_default().to_owned();
    bench.calls().into_iter().filter(changes).map(word).collect()
}

#[test]
fn a_unit_starts_and_starts_again_when_its_files_change() {
    let bench = Bench::new();
    one_service(&bench);
    bench.apply(&unit(true));
    assert_eq!(verbs(&bench), ["daemon-reload", "enable", "start"]);
    assert!(!bench.apply(&unit(true)).changed());
    assert!(verbs(&bench).is_empty());
    bench.put("/etc/one.conf", "b\n");
    bench.apply(&unit(true));
    assert_eq!(verbs(&bench), ["daemon-reload", "restart"]);
    bench.undo();
    assert_eq!(verbs(&bench), ["stop", "disable", "daemon-reload"]);
}

#[test]
fn a_unit_that_left_for_want_of_work_is_not_started_while_its_socket_listens() {
    let bench = Bench::new();
    one_service(&bench);
    bench.apply(&unit(true));
    verbs(&bench);
    let folder = bench.root().parent().unwrap().to_owned();
    fs::remove_file(folder.join("active-one.service")).unwrap();
    fs::write(folder.join("active-one.socket"), "").unwrap();
    assert!(!bench.apply(&unit(true)).changed());
    assert!(verbs(&bench).is_empty());
    fs::remove_file(folder.join("active-one.socket")).unwrap();
    bench.apply(&unit(true));
    assert_eq!(verbs(&bench), ["start"]);
}

#[test]
fn a_unit_that_does_not_start_has_not_seen_its_files() {
    let bench = Bench::new();
    one_service(&bench);
    bench.apply(&unit(true));
    let folder = bench.root().parent().unwrap().to_owned();
    fs::write(folder.join("broken"), "").unwrap();
    bench.put("/etc/one.conf", "b\n");
    let said = bench.run(&bench.work(&unit(true)));
    assert_ne!(said.status, 0);
    assert!(said.stderr.contains("journalctl -u one.service"), "{}", said.stderr);
    fs::remove_file(folder.join("broken")).unwrap();
    bench.calls();
    bench.apply(&unit(true));
    assert!(verbs(&bench).contains(&"restart".to_owned()));
}

#[test]
fn packages_come_without_starting_services_and_go_with_what_they_brought() {
    let bench = Bench::new();
    debian(&bench);
    let step = Step::Packages { names: ["one".into(), "two".into()].into() };
    let folder = bench.root().parent().unwrap().to_owned();
    fs::write(folder.join("packages"), "base\ntwo\n").unwrap();
    bench.apply_twice(&step);
    let calls = bench.calls();
    let install = calls.iter().filter(|c| c.contains("install")).collect::<Vec<_>>();
    assert_eq!(install.len(), 1);
    assert!(install[0].ends_with("install --no-install-recommends one"), "{install:?}");
    assert!(install[0].contains("--force-confold") && install[0].contains("Lock::Timeout"));
    // What runs may read its files again: dbus has to learn of accounts that packages make.
    let allowed = fs::read_to_string(folder.join("allowed")).unwrap();
    assert_eq!(allowed, "reload\nforce-reload\nstart by others\n");
    assert!(!bench.at("/usr/sbin/policy-rc.d").exists());
    assert_eq!(bench.text("/var/lib/stratus/installer/packages-added"), "libone\none\n");
    bench.undo();
    assert_eq!(fs::read_to_string(folder.join("packages")).unwrap(), "base\ntwo\n");
    assert_eq!(fs::read_to_string(folder.join("configured")).unwrap(), "", "all of it is purged");
}

#[test]
fn a_transaction_that_was_cut_off_is_mended_first() {
    let bench = Bench::new();
    debian(&bench);
    fs::write(bench.root().parent().unwrap().join("half"), "one is half configured\n").unwrap();
    bench.apply_twice(&Step::Packages { names: ["one".into()].into() });
    assert!(bench.calls().iter().any(|c| c.contains("--configure -a")));
}

#[test]
fn an_action_is_done_again_only_when_its_inputs_change() {
    let bench = Bench::new();
    bench.program("exportfs", "exit 0");
    bench.put("/etc/exports.d/a.exports", "/srv *(ro)\n");
    let inputs = ["/etc/exports.d/a.exports".to_owned()].into();
    let step = Step::Action { action: Action::ExportShares, inputs };
    bench.apply_twice(&step);
    assert_eq!(bench.calls(), ["exportfs -ra"]);
    bench.put("/etc/exports.d/a.exports", "/srv *(rw)\n");
    bench.apply_twice(&step);
    assert_eq!(bench.calls(), ["exportfs -ra"]);
}

#[test]
fn an_overlay_is_made_anew_when_the_site_file_changes_or_it_is_gone() {
    let bench = Bench::new();
    let conf = "/var/lib/stratus/vpn/server/server.conf";
    bench.program("stratus-vpn", "mkdir -p \"$5/server\"; echo >> \"$5/server/server.conf\"");
    bench.put("/etc/stratus/stratus.toml", "[vpn]\n");
    let inputs = ["/etc/stratus/stratus.toml".to_owned()].into();
    let step = Step::Action { action: Action::MakeOverlay, inputs };
    let verbs = || -> Vec<String> {
        let word = |c: String| c.split(' ').nth(1).map(str::to_owned);
        bench.calls().into_iter().filter_map(word).collect()
    };
    bench.apply_twice(&step);
    assert_eq!(verbs(), ["init", "add"]);
    bench.put("/etc/stratus/stratus.toml", "[vpn]\nport = 1195\n");
    bench.apply_twice(&step);
    assert_eq!(verbs(), ["init", "add"]);
    fs::remove_file(bench.at(conf)).unwrap();
    bench.apply_twice(&step);
    assert_eq!(verbs(), ["init", "add"]);
    // One that fails is not noted as done.
    bench.program("stratus-vpn", "echo 'no authority' >&2; exit 1");
    bench.put("/etc/stratus/stratus.toml", "[vpn]\n");
    assert_ne!(bench.run(&bench.work(&step)).status, 0);
    assert_ne!(bench.run(&bench.work(&step)).status, 0);
}

/// The settings are what they were, and the other mode's files are in between.
#[test]
fn an_overlay_is_made_again_when_its_mode_changes_back() {
    let bench = Bench::new();
    let files =
        "mkdir -p \"$5/server\"; touch \"$5/server/server.conf\" \"$5/server/wg-stratus.conf\"";
    bench.program("stratus-vpn", files);
    bench.put("/etc/stratus/stratus.toml", "[vpn]\n");
    for action in [Action::MakeOverlay, Action::MakeWireguard, Action::MakeOverlay] {
        let inputs = ["/etc/stratus/stratus.toml".to_owned()].into();
        bench.apply_twice(&Step::Action { action, inputs });
        assert_eq!(bench.calls().len(), 2, "{action:?}");
    }
}

/// With stand-ins of its two programs: no host of the bench has SELinux.
#[test]
fn a_boolean_of_selinux_is_set_once_set_again_and_given_back() {
    let bench = Bench::new();
    let value = bench.root().join("boolean");
    fs::write(&value, "off").unwrap();
    let get = format!("echo \"virt_use_nfs --> $(cat {})\"", value.display());
    bench.program("getsebool", &get);
    bench.program("setsebool", &format!("printf %s \"$3\" > {}", value.display()));
    let step = Step::Action { action: Action::AllowNfsMachines, inputs: [].into() };
    bench.apply_twice(&step);
    let sets = || bench.calls().into_iter().filter(|c| c.starts_with("setsebool")).count();
    assert_eq!((sets(), fs::read_to_string(&value).unwrap().as_str()), (1, "on"));
    // Somebody turned it off.
    fs::write(&value, "off").unwrap();
    bench.apply_twice(&step);
    assert_eq!(sets(), 1);
    assert_eq!(bench.undo().status, 0);
    assert_eq!(fs::read_to_string(&value).unwrap(), "off");
    // What was on before us stays.
    fs::write(&value, "on").unwrap();
    bench.apply_twice(&step);
    assert_eq!(bench.undo().status, 0);
    assert_eq!(fs::read_to_string(&value).unwrap(), "on");
}

#[test]
fn a_firewall_with_a_mistake_is_not_loaded_at_all() {
    let bench = Bench::new();
    bench.program("nft", "case $*  in *-c*b.nft) exit 1 ;; esac");
    let inputs = ["/etc/a.nft".to_owned(), "/etc/b.nft".to_owned()].into();
    let step = Step::Action { action: Action::LoadFirewall, inputs };
    assert_ne!(bench.run(&bench.work(&step)).status, 0);
    assert!(bench.calls().iter().all(|c| c.contains(" -c ")));
}

#[test]
fn a_password_reaches_the_database_by_a_pipe_alone() {
    let bench = Bench::new();
    bench.program("mariadb", "cat >> \"$T/statements\"");
    bench.put("/etc/one/db.password", "can'ary\\x\nmore\n");
    let step =
        Step::Database { name: "opennebula".into(), password_file: "/etc/one/db.password".into() };
    let said = bench.apply(&step);
    let statements = bench.root().parent().unwrap().join("statements");
    let statements = fs::read_to_string(statements).unwrap();
    assert!(statements.contains("IDENTIFIED BY 'can\\'ary\\\\x';"), "{statements}");
    assert!(!bench.calls().join(" ").contains("ary"));
    assert!(!said.stdout.contains("ary") && !said.stderr.contains("ary"));
    assert!(bench.undo().stdout.contains("not ours to delete"));
}

#[test]
fn accounts_are_made_once_and_only_ours_are_removed() {
    let bench = Bench::new();
    bench.program("getent", "f=\"$T/$1-$2\"; [ -e \"$f\" ] && cat \"$f\" || exit 2");
    bench.program("groupadd", "for n; do :; done; echo \"$n:x:9869:\" > \"$T/group-$n\"");
    bench.program("groupdel", "rm \"$T/group-$1\"");
    bench.program(
        "useradd",
        "for n; do :; done; echo \"$n:x:9869:9869::/var/lib/one:/bin/sh\" > \"$T/passwd-$n\"",
    );
    bench.program("userdel", "rm \"$T/passwd-$1\"");
    bench.program("usermod", "echo kvm >> \"$T/more\"");
    bench.program("chown", "exit 0");
    bench.program("id", "case $1 in -gn) echo oneadmin ;; -Gn) echo oneadmin $(cat \"$T/more\" 2>/dev/null) ;; esac");
    let group = Step::Group { name: "oneadmin".into(), gid: Some(9869) };
    let user = Step::User(User {
        name: "oneadmin".into(),
        uid: Some(9869),
        group: "oneadmin".into(),
        home: "/var/lib/one".into(),
        shell: "/bin/sh".into(),
        groups: ["kvm".into()].into(),
    });
    bench.apply_twice(&group);
    bench.apply_twice(&user);
    let made = bench.calls().iter().filter(|c| c.contains("add ")).count();
    assert_eq!(made, 2);
    let other = Step::Group { name: "oneadmin".into(), gid: Some(1) };
    let said = bench.run(&bench.work(&other));
    assert!(said.stderr.contains("groupmod -g 1 oneadmin"), "{}", said.stderr);
    bench.undo();
    let calls = bench.calls();
    assert!(
        calls.contains(&"userdel oneadmin".into()) && calls.contains(&"groupdel oneadmin".into())
    );
}

#[test]
fn zypper_gets_the_keys_of_our_repositories_and_trusts_no_others() {
    let bench = Bench::new();
    bench.put("/etc/os-release", "ID=opensuse-leap\nID_LIKE=\"suse opensuse\"\n");
    let repository = "/etc/zypp/repos.d/stratus-opennebula.repo";
    bench.put(repository, "[stratus-opennebula]\ngpgcheck=1\ngpgkey=file:///etc/pki/ours\n");
    bench.put("/etc/zypp/repos.d/other.repo", "[other]\ngpgkey=file:///etc/pki/theirs\n");
    let rpm = "case $1 in -qa) echo gpg-pubkey-suse-1; cat \"$T/keys\" 2>/dev/null || : ;;\n\
        --import) echo gpg-pubkey-ours-1 > \"$T/keys\" ;; -q) [ -e \"$T/keys\" ] ;; -e) rm \"$T/keys\" ;; esac";
    bench.program("rpm", rpm);
    bench.program("zypper", "exit 0");
    let inputs = [repository.to_owned()].into();
    bench.apply_twice(&Step::Action { action: Action::RefreshPackages, inputs });
    let calls = bench.calls();
    let imported = format!("rpm --import {}", bench.at("/etc/pki/ours").display());
    let import = calls.iter().position(|call| *call == imported).expect("the key is imported");
    let refresh = calls.iter().position(|call| call == "zypper --non-interactive refresh");
    assert!(refresh.is_some_and(|at| at > import), "{calls:?}");
    assert!(!calls.iter().any(|call| call.contains("theirs")), "{calls:?}");
    bench.undo();
    let calls = bench.calls();
    assert!(calls.contains(&"rpm -e gpg-pubkey-ours-1".to_owned()), "{calls:?}");
    assert!(!calls.iter().any(|call| call.contains("-e gpg-pubkey-suse")), "{calls:?}");
}
