//! From hyper to the router and back: who is asking, uploads that must not hang, and the note that
//! a request is open.

use std::{
    convert::Infallible,
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{Router, routing::future::RouteFuture};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, Version, header, request::Parts};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tower::Service as _;

use crate::{
    activity::{Activity, OpenRequest},
    interim::Interim,
    stall::StallTimer,
    streams,
};

/// The other end of a connection; an extension of every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The client's address, or that of the proxy in front of us.
    pub address: SocketAddr,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// The leaf (DER) of the client's certificate, verified against the client CA; `None` if the
    /// client showed none, or was not asked.
    pub client_certificate: Option<Vec<u8>>,
}

/// Why a request's body ended before its end. In the handler it is a source of the
/// [`axum::Error`] that the body yields.
#[derive(Debug, thiserror::Error)]
pub enum RequestBodyError {
    /// The client sent nothing for [`Limits::body_idle_timeout`](crate::Limits); 408 is a fitting
    /// answer.
    #[error("the client sent nothing for {} s in the middle of its upload", limit.as_secs_f32())]
    Stalled {
        /// How long was waited.
        limit: Duration,
    },
    /// The connection broke, or what came was not HTTP.
    #[error("the upload broke off")]
    Broken(#[source] hyper::Error),
}

/// What answers requests: a router, and before it, for requests without content, something that may
/// know an answer without waiting for anything. Where most answers are such, that spares each of them
/// the way through the router. It must be the answer that the router would give.
#[derive(Clone)]
pub struct Answers {
    pub(crate) router: Router,
    pub(crate) at_once: Option<Arc<dyn Fn(Parts) -> AtOnce + Send + Sync>>,
}

/// What is known of an answer at once.
pub enum AtOnce {
    /// The answer.
    Answer(Response<axum::body::Body>),
    /// It is for the router; these are the parts as they came.
    Later(Box<Parts>),
}

impl Answers {
    /// A router with `at_once` before it.
    pub fn at_once(
        router: Router,
        at_once: impl Fn(Parts) -> AtOnce + Send + Sync + 'static,
    ) -> Self {
        Self { router, at_once: Some(Arc::new(at_once)) }
    }
}

impl From<Router> for Answers {
    fn from(router: Router) -> Self {
        Self { router, at_once: None }
    }
}

/// The service that hyper calls, one per connection.
pub(crate) struct Requests {
    pub(crate) answers: Answers,
    pub(crate) peer: Peer,
    pub(crate) activity: Arc<Activity>,
    pub(crate) body_idle_timeout: Duration,
    pub(crate) linger_timeout: Duration,
}

impl hyper::service::Service<Request<Incoming>> for Requests {
    type Response = Response<Answer>;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, request: Request<Incoming>) -> Answering {
        let open = self.activity.request();
        let mut request = match &self.answers.at_once {
            Some(at_once) if request.body().is_end_stream() => {
                let (parts, body) = request.into_parts();
                let is_head = parts.method == Method::HEAD;
                match at_once(parts) {
                    AtOnce::Answer(response) if is_head => {
                        return Answering::known(without_content(response), open);
                    }
                    AtOnce::Answer(response) => return Answering::known(response, open),
                    AtOnce::Later(parts) => Request::from_parts(*parts, body),
                }
            }
            _ => request,
        };
        request.extensions_mut().insert(self.peer.clone());
        let interim = (request.version() == Version::HTTP_11)
            .then(|| self.activity.interim().request())
            .inspect(|interim| drop(request.extensions_mut().insert(interim.clone())));
        let http2 = request.version() == Version::HTTP_2;
        let linger = http2.then_some(self.linger_timeout);
        let request = request.map(|body| Upload {
            ended: body.is_end_stream(),
            body: Some(body),
            linger,
            waiting: StallTimer::new(self.body_idle_timeout),
            limit: self.body_idle_timeout,
            activity: Arc::clone(&self.activity),
        });
        let route = Box::pin(self.answers.router.clone().call(request));
        Answering { route: Some(route), interim, answer: None, open: Some(open) }
    }
}

/// The router's answer to come.
pub(crate) struct Answering {
    /// `None`: the answer was known at once.
    route: Option<Pin<Box<RouteFuture<Infallible>>>>,
    interim: Option<Interim>,
    /// The answer, where it is known, or interim ones wait before it.
    answer: Option<Response<axum::body::Body>>,
    open: Option<OpenRequest>,
}

impl Answering {
    fn known(answer: Response<axum::body::Body>, open: OpenRequest) -> Self {
        Self { route: None, interim: None, answer: Some(answer), open: Some(open) }
    }
}

/// As the router leaves the answer to a HEAD: the length of the content, and no content, which
/// HTTP/2 would send.
fn without_content(mut response: Response<axum::body::Body>) -> Response<axum::body::Body> {
    if !response.body().is_end_stream() {
        if let Some(length) = response.body().size_hint().exact() {
            response.headers_mut().entry(header::CONTENT_LENGTH).or_insert_with(|| length.into());
        }
        *response.body_mut() = axum::body::Body::empty();
    }
    response
}

/// The router gives each answer without content the length 0; that of a 304 is the length of what is
/// not sent (RFC 9110 section 8.6), which it does not know.
fn without_wrong_length(response: &mut Response<axum::body::Body>) {
    let none = HeaderValue::from_static("0");
    if response.status() == StatusCode::NOT_MODIFIED
        && response.headers().get(header::CONTENT_LENGTH) == Some(&none)
    {
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
}

impl Future for Answering {
    type Output = Result<Response<Answer>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let response = match (this.answer.take(), &mut this.route) {
            (Some(response), _) => response,
            (None, Some(route)) => {
                this.interim.iter().for_each(|interim| interim.watch(cx));
                let Ok(mut response) = ready!(route.as_mut().poll(cx));
                without_wrong_length(&mut response);
                response
            }
            (None, None) => unreachable!("a future is not polled after its end"),
        };
        if self.interim.as_ref().is_some_and(|interim| interim.poll_over(cx).is_pending()) {
            self.answer = Some(response);
            return Poll::Pending;
        }
        let open = self.open.take();
        Poll::Ready(Ok(response.map(|body| Answer { body, _open: open })))
    }
}

/// A response's body. The request is open until it is dropped.
pub(crate) struct Answer {
    body: axum::body::Body,
    _open: Option<OpenRequest>,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        match &frame {
            Poll::Pending => streams::piece_awaited(),
            Poll::Ready(Some(Err(error))) => {
                tracing::warn!(error = error as &dyn std::error::Error, "a response broke off");
            }
            Poll::Ready(_) => streams::piece_given(),
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A request's body that fails when the client stops sending.
struct Upload {
    /// `None` only while dropping.
    body: Option<Incoming>,
    /// HTTP/2: how long the rest is still taken when nobody reads it any more.
    linger: Option<Duration>,
    waiting: StallTimer,
    limit: Duration,
    ended: bool,
    activity: Arc<Activity>,
}

impl Body for Upload {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        let Some(body) = self.body.as_mut() else { return Poll::Ready(None) };
        match Pin::new(body).poll_frame(cx) {
            Poll::Pending => {
                let limit = self.limit;
                self.waiting
                    .poll_stalled(cx)
                    .map(|()| Some(Err(RequestBodyError::Stalled { limit })))
            }
            Poll::Ready(frame) => {
                self.waiting.moved();
                self.ended |= frame.is_none();
                Poll::Ready(frame.map(|frame| frame.map_err(RequestBodyError::Broken)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(body) = self.body.take() else { return };
        if self.ended || body.is_end_stream() {
            return;
        }
        match self.linger {
            None => self.activity.upload_left_unread(),
            Some(limit) => drop(tokio::spawn(tokio::time::timeout(limit, take_rest(body)))),
        }
    }
}

/// Reads what a client still sends on an HTTP/2 stream and throws it away. To give the stream up at
/// once resets it, and a client that is told so before it has sent its last byte (curl 7.88) throws
/// the response away.
async fn take_rest(mut body: Incoming) {
    while let Some(Ok(_)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {}
}
