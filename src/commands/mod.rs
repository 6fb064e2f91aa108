//! One file per command; each reads like the sentence in its help.

pub mod completions;
pub mod current;
pub mod default;
pub mod doctor;
pub mod du;
pub mod env;
pub mod exec;
pub mod hook;
pub mod import;
pub mod install;
pub mod list;
pub mod list_remote;
pub mod man;
pub mod mirror;
pub mod outdated;
pub mod pin;
pub mod prune;
pub mod root;
pub mod setup;
pub mod teardown;
pub mod uninstall;
pub mod upgrade;
pub mod use_;
pub mod verify;
pub mod which;

use crate::activation::ACTIVE_VARIABLE;
use crate::cli::{Cli, Command};
use crate::config::{Config, Offline};
use crate::error::{Code, Error, Result};
use crate::host::{Host, os};
use crate::layout;
use crate::pin::{Origin, Pin};
use crate::platform::Platform;
use crate::resolve::{self, Outcome, Resolution};
use crate::source::Sources;
use crate::store::{Store, Toolchain};
use crate::trust::lockfile::InForce;
use crate::ui::Ui;
use crate::version::{self, Request, Version};
use gvm_hot::System as _;
use gvm_hot::shim;
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

/// What every command works with. Nothing of it is opened before it is needed.
pub struct Gvm {
    pub store: Store,
    pub ui: Ui,
    /// `--offline`.
    offline: bool,
}

/// Runs one command.
///
/// # Errors
/// What the command says.
pub fn run(cli: Cli) -> Result<ExitCode> {
    let store = match &cli.command {
        Command::Shim(args) => Store::at(&args.root),
        _ => Store::open()?,
    };
    let gvm = Gvm { store, ui: Ui { quiet: cli.quiet }, offline: cli.offline };
    // Those that a person waits for, and not what runs at every prompt. What cannot
    // be done here stops nobody who only looks.
    if matches!(
        cli.command,
        Command::Install(_)
            | Command::Uninstall(_)
            | Command::Import(_)
            | Command::List(_)
            | Command::Verify(_)
            | Command::Mirror(_)
            | Command::Use(_)
            | Command::Default(_)
            | Command::Pin(_)
            | Command::Upgrade(_)
    ) {
        let _ = gvm.store.recover(&gvm.ui);
    }
    let done = match cli.command {
        Command::Install(args) => install::run(&gvm, args),
        Command::Uninstall(args) => uninstall::run(&gvm, args),
        Command::Import(args) => import::run(&gvm, args),
        Command::Verify(args) => verify::run(&gvm, args),
        Command::Du(args) => du::run(&gvm, args),
        Command::Outdated(args) => outdated::run(&gvm, args),
        Command::Prune(args) => prune::run(&gvm, args),
        Command::Upgrade(args) => upgrade::run(&gvm, args),
        Command::List(args) => list::run(&gvm, args),
        Command::ListRemote(args) => list_remote::run(&gvm, args),
        Command::Mirror(args) => mirror::run(&gvm, args),
        Command::Use(args) => use_::run(&gvm, args),
        Command::Default(args) => default::run(&gvm, args),
        Command::Pin(args) => pin::run(&gvm, args),
        Command::Current(args) => current::run(&gvm, args),
        Command::Which(args) => which::run(&gvm, args),
        Command::Exec(args) => return exec::run(&gvm, args),
        Command::Env(args) => env::run(&gvm, args),
        Command::Hook(args) => hook::run(&gvm, args),
        Command::Completions(args) => completions::run(args),
        Command::Man(args) => man::run(&gvm, args),
        Command::Root(args) => root::run(&gvm, args),
        Command::Setup(args) => setup::run(&gvm, args),
        Command::Doctor(args) => return doctor::run(&gvm, args),
        Command::Teardown(args) => teardown::run(&gvm, args),
        Command::Shim(args) => return exec::run_shim(&gvm, args),
    };
    done.map(|()| ExitCode::SUCCESS)
}

impl Gvm {
    fn config(&self) -> Result<Config> {
        let mut config = Config::load(self.store.layout())?;
        if self.offline {
            config.offline = Some(Offline::Option);
        }
        Ok(config)
    }

    fn sources(&self) -> Result<Sources<'_>> {
        Sources::new(&self.config()?, &self.store, self.ui)
    }

    /// The error of what makes no sense without a network.
    fn online(&self) -> Result<()> {
        match self.config()?.offline {
            None => Ok(()),
            Some(offline) => {
                Err(Error::new(Code::Network, format!("{offline}, and places are to be asked")))
            }
        }
    }

    /// The lock file beside the pin of this directory, if there are both.
    fn lock_in_force(&self) -> Result<Option<InForce>> {
        let Some(here) = Host.current_dir() else { return Ok(None) };
        // A pin that cannot be used is told where it counts.
        let Ok(Some(pin)) = crate::pin::from_directory(&Host, &here) else { return Ok(None) };
        let Origin::File { file, .. } = &pin.origin else { return Ok(None) };
        self.lock_in(crate::path::parent(file).unwrap_or_default())
    }

    /// The lock file in a directory.
    fn lock_in(&self, directory: &[u8]) -> Result<Option<InForce>> {
        InForce::in_directory(Path::new(os(directory))).map_err(|why| {
            Error::new(Code::Usage, why).hint("to write it anew, remove it and run: gvm pin --lock")
        })
    }

    /// Removes a toolchain, once no other process works on it, if it is still there.
    fn remove(&self, toolchain: &Toolchain) -> Result<()> {
        let Toolchain { version, platform, .. } = toolchain;
        let _lock = self.store.lock(*version, platform, "removing", &self.ui)?;
        match self.store.find(*version, platform) {
            Some(_) => self.store.remove(toolchain, &self.ui),
            None => Ok(()),
        }
    }

    /// Remembers the file of a pin, so that what it names is not taken for out of date.
    /// A store that cannot be written knows one less.
    fn saw(&self, origin: &Origin) {
        if let Origin::File { file, .. } = origin {
            let _ = self.store.saw_pin(Path::new(os(file)));
        }
    }

    /// The version that this shell has active, whatever its directory says.
    fn active(&self) -> Result<Option<Version>> {
        let active = std::env::var_os(ACTIVE_VARIABLE);
        let mut all = self.store.toolchains()?.into_iter();
        let is_active =
            |toolchain: &Toolchain| Some(toolchain.goroot.as_os_str()) == active.as_deref();
        Ok(all.find(is_active).map(|toolchain| toolchain.version))
    }

    /// What the current directory and environment resolve to.
    fn resolve(&self) -> Result<Resolution> {
        Ok(resolve::resolve(&Host, self.store.layout(), layout::HOST)?)
    }

    /// Makes a request the default, and says so.
    fn set_default(&self, request: Request) -> Result<()> {
        self.store.ensure_shims(&self.ui)?;
        self.store.set_default(Some(request))?;
        self.ui.say(format_args!("the default is Go {request}"));
        Ok(())
    }

    /// The installed toolchain that a typed version asks for.
    fn installed(&self, request: Request, platform: &Platform) -> Result<Toolchain> {
        let pin = Pin { request, origin: Origin::Command };
        if request == Request::System {
            let message = "system is the go on PATH, not a toolchain of gvm's";
            return Err(Error::new(Code::Usage, message)
                .hint("to see which it is: gvm exec system -- go env GOROOT"));
        }
        let found = self.store.choose(request, platform)?;
        found.ok_or_else(|| not_installed(&pin, platform))
    }
}

/// The error for a version that is not installed, with the command that helps.
fn not_installed(pin: &Pin, platform: &Platform) -> Error {
    let message = shim::missing(pin, platform.borrowed());
    match message.split_once("\n  ") {
        Some((what, hint)) => Error::new(Code::NotInstalled, what).hint(hint),
        None => Error::new(Code::NotInstalled, message),
    }
}

/// The goroot of a resolution, if it is a toolchain of ours.
fn goroot_of(resolution: &Resolution) -> Option<&[u8]> {
    match &resolution.outcome {
        Outcome::Toolchain { goroot, .. } => Some(goroot),
        Outcome::System { .. } | Outcome::Missing => None,
    }
}

/// clap's parser for a typed version.
fn parse_request(text: &str) -> std::result::Result<Request, String> {
    Request::parse(text).map_err(|why| format!("{why}; accepted are {}", version::ACCEPTED_FORMS))
}

/// Writes to stdout what a script may read, in one piece: styles are taken out here,
/// because a stream that does it writes each line by itself.
fn print(text: &str) -> Result<()> {
    match anstream::AutoStream::choice(&std::io::stdout()) {
        anstream::ColorChoice::Never => {
            write_out(anstream::adapter::strip_str(text).to_string().as_bytes())
        }
        _ => write_out(text.as_bytes()),
    }
}

/// Asks once, where somebody can answer; nothing but yes is a yes.
fn confirm(question: &str, yes: bool, otherwise: &str) -> Result<()> {
    if yes {
        return Ok(());
    }
    let (input, mut output) = (std::io::stdin(), std::io::stderr());
    if !input.is_terminal() || !output.is_terminal() {
        let message = format!("there is no terminal to ask on, so {otherwise}");
        return Err(Error::new(Code::Usage, message).hint("to do it without asking, add --yes"));
    }
    write!(output, "gvm: {question} [y/N] ")?;
    let mut answer = String::new();
    input.read_line(&mut answer)?;
    if matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(Error::new(Code::Failure, format!("that was no yes, so {otherwise}")))
}

/// Writes bytes and a newline, for paths, which may be any bytes.
fn print_bytes(bytes: &[u8]) -> Result<()> {
    write_out(&[bytes, b"\n"].concat())
}

/// A reader that hangs up (`| head`) is no error.
fn write_out(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

fn print_json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(std::io::Error::other)?;
    print(&format!("{text}\n"))
}

/// Who decided, as `--json` tells it.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum OriginJson {
    Variable { name: String },
    File { file: String, line: usize },
    Default { file: String },
    Command,
    Nobody,
}

impl From<&Origin> for OriginJson {
    fn from(origin: &Origin) -> Self {
        match origin {
            Origin::Variable(name) => Self::Variable { name: (*name).into() },
            Origin::File { file, line } => Self::File { file: lossy(file), line: *line },
            Origin::Default { file } => Self::Default { file: lossy(file) },
            Origin::Command => Self::Command,
            Origin::Nobody => Self::Nobody,
        }
    }
}

/// JSON has no other bytes than UTF-8.
fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

mod complete {
    //! Completion candidates for versions, mirrors and managers.

    use crate::config::Config;
    use crate::install::import;
    use crate::managers::{self, Manager};
    use crate::platform::Platform;
    use crate::source::{Sources, mirrors};
    use crate::store::Store;
    use crate::ui::Ui;
    use crate::version::Version;
    use clap_complete::CompletionCandidate;
    use std::ffi::OsStr;

    fn candidates(versions: Vec<Version>, typed: &OsStr) -> Vec<CompletionCandidate> {
        let typed = typed.to_string_lossy();
        // The prefix that somebody has begun with stays.
        let letters = typed.find(|c: char| c.is_ascii_digit()).unwrap_or(typed.len());
        let prefix = match &typed[..letters] {
            "g" | "go" => "go",
            "v" => "v",
            _ => "",
        };
        let exact = versions.into_iter().map(|version| format!("{prefix}{}", version.exact()));
        exact.filter(|version| version.starts_with(&*typed)).map(CompletionCandidate::new).collect()
    }

    /// The names of known mirrors.
    pub fn mirrors(typed: &OsStr) -> Vec<CompletionCandidate> {
        named(mirrors::known().iter(), typed)
    }

    /// Those that toolchains come from.
    pub fn mirrors_to_use(typed: &OsStr) -> Vec<CompletionCandidate> {
        named(mirrors::with_toolchains(), typed)
    }

    fn named<'a>(
        places: impl Iterator<Item = &'a mirrors::Place>,
        typed: &OsStr,
    ) -> Vec<CompletionCandidate> {
        let typed = typed.to_string_lossy();
        let fitting = places.filter(|place| place.name.starts_with(&*typed));
        let candidate = |place: &mirrors::Place| {
            let help = place.run_by.map(|run_by| format!("{}, {run_by}", place.layout.label()));
            CompletionCandidate::new(place.name.as_str()).help(help.map(Into::into))
        };
        fitting.map(candidate).collect()
    }

    /// Versions that are installed.
    pub fn installed(typed: &OsStr) -> Vec<CompletionCandidate> {
        let all = Store::open().and_then(|store| store.toolchains()).unwrap_or_default();
        candidates(all.into_iter().map(|toolchain| toolchain.version).collect(), typed)
    }

    /// Who keeps toolchains, besides gvm.
    pub fn managers(typed: &OsStr) -> Vec<CompletionCandidate> {
        let typed = typed.to_string_lossy();
        let fitting =
            Manager::ALL.into_iter().filter(|manager| manager.name().starts_with(&*typed));
        let candidate = |manager: Manager| {
            CompletionCandidate::new(manager.name()).help(Some(manager.label().into()))
        };
        fitting.map(candidate).collect()
    }

    /// Versions that others keep on this machine.
    pub fn importable(typed: &OsStr) -> Vec<CompletionCandidate> {
        let found = || {
            let store = Store::open().ok()?;
            let found = managers::find(&managers::Places::here(&store)?, &Manager::ALL, &store);
            let identities = found.iter().filter_map(|found| import::identify(&found.goroot).ok());
            let mut versions: Vec<_> = identities.map(|identity| identity.version).collect();
            versions.sort_unstable_by(|a, b| b.cmp(a));
            versions.dedup();
            Some(versions)
        };
        candidates(found().unwrap_or_default(), typed)
    }

    /// Versions that can be installed, from what is cached: completing asks no
    /// network.
    pub fn released(typed: &OsStr) -> Vec<CompletionCandidate> {
        let kept = || {
            let store = Store::open().ok()?;
            let config = Config::load(store.layout()).ok()?;
            let sources = Sources::new(&config, &store, Ui { quiet: true }).ok()?;
            let host = Platform::host();
            let mut versions: Vec<_> = sources.kept_catalog().versions(&host).collect();
            versions.reverse();
            Some(versions)
        };
        candidates(kept().unwrap_or_default(), typed)
    }
}
