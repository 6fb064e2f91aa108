//! What releases of Go exist.

pub mod index;
mod lines;

use crate::platform::Platform;
use crate::version::{Request, Version};
use std::collections::BTreeMap;
use std::rc::Rc;

/// One archive of a release, as an index names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// Always used as published, never made from its fields.
    pub file_name: String,
    pub sha256: Option<crate::trust::sha256::Sha256>,
    /// In bytes; `None` where the index does not know it.
    pub size: Option<u64>,
}

/// A release and the platforms that it exists for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    pub version: Version,
    /// The archives by platform. A module proxy's list names platforms alone.
    pub archives: BTreeMap<Platform, Option<Archive>>,
}

/// All known releases. A clone costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    releases: Rc<BTreeMap<Version, Release>>,
}

impl Catalog {
    /// Adds what another source knows; what is known already stays.
    pub fn add(&mut self, release: Release) {
        match Rc::make_mut(&mut self.releases).entry(release.version) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(release);
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                for (platform, archive) in release.archives {
                    entry.get_mut().archives.entry(platform).or_insert(archive);
                }
            }
        }
    }

    pub fn merge(&mut self, other: Self) {
        if self.is_empty() {
            *self = other;
            return;
        }
        Rc::unwrap_or_clone(other.releases).into_values().for_each(|release| self.add(release));
    }

    #[must_use]
    pub fn release(&self, version: Version) -> Option<&Release> {
        self.releases.get(&version)
    }

    /// All of them, oldest first.
    pub fn releases(&self) -> impl Iterator<Item = &Release> {
        self.releases.values()
    }

    /// The versions that exist for a platform, oldest first.
    pub fn versions<'a>(
        &'a self,
        platform: &'a Platform,
    ) -> impl Iterator<Item = Version> + Clone + 'a {
        let here = self.releases.values().filter(|release| release.archives.contains_key(platform));
        here.map(|release| release.version)
    }

    /// The newest release that a request asks for.
    #[must_use]
    pub fn choose(&self, request: Request, platform: &Platform) -> Option<Version> {
        request.choose(self.versions(platform))
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.releases.is_empty()
    }

    /// Tells of a version whether it gets fixes: a major (its minor number, as in 1.27)
    /// does until there are two newer ones (go.dev/doc/devel/release#policy).
    pub fn supported(&self) -> impl Fn(&Version) -> bool + use<> {
        let releases = self.releases.keys().filter(|version| version.is_release());
        let newest = releases.max().map_or(0, Version::minor);
        move |version| version.minor() + 1 >= newest
    }
}
