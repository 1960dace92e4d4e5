//! The HTTP/1.1 client: hyper's, because an interim response is to be seen and reqwest shows none.

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{self, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::{Instant, Sleep, sleep};

/// A connection that says nothing is looked at so often.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How long a connection waits for its next request.
const IDLE: Duration = Duration::from_secs(50);

/// Most bytes of one read. A transfer has one or two such buffers: enough that reads are few, and
/// little enough for hundreds of transfers.
const READ_BYTES: usize = 128 << 10;

/// What is done with interim responses.
pub(crate) type OnInterim = Box<dyn Fn(StatusCode, &HeaderMap) + Send + Sync>;

/// Sends requests. Follows no redirects.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    hyper: legacy::Client<HttpsConnector<HttpConnector>, reqwest::Body>,
    stall_time: Duration,
}

impl Client {
    /// `authorities` instead of those of the system.
    pub(crate) fn new(
        authorities: Option<Vec<CertificateDer<'static>>>,
        connect_time: Duration,
        stall_time: Duration,
    ) -> Result<Self, rustls::Error> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_keepalive(Some(KEEPALIVE));
        connector.set_connect_timeout(Some(connect_time));
        connector.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(authorities)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        let hyper = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .http1_max_buf_size(READ_BYTES)
            .build(connector);
        Ok(Self { hyper, stall_time })
    }

    pub(crate) async fn send(
        &self,
        mut request: Request<reqwest::Body>,
        on_interim: Option<OnInterim>,
    ) -> Result<reqwest::Response, Error> {
        if let Some(on_interim) = on_interim {
            hyper::ext::on_informational(&mut request, move |interim| {
                on_interim(interim.status(), interim.headers());
            });
        }
        let response = self.hyper.request(request).await?;
        let limit = self.stall_time;
        let body = |body| reqwest::Body::wrap(Timely { body, limit, alarm: None });
        Ok(response.map(body).into())
    }
}

fn tls(authorities: Option<Vec<CertificateDer<'static>>>) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = match authorities {
        Some(authorities) => {
            let mut roots = RootCertStore::empty();
            for authority in authorities {
                roots.add(authority)?;
            }
            config.with_root_certificates(roots)
        }
        None => config.with_platform_verifier()?,
    };
    Ok(config.with_no_client_auth())
}

/// No byte came for so long.
#[derive(Debug, thiserror::Error)]
#[error("nothing came for {} s", .0.as_secs())]
struct Stalled(Duration);

/// A body whose next bytes must come in time.
struct Timely {
    body: Incoming,
    limit: Duration,
    /// Set while nothing comes.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Body for Timely {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            // Kept for the next wait: to make one costs more than to move it.
            if let Some(alarm) = &mut this.alarm {
                alarm.as_mut().reset(Instant::now() + this.limit);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let alarm = this.alarm.get_or_insert_with(|| Box::pin(sleep(this.limit)));
        match alarm.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Some(Err(Stalled(this.limit).into()))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
