//! `.tar.gz`, as go.dev publishes them: one gzip member, regular files and
//! directories, nothing else.

use super::{ArchiveError, Checked, ChunkReader, damaged, hostile};
use crate::path::display;
use flate2::bufread::GzDecoder;
use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;
use tar::EntryType;

/// tar writes blocks of 10 KiB; this is generous.
const MAX_PADDING: u64 = 1 << 20;

/// What headers may have: names, and pax records about them.
const MAX_HEADERS: u64 = 1 << 20;

/// What is inflated at once. Inflating is slow near the end of what it may write, and
/// the tar reader asks for little at a time; this much fits the caches.
const INFLATED: usize = 256 << 10;

/// Lets so many bytes through and no more. The tar reader takes headers into
/// memory, of whatever size they say they are.
struct Budget<R> {
    reader: R,
    left: Rc<Cell<u64>>,
}

impl<R: Read> Read for Budget<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        match self.left.get().checked_sub(length as u64) {
            Some(left) => self.left.set(left),
            None => return Err(io::Error::other("a header is larger than any has to be")),
        }
        Ok(length)
    }
}

pub(super) fn unpack(reader: ChunkReader, sink: &mut Checked) -> Result<(), ArchiveError> {
    let left = Rc::new(Cell::new(MAX_HEADERS));
    let inflated = BufReader::with_capacity(INFLATED, GzDecoder::new(reader));
    let reader = Budget { reader: inflated, left: left.clone() };
    let mut archive = tar::Archive::new(reader);
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let name = entry.path_bytes().into_owned();
        refuse_tricks(&name, &mut entry)?;
        left.set(entry.size().saturating_add(MAX_HEADERS));
        match entry.header().entry_type() {
            EntryType::Regular => {}
            EntryType::Directory => {
                sink.count()?;
                continue;
            }
            kind => {
                let name = display(&name).to_string();
                return Err(hostile(format_args!("`{name}` is a {}", describe(kind))));
            }
        }
        let executable = entry.header().mode().map_err(damaged)? & 0o111 != 0;
        sink.file(&name, executable, &mut entry)?;
        left.set(MAX_HEADERS);
    }

    // What follows the end of the tar is padding, and the gzip's own checksum
    // is looked at only at its end.
    let mut inflated = archive.into_inner().reader;
    let mut padding = Vec::new();
    (&mut inflated).take(MAX_PADDING + 1).read_to_end(&mut padding).map_err(damaged)?;
    if padding.len() as u64 > MAX_PADDING || padding.iter().any(|&byte| byte != 0) {
        return Err(hostile("it goes on after its end"));
    }
    let mut reader = inflated.into_inner().into_inner();
    if reader.fill_buf().map_err(damaged)?.is_empty() {
        return Ok(());
    }
    Err(hostile("something follows its end"))
}

/// Refuses the records of an extended header (pax(1)) that readers take differently,
/// so that each would see another tree. Those about names and times are harmless:
/// the name is looked at like any other.
fn refuse_tricks<R: Read>(name: &[u8], entry: &mut tar::Entry<R>) -> Result<(), ArchiveError> {
    for record in entry.pax_extensions().map_err(damaged)?.into_iter().flatten() {
        let key = record.map_err(damaged)?.key_bytes().to_vec();
        if key == b"size" || key == b"linkpath" || key.starts_with(b"GNU.sparse.") {
            let (name, key) = (display(name).to_string(), display(&key).to_string());
            return Err(hostile(format_args!("`{name}` has the pax record {key}")));
        }
    }
    Ok(())
}

fn describe(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Symlink => "symbolic link",
        EntryType::Link => "hard link",
        EntryType::Char | EntryType::Block => "device",
        EntryType::Fifo => "named pipe",
        EntryType::GNUSparse => "sparse file",
        _ => "kind of entry that no archive of Go has",
    }
}
