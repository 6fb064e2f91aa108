//! What commands touch, counted: files, processes and system calls. Counts are the same
//! on every machine; the bench has the times.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, reason = "a test that fails shows its line")]

mod common;

use common::{GVM, Machine, machine_with, run};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The system calls of `gvm ARGUMENTS` in a directory, all of its threads.
fn calls(machine: &Machine, directory: &Path, arguments: &[&str]) -> Vec<String> {
    let log = machine.path().join("strace");
    let mut command = machine.command("strace");
    command.args(["-f", "-qq", "-s", "400", "-o"]).arg(&log).arg(GVM).args(arguments);
    run(command.current_dir(directory).env("PWD", directory)).succeeded();
    let log = fs::read_to_string(log).unwrap();
    // Behind the number of the thread.
    log.lines().map(|line| line.split_once(' ').unwrap().1.trim_start().to_string()).collect()
}

/// The files that were opened.
fn opened(calls: &[String]) -> BTreeSet<PathBuf> {
    let opens = calls.iter().filter(|call| call.starts_with("open") && !call.contains("= -1"));
    opens.map(|call| PathBuf::from(call.split('"').nth(1).unwrap())).collect()
}

/// Without what the loader and the start of std read.
fn below<'a>(machine: &Machine, files: &'a BTreeSet<PathBuf>) -> Vec<&'a Path> {
    let home = machine.path();
    files.iter().filter_map(|file| file.strip_prefix(&home).ok()).collect()
}

#[test]
fn a_command_touches_nothing_that_it_does_not_need() {
    let machine = machine_with(&["1.21.9", "1.22.4"]);
    let directory = machine.repository("pinned", &[(".go-version", "1.22.4\n")]);
    // Nobody has asked for any of these here, and each would be seen.
    fs::write(machine.root().join("config.toml"), "auto_install = true\n").unwrap();
    machine.gvm(&["default", "1.21"]).succeeded();

    let (root, pin) = ("home/.local/share/gvm", "work/pinned/.go-version");
    let toolchains = format!("{root}/toolchains");
    let expected: [(&[&str], Vec<&str>); 7] = [
        (&["root", "1.22.4"], vec![]),
        (&["root", "1.22"], vec![&toolchains]),
        (&["root"], vec![pin]),
        (&["which"], vec![pin]),
        (&["current"], vec![pin]),
        (&["env"], vec![pin]),
        (&["hook", "bash", "--refresh"], vec![pin]),
    ];
    for (arguments, files) in expected {
        let calls = calls(&machine, &directory, arguments);
        let opened = opened(&calls);
        let files: Vec<_> = files.iter().map(Path::new).collect();
        assert_eq!(below(&machine, &opened), files, "gvm {arguments:?}");
        // No certificates, no settings of the resolver, no thread.
        let elsewhere =
            |file: &&PathBuf| file.starts_with("/etc") && !file.starts_with("/etc/ld.so.cache");
        assert_eq!(opened.iter().find(elsewhere), None, "gvm {arguments:?}");
        let threads = calls.iter().filter(|call| call.starts_with("clone")).count();
        assert_eq!(threads, 0, "gvm {arguments:?}");
    }
}

#[test]
#[cfg(target_env = "gnu")]
fn gvm_is_linked_with_libc_alone() {
    let machine = Machine::new();
    let calls = calls(&machine, &machine.work(), &["--version"]);
    let libraries: Vec<_> = opened(&calls)
        .into_iter()
        .filter_map(|file| file.file_name()?.to_str().map(String::from))
        .filter(|name| name.contains(".so."))
        .filter(|name| name != "ld.so.cache")
        .collect();
    assert_eq!(libraries, ["libc.so.6"]);
}

#[test]
fn a_command_that_shows_a_table_writes_it_at_once() {
    let machine = machine_with(&["1.20", "1.21.9", "1.22.4", "1.23.1"]);
    for arguments in [&["list"][..], &["list", "--verbose"], &["list", "--json"], &["hook", "bash"]]
    {
        let calls = calls(&machine, &machine.work(), arguments);
        let written = calls.iter().filter(|call| call.starts_with("write(1,")).count();
        assert_eq!(written, 1, "gvm {arguments:?}");
    }
}

#[test]
fn with_two_hundred_toolchains_only_the_list_is_longer() {
    let machine = machine_with(&["1.21.9", "1.22.4"]);
    let pinned = machine.repository("pinned", &[(".go-version", "1.22.4\n")]);
    let minor = machine.repository("minor", &[(".go-version", "1.22\n")]);
    let module = machine.repository("module", &[("go.mod", "module m\n\ngo 1.22.1\n")]);
    let commands: [(&Path, &[&str]); 8] = [
        (&pinned, &["which"]),
        (&pinned, &["current"]),
        (&pinned, &["hook", "bash", "--refresh"]),
        (&minor, &["which"]),
        (&minor, &["hook", "zsh", "--refresh"]),
        (&module, &["current"]),
        (&pinned, &["root", "1.22"]),
        (&pinned, &["list"]),
    ];
    let count =
        |(directory, arguments): &(&Path, &[&str])| looks(&calls(&machine, directory, arguments));
    let few: Vec<_> = commands.iter().map(count).collect();
    for patch in 0..200 {
        fs::create_dir_all(machine.goroot(&format!("1.19.{patch}")).join("bin")).unwrap();
    }
    machine.refresh_shims();
    for (command, few) in commands.iter().zip(few) {
        let many = count(command);
        let allowed = if command.1 == ["list"] { 200 * 4 } else { 0 };
        assert!(many <= few + allowed, "{:?}: {few} calls became {many}", command.1);
    }
}

/// How many calls there are but for those that read a directory on and grow the heap
/// for what is in it, and for long paths.
fn looks(calls: &[String]) -> usize {
    let grows = |call: &&String| {
        ["getdents", "brk", "mremap", "mmap"].iter().any(|name| call.starts_with(name))
    };
    calls.len() - calls.iter().filter(grows).count()
}

#[test]
fn each_level_of_a_deep_directory_costs_two_looks() {
    let machine = machine_with(&["1.22.4"]);
    let mut deep = machine.repository("deep", &[(".go-version", "1.22.4\n")]);
    let here = looks(&calls(&machine, &deep, &["current"]));
    for level in 0..60 {
        deep.push(level.to_string());
    }
    fs::create_dir_all(&deep).unwrap();
    let below = looks(&calls(&machine, &deep, &["current"]));
    assert!(below <= here + 2 * 60, "{here} calls became {below}");
}
