//! An administrator who sits at the front-end itself: its steps run on the machine of the terminal.

use super::site;
use std::fs;
use std::io::Write as _;
use std::process::Stdio;
use stratus_tests::hosts::HostSetup;
use stratus_tests::program;

/// Programs that set the terminal (apt, sudo) are stopped for ever when they do it in the background.
#[test]
fn the_front_end_sets_itself_up_at_its_own_terminal() {
    let site = site([HostSetup::new("front")]);
    site.write("front", "10.77.0.109", "");
    let front = &site.hosts[0];
    let install = fs::read(program("stratus-install").get_program()).unwrap();
    front.write("/usr/local/bin/stratus-install", 0o755, install);
    front.write("/root/site.toml", 0o600, fs::read(site.file()).unwrap());
    front.write("/root/repo2.key", 0o644, fs::read(site.folder().join("repo2.key")).unwrap());
    // A person with `sudo`, as on most machines.
    front.run("useradd -m -s /bin/sh ann && cp -r /root/.ssh /root/site.toml /root/repo2.key ~ann/ && chown -R ann: ~ann").good();
    front.run("echo 'Defaults use_pty\nann ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ann").good();
    let at_terminal = |task: &str, typed: &str| {
        let mut ssh = site.lab().command("timeout");
        ssh.args(["--kill-after=5", "600", "ssh", "-tt", "ann@front"]);
        ssh.arg(format!("stty cols 100 rows 30; stratus-install {task} --config site.toml"));
        ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut ssh = ssh.spawn().unwrap();
        let mut keyboard = ssh.stdin.take().unwrap();
        keyboard.write_all(typed.as_bytes()).unwrap();
        let out = ssh.wait_with_output().unwrap();
        drop(keyboard);
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(out.status.success(), "{task}: {}\n{said}", out.status);
        said
    };
    let said = at_terminal("apply", "y\n");
    assert!(said.contains("front: done"), "{said}");
    assert!(at_terminal("apply", "").contains("nothing is to be done"));
    assert!(at_terminal("status", "").contains("apply: "));
}
