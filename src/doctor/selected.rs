//! The version that is selected, and the one that the go command runs in the end: it
//! looks at GOTOOLCHAIN, go.work and go.mod itself (cmd/go, internal/toolchain/select.go).

use super::which_go::{self, Whose};
use super::{Context, Finding};
use crate::goenv::{self, Located, Place};
use crate::host::{Host, os};
use crate::layout;
use crate::path::{self, display};
use crate::pin::{self, ModuleLines, ToolchainLine};
use crate::resolve::Outcome;
use crate::version::Version;
use gvm_hot::System as _;
use gvm_hot::shim;
use std::path::PathBuf;

pub fn check(context: &Context) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(error) = &context.config {
        findings.push(Finding::error("settings", error.message()));
    }
    match context.store.default_pin() {
        Err(error) => {
            findings.push(Finding::error("default", error.message()).fix("gvm default stable"))
        }
        Ok(Some(pin)) => {
            let installed = context.store.choose(pin.request, &crate::platform::Platform::host());
            let is_system = pin.request == crate::version::Request::System;
            if !is_system && matches!(installed, Ok(None)) {
                let cause = format!("Go {}, which is the default, is not installed", pin.request);
                findings.push(
                    Finding::warning("default", cause).fix(format!("gvm install {}", pin.request)),
                );
            }
        }
        Ok(None) => {}
    }
    match selected(context) {
        Err(finding) => findings.push(finding),
        Ok((finding, local)) => {
            findings.push(finding);
            findings.extend(effective(context, local));
        }
    }
    findings
}

/// The go that gvm selects, and the version of the one that begins to run.
fn selected(context: &Context) -> Result<(Finding, Option<Version>), Finding> {
    const SUBJECT: &str = "selected";
    let resolution = context
        .resolution()
        .as_ref()
        .map_err(|error| Finding::error(SUBJECT, error.to_string()).fix(shim::repair(error)))?;
    let by = &resolution.pin.origin;
    let finding = match &resolution.outcome {
        Outcome::Toolchain { version, .. } => {
            Finding::ok(SUBJECT, format!("Go {version}, by {by}"))
        }
        Outcome::System { go: Some(go) } => {
            Finding::ok(SUBJECT, format!("the system's go, {}, by {by}", display(go)))
        }
        Outcome::System { go: None } | Outcome::Missing => {
            let message = shim::missing(&resolution.pin, layout::HOST);
            let (cause, fix) = message.split_once("\n  ").unwrap_or((&message, ""));
            let fix = fix.split_once(": ").map_or(fix, |(_, command)| command);
            let nobody = matches!(resolution.outcome, Outcome::System { .. });
            let cause =
                if nobody { cause.replace(", and nothing", "; nothing") } else { cause.into() };
            return Err(Finding::error(SUBJECT, cause).fix(fix));
        }
    };
    let local = context.goroot().and_then(which_go::version_in);
    let local = local.as_deref().and_then(Version::parse_toolchain);
    let here = context.on_path();
    match here.first().filter(|go| go.whose == Whose::Other) {
        Some(other) => {
            let version = local.map_or_else(|| "another one".into(), |v| format!("Go {v}"));
            let cause =
                format!("{}; but go here is {}, {version}", finding.cause, display(&other.file));
            let is_it = matches!(&resolution.outcome, Outcome::System { go: Some(go) } if *go == other.file);
            Ok((if is_it { finding } else { Finding::warning(SUBJECT, cause) }, local))
        }
        None => Ok((finding, local)),
    }
}

/// GOTOOLCHAIN, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// What runs at the least; `None` is the go that was started.
    min: Option<Version>,
    switching: Switching,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Switching {
    No,
    /// To what is on PATH.
    Path,
    /// To what is on PATH, else to what can be downloaded.
    Auto,
}

impl Mode {
    /// # Errors
    /// Why the go command refuses it, in a clause.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (min, suffix) = match text.split_once('+') {
            _ if text == "auto" || text == "path" => ("local", Some(text)),
            Some((min, suffix)) => (min, Some(suffix)),
            None => (text, None),
        };
        let min = match min {
            "local" => None,
            name => Some(
                Version::parse_toolchain(name)
                    .ok_or("it names neither local, auto, path nor a go1.X.Y")?,
            ),
        };
        let switching = match suffix {
            None => Switching::No,
            Some("auto") => Switching::Auto,
            Some("path") => Switching::Path,
            Some(_) => return Err("behind + stands neither auto nor path".into()),
        };
        Ok(Self { min, switching })
    }
}

/// What the go command comes to.
#[derive(Debug, PartialEq, Eq)]
struct Decision {
    version: Version,
    /// Who asked for it, where it is not the one that was started.
    why: Option<Why>,
    /// The `go` line that is not met.
    unmet: Option<(Version, usize)>,
}

#[derive(Debug, PartialEq, Eq)]
enum Why {
    Gotoolchain,
    GoLine(usize),
    ToolchainLine(usize),
}

/// The rule of cmd/go, from 1.21 on.
fn decide(local: Version, mode: Mode, lines: Option<&ModuleLines>) -> Decision {
    let min = mode.min.unwrap_or(local);
    let mut decision =
        Decision { version: min, why: mode.min.map(|_| Why::Gotoolchain), unmet: None };
    let go = lines.and_then(|lines| lines.go);
    let toolchain = lines.and_then(|lines| lines.toolchain);
    let is_default = matches!(toolchain, Some((ToolchainLine::Default, _)));
    if mode.switching != Switching::No && !is_default {
        if let Some((ToolchainLine::Version(wanted), line)) = toolchain
            && wanted > decision.version
        {
            decision =
                Decision { version: wanted, why: Some(Why::ToolchainLine(line)), unmet: None };
        }
        if let Some((wanted, line)) = go
            && wanted > decision.version
        {
            // A language version stands for its first release, which has a third number
            // from 1.21 on.
            let version = match wanted.is_language() {
                true => Version::release(wanted.major(), wanted.minor(), 0),
                false => wanted,
            };
            decision = Decision { version, why: Some(Why::GoLine(line)), unmet: None };
        }
    }
    decision.unmet = go.filter(|(wanted, _)| *wanted > decision.version);
    if decision.version == local {
        decision.why = None;
    }
    decision
}

fn effective(context: &Context, local: Option<Version>) -> Vec<Finding> {
    const SUBJECT: &str = "runs";
    let Some(local) = local else { return Vec::new() };
    // No earlier one looks at any of this.
    if local < Version::release(1, 21, 0) && !is_1_21_candidate(local) {
        let cause = format!("Go {local}: before 1.21, go runs as itself whatever go.mod says");
        return vec![Finding::ok(SUBJECT, cause)];
    }
    let located = context.setting("GOTOOLCHAIN");
    // Where a packager has taken the line out of go.env, go does not switch.
    let (value, gotoolchain) = match located {
        Some(Located { value, place }) => {
            let told = display(value.as_bytes()).to_string();
            let place = match place {
                Place::Goroot { .. } => "its go.env".into(),
                place => place.to_string(),
            };
            (value, format!("GOTOOLCHAIN={told} ({place})"))
        }
        None => ("local".into(), "GOTOOLCHAIN, which nobody sets,".into()),
    };
    let Ok(mode) = Mode::parse(&value) else {
        // The family of variables has more to say about it.
        return vec![Finding::error(SUBJECT, format!("nothing: {gotoolchain} is invalid"))];
    };
    let lines = Host.current_dir().map_or(Ok(None), |here| pin::module_lines(&Host, &here));
    let lines = match lines {
        Ok(lines) => lines,
        Err(error) => {
            return vec![Finding::error(SUBJECT, error.to_string()).fix(shim::repair(&error))];
        }
    };
    // GO111MODULE=off turns all of it off, wherever it is set.
    if context.setting("GO111MODULE").is_some_and(|setting| setting.value == "off") {
        return vec![Finding::ok(
            SUBJECT,
            format!("Go {local}: with GO111MODULE=off, go does not switch"),
        )];
    }
    let decision = decide(local, mode, lines.as_ref());
    let file = lines.as_ref().map_or_else(String::new, |lines| display(&lines.file).to_string());
    if let Some((wanted, line)) = decision.unmet {
        let holds = match (mode.switching, mode.min) {
            (Switching::No, None) => format!("{gotoolchain} keeps go from switching"),
            (Switching::No, Some(min)) => format!("{gotoolchain} runs Go {min}"),
            _ => "its toolchain line says default".into(),
        };
        let cause = format!(
            "Go {}: {file}:{line} asks for at least {wanted}, and {holds}; go refuses to build",
            decision.version
        );
        return vec![
            Finding::error(SUBJECT, cause).fix(format!("gvm pin {wanted}, or GOTOOLCHAIN=auto")),
        ];
    }
    let Some(why) = decision.why else {
        let cause = match &lines {
            Some(_) if mode.switching == Switching::No => {
                format!("Go {local}, as selected: {gotoolchain} keeps go from switching")
            }
            Some(_) => format!("Go {local}, as selected: {file} asks for nothing newer"),
            None => format!("Go {local}, as selected: there is no go.mod here"),
        };
        return vec![Finding::ok(SUBJECT, cause)];
    };
    let wanted = decision.version;
    let why = match why {
        Why::Gotoolchain => format!("{gotoolchain} says so"),
        Why::GoLine(line) | Why::ToolchainLine(line) => {
            let line_is = if matches!(why, Why::GoLine(_)) { "go" } else { "toolchain" };
            format!(
                "the {line_is} line {file}:{line} asks for it, and {gotoolchain} lets go switch"
            )
        }
    };
    let said = format!("Go {wanted}, not {local}: {why}");
    let install = format!("gvm install {wanted}");
    vec![match whereabouts(context, wanted) {
        Some(place) => Finding::note(
            SUBJECT,
            format!("{said}; it runs {}", display(place.as_os_str().as_encoded_bytes())),
        ),
        None if value == "path" || mode.switching == Switching::Path => {
            Finding::error(SUBJECT, format!("nothing: {said}; and there is no go{wanted} on PATH"))
                .fix(install)
        }
        None => Finding::warning(SUBJECT, format!("{said}; go will download it")).fix(install),
    }]
}

/// Those begin to switch as well.
fn is_1_21_candidate(version: Version) -> bool {
    (version.major(), version.minor()) == (1, 21)
}

/// The go of that version that the go command runs without a download: on PATH, where it
/// is the shim of an installed one, else in the module cache.
fn whereabouts(context: &Context, version: Version) -> Option<PathBuf> {
    let name = format!("go{version}");
    let list = Host.var("PATH").unwrap_or_default();
    // The shim adds its directory, so that it is found there in any case.
    let shims = context.store.layout().shims();
    let mut entries: Vec<&[u8]> = path::entries(&list).filter(|e| path::is_absolute(e)).collect();
    if context.on_path().first().is_none_or(|go| go.whose != Whose::Other) {
        entries.push(&shims);
    }
    let on_path = entries
        .into_iter()
        .map(|entry| path::join_exe(entry, &name))
        .find(|file| Host.metadata(file).is_some_and(|found| found.is_executable));
    if let Some(file) = on_path {
        return Some(PathBuf::from(os(&file)));
    }
    let setting = |name| context.setting(name).map(|setting| setting.value);
    let cache = setting("GOMODCACHE")
        .map(PathBuf::from)
        .or_else(|| goenv::module_cache_in(setting("GOPATH")))?;
    let platform = layout::HOST;
    let tree = format!("golang.org/toolchain@v0.0.1-{name}.{platform}");
    let go = cache.join(tree).join("bin").join(format!("go{}", path::EXE_SUFFIX));
    go.is_file().then_some(go)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    #[test]
    fn gotoolchain_is_read_as_the_go_command_reads_it() {
        let mode = |min: Option<&str>, switching| Ok(Mode { min: min.map(version), switching });
        assert_eq!(Mode::parse("auto"), mode(None, Switching::Auto));
        assert_eq!(Mode::parse("path"), mode(None, Switching::Path));
        assert_eq!(Mode::parse("local"), mode(None, Switching::No));
        assert_eq!(Mode::parse("local+path"), mode(None, Switching::Path));
        assert_eq!(Mode::parse("go1.22.4"), mode(Some("1.22.4"), Switching::No));
        assert_eq!(Mode::parse("go1.22.4+auto"), mode(Some("1.22.4"), Switching::Auto));
        for text in ["1.22.4", "bash", "go1.22.4+x", "auto+auto", "on", "go1.22.4+"] {
            assert!(Mode::parse(text).is_err(), "{text}");
        }
    }
}
