//! `gvm doctor system`: faults of a system, planted, found and taken away.

#![allow(clippy::disallowed_methods, reason = "a test that fails shows its line")]

mod common;

use common::log::{Log, Proxy, VERSION, h1};
use common::{Ended, GVM, Machine, executables, run};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::time::{Duration, SystemTime};

fn installed() -> Machine {
    let machine = Machine::new();
    Proxy::new(Log::new(&h1())).install(&machine).succeeded();
    machine
}

fn findings(json: &str) -> Vec<Value> {
    let json: Value = serde_json::from_str(json).unwrap();
    json["families"][0]["findings"].as_array().unwrap().clone()
}

#[track_caller]
fn is_clean(machine: &Machine) {
    let ended = machine.gvm(&["doctor", "system", "--json"]).succeeded();
    let found = findings(&ended.stdout);
    assert!(found.len() == 1 && found[0]["severity"] == "ok", "{found:#?}");
}

/// The one line that there is.
#[track_caller]
fn finds(ended: &Ended, severity: &str, subject: &str, cause: &str) {
    let found = findings(&ended.stdout);
    let [found] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!((&found["severity"], &found["subject"]), (&severity.into(), &subject.into()));
    assert!(found["cause"].as_str().unwrap().contains(cause), "{found:#}");
    assert!(found["fix"]["command"].is_string(), "{found:#}");
}

#[test]
fn a_toolchain_whose_loader_is_missing_is_named() {
    let machine = installed();
    is_clean(&machine);
    let go = machine.goroot(VERSION).join("bin/go");
    let whole = fs::read(&go).unwrap();
    let mut file = executables::elf();
    let at = file.windows(6).position(|found| found == b"x86-64").unwrap();
    for (content, is_missing) in [(&mut file, true), (&mut whole.clone(), false)] {
        if is_missing {
            content[at..at + 6].copy_from_slice(b"x86-99");
        }
        fs::remove_file(&go).unwrap();
        fs::write(&go, content).unwrap();
        if is_missing {
            let ended = machine.gvm(&["doctor", "system", "--json"]).failed(9);
            finds(&ended, "error", VERSION, "/lib64/ld-linux-x86-99.so.2");
        } else {
            is_clean(&machine);
        }
    }
}

#[test]
fn a_clock_that_is_behind_the_store_is_told() {
    let machine = installed();
    let directory = fs::File::open(machine.toolchain(VERSION)).unwrap();
    let day = Duration::from_secs(24 * 60 * 60);
    directory.set_modified(SystemTime::now() + 2 * day).unwrap();
    let ended = machine.gvm(&["doctor", "system", "--json"]).failed(8);
    finds(&ended, "warning", "clock", VERSION);
    directory.set_modified(SystemTime::now() + day / 2).unwrap();
    is_clean(&machine);
}

#[test]
fn a_directory_of_builds_that_is_missing_is_made() {
    let machine = installed();
    let missing = machine.path().join("not/there");
    let doctor = |more: &[&str]| {
        let mut command = machine.command(GVM);
        run(command.args(["doctor", "system", "--json"]).args(more).env("GOTMPDIR", &missing))
    };
    finds(&doctor(&[]).failed(9), "error", "GOTMPDIR", "is no directory");
    assert!(!missing.exists());
    doctor(&["--fix"]);
    assert!(missing.is_dir());
    doctor(&[]).succeeded();
}

#[test]
fn mounts_that_let_no_program_run_and_full_ones_are_told() {
    let machine = Machine::new();
    let place = machine.path().join("mount");
    fs::create_dir(&place).unwrap();
    // A file system of its own, which goes with the last process in it.
    let script = r#"
        mount -t tmpfs -o noexec,size=600m none "$0" || { echo NO MOUNT; exit 0; }
        GVM_ROOT="$0/store" "$1" doctor system --json
        echo "---"; GOTMPDIR="$0" "$1" doctor system --json
        mount -o remount,exec,size=100m "$0"
        echo "---"; GVM_ROOT="$0/store" "$1" doctor system --json
        mount -o remount,exec,size=600m "$0"
        echo "---"; GVM_ROOT="$0/store" "$1" doctor system --json
    "#;
    let mut command = machine.command("unshare");
    let ended = run(command.args(["-rm", "sh", "-c", script]).arg(&place).arg(GVM));
    if ended.code != 0 && ended.stdout.is_empty() || ended.stdout.contains("NO MOUNT") {
        // Past the test runner, which keeps what a passing test prints.
        let why = format!("NOT TESTED: mounts; nothing may be mounted here: {}", ended.stderr);
        std::io::stderr().write_all(why.as_bytes()).unwrap();
        return;
    }
    let answers: Vec<_> = ended.stdout.split("---\n").map(findings).collect();
    let expected = [
        ("error", "store", "noexec"),
        ("error", "GOTMPDIR", "noexec"),
        ("warning", "store", "has 104.9 MB left"),
        ("ok", "system", "has room"),
    ];
    assert_eq!(answers.len(), expected.len(), "{ended:#?}");
    for (found, (severity, subject, cause)) in answers.iter().zip(expected) {
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(
            (&found[0]["severity"], &found[0]["subject"]),
            (&severity.into(), &subject.into())
        );
        assert!(found[0]["cause"].as_str().unwrap().contains(cause), "{found:#?}");
    }
}
