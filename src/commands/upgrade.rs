use super::Gvm;
use super::install::install_one;
use crate::error::{Code, Error, Result};
use crate::install::{IfPresent, Terms};
use crate::pin::{Origin, Pin};
use crate::platform::Platform;
use crate::resolve::Outcome;
use crate::ui;
use crate::version::{Request, Version};
use std::collections::BTreeSet;

/// Install the newest patch of each minor in use, and remove what it replaces
#[derive(Debug, clap::Args)]
#[command(after_help = "\
In use are the default, what counts here, and what pins ask for that gvm has come upon
(gvm pin, install, list and use write down where). An older patch stays where such a
pin, the default or this shell names it exactly.

Examples:
  gvm upgrade
  gvm upgrade --all            each minor that is installed
  gvm upgrade --dry-run        what it would do")]
pub struct Args {
    /// Each minor that is installed
    #[arg(long)]
    all: bool,

    /// Remove older patches that pins name, too
    #[arg(long)]
    prune: bool,

    /// Only say what would be done
    #[arg(long, short = 'n')]
    dry_run: bool,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    let host = Platform::host();
    let pins = gvm.store.seen_pins()?;
    let installed = gvm.store.versions_here()?;
    let minor = |version: &Version| (version.major(), version.minor());
    let lines: BTreeSet<_> = match args.all {
        true => installed.iter().map(minor).collect(),
        false => in_use(gvm, &pins)?.iter().map(minor).collect(),
    };
    if lines.is_empty() {
        return Err(Error::new(Code::Usage, "nothing that is installed is in use")
            .hint("to upgrade each minor that is installed: gvm upgrade --all"));
    }
    let sources = gvm.sources()?;
    let catalog = sources.catalog()?.catalog;
    let kept = kept(gvm, if args.prune { None } else { Some(&pins) })?;
    let lock = gvm.lock_in_force()?;
    let terms =
        Terms { platform: &host, if_present: IfPresent::Keep, lock: lock.as_ref(), locked: false };
    let mut done = 0;
    for line in lines.into_iter().rev() {
        let request = Request::Minor(line.0, line.1);
        let Some(newest) = catalog.choose(request, &host) else { continue };
        let older = installed.iter().filter(|version| minor(version) == line && **version < newest);
        let older: Vec<_> = older.copied().collect();
        if older.is_empty() {
            continue;
        }
        done += 1;
        if args.dry_run {
            let (stay, go): (Vec<_>, Vec<_>) =
                older.into_iter().partition(|version| kept.contains(version));
            let told = |versions: &[Version], what: &str| match versions {
                [] => String::new(),
                versions => format!("; {} would {what}", list(versions)),
            };
            let (go, stay) = (told(&go, "go"), told(&stay, "stay"));
            gvm.ui.say(format_args!("Go {newest} would be installed{go}{stay}"));
            continue;
        }
        gvm.ui.say(format_args!("upgrading Go {} to {newest}", list(&older)));
        let made = install_one(gvm, &sources, Request::Exact(newest), false, terms)?;
        if !made.was_present {
            gvm.ui.say(crate::install::summary(&made.toolchain));
        }
        for version in older {
            if kept.contains(&version) {
                gvm.ui.say(format_args!("Go {version} stays: it is named exactly"));
                continue;
            }
            if let Some(toolchain) = gvm.store.find(version, &host) {
                let own = toolchain.usage()?.own;
                gvm.remove(&toolchain)?;
                gvm.ui.say(format_args!("removed Go {version}, {}", ui::bytes(own)));
            }
        }
    }
    if done == 0 {
        gvm.ui.say("there is nothing newer");
    }
    Ok(())
}

fn list(versions: &[Version]) -> String {
    versions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What is installed and somebody asks for.
pub(super) fn in_use(gvm: &Gvm, pins: &[Pin]) -> Result<Vec<Version>> {
    let host = Platform::host();
    let default = gvm.store.default_pin()?;
    let mut versions = Vec::new();
    for pin in pins.iter().chain(&default) {
        versions.extend(gvm.store.choose(pin.request, &host)?.map(|toolchain| toolchain.version));
    }
    if let Ok(resolution) = gvm.resolve()
        && let Outcome::Toolchain { version, .. } = resolution.outcome
    {
        versions.push(version);
    }
    Ok(versions)
}

/// The versions that are named exactly, and so do not go as out of date; by nobody's
/// pins, where there are none given.
fn kept(gvm: &Gvm, pins: Option<&[Pin]>) -> Result<BTreeSet<Version>> {
    let default = gvm.store.default_pin()?;
    let named = pins.unwrap_or_default().iter().chain(&default);
    let mut kept: BTreeSet<_> = named.filter_map(|pin| pin.request.exact()).collect();
    kept.extend(gvm.active()?);
    if let Ok(resolution) = gvm.resolve()
        && (pins.is_some() || matches!(resolution.pin.origin, Origin::Variable(_)))
    {
        kept.extend(resolution.pin.request.exact());
    }
    Ok(kept)
}
