mod go;
mod test;
mod use_;

use super::{Gvm, print, print_json};
use crate::error::Result;
use crate::path::display;
use crate::source::mirrors::{self, Layout, Place};
use crate::source::{self, has_official_index};
use crate::store::Evidence;
use crate::ui::{self, style};
use serde::Serialize;

/// List, measure and choose the places that Go comes from
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gvm mirror list
  gvm mirror test                    all of them, from here
  gvm mirror use aliyun              asked first; what was asked before stays behind it
  gvm mirror use aliyun --go         the go command's GOPROXY and GOSUMDB as well
  gvm mirror use flat+https://mirror.example/golang
  gvm mirror use official            undoes both

Whichever serves a toolchain, it is proved by Go's checksum database.")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    #[command(alias = "ls")]
    List(ListArgs),
    Test(test::Args),
    Use(use_::Args),
}

/// List the known and the configured places
#[derive(Debug, clap::Args)]
#[command(after_help = "\
EVIDENCE is what a toolchain from there will have: log, a proof by the checksum
database, whoever served it; sha256, where that cannot be asked, a digest of the
Go team's own index. Without either a toolchain is refused. A mirror's own
.sha256 shows only that a transfer was whole. IN USE is the order in which they
are asked.

Fields of --json: name, layout (go.dev, flat, proxy, sumdb), url, json, sha256
(whether there is one beside each archive), https, run_by (null where nobody
knows), evidence (a list, strongest first: checksum-database, published-sha256),
goproxy, gosumdb (what goes with it for the go command, or null), position (null
when it is not asked), in_use.")]
struct ListArgs {
    /// For scripts
    #[arg(long)]
    json: bool,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    match args.command {
        Command::List(args) => list(gvm, &args),
        Command::Test(args) => test::run(gvm, args),
        Command::Use(args) => use_::run(gvm, args),
    }
}

/// A place, and whether it counts here.
struct Row {
    place: Place,
    /// Of the sources, counted from 1.
    position: Option<usize>,
    in_use: bool,
}

/// The table of known places, and behind it what else is configured.
fn rows(gvm: &Gvm) -> Result<Vec<Row>> {
    let row = |place: &Place| Row { place: place.clone(), position: None, in_use: false };
    let mut rows: Vec<Row> = mirrors::known().iter().map(row).collect();
    let mut mark = |place: Place, position: Option<usize>| {
        let is_same =
            |row: &&mut Row| row.place.layout == place.layout && row.place.url == place.url;
        let marked = match rows.iter_mut().find(is_same) {
            Some(marked) => marked,
            None => {
                rows.push(row(&place));
                let last = rows.len() - 1;
                &mut rows[last]
            }
        };
        marked.in_use = true;
        marked.position = marked.position.or(position);
    };
    let mut position = 0;
    for source in mirrors::configured(&gvm.config()?)? {
        let places = match source {
            mirrors::Source::Place(place) => vec![place],
            mirrors::Source::GoProxy => source::goproxy_places(&gvm.store)?,
        };
        for place in places {
            position += 1;
            mark(place, Some(position));
        }
    }
    if let Some(database) = source::gosumdb_place(&gvm.store)? {
        mark(database, None);
    }
    Ok(rows)
}

/// What a toolchain from there will have, strongest first.
fn evidence(place: &Place, has_log: bool, has_index: bool) -> Vec<Evidence> {
    // go.dev and golang.google.cn are the Go team's, by their certificates.
    let is_official = place.layout == Layout::GoDev && place.run_by.is_some();
    let has_digest = is_official || place.layout == Layout::Flat && has_index;
    let log = has_log.then_some(Evidence::ChecksumDatabase);
    let digest = has_digest.then_some(Evidence::PublishedSha256);
    log.into_iter().chain(digest).collect()
}

#[derive(Serialize)]
struct RowJson<'a> {
    name: &'a str,
    layout: &'static str,
    /// Without a password.
    url: String,
    json: bool,
    sha256: bool,
    https: bool,
    run_by: Option<&'static str>,
    evidence: Vec<Evidence>,
    goproxy: Option<String>,
    gosumdb: Option<&'static str>,
    position: Option<usize>,
    in_use: bool,
}

fn list(gvm: &Gvm, args: &ListArgs) -> Result<()> {
    let rows = rows(gvm)?;
    let has_log = source::gosumdb_place(&gvm.store)?.is_some();
    let has_index = has_official_index(&gvm.store);
    let is_log = |place: &Place| place.layout == Layout::Checksums;
    if args.json {
        let rows = rows.iter().map(|Row { place, position, in_use }| RowJson {
            name: &place.name,
            layout: place.layout.label(),
            url: source::http::shown(&place.url),
            json: place.layout == Layout::GoDev,
            sha256: place.has_digests,
            https: place.url.starts_with("https:"),
            run_by: place.run_by,
            evidence: if is_log(place) { Vec::new() } else { evidence(place, has_log, has_index) },
            goproxy: place.goproxy.as_deref().map(source::goproxy_shown),
            gosumdb: place.gosumdb,
            position: *position,
            in_use: *in_use,
        });
        return print_json(&rows.collect::<Vec<_>>());
    }
    let head = ["NAME", "LAYOUT", "SERVES", "RUN BY", "EVIDENCE", "IN USE"];
    let mut table = vec![head.map(String::from).to_vec()];
    for Row { place, position, in_use } in &rows {
        let labels = evidence(place, has_log, has_index);
        let labels: Vec<_> = labels
            .into_iter()
            .map(|evidence| match evidence {
                Evidence::ChecksumDatabase => "log",
                _ => "sha256",
            })
            .collect();
        table.push(vec![
            named(place).1,
            place.layout.label().into(),
            serves(place),
            place.run_by.unwrap_or("?").into(),
            match labels.as_slice() {
                _ if is_log(place) => "the log".into(),
                [] => "nothing".into(),
                labels => labels.join(", "),
            },
            match position {
                Some(position) => position.to_string(),
                None if *in_use => "yes".into(),
                None => String::new(),
            },
        ]);
    }
    let good = style::GOOD;
    let text = ui::table(&table);
    let painted =
        text.lines().enumerate().map(|(at, line)| match at.checked_sub(1).map(|at| &rows[at]) {
            None => format!("{line}\n"),
            Some(Row { place, in_use, .. }) => {
                let above = named(place).0;
                if *in_use {
                    format!("{good}{above}{line}{good:#}\n")
                } else {
                    format!("{above}{line}\n")
                }
            }
        });
    print(&painted.collect::<String>())
}

/// What it serves, and how.
fn serves(place: &Place) -> String {
    let what = match place.layout {
        Layout::GoDev => "JSON, ",
        Layout::Flat if place.has_digests => ".sha256, ",
        Layout::Flat => "",
        Layout::Proxy => "modules, ",
        Layout::Checksums => "records, ",
    };
    let how = place.url.split_once(':').map_or("", |(scheme, _)| scheme).to_uppercase();
    format!("{what}{how}")
}

/// The longest name of the table of known places; longer ones have a line of their
/// own, so that the columns fit into 80.
const NAME_WIDTH: usize = 20;

/// The name in a table, where the layout has a column of its own: what stands in a
/// line before the row, and what stands in it.
fn named(place: &Place) -> (String, String) {
    let name = match place.run_by {
        Some(_) => place.name.clone(),
        None => {
            let url = source::http::shown(&place.url);
            url.split_once("://").map_or(url.as_str(), |(_, rest)| rest).to_string()
        }
    };
    let name = display(name.as_bytes()).to_string();
    if name.len() > NAME_WIDTH {
        (format!("{name}\n"), String::new())
    } else {
        (String::new(), name)
    }
}
