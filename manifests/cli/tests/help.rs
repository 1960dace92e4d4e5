//! Every command explains itself.

mod support;

use support::{Bench, stdout};

const COMMANDS: [&str; 4] = [
    "stratus-generate-cert",
    "stratus-sign-manifest",
    "stratus-validate-manifest",
    "stratus-manifest",
];

#[test]
fn every_command_has_help_with_examples_a_version_and_a_man_page() {
    let bench = Bench::new();
    for name in COMMANDS {
        let help = stdout(&bench.command(name).arg("--help").assert().code(0));
        assert!(help.contains("Example") && help.contains(&format!("  {name} ")), "{help}");
        let version = stdout(&bench.command(name).arg("--version").assert().code(0));
        assert!(version.starts_with(name), "{version}");
        let page = stdout(&bench.command(name).args(["--generate", "man"]).assert().code(0));
        assert!(page.contains(".SH OPTIONS"), "{name}");
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    let bench = Bench::new();
    for name in COMMANDS {
        bench.command(name).assert().code(2);
        bench.command(name).args(["vm.xml", "--no-such-option"]).assert().code(2);
    }
}
