//! What OpenNebula's `one` market driver reads, so that any OpenNebula can list our appliances with
//! `MARKET_MAD=one`.
//!
//! The driver asks `GET //appliance`, takes every field as text, and derives the image's source from
//! `_id.$oid`: `<endpoint>appliance/<id>/download/0`, which is answered with a redirect to the file.
//! The order of the keys and the absence of blanks matter to scripts that search the text for
//! `"name":"…"`.

use crate::search::{ApplianceDetail, Checksum};
use serde::Serialize;

/// Longest name OpenNebula takes, in characters.
pub const NAME_LIMIT: usize = 128;

/// Characters that OpenNebula does not take in a name.
const FORBIDDEN: &str = "&|:\\\";/'#{}$<>";

/// The answer to `GET /appliance`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Marketplace {
    /// Without meaning, always 1.
    #[serde(rename = "sEcho")]
    s_echo: u8,
    /// Everything on offer.
    pub appliances: Vec<MarketAppliance>,
}

impl Marketplace {
    /// The list of these appliances.
    pub fn new(appliances: Vec<MarketAppliance>) -> Self {
        Self { s_echo: 1, appliances }
    }

    /// The body.
    pub fn to_json(&self) -> String {
        json(self)
    }
}

/// One appliance, also the answer to `GET /appliance/{id}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MarketAppliance {
    #[serde(rename = "_id")]
    id: ObjectId,
    name: String,
    #[serde(rename = "type")]
    kind: &'static str,
    version: String,
    publisher: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    publisher_email: Option<String>,
    short_description: String,
    description: String,
    tags: Vec<String>,
    format: String,
    /// Seconds since 1970.
    creation_time: i64,
    #[serde(rename = "os-id")]
    os_id: String,
    #[serde(rename = "os-release")]
    os_release: String,
    #[serde(rename = "os-arch")]
    os_arch: String,
    hypervisor: String,
    opennebula_version: &'static str,
    opennebula_template: String,
    files: Vec<MarketFile>,
    links: MarketLinks,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct ObjectId {
    #[serde(rename = "$oid")]
    oid: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct MarketFile {
    name: String,
    url: String,
    #[serde(rename = "type")]
    kind: &'static str,
    format: String,
    hypervisor: String,
    #[serde(rename = "os-arch")]
    os_arch: String,
    /// Bytes of the uncompressed image: the space it needs in a datastore.
    size: u64,
    dev_prefix: String,
    driver: String,
    /// Of the file as served.
    #[serde(skip_serializing_if = "Option::is_none")]
    md5: Option<String>,
    checksum: MarketChecksum,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct MarketChecksum {
    #[serde(skip_serializing_if = "Option::is_none")]
    md5: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct MarketLinks {
    download: MarketLink,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct MarketLink {
    href: String,
}

/// What the list says beyond the appliance itself.
#[derive(Clone, Copy, Debug)]
pub struct MarketSettings<'a> {
    /// The server as clients reach it, without a slash at the end: `https://images.example.org`.
    pub base_url: &'a str,
    /// Put in front of every name. All marketplaces of one cloud share a name space, so a site
    /// chooses something unmistakable: `Example `.
    pub prefix: &'a str,
}

impl MarketAppliance {
    /// The appliance as the driver wants it.
    ///
    /// `id` is the same for ever and of this appliance alone; `md5` is that of the file as served,
    /// in hexadecimal, where it is known.
    pub fn new(
        id: &str,
        appliance: &ApplianceDetail,
        md5: Option<&str>,
        settings: &MarketSettings<'_>,
    ) -> Self {
        let summary = &appliance.summary;
        let url = format!("{}{}", settings.base_url, summary.links.image);
        let format = summary.format.clone().unwrap_or_else(|| "raw".to_owned());
        let hypervisor = appliance.hypervisors.first().map_or("kvm", String::as_str).to_lowercase();
        let title = summary.title.clone().unwrap_or_else(|| summary.name.clone());
        let md5 = md5.map(str::to_owned);
        let file = MarketFile {
            name: summary.name.clone(),
            url: url.clone(),
            kind: if summary.kind == "data" || summary.kind.starts_with("data.") {
                "DATABLOCK"
            } else {
                "OS"
            },
            format: format.clone(),
            hypervisor: hypervisor.clone(),
            os_arch: summary.arch.clone(),
            size: summary.bytes,
            dev_prefix: device_prefix(appliance.bus.as_deref()).to_owned(),
            driver: format.clone(),
            md5: md5.clone(),
            checksum: MarketChecksum { md5, sha256: sha256(&appliance.compressed.checksums) },
        };
        Self {
            id: ObjectId { oid: id.to_owned() },
            name: market_name(settings.prefix, &summary.name, id),
            kind: "IMAGE",
            version: summary.version.clone(),
            publisher: appliance
                .user
                .clone()
                .or_else(|| summary.endorser.clone())
                .unwrap_or_default(),
            publisher_email: summary.email.clone(),
            short_description: title,
            description: appliance.description.clone().unwrap_or_default(),
            tags: vec![summary.os.clone(), summary.osversion.clone(), summary.kind.clone()],
            format,
            creation_time: appliance.created.unwrap_or(summary.published).as_second(),
            os_id: summary.os.clone(),
            os_release: summary.osversion.clone(),
            os_arch: summary.arch.clone(),
            hypervisor,
            opennebula_version: "6.10, 7.0, 7.2, 7.4",
            opennebula_template: template(appliance),
            files: vec![file],
            links: MarketLinks { download: MarketLink { href: url } },
        }
    }

    /// The name OpenNebula will show.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the file is, with scheme and host: what `download/{file}` redirects to.
    pub fn file_url(&self, file: u16) -> Option<&str> {
        self.files.get(usize::from(file)).map(|f| f.url.as_str())
    }

    /// The body of `GET /appliance/{id}`.
    pub fn to_json(&self) -> String {
        json(self)
    }
}

/// A name that OpenNebula takes: what it forbids becomes `-`; a name that is too long keeps the end,
/// where the version is, and gets a part of the id so that two names stay two.
pub fn market_name(prefix: &str, name: &str, id: &str) -> String {
    let clean: String = format!("{prefix}{name}")
        .chars()
        .map(|c| if c.is_control() || FORBIDDEN.contains(c) { '-' } else { c })
        .collect();
    let length = clean.chars().count();
    if length <= NAME_LIMIT {
        return clean;
    }
    let id: String = id.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
    let end: String = clean.chars().skip(length + id.len() + 1 - NAME_LIMIT).collect();
    format!("{id}-{end}")
}

fn sha256(checksums: &[Checksum]) -> Option<String> {
    checksums.iter().find(|c| c.algorithm == "SHA-256").map(|c| c.value.clone())
}

/// OpenNebula's letter pair for the disk bus.
fn device_prefix(bus: Option<&str>) -> &'static str {
    match bus {
        Some("scsi" | "sata") => "sd",
        Some("ide") => "hd",
        _ => "vd",
    }
}

/// A VM template as a JSON text. Every value is a text: a number would make OpenNebula drop the
/// whole template without a word.
fn template(appliance: &ApplianceDetail) -> String {
    let minimum = appliance.minimum.unwrap_or_default();
    let mut template = serde_json::json!({
        "cpu": minimum.cpu.unwrap_or(1).to_string(),
        "vcpu": minimum.cpu.unwrap_or(1).to_string(),
        "memory": minimum.memory_mib.unwrap_or(1024).to_string(),
        "context": { "network": "YES", "ssh_public_key": "$USER[SSH_PUBLIC_KEY]" },
        "graphics": { "listen": "0.0.0.0", "type": "vnc" },
    });
    if appliance.summary.arch == "x86_64" {
        template["os"] = serde_json::json!({ "arch": "x86_64" });
    }
    template.to_string()
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts and numbers can always be written")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::ApplianceDetail;
    use proptest::prelude::*;
    use serde_json::Value;

    fn example() -> ApplianceDetail {
        crate::search::example()
    }

    fn settings() -> MarketSettings<'static> {
        MarketSettings { base_url: "https://images.example.org", prefix: "Example " }
    }

    #[test]
    fn the_list_is_what_the_driver_reads() {
        let appliance =
            MarketAppliance::new("0123456789abcdef", &example(), Some("00ff"), &settings());
        let body = Marketplace::new(vec![appliance]).to_json();
        assert!(
            body.starts_with(r#"{"sEcho":1,"appliances":[{"_id":{"$oid":"0123456789abcdef"},"#)
        );
        assert!(body.contains(r#""name":"Example ubuntu-24.04-x86_64-base-1.0""#));
        let value: Value = serde_json::from_str(&body).unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(&value).unwrap());
        assert_eq!(Marketplace::new(vec![]).to_json(), r#"{"sEcho":1,"appliances":[]}"#);
    }

    #[test]
    fn the_template_has_nothing_but_texts() {
        fn texts(value: &Value) -> bool {
            match value {
                Value::String(_) => true,
                Value::Object(map) => map.values().all(texts),
                Value::Array(list) => list.iter().all(texts),
                _ => false,
            }
        }
        let template: Value = serde_json::from_str(&template(&example())).unwrap();
        assert!(texts(&template), "{template}");
        assert_eq!(template["memory"], "512");
    }

    #[test]
    fn a_download_leads_to_the_image() {
        let appliance = MarketAppliance::new("a", &example(), None, &settings());
        let image = "https://images.example.org/images/base/ubuntu-24.04-x86_64-base/1.0/ubuntu-24.04-x86_64-base-1.0.img.gz";
        assert_eq!(appliance.file_url(0), Some(image));
        assert_eq!(appliance.file_url(1), None);
        assert!(!appliance.to_json().contains("md5"));
    }

    proptest! {
        #[test]
        fn every_name_is_one_that_opennebula_takes(
            prefix in "\\PC{0,40}", name in "\\PC{1,200}", id in "[0-9a-f-]{1,64}",
        ) {
            let name = market_name(&prefix, &name, &id);
            prop_assert!(name.chars().count() <= NAME_LIMIT, "{}", name);
            prop_assert!(!name.chars().any(|c| c.is_control() || FORBIDDEN.contains(c)));
        }

        #[test]
        fn long_names_of_two_appliances_stay_two(stem in "[a-z]{130,190}") {
            let name = format!("{stem}-1.0");
            prop_assert_ne!(market_name("", &name, "a1"), market_name("", &name, "b2"));
            prop_assert!(market_name("", &name, "a1").ends_with("-1.0"));
        }
    }
}
