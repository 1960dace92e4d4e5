//! What one broken part does to the others: nothing, beyond what depends on it.

use crate::simulated::{Does, Memory, Simulated, plan, planned, run_on};
use std::sync::Arc;
use std::time::Duration;
use stratus_execute::host::Host;
use stratus_execute::journal::{Ended, Entry};
use stratus_execute::run::{Event, Failure, StepResult, Stop, What, apply, ended, line};
use stratus_plan::step::{Access, File, OurShare, Piece, Step};

fn good(name: &str) -> Arc<dyn Host> {
    Simulated::new(name, Duration::from_millis(1), |_| Does::Ends(0, "changed it\n", ""))
}

fn does(name: &str, what: Does) -> Arc<dyn Host> {
    Simulated::new(name, Duration::from_millis(1), move |_| what.clone())
}

fn failure(result: &StepResult) -> &Failure {
    let StepResult::Failed(failure) = result else { panic!("{result:?}") };
    failure
}

#[tokio::test(start_paused = true)]
async fn one_broken_host_of_five_stops_no_other() {
    let broken = Does::Ends(100, "", "\u{1}doing apt-get install x\nE: Unable to locate x\n");
    let hosts = ["a", "b", "d", "e"].map(good).into_iter().chain([does("c", broken)]);
    let hosts: Vec<_> = hosts.collect();
    let journal = Arc::new(Memory::default());
    let steps = || vec![planned("one", &[]), planned("two", &[])];
    let plan = plan(["a", "b", "c", "d", "e"].map(|h| (h, steps())).into());
    let scene = run_on(&hosts, journal.clone());
    let report = apply(&plan, &scene.run).await;
    ended(&scene.run, report.is_good()).await.unwrap();
    assert_eq!(report.exit_code(), 1);
    for (host, steps) in &report.hosts {
        assert_eq!(steps.iter().all(|(_, r)| r.is_good()), host.as_str() != "c", "{host}");
    }
    let c = &report.hosts[&"c".parse().unwrap()];
    let failure = failure(&c[0].1);
    assert!(failure.cause.contains("c: failed with status 100: apt-get install x"));
    assert!(failure.cause.contains("E: Unable to locate x"));
    assert_eq!(c[1].1, StepResult::Skipped("one failed".into()));
    let records = journal.records.lock().unwrap();
    let began = records.iter().filter(|r| matches!(r.entry, Entry::StepBegan { .. })).count();
    let failed = |r: &&_| matches!(r, Entry::StepEnded { result: Ended::Failed(_), .. });
    assert_eq!(began, 9);
    assert_eq!(records.iter().map(|r| &r.entry).filter(failed).count(), 1);
    assert!(matches!(records.last().unwrap().entry, Entry::RunEnded { good: false }));
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_failed_step_is_skipped_and_the_rest_goes_on() {
    let hosts = [good("front"), does("node", Does::Breaks)];
    let plan = plan(vec![
        ("front", vec![planned("keys", &[("node", "key")]), planned("start", &[])]),
        ("node", vec![planned("key", &[])]),
    ]);
    let mut scene = run_on(&hosts, Arc::new(Memory::default()));
    let report = apply(&plan, &scene.run).await;
    let front = &report.hosts[&"front".parse().unwrap()];
    assert_eq!(front[0].1, StepResult::Skipped("node: key failed".into()));
    assert!(front[1].1.is_good());
    assert!(report.text().contains("keys: skipped because node: key failed"));
    let mut lines = Vec::new();
    while let Ok(event) = scene.events.try_recv() {
        lines.extend(line(&event));
    }
    assert!(lines.iter().any(|l| l == "front: keys waits for node: key"), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn steps_wait_for_other_hosts_even_with_one_place() {
    let hosts = [good("front"), good("node")];
    let plan = plan(vec![
        ("front", vec![planned("a", &[("node", "b")]), planned("c", &[])]),
        ("node", vec![planned("b", &[]), planned("d", &[("front", "c")])]),
    ]);
    let mut scene = run_on(&hosts, Arc::new(Memory::default()));
    scene.run.parallel = 1;
    let report = apply(&plan, &scene.run).await;
    assert_eq!(report.exit_code(), 0, "{}", report.text());
    let mut order = Vec::new();
    while let Ok(event) = scene.events.try_recv() {
        if let Event { step: Some(step), what: What::Begins, .. } = event {
            order.push(step);
        }
    }
    assert_eq!(order, ["b", "a", "c", "d"]);
}

#[tokio::test(start_paused = true)]
async fn steps_that_wait_for_each_other_are_refused_before_anything_is_done() {
    let hosts = [good("front"), good("node")];
    let plan = plan(vec![
        ("front", vec![planned("a", &[("node", "b")])]),
        ("node", vec![planned("b", &[("front", "a")])]),
    ]);
    let journal = Arc::new(Memory::default());
    let report = apply(&plan, &run_on(&hosts, journal.clone()).run).await;
    assert!(report.stopped.unwrap().contains("wait for each other: front: a, node: b"));
    assert!(journal.records.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_silent_host_is_remarked_named_and_ended() {
    let hosts =
        [does("node7", Does::Hangs("\u{1}doing apt-get install qemu-kvm\n")), good("node8")];
    let steps = || vec![planned("packages", &[])];
    let plan = plan(vec![("node7", steps()), ("node8", steps())]);
    let mut scene = run_on(&hosts, Arc::new(Memory::default()));
    let report = apply(&plan, &scene.run).await;
    let failure = failure(&report.hosts[&"node7".parse().unwrap()][0].1);
    assert_eq!(failure.cause, "node7: nothing heard for 60 s: apt-get install qemu-kvm");
    assert!(report.hosts[&"node8".parse().unwrap()][0].1.is_good());
    let mut lines = Vec::new();
    while let Ok(event) = scene.events.try_recv() {
        lines.extend(line(&event));
    }
    let remark = "node7: nothing heard for 20 s: apt-get install qemu-kvm";
    assert!(lines.iter().any(|l| l == remark), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn hosts_that_are_away_give_the_code_for_try_again() {
    let hosts = [does("node", Does::Unreachable), good("front")];
    let plan = plan(vec![("node", vec![planned("a", &[])]), ("front", vec![planned("b", &[])])]);
    let report = apply(&plan, &run_on(&hosts, Arc::new(Memory::default())).run).await;
    assert_eq!(report.exit_code(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_host_without_steps_is_left_out_and_those_behind_it_say_why() {
    let hosts = [good("front")];
    let mut plan = plan(vec![("front", vec![planned("a", &[("gone", "b")])]), ("gone", vec![])]);
    plan.hosts[1].steps = Err("it did not answer".into());
    let report = apply(&plan, &run_on(&hosts, Arc::new(Memory::default())).run).await;
    let StepResult::Skipped(why) = &report.hosts[&"front".parse().unwrap()][0].1 else { panic!() };
    assert!(why.contains("gone: b comes first, and it did not answer"));
    assert_eq!(report.exit_code(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_written_stops_the_run() {
    let hosts = [good("front")];
    let steps = ["a", "b", "c"].map(|id| planned(id, &[])).into();
    let journal = Arc::new(Memory { room: Some(2), ..Memory::default() });
    let report = apply(&plan(vec![("front", steps)]), &run_on(&hosts, journal).run).await;
    let steps = &report.hosts[&"front".parse().unwrap()];
    assert!(steps[0].1.is_good());
    assert_eq!((&steps[1].1, &steps[2].1), (&StepResult::NotBegun, &StepResult::NotBegun));
    assert!(report.stopped.as_ref().unwrap().contains("no space left"));
    assert_eq!(report.exit_code(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_first_interruption_lets_steps_end_and_the_second_ends_them() {
    for (stop, hangs) in [(Stop::AfterSteps, false), (Stop::Now, true)] {
        let host = if hangs {
            does("node", Does::Hangs("\u{1}doing dpkg\n"))
        } else {
            Simulated::new("node", Duration::from_secs(5), |_| Does::Ends(0, "", ""))
        };
        let plan = plan(vec![("node", vec![planned("a", &[]), planned("b", &[])])]);
        let mut scene = run_on(&[host], Arc::new(Memory::default()));
        let (report, ()) = tokio::join!(apply(&plan, &scene.run), async {
            while scene.events.recv().await.unwrap().what != What::Begins {}
            tokio::time::sleep(Duration::from_secs(1)).await;
            scene.stop.send_replace(stop);
        });
        let steps = &report.hosts[&"node".parse().unwrap()];
        if hangs {
            assert_eq!(failure(&steps[0].1).cause, "node: ended on request during: dpkg");
        } else {
            assert_eq!(steps[0].1, StepResult::Same);
            assert_eq!(steps[1].1, StepResult::NotBegun);
        }
        assert!(report.interrupted);
        assert_eq!(report.exit_code(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_failing_command_prints_of_a_secret_is_starred_everywhere() {
    let said = "\u{1}doing put canary-secret\nbad line: canary-secret\n";
    let hosts = [does("node", Does::Ends(1, "", said))];
    let mut step = planned("a", &[]);
    step.step = Step::File(File {
        path: "/etc/a".into(),
        content: vec![Piece::Text("password: canary-secret\n".into())],
        share: OurShare::Whole,
        access: Access::root(0o600),
        secret: true,
    });
    let journal = Arc::new(Memory::default());
    let mut scene = run_on(&hosts, journal.clone());
    let report = apply(&plan(vec![("node", vec![step])]), &scene.run).await;
    assert!(report.text().contains("bad line: *****"));
    let mut all = format!("{report:?}{:?}", journal.records.lock().unwrap());
    while let Ok(event) = scene.events.try_recv() {
        all.push_str(&format!("{event:?}"));
    }
    assert!(!all.contains("canary"), "{all}");
}
