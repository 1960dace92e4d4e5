//! oned away, half an answer, no rights, a kill at any moment, a full disk: the ledger is whole.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use stratus_tests::{run, tool};

use crate::history::{answer, busy, recorded};
use crate::site::{AUTH, Site};

const WINDOW: &str = "--by vm --from 2026-08-01 --to 2026-11-01";

#[tokio::test(flavor = "multi_thread")]
async fn what_oned_does_wrong_costs_nothing() {
    let site = Site::start().await;
    let none = site.accounting("report");
    assert_eq!(none.code, 2);
    assert!(none.stderr.contains("there is no ledger"), "{}", none.stderr);
    site.play(&answer(&busy(5)));
    site.accounting("feed").good();
    let before = site.report(WINDOW);

    // Half an answer.
    let text = recorded();
    site.play(&text[..text.len() / 2]);
    let half = site.accounting("feed");
    assert_eq!(half.code, 1, "{}", half.stderr);
    assert!(half.stderr.contains("is not well-formed XML"), "{}", half.stderr);
    // A value that is none.
    site.play(&text.replacen("<RSTIME>1795220268</RSTIME>", "<RSTIME>soon</RSTIME>", 1));
    let wrong = site.accounting("feed");
    assert_eq!(wrong.code, 1);
    assert!(wrong.stderr.contains("`<RSTIME>` of VM 0, record 9"), "{}", wrong.stderr);
    // Another password.
    site.auth("oneadmin:wrong");
    assert_eq!(site.accounting("feed").code, 4);
    site.auth(AUTH);
    // Nobody there.
    site.endpoint("http://127.0.0.1:1/RPC2");
    assert_eq!(site.accounting("feed").code, 5);
    assert_eq!(site.report(WINDOW)["rows"], before["rows"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_sees_only_part_is_refused() {
    let site = Site::start().await;
    site.auth("serveradmin:serveradmin");
    site.accounting("feed").good();
    let session = stratus_opennebula::Session::from_auth_file(&AUTH.to_owned().into()).unwrap();
    let transport = stratus_opennebula::HttpTransport::new(&site.oned.url()).unwrap();
    let client = stratus_opennebula::Client::new(std::sync::Arc::new(transport), session);
    client.allocate_user("alice", &"alicepw".to_owned().into(), "core", &[]).await.unwrap();
    site.auth("alice:alicepw");
    let refused = site.accounting("feed");
    assert_eq!(refused.code, 4, "{}", refused.stderr);
    assert!(refused.stderr.contains("`alice` is no administrator"), "{}", refused.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feed_killed_at_any_moment_loses_and_doubles_nothing() {
    let site = Site::start().await;
    site.play(&answer(&busy(100)));
    let started = Instant::now();
    site.accounting("feed").good();
    let whole = started.elapsed();
    let expected = site.report(WINDOW);
    std::fs::remove_dir_all(site.path().join("ledger")).unwrap();
    std::fs::create_dir(site.path().join("ledger")).unwrap();
    let mut killed = 0;
    for part in 0..=8_u32 {
        let mut child = site.command("feed").stderr(Stdio::null()).spawn().unwrap();
        let end = Instant::now() + whole * part / 8;
        while Instant::now() < end && child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // It may have ended by itself.
        let _ended = child.kill();
        killed += u32::from(!child.wait().unwrap().success());
    }
    assert!(killed > 0, "none was killed");
    site.accounting("feed").good();
    assert_eq!(site.report(WINDOW)["rows"], expected["rows"]);
}

/// A small file system of its own, unmounted when dropped.
struct Small<'a>(&'a std::path::Path);

impl Small<'_> {
    fn mount(&self, options: &str) {
        let mut mount: Command = tool("mount", "mount");
        run(mount.args(["-t", "tmpfs", "-o", options, "none"]).arg(self.0)).good();
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let _gone = run(tool("umount", "mount").arg(self.0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_and_nothing_is_lost() {
    let site = Site::start().await;
    let folder = site.path().join("ledger");
    let small = Small(&folder);
    small.mount("size=300k");
    site.play(&answer(&busy(5)));
    site.accounting("feed").good();
    let before = site.report(WINDOW);
    let many = busy(600);
    site.play(&answer(&many));
    let full = site.accounting("feed --everything");
    assert_eq!(full.code, 1, "{}", full.stderr);
    assert!(full.stderr.contains("there is no room for the ledger"), "{}", full.stderr);
    assert_eq!(site.report(WINDOW)["rows"], before["rows"], "as it was");
    small.mount("remount,size=30m");
    site.accounting("feed --everything").good();
    let rows = site.report(WINDOW);
    let wall: i64 =
        rows["rows"].as_array().unwrap().iter().filter_map(|r| r["wall_seconds"].as_i64()).sum();
    let window = (crate::time("2026-08-01"), crate::time("2026-11-01"));
    assert_eq!(wall, many.iter().map(|stay| stay.seconds(window.0, window.1)).sum::<i64>());
}
