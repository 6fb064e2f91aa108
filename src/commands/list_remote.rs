use super::{Gvm, parse_request, print, print_json};
use crate::error::{Code, Error, Result};
use crate::platform::Platform;
use crate::ui::{self, style};
use crate::version::{Request, Version};
use serde::Serialize;
use std::collections::BTreeSet;

/// List the versions that can be installed, oldest first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gvm list-remote              all releases
  gvm list-remote 1.22         the releases of 1.22
  gvm list-remote --supported  what still gets security fixes
  gvm list-remote --all        pre-releases too

Fields of --json: version, stable, supported, installed, pre_release.")]
pub struct Args {
    /// Only what this asks for: 1.22, 1.22.4, latest, stable, oldstable
    #[arg(value_name = "VERSION", value_parser = parse_request)]
    filter: Option<Request>,

    /// Pre-releases too
    #[arg(long, short)]
    all: bool,

    /// Only the two newest majors, which still get fixes
    #[arg(long)]
    supported: bool,

    /// Only what is not installed
    #[arg(long)]
    not_installed: bool,

    /// For scripts
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    version: String,
    /// Whether it is the newest release of the newest or second newest major.
    stable: bool,
    supported: bool,
    installed: bool,
    pre_release: bool,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    let platform = Platform::host();
    let sources = gvm.sources()?;
    let catalog = sources.catalog()?.catalog;
    let installed: BTreeSet<Version> = gvm.store.versions_here()?.into_iter().collect();
    let supported = catalog.supported();
    let newest: BTreeSet<Version> = [Request::Stable, Request::OldStable]
        .into_iter()
        .filter_map(|request| catalog.choose(request, &platform))
        .collect();
    let wanted = |version: &Version| match args.filter {
        None => true,
        Some(request @ (Request::Latest | Request::Stable | Request::OldStable)) => {
            catalog.choose(request, &platform) == Some(*version)
        }
        Some(request) => request.choose(std::iter::once(*version)).is_some(),
    };
    let names_pre_release =
        args.filter.and_then(|request| request.exact()).is_some_and(|v| !v.is_release());
    let shown = catalog
        .versions(&platform)
        .filter(wanted)
        .filter(|version| args.all || names_pre_release || version.is_release())
        .filter(|version| !args.supported || supported(version))
        .filter(|version| !args.not_installed || !installed.contains(version));
    let rows: Vec<Row> = shown
        .map(|version| Row {
            version: version.to_string(),
            stable: newest.contains(&version),
            supported: supported(&version),
            installed: installed.contains(&version),
            pre_release: !version.is_release(),
        })
        .collect();

    if args.json {
        return print_json(&rows);
    }
    if rows.is_empty() {
        let what = args.filter.map_or_else(String::new, |request| format!(" {request}"));
        let message = format!("there is no release of Go{what} for {platform} in the list");
        return Err(Error::new(Code::NoSuchRelease, message)
            .hint("a proxy's list may be incomplete; an exact version is asked for all the same: gvm install 1.22.4"));
    }
    let (good, dim) = (style::GOOD, style::DIM);
    let mut table = vec![["VERSION", "STATUS", "INSTALLED"].map(String::from).to_vec()];
    table.extend(rows.iter().map(|row| {
        let status = match row {
            Row { pre_release: true, .. } => "pre-release",
            Row { stable: true, .. } => "newest patch",
            Row { supported: true, .. } => "supported",
            _ => "end of life",
        };
        vec![
            row.version.clone(),
            status.into(),
            if row.installed { "yes".into() } else { String::new() },
        ]
    }));
    let text = ui::table(&table);
    let painted =
        text.lines().enumerate().map(|(at, line)| match at.checked_sub(1).map(|at| &rows[at]) {
            Some(row) if row.installed => format!("{good}{line}{good:#}\n"),
            Some(row) if !row.supported => format!("{dim}{line}{dim:#}\n"),
            _ => format!("{line}\n"),
        });
    print(&painted.collect::<String>())
}
