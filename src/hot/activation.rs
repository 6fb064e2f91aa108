//! What changes in an environment so that a toolchain is the one that runs,
//! and how to undo it.
//!
//! GOROOT and PATH change together or not at all: a GOROOT of one version with
//! the go command of another breaks every build.

use crate::layout::{self, Layout};
use crate::path::{self, LIST_SEPARATOR};
use crate::system::System;
use alloc::vec::Vec;

/// The GOROOT that a hook put into a shell: what to take out again.
pub const ACTIVE_VARIABLE: &str = "GVM_ACTIVE_GOROOT";
/// The GOROOT that the user had before: what to put back.
pub const SAVED_VARIABLE: &str = "GVM_SAVED_GOROOT";

/// The environment that a tool runs in. `None` unsets a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    pub goroot: Option<Vec<u8>>,
    /// `None` leaves PATH as it is.
    pub path: Option<Vec<u8>>,
}

/// For a process that is about to run a tool of `goroot`: its `bin` comes first,
/// so that whatever that tool starts finds the same toolchain. The shims are on
/// PATH as well, if need be at its end, because there the go command looks for
/// `go1.X.Y` before it downloads one.
pub fn for_process(system: &impl System, layout: &Layout, goroot: &[u8]) -> Activation {
    let list = system.var("PATH").unwrap_or_default();
    let bin = layout::bin(goroot);
    let shims = layout.shims();
    let mut new = bin.clone();
    let mut has_shims = false;
    for (at, entry) in path::entries(&list).enumerate() {
        has_shims |= path::same_entry(entry, &shims);
        let again = at == 0 && path::same_entry(entry, &bin);
        if !list.is_empty() && !again {
            push(&mut new, entry);
        }
    }
    if !has_shims {
        push(&mut new, &shims);
    }
    Activation { goroot: Some(goroot.to_vec()), path: Some(new) }
}

/// For a process that is about to run the system's tool: a GOROOT of ours would
/// break it, the user's own stays.
pub fn for_system(system: &impl System, layout: &Layout) -> Activation {
    let goroot = match system.var(ACTIVE_VARIABLE) {
        Some(_) => users_goroot(system, layout),
        None => system.var("GOROOT").filter(|goroot| !is_ours(goroot, layout)),
    };
    Activation { goroot, path: None }
}

/// The GOROOT that the user has set, with ours set aside.
pub fn users_goroot(system: &impl System, layout: &Layout) -> Option<Vec<u8>> {
    let goroot = system.var("GOROOT").filter(|goroot| !goroot.is_empty());
    match system.var(ACTIVE_VARIABLE).filter(|active| !active.is_empty()) {
        // What we put there is still there: what was before it counts.
        Some(active) if goroot.as_ref() == Some(&active) => {
            system.var(SAVED_VARIABLE).filter(|saved| !saved.is_empty())
        }
        _ => goroot.filter(|goroot| !is_ours(goroot, layout)),
    }
}

fn is_ours(goroot: &[u8], layout: &Layout) -> bool {
    path::is_within(goroot, &layout.toolchains())
}

/// PATH for an interactive shell: the shims, behind them the `bin` of the active
/// toolchain, and the user's entries in their order.
///
/// The shims stand before `bin`, so that a script that changes its directory,
/// where no hook runs, gets the version of that directory too.
pub fn shell_path(
    system: &impl System,
    layout: &Layout,
    goroot: Option<&[u8]>,
    place: Place,
) -> Vec<u8> {
    let list = system.var("PATH").unwrap_or_default();
    let shims = layout.shims();
    let bin = goroot.map(layout::bin);
    let old_bin = system.var(ACTIVE_VARIABLE).map(|active| layout::bin(&active));
    let is_old = |entry: &[u8]| {
        [&old_bin, &bin].into_iter().flatten().any(|bin| path::same_entry(entry, bin))
    };
    let has_shims = path::entries(&list).any(|entry| path::same_entry(entry, &shims));
    let in_front = place == Place::Front || !has_shims;

    let mut entries: Vec<&[u8]> = Vec::new();
    if in_front {
        entries.push(&shims);
        entries.extend(bin.as_deref());
    }
    let mut placed = in_front;
    for entry in path::entries(&list).filter(|_| !list.is_empty()) {
        if is_old(entry) {
            continue;
        }
        if path::same_entry(entry, &shims) {
            if !placed {
                placed = true;
                entries.push(&shims);
                entries.extend(bin.as_deref());
            }
            continue;
        }
        entries.push(entry);
    }
    entries.join(&LIST_SEPARATOR)
}

/// Where the shims go in a shell's PATH.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// To the front: when the hook is set up.
    Front,
    /// Where the user has put them meanwhile.
    AsIs,
}

fn push(list: &mut Vec<u8>, entry: &[u8]) {
    list.push(LIST_SEPARATOR);
    list.extend_from_slice(entry);
}

/// PATH with `directory` in front.
pub fn path_with(system: &impl System, directory: &[u8]) -> Vec<u8> {
    let mut new = directory.to_vec();
    match system.var("PATH") {
        Some(list) if !list.is_empty() => push(&mut new, &list),
        _ => {}
    }
    new
}

/// A go on PATH that comes before the shims, and so is the one that runs.
pub fn rival(system: &impl System, layout: &Layout) -> Option<Vec<u8>> {
    let list = system.var("PATH")?;
    let shims = layout.shims();
    let mut before = path::entries(&list)
        .take_while(|entry| !path::same_entry(entry, &shims))
        .filter(|entry| !path::is_within(entry, &layout.toolchains()));
    if !path::entries(&list).any(|entry| path::same_entry(entry, &shims)) {
        return None;
    }
    before.find_map(|entry| {
        let go = path::join_exe(if entry.is_empty() { b"." } else { entry }, "go");
        system.metadata(&go)?.is_executable.then_some(go)
    })
}
