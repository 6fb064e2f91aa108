//! Verifying: installed trees held against what they have to be, and put right.

use crate::error::{Code, Error, Result};
use crate::install::assembly::{self, Assembly, Wanted};
use crate::install::{self, IfPresent, Terms};
use crate::source::{Failure, RangedZip, Sources};
use crate::store::share::Neighbour;
use crate::store::{Evidence, LogRecord, Origin, Receipt, Staging, Store, Toolchain, receipt};
use crate::trust::h1::{self, Tree};
use crate::trust::scan::{Scan, scan};
use crate::trust::sumdb::Unproved;
use crate::ui::Ui;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What became of one toolchain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Each file is the one that was published.
    Whole,
    /// Somebody edited go.env, as images of containers do, and nothing else.
    ButForGoEnv,
    Differs,
    /// There is nothing to hold it against.
    Unknown,
}

/// A toolchain as it was found.
pub struct Report {
    pub toolchain: Toolchain,
    pub verdict: Verdict,
    pub evidence: Option<Evidence>,
    pub record: Option<LogRecord>,
    /// What it is and what it has to be, in module form.
    pub h1: String,
    pub expected: Option<String>,
    pub files: u64,
    /// By path in GOROOT, each with a clause that says what is wrong.
    pub changed: BTreeMap<String, String>,
    pub missing: BTreeSet<String>,
    pub extra: BTreeSet<String>,
    /// What a person should know besides, in clauses.
    pub notes: Vec<String>,
    /// Whether this run has put it right.
    pub repaired: bool,
    scan: Scan,
    /// The files that belong there; `None` when that is not known.
    manifest: Option<Tree>,
    receipt: Option<Receipt>,
}

impl Report {
    /// Whether nothing is to be repaired.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.verdict == Verdict::Whole
            && self.receipt.is_some()
            && self.manifest.is_some()
            && self.changed.is_empty()
            && self.missing.is_empty()
            && self.extra.is_empty()
    }
}

/// Hashes a toolchain again and holds it against the checksum database, else
/// against what was installed. What the database proves now is noted in the
/// receipt. The caller holds the toolchain's lock.
///
/// # Errors
/// The tree cannot be listed, or the database lies.
pub fn verify(store: &Store, sources: &Sources, ui: &Ui, toolchain: Toolchain) -> Result<Report> {
    let Toolchain { version, platform, .. } = &toolchain;
    let mut notes = Vec::new();
    let receipt = toolchain.receipt().unwrap_or_else(|error| {
        notes.push(error.to_string());
        None
    });
    if receipt.is_none() && notes.is_empty() {
        notes.push("it has no receipt".into());
    }
    let total = receipt.as_ref().map(|receipt| receipt.bytes);
    let progress = ui.progress("verifying", &format!("go{version}.{platform}"), total);
    let scan = scan(&toolchain.goroot, &|bytes| progress.advance(bytes))?;
    drop(progress);

    let prefix = h1::module_prefix(*version, platform);
    let h1 = scan.tree.h1(&prefix);
    let record = match sources.recorded(*version, platform)? {
        Ok(record) => Some(record),
        Err(Unproved::Lie(why)) => return Err(Error::new(Code::Refused, why)),
        Err(Unproved::NoRecord(why) | Unproved::Unreachable(why)) => {
            notes.push(format!("not held against the checksum database: {why}"));
            None
        }
    };
    let installed = receipt.as_ref().map(|receipt| receipt.h1.clone());
    let expected = record.as_ref().map(|record| record.h1.clone()).or(installed);
    // The list of its files is believed as far as it has that hash itself.
    let listed = toolchain.manifest().unwrap_or_default();
    let manifest = listed
        .and_then(|text| Tree::parse_manifest(&text))
        .filter(|manifest| expected.as_deref() == Some(&*manifest.h1(&prefix)));

    let mut report = Report {
        verdict: Verdict::Whole,
        evidence: receipt.as_ref().map(|receipt| receipt.evidence),
        record: record.as_ref().map(Into::into),
        files: scan.tree.files().count() as u64,
        changed: BTreeMap::new(),
        missing: BTreeSet::new(),
        extra: BTreeSet::new(),
        repaired: false,
        h1,
        expected,
        notes,
        scan,
        manifest,
        receipt,
        toolchain,
    };
    report.compare();
    let is_as_recorded = |h1: &str| record.as_ref().is_some_and(|record| record.h1 == *h1);
    if is_as_recorded(&report.h1) && report.is_good() {
        report.evidence = Some(Evidence::ChecksumDatabase);
        report.note_proof(store, ui)?;
    }
    Ok(report)
}

impl Report {
    /// Names what differs, and says what that comes to.
    fn compare(&mut self) {
        let Scan { tree, not_executable, odd, .. } = &self.scan;
        let prefix = h1::module_prefix(self.toolchain.version, &self.toolchain.platform);
        match &self.manifest {
            Some(manifest) => {
                for (path, digest) in manifest.files() {
                    if let Some(what) = odd.get(path) {
                        self.changed.insert(path.into(), what.clone());
                    } else if let Some(found) = tree.get(path) {
                        if found != digest {
                            self.changed.insert(path.into(), "has another content".into());
                        }
                    } else {
                        self.missing.insert(path.into());
                    }
                }
                let known = |path: &str| manifest.get(path).is_some();
                let found =
                    tree.files().map(|(path, _)| path).chain(odd.keys().map(String::as_str));
                self.extra.extend(found.filter(|path| !known(path)).map(String::from));
            }
            None => {
                // A file that no record covers is not known to be Go's or not.
                let covered = odd.iter().filter(|(path, _)| !h1::is_left_out(path));
                self.changed.extend(covered.map(|(path, what)| (path.clone(), what.clone())));
                self.notes.push("its list of files is missing or damaged".into());
            }
        }
        for path in not_executable {
            let is_known = self.manifest.as_ref().is_none_or(|known| known.get(path).is_some());
            if is_known && install::is_executable(path) {
                let what = "is not executable".to_string();
                self.changed.entry(path.clone()).or_insert(what);
            }
        }
        let is_as_expected = self.expected.as_deref() == Some(&*self.h1);
        let is_clean = self.changed.is_empty() && self.missing.is_empty() && self.extra.is_empty();
        self.verdict = match &self.expected {
            None => Verdict::Unknown,
            Some(_) if is_as_expected && is_clean => Verdict::Whole,
            Some(expected) => {
                let only_go_env = self.missing.is_empty()
                    && self.extra.is_empty()
                    && self.changed.keys().all(|path| path == "go.env")
                    && tree.is_but_for_go_env(&prefix, expected);
                if only_go_env { Verdict::ButForGoEnv } else { Verdict::Differs }
            }
        };
    }

    /// Notes in the receipt what the checksum database proves now.
    fn note_proof(&self, store: &Store, ui: &Ui) -> Result<()> {
        let (Some(receipt), Some(manifest)) = (&self.receipt, &self.manifest) else {
            return Ok(());
        };
        if receipt.evidence == Evidence::ChecksumDatabase && receipt.record.is_some() {
            return Ok(());
        }
        let proved = Receipt {
            evidence: Evidence::ChecksumDatabase,
            record: self.record.clone(),
            h1: self.h1.clone(),
            ..receipt.clone()
        };
        store.note(&self.toolchain, &proved, &manifest.manifest())?;
        let version = self.toolchain.version;
        ui.say(format_args!("Go {version} is proved by the checksum database now"));
        Ok(())
    }
}

/// What it took to put a toolchain right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    pub files: u64,
    /// Bytes that were fetched.
    pub fetched: u64,
}

/// Why a repair by single files did not come about.
enum Failed {
    /// The whole archive may do.
    Parts(String),
    Here(Error),
}

impl From<String> for Failed {
    fn from(why: String) -> Self {
        Self::Parts(why)
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Here(error)
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Source(_, why) => Self::Parts(why),
            Failure::Here(error) => Self::Here(error),
        }
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self::Here(error.into())
    }
}

/// Puts a toolchain right: what is good stays, what differs is fetched, and the tree
/// counts only if it is then the one that is expected. What is not Go's is moved out
/// of GOROOT, into `extra` beside it. The caller holds the toolchain's lock.
///
/// # Errors
/// What is missing cannot be had, or the store cannot be written. The toolchain is
/// as it was then.
pub fn repair(store: &Store, sources: &Sources, ui: &Ui, report: &Report) -> Result<Repaired> {
    let Toolchain { version, platform, .. } = &report.toolchain;
    let Some(expected) = &report.expected else {
        let message = format!("nothing tells what Go {version} for {platform} has to be");
        let hint = format!("to install it anew: gvm install --force {version}");
        return Err(Error::new(Code::Refused, message).hint(hint));
    };
    let is_tree_good = report.h1 == *expected
        && report.changed.is_empty()
        && report.missing.is_empty()
        && report.extra.is_empty();
    if is_tree_good {
        // What is known of it was damaged, and nothing else.
        let tree = report.manifest.as_ref().unwrap_or(&report.scan.tree);
        store.note(
            &report.toolchain,
            &report.receipt_of(tree, report.scan.bytes),
            &tree.manifest(),
        )?;
        return Ok(Repaired::default());
    }
    match by_files(store, sources, ui, report, expected) {
        Ok(done) => Ok(done),
        Err(Failed::Here(error)) => Err(error),
        Err(Failed::Parts(why)) => {
            ui.say(format_args!("fetching the whole archive: {why}"));
            by_archive(store, sources, ui, report)
        }
    }
}

/// Builds the tree anew from the good files and, from a module proxy, the others.
fn by_files(
    store: &Store,
    sources: &Sources,
    ui: &Ui,
    report: &Report,
    expected: &str,
) -> Result<Repaired, Failed> {
    let Toolchain { version, platform, goroot: old, .. } = &report.toolchain;
    let found = &report.scan.tree;

    let mut good = Vec::new();
    let mut wanted = BTreeSet::new();
    if let Some(manifest) = &report.manifest {
        for (path, digest) in manifest.files() {
            if found.get(path) == Some(digest) {
                good.push((path, Wanted::Digest(digest)));
            } else {
                wanted.insert(path);
            }
        }
    }
    let mut zip = None;
    let mut members = BTreeMap::new();
    if report.manifest.is_none() || !wanted.is_empty() {
        let opened = sources.ranged_zip(*version, platform);
        let opened = opened.ok_or("no module proxy sends parts of it".to_string())?;
        members = assembly::list(&opened, &h1::module_prefix(*version, platform))?;
        zip = Some(opened);
    }
    if report.manifest.is_none() {
        let listed = members.iter().map(|(path, member)| (path.as_str(), Wanted::from(member)));
        good.extend(listed);
        // Nothing tells whether these are as they were.
        let uncovered = found.files().filter(|(path, _)| h1::is_left_out(path));
        good.extend(uncovered.map(|(path, digest)| (path, Wanted::Digest(digest))));
    }

    let staging = store.stage(ui)?;
    let neighbour = Neighbour::replaced(old, &staging)?;
    let mut assembly = Assembly::new(&staging, ui);
    let others = assembly.take(&neighbour, &good)?;
    wanted.extend(others.iter().map(String::as_str));
    let extra = found.files().map(|(path, _)| path);
    let extra = extra.chain(report.scan.odd.keys().map(String::as_str));
    let extra = extra.filter(|path| assembly.tree.get(path).is_none() && !wanted.contains(*path));
    keep_extra(&report.toolchain, extra, &staging)?;

    let mut done = Repaired { files: wanted.len() as u64, fetched: 0 };
    if let Some(zip) = zip {
        let mut files = BTreeMap::new();
        for path in wanted {
            let member = members.get(path).ok_or_else(|| format!("{path} is in no module zip"))?;
            files.insert(path, member);
        }
        let parts: Vec<_> = files.values().copied().collect();
        done.fetched = RangedZip::cost(&parts);
        // Half of it in pieces is slower than all of it at once.
        if done.fetched > zip.size() / 2 {
            return Err("most of its files differ".to_string().into());
        }
        assembly.fetch(&zip, &files)?;
    }
    let Assembly { tree, bytes, .. } = assembly;
    let h1 = tree.h1(&h1::module_prefix(*version, platform));
    if h1 != *expected {
        return Err(format!("put together, its files are {h1} and should be {expected}").into());
    }
    staging.write_manifest(&tree.manifest())?;
    store.publish(staging, *version, platform, &report.receipt_of(&tree, bytes), ui)?;
    Ok(done)
}

/// Builds the tree anew from a whole archive.
fn by_archive(store: &Store, sources: &Sources, ui: &Ui, report: &Report) -> Result<Repaired> {
    let Toolchain { version, platform, .. } = &report.toolchain;
    let terms = Terms { platform, if_present: IfPresent::Replace, lock: None, locked: false };
    let damaged = report.changed.len() + report.missing.len();
    sources.fetch(*version, platform, None, |offer| {
        let staging = store.stage(ui)?;
        // Its own good files stay what they are, and whose they are too.
        let good = Neighbour::new(&report.toolchain.goroot, sources.share, &staging)?;
        let unpacked = install::receive(offer, &staging.goroot(), Some(&good), ui)?;
        let tree = unpacked.tree.clone();
        let mut receipt = unpacked.check(*version, &staging, sources, ui, terms)?;
        if report.expected.as_ref().is_some_and(|expected| *expected != receipt.h1) {
            let why = format!("its tree is {}, and another one was installed", receipt.h1);
            return Err(Failure::Source(Code::Refused, why));
        }
        if let Some(old) = &report.receipt {
            receipt.installed_at.clone_from(&old.installed_at);
        }
        receipt.repaired_at = Some(receipt::now());
        let found = report.scan.tree.files().map(|(path, _)| path);
        let found = found.chain(report.scan.odd.keys().map(String::as_str));
        keep_extra(&report.toolchain, found.filter(|path| tree.get(path).is_none()), &staging)?;
        let fetched = receipt.origin.size;
        store.publish(staging, *version, platform, &receipt, ui)?;
        Ok(Repaired { files: damaged as u64, fetched })
    })
}

impl Report {
    /// The receipt of the repaired toolchain.
    fn receipt_of(&self, tree: &Tree, bytes: u64) -> Receipt {
        let Toolchain { version, platform, .. } = &self.toolchain;
        let now = receipt::now();
        let unknown = || Receipt {
            version: format!("go{version}"),
            os: platform.os.clone(),
            arch: platform.arch.clone(),
            origin: Origin {
                source: "unknown".into(),
                url: "unknown".into(),
                sha256: None,
                size: 0,
                parts: None,
            },
            evidence: Evidence::None,
            record: None,
            h1: String::new(),
            files: 0,
            bytes: 0,
            installed_at: now.clone(),
            repaired_at: None,
            gvm: env!("CARGO_PKG_VERSION").into(),
        };
        let mut receipt = self.receipt.clone().unwrap_or_else(unknown);
        if self.record.is_some() {
            receipt.evidence = Evidence::ChecksumDatabase;
            receipt.record.clone_from(&self.record);
        }
        receipt.h1 = self.expected.clone().unwrap_or_default();
        receipt.files = tree.files().count() as u64;
        receipt.bytes = bytes;
        receipt.repaired_at = Some(now);
        receipt
    }
}

/// The same file in another place of the store.
fn link(from: &Path, to: &Path) -> Result<()> {
    fs_err::create_dir_all(to.parent().unwrap_or(to))?;
    // Not every file system has hard links.
    if fs_err::hard_link(from, to).is_err() {
        fs_err::copy(from, to)?;
    }
    Ok(())
}

/// Nothing that somebody put into GOROOT is lost.
fn keep_extra<'a>(
    toolchain: &Toolchain,
    extra: impl Iterator<Item = &'a str>,
    staging: &Staging,
) -> Result<()> {
    let earlier = toolchain.directory.join("extra");
    if earlier.is_dir() {
        let earlier_files = scan(&earlier, &|_| {})?;
        for (path, _) in earlier_files.tree.files() {
            link(&earlier.join(path), &staging.extra().join(path))?;
        }
    }
    for path in extra {
        let to = staging.extra().join(path);
        if fs_err::symlink_metadata(&to).is_ok() {
            fs_err::remove_file(&to)?;
        }
        link(&toolchain.goroot.join(path), &to)?;
    }
    Ok(())
}
