//! What the store holds, by a look that reads no content: receipts, files that are
//! missing, executables of another machine, what killed processes left. `gvm verify`
//! is the one that reads everything.

use super::{Context, Finding};
use crate::executable;
use crate::install;
use crate::path::display;
use crate::store::{Evidence, Toolchain};
use crate::trust::h1::Tree;
use crate::ui::{Ui, bytes, counted, shown};
use std::path::{Path, PathBuf};

pub(super) fn check(context: &Context) -> Vec<Finding> {
    let store = &context.store;
    let toolchains = match store.toolchains() {
        Ok(toolchains) => toolchains,
        Err(error) => return vec![Finding::error("store", error.to_string())],
    };
    let mut findings: Vec<_> = toolchains.iter().flat_map(of_toolchain).collect();
    findings.extend(strangers(context));
    findings.extend(left_over(context));
    findings.extend(forks(context));
    if findings.is_empty() {
        findings.push(Finding::ok("store", format!("{} is empty", shown(&store.root()))));
    }
    findings
}

/// What is wrong with a toolchain, or a line that nothing is.
fn of_toolchain(toolchain: &Toolchain) -> Vec<Finding> {
    let Toolchain { version, platform, goroot, .. } = toolchain;
    let option = install::arch_option(platform);
    let name = toolchain.label();
    let verify = format!("gvm verify {version}{option}");
    let repair = format!("{verify} --repair");
    let mut findings = Vec::new();

    match toolchain.receipt() {
        Ok(Some(receipt)) if receipt.evidence == Evidence::None => findings.push(
            Finding::warning(&*name, "nothing has proved it: it was taken as it came")
                .fix(&*verify),
        ),
        Ok(Some(_)) => {}
        Ok(None) => findings.push(
            Finding::warning(&*name, "has no receipt, so nothing tells where it came from")
                .fix(format!("gvm install {version}{option} --force")),
        ),
        Err(error) => findings.push(
            Finding::warning(&*name, format!("its receipt cannot be used: {error}"))
                .fix(format!("gvm install {version}{option} --force")),
        ),
    }
    let listed = toolchain.manifest();
    match listed.map(|text| text.and_then(|text| Tree::parse_manifest(&text))) {
        Ok(Some(tree)) => {
            let missing: Vec<_> =
                tree.files().map(|(path, _)| path).filter(|path| !is_file(goroot, path)).collect();
            if let Some(first) = missing.first() {
                let first = display(first.as_bytes());
                let what = format!("{}, {first} first", counted(missing.len(), "file"));
                findings.push(Finding::error(&*name, format!("misses {what}")).fix(&*repair));
            }
        }
        Ok(None) => findings.push(
            Finding::warning(&*name, "its list of files is missing or damaged").fix(&*repair),
        ),
        Err(error) => findings.push(Finding::warning(&*name, error.to_string())),
    }
    findings.extend(programs(toolchain).map(|why| Finding::error(&*name, why).fix(&*repair)));
    if findings.is_empty() {
        findings.push(Finding::ok(name, format!("is whole, in {}", shown(goroot))));
    }
    findings
}

fn is_file(goroot: &Path, path: &str) -> bool {
    fs_err::symlink_metadata(goroot.join(path)).is_ok_and(|found| found.is_file())
}

/// The first of its programs that cannot run on its platform, as a clause.
fn programs(toolchain: &Toolchain) -> Option<String> {
    let Toolchain { platform, goroot, .. } = toolchain;
    let tools = format!("pkg/tool/{}_{}", platform.os, platform.arch);
    for directory in ["bin", &tools] {
        let entries = fs_err::read_dir(goroot.join(directory)).into_iter().flatten().flatten();
        for entry in entries {
            let path = format!("{directory}/{}", entry.file_name().to_string_lossy());
            let shown = display(path.as_bytes());
            match executable::open(&entry.path()) {
                Ok(Some(found)) if found.is_for(platform) => {}
                Ok(Some(found)) => {
                    return Some(format!("{shown} is for {}", found.platforms_shown()));
                }
                Ok(None) => return Some(format!("{shown} is no executable")),
                Err(error) => return Some(format!("{shown} cannot be read: {error}")),
            }
            if install::is_executable(&path) && !may_run(&entry.path()) {
                return Some(format!("{shown} may not be executed"));
            }
        }
    }
    None
}

#[cfg(unix)]
fn may_run(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs_err::metadata(file).is_ok_and(|found| found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn may_run(_: &Path) -> bool {
    true
}

/// What lies among the toolchains and is none.
fn strangers(context: &Context) -> Vec<Finding> {
    let strange = |directory: &PathBuf| {
        let directory = shown(directory);
        Finding::warning("store", format!("{directory} is no toolchain, and counts as none"))
            .fix(format!("if nothing in it is yours: rm -r {directory}"))
    };
    context.store.strangers().unwrap_or_default().iter().map(strange).collect()
}

/// What processes left that were ended in the middle.
fn left_over(context: &Context) -> Option<Finding> {
    let left = context.store.left_over();
    if left.is_empty() {
        return None;
    }
    let size: u64 = left.iter().map(|directory| super::places::size(directory).0).sum();
    let tmp = shown(left[0].parent().unwrap_or(&left[0]));
    let what = format!(
        "{} in {tmp}, {}: a process was ended in the middle",
        counted(left.len(), "half install"),
        bytes(size)
    );
    Some(Finding::note("left over", what).safe_fix("gvm list, which clears them away", |context| {
        context.store.recover(&Ui { quiet: true })
    }))
}

/// Tree heads that contradict each other, which were kept when they were seen.
fn forks(context: &Context) -> Vec<Finding> {
    let directories = fs_err::read_dir(context.store.checksums()).into_iter().flatten().flatten();
    let mut findings = Vec::new();
    for directory in directories {
        for entry in fs_err::read_dir(directory.path()).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with("fork-") {
                let log = display(directory.file_name().as_encoded_bytes()).to_string();
                let why = format!(
                    "has signed two histories, which {} keeps: one of them was made for you alone",
                    shown(&entry.path())
                );
                findings.push(Finding::error(log, why).fix(
                    "show that file to whoever runs the proxy and the log; SECURITY.md says why",
                ));
            }
        }
    }
    findings
}
