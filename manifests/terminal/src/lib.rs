//! How every command speaks: exit codes, errors with hints, progress, prompts, user settings.
//!
//! A command's main is short: read the arguments with [`arguments`], call one library function, show
//! the result. [`run`] turns what comes back into an exit code and, if it failed, into text on
//! standard error:
//!
//! ```text
//! error: the manifest `vm.xml` is not accepted
//!   caused by: the signer `/O=Example/CN=signer` is not trusted
//!
//! hint: add the signer's certificate with `--trust signer.crt`
//! ```
//!
//! Data goes to standard output, everything else to standard error; colour never carries meaning.
//! A secret comes from a file, the environment or a prompt, never from an argument.
//!
//! ```no_run
//! use clap::Parser;
//! use stratus_terminal::{Exit, Failure};
//!
//! /// Counts the bytes of a file.
//! #[derive(Parser)]
//! #[command(name = "stratus-count", version)]
//! struct Arguments {
//!     file: std::path::PathBuf,
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     stratus_terminal::run(|| {
//!         let arguments: Arguments = stratus_terminal::arguments();
//!         let bytes = std::fs::read(&arguments.file).map_err(|error| {
//!             Failure::new(Exit::Failed, format!("cannot read `{}`", arguments.file.display()))
//!                 .because(error)
//!         })?;
//!         stratus_terminal::print_line(&bytes.len().to_string())?;
//!         Ok(Exit::Done)
//!     })
//! }
//! ```

mod arguments;
mod atomic_file;
mod failure;
mod manual;
mod output;
mod password;
mod progress;
mod run;
mod settings;

pub use arguments::{STYLES, arguments};
pub use atomic_file::{AtomicFile, output_target};
pub use failure::{Failure, describe, exit_of};
pub use output::{note, print_json, print_line, warn};
pub use password::{PasswordSource, SecretFrom, credential, read_password, read_secret_file};
pub use progress::{Progress, ProgressMode};
pub use run::{INTERRUPTED, run, run_async, run_service};
pub use settings::{Settings, SettingsError};
pub use stratus_model::Exit;
