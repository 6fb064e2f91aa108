//! Real Go, installed by gvm itself from the module proxy, kept under `target/`
//! between runs and proved again before each use.

use super::{GVM, Machine, run};
use bytes::Bytes;
use gvm::archive::{self, ArchiveError, ChunkReader, Format, Sink};
use gvm::platform::Platform;
use gvm::source::{Failure, Sources};
use gvm::trust::h1::{self, Tree};
use gvm::trust::scan::scan;
use gvm::trust::sha256::Hasher;
use gvm::version::Version;
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::sync_channel;
use std::sync::{LazyLock, Mutex};

/// What Go's checksum database records of the toolchains that the tests use
/// (sum.golang.org, lookup/golang.org/toolchain@v0.0.1-go…).
const RECORDED: [(&str, &str, &str); 8] = [
    ("1.20.14", "linux-amd64", "h1:8qw1ZS9f0CG9ty0SLWhGEERyjMSNgfMIR+e1g5RRYb0="),
    ("1.20.14", "linux-arm64", "h1:Xsv3gHrKtOJWucySqO2LldWAPOWE1eYZ797ZmA5D/+g="),
    ("1.26.8", "linux-amd64", "h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM="),
    ("1.26.8", "linux-arm64", "h1:sYL/O6MqS68ML0kjsQ36WoYIpJqkw60TxizWUYUKQMc="),
    ("1.26.10", "linux-amd64", "h1:5VAGHlY8yl8pTPVSNIez3SNMy6fWabs+QMR25f3oMT0="),
    ("1.26.10", "linux-arm64", "h1:TuAzKmE5TqYnXpnhgY3GtBJCVg4AfNDA/K1gLyX5Hig="),
    ("1.26.11", "linux-amd64", "h1:KyINmJ/FQdKRmDYGuTAAXkumyeR2DyUlSNHZj7XaLFg="),
    ("1.27.4", "linux-amd64", "h1:8Tl0rBb7KdISSdPkZBjlpZxsUBb+004GI/SM2XbmSqI="),
];

/// The h1 of an unpacked tree, if it can be read and holds nothing but files.
pub fn h1_of(goroot: &Path, version: Version, platform: &Platform) -> Option<String> {
    let scan = scan(goroot, &|_| {}).ok().filter(|scan| scan.odd.is_empty())?;
    Some(scan.tree.h1(&h1::module_prefix(version, platform)))
}

/// GOROOT of a real Go, proved in this run. Installing it is the first test of
/// whatever uses it: without an answer of the proxy it fails.
pub fn real_go(version: &str) -> PathBuf {
    static PROVED: LazyLock<Mutex<HashMap<String, PathBuf>>> = LazyLock::new(Mutex::default);
    // A test that panicked here has said why.
    let mut proved = PROVED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(goroot) = proved.get(version) {
        return goroot.clone();
    }
    let platform = Platform::host();
    let name = platform.to_string();
    let recorded = RECORDED.iter().find(|(of, on, _)| (*of, *on) == (version, name.as_str()));
    let (_, _, recorded) = recorded.unwrap_or_else(|| panic!("no record of {version} for {name}"));

    let store = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real-go");
    let goroot = store.join("toolchains").join(format!("{version}-{name}")).join("go");
    let parsed = Version::parse(version).unwrap();
    let is_proved = || h1_of(&goroot, parsed, &platform).is_some_and(|found| found == *recorded);
    if !is_proved() {
        let mut command = Command::new(GVM);
        command.args(["install", "--force", version]).env("GVM_ROOT", &store);
        for variable in ["GVM_VERSION", "GVM_DL_URL", "GVM_AUTO_INSTALL"] {
            command.env_remove(variable);
        }
        run(&mut command).succeeded();
        assert!(is_proved(), "{version} is not what the checksum database records");
    }
    proved.insert(version.into(), goroot.clone());
    goroot
}

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

/// The zip of a real Go, proved in this run by what the real log records of it.
pub fn proved_zip(sources: &Sources, version: Version, platform: &Platform) -> PathBuf {
    let record = sources.recorded(version, platform).unwrap().unwrap();
    assert_eq!(record.database, "sum.golang.org");
    let zip = real_zip(sources, version, platform);
    let found = h1_of_zip(&zip, version, platform);
    if !matches!(&found, Ok(h1) if *h1 == record.h1) {
        // What was kept may be damaged; the next run fetches it anew.
        fs::remove_file(&zip).unwrap();
    }
    assert_eq!(found.unwrap(), record.h1, "{version} {platform}");
    zip
}

/// The zip of a real Go, as it was kept between runs, or from the module proxy. What is
/// in it is the caller's to prove.
pub fn real_zip(sources: &Sources, version: Version, platform: &Platform) -> PathBuf {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real-zips");
    fs::create_dir_all(&kept).unwrap();
    let file = kept.join(format!("{version}.{platform}.zip"));
    if !file.exists() {
        let mut new = tempfile::NamedTempFile::new_in(&kept).unwrap();
        sources
            .fetch(version, platform, None, |mut offer| {
                let broken = |error: &dyn std::fmt::Display| {
                    Failure::Source(gvm::error::Code::Network, error.to_string())
                };
                while let Some(chunk) = offer.response.chunk().map_err(|error| broken(&error))? {
                    new.write_all(&chunk)?;
                }
                Ok(())
            })
            .unwrap();
        new.persist(&file).unwrap();
    }
    file
}

impl Machine {
    /// Puts a real Go into the machine's store: the same files by hard links.
    pub fn real(&self, version: &str) -> PathBuf {
        let goroot = real_go(version);
        let target = self.toolchain(version);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        run(Command::new("cp").arg("-al").arg(goroot.parent().unwrap()).arg(&target)).succeeded();
        self.goroot(version)
    }
}
