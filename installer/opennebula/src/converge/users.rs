//! Users: how their passwords are checked, and their groups.

use secrecy::ExposeSecret;
use sha2::{Digest, Sha256};

use crate::converge::change::{Change, Convergence, Kind, New};
use crate::converge::plan::{Planner, Pools, find};
use crate::converge::{Authentication, Wanted, WantedUser};
use crate::objects::User;

pub(crate) fn user(plan: &mut Planner<'_>, pool: &[User], wanted: &WantedUser) {
    let authentication = &wanted.authentication;
    let found =
        plan.object(pool, &wanted.name, &wanted.attributes, || New::User(authentication.clone()));
    if let Some(found) = found.filter(|found| !checked_as(found, authentication)) {
        plan.out.changes.push(Change::Authenticate {
            id: found.id.0,
            user: wanted.name.clone(),
            authentication: authentication.clone(),
        });
    }
    let on = found.is_none_or(|found| found.enabled);
    plan.out.switch(Kind::User, &wanted.name, wanted.switch, on);
}

/// Whether oned checks the password as wanted. With the driver `core` it keeps the SHA-256.
fn checked_as(found: &User, wanted: &Authentication) -> bool {
    let kept = found.password.expose_secret();
    match wanted {
        Authentication::Ldap(name) => found.driver == "ldap" && kept == name,
        Authentication::Core(password) => {
            let digest = hex::encode(Sha256::digest(password.expose_secret().as_bytes()));
            found.driver == "core" && *kept == digest
        }
        Authentication::CoreAtFirst(_) => found.driver == "core",
    }
}

/// Memberships come after the groups, which may be new.
pub(crate) fn memberships(out: &mut Convergence, wanted: &Wanted, pools: &Pools) {
    for user in &wanted.users {
        let found = find(&pools.users, &user.name, &wanted.site);
        for group in &user.groups {
            let there = find(&pools.groups, group, &wanted.site);
            let comes = wanted.groups.iter().any(|wanted| wanted.name == *group);
            if there.is_none() && !comes {
                let reason = format!(
                    "it cannot join group `{group}`: there is none, and the site wants none"
                );
                out.refuse(Kind::User, &user.name, reason);
                continue;
            }
            let member =
                found.zip(there).is_some_and(|(found, there)| found.groups.contains(&there.id));
            if !member {
                let (user, group) = (user.name.clone(), group.clone());
                out.changes.push(Change::Join { user, group });
            }
        }
    }
}
