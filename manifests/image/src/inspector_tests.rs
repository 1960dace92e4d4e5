use super::*;
use crate::Hasher;
use crate::member::{Encoder, Level};
use std::io::Write;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;
use stratus_model::{Algorithm, DiskFormat};

const PATIENCE: Duration = Duration::from_secs(20);

/// An image of some size and its gzip file.
fn sample(megabytes: usize) -> (Vec<u8>, Vec<u8>) {
    let content: Vec<u8> =
        (0..=250u8).flat_map(|byte| [byte; 7]).cycle().take(megabytes << 20).collect();
    let mut encoder = Encoder::new(Level::new(1).unwrap());
    let file = content.chunks(crate::member::CONTENT).flat_map(|c| encoder.encode(c)).collect();
    (content, file)
}

fn start() -> Inspector {
    Inspector::start(&Algorithms::upload(), Limits::MAX).unwrap()
}

/// Runs a future on this thread, which sleeps until it is woken.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

fn assert_is_sample(found: &Inspected, content: &[u8], file: &[u8]) {
    assert_eq!(found.content.bytes, content.len() as u64);
    assert_eq!(found.content.digests, [Hasher::digest(Algorithm::Sha256, content)]);
    assert_eq!(found.compressed.bytes, file.len() as u64);
    assert_eq!(found.compressed.digests, [Hasher::digest(Algorithm::Sha256, file)]);
    assert_eq!(found.disk_format, DiskFormat::Raw);
    assert_eq!(found.gzip_members, content.len().div_ceil(crate::member::CONTENT) as u64);
}

#[test]
fn pushed_awaited_and_fed_bytes_give_the_same_verdict() {
    let (content, file) = sample(3);
    let mut pushed = start();
    file.chunks(1000).try_for_each(|p| pushed.push(Bytes::copy_from_slice(p))).unwrap();
    assert_eq!(pushed.received(), file.len() as u64);
    assert_is_sample(&pushed.finish().unwrap(), &content, &file);

    let awaited = block_on(async {
        let mut inspector = start();
        for piece in file.chunks(5000) {
            inspector.send(Bytes::copy_from_slice(piece)).await?;
        }
        inspector.finished().await
    });
    assert_is_sample(&awaited.unwrap(), &content, &file);

    // An upload that broke off in the middle and goes on.
    let staged = tempfile::tempfile().unwrap();
    let middle = file.len() / 2;
    staged.write_all_at(&file[..middle], 0).unwrap();
    let mut fed = start();
    fed.feed_file(&staged, 0..middle as u64).unwrap();
    fed.push(Bytes::copy_from_slice(&file[middle..])).unwrap();
    assert_is_sample(&fed.finish().unwrap(), &content, &file);
}

#[test]
fn a_staged_file_shorter_than_said_is_an_error() {
    let staged = tempfile::tempfile().unwrap();
    let result = start().feed_file(&staged, 0..10);
    assert!(matches!(result, Err(ImageError::Read(e)) if e.kind() == io::ErrorKind::UnexpectedEof));
}

/// A sink that stands still until it is let go.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, std::sync::Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.0.1.notify_all();
    }
}

impl Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let open = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.0.1.wait_while(open, |open| !*open));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn gated(gate: &Gate) -> Inspector {
    let sink = Box::new(gate.clone());
    Inspector::with_sink(&Algorithms::upload(), Limits::MAX, sink).unwrap()
}

#[test]
fn a_slow_consumer_bounds_what_is_taken() {
    // Content that does not compress, so that the file is as large as the image.
    let mut state = 1u32;
    let content: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    })
    .take(4 << 20)
    .collect();
    let mut encoder = Encoder::new(Level::new(1).unwrap());
    let file: Vec<u8> =
        content.chunks(crate::member::CONTENT).flat_map(|c| encoder.encode(c)).collect();
    let gate = Gate::default();
    let mut inspector = gated(&gate);
    let mut waiting = file.chunks(16 * 1024).map(Bytes::copy_from_slice).collect::<Vec<_>>();
    waiting.reverse();
    // With the sink at a standstill, room must run out well before the file is over, whatever the
    // threads in between get to do meanwhile.
    let mut refused = None;
    for piece in std::iter::from_fn(|| waiting.pop()) {
        match inspector.try_push(piece) {
            Ok(()) => assert!(inspector.received() < Inspector::MEMORY as u64, "no backpressure"),
            Err(TryPushError::Full(piece)) => {
                refused = Some(piece);
                break;
            }
            Err(TryPushError::Image(error)) => panic!("{error}"),
        }
    }
    waiting.extend(refused);
    assert!(!waiting.is_empty());
    gate.open();
    while let Some(piece) = waiting.pop() {
        inspector.push(piece).unwrap();
    }
    assert_is_sample(&inspector.finish().unwrap(), &content, &file);
}

#[test]
fn dropping_an_inspector_at_any_time_leaves_no_thread() {
    let (_, file) = sample(2);
    for length in [0, 1, 10_000, file.len()] {
        let mut inspector = start();
        let crew = inspector.crew.clone();
        inspector.push(Bytes::copy_from_slice(&file[..length])).unwrap();
        drop(inspector);
        assert!(crew.wait_gone(PATIENCE), "threads after {length} bytes");
    }
}

#[test]
fn dropping_while_all_queues_are_full_leaves_no_thread() {
    let (_, file) = sample(6);
    let gate = Gate::default();
    let mut inspector = gated(&gate);
    let crew = inspector.crew.clone();
    for piece in file.chunks(1024).cycle().take(4096) {
        if inspector.try_push(Bytes::copy_from_slice(piece)).is_err() {
            break;
        }
    }
    drop(inspector);
    gate.open();
    assert!(crew.wait_gone(PATIENCE));
}

#[test]
fn dropping_the_future_of_the_verdict_leaves_no_thread() {
    let (_, file) = sample(1);
    let gate = Gate::default();
    let mut inspector = gated(&gate);
    let crew = inspector.crew.clone();
    inspector.push(Bytes::from(file)).unwrap();
    {
        let mut verdict = pin!(inspector.finished());
        assert!(verdict.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    }
    gate.open();
    assert!(crew.wait_gone(PATIENCE));
}

#[test]
fn a_refusal_is_told_once_and_ends_the_threads() {
    let mut inspector = start();
    let crew = inspector.crew.clone();
    let mut refusals = std::iter::repeat_with(|| inspector.push(Bytes::from_static(b"not gzip")))
        .filter_map(Result::err);
    assert!(matches!(refusals.next(), Some(ImageError::NotGzip { found: None })));
    assert!(matches!(refusals.next(), Some(ImageError::Ended)));
    assert!(crew.wait_gone(PATIENCE), "while the inspector still exists");
    assert!(matches!(inspector.finish(), Err(ImageError::Ended)));
}

#[test]
fn a_task_that_waits_learns_of_the_refusal() {
    let refused = block_on(async {
        let mut inspector = start();
        loop {
            if let Err(error) = inspector.send(Bytes::from(vec![b'x'; 200_000])).await {
                return error;
            }
        }
    });
    assert!(matches!(refused, ImageError::NotGzip { .. }));
}

#[test]
fn a_sink_that_cannot_be_written_is_told() {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (_, file) = sample(4);
    let mut inspector =
        Inspector::with_sink(&Algorithms::upload(), Limits::MAX, Box::new(Full)).unwrap();
    let pushed = file.chunks(1000).try_for_each(|p| inspector.push(Bytes::copy_from_slice(p)));
    let error = pushed.and_then(|()| inspector.finish().map(drop)).unwrap_err();
    assert!(matches!(error, ImageError::Write(e) if e.kind() == io::ErrorKind::StorageFull));
}

#[test]
fn the_compressed_form_has_a_limit_too() {
    let limits = Limits { compressed: 10, ..Limits::MAX };
    let mut inspector = Inspector::start(&Algorithms::upload(), limits).unwrap();
    inspector.push(Bytes::from_static(&[0x1f, 0x8b, 8, 0])).unwrap();
    let refused = inspector.push(Bytes::from_static(&[0; 7])).unwrap_err();
    assert!(matches!(refused, ImageError::TooLarge { form: Form::Compressed, limit: 10 }));
}
