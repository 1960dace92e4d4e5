//! The server of burst nodes: OpenVPN on the gateway, with an authority that is made there and never
//! leaves it; or WireGuard, with a key in its place.

mod hosts;

pub(crate) use hosts::register_units;

use super::services::{FOLDER, SETTINGS};
use crate::plan::Role;
use crate::step::{Access, Action, Step, User};
use crate::view::View;
use crate::wanted::{Wanted, file_id, packages_id, whole};
use std::collections::BTreeSet;
use stratus_network::NetworkFile;
use stratus_network::overlay::{Place, device, host_files, report_files};
use stratus_site::{Site, Vpn, VpnMode};

/// The unit of the server.
pub(crate) const SERVER: &str = "stratus-vpn-server.service";
/// The unit that has certificates and revocation list renewed.
pub(crate) const TIMER: &str = "stratus-vpn-renew.timer";
/// The unit that has a report written for the monitor.
const REPORT: &str = "stratus-vpn-status.timer";
/// Authority, register and keys: data that no step takes away.
pub const DATA: &str = "/var/lib/stratus/vpn";
/// The package with `stratus-vpn`.
const PROGRAM: &str = "stratus-installer";

pub(super) fn wanted(view: &View) -> Vec<Wanted> {
    let vpn = view.site.vpn.as_ref().filter(|_| view.is(Role::Gateway));
    vpn.map(|vpn| server(view, vpn)).unwrap_or_default()
}

fn server(view: &View, vpn: &Vpn) -> Vec<Wanted> {
    let place = Place::default();
    let packages = &view.system.family.packages;
    let (purpose, names, reason) = match vpn.mode {
        VpnMode::Tap | VpnMode::Tun => {
            ("vpn", &packages.vpn, "[vpn]: burst nodes come in through OpenVPN")
        }
        VpnMode::WireGuard => {
            ("wireguard", &packages.wireguard, "[vpn]: burst nodes come in through WireGuard")
        }
    };
    let mut steps = vec![
        Wanted::packages(purpose, names, reason),
        Wanted::packages(
            PROGRAM,
            &[PROGRAM.to_owned()],
            "[vpn]: `stratus-vpn` keeps the register and lets burst nodes in",
        ),
    ];
    let make = |action: Action, reason: &str| {
        Wanted::action(action, &[SETTINGS], reason).needs(packages_id(PROGRAM))
    };
    match vpn.mode {
        VpnMode::Tap | VpnMode::Tun => {
            steps.extend(account(&place));
            let reason = "the authority is made once; the server's files follow the site file";
            steps.push(make(Action::MakeOverlay, reason));
            steps.push(joined(&place));
            let reason =
                "the server's device is in the bridge before it starts; what ends is renewed";
            steps.extend(units(view.site, vpn, &place, (Action::MakeOverlay, reason)));
            steps.push(renewal());
        }
        VpnMode::WireGuard => {
            let reason = "the server's key is made once; the server's files follow the site file";
            steps.push(make(Action::MakeWireguard, reason));
            let reason = "wg-quick brings the server's interface up";
            steps.extend(units(view.site, vpn, &place, (Action::MakeWireguard, reason)));
        }
    }
    steps.extend(report(view.site, &place));
    steps.extend(hosts::wanted(view.site, &place));
    steps
}

fn joined(place: &Place) -> Wanted {
    let (owner, group) = place.account.clone();
    let access = Access { owner, group, mode: 0o700 };
    let joined = Step::Directory { path: place.joined.clone(), access };
    let reason = "the server notes there which machine used a join token";
    Wanted::new(joined, reason).needs(format!("user:{}", place.account.0))
}

/// Whom the server is once it has its keys.
fn account(place: &Place) -> [Wanted; 2] {
    let (name, group) = place.account.clone();
    let reason = "the server gives root's rights away once it has its keys";
    let user = User {
        name,
        uid: None,
        group: group.clone(),
        home: "/".to_owned(),
        shell: "/usr/sbin/nologin".to_owned(),
        groups: BTreeSet::new(),
    };
    [
        Wanted::new(Step::Group { name: group, gid: None }, reason),
        Wanted::new(Step::User(user), reason),
    ]
}

/// The server's unit, and those that are beside it; the action makes what it starts from.
fn units(site: &Site, vpn: &Vpn, place: &Place, (made, reason): (Action, &str)) -> Vec<Wanted> {
    let file = |file: NetworkFile| Step::File(whole(&file.path, file.mode, file.content));
    let files = host_files(site, vpn, place).into_iter();
    let mut steps: Vec<Wanted> = files.map(|f| Wanted::new(file(f), reason)).collect();
    let server = path(SERVER);
    let conf = made.makes().unwrap_or_default();
    let reason = "[vpn]: burst nodes come in here";
    steps.push(Wanted::runs(SERVER, &[&server, conf], reason).needs(file_id(&server)));
    steps
}

fn renewal() -> Wanted {
    let (timer, renewal) = (path(TIMER), path("stratus-vpn-renew.service"));
    let reason = "an expired revocation list would lock every burst node out";
    Wanted::runs(TIMER, &[&timer, &renewal], reason).needs(file_id(&timer))
}

fn path(unit: &str) -> String {
    format!("/etc/systemd/system/{unit}")
}

/// The units of the gateway that have to run.
pub(crate) fn running(vpn: &Vpn) -> Vec<&'static str> {
    match vpn.mode {
        VpnMode::Tap | VpnMode::Tun => vec![SERVER, TIMER],
        VpnMode::WireGuard => vec![SERVER],
    }
}

/// Where the monitor, which may not look at the overlay itself, finds a report of it on this host.
fn report_path(site: &Site) -> Option<String> {
    let (vpn, monitor) = (site.vpn.as_ref()?, site.monitor.as_ref()?);
    let gateway = vpn.gateway_host.as_ref().unwrap_or(&site.frontend.host);
    let report = monitor.vpn_report.as_ref().filter(|_| monitor.host == *gateway)?;
    // The monitor reads a relative one beside its settings.
    let path = if report.starts_with('/') { report.clone() } else { format!("{FOLDER}/{report}") };
    Some(path)
}

/// The unit on the gateway that has a report written for the monitor, where both are on one host.
pub(crate) fn report_timer(site: &Site) -> Option<&'static str> {
    report_path(site).map(|_| REPORT)
}

fn report(site: &Site, place: &Place) -> Vec<Wanted> {
    let Some(path) = report_path(site) else { return Vec::new() };
    let reason = "monitor.vpn_report: the monitor shows burst nodes, and may not look itself";
    let files = report_files(&path, place);
    let paths: Vec<String> = files.iter().map(|file| file.path.clone()).collect();
    let inputs: Vec<&str> = paths.iter().map(String::as_str).collect();
    let file = |file: NetworkFile| Step::File(whole(&file.path, file.mode, file.content));
    let mut steps: Vec<Wanted> = files.into_iter().map(|f| Wanted::new(file(f), reason)).collect();
    let timer = file_id(inputs.last().copied().unwrap_or_default());
    steps.push(Wanted::runs(REPORT, &inputs, reason).needs(timer));
    steps
}

/// The bridge of the overlay and the server's device in it; none where the tunnel is routed.
pub(crate) fn serves_bridge(site: &Site) -> Option<(String, String)> {
    let vpn = site.vpn.as_ref()?;
    let bridge = stratus_network::overlay::bridge(site, vpn)?;
    Some((bridge.to_string(), device(vpn.mode).to_owned()))
}
