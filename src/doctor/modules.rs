//! Where modules come from: the variables about it as the go command sees them, what
//! contradicts what, and whether the places answer.

use super::{Context, Finding, variables};
use crate::goenv::{self, Located, Place as Stands, Setting};
use crate::path::display;
use crate::source::measure;
use crate::source::mirrors::{self, Layout, Place, Source};
use crate::source::{self, http};
use crate::trust::sumdb::Database;
use crate::ui::milliseconds;
use std::thread;
use std::time::Duration;

/// How long one place may take to answer.
const PATIENCE: Duration = Duration::from_secs(6);

/// Paths that stand for what everybody uses: whatever pattern takes in both takes in all.
const PUBLIC: [&str; 2] = ["github.com/example/module", "golang.org/x/module"];

/// Proxies that are anybody's, besides the Go team's, by their hosts.
const PUBLIC_PROXIES: [&str; 5] = [
    "goproxy.cn",
    "goproxy.io",
    "mirrors.aliyun.com",
    "athens.azurefd.net",
    "repo.huaweicloud.com",
];

pub fn check(context: &Context) -> Vec<Finding> {
    let names =
        ["GOPROXY", "GOSUMDB", "GOPRIVATE", "GONOPROXY", "GONOSUMDB", "GOINSECURE", "GOVCS"];
    let all = names.map(|name| Variable::read(context, name));
    let [goproxy, gosumdb, goprivate, gonoproxy, gonosumdb, goinsecure, govcs] = &all;
    let mut findings = Vec::new();

    let proxies = proxies(goproxy, &mut findings);
    let database = database(gosumdb, &mut findings);
    let off = goproxy.value.split([',', '|']).next() == Some("off");
    if gosumdb.value == "off" && !off {
        let cause = format!(
            "off ({}): nothing holds public modules against what others got, and go cannot \
             fetch another toolchain",
            gosumdb.origin
        );
        findings.push(Finding::warning("GOSUMDB", cause).fix(gosumdb.unset()));
    }
    for variable in [goprivate, gonosumdb, gonoproxy, goinsecure] {
        if covers_everything(&variable.value) {
            let what = match variable.name {
                "GOPRIVATE" => {
                    "no module comes from a proxy or is held against the checksum database"
                }
                "GONOSUMDB" => "no module is held against the checksum database",
                "GONOPROXY" => "no module comes from a proxy",
                _ => "any module may come over connections that anybody can change",
            };
            let cause =
                format!("{} ({}) covers everything: {what}", variable.shown(), variable.origin);
            let fix = format!("go env -w {}=…, with the names of your own hosts", variable.name);
            findings.push(Finding::warning(variable.name, cause).fix(fix));
        }
    }
    findings.extend(leaks(goprivate, gonoproxy, gonosumdb, &proxies, gosumdb));
    findings.extend(half_private(gonoproxy, gonosumdb, gosumdb));
    findings.extend(vcs(govcs));
    findings.extend(obsolete());

    // What nothing was said about.
    let mut lines: Vec<Finding> = Vec::new();
    for variable in &all {
        let (own, rest): (Vec<_>, Vec<_>) =
            findings.into_iter().partition(|finding| finding.subject == variable.name);
        findings = rest;
        match own.is_empty() {
            true if variable.is_default && variable.value.is_empty() => {}
            true => lines.push(Finding::ok(
                variable.name,
                format!("{} ({})", variable.shown(), variable.origin),
            )),
            false => lines.extend(own),
        }
    }
    lines.extend(findings);
    lines.extend(reached(context, &proxies, database.as_ref().filter(|_| !off)));
    lines
}

/// A variable as the go command sees it.
struct Variable {
    name: &'static str,
    value: String,
    origin: String,
    is_default: bool,
    stands: Option<Stands>,
}

impl Variable {
    fn read(context: &Context, name: &'static str) -> Self {
        if let Some(Located { value, place }) = context.setting(name) {
            return Self {
                name,
                value,
                origin: place.to_string(),
                is_default: false,
                stands: Some(place),
            };
        }
        let (value, origin) = match name {
            "GOPROXY" => (format!("{},direct", goenv::public_proxy()), "Go's default"),
            "GOSUMDB" => ("sum.golang.org".into(), "Go's default"),
            // cmd/go, internal/cfg: these two are what GOPRIVATE is.
            "GONOPROXY" | "GONOSUMDB" => {
                let private = Self::read(context, "GOPRIVATE");
                return Self {
                    name,
                    origin: "GOPRIVATE".into(),
                    is_default: true,
                    stands: None,
                    ..private
                };
            }
            _ => (String::new(), "Go's default"),
        };
        Self { name, value, origin: origin.into(), is_default: true, stands: None }
    }

    /// Without passwords.
    fn shown(&self) -> String {
        match self.name {
            "GOPROXY" => source::goproxy_shown(&self.value),
            "GOSUMDB" => self.value.split(' ').map(http::shown).collect::<Vec<_>>().join(" "),
            _ => display(self.value.as_bytes()).to_string(),
        }
    }

    fn unset(&self) -> String {
        let name = self.name;
        match &self.stands {
            Some(place) => variables::unset(name, place, &[]),
            None => format!("go env -u {name}"),
        }
    }

    fn patterns(&self) -> impl Iterator<Item = &str> {
        self.value.split(',').map(str::trim).filter(|pattern| !pattern.is_empty())
    }
}

/// The proxies that GOPROXY names.
fn proxies(goproxy: &Variable, findings: &mut Vec<Finding>) -> Vec<Place> {
    let setting = Setting { value: goproxy.value.clone(), origin: goproxy.origin.clone() };
    let places = match source::places_of_goproxy(setting) {
        Ok(places) => places,
        Err(error) => {
            let why = error.message().rsplit("): ").next().unwrap_or_default().to_string();
            let cause = format!("{} ({}): {why}", goproxy.shown(), goproxy.origin);
            findings.push(Finding::error("GOPROXY", cause).fix(goproxy.unset()));
            return Vec::new();
        }
    };
    let first = goproxy.value.split([',', '|']).map(str::trim).find(|entry| !entry.is_empty());
    let told = format!("{} ({})", goproxy.shown(), goproxy.origin);
    match first {
        Some("off") => {
            let cause = format!("{told}: go fetches nothing");
            findings.push(Finding::note("GOPROXY", cause).fix(goproxy.unset()));
        }
        Some("direct") => {
            let cause = format!(
                "{told}: modules come from their repositories, for which git has to be there, and \
                 are gone when those are"
            );
            findings.push(Finding::note("GOPROXY", cause).fix(goproxy.unset()));
        }
        _ => {}
    }
    let is_open = |place: &&Place| place.url.starts_with("http://") && !is_loopback(&place.url);
    if let Some(open) = places.iter().find(is_open) {
        let cause =
            format!("{told}: what comes from {} can be changed on its way", http::shown(&open.url));
        findings.push(Finding::note("GOPROXY", cause));
    }
    places
}

fn is_loopback(url: &str) -> bool {
    let host = http::host(url);
    ["127.", "localhost", "[::1]"].iter().any(|own| host.starts_with(own))
}

/// The checksum database, unless it is off.
fn database(gosumdb: &Variable, findings: &mut Vec<Finding>) -> Option<Database> {
    match Database::parse(&gosumdb.value) {
        Ok(database) => database,
        Err(why) => {
            let cause =
                format!("{} ({}): {why}, so go refuses to fetch", gosumdb.shown(), gosumdb.origin);
            findings.push(Finding::error("GOSUMDB", cause).fix(gosumdb.unset()));
            None
        }
    }
}

/// Whether a list of patterns takes in whatever there is (module.MatchPrefixPatterns of
/// golang.org/x/mod).
fn covers_everything(patterns: &str) -> bool {
    PUBLIC.iter().all(|path| patterns.split(',').any(|pattern| matches(pattern.trim(), path)))
}

/// Whether the beginning of a path, in so many elements as the pattern has, fits it.
fn matches(pattern: &str, path: &str) -> bool {
    let pattern = pattern.trim_end_matches('/');
    let elements: Vec<_> = pattern.split('/').collect();
    let mut begin = path.split('/');
    !pattern.is_empty()
        && elements
            .iter()
            .all(|glob| begin.next().is_some_and(|text| fits(glob.as_bytes(), text.as_bytes())))
}

/// `*` and `?` of path.Match, without classes of characters, which no host name needs.
fn fits(glob: &[u8], text: &[u8]) -> bool {
    match (glob.split_first(), text.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => {
            fits(rest, text) || text.split_first().is_some_and(|(_, text)| fits(glob, text))
        }
        (Some((b'?', glob)), Some((_, text))) => fits(glob, text),
        (Some((a, glob)), Some((b, text))) if a == b => fits(glob, text),
        _ => false,
    }
}

/// Private patterns whose names go to somebody public all the same, because another
/// variable takes the place of GOPRIVATE.
fn leaks(
    goprivate: &Variable,
    gonoproxy: &Variable,
    gonosumdb: &Variable,
    proxies: &[Place],
    gosumdb: &Variable,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let public = proxies.iter().find(|place| is_public(&place.url));
    let public_database = gosumdb.value != "off" && !gosumdb.value.contains(' ');
    let asked = [
        (gonoproxy, public.map(|place| format!("the public proxy {}", http::host(&place.url)))),
        (gonosumdb, public_database.then(|| "the public checksum database".to_string())),
    ];
    for (variable, asked) in asked {
        let Some(asked) = asked else { continue };
        // A host stands for what a pattern means.
        let left: Vec<_> = goprivate
            .patterns()
            .filter(|pattern| {
                let sample = pattern.replace(['*', '?'], "x");
                !variable.patterns().any(|other| other == *pattern || matches(other, &sample))
            })
            .collect();
        if left.is_empty() {
            continue;
        }
        let name = variable.name;
        let left = display(left.join(",").as_bytes()).to_string();
        let cause = format!(
            "{} ({}) counts in place of GOPRIVATE, so {asked} is asked for {left}",
            variable.shown(),
            variable.origin
        );
        findings.push(Finding::warning(name, cause).fix(variable.unset()));
    }
    findings
}

fn is_public(url: &str) -> bool {
    let host = http::host(url);
    host == http::host(&goenv::public_proxy()) || PUBLIC_PROXIES.contains(&host.as_str())
}

/// What no proxy is asked for and the checksum database is: it cannot know it, so go
/// refuses it.
fn half_private(gonoproxy: &Variable, gonosumdb: &Variable, gosumdb: &Variable) -> Option<Finding> {
    if gonoproxy.is_default || gosumdb.value == "off" || covers_everything(&gonoproxy.value) {
        return None;
    }
    let sample = |pattern: &str| pattern.replace(['*', '?'], "x");
    let left: Vec<_> = gonoproxy
        .patterns()
        .filter(|pattern| *pattern != "none")
        .filter(|pattern| !gonosumdb.patterns().any(|other| matches(other, &sample(pattern))))
        .collect();
    if left.is_empty() {
        return None;
    }
    let left = display(left.join(",").as_bytes()).to_string();
    let cause = format!(
        "{left} ({}) is fetched past the proxies and still asked of the checksum database, which \
         cannot know it: go refuses what it fetches",
        gonoproxy.origin
    );
    Some(
        Finding::warning("GONOPROXY", cause)
            .fix(format!("go env -w 'GOPRIVATE={left}', and {}", gonoproxy.unset())),
    )
}

/// GOVCS: `pattern:vcs|vcs`, with commas between (go help vcs).
fn vcs(govcs: &Variable) -> Option<Finding> {
    if govcs.value.is_empty() {
        return None;
    }
    let told = format!("{} ({})", govcs.shown(), govcs.origin);
    let rules: Vec<_> = govcs.value.split(',').map(|rule| rule.trim().split_once(':')).collect();
    let is_list = |list: &str| {
        list == "all" || list == "off" || list.split('|').all(|one| !one.trim().is_empty())
    };
    if !rules
        .iter()
        .all(|rule| rule.is_some_and(|(pattern, list)| !pattern.is_empty() && is_list(list.trim())))
    {
        let cause = format!("{told} is no list of pattern:vcs, so go refuses to fetch");
        return Some(Finding::error("GOVCS", cause).fix(govcs.unset()));
    }
    let opened = rules
        .into_iter()
        .flatten()
        .any(|(pattern, list)| (pattern == "public" || pattern == "*") && list.trim() == "all");
    opened.then(|| {
        let cause = format!("{told} lets any public module start any version control program");
        Finding::warning("GOVCS", cause).fix(govcs.unset())
    })
}

/// Variables that no go looks at any more.
fn obsolete() -> Option<Finding> {
    let set = std::env::var_os("GONOSUMCHECK").filter(|value| !value.is_empty());
    set.map(|_| {
        Finding::note("GONOSUMCHECK", "is set, and no released go looks at it; GONOSUMDB is meant")
            .fix("unset GONOSUMCHECK")
    })
}

/// A place that is asked, what it is called, and its answer.
struct Asked {
    subject: String,
    url: String,
    answer: Result<Duration, String>,
}

/// Whether the places answer: those of GOPROXY, the checksum database, and where gvm
/// takes toolchains from. All at once.
fn reached(context: &Context, proxies: &[Place], database: Option<&Database>) -> Vec<Finding> {
    if let Some(offline) = context.offline() {
        return vec![Finding::note("network", format!("{offline}: nobody was asked"))];
    }
    let mut places: Vec<(&str, Place)> = Vec::new();
    let sources = context.config.as_ref().ok().and_then(|config| mirrors::configured(config).ok());
    let sources = sources.into_iter().flatten().filter_map(|source| match source {
        Source::Place(place) => Some(("source", place)),
        Source::GoProxy => None,
    });
    for (what, place) in proxies.iter().map(|place| ("proxy", place.clone())).chain(sources) {
        if !places.iter().any(|(_, known)| known.url == place.url) {
            places.push((what, place));
        }
    }
    let asked: Vec<Asked> = thread::scope(|scope| {
        let ask = |(what, place): (&str, Place)| {
            let subject = format!("{what} {}", http::host(&place.url));
            let thread = scope.spawn(move || {
                let answer = measure::reach(&place, &context.store, PATIENCE);
                (place.url, answer)
            });
            (subject, thread)
        };
        let threads: Vec<_> = places.into_iter().map(ask).collect();
        let joined = threads.into_iter().filter_map(|(subject, thread)| {
            let (url, answer) = thread.join().ok()?;
            Some(Asked { subject, url, answer })
        });
        joined.collect()
    });
    let any = asked.iter().any(|asked| asked.answer.is_ok());
    let mut findings: Vec<Finding> = asked
        .iter()
        .enumerate()
        .map(|(at, Asked { subject, answer, .. })| match answer {
            Ok(latency) => Finding::ok(subject, format!("answers in {}", milliseconds(*latency))),
            Err(why) if subject.starts_with("source ") && any => {
                let cause = format!("does not answer: {why}; gvm goes on to the next source");
                Finding::note(subject, cause).fix("gvm mirror test")
            }
            Err(why) => {
                let cause = format!("does not answer: {why}");
                let finding = match at {
                    // The go command goes on only after a 404.
                    0 => Finding::error(subject, cause),
                    _ => Finding::warning(subject, cause),
                };
                finding.fix("export HTTPS_PROXY=…, if one is needed here; or gvm mirror test, then gvm mirror use NAME --go")
            }
        })
        .collect();
    if let Some(database) = database {
        let answers = |proxy: &&Place| {
            asked.iter().any(|asked| asked.url == proxy.url && asked.answer.is_ok())
        };
        let proxies: Vec<&Place> = proxies.iter().filter(answers).collect();
        findings.extend(checksums(context, &proxies, database));
    }
    findings
}

/// Who answers for the checksum database: the proxies in their order, else itself
/// (cmd/go, internal/modfetch/sumdb.go).
fn checksums(context: &Context, proxies: &[&Place], database: &Database) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = &database.verifier.name;
    if !database.is_named {
        for proxy in proxies {
            let subject = format!("proxy {}", http::host(&proxy.url));
            match measure::passes_checksums(&proxy.url, name, PATIENCE) {
                Ok(true) => {
                    findings.push(Finding::ok("checksums", format!("{subject} passes {name} on")));
                    return findings;
                }
                Ok(false) => findings.push(Finding::note(
                    subject,
                    format!("has no /sumdb/, so {name} is asked past it, and has to be reachable from here"),
                )),
                Err(why) => {
                    let cause = format!("does not say whether it passes {name} on: {why}; go gives up there");
                    findings.push(
                        Finding::error(subject, cause).fix("have it answer 404 for /sumdb/, or name the database: go env -w 'GOSUMDB=NAME URL'"),
                    );
                    return findings;
                }
            }
        }
    }
    let url = http::shown(&database.direct_url);
    let place = mirrors::at(Layout::Checksums, &database.direct_url);
    let answer = place.and_then(|place| measure::reach(&place, &context.store, PATIENCE));
    findings.push(match answer {
        Ok(latency) => {
            Finding::ok("checksums", format!("{url} answers in {}", milliseconds(latency)))
        }
        Err(why) => Finding::error(
            "checksums",
            format!("{url} does not answer: {why}; go refuses new modules"),
        )
        .fix(
            "go env -w GOPROXY=…, a proxy that has /sumdb/, or GOSUMDB='sum.golang.org https://…'",
        ),
    });
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_matched_as_the_go_command_matches_them() {
        for (pattern, path, fit) in [
            ("*", "github.com/x/y", true),
            ("*.com", "github.com/x/y", true),
            ("github.com/corp", "github.com/corp/x", true),
            ("github.com/corp", "github.com/corporate/x", false),
            ("*.corp.example", "git.corp.example/x", true),
            ("*.corp.example", "corp.example", false),
            ("github.com/*/secret", "github.com/x/secret", true),
            ("github.com/*/secret", "github.com/x", false),
            ("gitlab.example.com/*", "gitlab.example.com", false),
            ("", "x", false),
        ] {
            assert_eq!(matches(pattern, path), fit, "{pattern} {path}");
        }
        for (patterns, all) in [
            ("*", true),
            ("a.example,*", true),
            ("*.com,*.org", true),
            ("github.com/*", false),
            ("", false),
        ] {
            assert_eq!(covers_everything(patterns), all, "{patterns}");
        }
    }
}
