//! A module zip at a proxy that answers ranges, so that single files of it can be
//! had.

use super::http::{Http, HttpError};
use crate::archive::members::{self, Listing, Member};
use std::ops::Range;

/// The end of a zip that is asked for first: the list of the files of a release is
/// shorter.
const TAIL: u64 = 2 << 20;
/// What is fetched without need costs less than another request.
const GAP: u64 = 64 << 10;
/// What is held in memory at once; the compiler is the largest file.
const LONGEST: u64 = 32 << 20;

pub struct RangedZip<'a> {
    http: &'a Http,
    url: String,
    size: u64,
}

impl<'a> RangedZip<'a> {
    /// `None` where there is no such file, or no ranges of it.
    pub(super) fn open(http: &'a Http, url: String) -> Option<Self> {
        let response = http.get_range(&url, 0, 0).ok()?;
        let size = response.total.filter(|_| response.status == 206)?;
        Some(Self { http, url, size })
    }

    /// Of the whole zip, in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The files that it lists.
    ///
    /// # Errors
    /// A clause that says why there is no list.
    pub fn members(&self) -> Result<Vec<Member>, String> {
        let mut from = self.size.saturating_sub(TAIL);
        loop {
            let tail = self.read(from..self.size).map_err(|error| error.to_string())?;
            match members::list(self.size, tail).map_err(|error| error.to_string())? {
                Listing::Whole(members) => return Ok(members),
                // A list that long is none of Go's.
                Listing::From(earlier) if self.size - earlier <= LONGEST => from = earlier,
                Listing::From(_) => return Err("its list of files is too long".into()),
            }
        }
    }

    /// Fetches files, in few requests, and hands each one over.
    ///
    /// # Errors
    /// A clause that says why, or what `each` says.
    pub fn fetch<'m, E: From<String>>(
        &self,
        members: &[&'m Member],
        advance: &dyn Fn(u64),
        mut each: impl FnMut(&'m Member, Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut members = members.to_vec();
        members.sort_by_key(|member| member.span.start);
        let spans: Vec<_> = members.iter().map(|member| member.span.clone()).collect();
        let mut members = members.into_iter().peekable();
        for range in members::coalesce(&spans, GAP, LONGEST) {
            let bytes = self.read(range.clone()).map_err(|error| error.to_string())?;
            advance(bytes.len() as u64);
            while let Some(member) = members.next_if(|member| member.span.end <= range.end) {
                let at = |place: u64| (place - range.start) as usize;
                let own = &bytes[at(member.span.start)..at(member.span.end)];
                each(member, member.unpack(own).map_err(|error| error.to_string())?)?;
            }
        }
        Ok(())
    }

    fn read(&self, range: Range<u64>) -> Result<Vec<u8>, HttpError> {
        let length = range.end - range.start;
        let response = self.http.get_range(&self.url, range.start, range.end.saturating_sub(1))?;
        let odd =
            |what: String| HttpError::new(format!("it answered a part of a file with {what}"));
        if response.status != 206 || response.total != Some(self.size) {
            return Err(odd(format!("status {}", response.status)));
        }
        let bytes = response.bytes(length as usize)?;
        if bytes.len() as u64 != length {
            return Err(odd(format!("{} bytes in place of {length}", bytes.len())));
        }
        Ok(bytes)
    }
}
