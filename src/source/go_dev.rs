//! The layout of go.dev/dl: a JSON index and archives, each with a published
//! SHA-256. Archives are redirected to another host.

use super::cache::{self, Listed};
use super::http::{self, Http};
use super::{Offer, PassedOver, Shape};
use crate::archive::Format;
use crate::catalog::{Archive, Catalog, index};
use crate::error::Code;
use crate::platform::Platform;
use crate::store::Store;
use crate::version::Version;
use std::cell::OnceCell;
use std::rc::Rc;

/// The same server where go.dev is out of reach.
pub(super) const OFFICIAL_IN_CHINA: &str = "https://golang.google.cn/dl";

pub(super) struct GoDev {
    base: String,
    /// Asked for once in a command.
    index: OnceCell<Result<Rc<Listed>, PassedOver>>,
}

impl GoDev {
    pub(super) fn new(base: &str) -> Self {
        Self { base: base.into(), index: OnceCell::new() }
    }

    /// What it is called in messages.
    fn name(&self) -> String {
        http::host(&self.base)
    }

    /// Whether the Go team itself answers there, and nobody in between.
    pub(super) fn is_official(&self) -> bool {
        reqwest::Url::parse(&self.base).is_ok_and(|url| {
            let host = matches!(url.host_str(), Some("go.dev" | "golang.google.cn"));
            host && url.scheme() == "https" && url.port().is_none()
        })
    }

    /// In a directory (`file://`) there are no queries: there the index is the
    /// file `index.json`.
    fn index_url(&self) -> String {
        let base = &self.base;
        if base.starts_with("file:") {
            format!("{base}/index.json")
        } else {
            format!("{base}/?mode=json&include=all")
        }
    }

    pub(super) fn index(&self, http: &Http, store: &Store) -> Result<Listed, PassedOver> {
        let listed = self.shared_index(http, store)?;
        Ok(Listed { catalog: listed.catalog.clone(), stale: listed.stale.clone() })
    }

    fn shared_index(&self, http: &Http, store: &Store) -> Result<Rc<Listed>, PassedOver> {
        let ask = || {
            let parse = |body: &[u8]| {
                index::parse_json(body)
                    .map_err(|error| format!("its index is not that of go.dev: {error}"))
            };
            cache::list(http, store, &self.index_url(), &self.name(), parse).map(Rc::new)
        };
        self.index.get_or_init(ask).clone()
    }

    pub(super) fn offer<'a>(
        &self,
        http: &'a Http,
        store: &Store,
        version: Version,
        platform: &Platform,
    ) -> Result<Offer<'a>, PassedOver> {
        let passed = |code, why: String| PassedOver::new(code, self.name(), why);
        let listed = self.shared_index(http, store)?;
        let release = listed
            .catalog
            .release(version)
            .ok_or_else(|| passed(Code::NoSuchRelease, format!("its index has no Go {version}")))?;
        let Some(Some(Archive { file_name, sha256, size })) = release.archives.get(platform) else {
            let why = format!("it has no Go {version} for {platform}");
            return Err(passed(Code::NoSuchRelease, why));
        };
        let format = Format::of_name(file_name).ok_or_else(|| {
            passed(Code::NoSuchRelease, format!("{file_name} is of no kind that gvm unpacks"))
        })?;
        let url = format!("{}/{file_name}", self.base);
        let response =
            http.get_archive(&url).map_err(|error| passed(Code::Network, error.to_string()))?;
        if response.status != 200 {
            let what = format!("{file_name}: ");
            return Err(PassedOver::answered(self.name(), &what, response));
        }
        Ok(Offer {
            response,
            format,
            shape: Shape::Go,
            source: "go.dev",
            url: http::shown(&url),
            sha256: *sha256,
            size: *size,
            vouched: self.is_official(),
        })
    }

    /// The index that was kept, without asking anybody.
    pub(super) fn kept_index(&self, store: &Store) -> Option<Catalog> {
        cache::kept(store, &self.index_url())
    }
}
