//! History: figures over time, in files of fixed size.
//!
//! | series | steps |
//! |---|---|
//! | site and hosts | 1 min for a day, 5 min for 30 days, 1 h for `retention` |
//! | machines | 5 min for 30 days |
//!
//! A machine has no finer and no longer series: 20,000 of them with four figures take 691 MB in
//! 5 minute steps for 30 days, and minutes of one day would add another 115 MB for what the list of
//! stays and the events tell better. Hosts take 75 KB each.
//!
//! A figure of a step is the mean of what was seen in it. The files are written after each step and
//! never synced: a kill loses nothing that was written, a power cut the last seconds.
//!
//! Who reads never waits for who records: writing the figures of 20,000 machines takes a while, and
//! disks stall. What both need, who has which column, is exchanged as a whole.

mod code;
mod columns;
mod ring;

pub use code::Coding;
pub use ring::{Ring, Shape};

use arc_swap::ArcSwap;
use columns::{Columns, Seats};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use stratus_monitor_state::{Group, Machine, State};

/// Seconds of the steps.
const MINUTE: i64 = 60;
const FIVE: i64 = 300;
const HOUR: i64 = 3600;
const DAY: i64 = 86_400;

/// Figures of each series.
pub const FIGURES: usize = 4;

/// One point of a series: when, and its figures; not a number where nothing was seen.
pub type Point = (i64, [f32; FIGURES]);

/// Which series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Series {
    /// Machines that run, wait, failed or are unknown; percent of memory given.
    Site,
    /// Of a host, in percent: processors given and at work, memory given and in use.
    Host(i32),
    /// Of a machine: processor in percent of what it has, memory in percent, bytes a second
    /// received and sent.
    Machine(i32),
}

/// How far back a chart goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// A day.
    Day,
    /// A month.
    Month,
    /// As long as there is history.
    Year,
}

/// All series on disk.
#[derive(Debug)]
pub struct History {
    site: Kind,
    hosts: Kind,
    machines: Kind,
    /// What only the one who records needs.
    recording: Mutex<Recording>,
}

#[derive(Debug)]
struct Recording {
    site: Writer,
    hosts: Writer,
    machines: Writer,
    last_machines: BTreeMap<i32, (i64, u64, u64)>,
}

impl History {
    /// Opens or makes the files in a folder.
    pub fn open(folder: &Path, retention: i64) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        let days = usize::try_from(retention / DAY).unwrap_or(1).clamp(30, 3650);
        let percent = [Coding::Percent; FIGURES];
        let machine = [Coding::Percent, Coding::Percent, Coding::Rate, Coding::Rate];
        let rings = |name: &str, columns, codings: [Coding; FIGURES], long: bool| {
            let mut rings = Vec::new();
            let mut ring = |suffix: &str, step, slots, blocks| {
                let shape = Shape { step, slots, blocks, columns, codings };
                rings.push(Ring::new(folder, &format!("{name}-{suffix}"), shape));
            };
            if long {
                ring("minutes", MINUTE, 60, 25);
            }
            ring("steps", FIVE, 12, 721);
            if long {
                ring("hours", HOUR, 24, days + 1);
            }
            rings
        };
        let open = |name: &str, rings| Kind::open(&folder.join(format!("{name}.columns")), rings);
        let (site, site_writer) = open("site", rings("site", 1, [Coding::Number; FIGURES], true))?;
        let (hosts, hosts_writer) = open("hosts", rings("hosts", 64, percent, true))?;
        let rings = rings("machines", 1024, machine, false);
        let (machines, machines_writer) = open("machines", rings)?;
        let recording = Recording {
            site: site_writer,
            hosts: hosts_writer,
            machines: machines_writer,
            last_machines: BTreeMap::new(),
        };
        Ok(Self { site, hosts, machines, recording: Mutex::new(recording) })
    }

    /// Takes in a state. One who reads meanwhile sees what was before or what is new.
    pub fn record(&self, state: &State) -> io::Result<()> {
        let mut recording = self.recording.lock().unwrap_or_else(PoisonError::into_inner);
        let at = state.read_at;
        self.site.take(&mut recording.site, at, [(0, site(state))].into_iter())?;
        let hosts = state.hosts.iter().map(|host| {
            let percent = |part: i64, whole: i64| {
                if whole > 0 { part as f32 * 100.0 / whole as f32 } else { f32::NAN }
            };
            let load = |of: fn(&stratus_monitor_state::HostLoad) -> i64, whole| {
                host.load.as_ref().map_or(f32::NAN, |load| percent(of(load), whole))
            };
            let figures = [
                percent(host.cpu_given, host.cpu_max),
                load(|l| l.cpu_used, host.cpu_max),
                percent(host.memory_given_kib, host.memory_max_kib),
                load(|l| l.memory_used_kib, host.memory_max_kib),
            ];
            (host.id, figures)
        });
        self.hosts.take(&mut recording.hosts, at, hosts)?;
        let rates = recording.rates(state);
        self.machines.take(&mut recording.machines, at, rates.into_iter())
    }

    /// The points of a series, oldest first.
    pub fn read(&self, series: Series, span: Span, now: i64) -> io::Result<Vec<Point>> {
        let (kind, id) = match series {
            Series::Site => (&self.site, 0),
            Series::Host(id) => (&self.hosts, id),
            Series::Machine(id) => (&self.machines, id),
        };
        let Some((column, begins)) = kind.seats.load().get(&id).copied() else {
            return Ok(Vec::new());
        };
        let length = match span {
            Span::Day => DAY,
            Span::Month => 30 * DAY,
            Span::Year => 3650 * DAY,
        };
        let fine = |ring: &&Ring| {
            let wanted = match span {
                Span::Day => MINUTE,
                Span::Month => FIVE,
                Span::Year => HOUR,
            };
            ring.shape().step >= wanted
        };
        let ring = kind.rings.iter().find(fine).or(kind.rings.last());
        let Some(ring) = ring else { return Ok(Vec::new()) };
        ring.read(column, begins.max(now - length), now)
    }

    /// Bytes that the files take on the disk.
    pub fn bytes(&self) -> u64 {
        let kinds = [&self.site, &self.hosts, &self.machines];
        kinds.iter().flat_map(|kind| &kind.rings).map(Ring::bytes).sum()
    }
}

impl Recording {
    fn rates(&mut self, state: &State) -> Vec<(i32, [f32; FIGURES])> {
        let mut last = BTreeMap::new();
        let mut figures = Vec::new();
        for machine in state.machines.iter() {
            let Some(load) = machine.load.filter(|load| load.at > 0) else { continue };
            let before = self.last_machines.get(&machine.id);
            let rate = before.map_or([f32::NAN; 2], |(at, received, sent)| {
                let seconds = load.at - at;
                let rate = |now: u64, before: u64| {
                    // A counter that went back began anew, with its machine.
                    let bytes = now.checked_sub(before).unwrap_or(now);
                    if seconds > 0 { bytes as f32 / seconds as f32 } else { f32::NAN }
                };
                [rate(load.received, *received), rate(load.sent, *sent)]
            });
            last.insert(machine.id, (load.at, load.received, load.sent));
            figures.push((machine.id, machine_figures(machine, load.cpu_percent, rate)));
        }
        self.last_machines = last;
        figures
    }
}

fn site(state: &State) -> [f32; FIGURES] {
    let count = |groups: &[Group]| groups.iter().map(|g| state.count(*g)).sum::<usize>() as f32;
    let sum = |of: fn(&stratus_monitor_state::capacity::Capacity) -> i64| {
        state.capacity.iter().map(of).fold(0, i64::saturating_add)
    };
    let (given, all) = (sum(|c| c.memory_given_kib), sum(|c| c.memory_kib));
    let memory = if all > 0 { given as f32 * 100.0 / all as f32 } else { f32::NAN };
    [count(&[Group::Runs]), count(&[Group::Waits]), count(&[Group::Failed, Group::Unknown]), memory]
}

fn machine_figures(machine: &Machine, cpu_percent: f32, rate: [f32; 2]) -> [f32; FIGURES] {
    let cpu = if machine.cpu > 0.0 { cpu_percent / machine.cpu } else { f32::NAN };
    let used = machine.load.map_or(0, |load| load.memory_kib) as f32;
    let all = machine.memory_mib.saturating_mul(1024) as f32;
    let memory = if all > 0.0 { used * 100.0 / all } else { f32::NAN };
    [cpu, memory, rate[0], rate[1]]
}

/// One kind of series: who has which column, and the rings in rising steps.
#[derive(Debug)]
struct Kind {
    seats: ArcSwap<Seats>,
    rings: Vec<Ring>,
}

/// How a kind is written.
#[derive(Debug)]
struct Writer {
    columns: Columns,
    /// One for each ring.
    sums: Vec<Sums>,
}

impl Kind {
    fn open(columns: &Path, rings: Vec<Ring>) -> io::Result<(Self, Writer)> {
        let columns = Columns::open(columns)?;
        let seats = ArcSwap::from_pointee(columns.seats());
        let sums = rings.iter().map(|_| Sums::default()).collect();
        Ok((Self { seats, rings }, Writer { columns, sums }))
    }

    fn take(
        &self,
        writer: &mut Writer,
        at: i64,
        figures: impl Iterator<Item = (i32, [f32; FIGURES])>,
    ) -> io::Result<()> {
        let mut by_column = Vec::new();
        for (id, figures) in figures {
            by_column.push((writer.columns.of(id, at), figures));
        }
        // Who has which column is on the disk before the first figure of it is.
        let mut result = writer.columns.save(at);
        if writer.columns.moved() {
            self.seats.store(writer.columns.seats().into());
        }
        for (ring, sums) in self.rings.iter().zip(&mut writer.sums) {
            result = result.and(sums.take(ring, at, &by_column));
        }
        result
    }
}

/// The sums of the step of a ring that is going on.
#[derive(Debug, Default)]
struct Sums {
    slot: i64,
    sums: BTreeMap<usize, [(f32, u16); FIGURES]>,
}

impl Sums {
    /// Adds figures to the step they are in. Short series are written each time; those of thousands
    /// of machines when their step is over.
    fn take(
        &mut self,
        ring: &Ring,
        at: i64,
        figures: &[(usize, [f32; FIGURES])],
    ) -> io::Result<()> {
        let slot = at.div_euclid(ring.shape().step);
        let mut result = Ok(());
        if slot != self.slot {
            if self.slot != 0 {
                result = self.write(ring);
            }
            self.sums.clear();
            self.slot = slot;
        }
        for (column, figures) in figures {
            let sums = self.sums.entry(*column).or_default();
            for ((sum, count), figure) in sums.iter_mut().zip(figures) {
                if figure.is_finite() {
                    *sum += figure;
                    *count = count.saturating_add(1);
                }
            }
        }
        if figures.len() <= 64 { result.and(self.write(ring)) } else { result }
    }

    fn write(&self, ring: &Ring) -> io::Result<()> {
        let mean = |(sum, count): (f32, u16)| {
            if count > 0 { sum / f32::from(count) } else { f32::NAN }
        };
        let figures: Vec<(usize, [f32; FIGURES])> =
            self.sums.iter().map(|(column, sums)| (*column, sums.map(mean))).collect();
        ring.write(self.slot * ring.shape().step, &figures)
    }
}

impl Drop for History {
    fn drop(&mut self) {
        let recording = self.recording.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Recording { site, hosts, machines, .. } = recording;
        for (kind, writer) in [(&self.site, site), (&self.hosts, hosts), (&self.machines, machines)]
        {
            for (ring, sums) in kind.rings.iter().zip(&writer.sums) {
                // The step that is going on; what cannot be written now is lost with it.
                let _lost = sums.write(ring);
            }
        }
    }
}

/// Where the files are, below the monitor's data.
pub fn folder(data: &Path) -> PathBuf {
    data.join("history")
}
