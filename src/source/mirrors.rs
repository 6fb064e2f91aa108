//! The known mirrors, and how a place is named: by its name in this table, or by
//! layout and URL.

use super::http;
use crate::config::Config;
use crate::error::{Code, Error, Result};
use crate::goenv;
use std::sync::LazyLock;

/// How a place is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A JSON index and archives, as go.dev/dl has them.
    GoDev,
    /// `<base>/<file name>`, mostly with a `.sha256` beside each; no index.
    Flat,
    /// A module proxy.
    Proxy,
    /// A checksum database, which has no toolchains.
    Checksums,
}

impl Layout {
    const ALL: [Self; 4] = [Self::GoDev, Self::Flat, Self::Proxy, Self::Checksums];

    /// What stands before `+URL`.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::GoDev => "dl",
            Self::Flat => "flat",
            Self::Proxy => "proxy",
            Self::Checksums => "sumdb",
        }
    }

    /// For people.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::GoDev => "go.dev",
            other => other.prefix(),
        }
    }
}

/// A place that serves toolchains, or the records that prove them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// In the table, `gvm mirror use` and the settings. That of a place which is not
    /// in the table is layout and URL, without a password.
    pub name: String,
    pub layout: Layout,
    /// Without a closing slash.
    pub url: String,
    /// Who runs it; `None` for a place that is not in the table.
    pub run_by: Option<&'static str>,
    /// Whether there is a `.sha256` beside each archive.
    pub has_digests: bool,
    /// The GOPROXY that goes with it for the go command.
    pub goproxy: Option<String>,
    /// The GOSUMDB that goes with it.
    pub gosumdb: Option<&'static str>,
}

/// What a source of the settings means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The module proxies that GOPROXY names.
    GoProxy,
    Place(Place),
}

/// The name of go.dev itself.
pub const OFFICIAL: &str = "official";

/// The database where the usual one is out of reach: the same, at another address.
const SUMS_IN_CHINA: &str = "sum.golang.google.cn";

/// Who runs what, and what it serves: the pages of each, as of 2026. goproxy.cn and
/// goproxy.io relay the checksum database, so that GOSUMDB may stay.
static KNOWN: LazyLock<Vec<Place>> = LazyLock::new(|| {
    use Layout::{Checksums, Flat, GoDev, Proxy};
    let go_team = "the Go team";
    let place = |name: &str, layout, url: &str, run_by| Place {
        name: name.into(),
        layout,
        url: url.into(),
        run_by: Some(run_by),
        has_digests: layout == Flat,
        goproxy: (layout == Proxy).then(|| format!("{url},direct")),
        gosumdb: None,
    };
    vec![
        place(OFFICIAL, GoDev, crate::config::OFFICIAL_DL_URL, go_team),
        Place {
            gosumdb: Some(SUMS_IN_CHINA),
            ..place("google-cn", GoDev, "https://golang.google.cn/dl", go_team)
        },
        Place {
            goproxy: Some("https://mirrors.aliyun.com/goproxy/,direct".into()),
            gosumdb: Some(SUMS_IN_CHINA),
            ..place("aliyun", Flat, "https://mirrors.aliyun.com/golang", "Alibaba Cloud")
        },
        place("ustc", Flat, "https://mirrors.ustc.edu.cn/golang", "USTC, Hefei"),
        place("nju", Flat, "https://mirrors.nju.edu.cn/golang", "NJU, Nanjing"),
        place("hust", Flat, "https://mirrors.hust.edu.cn/golang", "HUST, Wuhan"),
        place("official-proxy", Proxy, &goenv::public_proxy(), go_team),
        place("goproxy.cn", Proxy, "https://goproxy.cn", "Qiniu Cloud"),
        place("goproxy.io", Proxy, "https://goproxy.io", "GOPROXY.IO"),
        place("sum.golang.org", Checksums, "https://sum.golang.org", go_team),
        place(SUMS_IN_CHINA, Checksums, "https://sum.golang.google.cn", go_team),
    ]
});

/// The table.
#[must_use]
pub fn known() -> &'static [Place] {
    &KNOWN
}

/// Reads a mirror's name, or `layout+URL`.
///
/// # Errors
/// It is neither; a clause for people, without a password.
pub fn place(text: &str) -> Result<Place, String> {
    if let Some(place) = known().iter().find(|place| place.name == text) {
        return Ok(place.clone());
    }
    let with_layout = text.split_once('+').and_then(|(prefix, url)| {
        let layout = Layout::ALL.into_iter().find(|layout| layout.prefix() == prefix)?;
        Some((layout, url))
    });
    match with_layout {
        Some((layout, url)) => at(layout, url),
        None if text.contains("://") => {
            Err(format!("`{0}` does not say its layout, as in flat+{0}", http::shown(text)))
        }
        None => {
            let text = gvm_hot::path::display(text.as_bytes());
            Err(format!("there is no mirror called `{text}`"))
        }
    }
}

/// A place by its URL; the one of the table, if it is there.
///
/// # Errors
/// That is no URL that one can download from.
pub fn at(layout: Layout, url: &str) -> Result<Place, String> {
    let url = base(url)?;
    let is_same = |place: &&Place| place.layout == layout && place.url == url;
    Ok(known().iter().find(is_same).cloned().unwrap_or_else(|| Place {
        name: format!("{}+{}", layout.prefix(), http::shown(&url)),
        layout,
        run_by: None,
        has_digests: false,
        goproxy: (layout == Layout::Proxy).then(|| format!("{url},direct")),
        gosumdb: None,
        url,
    }))
}

/// A URL to which file names can be added.
///
/// # Errors
/// It is none; a clause for people.
pub fn base(url: &str) -> Result<String, String> {
    let shown = http::shown(url);
    let parsed = reqwest::Url::parse(url).map_err(|_| format!("`{shown}` is no URL"))?;
    if !matches!(parsed.scheme(), "http" | "https" | "file") {
        return Err(format!("{}:// is neither https, http nor file", parsed.scheme()));
    }
    if parsed.query().is_some() || parsed.fragment().is_some() {
        return Err(format!("`{shown}` has more than a path, and file names go behind it"));
    }
    Ok(url.trim_end_matches('/').into())
}

/// What may stand for a place, for a hint.
#[must_use]
pub fn accepted() -> String {
    let names: Vec<_> = with_toolchains().map(|place| place.name.as_str()).collect();
    format!(
        "the names are: {}; other places are dl+URL (the layout of go.dev/dl), flat+URL, proxy+URL",
        names.join(", ")
    )
}

/// The table without checksum databases.
pub fn with_toolchains() -> impl Iterator<Item = &'static Place> {
    known().iter().filter(|place| place.layout != Layout::Checksums)
}

/// The configured sources, each once, in their order.
///
/// # Errors
/// There are none, or one is unknown.
pub fn configured(config: &Config) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for named in config.mirror.iter().chain(&config.sources) {
        let wrong = |why: String| {
            Error::new(Code::Usage, format!("{}: {why}", named.origin))
                .hint(accepted())
                .hint("and in sources: go.dev (the base in dl_url), proxy (what GOPROXY names)")
        };
        let source = match named.text.as_str() {
            "go.dev" => Source::Place(go_dev(config)),
            "proxy" => Source::GoProxy,
            text => Source::Place(place(text).map_err(wrong)?),
        };
        if let Source::Place(Place { layout: Layout::Checksums, name, .. }) = &source {
            return Err(wrong(format!("{name} is a checksum database, and has no toolchains")));
        }
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    if sources.is_empty() {
        let message = "sources = [] in config.toml leaves nowhere to download from";
        return Err(Error::new(Code::Usage, message)
            .hint("the default is: sources = [\"go.dev\", \"proxy\"]"));
    }
    Ok(sources)
}

/// The go.dev/dl layout at `dl_url`. What that is, is found out when it is asked:
/// whoever has another source first may never need it.
fn go_dev(config: &Config) -> Place {
    at(Layout::GoDev, &config.dl_url).unwrap_or_else(|_| Place {
        name: format!("dl+{}", http::shown(&config.dl_url)),
        layout: Layout::GoDev,
        url: config.dl_url.clone(),
        run_by: None,
        has_digests: false,
        goproxy: None,
        gosumdb: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_mirror_is_found_by_its_name_and_by_its_url() {
        for known in known() {
            assert_eq!(place(&known.name).as_ref(), Ok(known));
            let by_url = format!("{}+{}/", known.layout.prefix(), known.url);
            assert_eq!(place(&by_url).as_ref(), Ok(known));
            assert!(known.url.starts_with("https://") && !known.url.ends_with('/'), "{known:?}");
            assert!(known.run_by.is_some());
        }
        let mut names: Vec<_> = known().iter().map(|place| &place.name).collect();
        names.dedup();
        assert_eq!(names.len(), known().len());
    }

    #[test]
    fn what_goes_with_a_mirror_is_what_the_go_command_takes() {
        use crate::trust::sumdb::Database;
        for known in known() {
            if let Some(goproxy) = &known.goproxy {
                let setting = goenv::Setting { value: goproxy.clone(), origin: "test".into() };
                assert!(super::super::proxy::ModuleProxy::new(setting).is_ok(), "{goproxy}");
                assert!(goproxy.ends_with(",direct"));
            }
            if let Some(gosumdb) = known.gosumdb {
                assert!(Database::parse(gosumdb).unwrap().is_some());
            }
        }
    }

    #[test]
    fn a_place_is_a_name_or_layout_and_url() {
        let read = |text: &str| place(text).map(|place| (place.name, place.layout, place.url));
        assert_eq!(
            read("flat+https://u:secret@a.example/golang//"),
            Ok((
                "flat+https://a.example/golang".into(),
                Layout::Flat,
                "https://u:secret@a.example/golang".into()
            ))
        );
        assert_eq!(read("dl+file:///srv/go").unwrap().1, Layout::GoDev);
        assert_eq!(read("proxy+http://a.example:81").unwrap().1, Layout::Proxy);
        for text in [
            "elsewhere",
            "",
            "flat+",
            "flat+ftp://a.example",
            "flat+/srv/go",
            "flat+https://a.example/?x",
            "flat+https://u:secret@[",
            "ftp+https://a.example",
            "https://u:secret@a.example",
            "Aliyun",
        ] {
            let why = place(text).unwrap_err();
            assert!(!why.contains("secret"), "{why}");
        }
    }

    #[test]
    fn a_source_that_is_named_twice_is_asked_once() {
        let config: Config = toml::from_str(
            "mirror = \"official\"\nsources = [\"go.dev\", \"proxy\", \"flat+https://a.example\", \"proxy\"]",
        )
        .unwrap();
        let sources = configured(&config).unwrap();
        assert_eq!(sources.len(), 3, "{sources:?}");
        assert_eq!(sources[1], Source::GoProxy);
    }
}
