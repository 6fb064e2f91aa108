use super::{Gvm, complete, goroot_of, lossy, not_installed, parse_request, print, print_json};
use crate::activation::Place;
use crate::error::{Code, Error, Result};
use crate::host::Host;
use crate::layout;
use crate::pin::{Origin, Pin, VERSION_VARIABLE};
use crate::platform::Platform;
use crate::resolve::{self, Outcome};
use crate::shell::{self, Changes, Shell};
use crate::version::Request;
use clap_complete::ArgValueCompleter;
use gvm_hot::system::{Metadata, System, Unreadable};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Print what changes in the environment, as shell text, JSON, or for other programs
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  eval \"$(gvm env)\"            once, for this directory, without the hook
  gvm env 1.25 --shell fish
  gvm env --json | jq -r .GOROOT
  gvm env --dotenv > .env
  gvm env --github             in a step of a GitHub workflow, for those behind it

--json is an object of variables; null means that the variable is unset. --dotenv names
those that are set, in quotes. --github adds directories to the file that GITHUB_PATH
names, and variables to that of GITHUB_ENV.")]
pub struct Args {
    /// An installed version; without it, what counts here
    #[arg(value_name = "VERSION", value_parser = parse_request,
          add = ArgValueCompleter::new(complete::installed))]
    version: Option<Request>,

    /// The shell to write for; without it, the one that $SHELL names, else bash
    #[arg(long, value_name = "SHELL", value_parser = shell::parser(), conflicts_with = "json")]
    shell: Option<Shell>,

    /// For scripts
    #[arg(long)]
    json: bool,

    /// As lines of a .env file
    #[arg(long, conflicts_with_all = ["shell", "json"])]
    dotenv: bool,

    /// For the next steps of a GitHub workflow
    #[arg(long, conflicts_with_all = ["shell", "json", "dotenv"])]
    github: bool,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    let resolution = match args.version {
        Some(request) => {
            let pin = Pin { request, origin: Origin::Command };
            resolve::answer(&Host, gvm.store.layout(), layout::HOST, pin)
        }
        None => gvm.resolve()?,
    };
    if resolution.outcome == Outcome::Missing {
        return Err(not_installed(&resolution.pin, &Platform::host()));
    }
    let (changes, _) =
        shell::activate(&Host, gvm.store.layout(), goroot_of(&resolution), Place::Front);
    if args.json {
        let object: BTreeMap<_, _> =
            changes.iter().map(|(name, value)| (name, value.as_deref().map(lossy))).collect();
        return print_json(&object);
    }
    if args.dotenv {
        return print(&dotenv(&changes)?);
    }
    if args.github {
        return github(gvm, &changes);
    }
    let shell = args.shell.or_else(shell::of_login).unwrap_or(Shell::Bash);
    print(&shell.statements(&changes))
}

/// A value that a file of lines can hold; it is read as lines by somebody else, so that
/// one with a line end in it could set any variable.
fn on_a_line(name: &str, value: &[u8]) -> Result<String> {
    let refused = |why: &str| Error::new(Code::Failure, format!("{name} cannot be written: {why}"));
    let text = std::str::from_utf8(value).map_err(|_| refused("it is not UTF-8"))?;
    match text.contains(char::is_control) {
        true => Err(refused("there is a control character in it")),
        false => Ok(text.into()),
    }
}

/// What the dialects of .env files have in common: quotes around a value in which
/// nothing is expanded, and a backslash before what would end or expand it in the other
/// kind of quotes.
fn dotenv(changes: &Changes) -> Result<String> {
    let mut text = String::new();
    for (name, value) in changes {
        let Some(value) = value else { continue };
        let value = on_a_line(name, value)?;
        let quoted = if value.contains('\'') {
            let escape = |text: String, c: char| text.replace(c, &format!("\\{c}"));
            format!("\"{}\"", ['\\', '"', '$', '`'].into_iter().fold(value, escape))
        } else {
            format!("'{value}'")
        };
        text.push_str(&format!("{name}={quoted}\n"));
    }
    Ok(text)
}

/// Writes to the files of a workflow's step
/// (docs.github.com/actions, "Workflow commands": environment files).
fn github(gvm: &Gvm, changes: &Changes) -> Result<()> {
    let old = std::env::var_os("PATH").unwrap_or_default();
    let old: Vec<_> = std::env::split_paths(&old).collect();
    let (mut variables, mut directories) = (String::new(), String::new());
    for (name, value) in changes {
        // It knows no way to unset one; to the go command an empty one is none.
        let value = on_a_line(name, value.as_deref().unwrap_or_default())?;
        if *name != "PATH" {
            variables.push_str(&format!("{name}={value}\n"));
            continue;
        }
        let new: Vec<PathBuf> = std::env::split_paths(&value).collect();
        // Each line goes in front of those before it.
        for directory in new.iter().rev().filter(|directory| !old.contains(directory)) {
            directories.push_str(&format!("{}\n", directory.display()));
        }
    }
    for (variable, text) in [("GITHUB_PATH", directories), ("GITHUB_ENV", variables)] {
        let file = std::env::var_os(variable).filter(|file| !file.is_empty()).ok_or_else(|| {
            Error::new(Code::Usage, format!("{variable} is not set: this is no step of a workflow"))
                .hint("to see what would be set: gvm env --json")
        })?;
        let opened = fs_err::OpenOptions::new().append(true).create(true).open(Path::new(&file));
        opened?.write_all(text.as_bytes())?;
    }
    gvm.ui.say("the next steps of this job use it");
    Ok(())
}

/// The host without `GVM_VERSION`: what a directory says by itself.
pub(super) struct WithoutVersion;

impl System for WithoutVersion {
    fn var(&self, name: &str) -> Option<Vec<u8>> {
        Host.var(name).filter(|_| name != VERSION_VARIABLE)
    }

    fn current_dir(&self) -> Option<Vec<u8>> {
        Host.current_dir()
    }

    fn read(&self, file: &[u8], limit: usize) -> Result<Option<Vec<u8>>, Unreadable> {
        Host.read(file, limit)
    }

    fn read_dir(&self, directory: &[u8], each: &mut dyn FnMut(&[u8])) {
        Host.read_dir(directory, each);
    }

    fn metadata(&self, path: &[u8]) -> Option<Metadata> {
        Host.metadata(path)
    }
}
