//! What the families look at, each fact found out once.

use super::which_go::{self, OnPath};
use crate::config::{Config, Offline};
use crate::error::Result;
use crate::goenv::{self, Located};
use crate::host::Host;
use crate::layout;
use crate::pin::PinError;
use crate::platform::Platform;
use crate::resolve::{self, Resolution};
use crate::store::Store;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// This machine, as the families share it.
pub struct Context {
    pub store: Store,
    /// The settings, or what is wrong with them.
    pub config: Result<Config>,
    /// What to build for; nothing: the usual ones.
    pub targets: Vec<Platform>,
    home: Option<PathBuf>,
    on_path: OnceLock<Vec<OnPath>>,
    resolution: OnceLock<Result<Resolution, PinError>>,
    goroot: OnceLock<Option<PathBuf>>,
}

impl Context {
    #[must_use]
    pub fn new(store: Store, config: Result<Config>) -> Self {
        let home = dirs::home_dir().filter(|home| home.is_absolute());
        Self {
            store,
            config,
            targets: Vec::new(),
            home,
            on_path: OnceLock::new(),
            resolution: OnceLock::new(),
            goroot: OnceLock::new(),
        }
    }

    /// What keeps gvm off the network.
    #[must_use]
    pub fn offline(&self) -> Option<Offline> {
        self.config.as_ref().ok().and_then(|config| config.offline)
    }

    #[must_use]
    pub fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// Every go on PATH in its order, each directory once.
    pub(super) fn on_path(&self) -> &[OnPath] {
        self.on_path.get_or_init(|| which_go::on_path(self))
    }

    /// A setting as the go command that runs here sees it; `None` as well where it cannot
    /// be read, which the family of variables tells.
    pub(super) fn setting(&self, name: &str) -> Option<Located> {
        goenv::located(name, self.goroot()).ok().flatten()
    }

    /// What the current directory and environment resolve to.
    pub fn resolution(&self) -> &Result<Resolution, PinError> {
        self.resolution.get_or_init(|| resolve::resolve(&Host, self.store.layout(), layout::HOST))
    }

    /// GOROOT of the go that runs here when somebody types it: the selected toolchain's
    /// through a shim, else that of the first go on PATH. `None` where it is no tree that
    /// tells its version.
    pub fn goroot(&self) -> Option<&Path> {
        self.goroot.get_or_init(|| which_go::goroot(self)).as_deref()
    }
}
