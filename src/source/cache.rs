//! Indexes of releases, kept for the day on which nobody answers.
//!
//! A file is a line of JSON (URL, ETag, time), and behind it the releases as lines.

use super::PassedOver;
use super::http::{self, Http};
use crate::catalog::Catalog;
use crate::error::Code;
use crate::files;
use crate::store::Store;
use crate::trust::sha256::Hasher;
use crate::ui::{self, shown};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Ten times what go.dev sends with all releases.
const LIMIT: usize = 32 << 20;
/// The line in front of it.
const MAX_HEAD: usize = 64 << 10;

#[derive(Serialize, Deserialize)]
struct Head {
    url: String,
    etag: Option<String>,
    /// Seconds since 1970 in UTC.
    fetched_at: u64,
    /// What follows: [`FORM`]. Files without it hold an index as it came.
    #[serde(default)]
    form: u32,
}

/// The lines of [`Catalog::to_lines`].
const FORM: u32 = 1;

/// A list of releases.
pub(super) struct Listed {
    pub catalog: Catalog,
    /// When it could not be asked for anew: a sentence that says so.
    pub stale: Option<String>,
}

/// Asks for an index, with the ETag of what is kept, and falls back on that.
/// A body that `parse` refuses is not kept.
pub(super) fn list(
    http: &Http,
    store: &Store,
    url: &str,
    name: &str,
    parse: impl Fn(&[u8]) -> Result<Catalog, String>,
) -> Result<Listed, PassedOver> {
    let file = file_of(store, url);
    let kept = read(&file, url).unwrap_or_else(|why| {
        ui::warn(format_args!("{why}; it was kept of {name}, which is asked anew"));
        None
    });
    let failed = |code, why: String| PassedOver::new(code, name, why);

    let etag = kept.as_ref().and_then(|(head, _)| head.etag.as_deref());
    let answer = http.get(url, etag).map_err(|error| failed(Code::Network, error.to_string()));
    let fresh = answer.and_then(|response| {
        if response.status == 304 {
            return Ok(None);
        }
        if response.status != 200 {
            return Err(PassedOver::answered(name, "", response));
        }
        let is_html = response.is_html();
        let etag = response.etag.clone();
        let body = response.bytes(LIMIT).map_err(|e| failed(Code::Network, e.to_string()))?;
        let catalog = parse(&body).map_err(|why| {
            let why =
                if is_html { "it sent a web page, not a list of releases".into() } else { why };
            failed(Code::NoSuchRelease, why)
        })?;
        write(store, &file, url, etag, &catalog);
        Ok(Some(catalog))
    });

    match (fresh, kept) {
        (Ok(Some(catalog)), _) | (Ok(None), Some((_, catalog))) => {
            Ok(Listed { catalog, stale: None })
        }
        (Err(passed), Some((head, catalog))) => {
            let age = age(head.fetched_at);
            let stale = Some(format!("{}; going by its list of {age}", passed.reason));
            Ok(Listed { catalog, stale })
        }
        (Err(passed), None) => Err(passed),
        (Ok(None), None) => Err(failed(Code::Network, "it answered 304 to a first request".into())),
    }
}

/// The kept index of a URL, without asking anybody; for completions.
pub(super) fn kept(store: &Store, url: &str) -> Option<Catalog> {
    read(&file_of(store, url), url).ok()?.map(|(_, catalog)| catalog)
}

fn file_of(store: &Store, url: &str) -> PathBuf {
    let mut hasher = Hasher::default();
    hasher.update(url.as_bytes());
    let digest = hasher.finish().to_string();
    store.cache().join(format!("index-{}", &digest[..16]))
}

/// What is kept of a URL.
///
/// # Errors
/// There is something, and it cannot be used: why, with the file's name.
fn read(file: &Path, url: &str) -> Result<Option<(Head, Catalog)>, String> {
    let damaged = || format!("{} is damaged", shown(file));
    let content = files::read(file, LIMIT + MAX_HEAD).map_err(|error| error.to_string())?;
    let Some(content) = content else { return Ok(None) };
    let content = str::from_utf8(&content).map_err(|_| damaged())?;
    let (head, lines) = content.split_once('\n').ok_or_else(damaged)?;
    let head: Head = serde_json::from_str(head).map_err(|_| damaged())?;
    if head.url != http::shown(url) || head.form != FORM {
        return Ok(None);
    }
    let catalog = Catalog::from_lines(lines).ok_or_else(damaged)?;
    Ok(Some((head, catalog)))
}

/// A cache that cannot be written costs time and nothing else.
fn write(store: &Store, file: &Path, url: &str, etag: Option<String>, catalog: &Catalog) {
    let head = Head { url: http::shown(url), etag, fetched_at: now(), form: FORM };
    let Ok(head) = serde_json::to_string(&head) else { return };
    let content = format!("{head}\n{}", catalog.to_lines());
    let _ = store.replace_file(file, content.as_bytes());
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// How long ago, for people.
fn age(then: u64) -> String {
    let minutes = now().saturating_sub(then) / 60;
    match minutes {
        0..2 => "a moment ago".into(),
        2..120 => format!("{minutes} minutes ago"),
        120..2880 => format!("{} hours ago", minutes / 60),
        _ => format!("{} days ago", minutes / 1440),
    }
}
