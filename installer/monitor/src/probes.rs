//! Looks at what is not OpenNebula: the site's own services, certificates, disks, the VPN.

mod usage;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use stratus_monitor_state::{Burst, BurstSession, Certificate, Disk, Observation, Service, Vpn};
use stratus_overlay::status::{ClientReport, Report};
use stratus_x509::Certificate as X509;
use url::Url;

/// How long a service may take to answer.
const TIME: Duration = Duration::from_secs(5);
/// Most bytes of an answer.
const ANSWER: usize = 1 << 20;
/// Most bytes of a file with certificates.
const FILE: u64 = 4 << 20;

/// What is to be looked at.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Services, with their names.
    pub services: Vec<(&'static str, Url)>,
    /// Certificate files.
    pub certificates: Vec<PathBuf>,
    /// Folders whose file systems are watched.
    pub disks: Vec<PathBuf>,
    /// The VPN's report, as `stratus-vpn status --to` writes it.
    pub vpn: Option<PathBuf>,
    /// What each user used, as `stratus-accounting feed` writes it.
    pub usage: Option<PathBuf>,
}

/// Looks at places.
#[derive(Debug)]
pub struct Probes {
    places: Places,
    client: reqwest::Client,
    usage: usage::Known,
}

impl Probes {
    /// Probes of these places. `ca` is a file with authorities of the services.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn new(places: Places, ca: Option<&Path>) -> std::io::Result<Self> {
        let mut client = reqwest::Client::builder()
            .timeout(TIME)
            .redirect(reqwest::redirect::Policy::none())
            // A service may close a kept connection just as the next look begins.
            .pool_max_idle_per_host(0)
            .no_proxy();
        if let Some(ca) = ca {
            let told = |e| std::io::Error::other(format!("{}: {e}", ca.display()));
            let pem = std::fs::read(ca).map_err(|e| told(e.to_string()))?;
            let all =
                reqwest::Certificate::from_pem_bundle(&pem).map_err(|e| told(e.to_string()))?;
            client = client.tls_certs_merge(all);
        }
        let client = client.build().map_err(std::io::Error::other)?;
        Ok(Self { places, client, usage: usage::Known::default() })
    }

    /// Looks at all of it.
    pub(crate) async fn look(&mut self, seen: &mut Observation) {
        let mut services = Vec::new();
        for (name, url) in &self.places.services {
            services.push(self.service(name, url).await);
        }
        seen.services = Some(services);
        let Places { certificates, disks, vpn, usage, .. } = self.places.clone();
        let known = self.usage.clone();
        let files = tokio::task::spawn_blocking(move || {
            let certificates = certificates.iter().map(|file| certificate(file)).collect();
            let disks = disks.iter().map(|path| disk(path)).collect();
            let usage = usage.map(|file| usage::look(&file, known)).unwrap_or_default();
            (certificates, disks, vpn.map(|file| overlay(&file)), usage)
        });
        if let Ok((certificates, disks, vpn, (usage, usage_fault))) = files.await {
            seen.certificates = Some(certificates);
            seen.disks = Some(disks);
            seen.vpn = vpn;
            seen.usage = usage.told();
            seen.usage_fault = usage_fault;
            self.usage = usage;
        }
    }

    async fn service(&self, name: &str, url: &Url) -> Service {
        let below = if name == "cache" { "-/cache/metrics" } else { "metrics" };
        let mut service =
            Service { name: name.to_owned(), url: url.to_string(), ..Service::default() };
        let answer = match url.join(below) {
            Ok(url) => self.get(url).await,
            Err(error) => Err(error.to_string()),
        };
        match answer {
            Ok(text) => service.figures = metrics(&text),
            Err(fault) => service.fault = Some(fault),
        }
        service
    }

    async fn get(&self, url: Url) -> Result<String, String> {
        let told = |error: reqwest::Error| {
            let error = error.without_url();
            if error.is_timeout() {
                return format!("no answer within {} s", TIME.as_secs());
            }
            // The innermost cause says what happened; those around it say how they were built.
            let mut cause: &dyn std::error::Error = &error;
            while let Some(inner) = cause.source() {
                cause = inner;
            }
            cause.to_string()
        };
        let mut answer = self.client.get(url).send().await.map_err(told)?;
        if !answer.status().is_success() {
            return Err(format!("it answers {}", answer.status()));
        }
        let mut bytes = Vec::new();
        while let Some(piece) = answer.chunk().await.map_err(told)? {
            if bytes.len() + piece.len() > ANSWER {
                return Err("its answer is too long".to_owned());
            }
            bytes.extend_from_slice(&piece);
        }
        String::from_utf8(bytes).map_err(|_| "its answer is not text".to_owned())
    }
}

/// Figures of a text in Prometheus' form: sums over the labels of each name.
fn metrics(text: &str) -> Vec<(String, f64)> {
    let mut figures = std::collections::BTreeMap::<String, f64>::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let Some((name, value)) = line.rsplit_once(' ') else { continue };
        let Ok(value) = value.parse::<f64>() else { continue };
        // Of a histogram's buckets nothing is shown.
        if !value.is_finite() || name.contains("_bucket") {
            continue;
        }
        // What became of a cache's requests is told by a label, and is what is asked for.
        let name = match name.split_once('{') {
            None => name.to_owned(),
            Some((bare, labels)) => match labels.split_once("result=\"") {
                Some((_, rest)) => format!("{bare}:{}", rest.split('"').next().unwrap_or_default()),
                None => bare.to_owned(),
            },
        };
        *figures.entry(name).or_insert(0.0) += value;
    }
    figures.into_iter().take(500).collect()
}

/// The first certificate of a file: the one that is shown to clients.
fn certificate(file: &Path) -> Certificate {
    let place = file.display().to_string();
    let read = || -> Result<X509, String> {
        let size = std::fs::metadata(file).map_err(|e| e.to_string())?.len();
        if size > FILE {
            return Err("it is too large".to_owned());
        }
        let pem = std::fs::read(file).map_err(|e| e.to_string())?;
        let mut all = X509::all_from_pem(&pem).map_err(|e| e.to_string())?;
        if all.is_empty() {
            return Err("there is no certificate in it".to_owned());
        }
        Ok(all.remove(0))
    };
    match read() {
        Ok(found) => Certificate {
            place,
            subject: found.subject_rfc4514().to_owned(),
            ends: found.not_after().as_second(),
            fault: None,
        },
        Err(fault) => Certificate { place, fault: Some(fault), ..Certificate::default() },
    }
}

/// The overlay as its report tells. A report is as old as its file.
fn overlay(file: &Path) -> Vpn {
    let read = || -> Result<Vpn, String> {
        let about = std::fs::metadata(file).map_err(|e| e.to_string())?;
        if about.len() > FILE {
            return Err("it is too large".to_owned());
        }
        let at = about.mtime();
        let text = std::fs::read(file).map_err(|e| e.to_string())?;
        let report: Report = serde_json::from_slice(&text)
            .map_err(|e| format!("it is no report of `stratus-vpn status`: {e}"))?;
        let nodes = report.clients.into_iter().map(burst).collect();
        Ok(Vpn { at, fault: None, running: report.running, attention: report.attention, nodes })
    };
    read().unwrap_or_else(|why| Vpn {
        fault: Some(format!("`{}`: {why}", file.display())),
        ..Vpn::default()
    })
}

fn burst(client: ClientReport) -> Burst {
    let session = client.session.map(|session| BurstSession {
        since: session.since.as_second(),
        peer: session.peer,
        received: session.received,
        sent: session.sent,
    });
    Burst {
        name: client.name.to_string(),
        address: client.address.to_string(),
        session,
        certificate_ends: client.certificate_expires.map_or(0, jiff::Timestamp::as_second),
        error: client.last_error.map(|trouble| (trouble.at.as_second(), trouble.reason)),
    }
}

fn disk(path: &Path) -> Disk {
    let shown = path.display().to_string();
    match rustix::fs::statvfs(path) {
        Ok(found) => Disk {
            path: shown,
            total: found.f_blocks.saturating_mul(found.f_frsize),
            free: found.f_bavail.saturating_mul(found.f_frsize),
            fault: None,
        },
        Err(error) => Disk { path: shown, fault: Some(error.to_string()), ..Disk::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_summed_over_their_labels() {
        let text = "# TYPE x counter\nstratus_cache_requests_total{result=\"hit\"} 8\n\
                    stratus_cache_requests_total{result=\"miss\"} 2\n\
                    a_total{b=\"1\"} 3\na_total{b=\"2\"} 4\nh_bucket{le=\"1\"} 9\nodd\nnan NaN\n";
        let figures = metrics(text);
        assert_eq!(
            figures,
            [
                ("a_total".to_owned(), 7.0),
                ("stratus_cache_requests_total:hit".to_owned(), 8.0),
                ("stratus_cache_requests_total:miss".to_owned(), 2.0),
            ]
        );
    }

    #[test]
    fn what_cannot_be_looked_at_says_so() {
        let missing = certificate(Path::new("/nonexistent/x.pem"));
        assert!(missing.fault.unwrap().contains("No such file"));
        let folder = tempfile::tempdir().unwrap();
        assert!(disk(&folder.path().join("absent")).fault.is_some());
        assert!(disk(Path::new("/")).total > 0);
    }
}
