use super::{Gvm, complete, parse_request};
use crate::error::{Code, Error, Result};
use crate::install::{self, IfPresent, Installed, Terms};
use crate::platform::Platform;
use crate::resolve::Outcome;
use crate::source::Sources;
use crate::trust::sha256::Sha256;
use crate::ui::shown;
use crate::version::Request;
use clap_complete::ArgValueCompleter;
use std::path::PathBuf;

/// Install versions of Go; without one, the version that this directory pins
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gvm install                  what .go-version or go.mod here asks for
  gvm install 1.26 1.25        the newest 1.26.x and 1.25.x
  gvm install 1.27rc1          a pre-release
  gvm install --locked         in CI: exactly what .go-version.sum names
  gvm install --from go1.22.4.linux-amd64.tar.gz --sha256 ba79d45...")]
pub struct Args {
    /// 1.22.4, 1.22 (the newest of it), 1.22rc1, latest, stable, oldstable
    #[arg(value_name = "VERSION", value_parser = parse_request, conflicts_with = "from",
          add = ArgValueCompleter::new(complete::released))]
    versions: Vec<Request>,

    /// Install this .tar.gz or .zip instead of downloading
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,

    /// What the SHA-256 of FILE has to be, in hexadecimal digits
    #[arg(long, value_name = "DIGEST", requires = "from", value_parser = parse_digest)]
    sha256: Option<Sha256>,

    /// Another architecture than this machine's, by Go's name
    #[arg(long, value_name = "ARCH")]
    arch: Option<String>,

    /// Make the first one the default
    #[arg(long)]
    default: bool,

    /// Install anew what is installed already
    #[arg(long)]
    force: bool,

    /// Accept only the trees that .go-version.sum beside the pin names
    #[arg(long)]
    locked: bool,
}

fn parse_digest(text: &str) -> std::result::Result<Sha256, String> {
    Sha256::parse(text).ok_or_else(|| "a SHA-256 has 64 hexadecimal digits".into())
}

/// The platform for `--arch`.
pub(super) fn platform_for(arch: Option<&str>) -> Result<Platform> {
    let host = Platform::host();
    let Some(arch) = arch else { return Ok(host) };
    let name = format!("{}-{arch}", host.os);
    Platform::parse(&name).ok_or_else(|| {
        Error::new(Code::Usage, format!("--arch {arch} is no architecture of Go's"))
            .hint("Go's names are amd64, arm64, 386, arm, riscv64, loong64, ppc64le, s390x")
    })
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    let platform = platform_for(args.arch.as_deref())?;
    if args.default && !platform.is_host() {
        let message = format!("a default for {platform} would not run on {}", Platform::host());
        return Err(Error::new(Code::Usage, message));
    }
    let lock = gvm.lock_in_force()?;
    let terms = Terms {
        platform: &platform,
        if_present: if args.force { IfPresent::Replace } else { IfPresent::Keep },
        lock: lock.as_ref(),
        locked: args.locked,
    };

    if let Some(file) = &args.from {
        let sources = gvm.sources()?;
        let installed =
            install::install_file(&gvm.store, &sources, &gvm.ui, file, args.sha256, terms)?;
        let request = Request::Exact(installed.toolchain.version);
        done(gvm, &installed, request, args.default)?;
        return suggest_default(gvm, &platform, request);
    }

    // clap does not ask for --from where a VERSION excludes it.
    if args.sha256.is_some() {
        return Err(Error::new(Code::Usage, "--sha256 says what the file of --from has to be"));
    }
    let is_pins = args.versions.is_empty();
    let requests = if is_pins { vec![pinned(gvm)?] } else { args.versions };
    if requests.contains(&Request::System) {
        let message = "system is the go that is on PATH already; gvm does not install it";
        return Err(
            Error::new(Code::Usage, message).hint("to install the newest: gvm install stable")
        );
    }
    let sources = gvm.sources()?;
    for (number, &request) in requests.iter().enumerate() {
        let installed = install_one(gvm, &sources, request, is_pins, terms)?;
        done(gvm, &installed, request, args.default && number == 0)?;
    }
    suggest_default(gvm, &platform, requests[0])
}

/// Installs what a request asks for: of the versions that the lock file names, where
/// the request is the pin's, else the newest release.
pub(super) fn install_one(
    gvm: &Gvm,
    sources: &Sources,
    request: Request,
    is_pins: bool,
    terms: Terms,
) -> Result<Installed> {
    let platform = terms.platform;
    let locked = terms.lock.filter(|_| is_pins || terms.locked).map(|lock| {
        let chosen = request.choose(lock.file.versions(platform));
        chosen.ok_or_else(|| {
            let file = shown(&lock.path);
            let message = format!("{file} locks no Go {request} for {platform}");
            Error::new(Code::Refused, message).hint("to lock what is pinned: gvm pin --lock")
        })
    });
    let version = match locked {
        Some(Ok(version)) => version,
        Some(Err(error)) if terms.locked => return Err(error),
        Some(Err(error)) => {
            gvm.ui.warn(error);
            sources.release(request, platform)?
        }
        None => sources.release(request, platform)?,
    };
    install::install(&gvm.store, sources, &gvm.ui, version, terms)
}

/// Somebody who has no default yet may not know that there is one.
pub(super) fn suggest_default(gvm: &Gvm, platform: &Platform, request: Request) -> Result<()> {
    if platform.is_host() && gvm.store.default_pin().is_ok_and(|pin| pin.is_none()) {
        gvm.ui.say(format_args!("to use it where nothing is pinned: gvm default {request}"));
    }
    Ok(())
}

/// What the current directory asks for.
fn pinned(gvm: &Gvm) -> Result<Request> {
    let resolution = gvm.resolve()?;
    let (request, origin) = match (&resolution.floor, &resolution.outcome) {
        (Some(floor), Outcome::System { .. } | Outcome::Missing) => {
            (floor.request(), &floor.origin)
        }
        _ => (resolution.pin.request, &resolution.pin.origin),
    };
    if request == Request::System {
        let message = format!("nothing to install: {origin} asks for no version");
        return Err(Error::new(Code::Usage, message)
            .hint("to install the newest: gvm install stable")
            .hint("to pin a version here: gvm pin 1.26"));
    }
    gvm.saw(origin);
    gvm.ui.say(format_args!("{origin} asks for Go {request}"));
    Ok(request)
}

fn done(gvm: &Gvm, installed: &Installed, request: Request, make_default: bool) -> Result<()> {
    let Installed { toolchain, was_present } = installed;
    if *was_present {
        gvm.store.ensure_shims(&gvm.ui)?;
        gvm.ui.say(format_args!("Go {} is installed already", toolchain.version));
    } else {
        gvm.ui.say(install::summary(toolchain));
    }
    if make_default { gvm.set_default(request) } else { Ok(()) }
}
