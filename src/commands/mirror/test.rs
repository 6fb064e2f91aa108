use super::{Row, named, rows};
use crate::commands::{Gvm, complete, print, print_json};
use crate::error::{Code, Error, Result};
use crate::platform::Platform;
use crate::source::measure::{self, Digest, Measured};
use crate::source::mirrors::{self, Layout, Place};
use crate::ui::{self, style};
use crate::version::Request;
use clap_complete::ArgValueCompleter;
use serde::Serialize;

/// Measure places from here, and say which is best
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gvm mirror test
  gvm mirror test official aliyun ustc
  gvm mirror test flat+https://mirror.example/golang

LATENCY is the median of three small requests, RATE that of at most 4 MB of the
newest archive, NEWEST the newest release for this platform, DIGEST whether a
known file (or record) is the one that was published.

Fields of --json: name, layout, url, latency_ms, rate (bytes in a second), bytes
(how many came), newest, digest (right, wrong, absent), problem, best. What could
not be measured is null. Exit code 6 when none answers.")]
pub struct Args {
    /// A mirror's name, or layout and URL: flat+URL, dl+URL, proxy+URL, sumdb+URL; without one, all
    #[arg(value_name = "NAME|URL", add = ArgValueCompleter::new(complete::mirrors))]
    places: Vec<String>,

    /// For scripts
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct RowJson<'a> {
    name: &'a str,
    layout: &'static str,
    url: String,
    latency_ms: Option<f64>,
    rate: Option<u64>,
    bytes: u64,
    newest: Option<String>,
    digest: &'static str,
    problem: Option<&'a str>,
    best: bool,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    gvm.online()?;
    let places: Vec<Place> = match args.places.as_slice() {
        [] => rows(gvm)?.into_iter().map(|Row { place, .. }| place).collect(),
        named => named.iter().map(|named| place(gvm, named)).collect::<Result<_>>()?,
    };
    let count = places.len();
    gvm.ui.say(format_args!(
        "asking {count} place{}, each for {} of an archive at the most",
        if count == 1 { "" } else { "s" },
        ui::bytes(measure::SAMPLE)
    ));
    let platform = Platform::host();
    let listed = gvm.sources()?.kept_catalog().choose(Request::Latest, &platform);
    let mut finished = 0;
    let measured = measure::all(&places, &gvm.store, listed, |number, measured| {
        finished += 1;
        let name = &places[number].name;
        let how = match measured.latency {
            Some(latency) => format!("answers in {}", ui::milliseconds(latency)),
            None => "does not answer".into(),
        };
        gvm.ui.say(format_args!("{finished} of {count}: {name} {how}"));
    });
    let best = best(&places, &measured);

    if args.json {
        let rows =
            places.iter().zip(&measured).enumerate().map(|(at, (place, measured))| RowJson {
                name: &place.name,
                layout: place.layout.label(),
                url: crate::source::http::shown(&place.url),
                latency_ms: measured.latency.map(|latency| latency.as_secs_f64() * 1000.0),
                rate: measured.rate,
                bytes: measured.received,
                newest: measured.newest.map(|newest| newest.to_string()),
                digest: match measured.digest {
                    Digest::Right => "right",
                    Digest::Wrong => "wrong",
                    Digest::Absent => "absent",
                },
                problem: measured.problem.as_deref(),
                best: best == Some(at),
            });
        print_json(&rows.collect::<Vec<_>>())?;
    } else {
        print(&table(&places, &measured, best))?;
    }
    if measured.iter().all(|measured| measured.latency.is_none()) {
        let what = if count == 1 { "it does not answer" } else { "none of them answers" };
        return Err(Error::new(Code::Network, format!("{what} from here")).hint(
            "behind a proxy, HTTPS_PROXY has to name it; a place of your own: gvm mirror test flat+URL",
        ));
    }
    match best {
        Some(best) => gvm.ui.say(format_args!(
            "best from here is {0}; to have it asked first: gvm mirror use {0}",
            places[best].name
        )),
        None if places.iter().all(|place| place.layout == Layout::Checksums) => {}
        None => gvm.ui.say("none of them has what it takes: an archive that is whole and right"),
    }
    Ok(())
}

/// What was typed; a bare URL is looked at.
fn place(gvm: &Gvm, named: &str) -> Result<Place> {
    let wrong = |why| Error::new(Code::Usage, why).hint(mirrors::accepted());
    if is_bare_url(named) {
        return mirrors::at(measure::layout_of(named, &gvm.store)?, named).map_err(wrong);
    }
    mirrors::place(named).map_err(wrong)
}

/// Whether a URL stands there without its layout.
pub(super) fn is_bare_url(named: &str) -> bool {
    ["https://", "http://", "file://"].iter().any(|scheme| named.starts_with(scheme))
}

/// The fastest of those that have the newest release.
fn best(places: &[Place], measured: &[Measured]) -> Option<usize> {
    let usable = |at: &usize| places[*at].layout != Layout::Checksums && measured[*at].is_usable();
    let newest = (0..places.len()).filter(usable).filter_map(|at| measured[at].newest).max()?;
    let newest = (0..places.len()).filter(usable).filter(|at| measured[*at].newest == Some(newest));
    newest.max_by_key(|at| measured[*at].rate)
}

fn table(places: &[Place], measured: &[Measured], best: Option<usize>) -> String {
    let head = ["NAME", "LAYOUT", "LATENCY", "RATE", "NEWEST", "DIGEST", "NOTE"];
    let mut table = vec![head.map(String::from).to_vec()];
    for (place, measured) in places.iter().zip(measured) {
        let mut row = vec![named(place).1, place.layout.label().into()];
        if let Some(latency) = measured.latency {
            let told = |value: Option<String>| value.unwrap_or_else(|| "-".into());
            row.extend([
                ui::milliseconds(latency),
                told(measured.rate.map(|rate| format!("{}/s", ui::bytes(rate)))),
                told(measured.newest.map(|newest| newest.to_string())),
                match measured.digest {
                    Digest::Right => "right".into(),
                    Digest::Wrong => "WRONG".into(),
                    Digest::Absent => "-".into(),
                },
                measured.problem.clone().unwrap_or_default(),
            ]);
        }
        table.push(row);
    }
    let (good, bad, dim) = (style::GOOD, style::ERROR, style::DIM);
    let text = ui::table(&table);
    let column = |head| text.find(head).unwrap_or_default();
    let until = column("LATENCY").saturating_sub(column("NAME"));
    let painted = text.lines().enumerate().map(|(at, line)| {
        let Some(at) = at.checked_sub(1) else { return format!("{line}\n") };
        let above = named(&places[at]).0;
        match &measured[at] {
            _ if best == Some(at) => format!("{good}{above}{line}{good:#}\n"),
            Measured { digest: Digest::Wrong, .. } => format!("{bad}{above}{line}{bad:#}\n"),
            // Why nobody answers takes the room of what was not measured.
            Measured { latency: None, problem: Some(why), .. } => {
                format!("{dim}{above}{line:until$}{why}{dim:#}\n")
            }
            _ => format!("{above}{line}\n"),
        }
    });
    painted.collect()
}
