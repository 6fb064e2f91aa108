//! Releases as they are published: go.dev/dl and a module proxy, on loopback or
//! in a directory.

use super::archives::{self, File};
use super::log::part;
use super::server::{Answer, Request, Server};
use super::{Ended, GVM, Machine, run};
use gvm::platform::Platform;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a place with the layout of go.dev/dl publishes.
#[derive(Clone, Default)]
pub struct GoDev {
    pub releases: Vec<Value>,
    pub files: BTreeMap<String, Vec<u8>>,
}

const INDEX: &str = "/dl/?mode=json&include=all";

impl GoDev {
    /// A small Go of each version, for this machine.
    pub fn of(versions: &[&str]) -> Self {
        let mut published = Self::default();
        for version in versions {
            published.add(version, &archives::tar_gz(&archives::tree(version)));
        }
        published
    }

    /// Adds an archive for this machine under the name that it has on go.dev.
    pub fn add(&mut self, version: &str, archive: &[u8]) {
        self.add_file(version, &archives::file_name(version), archive);
    }

    pub fn add_file(&mut self, version: &str, file: &str, archive: &[u8]) {
        let sha256 = archives::sha256(archive).to_string();
        self.announce(version, file, &sha256, archive.len() as u64);
        self.files.insert(file.into(), archive.into());
    }

    /// Puts a file into the index alone.
    pub fn announce(&mut self, version: &str, file: &str, sha256: &str, size: u64) {
        let name = format!("go{version}");
        let file = json!({
            "filename": file, "os": "", "arch": "", "version": name,
            "sha256": sha256, "size": size, "kind": "archive",
        });
        match self.releases.iter_mut().find(|release| release["version"] == name) {
            Some(release) => release["files"].as_array_mut().unwrap().push(file),
            None => {
                let stable = !["rc", "beta"].iter().any(|pre| version.contains(pre));
                self.releases.push(json!({"version": name, "stable": stable, "files": [file]}));
            }
        }
    }

    pub fn index(&self) -> String {
        Value::from(self.releases.clone()).to_string()
    }

    /// The archive of a version for this machine.
    pub fn archive(&self, version: &str) -> &[u8] {
        &self.files[&archives::file_name(version)]
    }

    /// As go.dev answers: the index with an ETag, archives by way of another place.
    fn answer(&self, request: &Request) -> Answer {
        if request.path == INDEX {
            let index = self.index();
            let etag = format!("\"{}\"", archives::sha256(index.as_bytes()));
            if request.headers.get("if-none-match") == Some(&etag) {
                return Answer::new(304, "application/json", "").header("ETag", &etag);
            }
            return Answer::new(200, "application/json", index).header("ETag", &etag);
        }
        let file = |under: &str| {
            let name = request.path.strip_prefix(under)?;
            self.files.get_key_value(name)
        };
        if let Some((name, _)) = file("/dl/") {
            return Answer::redirect(&format!("/elsewhere/{name}"));
        }
        match file("/elsewhere/") {
            Some((_, content)) => Answer::ok(content.clone()),
            None => Answer::not_found(),
        }
    }

    pub fn serve(self) -> Server {
        self.serve_with(|_, answer| answer)
    }

    /// Serves, and lets a test put something else in place of an answer.
    pub fn serve_with(
        self,
        alter: impl Fn(&Request, Answer) -> Answer + Send + Sync + 'static,
    ) -> Server {
        Server::start(move |request| alter(request, self.answer(request)))
    }

    pub fn write_to(&self, directory: &Path) {
        fs::create_dir_all(directory).unwrap();
        fs::write(directory.join("index.json"), self.index()).unwrap();
        for (name, content) in &self.files {
            fs::write(directory.join(name), content).unwrap();
        }
    }
}

/// What a module proxy has of `golang.org/toolchain`, by the path behind the
/// proxy's URL.
#[derive(Clone, Default)]
pub struct Modules {
    pub files: BTreeMap<String, Vec<u8>>,
}

const MODULE: &str = "golang.org/toolchain/@v";

impl Modules {
    /// A small Go of each version, for this machine, and a list that names them.
    pub fn of(versions: &[&str]) -> Self {
        Self::listing(versions, versions)
    }

    /// What is listed, and what is there.
    pub fn listing(listed: &[&str], versions: &[&str]) -> Self {
        let mut modules = Self::default();
        let platform = Platform::host();
        let list: String =
            listed.iter().map(|version| format!("v0.0.1-go{version}.{platform}\n")).collect();
        modules.files.insert(format!("{MODULE}/list"), list.into());
        for version in versions {
            let zip = archives::module_zip(version, &platform, &archives::tree(version));
            modules.add(version, &zip);
        }
        modules
    }

    pub fn add(&mut self, version: &str, zip: &[u8]) {
        let name = format!("{MODULE}/v0.0.1-go{version}.{}", Platform::host());
        let info = json!({"Version": name.rsplit('/').next()}).to_string();
        self.files.insert(format!("{name}.info"), info.into());
        self.files.insert(format!("{name}.mod"), "module golang.org/toolchain\n".into());
        self.files.insert(format!("{name}.zip"), zip.into());
    }

    /// A proxy with a sentence of its own for what it does not have.
    fn answer(&self, request: &Request) -> Answer {
        match self.files.get(request.path.trim_start_matches('/')) {
            Some(content) => part(request, content).unwrap_or_else(|| Answer::ok(content.clone())),
            None => Answer::new(404, "text/plain; charset=utf-8", "not found: no such toolchain\n"),
        }
    }

    pub fn serve(self) -> Server {
        self.serve_with(|_, answer| answer)
    }

    pub fn serve_with(
        self,
        alter: impl Fn(&Request, Answer) -> Answer + Send + Sync + 'static,
    ) -> Server {
        Server::start(move |request| alter(request, self.answer(request)))
    }

    /// As a module cache keeps what it has downloaded.
    pub fn write_to(&self, directory: &Path) {
        for (name, content) in &self.files {
            let file = directory.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
    }
}

/// The base URL of a server that publishes as go.dev does.
pub fn dl(server: &Server) -> String {
    format!("{}/dl", server.url())
}

/// The name of a version's zip in a module proxy.
pub fn zip_name(version: &str) -> String {
    format!("v0.0.1-go{version}.{}.zip", Platform::host())
}

impl Machine {
    /// Runs gvm in `work` with variables; an empty value is as good as none.
    pub fn gvm_with(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
        run(self.command(GVM).args(arguments).envs(variables.iter().copied()))
    }

    /// Runs gvm with a place like go.dev and no module proxy.
    pub fn gvm_at(&self, server: &Server, arguments: &[&str]) -> Ended {
        self.gvm_with(&[("GVM_DL_URL", &dl(server))], arguments)
    }

    /// Runs gvm with module proxies and no place like go.dev.
    pub fn gvm_by(&self, goproxy: &str, arguments: &[&str]) -> Ended {
        self.gvm_with(&[("GOPROXY", goproxy)], arguments)
    }

    /// Writes `config.toml`.
    pub fn config(&self, text: &str) {
        fs::create_dir_all(self.root()).unwrap();
        fs::write(self.root().join("config.toml"), text).unwrap();
    }

    /// gvm as somebody whom permissions bind.
    pub fn gvm_bound_by_permissions(&self) -> Command {
        self.bound_by_permissions(GVM)
    }

    /// A program as somebody whom permissions bind: where root runs the tests,
    /// without what root may.
    pub fn bound_by_permissions(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        if fs::metadata(self.path()).unwrap().uid() != 0 {
            return self.command(program);
        }
        let mut command = self.command("setpriv");
        command.args(["--bounding-set=-all", "--inh-caps=-all"]).arg(program);
        command
    }

    pub fn receipt(&self, version: &str) -> Value {
        let text = fs::read_to_string(self.toolchain(version).join("receipt.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    /// Nothing counts as installed, nothing is left in `toolchains/`.
    #[track_caller]
    pub fn has_nothing_installed(&self) {
        assert_eq!(self.installed(), [""; 0]);
        assert_eq!(names_in(&self.root().join("toolchains")), [""; 0]);
    }

    /// Nothing is left of what was under way.
    #[track_caller]
    pub fn has_nothing_staged(&self) {
        assert_eq!(names_in(&self.root().join("tmp")), [""; 0]);
    }

    /// The toolchain is the small Go of that version, whole.
    #[track_caller]
    pub fn has_whole(&self, version: &str) {
        assert_is_whole(&self.goroot(version), &archives::tree(version));
        assert!(self.shims().join(format!("go{version}")).is_file());
    }
}

/// Every file of `files` is there with its content and mode, and no others are.
/// What the checksum database does not cover may be there or not: that depends on
/// who vouches for the archive (see proof.rs).
#[track_caller]
pub fn assert_is_whole(goroot: &Path, files: &[File]) {
    let mut expected = BTreeMap::new();
    for (path, content, executable) in files {
        expected
            .insert(goroot.join(path), archives::sha256(content).to_string() + mark(*executable));
    }
    let mut found: BTreeMap<_, _> = snapshot(goroot);
    let uncovered = goroot.join("test");
    expected.retain(|path, _| !path.starts_with(&uncovered));
    found.retain(|path, _| !path.starts_with(&uncovered));
    assert_eq!(found, expected);
}

fn mark(executable: bool) -> &'static str {
    if executable { " x" } else { "" }
}

/// The names in a directory, sorted; none where there is no directory.
pub fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// All that is below a directory but directories: digests of files, and what
/// else there is by its kind.
pub fn snapshot(directory: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = everything(directory);
    found.retain(|_, what| what != "directory");
    found
}

/// As [`snapshot`], with directories.
pub fn everything(directory: &Path) -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut pending = vec![directory.to_path_buf()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let what = if metadata.is_dir() {
                pending.push(path.clone());
                "directory".into()
            } else if metadata.is_file() {
                let digest = archives::sha256(&fs::read(&path).unwrap()).to_string();
                digest + mark(metadata.mode() & 0o111 != 0)
            } else {
                format!("{:?}", metadata.file_type())
            };
            found.insert(path, what);
        }
    }
    found
}
