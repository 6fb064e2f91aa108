//! Installing: source, digest, archive and store tied together.
//!
//! Three threads, so that download, digest, inflating and writing overlap: this
//! one receives and hashes the archive, one unpacks it, one writes the files and
//! hashes them for the h1. Between them are bounded queues, so memory stays small
//! whatever the archive says.

use crate::archive::{self, ArchiveError, ChunkReader, Format, Sink};
use crate::error::{Code, Error, Result};
use crate::path::display;
use crate::platform::{self, Platform};
use crate::source::http::Http;
use crate::source::{Failure, Offer, Shape, Sources};
use crate::store::{Evidence, LogRecord, Origin, Receipt, Staging, Store, Toolchain, receipt};
use crate::trust::h1;
use crate::trust::lockfile::{self, InForce};
use crate::trust::sha256::{Hasher, Sha256};
use crate::trust::sumdb::Unproved;
use crate::ui::{self, Ui, shown};
use crate::version::Version;
use bytes::Bytes;
use std::collections::HashSet;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

/// Chunks of the archive that may wait to be unpacked.
const ARCHIVE_QUEUE: usize = 64;
/// Parts of files that may wait to be written, of at most [`PART`] bytes each.
const FILE_QUEUE: usize = 24;
const PART: usize = 1 << 20;

/// What to do about a toolchain that is installed already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfPresent {
    Keep,
    Replace,
}

/// On which terms a toolchain is installed.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    pub platform: &'a Platform,
    pub if_present: IfPresent,
    /// The lock file beside the pin, where there is one.
    pub lock: Option<&'a InForce>,
    /// Nothing is accepted that the lock file does not name.
    pub locked: bool,
}

impl Terms<'_> {
    /// Whether the terms can be met at all, before anything is downloaded.
    ///
    /// # Errors
    /// A lock is asked for and there is none for that version and platform.
    fn allow(&self, version: Version) -> Result<()> {
        let platform = self.platform;
        let hint = format!("to lock it: gvm pin --lock {version}");
        match self.lock {
            _ if !self.locked => Ok(()),
            Some(lock) if lock.file.get(version, platform).is_some() => Ok(()),
            Some(lock) => {
                let file = shown(&lock.path);
                let message = format!("{file} does not lock Go {version} for {platform}");
                Err(Error::new(Code::Refused, message).hint(hint))
            }
            None => {
                let message = format!("there is no {} beside the pin", lockfile::FILE_NAME);
                Err(Error::new(Code::Refused, message).hint(hint))
            }
        }
    }

    /// Whether what is installed already may stay.
    ///
    /// # Errors
    /// The lock names another tree, or there is no telling.
    fn accept(&self, toolchain: &Toolchain) -> Result<()> {
        let version = toolchain.version;
        let Some(lock) = self.lock else { return Ok(()) };
        if lock.file.get(version, self.platform).is_none() {
            return Ok(());
        }
        let h1 = toolchain.receipt()?.map(|receipt| receipt.h1);
        let h1 = h1.unwrap_or_else(|| "not known: it has no receipt".into());
        lock.check(version, self.platform, &h1).map(drop).map_err(|why| {
            let of = arch_option(self.platform);
            Error::new(Code::Refused, why)
                .hint(format!("to see whether it is damaged: gvm verify {version}{of}"))
                .hint(format!("to install it anew: gvm install --force {version}{of}"))
        })
    }
}

/// The option that names a platform other than this machine's, in hints.
pub(crate) fn arch_option(platform: &Platform) -> String {
    if platform.is_host() { String::new() } else { format!(" --arch {}", platform.arch) }
}

/// A toolchain, and whether it was there before.
pub struct Installed {
    pub toolchain: Toolchain,
    pub was_present: bool,
}

/// Installs one version from the configured sources.
///
/// # Errors
/// No source has it or what they have is refused, or the store cannot be
/// written. The store is as it was then.
pub fn install(
    store: &Store,
    sources: &Sources,
    ui: &Ui,
    version: Version,
    terms: Terms,
) -> Result<Installed> {
    let platform = terms.platform;
    terms.allow(version)?;
    if let Some(installed) = present(store, version, terms)? {
        return Ok(installed);
    }
    let _lock = store.lock(version, platform, "installing", ui)?;
    // Another process may have done it while we waited.
    if let Some(installed) = present(store, version, terms)? {
        return Ok(installed);
    }
    let toolchain = sources.fetch(version, platform, |offer| {
        let staging = store.stage(ui)?;
        let unpacked = receive(offer, &staging.goroot(), ui)?;
        let receipt = unpacked.check(version, &staging, sources, ui, terms)?;
        Ok(store.publish(staging, version, platform, &receipt, ui)?)
    })?;
    Ok(Installed { toolchain, was_present: false })
}

/// What is installed already, if it may stay.
fn present(store: &Store, version: Version, terms: Terms) -> Result<Option<Installed>> {
    if terms.if_present == IfPresent::Replace {
        return Ok(None);
    }
    let Some(toolchain) = store.find(version, terms.platform) else { return Ok(None) };
    terms.accept(&toolchain)?;
    Ok(Some(Installed { toolchain, was_present: true }))
}

/// Installs an archive that the user has: a `.tar.gz` or `.zip` of go.dev, or a
/// zip of a module proxy. It tells itself which version it is.
///
/// # Errors
/// It is no archive of Go, is not for the platform, or does not have the digest.
pub fn install_file(
    store: &Store,
    sources: &Sources,
    ui: &Ui,
    file: &Path,
    sha256: Option<Sha256>,
    terms: Terms,
) -> Result<Installed> {
    let http = Http::default();
    let path = shown(file);
    let told = |failure| match failure {
        Failure::Here(error) => error,
        Failure::Source(code, why) => Error::new(code, format!("{path}: {why}")),
    };
    let staging = store.stage(ui)?;
    let unpacked =
        receive(offer_of_file(&http, file, sha256)?, &staging.goroot(), ui).map_err(told)?;
    let version = unpacked.version(&staging.goroot()).map_err(told)?;
    terms.allow(version)?;
    let _lock = store.lock(version, terms.platform, "installing", ui)?;
    if let Some(installed) = present(store, version, terms)? {
        return Ok(installed);
    }
    let receipt = unpacked.check(version, &staging, sources, ui, terms).map_err(told)?;
    let toolchain = store.publish(staging, version, terms.platform, &receipt, ui)?;
    Ok(Installed { toolchain, was_present: false })
}

/// A file of the user's as an offer.
fn offer_of_file<'a>(http: &'a Http, file: &Path, sha256: Option<Sha256>) -> Result<Offer<'a>> {
    let path = fs_err::canonicalize(file)?;
    let refused = |why: String| Error::new(Code::Refused, format!("{}: {why}", shown(&path)));
    let url = reqwest::Url::from_file_path(&path)
        .map_err(|()| refused("it has no absolute path".into()))?;
    let mut head = [0; 4];
    // Looked at first: opening a named pipe would wait for a writer.
    if !fs_err::metadata(&path)?.is_file() {
        return Err(refused("it is not a file".into()));
    }
    let mut opened = fs_err::File::open(&path)?;
    let length = opened.read(&mut head)?;
    let format = Format::of_bytes(&head[..length])
        .ok_or_else(|| refused("it is neither a .tar.gz nor a .zip".into()))?;
    Ok(Offer {
        response: http.get(url.as_str(), None).map_err(|error| refused(error.to_string()))?,
        format,
        shape: Shape::Unknown,
        source: "file",
        url: path.display().to_string(),
        sha256,
        size: None,
        vouched: sha256.is_some(),
    })
}

/// A tree in staging, not yet believed.
pub(crate) struct Unpacked {
    pub(crate) tree: h1::Tree,
    files: u64,
    bytes: u64,
    shape: Shape,
    origin: Origin,
    evidence: Evidence,
    /// It has the digest that its own server publishes, which nobody vouches for.
    has_mirror_digest: bool,
}

/// Receives an archive into `goroot`, and holds it against its published digest
/// and size.
pub(crate) fn receive(mut offer: Offer, goroot: &Path, ui: &Ui) -> Result<Unpacked, Failure> {
    let refused = |why: String| Failure::Source(Code::Refused, why);
    if offer.response.is_html() {
        return Err(refused("it sent a web page in place of an archive".into()));
    }
    let label = offer.url.rsplit('/').next().unwrap_or_default();
    let label = display(label.as_bytes()).to_string();
    let total = offer.size.or(offer.response.length);
    let doing = if offer.source == "file" { "unpacking" } else { "downloading" };
    let progress = ui.progress(doing, short(&label), total);

    let (chunks, archive_queue) = sync_channel::<Bytes>(ARCHIVE_QUEUE);
    let (parts, file_queue) = sync_channel::<Part>(FILE_QUEUE);
    let (format, shape, vouched) = (offer.format, offer.shape.clone(), offer.vouched);
    let (transfer, unpacked, written) = thread::scope(|scope| {
        let unpacking = scope.spawn(move || {
            let mut unpacker = Unpacker { shape, parts, only_recorded: !vouched };
            archive::unpack(format, ChunkReader::new(archive_queue), &mut unpacker)?;
            Ok::<Shape, ArchiveError>(unpacker.shape)
        });
        let writing = scope.spawn(move || write_files(&file_queue, goroot));
        let transfer = transfer(&mut offer, chunks, |bytes| progress.advance(bytes));
        (transfer, join(unpacking), join(writing))
    });
    drop(progress);

    // The first cause counts: without the disk nothing goes on, and whatever
    // came of an archive that broke off or was altered is its consequence.
    let written = written?;
    let transfer = transfer.map_err(|error| Failure::Source(Code::Network, error.to_string()))?;
    if let Transfer::Complete { digest, size } = &transfer {
        if let Some(expected) = offer.size.filter(|expected| expected != size) {
            return Err(refused(format!("{label} has {size} bytes and should have {expected}")));
        }
        if let Some(expected) = offer.sha256.filter(|expected| expected != digest) {
            return Err(refused(format!(
                "{label} is not what was published: its sha256 is {digest} and should be {expected}"
            )));
        }
    }
    let shape = match unpacked {
        Ok(shape) => shape,
        Err(ArchiveError::Sink(error)) => return Err(error.into()),
        Err(error) => return Err(refused(error.to_string())),
    };
    let Transfer::Complete { digest, size } = transfer else {
        return Err(refused("the archive goes on after its end".into()));
    };
    let is_vouched = offer.vouched && offer.sha256.is_some();
    let evidence = if is_vouched { Evidence::PublishedSha256 } else { Evidence::None };
    Ok(Unpacked {
        tree: written.tree,
        files: written.files,
        bytes: written.bytes,
        shape,
        origin: Origin {
            source: offer.source.into(),
            url: offer.url,
            sha256: digest.to_string(),
            size,
        },
        evidence,
        has_mirror_digest: offer.sha256.is_some() && !offer.vouched,
    })
}

/// A file's name as people know the release: `go1.22.4.linux-amd64`.
fn short(name: &str) -> &str {
    let name = name.strip_prefix("v0.0.1-").unwrap_or(name);
    name.strip_suffix(".tar.gz").or_else(|| name.strip_suffix(".zip")).unwrap_or(name)
}

/// The result of a thread; a panic goes on here.
fn join<T>(thread: thread::ScopedJoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

enum Transfer {
    Complete {
        digest: Sha256,
        size: u64,
    },
    /// The unpacker had enough before the end, and says why.
    Unwanted,
}

/// Passes the body on to the unpacker and hashes it.
fn transfer(
    offer: &mut Offer,
    chunks: SyncSender<Bytes>,
    advance: impl Fn(u64),
) -> Result<Transfer, crate::source::http::HttpError> {
    let mut hasher = Hasher::default();
    let mut size = 0;
    let mut is_wanted = true;
    while let Some(chunk) = offer.response.chunk()? {
        advance(chunk.len() as u64);
        hasher.update(&chunk);
        size += chunk.len() as u64;
        if is_wanted && chunks.send(chunk).is_err() {
            is_wanted = false;
            // The digest of the whole tells an altered archive from a damaged one.
            if offer.sha256.is_none() || offer.size.is_none() {
                return Ok(Transfer::Unwanted);
            }
        }
        if offer.size.is_some_and(|expected| size > expected) {
            break;
        }
    }
    Ok(Transfer::Complete { digest: hasher.finish(), size })
}

/// A part of a file on its way to the disk.
enum Part {
    /// The next ones belong to this file, by its path in GOROOT.
    Begin {
        path: String,
        executable: bool,
    },
    Data(Vec<u8>),
}

/// Hands an archive's files to the writer under their paths in GOROOT.
struct Unpacker {
    shape: Shape,
    parts: SyncSender<Part>,
    /// Leaves out what the checksum database does not cover: nothing else could
    /// speak for it.
    only_recorded: bool,
}

impl Unpacker {
    fn send(&self, part: Part) -> Result<(), ArchiveError> {
        // The writer hangs up when it fails, and its error is the one that counts.
        self.parts.send(part).map_err(|_| ArchiveError::Sink(io::ErrorKind::BrokenPipe.into()))
    }

    /// The path in GOROOT of a name in the archive, and whether it is executable.
    fn place(&mut self, name: &str, executable: bool) -> Result<(String, bool), ArchiveError> {
        let refused = |why: &str| {
            let name = display(name.as_bytes()).to_string();
            ArchiveError::Hostile(format!("`{name}` {why}"))
        };
        if self.shape == Shape::Unknown {
            self.shape = shape_of(name).ok_or_else(|| refused("is in no archive of Go"))?;
        }
        match &self.shape {
            Shape::Module { version, platform } => {
                let prefix = h1::module_prefix(*version, platform);
                let path = name
                    .strip_prefix(&prefix)
                    .ok_or_else(|| refused(&format!("is not under {prefix}")))?;
                let (directory, file) = split(path);
                match file {
                    _ if h1::is_left_out(path) => Err(refused("is in no module zip")),
                    "go.mod" => Err(refused("is in no module zip: it holds them as _go.mod")),
                    "_go.mod" => Ok((format!("{directory}go.mod"), false)),
                    _ => Ok((path.into(), is_executable(directory, file))),
                }
            }
            _ => {
                let path = name.strip_prefix("go/").ok_or_else(|| refused("is not under go/"))?;
                // It would have the same h1 as a go.mod.
                let (directory, file) = split(path);
                if file == "_go.mod" {
                    return Err(refused("is in no archive of go.dev"));
                }
                // The local headers of a zip carry no modes.
                Ok((path.into(), executable || is_executable(directory, file)))
            }
        }
    }
}

/// Whether there is nothing of that name; `bin` may be a file.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// A path's directory with its slash, and its last part.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.split_at(path.rfind('/').map_or(0, |at| at + 1))
}

/// Which files of a module zip, which carries no modes, are executable in the
/// distribution (src/cmd/distpack/archive.go).
pub(crate) fn is_executable(directory: &str, file: &str) -> bool {
    let is_script = [".bash", ".sh", ".pl", ".rc"].iter().any(|end| file.ends_with(end));
    let is_exec = file.starts_with("go_") && file.ends_with("_exec");
    matches!(directory, "bin/") || directory.starts_with("pkg/tool/") || is_script || is_exec
}

/// What a file of the user's is, by the first name in it.
fn shape_of(name: &str) -> Option<Shape> {
    if name.starts_with("go/") {
        return Some(Shape::Go);
    }
    let module = name.strip_prefix(h1::TOOLCHAIN_MODULE)?.strip_prefix("@v0.0.1-")?;
    let (release, platform) = module.split_once('/')?.0.rsplit_once('.')?;
    let version = Version::parse_toolchain(release)?;
    Some(Shape::Module { version, platform: Platform::parse(platform)? })
}

impl Sink for Unpacker {
    fn file(
        &mut self,
        name: &str,
        executable: bool,
        content: &mut dyn Read,
    ) -> Result<(), ArchiveError> {
        let (path, executable) = self.place(name, executable)?;
        if self.only_recorded && h1::is_left_out(&path) {
            return io::copy(content, &mut io::sink())
                .map(drop)
                .map_err(|error| ArchiveError::Damaged(error.to_string()));
        }
        self.send(Part::Begin { path, executable })?;
        loop {
            let mut data = Vec::new();
            let read = content.take(PART as u64).read_to_end(&mut data);
            let length = read.map_err(|error| ArchiveError::Damaged(error.to_string()))?;
            if length > 0 {
                self.send(Part::Data(data))?;
            }
            if length < PART {
                return Ok(());
            }
        }
    }
}

/// What was written.
#[derive(Default)]
struct Written {
    tree: h1::Tree,
    files: u64,
    bytes: u64,
}

/// Writes files as their parts come.
fn write_files(parts: &Receiver<Part>, goroot: &Path) -> Result<Written, Failure> {
    let mut written = Written::default();
    let mut directories = HashSet::new();
    let mut current: Option<(String, fs_err::File, Hasher)> = None;
    for part in parts {
        match part {
            Part::Begin { path, executable } => {
                written.close(current.take());
                let file = goroot.join(&path);
                let directory = file.parent().unwrap_or(goroot).to_path_buf();
                // What the file system cannot take beside the rest is the
                // archive's fault.
                let failed = |error: io::Error| match error.kind() {
                    io::ErrorKind::AlreadyExists
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::IsADirectory => {
                        let path = display(path.as_bytes()).to_string();
                        Failure::Source(Code::Refused, format!("`{path}` is twice in the archive"))
                    }
                    _ => error.into(),
                };
                if !directories.contains(&directory) {
                    fs_err::create_dir_all(&directory).map_err(failed)?;
                    directories.insert(directory);
                }
                let opened = create(&file, executable).map_err(failed)?;
                current = Some((path, opened, Hasher::default()));
            }
            Part::Data(data) => {
                if let Some((_, file, hasher)) = &mut current {
                    file.write_all(&data)?;
                    hasher.update(&data);
                    written.bytes += data.len() as u64;
                }
            }
        }
    }
    written.close(current);
    Ok(written)
}

impl Written {
    fn close(&mut self, file: Option<(String, fs_err::File, Hasher)>) {
        if let Some((path, _, hasher)) = file {
            self.tree.add(&path, hasher.finish());
            self.files += 1;
        }
    }
}

/// A new file; one of that name must not be there yet.
fn create(file: &PathBuf, executable: bool) -> io::Result<fs_err::File> {
    let mut options = fs_err::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use fs_err::os::unix::fs::OpenOptionsExt;
        options.mode(if executable { 0o777 } else { 0o666 });
    }
    #[cfg(not(unix))]
    let _ = executable;
    options.open(file)
}

impl Unpacked {
    /// The version that the tree says it is.
    fn version(&self, goroot: &Path) -> Result<Version, Failure> {
        let refused = |why: String| Failure::Source(Code::Refused, why);
        let mut text = Vec::new();
        let opened = match fs_err::File::open(goroot.join("VERSION")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(refused("it has no VERSION file, so it is no Go".into()));
            }
            opened => opened?,
        };
        opened.take(4096).read_to_end(&mut text)?;
        let text = String::from_utf8_lossy(&text);
        let name = text.lines().next().unwrap_or_default().trim();
        let version = Version::parse_toolchain(name).filter(|version| !version.is_language());
        version.ok_or_else(|| {
            let name = display(name.as_bytes()).to_string();
            refused(format!("its VERSION file says `{name}`, which is no release of Go"))
        })
    }

    /// Holds a tree against the lock file and Go's checksum database. Where that
    /// cannot be asked, the weaker evidence counts, if the policy takes it; what
    /// either contradicts never does.
    fn prove(
        &self,
        h1: &str,
        version: Version,
        sources: &Sources,
        ui: &Ui,
        terms: Terms,
    ) -> Result<(Evidence, Option<LogRecord>), Failure> {
        let refused = |why: String| Failure::Source(Code::Refused, why);
        let platform = terms.platform;
        let mut weaker = self.evidence;
        if let Some(lock) = terms.lock
            && lock.check(version, platform, h1).map_err(refused)?
        {
            weaker = Evidence::LockFile;
        }
        let why = match sources.recorded(version, platform)? {
            Ok(record) if record.h1 == h1 => {
                return Ok((Evidence::ChecksumDatabase, Some((&record).into())));
            }
            Ok(record) => {
                let prefix = h1::module_prefix(version, platform);
                if self.tree.is_but_for_go_env(&prefix, &record.h1) {
                    return Err(refused(format!(
                        "it is the official Go {version} for {platform} but for go.env, \
                         which somebody edited (images of containers set GOTOOLCHAIN=local there)"
                    )));
                }
                return Err(refused(format!(
                    "its tree is {h1}, and {} records {} for Go {version} on {platform}",
                    record.database, record.h1
                )));
            }
            // Whoever serves a log that lies: nothing goes on here.
            Err(Unproved::Lie(why)) => return Err(Error::new(Code::Refused, why).into()),
            Err(Unproved::NoRecord(why) | Unproved::Unreachable(why)) => why,
        };
        let or_digest = match self.origin.source.as_str() {
            "file" if weaker == Evidence::None => "\n  to say what it must be: --sha256 DIGEST",
            _ => "",
        };
        let mirror_digest = if self.has_mirror_digest {
            ": the sha256 that its own server publishes shows only that the transfer was whole"
        } else {
            ""
        };
        if weaker < sources.require.evidence() {
            let (speaks, accept) = match weaker {
                Evidence::None => (format!("nothing proves it{mirror_digest}"), "none"),
                Evidence::LockFile => ("only the lock file speaks for it".into(), "lock"),
                _ => ("only its published sha256 speaks for it".into(), "sha256"),
            };
            return Err(refused(format!(
                "{speaks} ({why})\n  to accept it all the same: GVM_REQUIRE={accept}{or_digest}"
            )));
        }
        match weaker {
            Evidence::None => ui.warn(format_args!(
                "Go {version} for {platform} was NOT PROVED: nobody who counts vouches for it{mirror_digest}; {why}{or_digest}"
            )),
            Evidence::LockFile => ui.say(format_args!("going by the lock file: {why}")),
            _ => ui.say(format_args!(
                "going by the published sha256 alone: {why}\n  \
                 to prove it later, without downloading again: gvm verify {version}{}",
                arch_option(platform)
            )),
        }
        Ok((weaker, None))
    }

    /// Looks whether the tree is the Go that is wanted, proves it, and writes its
    /// receipt.
    pub(crate) fn check(
        self,
        version: Version,
        staging: &Staging,
        sources: &Sources,
        ui: &Ui,
        terms: Terms,
    ) -> Result<Receipt, Failure> {
        let refused = |why: String| Failure::Source(Code::Refused, why);
        let (goroot, platform) = (staging.goroot(), terms.platform);
        let found = self.version(&goroot)?;
        if found != version {
            return Err(refused(format!("it is Go {found} and should be {version}")));
        }
        let mut head = Vec::new();
        let opened = ["go", "go.exe"].into_iter().find_map(|name| {
            match fs_err::File::open(goroot.join("bin").join(name)) {
                Err(error) if is_absent(&error) => None,
                opened => Some(opened),
            }
        });
        let opened = opened.ok_or_else(|| refused("it has no bin/go".into()))??;
        opened.take(platform::EXECUTABLE_HEAD as u64).read_to_end(&mut head)?;
        match platform::of_executable(&head) {
            Some(found) if found == *platform => {}
            Some(found) => {
                return Err(refused(format!("its go is for {found}, and {platform} is wanted")));
            }
            None => return Err(refused(format!("its go is no executable for {platform}"))),
        }
        if let Shape::Module { version: named, platform: on } = &self.shape
            && (*named, on) != (version, platform)
        {
            return Err(refused(format!("its files say that it is Go {named} for {on}")));
        }
        let h1 = self.tree.h1(&h1::module_prefix(version, platform));
        let (evidence, record) = self.prove(&h1, version, sources, ui, terms)?;
        staging.write_manifest(&self.tree.manifest())?;
        Ok(Receipt {
            version: format!("go{version}"),
            os: platform.os.clone(),
            arch: platform.arch.clone(),
            origin: self.origin,
            evidence,
            record,
            h1,
            files: self.files,
            bytes: self.bytes,
            installed_at: receipt::now(),
            repaired_at: None,
            gvm: env!("CARGO_PKG_VERSION").into(),
        })
    }
}

/// The line for a person when it is done.
#[must_use]
pub fn summary(toolchain: &Toolchain) -> String {
    let on = if toolchain.platform.is_host() {
        String::new()
    } else {
        format!(" for {}", toolchain.platform)
    };
    let told = toolchain.receipt().ok().flatten().map_or_else(String::new, |receipt| {
        let size = ui::bytes(receipt.bytes);
        match (&receipt.record, receipt.evidence) {
            (Some(LogRecord { database, number, .. }), _) => {
                format!(", {size}, proved by record {number} of {database}")
            }
            (None, evidence) => format!(", {size}, {}", evidence.label()),
        }
    });
    format!("installed Go {}{on}{told}", toolchain.version)
}
