//! A thousand hosts.

use crate::simulated::{Does, Simulated, plan, planned, run_on};
use std::sync::Arc;
use std::time::{Duration, Instant};
use stratus_execute::drive::{Attention, run_well};
use stratus_execute::host::{Deadlines, Host};
use stratus_execute::keeper::{Holder, Keeper};
use stratus_execute::local::Local;
use stratus_execute::probe;
use stratus_execute::run::apply;
use stratus_plan::facts::Questions;

/// What this machine answers to the questions; every simulated host says the same.
async fn answer(questions: &Questions) -> &'static str {
    let here = Local::new("here".parse().unwrap());
    let work = probe::work(questions, Deadlines::silent_for(Duration::from_mins(1)));
    let output = run_well(&here, &work, &Attention::none()).await.unwrap();
    Box::leak(String::from_utf8_lossy(&output.stdout).into_owned().into_boxed_str())
}

/// The goal is 60 s on two cores for hosts with 20 ms of latency when nothing is to change: every host
/// is asked what it is, and looks at three steps that it has done already, each in the journal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_hosts_with_nothing_to_change_take_less_than_a_minute() {
    let questions = Questions::default();
    let said = answer(&questions).await;
    let host = |i: usize| {
        let does = move |program: &str| {
            let asks = program.contains("section packages");
            Does::Ends(0, if asks { said } else { "" }, "")
        };
        let host: Arc<dyn Host> =
            Simulated::new(&format!("node{i}"), Duration::from_millis(20), does);
        host
    };
    let hosts: Vec<_> = (0..1000).map(host).collect();
    let root = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let frontend = Local::new("front".parse().unwrap());
    let holder = Holder {
        who: "ann".into(),
        from: "desk".into(),
        since: jiff::Timestamp::UNIX_EPOCH,
        pid: 1,
    };
    let root = root.path().to_str().unwrap();
    let keeper = Keeper::take(&frontend, root, &holder, "many.jsonl").await.unwrap();
    let mut scene = run_on(&hosts, Arc::new(keeper));
    let facts = probe::all(&hosts, &questions, 32, scene.run.deadlines, || 0).await;
    assert!(facts.hosts.values().all(|f| matches!(f, stratus_plan::facts::HostReport::Known(_))));
    let asked = begun.elapsed();
    let steps = || ["a", "b", "c"].map(|id| planned(id, &[])).into();
    let names: Vec<String> = (0..1000).map(|i| format!("node{i}")).collect();
    let plan = plan(names.iter().map(|n| (n.as_str(), steps())).collect());
    scene.run.parallel = 32;
    let report = apply(&plan, &scene.run).await;
    let took = begun.elapsed();
    println!("1000 hosts: asked in {asked:?}, all done in {took:?}");
    assert_eq!(report.exit_code(), 0, "{}", report.text());
    assert!(took < Duration::from_mins(1), "{took:?}");
}
