//! What came of an archive before its download ended, kept for the next try: a file
//! with a line of JSON (URL, length, version) and behind it the first bytes.
//!
//! Nothing is believed of it: the digest of the whole tells whether they fit. A fast
//! download is not kept, since to begin anew costs less than to write it twice.

use super::transfer::Version;
use crate::store::Store;
use crate::trust::sha256::Hasher;
use bytes::Bytes;
use fs_err::{File, OpenOptions};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// So much tells how fast a download is, and waits in memory for it.
const SAMPLE: usize = 4 << 20;
/// A download that takes less for a sample is fast: over 10 MB/s.
const FAST: Duration = Duration::from_millis(400);
/// What nobody has come back for is deleted after that.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The line in front.
const MAX_HEAD: u64 = 64 << 10;
const CHUNK: usize = 256 << 10;
const PREFIX: &str = "part-";

#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// Without a password.
    url: String,
    /// Of the whole, in bytes.
    total: u64,
    version: Version,
}

/// The first bytes of an archive.
#[derive(Debug)]
pub(super) struct Kept {
    file: File,
    path: PathBuf,
    head: Head,
    /// Where its bytes begin in the file, and how many there are.
    begin: u64,
    length: u64,
}

impl Kept {
    /// What is kept of the archive at a URL.
    pub(super) fn find(directory: &Path, url: &str) -> Option<Self> {
        let path = path_of(directory, url);
        // It is ours, but a named pipe would wait for a writer all the same.
        fs_err::symlink_metadata(&path).ok().filter(|found| found.is_file())?;
        let file = OpenOptions::new().read(true).write(true).open(&path).ok()?;
        // Another process is at it.
        fs2::FileExt::try_lock_exclusive(file.file()).ok()?;
        let mut line = Vec::new();
        BufReader::new((&file).take(MAX_HEAD)).read_until(b'\n', &mut line).ok()?;
        let head: Head = serde_json::from_slice(&line).ok()?;
        let begin = line.len() as u64;
        let length = file.metadata().ok()?.len().saturating_sub(begin);
        // One byte at least is asked for.
        let length = length.min(head.total.saturating_sub(1));
        (head.url == url && length > 0).then_some(Self { file, path, head, begin, length })
    }

    /// How many bytes there are.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Of the whole, in bytes.
    pub(super) fn total(&self) -> u64 {
        self.head.total
    }

    pub(super) fn version(&self) -> &Version {
        &self.head.version
    }

    /// The bytes, and what keeps those that come behind them.
    pub(super) fn go_on(self) -> io::Result<(Beginning, Keeper)> {
        let Self { mut file, path, head: _, begin, length } = self;
        file.set_len(begin + length)?;
        let mut reading = File::open(&path)?;
        reading.seek(SeekFrom::Start(begin))?;
        file.seek(SeekFrom::End(0))?;
        let beginning = Beginning { file: reading, left: length };
        Ok((beginning, Keeper { path, state: State::Writing(file) }))
    }

    /// Deletes it.
    pub(super) fn forget(self) {
        let _ = fs_err::remove_file(&self.path);
    }
}

/// Bytes that were kept, on their way.
#[derive(Debug)]
pub(super) struct Beginning {
    file: File,
    left: u64,
}

impl Beginning {
    /// The next ones; `None` at their end.
    pub(super) fn chunk(&mut self) -> io::Result<Option<Bytes>> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut chunk = vec![0; CHUNK.min(usize::try_from(self.left).unwrap_or(CHUNK))];
        self.file.read_exact(&mut chunk)?;
        self.left -= chunk.len() as u64;
        Ok(Some(chunk.into()))
    }
}

/// Keeps what comes, if it comes slowly. What is kept is deleted with this, unless the
/// download broke off, or the process ends in the middle.
#[derive(Debug)]
pub(super) struct Keeper {
    path: PathBuf,
    state: State,
}

#[derive(Debug)]
enum State {
    /// How fast it is, is not known yet.
    Sampling {
        head: Head,
        begun: Instant,
        chunks: Vec<Bytes>,
        bytes: usize,
    },
    Writing(File),
    /// There is nothing to keep, or it stays.
    Done,
}

impl Keeper {
    /// For an archive of which nothing is kept yet.
    pub(super) fn new(directory: &Path, url: &str, total: u64, version: Version) -> Self {
        let head = Head { url: url.into(), total, version };
        let begun = Instant::now();
        let state = State::Sampling { head, begun, chunks: Vec::new(), bytes: 0 };
        Self { path: path_of(directory, url), state }
    }

    /// The next bytes. What cannot be kept costs time the next time and nothing else.
    pub(super) fn saw(&mut self, chunk: &Bytes) {
        match &mut self.state {
            State::Done => {}
            State::Writing(file) => {
                if file.write_all(chunk).is_err() {
                    self.forget();
                }
            }
            State::Sampling { head, begun, chunks, bytes } => {
                chunks.push(chunk.clone());
                *bytes += chunk.len();
                if begun.elapsed() >= FAST {
                    match begin(&self.path, head, chunks) {
                        Ok(file) => self.state = State::Writing(file),
                        Err(_) => self.forget(),
                    }
                } else if *bytes >= SAMPLE {
                    self.state = State::Done;
                }
            }
        }
    }

    /// The download broke off: what there is stays for the next try.
    pub(super) fn broke_off(&mut self) {
        self.state = State::Done;
    }

    fn forget(&mut self) {
        self.state = State::Done;
        let _ = fs_err::remove_file(&self.path);
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if matches!(self.state, State::Writing(_)) {
            self.forget();
        }
    }
}

/// Begins a file with what has come.
fn begin(path: &Path, head: &Head, chunks: &[Bytes]) -> io::Result<File> {
    let directory = path.parent().unwrap_or(path);
    fs_err::create_dir_all(directory)?;
    sweep(directory);
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    // Where another process keeps the same one, it is that one's.
    fs2::FileExt::try_lock_exclusive(file.file())?;
    file.set_len(0)?;
    let mut line = serde_json::to_vec(head)?;
    line.push(b'\n');
    file.write_all(&line)?;
    chunks.iter().try_for_each(|chunk| file.write_all(chunk))?;
    Ok(file)
}

impl Store {
    /// The files in which downloads are kept that were ended in the middle.
    #[must_use]
    pub fn kept_downloads(&self) -> Vec<PathBuf> {
        let entries = fs_err::read_dir(self.cache()).into_iter().flatten().flatten();
        let is_kept =
            |entry: &fs_err::DirEntry| entry.file_name().to_string_lossy().starts_with(PREFIX);
        entries.filter(is_kept).map(|entry| entry.path()).collect()
    }
}

/// Deletes what is kept of an archive.
pub(super) fn forget(directory: &Path, url: &str) {
    let _ = fs_err::remove_file(path_of(directory, url));
}

/// Deletes what nobody came back for.
fn sweep(directory: &Path) {
    for entry in fs_err::read_dir(directory).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().as_encoded_bytes().starts_with(PREFIX.as_bytes());
        let modified = entry.metadata().and_then(|found| found.modified());
        let is_old = modified.is_ok_and(|modified| {
            SystemTime::now().duration_since(modified).is_ok_and(|age| age > LIFETIME)
        });
        if is_ours && is_old {
            let _ = fs_err::remove_file(entry.path());
        }
    }
}

/// By the URL without its password.
fn path_of(directory: &Path, url: &str) -> PathBuf {
    let mut hasher = Hasher::default();
    hasher.update(url.as_bytes());
    directory.join(format!("{PREFIX}{}", &hasher.finish().to_string()[..16]))
}
