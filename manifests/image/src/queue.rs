//! A bounded queue between threads, weighed in bytes, whose sending end can also be awaited.
//!
//! The standard library's channels count items and know no wakers; here the bound is memory, and an
//! async server must be able to wait for room without a thread. Nothing here depends on a runtime:
//! [`Sender::poll_room`] takes any waker.
//!
//! A sender that goes away without [`Sender::close`] cancels: what is queued is thrown away, and the
//! receivers learn that the stream was not complete.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The smallest weight of an item, so that a flood of tiny items is bounded as well.
const LEAST_WEIGHT: usize = 1024;

/// The other side is gone: nobody will take, or nobody will complete the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone;

#[derive(Debug)]
struct Shared<T> {
    state: Mutex<State<T>>,
    item: Condvar,
    room: Condvar,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<(usize, T)>,
    weight: usize,
    limit: usize,
    end: Option<End>,
    receivers: usize,
    takers_waiting: usize,
    sender_waiting: bool,
    waker: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Closed,
    Cancelled,
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn has_room(&self) -> bool {
        self.weight < self.limit
    }
}

/// A queue that takes items while their weight so far is below `limit` bytes.
pub(crate) fn queue<T>(limit: usize) -> (Sender<T>, Receiver<T>) {
    let state = State {
        items: VecDeque::new(),
        weight: 0,
        limit,
        end: None,
        receivers: 1,
        takers_waiting: 0,
        sender_waiting: false,
        waker: None,
    };
    let shared =
        Arc::new(Shared { state: Mutex::new(state), item: Condvar::new(), room: Condvar::new() });
    (Sender { shared: Arc::clone(&shared) }, Receiver { shared })
}

/// The end that puts in.
#[derive(Debug)]
pub(crate) struct Sender<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Sender<T> {
    /// Waits for room on this thread, then puts in.
    pub(crate) fn push(&self, weight: usize, item: T) -> Result<(), Gone> {
        let mut state = self.shared.lock();
        while state.receivers > 0 && !state.has_room() {
            state.sender_waiting = true;
            state = self.shared.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.sender_waiting = false;
        self.put(state, weight, item)
    }

    /// Puts in whether or not there is room; the caller asked before.
    pub(crate) fn push_now(&self, weight: usize, item: T) -> Result<(), Gone> {
        self.put(self.shared.lock(), weight, item)
    }

    fn put(&self, mut state: MutexGuard<'_, State<T>>, weight: usize, item: T) -> Result<(), Gone> {
        if state.receivers == 0 {
            return Err(Gone);
        }
        let weight = weight.max(LEAST_WEIGHT);
        state.weight += weight;
        state.items.push_back((weight, item));
        let wake = state.takers_waiting > 0;
        drop(state);
        if wake {
            self.shared.item.notify_one();
        }
        Ok(())
    }

    /// Whether an item would be taken without waiting.
    pub(crate) fn room(&self) -> Result<bool, Gone> {
        let state = self.shared.lock();
        if state.receivers == 0 { Err(Gone) } else { Ok(state.has_room()) }
    }

    /// As [`Sender::room`], and wakes the task when there is room.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        let mut state = self.shared.lock();
        if state.receivers == 0 {
            Poll::Ready(Err(Gone))
        } else if state.has_room() {
            Poll::Ready(Ok(()))
        } else {
            state.waker = Some(cx.waker().clone());
            Poll::Pending
        }
    }

    /// Nothing more will come; what is queued is still taken.
    pub(crate) fn close(self) {
        self.end(End::Closed);
    }

    fn end(&self, end: End) {
        let mut state = self.shared.lock();
        if state.end.is_some() {
            return;
        }
        state.end = Some(end);
        let discarded = match end {
            End::Closed => VecDeque::new(),
            End::Cancelled => std::mem::take(&mut state.items),
        };
        drop(state);
        self.shared.item.notify_all();
        drop(discarded);
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.end(End::Cancelled);
    }
}

/// The end that takes out; several threads may share it.
#[derive(Debug)]
pub(crate) struct Receiver<T> {
    shared: Arc<Shared<T>>,
}

impl<T> Receiver<T> {
    /// Waits for the next item; `Ok(None)` after the last one of a closed queue.
    pub(crate) fn pop(&self) -> Result<Option<T>, Gone> {
        let mut state = self.shared.lock();
        loop {
            if let Some((weight, item)) = state.items.pop_front() {
                state.weight -= weight;
                self.announce_room(state);
                return Ok(Some(item));
            }
            match state.end {
                Some(End::Closed) => return Ok(None),
                Some(End::Cancelled) => return Err(Gone),
                None => {
                    state.takers_waiting += 1;
                    state = self.shared.item.wait(state).unwrap_or_else(PoisonError::into_inner);
                    state.takers_waiting -= 1;
                }
            }
        }
    }

    fn announce_room(&self, mut state: MutexGuard<'_, State<T>>) {
        if state.receivers > 0 && !state.has_room() {
            return;
        }
        let waker = state.waker.take();
        let wake = state.sender_waiting;
        drop(state);
        if wake {
            self.shared.room.notify_one();
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.lock().receivers += 1;
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.receivers -= 1;
        if state.receivers > 0 {
            return;
        }
        let discarded = std::mem::take(&mut state.items);
        self.announce_room(state);
        drop(discarded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;
    use std::thread;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn items_come_out_in_order_and_then_the_end() {
        let (sender, receiver) = queue(4096);
        let taker = thread::spawn(move || {
            let mut all = Vec::new();
            while let Ok(Some(item)) = receiver.pop() {
                all.push(item);
            }
            (all, receiver.pop())
        });
        (0..1000).for_each(|n| sender.push(1024, n).unwrap());
        sender.close();
        assert_eq!(taker.join().unwrap(), ((0..1000).collect(), Ok(None)));
    }

    #[test]
    fn a_sender_that_vanishes_cancels() {
        let (sender, receiver) = queue(4096);
        sender.push(1, 1).unwrap();
        drop(sender);
        assert_eq!(receiver.pop(), Err(Gone));
    }

    #[test]
    fn a_sender_learns_that_nobody_takes() {
        let (sender, receiver) = queue(1024);
        sender.push(1, 1).unwrap();
        let blocked =
            thread::spawn(move || (sender.push(1, 2), sender.room(), sender.push_now(1, 3)));
        drop(receiver);
        assert_eq!(blocked.join().unwrap(), (Err(Gone), Err(Gone), Err(Gone)));
    }

    #[test]
    fn a_task_is_woken_once_there_is_room_or_nobody_left() {
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&waker);
        let (sender, receiver) = queue(1500);
        assert_eq!(sender.poll_room(&mut cx), Poll::Ready(Ok(())));
        sender.push_now(1, 'a').unwrap();
        sender.push_now(1, 'b').unwrap();
        assert_eq!(sender.poll_room(&mut cx), Poll::Pending);
        assert_eq!(sender.room(), Ok(false));
        assert_eq!(receiver.pop(), Ok(Some('a')));
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        assert_eq!(sender.poll_room(&mut cx), Poll::Ready(Ok(())));
        sender.push_now(1, 'c').unwrap();
        assert_eq!(sender.poll_room(&mut cx), Poll::Pending);
        drop(receiver);
        assert_eq!(count.0.load(Ordering::SeqCst), 2);
        assert_eq!(sender.poll_room(&mut cx), Poll::Ready(Err(Gone)));
    }
}
