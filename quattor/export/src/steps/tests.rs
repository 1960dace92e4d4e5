use super::*;
use crate::host::Lan;
use std::collections::BTreeSet;
use stratus_plan::facts::{NetworkTool, OsRelease};
use stratus_plan::plan::{Stage, State};
use stratus_plan::step::{Carry, File, Network, OurShare, Piece};

/// A step of each kind: the first, and the one after another. A new kind does not compile here
/// until it has its place, nor in `one` until somebody has said what Quattor makes of it.
fn next(before: Option<&Step>) -> Option<Step> {
    let (path, access) = ("/etc/a".to_owned(), Access::root(0o644));
    let step = match before {
        None => Step::Packages { names: ["a".to_owned()].into() },
        Some(Step::Packages { .. }) => Step::Carry(Carry {
            part: "debian-13-x86_64".to_owned(),
            names: ["a".to_owned()].into(),
            digest: String::new(),
        }),
        Some(Step::Carry(_)) => Step::Group { name: "a".to_owned(), gid: Some(9) },
        Some(Step::Group { gid: Some(_), .. }) => Step::Group { name: "a".to_owned(), gid: None },
        Some(Step::Group { gid: None, .. }) => Step::User(User {
            name: "a".to_owned(),
            uid: Some(9),
            group: "a".to_owned(),
            home: "/a".to_owned(),
            shell: "/bin/sh".to_owned(),
            groups: ["b".to_owned()].into(),
        }),
        Some(Step::User(_)) => Step::Directory { path, access },
        Some(Step::Directory { .. }) => Step::File(file(OurShare::Whole)),
        Some(Step::File(File { share: OurShare::Whole, .. })) => {
            let (name, comment) = ("a".to_owned(), "#".to_owned());
            Step::File(file(OurShare::Block { name, comment }))
        }
        Some(Step::File(File { share: OurShare::Block { .. }, .. })) => {
            Step::File(file(OurShare::OnedKeys))
        }
        Some(Step::File(File { share: OurShare::OnedKeys, .. })) => {
            Step::Secret { path, access, prefix: String::new() }
        }
        Some(Step::Secret { .. }) => Step::SecretFile { path, access, source: "b".into() },
        Some(Step::SecretFile { .. }) => Step::SshKey { user: "a".to_owned(), path },
        Some(Step::SshKey { .. }) => Step::Unit(Unit {
            name: "a.timer".to_owned(),
            enabled: true,
            running: true,
            inputs: BTreeSet::new(),
            reload: false,
        }),
        Some(Step::Unit(_)) => {
            Step::Action { action: Action::SyncRemotes, inputs: BTreeSet::new() }
        }
        Some(Step::Action { .. }) => {
            Step::Database { name: "a".to_owned(), password_file: "/b".to_owned() }
        }
        Some(Step::Database { .. }) => Step::Network(Network {
            tool: NetworkTool::Networkd,
            files: vec![],
            aside: BTreeSet::new(),
            bridge: "br0".to_owned(),
            interface: Some("eno1".to_owned()),
            apply: vec![],
            revert: vec![],
        }),
        Some(Step::Network(_)) => return None,
    };
    Some(step)
}

fn file(share: OurShare) -> File {
    File {
        path: opennebula().files.oned.clone(),
        content: vec![Piece::Text("PORT = 2633\n".to_owned())],
        share,
        access: Access::root(0o644),
        secret: false,
    }
}

fn host() -> Bare {
    let (id, version) = ("debian".to_owned(), "13".to_owned());
    let lan = Lan { interface: "eno1".parse().unwrap(), address: None, gateway: None };
    Bare::of(OsRelease { id, version, ..OsRelease::default() }, lan)
}

#[test]
fn every_kind_of_step_is_said_or_left() {
    let kinds: Vec<Step> = std::iter::successors(next(None), |step| next(Some(step))).collect();
    assert_eq!(kinds.len(), 16);
    for step in kinds {
        let shown = format!("{step:?}");
        let planned = Planned {
            id: "step".to_owned(),
            stage: Stage::Packages,
            step,
            reason: "a test".to_owned(),
            state: State::Change(vec![]),
            after: vec![],
        };
        let said = translate(&host(), &[planned]).unwrap();
        assert!(!(said.blocks.is_empty() && said.left.is_empty()), "{shown}");
    }
}

#[test]
fn an_action_is_left_or_follows_a_file() {
    let follows = [Action::ExportShares, Action::LoadSysctl, Action::ReloadUnits];
    let left = [
        Action::RefreshPackages,
        Action::RemoveLibvirtNetwork,
        Action::RestoreLabels,
        Action::AllowNfsMachines,
        Action::LoadFirewall,
        Action::SyncRemotes,
        Action::MakeOverlay,
        Action::MakeWireguard,
    ];
    let bare = host();
    let command = |action| {
        let around = Around { actions: [("/etc/a", vec![action])].into(), ..Around::of(&bare) };
        files::command(&around, "/etc/a")
    };
    for action in follows {
        assert!(left_of(action).is_none() && command(action).is_some(), "{action:?}");
    }
    for action in left {
        assert!(left_of(action).is_some() && command(action).is_none(), "{action:?}");
    }
}
