//! Files on their way to the disk, in buffers that are used again.
//!
//! Whoever has the files puts them into batches; one thread writes them
//! ([`super::writer`]) and another one hashes them for the h1, both out of the same
//! memory: the tree is never read back. There are only so many buffers, and whoever
//! is ahead waits for one.

use super::writer;
use crate::archive::ArchiveError;
use crate::source::Failure;
use crate::store::share::Neighbour;
use crate::trust::h1::Tree;
use crate::trust::sha256::Hasher;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// Bytes of a buffer: some dozen of Go's source files.
const BUFFER: usize = 1 << 20;
/// How many there are: this is what the threads can be apart.
const BUFFERS: usize = 16;
/// A file is not begun in what is left of a buffer when it is less than this, so
/// that nearly every file is written by one call.
const LEAST: usize = 128 << 10;

/// What was written.
pub(crate) struct Written {
    pub(crate) tree: Tree,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

/// Writes the files that `produce` adds into a tree at `goroot`, where none of them is
/// yet; what the neighbour has too is shared with it.
pub(crate) fn write<T>(
    goroot: &Path,
    neighbour: Option<&Neighbour>,
    produce: impl FnOnce(&mut Files) -> T,
) -> (Result<Written, Failure>, T) {
    let (to_writer, batches) = channel();
    let (to_hasher, batches_too) = channel();
    thread::scope(|scope| {
        let writing = scope.spawn(move || writer::write(&batches, goroot, neighbour));
        let hashing = scope.spawn(move || hash(&batches_too));
        let mut files = Files::new(to_writer, to_hasher);
        let produced = produce(&mut files);
        // A writer that is gone has said why.
        let _ = files.hand_over();
        drop(files);
        let (written, hashed) = (join(writing), join(hashing));
        (written.map(|()| hashed), produced)
    })
}

/// The result of a thread; a panic goes on here.
pub(super) fn join<T>(thread: thread::ScopedJoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Files, or parts of them, whose bytes are in one buffer. The last one to use it
/// gives the buffer back.
pub(super) struct Batch {
    buffer: Vec<u8>,
    pieces: Vec<Piece>,
    used: Sender<Vec<u8>>,
}

struct Piece {
    /// The file that begins here; without one, the last one goes on.
    begins: Option<New>,
    bytes: Range<usize>,
}

/// A file by its path in GOROOT, with slashes.
pub(super) struct New {
    pub(super) path: String,
    pub(super) executable: bool,
}

impl Batch {
    /// What to write, in order: a file that begins, or the last one that goes on.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (Option<&New>, &[u8])> {
        self.pieces.iter().map(|piece| (piece.begins.as_ref(), &self.buffer[piece.bytes.clone()]))
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        let _ = self.used.send(std::mem::take(&mut self.buffer));
    }
}

/// Takes the files of a tree, one after the other.
pub(crate) struct Files {
    to_writer: Sender<Arc<Batch>>,
    to_hasher: Sender<Arc<Batch>>,
    /// Buffers that were used, and how to send them here.
    used: Receiver<Vec<u8>>,
    use_again: Sender<Vec<u8>>,
    /// How many there are in all.
    buffers: usize,
    /// The batch that is being filled, and how far it is.
    batch: Option<Batch>,
    filled: usize,
}

impl Files {
    fn new(to_writer: Sender<Arc<Batch>>, to_hasher: Sender<Arc<Batch>>) -> Self {
        let (use_again, used) = channel();
        Self { to_writer, to_hasher, used, use_again, buffers: 0, batch: None, filled: 0 }
    }

    /// Adds a file by its path in GOROOT, with slashes, which has to be a safe one.
    /// Directories come of themselves.
    ///
    /// # Errors
    /// The content is damaged, or nobody writes any more.
    pub(crate) fn add(
        &mut self,
        path: String,
        executable: bool,
        content: &mut dyn Read,
    ) -> Result<(), ArchiveError> {
        if BUFFER - self.filled < LEAST {
            self.hand_over()?;
        }
        let mut begins = Some(New { path, executable });
        let mut start = self.filled;
        loop {
            let filled = self.filled;
            match content.read(&mut self.batch().buffer[filled..]) {
                Ok(0) => break,
                Ok(length) => self.filled += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ArchiveError::Damaged(error.to_string())),
            }
            if self.filled == BUFFER {
                let bytes = start..BUFFER;
                let begins = begins.take();
                self.batch().pieces.push(Piece { begins, bytes });
                self.hand_over()?;
                start = 0;
            }
        }
        let bytes = start..self.filled;
        self.batch().pieces.push(Piece { begins, bytes });
        Ok(())
    }

    /// The batch that is being filled, or a new one.
    fn batch(&mut self) -> &mut Batch {
        let (used, buffers, use_again) = (&self.used, &mut self.buffers, &self.use_again);
        self.batch.get_or_insert_with(|| {
            let buffer = used.try_recv().unwrap_or_else(|_| {
                if *buffers < BUFFERS {
                    *buffers += 1;
                    vec![0; BUFFER]
                } else {
                    used.recv().unwrap_or_default()
                }
            });
            Batch { buffer, pieces: Vec::new(), used: use_again.clone() }
        })
    }

    /// Passes on what is there.
    fn hand_over(&mut self) -> Result<(), ArchiveError> {
        self.filled = 0;
        let Some(batch) = self.batch.take().map(Arc::new) else { return Ok(()) };
        let sent = self.to_hasher.send(batch.clone()).and_then(|()| self.to_writer.send(batch));
        // The writer hangs up when it fails, and its error is the one that counts.
        sent.map_err(|_| ArchiveError::Sink(io::ErrorKind::BrokenPipe.into()))
    }
}

/// Hashes the files as they come.
fn hash(batches: &Receiver<Arc<Batch>>) -> Written {
    let mut written = Written { tree: Tree::default(), files: 0, bytes: 0 };
    let mut current: Option<(String, Hasher)> = None;
    let close = |written: &mut Written, file: Option<(String, Hasher)>| {
        if let Some((path, hasher)) = file {
            written.tree.add(path, hasher.finish());
            written.files += 1;
        }
    };
    for batch in batches {
        for (begins, bytes) in batch.pieces() {
            if let Some(New { path, .. }) = begins {
                close(&mut written, current.replace((path.clone(), Hasher::default())));
            }
            if let Some((_, hasher)) = &mut current {
                hasher.update(bytes);
                written.bytes += bytes.len() as u64;
            }
        }
    }
    close(&mut written, current);
    written
}
