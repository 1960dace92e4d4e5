//! What an error of the overlay means for exit code and hints.

use std::io::ErrorKind;
use stratus_overlay::register::RegisterError;
use stratus_overlay::{Error, FolderError};
use stratus_terminal::{Exit, Failure};

/// The failure of a command.
pub(super) fn failed(error: Error) -> Failure {
    let message = error.to_string();
    match error {
        Error::Absent(_) => Failure::usage(message).hint("`stratus-vpn init` makes one"),
        Error::OtherSite { .. } => Failure::usage(message)
            .hint("name the right site file with --config, or another folder with --directory"),
        Error::Address(_) => Failure::usage(message),
        Error::NoBridge => Failure::usage(message)
            .hint("name the bridge in [nodes] or in the network that burst nodes join"),
        Error::OfHost { .. } => {
            Failure::usage(message).hint("choose another name for the burst node")
        }
        Error::LocksOut { .. } => Failure::new(Exit::Refused, message).hint(
            "if its key leaked: `stratus-vpn rotate server --force`, and a new bundle for each node",
        ),
        Error::Register(error) => refused(&error, message),
        Error::Folder(error) => folder(&error, message),
        Error::Certificate(_) | Error::Unreadable { .. } => Failure::new(Exit::Failed, message),
    }
}

fn refused(error: &RegisterError, message: String) -> Failure {
    match error {
        RegisterError::Known(name) => {
            Failure::usage(message).hint(format!("`stratus-vpn renew {name}` gives it new keys"))
        }
        RegisterError::Unknown(_) => Failure::usage(message).hint("`stratus-vpn list` shows all"),
        RegisterError::TooLong(_) | RegisterError::Taken { .. } => Failure::usage(message),
        RegisterError::Full { .. } => Failure::new(Exit::Failed, message)
            .hint("make `vpn.range` larger, or revoke nodes that are gone"),
        RegisterError::Rotating(_) => {
            Failure::new(Exit::Refused, message).hint("`stratus-vpn rotate ca --finish` ends it")
        }
        RegisterError::NotRotating => {
            Failure::usage(message).hint("`stratus-vpn rotate ca` begins it")
        }
        RegisterError::NotRenewed(_) => Failure::new(Exit::Refused, message)
            .hint("renew them and give them new bundles; --force locks them out"),
    }
}

fn folder(error: &FolderError, message: String) -> Failure {
    match error {
        FolderError::Busy(_) => Failure::new(Exit::Unreachable, message).hint("try again"),
        FolderError::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
            Failure::new(Exit::Denied, format!("{message}: {source}")).hint("run it as root")
        }
        FolderError::Io { source, .. } => {
            Failure::new(Exit::Failed, format!("{message}: {source}"))
        }
        FolderError::TooLarge(_) => Failure::new(Exit::Failed, message),
    }
}
