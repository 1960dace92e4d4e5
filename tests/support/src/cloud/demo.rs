//! A small site with a bit of everything, for the demo and for the pictures of the manual.

use super::Cloud;

impl Cloud {
    /// Twelve hosts and 95 machines, most of them well.
    pub fn demo() -> Self {
        let cloud = Self::start(12, 95);
        cloud.host(7, |h| h.state = 3);
        cloud.host(10, |h| h.state = 8);
        cloud.host(11, |h| h.silent = 1500);
        let error = "Sat Nov 21 00:17:23 2026: DEPLOY: cannot allocate memory";
        for id in [17, 29, 41] {
            cloud.machine(id, |m| (m.state, m.error) = ((3, 36), error.into()));
        }
        let waits = "Sat Nov 21 00:18:48 2026: [HOST] Not enough CPU on hosts: 0,1,2,3,4";
        for id in 60..64 {
            cloud.machine(id, |m| (m.state, m.waits, m.host) = ((1, 0), waits.into(), -1));
        }
        for id in 70..78 {
            cloud.machine(id, |m| m.state = (8, 0));
        }
        for (id, name) in [(94, "batch-head"), (93, "web-frontend"), (92, "database")] {
            cloud.machine(id, |m| m.name = name.into());
        }
        cloud
    }
}
