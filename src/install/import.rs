//! A tree that somebody else keeps on this machine becomes a toolchain of the store,
//! without a download: it is listed, hashed, held against the checksum database, taken
//! over into staging, and proved there once more, by what has arrived.
//!
//! It is as hostile as an archive: links are not followed, what is no file is never
//! opened for long, and whoever owns it may change it at any time. Nothing in it is
//! changed.

use super::receive::Unpacked;
use super::{IfPresent, Installed, Terms, is_executable, present, proof};
use crate::error::{Code, Error, Result};
use crate::executable;
use crate::path::display;
use crate::platform::Platform;
use crate::source::{Failure, Shape, Sources};
use crate::store::share::{self, Neighbour, Theirs};
use crate::store::{Evidence, LogRecord, Origin, Store};
use crate::trust::h1::{self, Tree};
use crate::trust::sha256::{Hasher, Sha256};
use crate::trust::sumdb::Unproved;
use crate::ui::{self, Ui, shown};
use crate::version::Version;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Ten times what the largest release has.
const MAX_FILES: usize = 200_000;
/// Deeper than any file of Go's.
const MAX_DEPTH: usize = 40;
/// More than any go.env has.
const MAX_GO_ENV: u64 = 64 << 10;

/// Which Go a tree says that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub version: Version,
    pub platform: Platform,
}

/// Reads what a tree says that it is, at the cost of two small reads.
///
/// # Errors
/// A clause that says why it is no release of Go.
pub fn identify(goroot: &Path) -> Result<Identity, String> {
    let text = head(&goroot.join("VERSION"), 4096).ok_or("it has no VERSION file")?;
    let text = String::from_utf8_lossy(&text);
    let name = text.lines().next().unwrap_or_default().trim();
    // `go1.22.4 X:boringcrypto` and `go1.22.4-custom` are somebody's own.
    let version = Version::parse_toolchain(name)
        .filter(|version| !version.is_language() && format!("go{version}") == name)
        .ok_or_else(|| {
            let name = display(name.as_bytes()).to_string();
            format!("its VERSION file says `{name}`, which is no release of the Go team's")
        })?;
    let go = ["go", "go.exe"].map(|name| goroot.join("bin").join(name));
    let go = go.iter().find(|go| go.is_file()).ok_or("it has no bin/go that is a file")?;
    let found = executable::open(go).map_err(|error| format!("its bin/go cannot be read: {error}"));
    let platforms = found?.map(|found| found.platforms()).unwrap_or_default();
    // What the Go team publishes is for one platform.
    let [platform] = platforms.as_slice() else {
        return Err("its bin/go is no executable of Go's".into());
    };
    Ok(Identity { version, platform: platform.clone() })
}

/// The beginning of a file.
fn head(file: &Path, length: usize) -> Option<Vec<u8>> {
    let mut theirs = Theirs::open(file)?;
    let mut head = Vec::new();
    let enough = || io::Error::from(io::ErrorKind::Other);
    let _ = theirs.read_to_end(|bytes| {
        head.extend_from_slice(&bytes[..bytes.len().min(length - head.len())]);
        if head.len() == length { Err(enough()) } else { Ok(()) }
    });
    Some(head)
}

/// What is known of a tree before it is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Each file is the one that was published.
    Proved(Evidence, Option<LogRecord>),
    /// Somebody edited go.env, as images of containers do, and nothing else; the
    /// original can be put back.
    ButForGoEnv(LogRecord),
    /// Nobody answers for it: why.
    Unproved(String),
    /// It is not what it says: why.
    Refused(String),
}

/// A tree that was looked at.
#[derive(Debug)]
pub struct Inspected {
    pub goroot: PathBuf,
    pub identity: Identity,
    pub verdict: Verdict,
    /// Bytes of what would be taken.
    pub bytes: u64,
    /// What lies in it and is not Go's; it is not taken.
    pub extra: Vec<String>,
    files: Vec<Entry>,
    /// The go.env that is put back.
    go_env: Option<Vec<u8>>,
}

/// A file of theirs.
#[derive(Clone, Debug)]
struct Entry {
    /// In our GOROOT, with slashes.
    path: String,
    /// In theirs.
    file: PathBuf,
    size: u64,
    digest: Option<Sha256>,
}

impl Inspected {
    /// Whether it would be taken where that much evidence is asked for.
    #[must_use]
    pub fn suffices(&self, least: Evidence) -> bool {
        match &self.verdict {
            Verdict::Proved(evidence, _) => *evidence >= least,
            Verdict::ButForGoEnv(_) => true,
            Verdict::Unproved(_) => least == Evidence::None,
            Verdict::Refused(_) => false,
        }
    }
}

/// Hashes a tree and holds it against the checksum database and the lock file.
///
/// # Errors
/// The database lies, or a setting cannot be used. What is wrong with the tree is in
/// the verdict.
pub fn inspect(
    store: &Store,
    sources: &Sources,
    ui: &Ui,
    goroot: &Path,
    identity: Identity,
    terms: Terms,
) -> Result<Inspected> {
    let refused = |why: String| Inspected {
        goroot: goroot.into(),
        identity: identity.clone(),
        verdict: Verdict::Refused(why),
        bytes: 0,
        extra: Vec::new(),
        files: Vec::new(),
        go_env: None,
    };
    let Listing { mut files, odd, mut extra } = match list(goroot) {
        Ok(listing) => listing,
        Err(why) => return Ok(refused(why)),
    };
    let bytes = files.iter().map(|entry| entry.size).sum();
    if let Some((path, what)) = odd.first_key_value() {
        let path = display(path.as_bytes()).to_string();
        let why = format!("`{path}` {what}, which nothing of the Go team's is");
        return Ok(Inspected { bytes, ..refused(why) });
    }
    let Identity { version, platform } = &identity;
    let progress = ui.progress("reading", &format!("go{version}.{platform}"), Some(bytes));
    let unread = hash(&mut files, &|bytes| progress.advance(bytes));
    drop(progress);
    if let Some(path) = unread {
        let why = format!("`{}` cannot be read", display(path.as_bytes()));
        return Ok(Inspected { bytes, ..refused(why) });
    }

    let prefix = h1::module_prefix(*version, platform);
    let record = match sources.recorded(*version, platform)? {
        Ok(record) => Ok(record),
        Err(Unproved::Lie(why)) => return Err(Error::new(Code::Refused, why)),
        Err(Unproved::NoRecord(why) | Unproved::Unreachable(why)) => Err(why),
    };
    let locked = terms.lock.and_then(|lock| Some((lock, lock.file.get(*version, platform)?)));
    let wanted = match (&record, &locked) {
        (Ok(record), _) => Some(record.h1.as_str()),
        (Err(_), Some((_, known))) => Some(known.h1.as_str()),
        (Err(_), None) => None,
    };
    // What people put beside Go's files counts only if the tree is Go's with it.
    let is_wanted = |tree: &Tree| {
        wanted.is_some_and(|h1| tree.h1(&prefix) == h1 || tree.is_but_for_go_env(&prefix, h1))
    };
    let mut tree = tree_of(&files);
    if !is_wanted(&tree) {
        let (own, others): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|entry| !is_often_added(&entry.path));
        files = own;
        tree = tree_of(&files);
        extra.extend(others.into_iter().map(|entry| entry.path));
    }
    let h1 = tree.h1(&prefix);
    let mut go_env = None;
    let verdict = match record {
        Ok(record) if record.h1 == h1 => {
            Verdict::Proved(Evidence::ChecksumDatabase, Some((&record).into()))
        }
        Ok(record) if tree.is_but_for_go_env(&prefix, &record.h1) => {
            go_env = original_go_env(goroot, store);
            if go_env.is_some() {
                Verdict::ButForGoEnv((&record).into())
            } else {
                Verdict::Refused(
                    "its go.env was edited, and nothing here tells what it was before".into(),
                )
            }
        }
        Ok(record) => Verdict::Refused(format!(
            "it is not the Go {version} that record {} of {} names: somebody built or changed it",
            record.number, record.database
        )),
        Err(why) => match locked {
            Some((_, known)) if known.h1 == h1 => Verdict::Proved(Evidence::LockFile, None),
            Some((lock, _)) => {
                Verdict::Refused(format!("it is not the Go {version} of {}", shown(&lock.path)))
            }
            None => Verdict::Unproved(why),
        },
    };
    extra.sort();
    let bytes = files.iter().map(|entry| entry.size).sum();
    Ok(Inspected { goroot: goroot.into(), identity, verdict, bytes, extra, files, go_env })
}

fn tree_of(files: &[Entry]) -> Tree {
    let mut tree = Tree::default();
    for entry in files {
        if let Some(digest) = entry.digest {
            tree.add(entry.path.as_str(), digest);
        }
    }
    tree
}

/// What managers and people put into a GOROOT: tools that `go install` puts beside go,
/// lists and marks that a manager leaves (moovweb's `manifest`, golang.org/dl's
/// `.unpacked-success` with the archive), what file managers leave.
fn is_often_added(path: &str) -> bool {
    match path.rsplit_once('/') {
        None => !matches!(
            path,
            "VERSION"
                | "go.env"
                | "LICENSE"
                | "PATENTS"
                | "README.md"
                | "SECURITY.md"
                | "CONTRIBUTING.md"
                | "codereview.cfg"
                | "AUTHORS"
                | "CONTRIBUTORS"
                | "README"
                | "favicon.ico"
                | "robots.txt"
        ),
        Some(("bin", name)) => {
            !matches!(name.strip_suffix(".exe").unwrap_or(name), "go" | "gofmt" | "godoc")
        }
        Some((_, name)) => matches!(name, ".DS_Store" | "Thumbs.db"),
    }
}

/// What is in a tree.
#[derive(Default)]
struct Listing {
    files: Vec<Entry>,
    /// What is no file, by its path: a clause that says what it is.
    odd: BTreeMap<String, String>,
    /// What is not Go's by its place.
    extra: Vec<String>,
}

/// Lists what a module zip could hold.
fn list(goroot: &Path) -> Result<Listing, String> {
    let mut listing = Listing::default();
    let mut files = BTreeMap::new();
    walk(goroot, "", 0, &mut listing, &mut files)?;
    // As the go command leaves it: each go.mod stands beside the _go.mod that it was
    // copied from, and that one is what was published.
    let module_names: Vec<_> =
        files.keys().filter(|path| h1::goroot_path(path) != **path).cloned().collect();
    for name in module_names {
        if let Some(mut entry) = files.remove(&name) {
            entry.path = h1::goroot_path(&name);
            files.insert(entry.path.clone(), entry);
        }
    }
    listing.files = files.into_values().collect();
    Ok(listing)
}

fn walk(
    directory: &Path,
    prefix: &str,
    depth: usize,
    listing: &mut Listing,
    files: &mut BTreeMap<String, Entry>,
) -> Result<(), String> {
    let unread = |error: &dyn std::fmt::Display| {
        format!("it cannot be read: {}", display(error.to_string().as_bytes()))
    };
    if depth > MAX_DEPTH {
        return Err("its directories are deeper than those of any Go".into());
    }
    for entry in fs_err::read_dir(directory).map_err(|error| unread(&error))? {
        let entry = entry.map_err(|error| unread(&error))?;
        let found = entry.metadata().map_err(|error| unread(&error))?;
        let name = display(entry.file_name().as_encoded_bytes()).to_string();
        let path = format!("{prefix}{name}");
        let is_dir = found.is_dir();
        if h1::is_left_out(&format!("{path}/")) && depth == 0 {
            continue;
        }
        if is_dir && !may_be_of_go(&path, depth) {
            listing.extra.push(format!("{path}/"));
        } else if is_dir {
            walk(&entry.path(), &format!("{path}/"), depth + 1, listing, files)?;
        } else if found.is_file() && entry.file_name().to_str().is_some() {
            if files.len() == MAX_FILES {
                return Err("it has more files than any Go".into());
            }
            let (file, size) = (entry.path(), found.len());
            files.insert(path.clone(), Entry { path, file, size, digest: None });
        } else if is_often_added(&path) && !(depth == 0 && may_be_of_go(&path, 0)) {
            listing.extra.push(path);
        } else {
            let what = match found.is_symlink() {
                _ if found.is_file() => "has a name that is not UTF-8",
                true => "is a symbolic link",
                false => "is a device, pipe or socket",
            };
            listing.odd.insert(path, what.into());
        }
    }
    Ok(())
}

/// Whether Go has such a directory: few at the top, and neither what the go command
/// keeps for somebody whose GOPATH is GOROOT.
fn may_be_of_go(path: &str, depth: usize) -> bool {
    match depth {
        0 => matches!(path, "bin" | "lib" | "pkg" | "src" | "blog" | "include"),
        _ => !matches!(path, "pkg/mod" | "pkg/sumdb"),
    }
}

/// Hashes all of them, with as many threads as there are cores, and gives back one that
/// cannot be read.
fn hash(files: &mut [Entry], advance: &(dyn Fn(u64) + Sync)) -> Option<String> {
    let digests = in_parallel(files, |entry| {
        let mut theirs = Theirs::open(&entry.file)?;
        let mut hasher = Hasher::default();
        let read = theirs.read_to_end(|bytes| {
            hasher.update(bytes);
            advance(bytes.len() as u64);
            Ok(())
        });
        read.ok().map(|()| hasher.finish())
    });
    for (entry, digest) in files.iter_mut().zip(digests) {
        entry.digest = digest;
    }
    files.iter().find(|entry| entry.digest.is_none()).map(|entry| entry.path.clone())
}

/// What `work` makes of each, in their order.
fn in_parallel<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(items.len()));
    let turn = || {
        let mut own = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { break };
            own.push((at, work(item)));
        }
        results.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).extend(own);
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        (1..threads).for_each(|_| drop(scope.spawn(turn)));
        turn();
    });
    let mut results = results.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

/// The go.env that was published: what is there with its settings as they are by
/// default, or that of a toolchain of the store.
fn original_go_env(goroot: &Path, store: &Store) -> Option<Vec<u8>> {
    let official = h1::official_go_env()?;
    let read = |goroot: &Path| {
        let mut theirs = Theirs::open(&goroot.join("go.env")).filter(|f| f.size() <= MAX_GO_ENV)?;
        let mut content = Vec::new();
        let read = theirs.read_to_end(|bytes| {
            content.extend_from_slice(bytes);
            if content.len() as u64 > MAX_GO_ENV {
                Err(io::ErrorKind::Other.into())
            } else {
                Ok(())
            }
        });
        read.ok().map(|()| content)
    };
    let is_official = |content: &Vec<u8>| {
        let mut hasher = Hasher::default();
        hasher.update(content);
        hasher.finish() == official
    };
    let edited = read(goroot).map(|content| with_defaults(&content)).filter(is_official);
    edited.or_else(|| {
        let installed = store.toolchains().unwrap_or_default();
        installed.iter().filter_map(|toolchain| read(&toolchain.goroot)).find(is_official)
    })
}

/// A go.env whose settings are what they are by default.
fn with_defaults(content: &[u8]) -> Vec<u8> {
    let defaults = [
        ("GOPROXY=", format!("{},direct", crate::goenv::public_proxy())),
        ("GOSUMDB=", "sum.golang.org".into()),
        ("GOTOOLCHAIN=", "auto".into()),
    ];
    let mut text = Vec::new();
    for line in content.split_inclusive(|&byte| byte == b'\n') {
        match defaults.iter().find(|(name, _)| line.starts_with(name.as_bytes())) {
            Some((name, value)) => text.extend_from_slice(format!("{name}{value}\n").as_bytes()),
            None => text.extend_from_slice(line),
        }
    }
    text
}

/// Takes a tree over into the store; theirs stays as it is.
///
/// # Errors
/// It changed since it was looked at, is not proved enough, or the store cannot be
/// written. The store is as it was then.
pub fn import(
    store: &Store,
    sources: &Sources,
    ui: &Ui,
    inspected: &Inspected,
    terms: Terms,
) -> Result<Installed> {
    let Identity { version, platform } = &inspected.identity;
    let version = *version;
    terms.allow(version)?;
    let _lock = store.lock(version, platform, "importing", ui)?;
    if let Some(installed) =
        present(store, version, Terms { if_present: IfPresent::Keep, ..terms })?
    {
        return Ok(installed);
    }
    let at = shown(&inspected.goroot);
    let told = |failure| match failure {
        Failure::Here(error) => error,
        Failure::Source(code, why) => Error::new(code, format!("{at}: {why}")),
    };
    let staging = store.stage(ui)?;
    let mut files = inspected.files.clone();
    if inspected.go_env.is_some() {
        files.retain(|entry| entry.path != "go.env");
    }
    make_directories(&staging.goroot(), &files)?;

    // First what the store has already, where that costs no room.
    let neighbour = store.neighbour(Some(version), platform);
    let neighbour = neighbour.map(|found| Neighbour::new(&found.goroot, sources.share, &staging));
    let neighbour = neighbour.transpose()?.filter(Neighbour::shares);
    let theirs = Neighbour::new(&inspected.goroot, sources.share, &staging)?;
    let progress =
        ui.progress("importing", &format!("go{version}.{platform}"), Some(inspected.bytes));
    let goroot = staging.goroot();
    let taken = in_parallel(&files, |entry| {
        let done = take(entry, neighbour.as_ref(), &theirs, &goroot);
        progress.advance(entry.size);
        done
    });
    drop(progress);
    let mut tree = Tree::default();
    let mut bytes = 0;
    for (entry, taken) in files.iter().zip(taken) {
        let (digest, size) = taken?.ok_or_else(|| {
            let message = format!("{} changed while it was imported", shown(&entry.file));
            Error::new(Code::Failure, message).hint("run the command again")
        })?;
        tree.add(entry.path.as_str(), digest);
        bytes += size;
    }
    if let Some(original) = &inspected.go_env {
        share::create(&staging.goroot().join("go.env"), false)?.write_all(original)?;
        let mut hasher = Hasher::default();
        hasher.update(original);
        tree.add("go.env", hasher.finish());
        bytes += original.len() as u64;
    }

    let unpacked = Unpacked {
        files: tree.files().count() as u64,
        bytes,
        tree,
        shape: Shape::Go,
        origin: Origin {
            source: "import".into(),
            url: inspected.goroot.display().to_string(),
            sha256: None,
            size: bytes,
            parts: None,
        },
        evidence: Evidence::None,
        has_mirror_digest: false,
    };
    let receipt = unpacked.check(version, &staging, sources, ui, terms).map_err(told)?;
    let toolchain = store.publish(staging, version, platform, &receipt, ui)?;
    Ok(Installed { toolchain, was_present: false })
}

fn make_directories(goroot: &Path, files: &[Entry]) -> Result<()> {
    let directories: BTreeSet<_> = files
        .iter()
        .map(|entry| entry.path.rsplit_once('/').map_or("", |(directory, _)| directory))
        .collect();
    for directory in directories {
        fs_err::create_dir_all(goroot.join(directory))?;
    }
    Ok(())
}

/// One file, with its digest and size; `None` when it is not what it was.
fn take(
    entry: &Entry,
    neighbour: Option<&Neighbour>,
    theirs: &Neighbour,
    goroot: &Path,
) -> io::Result<Option<(Sha256, u64)>> {
    let (to, executable) = (goroot.join(&entry.path), is_executable(&entry.path));
    let see = |(hasher, length): &mut (Hasher, u64), bytes: &[u8]| {
        hasher.update(bytes);
        *length += bytes.len() as u64;
    };
    let seen = || (Hasher::default(), 0);
    let is_it = |(hasher, _): &(Hasher, u64)| Some(hasher.clone().finish()) == entry.digest;
    let finish = |(hasher, length): (Hasher, u64)| (hasher.finish(), length);
    let own = neighbour.and_then(|neighbour| Some((neighbour, neighbour.open(&entry.path)?)));
    if let Some((neighbour, own)) = own.filter(|(_, own)| own.size() == entry.size)
        && let Some(taken) = neighbour.take(own, &to, executable, seen(), see, is_it)?
    {
        return Ok(Some(finish(taken)));
    }
    let Some(file) = Theirs::open(&entry.file) else { return Ok(None) };
    Ok(theirs.adopt(file, &to, executable, seen(), see, is_it)?.map(finish))
}

/// The line for a person when it is done.
#[must_use]
pub fn summary(installed: &Installed, inspected: &Inspected) -> String {
    let toolchain = &installed.toolchain;
    let (version, at) = (toolchain.version, shown(&inspected.goroot));
    let told = toolchain.receipt().ok().flatten().map_or_else(String::new, |receipt| {
        format!(", {}, {}", ui::bytes(receipt.bytes), proof(&receipt))
    });
    let mut text = format!("imported Go {version} from {at}{told}");
    if inspected.go_env.is_some() {
        text += "\n  its go.env was edited: the original is in its place, theirs is as it was";
    }
    if !inspected.extra.is_empty() {
        text += &format!("\n  left out what is not Go's: {}", names(&inspected.extra));
    }
    text
}

/// The first few of them.
#[must_use]
pub fn names(paths: &[String]) -> String {
    let shown: Vec<_> = paths.iter().take(3).map(String::as_str).collect();
    let more = paths.len().saturating_sub(3);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{more}", shown.join(", "))
}
