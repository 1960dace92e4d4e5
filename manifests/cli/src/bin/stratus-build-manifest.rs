//! `stratus-build-manifest`: describes an image, and compresses it where needed.

use anyhow::Result;
use clap::{ArgAction, Parser};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde::Serialize;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;
use stratus_image::{
    Algorithms, CompressOptions, ImageError, Level, Measurement, compress, measure_from,
};
use stratus_model::{
    ByteCount, Compressed, Compression, Coordinates, Digest, DiskFormat, Identifier, Kind, Layout,
    Manifest, Minimum, Part,
};
use stratus_terminal::{AtomicFile, Exit, Failure, Progress, ProgressMode};

/// More chunks do not fit into a manifest of 4 MiB (their files have more than 300 GiB).
const MOST_CHUNKS: usize = 75_000;

/// Makes the manifest of a disk image.
///
/// The image is a gzip file, or not compressed: then it is compressed first, on all cores, as
/// independent gzip members. Sizes and digests of both forms come from one pass over the file. Files
/// appear whole or not at all.
#[derive(Parser)]
#[command(
    name = "stratus-build-manifest",
    version,
    disable_version_flag = true,
    after_help = "Examples:
  stratus-build-manifest vm.img.gz --type base --os ubuntu --os-version 24.04 --arch x86_64 \\
      --version 1.0 --user \"Image team\" --title \"Ubuntu 24.04 base\" -o vm.xml
  stratus-build-manifest vm.qcow2 --image-out out/vm.img.gz --type grid.ce --os debian \\
      --os-version 12 --arch x86_64 --version 2.1 --user \"Grid team\" --valid \"1 year\" --json"
)]
struct Arguments {
    /// The image: a gzip file, or raw or qcow2
    image: PathBuf,
    /// What it is for; dots make sub-types, as in grid.ce
    #[arg(long = "type", value_name = "TYPE")]
    kind: Kind,
    /// Operating system
    #[arg(long)]
    os: Part,
    /// Version of the operating system
    #[arg(long, value_name = "VERSION", alias = "osversion")]
    os_version: Part,
    /// Processor architecture
    #[arg(long)]
    arch: Part,
    /// Version of the appliance itself
    #[arg(long)]
    version: Part,
    /// Who made it
    #[arg(long)]
    user: String,
    /// One line for people
    #[arg(long)]
    title: Option<String>,
    /// A paragraph for people
    #[arg(long)]
    description: Option<String>,
    /// A remark; may be repeated
    #[arg(long = "comment", value_name = "TEXT")]
    comments: Vec<String>,
    /// URL of the compressed image, best first; may be repeated
    #[arg(long = "location", value_name = "URL")]
    locations: Vec<String>,
    /// Hypervisor it runs on, as kvm; may be repeated
    #[arg(long = "hypervisor", value_name = "NAME")]
    hypervisors: Vec<String>,
    /// Disk bus: virtio, scsi, ide
    #[arg(long)]
    bus: Option<String>,
    /// Processors it needs at least
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    minimum_cpu: Option<u32>,
    /// Memory it needs at least: MiB, or with a unit as `2 GiB`
    #[arg(long, value_name = "SIZE", value_parser = mebibytes)]
    minimum_memory: Option<u64>,
    /// Disk it needs at least: MiB, or with a unit as `2 GiB`
    #[arg(long, value_name = "SIZE", value_parser = mebibytes)]
    minimum_disk: Option<u64>,
    /// Identifier (27 characters) of an image that this one replaces; may be repeated
    #[arg(long, value_name = "IDENTIFIER")]
    replaces: Vec<Identifier>,
    /// End of validity: a date, an RFC 3339 time, or a duration from creation as `1 year`
    #[arg(long, value_name = "WHEN")]
    valid: Option<String>,
    /// When the image was made: RFC 3339, a date, or seconds since 1970 [default: now]
    #[arg(long, value_name = "TIME", env = "SOURCE_DATE_EPOCH", value_parser = time)]
    created: Option<Timestamp>,
    /// Layout of the disk, where it is not what its first bytes say
    #[arg(long, value_parser = disk_format)]
    format: Option<DiskFormat>,
    /// Write the manifest here; `-` is standard output [default: the image's name with .xml]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the compressed image here [default: the image's name with .gz]
    #[arg(long, value_name = "FILE")]
    image_out: Option<PathBuf>,
    /// How hard to compress: 1 (fast) to 9 (small)
    #[arg(long, default_value = "6", value_parser = level)]
    level: Level,
    /// Replace files that exist
    #[arg(long)]
    force: bool,
    /// Print what was found as JSON
    #[arg(long)]
    json: bool,
    /// Show no progress and no remarks
    #[arg(short, long)]
    quiet: bool,
    /// Print the version of this program
    #[arg(short = 'V', long = "program-version", action = ArgAction::Version)]
    program_version: Option<bool>,
}

fn main() -> ExitCode {
    stratus_terminal::run(|| build(&stratus_terminal::arguments()))
}

fn build(arguments: &Arguments) -> Result<Exit> {
    let manifest = draft(arguments, arguments.created.unwrap_or_else(Timestamp::now))?;
    let name = usable_name(&manifest)?;
    let mut source = Source::open(&arguments.image)?;
    let files = Files::choose(arguments, source.gzip)?;
    files.refuse_existing(arguments.force)?;
    let (found, image) = source.measure(arguments, &files)?;
    let manifest = complete(manifest, found, &files, arguments);
    let xml = stratus_manifest::write(&manifest).map_err(against_the_rules)?;
    let document = files.stage_manifest(&xml)?;
    if let Some(image) = image {
        place(image, &files.image, arguments.force)?;
    }
    match document {
        Some(document) => place(document, &files.manifest, arguments.force)?,
        None => stratus_terminal::print_line(xml.trim_end())?,
    }
    report(arguments, &files, &name, &manifest)?;
    Ok(Exit::Done)
}

/// Everything but what the image's bytes say.
fn draft(arguments: &Arguments, created: Timestamp) -> Result<Manifest, Failure> {
    let valid =
        arguments.valid.as_deref().map(|text| end_of_validity(text, created)).transpose()?;
    let minimum = Minimum {
        cpu: arguments.minimum_cpu,
        memory_mib: arguments.minimum_memory,
        disk_mib: arguments.minimum_disk,
    };
    let manifest = Manifest {
        created: Some(created),
        kind: Some(arguments.kind.to_string()),
        version: Some(arguments.version.to_string()),
        arch: Some(arguments.arch.to_string()),
        user: Some(arguments.user.clone()),
        os: Some(arguments.os.to_string()),
        osversion: Some(arguments.os_version.to_string()),
        compression: Some(Compression::Gz),
        title: arguments.title.clone(),
        description: arguments.description.clone(),
        comments: arguments.comments.clone(),
        valid,
        locations: arguments.locations.clone(),
        hypervisors: arguments.hypervisors.clone(),
        bus: arguments.bus.clone(),
        minimum: (minimum != Minimum::default()).then_some(minimum),
        replaces: arguments.replaces.iter().map(Identifier::to_string).collect(),
        ..Manifest::empty()
    };
    // Whatever breaks a rule is told now, not after an hour of compressing.
    let example = Manifest {
        format: Some(DiskFormat::Raw),
        bytes: Some(1),
        checksums: vec![Digest::sha256([0; 32])],
        ..manifest.clone()
    };
    stratus_manifest::write(&example).map_err(against_the_rules)?;
    Ok(manifest)
}

fn against_the_rules(error: stratus_manifest::WriteError) -> Failure {
    Failure::usage("these options make no manifest").because(error)
}

/// The appliance's name, if a repository has a place for it.
fn usable_name(manifest: &Manifest) -> Result<String, Failure> {
    let coordinates: Coordinates = manifest
        .coordinates()
        .map_err(|error| Failure::usage("the appliance has no usable name").because(error))?;
    Layout::default().place(&coordinates).map_err(|error| {
        Failure::usage(format!("`{}` is no usable name", coordinates.name())).because(error)
    })?;
    Ok(coordinates.name())
}

/// What is written where.
struct Files {
    image: PathBuf,
    /// The image is written, not only read.
    makes_image: bool,
    manifest: PathBuf,
}

impl Files {
    fn choose(arguments: &Arguments, gzip: bool) -> Result<Self, Failure> {
        if gzip && arguments.image_out.is_some() {
            let image = arguments.image.display();
            return Err(Failure::usage(format!("`{image}` is compressed already"))
                .hint("leave out `--image-out`"));
        }
        if arguments.json && arguments.output.as_deref() == Some(Path::new("-")) {
            return Err(Failure::usage("`--json` and `-o -` both print on standard output"));
        }
        let given = &arguments.image;
        let beside = |suffix: &str| {
            let mut name = given.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        let image = match &arguments.image_out {
            Some(path) => path.clone(),
            None if gzip => given.clone(),
            None => beside(".gz"),
        };
        let manifest = arguments.output.clone().unwrap_or_else(|| manifest_beside(given));
        if manifest == image || manifest == *given || (!gzip && image == *given) {
            let file = manifest.display();
            return Err(Failure::usage(format!("`{file}` would be two files at once")));
        }
        Ok(Self { image, makes_image: !gzip, manifest })
    }

    fn refuse_existing(&self, force: bool) -> Result<(), Failure> {
        let image = self.makes_image.then_some(&self.image);
        let taken = image.into_iter().chain([&self.manifest]).find(|path| path.exists());
        match taken {
            Some(path) if !force => Err(exists(path)),
            _ => Ok(()),
        }
    }

    /// The manifest as a file without its name yet; nothing if it goes to standard output.
    fn stage_manifest(&self, xml: &str) -> Result<Option<AtomicFile>, Failure> {
        if self.manifest == Path::new("-") {
            return Ok(None);
        }
        let staged = AtomicFile::create(&self.manifest).and_then(|mut file| {
            io::Write::write_all(&mut file, xml.as_bytes())?;
            Ok(file)
        });
        staged.map(Some).map_err(|error| cannot_write(&self.manifest, error))
    }
}

/// `vm.img.gz`, `vm.img`, `vm.qcow2` -> `vm.xml`.
fn manifest_beside(image: &Path) -> PathBuf {
    let mut path = image.to_owned();
    for ending in ["gz", "img", "raw", "qcow2"] {
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case(ending)) {
            path.set_extension("");
        }
    }
    let mut name = path.into_os_string();
    name.push(".xml");
    PathBuf::from(name)
}

fn exists(path: &Path) -> Failure {
    Failure::new(Exit::Failed, format!("`{}` exists", path.display())).hint("`--force` replaces it")
}

fn cannot_write(path: &Path, error: io::Error) -> Failure {
    Failure::new(Exit::Failed, format!("cannot write `{}`", path.display())).because(error)
}

fn place(file: AtomicFile, path: &Path, force: bool) -> Result<(), Failure> {
    let placed = if force { file.commit() } else { file.commit_new() };
    placed.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => cannot_write(path, error),
    })
}

/// The image as it was given.
struct Source {
    file: File,
    path: PathBuf,
    /// The first two bytes, which tell what it is.
    magic: Vec<u8>,
    gzip: bool,
    stamp: (u64, Option<SystemTime>),
    /// Its length, if it is a file that has one.
    length: Option<u64>,
}

impl Source {
    fn open(path: &Path) -> Result<Self, Failure> {
        let cannot = |error: io::Error| {
            Failure::usage(format!("cannot read `{}`", path.display())).because(error)
        };
        let mut file = File::open(path).map_err(cannot)?;
        let metadata = file.metadata().map_err(cannot)?;
        let mut magic = Vec::new();
        file.by_ref().take(2).read_to_end(&mut magic).map_err(cannot)?;
        let gzip = magic == [0x1f, 0x8b];
        let length = metadata.is_file().then_some(metadata.len());
        let stamp = (metadata.len(), metadata.modified().ok());
        Ok(Self { file, path: path.to_owned(), magic, gzip, stamp, length })
    }

    /// One pass over the image, which also compresses it where needed.
    fn measure(
        &mut self,
        arguments: &Arguments,
        files: &Files,
    ) -> Result<(Measurement, Option<AtomicFile>), Failure> {
        let label = if self.gzip { "reading" } else { "compressing" };
        let shown = Progress::new(ProgressMode::choose(arguments.quiet), label, self.length);
        let mut before = 0;
        let mut progress = |done: u64| {
            shown.advance(done - before);
            before = done;
            ControlFlow::Continue(())
        };
        let mut bytes = Cursor::new(std::mem::take(&mut self.magic)).chain(&self.file);
        let (found, image) = if self.gzip {
            (measure_from(&mut bytes, &Algorithms::manifest(), &mut progress), None)
        } else {
            let mut target = AtomicFile::create(&files.image)
                .map_err(|error| cannot_write(&files.image, error))?;
            let options = CompressOptions { level: arguments.level, ..CompressOptions::default() };
            (compress(&mut bytes, &mut target, &options, &mut progress), Some(target))
        };
        shown.finish();
        let found = found.map_err(|error| self.refused(error, files))?;
        self.is_unchanged()?;
        Ok((found, image))
    }

    fn refused(&self, error: ImageError, files: &Files) -> Failure {
        let path = self.path.display();
        let failure = |message: String| Failure::new(Exit::Failed, message);
        match error {
            ImageError::Write(error) => cannot_write(&files.image, error),
            ImageError::Read(error) => failure(format!("cannot read `{path}`")).because(error),
            error => failure(format!("`{path}` cannot be used as an image")).because(error),
        }
    }

    /// A file that somebody writes to while it is read has digests of nothing.
    fn is_unchanged(&self) -> Result<(), Failure> {
        let now = self.file.metadata().map(|m| (m.len(), m.modified().ok()));
        if self.length.is_none() || now.is_ok_and(|now| now == self.stamp) {
            return Ok(());
        }
        let path = self.path.display();
        Err(Failure::new(Exit::Failed, format!("`{path}` was changed while it was read"))
            .hint("stop the virtual machine that uses it, or take a copy"))
    }
}

/// The draft with what the image's bytes say.
fn complete(draft: Manifest, found: Measurement, files: &Files, arguments: &Arguments) -> Manifest {
    let filename = files.image.file_name().and_then(|name| name.to_str()).map(str::to_owned);
    let mut compressed = found.compressed.map(Compressed::from);
    if let Some(served) = &mut compressed {
        served.chunks = served.chunks.take().filter(|list| list.sha256.len() <= MOST_CHUNKS);
        if served.chunks.is_none() && !arguments.quiet {
            stratus_terminal::warn("the image is too large for a list of chunks in its manifest");
        }
    }
    Manifest {
        filename,
        format: Some(arguments.format.unwrap_or(found.disk_format)),
        bytes: Some(found.content.bytes),
        identifier: found.content.digests.iter().find_map(Identifier::from_digest),
        checksums: found.content.digests,
        compressed,
        ..draft
    }
}

/// What a script wants to know of a manifest that was made.
#[derive(Serialize)]
struct Summary<'a> {
    name: &'a str,
    file: &'a Path,
    image: &'a Path,
    manifest: &'a Manifest,
}

fn report(arguments: &Arguments, files: &Files, name: &str, manifest: &Manifest) -> Result<()> {
    if arguments.json {
        let (file, image) = (&files.manifest, &files.image);
        stratus_terminal::print_json(&Summary { name, file, image, manifest })?;
    }
    if !arguments.quiet {
        let size = |bytes: Option<u64>| ByteCount(bytes.unwrap_or(0));
        let format = manifest.format.map_or("", DiskFormat::name);
        let compressed = manifest.compressed.as_ref().map(|c| c.bytes);
        stratus_terminal::note(&format!(
            "{name}: {format}, {}, compressed {}",
            size(manifest.bytes),
            size(compressed)
        ));
        if files.manifest != Path::new("-") {
            let file = files.manifest.display();
            stratus_terminal::note(&format!(
                "sign it: stratus-sign-manifest {file} --cert … --key …"
            ));
        }
    }
    Ok(())
}

fn end_of_validity(text: &str, created: Timestamp) -> Result<Timestamp, Failure> {
    let wrong = || {
        Failure::usage(format!("`--valid {text}` is neither a time nor a duration"))
            .hint("write 2027-12-31, 2027-12-31T12:00:00Z, `180 days` or `1 year`")
    };
    let end = if let Ok(time) = text.parse::<Timestamp>() {
        time
    } else if let Ok(date) = text.parse::<Date>() {
        let last = date.at(23, 59, 59, 0).to_zoned(TimeZone::UTC).map_err(|_| wrong())?;
        last.timestamp()
    } else {
        let span: Span = text.parse().map_err(|_| wrong())?;
        let end = created.to_zoned(TimeZone::UTC).checked_add(span).map_err(|_| wrong())?;
        end.timestamp()
    };
    if end > created {
        Ok(end)
    } else {
        Err(Failure::usage(format!("`--valid {text}` ends before the image was made")))
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    let day = |date: Date| date.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let seconds = || text.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| text.parse().ok().and_then(day))
        .or_else(seconds)
        .ok_or_else(|| "write 2026-11-20T12:00:00Z, 2026-11-20 or seconds since 1970".to_owned())
}

fn mebibytes(text: &str) -> Result<u64, String> {
    let count = match text.parse() {
        Ok(count) => count,
        Err(_) => text.parse::<ByteCount>().map_err(|e| e.to_string())?.0.div_ceil(1 << 20),
    };
    if count > 0 { Ok(count) } else { Err("write at least 1 MiB".to_owned()) }
}

fn disk_format(text: &str) -> Result<DiskFormat, String> {
    [DiskFormat::Raw, DiskFormat::Qcow2]
        .into_iter()
        .find(|format| format.name() == text)
        .ok_or_else(|| "write raw or qcow2".to_owned())
}

fn level(text: &str) -> Result<Level, String> {
    text.parse().ok().and_then(Level::new).ok_or_else(|| "write a number from 1 to 9".to_owned())
}
