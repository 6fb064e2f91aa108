use super::{Gvm, confirm, print};
use crate::error::{Code, Error, Result};
use crate::files;
use crate::setup::files::refuse_foreign_home;
use crate::setup::{self, Cleaning, shells};
use crate::ui::{self, counted, shown, style};
use std::path::Path;

/// Take out what gvm setup added; with --all, the store too
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Files become again what they were, to the byte; those that setup made go. Lines that
somebody has edited are named and left. The gvm executable stays.

Examples:
  gvm teardown
  gvm teardown --dry-run       what it would take out
  gvm teardown --all           and every installed Go")]
pub struct Args {
    /// Remove the store too: all toolchains, shims, caches and settings
    #[arg(long)]
    all: bool,

    /// Do not ask
    #[arg(long, short)]
    yes: bool,

    /// Only show what would be taken out
    #[arg(long, short = 'n', conflicts_with = "yes")]
    dry_run: bool,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    let places = shells::places()?;
    refuse_foreign_home(&places.home)?;
    let cleanings = setup::cleanings(&places)?;
    print(&cleanings.iter().map(shown_cleaning).collect::<String>())?;
    let mut todo = cleanings.iter().filter(|cleaning| !cleaning.rest.removed.is_empty()).count();
    if args.all {
        todo += usize::from(describe_store(gvm)?);
    }
    if args.dry_run {
        return Ok(());
    }
    if let Some(refusal) = cleanings.iter().find_map(|cleaning| cleaning.refusal.clone()) {
        return Err(refusal);
    }
    if todo > 0 {
        confirm("remove all that?", args.yes, "nothing was changed")?;
    } else {
        gvm.ui.say("nothing of gvm setup's is to be removed");
    }
    // What a killed setup has left beside a file.
    places.all().iter().filter_map(|file| file.parent()).for_each(files::sweep);
    for cleaning in cleanings.iter().filter(|cleaning| !cleaning.rest.removed.is_empty()) {
        cleaning.apply()?;
        let what = if cleaning.rest.made.is_some() { "removed" } else { "cleaned" };
        gvm.ui.say(format_args!("{what} {}", shown(&cleaning.file)));
    }
    if args.all && todo > 0 {
        gvm.store.delete(&gvm.ui)?;
        gvm.ui.say(format_args!("removed {}", shown(&gvm.store.root())));
    }
    match cleanings.iter().find(|cleaning| !cleaning.rest.edited.is_empty()) {
        Some(left) => Err(edited(&left.file, left.rest.edited[0])),
        None => Ok(()),
    }
}

/// Whoever edited it has put something of theirs there, so it is theirs to remove.
fn edited(file: &Path, (first, last): (usize, usize)) -> Error {
    let file = shown(file);
    let message = format!("lines {first} to {last} of {file} were edited since, and stay");
    Error::new(Code::Failure, message).hint("to take them out, delete them in an editor")
}

/// Says what the store holds; false where there is none.
fn describe_store(gvm: &Gvm) -> Result<bool> {
    let root = gvm.store.root();
    if !root.exists() {
        return Ok(false);
    }
    let strong = style::STRONG;
    let (count, size) = (gvm.store.toolchains()?.len(), ui::bytes(gvm.store.size()?));
    print(&format!(
        "{strong}{}{strong:#}: {} of Go, {size} in all\n",
        shown(&root),
        counted(count, "version")
    ))?;
    if gvm.store.has_go_settings() {
        gvm.ui.warn(
            "GOPROXY and GOSUMDB of the go command are still those of a mirror\n  \
             to undo that first: gvm mirror use official",
        );
    }
    Ok(true)
}

fn shown_cleaning(cleaning: &Cleaning) -> String {
    let strong = style::STRONG;
    let mut text = format!("{strong}{}{strong:#}", shown(&cleaning.file));
    let rest = &cleaning.rest;
    let mut told: Vec<String> = Vec::new();
    if rest.made.is_some() {
        told.push("the file goes, setup made it".into());
    } else {
        let lines = rest.removed.iter();
        told.extend(lines.map(|(first, last)| format!("lines {first} to {last} go")));
    }
    let edited = rest.edited.iter();
    told.extend(
        edited.map(|(first, last)| format!("lines {first} to {last} were edited, and stay")),
    );
    text.push_str(&format!(": {}\n", told.join(", ")));
    text
}
