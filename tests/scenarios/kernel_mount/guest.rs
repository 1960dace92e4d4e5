//! A machine of qemu's that does what it is told line by line.

use crate::namespace::Namespace;
use crate::root::Root;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use stratus_tests::{Output, tool};

/// Its cloud's end of its network card.
pub(crate) const CARD: &str = "guest0";
/// Its cloud's router.
pub(crate) const GATEWAY: &str = "10.99.0.1";

/// Every step of it is done in less, without a processor's help and beside other tests.
const PATIENCE: Duration = Duration::from_mins(3);

/// A machine, switched off with the value.
pub(crate) struct Guest {
    child: Child,
    input: ChildStdin,
    told: Receiver<String>,
    console: PathBuf,
    _root: Root,
}

impl Guest {
    /// Boots it in a cloud, with a bundle of the site's.
    pub(crate) fn boot(cloud: &Namespace, profile: &str) -> Self {
        let root = Root::with(profile);
        let console = root.path("console.log");
        let qemu = format!("qemu-system-{}", std::env::consts::ARCH);
        let qemu = tool(&qemu, "qemu-system-x86").get_program().to_str().unwrap().to_owned();
        let mut command = cloud.command(&[&qemu]);
        // The processor is qemu's own work: what virtualises may not be there.
        command.args(["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "512"]);
        command.args(["-nodefaults", "-no-reboot", "-display", "none"]);
        command.args(["-netdev", &format!("tap,id=card,ifname={CARD},script=no,downscript=no")]);
        command.args(["-device", "virtio-net-pci,netdev=card,romfile="]);
        command.arg("-serial").arg(format!("file:{}", console.display()));
        // A serial port would lose characters.
        command.args(["-device", "virtio-serial-pci", "-chardev", "stdio,id=told"]);
        command.args(["-device", "virtserialport,chardev=told"]);
        command.arg("-kernel").arg(root.kernel()).arg("-initrd").arg(root.path("initrd"));
        command.args(["-append", "console=ttyS0 panic=-1"]);
        let (input, output) = (Stdio::piped(), Stdio::piped());
        let mut child = command.stdin(input).stdout(output).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (tell, told) = channel();
        // Ends with the machine.
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let mut guest = Self { child, input, told, console, _root: root };
        guest.answer("boot").good();
        guest
    }

    /// Runs a line of shell to its end.
    pub(crate) fn run(&mut self, line: &str) -> Output {
        writeln!(self.input, "{line}").unwrap();
        self.answer(line)
    }

    /// Starts a line of shell; [`Self::said`] tells what it printed so far.
    pub(crate) fn start(&mut self, name: &str, line: &str) {
        self.run(&format!("{{ {line}; }} > /tmp/{name}.out 2>&1 &")).good();
    }

    pub(crate) fn said(&mut self, name: &str) -> String {
        self.run(&format!("cat /tmp/{name}.out")).good().stdout
    }

    /// Forgets what it has read, so that it must ask again.
    pub(crate) fn forget(&mut self) {
        self.run("sync; echo 3 > /proc/sys/vm/drop_caches").good();
    }

    /// Switches it off.
    pub(crate) fn ends(mut self) {
        writeln!(self.input, "poweroff -f").unwrap();
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "qemu ended with {status}");
                let console = fs::read_to_string(&self.console).unwrap_or_default();
                assert!(!console.contains("Call Trace"), "{console}");
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not switch itself off");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it says until it has done what it was told.
    fn answer(&mut self, line: &str) -> Output {
        let (begun, mut stdout) = (Instant::now(), String::new());
        loop {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let said = self.told.recv_timeout(left);
            let said = said.unwrap_or_else(|e| panic!("{e}, after `{line}` and\n{stdout}"));
            if let Some(code) = said.strip_prefix("= ") {
                // The line before the code begins with the end of what was said.
                stdout.pop();
                return Output { code: code.parse().unwrap(), stdout, stderr: String::new() };
            }
            stdout += &said;
            stdout.push('\n');
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        // `ip netns exec` became qemu, so this is its process.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let text = fs::read_to_string(&self.console).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let last = &lines[lines.len().saturating_sub(60)..];
            eprintln!("=== the machine's console\n{}", last.join("\n"));
        }
    }
}
