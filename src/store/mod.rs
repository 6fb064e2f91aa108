//! What is installed: one directory per toolchain, published by one rename, so
//! that present means complete.

mod delete;
mod durable;
mod lock;
mod pins;
pub mod receipt;
pub mod share;
mod shims;
mod staging;
pub mod usage;

pub(crate) use durable::WriteBack;
pub use lock::Lock;
pub use receipt::{Evidence, LogRecord, Origin, Parts, Receipt};
pub(crate) use shims::executable as shim_executable;
use staging::MANIFEST;
pub use staging::Staging;

use crate::error::{Code, Error, Result};
use crate::files;
use crate::host::{Host, bytes, os};
use crate::layout::{self, Layout};
use crate::platform::Platform;
use crate::ui::{Ui, shown};
use crate::version::{Request, Version};
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Ten times what the largest release has.
const MAX_MANIFEST: usize = 16 << 20;

/// The store under one root.
#[derive(Clone, Debug)]
pub struct Store {
    layout: Layout,
}

/// A complete toolchain of the store.
#[derive(Clone, Debug)]
pub struct Toolchain {
    pub version: Version,
    pub platform: Platform,
    /// The directory that was published: receipt and `go`.
    pub directory: PathBuf,
    pub goroot: PathBuf,
}

impl Toolchain {
    /// Its version, with the platform where that is not this machine's.
    #[must_use]
    pub fn label(&self) -> String {
        match self.platform.is_host() {
            true => self.version.to_string(),
            false => format!("{}, {}", self.version, self.platform),
        }
    }

    /// What is known of its making; `None` when there is no receipt.
    ///
    /// # Errors
    /// There is one, and it cannot be used; the error names it.
    pub fn receipt(&self) -> Result<Option<Receipt>> {
        Receipt::read(&self.directory)
    }

    /// Digests and paths of its files, as sha256sum(1) writes them; `None` when there
    /// are none.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn manifest(&self) -> Result<Option<String>> {
        Ok(files::read_text(&self.directory.join(MANIFEST), MAX_MANIFEST)?)
    }
}

/// Deletes a tree that is none of ours. It is called otherwise first, so that a killed
/// deletion leaves none that is half there under its name.
///
/// # Errors
/// It cannot be renamed (it is still whole then) or not be deleted.
pub fn delete_tree(directory: &Path) -> Result<()> {
    let gone = directory.with_file_name(format!(".gvm-removed-{}", std::process::id()));
    fs_err::rename(directory, &gone)?;
    staging::remove_tree(&gone)
}

/// What is in a directory; nothing where there is none.
fn entries(directory: &Path) -> Result<impl Iterator<Item = std::io::Result<fs_err::DirEntry>>> {
    let entries = match fs_err::read_dir(directory) {
        Ok(entries) => Some(entries),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error.into()),
    };
    Ok(entries.into_iter().flatten())
}

/// A path of the layout as the standard library has it.
#[must_use]
pub fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(os(bytes))
}

impl Store {
    /// The store that `GVM_ROOT` names, else the one in the platform's data
    /// directory. Nothing is created yet.
    ///
    /// # Errors
    /// There is no home directory, or `GVM_ROOT` is not ours.
    pub fn open() -> Result<Self> {
        let named = Layout::from_variable(&Host)
            .map_err(|error| Error::new(Code::Usage, error.to_string()))?;
        let Some(layout) = named else { return Self::by_default() };
        if layout.is_moovweb(&Host) {
            let root = path(layout.root());
            let message = format!("GVM_ROOT is {}, which belongs to moovweb/gvm", shown(&root));
            return Err(Error::new(Code::Usage, message).hint(
                "take its line out of your shell's rc file, then: unset GVM_ROOT GVM_VERSION",
            ));
        }
        Ok(Self { layout })
    }

    /// The store in the platform's data directory.
    ///
    /// # Errors
    /// There is no home directory.
    pub fn by_default() -> Result<Self> {
        // Not the roaming one of Windows: a profile that roams would carry it along.
        let data = dirs::data_local_dir().filter(|data| data.is_absolute()).ok_or_else(|| {
            Error::new(Code::Usage, layout::NoRoot::NoHome.to_string())
                .hint("to name one: export GVM_ROOT=/path/of/the/store")
        })?;
        Ok(Self { layout: Layout::new(bytes(data.join("gvm").into_os_string())) })
    }

    /// The store at `root`, as a shim knows it.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self { layout: Layout::new(bytes(root.as_os_str().to_os_string())) }
    }

    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    #[must_use]
    pub fn root(&self) -> PathBuf {
        path(self.layout.root())
    }

    #[must_use]
    pub fn shims(&self) -> PathBuf {
        path(&self.layout.shims())
    }

    #[must_use]
    pub fn cache(&self) -> PathBuf {
        path(&self.layout.cache())
    }

    /// All toolchains, newest first.
    ///
    /// # Errors
    /// The directory is there and cannot be read.
    pub fn toolchains(&self) -> Result<Vec<Toolchain>> {
        let names = self.names()?.into_iter();
        let found = names.filter_map(|(version, platform)| self.find(version, &platform));
        let mut found: Vec<_> = found.collect();
        found.sort_by(|a, b| b.version.cmp(&a.version).then_with(|| a.platform.cmp(&b.platform)));
        Ok(found)
    }

    /// What the directories of the store are called, in no order.
    fn names(&self) -> Result<Vec<(Version, Platform)>> {
        let mut names = Vec::new();
        for entry in entries(&path(&self.layout.toolchains()))? {
            let name = entry?.file_name();
            let parsed = name.to_str().and_then(layout::parse_toolchain_name);
            names.extend(parsed.map(|(version, platform)| (version, platform.into())));
        }
        Ok(names)
    }

    /// What lies among the toolchains and is none of them: a directory of another name,
    /// or one without a GOROOT.
    ///
    /// # Errors
    /// As [`Store::toolchains`].
    pub fn strangers(&self) -> Result<Vec<PathBuf>> {
        let is_toolchain = |name: &OsStr| {
            let named = name.to_str().and_then(layout::parse_toolchain_name);
            named.is_some_and(|(version, platform)| self.find(version, &platform.into()).is_some())
        };
        let mut strangers = Vec::new();
        for entry in entries(&path(&self.layout.toolchains()))? {
            let entry = entry?;
            if !is_toolchain(&entry.file_name()) {
                strangers.push(entry.path());
            }
        }
        strangers.sort();
        Ok(strangers)
    }

    /// Directories that processes left in `tmp/` when they were ended, with what they
    /// were making. [`Store::recover`] deletes them.
    #[must_use]
    pub fn left_over(&self) -> Vec<PathBuf> {
        staging::abandoned(&path(&self.layout.tmp())).map(|(directory, _)| directory).collect()
    }

    /// One toolchain, if it is installed.
    #[must_use]
    pub fn find(&self, version: Version, platform: &Platform) -> Option<Toolchain> {
        let goroot = path(&self.layout.goroot(version, platform.borrowed()));
        goroot.is_dir().then(|| Toolchain {
            version,
            platform: platform.clone(),
            directory: path(&self.layout.toolchain(version, platform.borrowed())),
            goroot,
        })
    }

    /// The newest installed toolchain that a request asks for.
    ///
    /// # Errors
    /// As [`Store::toolchains`].
    pub fn choose(&self, request: Request, platform: &Platform) -> Result<Option<Toolchain>> {
        if let Some(version) = request.exact() {
            return Ok(self.find(version, platform));
        }
        let mut versions: Vec<_> = self
            .names()?
            .into_iter()
            .filter(|(_, on)| on == platform)
            .map(|(version, _)| version)
            .collect();
        // Only the one that is chosen is looked at.
        while let Some(version) = request.choose(versions.iter().copied()) {
            if let Some(found) = self.find(version, platform) {
                return Ok(Some(found));
            }
            versions.retain(|other| *other != version);
        }
        Ok(None)
    }

    /// Waits until no other gvm process works on that toolchain, and says so.
    ///
    /// # Errors
    /// The lock file cannot be made.
    pub fn lock(
        &self,
        version: Version,
        platform: &Platform,
        doing: &str,
        ui: &Ui,
    ) -> Result<Lock> {
        let name = layout::toolchain_name(version, platform.borrowed());
        Lock::acquire(&path(&self.layout.locks()), &name, doing, ui)
    }

    /// Where the checksum database's heads, tiles and records are kept.
    #[must_use]
    pub fn checksums(&self) -> PathBuf {
        path(&self.layout.checksums())
    }

    /// Waits until no other gvm process asks the checksum database.
    ///
    /// # Errors
    /// The lock file cannot be made.
    pub fn lock_checksums(&self, ui: &Ui) -> Result<Lock> {
        Lock::acquire(&path(&self.layout.locks()), "checksums", "asking for", ui)
    }

    /// A place to build a toolchain, on the file system of the store. What
    /// earlier processes left behind when they were killed is removed first.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn stage(&self, ui: &Ui) -> Result<Staging> {
        Staging::create(&path(&self.layout.tmp()), &path(&self.layout.locks()), ui)
    }

    /// Makes a staged tree a toolchain: from here on it is installed, whole, and after a
    /// power cut too. One of the same name is replaced. The caller holds its lock.
    ///
    /// # Errors
    /// The receipt cannot be written, the disk does not take the tree, or it cannot be
    /// moved; nothing is installed then.
    pub fn publish(
        &self,
        staging: Staging,
        version: Version,
        platform: &Platform,
        receipt: &Receipt,
        ui: &Ui,
    ) -> Result<Toolchain> {
        receipt.write(&staging.toolchain())?;
        let target = path(&self.layout.toolchain(version, platform.borrowed()));
        let toolchains = path(&self.layout.toolchains());
        fs_err::create_dir_all(&toolchains)?;
        staging.settle()?;
        let announce = || {
            durable::settle_names(&toolchains)?;
            self.changed(ui)
        };
        if target.exists() {
            // A directory that its owner may not write cannot be moved to another.
            staging::make_writable(&target)?;
            if staging::exchange(&staging.toolchain(), &target) {
                // What was there goes with the staging directory.
                if let Err(error) = announce() {
                    let _ = staging::exchange(&staging.toolchain(), &target);
                    self.take_back(staging, ui);
                    return Err(error);
                }
                return self.published(version, platform);
            }
        }
        let replaced = if target.exists() { Some(self.take_out(&target, ui)?) } else { None };
        let renamed = fs_err::rename(staging.toolchain(), &target).map_err(Error::from);
        let is_renamed = renamed.is_ok();
        if let Err(error) = renamed.and_then(|()| announce()) {
            // As if nothing had been: what cannot be announced is not installed.
            if is_renamed {
                let _ = fs_err::rename(&target, staging.toolchain());
            }
            if let Some(replaced) = replaced {
                let _ = fs_err::rename(replaced.toolchain(), &target);
            }
            if is_renamed {
                self.take_back(staging, ui);
            }
            return Err(error);
        }
        self.published(version, platform)
    }

    fn published(&self, version: Version, platform: &Platform) -> Result<Toolchain> {
        self.find(version, platform).ok_or_else(|| {
            let target = path(&self.layout.toolchain(version, platform.borrowed()));
            let message = format!("{} went away while it was published", shown(&target));
            Error::new(Code::Failure, message)
        })
    }

    /// Writes down what is known of a toolchain now. The caller holds its lock.
    ///
    /// # Errors
    /// The files cannot be replaced; each of them is the old one or the new one.
    pub fn note(&self, toolchain: &Toolchain, receipt: &Receipt, manifest: &str) -> Result<()> {
        self.replace_file(&toolchain.directory.join(MANIFEST), manifest.as_bytes())?;
        receipt.replace(&toolchain.directory)
    }

    /// Brings to an end what killed processes began: the shims become those of what
    /// is installed, shells notice, and what lies in `tmp/` is deleted. Until then it
    /// lies there, so whoever is killed here leaves it to the next one. Where another
    /// process works on `tmp/`, it is that one's matter.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn recover(&self, ui: &Ui) -> Result<()> {
        let (tmp, locks) = (path(&self.layout.tmp()), path(&self.layout.locks()));
        // Nearly always: one look at an empty directory.
        if fs_err::read_dir(&tmp).map_or(true, |mut entries| entries.next().is_none()) {
            return Ok(());
        }
        let Some(_lock) = Lock::try_acquire(&locks, "tmp")? else { return Ok(()) };
        let left: Vec<_> = staging::left_over(&tmp).collect();
        if left.is_empty() {
            return Ok(());
        }
        // What is not brought to its end stays for the next one to find.
        self.changed(ui).inspect_err(|_| left.into_iter().for_each(std::mem::forget))
    }

    /// Removes a toolchain. It leaves the store by one rename, so whatever
    /// happens after that, no broken one is listed. The caller holds its lock.
    ///
    /// # Errors
    /// It cannot be moved (it is still whole then) or cannot be deleted (the
    /// next install or uninstall tries again).
    pub fn remove(&self, toolchain: &Toolchain, ui: &Ui) -> Result<()> {
        let removed = self.take_out(&toolchain.directory, ui)?;
        if let Err(error) = self.changed(ui) {
            // What cannot be announced stays installed.
            let _ = fs_err::rename(removed.toolchain(), &toolchain.directory);
            self.take_back(removed, ui);
            return Err(error);
        }
        removed.delete()
    }

    /// The shims become again those of what is installed. What could not be done now
    /// is done by the next one, who finds the staging directory.
    fn take_back(&self, staging: Staging, ui: &Ui) {
        if self.refresh_shims(ui).is_err() {
            std::mem::forget(staging);
        }
    }

    /// Moves a published directory out of sight.
    fn take_out(&self, directory: &Path, ui: &Ui) -> Result<Staging> {
        let staging = self.stage(ui)?;
        // A directory that its owner may not write cannot be moved to another.
        staging::make_writable(directory)?;
        fs_err::rename(directory, staging.toolchain())?;
        Ok(staging)
    }

    /// The set of toolchains has changed: so do the shims, and shells notice.
    fn changed(&self, ui: &Ui) -> Result<()> {
        self.refresh_shims(ui)?;
        self.bump_generation()
    }

    /// Makes `shims/` hold what it should: `go`, `gofmt`, and one `go1.X.Y` for
    /// each toolchain of this platform.
    ///
    /// # Errors
    /// The shim executable is not beside gvm, or the store cannot be written.
    pub fn refresh_shims(&self, ui: &Ui) -> Result<()> {
        let _lock = Lock::acquire(&path(&self.layout.locks()), "shims", "setting up", ui)?;
        // After waiting: another process may have changed what is installed.
        let versions = self.versions_here()?;
        shims::refresh(&self.shims(), &path(&self.layout.gvm_path()), &versions)
    }

    /// The shims that are not as [`Store::refresh_shims`] would make them, by their
    /// names, each with what is wrong, in a clause.
    ///
    /// # Errors
    /// The shim executable is not beside gvm, or the store cannot be read.
    pub fn faulty_shims(&self) -> Result<Vec<(String, &'static str)>> {
        shims::faults(&self.shims(), &self.versions_here()?)
    }

    /// The versions that are installed for this machine, newest first: those that have a
    /// shim of their own. A directory that cannot be read is not one without toolchains.
    ///
    /// # Errors
    /// As [`Store::toolchains`].
    pub fn versions_here(&self) -> Result<Vec<Version>> {
        let here = self.toolchains()?.into_iter().filter(|toolchain| toolchain.platform.is_host());
        Ok(here.map(|toolchain| toolchain.version).collect())
    }

    /// Makes the shims if there are none, or if gvm was upgraded since.
    ///
    /// # Errors
    /// As [`Store::refresh_shims`].
    pub fn ensure_shims(&self, ui: &Ui) -> Result<()> {
        if shims::are_current(&self.shims()) { Ok(()) } else { self.refresh_shims(ui) }
    }

    /// Lets running shells notice at their next prompt that the store changed.
    fn bump_generation(&self) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let stamp = format!("{}-{}\n", now.as_nanos(), std::process::id());
        self.replace_file(&path(&self.layout.generation()), stamp.as_bytes())
    }

    /// The default request, if one is set.
    ///
    /// # Errors
    /// Its file cannot be used.
    pub fn default_pin(&self) -> Result<Option<crate::pin::Pin>> {
        Ok(crate::pin::from_default(&Host, self.layout.default_file())?)
    }

    /// Sets or takes away the default.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn set_default(&self, request: Option<Request>) -> Result<()> {
        let file = path(&self.layout.default_file());
        match request {
            Some(request) => self.replace_file(&file, format!("{request}\n").as_bytes())?,
            None => match fs_err::remove_file(&file) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            },
        }
        self.bump_generation()
    }

    /// Writes a small file of the store so that a reader sees the old content
    /// or the new one.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn replace_file(&self, file: &Path, content: &[u8]) -> Result<()> {
        let directory = file.parent().unwrap_or(file);
        fs_err::create_dir_all(directory)?;
        files::replace(file, content, None).map_err(|error| {
            Error::from(error).context(format_args!("{} cannot be replaced", shown(file)))
        })
    }
}
