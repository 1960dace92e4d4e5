//! What the site promises: each checked from where it matters.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use stratus_site::{HostName, NetworkName};
use url::Url;

/// Something that must be true of a finished site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promise {
    /// Name that stays the same from run to run: `share:node01`.
    pub id: String,
    /// The host that looks.
    pub from: HostName,
    /// What is promised, as a sentence.
    pub text: String,
    /// How it is looked at.
    pub check: Check,
    /// What to do when it is not true.
    pub cure: String,
}

/// How a promise is looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "check")]
pub enum Check {
    /// A unit runs.
    UnitActive {
        /// The unit.
        unit: String,
    },
    /// A TCP port answers.
    PortAnswers {
        /// Host name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// An HTTP address answers with success.
    HttpAnswers {
        /// The address.
        url: Url,
        /// PEM certificates of its authority, on the host that looks.
        ca: Option<String>,
    },
    /// What a host writes below the path, the other reads there, and the other way round.
    ShareRoundTrip {
        /// The path on both.
        path: String,
        /// The other host.
        with: HostName,
    },
    /// A bridge is up, with this interface in it.
    BridgeUp {
        /// The bridge.
        bridge: String,
        /// The interface, where there must be one.
        interface: Option<String>,
    },
    /// An interface is up.
    InterfaceUp {
        /// The interface.
        interface: String,
    },
    /// Frames cross from the bridge to an address of the LAN.
    FramesCross {
        /// The bridge.
        bridge: String,
        /// The address.
        to: IpAddr,
    },
    /// A user of this host logs in on another host without a question.
    SshTrust {
        /// The user.
        user: String,
        /// The other host.
        to: HostName,
    },
    /// oned answers and is of this series.
    OneAnswers {
        /// `7.4`.
        series: String,
    },
    /// oned sees the host and monitors it.
    HostMonitored {
        /// The host.
        host: HostName,
    },
    /// A virtual network is ready and has its addresses.
    NetworkReady {
        /// Its name.
        network: NetworkName,
        /// How many addresses.
        addresses: u32,
    },
    /// libvirt of the host's hypervisor serves a user of the host.
    LibvirtAnswers {
        /// The user.
        user: String,
    },
    /// A program on the host listens for datagrams or connections from elsewhere.
    Listens {
        /// `udp` or `tcp`.
        protocol: String,
        /// Port.
        port: u16,
    },
    /// Certificates and the revocation list of the overlay count, and are renewed.
    OverlayCounts,
    /// A tiny machine starts on the host, gets an address of the network, and ends.
    MachineBoots {
        /// The host.
        host: HostName,
        /// The network.
        network: NetworkName,
    },
}
