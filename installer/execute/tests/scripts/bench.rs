//! The scratch root, the stand-ins, and ways to run a step in them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::RwLock;
use std::time::Duration;
use stratus_execute::host::{Deadlines, Work};
use stratus_execute::scripts::{Back, Known, job, undo};
use stratus_plan::step::{Access, Step};
use tempfile::TempDir;

/// Read while a program is started, written while a stand-in is: a child has what is open until it
/// becomes its program, and a file that is open for writing cannot be run (ETXTBSY).
static STARTS: RwLock<()> = RwLock::new(());

pub(crate) struct Bench {
    folder: TempDir,
}

pub(crate) struct Said {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Said {
    pub(crate) fn changed(&self) -> bool {
        self.stdout.lines().any(|l| l.starts_with("changed "))
    }
}

/// Starts a program while nobody writes a stand-in.
pub(crate) fn spawn(command: &mut Command) -> Child {
    let _nobody_writes = STARTS.read().unwrap();
    command.spawn().unwrap()
}

/// The user that runs the tests, as owner of files: they need not be root.
pub(crate) fn mine(mode: u32) -> Access {
    let name = |option| {
        let out = Command::new("id").arg(option).output().unwrap().stdout;
        String::from_utf8(out).unwrap().trim().to_owned()
    };
    Access { owner: name("-un"), group: name("-gn"), mode }
}

impl Bench {
    pub(crate) fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(bench.root()).unwrap();
        fs::create_dir(bench.folder.path().join("bin")).unwrap();
        bench.program("restorecon", "exit 0");
        bench
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    /// A stand-in for a program; it notes its arguments and then does this.
    pub(crate) fn program(&self, name: &str, body: &str) {
        let file = self.folder.path().join("bin").join(name);
        let calls = self.folder.path().join("calls");
        let text = format!(
            "#!/bin/sh\nprintf '%s\\n' \"{name} $*\" >> '{}'\nT='{}'\n{body}\n",
            calls.display(),
            self.folder.path().display()
        );
        let _nobody_starts = STARTS.write().unwrap();
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The calls of stand-ins since the last look.
    pub(crate) fn calls(&self) -> Vec<String> {
        let file = self.folder.path().join("calls");
        let text = fs::read_to_string(&file).unwrap_or_default();
        let _ = fs::remove_file(&file);
        text.lines().filter(|l| !l.starts_with("restorecon")).map(str::to_owned).collect()
    }

    pub(crate) fn put(&self, path: &str, text: &str) {
        let at = self.at(path);
        fs::create_dir_all(at.parent().unwrap()).unwrap();
        fs::write(at, text).unwrap();
    }

    pub(crate) fn text(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    pub(crate) fn work(&self, step: &Step) -> Work {
        let deadlines = Deadlines::silent_for(Duration::from_mins(1));
        job(step, &Known::default(), self.root().to_str().unwrap(), deadlines).unwrap().work
    }

    /// Gives the host back, confirming its network; what all programs said.
    pub(crate) fn undo(&self) -> Said {
        let deadlines = Deadlines::silent_for(Duration::from_mins(1));
        let mut all = Said { status: 0, stdout: String::new(), stderr: String::new() };
        for (_, job) in undo(&Back::default(), self.root().to_str().unwrap(), deadlines).unwrap() {
            for work in [Some(job.work), job.confirm].into_iter().flatten() {
                let said = self.run(&work);
                assert_eq!(said.status, 0, "{}: {}{}", work.what, said.stdout, said.stderr);
                all.stdout.push_str(&said.stdout);
                all.stderr.push_str(&said.stderr);
            }
        }
        all
    }

    pub(crate) fn confirm(&self, step: &Step) -> Said {
        let deadlines = Deadlines::silent_for(Duration::from_mins(1));
        let job = job(step, &Known::default(), self.root().to_str().unwrap(), deadlines).unwrap();
        self.run(&job.confirm.unwrap())
    }

    /// Starts a work in a process group of its own, as a host does.
    pub(crate) fn start(&self, work: &Work) -> Child {
        let taker = format!("eval \"$(head -c {})\"", work.script.len());
        let path = format!(
            "{}:{}",
            self.folder.path().join("bin").display(),
            std::env::var("PATH").unwrap()
        );
        let mut command = Command::new("sh");
        command.args(["-c", &taker]).env("PATH", path).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = spawn(&mut command);
        let mut stdin = child.stdin.take().unwrap();
        let (script, payload) = (work.script.clone(), work.payload.clone());
        std::thread::spawn(move || {
            let _ = stdin.write_all(script.as_bytes());
            let _ = stdin.write_all(&payload);
        });
        child
    }

    pub(crate) fn run(&self, work: &Work) -> Said {
        let output = self.start(work).wait_with_output().unwrap();
        Said {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Carries a step out, which must go well.
    pub(crate) fn apply(&self, step: &Step) -> Said {
        let said = self.run(&self.work(step));
        assert_eq!(said.status, 0, "{}", said.stderr);
        said
    }

    /// Carries a step out twice; the second time nothing may change.
    pub(crate) fn apply_twice(&self, step: &Step) -> Said {
        let first = self.apply(step);
        let tree = self.tree();
        let second = self.apply(step);
        assert!(!second.changed(), "{}", second.stdout);
        assert_eq!(tree, self.tree());
        first
    }

    /// Every path below the root with mode and content; random values are the caller's to mask.
    pub(crate) fn tree(&self) -> BTreeMap<String, String> {
        let mut tree = BTreeMap::new();
        walk(&self.root(), &self.root(), &mut tree);
        tree
    }
}

fn walk(root: &Path, folder: &Path, tree: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let what = if meta.is_dir() {
            walk(root, &path, tree);
            "folder".to_owned()
        } else if meta.is_symlink() {
            format!("-> {}", fs::read_link(&path).unwrap().display())
        } else {
            String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()
        };
        tree.insert(name, format!("{:o} {what}", meta.mode() & 0o7777));
    }
}
