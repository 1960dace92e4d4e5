//! Which endpoint a request path means.
//!
//! The path comes from the wire, still percent-encoded. It is decoded exactly once, and only one
//! spelling of each path reaches a file: whatever decodes to something that the decoder would have
//! to interpret again (`%2f`, `%25`, `%5c`, `%00`, dot segments, empty segments, bytes that are not
//! UTF-8) is refused, and a spelling that is merely longer than necessary (`%62ase` for `base`) is
//! answered with the short one, so that caches and rules in front of us see one name for one file.

use crate::text::printable;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt;
use std::str::FromStr;
use stratus_model::{Algorithm, AppliancePath, Digest, FileKind, Identifier, PathError, TreePath};

/// Longest request path that is looked at, in bytes: the longest path of the tree, fully encoded.
const PATH_LIMIT: usize = 3 * 1024 + 64;

/// Everything but the unreserved characters of RFC 3986 section 2.3, and `+`, which the tree allows.
const ESCAPED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'+');

/// Every endpoint of the repository that is not a page for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// `/images/…/`: a folder of the tree, or a name in it that is no file we serve.
    Folder(TreePath),
    /// `/images/…`: one of an appliance's files.
    File {
        /// Which appliance.
        appliance: AppliancePath,
        /// Which of its files.
        kind: FileKind,
    },
    /// `/healthz`: the process runs.
    Health,
    /// `/readyz`: it can do its work.
    Ready,
    /// `/metrics`: Prometheus text.
    Metrics,
    /// `/api/v1/appliances`: search.
    Search,
    /// `/api/v1/appliances/{identifier or sha256}`.
    Appliance(ApplianceKey),
    /// `/api/v1/openapi.json`.
    OpenApi,
    /// `/appliance`, also with several slashes in front: OpenNebula's marketplace.
    Marketplace,
    /// `/appliance/{id}`.
    MarketplaceAppliance(Token),
    /// `/appliance/{id}/download/{n}`.
    MarketplaceDownload {
        /// Which appliance.
        id: Token,
        /// Which of its files, counted from 0.
        file: u16,
    },
    /// `/uploads`: where tus uploads are created.
    Uploads,
    /// `/uploads/{id}`: one tus upload.
    Upload(Token),
}

/// How an appliance is asked for when its path is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplianceKey {
    /// The 27-character identifier: SHA-1 of the uncompressed image.
    Identifier(Identifier),
    /// SHA-256 of the uncompressed image or of the file as served.
    Sha256(Digest),
}

/// An opaque name in a path: 1 to 128 letters, digits, `-` and `_`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token(String);

/// A request path that means nothing here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// No endpoint has this path: 404.
    #[error("nothing is served at `{0}`")]
    Unknown(String),
    /// The path cannot be decoded safely: 400.
    #[error("the path `{path}` {reason}")]
    Encoding {
        /// The path, shortened.
        path: String,
        /// What is wrong with it, as the end of a sentence.
        reason: &'static str,
    },
    /// The path is not one of the tree: 400.
    #[error("the path is not in the tree")]
    Path(#[source] PathError),
    /// Another spelling of a path that exists: 308 to the canonical one.
    #[error("the path is written `{canonical}`")]
    Spelling {
        /// The path to use.
        canonical: String,
    },
    /// `/api/v1/appliances/…` names neither an identifier nor a SHA-256: 400.
    #[error("`{0}` is neither a 27-character identifier nor a SHA-256 in 64 hexadecimal digits")]
    Key(String),
}

impl Route {
    /// Reads the path of a request as it came: percent-encoded, without query.
    pub fn parse(raw: &str) -> Result<Self, RouteError> {
        if raw.len() > PATH_LIMIT {
            return Err(encoding(raw, "is too long"));
        }
        let raw = collapse_marketplace(raw);
        let decoded = decode(raw)?;
        let route = Self::from_decoded(&decoded)?;
        // A folder may leave out its last slash; everything else has exactly one spelling.
        let canonical = route.to_path();
        let same = raw == canonical
            || (matches!(route, Self::Folder(_)) && canonical.strip_suffix('/') == Some(raw));
        if same { Ok(route) } else { Err(RouteError::Spelling { canonical }) }
    }

    fn from_decoded(path: &str) -> Result<Self, RouteError> {
        let unknown = || RouteError::Unknown(printable(path));
        if path == "/images" || path.starts_with("/images/") {
            return tree(path.strip_prefix("/images").unwrap_or_default());
        }
        let rest = path.strip_prefix('/').ok_or_else(unknown)?;
        let parts: Vec<&str> = rest.split('/').collect();
        let token = |text: &str| text.parse::<Token>().map_err(|_| unknown());
        match parts.as_slice() {
            ["healthz"] => Ok(Self::Health),
            ["readyz"] => Ok(Self::Ready),
            ["metrics"] => Ok(Self::Metrics),
            ["api", "v1", "appliances"] => Ok(Self::Search),
            ["api", "v1", "appliances", key] => key.parse().map(Self::Appliance),
            ["api", "v1", "openapi.json"] => Ok(Self::OpenApi),
            ["appliance"] => Ok(Self::Marketplace),
            ["appliance", id] => Ok(Self::MarketplaceAppliance(token(id)?)),
            ["appliance", id, "download", file] => Ok(Self::MarketplaceDownload {
                id: token(id)?,
                file: crate::text::number(file)
                    .and_then(|n| u16::try_from(n).ok())
                    .ok_or_else(unknown)?,
            }),
            ["uploads"] => Ok(Self::Uploads),
            ["uploads", id] => Ok(Self::Upload(token(id)?)),
            _ => Err(unknown()),
        }
    }

    /// The one path of this endpoint, percent-encoded where needed.
    pub fn to_path(&self) -> String {
        match self {
            Self::Folder(path) if path.as_str().is_empty() => "/images/".to_owned(),
            Self::Folder(path) => format!("{}/", tree_path(path)),
            Self::File { appliance, kind } => tree_path(&appliance.file(*kind)),
            Self::Health => "/healthz".to_owned(),
            Self::Ready => "/readyz".to_owned(),
            Self::Metrics => "/metrics".to_owned(),
            Self::Search => "/api/v1/appliances".to_owned(),
            Self::Appliance(key) => format!("/api/v1/appliances/{key}"),
            Self::OpenApi => "/api/v1/openapi.json".to_owned(),
            Self::Marketplace => "/appliance".to_owned(),
            Self::MarketplaceAppliance(id) => format!("/appliance/{id}"),
            Self::MarketplaceDownload { id, file } => format!("/appliance/{id}/download/{file}"),
            Self::Uploads => "/uploads".to_owned(),
            Self::Upload(id) => format!("/uploads/{id}"),
        }
    }

    /// The place of one of an appliance's files.
    pub fn file(appliance: &AppliancePath, kind: FileKind) -> Self {
        Self::File { appliance: appliance.clone(), kind }
    }
}

/// Where a name without the version's folder would be kept: the historical form
/// `…/<family>/<family>-<version>` becomes `…/<family>/<version>/<family>-<version>`.
///
/// Says nothing about whether that appliance exists; a server that has it answers 308.
pub fn versionless(asked: &AppliancePath) -> Option<AppliancePath> {
    let folder = asked.folder();
    let version = asked.name().strip_prefix(folder.last()?)?.strip_prefix('-')?;
    if version.is_empty() {
        return None;
    }
    let inside = folder.join(version).ok()?.join(asked.name()).ok()?;
    AppliancePath::parse(inside.as_str()).ok()
}

fn tree(below: &str) -> Result<Route, RouteError> {
    let below = below.strip_prefix('/').unwrap_or(below);
    let path = TreePath::parse(below).map_err(RouteError::Path)?;
    match AppliancePath::of_file(&path) {
        Ok((appliance, kind)) if !below.ends_with('/') => {
            // `….img.deprecated.xml` is read as `….deprecated.xml`: one file, two names, and the
            // canonical one is told by the caller's comparison.
            Ok(Route::File { appliance, kind })
        }
        _ => Ok(Route::Folder(path)),
    }
}

fn tree_path(path: &TreePath) -> String {
    format!(
        "/images/{}",
        path.segments()
            .map(|s| utf8_percent_encode(s, ESCAPED).to_string())
            .collect::<Vec<_>>()
            .join("/")
    )
}

/// OpenNebula asks for `//appliance`: its driver joins an endpoint that ends in `/` with
/// `/appliance`. Only there are slashes at the front collapsed.
fn collapse_marketplace(raw: &str) -> &str {
    let bare = raw.trim_start_matches('/');
    let is_marketplace = bare == "appliance" || bare.starts_with("appliance/");
    if is_marketplace && raw.starts_with("//") { &raw[raw.len() - bare.len() - 1..] } else { raw }
}

/// Percent-decodes once and refuses whatever somebody behind us might understand differently.
fn decode(raw: &str) -> Result<String, RouteError> {
    if !raw.starts_with('/') {
        return Err(encoding(raw, "does not start with `/`"));
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        let decoded = match byte {
            b'%' => escaped(&mut rest).map_err(|reason| encoding(raw, reason))?,
            b'?' | b'#' => return Err(encoding(raw, "has a query or fragment inside")),
            b'\\' => return Err(encoding(raw, "has a backslash")),
            other => other,
        };
        if decoded < 0x20 || decoded == 0x7f {
            return Err(encoding(raw, "has a control character"));
        }
        bytes.push(decoded);
    }
    // Overlong forms are not UTF-8, so they end here too.
    let text = String::from_utf8(bytes).map_err(|_| encoding(raw, "is not UTF-8"))?;
    let inner = text[1..].strip_suffix('/').unwrap_or(&text[1..]);
    if !inner.is_empty() || text == "//" {
        for segment in inner.split('/') {
            match segment {
                "" => return Err(encoding(raw, "has an empty segment")),
                "." | ".." => return Err(encoding(raw, "has a dot segment")),
                _ => {}
            }
        }
    }
    Ok(text)
}

/// The byte behind a percent sign.
fn escaped(rest: &mut impl Iterator<Item = u8>) -> Result<u8, &'static str> {
    let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
    let (Some(high), Some(low)) = (digit(), digit()) else {
        return Err("has a percent sign without two hexadecimal digits");
    };
    match u8::try_from(high * 16 + low).unwrap_or_default() {
        b'/' => Err("has an encoded slash"),
        b'\\' => Err("has an encoded backslash"),
        b'%' => Err("is encoded twice"),
        byte => Ok(byte),
    }
}

fn encoding(raw: &str, reason: &'static str) -> RouteError {
    RouteError::Encoding { path: printable(raw), reason }
}

impl FromStr for ApplianceKey {
    type Err = RouteError;

    /// 64 hexadecimal digits are a SHA-256, 27 characters an identifier.
    fn from_str(text: &str) -> Result<Self, RouteError> {
        let wrong = || RouteError::Key(printable(text));
        if text.len() == 64 {
            let digest = Digest::from_hex(Algorithm::Sha256, text).map_err(|_| wrong())?;
            return Ok(Self::Sha256(digest));
        }
        text.parse().map(Self::Identifier).map_err(|_| wrong())
    }
}

impl fmt::Display for ApplianceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identifier(identifier) => identifier.fmt(f),
            Self::Sha256(digest) => fmt::Display::fmt(digest, f),
        }
    }
}

impl Token {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that is no [`Token`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an opaque name has 1 to 128 ASCII letters, digits, `-` and `_`")]
pub struct TokenError;

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let good = (1..=128).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        if good { Ok(Self(text.to_owned())) } else { Err(TokenError) }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STEM: &str = "base/ubuntu-24.04-x86_64-base/1.0/ubuntu-24.04-x86_64-base-1.0";

    #[test]
    fn every_endpoint_is_found_under_its_own_path() {
        for path in [
            "/images/",
            "/images/base/",
            "/images/grid/ce/",
            "/healthz",
            "/readyz",
            "/metrics",
            "/api/v1/appliances",
            "/api/v1/appliances/MMZu9WvwKIro-rtBQfDk4PsKO7_",
            "/api/v1/openapi.json",
            "/appliance",
            "/appliance/0b5c-x_1",
            "/appliance/abc/download/0",
            "/uploads",
            "/uploads/24e533e02ec3bc40c387f1a0e460e216",
        ] {
            assert_eq!(Route::parse(path).map(|r| r.to_path()), Ok(path.to_owned()));
        }
        let sha256 = format!("/api/v1/appliances/{}", "0f".repeat(32));
        assert_eq!(Route::parse(&sha256).map(|r| r.to_path()), Ok(sha256));
    }

    #[test]
    fn every_file_of_an_appliance_is_found() {
        for kind in FileKind::ALL {
            let path = format!("/images/{STEM}{}", kind.ending());
            let expected = Route::file(&AppliancePath::parse(STEM).unwrap(), kind);
            assert_eq!(Route::parse(&path), Ok(expected.clone()));
            assert_eq!(expected.to_path(), path);
        }
    }

    #[test]
    fn a_folder_may_leave_out_its_last_slash() {
        for path in ["/images", "/images/base", "/images/base/1.0+b~1"] {
            assert!(matches!(Route::parse(path), Ok(Route::Folder(_))), "{path}");
        }
    }

    #[test]
    fn nothing_is_interpreted_twice() {
        for (path, reason) in [
            ("/images/base%2fx.img.gz", "slash"),
            ("/images/base%2Fx.img.gz", "slash"),
            ("/images/%252e%252e/x", "twice"),
            ("/images/base/%00x", "control"),
            ("/images/base/%0a", "control"),
            ("/images/base/%7f", "control"),
            ("/images/base/../x", "dot segment"),
            ("/images/base/%2e%2e/x", "dot segment"),
            ("/images/./x", "dot segment"),
            ("/images/base/..", "dot segment"),
            ("/images//base", "empty"),
            ("//images/base", "empty"),
            ("/images/base//", "empty"),
            ("//", "empty"),
            ("/images/a\\b", "backslash"),
            ("/images/a%5cb", "backslash"),
            ("/images/%c0%ae%c0%ae/x", "UTF-8"),
            ("/images/%ff", "UTF-8"),
            ("/images/%e2%82", "UTF-8"),
            ("/images/%", "hexadecimal"),
            ("/images/%4", "hexadecimal"),
            ("/images/%zz", "hexadecimal"),
            ("/images/%+1", "hexadecimal"),
            ("images/base", "start"),
            ("", "start"),
            ("http://example.org/images/", "start"),
            ("/images/x?y", "query"),
        ] {
            let error = Route::parse(path).expect_err(path);
            assert!(matches!(error, RouteError::Encoding { .. }), "{path}: {error:?}");
            assert!(error.to_string().contains(reason), "{path}: {error}");
        }
        assert!(Route::parse(&format!("/images/{}", "a".repeat(4000))).is_err());
    }

    #[test]
    fn names_outside_the_trees_alphabet_are_refused() {
        for path in
            ["/images/.hidden", "/images/-rf", "/images/a%20b", "/images/%c3%a9", "/images/a;b"]
        {
            assert!(matches!(Route::parse(path), Err(RouteError::Path(_))), "{path}");
        }
    }

    #[test]
    fn a_longer_spelling_is_answered_with_the_short_one() {
        for (path, canonical) in [
            ("/images/%62ase/", "/images/base/".to_owned()),
            ("/%69mages/base/x.img.gz", "/images/base/x.img.gz".to_owned()),
            ("/images/base/x%2B1.img.gz", "/images/base/x+1.img.gz".to_owned()),
            ("/images/base/x.img.deprecated.xml", "/images/base/x.deprecated.xml".to_owned()),
            ("/appliance/a/download/00", "/appliance/a/download/0".to_owned()),
        ] {
            assert_eq!(Route::parse(path), Err(RouteError::Spelling { canonical }), "{path}");
        }
    }

    #[test]
    fn what_nobody_serves_is_unknown() {
        for path in [
            "/",
            "/image",
            "/imagesx",
            "/healthz/",
            "/uploads/",
            "/uploads/a.b",
            "/appliance/",
            "/appliance/a/download/x",
            "/appliance/a/download/70000",
            "/api/v1",
            "/api/v2/appliances",
        ] {
            assert!(matches!(Route::parse(path), Err(RouteError::Unknown(_))), "{path}");
        }
        for key in ["x", "QMZu9WvwKIro-rtBQfDk4PsKO7_", &"zz".repeat(32)] {
            let path = format!("/api/v1/appliances/{key}");
            assert!(matches!(Route::parse(&path), Err(RouteError::Key(_))), "{path}");
        }
    }

    #[test]
    fn slashes_collapse_only_before_the_marketplace() {
        assert_eq!(Route::parse("//appliance"), Ok(Route::Marketplace));
        assert_eq!(Route::parse("///appliance"), Ok(Route::Marketplace));
        assert!(matches!(Route::parse("//appliance/a"), Ok(Route::MarketplaceAppliance(_))));
        assert!(Route::parse("//appliancex").is_err());
        assert!(Route::parse("//healthz").is_err());
        assert!(Route::parse("/prefix//appliance").is_err());
        assert!(Route::parse("//appliance//a").is_err());
    }

    #[test]
    fn the_form_without_a_version_folder_leads_to_the_one_with_it() {
        let find = |p: &str| versionless(&AppliancePath::parse(p).unwrap());
        assert_eq!(
            find("base/ubuntu-10.04-i686-base/ubuntu-10.04-i686-base-1.0").unwrap().as_str(),
            "base/ubuntu-10.04-i686-base/1.0/ubuntu-10.04-i686-base-1.0"
        );
        assert_eq!(find(STEM), None);
        assert_eq!(find("base/ubuntu/ubuntu-"), None);
        assert_eq!(find("ubuntu-1.0"), None);
    }

    proptest! {
        #[test]
        fn what_is_accepted_has_one_spelling(path in "(/|//)?(images|appliance|uploads|api)(/|%2f|[a-z.%~+]{0,6}){0,6}") {
            if let Ok(route) = Route::parse(&path) {
                prop_assert_eq!(Route::parse(&route.to_path()), Ok(route.clone()));
                let path = path.trim_start_matches('/').trim_end_matches('/');
                let canonical = route.to_path();
                prop_assert_eq!(canonical.trim_matches('/'), path);
            }
        }

        #[test]
        fn no_path_breaks_the_parser(path in "\\PC{0,80}") {
            if let Err(error) = Route::parse(&path) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}
