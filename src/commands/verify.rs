use super::install::platform_for;
use super::{Gvm, complete, parse_request, print, print_json};
use crate::error::{Code, Error, Result};
use crate::install;
use crate::path::display;
use crate::platform::Platform;
use crate::resolve::Outcome;
use crate::source::Sources;
use crate::store::{Evidence, LogRecord, Toolchain};
use crate::ui::counted;
use crate::ui::{self, style};
use crate::verify::{self, Report, Verdict};
use crate::version::Request;
use clap_complete::ArgValueCompleter;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Hash installed versions again and name every file that is not as published
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gvm verify                   the version that counts here
  gvm verify --all
  gvm verify 1.26 --repair     fetch what differs, and only that
  gvm verify --all --json | jq -r '.[] | select(.result != \"whole\") | .version'

A tree is held against Go's checksum database, offline too once it was asked,
else against what was installed. What could not be proved when it was installed
is proved now, without downloading again. --repair moves files that are not
Go's out of GOROOT, into the directory extra beside it.

Fields of --json: version, os, arch, result (whole, official-but-for-go.env,
differs, unknown), evidence, record, h1, expected, files, changed {path: why},
missing, extra, notes, repaired. Exit code 5 when something is not whole.")]
pub struct Args {
    /// Installed versions; without one, the version that counts here
    #[arg(value_name = "VERSION", value_parser = parse_request, conflicts_with = "all",
          add = ArgValueCompleter::new(complete::installed))]
    versions: Vec<Request>,

    /// All installed versions
    #[arg(long)]
    all: bool,

    /// Put right what differs
    #[arg(long)]
    repair: bool,

    /// Another architecture than this machine's, by Go's name
    #[arg(long, value_name = "ARCH", conflicts_with = "all")]
    arch: Option<String>,

    /// For scripts
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row<'a> {
    version: String,
    os: &'a str,
    arch: &'a str,
    result: &'static str,
    evidence: Option<Evidence>,
    record: &'a Option<LogRecord>,
    h1: &'a str,
    expected: &'a Option<String>,
    files: u64,
    changed: &'a BTreeMap<String, String>,
    missing: &'a BTreeSet<String>,
    extra: &'a BTreeSet<String>,
    notes: &'a [String],
    repaired: bool,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    let toolchains = chosen(gvm, &args)?;
    if toolchains.is_empty() {
        gvm.ui.say("no version of Go is installed; to install the newest: gvm install stable");
    }
    let sources = gvm.sources()?;
    let mut reports = Vec::new();
    let mut failed = None;
    for toolchain in toolchains {
        let (version, platform) = (toolchain.version, toolchain.platform.clone());
        let _lock = gvm.store.lock(version, &platform, "verifying", &gvm.ui)?;
        // Another process may have removed it while we waited.
        let Some(toolchain) = gvm.store.find(version, &platform) else { continue };
        let mut report = verify::verify(&gvm.store, &sources, &gvm.ui, toolchain)?;
        if args.repair && !report.is_good() {
            match repair(gvm, &sources, &report) {
                Ok(()) => report.repaired = true,
                // The others may do better, and their reports count.
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        reports.push(report);
    }
    if args.json {
        print_json(&reports.iter().map(row).collect::<Vec<_>>())?;
    } else if !reports.is_empty() {
        show(&reports)?;
    }
    failed.map_or_else(|| conclude(&reports), Err)
}

fn repair(gvm: &Gvm, sources: &Sources, report: &Report) -> Result<()> {
    let done = verify::repair(&gvm.store, sources, &gvm.ui, report)?;
    let Toolchain { version, directory, .. } = &report.toolchain;
    let (files, fetched) = (counted(done.files as usize, "file"), ui::bytes(done.fetched));
    gvm.ui.say(format_args!("repaired Go {version}: {files} put back, {fetched} fetched"));
    if !report.extra.is_empty() {
        gvm.ui.say(format_args!(
            "moved {} that {} not Go's to {}",
            counted(report.extra.len(), "file"),
            if report.extra.len() == 1 { "is" } else { "are" },
            ui::shown(&directory.join("extra"))
        ));
    }
    Ok(())
}

fn chosen(gvm: &Gvm, args: &Args) -> Result<Vec<Toolchain>> {
    if args.all {
        return gvm.store.toolchains();
    }
    let platform = platform_for(args.arch.as_deref())?;
    if !args.versions.is_empty() {
        return args.versions.iter().map(|&request| gvm.installed(request, &platform)).collect();
    }
    let resolution = gvm.resolve()?;
    let found = match resolution.outcome {
        Outcome::Toolchain { version, .. } => gvm.store.find(version, &Platform::host()),
        Outcome::Missing => return Err(super::not_installed(&resolution.pin, &platform)),
        Outcome::System { .. } => None,
    };
    found.map(|toolchain| vec![toolchain]).ok_or_else(|| {
        Error::new(Code::Usage, "no version of gvm's is in use here")
            .hint("to verify all that are installed: gvm verify --all")
    })
}

fn label(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Whole => "whole",
        Verdict::ButForGoEnv => "official-but-for-go.env",
        Verdict::Differs => "differs",
        Verdict::Unknown => "unknown",
    }
}

fn row(report: &Report) -> Row<'_> {
    Row {
        version: report.toolchain.version.to_string(),
        os: &report.toolchain.platform.os,
        arch: &report.toolchain.platform.arch,
        result: label(report.verdict),
        evidence: report.evidence,
        record: &report.record,
        h1: &report.h1,
        expected: &report.expected,
        files: report.files,
        changed: &report.changed,
        missing: &report.missing,
        extra: &report.extra,
        notes: &report.notes,
        repaired: report.repaired,
    }
}

/// The table, and below it what is wrong with each.
fn show(reports: &[Report]) -> Result<()> {
    let head = ["VERSION", "PLATFORM", "FILES", "EVIDENCE", "RESULT"].map(String::from).to_vec();
    let rows = reports.iter().map(|report| {
        vec![
            report.toolchain.version.to_string(),
            report.toolchain.platform.to_string(),
            report.files.to_string(),
            report.evidence.map_or("unknown", Evidence::label).to_string(),
            sentence(report),
        ]
    });
    let mut text = ui::table(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    for report in reports {
        let Report { changed, missing, extra, notes, .. } = report;
        if changed.is_empty() && missing.is_empty() && extra.is_empty() && notes.is_empty() {
            continue;
        }
        let style = style::STRONG;
        let Toolchain { version, platform, .. } = &report.toolchain;
        text.push_str(&format!("\n{style}Go {version} for {platform}{style:#}\n"));
        let mut line = |what: &str, rest: &str| {
            text.push_str(&format!("  {what:<8} {}\n", display(rest.as_bytes())));
        };
        changed.iter().for_each(|(path, why)| line("changed", &format!("{path} ({why})")));
        missing.iter().for_each(|path| line("missing", path));
        extra.iter().for_each(|path| line("extra", path));
        notes.iter().for_each(|note| line("note", note));
    }
    print(&text)
}

fn sentence(report: &Report) -> String {
    let Report { changed, missing, extra, .. } = report;
    let all = changed.len() + missing.len() + extra.len();
    let style = if report.is_good() || report.repaired { style::GOOD } else { style::ERROR };
    let text = match report.verdict {
        _ if report.repaired => "repaired".to_string(),
        Verdict::Whole if report.is_good() => "whole".into(),
        Verdict::Whole => "whole, but what is known of it is damaged".into(),
        Verdict::ButForGoEnv => "official but for go.env, which somebody edited".into(),
        Verdict::Differs if all == 0 => "it differs, in which files is not known".into(),
        Verdict::Differs => format!("{} not as published", counted(all, "file")),
        Verdict::Unknown => "nothing tells what it has to be".into(),
    };
    format!("{style}{text}{style:#}")
}

/// The error when something is not as it should be.
fn conclude(reports: &[Report]) -> Result<()> {
    let bad: Vec<_> =
        reports.iter().filter(|report| !report.is_good() && !report.repaired).collect();
    let Some(first) = bad.first() else { return Ok(()) };
    let message = match (bad.len(), reports.len()) {
        (1, 1) => format!("Go {} is not as it was published", first.toolchain.version),
        (bad, all) => format!("{bad} of {all} toolchains are not as they were published"),
    };
    let error = Error::new(Code::Refused, message);
    Err(bad.iter().fold(error, |error, report| {
        let Toolchain { version, platform, .. } = &report.toolchain;
        let arch = install::arch_option(platform);
        error.hint(match report.verdict {
            Verdict::Unknown => format!("to install it anew: gvm install --force {version}{arch}"),
            _ => format!("to repair it: gvm verify {version}{arch} --repair"),
        })
    }))
}
