//! `gvm doctor build` and `gvm doctor cross`, with a real Go.

#![allow(clippy::disallowed_methods, reason = "a test that fails shows its line")]

mod common;

use common::real_go::real_go;
use common::{GVM, Machine, run, write_script};
use serde_json::Value;
use std::path::Path;

const VERSION: &str = "1.26.11";

/// What a family finds where a real Go comes first on PATH.
fn doctor(machine: &Machine, families: &[&str], variables: &[(&str, &str)]) -> (i32, Vec<Value>) {
    let mut command = machine.command(GVM);
    let go = real_go(VERSION).join("bin");
    command.env("PATH", format!("{}:{}:/usr/bin:/bin", go.display(), machine.bin().display()));
    // Kept between runs, as a person's is.
    command.env("GOCACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-build"));
    command.arg("doctor").args(families).arg("--json").envs(variables.iter().copied());
    let ended = run(&mut command);
    (ended.code, ended.json()["families"][0]["findings"].as_array().unwrap().clone())
}

#[track_caller]
fn has(findings: &[Value], severity: &str, subject: &str, cause: &str) -> Value {
    let fits = |one: &&Value| {
        one["severity"] == severity
            && one["subject"] == subject
            && one["cause"].as_str().unwrap().contains(cause)
    };
    let found = findings.iter().find(fits);
    found.unwrap_or_else(|| panic!("no {severity} {subject} {cause} in {findings:#?}")).clone()
}

#[test]
fn a_program_is_built_and_run() {
    let machine = Machine::new();
    let (code, findings) = doctor(&machine, &["build"], &[]);
    assert_eq!(code, 0, "{findings:#?}");
    has(&findings, "ok", "hello", &format!("says that it is go{VERSION}"));
    assert_eq!(findings.len(), 1);
}

#[test]
fn what_keeps_it_from_being_built_is_told() {
    let machine = Machine::new();
    // An exported GOROOT of another version, as old profiles have it.
    let other = real_go("1.27.4").display().to_string();
    let (code, findings) = doctor(&machine, &["build"], &[("GOROOT", &other)]);
    assert_eq!(code, 9, "{findings:#?}");
    has(&findings, "error", "hello", "does not match go tool version");
    let (code, findings) = doctor(&machine, &["build"], &[("GOFLAGS", "-no-such-flag")]);
    assert_eq!(code, 9, "{findings:#?}");
    has(&findings, "error", "hello", "-no-such-flag");
    // And in a directory whose go.work or go.mod is of no use, nothing is the matter.
    machine.repository("", &[("go.mod", "modul broken"), ("go.work", "broken")]);
    assert_eq!(doctor(&machine, &["build"], &[]).0, 0);
}

#[test]
fn without_a_go_there_is_nothing_to_build_with() {
    let machine = Machine::new();
    let mut command = machine.command(GVM);
    command.env("PATH", machine.bin()).args(["doctor", "build"]);
    let ended = run(&mut command).failed(9);
    assert!(ended.stdout.contains("gvm install stable"), "{ended:?}");
}

#[test]
fn programs_for_other_platforms_are_built_and_their_headers_read() {
    let machine = Machine::new();
    let host = gvm::platform::Platform::host();
    let own = format!("{}/{}", host.os, host.arch);
    let targets = ["cross", &own, "windows/amd64", "js/wasm", "linux/vax"];
    // The names of compilers that are on no machine: only those of this one are found.
    let (code, findings) = doctor(&machine, &targets, &[]);
    assert_eq!(code, 9, "{findings:#?}");
    has(&findings, "ok", &own, "without C");
    has(&findings, "ok", &format!("{own}, cgo"), "with C by gcc");
    has(&findings, "ok", "windows/amd64", "without C");
    has(&findings, "ok", "js/wasm", "without C");
    has(&findings, "error", "linux/vax", "unsupported GOOS/GOARCH");
    assert!(!findings.iter().any(|finding| finding["subject"] == "js/wasm, cgo"));
}

#[test]
fn a_c_compiler_that_is_missing_or_of_no_use_is_told() {
    let machine = Machine::new();
    let (_, findings) = doctor(&machine, &["cross", "linux/s390x"], &[]);
    let told = has(&findings, "note", "linux/s390x, cgo", "s390x-linux-gnu-gcc");
    assert_eq!(told["fix"]["command"], "apt-get install gcc-s390x-linux-gnu");
    // One that is there and builds nothing.
    let fake = machine.bin().join("s390x-linux-gnu-gcc");
    write_script(&fake, "echo this compiler is a fake >&2; exit 1");
    let (code, findings) = doctor(&machine, &["cross", "linux/s390x"], &[]);
    assert_eq!(code, 9, "{findings:#?}");
    has(&findings, "error", "linux/s390x, cgo", "fake");
    has(&findings, "ok", "linux/s390x", "without C");
}

#[test]
fn what_takes_long_runs_only_by_its_name() {
    let machine = Machine::new();
    let all = run(machine.command(GVM).args(["doctor", "--json"])).json();
    let families: Vec<_> = all["families"].as_array().unwrap().iter().collect();
    let ran = |name: &str| families.iter().any(|family| family["name"] == name);
    assert!(ran("go") && ran("integrity") && !ran("build") && !ran("cross"));
    let ended = machine.gvm(&["doctor", "build", "linux/arm64"]).failed(2);
    assert!(ended.stderr.contains("gvm doctor cross GOOS/GOARCH"), "{ended:?}");
    machine.gvm(&["doctor", "nonsense"]).failed(2);
}
