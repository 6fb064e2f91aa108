//! `gvm doctor integrity`: each fault planted in a store, found, repaired by the fix
//! that is named, and looked for again.

#![allow(clippy::disallowed_methods, reason = "a test that fails shows its line")]

mod common;

use common::archives::elf;
use common::log::{Log, Proxy, VERSION, h1};
use common::{Machine, executables};
use gvm::platform::Platform;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A machine with the small Go, installed from a proxy and proved.
struct Installed {
    machine: Machine,
    proxy: Proxy,
}

impl Installed {
    fn new() -> Self {
        let machine = Machine::new();
        let proxy = Proxy::new(Log::new(&h1()));
        proxy.install(&machine).succeeded();
        Self { machine, proxy }
    }

    fn doctor(&self, more: &[&str]) -> (i32, Vec<Value>) {
        let arguments = [&["doctor", "integrity", "--json"], more].concat();
        let ended = self.proxy.gvm(&self.machine, &arguments);
        let json = ended.json();
        (ended.code, json["families"][0]["findings"].as_array().unwrap().clone())
    }

    #[track_caller]
    fn is_clean(&self) {
        let (code, findings) = self.doctor(&[]);
        assert_eq!(code, 0, "{findings:#?}");
        assert!(findings.iter().all(|finding| finding["severity"] == "ok"), "{findings:#?}");
    }

    /// The one line that is not ok, and the command that it names.
    #[track_caller]
    fn finds(&self, severity: &str, cause: &str) -> String {
        let (_, findings) = self.doctor(&[]);
        let found: Vec<_> = findings.iter().filter(|one| one["severity"] != "ok").collect();
        let [found] = found.as_slice() else { panic!("{findings:#?}") };
        assert_eq!(found["severity"], severity, "{found:#}");
        assert!(found["cause"].as_str().unwrap().contains(cause), "{found:#}");
        found["fix"]["command"].as_str().unwrap_or_default().to_string()
    }

    /// Runs a command of gvm as it was named.
    fn apply(&self, command: &str) {
        let arguments: Vec<_> = command.strip_prefix("gvm ").unwrap().split(' ').collect();
        self.proxy.gvm(&self.machine, &arguments).succeeded();
    }

    fn file(&self, path: &str) -> std::path::PathBuf {
        self.machine.goroot(VERSION).join(path)
    }
}

/// Another content under that name; what was there may not be written to.
fn replace(file: &Path, content: &[u8]) {
    let permissions = fs::metadata(file).unwrap().permissions();
    fs::remove_file(file).unwrap();
    fs::write(file, content).unwrap();
    fs::set_permissions(file, permissions).unwrap();
}

#[test]
fn a_store_that_is_whole_hears_so_and_an_empty_one_too() {
    Installed::new().is_clean();
    let empty = Machine::new();
    let ended = empty.gvm(&["doctor", "integrity"]).succeeded();
    assert!(ended.stdout.contains("is empty"), "{ended:?}");
}

#[test]
fn what_is_missing_in_a_tree_is_named_and_put_back() {
    let this = Installed::new();
    fs::remove_file(this.file("src/fmt/print.go")).unwrap();
    fs::remove_file(this.file("bin/gofmt")).unwrap();
    let fix = this.finds("error", "misses 2 files, bin/gofmt first");
    assert_eq!(fix, format!("gvm verify {VERSION} --repair"));
    this.apply(&fix);
    this.is_clean();
}

#[test]
fn an_executable_of_another_machine_is_named_and_put_back() {
    let this = Installed::new();
    let arch = if Platform::host().arch == "arm64" { "amd64" } else { "arm64" };
    let other = Platform { arch: arch.into(), ..Platform::host() };
    for (content, cause) in [
        (elf(&other), &*format!("bin/go is for {other}")),
        (executables::universal(), "bin/go is for darwin-arm64 and darwin-amd64"),
        (executables::pe(), "bin/go is for windows-amd64"),
        (b"#!/bin/sh\n".to_vec(), "bin/go is no executable"),
        (executables::elf()[..40].to_vec(), "bin/go cannot be read"),
    ] {
        replace(&this.file("bin/go"), &content);
        let fix = this.finds("error", cause);
        this.apply(&fix);
        this.is_clean();
    }
    fs::set_permissions(this.file("bin/go"), fs::Permissions::from_mode(0o644)).unwrap();
    let fix = this.finds("error", "bin/go may not be executed");
    this.apply(&fix);
    this.is_clean();
}

#[test]
fn a_receipt_that_is_missing_or_damaged_is_named_and_written_anew() {
    let this = Installed::new();
    let receipt = this.machine.toolchain(VERSION).join("receipt.json");
    fs::write(&receipt, "{").unwrap();
    let fix = this.finds("warning", "its receipt cannot be used");
    fs::remove_file(&receipt).unwrap();
    assert_eq!(this.finds("warning", "has no receipt"), fix);
    this.apply(&fix);
    this.is_clean();
    fs::remove_file(this.machine.toolchain(VERSION).join("files.sha256")).unwrap();
    let fix = this.finds("warning", "its list of files is missing");
    this.apply(&fix);
    this.is_clean();
}

#[test]
fn what_was_taken_without_a_proof_is_named_until_it_is_proved() {
    let this = Installed::new();
    let receipt = this.machine.toolchain(VERSION).join("receipt.json");
    let text = fs::read_to_string(&receipt).unwrap().replace("checksum-database", "none");
    fs::write(&receipt, text).unwrap();
    let fix = this.finds("warning", "nothing has proved it");
    assert_eq!(fix, format!("gvm verify {VERSION}"));
    this.apply(&fix);
    this.is_clean();
}

#[test]
fn what_a_killed_install_left_is_named_and_cleared_away_by_fix() {
    let this = Installed::new();
    let left = this.machine.root().join("tmp/stage-killed");
    fs::create_dir_all(left.join("toolchain/go")).unwrap();
    fs::write(left.join("toolchain/go/half"), vec![0; 4096]).unwrap();
    assert_eq!(this.doctor(&[]).0, 0);
    this.finds("note", "1 half install in");
    assert!(left.exists(), "a look changes nothing");
    this.doctor(&["--fix"]);
    assert!(!left.exists());
    this.is_clean();
}

#[test]
fn what_is_no_toolchain_is_named_and_left_alone() {
    let this = Installed::new();
    let toolchains = this.machine.root().join("toolchains");
    fs::create_dir_all(toolchains.join("my-own")).unwrap();
    let fix = this.finds("warning", "my-own is no toolchain");
    assert!(fix.contains("rm -r"), "{fix}");
    this.doctor(&["--fix"]);
    fs::remove_dir(toolchains.join("my-own")).unwrap();
    // Half a toolchain, by whatever way it came to be.
    fs::create_dir_all(toolchains.join("1.20.1-linux-amd64")).unwrap();
    this.finds("warning", "1.20.1-linux-amd64 is no toolchain");
    fs::remove_dir(toolchains.join("1.20.1-linux-amd64")).unwrap();
    this.is_clean();
}

#[test]
fn two_histories_of_the_log_are_told_of_for_as_long_as_they_are_kept() {
    let this = Installed::new();
    let log = fs::read_dir(this.machine.root().join("checksums")).unwrap().next().unwrap().unwrap();
    let fork = log.path().join("fork-900-1000");
    fs::write(&fork, "two heads").unwrap();
    let fix = this.finds("error", "has signed two histories");
    assert!(fix.contains("SECURITY.md"), "{fix}");
    fs::remove_file(fork).unwrap();
    this.is_clean();
}
