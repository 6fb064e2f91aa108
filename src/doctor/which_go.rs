//! Which go runs: all that are on PATH, whose they are, and which one wins.

use super::{Context, Finding};
use crate::goenv;
use crate::host::{Host, os};
use crate::path::{self, display};
use crate::process;
use gvm_hot::System as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A wrapper script of another manager may think for a while.
const PATIENCE: Duration = Duration::from_secs(10);

pub fn check(context: &Context) -> Vec<Finding> {
    let gos = on_path(context);
    if gos.is_empty() {
        return vec![
            Finding::error("go", "there is no go on PATH")
                .fix("gvm setup, then open a new terminal"),
        ];
    }
    gos.iter().enumerate().map(|(at, go)| listed(context, at, go)).collect()
}

/// A go on PATH.
struct Go {
    file: Vec<u8>,
    owner: Owner,
}

enum Owner {
    Shim,
    Toolchain,
    Other,
}

/// Every go on PATH, in its order, each once.
fn on_path(context: &Context) -> Vec<Go> {
    let layout = context.store.layout();
    let list = Host.var("PATH").unwrap_or_default();
    let mut seen = Vec::new();
    let mut gos = Vec::new();
    for entry in path::entries(&list).filter(|entry| path::is_absolute(entry)) {
        let file = path::join_exe(entry, "go");
        let Some(found) = Host.metadata(&file).filter(|found| found.is_executable) else {
            continue;
        };
        if seen.contains(&found.identity) {
            continue;
        }
        seen.push(found.identity);
        let owner = if path::same_entry(entry, &layout.shims()) {
            Owner::Shim
        } else if path::is_within(entry, &layout.toolchains()) {
            Owner::Toolchain
        } else {
            Owner::Other
        };
        gos.push(Go { file, owner });
    }
    gos
}

fn listed(context: &Context, at: usize, go: &Go) -> Finding {
    let subject = if at == 0 { "go, first".to_string() } else { format!("go, {}.", at + 1) };
    let file = display(&go.file);
    match go.owner {
        Owner::Shim => {
            let runs = match context.resolution() {
                Ok(resolution) => format!("runs what {} asks for", resolution.pin.origin),
                Err(error) => error.to_string(),
            };
            Finding::ok(subject, format!("{file} is gvm's shim; it {runs}"))
        }
        Owner::Toolchain => Finding::ok(subject, format!("{file} is a toolchain of gvm's")),
        Owner::Other => match version_of(Path::new(os(&go.file))) {
            Ok(version) => Finding::ok(subject, format!("{file} is {version}")),
            Err(why) => Finding::warning(subject, format!("{file} {why}")),
        },
    }
}

/// The version of a go: from the file VERSION of its GOROOT, else what it says itself,
/// without switching to another one.
fn version_of(go: &Path) -> Result<String, String> {
    let goroot = goenv::goroot_of(go.as_os_str().as_encoded_bytes());
    let name = |goroot: PathBuf| {
        let text = crate::files::read_text(&goroot.join("VERSION"), 4096).ok()??;
        text.split_whitespace().next().map(str::to_string)
    };
    if let Some(name) = goroot.and_then(name) {
        return Ok(display(name.as_bytes()).to_string());
    }
    let mut command = Command::new(go);
    let answer = process::ask(command.arg("version").env("GOTOOLCHAIN", "local"), PATIENCE)
        .map_err(|silence| silence.to_string())?;
    let said = answer.text();
    match said.strip_prefix("go version ").and_then(|rest| rest.split(' ').next()) {
        Some(version) => Ok(display(version.as_bytes()).to_string()),
        None => Err(format!("does not tell its version: {}", answer.complaint())),
    }
}
