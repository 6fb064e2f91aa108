use super::{Gvm, OriginJson, lossy, not_installed, print, print_json};
use crate::error::Result;
use crate::files;
use crate::goenv;
use crate::path::display;
use crate::platform::Platform;
use crate::resolve::{Outcome, Resolution};
use serde::Serialize;

/// Show the version that counts here, its GOROOT, and who said so
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gvm current
  gvm current --json | jq -r .goroot

Fields of --json: version (null when the system's go does not tell it), goroot,
kind (toolchain, system, missing), request, origin {kind: variable, file, default,
nobody; name, file, line}, floor {version, origin} or null. Exit code 3 when the
version is not installed.")]
pub struct Args {
    /// For scripts
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Current {
    kind: &'static str,
    version: Option<String>,
    goroot: Option<String>,
    request: String,
    origin: OriginJson,
    floor: Option<FloorJson>,
}

#[derive(Serialize)]
struct FloorJson {
    version: String,
    origin: OriginJson,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    let resolution = gvm.resolve()?;
    let current = describe(&resolution);
    let is_missing = matches!(resolution.outcome, Outcome::Missing | Outcome::System { go: None });
    if args.json {
        print_json(&current)?;
    }
    if is_missing {
        return Err(not_installed(&resolution.pin, &Platform::host()));
    }
    if args.json {
        return Ok(());
    }
    let version = current.version.as_deref().unwrap_or("unknown version");
    let system = if current.kind == "system" { " (system)" } else { "" };
    let mut text = format!("{version}{system}\n");
    let mut line = |name: &str, value: &str| text.push_str(&format!("  {name:<7} {value}\n"));
    let goroot = current.goroot.as_deref().unwrap_or("unknown");
    line("GOROOT", &display(goroot.as_bytes()).to_string());
    line("set by", &format!("{} ({})", resolution.pin.origin, current.request));
    if let Some(floor) = &resolution.floor
        && floor.origin != resolution.pin.origin
    {
        line("at least", &format!("{} ({})", floor.version, floor.origin));
    }
    print(&text)
}

fn describe(resolution: &Resolution) -> Current {
    let (kind, version, goroot) = match &resolution.outcome {
        Outcome::Toolchain { version, goroot } => {
            ("toolchain", Some(version.to_string()), Some(lossy(goroot)))
        }
        Outcome::System { go: Some(go) } => {
            let goroot = goenv::goroot_of(go);
            let version = goroot.as_ref().and_then(|goroot| {
                let text = files::read_text(&goroot.join("VERSION"), 4096).ok()??;
                let name = text.split_whitespace().next()?;
                Some(name.strip_prefix("go").unwrap_or(name).to_string())
            });
            let goroot = goroot.map_or_else(|| lossy(go), |goroot| goroot.display().to_string());
            ("system", version, Some(goroot))
        }
        Outcome::System { go: None } | Outcome::Missing => ("missing", None, None),
    };
    // What a floor was answered with, it does not ask for exactly.
    let is_floor = resolution.floor.as_ref().is_some_and(|f| f.origin == resolution.pin.origin);
    let request = resolution.pin.request;
    let request = if is_floor { format!("{request} or newer") } else { request.to_string() };
    Current {
        kind,
        version,
        goroot,
        request,
        origin: (&resolution.pin.origin).into(),
        floor: resolution.floor.as_ref().map(|floor| FloorJson {
            version: floor.version.to_string(),
            origin: (&floor.origin).into(),
        }),
    }
}
