//! A checksum database of the tests' own on loopback, with real tiles, which can
//! lie; and a module proxy that relays it.

use super::archives::{File, module_zip, tree};
use super::server::{Answer, Request, Server};
use super::{Ended, GVM, Machine, run};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use gvm::platform::Platform;
use gvm::trust::h1::{Tree, module_prefix, module_version};
use gvm::trust::merkle::{self, Hash};
use gvm::trust::sha256::Hasher;
use gvm::version::Version;
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::process::Command;
use std::sync::{Arc, Mutex};

/// The version that it has a record of.
pub const VERSION: &str = "1.22.4";
const TILE: u64 = 256;

/// A checksum database with real tiles and a key of its own.
pub struct Log {
    pub name: &'static str,
    pub key: Ed25519KeyPair,
    pub records: Vec<String>,
    /// How many records the head in a lookup covers.
    pub head_at: u64,
    /// Paths that contain this are not there.
    pub gone: Option<&'static str>,
}

impl Log {
    /// A thousand and some records of other modules, and one of `VERSION` with
    /// this h1 in their middle.
    pub fn new(h1: &str) -> Self {
        Self::with_seed(h1, "other")
    }

    pub fn with_seed(h1: &str, seed: &str) -> Self {
        let other = |n: u64| {
            format!(
                "example.com/{seed} v1.0.{n} h1:{n}=\nexample.com/{seed} v1.0.{n}/go.mod h1:{n}=\n"
            )
        };
        let mut records: Vec<String> = (0..1300).map(other).collect();
        let version = module_version(Version::parse(VERSION).unwrap(), &Platform::host());
        records[700] = format!(
            "golang.org/toolchain {version} {h1}\ngolang.org/toolchain {version}/go.mod h1:8wlg68NqwW7eMnI1aABk/C2pDYXj8mrMY4TyRfiLeS0=\n"
        );
        let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
        let head_at = records.len() as u64;
        Self { name: "sums.example", key, records, head_at, gone: None }
    }

    /// The key as GOSUMDB takes it.
    pub fn verifier(&self) -> String {
        let mut key = vec![1];
        key.extend_from_slice(self.key.public_key().as_ref());
        format!("{}+{:08x}+{}", self.name, self.key_hash(), BASE64.encode(&key))
    }

    fn key_hash(&self) -> u32 {
        let mut hasher = Hasher::default();
        hasher.update(self.name.as_bytes());
        hasher.update(b"\n\x01");
        hasher.update(self.key.public_key().as_ref());
        let [a, b, c, d, ..] = hasher.finish().0;
        u32::from_be_bytes([a, b, c, d])
    }

    fn leaves(&self) -> Vec<Hash> {
        self.records.iter().map(|record| merkle::leaf(record.as_bytes())).collect()
    }

    pub fn note(&self, size: u64) -> String {
        let root = root(&self.leaves()[..size as usize]);
        let text = format!("go.sum database tree\n{size}\n{}\n", BASE64.encode(root));
        let mut signature = self.key_hash().to_be_bytes().to_vec();
        signature.extend_from_slice(self.key.sign(text.as_bytes()).as_ref());
        format!("{text}\n— {} {}\n", self.name, BASE64.encode(signature))
    }

    /// Records a toolchain for another platform as well.
    pub fn add(&mut self, platform: &str, h1: &str) {
        let platform = Platform::parse(platform).unwrap();
        let version = module_version(Version::parse(VERSION).unwrap(), &platform);
        let free = self.records.iter().position(|record| record.starts_with("example.com/"));
        self.records[free.unwrap()] = format!("golang.org/toolchain {version} {h1}\n");
    }

    fn lookup(&self, module: &str) -> Option<String> {
        let module = module.replace('@', " ");
        let number = self.records.iter().position(|record| record.contains(&module))?;
        Some(format!("{number}\n{}\n{}", self.records[number], self.note(self.head_at)))
    }

    fn tile(&self, path: &str) -> Option<Vec<u8>> {
        let (rest, width) = match path.split_once(".p/") {
            Some((rest, width)) => (rest, width.parse().ok()?),
            None => (path, TILE),
        };
        let (level, number) = rest.split_once('/')?;
        let (level, number): (u32, u64) =
            (level.parse().ok()?, number.replace(['x', '/'], "").parse().ok()?);
        let leaves = self.leaves();
        let step = 1_u64 << (8 * level);
        let mut tile = Vec::new();
        for at in number * TILE..number * TILE + width {
            let leaves = leaves.get((at * step) as usize..((at + 1) * step) as usize)?;
            tile.extend_from_slice(&root(leaves));
        }
        Some(tile)
    }

    pub fn answer(&self, path: &str) -> Answer {
        if self.gone.is_some_and(|gone| path.contains(gone)) {
            return Answer::not_found();
        }
        let body = match path {
            "/supported" => Some(Vec::new()),
            _ => match path.strip_prefix("/lookup/") {
                Some(module) => self.lookup(module).map(String::into_bytes),
                None => path.strip_prefix("/tile/8/").and_then(|tile| self.tile(tile)),
            },
        };
        body.map_or_else(Answer::not_found, Answer::ok)
    }
}

/// RFC 6962, 2.1, by its definition.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [leaf] => *leaf,
        _ => {
            let middle = leaves.len().next_power_of_two() / 2;
            merkle::node(&root(&leaves[..middle]), &root(&leaves[middle..]))
        }
    }
}

/// The h1 of the small tree.
pub fn h1() -> String {
    h1_of(&tree(VERSION))
}

/// The h1 of a tree as one of `VERSION`.
pub fn h1_of(tree: &[File]) -> String {
    let mut files = Tree::default();
    for (path, content, _) in tree {
        let mut hasher = Hasher::default();
        hasher.update(content);
        files.add(path, hasher.finish());
    }
    files.h1(&module_prefix(Version::parse(VERSION).unwrap(), &Platform::host()))
}

/// A module proxy that has the small tree and relays the database.
pub struct Proxy {
    pub log: Arc<Mutex<Log>>,
    pub zip: Arc<Mutex<Zip>>,
    pub server: Server,
}

/// What it has as the small tree, and how it sends it.
pub struct Zip {
    pub content: Vec<u8>,
    /// Whether it sends parts.
    pub ranges: bool,
    /// What they are parts of, where that is something else.
    pub parts: Option<Vec<u8>>,
}

impl Proxy {
    pub fn new(log: Log) -> Self {
        let log = Arc::new(Mutex::new(log));
        let content = module_zip(VERSION, &Platform::host(), &tree(VERSION));
        let zip = Arc::new(Mutex::new(Zip { content, ranges: true, parts: None }));
        let (of_log, of_zip) = (log.clone(), zip.clone());
        let server = Server::start(move |request| {
            let path = request.path.as_str();
            match path.strip_prefix("/sumdb/sums.example") {
                Some(path) => of_log.lock().unwrap().answer(path),
                None if path.ends_with(".zip") && path.contains(VERSION) => {
                    let zip = of_zip.lock().unwrap();
                    part(request, zip.parts.as_ref().unwrap_or(&zip.content))
                        .filter(|_| zip.ranges)
                        .unwrap_or_else(|| Answer::ok(zip.content.clone()))
                }
                None => Answer::not_found(),
            }
        });
        Self { log, zip, server }
    }

    /// gvm with this proxy and its database.
    pub fn command(&self, machine: &Machine, arguments: &[&str]) -> Command {
        let mut command = machine.command(GVM);
        command
            .args(arguments)
            .env("GOPROXY", self.server.url())
            .env("GOSUMDB", self.log.lock().unwrap().verifier());
        command
    }

    pub fn gvm(&self, machine: &Machine, arguments: &[&str]) -> Ended {
        run(&mut self.command(machine, arguments))
    }

    /// Installs with this proxy, and nothing but a proof that counts.
    pub fn install(&self, machine: &Machine) -> Ended {
        let mut command = self.command(machine, &["install", "--force", VERSION]);
        run(command.env("GVM_REQUIRE", "checksum-database"))
    }

    /// What was asked of the zip.
    pub fn zip_requests(&self) -> Vec<Request> {
        let all = self.server.requests();
        all.into_iter().filter(|request| request.path.ends_with(".zip")).collect()
    }
}

/// The part that a request asks for, if it asks for one (RFC 9110, 14.2).
pub fn part(request: &Request, content: &[u8]) -> Option<Answer> {
    let range = request.headers.get("range")?.strip_prefix("bytes=")?;
    let (first, last) = range.split_once('-')?;
    let end = content.len() - 1;
    let (first, last) = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), last) => (first, last.unwrap_or(end).min(end)),
        // The last bytes, so many.
        (Err(_), Ok(length)) => (content.len().saturating_sub(length), end),
        _ => return None,
    };
    let mut answer = Answer::ok(content.get(first..=last)?);
    answer.status = 206;
    Some(answer.header("Content-Range", &format!("bytes {first}-{last}/{}", content.len())))
}
