//! The index of go.dev/dl: `?mode=json&include=all` (golang/website,
//! internal/dl), and the list of a module proxy.

use super::{Archive, Catalog, Release};
use crate::archive::Format;
use crate::platform::Platform;
use crate::trust::sha256::Sha256;
use crate::version::Version;
use serde::Deserialize;
use std::borrow::Cow;

// Borrowed from the text: there are thousands of files, and most are passed over.
#[derive(Deserialize)]
struct RawRelease<'a> {
    #[serde(borrow)]
    version: Cow<'a, str>,
    #[serde(borrow, default)]
    files: Vec<RawFile<'a>>,
}

#[derive(Deserialize)]
struct RawFile<'a> {
    #[serde(borrow, default)]
    filename: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    sha256: Cow<'a, str>,
    #[serde(default)]
    size: u64,
}

/// Reads the index. Releases and files of kinds that are not known are passed
/// over: the index grows.
///
/// # Errors
/// It is not JSON of that shape.
pub fn parse_json(text: &[u8]) -> Result<Catalog, serde_json::Error> {
    let raw: Vec<RawRelease> = serde_json::from_slice(text)?;
    let mut catalog = Catalog::default();
    for release in raw {
        let Some(version) = exact_name(&release.version) else { continue };
        let mut known = Release { version, archives: Default::default() };
        for file in release.files.into_iter().filter(|file| file.kind == "archive") {
            if let Some((platform, archive)) = archive(&release.version, file) {
                known.archives.insert(platform, Some(archive));
            }
        }
        catalog.add(known);
    }
    Ok(catalog)
}

/// `go1.22.4`, spelled as the release is.
fn exact_name(name: &str) -> Option<Version> {
    let version = Version::parse(name.strip_prefix("go")?)?;
    (!version.is_language() && format!("go{version}") == name).then_some(version)
}

/// The platform stands in the file name, which is right where the fields `os`
/// and `arch` are not.
fn archive(release: &str, file: RawFile<'_>) -> Option<(Platform, Archive)> {
    let name = &file.filename;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if !name.chars().all(plain) {
        return None;
    }
    Format::of_name(name)?;
    let rest = name.strip_prefix(release)?.strip_prefix('.')?;
    let platform = rest.strip_suffix(".tar.gz").or_else(|| rest.strip_suffix(".zip"))?;
    Some((
        Platform::parse(platform)?,
        Archive {
            sha256: Sha256::parse(&file.sha256),
            size: (file.size > 0).then_some(file.size),
            file_name: file.filename.into_owned(),
        },
    ))
}

/// Reads a module proxy's `golang.org/toolchain/@v/list`: lines such as
/// `v0.0.1-go1.22.4.linux-amd64`. Others are passed over.
#[must_use]
pub fn parse_module_list(text: &str) -> Catalog {
    let mut catalog = Catalog::default();
    for line in text.lines() {
        let release = line.trim().strip_prefix("v0.0.1-").and_then(|name| name.rsplit_once('.'));
        let Some((name, platform)) = release else { continue };
        if let (Some(version), Some(platform)) = (exact_name(name), Platform::parse(platform)) {
            catalog.add(Release { version, archives: [(platform, None)].into() });
        }
    }
    catalog
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        Platform::parse(text).unwrap()
    }

    #[test]
    fn the_index_of_go_dev_is_read_with_all_its_oddities() {
        let json = br#"[
          {"version":"go1.22.4","stable":true,"new":"field","files":[
            {"filename":"go1.22.4.src.tar.gz","os":"","arch":"","kind":"source","sha256":"","size":1},
            {"filename":"go1.22.4.linux-amd64.tar.gz","os":"linux","arch":"amd64","version":"go1.22.4",
             "sha256":"ba79d4526102575196273416239cca418a651e049c2b099f3159db85e7bade7d","size":68964131,"kind":"archive"},
            {"filename":"go1.22.4.linux-armv6l.tar.gz","os":"linux","arch":"armv6l","kind":"archive"},
            {"filename":"go1.22.4.freebsd-arm.tar.gz","os":"freebsd","arch":"armv6l","kind":"archive"},
            {"filename":"go1.22.4.windows-amd64.zip","os":"windows","arch":"amd64","kind":"archive"},
            {"filename":"go1.22.4.windows-amd64.msi","os":"windows","arch":"amd64","kind":"installer"},
            {"filename":"../go1.22.4.linux-386.tar.gz","os":"linux","arch":"386","kind":"archive"},
            {"filename":"go1.22.4.tomorrow-x9.tar.gz","os":"tomorrow","arch":"x9","kind":"archive"}]},
          {"version":"go1.4-bootstrap-20171003","stable":true,"files":[]},
          {"version":"go1.4.2","stable":true,"files":[
            {"filename":"go1.4.2.darwin-amd64-osx10.8.tar.gz","os":"darwin","arch":"amd64-osx10.8","kind":"archive","sha256":"","size":0}]}
        ]"#;
        let catalog = parse_json(json).unwrap();
        let release = catalog.release(Version::parse("1.22.4").unwrap()).unwrap();
        let names: Vec<String> = release.archives.keys().map(ToString::to_string).collect();
        assert_eq!(
            names,
            ["freebsd-arm", "linux-amd64", "linux-arm", "tomorrow-x9", "windows-amd64"]
        );
        let linux = release.archives[&platform("linux-amd64")].as_ref().unwrap();
        assert_eq!(linux.size, Some(68_964_131));
        assert!(linux.sha256.is_some());
        let old = catalog.release(Version::parse("1.4.2").unwrap()).unwrap();
        let old = old.archives[&platform("darwin-amd64")].as_ref().unwrap();
        assert_eq!(old.file_name, "go1.4.2.darwin-amd64-osx10.8.tar.gz");
        assert_eq!((old.sha256, old.size), (None, None));
        assert_eq!(catalog.releases.len(), 2);
        assert!(parse_json(b"<html>").is_err());
        assert!(parse_json(br#"{"version":"go1.22"}"#).is_err());
    }

    #[test]
    fn a_module_list_is_a_hint_with_platforms() {
        let list = "v0.0.1-go1.26.8.linux-amd64\nv0.0.1-go1.21rc2.darwin-arm64\nnonsense\n\
                    v0.0.1-go1.20.linux-arm\nv0.0.1-go1.26.8.linux-arm64\nv0.0.1-go1.22.linux-amd64\n";
        let catalog = parse_module_list(list);
        let versions = |text| -> Vec<String> {
            catalog.versions(&platform(text)).map(|version| version.to_string()).collect()
        };
        assert_eq!(versions("linux-amd64"), ["1.26.8"]);
        assert_eq!(versions("linux-arm64"), ["1.26.8"]);
        assert_eq!(versions("darwin-arm64"), ["1.21rc2"]);
        assert_eq!(versions("linux-arm"), ["1.20"]);
    }
}
