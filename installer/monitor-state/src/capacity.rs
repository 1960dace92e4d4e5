//! What is given, what is free, and how many more machines of a size fit.
//!
//! A machine fits on one host or not at all: ten hosts with half a core free have five cores free
//! and room for nothing. So each host is packed by itself.

use crate::records::Host;
use serde::Serialize;
use stratus_opennebula::HostState;

/// A size of machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Its letter.
    pub name: &'static str,
    /// Hundredths of a core.
    pub cpu: i64,
    /// Memory, KiB.
    pub memory_kib: i64,
}

/// Small, medium and large: what most sites' templates come near.
pub const SIZES: [Size; 3] = [
    Size { name: "S", cpu: 100, memory_kib: 2 << 20 },
    Size { name: "M", cpu: 200, memory_kib: 8 << 20 },
    Size { name: "L", cpu: 800, memory_kib: 32 << 20 },
];

/// The capacity of a cluster, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Capacity {
    /// The cluster's name.
    pub cluster: String,
    /// Hosts that take machines.
    pub hosts: usize,
    /// Hosts that take none: in error, off, draining.
    pub closed: usize,
    /// Hundredths of a core for machines, on hosts that take some.
    pub cpu: i64,
    /// Of these, given.
    pub cpu_given: i64,
    /// Memory for machines on hosts that take some, KiB.
    pub memory_kib: i64,
    /// Of it, given.
    pub memory_given_kib: i64,
    /// How many more of each of [`SIZES`] fit.
    pub fits: [i64; 3],
}

/// Whether the scheduler places machines there.
pub fn takes_machines(host: &Host) -> bool {
    let state = HostState::from(host.state);
    matches!(state, HostState::Monitored | HostState::MonitoringMonitored)
}

/// How many machines of a size a host has room for.
pub fn room(host: &Host, size: &Size) -> i64 {
    if !takes_machines(host) {
        return 0;
    }
    let free = |all: i64, given: i64| all.saturating_sub(given).max(0);
    let cpu = free(host.cpu_max, host.cpu_given) / size.cpu;
    let memory = free(host.memory_max_kib, host.memory_given_kib) / size.memory_kib;
    cpu.min(memory)
}

/// One line for each cluster, by name.
pub fn capacity(hosts: &[Host]) -> Vec<Capacity> {
    let mut clusters = std::collections::BTreeMap::<&str, Capacity>::new();
    for host in hosts {
        let line = clusters
            .entry(&host.cluster)
            .or_insert_with(|| Capacity { cluster: host.cluster.clone(), ..Capacity::default() });
        line.add(host);
    }
    clusters.into_values().collect()
}

impl Capacity {
    fn add(&mut self, host: &Host) {
        if !takes_machines(host) {
            self.closed += 1;
            return;
        }
        self.hosts += 1;
        let plus = |sum: &mut i64, more: i64| *sum = sum.saturating_add(more.max(0));
        plus(&mut self.cpu, host.cpu_max);
        plus(&mut self.cpu_given, host.cpu_given);
        plus(&mut self.memory_kib, host.memory_max_kib);
        plus(&mut self.memory_given_kib, host.memory_given_kib);
        for (count, size) in self.fits.iter_mut().zip(&SIZES) {
            plus(count, room(host, size));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(cpu_free: i64, memory_free_gib: i64) -> Host {
        let (cpu_max, memory_max_kib) = (1600, 64 << 20);
        Host {
            state: 2,
            cluster: "default".into(),
            cpu_max,
            cpu_given: cpu_max - cpu_free,
            memory_max_kib,
            memory_given_kib: memory_max_kib - (memory_free_gib << 20),
            ..Host::default()
        }
    }

    #[test]
    fn a_machine_fits_on_one_host_or_not_at_all() {
        let halves: Vec<Host> = (0..10).map(|_| host(50, 64)).collect();
        assert_eq!(capacity(&halves)[0].fits, [0, 0, 0]);
        assert_eq!(capacity(&[host(1600, 64)])[0].fits, [16, 8, 2]);
        assert_eq!(capacity(&[host(1600, 7)])[0].fits, [3, 0, 0]);
    }

    #[test]
    fn a_host_that_takes_nothing_has_no_room() {
        let off = Host { state: 8, ..host(1600, 64) };
        let line = &capacity(&[off, host(100, 64)])[0];
        assert_eq!((line.hosts, line.closed, line.fits), (1, 1, [1, 0, 0]));
    }

    #[test]
    fn overcommitted_and_odd_hosts_do_not_count_against_others() {
        let over = Host { cpu_given: 9999, ..host(0, 64) };
        let odd = Host { cpu_max: -10, memory_max_kib: i64::MIN, ..host(100, 1) };
        assert_eq!(capacity(&[over, odd, host(100, 64)])[0].fits, [1, 0, 0]);
    }
}
