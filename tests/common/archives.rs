//! Archives of Go in miniature, as the two sources publish them.

use gvm::platform::Platform;
use gvm::trust::sha256::{Hasher, Sha256};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use zip::write::SimpleFileOptions;

/// A file in a tree: path in GOROOT, content, executable.
pub type File = (String, Vec<u8>, bool);

/// The start of an executable for a Linux platform, which is all that is looked at.
pub fn elf(platform: &Platform) -> Vec<u8> {
    let machine: u16 = match platform.arch.as_str() {
        "amd64" => 62,
        "arm64" => 183,
        other => panic!("no machine number for {other}"),
    };
    let mut head = vec![0; 64];
    head[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    head[18..20].copy_from_slice(&machine.to_le_bytes());
    head
}

/// A small Go of that version for this machine's platform. `bin/go` has the head
/// of an executable and cannot run.
pub fn tree(version: &str) -> Vec<File> {
    let file =
        |path: &str, content: &[u8], executable| (path.to_string(), content.to_vec(), executable);
    let padding = noise(300_000);
    vec![
        file("VERSION", format!("go{version}\ntime 2024-05-30T19:26:07Z\n").as_bytes(), false),
        file("bin/go", &elf(&Platform::host()), true),
        file("bin/gofmt", &elf(&Platform::host()), true),
        file("go.env", b"GOPROXY=off\n", false),
        file("pkg/tool/x/compile", &padding, true),
        file("src/all.bash", b"#!/bin/bash\n", true),
        file("src/go.mod", b"module std\n", false),
        file("src/fmt/print.go", b"package fmt\n", false),
        file("test/left_out.go", b"package test\n", false),
    ]
}

/// The same with a large file in front, so that what comes of it is on the disk long
/// before the archive is at its end.
pub fn large_tree(version: &str) -> Vec<File> {
    let mut files = tree(version);
    files.insert(1, ("a/large".into(), noise(6_000_000), false));
    files
}

/// All files of a GOROOT that is there.
pub fn files_of(goroot: &Path) -> Vec<File> {
    let mut files = Vec::new();
    let mut directories = vec![goroot.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let metadata = entry.metadata().unwrap();
            if metadata.is_dir() {
                directories.push(entry.path());
                continue;
            }
            let path = entry.path().strip_prefix(goroot).unwrap().to_str().unwrap().to_string();
            let executable = metadata.permissions().mode() & 0o111 != 0;
            files.push((path, fs::read(entry.path()).unwrap(), executable));
        }
    }
    files.sort();
    files
}

/// Bytes that no archive makes smaller, the same ones each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(step).collect()
}

/// As go.dev publishes it: `go/…` with modes.
pub fn tar_gz(files: &[File]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(gzip);
    for (path, content, executable) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(if *executable { 0o755 } else { 0o644 });
        archive.append_data(&mut header, format!("go/{path}"), content.as_slice()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// As a module proxy serves it: under the module's prefix, without the five
/// directories, `go.mod` renamed, without modes, sizes behind the data.
pub fn module_zip(version: &str, platform: &Platform, files: &[File]) -> Vec<u8> {
    let prefix = format!("golang.org/toolchain@v0.0.1-go{version}.{platform}/");
    let named =
        files.iter().filter(|(path, ..)| !path.starts_with("test/")).map(|(path, content, _)| {
            let path = match path.strip_suffix("go.mod") {
                Some(directory) => format!("{directory}_go.mod"),
                None => path.clone(),
            };
            (format!("{prefix}{path}"), content.clone())
        });
    zip_of(&named.collect::<Vec<_>>())
}

/// A zip whose sizes stand behind the data, as Go's archive/zip writes it.
pub fn zip_of(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new_stream(Vec::new());
    for (name, content) in files {
        let options = SimpleFileOptions::default();
        archive.start_file(name.as_str(), options).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

pub fn sha256(bytes: &[u8]) -> Sha256 {
    let mut hasher = Hasher::default();
    hasher.update(bytes);
    hasher.finish()
}

/// The index of go.dev with these releases, each as one archive for this machine.
pub fn index(archives: &[(&str, &[u8])]) -> String {
    let platform = Platform::host();
    let releases = archives.iter().map(|(version, archive)| {
        serde_json::json!({
            "version": format!("go{version}"),
            "stable": true,
            "files": [{
                "filename": file_name(version),
                "os": platform.os, "arch": platform.arch, "version": format!("go{version}"),
                "sha256": sha256(archive).to_string(), "size": archive.len(), "kind": "archive",
            }],
        })
    });
    serde_json::Value::from_iter(releases).to_string()
}

/// The name under which go.dev publishes a release for this machine.
pub fn file_name(version: &str) -> String {
    format!("go{version}.{}.tar.gz", Platform::host())
}
