//! The server of burst nodes: OpenVPN on the gateway, with an authority that is made there and never
//! leaves it.

use super::services::SETTINGS;
use crate::plan::Role;
use crate::step::{Access, Action, Step, User};
use crate::view::View;
use crate::wanted::{Wanted, file_id, packages_id, whole};
use std::collections::BTreeSet;
use stratus_network::NetworkFile;
use stratus_network::overlay::{Place, device, host_files};
use stratus_site::{Site, Vpn};

/// The unit of the server.
pub(crate) const SERVER: &str = "stratus-vpn-server.service";
/// The unit that has certificates and revocation list renewed.
pub(crate) const TIMER: &str = "stratus-vpn-renew.timer";
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
    let mut steps = vec![
        Wanted::packages(
            "vpn",
            &view.system.family.packages.vpn,
            "[vpn]: burst nodes come in through OpenVPN",
        ),
        Wanted::packages(
            PROGRAM,
            &[PROGRAM.to_owned()],
            "[vpn]: `stratus-vpn` keeps the authority and lets burst nodes in",
        ),
    ];
    steps.extend(account(&place));
    let reason = "the authority is made once; the server's files follow the site file";
    let overlay = Wanted::action(Action::MakeOverlay, &[SETTINGS], reason);
    steps.push(overlay.needs(packages_id(PROGRAM)));
    let (owner, group) = place.account.clone();
    let access = Access { owner, group, mode: 0o700 };
    let joined = Step::Directory { path: place.joined.clone(), access };
    let reason = "the server notes there which machine used a join token";
    steps.push(Wanted::new(joined, reason).needs(format!("user:{}", place.account.0)));
    steps.extend(units(view.site, vpn, &place));
    steps
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

fn units(site: &Site, vpn: &Vpn, place: &Place) -> Vec<Wanted> {
    let file = |file: NetworkFile| Step::File(whole(&file.path, file.mode, file.content));
    let reason = "the server's device is in the bridge before it starts; what ends is renewed";
    let files = host_files(site, vpn, place).into_iter();
    let mut steps: Vec<Wanted> = files.map(|f| Wanted::new(file(f), reason)).collect();
    let path = |unit: &str| format!("/etc/systemd/system/{unit}");
    let (server, timer, renewal) = (path(SERVER), path(TIMER), path("stratus-vpn-renew.service"));
    let conf = Action::MakeOverlay.makes().unwrap_or_default();
    let reason = "[vpn]: burst nodes come in here";
    steps.push(Wanted::runs(SERVER, &[&server, conf], reason).needs(file_id(&server)));
    let reason = "an expired revocation list would lock every burst node out";
    steps.push(Wanted::runs(TIMER, &[&timer, &renewal], reason).needs(file_id(&timer)));
    steps
}

/// The bridge of the overlay and the server's device in it; none where the tunnel is routed.
pub(crate) fn serves_bridge(site: &Site) -> Option<(String, String)> {
    let vpn = site.vpn.as_ref()?;
    let bridge = stratus_network::overlay::bridge(site, vpn)?;
    Some((bridge.to_string(), device(vpn.mode).to_owned()))
}
