//! Why a test failed, kept so that it can be said again below the journals of its hosts: whoever
//! reads only the end of a log finds it there.

use super::lab::lock;
use std::panic::{set_hook, take_hook};
use std::sync::{Mutex, Once};
use std::thread;

static SAID: Mutex<Vec<(thread::ThreadId, String)>> = Mutex::new(Vec::new());
static KEPT: Once = Once::new();

/// Keeps from now on what panics say, beside whatever was done with it before.
pub(super) fn keep() {
    KEPT.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |info| {
            lock(&SAID).push((thread::current().id(), info.to_string()));
            before(info);
        }));
    });
}

/// What the panic of this thread said, if it is under way.
pub(super) fn of_this_thread() -> Option<String> {
    let id = thread::current().id();
    let said = lock(&SAID);
    thread::panicking()
        .then(|| said.iter().find(|(thread, _)| *thread == id).map(|(_, why)| why.clone()))
        .flatten()
}
