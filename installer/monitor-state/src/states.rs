//! States as people ask for them: a handful of groups over oned's seventy numbers.

use crate::records::{Host, Image, Machine};
use serde::Serialize;
use stratus_opennebula::{HostState, ImageState, LcmState, MachineState};

/// What a machine is doing, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    /// A step failed; somebody has to do something.
    Failed,
    /// Its host has not told of it for a while.
    Unknown,
    /// No host was found for it yet.
    Waits,
    /// On its way up, down or elsewhere.
    Moves,
    /// Runs.
    Runs,
    /// Somebody holds it back.
    Held,
    /// Off: stopped, suspended, powered off, undeployed.
    Off,
    /// Ended.
    Done,
}

impl Group {
    /// All that are shown, most urgent first.
    pub const SHOWN: [Self; 7] =
        [Self::Failed, Self::Unknown, Self::Waits, Self::Moves, Self::Runs, Self::Held, Self::Off];

    /// Its word, in addresses and on pages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Waits => "waits",
            Self::Moves => "moves",
            Self::Runs => "runs",
            Self::Held => "held",
            Self::Off => "off",
            Self::Done => "done",
        }
    }

    /// The group with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::SHOWN.into_iter().find(|group| group.word() == word)
    }

    /// The group of a machine.
    pub fn of(machine: &Machine) -> Self {
        let lcm = LcmState::from(machine.lcm_state);
        match MachineState::from(machine.state) {
            MachineState::CloningFailure => Self::Failed,
            MachineState::Active if lcm.is_failure() => Self::Failed,
            MachineState::Active if lcm == LcmState::Unknown => Self::Unknown,
            MachineState::Active if is_up(lcm) => Self::Runs,
            MachineState::Active | MachineState::Cloning => Self::Moves,
            MachineState::Init | MachineState::Pending => Self::Waits,
            MachineState::Hold => Self::Held,
            MachineState::Done => Self::Done,
            MachineState::Stopped
            | MachineState::Suspended
            | MachineState::PowerOff
            | MachineState::Undeployed => Self::Off,
            MachineState::Other(_) => Self::Unknown,
        }
    }
}

/// Whether the guest is at work although something is done to the machine.
fn is_up(lcm: LcmState) -> bool {
    matches!(
        lcm,
        LcmState::Running
            | LcmState::Hotplug
            | LcmState::HotplugNic
            | LcmState::HotplugSnapshot
            | LcmState::HotplugResize
            | LcmState::DiskSnapshot
            | LcmState::DiskResize
            | LcmState::Backup
    )
}

/// A machine's state in oned's word: what it is doing, if it is active.
pub fn machine_words(machine: &Machine) -> String {
    match MachineState::from(machine.state) {
        MachineState::Active => LcmState::from(machine.lcm_state).to_string(),
        other => other.to_string(),
    }
}

/// A host's state in a word for people.
pub fn host_words(host: &Host) -> &'static str {
    match HostState::from(host.state) {
        HostState::Monitored | HostState::MonitoringMonitored => "on",
        HostState::Init | HostState::MonitoringInit => "starts",
        HostState::Error | HostState::MonitoringError => "error",
        HostState::Disabled | HostState::MonitoringDisabled if host.running > 0 => "drains",
        HostState::Disabled | HostState::MonitoringDisabled => "drained",
        HostState::Offline => "offline",
        HostState::Other(_) => "unknown",
    }
}

/// An image's state in oned's word.
pub fn image_words(image: &Image) -> String {
    ImageState::from(image.state).to_string()
}
