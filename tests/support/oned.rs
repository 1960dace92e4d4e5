//! A stand-in for oned as a program: `/usr/bin/oned` of the stand-in packages.
//!
//! It reads `etc/one/oned.conf` and `var/lib/one/.one/one_auth`, keeps `var/lib/one/one.db`, and
//! tells systemd when it answers. `ONE_LOCATION` moves all three below another root. Arguments
//! (`-f` and the like) are taken and ignored.

use std::path::PathBuf;
use std::process::ExitCode;

use stratus_tests::oned::{Settings, serve};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("oned: {problem}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), String> {
    let root = std::env::var_os("ONE_LOCATION").map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let settings = Settings::below(&root, |name| std::env::var(name).ok())?;
    let mut end = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .map_err(|e| e.to_string())?;
    let ready = |address| {
        println!("listening on {address}");
        // Without systemd there is nobody to tell.
        let _nobody = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    };
    tokio::select! {
        ended = serve(settings, ready) => ended,
        _ = end.recv() => Ok(()),
    }
}
