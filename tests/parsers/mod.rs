//! What every parser promises of any bytes at all, once for the property tests and
//! for the fuzz targets. A function here panics where a promise is broken.

#![allow(dead_code, reason = "each fuzz target takes one of them")]
#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

mod log;

use bytes::Bytes;
use gvm::archive::{self, ArchiveError, ChunkReader, Format, Sink, members};
use gvm::catalog::{Catalog, index};
use gvm::config::Config;
use gvm::executable::{self, Executable};
use gvm::pin::{self, PinError};
use gvm::platform::Platform;
use gvm::source::mirrors;
use gvm::store::Receipt;
use gvm::trust::h1::Tree;
use gvm::trust::lockfile::LockFile;
use gvm::trust::note::Verifier;
use gvm::trust::sumdb::{Database, GOLANG_KEY};
use gvm::version::{Request, Version};
use gvm_hot::system::{Metadata, System, Unreadable};
use std::collections::HashSet;
use std::io::{self, Read};
use std::sync::LazyLock;
use std::sync::mpsc::sync_channel;

#[allow(unused_imports, reason = "each fuzz target takes one of them")]
pub use log::answers;

/// What is shown on a terminal moves no cursor and rings no bell.
fn is_fit_for_a_terminal(text: &str) {
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
}

/// A word that becomes part of a path stays below the directory it is joined to.
fn is_one_component(word: &str) {
    assert!(!word.is_empty() && !matches!(word, "." | ".."), "{word:?}");
    assert!(!word.contains(['/', '\\', '\0', ':']), "{word:?}");
}

/// Versions, requests and platforms by the names that people and files give them.
pub fn names(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(version) = Version::parse(&text) {
        let shown = version.to_string();
        is_one_component(&shown);
        if !version.is_language() {
            let exact = version.exact().to_string();
            assert_eq!(Request::parse(&exact), Ok(Request::Exact(version)), "{text:?}");
        }
        assert_eq!(Version::parse(&shown), Some(version), "{text:?}");
        assert_eq!(Version::parse_toolchain(&format!("go{shown}")), Some(version));
        assert_eq!(version.cmp(&version), std::cmp::Ordering::Equal);
    }
    match Request::parse(&text) {
        Ok(request) => {
            let shown = request.to_string();
            is_one_component(&shown);
            assert_eq!(Request::parse(&shown), Ok(request), "{text:?}");
        }
        Err(why) => is_fit_for_a_terminal(&why.to_string()),
    }
    if let Some(platform) = Platform::parse(&text) {
        is_one_component(&platform.to_string());
        assert_eq!(Platform::parse(&platform.to_string()), Some(platform));
    }
    // The order is one: three versions of one text never go in a circle.
    let mut versions: Vec<_> = text.split_whitespace().filter_map(Version::parse).collect();
    versions.truncate(6);
    for a in &versions {
        for b in &versions {
            assert_eq!(a.cmp(b), b.cmp(a).reverse(), "{a} {b}");
            for c in &versions {
                assert!(!(a <= b && b <= c) || a <= c, "{a} {b} {c}");
            }
        }
    }
    if let Ok(Some(database)) = Database::parse(&text) {
        database.verifier.name.split('/').for_each(is_one_component);
    }
    let known = mirrors::place(&text);
    if let Ok(place) = &known {
        assert_eq!(mirrors::at(place.layout, &place.url).as_ref(), Ok(place), "{text:?}");
    } else if let Err(why) = &known {
        is_fit_for_a_terminal(why);
    }
}

/// A directory with one file in it, and nothing above.
struct Disk<'a> {
    file: &'a str,
    content: &'a [u8],
}

impl System for Disk<'_> {
    fn var(&self, name: &str) -> Option<Vec<u8>> {
        (name == "GVM_VERSION" && self.file == name).then(|| self.content.to_vec())
    }

    fn current_dir(&self) -> Option<Vec<u8>> {
        Some(b"/work".into())
    }

    fn read(&self, file: &[u8], limit: usize) -> Result<Option<Vec<u8>>, Unreadable> {
        match file.strip_prefix(b"/work/") {
            Some(name) if name == self.file.as_bytes() && self.content.len() > limit => {
                Err(Unreadable::TooLarge)
            }
            Some(name) if name == self.file.as_bytes() => Ok(Some(self.content.to_vec())),
            _ => Ok(None),
        }
    }

    fn read_dir(&self, _: &[u8], _: &mut dyn FnMut(&[u8])) {}

    fn metadata(&self, _: &[u8]) -> Option<Metadata> {
        None
    }
}

/// Files of a repository: `.go-version`, `.tool-versions`, `go.mod`, `go.work`, and
/// the variable.
pub fn pins(data: &[u8]) {
    let is_clear = |error: PinError| is_fit_for_a_terminal(&error.to_string());
    for file in [".go-version", ".tool-versions"] {
        match pin::from_directory(&Disk { file, content: data }, b"/work") {
            Ok(Some(pin)) => is_one_component(&pin.request.to_string()),
            // Only the one that also speaks of other tools may say nothing of Go.
            Ok(None) => assert_eq!(file, ".tool-versions"),
            Err(error) => is_clear(error),
        }
    }
    for file in ["go.mod", "go.work"] {
        match pin::floor(&Disk { file, content: data }, b"/work") {
            Ok(found) => {
                found.iter().for_each(|floor| is_one_component(&floor.version.to_string()))
            }
            Err(error) => is_clear(error),
        }
    }
    if let Err(error) = pin::from_variable(&Disk { file: "GVM_VERSION", content: data }) {
        is_clear(error);
    }
    let is_pin = pin::check(data).is_ok();
    let is_read =
        pin::from_directory(&Disk { file: ".go-version", content: data }, b"/work").is_ok();
    assert_eq!(is_pin, is_read);
}

/// What sum.golang.org has signed.
pub const SIGNED: &str = "go.sum database tree\n28905453\nf3f8U0MoQmXkWAgAEKDtXcaI3c2y6N9+55KNSRefF/w=\n\n\
    — sum.golang.org Az3grr4J9x4SApup87osjthKONInbYdbN37ZskrLF12HIbhDuxOBTzt8Z2jUKbCvxYWrw0yNgshddOzt7pZEl7aSCw8=\n";

/// Notes: nothing is believed but what that key has signed.
pub fn notes(data: &[u8]) {
    static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| Verifier::parse(GOLANG_KEY).unwrap());
    let text = String::from_utf8_lossy(data);
    if let Ok(opened) = VERIFIER.open(&text) {
        let signed = SIGNED.split_inclusive("\n\n").next().unwrap();
        assert_eq!(format!("{opened}\n"), signed, "a forged note is believed");
    }
    if let Some(verifier) = Verifier::parse(&text) {
        verifier.name.split('/').for_each(is_one_component);
    }
}

/// Lock files and manifests say the same once they are written and read again.
pub fn locks(data: &[u8]) {
    match LockFile::parse(data) {
        Ok(lock) => {
            let again = LockFile::parse(lock.to_string().as_bytes()).unwrap();
            assert_eq!(again.trees().count(), lock.trees().count());
            for tree in lock.trees() {
                is_one_component(&tree.version.to_string());
                is_one_component(&tree.platform.to_string());
                assert_eq!(again.get(tree.version, &tree.platform).unwrap().h1, tree.h1);
            }
        }
        Err(malformed) => {
            is_fit_for_a_terminal(&malformed.to_string());
            assert!(malformed.line >= 1 && malformed.line <= data.len() + 1);
        }
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Some(tree) = Tree::parse_manifest(text)
    {
        assert_eq!(Tree::parse_manifest(&tree.manifest()), Some(tree.clone()));
        for (path, _) in tree.files() {
            assert!(path.split('/').all(|part| !matches!(part, "" | "." | "..")), "{path:?}");
        }
    }
}

/// Indexes of releases.
pub fn catalogs(data: &[u8]) {
    if let Ok(catalog) = index::parse_json(data) {
        assert_eq!(Catalog::from_lines(&catalog.to_lines()), Some(catalog.clone()));
        for release in catalog.releases() {
            is_one_component(&release.version.to_string());
            for (platform, archive) in &release.archives {
                is_one_component(&platform.to_string());
                archive.iter().for_each(|archive| is_one_component(&archive.file_name));
            }
        }
    }
    let text = String::from_utf8_lossy(data);
    if let Some(catalog) = Catalog::from_lines(&text) {
        assert_eq!(Catalog::from_lines(&catalog.to_lines()), Some(catalog));
    }
    let catalog = index::parse_module_list(&text);
    for release in catalog.releases() {
        is_one_component(&release.version.to_string());
    }
}

/// Settings and receipts.
pub fn settings(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(config) = toml::from_str::<Config>(&text)
        && let Err(error) = mirrors::configured(&config)
    {
        is_fit_for_a_terminal(error.message());
    }
    if let Ok(receipt) = serde_json::from_slice::<Receipt>(data) {
        let written = serde_json::to_vec(&receipt).unwrap();
        assert_eq!(serde_json::from_slice::<Receipt>(&written).unwrap(), receipt);
    }
}

/// Counts what is read.
struct Counted<'a> {
    file: io::Cursor<&'a [u8]>,
    read: &'a mut u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(buffer)?;
        *self.read += length as u64;
        Ok(length)
    }
}

impl io::Seek for Counted<'_> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

/// Headers of executables: whatever they point to, they are read with little work,
/// and what they say is a word.
pub fn executables(data: &[u8]) {
    let mut read = 0;
    let found = executable::read(Counted { file: io::Cursor::new(data), read: &mut read });
    assert!(read <= 128 << 20, "{read} bytes were read of {}", data.len());
    match found {
        Ok(None) => {}
        Ok(Some(found)) => {
            for platform in found.platforms() {
                is_one_component(&platform.to_string());
                assert!(found.is_for(&platform), "{platform}");
            }
            let mut names = vec![found.platforms_shown()];
            match found {
                Executable::Elf(elf) => {
                    names.extend(elf.interpreter);
                    names.extend(elf.libraries);
                }
                Executable::MachO(images) => {
                    let signatures = images.into_iter().filter_map(|image| image.signature);
                    names.extend(
                        signatures.flat_map(|it| [it.identifier].into_iter().chain(it.team)),
                    );
                }
                Executable::Pe(_) | Executable::Other(_) => {}
            }
            names.iter().for_each(|name| is_fit_for_a_terminal(name));
        }
        Err(executable::Unreadable::Damaged(why)) => is_fit_for_a_terminal(&why),
        Err(executable::Unreadable::Io(error)) => panic!("{error}"),
    }
}

/// Takes what an archive hands over and looks at each name.
#[derive(Default)]
struct Names {
    seen: HashSet<String>,
    bytes: u64,
}

/// As much as an input may come to: what bombs do is bounded in another place.
const UNPACKED: u64 = 8 << 20;

impl Sink for Names {
    fn file(&mut self, name: &str, _: bool, content: &mut dyn Read) -> Result<(), ArchiveError> {
        assert!(!name.starts_with('/') && !name.contains(['\\', '\0', ':']), "{name:?}");
        assert!(name.split('/').all(|part| !matches!(part, "" | "." | "..")), "{name:?}");
        is_fit_for_a_terminal(name);
        let lower = name.to_lowercase();
        assert!(
            self.seen.contains(name) || !self.seen.iter().any(|seen| seen.to_lowercase() == lower),
            "{name:?} differs in case alone"
        );
        self.seen.insert(name.into());
        let mut buffer = [0; 4096];
        loop {
            match content.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(length) => self.bytes += length as u64,
                Err(error) => return Err(ArchiveError::Damaged(error.to_string())),
            }
            if self.bytes > UNPACKED {
                return Err(ArchiveError::Damaged("enough".into()));
            }
        }
    }
}

/// An archive as it comes, in chunks.
fn unpack(format: Format, data: &[u8], chunk: usize) -> Result<(), ArchiveError> {
    let chunks: Vec<_> = data.chunks(chunk).map(Bytes::copy_from_slice).collect();
    let (sender, receiver) = sync_channel(chunks.len());
    chunks.into_iter().for_each(|chunk| sender.send(chunk).unwrap());
    drop(sender);
    archive::unpack(format, ChunkReader::new(receiver), &mut Names::default())
}

/// Whatever it says, and wherever the network cuts it, it says it again.
fn archives(format: Format, data: &[u8]) {
    let whole = unpack(format, data, usize::MAX);
    if let Err(error) = &whole {
        is_fit_for_a_terminal(&error.to_string());
    }
    assert_eq!(whole.is_ok(), unpack(format, data, 7).is_ok(), "{whole:?}");
}

/// `.tar.gz`, by its bytes and by those of the tar in it.
pub fn tar_gz(data: &[u8]) {
    archives(Format::TarGz, data);
    use std::io::Write;
    let stored = flate2::Compression::none();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), stored);
    gzip.write_all(data).unwrap();
    archives(Format::TarGz, &gzip.finish().unwrap());
}

/// `.zip`, as a stream.
pub fn zip(data: &[u8]) {
    archives(Format::Zip, data);
}

/// A zip of which parts are fetched. What is listed lies inside, and apart.
pub fn parts_of_zip(data: &[u8]) {
    let total = data.len() as u64;
    let listed = match members::list(total, data.to_vec()) {
        Ok(members::Listing::Whole(listed)) => listed,
        Ok(members::Listing::From(from)) => return assert!(from < total),
        Err(error) => return is_fit_for_a_terminal(&error.to_string()),
    };
    let mut end = 0;
    for member in &listed {
        assert!(member.span.start >= end && member.span.end <= total, "{member:?}");
        end = member.span.end;
        let own = &data[member.span.start as usize..member.span.end as usize];
        let range = std::slice::from_ref(&member.span);
        if member.size <= UNPACKED {
            let mut length = None;
            let unpacked = members::unpack(range, &[member], own, |_, content| {
                length = io::copy(content, &mut io::sink()).ok();
                Ok(())
            });
            assert!(unpacked.is_err() || length == Some(member.size), "{member:?}: {length:?}");
        }
    }
    let spans: Vec<_> = listed.iter().map(|member| member.span.clone()).collect();
    let ranges = members::coalesce(&spans, 64);
    assert!(ranges.len() <= spans.len());
    for span in &spans {
        assert!(ranges.iter().any(|range| range.start <= span.start && span.end <= range.end));
    }
}
