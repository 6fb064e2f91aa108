use super::{Gvm, complete, parse_request};
use crate::error::{Code, Error, Result};
use crate::files;
use crate::host::{Host, os};
use crate::locking;
use crate::managers::pins;
use crate::path::display;
use crate::pin::{self, Floor, Origin, Pin};
use crate::platform::Platform;
use crate::resolve::Outcome;
use crate::trust::lockfile;
use crate::ui::{counted, shown};
use crate::version::{Request, Version};
use clap::ValueHint;
use clap_complete::ArgValueCompleter;
use gvm_hot::System;
use std::path::{Path, PathBuf};

/// Pin a version for this directory: writes .go-version
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gvm pin 1.26.8               exactly that one, for everybody
  gvm pin 1.26                 the newest 1.26.x that each machine has
  gvm pin                      what is in use here now
  gvm pin --from               what .tool-versions, mise.toml, go.work or go.mod
                               asks for here; --from FILE for any of them
  gvm pin --lock 1.26          its newest release, exactly, and .go-version.sum:
                               what the log records of it for every platform

What else stands in an existing .go-version (comments, line ends) stays. With
--lock, exit code 7 says that nobody answered for some platforms; the others
are locked.")]
pub struct Args {
    /// The version to pin; without it, the one in use here
    #[arg(value_name = "VERSION", value_parser = parse_request,
          add = ArgValueCompleter::new(complete::installed))]
    version: Option<Request>,

    /// Pin what another file asks for: .tool-versions, mise.toml, go.mod, go.work, another
    /// .go-version; without a name, the first of them here
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "version")]
    from: Option<Option<PathBuf>>,

    /// Also write .go-version.sum: the trees that are accepted, for every platform
    #[arg(long)]
    lock: bool,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    let here = Host
        .current_dir()
        .ok_or_else(|| Error::new(Code::Failure, "the current directory is not there any more"))?;
    let version = match args.from {
        Some(file) => Some(from(gvm, file.as_deref(), &here)?),
        None => args.version,
    };
    if args.lock {
        return lock(gvm, version, &here);
    }
    let request = match version {
        Some(request) => request,
        None => in_use(gvm)?,
    };
    pin(gvm, request, &here)
}

/// What a file asks for; without a name, the first of those in this directory.
fn from(gvm: &Gvm, file: Option<&Path>, here: &[u8]) -> Result<Request> {
    let here = Path::new(os(here));
    let found = match file {
        None => pins::in_directory(here)?,
        Some(file) if file.is_file() => pins::in_file(&here.join(file))?,
        Some(file) => {
            return Err(Error::new(Code::Usage, format!("there is no file {}", shown(file))));
        }
    };
    let Some(Pin { request, origin }) = found else {
        let message = match file {
            None => format!("none of {} here says which Go it wants", pins::FILES.join(", ")),
            Some(file) => format!("{} does not say which Go it wants", shown(file)),
        };
        return Err(Error::new(Code::Usage, message).hint("to pin one: gvm pin 1.26"));
    };
    gvm.ui.say(format_args!("{origin} asks for Go {request}"));
    Ok(request)
}

/// The version that counts here.
fn in_use(gvm: &Gvm) -> Result<Request> {
    match gvm.resolve()?.outcome {
        Outcome::Toolchain { version, .. } => Ok(Request::Exact(version)),
        _ => Err(Error::new(Code::Usage, "no version of gvm's is in use here")
            .hint("to pin one: gvm pin 1.26")),
    }
}

/// Writes `.go-version` in a directory.
fn pin(gvm: &Gvm, request: Request, directory: &[u8]) -> Result<()> {
    let file = crate::path::join(directory, ".go-version");
    let old = match Host.read(&file, LIMIT) {
        Ok(old) => old.unwrap_or_default(),
        Err(why) => {
            let message = format!("{} cannot be read: {why}", display(&file));
            return Err(Error::new(Code::Failure, message));
        }
    };
    let target = files::target_of(Path::new(os(&file)));
    let mut new = replace_version(&old, &request.to_string());
    // Nothing of a file that stays unusable is worth keeping.
    if pin::check(&new).is_err() {
        new = format!("{request}\n").into_bytes();
    }
    if new != old {
        write(&target, &new)?;
    }
    gvm.saw(&Origin::File { file: file.clone(), line: 1 });
    gvm.ui.say(format_args!("pinned Go {request} in {}", display(&file)));

    if let Ok(Some(floor)) = pin::floor(&Host, directory)
        && is_below(request, &floor)
    {
        gvm.ui.warn(format_args!(
            "{} needs Go {} or newer, and the pin says {request}",
            floor.origin, floor.version
        ));
    }
    if request != Request::System && gvm.store.choose(request, &Platform::host())?.is_none() {
        gvm.ui.say(format_args!("it is not installed; to install it: gvm install"));
    }
    Ok(())
}

/// Pins an exact version, and writes beside it what each platform's tree has to be.
fn lock(gvm: &Gvm, request: Option<Request>, here: &[u8]) -> Result<()> {
    // What is pinned already is locked where it is pinned.
    let pinned = match request {
        Some(_) => None,
        None => pin::from_directory(&Host, here)?,
    };
    let (request, file) = match (request, pinned) {
        (Some(request), _) => (request, None),
        (None, Some(Pin { request, origin: Origin::File { file, .. } })) => (request, Some(file)),
        (None, _) => (in_use(gvm)?, None),
    };
    if request == Request::System {
        return Err(Error::new(Code::Usage, "system is no version that could be locked")
            .hint("to pin one: gvm pin --lock 1.26"));
    }
    let sources = gvm.sources()?;
    let version = sources.release(request, &Platform::host())?;
    let exact = Request::Exact(version);
    let directory = match &file {
        Some(file) => crate::path::parent(file).unwrap_or_default(),
        None => here,
    };
    let is_tool_versions = file.as_ref().is_some_and(|file| file.ends_with(b"/.tool-versions"));
    if is_tool_versions && request != exact {
        let file = file.as_deref().map(display);
        let message = format!(
            "{} asks for {request}, and a lock needs an exact version",
            file.map(|file| file.to_string()).unwrap_or_default()
        );
        return Err(Error::new(Code::Usage, message)
            .hint(format!("write {version} there, or: gvm pin --lock {version}")));
    }

    let path = Path::new(os(directory)).join(lockfile::FILE_NAME);
    // A link may stand for a file that this writes first.
    let earlier = if path.exists() { gvm.lock_in(directory)? } else { None };
    let made = locking::make(&sources, &gvm.ui, version, earlier.as_ref())?;
    write(&files::target_of(&path), made.file.to_string().as_bytes())?;
    gvm.ui.say(format_args!(
        "locked Go {version} for {} in {}",
        counted(made.file.trees().count(), "platform"),
        shown(&path)
    ));
    if !is_tool_versions {
        pin(gvm, exact, directory)?;
    }
    let Some((_, why)) = made.unanswered.first() else { return Ok(()) };
    let names: Vec<_> = made.unanswered.iter().map(|(on, _)| on.to_string()).collect();
    let message = format!("the lock is partial: nobody answers for {}", names.join(", "));
    Err(Error::new(Code::Partial, message)
        .hint(why.clone())
        .hint("to add them: gvm pin --lock, where the checksum database or go.dev can be reached"))
}

/// More than any such file has.
const LIMIT: usize = 64 << 10;

/// Replaces the file as a whole, with the rights that it had.
fn write(file: &Path, content: &[u8]) -> Result<()> {
    let permissions = fs_err::metadata(file).ok().map(|metadata| metadata.permissions());
    files::replace(file, content, permissions).map_err(|error| {
        Error::from(error).context(format_args!("{} cannot be written", shown(file)))
    })
}

/// Whether nothing that the request could mean reaches the floor.
fn is_below(request: Request, floor: &Floor) -> bool {
    match request {
        Request::Exact(version) => version < floor.version,
        Request::Minor(major, minor) => Version::release(major, minor, u32::MAX) < floor.version,
        _ => false,
    }
}

/// The file with its first version replaced. Byte order mark, comments, line
/// ends and further lines stay.
fn replace_version(old: &[u8], version: &str) -> Vec<u8> {
    // What PowerShell 5.1 wrote as UTF-16 is written anew.
    let is_utf16 = old.starts_with(&[0xff, 0xfe]) || old.starts_with(&[0xfe, 0xff]);
    let old = if is_utf16 { &[] } else { old };
    let mut new = Vec::with_capacity(old.len() + version.len() + 1);
    let mut done = false;
    for line in old.split_inclusive(|&byte| byte == b'\n') {
        let bom = if new.is_empty() && line.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let comment = line.iter().position(|&byte| byte == b'#').unwrap_or(line.len());
        let content = &line[bom..comment];
        let trimmed = content.trim_ascii();
        if trimmed.is_empty() {
            new.extend_from_slice(line);
            continue;
        }
        if done {
            // A further line that is no version made the file unusable.
            let text = std::str::from_utf8(trimmed);
            if text.is_ok_and(|text| Request::parse(text).is_ok()) {
                new.extend_from_slice(line);
            }
            continue;
        }
        done = true;
        let start = bom + content.len() - content.trim_ascii_start().len();
        new.extend_from_slice(&line[..start]);
        new.extend_from_slice(version.as_bytes());
        new.extend_from_slice(&line[start + trimmed.len()..]);
    }
    if !done {
        if !new.is_empty() && !new.ends_with(b"\n") {
            new.push(b'\n');
        }
        new.extend_from_slice(version.as_bytes());
        new.push(b'\n');
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_changes_the_version_and_nothing_else() {
        for (old, new) in [
            (&b""[..], &b"1.26\n"[..]),
            (b"1.22.4\n", b"1.26\n"),
            (b"1.22.4", b"1.26"),
            (b"# why\r\n\r\n  go1.22.4\t# since May\r\n", b"# why\r\n\r\n  1.26\t# since May\r\n"),
            (b"\xef\xbb\xbf1.22\n", b"\xef\xbb\xbf1.26\n"),
            (b"1.22.4\n1.21.9\n", b"1.26\n1.21.9\n"),
            (b"# only a comment", b"# only a comment\n1.26\n"),
            (b"../../evil\n", b"1.26\n"),
            (b"\xff\xfe1\0", b"1.26\n"),
            (b"1.22\n/bin/sh\n# end\n", b"1.26\n# end\n"),
        ] {
            assert_eq!(replace_version(old, "1.26"), new, "{:?}", String::from_utf8_lossy(old));
        }
    }
}
