//! What gvm computes of real toolchains, against what the real log records.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

mod common;

use bytes::Bytes;
use common::Machine;
use common::real_go::real_zip;
use gvm::archive::{self, ArchiveError, ChunkReader, Format, Sink};
use gvm::config::Config;
use gvm::platform::Platform;
use gvm::source::Sources;
use gvm::store::Store;
use gvm::trust::h1::{self, Tree};
use gvm::trust::sha256::Hasher;
use gvm::ui::Ui;
use gvm::version::Version;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::sync::mpsc::sync_channel;

/// Releases of twelve years, for five platforms.
const TOOLCHAINS: [(&str, &str); 10] = [
    ("1.2.2", "linux-amd64"),
    ("1.10.8", "linux-amd64"),
    ("1.20.14", "linux-amd64"),
    ("1.21.0", "linux-amd64"),
    ("1.24.1", "linux-amd64"),
    ("1.27.4", "linux-amd64"),
    ("1.26.10", "linux-arm64"),
    ("1.26.10", "darwin-amd64"),
    ("1.26.10", "darwin-arm64"),
    ("1.26.10", "windows-amd64"),
];

/// Hashes what an archive holds, and writes nothing.
struct Hashing<'a> {
    prefix: &'a str,
    tree: Tree,
}

impl Sink for Hashing<'_> {
    fn file(&mut self, name: &str, _: bool, content: &mut dyn Read) -> Result<(), ArchiveError> {
        let mut hasher = Hasher::default();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match content.read(&mut buffer).map_err(ArchiveError::Sink)? {
                0 => break,
                length => hasher.update(&buffer[..length]),
            }
        }
        let name = name.strip_prefix(self.prefix).unwrap_or_else(|| panic!("{name}"));
        self.tree.add(h1::goroot_path(name), hasher.finish());
        Ok(())
    }
}

/// The h1 of a module zip as gvm reads it.
fn h1_of_zip(zip: &Path, version: Version, platform: &Platform) -> Result<String, ArchiveError> {
    let prefix = h1::module_prefix(version, platform);
    let (chunks, queue) = sync_channel(16);
    let mut file = File::open(zip).unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            loop {
                let mut chunk = vec![0; 1 << 20];
                let length = file.read(&mut chunk).unwrap();
                chunk.truncate(length);
                if length == 0 || chunks.send(Bytes::from(chunk)).is_err() {
                    break;
                }
            }
        });
        let mut sink = Hashing { prefix: &prefix, tree: Tree::default() };
        archive::unpack(Format::Zip, ChunkReader::new(queue), &mut sink)?;
        Ok(sink.tree.h1(&prefix))
    })
}

#[test]
fn ten_real_toolchains_of_five_platforms_have_the_h1_that_the_real_log_records() {
    let machine = Machine::new();
    let store = Store::at(&machine.root());
    let sources = Sources::new(&Config::default(), &store, Ui { quiet: true }).unwrap();
    for (version, platform) in TOOLCHAINS {
        let (version, platform) =
            (Version::parse(version).unwrap(), Platform::parse(platform).unwrap());
        let record = sources.recorded(version, &platform).unwrap().unwrap();
        assert_eq!(record.database, "sum.golang.org");
        let zip = real_zip(&sources, version, &platform);
        let found = h1_of_zip(&zip, version, &platform);
        if !matches!(&found, Ok(h1) if *h1 == record.h1) {
            // What was kept may be damaged; the next run fetches it anew.
            fs::remove_file(&zip).unwrap();
        }
        assert_eq!(found.unwrap(), record.h1, "{version} {platform}");
    }
}
