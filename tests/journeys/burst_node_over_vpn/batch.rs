//! A batch system over the LAN: Slurm's controller and a local node know the burst node as one more.

use crate::bed::{Bed, LAN_HOST, eventually};
use crate::traffic::share;
use stratus_tests::hosts::Host;

/// The kernel's control groups are left alone: those of a container are not Slurm's to use.
const GROUPS: &str = "CgroupPlugin=cgroup/v1\nCgroupAutomount=no\nIgnoreSystemd=yes\n";
const WITHOUT_GROUPS: &str = "[Service]\nTemporaryFileSystem=/sys/fs/cgroup\nDelegate=no\n";

fn settings() -> String {
    format!(
        "ClusterName=lab\nSlurmctldHost=lan({LAN_HOST})\nSlurmUser=root\nAuthType=auth/munge\n\
         ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\n\
         JobAcctGatherType=jobacct_gather/none\nReturnToService=2\n\
         StateSaveLocation=/var/lib/slurm/ctld\nSlurmdSpoolDir=/var/lib/slurm/d\n\
         NodeName=node1 NodeAddr=10.77.0.12\nNodeName=burst1 NodeAddr=10.77.0.200\n\
         PartitionName=all Nodes=ALL Default=YES State=UP\n"
    )
}

/// What a host of the batch system has, which reads the share.
pub(crate) const PACKAGES: &str = "munge slurmd libnfs-utils";

/// One job runs on the local and on the burst node; each part of it reads the share.
pub(crate) fn a_job_runs_here_and_there_and_reads_the_share(bed: &Bed, burst: &Host, digest: &str) {
    let (controller, local) = (bed.lan(), bed.node1());
    let key = controller.read("/etc/munge/munge.key");
    for (host, service) in [(controller, "slurmctld"), (local, "slurmd"), (burst, "slurmd")] {
        host.write("/etc/munge/munge.key", 0o400, &key);
        host.write("/etc/slurm/slurm.conf", 0o644, settings());
        host.write("/etc/slurm/cgroup.conf", 0o644, GROUPS);
        let drop_in = format!("/etc/systemd/system/{service}.service.d");
        host.run(&format!("mkdir -p /var/lib/slurm/ctld /var/lib/slurm/d {drop_in}")).good();
        host.write(&format!("{drop_in}/lab.conf"), 0o644, WITHOUT_GROUPS);
        host.run(&format!(
            "chown munge: /etc/munge/munge.key && systemctl daemon-reload && systemctl restart munge {service}"
        ))
        .good();
    }
    eventually("both nodes are idle", || {
        let states = controller.run("sinfo -h -N -o '%N %T'").stdout;
        ["burst1 idle", "node1 idle"].iter().all(|line| states.lines().any(|is| is == *line))
    });
    let job = format!(
        "timeout 60 srun -N 2 sh -c 'echo \"$(hostname) $(nfs-cat {} | sha256sum)\"'",
        share("from-burst").replace('\'', "\"")
    );
    let out = controller.run(&job).good().stdout;
    let mut lines: Vec<&str> = out.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, [format!("burst1 {}", digest.trim()), format!("node1 {}", digest.trim())]);
}
