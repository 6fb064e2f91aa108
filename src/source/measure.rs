//! What a place is like from here: how soon and how fast it answers, how new its
//! newest release is, and whether it sends what was published.

use super::checksums::Checksums;
use super::flat::{self, Flat};
use super::go_dev::GoDev;
use super::http::{Http, HttpError};
use super::mirrors::{self, Layout, Place};
use super::proxy::ModuleProxy;
use crate::error::{Code, Error, Result};
use crate::platform::Platform;
use crate::store::Store;
use crate::trust::h1::{self, TOOLCHAIN_MODULE, module_version};
use crate::trust::sha256::{Hasher, Sha256};
use crate::trust::sumdb::{self, Database, Unproved};
use crate::version::{Request, Version};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How much of an archive is asked for.
pub const SAMPLE: u64 = 4_000_000;
/// How long that may take; what has come by then tells the rate.
const SAMPLE_TIME: Duration = Duration::from_secs(4);
/// How long all other questions to one place may take.
const QUESTION_TIME: Duration = Duration::from_secs(30);
const QUESTIONS: usize = 3;
/// The largest answer that is read to the end.
const SMALL: usize = 1 << 20;

/// An archive that every mirror has had for years, and its published digest.
const KNOWN_FILE: &str = "go1.22.4.linux-amd64.tar.gz";
const KNOWN_DIGEST: &str = "ba79d4526102575196273416239cca418a651e049c2b099f3159db85e7bade7d";
/// A record of the public checksum database.
const KNOWN_RECORD: &str = "h1:rRL9rPpsjKfpdDFcppvNgw1/dynUMrpDcTxdIwtyFR0=";

/// What a known file of a place turned out to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Digest {
    Right,
    Wrong,
    /// The place has no such file, or no digest of it.
    #[default]
    Absent,
}

/// What could be measured of a place.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// The median of three small requests.
    pub latency: Option<Duration>,
    /// Bytes in a second, over the sample.
    pub rate: Option<u64>,
    /// How many bytes of the sample came.
    pub received: u64,
    /// The newest release for this platform.
    pub newest: Option<Version>,
    pub digest: Digest,
    /// Why something could not be measured, or must not be believed.
    pub problem: Option<String>,
}

impl Measured {
    /// Whether one would download from there.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.newest.is_some() && self.rate.is_some() && self.digest != Digest::Wrong
    }
}

/// Measures places side by side, all but their rates, which are taken one after the
/// other: they share this machine's line. Each is bounded in time; `done` is told
/// when one is finished.
///
/// `listed` is the newest release that is known so far.
pub fn all(
    places: &[Place],
    store: &Store,
    listed: Option<Version>,
    mut done: impl FnMut(usize, &Measured),
) -> Vec<Measured> {
    let (report, reports) = mpsc::channel();
    let line = Arc::new(Mutex::new(()));
    for (number, place) in places.iter().enumerate() {
        let (place, store) = (place.clone(), store.clone());
        let (report, line) = (report.clone(), line.clone());
        // Not joined: whoever hangs is left behind when the time is up.
        thread::spawn(move || {
            let mut probe = Probe {
                place,
                store,
                http: Http::default(),
                platform: Platform::host(),
                measured: Measured::default(),
                // Nobody listens any more when the time is up.
                told: Box::new(|measured| drop(report.send((number, measured, false)))),
            };
            probe.run(listed, &line);
            let measured = std::mem::take(&mut probe.measured);
            drop(probe);
            drop(report.send((number, measured, true)));
        });
    }
    drop(report);

    let mut all = vec![Measured::default(); places.len()];
    let mut open: Vec<usize> = (0..places.len()).collect();
    let limit = QUESTION_TIME + (SAMPLE_TIME + Duration::from_secs(1)) * places.len() as u32;
    let end = Instant::now() + limit;
    while !open.is_empty() {
        let left = end.saturating_duration_since(Instant::now());
        match reports.recv_timeout(left) {
            Ok((number, measured, is_done)) => {
                all[number] = measured;
                if is_done {
                    open.retain(|at| *at != number);
                    done(number, &all[number]);
                }
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
        }
    }
    for number in open {
        let problem = &mut all[number].problem;
        problem.get_or_insert_with(|| "it does not answer in time".into());
        done(number, &all[number]);
    }
    all
}

/// How soon a place answers a small question: the median of three. Whoever does not
/// answer within `limit` is left behind.
///
/// # Errors
/// Why there is no answer, in a clause.
pub fn reach(place: &Place, store: &Store, limit: Duration) -> Result<Duration, String> {
    let (place, store) = (place.clone(), store.clone());
    within(limit, move || {
        let http = Http::default();
        let platform = Platform::host();
        let told = Box::new(|_| ());
        Probe { place, store, http, platform, measured: Measured::default(), told }.latency()
    })
}

/// Whether the proxy at a URL passes questions on to a checksum database, as the go
/// command asks it; an answer that tells it neither way is an error.
///
/// # Errors
/// Why there is no such answer, in a clause.
pub fn passes_checksums(proxy: &str, name: &str, limit: Duration) -> Result<bool, String> {
    let url = format!("{proxy}/sumdb/{name}/supported");
    within(limit, move || {
        let http = Http::default();
        match http.get(&url, None).map_err(|error| error.to_string())? {
            answer if answer.status == 200 => Ok(true),
            answer if matches!(answer.status, 404 | 410) => Ok(false),
            answer => Err(answer.refusal()),
        }
    })
}

/// The answer of a thread that is left behind when it takes longer.
fn within<T: Send + 'static>(
    limit: Duration,
    ask: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let (report, reports) = mpsc::channel();
    thread::spawn(move || drop(report.send(ask())));
    let late = || Err(format!("it does not answer within {} seconds", limit.as_secs()));
    reports.recv_timeout(limit).unwrap_or_else(|_| late())
}

/// The layout of what answers at a URL.
///
/// # Errors
/// Nobody answers there, or it is none of the layouts that gvm knows.
pub fn layout_of(url: &str, store: &Store) -> Result<Layout> {
    let base = mirrors::base(url).map_err(|why| Error::new(Code::Usage, why))?;
    let http = Http::default();
    let name = super::http::shown(&base);
    let skip = format!("to say what it is: gvm mirror use flat+{name}");
    let index = match GoDev::new(&base).index(&http, store) {
        Ok(_) => return Ok(Layout::GoDev),
        Err(passed) => passed,
    };
    // Whoever cannot be reached has no layout.
    if let Err(error) = http.get(&format!("{base}/"), None) {
        return Err(Error::new(Code::Network, format!("{name}: {error}")).hint(skip));
    }
    if ModuleProxy::at(&base, &name).list(&http, store).is_ok() {
        return Ok(Layout::Proxy);
    }
    let flat = Flat::new(&base);
    if flat.digest(&http, KNOWN_FILE).is_some() || flat.has(&http, KNOWN_FILE) {
        return Ok(Layout::Flat);
    }
    let why = index.reason;
    let message = format!("{name} has neither an index, nor {TOOLCHAIN_MODULE}, nor {KNOWN_FILE}");
    Err(Error::new(Code::NoSuchRelease, message).hint(why).hint(skip))
}

struct Probe<'a> {
    place: Place,
    store: Store,
    http: Http,
    platform: Platform,
    measured: Measured,
    told: Box<dyn Fn(Measured) + 'a>,
}

/// What a place has, and where a sample of it is.
struct Found {
    newest: Option<Version>,
    digest: Digest,
    problem: Option<String>,
    sample: Option<String>,
}

impl Probe<'_> {
    fn run(&mut self, listed: Option<Version>, line: &Mutex<()>) {
        match self.latency() {
            Ok(latency) => self.measured.latency = Some(latency),
            Err(error) => {
                self.measured.problem = Some(error);
                return;
            }
        }
        (self.told)(self.measured.clone());
        let found = match self.place.layout {
            Layout::GoDev => self.go_dev(),
            Layout::Flat => self.flat(listed),
            Layout::Proxy => self.proxy(),
            Layout::Checksums => self.checksums(),
        };
        self.measured.newest = found.newest;
        self.measured.digest = found.digest;
        self.measured.problem = found.problem;
        (self.told)(self.measured.clone());
        if let Some(sample) = found.sample {
            // Whoever panicked with it has left nothing half done.
            let _turn = line.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            match rate(sample) {
                Ok((rate, received)) => {
                    self.measured.rate = Some(rate);
                    self.measured.received = received;
                }
                Err(why) => drop(self.measured.problem.get_or_insert(why)),
            }
        }
    }

    /// Of small requests, from the question to the end of the answer. What the server
    /// says does not matter, as long as it is not in trouble.
    fn latency(&self) -> Result<Duration, String> {
        let url = &self.place.url;
        let url = match self.place.layout {
            Layout::GoDev if url.starts_with("file:") => format!("{url}/index.json"),
            Layout::GoDev => format!("{url}/?mode=json"),
            Layout::Flat => format!("{url}/{KNOWN_FILE}.sha256"),
            Layout::Proxy => {
                let known = module_version(known_version(), &linux_amd64());
                format!("{url}/{TOOLCHAIN_MODULE}/@v/{known}.info")
            }
            Layout::Checksums => format!("{url}/latest"),
        };
        let ask = || {
            let start = Instant::now();
            let response = self.http.get(&url, None).map_err(|error| error.to_string())?;
            if response.status >= 500 {
                return Err(response.refusal());
            }
            response.bytes(SMALL).map_err(|error: HttpError| error.to_string())?;
            Ok(start.elapsed())
        };
        let mut times = (0..QUESTIONS).map(|_| ask()).collect::<Result<Vec<_>, _>>()?;
        times.sort();
        Ok(times[QUESTIONS / 2])
    }

    fn go_dev(&self) -> Found {
        let source = GoDev::new(&self.place.url);
        let listed = match source.index(&self.http, &self.store) {
            Ok(listed) => listed,
            Err(passed) => return Found::nothing(clause(&passed.reason, &self.place)),
        };
        let archive = |version, platform: &Platform| {
            listed.catalog.release(version)?.archives.get(platform)?.clone()
        };
        let digest = archive(known_version(), &linux_amd64()).and_then(|archive| archive.sha256);
        let newest = listed.catalog.choose(Request::Latest, &self.platform);
        let sample = newest.and_then(|newest| archive(newest, &self.platform));
        Found {
            newest,
            digest: compared(digest),
            problem: listed.stale.map(|stale| clause(&stale, &self.place)),
            sample: sample.map(|archive| format!("{}/{}", self.place.url, archive.file_name)),
        }
    }

    fn flat(&self, listed: Option<Version>) -> Found {
        let flat = Flat::new(&self.place.url);
        let name = |version| flat::file_name(version, &self.platform);
        if flat.has(&self.http, &name(Version::release(1, 999, 0))) {
            return Found::nothing("it has an answer to everything".into());
        }
        // From what is known to be the newest, else from an old acquaintance.
        let begin = [listed, Some(known_version())].into_iter().flatten();
        let mut newest = begin.into_iter().find(|version| flat.has(&self.http, &name(*version)));
        while let Some(found) = newest {
            newest = flat.newer(&self.http, Request::Latest, newest, &self.platform);
            if newest == Some(found) {
                break;
            }
        }
        let digest = compared(flat.digest(&self.http, KNOWN_FILE));
        let missing = || format!("it has no {}", name(known_version()));
        Found {
            newest,
            digest,
            problem: newest.is_none().then(missing),
            sample: newest.map(|newest| flat.url_of(&name(newest))),
        }
    }

    fn proxy(&self) -> Found {
        let proxy = ModuleProxy::at(&self.place.url, &self.place.name);
        let listed = match proxy.list(&self.http, &self.store) {
            Ok(listed) => listed,
            Err(passed) => return Found::nothing(clause(&passed.reason, &self.place)),
        };
        // A proxy lists what it has seen, and may have seen nothing yet.
        let seen = listed.catalog.choose(Request::Latest, &self.platform);
        let begin = seen.or_else(|| {
            proxy.newer(
                &self.http,
                Request::Minor(1, known_version().minor()),
                None,
                &self.platform,
            )
        });
        let newest = proxy.newer(&self.http, Request::Latest, begin, &self.platform);
        let Some(version) = newest else {
            return Found::nothing(format!("it has no Go for {}", self.platform));
        };
        let file = |end: &str| {
            let version = module_version(version, &self.platform);
            format!("{}/{TOOLCHAIN_MODULE}/@v/{version}.{end}", self.place.url)
        };
        let go_mod = self.http.get(&file("mod"), None).ok().filter(|answer| answer.status == 200);
        let digest = match go_mod.and_then(|answer| answer.bytes(SMALL).ok()) {
            None => Digest::Absent,
            Some(content) => {
                let mut hasher = Hasher::default();
                hasher.update(&content);
                right_if(h1::of_go_mod(hasher.finish()) == h1::TOOLCHAIN_GO_MOD)
            }
        };
        let problem = listed.stale.map(|stale| clause(&stale, &self.place));
        Found { newest, digest, problem, sample: Some(file("zip")) }
    }

    /// The known record, proved as every other one is, from an empty cache.
    fn checksums(&self) -> Found {
        let database = match Database::parse(sumdb::GOLANG_KEY) {
            Ok(Some(database)) => database,
            _ => return Found::nothing("its key cannot be read".into()),
        };
        let scratch = match tempfile::tempdir() {
            Ok(scratch) => scratch,
            Err(error) => return Found::nothing(error.to_string()),
        };
        let client = sumdb::Client {
            cache: scratch.path().to_path_buf(),
            transport: &Checksums::at(&self.http, &self.place.url, &database),
            database: &database,
        };
        let version = Version::release(1, 21, 9);
        let (digest, problem) = match client.lookup(version, &linux_amd64()) {
            Ok(record) => (right_if(record.h1 == KNOWN_RECORD), None),
            Err(Unproved::Lie(why)) => (Digest::Wrong, Some(why)),
            Err(Unproved::NoRecord(why) | Unproved::Unreachable(why)) => {
                let why = why.rsplit_once(": ").map_or(why.as_str(), |(_, why)| why);
                (Digest::Absent, Some(why.to_string()))
            }
        };
        Found { newest: None, digest, problem, sample: None }
    }
}

impl Found {
    fn nothing(problem: String) -> Self {
        Self { newest: None, digest: Digest::Absent, problem: Some(problem), sample: None }
    }
}

/// A reason without the place that it begins with, which the row names already.
fn clause(reason: &str, place: &Place) -> String {
    let host = format!("{}: ", super::http::host(&place.url));
    reason.strip_prefix(&host).unwrap_or(reason).to_string()
}

fn compared(digest: Option<Sha256>) -> Digest {
    digest.map_or(Digest::Absent, |digest| right_if(Some(digest) == Sha256::parse(KNOWN_DIGEST)))
}

fn right_if(is_right: bool) -> Digest {
    if is_right { Digest::Right } else { Digest::Wrong }
}

fn known_version() -> Version {
    Version::release(1, 22, 4)
}

fn linux_amd64() -> Platform {
    Platform { os: "linux".into(), arch: "amd64".into() }
}

/// Bytes in a second over the beginning of a file, and how many came. On a thread of
/// its own, so that a server which stalls costs no more than the time that is given.
fn rate(url: String) -> Result<(u64, u64), String> {
    let (report, reports) = mpsc::channel();
    let start = Instant::now();
    thread::spawn(move || {
        let http = Http::default();
        let read = || -> Result<(), String> {
            let told = |error: HttpError| error.to_string();
            let mut response = http.get_range(&url, 0, SAMPLE - 1).map_err(told)?;
            if !matches!(response.status, 200 | 206) {
                return Err(response.refusal());
            }
            while let Some(chunk) = response.chunk().map_err(told)? {
                if report.send(Ok(chunk.len() as u64)).is_err() {
                    break;
                }
            }
            Ok(())
        };
        if let Err(why) = read() {
            let _ = report.send(Err(why));
        }
    });
    let mut received = 0;
    let mut last = start;
    let mut problem = "it sends nothing".to_string();
    while received < SAMPLE {
        let left = SAMPLE_TIME.saturating_sub(start.elapsed());
        match reports.recv_timeout(left) {
            Ok(Ok(length)) => {
                received += length;
                last = Instant::now();
            }
            Ok(Err(why)) => {
                problem = why;
                break;
            }
            // At the time's end the silence counts as well.
            Err(RecvTimeoutError::Timeout) => {
                last = Instant::now();
                break;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    if received == 0 {
        return Err(problem);
    }
    let taken = (last - start).max(Duration::from_micros(1));
    Ok(((received as f64 / taken.as_secs_f64()) as u64, received))
}
