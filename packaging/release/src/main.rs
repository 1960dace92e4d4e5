//! What a release is made of: packages for the families of Debian and of RPM from one description,
//! a signed package repository of each, a bill of materials, and checksums.
//!
//! ```text
//! packages.toml + root/ ─► description ─┐
//! programs ─► stripped, debug symbols, ─┴► stage ─► deb ─► apt ─┐
//!             manual pages, completions             rpm ─► yum ─┴► SHA256SUMS
//! ```
//!
//! Debian's and RPM's own tools make packages and indexes. The same commit gives the same bytes: times
//! are the commit's (`SOURCE_DATE_EPOCH`), owners root's; only signatures differ.

mod apt;
mod build;
mod content;
mod deb;
mod description;
mod materials;
mod programs;
mod release;
mod rpm;
mod run;
mod scripts;
mod signature;
mod yum;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, ValueEnum};
use description::Description;
use release::{Release, Version};
use signature::Signer;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Makes packages, signed package repositories, a bill of materials and checksums.
#[derive(Parser)]
#[command(name = "stratus-release", bin_name = "cargo xtask release")]
struct Arguments {
    /// Where all goes; packages that are there already stay, and their repositories get the new ones
    #[arg(long, value_name = "DIR", default_value = "target/packages")]
    out: PathBuf,
    /// Version and revision of the packages; the workspace's, and 1, otherwise
    #[arg(long, value_name = "VERSION-REVISION")]
    version: Option<Version>,
    /// How programs are built
    #[arg(long, value_enum, default_value = "release")]
    profile: Profile,
    /// Take programs that are built already from this folder
    #[arg(long, value_name = "DIR", conflicts_with = "profile")]
    programs: Option<PathBuf>,
    /// Another tree than packaging/root
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Families to make packages for
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["deb", "rpm"])]
    family: Vec<Family>,
    /// Packages to make; all otherwise
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    package: Vec<String>,
    #[command(flatten)]
    signing: Signing,
    /// Who answers for the packages
    #[arg(long, value_name = "NAME <ADDRESS>", default_value = release::MAINTAINER)]
    maintainer: String,
    /// Where the folder will be served; written into `stratus.sources` and `stratus.repo`
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Compress little and leave debug symbols out: to try packages, not to give them to others
    #[arg(long)]
    quick: bool,
}

/// The key, or the word that there is none.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct Signing {
    /// Key that signs, as gpg knows it; GNUPGHOME counts
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Sign nothing: package managers will refuse the repositories
    #[arg(long)]
    unsigned: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Profile {
    Release,
    Dev,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Family {
    Deb,
    Rpm,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let checkout = checkout();
    let root = arguments.root.clone().unwrap_or_else(|| checkout.join("packaging/root"));
    let description = Description::read(&checkout)?;
    description.check(&checkout, &root)?;
    let packages = description.chosen(&arguments.package)?;
    let signer = arguments.signing.key.as_deref().map(Signer::of).transpose()?;
    let graph = materials::Graph::read(&checkout)?;
    let built = match &arguments.programs {
        Some(folder) => fs::canonicalize(folder)
            .with_context(|| format!("there is no folder {}", folder.display()))?,
        None => build::all(&checkout, &graph.crates(), arguments.profile == Profile::Release)?,
    };
    fs::create_dir_all(&arguments.out)
        .with_context(|| format!("cannot make {}", arguments.out.display()))?;
    let out = fs::canonicalize(&arguments.out)?;
    let release = Release::new(checkout, root, arguments, graph.notices()?)?;
    let programs = programs::prepare(&release, &packages, &built)?;
    let made = Made { release: &release, packages: &packages, programs: &programs };
    for family in &arguments.family {
        match family {
            Family::Deb => made.debs(&out, signer.as_ref(), arguments.url.as_deref())?,
            Family::Rpm => made.rpms(&out, signer.as_ref(), arguments.url.as_deref())?,
        }
    }
    let bill = out.join(format!("stratus-{}.cdx.json", release.version));
    fs::write(&bill, graph.bill(&release.version, release.time)?)?;
    if let Some(signer) = &signer {
        signer.publish(&out.join("stratus.asc"))?;
    }
    release::checksums(&out, signer.as_ref())?;
    println!("{}", out.display());
    Ok(())
}

/// What both families are made of.
struct Made<'a> {
    release: &'a Release,
    packages: &'a [description::Package],
    programs: &'a programs::Programs,
}

impl Made<'_> {
    fn debs(&self, out: &Path, signer: Option<&Signer>, url: Option<&str>) -> Result<()> {
        let repository = apt::Repository::at(&out.join("apt"), self.release)?;
        for package in self.packages {
            deb::build(self.release, package, self.programs, &repository.pool())?;
        }
        repository.index(signer)?;
        repository.describe(out, url)
    }

    fn rpms(&self, out: &Path, signer: Option<&Signer>, url: Option<&str>) -> Result<()> {
        let repository = yum::Repository::at(&out.join("yum"), self.release)?;
        let built = rpm::build(self.release, self.packages, self.programs)?;
        repository.take(&built, signer)?;
        repository.index(signer)?;
        repository.describe(out, url)
    }
}

impl Description {
    /// The packages that were asked for.
    fn chosen(self, names: &[String]) -> Result<Vec<description::Package>> {
        if let Some(unknown) = names.iter().find(|n| self.packages.iter().all(|p| p.name != **n)) {
            let known: Vec<_> = self.packages.iter().map(|p| p.name.as_str()).collect();
            bail!("there is no package `{unknown}`; known are {}", known.join(", "));
        }
        let wanted = |p: &description::Package| names.is_empty() || names.contains(&p.name);
        Ok(self.packages.into_iter().filter(wanted).collect())
    }
}

/// The root of the checkout.
fn checkout() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("this crate is two folders below the root").to_owned()
}
