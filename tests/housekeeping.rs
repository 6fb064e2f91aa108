//! `gvm outdated`, `upgrade`, `prune` and `du`.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

mod common;

use common::published::{GoDev, dl, names_in};
use common::server::Server;
use common::{Machine, run};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Releases of three majors, and a machine that has some of them.
fn machine(installed: &[&str]) -> (Machine, Server) {
    let published =
        GoDev::of(&["1.27.1", "1.27.0", "1.26.11", "1.26.10", "1.26.9", "1.25.14", "1.25.13"]);
    let (machine, server) = (Machine::new(), published.serve());
    for version in installed {
        machine.gvm_at(&server, &["install", version]).succeeded();
    }
    (machine, server)
}

fn installed(machine: &Machine) -> Vec<String> {
    let list = machine.gvm(&["list", "--json"]).succeeded().json();
    let versions = list.as_array().unwrap().iter();
    versions.map(|row| row["version"].as_str().unwrap().to_string()).collect()
}

#[test]
fn what_has_a_newer_patch_or_gets_no_fixes_is_named() {
    let (machine, server) = machine(&["1.27.1", "1.26.10", "1.25.14"]);
    machine.gvm(&["default", "1.26"]).succeeded();
    let table = machine.gvm_at(&server, &["outdated"]).succeeded();
    let lines: Vec<_> = table.stdout.lines().map(str::trim_end).collect();
    assert_eq!(
        lines,
        [
            "VERSION  NEWEST   STATUS",
            "1.26.10  1.26.11  newer patch  default",
            "1.25.14  1.25.14  end of life",
        ]
    );
    assert!(table.stderr.contains("gvm upgrade"), "{table:?}");
    let json = machine.gvm_at(&server, &["outdated", "--json"]).succeeded().json();
    assert_eq!(json[0]["version"], "1.27.1");
    assert_eq!((&json[0]["is_outdated"], &json[0]["is_supported"]), (&false.into(), &true.into()));
    assert_eq!(json[1]["newest"], "1.26.11");
    assert_eq!(json[1]["is_default"], true);
    assert_eq!(json[2]["is_supported"], false);
}

#[test]
fn a_machine_that_is_up_to_date_or_empty_hears_so() {
    let (machine, server) = machine(&["1.27.1"]);
    let ended = machine.gvm_at(&server, &["outdated"]).succeeded();
    assert!(ended.stdout.is_empty() && ended.stderr.contains("is the newest"), "{ended:?}");
    let ended = machine.gvm_at(&server, &["upgrade", "--all"]).succeeded();
    assert!(ended.stderr.contains("nothing newer"), "{ended:?}");
    let empty = Machine::new();
    let ended = empty.gvm_at(&server, &["outdated"]).succeeded();
    assert!(ended.stderr.contains("gvm install stable"), "{ended:?}");
    empty.gvm_at(&server, &["upgrade"]).failed(2).saying(&["gvm upgrade --all"]);
}

#[test]
fn an_upgrade_brings_what_is_in_use_to_its_newest_patch() {
    let (machine, server) = machine(&["1.27.0", "1.26.9", "1.26.10", "1.25.13"]);
    machine.gvm(&["default", "1.26"]).succeeded();
    let told = machine.gvm_at(&server, &["upgrade", "--dry-run"]).succeeded();
    assert!(told.stderr.contains("Go 1.26.11 would be installed; 1.26.10, 1.26.9 would go"));
    assert_eq!(installed(&machine), ["1.27.0", "1.26.10", "1.26.9", "1.25.13"]);
    machine.gvm_at(&server, &["upgrade"]).succeeded();
    assert_eq!(installed(&machine), ["1.27.0", "1.26.11", "1.25.13"]);
    machine.gvm_at(&server, &["upgrade", "--all"]).succeeded();
    assert_eq!(installed(&machine), ["1.27.1", "1.26.11", "1.25.14"]);
    assert_eq!(names_in(&machine.shims()).len(), 2 + 3);
}

#[test]
fn an_older_patch_that_somebody_names_exactly_stays() {
    let (machine, server) = machine(&["1.26.9", "1.26.10", "1.27.0"]);
    // A pin that gvm wrote, one that it came upon, and the default.
    let one = machine.repository("one", &[]);
    machine.gvm_in(&one, &["pin", "1.26.9"]).succeeded();
    let two = machine.repository("two", &[(".tool-versions", "golang 1.26.10\n")]);
    machine.gvm_in(&two, &["list"]).succeeded();
    machine.gvm(&["default", "1.27.0"]).succeeded();
    machine.gvm_at(&server, &["upgrade"]).succeeded().saying(&["Go 1.26.9 stays"]);
    assert_eq!(installed(&machine), ["1.27.1", "1.27.0", "1.26.11", "1.26.10", "1.26.9"]);
    // The pin is changed: nobody names it any more.
    fs::write(one.join(".go-version"), "1.26\n").unwrap();
    machine.gvm_at(&server, &["upgrade"]).succeeded();
    assert_eq!(installed(&machine), ["1.27.1", "1.27.0", "1.26.11", "1.26.10"]);
    // Pins are passed over where that is asked for; the default and this shell never.
    let mut command = machine.command(common::GVM);
    command.args(["upgrade", "--prune"]).env("GVM_DL_URL", dl(&server));
    command.env("GVM_VERSION", "1.26.10");
    run(&mut command).succeeded();
    assert_eq!(installed(&machine), ["1.27.1", "1.27.0", "1.26.11", "1.26.10"]);
    machine.gvm_at(&server, &["upgrade", "--prune"]).succeeded();
    assert_eq!(installed(&machine), ["1.27.1", "1.27.0", "1.26.11"]);
}

#[test]
fn what_was_ended_in_the_middle_goes_and_is_shown_first() {
    let (machine, _server) = machine(&["1.27.1"]);
    machine.gvm(&["prune"]).succeeded().saying(&["nothing that nobody needs"]);
    let left = machine.root().join("tmp/stage-killed");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("half"), vec![0; 50_000]).unwrap();
    let part = machine.root().join("cache/part-abc");
    fs::write(&part, vec![0; 70_000]).unwrap();
    let shown = machine.gvm(&["prune", "--dry-run"]).succeeded();
    assert!(shown.stdout.contains("part-abc") && shown.stdout.contains("stage-killed"));
    assert!(shown.stderr.contains("120.0 kB would be freed"), "{shown:?}");
    // Nobody is there to ask.
    machine.gvm(&["prune"]).failed(2).saying(&["--yes"]);
    assert!(left.exists() && part.exists());
    machine.gvm(&["prune", "--yes"]).succeeded();
    assert!(!left.exists() && !part.exists());
    assert_eq!(installed(&machine), ["1.27.1"]);
}

fn ran_days_ago(machine: &Machine, version: &str, days: u64) {
    let go = machine.goroot(version).join("bin/go");
    let at = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60 + 60);
    let times = fs::FileTimes::new().set_accessed(at);
    let permissions = fs::metadata(&go).unwrap().permissions();
    fs::set_permissions(&go, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::File::options().write(true).open(&go).unwrap().set_times(times).unwrap();
    fs::set_permissions(&go, permissions).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn versions_that_have_not_run_for_long_go_unless_somebody_asks_for_them() {
    let (machine, _server) = machine(&["1.27.1", "1.26.11", "1.26.10", "1.25.14", "1.25.13"]);
    machine.gvm(&["default", "1.27"]).succeeded();
    let repository = machine.repository("one", &[]);
    machine.gvm_in(&repository, &["pin", "1.26"]).succeeded();
    for version in ["1.27.1", "1.26.11", "1.26.10", "1.25.14"] {
        ran_days_ago(&machine, version, 100);
    }
    ran_days_ago(&machine, "1.25.13", 10);
    let shown = machine.gvm(&["prune", "--unused", "90", "--dry-run"]).succeeded();
    assert!(shown.stdout.contains("has not run for 100 days"), "{shown:?}");
    assert_eq!(installed(&machine).len(), 5);
    machine.gvm(&["prune", "--unused", "90", "--yes"]).succeeded();
    assert_eq!(installed(&machine), ["1.27.1", "1.26.11", "1.25.13"]);
    machine.gvm(&["prune", "--unused", "101", "--yes"]).succeeded();
    assert_eq!(installed(&machine).len(), 3);
}

#[cfg(target_os = "linux")]
#[test]
fn what_a_go_mod_here_is_met_by_is_in_use_without_a_pin() {
    let (machine, _server) = machine(&["1.26.11", "1.25.14"]);
    machine.repository("", &[("go.mod", "module m\n\ngo 1.25\n")]);
    for version in ["1.26.11", "1.25.14"] {
        ran_days_ago(&machine, version, 100);
    }
    machine.gvm(&["prune", "--unused", "90", "--yes"]).succeeded();
    assert_eq!(installed(&machine), ["1.26.11"]);
}

/// The kernel writes the time down, and gvm's own reads do not.
#[cfg(target_os = "linux")]
#[test]
fn a_go_that_runs_counts_as_run_and_one_that_is_verified_does_not() {
    let (machine, server) = machine(&["1.27.1"]);
    let go = machine.goroot("1.27.1").join("bin/go");
    let age = |go: &Path| fs::metadata(go).unwrap().accessed().unwrap().elapsed().unwrap();
    let day = Duration::from_secs(24 * 60 * 60);
    ran_days_ago(&machine, "1.27.1", 100);
    machine.gvm_at(&server, &["verify", "1.27.1"]);
    machine.gvm(&["doctor", "integrity"]);
    assert!(age(&go) > 99 * day, "a look is no run");
    // An executable that can run, at the same place: a script is read by the kernel too.
    fs::remove_file(&go).unwrap();
    fs::copy("/bin/true", &go).unwrap();
    ran_days_ago(&machine, "1.27.1", 100);
    machine.gvm(&["exec", "1.27.1", "--", "go", "version"]).succeeded();
    assert!(age(&go) < day, "the kernel keeps the time here");
}

#[test]
fn the_disk_is_accounted_for_with_shared_files_counted_once() {
    let machine = Machine::new();
    let published = GoDev::of(&["1.26.11", "1.26.10"]);
    let server = published.serve();
    machine.config("share = \"links\"\n");
    for version in ["1.26.10", "1.26.11"] {
        machine.gvm_at(&server, &["install", version]).succeeded();
    }
    let json = machine.gvm(&["du", "--json"]).succeeded().json();
    let rows = json.as_array().unwrap();
    let row = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
    for name in ["Go 1.26.11", "Go 1.26.10"] {
        let (bytes, frees) = (row(name)["bytes"].as_u64(), row(name)["frees"].as_u64());
        assert!(frees > Some(0) && frees < bytes, "they share files: {json:#}");
    }
    let table = machine.gvm(&["du"]).succeeded();
    assert!(table.stdout.starts_with("WHAT"), "{table:?}");
    assert!(table.stderr.contains("in all, in"), "{table:?}");
    // What a removal gives back is what was said.
    let before = total(&machine.root().join("toolchains"));
    let frees = row("Go 1.26.10")["frees"].as_u64().unwrap();
    machine.gvm(&["uninstall", "1.26.10"]).succeeded();
    assert_eq!(before - total(&machine.root().join("toolchains")), frees);
}

/// The bytes of files below, each counted once.
fn total(directory: &Path) -> u64 {
    fn add(directory: &Path, seen: &mut std::collections::BTreeMap<u64, u64>) {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let found = entry.metadata().unwrap();
            if found.is_dir() {
                add(&entry.path(), seen);
            } else {
                seen.insert(std::os::unix::fs::MetadataExt::ino(&found), found.len());
            }
        }
    }
    let mut seen = std::collections::BTreeMap::new();
    add(directory, &mut seen);
    seen.values().sum()
}
