//! Variables of the go command that decide where it looks and how it builds, with
//! whoever sets them; and what old tutorials advise and is wrong by now.

use super::which_go::Whose;
use super::{Context, Finding, places, rc};
use crate::activation;
use crate::error::Result;
use crate::files;
use crate::goenv::{self, Located, Place};
use crate::host::{Host, os};
use crate::layout;
use crate::path::{self, display};
use crate::process;
use crate::setup::files::Found;
use crate::setup::shells;
use crate::ui::{bytes, shown};
use gvm_hot::System as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A go that does not answer is told of by another family.
const PATIENCE: Duration = Duration::from_secs(5);

pub fn check(context: &Context) -> Vec<Finding> {
    let files = shells::places().map(|places| rc::files(&places)).unwrap_or_default();
    let mut findings = goenv_file();
    findings.extend(goroot(context, &files));
    let gopath = gopath(context, &mut findings);
    findings.extend(go_install(context, gopath.as_deref()));
    findings.extend(go111module(context, &files));
    findings.extend(goflags(context, &files));
    findings.extend(gotoolchain(context, &files));
    findings.extend(goexperiment(context, &files));
    findings.extend(platform(context, &files));
    findings.extend(caches(context, gopath.as_deref()));
    findings
}

/// The file that `go env -w` writes, as a whole.
fn goenv_file() -> Vec<Finding> {
    const SUBJECT: &str = "go env -w";
    let Some(file) = goenv::user_file() else {
        return vec![Finding::note(SUBJECT, "GOENV=off: what it has stored does not count")];
    };
    match files::read(&file, 1 << 20) {
        Ok(Some(content)) if content.windows(2).any(|pair| pair == b"\r\n") => vec![
            Finding::warning(
                SUBJECT,
                format!(
                    "{} has the line ends of Windows, which the go command takes for a part of each value",
                    shown(&file)
                ),
            )
            .fix(format!("sed -i 's/\\r$//' {}", shown(&file))),
        ],
        Ok(_) => Vec::new(),
        Err(error) => vec![Finding::error(SUBJECT, format!("its file cannot be read: {error}"))],
    }
}

/// What takes a setting back.
pub(super) fn unset(name: &str, place: &Place, files: &[PathBuf]) -> String {
    match place {
        Place::Environment => {
            let set = rc::assignments(files, name);
            let lines: Vec<_> = set
                .iter()
                .map(|set| format!("line {} of {}", set.line, shown(&set.file)))
                .collect();
            match lines.as_slice() {
                [] => format!("unset {name}, also where it is exported"),
                lines => format!("unset {name}, and take out {}", lines.join(" and ")),
            }
        }
        Place::User { .. } => format!("go env -u {name}"),
        Place::Goroot { file, line } => format!("take out line {line} of {}", shown(file)),
    }
}

/// Takes the lines of a name out of the file that `go env -w` writes, as `go env -u` does,
/// without a go command: one that is led astray does not run, and from Go 1.27 on it
/// refuses to do it for GOROOT.
fn take_out_of_go_env(name: &str) -> Result<()> {
    let Some(file) = goenv::user_file() else { return Ok(()) };
    let found = Found::read(&file)?;
    let Some(content) = &found.content else { return Ok(()) };
    let prefix = format!("{name}=");
    let lines = content.split_inclusive(|&byte| byte == b'\n');
    let rest: Vec<u8> =
        lines.filter(|line| !line.starts_with(prefix.as_bytes())).flatten().copied().collect();
    if let Some(refusal) = found.refusal() {
        return Err(refusal);
    }
    found.replace(&rest)
}

fn goroot(context: &Context, files: &[PathBuf]) -> Vec<Finding> {
    const SUBJECT: &str = "GOROOT";
    let mut findings = Vec::new();
    let here = context.on_path();
    let own = here.first().filter(|go| go.whose == Whose::Other);
    let own = own.and_then(|go| goenv::goroot_of(&go.file));
    if let Some(set) = activation::users_goroot(&Host, context.store.layout()) {
        let value = display(&set);
        let real = fs_err::canonicalize(Path::new(os(&set))).ok();
        let fix = unset(SUBJECT, &Place::Environment, files);
        findings.push(match (&here.first().map(|go| go.whose), &own, &real) {
            (_, _, None) => Finding::error(
                SUBJECT,
                format!("is set to {value} in the environment, and nothing is there"),
            ),
            (Some(Whose::Other), Some(own), Some(real)) if own == real => Finding::note(
                SUBJECT,
                format!(
                    "is set to {value} in the environment; since Go 1.9 go finds it by itself, \
                     and the next version will not be there"
                ),
            ),
            (Some(Whose::Other), _, _) => Finding::error(
                SUBJECT,
                format!(
                    "is set to {value} in the environment, and that is not the GOROOT of the go \
                     that runs here: every build breaks"
                ),
            ),
            _ => Finding::warning(
                SUBJECT,
                format!(
                    "is set to {value} in the environment; gvm's shims set it right, any other \
                     go is led astray by it"
                ),
            ),
        }
        .fix(fix));
    }
    if let Some(file) = goenv::user_file()
        && let Ok(Some((value, line))) = goenv::in_user_file(&file, SUBJECT)
    {
        let (value, file) = (display(value.as_bytes()), shown(&file));
        let cause = format!(
            "go env -w has stored {value} ({file}:{line}), which leads every go astray that is \
             not that one"
        );
        // go env -u refuses, or does not run: the fix says what is done in its place.
        let fix = format!("take GOROOT out of {file}, line {line}");
        findings
            .push(Finding::error(SUBJECT, cause).safe_fix(fix, |_| take_out_of_go_env(SUBJECT)));
    }
    for set in rc::assignments(files, SUBJECT) {
        let (value, file) = (display(set.value.as_bytes()), shown(&set.file));
        let cause = format!(
            "{file}:{} sets it to {value}, as old tutorials say; since Go 1.9 go finds it by \
             itself, and with another version it breaks every build",
            set.line
        );
        let fix = match set.file.ends_with("fish_variables") {
            true => format!("set --erase --universal {SUBJECT}, in fish"),
            false => format!("take out line {} of {file}", set.line),
        };
        findings.push(Finding::warning(SUBJECT, cause).fix(fix));
    }
    if findings.is_empty() {
        findings.push(Finding::ok(SUBJECT, "nobody sets it but gvm"));
    }
    findings
}

/// The effective GOPATH, and what is wrong with it.
fn gopath(context: &Context, findings: &mut Vec<Finding>) -> Option<Vec<PathBuf>> {
    const SUBJECT: &str = "GOPATH";
    let (list, place) = match context.setting(SUBJECT) {
        Some(Located { value, place }) => (value, place.to_string()),
        None => match context.home() {
            // As go/build has it.
            Some(home) => (home.join("go").to_string_lossy().into_owned(), "Go's default".into()),
            None => {
                let cause =
                    "neither it nor HOME is set, so go has no place for modules and programs";
                findings.push(Finding::error(SUBJECT, cause).fix("export HOME=…"));
                return None;
            }
        },
    };
    let entries: Vec<PathBuf> = path::entries(list.as_bytes())
        .filter(|entry| !entry.is_empty())
        .map(|entry| PathBuf::from(String::from_utf8_lossy(entry).into_owned()))
        .collect();
    let first = entries.first()?;
    let told = display(list.as_bytes());
    let before = findings.len();
    let mut say = |finding: Finding| findings.push(finding);
    if let Some(odd) = entries.iter().find(|entry| !entry.is_absolute()) {
        let why = if odd.starts_with("~") {
            "begins with ~, which go does not expand"
        } else {
            "is relative"
        };
        let cause =
            format!("{told} ({place}): the entry {} {why}, so go refuses to work", shown(odd));
        say(Finding::error(SUBJECT, cause)
            .fix("go env -w GOPATH=$HOME/go, and unset it in the environment"));
    }
    if let Some(goroot) = context.goroot()
        && let Some(inside) = entries.iter().find(|entry| entry.starts_with(goroot))
    {
        let cause = format!(
            "{} ({place}) lies in GOROOT, {}, where the next version will not find what go \
             installs",
            shown(inside),
            shown(goroot)
        );
        say(Finding::warning(SUBJECT, cause)
            .fix("go env -u GOPATH, and unset it in the environment"));
    }
    if first.is_absolute() && !places::is_writable(first) {
        let cause = format!(
            "{} ({place}) cannot be written, so go can fetch and install nothing",
            shown(first)
        );
        say(Finding::error(SUBJECT, cause).fix(format!("chown -R \"$(id -u)\" {}", shown(first))));
    }
    if entries.len() > 1 {
        let cause = format!(
            "{told} ({place}) has {} entries; programs and modules go into the first one alone",
            entries.len()
        );
        say(Finding::note(SUBJECT, cause));
    }
    let here = Host.current_dir().map(|here| PathBuf::from(os(&here)));
    let sources = entries.iter().map(|entry| entry.join("src"));
    if let Some(here) = &here
        && let Some(src) = sources.into_iter().find(|src| here.starts_with(src))
        && !here.ancestors().any(|above| above.join("go.mod").is_file())
    {
        let cause = format!(
            "this directory is in {} and in no module: the layout of old tutorials, which go \
             does not look at any more",
            shown(&src)
        );
        say(Finding::warning(SUBJECT, cause).fix("go mod init example.com/name"));
    }
    if findings.len() == before {
        findings.push(Finding::ok(SUBJECT, format!("{told} ({place})")));
    }
    Some(entries)
}

/// Where `go install` puts programs, and whether they are found there.
fn go_install(context: &Context, gopath: Option<&[PathBuf]>) -> Option<Finding> {
    const SUBJECT: &str = "go install";
    let (bin, why) = match context.setting("GOBIN") {
        Some(Located { value, place }) => (PathBuf::from(value), format!("GOBIN, {place}")),
        None => (gopath?.first()?.join("bin"), "GOPATH".into()),
    };
    let name = shown(&bin);
    if !bin.is_absolute() {
        let cause = format!("GOBIN is {name}, a relative path: go refuses to install");
        return Some(
            Finding::error(SUBJECT, cause).fix("go env -u GOBIN, and unset it in the environment"),
        );
    }
    let list = Host.var("PATH").unwrap_or_default();
    let identity =
        |path: &Path| Host.metadata(path.as_os_str().as_encoded_bytes()).map(|f| f.identity);
    let wanted = identity(&bin);
    let on_path = path::entries(&list).any(|entry| {
        let entry = Path::new(os(entry));
        entry == bin || wanted.is_some() && identity(entry) == wanted
    });
    let programs = fs_err::read_dir(&bin).into_iter().flatten().count();
    if on_path {
        return Some(Finding::ok(
            SUBJECT,
            format!("puts programs into {name} ({why}), which is on PATH"),
        ));
    }
    if programs == 0 {
        let cause =
            format!("puts programs into {name} ({why}), which is not on PATH; none is there yet");
        return Some(Finding::ok(SUBJECT, cause));
    }
    let cause = format!(
        "has put {} into {name} ({why}), which is not on PATH: they are not found",
        crate::ui::counted(programs, "program")
    );
    let fix = match shells::running().and_then(|shell| crate::shell::of_program(&shell)) {
        Some(crate::shell::Shell::Fish) => format!("fish_add_path {name}"),
        _ => format!("export PATH=\"$PATH:{name}\", in your shell's rc file"),
    };
    Some(Finding::warning(SUBJECT, cause).fix(fix))
}

fn go111module(context: &Context, files: &[PathBuf]) -> Option<Finding> {
    const SUBJECT: &str = "GO111MODULE";
    let Located { value, place } = context.setting(SUBJECT)?;
    let fix = unset(SUBJECT, &place, files);
    let finding = match value.as_str() {
        "on" => {
            let cause = format!(
                "on ({place}), as old tutorials say; it has been the default since Go 1.16"
            );
            let finding = Finding::note(SUBJECT, cause);
            // Nothing but the default is left then.
            return Some(match place {
                Place::User { .. } => finding.safe_fix(fix, |_| take_out_of_go_env(SUBJECT)),
                _ => finding.fix(fix),
            });
        }
        "off" => Finding::warning(
            SUBJECT,
            format!("off ({place}): go.mod does not count, and everything has to be in GOPATH/src"),
        ),
        "auto" => Finding::note(
            SUBJECT,
            format!(
                "auto ({place}), as old tutorials say: without a go.mod, go looks in GOPATH/src"
            ),
        ),
        other => Finding::error(
            SUBJECT,
            format!(
                "{} ({place}) is none of on, off, auto, so go refuses to work",
                display(other.as_bytes())
            ),
        ),
    };
    Some(finding.fix(fix))
}

/// Flags of GOFLAGS, without the values in which there may be anything.
fn flags_shown(flags: &[String]) -> String {
    const PLAIN: [&str; 9] =
        ["mod", "trimpath", "buildvcs", "tags", "count", "race", "modcacherw", "p", "v"];
    let shown = flags.iter().map(|flag| match flag.split_once('=') {
        Some((name, _)) if !PLAIN.contains(&name.trim_start_matches('-')) => format!("{name}=…"),
        _ => flag.clone(),
    });
    display(shown.collect::<Vec<_>>().join(" ").as_bytes()).to_string()
}

fn goflags(context: &Context, files: &[PathBuf]) -> Option<Finding> {
    const SUBJECT: &str = "GOFLAGS";
    let Located { value, place } = context.setting(SUBJECT)?;
    let fix = unset(SUBJECT, &place, files);
    // cmd/go, internal/base/goflags.go.
    let Ok(flags) = shell_words::split(&value) else {
        let cause = format!("({place}) has a quote that does not end, so go refuses to work");
        return Some(Finding::error(SUBJECT, cause).fix(fix));
    };
    let is_flag = |flag: &String| {
        let name = flag.strip_prefix("--").or_else(|| flag.strip_prefix('-')).unwrap_or_default();
        !name.is_empty() && !name.starts_with(['-', '='])
    };
    if let Some(at) = flags.iter().position(|flag| !is_flag(flag)) {
        let before = match at.checked_sub(1) {
            Some(before) => format!(", behind {},", flags_shown(&flags[before..at])),
            None => String::new(),
        };
        let cause = format!(
            "({place}): its word {}{before} is no flag, so go refuses to work; a value goes \
             behind =, as in -tags=x",
            at + 1
        );
        return Some(Finding::error(SUBJECT, cause).fix(fix));
    }
    let told = flags_shown(&flags);
    if let Some(unknown) = unknown_flag(context) {
        let cause = format!("{told} ({place}): {unknown}, so go refuses to work");
        return Some(Finding::error(SUBJECT, cause).fix(fix));
    }
    Some(Finding::note(SUBJECT, format!("{told} ({place}) counts for every command")).fix(fix))
}

/// What the go command says of a flag that none of its commands has: which it has, it
/// alone knows.
fn unknown_flag(context: &Context) -> Option<String> {
    let go = layout::tool(context.goroot()?.as_os_str().as_encoded_bytes(), "go");
    let mut command = Command::new(os(&go));
    command.arg("version").env("GOTOOLCHAIN", "local").env_remove("GOROOT");
    let complaint = process::ask(&mut command, PATIENCE).ok()?.complaint();
    let flag =
        complaint.split_once("parsing $GOFLAGS: unknown flag ")?.1.split([' ', ';']).next()?;
    Some(format!("no command has the flag {flag}"))
}

fn gotoolchain(context: &Context, files: &[PathBuf]) -> Option<Finding> {
    const SUBJECT: &str = "GOTOOLCHAIN";
    let Located { value, place } = context.setting(SUBJECT)?;
    let told = display(value.as_bytes());
    if matches!(place, Place::Goroot { .. }) || matches!(value.as_str(), "auto" | "local" | "path")
    {
        return Some(Finding::ok(SUBJECT, format!("{told} ({place})")));
    }
    let cause = format!("{told} ({place}) runs that version, whatever is selected");
    Some(
        match super::selected::Mode::parse(&value) {
            Ok(_) => Finding::warning(SUBJECT, cause),
            Err(why) => {
                Finding::error(SUBJECT, format!("{told} ({place}): {why}, so go refuses to work"))
            }
        }
        .fix(unset(SUBJECT, &place, files)),
    )
}

/// GOEXPERIMENT against what the toolchain knows, which is written in its sources
/// (internal/goexperiment/flags.go).
fn goexperiment(context: &Context, files: &[PathBuf]) -> Option<Finding> {
    const SUBJECT: &str = "GOEXPERIMENT";
    let Located { value, place } = context.setting(SUBJECT)?;
    let fix = unset(SUBJECT, &place, files);
    let told = display(value.as_bytes());
    let source = context.goroot()?.join("src/internal/goexperiment/flags.go");
    let known = files::read_text(&source, 1 << 20).ok().flatten().map(|text| experiments(&text));
    let names = value.split(',').filter(|name| !name.is_empty());
    let unknown = known.and_then(|known| {
        let bare = |name: &&str| {
            let bare = name.strip_prefix("no").filter(|rest| known.iter().any(|k| k == rest));
            bare.is_none() && *name != "none" && !known.iter().any(|known| known == name)
        };
        names.clone().find(bare).map(str::to_string)
    });
    Some(
        match unknown {
            Some(unknown) => Finding::error(
                SUBJECT,
                format!(
                    "{told} ({place}): the selected go has no experiment {}, and refuses to work",
                    display(unknown.as_bytes())
                ),
            ),
            None => Finding::note(
                SUBJECT,
                format!("{told} ({place}) changes the language or the runtime of every build"),
            ),
        }
        .fix(fix),
    )
}

/// The names of experiments: the fields of the struct Flags, in lower case.
fn experiments(source: &str) -> Vec<String> {
    let fields = source.lines().skip_while(|line| !line.starts_with("type Flags struct"));
    fields
        .skip(1)
        .take_while(|line| !line.starts_with('}'))
        .filter_map(|line| line.trim().strip_suffix("bool"))
        .map(|name| name.trim().to_lowercase())
        .filter(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric()))
        .collect()
}

/// A platform that is set for good makes every program one for another machine.
fn platform(context: &Context, files: &[PathBuf]) -> Vec<Finding> {
    let host = [("GOOS", layout::HOST.os), ("GOARCH", layout::HOST.arch)];
    let of = |(name, host): (&str, &str)| {
        let Located { value, place } = context.setting(name)?;
        let told = display(value.as_bytes());
        (value != host).then(|| {
            Finding::warning(
                name,
                format!("{told} ({place}): every build is for another machine than this"),
            )
            .fix(unset(name, &place, files))
        })
    };
    host.into_iter().filter_map(of).collect()
}

fn caches(context: &Context, gopath: Option<&[PathBuf]>) -> Vec<Finding> {
    let modules = gopath.and_then(|entries| entries.first()).map(|first| first.join("pkg/mod"));
    // As os.UserCacheDir has it.
    let builds = dirs::cache_dir().map(|cache| cache.join("go-build"));
    let found = [("GOMODCACHE", modules), ("GOCACHE", builds)].map(|(name, default)| {
        let (directory, place) = match context.setting(name) {
            Some(Located { value, place }) => (PathBuf::from(value), place.to_string()),
            None => (default?, "Go's default".into()),
        };
        Some(cache(name, &directory, &place))
    });
    found.into_iter().flatten().collect()
}

fn cache(name: &'static str, directory: &Path, place: &str) -> Finding {
    let told = shown(directory);
    let fix = format!("go env -u {name}, and unset it in the environment");
    if directory == Path::new("off") && name == "GOCACHE" {
        return Finding::error(
            name,
            format!("off ({place}): since Go 1.12, go does not build without it"),
        )
        .fix(fix);
    }
    if !directory.is_absolute() {
        return Finding::error(
            name,
            format!("{told} ({place}) is no absolute path, so go refuses to work"),
        )
        .fix(fix);
    }
    if let Some(kind) = places::network_file_system(directory) {
        let cause = format!(
            "{told} ({place}) is on another machine ({kind}), which makes every build slow"
        );
        let fix = format!("go env -w {name}=/path/on/this/machine");
        return Finding::warning(name, cause).fix(fix);
    }
    if !places::is_writable(directory) {
        let fix = format!("chown -R \"$(id -u)\" {told}");
        return Finding::error(name, format!("{told} ({place}) cannot be written")).fix(fix);
    }
    let (size, complete) = places::size(directory);
    let size = if complete { bytes(size) } else { format!("more than {}", bytes(size)) };
    Finding::ok(name, format!("{told} ({place}), {size}"))
}
