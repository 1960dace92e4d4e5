//! The accept loop, and how long it pauses after an error.

use std::{future::poll_fn, io, sync::Arc, time::Duration};

use rustix::io::Errno;
use tokio::net::TcpListener;

use crate::{TlsFiles, connection, serve::Shared};

/// The first and the longest pause after an error that the next accept would meet again.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Accepts connections until the server drains.
pub(crate) async fn accept(listener: TcpListener, tls: Option<Arc<TlsFiles>>, shared: Arc<Shared>) {
    let mut draining = shared.draining.watch();
    let mut backoff = Backoff::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = poll_fn(|cx| draining.poll(cx)) => return,
        };
        let (socket, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                let Some(pause) = backoff.after(&error) else { continue };
                tracing::error!(%error, ?pause, "cannot accept connections");
                shared.crowd();
                tokio::select! {
                    () = tokio::time::sleep(pause) => continue,
                    () = poll_fn(|cx| draining.poll(cx)) => return,
                }
            }
        };
        backoff = Backoff::default();
        let place = tokio::select! {
            place = shared.place() => place,
            () = poll_fn(|cx| draining.poll(cx)) => return,
        };
        let connection = connection::run(socket, address, tls.clone(), Arc::clone(&shared));
        shared.connections.spawn(async move {
            connection.await;
            drop(place);
        });
    }
}

/// Doubling pauses while the process has no descriptors or memory for another connection.
#[derive(Debug, Default)]
struct Backoff(Option<Duration>);

impl Backoff {
    /// How long to wait after this error; `None` if it was one connection's own.
    fn after(&mut self, error: &io::Error) -> Option<Duration> {
        // accept(2): errors already pending on the new socket are passed on, and mean nothing to
        // the next one.
        let passing = [
            Errno::CONNABORTED,
            Errno::CONNRESET,
            Errno::INTR,
            Errno::PROTO,
            Errno::NOPROTOOPT,
            Errno::NETDOWN,
            Errno::HOSTDOWN,
            Errno::NONET,
            Errno::HOSTUNREACH,
            Errno::NETUNREACH,
        ];
        if Errno::from_io_error(error).is_some_and(|errno| passing.contains(&errno)) {
            return None;
        }
        let pause = self.0.map_or(FIRST_PAUSE, |pause| (pause * 2).min(LONGEST_PAUSE));
        self.0 = Some(pause);
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_descriptors_the_pauses_grow_to_a_second() {
        let error = io::Error::from(Errno::MFILE);
        let mut backoff = Backoff::default();
        let pauses: Vec<_> = (0..8).filter_map(|_| backoff.after(&error)).collect();
        assert_eq!(pauses[..3], [20, 40, 80].map(Duration::from_millis));
        assert_eq!(pauses[7], LONGEST_PAUSE);
    }

    #[test]
    fn an_aborted_connection_is_no_reason_to_pause() {
        let error = io::Error::from(Errno::CONNABORTED);
        assert_eq!(Backoff::default().after(&error), None);
    }
}
