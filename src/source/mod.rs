//! Where toolchains come from, asked in the configured order.

mod cache;
mod checksums;
mod flat;
mod forward;
mod go_dev;
pub mod http;
mod kept;
pub mod measure;
pub mod mirrors;
mod patience;
mod proxy;
mod ranged;
mod tls;
mod transfer;

use crate::archive::Format;
use crate::catalog::Catalog;
use crate::config::{self, Config, Offline, Require, Share};
use crate::error::{Code, Error, Result};
use crate::goenv;
use crate::platform::Platform;
use crate::store::Store;
use crate::trust::sha256::Sha256;
use crate::trust::sumdb::{self, Database, Record, Unproved};
use crate::ui::{self, Ui};
use crate::version::{Request, Version};
use checksums::Checksums;
use flat::{Flat, Published};
use go_dev::GoDev;
use http::{Http, Response};
use mirrors::{Layout, Place};
use proxy::ModuleProxy;
pub use proxy::shown as goproxy_shown;
pub use ranged::{RangedZip, Unfetched};
use std::cell::{Cell, RefCell};
use std::fmt;

/// Why a source was passed over, as a sentence that names it.
#[derive(Clone, Debug)]
pub struct PassedOver {
    pub code: Code,
    pub reason: String,
    /// It said that there is no such thing (404, 410), which is when the next
    /// entry of GOPROXY is asked.
    not_there: bool,
}

impl PassedOver {
    fn new(code: Code, source: impl fmt::Display, why: impl fmt::Display) -> Self {
        Self { code, reason: format!("{source}: {why}"), not_there: false }
    }

    /// An answer that is not 200.
    fn answered(source: impl fmt::Display, what: &str, response: Response) -> Self {
        let status = response.status;
        let why = format!("{what}{}", response.refusal());
        Self { not_there: matches!(status, 404 | 410), ..Self::new(code_of(status), source, why) }
    }
}

/// What an answer that is not 200 means: that there is no such thing for us
/// there, or that the server has trouble.
fn code_of(status: u16) -> Code {
    if matches!(status, 400..=499) && status != 429 { Code::NoSuchRelease } else { Code::Network }
}

/// An archive that a source is ready to send.
pub struct Offer<'a> {
    pub response: Response<'a>,
    pub format: Format,
    pub shape: Shape,
    /// For the receipt: `go.dev`, `flat`, `proxy`, `file`.
    pub source: &'static str,
    /// Without a password.
    pub url: String,
    /// What the archive has to be, where the source publishes it.
    pub sha256: Option<Sha256>,
    pub size: Option<u64>,
    /// Whether that digest speaks for the Go team: it is the official catalog's,
    /// over TLS, or the user's own word. A mirror's digest tells only that the
    /// transfer was whole.
    pub vouched: bool,
}

/// What a source sends of an archive.
enum Sent<'a> {
    Whole(Box<Offer<'a>>),
    Parts(RangedZip<'a>),
}

/// Makes something of an archive by its parts; `None` where it takes the whole.
pub type ByParts<'a, T> = &'a mut dyn FnMut(RangedZip) -> Result<Option<T>>;

/// What the names in an archive begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `go/`: the archives of go.dev.
    Go,
    /// `golang.org/toolchain@…/`: the zips of the module proxy.
    Module { version: Version, platform: Platform },
    /// A file of the user's: one of the two.
    Unknown,
}

/// The catalog, and how it was come by.
pub struct Known {
    pub catalog: Catalog,
    /// It may lack releases: a module proxy's list, or one of an earlier day.
    pub is_hint: bool,
}

enum Source {
    GoDev(GoDev),
    Flat(Flat),
    /// A module proxy of the settings.
    Proxy(ModuleProxy),
    /// The module proxies of GOPROXY, which `Sources` has.
    GoProxy,
}

/// The configured sources.
pub struct Sources<'a> {
    http: Http,
    store: &'a Store,
    ui: Ui,
    sources: Vec<Source>,
    offline: Option<Offline>,
    /// The least evidence that is accepted.
    pub require: Require,
    /// How what is installed shares files.
    pub share: Share,
    /// The module proxies, which relay the checksum database as well.
    proxy: ModuleProxy,
    gosumdb: goenv::Setting,
    /// The same reason is told once.
    told: RefCell<Vec<String>>,
    told_stale: Cell<bool>,
}

impl<'a> Sources<'a> {
    /// # Errors
    /// GOPROXY or the base URL cannot be read.
    pub fn new(config: &Config, store: &'a Store, ui: Ui) -> Result<Self> {
        let source = |source| match source {
            mirrors::Source::GoProxy => Source::GoProxy,
            mirrors::Source::Place(Place { layout, url, name, .. }) => match layout {
                Layout::Flat => Source::Flat(Flat::new(&url)),
                Layout::Proxy => Source::Proxy(ModuleProxy::at(&url, &name)),
                Layout::GoDev | Layout::Checksums => Source::GoDev(GoDev::new(&url)),
            },
        };
        let sources: Vec<_> = mirrors::configured(config)?.into_iter().map(source).collect();
        Ok(Self {
            http: Http::new(config.offline).keeping_in(store.cache()),
            offline: config.offline,
            proxy: ModuleProxy::new(goenv::goproxy(store)?)?,
            gosumdb: goenv::gosumdb(store)?,
            require: config.require,
            share: config.share,
            store,
            ui,
            sources,
            told: RefCell::default(),
            told_stale: Cell::default(),
        })
    }

    /// All releases that can be known now: those of the first source that
    /// answers, with what is cached of those before it.
    ///
    /// # Errors
    /// No source answers and nothing is cached.
    pub fn catalog(&self) -> Result<Known> {
        let mut known = Known { catalog: Catalog::default(), is_hint: true };
        let mut reasons = Vec::new();
        for source in &self.sources {
            let (listed, is_hint) = match source {
                Source::GoDev(source) => (source.index(&self.http, self.store), false),
                Source::Flat(_) => continue,
                Source::Proxy(proxy) => (proxy.list(&self.http, self.store), true),
                Source::GoProxy => (self.proxy.list(&self.http, self.store), true),
            };
            self.http.usable()?;
            match listed {
                Ok(listed) => {
                    known.catalog.merge(listed.catalog);
                    match listed.stale {
                        None => {
                            known.is_hint = is_hint;
                            return Ok(known);
                        }
                        Some(stale) => {
                            if !self.told_stale.replace(true) {
                                self.ui.say(stale);
                            }
                        }
                    }
                }
                Err(passed) => {
                    self.tell(&passed);
                    reasons.push(passed);
                }
            }
        }
        if known.catalog.is_empty() {
            if reasons.is_empty() {
                reasons.extend(self.flats().map(Flat::lists_nothing));
            }
            let offline = self.offline_for("the list of Go's releases", &reasons);
            return Err(offline.unwrap_or_else(|| {
                nowhere("no source tells which releases of Go there are", &reasons)
            }));
        }
        Ok(known)
    }

    /// The release that a request asks for when it is installed: the newest
    /// that fits. An exact version is taken at its word.
    ///
    /// # Errors
    /// There is none, or no source tells.
    pub fn release(&self, request: Request, platform: &Platform) -> Result<Version> {
        if let Some(version) = request.exact() {
            return Ok(version);
        }
        // Where somebody answered, a release that nobody lists may be there.
        let (known, unlisted) = match self.catalog() {
            Ok(known) => (known, None),
            Err(error) if error.code == Code::NoSuchRelease || self.flats().next().is_some() => {
                (Known { catalog: Catalog::default(), is_hint: true }, Some(error))
            }
            Err(error) => return Err(error),
        };
        let mut chosen = known.catalog.choose(request, platform);
        if known.is_hint {
            // A proxy's list names what that proxy has seen; a newer patch may
            // be there all the same.
            chosen = self.newer(request, &known.catalog, platform);
        }
        let newest = known.catalog.choose(Request::Latest, platform);
        match chosen {
            Some(version) if version.is_release() => Ok(version),
            Some(version) => Err(Error::new(
                Code::NoSuchRelease,
                format!("Go {request} is not released yet; its newest pre-release is {version}"),
            )
            .hint(format!("to install that: gvm install {version}"))),
            None => Err(unlisted.unwrap_or_else(|| {
                let newest = newest.map_or_else(String::new, |v| format!("; the newest is {v}"));
                let message = format!("there is no release of Go {request} for {platform}{newest}");
                Error::new(Code::NoSuchRelease, message).hint("to see all: gvm list-remote")
            })),
        }
    }

    /// The newest release that a proxy serves, whatever its list says. Flat mirrors,
    /// which list nothing, are asked where nobody else lists anything.
    fn newer(&self, request: Request, catalog: &Catalog, platform: &Platform) -> Option<Version> {
        let newer = |request| {
            let mut newest = catalog.choose(request, platform);
            for source in &self.sources {
                newest = match source {
                    Source::Proxy(proxy) => proxy.newer(&self.http, request, newest, platform),
                    Source::GoProxy => self.proxy.newer(&self.http, request, newest, platform),
                    Source::Flat(flat) if catalog.is_empty() => {
                        flat.newer(&self.http, request, newest, platform)
                    }
                    Source::Flat(_) | Source::GoDev(_) => newest,
                };
            }
            newest
        };
        // The second newest major is known when the newest is.
        match request {
            Request::OldStable => {
                let stable = newer(Request::Stable)?;
                newer(Request::Minor(stable.major(), stable.minor().checked_sub(1)?))
            }
            request => newer(request),
        }
    }

    fn flats(&self) -> impl Iterator<Item = &Flat> {
        self.sources.iter().filter_map(|source| match source {
            Source::Flat(flat) => Some(flat),
            _ => None,
        })
    }

    /// What an index that is kept says of an archive: the Go team's own, else one of
    /// the sources'. Nobody is asked.
    fn published(&self, version: Version, platform: &Platform) -> Option<Published> {
        let find = |source: &GoDev| {
            let index = source.kept_index(self.store)?;
            let archive = index.release(version)?.archives.get(platform)?.clone()?;
            Some(Published { archive, is_official: source.is_official() })
        };
        let others = self.sources.iter().filter_map(|source| match source {
            Source::GoDev(source) => Some(source),
            _ => None,
        });
        official().iter().find_map(find).or_else(|| others.into_iter().find_map(find))
    }

    /// Lets `accept` have the archive from the first source that has it. When a
    /// source fails, or `accept` refuses what it sent, the next one is asked. A module
    /// proxy that sends parts of its zip gets `by_parts` first.
    ///
    /// # Errors
    /// No source had it, with the reason of each; or what `accept` or `by_parts` says
    /// of this machine.
    pub fn fetch<T>(
        &self,
        version: Version,
        platform: &Platform,
        mut by_parts: Option<ByParts<T>>,
        mut accept: impl FnMut(Offer) -> Result<T, Failure>,
    ) -> Result<T> {
        let mut reasons: Vec<PassedOver> = Vec::new();
        let mut urls = Vec::new();
        for source in &self.sources {
            let offer = match (self.proxy_of(source), &mut by_parts) {
                (Some(proxy), Some(by_parts)) => {
                    match proxy.parts_or_offer(&self.http, version, platform) {
                        Ok(Sent::Parts(zip)) => {
                            urls.push(zip.url());
                            if let Some(made) = by_parts(zip)? {
                                self.forget(&urls);
                                return Ok(made);
                            }
                            self.offer(source, version, platform)
                        }
                        Ok(Sent::Whole(offer)) => Ok(*offer),
                        Err(passed) => Err(passed),
                    }
                }
                _ => self.offer(source, version, platform),
            };
            let mut next = Some(offer);
            let passed = loop {
                let is_anew = next.is_none();
                let offer = next.take().unwrap_or_else(|| self.offer(source, version, platform));
                self.http.usable()?;
                let offer = match offer {
                    Ok(offer) => offer,
                    Err(passed) => break passed,
                };
                let (place, kept) = (http::host(&offer.url), offer.response.kept);
                urls.push(offer.url.clone());
                match accept(offer) {
                    Ok(accepted) => {
                        self.forget(&urls);
                        return Ok(accepted);
                    }
                    Err(Failure::Here(error)) => return Err(error),
                    // It may have begun as another file than the one it went on as.
                    Err(Failure::Source(Code::Refused, why)) if kept > 0 && !is_anew => {
                        let kept = ui::bytes(kept);
                        self.ui.say(format_args!(
                            "beginning anew, without the {kept} of an earlier download: {why}"
                        ));
                    }
                    Err(Failure::Source(code, why)) => break PassedOver::new(code, place, why),
                }
            };
            self.tell(&passed);
            reasons.push(passed);
        }
        let what = format!("Go {version} for {platform}");
        let offline = self.offline_for(&what, &reasons);
        Err(offline.unwrap_or_else(|| nowhere(&format!("{what} could not be had"), &reasons)))
    }

    fn offer(
        &self,
        source: &Source,
        version: Version,
        platform: &Platform,
    ) -> Result<Offer<'_>, PassedOver> {
        match source {
            Source::GoDev(source) => source.offer(&self.http, self.store, version, platform),
            Source::Flat(source) => {
                let published = self.published(version, platform);
                source.offer(&self.http, version, platform, published)
            }
            Source::Proxy(proxy) => proxy.offer(&self.http, version, platform),
            Source::GoProxy => self.proxy.offer(&self.http, version, platform),
        }
    }

    fn proxy_of<'s>(&'s self, source: &'s Source) -> Option<&'s ModuleProxy> {
        match source {
            Source::Proxy(proxy) => Some(proxy),
            Source::GoProxy => Some(&self.proxy),
            Source::GoDev(_) | Source::Flat(_) => None,
        }
    }

    /// Forgets what broke off of archives that are of no use any more.
    fn forget(&self, urls: &[String]) {
        urls.iter().for_each(|url| self.http.forget(url));
    }

    /// The module zip of a toolchain at the first proxy that answers ranges.
    #[must_use]
    pub fn ranged_zip(&self, version: Version, platform: &Platform) -> Option<RangedZip<'_>> {
        let mut proxies = self.sources.iter().filter_map(|source| self.proxy_of(source));
        proxies.find_map(|proxy| proxy.ranged_zip(&self.http, version, platform))
    }

    /// What Go's checksum database records of a toolchain, proved.
    ///
    /// # Errors
    /// [`Failure::Here`] when GOSUMDB or a setting of the network cannot be used; else why there is no proof.
    pub fn recorded(
        &self,
        version: Version,
        platform: &Platform,
    ) -> Result<Result<Record, Unproved>> {
        let Some(database) = database(&self.gosumdb)? else {
            let origin = &self.gosumdb.origin;
            let why =
                format!("GOSUMDB=off ({origin}) keeps the checksum database from being asked");
            return Ok(Err(Unproved::Unreachable(why)));
        };
        // Two processes must not advance the newest head past each other.
        let _lock = self.store.lock_checksums(&self.ui)?;
        let client = sumdb::Client {
            cache: self.store.checksums().join(&database.verifier.name),
            transport: &Checksums::new(&self.http, self.relays(&database), &database),
            database: &database,
        };
        let record = client.lookup(version, platform);
        self.http.usable()?;
        Ok(record)
    }

    /// The module proxies in the order in which they are asked for a database's records:
    /// those of the settings, then GOPROXY's.
    fn relays(&self, database: &Database) -> Vec<&ModuleProxy> {
        if database.is_named {
            return Vec::new();
        }
        let named = self.sources.iter().filter_map(|source| match source {
            Source::Proxy(proxy) => Some(proxy),
            _ => None,
        });
        named.chain([&self.proxy]).collect()
    }

    /// What is known of the releases without asking anybody; for completions.
    #[must_use]
    pub fn kept_catalog(&self) -> Catalog {
        let mut catalog = Catalog::default();
        for source in &self.sources {
            let kept = match source {
                Source::GoDev(source) => source.kept_index(self.store),
                Source::Flat(_) => None,
                Source::Proxy(proxy) => proxy.kept_list(self.store),
                Source::GoProxy => self.proxy.kept_list(self.store),
            };
            catalog.merge(kept.unwrap_or_default());
        }
        catalog
    }

    /// The error when it was `--offline` that kept a source from being asked.
    fn offline_for(&self, needed: &str, reasons: &[PassedOver]) -> Option<Error> {
        let offline = self.offline?;
        let (kept_back, others): (Vec<_>, Vec<_>) =
            reasons.iter().partition(|passed| self.is_kept_back(passed));
        if kept_back.is_empty() || others.iter().any(|passed| passed.code == Code::Refused) {
            return None;
        }
        let message = format!("{offline}, and {needed} would have to be downloaded");
        let error = Error::new(Code::Network, message);
        let error = others.iter().fold(error, |error, passed| error.hint(&passed.reason));
        Some(error.hint("to take a file instead: gvm install --from FILE --sha256 DIGEST"))
    }

    /// Whether a source was passed over for being offline alone.
    fn is_kept_back(&self, passed: &PassedOver) -> bool {
        self.offline.is_some_and(|offline| {
            let why = offline.to_string();
            passed.reason.split("; ").all(|reason| reason.ends_with(&why))
        })
    }

    /// One line for each source that is passed over.
    fn tell(&self, passed: &PassedOver) {
        // That is one reason, whatever the source, and the error says it.
        if self.is_kept_back(passed) {
            return;
        }
        let mut told = self.told.borrow_mut();
        if !told.contains(&passed.reason) {
            match passed.code {
                Code::Refused => self.ui.warn(format_args!("passed over {}", passed.reason)),
                _ => self.ui.say(format_args!("passed over {}", passed.reason)),
            }
            told.push(passed.reason.clone());
        }
    }
}

/// The places whose index the Go team signs for by its certificate.
fn official() -> [GoDev; 2] {
    [config::OFFICIAL_DL_URL, go_dev::OFFICIAL_IN_CHINA].map(GoDev::new)
}

/// The places of a module proxy's layout that GOPROXY names.
///
/// # Errors
/// GOPROXY cannot be read.
pub fn goproxy_places(store: &Store) -> Result<Vec<Place>> {
    places_of_goproxy(goenv::goproxy(store)?)
}

/// The module proxies of a GOPROXY, in its order, without `direct`.
///
/// # Errors
/// It is none.
pub fn places_of_goproxy(setting: goenv::Setting) -> Result<Vec<Place>> {
    Ok(ModuleProxy::new(setting)?.places())
}

/// The checksum database that GOSUMDB names; `None` when it is off.
///
/// # Errors
/// GOSUMDB cannot be read.
pub fn gosumdb_place(store: &Store) -> Result<Option<Place>> {
    let database = database(&goenv::gosumdb(store)?)?;
    Ok(database.and_then(|database| mirrors::at(Layout::Checksums, &database.direct_url).ok()))
}

fn database(setting: &goenv::Setting) -> Result<Option<Database>> {
    let goenv::Setting { value, origin } = setting;
    Database::parse(value).map_err(|why| {
        Error::new(Code::Usage, format!("GOSUMDB ({origin}): {why}"))
            .hint("to set Go's default: go env -u GOSUMDB")
    })
}

/// Whether an index of the Go team's own is kept, whose digests vouch for the
/// archives of any mirror.
#[must_use]
pub fn has_official_index(store: &Store) -> bool {
    official().iter().any(|source| source.kept_index(store).is_some())
}

/// Between two misses a release may exist: 1.7.2 was never published as a module.
const MISSES_BEFORE_THE_END: u32 = 2;
/// No major has had more than 20 patches.
const PATCHES_LOOKED_FOR: u32 = 50;
/// How many majors a list may be behind.
const MAJORS_LOOKED_FOR: u32 = 4;

/// The newest release that answers `request` and that a place has, looked for behind
/// `listed`.
fn newer(
    request: Request,
    listed: Option<Version>,
    has: impl Fn(Version) -> bool,
) -> Option<Version> {
    let mut newest = listed;
    let (major, minor) = match (request, listed) {
        (Request::Minor(major, minor), _) => (major, minor),
        (Request::Latest | Request::Stable | Request::Major(_), Some(version)) => {
            // New majors may have come as well: two a year.
            let (major, mut minor) = (version.major(), version.minor());
            for _ in 0..MAJORS_LOOKED_FOR {
                let next = Version::release(major, minor + 1, 0);
                if !has(next) {
                    break;
                }
                newest = Some(next);
                minor += 1;
            }
            (major, minor)
        }
        _ => return listed,
    };
    let first = match newest {
        Some(version) if version.is_release() => version.patch() + 1,
        _ => 0,
    };
    let mut misses = 0;
    for patch in first..first + PATCHES_LOOKED_FOR {
        let version = Version::release(major, minor, patch);
        if has(version) {
            newest = Some(version);
            misses = 0;
        } else {
            misses += 1;
        }
        if misses >= MISSES_BEFORE_THE_END {
            break;
        }
    }
    newest
}

/// Why an offer did not become a toolchain.
#[derive(Debug)]
pub enum Failure {
    /// The source's fault: another one may do better.
    Source(Code, String),
    /// This machine's fault: no other source helps.
    Here(Error),
}

impl Failure {
    /// What the source sent is not what it should be.
    pub fn refused(why: impl Into<String>) -> Self {
        Self::Source(Code::Refused, why.into())
    }
}

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Here(error.into())
    }
}

/// The error when every source was passed over. What was refused weighs most,
/// then that there is no such thing, then that nobody answered.
fn nowhere(what: &str, reasons: &[PassedOver]) -> Error {
    let has = |code| reasons.iter().any(|passed| passed.code == code);
    let code = [Code::Refused, Code::NoSuchRelease, Code::Network]
        .into_iter()
        .find(|&code| has(code))
        .unwrap_or(Code::Network);
    let error = Error::new(code, what);
    let error = reasons.iter().fold(error, |error, passed| error.hint(passed.reason.clone()));
    match code {
        Code::NoSuchRelease => error.hint("to see what there is: gvm list-remote"),
        Code::Network => {
            error.hint("to take a file instead: gvm install --from FILE --sha256 DIGEST")
        }
        _ => error,
    }
}
