//! A module zip at a proxy that answers ranges, so that single files of it can be
//! had.

use super::http::{self, Http, HttpError, Response};
use crate::archive::members::{self, Listing, Member};
use crate::archive::{ArchiveError, ChunkReader};
use bytes::Bytes;
use std::cell::Cell;
use std::io::{self, Read};
use std::ops::Range;
use std::sync::mpsc::sync_channel;
use std::thread;

/// The end of a zip that is asked for first: the list of the files of a release is
/// shorter.
pub(super) const TAIL: u64 = 2 << 20;
/// What is fetched without need costs less than another request.
const GAP: u64 = 64 << 10;
/// The longest list of files that is read: none of Go's is.
const LONGEST_LIST: u64 = 32 << 20;
/// Chunks that may wait to be unpacked.
const QUEUE: usize = 64;

pub struct RangedZip<'a> {
    http: &'a Http,
    url: String,
    size: u64,
    /// Its last bytes.
    tail: Vec<u8>,
    fetched: Cell<u64>,
}

/// Why files of a zip could not be had.
#[derive(Debug)]
pub enum Unfetched {
    /// A clause about what was sent.
    Sent(String),
    /// They cannot be written.
    Here(io::Error),
}

impl<'a> RangedZip<'a> {
    /// The zip whose end was asked for, by what was answered; `None` where that is
    /// something else.
    pub(super) fn of(http: &'a Http, url: &str, answer: Response) -> Option<Self> {
        let size = answer.total.filter(|_| answer.status == 206)?;
        let tail = answer.bytes(TAIL as usize).ok()?;
        let fetched = Cell::new(tail.len() as u64);
        let is_all = tail.len() as u64 == size.min(TAIL);
        is_all.then(|| Self { http, url: url.into(), size, tail, fetched })
    }

    /// Of the whole zip, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Without a password.
    #[must_use]
    pub fn url(&self) -> String {
        http::shown(&self.url)
    }

    /// How many bytes of it were fetched so far.
    #[must_use]
    pub fn fetched(&self) -> u64 {
        self.fetched.get()
    }

    /// The files that it lists.
    ///
    /// # Errors
    /// A clause that says why there is no list.
    pub fn members(&self) -> Result<Vec<Member>, String> {
        let mut tail = self.tail.clone();
        loop {
            match members::list(self.size, tail).map_err(|error| error.to_string())? {
                Listing::Whole(members) => return Ok(members),
                Listing::From(from) if self.size - from <= LONGEST_LIST => {
                    let mut longer = Vec::new();
                    let whole = from..self.size;
                    self.read(&[whole], &|_| {}, |bytes| {
                        longer.extend_from_slice(&bytes);
                        true
                    })
                    .map_err(|error| error.to_string())?;
                    tail = longer;
                }
                Listing::From(_) => return Err("its list of files is too long".into()),
            }
        }
    }

    /// How many bytes [`RangedZip::fetch`] would fetch for these files.
    #[must_use]
    pub fn cost(members: &[&Member]) -> u64 {
        ranges(&sorted(members)).iter().map(|range| range.end - range.start).sum()
    }

    /// Fetches files, in few requests, and hands each one over, which happens in
    /// another thread, while the bytes arrive. `each` reads a file to its end.
    ///
    /// # Errors
    /// Of what was sent, or of `each`.
    pub fn fetch<'m>(
        &self,
        members: &[&'m Member],
        advance: &dyn Fn(u64),
        each: impl FnMut(&'m Member, &mut dyn Read) -> Result<(), ArchiveError> + Send,
    ) -> Result<(), Unfetched> {
        let members = sorted(members);
        let ranges = ranges(&members);
        let (chunks, queue) = sync_channel::<Bytes>(QUEUE);
        let (sent, unpacked) = thread::scope(|scope| {
            let (ranges, members) = (&ranges, &members);
            let unpacking = scope
                .spawn(move || members::unpack(ranges, members, ChunkReader::new(queue), each));
            let sent = self.read(ranges, advance, |chunk| chunks.send(chunk).is_ok());
            drop(chunks);
            let unpacked = unpacking.join();
            (sent, unpacked.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        });
        // The first cause counts: what broke off cannot be unpacked.
        match (sent, unpacked) {
            (_, Err(ArchiveError::Sink(error))) => Err(Unfetched::Here(error)),
            (Err(error), _) => Err(Unfetched::Sent(error.to_string())),
            (Ok(()), Err(error)) => Err(Unfetched::Sent(error.to_string())),
            (Ok(()), Ok(())) => Ok(()),
        }
    }

    /// Hands over the bytes of these ranges, as long as they are wanted.
    fn read(
        &self,
        ranges: &[Range<u64>],
        advance: &dyn Fn(u64),
        mut each: impl FnMut(Bytes) -> bool,
    ) -> Result<(), HttpError> {
        let odd =
            |what: String| HttpError::new(format!("it answered a part of a file with {what}"));
        let answers = self.http.get_ranges(&self.url, ranges.to_vec());
        for (range, answer) in ranges.iter().zip(answers) {
            let (mut answer, length) = (answer?, range.end - range.start);
            if answer.status != 206 || answer.total != Some(self.size) {
                return Err(odd(format!("status {}", answer.status)));
            }
            let mut got = 0;
            while let Some(chunk) = answer.chunk()? {
                got += chunk.len() as u64;
                self.fetched.set(self.fetched.get() + chunk.len() as u64);
                if got > length {
                    break;
                }
                advance(chunk.len() as u64);
                if !each(chunk) {
                    return Ok(());
                }
            }
            if got != length {
                return Err(odd(format!("{got} bytes in place of {length}")));
            }
        }
        Ok(())
    }
}

fn sorted<'m>(members: &[&'m Member]) -> Vec<&'m Member> {
    let mut members = members.to_vec();
    members.sort_by_key(|member| member.span.start);
    members
}

fn ranges(members: &[&Member]) -> Vec<Range<u64>> {
    let spans: Vec<_> = members.iter().map(|member| member.span.clone()).collect();
    members::coalesce(&spans, GAP)
}
