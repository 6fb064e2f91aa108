use super::{Gvm, print, print_json};
use crate::error::Result;
use crate::platform::Platform;
use crate::ui::{self, style};
use crate::version::{Request, Version};
use serde::Serialize;

/// Show which installed versions have a newer patch, or get no fixes any more
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A major gets fixes until there are two newer ones.

Examples:
  gvm outdated
  gvm outdated --json | jq -r '.[] | select(.is_outdated) | .version'
  gvm upgrade                  installs what is newer

Fields of --json: version, newest (of its minor), is_outdated, is_supported, is_default.")]
pub struct Args {
    /// For scripts: all that is installed
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    version: String,
    newest: Option<String>,
    is_outdated: bool,
    is_supported: bool,
    is_default: bool,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    let host = Platform::host();
    let installed = gvm.store.versions_here()?;
    let catalog = gvm.sources()?.catalog()?.catalog;
    let supported = catalog.supported();
    let default = match gvm.store.default_pin()? {
        Some(pin) => gvm.store.choose(pin.request, &host)?.map(|toolchain| toolchain.version),
        None => None,
    };
    let row = |version: &Version| {
        let newest = catalog.choose(Request::Minor(version.major(), version.minor()), &host);
        Row {
            version: version.to_string(),
            newest: newest.map(|newest| newest.to_string()),
            is_outdated: newest.is_some_and(|newest| newest > *version),
            is_supported: supported(version),
            is_default: default == Some(*version),
        }
    };
    let rows: Vec<_> = installed.iter().map(row).collect();
    if args.json {
        return print_json(&rows);
    }
    let told: Vec<_> = rows.iter().filter(|row| row.is_outdated || !row.is_supported).collect();
    if told.is_empty() {
        gvm.ui.say(match rows.len() {
            0 => "no version of Go is installed; to install the newest: gvm install stable",
            _ => "everything that is installed is the newest of its kind, and gets fixes",
        });
        return Ok(());
    }
    let mut table = vec![["VERSION", "NEWEST", "STATUS", ""].map(String::from).to_vec()];
    table.extend(told.iter().map(|row| {
        let status = match (row.is_outdated, row.is_supported) {
            (true, true) => "newer patch",
            (true, false) => "newer patch, end of life",
            (false, _) => "end of life",
        };
        let default = if row.is_default { "default" } else { "" };
        let newest = row.newest.clone().unwrap_or_else(|| "unknown".into());
        vec![row.version.clone(), newest, status.into(), default.into()]
    }));
    print(&ui::table(&table))?;
    if told.iter().any(|row| row.is_outdated) {
        gvm.ui.say("to install what is newer: gvm upgrade --all");
    }
    if let Some(row) = told.iter().find(|row| !row.is_supported) {
        let warning = style::WARNING;
        gvm.ui.say(format_args!(
            "{warning}Go {} gets no fixes any more{warning:#}; to install what does: gvm install stable",
            row.version
        ));
    }
    Ok(())
}
