//! What the families look at, each fact found out once.

use crate::config::{Config, Offline};
use crate::error::Result;
use crate::host::Host;
use crate::layout;
use crate::pin::PinError;
use crate::resolve::{self, Resolution};
use crate::store::Store;
use std::sync::OnceLock;

/// This machine, as the families share it.
pub struct Context {
    pub store: Store,
    /// The settings, or what is wrong with them.
    pub config: Result<Config>,
    resolution: OnceLock<Result<Resolution, PinError>>,
}

impl Context {
    #[must_use]
    pub fn new(store: Store, config: Result<Config>) -> Self {
        Self { store, config, resolution: OnceLock::new() }
    }

    /// What keeps gvm off the network.
    #[must_use]
    pub fn offline(&self) -> Option<Offline> {
        self.config.as_ref().ok().and_then(|config| config.offline)
    }

    /// What the current directory and environment resolve to.
    pub fn resolution(&self) -> &Result<Resolution, PinError> {
        self.resolution.get_or_init(|| resolve::resolve(&Host, self.store.layout(), layout::HOST))
    }
}
