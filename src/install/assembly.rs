//! A tree put together: from files of another tree of the store, and from members of
//! a module zip that are fetched one by one.

use super::{is_executable, tree};
use crate::archive::members::Member;
use crate::error::Code;
use crate::source::{Failure, RangedZip, Unfetched};
use crate::store::Staging;
use crate::store::share::Neighbour;
use crate::trust::h1::{self, Tree};
use crate::trust::sha256::{Hasher, Sha256};
use crate::ui::{Ui, counted};
use flate2::Crc;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What tells that a file is the one that is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Digest(Sha256),
    /// As a zip lists it.
    Sum {
        size: u64,
        crc: u32,
    },
}

impl From<&Member> for Wanted {
    fn from(member: &Member) -> Self {
        Self::Sum { size: member.size, crc: member.crc }
    }
}

/// The members of a module zip by their paths in GOROOT.
///
/// # Errors
/// A clause that says why there is no list of them, or why it is no Go's.
pub(crate) fn list(zip: &RangedZip, prefix: &str) -> Result<BTreeMap<String, Member>, String> {
    let mut members = BTreeMap::new();
    for member in zip.members()? {
        let path = h1::path_of_member(prefix, &member.name).map_err(|why| {
            let name = crate::path::display(member.name.as_bytes()).to_string();
            format!("it lists `{name}`, which {why}")
        })?;
        members.insert(path, member);
    }
    Ok(members)
}

/// A tree that is put together in staging.
pub(crate) struct Assembly<'a> {
    goroot: PathBuf,
    ui: &'a Ui,
    /// What is there, by what was read or written of each file.
    pub(crate) tree: Tree,
    pub(crate) bytes: u64,
}

impl<'a> Assembly<'a> {
    pub(crate) fn new(staging: &Staging, ui: &'a Ui) -> Self {
        Self { goroot: staging.goroot(), ui, tree: Tree::default(), bytes: 0 }
    }

    /// Takes those files of another tree over that are what is wanted, with as many
    /// threads as there are cores, and tells which are not.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) fn take(
        &mut self,
        neighbour: &Neighbour,
        files: &[(&str, Wanted)],
    ) -> io::Result<BTreeSet<String>> {
        self.make_directories(files.iter().map(|(path, _)| *path))?;
        let next = AtomicUsize::new(0);
        let taken = Mutex::new(Ok((Vec::new(), BTreeSet::new())));
        let work = || {
            while let Some((path, wanted)) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
                let found = self.take_one(neighbour, path, *wanted);
                let mut all = taken.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                match (&mut *all, found) {
                    (Ok((good, _)), Ok(Some((digest, size)))) => good.push((*path, digest, size)),
                    (Ok((_, others)), Ok(None)) => drop(others.insert(path.to_string())),
                    (Ok(_), Err(error)) => *all = Err(error),
                    (Err(_), _) => break,
                }
            }
        };
        let threads = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            (1..threads).for_each(|_| drop(scope.spawn(work)));
            work();
        });
        let (good, others) = taken.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner())?;
        for (path, digest, size) in good {
            self.tree.add(path, digest);
            self.bytes += size;
        }
        Ok(others)
    }

    fn take_one(
        &self,
        neighbour: &Neighbour,
        path: &str,
        wanted: Wanted,
    ) -> io::Result<Option<(Sha256, u64)>> {
        let Some(theirs) = neighbour.open(path) else { return Ok(None) };
        if matches!(wanted, Wanted::Sum { size, .. } if size != theirs.size()) {
            return Ok(None);
        }
        let seen = (Crc::new(), Hasher::default(), 0);
        let see = |(crc, hasher, length): &mut (Crc, Hasher, u64), bytes: &[u8]| {
            // One of the two tells whether it is the file; the tree needs the digest.
            if matches!(wanted, Wanted::Sum { .. }) {
                crc.update(bytes);
            }
            hasher.update(bytes);
            *length += bytes.len() as u64;
        };
        let is_it = |(sum, hasher, length): &(Crc, Hasher, u64)| match wanted {
            Wanted::Digest(digest) => hasher.clone().finish() == digest,
            Wanted::Sum { size, crc } => (*length, sum.sum()) == (size, crc),
        };
        let to = self.goroot.join(path);
        let taken = neighbour.take(theirs, &to, is_executable(path), seen, see, is_it)?;
        Ok(taken.map(|(_, hasher, length)| (hasher.finish(), length)))
    }

    /// Fetches members of a zip.
    ///
    /// # Errors
    /// They cannot be had, or not be written.
    pub(crate) fn fetch(
        &mut self,
        zip: &RangedZip,
        wanted: &BTreeMap<&str, &Member>,
    ) -> Result<(), Failure> {
        let members: Vec<_> = wanted.values().copied().collect();
        let label = counted(wanted.len(), "file");
        let progress = self.ui.progress("downloading", &label, Some(RangedZip::cost(&members)));
        let paths: BTreeMap<_, _> =
            wanted.iter().map(|(path, member)| (member.name.as_str(), *path)).collect();
        let advance = |bytes| progress.advance(bytes);
        let (written, fetched) = tree::write(&self.goroot, None, |files| {
            zip.fetch(&members, &advance, |member, content| {
                let path = paths[member.name.as_str()];
                files.add(path.into(), is_executable(path), content)
            })
        });
        // Without the disk nothing goes on, whatever else is said of it.
        let written = written?;
        fetched.map_err(|unfetched| match unfetched {
            Unfetched::Sent(why) => Failure::Source(Code::Network, why),
            Unfetched::Here(error) => error.into(),
        })?;
        self.tree.extend(written.tree);
        self.bytes += written.bytes;
        Ok(())
    }

    fn make_directories<'p>(&self, paths: impl Iterator<Item = &'p str>) -> io::Result<()> {
        let directories: BTreeSet<_> = paths
            .map(|path| path.rsplit_once('/').map_or("", |(directory, _)| directory))
            .collect();
        directories
            .iter()
            .try_for_each(|directory| fs_err::create_dir_all(self.goroot.join(directory)))
    }
}
