//! An offer becomes a tree in staging that has the published digest.
//!
//! Four threads, so that download, digest, inflating, writing and the h1 overlap:
//! this one receives and hashes the archive, one unpacks it, one writes the files
//! and one hashes them ([`super::tree`]). Between them are bounded queues, so memory
//! stays small whatever the archive says.

use super::places::Places;
use super::tree::{self, Files, join};
use crate::archive::{self, ArchiveError, ChunkReader};
use crate::error::Code;
use crate::path::display;
use crate::source::http::HttpError;
use crate::source::{Failure, Offer, Shape};
use crate::store::share::Neighbour;
use crate::store::{Evidence, Origin};
use crate::trust::h1;
use crate::trust::sha256::{Hasher, Sha256};
use crate::ui::{self, Ui};
use bytes::Bytes;
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

/// Chunks of the archive that may wait to be unpacked.
const ARCHIVE_QUEUE: usize = 16;

/// A tree in staging, not yet believed.
pub(crate) struct Unpacked {
    pub(crate) tree: h1::Tree,
    pub(super) files: u64,
    pub(super) bytes: u64,
    pub(super) shape: Shape,
    pub(super) origin: Origin,
    pub(super) evidence: Evidence,
    /// It has the digest that its own server publishes, which nobody vouches for.
    pub(super) has_mirror_digest: bool,
}

/// Receives an archive into `goroot`, and holds it against its published digest
/// and size. Files that the neighbour has too are shared with it.
pub(crate) fn receive(
    mut offer: Offer,
    goroot: &Path,
    neighbour: Option<&Neighbour>,
    ui: &Ui,
) -> Result<Unpacked, Failure> {
    if offer.response.is_html() {
        return Err(Failure::refused("it sent a web page in place of an archive"));
    }
    let label = offer.url.rsplit('/').next().unwrap_or_default();
    let label = display(label.as_bytes()).to_string();
    let total = offer.size.or(offer.response.length);
    if offer.response.kept > 0 {
        let kept = ui::bytes(offer.response.kept);
        ui.say(format_args!("going on with an earlier download, of which {kept} are here"));
    }
    let doing = if offer.source == "file" { "unpacking" } else { "downloading" };
    let progress = ui.progress(doing, short(&label), total);

    let (chunks, archive_queue) = sync_channel::<Bytes>(ARCHIVE_QUEUE);
    let (format, shape, vouched) = (offer.format, offer.shape.clone(), offer.vouched);
    let unpack = move |files: &mut Files| {
        let mut places = Places { shape, files, only_recorded: !vouched };
        archive::unpack(format, ChunkReader::new(archive_queue), &mut places)?;
        Ok::<Shape, ArchiveError>(places.shape)
    };
    let (transfer, (written, unpacked)) = thread::scope(|scope| {
        let unpacking = scope.spawn(|| tree::write(goroot, neighbour, unpack));
        let transfer = transfer(&mut offer, chunks, |bytes| progress.advance(bytes));
        (transfer, join(unpacking))
    });
    drop(progress);

    // The first cause counts: without the disk nothing goes on, and whatever
    // came of an archive that broke off or was altered is its consequence.
    let written = written?;
    let transfer = transfer.map_err(|error| Failure::Source(Code::Network, error.to_string()))?;
    if let Transfer::Complete { digest, size } = &transfer {
        if let Some(expected) = offer.size.filter(|expected| expected != size) {
            return Err(Failure::refused(format!(
                "{label} has {size} bytes and should have {expected}"
            )));
        }
        if let Some(expected) = offer.sha256.filter(|expected| expected != digest) {
            return Err(Failure::refused(format!(
                "{label} is not what was published: its sha256 is {digest} and should be {expected}"
            )));
        }
    }
    let shape = match unpacked {
        Ok(shape) => shape,
        Err(ArchiveError::Sink(error)) => return Err(error.into()),
        Err(error) => return Err(Failure::refused(error.to_string())),
    };
    let Transfer::Complete { digest, size } = transfer else {
        return Err(Failure::refused("the archive goes on after its end"));
    };
    let is_vouched = offer.vouched && offer.sha256.is_some();
    let evidence = if is_vouched { Evidence::PublishedSha256 } else { Evidence::None };
    Ok(Unpacked {
        tree: written.tree,
        files: written.files,
        bytes: written.bytes,
        shape,
        origin: Origin {
            source: offer.source.into(),
            url: offer.url,
            sha256: Some(digest.to_string()),
            size,
            parts: None,
        },
        evidence,
        has_mirror_digest: offer.sha256.is_some() && !offer.vouched,
    })
}

/// A file's name as people know the release: `go1.22.4.linux-amd64`.
fn short(name: &str) -> &str {
    let name = name.strip_prefix("v0.0.1-").unwrap_or(name);
    name.strip_suffix(".tar.gz").or_else(|| name.strip_suffix(".zip")).unwrap_or(name)
}

enum Transfer {
    Complete {
        digest: Sha256,
        size: u64,
    },
    /// The unpacker had enough before the end, and says why.
    Unwanted,
}

/// Passes the body on to the unpacker and hashes it.
fn transfer(
    offer: &mut Offer,
    chunks: SyncSender<Bytes>,
    advance: impl Fn(u64),
) -> Result<Transfer, HttpError> {
    let mut hasher = Hasher::default();
    let mut size = 0;
    let mut is_wanted = true;
    while let Some(chunk) = offer.response.chunk()? {
        advance(chunk.len() as u64);
        hasher.update(&chunk);
        size += chunk.len() as u64;
        if is_wanted && chunks.send(chunk).is_err() {
            is_wanted = false;
            // The digest of the whole tells an altered archive from a damaged one.
            if offer.sha256.is_none() || offer.size.is_none() {
                return Ok(Transfer::Unwanted);
            }
        }
        if offer.size.is_some_and(|expected| size > expected) {
            break;
        }
    }
    Ok(Transfer::Complete { digest: hasher.finish(), size })
}
