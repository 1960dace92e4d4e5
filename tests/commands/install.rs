//! The commands that set up a site, as an administrator meets them with no host in reach: exit
//! codes, what they say, and the screen that README.md shows.

#![expect(clippy::unwrap_used, reason = "a test helper")]

use std::fs;
use std::path::{Path, PathBuf};
use stratus_tests::{Output, program, run};

const SITE: &str = "installer/site/examples/three-hosts.toml";
const FACTS: &str = "installer/plan/examples/three-hosts.facts.json";
const COMMANDS: [&str; 3] = ["stratus-install", "stratus-test", "stratus-register-node"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn command(name: &str, arguments: &[&str]) -> Output {
    let mut command = program(name);
    run(command.current_dir(root()).env_remove("STRATUS_CONFIG").args(arguments))
}

/// Runs on the example, expects the exit code, and gives both outputs.
#[track_caller]
fn expect(code: i32, name: &str, arguments: &[&str]) -> (String, String) {
    let example = ["--config", SITE, "--facts", FACTS];
    let out = command(name, &[&example, arguments].concat());
    assert_eq!(out.code, code, "{arguments:?}\n{}\n{}", out.stdout, out.stderr);
    (out.stdout, out.stderr)
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}:\n{text}"))
}

/// The parts of the plan that README.md shows; `…` stands for the others.
fn excerpt(plan: &str) -> String {
    let (frontend, node) = plan.split_once("\n\nnode: ").unwrap();
    let objects = frontend.split("\n\n").next().unwrap();
    let stage = |name: &str| {
        let start = node.find(&format!("  {name}\n")).unwrap();
        let inside = |line: &&str| line.starts_with("    ");
        let lines: Vec<&str> = node[start..].lines().skip(1).take_while(inside).collect();
        format!("  {name}\n{}\n", lines.join("\n"))
    };
    let title = node.lines().next().unwrap();
    let (_, end) = plan.trim_end().rsplit_once("\n\n").unwrap();
    let (packages, network) = (stage("packages"), stage("network"));
    format!("{objects}\n…\nnode: {title}\n…\n{packages}…\n{network}…\n{end}\n")
}

#[test]
fn the_plan_in_the_readme_is_the_plan_that_is_printed() {
    let (plan, told) = expect(10, "stratus-install", &["plan"]);
    assert_eq!(told, "");
    let line = format!("$ stratus-install plan --config {SITE} --facts {FACTS}");
    let wanted = format!("\n```console\n{line}\n{}```\n", excerpt(&plan));
    let file = root().join("README.md");
    let text = fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once("<!-- plan -->").unwrap();
    let (shown, after) = rest.split_once("<!-- end of plan -->").unwrap();
    if std::env::var_os("STRATUS_BLESS").is_some() {
        let text = format!("{before}<!-- plan -->{wanted}<!-- end of plan -->{after}");
        fs::write(&file, text).unwrap();
        return;
    }
    let cure = "run `STRATUS_BLESS=1 cargo test -p stratus-tests --test install_command`";
    assert_eq!(shown, wanted, "README.md is out of date; {cure}");
}

#[test]
fn the_plan_fits_on_screens_and_has_every_line_when_asked() {
    let (brief, _) = expect(10, "stratus-install", &["plan"]);
    assert!(brief.lines().count() < 110, "{brief}");
    assert!(!brief.contains("BEGIN PGP"), "{brief}");
    let (full, _) = expect(10, "stratus-install", &["plan", "--verbose"]);
    assert!(full.contains("+-----BEGIN PGP PUBLIC KEY BLOCK-----"), "{full}");
    assert!(full.contains("done   unit:ufw.service: is not there"), "{full}");
    for part in ["-auto eno1", "node1.example.org, node2.example.org", "Nothing has been changed."]
    {
        assert!(brief.contains(part) && full.contains(part), "{part}");
    }
    let (all, _) = expect(10, "stratus-install", &["plan", "--json"]);
    let plan = json(&all);
    assert_eq!(plan["hosts"].as_array().unwrap().len(), 3);
    assert!(all.contains("BEGIN PGP") && plan["objects"]["wanted"].is_array(), "{all}");
    let steps = plan["hosts"][0]["steps"].as_array().unwrap();
    assert!(steps.len() > 10 && plan["hosts"][0].get("error").is_none(), "{all}");
}

#[test]
fn a_site_file_is_good_or_every_problem_is_named() {
    assert!(expect(0, "stratus-install", &["check"]).1.contains("2 nodes, 1 networks"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("site.toml");
    let good = fs::read_to_string(root().join(SITE)).unwrap();
    let wrong = good.replace("base = \"192.0.2.0/24\"", "base = \"192.0.2.7/24\"");
    fs::write(&file, wrong.replace("hosts = ", "hots = ")).unwrap();
    let config = file.to_str().unwrap();
    let out = command("stratus-install", &["check", "--config", config]);
    assert_eq!((out.code, out.stdout.as_str()), (2, ""));
    for part in ["did you mean `hosts`?", "192.0.2.0/24", "site.toml:"] {
        assert!(out.stderr.contains(part), "{part}: {}", out.stderr);
    }
    let out = command("stratus-install", &["check", "--json", "--config", config]);
    assert_eq!(out.code, 2, "{}", out.stderr);
    let problems = json(&out.stdout)["problems"].clone();
    assert_eq!(problems.as_array().unwrap().len(), 4, "{problems}");
    for problem in problems.as_array().unwrap() {
        assert_eq!(problem["file"], config);
        assert!(problem["line"].as_u64() > Some(1) && problem["column"].is_u64(), "{problem}");
        assert!(problem["message"].is_string() && problem["cure"].is_string(), "{problem}");
    }
    let (none, _) = expect(0, "stratus-install", &["check", "--json"]);
    assert_eq!(json(&none), serde_json::json!({ "problems": [] }));
    // The file is good, but the key that it names is not beside it.
    fs::write(&file, good).unwrap();
    let check = command("stratus-install", &["check", "--config", config]);
    assert_eq!(check.code, 0, "{}", check.stderr);
    let facts = root().join(FACTS);
    let plan = ["plan", "--config", config, "--facts", facts.to_str().unwrap()];
    let out = command("stratus-install", &plan);
    assert_eq!((out.code, out.stdout.as_str()), (2, ""));
    assert!(out.stderr.contains("opennebula.asc`, which the site file names"), "{}", out.stderr);
    let out = command("stratus-install", &["check", "--config", "/nonexistent/site.toml"]);
    assert!(out.code == 2 && out.stderr.contains("/nonexistent/site.toml"), "{}", out.stderr);
}

#[test]
fn a_host_that_the_site_does_not_have_is_usage() {
    let (_, told) = expect(2, "stratus-install", &["plan", "--limit", "node7.example.org"]);
    assert!(told.contains("the site has no host `node7.example.org`"), "{told}");
    let (_, told) = expect(2, "stratus-install", &["plan", "--limit", "node1.example.com"]);
    assert!(told.contains("did you mean `node1.example.org`?"), "{told}");
    let (_, told) = expect(2, "stratus-install", &["plan", "--limit", "node[2-1]"]);
    assert!(told.contains("goes backwards"), "{told}");
    for task in ["add-node", "drain-node", "remove-node"] {
        let (_, told) = expect(2, "stratus-install", &[task, "node7.example.org", "--yes"]);
        assert!(told.contains("no node `node7.example.org`"), "{told}");
    }
    for more in [&[][..], &["--remove"]] {
        let arguments = [&["node7.example.org", "--yes"], more].concat();
        let (_, told) = expect(2, "stratus-register-node", &arguments);
        assert!(told.contains("no node `node7.example.org`"), "{told}");
    }
    let (plan, _) = expect(10, "stratus-install", &["plan", "--limit", "node1.example.org"]);
    assert!(plan.contains("node: node1.example.org\n") && !plan.contains("front-end:"), "{plan}");
    // Short names, ranges and lists mean the same.
    assert_eq!(expect(10, "stratus-install", &["plan", "--limit", "node1"]).0, plan);
    let whole = ["plan", "--limit", "node1.example.org", "--limit", "node2.example.org"];
    let (both, _) = expect(10, "stratus-install", &whole);
    for hosts in ["node[1-2]", "node1,node2.example.org"] {
        assert_eq!(expect(10, "stratus-install", &["plan", "--limit", hosts]).0, both, "{hosts}");
    }
}

#[test]
fn nothing_is_changed_without_a_yes() {
    let (_, told) = expect(2, "stratus-install", &["apply"]);
    assert!(told.contains("there is no terminal to ask on") && told.contains("--yes"), "{told}");
    let (_, told) = expect(2, "stratus-install", &["uninstall"]);
    assert!(told.contains("--yes") && !told.contains("`plan`"), "{told}");
}

/// The example, whose addresses nobody has, with little patience.
fn out_of_reach(folder: &Path) -> PathBuf {
    let site = fs::read_to_string(root().join(SITE)).unwrap();
    let patience = "\n[ssh]\nconnect_timeout = 1\nstep_timeout = 10\n";
    fs::write(folder.join("site.toml"), site + patience).unwrap();
    let key = root().join(SITE).with_file_name("opennebula.asc");
    fs::copy(key, folder.join("opennebula.asc")).unwrap();
    folder.join("site.toml")
}

#[test]
fn hosts_that_nobody_reaches_are_exit_code_5_whatever_was_asked() {
    let folder = tempfile::tempdir().unwrap();
    let site = out_of_reach(folder.path());
    let ask = |name: &str, arguments: &[&str]| {
        let mut command = program(name);
        command.env_remove("STRATUS_CONFIG").env("HOME", folder.path());
        run(command.args(arguments).arg("--config").arg(&site))
    };
    let plan = ask("stratus-install", &["plan"]);
    assert_eq!(plan.code, 5, "{}{}", plan.stdout, plan.stderr);
    assert!(
        plan.stdout.contains("OpenNebula is asked when its host is reached"),
        "{}",
        plan.stdout
    );
    let away = "not reached: frontend.example.org, node1.example.org, node2.example.org";
    assert!(plan.stderr.contains(away), "{}", plan.stderr);
    let told = folder.path().join("facts.json");
    let facts = ask("stratus-install", &["facts", "-o", told.to_str().unwrap()]);
    assert_eq!(facts.code, 5, "{}", facts.stderr);
    assert!(facts.stderr.contains(away) && told.is_file(), "{}", facts.stderr);
    // What the file of facts says of them is the same, and nobody is asked again.
    let facts = ["--facts", told.to_str().unwrap()];
    let plan = ask("stratus-install", &[&["plan", "--json"][..], &facts].concat());
    assert_eq!(plan.code, 5, "{}", plan.stderr);
    let plan = json(&plan.stdout);
    let host = &plan["hosts"][0];
    assert!(host["error"].as_str().unwrap().contains("not reached"), "{host}");
    assert!(host.get("steps").is_none(), "{host}");
    let mirror = folder.path().join("mirror");
    let mirror = ["mirror", "-o", mirror.to_str().unwrap()];
    for arguments in [&["preflight"][..], &mirror] {
        let out = ask("stratus-install", &[arguments, &facts].concat());
        assert_eq!(out.code, 5, "{arguments:?} {}", out.stderr);
    }
    let remove = ["remove-node", "node1", "--yes"];
    for (name, arguments) in [
        ("stratus-install", &["status"][..]),
        ("stratus-install", &remove),
        ("stratus-register-node", &["node1", "--remove", "--yes"]),
    ] {
        let out = ask(name, arguments);
        assert_eq!(out.code, 5, "{name} {arguments:?} {}", out.stderr);
        assert!(out.stderr.contains("hint: ") && out.stderr.contains("ssh"), "{}", out.stderr);
    }
}

#[test]
fn a_plan_with_changes_says_who_was_not_reached() {
    let folder = tempfile::tempdir().unwrap();
    let facts = fs::read_to_string(root().join(FACTS)).unwrap();
    let mut facts = json(&facts);
    facts["hosts"]["node2.example.org"] =
        serde_json::json!({ "unreachable": { "reason": "no route" } });
    let file = folder.path().join("facts.json");
    fs::write(&file, facts.to_string()).unwrap();
    let (_, told) = expect_of(10, &["--config", SITE, "--facts", file.to_str().unwrap(), "plan"]);
    assert!(told.contains("not reached: node2.example.org;"), "{told}");
}

#[track_caller]
fn expect_of(code: i32, arguments: &[&str]) -> (String, String) {
    let out = command("stratus-install", arguments);
    assert_eq!(out.code, code, "{arguments:?}\n{}\n{}", out.stdout, out.stderr);
    (out.stdout, out.stderr)
}

#[test]
fn tests_are_listed_and_picked_by_name() {
    let (all, _) = expect(0, "stratus-test", &["--list"]);
    assert!(all.contains("machine:node1.example.org"), "{all}");
    let (some, _) = expect(0, "stratus-test", &["--list", "machine:*", "network:machines"]);
    let names: Vec<&str> = some.lines().filter_map(|l| l.split(' ').next()).collect();
    assert_eq!(
        names,
        ["machine:node1.example.org", "machine:node2.example.org", "network:machines"],
        "of:\n{all}"
    );
    let (others, _) = expect(0, "stratus-test", &["--list", "--without", "machine:*"]);
    assert_eq!(others.lines().count(), all.lines().count() - 2, "{others}");
    let (listed, _) = expect(0, "stratus-test", &["--list", "--json", "machine:*"]);
    assert_eq!(json(&listed).as_array().unwrap().len(), 2);
    let (out, told) = expect(2, "stratus-test", &["machine:*", "machina:*"]);
    assert!(out.is_empty() && told.contains("there is no test `machina:*`"), "{told}");
    let (out, told) = expect(2, "stratus-test", &["machine:*", "--without", "machine:*"]);
    assert!(out.is_empty() && told.contains("no test is left"), "{told}");
}

#[test]
fn every_command_and_task_explains_itself() {
    for name in COMMANDS {
        let help = command(name, &["--help"]).good().stdout;
        assert!(help.contains("Examples:") && help.contains("--config"), "{name}: {help}");
        assert!(command(name, &["--generate", "man"]).good().stdout.contains(".TH"), "{name}");
    }
    let help = command("stratus-install", &["--help"]).good().stdout;
    let tasks = help.split("Commands:").nth(1).unwrap().split("Options:").next().unwrap();
    let rows = tasks.lines().filter_map(|line| line.trim().split_once("  "));
    let rows: Vec<(&str, &str)> = rows.filter(|(name, _)| *name != "help").collect();
    assert!(rows.len() >= 12, "{help}");
    for (task, summary) in rows {
        assert!(summary.trim().len() > 15, "{task} says nothing: {summary}");
        let help = command("stratus-install", &[task, "--help"]).good().stdout;
        assert!(help.contains("Usage: stratus-install") && help.contains("--config"), "{help}");
    }
}
