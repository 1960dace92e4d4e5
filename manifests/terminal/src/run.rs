//! From a result to an exit code, and what happens when somebody presses Ctrl-C.

use crate::failure::{describe, exit_of};
use crate::{atomic_file, output};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use stratus_model::Exit;
use tokio::signal::unix::{SignalKind, signal};

/// The exit code after Ctrl-C, as shells expect it.
pub const INTERRUPTED: u8 = 130;
/// The exit code after SIGTERM.
const TERMINATED: u8 = 143;

/// Runs a command's main: prints what went wrong and returns the exit code.
///
/// SIGINT and SIGTERM remove the temporary files of [`AtomicFile`](crate::AtomicFile) and end the
/// process with 130 and 143. Whether anybody reads standard output makes no difference
/// ([`print_line`](crate::print_line)).
pub fn run(main: impl FnOnce() -> anyhow::Result<Exit>) -> ExitCode {
    watch_signals();
    conclude(catch_unwind(AssertUnwindSafe(main)))
}

/// As [`run`], for a service: what signals mean is its own affair, because it finishes what is running.
pub fn run_service(main: impl FnOnce() -> anyhow::Result<Exit>) -> ExitCode {
    conclude(catch_unwind(AssertUnwindSafe(main)))
}

/// As [`run`], for a main that does network I/O. The future runs on a runtime with a thread per
/// processor.
pub fn run_async<F>(main: impl FnOnce() -> F) -> ExitCode
where
    F: Future<Output = anyhow::Result<Exit>>,
{
    run(|| {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let result = runtime.block_on(main());
        // A name lookup that hangs must not keep the command from ending.
        runtime.shutdown_background();
        result
    })
}

fn conclude(result: std::thread::Result<anyhow::Result<Exit>>) -> ExitCode {
    match result {
        Ok(Ok(exit)) => ExitCode::from(exit.code()),
        Ok(Err(error)) => {
            if was_interrupted(&error) {
                return ExitCode::from(INTERRUPTED);
            }
            output::note(describe(&error).trim_end());
            ExitCode::from(exit_of(&error).code())
        }
        Err(_panic) => {
            output::note("error: this is a mistake in the program itself; please report it");
            ExitCode::from(Exit::Failed.code())
        }
    }
}

/// Whether Ctrl-C was pressed in a prompt, where the terminal sends no signal.
fn was_interrupted(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<inquire::InquireError>()
            .is_some_and(|e| matches!(e, inquire::InquireError::OperationInterrupted))
    })
}

fn watch_signals() {
    // Where the watcher cannot be made, signals end the process as they always do.
    let _ = std::thread::Builder::new().name("signals".to_owned()).spawn(|| {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else {
            return;
        };
        runtime.block_on(async {
            let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            else {
                return;
            };
            let code = tokio::select! {
                _ = interrupt.recv() => INTERRUPTED,
                _ = terminate.recv() => TERMINATED,
            };
            atomic_file::remove_unfinished();
            output::note("");
            std::process::exit(i32::from(code));
        });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Failure;

    fn code(result: anyhow::Result<Exit>) -> String {
        format!("{:?}", conclude(Ok(result)))
    }

    fn number(code: u8) -> String {
        format!("{:?}", ExitCode::from(code))
    }

    #[test]
    fn results_become_exit_codes() {
        assert_eq!(code(Ok(Exit::Changes)), number(10));
        assert_eq!(code(Err(Failure::new(Exit::Denied, "no").into())), number(4));
        assert_eq!(code(Err(anyhow::anyhow!("no"))), number(1));
        // Never a good end: nobody knows what a command that was cut short would have found.
        let gone = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert_eq!(code(Err(gone.into())), number(1));
        let interrupted = Failure::usage("x").because(inquire::InquireError::OperationInterrupted);
        assert_eq!(code(Err(interrupted.into())), number(130));
    }

    #[test]
    fn a_panic_is_exit_code_1() {
        assert_eq!(format!("{:?}", conclude(Err(Box::new("boom")))), number(1));
    }
}
