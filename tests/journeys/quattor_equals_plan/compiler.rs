//! The real pan compiler, where there is one.

use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use stratus_tests::{run, tools};

/// The program `panc`.
pub(crate) struct Compiler(PathBuf);

impl Compiler {
    /// The one that `STRATUS_PANC` names, else the one on the PATH or where `cargo xtask setup` puts
    /// it. Without one the test is left out, which is said where nobody hides it.
    pub(crate) fn find(left_out: &str) -> Option<Self> {
        if let Some(named) = std::env::var_os("STRATUS_PANC").map(PathBuf::from) {
            assert!(named.is_file(), "STRATUS_PANC names {}, which is no file", named.display());
            return Some(Self(named));
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&path).chain([tools().join("bin")]);
        let found = folders.map(|folder| folder.join("panc")).find(|file| file.is_file());
        if found.is_none() {
            let line =
                format!("LEFT OUT: {left_out}: there is no pan compiler, see STRATUS_PANC\n");
            std::io::stderr().write_all(line.as_bytes()).unwrap();
        }
        found.map(Self)
    }

    /// Compiles the object templates of an export, with our statement of the fields, and gives what
    /// the compiler says when it refuses.
    pub(crate) fn compile(
        &self,
        export: &Path,
        hosts: &[&str],
        output: &Path,
    ) -> Result<(), String> {
        fs::create_dir_all(output).unwrap();
        let fields = crate::root().join("quattor/profiles");
        let mut command = Command::new(&self.0);
        command
            .arg("--include-path")
            .arg(format!("{0}:{0}/profiles:{1}", export.display(), fields.display()))
            .arg("--output-dir")
            .arg(output)
            .args(["--formats", "json"]);
        command.args(hosts.iter().map(|host| export.join(format!("profiles/{host}.pan"))));
        let out = run(&mut command);
        if out.code == 0 { Ok(()) } else { Err(format!("{}{}", out.stdout, out.stderr)) }
    }
}

/// A compiled profile, the site's password marked.
pub(crate) fn tree(output: &Path, host: &str) -> Value {
    let text = fs::read_to_string(output.join(format!("{host}.json"))).unwrap();
    crate::subset::marked(&serde_json::from_str(&text).unwrap())
}

/// Everything of the first tree that the second has otherwise; the second may have more, for types
/// have defaults.
pub(crate) fn missing(wanted: &Value, is: &Value, path: &str, found: &mut Vec<String>) {
    match (wanted, is) {
        (Value::Object(wanted), Value::Object(members)) => {
            for (key, value) in wanted {
                let path = format!("{path}/{key}");
                missing(value, members.get(key).unwrap_or(&Value::Null), &path, found);
            }
        }
        _ if wanted == is => {}
        _ => found.push(format!("{path}: {wanted} is {is}")),
    }
}
