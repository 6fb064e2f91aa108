//! Installing: source, digest, archive and store tied together.
//!
//! The rooms, in the order in which bytes go through them:
//!
//! ```text
//! receive   an offer becomes a tree in staging that has the published digest
//! places    which path in GOROOT a name in an archive is
//! tree      files on their way to the disk, in buffers that are used again
//! writer    a new tree of files on the disk
//! proof     a tree in staging becomes a receipt, or is refused
//! assembly  a tree put together from files that are there and members of a zip
//! upgrade   a tree put together from those of an installed neighbour
//! import    a tree that somebody else keeps on this machine
//! ```

pub(crate) mod assembly;
pub mod import;
mod places;
mod proof;
mod receive;
mod tree;
mod upgrade;
mod writer;

pub(crate) use places::is_executable;
pub(crate) use receive::receive;

use crate::archive::Format;
use crate::error::{Code, Error, Result};
use crate::platform::Platform;
use crate::source::http::Http;
use crate::source::{ByParts, Failure, Offer, RangedZip, Shape, Sources};
use crate::store::share::Neighbour;
use crate::store::{LogRecord, Parts, Receipt, Staging, Store, Toolchain};
use crate::trust::lockfile::{self, InForce};
use crate::trust::sha256::Sha256;
use crate::ui::{self, Ui, shown};
use crate::version::Version;
use std::io::{self, Read};
use std::path::Path;

/// What to do about a toolchain that is installed already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfPresent {
    Keep,
    Replace,
}

/// On which terms a toolchain is installed.
#[derive(Clone, Copy, Debug)]
pub struct Terms<'a> {
    pub platform: &'a Platform,
    pub if_present: IfPresent,
    /// The lock file beside the pin, where there is one.
    pub lock: Option<&'a InForce>,
    /// Nothing is accepted that the lock file does not name.
    pub locked: bool,
}

impl Terms<'_> {
    /// Whether the terms can be met at all, before anything is downloaded.
    ///
    /// # Errors
    /// A lock is asked for and there is none for that version and platform.
    fn allow(&self, version: Version) -> Result<()> {
        let platform = self.platform;
        let hint = format!("to lock it: gvm pin --lock {version}");
        match self.lock {
            _ if !self.locked => Ok(()),
            Some(lock) if lock.file.get(version, platform).is_some() => Ok(()),
            Some(lock) => {
                let file = shown(&lock.path);
                let message = format!("{file} does not lock Go {version} for {platform}");
                Err(Error::new(Code::Refused, message).hint(hint))
            }
            None => {
                let message = format!("there is no {} beside the pin", lockfile::FILE_NAME);
                Err(Error::new(Code::Refused, message).hint(hint))
            }
        }
    }

    /// Whether what is installed already may stay.
    ///
    /// # Errors
    /// The lock names another tree, or there is no telling.
    fn accept(&self, toolchain: &Toolchain) -> Result<()> {
        let version = toolchain.version;
        let Some(lock) = self.lock else { return Ok(()) };
        if lock.file.get(version, self.platform).is_none() {
            return Ok(());
        }
        let h1 = toolchain.receipt()?.map(|receipt| receipt.h1);
        let h1 = h1.unwrap_or_else(|| "not known: it has no receipt".into());
        lock.check(version, self.platform, &h1).map(drop).map_err(|why| {
            let of = arch_option(self.platform);
            Error::new(Code::Refused, why)
                .hint(format!("to see whether it is damaged: gvm verify {version}{of}"))
                .hint(format!("to install it anew: gvm install --force {version}{of}"))
        })
    }
}

/// The option that names a platform other than this machine's, in hints.
pub(crate) fn arch_option(platform: &Platform) -> String {
    if platform.is_host() { String::new() } else { format!(" --arch {}", platform.arch) }
}

/// A toolchain, and whether it was there before.
pub struct Installed {
    pub toolchain: Toolchain,
    pub was_present: bool,
}

/// Installs one version from the configured sources.
///
/// # Errors
/// No source has it or what they have is refused, or the store cannot be
/// written. The store is as it was then.
pub fn install(
    store: &Store,
    sources: &Sources,
    ui: &Ui,
    version: Version,
    terms: Terms,
) -> Result<Installed> {
    let platform = terms.platform;
    terms.allow(version)?;
    if let Some(installed) = present(store, version, terms)? {
        return Ok(installed);
    }
    let _lock = store.lock(version, platform, "installing", ui)?;
    // Another process may have done it while we waited.
    if let Some(installed) = present(store, version, terms)? {
        return Ok(installed);
    }
    let found = store.neighbour(Some(version), platform);
    let mut by_parts = found.as_ref().map(|neighbour| {
        |zip: RangedZip| upgrade::by_parts(&zip, neighbour, store, sources, ui, version, terms)
    });
    let by_parts: Option<ByParts<_>> = by_parts.as_mut().map(|by_parts| by_parts as _);
    let toolchain = sources.fetch(version, platform, by_parts, |offer| {
        let staging = store.stage(ui)?;
        let neighbour = neighbour_in(found.as_ref(), sources, &staging)?;
        let unpacked = receive(offer, &staging.goroot(), neighbour.as_ref(), ui)?;
        let receipt = unpacked.check(version, &staging, sources, ui, terms)?;
        Ok(store.publish(staging, version, platform, &receipt, ui)?)
    })?;
    Ok(Installed { toolchain, was_present: false })
}

/// The toolchain that shares its files with one that is built there.
fn neighbour_in(
    toolchain: Option<&Toolchain>,
    sources: &Sources,
    staging: &Staging,
) -> io::Result<Option<Neighbour>> {
    let opened = toolchain.map(|found| Neighbour::new(&found.goroot, sources.share, staging));
    opened.transpose()
}

/// What is installed already, if it may stay.
fn present(store: &Store, version: Version, terms: Terms) -> Result<Option<Installed>> {
    if terms.if_present == IfPresent::Replace {
        return Ok(None);
    }
    let Some(toolchain) = store.find(version, terms.platform) else { return Ok(None) };
    terms.accept(&toolchain)?;
    Ok(Some(Installed { toolchain, was_present: true }))
}

/// Installs an archive that the user has: a `.tar.gz` or `.zip` of go.dev, or a
/// zip of a module proxy. It tells itself which version it is.
///
/// # Errors
/// It is no archive of Go, is not for the platform, or does not have the digest.
pub fn install_file(
    store: &Store,
    sources: &Sources,
    ui: &Ui,
    file: &Path,
    sha256: Option<Sha256>,
    terms: Terms,
) -> Result<Installed> {
    let http = Http::default();
    let path = shown(file);
    let told = |failure| match failure {
        Failure::Here(error) => error,
        Failure::Source(code, why) => Error::new(code, format!("{path}: {why}")),
    };
    let offer = offer_of_file(&http, file, sha256)?;
    let staging = store.stage(ui)?;
    let found = store.neighbour(None, terms.platform);
    let neighbour = neighbour_in(found.as_ref(), sources, &staging)?;
    let unpacked = receive(offer, &staging.goroot(), neighbour.as_ref(), ui).map_err(told)?;
    let version = unpacked.version(&staging.goroot()).map_err(told)?;
    terms.allow(version)?;
    let _lock = store.lock(version, terms.platform, "installing", ui)?;
    if let Some(installed) = present(store, version, terms)? {
        return Ok(installed);
    }
    let receipt = unpacked.check(version, &staging, sources, ui, terms).map_err(told)?;
    let toolchain = store.publish(staging, version, terms.platform, &receipt, ui)?;
    Ok(Installed { toolchain, was_present: false })
}

/// A file of the user's as an offer.
fn offer_of_file<'a>(http: &'a Http, file: &Path, sha256: Option<Sha256>) -> Result<Offer<'a>> {
    let path = fs_err::canonicalize(file)?;
    let refused = |why: String| Error::new(Code::Refused, format!("{}: {why}", shown(&path)));
    let url = reqwest::Url::from_file_path(&path)
        .map_err(|()| refused("it has no absolute path".into()))?;
    let mut head = [0; 4];
    // Looked at first: opening a named pipe would wait for a writer.
    if !fs_err::metadata(&path)?.is_file() {
        return Err(refused("it is not a file".into()));
    }
    let mut opened = fs_err::File::open(&path)?;
    let length = opened.read(&mut head)?;
    let format = Format::of_bytes(&head[..length])
        .ok_or_else(|| refused("it is neither a .tar.gz nor a .zip".into()))?;
    Ok(Offer {
        response: http.get(url.as_str(), None).map_err(|error| refused(error.to_string()))?,
        format,
        shape: Shape::Unknown,
        source: "file",
        url: path.display().to_string(),
        sha256,
        size: None,
        vouched: sha256.is_some(),
    })
}

/// What proves a toolchain, as a clause.
fn proof(receipt: &Receipt) -> String {
    match &receipt.record {
        Some(LogRecord { database, number, .. }) => {
            format!("proved by record {number} of {database}")
        }
        None => receipt.evidence.label().into(),
    }
}

/// The line for a person when it is done.
#[must_use]
pub fn summary(toolchain: &Toolchain) -> String {
    let on = if toolchain.platform.is_host() {
        String::new()
    } else {
        format!(" for {}", toolchain.platform)
    };
    let told = toolchain.receipt().ok().flatten().map_or_else(String::new, |receipt| {
        let mut size = ui::bytes(receipt.bytes);
        if let Some(Parts { bytes, neighbour, .. }) = &receipt.origin.parts {
            let neighbour = neighbour.strip_prefix("go").unwrap_or(neighbour);
            let bytes = ui::bytes(*bytes);
            size += &format!(" ({bytes} fetched, the rest is as in Go {neighbour})");
        }
        format!(", {size}, {}", proof(&receipt))
    });
    format!("installed Go {}{on}{told}", toolchain.version)
}
