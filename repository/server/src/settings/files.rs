//! The files that `[repository]` names, looked at before anything is started: all that is wrong with
//! them is told at once, and not the first of them at each start.

use super::Settings;
use stratus_anchors::Anchors;
use stratus_sections::Section;
use stratus_service::look_at_tls;

/// Notes what is wrong with each file.
pub(super) fn look(section: &Section<'_>, settings: &Settings) {
    if let Some(error) = settings.trust.as_deref().and_then(|path| Anchors::load(path).err()) {
        let cure = "name a PEM file of signers or authorities, or a grid CA directory".to_owned();
        section.complain_because("trust", &error, cure);
    }
    if let Some(tls) = &settings.tls {
        look_at_tls(section, &tls.certificate, &tls.key, tls.client_ca.as_deref());
    }
    if let Some(error) = settings.s3.as_ref().and_then(|s3| crate::service::bucket(s3).err()) {
        section.complain_because("s3", &error, None);
    }
}
