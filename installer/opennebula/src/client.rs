//! The client: one method for each call that we need, in the files beside this one.

use std::fmt;
use std::sync::Arc;

use secrecy::ExposeSecret;

use crate::answer::{read_answer, read_document};
use crate::attributes::Attributes;
use crate::error::Error;
use crate::object::{Object, read_object, read_pool};
use crate::session::Session;
use crate::transport::{Limits, Transport};
use crate::xmlrpc::{Value, write_call};

/// A client of oned. Clones share the transport.
#[derive(Clone)]
pub struct Client {
    transport: Arc<dyn Transport>,
    session: Session,
    limits: Limits,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("endpoint", &self.endpoint())
            .field("user", &self.session.user())
            .finish_non_exhaustive()
    }
}

/// How an update treats attributes that it does not name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// They stay.
    Merge,
    /// They go.
    Replace,
}

impl From<Update> for Value {
    fn from(update: Update) -> Self {
        Self::from(i32::from(update == Update::Merge))
    }
}

/// Which objects of a pool to read: by owner and by range of identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    /// -2 all that is visible, -3 one's own, -1 own and groups', -4 the primary group's; from 0 on
    /// one user's.
    pub owner: i32,
    /// First identifier; -1 for no bound.
    pub first: i32,
    /// Last identifier; -1 for no bound.
    pub last: i32,
}

impl Default for Page {
    fn default() -> Self {
        Self { owner: -2, first: -1, last: -1 }
    }
}

impl Page {
    /// All that is visible with identifiers in these bounds, both included.
    pub fn range(first: i32, last: i32) -> Self {
        Self { first, last, ..Self::default() }
    }
}

impl Client {
    /// A client with the usual bounds.
    pub fn new(transport: Arc<dyn Transport>, session: Session) -> Self {
        Self { transport, session, limits: Limits::default() }
    }

    /// The same with other bounds for each call.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// Where oned is.
    pub fn endpoint(&self) -> &str {
        self.transport.endpoint()
    }

    /// Any method: the session is put before the parameters, and the value is what oned gave.
    pub async fn call(&self, method: &'static str, parameters: Vec<Value>) -> Result<Value, Error> {
        let bytes = self.exchange(method, parameters).await?;
        read_answer(self.endpoint(), method, &bytes)
    }

    async fn exchange(
        &self,
        method: &'static str,
        parameters: Vec<Value>,
    ) -> Result<Vec<u8>, Error> {
        let session = self.session.parameter();
        let mut all = vec![Value::from(session.expose_secret())];
        all.extend(parameters);
        let body = write_call(method, &all).into();
        self.transport.exchange(body, self.limits).await.map_err(|source| Error::Transport {
            endpoint: self.endpoint().to_owned(),
            method,
            source,
        })
    }

    /// A pool or an object as the text that oned gave, for callers that read it piece by piece.
    pub async fn document(
        &self,
        method: &'static str,
        parameters: Vec<Value>,
    ) -> Result<String, Error> {
        let bytes = self.exchange(method, parameters).await?;
        match read_document(self.endpoint(), method, &bytes)? {
            Value::Text(text) => Ok(text),
            _ => Err(self.unexpected(method, "a text")),
        }
    }

    pub(crate) async fn call_for_id<T: From<i32>>(
        &self,
        method: &'static str,
        parameters: Vec<Value>,
    ) -> Result<T, Error> {
        let value = self.call(method, parameters).await?;
        value.as_id().map(T::from).ok_or_else(|| self.unexpected(method, "an identifier"))
    }

    pub(crate) async fn call_for_nothing(
        &self,
        method: &'static str,
        parameters: Vec<Value>,
    ) -> Result<(), Error> {
        self.call(method, parameters).await.map(|_| ())
    }

    pub(crate) async fn call_for_text(
        &self,
        method: &'static str,
        parameters: Vec<Value>,
    ) -> Result<String, Error> {
        match self.call(method, parameters).await? {
            Value::Text(text) => Ok(text),
            _ => Err(self.unexpected(method, "a text")),
        }
    }

    pub(crate) async fn call_for_object<T: Object>(
        &self,
        method: &'static str,
        parameters: Vec<Value>,
    ) -> Result<T, Error> {
        let text = self.call_for_text(method, parameters).await?;
        read_object(&text).map_err(|source| self.unreadable(method, source))
    }

    pub(crate) async fn call_for_pool<T: Object>(
        &self,
        method: &'static str,
        parameters: Vec<Value>,
    ) -> Result<Vec<T>, Error> {
        let text = self.call_for_text(method, parameters).await?;
        read_pool(&text).map_err(|source| self.unreadable(method, source))
    }

    pub(crate) async fn page<T: Object>(
        &self,
        method: &'static str,
        page: Page,
    ) -> Result<Vec<T>, Error> {
        let parameters = vec![page.owner.into(), page.first.into(), page.last.into()];
        self.call_for_pool(method, parameters).await
    }

    fn unexpected(&self, method: &'static str, expected: &'static str) -> Error {
        Error::Unexpected { endpoint: self.endpoint().to_owned(), method, expected }
    }

    fn unreadable(&self, method: &'static str, source: crate::object::ObjectError) -> Error {
        Error::Object { endpoint: self.endpoint().to_owned(), method, source }
    }
}

/// A template as a parameter: XML, which can say every text.
pub(crate) fn template(method: &'static str, attributes: &Attributes) -> Result<Value, Error> {
    let text =
        attributes.to_xml("TEMPLATE").map_err(|source| Error::Template { method, source })?;
    Ok(Value::Text(text))
}
