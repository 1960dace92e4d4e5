//! Every statement is of the subset, and every field is one that a component takes.

use crate::compiler::Compiler;
use crate::{Both, EXAMPLES, HOSTS, change, subset, whole_site};
use std::fs;

#[test]
fn every_template_is_of_the_subset_with_fields_that_components_take() {
    for both in EXAMPLES.map(Both::of).into_iter().chain([whole_site()]) {
        for host in both.hosts() {
            assert_eq!(subset::faults(both.folder.path(), host), Ok(vec![]), "{host}");
        }
    }
}

/// What somebody might break, and what then has to be said of it: by our reader everywhere, and by
/// the compiler where there is one.
const BROKEN: [(&str, &str, &str, &str); 14] = [
    (HOSTS[0], "'perms' = '0600'", "'perms' = 'rw'", "perms"),
    (HOSTS[0], "'owner' = 'root'", "'ownr' = 'root'", "ownr"),
    (HOSTS[0], "'state' = 'enabled'", "'state' = 'on'", "state"),
    (HOSTS[0], "'type' = 'service'", "'type' = 'timer'", "systemd"),
    (HOSTS[0], "'uid', 9869", "'uid', '9869'", "uid"),
    (HOSTS[0], "'groups', list('oneadmin')", "'groups', list('wheel')", "wheel"),
    (HOSTS[0], "'vn_mad', 'dummy'", "'vn_mad', 'bridge'", "vn_mad"),
    (HOSTS[0], "'bridge', 'br0',\n    'dns'", "'dns'", "bridge"),
    (HOSTS[0], "'tm_mad', 'ssh'", "'tm_mad', 'rsync'", "tm_mad"),
    (HOSTS[0], "'backend', 'sqlite'", "'backend', 'mysql'", "mysql"),
    (HOSTS[0], "'port' = 2633", "'port' = 70000", "port"),
    (HOSTS[0], "filecopy/services/{/etc/", "filecopy/services/{etc/", "filecopy"),
    (HOSTS[1], "'ip', '192.0.2.11'", "'ip', '192.0.2.300'", "ip"),
    (HOSTS[1], "'bridge', 'br0'", "'bridge', 'br1'", "br1"),
];

#[test]
fn what_no_component_takes_is_noticed() {
    let compiler = Compiler::find("what the pan compiler itself refuses");
    for (host, from, to, noticed) in BROKEN {
        let both = Both::of("debian");
        change(both.folder.path(), from, to);
        let faults = subset::faults(both.folder.path(), host).unwrap();
        assert!(faults.iter().any(|fault| fault.contains(noticed)), "{to}: {faults:?}");
        if let Some(compiler) = &compiler {
            let output = both.folder.path().join("compiled");
            let said = compiler.compile(both.folder.path(), &[host], &output).unwrap_err();
            assert!(said.contains(noticed), "{to}: {said}");
        }
    }
}

#[test]
fn a_statement_beyond_the_subset_is_noticed() {
    let statements = [
        ("foreach (k; v; dict()) { true; };", "`foreach` is no statement"),
        ("'/a' = create('b');", "the function `create` is not of the subset"),
        ("'/a' = 1 + 1;", "after this belongs ;"),
        ("'/a' = list('b' 'c');", "commas between"),
        ("'/a' = dict('b');", "keys with values"),
        ("'/a' = UNSET;", "the variable UNSET has no value"),
        ("'/a' = error('no');", "error: "),
        ("'a' = 1;", "a relative path without a prefix"),
        ("'/1a' = 1;", "`1a` is no key"),
        ("'/{a' = 1;", "a brace stays open"),
        ("'/a' = 1;\n'/a' = 2;", "/a is set to two values"),
        ("'/a' = 1;\n'/a/b' = 2;", "/a/b is below no dict"),
        ("'/a' = 'b;", "not of the subset: '"),
        ("'/a' = <<EOF;\nb\n", "lines without end"),
        ("include 'not/there';", "there is no template not/there"),
        ("include 'stratus/hosts/other';", "another name than its file"),
        ("'/a' = 1", "after this belongs ;"),
        ("'/a' =", "too early"),
    ];
    for (statement, noticed) in statements {
        let both = Both::of("debian");
        let folder = both.folder.path().join("stratus/hosts");
        fs::write(folder.join("other.pan"), "unique template another;\n").unwrap();
        let template = folder.join(format!("{}.pan", HOSTS[0]));
        let text = fs::read_to_string(&template).unwrap();
        fs::write(&template, format!("{text}{statement}\n")).unwrap();
        let fault = subset::profile(both.folder.path(), HOSTS[0]).unwrap_err();
        assert!(fault.contains(noticed), "{statement}: {fault}");
    }
}
