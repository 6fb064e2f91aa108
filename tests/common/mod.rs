//! What the tests stand on: a home of their own, toolchains made in a moment,
//! a server on loopback, and real Go.
#![allow(dead_code, reason = "each test file takes what it needs")]
#![allow(clippy::disallowed_methods, reason = "a test that fails shows its line")]

pub mod archives;
pub mod executables;
pub mod hostile;
pub mod log;
pub mod published;
pub mod real_go;
pub mod server;
pub mod terminal;

use gvm::platform::Platform;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

pub const GVM: &str = env!("CARGO_BIN_EXE_gvm");

/// A person's machine: HOME, a store, and a place for repositories. Nothing of
/// the machine that runs the tests is in its environment but a few directories
/// of PATH that hold no go.
pub struct Machine {
    directory: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Machine {
    pub fn new() -> Self {
        // Below target/, so that it can share files with what is kept there.
        let target = env!("CARGO_TARGET_TMPDIR");
        let directory = tempfile::Builder::new().prefix("machine-").tempdir_in(target).unwrap();
        let machine = Self { directory };
        for path in [machine.home(), machine.work(), machine.bin()] {
            fs::create_dir_all(path).unwrap();
        }
        machine
    }

    /// Its path without symbolic links.
    pub fn path(&self) -> PathBuf {
        self.directory.path().canonicalize().unwrap()
    }

    pub fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    /// Where repositories are.
    pub fn work(&self) -> PathBuf {
        self.path().join("work")
    }

    /// A directory that is on PATH, for the system's go and other programs.
    pub fn bin(&self) -> PathBuf {
        self.path().join("bin")
    }

    pub fn root(&self) -> PathBuf {
        self.home().join(".local/share/gvm")
    }

    pub fn shims(&self) -> PathBuf {
        self.root().join("shims")
    }

    pub fn toolchain(&self, version: &str) -> PathBuf {
        self.root().join("toolchains").join(format!("{version}-{}", Platform::host()))
    }

    pub fn goroot(&self, version: &str) -> PathBuf {
        self.toolchain(version).join("go")
    }

    /// The versions that gvm lists.
    pub fn installed(&self) -> Vec<String> {
        let listed = self.gvm(&["list", "--json"]);
        let rows: serde_json::Value = serde_json::from_str(&listed.succeeded().stdout).unwrap();
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| row["version"].as_str().unwrap().to_string()).collect()
    }

    /// A command in the machine's environment and `work` directory.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:{}:/usr/bin:/bin", self.shims().display(), self.bin().display());
        command
            .env_clear()
            .env("HOME", self.home())
            .env("PATH", path)
            .env("LC_ALL", "C.UTF-8")
            // No test asks the real go.dev: it is not there everywhere.
            .env("GVM_DL_URL", "http://127.0.0.1:9")
            .env("GOPROXY", "off")
            .env("GOSUMDB", "off")
            .env("GVM_REQUIRE", "none")
            .current_dir(self.work())
            .stdin(Stdio::null());
        command
    }

    /// Runs gvm in `work`.
    pub fn gvm(&self, arguments: &[&str]) -> Ended {
        self.gvm_in(&self.work(), arguments)
    }

    pub fn gvm_in(&self, directory: &Path, arguments: &[&str]) -> Ended {
        run(self.command(GVM).args(arguments).current_dir(directory))
    }

    /// Runs the shim of that name.
    pub fn shim_in(&self, directory: &Path, name: &str, arguments: &[&str]) -> Ended {
        run(self.command(self.shims().join(name)).args(arguments).current_dir(directory))
    }

    /// Puts a toolchain into the store, as if it had been installed, whose `go`
    /// and `gofmt` are shell scripts that tell what they are and see:
    /// `go version` prints what the real one prints; `go env NAME` prints a
    /// variable; `go show ARGS` prints its arguments, a line each in brackets.
    pub fn fake(&self, version: &str) -> PathBuf {
        let goroot = self.goroot(version);
        fs::create_dir_all(goroot.join("bin")).unwrap();
        fs::write(goroot.join("VERSION"), format!("go{version}\n")).unwrap();
        write_script(&goroot.join("bin/go"), &fake_go(version));
        write_script(&goroot.join("bin/gofmt"), &format!("echo gofmt of {version}"));
        goroot
    }

    /// The shims for what is in the store.
    pub fn refresh_shims(&self) {
        // Whatever refreshes: a default that is set and taken away again.
        let shims = self.shims();
        let _ = fs::remove_dir_all(&shims);
        self.gvm(&["default", "system"]).succeeded();
        self.gvm(&["default", "--unset"]).succeeded();
        assert!(shims.join("go").exists());
    }

    /// A go of the system's, on PATH behind the shims.
    pub fn system_go(&self, version: &str) -> PathBuf {
        let goroot = self.path().join("system-go");
        fs::create_dir_all(goroot.join("bin")).unwrap();
        fs::write(goroot.join("VERSION"), format!("go{version}\n")).unwrap();
        for tool in ["go", "gofmt"] {
            let script =
                if tool == "go" { fake_go(version) } else { format!("echo gofmt of {version}") };
            write_script(&goroot.join("bin").join(tool), &script);
            let _ = fs::remove_file(self.bin().join(tool));
            std::os::unix::fs::symlink(goroot.join("bin").join(tool), self.bin().join(tool))
                .unwrap();
        }
        goroot
    }

    /// A directory below `work` with files in it.
    pub fn repository(&self, name: &str, files: &[(&str, &str)]) -> PathBuf {
        let directory = self.work().join(name);
        fs::create_dir_all(&directory).unwrap();
        for (file, content) in files {
            let file = directory.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        directory
    }
}

/// A machine with these toolchains and their shims.
pub fn machine_with(versions: &[&str]) -> Machine {
    let machine = Machine::new();
    for version in versions {
        machine.fake(version);
    }
    machine.refresh_shims();
    machine
}

/// `(printf …)` works in every sh, `echo` does not with backslashes.
fn fake_go(version: &str) -> String {
    format!(
        r#"case "$1" in
version) echo "go version go{version} {platform}" ;;
env) eval "printf '%s\n' \"\${{$2-<unset>}}\"" ;;
show) shift; for a; do printf '[%s]\n' "$a"; done ;;
which) command -v "$2" ;;
exit) exit "$2" ;;
cat) cat ;;
wait) trap 'echo terminated; exit 9' TERM; echo waiting; while :; do sleep 0.05; done ;;
run) shift; exec "$@" ;;
*) echo "go {version}: unknown command $1" >&2; exit 2 ;;
esac"#,
        platform = Platform::host().to_string().replace('-', "/")
    )
}

pub fn write_script(file: &Path, body: &str) {
    fs::write(file, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

impl Ended {
    fn of(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let status = output.status;
        Self {
            code: status.code().unwrap_or_else(|| -status.signal().unwrap_or(0)),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, 0, "{self:#?}");
        self
    }

    #[track_caller]
    pub fn failed(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    /// stderr says each of these.
    #[track_caller]
    pub fn saying(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.stderr.contains(part), "no {part:?} in {self:#?}");
        }
        self
    }

    #[track_caller]
    pub fn prints(self, stdout: &str) -> Self {
        assert_eq!(self.stdout, stdout, "{self:#?}");
        self
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// Runs a command to its end, which has to come within two minutes.
pub fn run(command: &mut Command) -> Ended {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    finish(child)
}

/// Waits for a child for two minutes at the most.
pub fn finish(child: std::process::Child) -> Ended {
    let id = child.id();
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    match ended.recv_timeout(Duration::from_secs(120)) {
        Ok(output) => Ended::of(output.unwrap()),
        Err(_) => {
            let _ = Command::new("kill").args(["-9", &id.to_string()]).status();
            panic!("process {id} did not end within two minutes");
        }
    }
}

/// Looks every few milliseconds until it is so, for twenty seconds at the most.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(20), "not within twenty seconds: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
