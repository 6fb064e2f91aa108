//! `.tar.gz`, as go.dev publishes them: one gzip member, regular files and
//! directories, nothing else.

use super::{ArchiveError, Checked, ChunkReader, damaged, hostile};
use crate::path::display;
use flate2::bufread::GzDecoder;
use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::ops::Range;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;
use tar::EntryType;

/// tar writes blocks of 10 KiB; this is generous.
const MAX_PADDING: u64 = 1 << 20;

/// What headers may have: names, and pax records about them.
const MAX_HEADERS: u64 = 1 << 20;

/// What is inflated at once: much, since inflating is slow near the end of what it may
/// write, and little enough for the caches.
const PIECE: usize = 256 << 10;
/// How many pieces may wait to be read.
const PIECES: usize = 8;

/// Bytes that another thread inflates: that alone takes longer than all else that is
/// done to an archive.
struct Inflated {
    /// Buffers, and how much of each is filled; the end is where there is no more.
    pieces: Receiver<io::Result<(Vec<u8>, usize)>>,
    used: Sender<Vec<u8>>,
    piece: Vec<u8>,
    unread: Range<usize>,
}

impl Read for Inflated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.unread.is_empty() {
            self.unread = 0..0;
            let _ = self.used.send(std::mem::take(&mut self.piece));
            let Ok(piece) = self.pieces.recv() else { break };
            let (piece, length) = piece?;
            (self.piece, self.unread) = (piece, 0..length);
        }
        let length = self.unread.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.piece[self.unread.start..][..length]);
        self.unread.start += length;
        Ok(length)
    }
}

/// Inflates all of it into buffers that come back, and tells whether something follows.
fn inflate(
    reader: ChunkReader,
    pieces: &SyncSender<io::Result<(Vec<u8>, usize)>>,
    used: &Receiver<Vec<u8>>,
) -> io::Result<bool> {
    let mut gzip = GzDecoder::new(reader);
    loop {
        let mut piece = used.try_recv().unwrap_or_default();
        piece.resize(PIECE, 0);
        let read = gzip.read(&mut piece);
        let is_last = !matches!(read, Ok(1..));
        if is_last && read.is_ok() {
            return Ok(!gzip.into_inner().fill_buf()?.is_empty());
        }
        // Whoever reads may have seen enough.
        if pieces.send(read.map(|length| (piece, length))).is_err() || is_last {
            return Ok(false);
        }
    }
}

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
    let (to_reader, pieces) = sync_channel(PIECES);
    let (use_again, used) = channel();
    thread::scope(|scope| {
        let inflating = scope.spawn(move || inflate(reader, &to_reader, &used));
        let inflated = Inflated { pieces, used: use_again, piece: Vec::new(), unread: 0..0 };
        unpack_tar(inflated, sink)?;
        match inflating.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
            Ok(false) => Ok(()),
            Ok(true) => Err(hostile("something follows its end")),
            Err(error) => Err(damaged(error)),
        }
    })
}

/// Reads to the end of what was packed.
fn unpack_tar(inflated: Inflated, sink: &mut Checked) -> Result<(), ArchiveError> {
    let left = Rc::new(Cell::new(MAX_HEADERS));
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
    let inflated = archive.into_inner().reader;
    let mut padding = Vec::new();
    inflated.take(MAX_PADDING + 1).read_to_end(&mut padding).map_err(damaged)?;
    if padding.len() as u64 > MAX_PADDING || padding.iter().any(|&byte| byte != 0) {
        return Err(hostile("it goes on after its end"));
    }
    Ok(())
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
