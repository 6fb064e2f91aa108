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

impl Store {
    /// Remembers a file that pins. Each path ends with a zero byte, and is written by one
    /// call, so that processes that do it at once lose nothing.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn saw_pin(&self, file: &Path) -> Result<()> {
        let mut entry = bytes(file.as_os_str().to_os_string());
        if self.pin_files().contains(file) {
            return Ok(());
        }
        entry.push(0);
        fs_err::create_dir_all(self.root())?;
        let record = path(&self.layout().pins());
        OpenOptions::new().append(true).create(true).open(record)?.write_all(&entry)?;
        Ok(())
    }

    /// The pins in the files that were remembered and still pin something; a file that
    /// is gone, or holds no version any more, pins nothing.
    #[must_use]
    pub fn seen_pins(&self) -> Vec<Pin> {
        let files = self.pin_files();
        let pin = |file: &PathBuf| pin::in_file(&Host, &bytes(file.clone().into_os_string()));
        files.iter().filter_map(|file| pin(file).ok().flatten()).collect()
    }

    fn pin_files(&self) -> BTreeSet<PathBuf> {
        let record = files::read(&path(&self.layout().pins()), MAX_FILE).ok().flatten();
        let record = record.unwrap_or_default();
        let entries = record.split(|&byte| byte == 0).filter(|entry| !entry.is_empty());
        entries.map(|entry| PathBuf::from(os(entry))).collect()
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
        assert!(store.seen_pins().is_empty());
        for file in [&one, &other, &one] {
            store.saw_pin(file).unwrap();
        }
        let seen = |store: &Store| -> BTreeSet<String> {
            store.seen_pins().iter().map(|pin| pin.request.to_string()).collect()
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
        assert!(store.seen_pins().is_empty());
    }
}
