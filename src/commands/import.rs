use super::{Gvm, complete, confirm, install, print, print_json};
use crate::error::{Code, Error, Result};
use crate::install::import::{self, Identity, Inspected, Verdict};
use crate::install::{IfPresent, Terms};
use crate::managers::{self, Found, Manager, Places};
use crate::path::display;
use crate::platform::Platform;
use crate::source::Sources;
use crate::store::{self, Evidence, LogRecord};
use crate::trust::lockfile::InForce;
use crate::ui::{self, counted, shown, style};
use crate::version::{Request, Version};
use clap_complete::ArgValueCompleter;
use serde::Serialize;
use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Take over toolchains that other managers keep, without a download
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Looks where goenv, moovweb/gvm, asdf, mise, voidint/g, gobrew, golang.org/dl (~/sdk),
the go command's module cache, Homebrew and packages of the system keep Go, and in
/usr/local/go. Each tree is hashed and held against Go's checksum database, offline
too where the record is kept. Files come as clones where the file system makes them,
else as hard links of what nobody may write, else as copies; what is theirs stays.

Examples:
  gvm import                   all that can be proved; shows them and asks once
  gvm import --dry-run         only shows them
  gvm import 1.26.8            that one, wherever it is
  gvm import --from goenv --yes
  gvm import /opt/go           a directory that no manager keeps
  gvm import --from sdk --remove   and then deletes theirs

A go.env that somebody edited, as images of containers do, is put back. What a manager
or a package built by itself cannot be proved, and is not taken.

Fields of --json: version, os, arch, manager, goroot, bytes, verdict (proved,
but-for-go.env, unproved, refused, installed, duplicate), evidence, record, why, extra,
imported, removed.")]
pub struct Args {
    /// Versions or directories; without one, all that can be proved
    #[arg(value_name = "VERSION|PATH", add = ArgValueCompleter::new(complete::importable))]
    what: Vec<OsString>,

    /// Only what these keep: goenv, moovweb, asdf, mise, g, gobrew, sdk, module-cache,
    /// usr-local, homebrew, distribution
    #[arg(long, value_name = "MANAGER", value_parser = parse_manager,
          add = ArgValueCompleter::new(complete::managers))]
    from: Vec<Manager>,

    /// Do not ask
    #[arg(long, short, visible_alias = "all")]
    yes: bool,

    /// Only show what would be taken
    #[arg(long, short = 'n', conflicts_with_all = ["yes", "remove"])]
    dry_run: bool,

    /// Delete theirs once it is proved and in the store
    #[arg(long)]
    remove: bool,

    /// For scripts
    #[arg(long)]
    json: bool,
}

fn parse_manager(name: &str) -> std::result::Result<Manager, String> {
    Manager::parse(name).ok_or_else(|| {
        let names = Manager::ALL.map(Manager::name).join(", ");
        format!("it is none of {names}")
    })
}

/// A tree and what is to become of it.
struct Row {
    found: Found,
    state: State,
    imported: bool,
    removed: bool,
}

enum State {
    /// It is no release of Go: why.
    Odd(String),
    Installed(Identity),
    /// A tree above is the same one.
    Duplicate(Identity),
    Looked(Box<Inspected>),
}

#[derive(Serialize)]
struct RowJson<'a> {
    version: Option<String>,
    os: Option<&'a str>,
    arch: Option<&'a str>,
    manager: Option<&'static str>,
    goroot: String,
    bytes: Option<u64>,
    verdict: &'static str,
    evidence: Option<Evidence>,
    record: Option<&'a LogRecord>,
    why: Option<&'a str>,
    extra: &'a [String],
    imported: bool,
    removed: bool,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    let places = Places::here(&gvm.store)
        .ok_or_else(|| Error::new(Code::Usage, "HOME is not set, so there is nowhere to look"))?;
    let found = wanted(gvm, &args, &places)?;
    if found.is_empty() {
        gvm.ui.say("nobody else keeps a Go on this machine; to install one: gvm install stable");
        return if args.json { print_json(&Vec::<RowJson>::new()) } else { Ok(()) };
    }
    let sources = gvm.sources()?;
    let lock = gvm.lock_in_force()?;
    let least = sources.require.evidence();
    let mut rows = look(gvm, &sources, lock.as_ref(), found)?;
    if !args.json {
        print(&table(&rows, &places, least))?;
    }
    let count = rows.iter().filter(|row| row.is_wanted(least)).count();
    let done = if args.dry_run {
        Ok(())
    } else if count == 0 {
        nothing(gvm, &args, &rows)
    } else {
        let question = format!("take over {}?", counted(count, "toolchain"));
        // What was named is meant.
        confirm(&question, args.yes || !args.what.is_empty(), "nothing was taken")?;
        take(gvm, &sources, lock.as_ref(), &mut rows, args.remove)
    };
    if args.json {
        print_json(&rows.iter().map(Row::json).collect::<Vec<_>>())?;
    }
    done
}

/// The trees that are meant.
fn wanted(gvm: &Gvm, args: &Args, places: &Places) -> Result<Vec<Found>> {
    let managers = if args.from.is_empty() { &Manager::ALL[..] } else { &args.from };
    let mut named = Vec::new();
    let mut requests = Vec::new();
    for what in &args.what {
        let text = what.to_string_lossy();
        if let Ok(request) = Request::parse(&text) {
            requests.push(request);
            continue;
        }
        let path = Path::new(what);
        if !path.exists() {
            let message = format!("{} is neither a version nor a directory", shown(path));
            return Err(
                Error::new(Code::Usage, message).hint("to see what there is: gvm import --dry-run")
            );
        }
        let goroot = managers::goroot_in(&fs_err::canonicalize(path)?).ok_or_else(|| {
            let message = format!("{} holds no Go: it has no VERSION file and bin", shown(path));
            Error::new(Code::Usage, message)
        })?;
        named.push(Found { manager: managers::keeper(places, &goroot), goroot });
    }
    if requests.is_empty() && !named.is_empty() {
        return Ok(named);
    }
    let all = managers::find(places, managers, &gvm.store);
    if requests.is_empty() {
        return Ok(all);
    }
    let version = |found: &Found| Some(import::identify(&found.goroot).ok()?.version);
    for request in requests {
        let versions: Vec<Version> = all.iter().filter_map(version).collect();
        let chosen = request.choose(versions.into_iter()).ok_or_else(|| {
            let message = format!("nobody else keeps Go {request} on this machine");
            Error::new(Code::NotInstalled, message)
                .hint("to see what there is: gvm import --dry-run")
                .hint(format!("to download it: gvm install {request}"))
        })?;
        named.extend(all.iter().filter(|found| version(found) == Some(chosen)).cloned());
    }
    Ok(named)
}

/// Looks at each, the newest first. Of several that are the same version, the first
/// that can be taken counts.
fn look(
    gvm: &Gvm,
    sources: &Sources,
    lock: Option<&InForce>,
    found: Vec<Found>,
) -> Result<Vec<Row>> {
    let least = sources.require.evidence();
    let mut trees: Vec<_> = found
        .into_iter()
        .map(|found| {
            let identity = import::identify(&found.goroot);
            (found, identity)
        })
        .collect();
    trees.sort_by_key(|(_, identity)| {
        std::cmp::Reverse(identity.as_ref().ok().map(|identity| identity.version))
    });
    let mut good: HashSet<(Version, Platform)> = HashSet::new();
    let mut rows = Vec::new();
    for (found, identity) in trees {
        let state = match identity {
            Err(why) => State::Odd(why),
            Ok(identity) if gvm.store.find(identity.version, &identity.platform).is_some() => {
                State::Installed(identity)
            }
            Ok(identity) if good.contains(&(identity.version, identity.platform.clone())) => {
                State::Duplicate(identity)
            }
            Ok(identity) => {
                let key = (identity.version, identity.platform.clone());
                let terms = terms(&key.1, lock);
                let ui = &gvm.ui;
                let looked =
                    import::inspect(&gvm.store, sources, ui, &found.goroot, identity, terms)?;
                if looked.suffices(least) {
                    good.insert(key);
                }
                State::Looked(Box::new(looked))
            }
        };
        rows.push(Row { found, state, imported: false, removed: false });
    }
    Ok(rows)
}

fn terms<'a>(platform: &'a Platform, lock: Option<&'a InForce>) -> Terms<'a> {
    Terms { platform, if_present: IfPresent::Keep, lock, locked: false }
}

fn take(
    gvm: &Gvm,
    sources: &Sources,
    lock: Option<&InForce>,
    rows: &mut [Row],
    remove: bool,
) -> Result<()> {
    let least = sources.require.evidence();
    let mut failed = None;
    let mut newest = None;
    for row in rows {
        let State::Looked(inspected) = &row.state else { continue };
        if !inspected.suffices(least) {
            continue;
        }
        let terms = terms(&inspected.identity.platform, lock);
        match import::import(&gvm.store, sources, &gvm.ui, inspected, terms) {
            Ok(installed) => {
                row.imported = !installed.was_present;
                gvm.ui.say(import::summary(&installed, inspected));
                if inspected.identity.platform.is_host() {
                    newest = newest.max(Some(inspected.identity.version));
                }
                if remove {
                    match delete_theirs(&row.found, inspected) {
                        Ok(()) => {
                            row.removed = true;
                            gvm.ui.say(format_args!("removed {}", shown(&row.found.goroot)));
                        }
                        Err(why) => {
                            gvm.ui.warn(format_args!("{} stays: {why}", shown(&row.found.goroot)))
                        }
                    }
                }
            }
            // The others may do better.
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    if let Some(newest) = newest {
        let request = Request::Minor(newest.major(), newest.minor());
        install::suggest_default(gvm, &Platform::host(), request)?;
    }
    failed.map_or(Ok(()), Err)
}

/// Deletes a tree that is in the store now: by one rename first, so that a killed
/// deletion leaves none that is half there.
fn delete_theirs(found: &Found, inspected: &Inspected) -> std::result::Result<(), String> {
    match found.manager {
        Some(manager) if manager.may_lose() => {}
        Some(Manager::Homebrew) => return Err("to remove it: brew uninstall go".into()),
        Some(manager) => return Err(format!("{} is not a manager's to delete", manager.label())),
        None => return Err("no manager is known to keep it".into()),
    }
    if !inspected.extra.is_empty() {
        let names = import::names(&inspected.extra);
        return Err(format!("in it is what is not Go's ({names})"));
    }
    store::delete_tree(&found.goroot).map_err(|error| error.message().to_string())?;
    // Of those that unpack an archive as it is, the directory of the version is left.
    if found.goroot.file_name().is_some_and(|name| name == "go")
        && let Some(version) = found.goroot.parent()
    {
        let _ = fs_err::remove_dir(version);
    }
    Ok(())
}

/// What to say when there is nothing to take.
fn nothing(gvm: &Gvm, args: &Args, rows: &[Row]) -> Result<()> {
    let is_there = |row: &Row| matches!(row.state, State::Installed(_));
    if args.what.is_empty() || rows.iter().any(is_there) {
        gvm.ui.say("there is nothing to take over");
        return Ok(());
    }
    let why = rows.first().and_then(Row::why).unwrap_or_default();
    let message = match rows {
        [row] => format!("{} is not taken: {why}", shown(&row.found.goroot)),
        _ => "none of them can be taken".into(),
    };
    let error = Error::new(Code::Refused, message);
    let version = rows.iter().find_map(Row::identity).map(|identity| identity.version);
    Err(match (version, rows.iter().any(Row::is_unproved)) {
        (_, true) => error
            .hint("to prove it, run it where the checksum database can be reached")
            .hint("to accept it all the same: GVM_REQUIRE=none"),
        (Some(version), false) => error.hint(format!("to download it: gvm install {version}")),
        (None, false) => error,
    })
}

impl Row {
    fn is_wanted(&self, least: Evidence) -> bool {
        matches!(&self.state, State::Looked(inspected) if inspected.suffices(least))
    }

    fn is_unproved(&self) -> bool {
        let State::Looked(inspected) = &self.state else { return false };
        matches!(inspected.verdict, Verdict::Unproved(_))
    }

    fn identity(&self) -> Option<&Identity> {
        match &self.state {
            State::Odd(_) => None,
            State::Installed(identity) | State::Duplicate(identity) => Some(identity),
            State::Looked(inspected) => Some(&inspected.identity),
        }
    }

    /// Why it is not taken, where that needs a sentence.
    fn why(&self) -> Option<&str> {
        match &self.state {
            State::Odd(why) => Some(why),
            State::Looked(inspected) => match &inspected.verdict {
                Verdict::Unproved(why) | Verdict::Refused(why) => Some(why),
                Verdict::Proved(..) | Verdict::ButForGoEnv(_) => None,
            },
            State::Installed(_) | State::Duplicate(_) => None,
        }
    }

    fn json(&self) -> RowJson<'_> {
        let identity = self.identity();
        let looked = match &self.state {
            State::Looked(inspected) => Some(inspected),
            _ => None,
        };
        let (verdict, evidence, record) = match looked.map(|looked| &looked.verdict) {
            Some(Verdict::Proved(evidence, record)) => ("proved", Some(*evidence), record.as_ref()),
            Some(Verdict::ButForGoEnv(record)) => {
                ("but-for-go.env", Some(Evidence::ChecksumDatabase), Some(record))
            }
            Some(Verdict::Unproved(_)) => ("unproved", None, None),
            Some(Verdict::Refused(_)) => ("refused", None, None),
            None => match self.state {
                State::Installed(_) => ("installed", None, None),
                State::Duplicate(_) => ("duplicate", None, None),
                _ => ("refused", None, None),
            },
        };
        RowJson {
            version: identity.map(|identity| identity.version.to_string()),
            os: identity.map(|identity| identity.platform.os.as_str()),
            arch: identity.map(|identity| identity.platform.arch.as_str()),
            manager: self.found.manager.map(Manager::name),
            goroot: self.found.goroot.to_string_lossy().into_owned(),
            bytes: looked.map(|looked| looked.bytes),
            verdict,
            evidence,
            record,
            why: self.why(),
            extra: looked.map_or(&[], |looked| &looked.extra),
            imported: self.imported,
            removed: self.removed,
        }
    }

    /// How it is proved, for the table.
    fn proof(&self) -> &'static str {
        match &self.state {
            State::Odd(_) => "not taken",
            State::Installed(_) => "installed already",
            State::Duplicate(_) => "as above",
            State::Looked(inspected) => match &inspected.verdict {
                Verdict::Proved(evidence, _) => evidence.label(),
                Verdict::ButForGoEnv(_) => "but for go.env",
                Verdict::Unproved(_) => Evidence::None.label(),
                Verdict::Refused(_) => "not taken",
            },
        }
    }
}

/// The table, and below it why something is not taken.
fn table(rows: &[Row], places: &Places, least: Evidence) -> String {
    let head = ["VERSION", "SIZE", "PROOF", "WHERE"].map(String::from).to_vec();
    let cells = rows.iter().map(|row| {
        let style = match &row.state {
            State::Looked(inspected) if inspected.suffices(least) => style::GOOD,
            State::Installed(_) | State::Duplicate(_) => style::DIM,
            _ => style::WARNING,
        };
        let version = row.identity().map_or_else(
            || "?".into(),
            |identity| {
                let Identity { version, platform } = identity;
                if platform.is_host() {
                    version.to_string()
                } else {
                    format!("{version} {platform}")
                }
            },
        );
        let size = match &row.state {
            State::Looked(inspected) if inspected.bytes > 0 => ui::bytes(inspected.bytes),
            _ => String::new(),
        };
        vec![version, size, format!("{style}{}{style:#}", row.proof()), place(&row.found, places)]
    });
    let mut text = ui::table(&std::iter::once(head).chain(cells).collect::<Vec<_>>());
    let notes: Vec<_> = rows.iter().filter_map(|row| Some((row, row.why()?))).collect();
    if !notes.is_empty() {
        text.push('\n');
    }
    for (row, why) in notes {
        let built = match row.found.manager {
            Some(manager) if manager.builds() => format!(" ({} builds its own)", manager.label()),
            _ => String::new(),
        };
        let place = place(&row.found, places);
        let note = format!("{place}: {}{built}", display(why.as_bytes()));
        text.push_str(&format!("{}\n", ui::wrapped(&note, 2, ui::columns())));
    }
    text
}

/// Where a tree is, as people write it.
fn place(found: &Found, places: &Places) -> String {
    let short = |path: &Path| match path.strip_prefix(&places.home) {
        Ok(rest) => shown(&PathBuf::from("~").join(rest)),
        Err(_) => shown(path),
    };
    match (found.manager, &places.module_cache) {
        // Its name says the version once more, and would not fit.
        (Some(Manager::ModuleCache), Some(cache)) => format!("{} (module cache)", short(cache)),
        _ => short(&found.goroot),
    }
}
