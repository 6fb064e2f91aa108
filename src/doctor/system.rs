//! What the system gives: space, mounts that let programs run, the loader that a
//! toolchain asks for, a clock that is not behind.

use super::{Context, Finding};
use crate::executable::{self, Executable};
use crate::store::Toolchain;
use crate::ui::shown;
use std::env;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What an install takes at its height: an archive and its tree, rounded up.
const FOR_TOOLCHAIN: u64 = 500_000_000;
/// What the go command takes to link a program of some size.
const FOR_BUILD: u64 = 200_000_000;

/// How far the clocks of two machines that share a store may differ.
const SKEW: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn check(context: &Context) -> Vec<Finding> {
    let root = context.store.root();
    let (subject, temporary) =
        match context.setting("GOTMPDIR").filter(|setting| !setting.value.is_empty()) {
            Some(setting) => ("GOTMPDIR", PathBuf::from(setting.value)),
            None => ("temporary files", env::temp_dir()),
        };
    let mut findings = of_place("store", &root, FOR_TOOLCHAIN, "move the store: set GVM_ROOT");
    if temporary.is_dir() {
        let elsewhere = "go env -w GOTMPDIR=DIRECTORY, with one on another file system";
        findings.extend(of_place(subject, &temporary, FOR_BUILD, elsewhere));
    } else {
        let directory = shown(&temporary);
        let cause = format!("{directory} is no directory, and go builds there");
        findings.push(
            Finding::error(subject, cause).safe_fix(format!("mkdir -p {directory}"), move |_| {
                Ok(fs_err::create_dir_all(&temporary)?)
            }),
        );
    }
    let toolchains = context.store.toolchains().unwrap_or_default();
    let here = toolchains.iter().filter(|toolchain| toolchain.platform.is_host());
    findings.extend(here.filter_map(loader));
    findings.extend(clock(&toolchains));
    if findings.is_empty() {
        findings.push(Finding::ok("system", "has room, lets programs run, and tells the time"));
    }
    findings
}

/// What keeps programs from being written to a directory and run there.
#[cfg(unix)]
fn of_place(subject: &str, directory: &Path, needed: u64, elsewhere: &str) -> Vec<Finding> {
    use super::places;
    use crate::ui::bytes;

    let Some(existing) = places::existing(directory) else { return Vec::new() };
    let Ok(found) = rustix::fs::statvfs(existing) else { return Vec::new() };
    let directory = shown(directory);
    let mut findings = Vec::new();
    #[cfg(target_os = "linux")]
    if found.f_flag.contains(rustix::fs::StatVfsMountFlags::NOEXEC) {
        let cause = format!("{directory} is mounted noexec: no program in it can be run");
        findings.push(Finding::error(subject, cause).fix(elsewhere));
    }
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    if free < needed {
        let (free, needed) = (bytes(free), bytes(needed));
        let cause = format!("{directory} has {free} left, and {needed} may be needed");
        findings.push(Finding::warning(subject, cause).fix(format!("gvm prune, or {elsewhere}")));
    }
    // File systems that make them as they are needed count none at all.
    if found.f_files > 0 && found.f_favail < 20_000 {
        let cause = format!(
            "{directory} has room for {} more files, and a toolchain has some 15000",
            found.f_favail
        );
        findings.push(Finding::warning(subject, cause).fix(format!("gvm prune, or {elsewhere}")));
    }
    findings
}

#[cfg(not(unix))]
fn of_place(_: &str, _: &Path, _: u64, _: &str) -> Vec<Finding> {
    Vec::new()
}

/// The loader that a toolchain's go asks for and this system has not. Releases up to Go
/// 1.20 ask for glibc's; musl's has another name.
fn loader(toolchain: &Toolchain) -> Option<Finding> {
    let Ok(Some(Executable::Elf(elf))) = executable::open(&toolchain.goroot.join("bin/go")) else {
        return None;
    };
    let loader = elf.interpreter.filter(|loader| !Path::new(loader).exists())?;
    let cause = format!(
        "its go needs {}, which this system has not, and cannot be run; from 1.21 on it needs none",
        shown(Path::new(&loader))
    );
    Some(Finding::error(toolchain.version.to_string(), cause).fix("gvm install stable"))
}

/// A clock by which something was installed in the future. No certificate that was made
/// meanwhile is valid by it.
fn clock(toolchains: &[Toolchain]) -> Option<Finding> {
    let limit = SystemTime::now() + SKEW;
    let written = |toolchain: &&Toolchain| {
        fs_err::metadata(&toolchain.directory).and_then(|found| found.modified()).ok()
    };
    let ahead =
        toolchains.iter().find(|toolchain| written(toolchain).is_some_and(|at| at > limit))?;
    let cause = format!(
        "is behind: by it, {} was installed more than a day from now, and certificates may count \
         as not valid yet",
        ahead.version
    );
    Some(Finding::warning("clock", cause).fix("set the clock: timedatectl set-ntp true"))
}
