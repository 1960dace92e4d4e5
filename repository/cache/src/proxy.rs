//! What happens to a request.

use crate::answer::{answer, missing};
use crate::fetch::{Ask, Fetched, Known, fetch};
use crate::joins::{Join, Joins, Outcome};
use crate::metrics::Metrics;
use crate::object::Object;
use crate::page;
use crate::pass::{pass, passed_on};
use crate::problem::problem;
use crate::settings::Settings;
use crate::spool::Spool;
use crate::upstream::Upstream;
use axum::body::Body;
use axum::response::Response;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode, Version, header};
use http_body::Body as _;
use jiff::Timestamp;
use std::ops::{Deref, Range};
use std::sync::Arc;
use std::time::Instant;
use stratus_cache_policy::decide::{Bypass, select};
use stratus_cache_policy::outgoing::{Pseudonym, is_for_us};
use stratus_cache_policy::request_directives::RequestDirectives;
use stratus_cache_policy::{
    CacheStatus, Conditions, Decision, Failure, Forward, Request, Serve, Stored, decide, is_loop,
    may_be_shared, on_error, partial, preconditions_hold, serve_validated,
};
use stratus_serve::{AtOnce, Interim};
use url::Url;

/// How often a request looks at the store again before it goes its own way.
const ROUNDS: usize = 5;

/// The cache. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct Cache(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) settings: Settings,
    pub(crate) spool: Spool,
    pub(crate) upstreams: Vec<Arc<Upstream>>,
    pub(crate) name: Pseudonym,
    pub(crate) metrics: Metrics,
    pub(crate) joins: Joins,
}

impl Deref for Cache {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// A request, with where it leads.
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) headers: Arc<HeaderMap>,
    pub(crate) version: Version,
    pub(crate) interim: Option<Interim>,
    /// The upstream's URL as text.
    pub(crate) key: Arc<str>,
    pub(crate) upstream: Arc<Upstream>,
}

impl Asked {
    fn request(&self) -> Request<'_> {
        Request { method: &self.method, headers: &self.headers }
    }

    /// Where it leads.
    pub(crate) fn url(&self) -> Url {
        url(&self.key)
    }

    fn ask(&self, known: Known) -> Ask {
        Ask {
            key: self.key.to_string(),
            upstream: Arc::clone(&self.upstream),
            url: self.url(),
            headers: HeaderMap::clone(&self.headers),
            version: self.version,
            interim: self.interim.clone(),
            known,
        }
    }

    /// Whether the answer may be for this client alone: it then waits for nobody, and nobody for it.
    fn is_personal(&self) -> bool {
        self.headers.contains_key(header::AUTHORIZATION)
            || RequestDirectives::of(&self.headers).no_store
    }
}

/// The URL that is an object's key.
pub(crate) fn url(key: &str) -> Url {
    Url::parse(key).expect("a key was made from a URL")
}

/// The name that a request is for.
fn host(parts: &Parts) -> &str {
    let named = || {
        let host = parts.headers.get(header::HOST)?.to_str().ok()?;
        Some(host.rsplit_once(':').map_or(host, |(name, _)| name))
    };
    parts.uri.host().or_else(named).unwrap_or_default()
}

/// Its path and query.
fn target(parts: &Parts) -> &str {
    parts.uri.path_and_query().map_or("/", |target| target.as_str())
}

/// How a request goes on after a look at the store.
enum Next {
    Answer(Response),
    /// To the upstream.
    Ask(Forward, Known),
    Pass(Forward),
}

impl Cache {
    pub(crate) fn new(
        settings: Settings,
        spool: Spool,
        upstreams: Vec<Arc<Upstream>>,
        name: Pseudonym,
        metrics: Metrics,
    ) -> Self {
        let joins = Joins::default();
        let cache = Self(Arc::new(Inner { settings, spool, upstreams, name, metrics, joins }));
        let inner = Arc::downgrade(&cache.0);
        cache.spool.when_full(move |bytes| {
            inner.upgrade().is_some_and(|inner| inner.spool.make_room(bytes))
        });
        cache
    }

    /// The upstream for a path and query, and the key of what is there.
    pub(crate) fn locate(&self, host: &str, target: &str) -> Option<(Arc<Upstream>, Arc<str>)> {
        let path = target.split('?').next().unwrap_or(target);
        let upstream = self.upstreams.iter().find(|upstream| upstream.serves(host, path))?;
        Some((Arc::clone(upstream), upstream.key(target)?.into()))
    }

    fn problem(&self, status: StatusCode, name: &str, detail: &str) -> Response {
        self.metrics.request("failed");
        problem(self.name.as_str(), status, name, detail)
    }

    /// Answers a request without content if that takes no waiting: of what is there nothing is
    /// waited for, and the rest of the way, with all that a transfer needs, is a large thing to carry.
    pub(crate) fn at_once(&self, mut parts: Parts) -> AtOnce {
        let is_ours = self.settings.status && parts.uri.path().starts_with(page::PREFIX);
        let may_be_stored = matches!(parts.method, Method::GET | Method::HEAD);
        if is_ours || !may_be_stored || is_loop(&parts.headers, &self.name) {
            return AtOnce::Later(Box::new(parts));
        }
        let Some((upstream, key)) = self.locate(host(&parts), target(&parts)) else {
            return AtOnce::Later(Box::new(parts));
        };
        let asked = Asked {
            method: parts.method.clone(),
            headers: Arc::new(std::mem::take(&mut parts.headers)),
            version: parts.version,
            interim: None,
            key,
            upstream,
        };
        match self.look(&asked) {
            Next::Answer(response) => AtOnce::Answer(response),
            Next::Ask(..) | Next::Pass(_) => {
                parts.headers = Arc::unwrap_or_clone(asked.headers);
                AtOnce::Later(Box::new(parts))
            }
        }
    }

    /// Answers a request.
    pub(crate) async fn handle(&self, parts: Parts, body: Body) -> Response {
        if is_loop(&parts.headers, &self.name) {
            let detail =
                "The request has passed through this cache before: an upstream leads back.";
            return self.problem(StatusCode::LOOP_DETECTED, "loop", detail);
        }
        if parts.method == Method::CONNECT || parts.method == Method::TRACE {
            let detail = format!("{} is not for caches.", parts.method);
            return self.problem(StatusCode::NOT_IMPLEMENTED, "method", &detail);
        }
        if is_for_us(&parts.method, &parts.uri, &parts.headers) {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            return response;
        }
        let target = target(&parts);
        let Some((upstream, key)) = self.locate(host(&parts), target) else {
            let detail = format!("No upstream is set up for `{target}`.");
            return self.problem(StatusCode::NOT_FOUND, "no-upstream", &detail);
        };
        let asked = Asked {
            method: parts.method,
            headers: Arc::new(parts.headers),
            version: parts.version,
            interim: parts.extensions.get().cloned(),
            key,
            upstream,
        };
        let why = match asked.method {
            Method::GET | Method::HEAD if body.is_end_stream() => {
                return Box::pin(self.cached(&asked, body)).await;
            }
            Method::GET | Method::HEAD => Forward::Bypass(Bypass::Content),
            _ => Forward::Method,
        };
        self.metrics.request("pass");
        Box::pin(pass(self, &asked, body, why)).await
    }

    /// A request that the store may answer.
    pub(crate) async fn cached(&self, asked: &Asked, body: Body) -> Response {
        let mut body = Some(body);
        let mut alone = asked.is_personal();
        for round in 0..ROUNDS {
            let (why, known) = match self.look(asked) {
                Next::Answer(response) => return response,
                Next::Ask(why, known) if asked.method == Method::GET => (why, known),
                // A HEAD never makes us fetch an image.
                Next::Ask(why, known) => {
                    self.metrics.request("pass");
                    let response = pass(self, asked, Body::empty(), why).await;
                    let failure = Failure::Status(response.status());
                    return self.instead(asked, known.reserve(), failure).unwrap_or(response);
                }
                Next::Pass(why) => {
                    self.metrics.request("pass");
                    return pass(self, asked, body.take().unwrap_or_default(), why).await;
                }
            };
            let stored = known.reserve().cloned();
            if alone || round + 1 == ROUNDS {
                let fetched = fetch(self, asked.ask(known), None).await;
                if let Some(response) = self.fetched(asked, fetched, why, stored.as_ref()) {
                    return response;
                }
                continue;
            }
            let lead = match self.joins.join(&asked.key, Instant::now()) {
                Join::Lead(lead) => Some(lead),
                Join::Alone => None,
                Join::Follow(follow) => {
                    let outcome = follow.outcome().await;
                    alone = match &outcome {
                        // What must be validated at each use is validated for this one, too.
                        Outcome::Object(object, _) => object.head().matches(&asked.headers),
                        Outcome::Private => true,
                        Outcome::Open | Outcome::Failed(..) => false,
                    };
                    match self.follow(asked, outcome, why, stored.as_ref()) {
                        Some(response) => return response,
                        None => continue,
                    }
                }
            };
            // Somebody may have brought it between the look and the join.
            let (why, known) = match self.look(asked) {
                Next::Answer(response) => return response,
                Next::Ask(why, known) => (why, known),
                Next::Pass(_) => continue,
            };
            let stored = known.reserve().cloned();
            let fetched = fetch(self, asked.ask(known), lead).await;
            if let Some(response) = self.fetched(asked, fetched, why, stored.as_ref()) {
                return response;
            }
        }
        self.problem(StatusCode::BAD_GATEWAY, "upstream-failed", "The answer keeps changing.")
    }

    /// What the store has for a request.
    fn look(&self, asked: &Asked) -> Next {
        let objects = self.spool.variants(&asked.key);
        let heads: Vec<Arc<Stored>> = objects.iter().map(|object| object.head()).collect();
        let stored: Vec<&Stored> = heads.iter().map(AsRef::as_ref).collect();
        let now = Timestamp::now();
        let decision = decide(&stored, &asked.request(), now, &self.settings.options);
        match decision {
            Decision::Serve(serve) => {
                let object = &objects[serve.which];
                match missing(object, &serve, asked) {
                    Some(bytes) => self.complete(asked, object, bytes),
                    None => self.serve(asked, object, &serve, self.hit(&serve), "hit"),
                }
            }
            Decision::ServeWhileRevalidating(serve, conditions) => {
                let object = &objects[serve.which];
                self.revalidate_behind(asked, object, conditions);
                self.serve(asked, object, &serve, self.hit(&serve), "stale")
            }
            Decision::Revalidate { which, why, conditions } => {
                Next::Ask(why, Known::stale(Arc::clone(&objects[which]), conditions))
            }
            Decision::Fetch(why @ (Forward::Bypass(_) | Forward::Method)) => Next::Pass(why),
            Decision::Fetch(why @ (Forward::Stale | Forward::Request)) => {
                let which = select(&stored, &asked.headers, &self.settings.options);
                let known = |which: usize| Known::Reserve(Arc::clone(&objects[which]));
                Next::Ask(why, which.map_or(Known::Nothing, known))
            }
            Decision::Fetch(why) => Next::Ask(why, Known::Nothing),
            Decision::GatewayTimeout => Next::Answer(self.not_stored()),
        }
    }

    /// Bytes are missing. Before a head goes out, the upstream must say that it still has them;
    /// without a strong validator what is there is of no use.
    fn complete(&self, asked: &Asked, object: &Arc<Object>, bytes: Range<u64>) -> Next {
        if RequestDirectives::of(&asked.headers).only_if_cached {
            return Next::Answer(self.not_stored());
        }
        if partial::if_range(&object.head()).is_none() {
            return Next::Ask(Forward::Partial, Known::Nothing);
        }
        self.spool.make_room_for(object);
        Next::Ask(Forward::Partial, Known::Part(Arc::clone(object), bytes))
    }

    fn not_stored(&self) -> Response {
        let detail = "The request wants a stored answer only, and none can be used.";
        self.problem(StatusCode::GATEWAY_TIMEOUT, "only-if-cached", detail)
    }

    fn hit(&self, serve: &Serve) -> CacheStatus {
        CacheStatus::hit(self.name.as_str(), serve.ttl_seconds)
    }

    /// Serves an object; where its file is gone, it never was.
    fn serve(
        &self,
        asked: &Asked,
        object: &Arc<Object>,
        serve: &Serve,
        status: CacheStatus,
        result: &'static str,
    ) -> Next {
        match answer(self, object, serve, status, asked) {
            Ok(response) => {
                object.touch(Timestamp::now());
                self.metrics.request(result);
                Next::Answer(response)
            }
            Err(error) => {
                tracing::warn!(key = %asked.key, %error, "a stored object cannot be read");
                self.spool.remove(object);
                Next::Ask(Forward::UriMiss, Known::Nothing)
            }
        }
    }

    /// Validates an object while it is served, unless somebody does already.
    fn revalidate_behind(&self, asked: &Asked, object: &Arc<Object>, conditions: Conditions) {
        if let Join::Lead(lead) = self.joins.join(&asked.key, Instant::now()) {
            let ask = asked.ask(Known::stale(Arc::clone(object), conditions));
            let cache = self.clone();
            tokio::spawn(async move { fetch(&cache, ask, Some(lead)).await });
        }
    }

    /// What a request that waited makes of what came; `None`: it looks again.
    fn follow(
        &self,
        asked: &Asked,
        outcome: Outcome,
        why: Forward,
        stored: Option<&Arc<Object>>,
    ) -> Option<Response> {
        match outcome {
            Outcome::Object(object, status) if self.suits(asked, &object) => {
                self.answer_new(asked, &object, status, why, true)
            }
            Outcome::Object(..) | Outcome::Private | Outcome::Open => None,
            Outcome::Failed(reason, status) => {
                let instead = self.instead(asked, stored, Failure::Network);
                Some(instead.unwrap_or_else(|| self.problem(status, "upstream-failed", &reason)))
            }
        }
    }

    /// Whether what came for another request may answer this one.
    fn suits(&self, asked: &Asked, object: &Object) -> bool {
        let (head, now) = (object.head(), Timestamp::now());
        head.matches(&asked.headers)
            && may_be_shared(&head, &asked.request(), now, &self.settings.options)
    }

    /// What the request that went upstream makes of the answer.
    fn fetched(
        &self,
        asked: &Asked,
        fetched: Fetched,
        why: Forward,
        stored: Option<&Arc<Object>>,
    ) -> Option<Response> {
        match fetched {
            Fetched::Object(object, status, own) => {
                let mut response = self.answer_new(asked, &object, status, why, false)?;
                response.headers_mut().extend(own);
                Some(response)
            }
            Fetched::Private(response, refusal, received) => {
                Some(self.passed(*response, refusal.token(), received, why))
            }
            Fetched::Worse(response, received) => {
                let instead = self.instead(asked, stored, Failure::Status(response.status()));
                Some(instead.unwrap_or_else(|| self.passed(*response, "failure", received, why)))
            }
            Fetched::Failed(reason, status) => {
                let instead = self.instead(asked, stored, Failure::Network);
                tracing::warn!(key = %asked.key, %reason, "an upstream failed");
                Some(instead.unwrap_or_else(|| self.problem(status, "upstream-failed", &reason)))
            }
            Fetched::Gone => None,
        }
    }

    /// An answer for this client alone.
    fn passed(
        &self,
        response: Response,
        detail: &str,
        received: Timestamp,
        why: Forward,
    ) -> Response {
        let mut status = CacheStatus::forwarded(self.name.as_str(), why);
        status.forward_status = Some(response.status());
        status.detail = Some(detail.to_owned());
        self.metrics.request("pass");
        passed_on(self, response, received, &status)
    }

    /// An answer from an object that came, or was validated, just now.
    fn answer_new(
        &self,
        asked: &Asked,
        object: &Arc<Object>,
        code: StatusCode,
        why: Forward,
        collapsed: bool,
    ) -> Option<Response> {
        let head = object.head();
        if !preconditions_hold(&head, &asked.headers) {
            // The next look at the store passes it on: the origin has to say so.
            return None;
        }
        let serve =
            serve_validated(0, &head, &asked.request(), Timestamp::now(), &self.settings.options);
        let mut status = CacheStatus::forwarded(self.name.as_str(), why);
        status.collapsed = collapsed;
        status.forward_status = (!collapsed).then_some(code);
        status.stored = !collapsed && code != StatusCode::NOT_MODIFIED;
        let result = match (collapsed, code) {
            (true, _) => "collapsed",
            (_, StatusCode::NOT_MODIFIED) => "revalidated",
            _ => "miss",
        };
        match self.serve(asked, object, &serve, status, result) {
            Next::Answer(response) => Some(response),
            _ => None,
        }
    }

    /// What is stored, in place of a failure of the upstream.
    fn instead(
        &self,
        asked: &Asked,
        stored: Option<&Arc<Object>>,
        failure: Failure,
    ) -> Option<Response> {
        let object = stored?;
        let head = object.head();
        let now = Timestamp::now();
        let serve = on_error(0, &head, &asked.request(), failure, now, &self.settings.options)?;
        let mut status = self.hit(&serve);
        status.detail = Some("stale-if-error".to_owned());
        match self.serve(asked, object, &serve, status, "stale") {
            Next::Answer(response) => Some(response),
            _ => None,
        }
    }
}
