//! Listening sockets: bound here, or inherited from systemd (`sd_listen_fds(3)`).

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::fd::RawFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use crate::{TlsFiles, raw};

/// Connections that wait in the kernel until we take them. The kernel lowers it to
/// `net.core.somaxconn`.
const BACKLOG: i32 = 4096;

/// The first descriptor that systemd passes.
const FIRST_INHERITED: RawFd = 3;

/// More inherited sockets than anybody configures; a larger number is a mistake.
const MAX_INHERITED: usize = 64;

/// Where to listen, and whether with TLS.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Address and port; port 0 lets the system choose, see [`Bound::local_addr`].
    pub address: SocketAddr,
    /// Certificate and key; without them the connections are plain.
    pub tls: Option<Arc<TlsFiles>>,
}

/// A socket that listens. Connections queue up in it until it is given to [`serve`](crate::serve).
#[derive(Debug)]
pub struct Bound {
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<Arc<TlsFiles>>,
}

/// Why there is no listening socket.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address is taken, not ours, or a port that needs a privilege.
    #[error("cannot listen on {address}")]
    Address {
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// `LISTEN_PID` or `LISTEN_FDS` is not what `sd_listen_fds(3)` describes.
    #[error("the environment variable {name} is `{value}`, expected {expected}")]
    Environment {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// A descriptor that was passed is not a listening TCP socket.
    #[error(
        "the inherited descriptor {fd} ({name}) is not a listening TCP socket; the socket unit needs ListenStream= with a port"
    )]
    Inherited {
        /// The descriptor's number.
        fd: RawFd,
        /// Its name from `FileDescriptorName=`.
        name: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Bound {
    /// Listens on an address, with `SO_REUSEADDR` so that a restart need not wait.
    ///
    /// `[::]` takes IPv4 clients as well where the system allows it (`net.ipv6.bindv6only=0`).
    pub fn bind(listen: &Listen) -> Result<Bound, BindError> {
        let error = |source: io::Error| BindError::Address { address: listen.address, source };
        let listener = open(listen.address).map_err(error)?;
        let address = listener.local_addr().map_err(error)?;
        Ok(Bound { listener, address, tls: listen.tls.clone() })
    }

    /// The sockets that systemd passed to this process; none when it passed none.
    ///
    /// `tls` says for each socket's name (`FileDescriptorName=` of the socket unit, else the
    /// unit's name) whether it speaks TLS. The first call takes the sockets, later ones find none.
    pub fn inherited(
        mut tls: impl FnMut(&str) -> Option<Arc<TlsFiles>>,
    ) -> Result<Vec<Bound>, BindError> {
        static TAKEN: AtomicBool = AtomicBool::new(false);
        let variable = |name| std::env::var(name).ok();
        let names = inherited_names(
            variable("LISTEN_PID").as_deref(),
            variable("LISTEN_FDS").as_deref(),
            variable("LISTEN_FDNAMES").as_deref(),
            std::process::id(),
        )?;
        if names.is_empty() || TAKEN.swap(true, Ordering::Relaxed) {
            return Ok(Vec::new());
        }
        (FIRST_INHERITED..)
            .zip(names)
            .map(|(fd, name)| {
                let (listener, address) = adopt(fd).map_err(|source| BindError::Inherited {
                    fd,
                    name: name.clone(),
                    source,
                })?;
                Ok(Bound { listener, address, tls: tls(&name) })
            })
            .collect()
    }

    /// The address with the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Whether connections to this socket speak TLS.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }
}

fn open(address: SocketAddr) -> io::Result<TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(TcpListener::from(socket))
}

fn adopt(fd: RawFd) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = raw::adopt(fd)?;
    if !sockopt::socket_acceptconn(&socket)? {
        return Err(io::Error::other("the socket does not listen"));
    }
    let listener = TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// The names of the passed descriptors, in order from [`FIRST_INHERITED`]; `unknown` for those
/// without one, as `sd_listen_fds_with_names(3)` has it.
fn inherited_names(
    pid: Option<&str>,
    count: Option<&str>,
    names: Option<&str>,
    own_pid: u32,
) -> Result<Vec<String>, BindError> {
    let (Some(pid), Some(count)) = (pid, count) else { return Ok(Vec::new()) };
    let wrong = |name, value: &str, expected| BindError::Environment {
        name,
        value: value.to_owned(),
        expected,
    };
    let pid: u32 = pid.parse().map_err(|_| wrong("LISTEN_PID", pid, "a process id"))?;
    if pid != own_pid {
        return Ok(Vec::new());
    }
    let count: usize = count
        .parse()
        .ok()
        .filter(|count| *count <= MAX_INHERITED)
        .ok_or_else(|| wrong("LISTEN_FDS", count, "a number from 0 to 64"))?;
    let mut given = names.unwrap_or_default().split(':');
    Ok((0..count)
        .map(|_| given.next().filter(|name| !name.is_empty()).unwrap_or("unknown").to_owned())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pid: &str, fds: &str, names: Option<&str>) -> Result<Vec<String>, BindError> {
        inherited_names(Some(pid), Some(fds), names, 42)
    }

    #[test]
    fn sockets_are_named_by_the_service_manager() {
        assert_eq!(names("42", "2", Some("https:http")).unwrap(), ["https", "http"]);
        assert_eq!(names("42", "2", Some("https")).unwrap(), ["https", "unknown"]);
        assert_eq!(names("42", "1", None).unwrap(), ["unknown"]);
    }

    #[test]
    fn sockets_of_another_process_are_not_ours() {
        assert!(names("41", "2", None).unwrap().is_empty());
        assert!(inherited_names(None, Some("2"), None, 42).unwrap().is_empty());
    }

    #[test]
    fn a_nonsense_count_is_an_error_that_names_the_variable() {
        let error = names("42", "many", None).unwrap_err().to_string();
        assert!(error.contains("LISTEN_FDS") && error.contains("`many`"), "{error}");
        assert!(names("42", "65", None).is_err());
        assert!(names("-1", "2", None).unwrap_err().to_string().contains("LISTEN_PID"));
    }

    #[test]
    fn a_taken_address_is_an_error_that_names_it() {
        let first =
            Bound::bind(&Listen { address: "127.0.0.1:0".parse().unwrap(), tls: None }).unwrap();
        let again = Listen { address: first.local_addr(), tls: None };
        let error = Bound::bind(&again).unwrap_err();
        assert!(error.to_string().contains(&first.local_addr().to_string()), "{error}");
    }
}
