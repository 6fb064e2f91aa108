//! Go module proxies: `golang.org/toolchain` by GOPROXY's rules (cmd/go,
//! internal/modfetch/proxy.go).

use super::cache::{self, Listed};
use super::http::{self, Http, Response};
use super::mirrors::{self, Layout, Place};
use super::ranged::{self, RangedZip};
use super::{Offer, PassedOver, Sent, Shape, newer};
use crate::archive::Format;
use crate::catalog::index;
use crate::error::{Code, Error, Result};
use crate::goenv::Setting;
use crate::platform::Platform;
use crate::store::Store;
use crate::trust::h1::{TOOLCHAIN_MODULE, module_version};
use crate::version::{Request, Version};

/// What `direct` means for this one module: its import comment names a proxy of
/// the Go team's own (golang/website, internal/dl).
const DIRECT: &str = "https://go.dev/dl/mod";

/// A `.info` is a line of JSON.
const MAX_INFO: usize = 64 << 10;

/// One entry of GOPROXY.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    /// Without a closing slash.
    url: String,
    /// What was typed: a URL without a password, or `direct`.
    name: String,
    /// Followed by `|`: the next entry is asked after any error, not only after
    /// a 404 or 410.
    falls_back: bool,
}

pub(super) struct ModuleProxy {
    entries: Vec<Entry>,
    setting: Setting,
}

/// What an entry answered.
enum Answer<'a> {
    Found(Box<Response<'a>>, String),
    Passed(PassedOver),
}

impl ModuleProxy {
    pub(super) fn new(setting: Setting) -> Result<Self> {
        let entries = parse(&setting.value).map_err(|why| {
            let Setting { value, origin } = &setting;
            let value = shown(value);
            Error::new(Code::Usage, format!("GOPROXY={value} ({origin}): {why}"))
                .hint("to set Go's default: go env -u GOPROXY")
        })?;
        Ok(Self { entries, setting })
    }

    /// One proxy by its URL, without a closing slash.
    pub(super) fn at(url: &str, name: &str) -> Self {
        let setting = Setting { value: http::shown(url), origin: name.into() };
        let entry = Entry { url: url.into(), name: http::host(url), falls_back: false };
        Self { entries: vec![entry], setting }
    }

    fn off(&self) -> PassedOver {
        let why = format!("GOPROXY=off ({})", self.setting.origin);
        PassedOver::new(Code::Network, "the module proxy", why)
    }

    /// Asks the entries for a file of the module, by the rules of the list; for the
    /// end of it alone, where only that is wanted and they send parts.
    fn ask<'a>(&self, http: &'a Http, file: &str, tail: Option<u64>) -> Answer<'a> {
        let mut all: Vec<PassedOver> = Vec::new();
        for entry in &self.entries {
            let url = format!("{}/{TOOLCHAIN_MODULE}/@v/{file}", entry.url);
            let whole = || match file.ends_with(".zip") {
                true => http.get_archive(&url),
                false => http.get(&url, None),
            };
            let answer = match tail.map(|length| http.get_tail(&url, length)) {
                // It knows ranges, and not that one.
                Some(Ok(answer)) if answer.status == 416 => whole(),
                Some(answer) => answer,
                None => whole(),
            };
            let passed = match answer {
                Ok(response) if matches!(response.status, 200 | 206) => {
                    return Answer::Found(Box::new(response), url);
                }
                Ok(response) => PassedOver::answered(&entry.name, "", response),
                Err(error) => PassedOver::new(Code::Network, &entry.name, error),
            };
            let go_on = passed.not_there || entry.falls_back;
            all.push(passed);
            if !go_on {
                break;
            }
        }
        // One source to the user, with what each of its places said.
        let Some(last) = all.last() else { return Answer::Passed(self.off()) };
        let is_refusal = |passed: &PassedOver| passed.code == Code::NoSuchRelease;
        let code = if all.iter().any(is_refusal) { Code::NoSuchRelease } else { last.code };
        let reasons: Vec<_> = all.iter().map(|passed| passed.reason.as_str()).collect();
        Answer::Passed(PassedOver { code, reason: reasons.join("; "), not_there: last.not_there })
    }

    /// The releases that the proxy has seen: a hint, never the last word.
    pub(super) fn list(&self, http: &Http, store: &Store) -> Result<Listed, PassedOver> {
        let mut last = Err(self.off());
        for entry in &self.entries {
            let url = format!("{}/{TOOLCHAIN_MODULE}/@v/list", entry.url);
            let parse = |body: &[u8]| {
                let text =
                    std::str::from_utf8(body).map_err(|_| "its list is not text".to_string())?;
                // Empty where it was never asked for a toolchain.
                let catalog = index::parse_module_list(text);
                if catalog.is_empty() && !text.trim().is_empty() {
                    Err("its list names no toolchain".into())
                } else {
                    Ok(catalog)
                }
            };
            last = cache::list(http, store, &url, &entry.name, parse);
            match &last {
                Ok(_) => break,
                Err(passed) if passed.not_there || entry.falls_back => {}
                Err(_) => break,
            }
        }
        last
    }

    /// Whether the proxy says that it has that version.
    fn has(&self, http: &Http, version: Version, platform: &Platform) -> bool {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Info {
            version: String,
        }
        let wanted = module_version(version, platform);
        let Answer::Found(response, _) = self.ask(http, &format!("{wanted}.info"), None) else {
            return false;
        };
        let body = response.bytes(MAX_INFO).unwrap_or_default();
        // A server that answers everything has nothing.
        serde_json::from_slice(&body).is_ok_and(|info: Info| info.version == wanted)
    }

    /// The newest release that answers `request` and that the proxy serves, looked
    /// for behind `listed`.
    pub(super) fn newer(
        &self,
        http: &Http,
        request: Request,
        listed: Option<Version>,
        platform: &Platform,
    ) -> Option<Version> {
        newer(request, listed, |version| self.has(http, version, platform))
    }

    pub(super) fn offer<'a>(
        &self,
        http: &'a Http,
        version: Version,
        platform: &Platform,
    ) -> Result<Offer<'a>, PassedOver> {
        match self.ask(http, &zip_name(version, platform), None) {
            Answer::Passed(passed) => Err(passed),
            Answer::Found(response, url) => Ok(whole(*response, &url, version, platform)),
        }
    }

    /// The zip by its parts, where the proxy that has it sends such; else the whole,
    /// which is on its way then.
    pub(super) fn parts_or_offer<'a>(
        &self,
        http: &'a Http,
        version: Version,
        platform: &Platform,
    ) -> Result<Sent<'a>, PassedOver> {
        match self.ask(http, &zip_name(version, platform), Some(ranged::TAIL)) {
            Answer::Passed(passed) => Err(passed),
            Answer::Found(response, url) if response.status == 200 => {
                Ok(Sent::Whole(Box::new(whole(*response, &url, version, platform))))
            }
            Answer::Found(response, url) => match RangedZip::of(http, &url, *response) {
                Some(zip) => Ok(Sent::Parts(zip)),
                None => self.offer(http, version, platform).map(Box::new).map(Sent::Whole),
            },
        }
    }

    /// The zip at the first proxy that sends parts of it.
    pub(super) fn ranged_zip<'a>(
        &self,
        http: &'a Http,
        version: Version,
        platform: &Platform,
    ) -> Option<RangedZip<'a>> {
        let file = zip_name(version, platform);
        self.entries.iter().find_map(|entry| {
            let url = format!("{}/{TOOLCHAIN_MODULE}/@v/{file}", entry.url);
            RangedZip::of(http, &url, http.get_tail(&url, ranged::TAIL).ok()?)
        })
    }

    /// Where a checksum database answers through these proxies, if through one.
    pub(super) fn checksum_base(&self, http: &Http, name: &str) -> Option<String> {
        for entry in self.entries.iter().filter(|entry| entry.url != DIRECT) {
            let base = format!("{}/sumdb/{name}", entry.url);
            match http.get(&format!("{base}/supported"), None) {
                Ok(response) if response.status == 200 => return Some(base),
                Ok(response) if matches!(response.status, 404 | 410) || entry.falls_back => {}
                // cmd/go gives up here. Asking the database itself is no less
                // safe: whoever answers, the key decides.
                _ => return None,
            }
        }
        None
    }

    /// What was kept of the lists, for completions.
    pub(super) fn kept_list(&self, store: &Store) -> Option<crate::catalog::Catalog> {
        self.entries.iter().find_map(|entry| {
            cache::kept(store, &format!("{}/{TOOLCHAIN_MODULE}/@v/list", entry.url))
        })
    }

    /// The entries as places, without `direct`.
    pub(super) fn places(&self) -> Vec<Place> {
        let entries = self.entries.iter().filter(|entry| entry.url != DIRECT);
        entries.filter_map(|entry| mirrors::at(Layout::Proxy, &entry.url).ok()).collect()
    }

    #[cfg(test)]
    fn describe(&self) -> Vec<String> {
        let mark = |entry: &Entry| if entry.falls_back { "|" } else { "," };
        self.entries.iter().map(|entry| format!("{}{}", entry.url, mark(entry))).collect()
    }
}

fn zip_name(version: Version, platform: &Platform) -> String {
    format!("{}.zip", module_version(version, platform))
}

fn whole<'a>(
    response: Response<'a>,
    url: &str,
    version: Version,
    platform: &Platform,
) -> Offer<'a> {
    Offer {
        response,
        format: Format::Zip,
        shape: Shape::Module { version, platform: platform.clone() },
        source: "proxy",
        url: http::shown(url),
        sha256: None,
        size: None,
        vouched: false,
    }
}

/// GOPROXY's list as it may be shown: without passwords.
#[must_use]
pub fn shown(list: &str) -> String {
    let entries = list.split_inclusive([',', '|']);
    let shown = entries.map(|entry| match entry.strip_suffix([',', '|']) {
        Some(url) => format!("{}{}", http::shown(url), &entry[url.len()..]),
        None => http::shown(entry),
    });
    shown.collect()
}

/// Reads GOPROXY's list. `off` ends it, and so does `direct`.
fn parse(list: &str) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    let mut rest = list;
    while !rest.is_empty() {
        let end = rest.find([',', '|']).unwrap_or(rest.len());
        let text = rest[..end].trim();
        let falls_back = rest[end..].starts_with('|');
        rest = rest[end..].get(1..).unwrap_or_default();
        match text {
            "" => continue,
            "off" => return Ok(entries),
            "direct" => {
                entries.push(Entry { url: DIRECT.into(), name: "direct".into(), falls_back });
                return Ok(entries);
            }
            _ => {}
        }
        // cmd/go adds https:// to what has a dot, colon or slash and no scheme.
        let url = if text.contains(":/") {
            text.to_string()
        } else if text.contains(['.', ':', '/']) && !text.starts_with('/') {
            format!("https://{text}")
        } else {
            return Err(format!("`{}` is neither a URL nor direct nor off", http::shown(text)));
        };
        let parsed =
            reqwest::Url::parse(&url).map_err(|_| format!("`{}` is no URL", http::shown(text)))?;
        if !matches!(parsed.scheme(), "http" | "https" | "file") {
            return Err(format!("{}:// is neither https, http nor file", parsed.scheme()));
        }
        let url = url.trim_end_matches('/').to_string();
        entries.push(Entry { name: http::host(&url), url, falls_back });
    }
    if entries.is_empty() {
        return Err("the list has no entries".into());
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(list: &str) -> Result<Vec<String>> {
        ModuleProxy::new(Setting { value: list.into(), origin: "test".into() })
            .map(|proxy| proxy.describe())
    }

    #[test]
    fn goproxy_is_read_as_the_go_command_reads_it() {
        assert_eq!(
            entries("https://a.example/,b.example/go|file:///srv/proxy, direct,https://never")
                .unwrap(),
            [
                "https://a.example,",
                "https://b.example/go|",
                "file:///srv/proxy,",
                "https://go.dev/dl/mod,"
            ]
        );
        assert_eq!(entries("https://a.example,off,https://never").unwrap(), ["https://a.example,"]);
        assert!(entries("off").unwrap().is_empty());
        for list in [",", " ", "nonsense", "ftp://a.example", "https://u:secret@["] {
            let error = entries(list).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
