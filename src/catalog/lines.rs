//! A catalog as lines: what is kept of an index. To read it takes a tenth of the time
//! that the JSON of go.dev takes, most of which is about installers and sources.
//!
//! ```text
//! 1.22.4
//!  linux-amd64 go1.22.4.linux-amd64.tar.gz ba79d452… 68964131
//!  linux-arm64
//! ```
//!
//! A release, and behind it its platforms; where the index tells more than that, the
//! archive with its SHA-256 and its size in bytes, `-` for what is not known.

use super::{Archive, Catalog, Release};
use crate::platform::Platform;
use crate::trust::sha256::Sha256;
use crate::version::Version;
use std::fmt::Write;
use std::rc::Rc;

impl Catalog {
    /// The lines that [`Catalog::from_lines`] reads.
    #[must_use]
    pub fn to_lines(&self) -> String {
        let mut text = String::new();
        let or_dash = |known: Option<String>| known.unwrap_or_else(|| "-".into());
        for release in self.releases() {
            // To a string nothing fails.
            let _ = writeln!(text, "{}", release.version);
            for (platform, archive) in &release.archives {
                let _ = write!(text, " {platform}");
                if let Some(Archive { file_name, sha256, size }) = archive {
                    let sha256 = or_dash(sha256.map(|digest| digest.to_string()));
                    let size = or_dash(size.map(|size| size.to_string()));
                    let _ = write!(text, " {file_name} {sha256} {size}");
                }
                text.push('\n');
            }
        }
        text
    }

    /// Reads what [`Catalog::to_lines`] wrote; `None` where a line is something else.
    #[must_use]
    pub fn from_lines(text: &str) -> Option<Self> {
        let mut lines = text.lines().peekable();
        let mut releases = Vec::new();
        while let Some(line) = lines.next() {
            let version = Version::parse(line)?;
            let mut archives = Vec::new();
            while let Some(about) = lines.peek().and_then(|line| line.strip_prefix(' ')) {
                archives.push(parse_archive(about)?);
                lines.next();
            }
            // Both are in order, so that the maps are built at once.
            let archives = archives.into_iter().collect();
            releases.push((version, Release { version, archives }));
        }
        Some(Self { releases: Rc::new(releases.into_iter().collect()) })
    }
}

fn parse_archive(text: &str) -> Option<(Platform, Option<Archive>)> {
    let mut words = text.split(' ');
    let platform = Platform::parse(words.next()?)?;
    let Some(file_name) = words.next() else { return Some((platform, None)) };
    let (sha256, size) = (words.next()?, words.next()?);
    let archive = Archive {
        file_name: file_name.into(),
        sha256: if sha256 == "-" { None } else { Some(Sha256::parse(sha256)?) },
        size: if size == "-" { None } else { Some(size.parse().ok()?) },
    };
    words.next().is_none().then_some((platform, Some(archive)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::index;

    #[test]
    fn what_is_written_is_read() {
        let json = br#"[
          {"version":"go1.22.4","files":[
            {"filename":"go1.22.4.linux-amd64.tar.gz","kind":"archive","size":68964131,
             "sha256":"ba79d4526102575196273416239cca418a651e049c2b099f3159db85e7bade7d"},
            {"filename":"go1.22.4.linux-armv6l.tar.gz","kind":"archive"}]},
          {"version":"go1.27rc1","files":[]}]"#;
        let mut catalog = index::parse_json(json).unwrap();
        catalog.merge(index::parse_module_list("v0.0.1-go1.26.8.linux-arm64\n"));
        let text = catalog.to_lines();
        assert_eq!(Catalog::from_lines(&text).unwrap(), catalog, "{text}");
        assert_eq!(text.lines().count(), 6, "{text}");
        assert_eq!(Catalog::from_lines(""), Some(Catalog::default()));
    }

    #[test]
    fn nothing_else_is_read() {
        let digest = "0".repeat(64);
        for text in [
            "nonsense".to_string(),
            " linux-amd64".into(),
            "1.22.4\n\n".into(),
            "1.22.4\n linux".into(),
            "1.22.4\n linux-amd64 name".into(),
            "1.22.4\n linux-amd64 name - x".into(),
            "1.22.4\n linux-amd64 name 00 1".into(),
            format!("1.22.4\n linux-amd64 name {digest} 1 x"),
        ] {
            assert_eq!(Catalog::from_lines(&text), None, "{text:?}");
        }
    }
}
