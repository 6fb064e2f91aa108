//! What a shim does: from its own name and the environment to a program and
//! the environment to run it in.

use crate::activation::{self, Activation};
use crate::layout::{self, HOST, Layout};
use crate::path::{self, display};
use crate::pin::{Origin, Pin, PinError};
use crate::resolve::{self, Outcome, Resolution};
use crate::system::System;
use crate::version::{Request, Version};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// Counts how often a shim has run the system's `go` in a chain of processes.
/// Another manager's shim that finds ours again would go round for ever.
pub const DEPTH_VARIABLE: &str = "GVM_SHIM_DEPTH";
const MAX_DEPTH: u32 = 16;

/// The exit code of a shell that does not find a command.
pub const NOT_FOUND: u8 = 127;
/// The exit code of a shell that finds a command and cannot run it.
pub const CANNOT_RUN: u8 = 126;
/// A pin or a setting that cannot be used.
pub const BAD_INPUT: u8 = 2;

/// What to do next.
#[derive(Debug)]
pub enum Plan {
    Run(Run),
    /// What is wanted is not installed. The gvm executable, where the store
    /// knows one, may install it (`auto_install`); else the message is the end.
    Missing {
        gvm: Option<Vec<u8>>,
        /// The store that was looked in: gvm could take another one for its own.
        root: Vec<u8>,
        tool: String,
        message: String,
    },
    Stop {
        code: u8,
        message: String,
    },
}

#[derive(Debug)]
pub struct Run {
    pub program: Vec<u8>,
    /// The version of the store that is run; `None` for the system's.
    pub version: Option<Version>,
    pub activation: Activation,
    /// The new value of [`DEPTH_VARIABLE`], if it changes.
    pub depth: Option<u32>,
}

impl Run {
    /// The variables that change, with their new values.
    pub fn changes(self) -> Vec<(&'static str, Option<Vec<u8>>)> {
        let mut changes = Vec::with_capacity(3);
        changes.push(("GOROOT", self.activation.goroot));
        if let Some(path) = self.activation.path {
            changes.push(("PATH", Some(path)));
        }
        if let Some(depth) = self.depth {
            changes.push((DEPTH_VARIABLE, Some(depth.to_string().into_bytes())));
        }
        changes
    }
}

/// Decides what the shim at `own` (its absolute path) runs.
pub fn plan(system: &impl System, own: &[u8]) -> Plan {
    let layout = match Layout::from_variable(system) {
        Ok(Some(layout)) => layout,
        Ok(None) => match Layout::of_shim(own).map_or_else(|| Layout::of_home(system), Ok) {
            Ok(layout) => layout,
            Err(error) => return stop(BAD_INPUT, format!("{error}")),
        },
        Err(error) => return stop(BAD_INPUT, format!("{error}")),
    };
    let name = String::from_utf8_lossy(path::file_name(own)).into_owned();
    let name = name.strip_suffix(path::EXE_SUFFIX).unwrap_or(&name);
    match name {
        "go" | "gofmt" => match resolve::resolve(system, &layout, HOST) {
            Ok(resolution) => run(system, &layout, name, &resolution),
            Err(error) => stop(BAD_INPUT, format!("{}", Hinted(&error))),
        },
        _ => match Version::parse_toolchain(name).filter(|v| *name == *format!("go{v}")) {
            // Pins do not count here: this is where Go's own switching ends.
            Some(version) => {
                let pin = Pin { request: Request::Exact(version), origin: Origin::Command };
                match run(system, &layout, "go", &resolve::answer(system, &layout, HOST, pin)) {
                    // gvm would go by the pins, and run another version.
                    Plan::Missing { message, .. } => stop(NOT_FOUND, message),
                    plan => plan,
                }
            }
            None => stop(
                BAD_INPUT,
                format!("a shim is called go, gofmt or go1.X.Y, and this one `{name}`"),
            ),
        },
    }
}

/// A malformed pin, with what to do about it.
pub(crate) struct Hinted<'a>(pub(crate) &'a PinError);

impl fmt::Display for Hinted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  {}", self.0, repair(self.0))
    }
}

/// The command that repairs a pin that cannot be used.
#[must_use]
pub fn repair(error: &PinError) -> String {
    match &error.origin {
        Origin::Variable(name) => format!("to go back to this directory's pin: unset {name}"),
        Origin::Default { .. } => "to set it anew: gvm default 1.22".into(),
        Origin::File { file, .. } if path::file_name(file) == b".go-version" => {
            format!("to write it anew, in {}: gvm pin 1.22", directory_of(file))
        }
        Origin::File { file, .. } => format!("edit {}", display(file)),
        Origin::Command | Origin::Nobody => "see: gvm help".into(),
    }
}

fn directory_of(file: &[u8]) -> String {
    path::parent(file).map_or_else(String::new, |directory| display(directory).to_string())
}

/// What to tell somebody who wants a version that is not installed.
#[must_use]
pub fn missing(pin: &Pin, platform: layout::Platform) -> String {
    let wanted = pin.request;
    let asked = match &pin.origin {
        Origin::Command => String::new(),
        origin => format!(", which {origin} asks for,"),
    };
    let on = if platform == HOST { String::new() } else { format!(" for {platform}") };
    let arch = if platform == HOST { String::new() } else { format!(" --arch {}", platform.arch) };
    match wanted {
        Request::System => "there is no go on PATH but gvm's shims, and nothing is pinned here\n  \
                            to get one: gvm install stable && gvm default stable"
            .into(),
        _ => format!(
            "Go {wanted}{asked} is not installed{on}\n  to install it: gvm install{arch} {wanted}"
        ),
    }
}

fn run(system: &impl System, layout: &Layout, tool: &str, resolution: &Resolution) -> Plan {
    match &resolution.outcome {
        Outcome::Toolchain { version, goroot } => Plan::Run(Run {
            version: Some(*version),
            program: layout::tool(goroot, tool),
            activation: activation::for_process(system, layout, goroot),
            depth: None,
        }),
        Outcome::System { go: Some(go) } => run_system(system, layout, tool, go),
        Outcome::System { go: None } | Outcome::Missing => Plan::Missing {
            gvm: known_gvm(system, layout),
            root: layout.root().to_vec(),
            tool: tool.to_string(),
            message: missing(&resolution.pin, HOST),
        },
    }
}

fn run_system(system: &impl System, layout: &Layout, tool: &str, go: &[u8]) -> Plan {
    let depth = system
        .var(DEPTH_VARIABLE)
        .and_then(|value| core::str::from_utf8(&value).ok()?.parse().ok())
        .unwrap_or(0u32);
    if depth >= MAX_DEPTH {
        return stop(
            NOT_FOUND,
            format!(
                "{} runs gvm's shim again, so neither of them finds a Go\n  \
                 take the directory of one of the two out of PATH, or pin a version: gvm pin 1.22",
                display(go)
            ),
        );
    }
    let Some(program) = resolve::system_tool(system, layout, go, tool) else {
        return stop(NOT_FOUND, format!("there is no {tool} beside {}", display(go)));
    };
    Plan::Run(Run {
        program,
        version: None,
        activation: activation::for_system(system, layout),
        depth: Some(depth + 1),
    })
}

/// What to tell when the program is there in name only.
#[must_use]
pub fn cannot_run(program: &[u8], version: Option<Version>, why: &str) -> String {
    let program = display(program);
    match version {
        Some(version) => format!(
            "{program} cannot be run: {why}\n  to install it anew: gvm install --force {}",
            version.exact()
        ),
        None => format!("{program} cannot be run: {why}"),
    }
}

/// The gvm executable that made the shims, if it is still where it was.
fn known_gvm(system: &impl System, layout: &Layout) -> Option<Vec<u8>> {
    let gvm = system.read(&layout.gvm_path(), 32 << 10).ok()??;
    let gvm = gvm.trim_ascii_end();
    (path::is_absolute(gvm) && system.metadata(gvm)?.is_executable).then(|| gvm.to_vec())
}

fn stop(code: u8, message: String) -> Plan {
    Plan::Stop { code, message }
}
