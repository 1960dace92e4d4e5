//! People of a real LDAP directory before the monitor.

use crate::count;
use serde_json::Value;
use stratus_tests::{Cloud, DIRECTORY_PASSWORD, Directory, Monitor, MonitorSetup};

const PLAIN: &str = "application/x-www-form-urlencoded";

fn monitor(cloud: &Cloud, directory: &Directory, url: String) -> Monitor {
    let more = "administrators = \"image-makers\"\ncache = \"0s\"\n";
    let identity = directory.section(&[url], more);
    let oned = cloud.url();
    Monitor::with(MonitorSetup { oned, identity: Some(identity), ..MonitorSetup::default() })
}

/// Waits until the monitor has looked, which `/readyz` tells without a login.
fn looked(monitor: &Monitor) {
    let begun = std::time::Instant::now();
    while monitor.get_with("/readyz", &[]).0 != 200 {
        assert!(begun.elapsed() < std::time::Duration::from_secs(30), "{}", monitor.log());
        std::thread::park_timeout(std::time::Duration::from_millis(50));
    }
}

/// Logs in with the form; the status and the cookie.
fn log_in(monitor: &Monitor, login: &str, password: &str) -> (u16, Option<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let form = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("login", login), ("password", password), ("next", "/vms")])
        .finish();
    let no_redirect = reqwest::redirect::Policy::none();
    let http = reqwest::Client::builder().no_proxy().redirect(no_redirect).build().unwrap();
    let post = http.post(format!("{}/login", monitor.url())).header("content-type", PLAIN);
    let answer = runtime.block_on(post.body(form).send()).unwrap();
    let cookie = answer.headers().get("set-cookie").map(|cookie| {
        let cookie = cookie.to_str().unwrap();
        cookie.split(';').next().unwrap().to_owned()
    });
    (answer.status().as_u16(), cookie)
}

#[test]
fn people_of_a_directory_see_what_their_groups_let_them() {
    let directory = Directory::start();
    let cloud = Cloud::start(3, 9);
    cloud.machine(4, |m| m.user = "outsider".into());
    for url in [directory.url(), directory.secure_url()] {
        let monitor = monitor(&cloud, &directory, url.clone());
        looked(&monitor);
        let read = |login: &str, path: &str| monitor.knock(login, DIRECTORY_PASSWORD, path);
        let shown: Value = serde_json::from_str(&read("signer", "/").1).unwrap();
        assert_eq!(count(&shown, "runs"), 9, "{url}: an administrator sees all");
        assert_eq!(read("signer", "/hosts").0, 200);
        let shown: Value = serde_json::from_str(&read("outsider", "/").1).unwrap();
        assert_eq!(count(&shown, "runs"), 1, "{url}: others see their own");
        assert_eq!(read("outsider", "/hosts").0, 403);
        assert_eq!(read("odd(*)\\name", "/hosts").0, 200, "a login that would break a filter");
        assert_eq!(monitor.knock("signer", "wrong", "/").0, 401);
        assert_eq!(monitor.knock("signer", "", "/").0, 401, "no anonymous bind");
        assert_eq!(monitor.knock("*", DIRECTORY_PASSWORD, "/").0, 401);
        let told = monitor.log();
        assert!(!told.contains(DIRECTORY_PASSWORD) && !told.contains("robot's own"), "{told}");
    }
}

#[test]
fn the_pages_follow_the_directory_and_not_the_cookie() {
    let mut directory = Directory::start();
    let cloud = Cloud::start(3, 9);
    let monitor = monitor(&cloud, &directory, directory.secure_url());
    looked(&monitor);
    assert_eq!(log_in(&monitor, "signer", "wrong"), (401, None));
    let (status, cookie) = log_in(&monitor, "signer", DIRECTORY_PASSWORD);
    assert_eq!(status, 303);
    let cookie = cookie.unwrap();
    let hosts = || monitor.get_with("/hosts", &[("cookie", &cookie), ("accept", "text/html")]).0;
    assert_eq!(hosts(), 200);
    directory.modify(
        "dn: cn=image-makers,ou=groups,dc=example,dc=org\nchangetype: modify\ndelete: member\n\
         member: uid=signer,ou=people,dc=example,dc=org\n",
    );
    assert_eq!(hosts(), 403, "no administrator any more, with the same cookie");
    directory.stop();
    let (status, told) = monitor.knock("other", DIRECTORY_PASSWORD, "/");
    assert!(status == 503 && told.contains("No login server answers"), "{status} {told}");
    assert_eq!(monitor.get_with("/readyz", &[]).0, 200, "looking goes on");
    directory.restart();
    assert_eq!(monitor.knock("other", DIRECTORY_PASSWORD, "/").0, 200);
}
