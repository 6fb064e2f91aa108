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

/// Collects the files of a GOROOT.
#[derive(Debug, Default)]
pub struct Tree {
    files: Vec<(String, Sha256)>,
}

impl Tree {
    /// Adds a file by its path in GOROOT, with slashes; one that the module
    /// leaves out does not count.
    pub fn add(&mut self, path: &str, digest: Sha256) {
        if is_left_out(path) {
            return;
        }
        let name = match path.rsplit_once('/') {
            Some((directory, "go.mod")) => format!("{directory}/_go.mod"),
            None if path == "go.mod" => "_go.mod".into(),
            _ => path.into(),
        };
        self.files.push((name, digest));
    }

    /// The hash, with the names under `prefix`.
    #[must_use]
    pub fn h1(mut self, prefix: &str) -> String {
        self.files.sort();
        let mut summary = Hasher::default();
        for (name, digest) in &self.files {
            summary.update(format!("{digest}  {prefix}{name}\n").as_bytes());
        }
        let base64 = base64::engine::general_purpose::STANDARD;
        format!("h1:{}", base64.encode(summary.finish().0))
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

/// The h1 of an unpacked tree, read from the disk.
///
/// # Errors
/// A file cannot be read, or the tree holds something that no official one has:
/// a symbolic link, a device, a name that is not UTF-8.
pub fn of_goroot(
    goroot: &std::path::Path,
    version: Version,
    platform: &Platform,
) -> std::io::Result<String> {
    let mut tree = Tree::default();
    let mut buffer = vec![0; 1 << 20];
    add_directory(goroot, "", &mut tree, &mut buffer)?;
    Ok(tree.h1(&module_prefix(version, platform)))
}

fn add_directory(
    directory: &std::path::Path,
    prefix: &str,
    tree: &mut Tree,
    buffer: &mut [u8],
) -> std::io::Result<()> {
    use std::io::Read;
    for entry in fs_err::read_dir(directory)? {
        let entry = entry?;
        let odd = || std::io::Error::other(format!("{} is in no Go tree", entry.path().display()));
        let name = entry.file_name().into_string().map_err(|_| odd())?;
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() {
            add_directory(&entry.path(), &format!("{path}/"), tree, buffer)?;
        } else if kind.is_file() {
            let mut file = fs_err::File::open(entry.path())?;
            let mut hasher = Hasher::default();
            loop {
                match file.read(buffer)? {
                    0 => break,
                    length => hasher.update(&buffer[..length]),
                }
            }
            tree.add(&path, hasher.finish());
        } else {
            return Err(odd());
        }
    }
    Ok(())
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
            files.iter().for_each(|(path, content)| tree.add(path, digest(content)));
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
}
