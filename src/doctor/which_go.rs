//! Which go runs: all that are on PATH, whose they are, and which one wins, here and in
//! shells that are started anew.

use super::{Context, Finding, Severity, owner};
use crate::activation::ACTIVE_VARIABLE;
use crate::error::Result;
use crate::files;
use crate::goenv;
use crate::host::{Host, os};
use crate::path::{self, display};
use crate::process;
use crate::resolve::Outcome;
use crate::setup::files::Places;
use crate::setup::shells;
use crate::setup::text::Names;
use crate::setup::verify::{self, Go};
use crate::setup::{self, Action, block};
use crate::shell::{self, HOOK_VARIABLE, rival_hint};
use crate::store;
use crate::ui::{Ui, shown};
use gvm_hot::System as _;
use gvm_hot::system::Identity;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A wrapper of another manager may think for a while.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to do in a shell that was started before something was repaired.
const NEW_TERMINAL: &str = "open a new terminal";

pub fn check(context: &Context) -> Vec<Finding> {
    let here = context.on_path();
    let mut findings = vec![winner(context, here)];
    findings.extend(here.iter().enumerate().skip(1).map(|(at, go)| behind(context, at, go)));
    findings.extend(gofmt(here));
    findings.push(shims(context));
    findings.extend(known_gvm(context));
    match shells::places() {
        Ok(places) => {
            findings.extend(hook(context, here));
            findings.extend(started_anew(context, &places));
        }
        Err(error) => findings.push(Finding::error("shells", error.message())),
    }
    findings
}

/// A go on PATH.
pub(super) struct OnPath {
    pub file: Vec<u8>,
    /// The directory, as it stands in PATH.
    entry: Vec<u8>,
    pub whose: Whose,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    Shim,
    Toolchain,
    Other,
}

/// See [`Context::on_path`].
pub(super) fn on_path(context: &Context) -> Vec<OnPath> {
    let layout = context.store.layout();
    let identity = |path: &[u8]| Host.metadata(path).map(|found| found.identity);
    let (shims, toolchains) = (identity(&layout.shims()), layout.toolchains());
    let list = Host.var("PATH").unwrap_or_default();
    let mut seen: Vec<Identity> = Vec::new();
    let mut gos = Vec::new();
    for entry in path::entries(&list).filter(|entry| path::is_absolute(entry)) {
        let file = path::join_exe(entry, "go");
        let (Some(directory), Some(true)) =
            (identity(entry), Host.metadata(&file).map(|found| found.is_executable))
        else {
            continue;
        };
        if seen.contains(&directory) {
            continue;
        }
        seen.push(directory);
        let whose = if Some(directory) == shims {
            Whose::Shim
        } else if path::is_within(entry, &toolchains) {
            Whose::Toolchain
        } else {
            Whose::Other
        };
        gos.push(OnPath { file, entry: entry.to_vec(), whose });
    }
    gos
}

impl OnPath {
    /// What it is, as a sentence that begins with its path.
    fn told(&self, context: &Context) -> std::result::Result<String, String> {
        let file = display(&self.file);
        Ok(match self.whose {
            Whose::Shim => format!("{file} is gvm's shim"),
            Whose::Toolchain => format!("{file} is {}, a toolchain of gvm's", self.version()?),
            Whose::Other => {
                let file_path = Path::new(os(&self.file));
                let owner = owner::of(file_path, context.home());
                let owner = owner.map_or_else(String::new, |owner| format!(", {owner}"));
                match self.version() {
                    Ok(version) => format!("{file} is {version}{owner}"),
                    Err(why) => return Err(format!("{file}{owner} {why}")),
                }
            }
        })
    }

    /// By the file VERSION of its GOROOT, else what it says itself, without switching
    /// to another one.
    fn version(&self) -> std::result::Result<String, String> {
        if let Some(version) = goenv::goroot_of(&self.file).and_then(|at| version_in(&at)) {
            return Ok(version);
        }
        let mut command = Command::new(os(&self.file));
        let answer = process::ask(command.arg("version").env("GOTOOLCHAIN", "local"), PATIENCE)
            .map_err(|silence| silence.to_string())?;
        let said = answer.text();
        match said.strip_prefix("go version ").and_then(|rest| rest.split(' ').next()) {
            Some(version) => Ok(display(version.as_bytes()).to_string()),
            None => Err(format!("does not tell its version: {}", answer.complaint())),
        }
    }
}

/// See [`Context::goroot`].
pub(super) fn goroot(context: &Context) -> Option<PathBuf> {
    match context.on_path().first() {
        Some(OnPath { file, whose: Whose::Other, .. }) => goenv::goroot_of(file),
        _ => match &context.resolution().as_ref().ok()?.outcome {
            Outcome::Toolchain { goroot, .. } => Some(PathBuf::from(os(goroot))),
            Outcome::System { go: Some(go) } => goenv::goroot_of(go),
            Outcome::System { go: None } | Outcome::Missing => None,
        },
    }
}

/// The name of the version in a GOROOT: `go1.22.4`.
pub(super) fn version_in(goroot: &Path) -> Option<String> {
    let text = files::read_text(&goroot.join("VERSION"), 4096).ok()??;
    let name = text.lines().next()?.split_whitespace().next()?;
    Some(display(name.as_bytes()).to_string())
}

/// The go that runs when somebody types it here.
fn winner(context: &Context, here: &[OnPath]) -> Finding {
    const SUBJECT: &str = "go here";
    let Some(first) = here.first() else {
        return Finding::error(SUBJECT, "no go is on PATH")
            .fix(format!("gvm setup, then {NEW_TERMINAL}"));
    };
    let told = match first.told(context) {
        Ok(told) => told,
        Err(why) => return Finding::error(SUBJECT, why).fix(front(here, first)),
    };
    match first.whose {
        Whose::Shim | Whose::Toolchain => Finding::ok(SUBJECT, told),
        Whose::Other => {
            let shims = if here.iter().any(|go| go.whose == Whose::Shim) {
                "and comes before gvm's shims on PATH"
            } else {
                "and gvm's shims are not on PATH"
            };
            Finding::warning(SUBJECT, format!("{told}, {shims}")).fix(front(here, first))
        }
    }
}

/// How the shims come to the front of PATH.
fn front(here: &[OnPath], first: &OnPath) -> String {
    if here.iter().any(|go| go.whose == Whose::Shim) {
        let hint = rival_hint(&first.file);
        let hint = hint.rsplit("\n  to change that, ").next().unwrap_or(&hint);
        return format!("{hint}, then {NEW_TERMINAL}");
    }
    format!("gvm setup, then {NEW_TERMINAL}")
}

/// One that another go hides. What it is worth knowing for is its place.
fn behind(context: &Context, at: usize, go: &OnPath) -> Finding {
    let subject = format!("go, behind {at}");
    match go.told(context) {
        Ok(told) => Finding::ok(subject, told),
        Err(why) => Finding::note(subject, why),
    }
}

/// A gofmt of another version than the go beside which it is used.
fn gofmt(here: &[OnPath]) -> Option<Finding> {
    let go = here.first()?;
    let list = Host.var("PATH").unwrap_or_default();
    let is_there = |entry: &&[u8]| {
        Host.metadata(&path::join_exe(entry, "gofmt")).is_some_and(|f| f.is_executable)
    };
    let entry = path::entries(&list).filter(|e| path::is_absolute(e)).find(is_there)?;
    let real = |file: &[u8]| fs_err::canonicalize(Path::new(os(file))).ok();
    let file = path::join_exe(entry, "gofmt");
    // Beside each other, by their names or behind links.
    let beside = real(&file)?.parent()? == real(&go.file)?.parent()?;
    if path::same_entry(entry, &go.entry) || beside {
        return None;
    }
    let (file, go) = (display(&file), display(&go.file));
    Some(Finding::warning("gofmt here", format!("{file} is not the one beside {go}")))
}

fn shims(context: &Context) -> Finding {
    const SUBJECT: &str = "shims";
    let directory = shown(&context.store.shims());
    let faults = match context.store.faulty_shims() {
        Ok(faults) => faults,
        Err(error) => return Finding::error(SUBJECT, error.to_string().replace('\n', ";")),
    };
    if faults.is_empty() {
        return Finding::ok(SUBJECT, format!("those in {directory} are whole"));
    }
    if !context.store.shims().is_dir() {
        return Finding::warning(SUBJECT, format!("there are none in {directory} yet"))
            .safe_fix(make_shims(context), remake_shims);
    }
    let some: Vec<_> = faults.iter().take(3).map(|(name, why)| format!("{name} {why}")).collect();
    let more = faults.len() - some.len();
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let cause = format!("in {directory}, {}{more}", some.join(", "));
    let severity = match faults.iter().any(|(name, _)| name.starts_with("gofmt") || name == "go") {
        true => Severity::Error,
        false => Severity::Warning,
    };
    Finding::new(severity, SUBJECT, cause).safe_fix(make_shims(context), remake_shims)
}

fn make_shims(context: &Context) -> String {
    format!("make the shims in {} anew (gvm setup does it too)", shown(&context.store.shims()))
}

fn remake_shims(context: &Context) -> Result<()> {
    context.store.refresh_shims(&Ui { quiet: true })
}

/// The gvm that shims turn to when a version is missing.
fn known_gvm(context: &Context) -> Option<Finding> {
    let file = store::path(&context.store.layout().gvm_path());
    let gvm = files::read(&file, 32 << 10).ok()??;
    let gvm = gvm.trim_ascii_end();
    if Host.metadata(gvm).is_some_and(|found| found.is_executable) {
        return None;
    }
    let cause = format!(
        "the gvm that made the shims, {}, is gone; they run, but cannot install what is missing",
        display(gvm)
    );
    // Making them notes the gvm that does it.
    Some(Finding::warning("shims, gvm", cause).safe_fix(make_shims(context), remake_shims))
}

/// The hook in the shell that this was typed into.
fn hook(context: &Context, here: &[OnPath]) -> Option<Finding> {
    let mark = Host.var(HOOK_VARIABLE).and_then(|mark| String::from_utf8(mark).ok());
    let Some(mark) = mark else {
        // Whoever runs it from a script needs none.
        let shell = shell::of_program(&shells::running()?)?.name();
        let with_shims = here.first().is_some_and(|go| go.whose != Whose::Other);
        let cause = format!("this {shell} has none, or gvm was called around it");
        let finding = match with_shims {
            true => Finding::note("hook", format!("{cause}: GOROOT does not follow the directory")),
            false => Finding::warning("hook", cause),
        };
        return Some(finding.fix(format!("gvm setup, then {NEW_TERMINAL}")));
    };
    let name = mark.split(':').next().unwrap_or_default();
    let shell = shell::of_program(Path::new(name))?;
    if mark != shell::hook_mark(shell) {
        let cause = format!("that of this {name} is of another version of gvm");
        return Some(Finding::warning("hook", cause).fix(NEW_TERMINAL));
    }
    let active = Host.var(ACTIVE_VARIABLE).filter(|active| !active.is_empty());
    let selected = match context.resolution() {
        Ok(resolution) => match &resolution.outcome {
            Outcome::Toolchain { goroot, .. } => Some(goroot),
            _ => None,
        },
        Err(_) => None,
    };
    let rival = here.first().is_some_and(|go| go.whose == Whose::Other);
    if active.as_ref() != selected && !rival {
        let told = |goroot: Option<&Vec<u8>>| {
            goroot.map_or_else(|| "none of gvm's".into(), |goroot| display(goroot).to_string())
        };
        let cause = format!(
            "GOROOT of this {name} is {}, while {} counts here",
            told(active.as_ref()),
            told(selected)
        );
        // bash follows at the next prompt, and not within a line.
        let fix = format!("press Enter; if it stays so, {NEW_TERMINAL}");
        return Some(Finding::note("hook", cause).fix(fix));
    }
    Some(Finding::ok("hook", format!("this {name} has gvm's, and it is up to date")))
}

/// What each shell finds when it is started, and whether the lines in its files are
/// those of this gvm.
fn started_anew(context: &Context, places: &Places) -> Vec<Finding> {
    let used = shells::used(places);
    let mut findings = Vec::new();
    let mut is_set_up = Vec::new();
    for &shell in &used.shells {
        let (set_up, found) = lines(context, places.of(shell));
        if set_up {
            is_set_up.push(shell.name());
        }
        findings.extend(found);
    }
    if used.sh {
        let (set_up, found) = lines(context, vec![places.of_sh()]);
        if set_up {
            is_set_up.push("sh");
        }
        // bash may read the same file.
        let is_new = |new: &Finding| !findings.iter().any(|old| old.cause == new.cause);
        let found: Vec<_> = found.into_iter().filter(is_new).collect();
        findings.extend(found);
    }
    for answer in verify::ask(&used.shells, used.sh, places, context.store.layout()) {
        let name = answer.name;
        let set_up = is_set_up.contains(&name);
        let modes = [
            ("login", Some(answer.login)),
            ("interactive", answer.interactive),
            ("script", Some(answer.script)),
        ];
        let mut by_answer: Vec<(Go, Vec<&str>)> = Vec::new();
        for (mode, go) in modes.into_iter().filter_map(|(mode, go)| Some((mode, go?))) {
            match by_answer.iter_mut().find(|(known, _)| *known == go) {
                Some((_, modes)) => modes.push(mode),
                None => by_answer.push((go, vec![mode])),
            }
        }
        findings.extend(
            by_answer.into_iter().map(|(go, modes)| started(context, name, &modes, go, set_up)),
        );
    }
    findings
}

/// Whether these files have gvm's lines, and what is wrong with those.
fn lines(context: &Context, targets: Vec<setup::files::Target>) -> (bool, Vec<Finding>) {
    let steps: Result<_> = Names::of(&context.store).and_then(|names| setup::plan(targets, &names));
    let steps = match steps {
        Ok(steps) => steps,
        Err(error) => return (false, vec![Finding::error("setup", error.message())]),
    };
    let has_block = |step: &setup::Step| {
        step.found.content.as_deref().is_some_and(|content| !block::find(content).is_empty())
    };
    let set_up = steps.iter().any(|step| has_block(step) || step.hook_line.is_some());
    let mut findings = Vec::new();
    for step in &steps {
        let file = shown(&step.target.file);
        match &step.action {
            Action::Edited((first, last)) => findings.push(Finding::note(
                "setup",
                format!(
                    "lines {first} to {last} of {file} are gvm's, and somebody has edited them"
                ),
            )),
            Action::Write(_) | Action::Refused(_) if has_block(step) => findings.push(
                Finding::warning(
                    "setup",
                    format!("gvm's lines in {file} are of another gvm, or for another store"),
                )
                .fix("gvm setup"),
            ),
            _ => {}
        }
    }
    (set_up, findings)
}

/// What a shell finds when it is started in these ways.
fn started(context: &Context, name: &str, modes: &[&str], go: Go, set_up: bool) -> Finding {
    let modes = match modes {
        [one] => (*one).to_string(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
        [] => String::new(),
    };
    let subject = format!("{name} started anew");
    // A script that nothing of a login has prepared, as cron starts it, has a bare PATH.
    let is_script = modes == "script";
    let (severity, fix) = match (set_up, is_script) {
        (false, _) => (Severity::Note, Some("gvm setup")),
        (true, true) => (Severity::Note, None),
        (true, false) => (
            Severity::Warning,
            Some("look in its files for what puts it in front below gvm's lines"),
        ),
    };
    let finding = match go {
        Go::Shim => return Finding::ok(subject, format!("as {modes}, it finds gvm's shim")),
        Go::Other(file) => {
            let whose = owner::of(Path::new(os(&file)), context.home());
            let whose = whose.map_or_else(String::new, |whose| format!(", {whose}"));
            let version = goenv::goroot_of(&file).and_then(|goroot| version_in(&goroot));
            let version =
                version.map_or_else(String::new, |version| format!(" ({version}{whose})"));
            let cause = format!("as {modes}, it finds {}{version}", display(&file));
            Finding::new(severity, subject, cause)
        }
        Go::Nothing => Finding::new(severity, subject, format!("as {modes}, it finds no go")),
        Go::Silent => {
            let cause = format!("as {modes}, it did not tell within ten seconds which go it finds");
            return Finding::warning(subject, cause)
                .fix("look in its files for what waits for something");
        }
    };
    match fix {
        Some(fix) => finding.fix(fix),
        None => finding,
    }
}
