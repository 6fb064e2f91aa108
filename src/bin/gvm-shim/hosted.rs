//! The shim where `std` carries it: macOS, Windows, and Linux on other
//! architectures.

#[path = "../../host.rs"]
mod host;

use gvm_hot::hook::{self, Activated};
use gvm_hot::path;
use gvm_hot::shim::{self, CANNOT_RUN, NOT_FOUND, Plan};
use host::{Host, bytes, os};
use std::env;
use std::io::{self, ErrorKind, Write};
use std::process::{Command, exit};

pub fn main() {
    let own = env::current_exe().map(|exe| bytes(exe.into_os_string())).unwrap_or_default();
    if path::file_name(&own).strip_suffix(path::EXE_SUFFIX.as_bytes()) == Some(hook::PROGRAM) {
        refresh();
    }
    match shim::plan(&Host, &own) {
        Plan::Run(run) => {
            let (program, version) = (run.program.clone(), run.version);
            let mut command = Command::new(os(&program));
            command.args(env::args_os().skip(1));
            for (name, value) in run.changes() {
                match value {
                    Some(value) => command.env(name, os(&value)),
                    None => command.env_remove(name),
                };
            }
            let error = replace(&mut command);
            let code = if error.kind() == ErrorKind::NotFound { NOT_FOUND } else { CANNOT_RUN };
            stop(code, &shim::cannot_run(&program, version, &error.to_string()));
        }
        Plan::Missing { gvm, root, tool, message } => {
            if let Some(gvm) = gvm {
                let mut command = Command::new(os(&gvm));
                command
                    .arg("__shim")
                    .arg(os(&root))
                    .args(["--", &tool])
                    .args(env::args_os().skip(1));
                let _ = replace(&mut command);
            }
            stop(NOT_FOUND, &message);
        }
        Plan::Stop { code, message } => stop(code, &message),
    }
}

/// Answers a shell's hook.
fn refresh() -> ! {
    let arguments: Vec<_> = env::args_os().skip(1).map(bytes).collect();
    match hook::refresh(&Host, arguments.iter().map(Vec::as_slice)) {
        Some(Activated { statements, hint }) => {
            if let Some(hint) = hint {
                eprintln!("gvm: {hint}");
            }
            // A reader that hangs up is no error.
            let _ = io::stdout().write_all(statements.as_bytes());
            exit(0)
        }
        None => exit(i32::from(CANNOT_RUN)),
    }
}

fn stop(code: u8, message: &str) -> ! {
    eprintln!("gvm: {message}");
    exit(i32::from(code))
}

/// Becomes `command`; comes back only if that failed.
#[cfg(unix)]
fn replace(command: &mut Command) -> io::Error {
    use std::os::unix::process::CommandExt;
    command.exec()
}

/// Runs `command` and ends with its exit code; comes back only if it could not
/// be started.
#[cfg(windows)]
fn replace(command: &mut Command) -> io::Error {
    match command.status() {
        Ok(status) => exit(status.code().unwrap_or(i32::from(CANNOT_RUN))),
        Err(error) => error,
    }
}
