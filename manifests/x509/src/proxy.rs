//! RFC 3820 proxy certificates: short-lived certificates that a person issues to their own programs.

use crate::signature::signed_certificate;
use jiff::Timestamp;
use x509_parser::prelude::X509Certificate;

const PROXY_CERT_INFO: &str = "1.3.6.1.5.5.7.1.14";
/// The proxy has all rights of its issuer.
const INHERIT_ALL: &str = "1.3.6.1.5.5.7.21.1";
/// Globus: the proxy may start no jobs.
const LIMITED: &str = "1.3.6.1.4.1.3536.1.1.1.9";
const COMMON_NAME: &str = "2.5.4.3";
const KNOWN_CRITICAL: [&str; 4] = [PROXY_CERT_INFO, "2.5.29.15", "2.5.29.19", "2.5.29.37"];

/// The proxies in front of a person's certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Proxies {
    pub(crate) count: usize,
    pub(crate) limited: bool,
    /// One of them is good, but at another time.
    pub(crate) out_of_time: bool,
}

/// Walks from the leaf over proxies to the person's certificate; checks each step (RFC 3820 section 4).
pub(crate) fn walk(chain: &[X509Certificate<'_>], at: Timestamp) -> Result<Proxies, String> {
    let mut proxies = Proxies::default();
    while let Some(proxy) = chain.get(proxies.count) {
        let info = match info(proxy)? {
            Some(info) => info,
            None if is_legacy(proxy) => {
                let text = "a Globus proxy of the old kind, without ProxyCertInfo, is not accepted";
                return Err(text.to_owned());
            }
            None => return Ok(proxies),
        };
        let missing = || "the chain ends with a proxy".to_owned();
        let issuer = chain.get(proxies.count + 1).ok_or_else(missing)?;
        check(proxy, issuer)?;
        if info.path_length.is_some_and(|limit| proxies.count as u64 > limit) {
            return Err("more proxies are chained than one of them allows".to_owned());
        }
        let validity = proxy.validity();
        let (from, to) = (validity.not_before.timestamp(), validity.not_after.timestamp());
        proxies.out_of_time |= !(from..=to).contains(&at.as_second());
        proxies.limited |= info.limited;
        proxies.count += 1;
    }
    Err("the chain is empty".to_owned())
}

struct Info {
    path_length: Option<u64>,
    limited: bool,
}

/// ProxyCertInfo ::= SEQUENCE { pCPathLenConstraint INTEGER OPTIONAL, proxyPolicy ProxyPolicy }
///
/// An independent proxy, or one under a policy that we cannot read, does not speak for its person.
fn info(certificate: &X509Certificate<'_>) -> Result<Option<Info>, String> {
    let Some(extension) =
        certificate.extensions().iter().find(|e| e.oid.to_id_string() == PROXY_CERT_INFO)
    else {
        return Ok(None);
    };
    if !extension.critical {
        return Err("a proxy's ProxyCertInfo is not critical".to_owned());
    }
    let unreadable = || "a proxy's ProxyCertInfo cannot be read".to_owned();
    let (_, sequence) =
        x509_parser::der_parser::parse_der(extension.value).map_err(|_| unreadable())?;
    let items = sequence.as_sequence().map_err(|_| unreadable())?;
    let (path_length, policy) = match items.as_slice() {
        [policy] => (None, policy),
        [length, policy] => (Some(length.as_u64().map_err(|_| unreadable())?), policy),
        _ => return Err(unreadable()),
    };
    let language = policy.as_sequence().ok().and_then(|p| p.first());
    let language = language.and_then(|l| l.as_oid().ok()).ok_or_else(unreadable)?;
    let limited = match language.to_id_string().as_str() {
        INHERIT_ALL => false,
        LIMITED => true,
        other => return Err(format!("a proxy does not inherit its issuer's rights ({other})")),
    };
    Ok(Some(Info { path_length, limited }))
}

fn check(proxy: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> Result<(), String> {
    let wrong = |text: &str| Err(text.to_owned());
    if proxy.issuer().as_raw() != issuer.subject().as_raw() {
        return wrong("a proxy is followed by a certificate that did not issue it");
    }
    if !names_one_more(proxy, issuer) {
        return wrong("a proxy's name is not its issuer's name and one CN more");
    }
    if proxy.is_ca() || issuer.is_ca() {
        return wrong("a proxy is, or was issued by, a certificate authority");
    }
    if proxy
        .extensions()
        .iter()
        .any(|e| matches!(e.oid.to_id_string().as_str(), "2.5.29.17" | "2.5.29.18"))
    {
        return wrong("a proxy has alternative names");
    }
    if proxy
        .extensions()
        .iter()
        .any(|e| e.critical && !KNOWN_CRITICAL.contains(&e.oid.to_id_string().as_str()))
    {
        return wrong("a proxy has a critical extension that is not known");
    }
    if let Ok(Some(usage)) = issuer.key_usage()
        && !usage.value.digital_signature()
    {
        return wrong("the issuer of a proxy may not sign");
    }
    if !signed_certificate(issuer.public_key().raw, proxy.as_raw()) {
        return wrong("a proxy's signature does not match its issuer's key");
    }
    Ok(())
}

/// Whether the subject is the issuer's subject and exactly one CN more.
fn names_one_more(proxy: &X509Certificate<'_>, issuer: &X509Certificate<'_>) -> bool {
    let subject: Vec<_> = proxy.subject().iter_rdn().collect();
    let above: Vec<_> = issuer.subject().iter_rdn().collect();
    let same = above.iter().zip(&subject).all(|(a, b)| {
        a.iter().count() == b.iter().count()
            && a.iter()
                .zip(b.iter())
                .all(|(x, y)| x.attr_type() == y.attr_type() && x.as_slice() == y.as_slice())
    });
    let last = subject.last().map(|rdn| rdn.iter().collect::<Vec<_>>()).unwrap_or_default();
    subject.len() == above.len() + 1
        && same
        && matches!(last.as_slice(), [a] if a.attr_type().to_id_string() == COMMON_NAME)
}

/// GT2 proxies: the last CN is `proxy` or `limited proxy`, issued by the name without it.
fn is_legacy(certificate: &X509Certificate<'_>) -> bool {
    let last = certificate.subject().iter_common_name().last().and_then(|cn| cn.as_str().ok());
    matches!(last, Some("proxy" | "limited proxy"))
        && certificate.subject().as_raw() != certificate.issuer().as_raw()
}
