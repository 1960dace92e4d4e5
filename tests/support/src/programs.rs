//! Finding and running programs: ours from the build folder, others from the system.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How a program ended, with everything it said.
#[derive(Clone, Debug)]
pub struct Output {
    /// Exit code; -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Itself, if the program ended with 0.
    ///
    /// # Panics
    /// With everything it said, if it did not.
    #[track_caller]
    #[expect(clippy::return_self_not_must_use, reason = "called for its assertion")]
    pub fn good(self) -> Self {
        assert_eq!(self.code, 0, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

/// One of our commands, from the build folder this test was built in.
///
/// # Panics
/// The program is not built yet; the message says how.
pub fn program(name: &str) -> Command {
    let test = std::env::current_exe().expect("the test knows its own file");
    // <build folder>/debug/deps/<test> -> <build folder>/debug/<program>
    let folder = test.parent().and_then(Path::parent).expect("tests are built in deps").to_owned();
    let file = folder.join(name);
    assert!(
        file.is_file(),
        "{} is not built; run `cargo build --workspace --bins` first",
        file.display()
    );
    let mut command = Command::new(file);
    // Nobody's own settings may reach a test.
    command.env("HOME", "/nonexistent").env_remove("XDG_CONFIG_HOME");
    command
}

/// A program of the system.
///
/// # Panics
/// It is missing; the message names the Debian package.
pub fn tool(name: &str, package: &str) -> Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let file = folders.map(|folder| folder.join(name)).find(|file| file.is_file());
    Command::new(
        file.unwrap_or_else(|| panic!("`{name}` is missing; run `apt-get install {package}`")),
    )
}

/// A program that is not installed on the machine whose tests run, by its file: the machine's own, or
/// the one that `cargo xtask setup` unpacked beside its libraries.
///
/// # Panics
/// It is missing.
pub fn unpacked_tool(file: &str) -> Command {
    let found = unpacked(file);
    let mut command = Command::new(&found);
    if found.starts_with(tools()) {
        command.env("LD_LIBRARY_PATH", unpacked_libraries());
    }
    command
}

/// A file of a package that is not installed: the machine's own, or the unpacked one.
///
/// # Panics
/// It is missing.
pub fn unpacked(file: &str) -> PathBuf {
    let places = [PathBuf::from("/"), tools().join("unpacked")].map(|place| place.join(file));
    let found = places.into_iter().find(|place| place.is_file());
    found.unwrap_or_else(|| panic!("{file} is missing; run `cargo xtask setup`"))
}

/// Where libraries of unpacked programs are, for `LD_LIBRARY_PATH`.
pub fn unpacked_libraries() -> OsString {
    let triple = format!("{}-linux-gnu", std::env::consts::ARCH);
    // The last one has the file server's own.
    let folders = [format!("usr/lib/{triple}"), format!("lib/{triple}"), "usr/lib/ganesha".into()];
    let folder = tools().join("unpacked");
    std::env::join_paths(folders.map(|place| folder.join(place))).expect("a path without colons")
}

/// Where tools that are made once are kept: inside the build folder.
pub fn tools() -> PathBuf {
    if let Some(folder) = std::env::var_os("STRATUS_TOOLS") {
        return PathBuf::from(folder);
    }
    // <build folder>/debug/deps/<test> -> <build folder>/tools
    let test = std::env::current_exe().expect("the test knows its own file");
    test.ancestors().nth(3).unwrap_or(Path::new("/var/tmp")).join("tools")
}

/// Runs a command to its end, without input.
///
/// # Panics
/// It cannot be started.
pub fn run(command: &mut Command) -> Output {
    let shown = format!("{command:?}");
    let out = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|e| panic!("cannot start {shown}: {e}"));
    Output {
        code: out.status.code().unwrap_or(-1),
        stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
    }
}

/// Lets only its owner read a file.
pub(crate) fn private(file: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(file, mode).expect("its rights can be set");
}
