//! How the checksum database is reached: through the module proxies, by the
//! protocol of `/sumdb/NAME/supported`, else directly (go.dev/design/25530-sumdb,
//! "Proxying a Checksum Database").

use super::http::{self, Http, Response};
use super::proxy::ModuleProxy;
use crate::trust::sumdb::{Database, MAX_ANSWER, Transport, Unanswered};
use std::cell::OnceCell;

/// The database over HTTP. Where it answers is found out at the first question,
/// so that what is kept is used without one.
pub(super) struct Checksums<'a> {
    http: &'a Http,
    /// In the order in which they are asked.
    proxies: Vec<&'a ModuleProxy>,
    database: &'a Database,
    base: OnceCell<String>,
}

impl<'a> Checksums<'a> {
    pub(super) fn new(
        http: &'a Http,
        proxies: Vec<&'a ModuleProxy>,
        database: &'a Database,
    ) -> Self {
        Self { http, proxies, database, base: OnceCell::new() }
    }

    /// The database at one place.
    pub(super) fn at(http: &'a Http, base: &str, database: &'a Database) -> Self {
        Self { http, proxies: Vec::new(), database, base: OnceCell::from(base.to_string()) }
    }

    fn base(&self) -> &str {
        self.base.get_or_init(|| {
            let name = &self.database.verifier.name;
            let mut proxies = self.proxies.iter();
            let by_proxy = proxies.find_map(|proxy| proxy.checksum_base(self.http, name));
            by_proxy.unwrap_or_else(|| self.database.direct_url.clone())
        })
    }
}

impl Transport for Checksums<'_> {
    fn get(&self, path: &str) -> Result<Vec<u8>, Unanswered> {
        let base = self.base();
        let place = http::host(base);
        let unreachable = |why: http::HttpError| {
            Unanswered::Unreachable(format!("the checksum database at {place}: {why}"))
        };
        let response: Response =
            self.http.get(&format!("{base}{path}"), None).map_err(unreachable)?;
        match response.status {
            200 if response.is_html() => Err(Unanswered::Unreachable(format!(
                "the checksum database at {place}: it sent a web page"
            ))),
            200 => response.bytes(MAX_ANSWER).map_err(unreachable),
            404 | 410 => Err(Unanswered::NotFound(format!(
                "the checksum database at {place}: {}",
                response.refusal()
            ))),
            _ => Err(Unanswered::Unreachable(format!(
                "the checksum database at {place}: {}",
                response.refusal()
            ))),
        }
    }
}
