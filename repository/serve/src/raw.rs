//! The only unsafe code of this crate: a file mapping, a descriptor that systemd passed, and a
//! question to a socket that no library asks for us.

use std::{
    ffi::c_int,
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

use memmap2::{Mmap, MmapOptions};

/// Maps `len` bytes of `file` from `offset` for reading.
///
/// The bytes may be looked at only while the file keeps its length; see the module
/// [`file_body`](crate::file_body) for who looks at them and what remains of that risk.
#[expect(unsafe_code, reason = "mapping a file is unsafe because others may change it")]
pub(crate) fn map(file: &File, offset: u64, len: usize) -> io::Result<Mmap> {
    // SAFETY: the mapping is shared and read-only, and we never write through it. The rule that
    // the compiler cannot check is that nobody changes or shortens the file while a `&[u8]` of the
    // mapping is in use. Callers map published files, which are immutable by the contract of
    // `FileBody::new`, and check the length just before. On the only path that uses the mapping
    // (plain HTTP/1) the slice is passed on to sendfile(2) by address and not read.
    unsafe { MmapOptions::new().offset(offset).len(len).map(file) }
}

/// Takes over the descriptor `fd`, after checking that it is open.
///
/// Call it at most once per descriptor, and only for descriptors that were given to this process
/// for its own use (`LISTEN_FDS`).
#[expect(unsafe_code, reason = "the ownership of an inherited descriptor is a promise by number")]
pub(crate) fn adopt(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    // SAFETY: `fd` is not -1. If it is not open, fcntl fails with EBADF and nothing is kept.
    let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
    rustix::io::fcntl_setfd(borrowed, rustix::io::FdFlags::CLOEXEC)?;
    // SAFETY: it is open (fcntl succeeded), it was passed to this process by the service manager
    // for exactly this use, and the caller takes each one once, so nobody else closes it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `SIOCOUTQ` of `<linux/sockios.h>`, the same number as `TIOCOUTQ` on x86, ARM and RISC-V.
const SIOCOUTQ: rustix::ioctl::Opcode = 0x5411;

/// Bytes in a TCP socket that the peer has not acknowledged (`tcp(7)`, `SIOCOUTQ`).
#[expect(unsafe_code, reason = "the kernel writes through a pointer that the request implies")]
pub(crate) fn unacknowledged(socket: impl AsFd) -> Option<c_int> {
    // SAFETY: for every kind of descriptor this request either fails or stores one `int`, which is
    // what the getter has room for.
    let request = unsafe { rustix::ioctl::Getter::<SIOCOUTQ, c_int>::new() };
    // SAFETY: as above; the descriptor is open as long as it is borrowed.
    unsafe { rustix::ioctl::ioctl(socket, request) }.ok()
}
