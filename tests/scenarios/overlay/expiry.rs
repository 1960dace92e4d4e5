//! A certificate that ends while its node is connected.

use crate::bed::{Bed, LAN_HOST, eventually, pings};
use crate::{RANGE, reaches_the_lan, refused_node};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use stratus_overlay::{Form, Overlay, system_random};

#[test]
fn a_session_does_not_outlive_its_certificate() {
    let mut bed = Bed::new(&format!("{RANGE}certificate_validity = \"1 day\"\n"));
    bed.vpn(&["init"]).good();
    let left = SignedDuration::from_secs(45);
    let profile = {
        let (site, place) = (bed.site(), bed.place());
        let vpn = site.vpn.clone().unwrap();
        let then = Timestamp::now() - SignedDuration::from_hours(24) + left;
        let mut overlay = Overlay::open(&bed.path("vpn"), (&site, &vpn), place).unwrap();
        overlay.add(&["burst1".parse().unwrap()], then, &mut system_random).unwrap();
        let (name, week) = ("burst1".parse().unwrap(), Duration::from_hours(7 * 24));
        overlay.bundle(&name, Form::Ovpn, 1500, week, then, &mut system_random).unwrap().text
    };
    // As the server's own, a few hundred times shorter.
    bed.serve_with("reneg-sec 10\ntran-window 15\n");
    let burst = bed.cloud();
    let _joined = bed.join(&burst, &profile);
    reaches_the_lan(&burst);
    // One ping that comes late is no end.
    let waited = eventually("the session ends", || {
        !pings(&burst, LAN_HOST) && bed.node("burst1")["session"].is_null()
    });
    println!("the session ended {waited:.1?} after it began; the certificate after {left:#}");
    refused_node(&bed, "burst1", "its certificate has expired");
}
