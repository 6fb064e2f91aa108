//! The other version managers, where they are there, each set up in a home of its own
//! as its users have it.

use super::common::Machine;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How each of them is had; part of `--help`.
pub const HELP: &str = "\
Others are measured where they are found on PATH:
  mise     npm install -g @jdxcode/mise
  fnm      cargo install fnm (it manages Node.js: its prompt is measured)
  rustup   the cargo on PATH that is rustup's proxy, against the one behind it
  goenv    https://github.com/go-nv/goenv, its directory bin on PATH";

/// A program on PATH.
pub fn find(name: &str) -> Option<PathBuf> {
    which::which(name).ok()
}

/// Where it is said that one is missing.
pub fn missing(name: &str) -> String {
    format!("{name}, which is not on PATH")
}

/// mise with one Go, the machine's real one.
pub struct Mise {
    pub program: PathBuf,
    data: PathBuf,
}

impl Mise {
    pub fn set_up(machine: &Machine, versions: &[(&str, &Path)]) -> Option<Self> {
        let program = find("mise")?.canonicalize().ok()?;
        let data = machine.path().join("mise");
        for (version, goroot) in versions {
            let install = data.join("installs/go").join(version);
            fs::create_dir_all(install.parent().unwrap()).unwrap();
            symlink(goroot, &install).unwrap();
        }
        let mise = Self { program, data };
        let mut reshim = machine.command(&mise.program);
        mise.environment(&mut reshim);
        let reshimmed = reshim.arg("reshim").output().is_ok_and(|output| output.status.success());
        (reshimmed && mise.shim("go").exists()).then_some(mise)
    }

    pub fn environment(&self, command: &mut Command) {
        command.env("MISE_DATA_DIR", &self.data);
        command.env("MISE_CACHE_DIR", self.data.join("cache"));
        command.env("MISE_CONFIG_DIR", self.data.join("config"));
        command.env("MISE_STATE_DIR", self.data.join("state"));
        command.env("MISE_OFFLINE", "1").env("MISE_YES", "1");
    }

    pub fn shim(&self, tool: &str) -> PathBuf {
        self.data.join("shims").join(tool)
    }
}

/// fnm with versions of Node.js that are nothing but a script.
pub struct Fnm {
    pub program: PathBuf,
    data: PathBuf,
}

impl Fnm {
    pub fn set_up(machine: &Machine, versions: &[&str]) -> Option<Self> {
        let program = find("fnm")?.canonicalize().ok()?;
        let data = machine.path().join("fnm");
        for version in versions {
            let bin = data.join("node-versions").join(version).join("installation/bin");
            fs::create_dir_all(&bin).unwrap();
            super::common::write_script(&bin.join("node"), &format!("echo {version}"));
        }
        Some(Self { program, data })
    }

    pub fn environment(&self, command: &mut Command) {
        command.env("FNM_DIR", &self.data).env("FNM_LOGLEVEL", "quiet");
        command.env("XDG_RUNTIME_DIR", &self.data);
        // Its hooks call it by its name.
        let bin = self.program.parent().unwrap().display().to_string();
        command.env("PATH", format!("{bin}:/usr/bin:/bin"));
    }
}

/// goenv with one Go.
pub struct Goenv {
    pub program: PathBuf,
    root: PathBuf,
}

impl Goenv {
    pub fn set_up(machine: &Machine, versions: &[(&str, &Path)]) -> Option<Self> {
        let program = find("goenv")?.canonicalize().ok()?;
        let root = machine.path().join("goenv");
        fs::create_dir_all(root.join("versions")).unwrap();
        for (version, goroot) in versions {
            symlink(goroot, root.join("versions").join(version)).unwrap();
        }
        let goenv = Self { program, root };
        let mut rehash = machine.command(&goenv.program);
        goenv.environment(&mut rehash);
        let rehashed = rehash.arg("rehash").output().is_ok_and(|output| output.status.success());
        (rehashed && goenv.shim("go").exists()).then_some(goenv)
    }

    pub fn environment(&self, command: &mut Command) {
        let bin = self.program.parent().unwrap().display().to_string();
        command.env("GOENV_ROOT", &self.root).env("PATH", format!("{bin}:/usr/bin:/bin"));
    }

    pub fn shim(&self, tool: &str) -> PathBuf {
        self.root.join("shims").join(tool)
    }
}

/// rustup's proxy for cargo, and the cargo that it runs.
pub fn rustup() -> Option<(PathBuf, PathBuf)> {
    let proxy = find("cargo")?;
    let real = Command::new(find("rustup")?).args(["which", "cargo"]).output().ok()?;
    let real = PathBuf::from(String::from_utf8(real.stdout).ok()?.trim());
    (real.is_file() && real != proxy).then_some((proxy, real))
}
