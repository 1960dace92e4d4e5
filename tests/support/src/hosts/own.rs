//! Packages of Stratus itself, as the list of packages has them: the real programs, units and accounts.

use super::Package;
use crate::programs::{program, run, tool};
use std::fs;
use std::path::Path;

/// Accounts, and units that systemd has to know. What starts is the installer's to say.
const POSTINST: &str = "systemd-sysusers\nsystemctl daemon-reload || :";

impl Package {
    /// A package of `packaging/packages.toml`, with the programs of the build folder.
    ///
    /// # Panics
    /// There is no such package, or one of its programs is not built.
    pub fn own(name: &str) -> Self {
        let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging");
        let text = fs::read_to_string(packaging.join("packages.toml")).expect("the list");
        let list: toml::Table = text.parse().expect("the list is TOML");
        let all = list["package"].as_array().expect("packages");
        let entry = all.iter().find(|p| p["name"].as_str() == Some(name));
        let entry = entry.unwrap_or_else(|| panic!("no package is called {name}"));
        let texts = |key: &str| {
            let values = entry.get(key).and_then(toml::Value::as_array).into_iter().flatten();
            values.filter_map(toml::Value::as_str).map(str::to_owned).collect::<Vec<_>>()
        };
        let mut package = Self::new(name, "1.0").script("postinst", POSTINST);
        if !texts("needs").is_empty() {
            package = package.field("Depends", &texts("needs").join(", "));
        }
        for path in texts("files") {
            let bytes = fs::read(packaging.join("root").join(path.trim_start_matches('/')));
            package = package.file(&path, 0o644, bytes.expect("a file of the tree"));
        }
        for name in texts("programs") {
            package = package.file(&format!("/usr/bin/{name}"), 0o755, stripped(&name));
        }
        package
    }
}

/// A program without what only debuggers read, which is most of it.
fn stripped(name: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder for a program");
    let file = folder.path().join(name);
    let built = program(name).get_program().to_owned();
    run(tool("strip", "binutils").arg("-o").arg(&file).arg(built)).good();
    fs::read(file).expect("a program")
}
