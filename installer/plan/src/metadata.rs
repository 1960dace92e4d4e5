//! What differs between operating systems, as data: `metadata/*.toml`, one file for each family.
//!
//! The files hold packages, units, paths and lines only. The Quattor export, the packages and the
//! documentation read the same ones, so nothing of this kind is written twice.

mod form;

pub use form::{
    Common, CommonFiles, CommonUser, Extra, Family, Files, Lines, PackageManager, Packages, Ports,
    Proxy, Release, RepositoryForm, Series, SeriesUnits, Units, Users,
};

use crate::facts::OsRelease;
use std::sync::LazyLock;
use stratus_site::OpenNebula;

static FILES: [&str; 3] = [
    include_str!("../metadata/debian.toml"),
    include_str!("../metadata/el.toml"),
    include_str!("../metadata/suse.toml"),
];

static FAMILIES: LazyLock<Vec<Family>> = LazyLock::new(|| {
    FILES.iter().map(|text| toml::from_str(text).expect("a test reads every file")).collect()
});

static OPENNEBULA: LazyLock<Common> = LazyLock::new(|| {
    toml::from_str(include_str!("../metadata/opennebula.toml")).expect("a test reads the file")
});

/// All families, in the order of the files.
pub fn families() -> &'static [Family] {
    &FAMILIES
}

/// What is the same everywhere.
pub fn opennebula() -> &'static Common {
    &OPENNEBULA
}

/// The family and release of a host, or which ones there are.
pub fn find(os: &OsRelease) -> Result<System, String> {
    let of = |family: &'static Family| {
        let release = family.release.iter().find(|r| r.is(&os.id, &os.version))?;
        Some(System { family, release })
    };
    families().iter().find_map(of).ok_or_else(|| {
        let name = if os.pretty.is_empty() { "an unknown system" } else { &os.pretty };
        format!("{name} is not supported; supported are {}", supported(None))
    })
}

/// The releases that a series of OpenNebula, or any, has packages for, as a list for people.
pub fn supported(series: Option<OpenNebula>) -> String {
    let releases = families().iter().flat_map(|f| &f.release);
    let fits = |r: &&Release| series.is_none_or(|s| r.series.contains(&s));
    releases.filter(fits).map(Release::name).collect::<Vec<_>>().join(", ")
}

/// The number of a series as people and addresses have it.
pub fn series_text(series: OpenNebula) -> &'static str {
    match series {
        OpenNebula::V6_10 => "6.10",
        OpenNebula::V7_4 => "7.4",
    }
}

/// The system of a host: a release and its family.
#[derive(Clone, Copy, Debug)]
pub struct System {
    /// What its family has in common.
    pub family: &'static Family,
    /// What is its own.
    pub release: &'static Release,
}

impl System {
    /// The units of OpenNebula's daemon for a series.
    pub fn frontend_units(&self, series: OpenNebula) -> &'static [String] {
        let special = self.family.series.get(series_text(series)).map(|s| &s.units.frontend);
        special.unwrap_or(&self.family.units.frontend)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os(id: &str, version: &str) -> OsRelease {
        OsRelease { id: id.into(), version: version.into(), ..OsRelease::default() }
    }

    #[test]
    fn every_file_is_read() {
        assert_eq!(families().len(), 3);
        assert_eq!(opennebula().user.number, 9869);
    }

    #[test]
    fn a_release_is_found_by_the_beginning_of_its_version() {
        assert_eq!(find(&os("almalinux", "9.6")).unwrap().release.path, "AlmaLinux/9");
        assert_eq!(find(&os("debian", "13")).unwrap().release.path, "Debian/13");
        assert!(find(&os("debian", "130")).is_err());
    }

    #[test]
    fn an_unknown_system_is_told_what_is_supported() {
        let error = find(&OsRelease { pretty: "Gentoo".into(), ..os("gentoo", "") }).unwrap_err();
        assert!(error.starts_with("Gentoo is not supported; supported are debian-12, "), "{error}");
    }

    #[test]
    fn the_scheduler_of_6_10_is_a_unit_of_its_own() {
        let system = find(&os("debian", "12")).unwrap();
        assert!(
            system
                .frontend_units(OpenNebula::V6_10)
                .contains(&"opennebula-scheduler.service".into())
        );
        assert_eq!(system.frontend_units(OpenNebula::V7_4), ["opennebula.service"]);
    }
}
