//! A real oned in place of the simulator, where the environment names one.

/// A real oned.
#[derive(Clone, PartialEq, Eq)]
pub struct Real {
    /// Its XML-RPC address.
    pub url: String,
    /// `user:password` of an administrator.
    pub auth: String,
}

impl Real {
    /// The one of `STRATUS_TEST_ONED` and `STRATUS_TEST_ONE_AUTH`.
    ///
    /// # Panics
    /// Only one of the two is set: the simulator in its place would prove something else.
    pub fn named() -> Option<Self> {
        let named = Self::of(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
        named.unwrap_or_else(|problem| panic!("{problem}"))
    }

    /// The one of an environment; what is wrong with it otherwise.
    pub fn of(environment: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        match (environment("STRATUS_TEST_ONED"), environment("STRATUS_TEST_ONE_AUTH")) {
            (None, None) => Ok(None),
            (Some(url), Some(auth)) if auth.contains(':') => Ok(Some(Self { url, auth })),
            (Some(_), _) => Err("STRATUS_TEST_ONE_AUTH must be `user:password` of the oned that \
                                 STRATUS_TEST_ONED names"
                .to_owned()),
            (None, Some(_)) => {
                Err("STRATUS_TEST_ONE_AUTH is set, and STRATUS_TEST_ONED names no oned".to_owned())
            }
        }
    }
}
