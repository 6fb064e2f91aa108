//! The body of an answer over HTTP, on its way. When it breaks off, what is missing is
//! asked for (RFC 9110, 13.1.5 and 14); whether all of it is then right, the digest of
//! the whole shows.

use super::http::{Http, HttpError, Part, TriedAgain};
use super::patience::Pace;
use bytes::{Buf, Bytes};
use reqwest::header::{self, HeaderMap};
use reqwest::{RequestBuilder, StatusCode, Url};
use serde::{Deserialize, Serialize};
use std::time::Instant;

pub(super) struct Transfer {
    answer: reqwest::Response,
    url: Url,
    /// Which bytes of the whole these are, both ends included.
    range: Option<(u64, u64)>,
    version: Version,
    /// Of the body, where the server says it.
    length: Option<u64>,
    received: u64,
    /// What still comes a second time.
    again: u64,
    /// How often it broke off with nothing having come since.
    in_a_row: u32,
    pace: Pace,
}

/// Which version of a file a server sends.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Version {
    etag: Option<String>,
    last_modified: Option<String>,
}

impl Version {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(Into::into);
        Self { etag: text(header::ETAG), last_modified: text(header::LAST_MODIFIED) }
    }

    /// A part may come without what its whole came with.
    pub(super) fn is_other_than(&self, first: &Self) -> bool {
        let differs = |a: &Option<String>, b: &Option<String>| {
            a.as_ref().zip(b.as_ref()).is_some_and(|(a, b)| a != b)
        };
        differs(&self.etag, &first.etag) || differs(&self.last_modified, &first.last_modified)
    }

    /// Makes a question one for a part, of this version where the server tells it. Many
    /// module proxies tell none: their files have one length, and in the end one digest.
    pub(super) fn part_of(&self, request: RequestBuilder, range: String) -> RequestBuilder {
        let request = request.header(header::RANGE, range);
        match self.validator() {
            Some(validator) => request.header(header::IF_RANGE, validator),
            None => request,
        }
    }

    /// What If-Range may name: a weak ETag does not tell one byte from another.
    fn validator(&self) -> Option<&str> {
        match &self.etag {
            Some(etag) if etag.starts_with("W/") => None,
            Some(etag) => Some(etag),
            None => self.last_modified.as_deref(),
        }
    }
}

/// Where the bytes of a part are in the whole: the first one, and how many the whole
/// has (`bytes 5-9/100`; RFC 9110, 14.4).
pub(super) fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let text = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (span, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    Some((span.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}

impl Transfer {
    /// The body of an answer to a question for a URL, or for a part of it.
    pub(super) fn new(answer: reqwest::Response, url: Url, part: Part) -> Self {
        let range = match part {
            _ if answer.status() != StatusCode::PARTIAL_CONTENT => None,
            Part::Whole => None,
            Part::Span(first, last) => Some((first, last)),
            Part::Tail(_) => match content_range(answer.headers()) {
                Some((first, Some(total))) => Some((first, total.saturating_sub(1))),
                _ => None,
            },
        };
        Self {
            version: Version::of(answer.headers()),
            length: answer.content_length(),
            range,
            answer,
            url,
            received: 0,
            again: 0,
            in_a_row: 0,
            pace: Pace::default(),
        }
    }

    pub(super) fn version(&self) -> &Version {
        &self.version
    }

    /// Whether reading all of an answer of at most `limit` bytes takes too long.
    pub(super) fn is_overdue(&self, limit: usize) -> bool {
        self.pace.is_overdue(limit)
    }

    /// The next part of the body; `None` at its end.
    ///
    /// # Errors
    /// It broke off, and the rest cannot be had.
    pub(super) fn chunk(&mut self, http: &Http) -> Result<Option<Bytes>, HttpError> {
        loop {
            match self.read(http) {
                Ok(None) if self.again > 0 => return Err(self.changed()),
                Ok(None) => return Ok(None),
                Ok(Some(mut chunk)) => {
                    let known = self.again.min(chunk.len() as u64);
                    self.again -= known;
                    chunk.advance(known as usize);
                    if !chunk.is_empty() {
                        self.received += chunk.len() as u64;
                        self.in_a_row = 0;
                        return Ok(Some(chunk));
                    }
                }
                Err(why) => self.go_on(http, why)?,
            }
        }
    }

    fn read(&mut self, http: &Http) -> Result<Option<Bytes>, HttpError> {
        let begin = Instant::now();
        let read = http.wait_for(async { self.answer.chunk().await })?;
        let length = read.as_ref().ok().and_then(Option::as_ref).map_or(0, Bytes::len);
        if !self.pace.goes_on(length as u64, begin.elapsed()) {
            return Err(self.broke_off("it sends less than 1 kB a second"));
        }
        read.map_err(|error| {
            let why = super::http::sentence(&error);
            HttpError::passing(self.broke_off(why).to_string())
        })
    }

    /// Asks for what has not come yet.
    ///
    /// # Errors
    /// `why` it broke off, or why there is no rest of it.
    fn go_on(&mut self, http: &Http, why: HttpError) -> Result<(), HttpError> {
        let mut asked = None;
        while why.is_passing && http.tries_again(self.in_a_row, asked) {
            self.in_a_row += 1;
            let first = self.range.map_or(0, |(first, _)| first) + self.received;
            let last = self.range.map(|(_, last)| last.to_string()).unwrap_or_default();
            let range = format!("bytes={first}-{last}");
            let answer = http.send(&self.url, |request| self.version.part_of(request, range));
            let answer = match answer {
                Ok(answer) => answer,
                // Whoever sent the beginning may be back in a moment.
                Err(_) => continue,
            };
            if let TriedAgain::Later(pause) = TriedAgain::of(&answer) {
                asked = pause;
                continue;
            }
            self.again = match (answer.status(), content_range(answer.headers())) {
                (StatusCode::PARTIAL_CONTENT, Some((begin, _))) if begin == first => 0,
                // It knows no ranges and sends all of it once more.
                (StatusCode::OK, _) if self.range.is_none() => self.received,
                _ => return Err(self.changed()),
            };
            let rest = self.length.map(|all| all.saturating_sub(self.received) + self.again);
            let has_another_length = rest.zip(answer.content_length()).is_some_and(|(a, b)| a != b);
            if has_another_length || Version::of(answer.headers()).is_other_than(&self.version) {
                return Err(self.changed());
            }
            self.answer = answer;
            return Ok(());
        }
        Err(why)
    }

    fn broke_off(&self, why: impl std::fmt::Display) -> HttpError {
        let of = self.length.map_or_else(String::new, |all| format!(" of {all}"));
        let received = self.received;
        HttpError::new(format!("the transfer broke off after {received}{of} bytes: {why}"))
    }

    fn changed(&self) -> HttpError {
        self.broke_off("what is there now is another file")
    }
}
