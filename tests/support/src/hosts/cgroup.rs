//! The control groups of labs: every process of a host is in one, and so can be ended at once.

use crate::programs::{run, tool};

/// Ends all processes of the group `$1` and takes it away. A mount of its own, unseen by others, since
/// machines have this hierarchy in different places or nowhere.
const END: &str = r#"
mount -t cgroup2 cgroup2 /sys/fs/cgroup && cd /sys/fs/cgroup || exit 1
[ -d "$1" ] || exit 0
echo 1 > "$1/cgroup.kill" || exit 1
# A group cannot be removed before its last process is gone, and the shell has no event for it.
for attempt in $(seq 6000); do
    find "$1" -depth -type d -exec rmdir {} + 2> /dev/null
    [ -d "$1" ] || exit 0
    sleep 0.01
done
echo "processes of $1 do not end: $(cat $(find "$1" -name cgroup.procs) | tr '\n' ' ')" >&2
exit 1
"#;

/// Ends every process of a group and those below, as `kill -9` does, and waits until they are gone.
///
/// Gives what went wrong instead of failing: it is called while a failed test is cleaned up.
pub(super) fn end(group: &str) -> Result<(), String> {
    let out = run(tool("unshare", "util-linux").args(["--mount", "sh", "-c", END, "sh", group]));
    if out.code == 0 { Ok(()) } else { Err(out.stderr) }
}
