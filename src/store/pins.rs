//! Files that pin a version, as far as commands of gvm's have come upon them: what they
//! name is not removed as out of date. Shims and hooks write nothing down; they have no
//! time for that.

use super::{Store, path};
use crate::error::Result;
use crate::files;
use crate::host::{Host, bytes, os};
use crate::pin::{self, Pin};
use fs_err::OpenOptions;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Tens of thousands of repositories.
const MAX_FILE: usize = 4 << 20;
/// From here on, what is gone is forgotten before something is added.
const LARGE: usize = 256 << 10;

impl Store {
    /// Remembers a file that pins. Each path ends with a zero byte, and is written by one
    /// call, so that processes that do it at once lose nothing.
    ///
    /// # Errors
    /// The record cannot be read or written.
    pub fn saw_pin(&self, file: &Path) -> Result<()> {
        let known = self.pin_files()?;
        if known.contains(file) {
            return Ok(());
        }
        let entry = |file: &Path| [bytes(file.as_os_str().to_os_string()), vec![0]].concat();
        let record = path(&self.layout().pins());
        fs_err::create_dir_all(self.root())?;
        if fs_err::metadata(&record).is_ok_and(|found| found.len() > LARGE as u64) {
            let there = known.iter().filter(|file| file.exists()).flat_map(|file| entry(file));
            self.replace_file(&record, &there.collect::<Vec<_>>())?;
        }
        let mut record = OpenOptions::new().append(true).create(true).open(record)?;
        Ok(record.write_all(&entry(file))?)
    }

    /// The pins in the files that were remembered and still pin something; a file that
    /// is gone, or holds no version any more, pins nothing.
    ///
    /// # Errors
    /// The record cannot be read: then nobody knows what may go.
    pub fn seen_pins(&self) -> Result<Vec<Pin>> {
        let pin = |file: &PathBuf| pin::in_file(&Host, &bytes(file.clone().into_os_string()));
        Ok(self.pin_files()?.iter().filter_map(|file| pin(file).ok().flatten()).collect())
    }

    fn pin_files(&self) -> Result<BTreeSet<PathBuf>> {
        let record = files::read(&path(&self.layout().pins()), MAX_FILE)?.unwrap_or_default();
        let entries = record.split(|&byte| byte == 0).filter(|entry| !entry.is_empty());
        Ok(entries.map(|entry| PathBuf::from(os(entry))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_that_was_seen_counts_for_as_long_as_it_is_there() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::at(&place.path().join("store"));
        let (one, other) =
            (place.path().join("a\nb/.go-version"), place.path().join(".tool-versions"));
        fs_err::create_dir_all(one.parent().unwrap()).unwrap();
        fs_err::write(&one, "1.22.4\n").unwrap();
        fs_err::write(&other, "golang 1.21.9\n").unwrap();
        assert!(store.seen_pins().unwrap().is_empty());
        for file in [&one, &other, &one] {
            store.saw_pin(file).unwrap();
        }
        let seen = |store: &Store| -> BTreeSet<String> {
            store.seen_pins().unwrap().iter().map(|pin| pin.request.to_string()).collect()
        };
        assert_eq!(seen(&store), BTreeSet::from(["1.21.9".into(), "1.22.4".into()]));
        assert_eq!(
            fs_err::read(place.path().join("store/pins"))
                .unwrap()
                .iter()
                .filter(|&&b| b == 0)
                .count(),
            2
        );
        fs_err::write(&other, "nodejs 20\n").unwrap();
        fs_err::remove_file(&one).unwrap();
        assert!(store.seen_pins().unwrap().is_empty());
    }

    #[test]
    fn a_record_that_has_grown_forgets_what_is_gone() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::at(&place.path().join("store"));
        let here = place.path().join(".go-version");
        fs_err::write(&here, "1.22.4\n").unwrap();
        store.saw_pin(&here).unwrap();
        let record = place.path().join("store/pins");
        let mut text = fs_err::read(&record).unwrap();
        text.extend((0..20_000).flat_map(|n| format!("/gone/{n}/.go-version\0").into_bytes()));
        fs_err::write(&record, &text).unwrap();
        store.saw_pin(&place.path().join("other/.go-version")).unwrap();
        assert!(fs_err::metadata(&record).unwrap().len() < 1000);
        assert_eq!(store.seen_pins().unwrap().len(), 1);
        // One that cannot be read is an error and not an empty one.
        fs_err::remove_file(&record).unwrap();
        fs_err::create_dir(&record).unwrap();
        assert!(store.seen_pins().is_err());
    }
}
