//! Sockets passed by a service manager, by way of a shell that does what systemd does.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::fd::OwnedFd,
    process::{Command, Stdio},
};

use axum::{Router, routing::get};
use stratus_serve::{Bound, Limits, serve};

/// Runs this test program again, as a service with `socket` as descriptor 3.
fn as_service(socket: OwnedFd, test: &str) -> Command {
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(
            r#"exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec "$0" "$@""#,
        )
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", test, "--nocapture"])
        .stdin(Stdio::from(socket))
        .stdout(Stdio::piped());
    command
}

fn is_service() -> bool {
    std::env::var_os("LISTEN_FDS").is_some()
}

#[test]
fn a_socket_from_the_service_manager_is_served() {
    if is_service() {
        return run_service();
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("its address");
    let test = "a_socket_from_the_service_manager_is_served";
    let child = as_service(OwnedFd::from(listener), test).spawn().expect("sh starts");
    // The socket listens already: no need to wait for the service.
    let mut client = TcpStream::connect(address).expect("a connection");
    client.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    client.read_to_string(&mut answer).expect("an answer");
    assert!(answer.ends_with("inherited"), "{answer}");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn run_service() {
    let mut names = Vec::new();
    let bound = Bound::inherited(|name| {
        names.push(name.to_owned());
        None
    })
    .expect("a socket");
    assert_eq!((bound.len(), names), (1, vec!["web".to_owned()]));
    assert!(Bound::inherited(|_| None).expect("no error").is_empty(), "taken once");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let (answered, done) = tokio::sync::mpsc::channel(1);
    let handler = async move || {
        answered.send(()).await.expect("we wait for it");
        "inherited"
    };
    let router = Router::new().route("/", get(handler));
    let mut done = done;
    let drained =
        runtime.expect("a runtime").block_on(serve(bound, router, Limits::default(), async {
            done.recv().await;
        }));
    assert_eq!(drained.expect("it ran").cut, 0);
}

#[test]
fn a_descriptor_that_does_not_listen_is_refused_by_name() {
    if is_service() {
        let error = Bound::inherited(|_| None).expect_err("not a listening socket");
        let text = error.to_string();
        assert!(text.contains("3 (web)") && text.contains("ListenStream="), "{text}");
        return;
    }
    let file = tempfile::tempfile().expect("a file");
    let test = "a_descriptor_that_does_not_listen_is_refused_by_name";
    let output = as_service(OwnedFd::from(file), test).output().expect("sh starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
