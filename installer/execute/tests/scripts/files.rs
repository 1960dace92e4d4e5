//! Files, blocks, keys of oned.conf, folders, secrets and key pairs.

use crate::bench::{Bench, mine};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use stratus_plan::step::{File, OurShare, Piece, Step};

pub(crate) fn file(path: &str, text: &str, share: OurShare) -> Step {
    Step::File(File {
        path: path.into(),
        content: vec![Piece::Text(text.into())],
        share,
        access: mine(0o640),
        secret: false,
    })
}

pub(crate) fn block(path: &str, text: &str) -> Step {
    file(path, text, OurShare::Block { name: "share".into(), comment: "#".into() })
}

#[test]
fn a_whole_file_replaces_somebodys_and_keeps_it_once() {
    let bench = Bench::new();
    bench.put("/etc/a.conf", "theirs\n");
    let said = bench.apply_twice(&file("/etc/a.conf", "ours\n", OurShare::Whole));
    assert!(said.changed());
    assert_eq!(bench.text("/etc/a.conf"), "ours\n");
    assert_eq!(fs::metadata(bench.at("/etc/a.conf")).unwrap().mode() & 0o7777, 0o640);
    bench.apply_twice(&file("/etc/a.conf", "ours, newer\n", OurShare::Whole));
    assert_eq!(bench.text("/etc/a.conf.stratus-orig"), "theirs\n");
    bench.undo();
    assert_eq!(bench.text("/etc/a.conf"), "theirs\n");
    assert!(!bench.at("/etc/a.conf.stratus-orig").exists());
}

#[test]
fn odd_names_and_contents_arrive_as_they_are() {
    let bench = Bench::new();
    let text = "a 'quoted' \"line\" $HOME `id` \\n\n\nno end of line";
    let path = "/etc/it's a \"name\" $x;";
    bench.apply_twice(&file(path, text, OurShare::Whole));
    assert_eq!(bench.text(path), text);
    bench.undo();
    assert!(!bench.at(path).exists());
}

#[test]
fn what_somebody_changed_after_us_is_not_undone() {
    let bench = Bench::new();
    let step = file("/etc/a.conf", "ours\n", OurShare::Whole);
    bench.apply(&step);
    bench.put("/etc/a.conf", "edited\n");
    let said = bench.undo();
    assert!(said.stdout.starts_with("left "), "{}", said.stdout);
    assert_eq!(bench.text("/etc/a.conf"), "edited\n");
}

#[test]
fn content_that_was_cut_off_replaces_nothing() {
    let bench = Bench::new();
    bench.put("/etc/a.conf", "theirs\n");
    let mut work = bench.work(&file("/etc/a.conf", "ours\n", OurShare::Whole));
    work.payload.truncate(2);
    let said = bench.run(&work);
    assert_ne!(said.status, 0);
    assert!(said.stderr.contains("did not arrive whole"), "{}", said.stderr);
    assert_eq!(bench.text("/etc/a.conf"), "theirs\n");
}

#[test]
fn a_block_comes_and_goes_and_the_rest_stays() {
    let bench = Bench::new();
    bench.put("/etc/fstab", "# mine\n/dev/sda1 / ext4\n");
    fs::set_permissions(bench.at("/etc/fstab"), fs::Permissions::from_mode(0o604)).unwrap();
    bench.apply_twice(&block("/etc/fstab", "one\n"));
    let with = "# mine\n/dev/sda1 / ext4\n# BEGIN STRATUS share\none\n# END STRATUS share\n";
    assert_eq!(bench.text("/etc/fstab"), with);
    bench.put("/etc/fstab", &format!("{with}added by hand\n"));
    bench.apply_twice(&block("/etc/fstab", "one\ntwo & \\three"));
    assert_eq!(
        bench.text("/etc/fstab"),
        "# mine\n/dev/sda1 / ext4\n# BEGIN STRATUS share\none\ntwo & \\three\n# END STRATUS share\nadded by hand\n"
    );
    assert_eq!(fs::metadata(bench.at("/etc/fstab")).unwrap().mode() & 0o7777, 0o604);
    bench.undo();
    assert_eq!(bench.text("/etc/fstab"), "# mine\n/dev/sda1 / ext4\nadded by hand\n");
}

#[test]
fn a_block_without_its_end_is_refused_before_it_eats_the_file() {
    let bench = Bench::new();
    bench.put("/etc/fstab", "# BEGIN STRATUS share\none\nprecious\n");
    let said = bench.run(&bench.work(&block("/etc/fstab", "two\n")));
    assert_ne!(said.status, 0);
    assert!(said.stderr.contains("mend the file"), "{}", said.stderr);
    assert!(bench.text("/etc/fstab").contains("precious"));
}

#[test]
fn a_block_in_a_file_behind_a_link_keeps_the_link() {
    let bench = Bench::new();
    bench.put("/etc/real", "there\n");
    symlink("real", bench.at("/etc/link")).unwrap();
    bench.apply_twice(&block("/etc/link", "one\n"));
    assert!(bench.at("/etc/link").is_symlink());
    assert!(bench.text("/etc/real").contains("one\n"));
}

#[test]
fn keys_of_oned_conf_change_in_place() {
    let bench = Bench::new();
    bench.put(
        "/etc/one/oned.conf",
        "# PORT = 1\nLOG = [\n  SYSTEM = \"file\", # where\n  PORT = 5 ]\nPORT = 2633 # the port\n\
         DB = [ BACKEND = \"sqlite\",\n       TIMEOUT = 2500 ]\n# end\n",
    );
    let wanted =
        "PORT = 2700\nDB = [ BACKEND = \"mysql\",\n  NAME = \"a ] b # c\" ]\nNEW_KEY = \"x\"\n";
    bench.apply_twice(&file("/etc/one/oned.conf", wanted, OurShare::OnedKeys));
    assert_eq!(
        bench.text("/etc/one/oned.conf"),
        "# PORT = 1\nLOG = [\n  SYSTEM = \"file\", # where\n  PORT = 5 ]\nPORT = 2700 # the port\n\
         DB = [ BACKEND = \"mysql\",\n  NAME = \"a ] b # c\" ]\n# end\nNEW_KEY = \"x\"\n"
    );
    bench.undo();
    assert!(bench.text("/etc/one/oned.conf").contains("PORT = 2633 # the port"));
}

#[test]
fn a_folder_is_made_and_undone_only_when_empty() {
    let bench = Bench::new();
    let step = Step::Directory { path: "/srv/a/b".into(), access: mine(0o2750) };
    bench.apply_twice(&step);
    assert_eq!(fs::metadata(bench.at("/srv/a/b")).unwrap().mode() & 0o7777, 0o2750);
    bench.undo();
    assert!(!bench.at("/srv").exists());
    bench.apply(&step);
    bench.put("/srv/a/b/data", "x");
    let said = bench.undo().stdout;
    assert!(said.contains("/srv/a/b: not empty"), "{said}");
    assert!(bench.at("/srv/a/b/data").exists());
}

#[test]
fn a_secret_is_made_once_and_stands_nowhere_else() {
    let bench = Bench::new();
    let step = Step::Secret {
        path: "/var/lib/one/.one/one_auth".into(),
        access: mine(0o600),
        prefix: "oneadmin:".into(),
    };
    let said = bench.apply_twice(&step);
    let secret = bench.text("/var/lib/one/.one/one_auth");
    let value = secret.trim().strip_prefix("oneadmin:").unwrap();
    assert_eq!(value.len(), 32);
    assert!(!said.stdout.contains(value) && !said.stderr.contains(value));
    let elsewhere = bench.tree().into_iter().filter(|(_, text)| text.contains(value)).count();
    assert_eq!(elsewhere, 1);
}

#[test]
fn a_key_pair_is_made_once_and_its_lost_half_made_again() {
    let bench = Bench::new();
    let path = "/var/lib/one/.ssh/id_ed25519".to_owned();
    let step = Step::SshKey { user: mine(0).owner, path };
    bench.apply_twice(&step);
    let public = bench.text("/var/lib/one/.ssh/id_ed25519.pub");
    assert!(public.starts_with("ssh-ed25519 "));
    fs::remove_file(bench.at("/var/lib/one/.ssh/id_ed25519.pub")).unwrap();
    bench.apply(&step);
    assert_eq!(bench.text("/var/lib/one/.ssh/id_ed25519.pub"), public);
}

/// The planner shows a difference that it made itself; the host must come to the same.
#[test]
fn a_host_writes_what_the_plan_shows() {
    let oned = "# PORT = 1\nLOG = [\n  SYSTEM = \"file\", # where\n  PORT = 5 ]\nPORT = 2633 # the port\n\
        DB = [ BACKEND = \"sqlite\",\n       TIMEOUT = 2500 ]\n# end\n";
    let share = |name: &str| OurShare::Block { name: name.into(), comment: "#".into() };
    for (current, wanted, share) in [
        ("", "a\n", share("x")),
        ("no end of line", "a", share("x")),
        ("before\n# BEGIN STRATUS x\nold\n# END STRATUS x\nafter\n", "a\nb\n", share("x")),
        ("before\n# BEGIN STRATUS x\nold\n# END STRATUS x\n", "", share("x")),
        (oned, "PORT = 2700\n", OurShare::OnedKeys),
        (oned, "DB = [ BACKEND = \"mysql\", NAME = \"x\" ]\nNEW_KEY = \"x\"\n", OurShare::OnedKeys),
    ] {
        let bench = Bench::new();
        bench.put("/etc/x", current);
        let expected = stratus_plan::content::merged(Some(current), wanted, &share);
        bench.apply(&file("/etc/x", wanted, share));
        assert_eq!(bench.text("/etc/x"), expected);
    }
}

#[test]
fn a_secret_file_is_carried_and_what_it_was_made_of_is_kept() {
    let bench = Bench::new();
    let Step::File(mut secret) = file("/etc/one/ldap.conf", "canary\n", OurShare::Whole) else {
        unreachable!()
    };
    secret.secret = true;
    bench.apply_twice(&Step::File(secret.clone()));
    let recipe = stratus_plan::content::recipe(&secret, |_, _| None).unwrap();
    let seen = bench.text("/var/lib/stratus/installer/seen/file:-etc-one-ldap.conf");
    let result = stratus_plan::content::sha256("canary\n");
    assert_eq!(seen, format!("{recipe}:{result}\n"));
}

#[test]
fn nothing_stays_of_a_host_that_is_given_back_but_the_journal() {
    let bench = Bench::new();
    bench.put("/etc/a.conf", "theirs\n");
    bench.put("/var/lib/other", "");
    let before = bench.tree();
    bench.apply(&file("/etc/a.conf", "ours\n", OurShare::Whole));
    bench.apply(&file("/etc/new/deep/b.conf", "ours\n", OurShare::Whole));
    bench.apply(&block("/etc/fstab", "ours\n"));
    bench.undo();
    assert!(!bench.at("/etc/new").exists());
    assert_eq!(bench.tree(), before);
    bench.apply(&block("/etc/fstab", "ours\n"));
    bench.put("/var/lib/stratus/installer/journal/one.jsonl", "{}\n");
    let said = bench.undo().stdout;
    assert!(said.contains("installer: the journal"), "{said}");
    assert_eq!(bench.text("/var/lib/stratus/installer/journal/one.jsonl"), "{}\n");
}
