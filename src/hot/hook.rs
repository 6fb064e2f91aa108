//! What a shell's hook evaluates when the version changes.

use crate::activation::Place;
use crate::layout::{HOST, Layout};
use crate::resolve::{self, Outcome};
use crate::shell::{self, Shell};
use crate::shim;
use crate::system::System;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The name under which the shim's executable answers hooks.
pub const PROGRAM: &[u8] = b"gvm-shim";

/// Text for the shell, and for the person in front of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Activated {
    /// Statements that make this directory's version the shell's.
    pub statements: String,
    /// What is wrong here, if the shell has not said it before.
    pub hint: Option<String>,
}

/// What changes in the shell. What is wrong is hinted once, and the shell goes on
/// without a version of ours: the shim says the same, and does not run another one in
/// its place.
pub fn activate(
    system: &impl System,
    layout: &Layout,
    shell: Shell,
    place: Place,
    hinted: &[u8],
) -> Activated {
    let (goroot, mut hint) = match resolve::resolve(system, layout, HOST) {
        Err(error) => (None, shim::Hinted(&error).to_string()),
        Ok(resolution) => match resolution.outcome {
            Outcome::Toolchain { goroot, .. } => (Some(goroot), String::new()),
            Outcome::System { .. } => (None, String::new()),
            Outcome::Missing => (None, shim::missing(&resolution.pin, HOST)),
        },
    };
    let (changes, rival) = shell::activate(system, layout, goroot.as_deref(), place);
    if let Some(rival) = rival {
        hint = shell::rival_hint(&rival);
    }
    Activated {
        statements: shell.statements(&changes) + &shell.remember_hint(&hint),
        hint: (!hint.is_empty() && hint.as_bytes() != hinted).then_some(hint),
    }
}

/// Answers `hook SHELL --refresh --hinted HINT`, the arguments that the hooks' scripts
/// give. `None` where gvm has to answer: for other arguments, and where there is no
/// telling which store it would take.
pub fn refresh<'a>(
    system: &impl System,
    arguments: impl IntoIterator<Item = &'a [u8]>,
) -> Option<Activated> {
    let arguments: Vec<&[u8]> = arguments.into_iter().collect();
    let [b"hook", shell, b"--refresh", b"--hinted", hinted] = arguments[..] else { return None };
    let shell = Shell::named(shell)?;
    let layout = match Layout::from_variable(system).ok()? {
        // gvm tells why it does not take that of another manager for its own.
        Some(layout) if layout.is_moovweb(system) => return None,
        Some(layout) => layout,
        None => Layout::of_home(system).ok()?,
    };
    Some(activate(system, &layout, shell, Place::AsIs, hinted))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::{Metadata, Unreadable};

    /// A machine with nothing on it but a home directory.
    struct Bare;

    impl System for Bare {
        fn var(&self, name: &str) -> Option<Vec<u8>> {
            (name == "HOME").then(|| b"/home/user".to_vec())
        }
        fn current_dir(&self) -> Option<Vec<u8>> {
            Some(b"/".to_vec())
        }
        fn read(&self, _: &[u8], _: usize) -> Result<Option<Vec<u8>>, Unreadable> {
            Ok(None)
        }
        fn read_dir(&self, _: &[u8], _: &mut dyn FnMut(&[u8])) {}
        fn metadata(&self, _: &[u8]) -> Option<Metadata> {
            None
        }
    }

    #[cfg(unix)]
    #[test]
    fn only_what_the_scripts_ask_is_answered() {
        let answers = |arguments: &[&str]| {
            refresh(&Bare, arguments.iter().map(|argument| argument.as_bytes())).is_some()
        };
        assert!(answers(&["hook", "bash", "--refresh", "--hinted", ""]));
        assert!(answers(&["hook", "fish", "--refresh", "--hinted", "x"]));
        for other in [
            &["hook", "bash"][..],
            &["hook", "bash", "--refresh"],
            &["hook", "bash", "--refresh", "--hinted"],
            &["hook", "bash", "--refresh", "--hinted", "", "x"],
            &["hook", "ksh", "--refresh", "--hinted", ""],
            &["env", "bash", "--refresh", "--hinted", ""],
            &[],
        ] {
            assert!(!answers(other), "{other:?}");
        }
    }
}
