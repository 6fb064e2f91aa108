//! The hash of a Go tree as go.sum and the checksum database write it.
//!
//! `h1:` and the base64 of the SHA-256 of the lines `digest␠␠name\n`, sorted by
//! name (golang.org/x/mod/sumdb/dirhash, Hash1). The names are those of the
//! module zip: the binary distribution without five top-level directories, with
//! every `go.mod` renamed `_go.mod` (src/cmd/distpack/pack.go), so the tree of any
//! official archive has the h1 of the module.

use super::sha256::{Hasher, Sha256};
use crate::platform::Platform;
use crate::version::Version;
use base64::Engine;
use std::collections::BTreeMap;

/// The module that toolchains are published as.
pub const TOOLCHAIN_MODULE: &str = "golang.org/toolchain";

/// What the module leaves out of the distribution.
const LEFT_OUT: [&str; 5] = ["api/", "doc/", "misc/", "test/", ".github/"];

/// The module's version of a toolchain: `v0.0.1-go1.22.4.linux-amd64`.
#[must_use]
pub fn module_version(version: Version, platform: &Platform) -> String {
    format!("v0.0.1-go{version}.{platform}")
}

/// What the name of each file in the module zip begins with.
#[must_use]
pub fn module_prefix(version: Version, platform: &Platform) -> String {
    format!("{TOOLCHAIN_MODULE}@{}/", module_version(version, platform))
}

/// Whether the module leaves a file of the distribution out, so that the checksum
/// database says nothing about it.
#[must_use]
pub fn is_left_out(path: &str) -> bool {
    LEFT_OUT.iter().any(|directory| path.starts_with(directory))
}

/// The go.env of every release that has one (1.21 to 1.27, read from their module
/// zips). It is the file that images of containers edit.
const GO_ENV: &str = "98fcab78e155e9fa0c36b18874add30724d04c2452078117c78618107ebfbc9e";

/// The digest of the official go.env.
#[must_use]
pub fn official_go_env() -> Option<Sha256> {
    Sha256::parse(GO_ENV)
}

/// The digests of the files of a GOROOT, by path with slashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    files: BTreeMap<String, Sha256>,
}

impl Tree {
    /// Adds the files of another tree.
    pub fn extend(&mut self, other: Self) {
        self.files.extend(other.files);
    }

    /// Adds a file by its path in GOROOT, with slashes.
    pub fn add(&mut self, path: impl Into<String>, digest: Sha256) {
        self.files.insert(path.into(), digest);
    }

    /// All files, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = (&str, Sha256)> {
        self.files.iter().map(|(path, digest)| (path.as_str(), *digest))
    }

    #[must_use]
    pub fn get(&self, path: &str) -> Option<Sha256> {
        self.files.get(path).copied()
    }

    /// The hash, with the names under `prefix`; what the module leaves out does
    /// not count.
    #[must_use]
    pub fn h1(&self, prefix: &str) -> String {
        let covered = self.files.iter().filter(|(path, _)| !is_left_out(path));
        let mut named: Vec<_> =
            covered.map(|(path, digest)| (module_name(path), *digest)).collect();
        named.sort();
        let mut summary = Hasher::default();
        for (name, digest) in named {
            summary.update(format!("{digest}  {prefix}{name}\n").as_bytes());
        }
        let base64 = base64::engine::general_purpose::STANDARD;
        format!("h1:{}", base64.encode(summary.finish().0))
    }

    /// Whether the tree would have that hash if its go.env, which is there, were the
    /// official one.
    #[must_use]
    pub fn is_but_for_go_env(&self, prefix: &str, h1: &str) -> bool {
        let Some(official) = official_go_env() else { return false };
        let mut tree = self.clone();
        tree.files.insert("go.env".into(), official).is_some() && tree.h1(prefix) == h1
    }

    /// Lines of `digest␠␠path`, as sha256sum(1) writes and checks them.
    #[must_use]
    pub fn manifest(&self) -> String {
        self.files.iter().map(|(path, digest)| format!("{digest}  {path}\n")).collect()
    }

    /// Reads what [`Tree::manifest`] wrote; `None` when it is not whole.
    #[must_use]
    pub fn parse_manifest(text: &str) -> Option<Self> {
        let mut tree = Self::default();
        for line in text.strip_suffix('\n')?.split('\n') {
            let (digest, path) = line.split_once("  ")?;
            let is_inside = !path.split('/').any(|part| matches!(part, "" | "." | ".."));
            tree.files.insert(is_inside.then(|| path.into())?, Sha256::parse(digest)?);
        }
        Some(tree)
    }
}

/// The name of a file in the module, without the prefix.
fn module_name(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((directory, "go.mod")) => format!("{directory}/_go.mod"),
        None if path == "go.mod" => "_go.mod".into(),
        _ => path.into(),
    }
}

/// A path in GOROOT by the full name in a module zip.
///
/// # Errors
/// A clause about the name: no module zip of that prefix has it.
pub fn path_of_member(prefix: &str, name: &str) -> Result<String, String> {
    let path = name.strip_prefix(prefix).ok_or_else(|| format!("is not under {prefix}"))?;
    if is_left_out(path) {
        return Err("is in no module zip".into());
    }
    if path.rsplit('/').next() == Some("go.mod") {
        return Err("is in no module zip: it holds them as _go.mod".into());
    }
    Ok(goroot_path(path))
}

/// A path in GOROOT by its name in the module, without the prefix.
#[must_use]
pub fn goroot_path(name: &str) -> String {
    match name.rsplit_once('/') {
        Some((directory, "_go.mod")) => format!("{directory}/go.mod"),
        None if name == "_go.mod" => "go.mod".into(),
        _ => name.into(),
    }
}

/// The go.mod line of every toolchain in go.sum's form: they all have the same one.
pub const TOOLCHAIN_GO_MOD: &str = "h1:8wlg68NqwW7eMnI1aABk/C2pDYXj8mrMY4TyRfiLeS0=";

/// The h1 of a go.mod by itself, as the second line of a record has it.
#[must_use]
pub fn of_go_mod(digest: Sha256) -> String {
    // Not through `Tree`, which has the names of a zip.
    let mut summary = Hasher::default();
    summary.update(format!("{digest}  go.mod\n").as_bytes());
    format!("h1:{}", base64::engine::general_purpose::STANDARD.encode(summary.finish().0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(content: &[u8]) -> Sha256 {
        let mut hasher = Hasher::default();
        hasher.update(content);
        hasher.finish()
    }

    #[test]
    fn every_toolchain_has_the_same_go_mod() {
        assert_eq!(of_go_mod(digest(b"module golang.org/toolchain\n")), TOOLCHAIN_GO_MOD);
    }

    #[test]
    fn the_form_is_that_of_the_module() {
        let hash = |files: &[(&str, &[u8])]| {
            let mut tree = Tree::default();
            files.iter().for_each(|(path, content)| tree.add(*path, digest(content)));
            tree.h1("m@v1/")
        };
        let module = hash(&[("src/_go.mod", b"module std"), ("VERSION", b"go1.22")]);
        let distribution = hash(&[
            ("VERSION", b"go1.22"),
            ("api/go1.txt", b"x"),
            ("src/go.mod", b"module std"),
            ("test/a/go.mod", b"x"),
        ]);
        assert_eq!(module, distribution);
        assert_ne!(module, hash(&[("VERSION", b"go1.22"), ("src/_go.mod", b"module std!")]));
    }

    #[test]
    fn a_manifest_is_read_back_or_not_at_all() {
        let mut tree = Tree::default();
        tree.add("src/go.mod", digest(b"a"));
        tree.add("test/a b.go", digest(b"b"));
        let text = tree.manifest();
        assert_eq!(Tree::parse_manifest(&text), Some(tree));
        assert_eq!(Tree::parse_manifest(text.trim_end()), None, "cut");
        for path in ["../x", "/x", "a//b", "a/./b", ""] {
            let line = format!("{}  {path}\n", digest(b"a"));
            assert_eq!(Tree::parse_manifest(&line), None, "{path}");
        }
    }
}
