use super::{Gvm, print, print_json};
use crate::error::Result;
use crate::path::display;
use crate::pin::Origin;
use crate::resolve::Outcome;
use crate::store::{LogRecord, Parts, Receipt, Toolchain};
use crate::ui::{self, counted, shown, style};
use crate::version::Version;
use serde::Serialize;

/// List the installed versions
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gvm list
  gvm list --verbose           all that is known of each
  gvm list --json | jq -r '.[].version'

Fields of --json: version, os, arch, goroot, is_current, is_default, evidence
(checksum-database, published-sha256, none), record (database, number, tree_size),
h1, source, url, parts (files, bytes, neighbour: what was fetched, and whose files
the others were), installed_at, files, bytes. What a receipt does not tell is null.")]
pub struct Args {
    /// All that is known of each: proof, origin, times, GOROOT
    #[arg(long, short)]
    verbose: bool,

    /// For scripts
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    version: String,
    os: String,
    arch: String,
    goroot: String,
    is_current: bool,
    is_default: bool,
    evidence: Option<crate::store::Evidence>,
    record: Option<LogRecord>,
    h1: Option<String>,
    source: Option<String>,
    url: Option<String>,
    parts: Option<Parts>,
    installed_at: Option<String>,
    files: Option<u64>,
    bytes: Option<u64>,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    let toolchains = gvm.store.toolchains()?;
    let receipts: Vec<_> = toolchains.iter().map(|toolchain| receipt_of(gvm, toolchain)).collect();
    // A pin that cannot be used is not what was asked for here.
    let resolution = gvm.resolve().ok();
    if let Some(resolution) = resolution.as_ref().filter(|_| !toolchains.is_empty()) {
        gvm.saw(&resolution.pin.origin);
    }
    let current = resolution.as_ref().and_then(|resolution| match resolution.outcome {
        Outcome::Toolchain { version, .. } => Some(version),
        _ => None,
    });
    let default = gvm.store.default_pin().unwrap_or_else(|error| {
        gvm.ui.warn(error);
        None
    });
    let default = match default {
        Some(pin) => gvm.store.choose(pin.request, &crate::platform::Platform::host())?,
        None => None,
    };
    let default = default.map(|toolchain| toolchain.version);
    let is = |toolchain: &Toolchain, version: Option<Version>| {
        toolchain.platform.is_host() && version == Some(toolchain.version)
    };

    if args.json {
        let rows = toolchains.iter().zip(&receipts).map(|(toolchain, receipt)| {
            let told = |of: fn(&Receipt) -> String| receipt.as_ref().map(of);
            Row {
                version: toolchain.version.to_string(),
                os: toolchain.platform.os.clone(),
                arch: toolchain.platform.arch.clone(),
                goroot: toolchain.goroot.to_string_lossy().into_owned(),
                is_current: is(toolchain, current),
                is_default: is(toolchain, default),
                evidence: receipt.as_ref().map(|receipt| receipt.evidence),
                record: receipt.as_ref().and_then(|receipt| receipt.record.clone()),
                h1: told(|receipt| receipt.h1.clone()),
                source: told(|receipt| receipt.origin.source.clone()),
                url: told(|receipt| receipt.origin.url.clone()),
                parts: receipt.as_ref().and_then(|receipt| receipt.origin.parts.clone()),
                installed_at: told(|receipt| receipt.installed_at.clone()),
                files: receipt.as_ref().map(|receipt| receipt.files),
                bytes: receipt.as_ref().map(|receipt| receipt.bytes),
            }
        });
        return print_json(&rows.collect::<Vec<_>>());
    }

    if toolchains.is_empty() {
        gvm.ui.say("no version of Go is installed; to install the newest: gvm install stable");
        return Ok(());
    }
    let in_use = |toolchain: &Toolchain| {
        let mut in_use = Vec::new();
        if is(toolchain, current) {
            in_use.push(match resolution.as_ref().map(|resolution| &resolution.pin.origin) {
                Some(Origin::Default { .. }) | None => "here".to_string(),
                Some(origin) => format!("here ({origin})"),
            });
        }
        if is(toolchain, default) {
            in_use.push("default".into());
        }
        in_use.join(", ")
    };
    if args.verbose {
        let blocks = toolchains
            .iter()
            .zip(&receipts)
            .map(|(toolchain, receipt)| block(toolchain, receipt.as_ref(), &in_use(toolchain)));
        return print(&blocks.collect::<Vec<_>>().join("\n"));
    }
    let head = ["VERSION", "PLATFORM", "EVIDENCE", "SIZE", "IN USE"].map(String::from).to_vec();
    let rows = toolchains.iter().zip(&receipts).map(|(toolchain, receipt)| {
        let told =
            |of: &dyn Fn(&Receipt) -> String| receipt.as_ref().map_or_else(|| "unknown".into(), of);
        vec![
            toolchain.version.to_string(),
            toolchain.platform.to_string(),
            told(&|receipt| receipt.evidence.label().into()),
            told(&|receipt| ui::bytes(receipt.bytes)),
            in_use(toolchain),
        ]
    });
    print(&ui::table(&std::iter::once(head).chain(rows).collect::<Vec<_>>()))
}

/// What is known of a toolchain; a receipt that is damaged is named.
fn receipt_of(gvm: &Gvm, toolchain: &Toolchain) -> Option<Receipt> {
    toolchain.receipt().unwrap_or_else(|error| {
        let (version, of) = (toolchain.version, crate::install::arch_option(&toolchain.platform));
        gvm.ui.warn(format_args!("{error}\n  to repair it: gvm verify {version}{of} --repair"));
        None
    })
}

/// All that is known of a toolchain, a line each.
fn block(toolchain: &Toolchain, receipt: Option<&Receipt>, in_use: &str) -> String {
    let Toolchain { version, platform, .. } = toolchain;
    let style = style::STRONG;
    let mut text =
        format!("{style}{version}{style:#}  {platform}  {in_use}").trim_end().to_string();
    text.push('\n');
    let mut line = |name: &str, value: &str| {
        text.push_str(&format!("  {name:<9}  {}\n", display(value.as_bytes())));
    };
    if let Some(receipt) = receipt {
        let label = receipt.evidence.label();
        line(
            "evidence",
            &match &receipt.record {
                Some(LogRecord { database, number, .. }) => {
                    format!("{label}: record {number} of {database}")
                }
                None => label.into(),
            },
        );
        line("size", &format!("{} in {} files", ui::bytes(receipt.bytes), receipt.files));
        line("from", &receipt.origin.url);
        if let Some(Parts { files, bytes, neighbour }) = &receipt.origin.parts {
            let (bytes, files) = (ui::bytes(*bytes), counted(*files as usize, "file"));
            let neighbour = neighbour.strip_prefix("go").unwrap_or(neighbour);
            line("fetched", &format!("{bytes} in {files}; the rest as in Go {neighbour}"));
        }
        line("installed", &receipt.installed_at);
        if let Some(repaired_at) = &receipt.repaired_at {
            line("repaired", repaired_at);
        }
    } else {
        line("evidence", "unknown: it has no receipt that can be read");
    }
    line("GOROOT", &shown(&toolchain.goroot));
    text
}
