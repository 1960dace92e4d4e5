//! The environment decides which oned is tested.

use std::process::Command;

use stratus_opennebula::Attributes;
use stratus_tests::oned::{Oned, Real, Settings};

use crate::setup::{PATIENCE, client, settings};

/// Another oned, which only the environment names: the tests of the client go there.
#[tokio::test]
async fn the_oned_that_is_named_is_the_one_that_is_tested() {
    let folder = tempfile::tempdir().unwrap();
    let auth = "oneadmin:of the other one";
    let named = Settings { oneadmin: auth.to_owned(), ..settings(folder.path()) };
    let named = Oned::start(named).await;
    let tests = |auth: &str| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["client::a_network_is_ready_after_waiting_and_keeps_every_text", "--exact"]);
        command.env("STRATUS_TEST_ONED", named.url()).env("STRATUS_TEST_ONE_AUTH", auth);
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let out = tests(auth).await.unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
    // Its first network came and went there.
    let client = client(&named.url(), auth);
    let template =
        Attributes::new().with("NAME", "next").with("VN_MAD", "dummy").with("BRIDGE", "br0");
    let next = client.allocate_network(&template, None).await.unwrap();
    assert_eq!(next.0, 1);
    client.wait_network_ready(next, PATIENCE).await.unwrap();
    // With a wrong password they fail, and do not fall back on a simulator.
    let out = tests("oneadmin:wrong").await.unwrap();
    assert!(!out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
}

#[test]
fn half_of_the_switch_is_refused() {
    let of = |set: &[(&str, &str)]| {
        let find = |name: &str| set.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        Real::of(find).map(|real| real.map(|real| (real.url, real.auth)))
    };
    let (url, auth) =
        (("STRATUS_TEST_ONED", "http://h:2633/RPC2"), ("STRATUS_TEST_ONE_AUTH", "u:p"));
    assert_eq!(of(&[]), Ok(None));
    assert_eq!(of(&[url, auth]), Ok(Some((url.1.to_owned(), "u:p".to_owned()))));
    assert!(of(&[url]).unwrap_err().contains("STRATUS_TEST_ONE_AUTH"));
    assert!(of(&[auth]).unwrap_err().contains("STRATUS_TEST_ONED"));
    assert!(of(&[url, (auth.0, "no colon")]).is_err());
}
