//! Bytes by URL: `https`, `http` and `file`.

use super::forward::{self, Forward};
use super::kept::{self, Beginning, Keeper, Kept};
use super::patience::Patience;
use super::tls;
use super::transfer::{Transfer, content_range};
use crate::config::Offline;
use crate::error::Result as Settled;
use bytes::Bytes;
use reqwest::{RequestBuilder, StatusCode, Url, header, redirect};
use std::cell::OnceCell;
use std::collections::VecDeque;
use std::fmt;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;
use std::vec;

/// Long enough for a slow network, short enough to go on to the next source.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two reads, not in all: toolchains are large.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_REDIRECTS: usize = 10;
const FILE_CHUNK: usize = 256 << 10;
/// Parts of a body that are asked for at once. What comes of those whose turn it is
/// not waits in the buffers of their connections.
const IN_FLIGHT: usize = 4;

/// Why a URL gave nothing, in a clause that goes behind its host.
#[derive(Debug, Clone)]
pub struct HttpError {
    why: String,
    /// It may be better the next time.
    pub(super) is_passing: bool,
}

impl HttpError {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_passing: false }
    }

    /// One that may not be there the next time.
    pub(super) fn passing(why: impl Into<String>) -> Self {
        Self { why: why.into(), is_passing: true }
    }
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for HttpError {}

/// Makes requests, by default each of them once. Nothing is set up before the first.
#[derive(Default)]
pub struct Http {
    /// What keeps it to files.
    offline: Option<Offline>,
    patience: Patience,
    /// Where what came of an archive is kept.
    keeping_in: Option<PathBuf>,
    connection: OnceCell<Settled<(tokio::runtime::Runtime, reqwest::Client)>>,
}

/// An answer whose body has not been read yet.
pub struct Response<'a> {
    http: &'a Http,
    pub status: u16,
    /// Of the body, where the server says it.
    pub length: Option<u64>,
    /// Of the whole file, where this is a part of it (RFC 9110, 14.4).
    pub total: Option<u64>,
    pub content_type: String,
    pub etag: Option<String>,
    /// How many bytes an earlier download has left, which come first.
    pub kept: u64,
    beginning: Option<Beginning>,
    keeper: Option<Keeper>,
    body: Body,
    received: u64,
    /// What may still be read of a file.
    left: u64,
}

enum Body {
    Http(Box<Transfer>),
    File(fs_err::File),
    None,
}

impl Http {
    #[must_use]
    pub fn new(offline: Option<Offline>) -> Self {
        Self { offline, patience: Patience::of_a_command(), ..Self::default() }
    }

    /// Keeps what comes of an archive in a directory until all of it is there.
    #[must_use]
    pub fn keeping_in(self, directory: PathBuf) -> Self {
        Self { keeping_in: Some(directory), ..self }
    }

    /// As [`Http::get`], for an archive: what an earlier download has left comes first,
    /// and only the rest is asked for.
    ///
    /// # Errors
    /// As [`Http::get`].
    pub fn get_archive(&self, url: &str) -> Result<Response<'_>, HttpError> {
        let Some(directory) = &self.keeping_in else { return self.get(url, None) };
        let named = shown(url);
        let mut response = match Kept::find(directory, &named) {
            Some(kept) => self.get_rest(url, kept)?,
            None => self.get(url, None)?,
        };
        if let (200, None, Body::Http(transfer), Some(total)) =
            (response.status, &response.keeper, &response.body, response.length)
        {
            let version = transfer.version().clone();
            response.keeper = Some(Keeper::new(directory, &named, total, version));
        }
        Ok(response)
    }

    /// The rest of an archive behind what is kept; all of it, where there is another
    /// one now or the server knows no ranges.
    fn get_rest(&self, url: &str, kept: Kept) -> Result<Response<'_>, HttpError> {
        let (first, last) = (kept.length(), kept.total() - 1);
        let part = Part::Span(first, last);
        let mut response =
            self.ask(url, part, |request| kept.version().part_of(request, part.to_string()))?;
        let is_rest = response.status == 206
            && response.total == Some(kept.total())
            && response.length == Some(kept.total() - first)
            && matches!(&response.body, Body::Http(transfer)
                if !transfer.version().is_other_than(kept.version()));
        if !is_rest {
            kept.forget();
            return if response.status == 200 { Ok(response) } else { self.get(url, None) };
        }
        response.status = 200;
        response.length = Some(kept.total());
        response.kept = first;
        let (beginning, keeper) = kept.go_on().map_err(|e| HttpError::new(e.to_string()))?;
        (response.beginning, response.keeper) = (Some(beginning), Some(keeper));
        Ok(response)
    }

    /// Forgets what is kept of an archive, by its URL without a password.
    pub(super) fn forget(&self, url: &str) {
        if let Some(directory) = &self.keeping_in {
            kept::forget(directory, url);
        }
    }

    /// Asks for a URL. An answer of whatever status is a [`Response`]; a file
    /// that is not there is a 404.
    ///
    /// # Errors
    /// There is no answer.
    pub fn get(&self, url: &str, etag: Option<&str>) -> Result<Response<'_>, HttpError> {
        self.ask(url, Part::Whole, |request| match etag {
            Some(etag) => request.header(header::IF_NONE_MATCH, etag),
            None => request,
        })
    }

    /// Asks for a part of a body, both ends included. A server that knows ranges
    /// answers 206, another one 200 with all of it; a file answers 206.
    ///
    /// # Errors
    /// As [`Http::get`].
    pub fn get_range(&self, url: &str, first: u64, last: u64) -> Result<Response<'_>, HttpError> {
        self.get_part(url, Part::Span(first, last))
    }

    /// Asks for the last bytes of a body, `length` of them if it has as many; answers
    /// are those of [`Http::get_range`].
    ///
    /// # Errors
    /// As [`Http::get`].
    pub fn get_tail(&self, url: &str, length: u64) -> Result<Response<'_>, HttpError> {
        self.get_part(url, Part::Tail(length))
    }

    /// Asks for parts of a body. Their answers are those of [`Http::get_range`], in
    /// their order; the next ones are asked for before the first one has been read, so
    /// that not each of them costs the time of a round trip.
    pub fn get_ranges(&self, url: &str, ranges: Vec<Range<u64>>) -> Ranges<'_> {
        let ranges = ranges.into_iter();
        Ranges { http: self, url: url.into(), ranges, under_way: VecDeque::new() }
    }

    fn get_part(&self, url: &str, part: Part) -> Result<Response<'_>, HttpError> {
        let mut response =
            self.ask(url, part, |request| request.header(header::RANGE, part.to_string()))?;
        if let Body::File(file) = &mut response.body {
            let all = response.length.unwrap_or_default();
            let part = part.of(all);
            file.seek(SeekFrom::Start(part.start)).map_err(|e| HttpError::new(e.to_string()))?;
            response.status = if part.is_empty() { 416 } else { 206 };
            response.total = response.length;
            response.left = part.end.saturating_sub(part.start);
            response.length = Some(response.left);
        }
        Ok(response)
    }

    fn ask(
        &self,
        url: &str,
        part: Part,
        with: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response<'_>, HttpError> {
        let parsed = Url::parse(url).map_err(|_| HttpError::new("that is no URL"))?;
        match parsed.scheme() {
            "file" => self.open_file(&parsed),
            "http" | "https" => self.request(&parsed, part, with),
            scheme => Err(HttpError::new(format!("{scheme}:// is no way to download"))),
        }
    }

    fn open_file(&self, url: &Url) -> Result<Response<'_>, HttpError> {
        let path = url.to_file_path().map_err(|()| HttpError::new("that names no file"))?;
        let mut response = Response {
            http: self,
            status: 200,
            length: None,
            total: None,
            content_type: String::new(),
            etag: None,
            kept: 0,
            beginning: None,
            keeper: None,
            body: Body::None,
            received: 0,
            left: u64::MAX,
        };
        match fs_err::File::open(&path).and_then(|file| Ok((file.metadata()?, file))) {
            Ok((metadata, file)) if metadata.is_file() => {
                response.length = Some(metadata.len());
                response.body = Body::File(file);
            }
            Ok(_) => response.status = 404,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => response.status = 404,
            Err(error) => return Err(HttpError::new(error.to_string())),
        }
        Ok(response)
    }

    /// Asks, and again where that may help. The `part` is that of `with`.
    fn request(
        &self,
        url: &Url,
        part: Part,
        with: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<Response<'_>, HttpError> {
        let mut before = 0;
        let mut answer = self.send(url, &with);
        loop {
            let pause = match &answer {
                Err(error) if error.is_passing => None,
                Ok(answer) => match TriedAgain::of(answer) {
                    TriedAgain::Later(pause) => pause,
                    TriedAgain::Never => break,
                },
                Err(_) => break,
            };
            if !self.tries_again(before, pause) {
                break;
            }
            before += 1;
            answer = self.send(url, &with);
        }
        self.answered(answer?, url, part)
    }

    fn answered(
        &self,
        answer: reqwest::Response,
        url: &Url,
        part: Part,
    ) -> Result<Response<'_>, HttpError> {
        if let Some(why) = forward::refusal(url, answer.status().as_u16()) {
            return Err(HttpError::new(why));
        }
        let header = |name| {
            answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_string)
        };
        Ok(Response {
            http: self,
            status: answer.status().as_u16(),
            length: answer.content_length(),
            total: content_range(answer.headers()).and_then(|(_, total)| total),
            content_type: header(header::CONTENT_TYPE).unwrap_or_default(),
            etag: header(header::ETAG),
            kept: 0,
            beginning: None,
            keeper: None,
            body: Body::Http(Box::new(Transfer::new(answer, url.clone(), part))),
            received: 0,
            left: u64::MAX,
        })
    }

    /// Asks once.
    pub(super) fn send(
        &self,
        url: &Url,
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<reqwest::Response, HttpError> {
        let (_, client) = self.connection()?;
        let request = with(client.get(url.clone()));
        self.wait_for(async { request.send().await })?.map_err(|error| sentence(&error))
    }

    /// # Errors
    /// There is no connection to wait for.
    pub(super) fn wait_for<T>(&self, answer: impl Future<Output = T>) -> Result<T, HttpError> {
        Ok(self.connection()?.0.block_on(answer))
    }

    /// Waits until a question may be put again, which `before` times in a row was of
    /// no use; `false` when it was put often enough.
    pub(super) fn tries_again(&self, before: u32, asked: Option<Duration>) -> bool {
        self.patience.wait(before, asked)
    }

    fn connection(&self) -> Result<&(tokio::runtime::Runtime, reqwest::Client), HttpError> {
        // Nobody sends anything without a connection.
        if let Some(offline) = self.offline {
            return Err(HttpError::new(offline.to_string()));
        }
        let connection = self.connection.get_or_init(connect).as_ref();
        connection.map_err(|error| HttpError::new(error.message()))
    }

    /// The error when nothing can be asked, of anybody, for a setting that cannot be
    /// used. It is known once something was to be asked.
    pub(super) fn usable(&self) -> Settled<()> {
        match self.connection.get() {
            Some(Err(error)) => Err(error.clone()),
            _ => Ok(()),
        }
    }
}

/// Which bytes of a body are asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Whole,
    /// The first and the last one, both included.
    Span(u64, u64),
    /// So many, at its end.
    Tail(u64),
}

impl Part {
    /// Where it is in a body of that length.
    fn of(self, length: u64) -> Range<u64> {
        match self {
            Self::Whole => 0..length,
            Self::Span(first, last) => first..length.min(last.saturating_add(1)),
            Self::Tail(most) => length.saturating_sub(most)..length,
        }
    }
}

/// As the header Range has it (RFC 9110, 14.2).
impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("bytes=0-"),
            Self::Span(first, last) => write!(f, "bytes={first}-{last}"),
            Self::Tail(length) => write!(f, "bytes=-{length}"),
        }
    }
}

/// Parts of a body, see [`Http::get_ranges`].
pub struct Ranges<'a> {
    http: &'a Http,
    url: String,
    ranges: vec::IntoIter<Range<u64>>,
    under_way: VecDeque<(Part, tokio::task::JoinHandle<reqwest::Result<reqwest::Response>>)>,
}

impl<'a> Ranges<'a> {
    fn ask(&mut self) -> Result<Option<Response<'a>>, HttpError> {
        let http = self.http;
        let parsed = Url::parse(&self.url).ok();
        let url = parsed.filter(|url| matches!(url.scheme(), "http" | "https"));
        let Some(url) = url else {
            let next = self.ranges.next().map(part_of);
            return next.map(|part| http.get_part(&self.url, part)).transpose();
        };
        let (runtime, client) = http.connection()?;
        while self.under_way.len() < IN_FLIGHT
            && let Some(part) = self.ranges.next().map(part_of)
        {
            let request = client.get(url.clone()).header(header::RANGE, part.to_string());
            self.under_way.push_back((part, runtime.spawn(async { request.send().await })));
        }
        let Some((part, first)) = self.under_way.pop_front() else { return Ok(None) };
        let answer = runtime.block_on(first).map_err(|error| HttpError::new(error.to_string()))?;
        let may_try_again = match &answer {
            Ok(answer) => matches!(TriedAgain::of(answer), TriedAgain::Later(_)),
            Err(error) => sentence(error).is_passing,
        };
        if may_try_again {
            return http.get_part(&self.url, part).map(Some);
        }
        http.answered(answer.map_err(|error| sentence(&error))?, &url, part).map(Some)
    }
}

fn part_of(range: Range<u64>) -> Part {
    Part::Span(range.start, range.end - 1)
}

impl<'a> Iterator for Ranges<'a> {
    type Item = Result<Response<'a>, HttpError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.ask().transpose()
    }
}

impl Drop for Ranges<'_> {
    fn drop(&mut self) {
        // What nobody reads is not to be sent.
        self.under_way.iter().for_each(|(_, answer)| answer.abort());
    }
}

fn connect() -> Settled<(tokio::runtime::Runtime, reqwest::Client)> {
    // Fails when one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("gvm/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .redirect(redirect::Policy::custom(follow));
    if let Some(proxy) = Forward::from_environment()?.proxy() {
        builder = builder.proxy(proxy);
    }
    let client = tls::client(builder)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok((runtime, client))
}

/// Follows redirects, but never from TLS to plain text.
fn follow(attempt: redirect::Attempt) -> redirect::Action {
    let was_secure = attempt.previous().last().is_some_and(|url| url.scheme() == "https");
    if attempt.previous().len() > MAX_REDIRECTS {
        attempt.error("it redirects in circles")
    } else if !matches!(attempt.url().scheme(), "http" | "https")
        || was_secure && attempt.url().scheme() != "https"
    {
        attempt.error("it redirects to an address without TLS")
    } else {
        attempt.follow()
    }
}

impl Response<'_> {
    /// The next part of the body; `None` at its end.
    ///
    /// # Errors
    /// The connection broke, or the server stopped before the length it had told.
    pub fn chunk(&mut self) -> Result<Option<Bytes>, HttpError> {
        let kept = self.beginning.as_mut().map(Beginning::chunk).transpose();
        if let Some(chunk) = kept.map_err(|e| HttpError::new(e.to_string()))?.flatten() {
            self.received += chunk.len() as u64;
            return Ok(Some(chunk));
        }
        let chunk = match &mut self.body {
            Body::None => None,
            Body::File(file) => {
                let mut buffer =
                    vec![0; FILE_CHUNK.min(self.left.try_into().unwrap_or(FILE_CHUNK))];
                let length = file.read(&mut buffer).map_err(|e| HttpError::new(e.to_string()))?;
                buffer.truncate(length);
                self.left -= length as u64;
                (length > 0).then(|| Bytes::from(buffer))
            }
            Body::Http(transfer) => {
                let chunk = transfer.chunk(self.http);
                match (&mut self.keeper, &chunk) {
                    (Some(keeper), Ok(Some(chunk))) => keeper.saw(chunk),
                    (Some(keeper), Err(_)) => keeper.broke_off(),
                    // All of it is there, whatever it is.
                    (keeper, Ok(None)) => drop(keeper.take()),
                    (None, _) => {}
                }
                chunk?
            }
        };
        self.received += chunk.as_ref().map_or(0, |chunk| chunk.len() as u64);
        Ok(chunk)
    }

    /// The whole body, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// As [`Response::chunk`], or it is larger.
    pub fn bytes(mut self, limit: usize) -> Result<Vec<u8>, HttpError> {
        let mut body = Vec::new();
        while let Some(chunk) = self.chunk()? {
            body.extend_from_slice(&chunk);
            if body.len() > limit {
                return Err(HttpError::new(format!("the answer is larger than {limit} bytes")));
            }
            if let Body::Http(transfer) = &self.body
                && transfer.is_overdue(limit)
            {
                return Err(HttpError::new("it does not send its answer in time"));
            }
        }
        Ok(body)
    }

    /// Whether it is a page for people, as a proxy's login is.
    #[must_use]
    pub fn is_html(&self) -> bool {
        self.content_type.starts_with("text/html")
    }

    /// What the server says about a status that is not 200: its own sentence,
    /// where it sent one as plain text.
    #[must_use]
    pub fn refusal(self) -> String {
        let status = self.status;
        let is_text = self.content_type.starts_with("text/plain");
        let body = if is_text { self.bytes(64 << 10).unwrap_or_default() } else { Vec::new() };
        let first =
            body.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).find(|l| !l.is_empty());
        match first {
            Some(line) => {
                let line = gvm_hot::path::display(&line[..line.len().min(200)]).to_string();
                format!("it answered {status}: {line}")
            }
            None => format!("it answered {status}"),
        }
    }
}

/// Whether a question may have another answer in a moment.
pub(super) enum TriedAgain {
    Never,
    /// And after how long the server says so.
    Later(Option<Duration>),
}

impl TriedAgain {
    pub(super) fn of(answer: &reqwest::Response) -> Self {
        match answer.status() {
            StatusCode::REQUEST_TIMEOUT
            | StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                let asked = answer.headers().get(header::RETRY_AFTER);
                let seconds = asked.and_then(|value| value.to_str().ok()?.parse().ok());
                Self::Later(seconds.map(Duration::from_secs))
            }
            _ => Self::Never,
        }
    }
}

/// An error of the network as a clause for people. A connection that broke is passing;
/// one that never was, or on which nothing came, is a reason to ask somebody else.
pub(super) fn sentence(error: &reqwest::Error) -> HttpError {
    if let Some(why) = tls::distrust(error) {
        return HttpError::new(why);
    }
    let mut causes = Vec::new();
    // Not the error itself, which names the URL.
    let mut at = std::error::Error::source(error);
    while let Some(cause) = at {
        causes.push(cause.to_string());
        at = cause.source();
    }
    let all = causes.join(": ").to_lowercase();
    if let Some(why) = forward::trouble(error, &all) {
        return HttpError::new(why);
    }
    let deepest = causes.pop().unwrap_or_else(|| "the request failed".into());
    let deepest = gvm_hot::path::display(deepest.as_bytes()).to_string();
    let is_passing = !error.is_connect() && !error.is_timeout() && !error.is_redirect();
    let why = if all.contains("certificate") {
        format!("its certificate is not trusted: {deepest}")
    } else if all.contains("dns") || all.contains("lookup") {
        "its name cannot be resolved".into()
    } else if error.is_timeout() {
        "it does not answer in time".into()
    } else if error.is_redirect() {
        deepest
    } else if error.is_connect() {
        format!("it cannot be reached: {deepest}")
    } else {
        deepest
    };
    HttpError { why, is_passing }
}

/// The cause at the end of a chain.
pub(super) fn deepest(error: &dyn std::error::Error) -> String {
    let mut at = error;
    while let Some(cause) = at.source() {
        at = cause;
    }
    at.to_string()
}

/// A URL as it may be shown: without user and password, even where it is none.
#[must_use]
pub fn shown(url: &str) -> String {
    let start = url.find("://").map_or(0, |at| at + 3);
    // In what is no URL, a slash may be part of the password.
    let end = match Url::parse(url) {
        Ok(_) => url[start..].find('/').map_or(url.len(), |at| start + at),
        Err(_) => url.len(),
    };
    let shown = match url[start..end].rfind('@') {
        Some(at) => format!("{}{}", &url[..start], &url[start + at + 1..]),
        None => url.into(),
    };
    gvm_hot::path::display(shown.as_bytes()).to_string()
}

/// The part of a URL that people know a place by.
#[must_use]
pub fn host(url: &str) -> String {
    match Url::parse(url) {
        Ok(parsed) if parsed.scheme() == "file" => shown(url),
        Ok(parsed) => {
            let host = parsed.host_str().unwrap_or_default();
            parsed.port().map_or_else(|| host.into(), |port| format!("{host}:{port}"))
        }
        Err(_) => shown(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(shown("https://u:p@a.example/x"), "https://a.example/x");
        assert_eq!(shown("https://a.example/x"), "https://a.example/x");
        assert_eq!(shown("https://u:p@["), "https://[");
        assert_eq!(shown("https://u:p/q@a.example/"), "https://a.example/");
        assert_eq!(shown("https://a.example/x@v1"), "https://a.example/x@v1");
        assert_eq!(host("https://u:p@a.example:81/x"), "a.example:81");
    }

    #[test]
    fn only_ways_to_download_are_followed() {
        let http = Http::default();
        for url in ["ftp://a.example/x", "javascript:1", "/etc/passwd", ""] {
            assert!(http.get(url, None).is_err(), "{url}");
        }
        let missing = http.get("file:///nonexistent/file", None).unwrap();
        assert_eq!(missing.status, 404);
    }
}
