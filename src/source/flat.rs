//! A flat mirror: archives under their names, mostly with a `.sha256` beside each,
//! and no index.

use super::http::{self, Http};
use super::{Offer, PassedOver, Shape, newer};
use crate::archive::Format;
use crate::catalog::Archive;
use crate::error::Code;
use crate::platform::Platform;
use crate::trust::sha256::Sha256;
use crate::version::{Request, Version};

/// A `.sha256` has 64 digits, and perhaps a name.
const MAX_DIGEST: usize = 4 << 10;

pub(super) struct Flat {
    base: String,
}

/// What an index that is kept says of an archive.
pub(super) struct Published {
    pub archive: Archive,
    /// The index is the Go team's own, and came over TLS.
    pub is_official: bool,
}

impl Flat {
    pub(super) fn new(base: &str) -> Self {
        Self { base: base.into() }
    }

    /// What it is called in messages.
    fn name(&self) -> String {
        http::host(&self.base)
    }

    pub(super) fn url_of(&self, file_name: &str) -> String {
        format!("{}/{file_name}", self.base)
    }

    /// Why it has no list.
    pub(super) fn lists_nothing(&self) -> PassedOver {
        let why = "it has archives and no list of them; an exact version can be asked for";
        PassedOver::new(Code::NoSuchRelease, self.name(), why)
    }

    pub(super) fn offer<'a>(
        &self,
        http: &'a Http,
        version: Version,
        platform: &Platform,
        published: Option<Published>,
    ) -> Result<Offer<'a>, PassedOver> {
        let passed = |code, why: String| PassedOver::new(code, self.name(), why);
        let (archive, is_official) = match published {
            Some(Published { archive, is_official }) => (Some(archive), is_official),
            None => (None, false),
        };
        let made = || file_name(version, platform);
        let file_name = archive.as_ref().map_or_else(made, |archive| archive.file_name.clone());
        let format = Format::of_name(&file_name).ok_or_else(|| {
            passed(Code::NoSuchRelease, format!("{file_name} is of no kind that gvm unpacks"))
        })?;
        let url = self.url_of(&file_name);
        let response =
            http.get_archive(&url).map_err(|error| passed(Code::Network, error.to_string()))?;
        if response.status != 200 {
            let what = format!("{file_name}: ");
            return Err(PassedOver::answered(self.name(), &what, response));
        }
        let official = archive.filter(|_| is_official);
        let vouched = official.as_ref().is_some_and(|archive| archive.sha256.is_some());
        let (sha256, size) = match official {
            Some(Archive { sha256: Some(sha256), size, .. }) => (Some(sha256), size),
            _ => (self.digest(http, &file_name), None),
        };
        Ok(Offer {
            response,
            format,
            shape: Shape::Go,
            source: "flat",
            url: http::shown(&url),
            sha256,
            size,
            vouched,
        })
    }

    /// The digest that the mirror has beside a file, if it has one. It shows that a
    /// transfer was whole, and no more.
    pub(super) fn digest(&self, http: &Http, file_name: &str) -> Option<Sha256> {
        let response = http.get(&self.url_of(&format!("{file_name}.sha256")), None).ok()?;
        if response.status != 200 || response.is_html() {
            return None;
        }
        read_digest(&response.bytes(MAX_DIGEST).ok()?, file_name)
    }

    /// Whether there is an archive of that name: by its first bytes, since some
    /// servers have an answer to everything.
    pub(super) fn has(&self, http: &Http, file_name: &str) -> bool {
        let Ok(mut response) = http.get_range(&self.url_of(file_name), 0, 3) else { return false };
        if !matches!(response.status, 200 | 206) || response.is_html() {
            return false;
        }
        let mut head = Vec::new();
        while head.len() < 4 {
            match response.chunk() {
                Ok(Some(chunk)) => head.extend_from_slice(&chunk),
                _ => break,
            }
        }
        Format::of_bytes(&head).is_some()
    }

    /// The newest release that answers `request`, looked for by its name behind
    /// `listed`.
    pub(super) fn newer(
        &self,
        http: &Http,
        request: Request,
        listed: Option<Version>,
        platform: &Platform,
    ) -> Option<Version> {
        newer(request, listed, |version| self.has(http, &file_name(version, platform)))
    }
}

/// The name of an archive where no index tells it (FIELD-NOTES 2): for what was
/// published before 1.5 it may be another one.
pub(super) fn file_name(version: Version, platform: &Platform) -> String {
    let Platform { os, arch } = platform;
    let arch = if os == "linux" && arch == "arm" { "armv6l" } else { arch };
    let end = if os == "windows" { "zip" } else { "tar.gz" };
    format!("go{version}.{os}-{arch}.{end}")
}

/// Reads 64 digits, or a line of sha256sum(1) about that file.
pub(super) fn read_digest(content: &[u8], file_name: &str) -> Option<Sha256> {
    let text = std::str::from_utf8(content).ok()?.trim();
    let (digest, name) = text.split_once([' ', '\t']).unwrap_or((text, file_name));
    let name = name.trim_start().trim_start_matches('*');
    if name != file_name { None } else { Sha256::parse(digest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_as_go_makes_them() {
        for (version, platform, name) in [
            ("1.22.4", "linux-amd64", "go1.22.4.linux-amd64.tar.gz"),
            ("1.20", "linux-arm", "go1.20.linux-armv6l.tar.gz"),
            ("1.21.0", "freebsd-arm", "go1.21.0.freebsd-arm.tar.gz"),
            ("1.23rc1", "windows-arm64", "go1.23rc1.windows-arm64.zip"),
            ("1.22.4", "darwin-arm64", "go1.22.4.darwin-arm64.tar.gz"),
        ] {
            let version = Version::parse(version).unwrap();
            assert_eq!(file_name(version, &Platform::parse(platform).unwrap()), name);
        }
    }

    #[test]
    fn a_digest_beside_an_archive_has_two_forms() {
        let digits = "ba79d4526102575196273416239cca418a651e049c2b099f3159db85e7bade7d";
        let read = |text: &str| read_digest(text.as_bytes(), "a.zip").map(|d| d.to_string());
        for text in [
            digits.to_string(),
            format!("{digits}\n"),
            format!("{digits}  a.zip\n"),
            format!("{digits} *a.zip\r\n"),
        ] {
            assert_eq!(read(&text).as_deref(), Some(digits), "{text:?}");
        }
        for text in [
            String::new(),
            "<html>".into(),
            format!("{digits}  b.zip"),
            format!("{digits}  a.zip\n{digits}  b.zip\n"),
            format!("{digits}0"),
            digits[1..].into(),
        ] {
            assert_eq!(read(&text), None, "{text:?}");
        }
        assert_eq!(read_digest(b"\xff", "a.zip"), None);
    }
}
