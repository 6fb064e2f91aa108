//! `--offline` and `GVM_OFFLINE`: not one packet, and everything that needs none.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

mod common;

use common::archives::{sha256, tar_gz, tree};
use common::log::{Log, Proxy, VERSION, h1};
use common::published::GoDev;
use common::{Ended, GVM, Machine, machine_with, run};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

const BY_OPTION: &str = "gvm is offline (--offline)";
const BY_VARIABLE: &str = "gvm is offline (GVM_OFFLINE=1)";

/// What a test could not show on this machine, past the harness that would keep
/// it to itself.
fn not_shown(what: &str) {
    let _ = writeln!(std::io::stderr(), "NOT SHOWN: {what}");
}

/// gvm with sources that would have to be looked up and asked.
fn gvm_with_sources(machine: &Machine, program: impl AsRef<Path>) -> Command {
    let mut command = machine.command(program.as_ref());
    command
        .env("GVM_DL_URL", "http://go.test/dl")
        .env("GOPROXY", "http://proxy.test|http://127.0.0.1:9|direct")
        .env_remove("GOSUMDB")
        .env("GVM_REQUIRE", "sha256");
    command
}

/// The sockets that a command opens, which may be those of other families.
fn sockets(machine: &Machine, command: &Command) -> Option<(Ended, Vec<String>)> {
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        not_shown("that nothing is sent; that needs strace and the right to trace");
        return None;
    }
    let log = machine.path().join("strace");
    let mut traced = Command::new("strace");
    traced.args(["-f", "-e", "trace=%network", "-o"]).arg(&log);
    traced.arg(command.get_program()).args(command.get_args()).env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            traced.env(name, value);
        }
    }
    let directory = command.get_current_dir().unwrap();
    let ended = run(traced.current_dir(directory).env("PWD", directory));
    let log = fs::read_to_string(log).unwrap();
    Some((ended, log.lines().filter(|call| call.contains("(AF_INET")).map(String::from).collect()))
}

#[test]
fn offline_means_not_one_packet() {
    let machine = machine_with(&[VERSION]);
    let pinned = machine.repository("pinned", &[(".go-version", "1.21.9\n")]);
    let locked = machine.repository("locked", &[(".go-version", VERSION)]);
    let of_gvm = |arguments: &[&str], directory: &Path| {
        let mut command = gvm_with_sources(&machine, GVM);
        command.args(arguments).current_dir(directory);
        command
    };
    let commands = [
        (of_gvm(&["install", "1.21.9"], &pinned), 6, "Go 1.21.9 for"),
        (of_gvm(&["install", "1.21"], &pinned), 6, "the list of Go's releases"),
        (of_gvm(&["list-remote"], &pinned), 6, "the list of Go's releases"),
        (of_gvm(&["verify", VERSION], &pinned), 5, ""),
        (of_gvm(&["pin", "--lock"], &locked), 6, "the checksum database at"),
        (of_gvm(&["exec", "--install", "1.21.9", "go"], &pinned), 6, "Go 1.21.9 for"),
    ];
    for (mut command, code, needed) in commands {
        let by_variable = sockets(&machine, command.env("GVM_OFFLINE", "1"));
        let by_option = sockets(&machine, command.env("GVM_OFFLINE", "0").arg("--offline"));
        // What comes behind exec's command is the command's.
        let is_exec = command.get_args().any(|argument| argument == "exec");
        for (found, by) in [(by_variable, BY_VARIABLE), (by_option, BY_OPTION)] {
            let Some((ended, sockets)) = found else { return };
            if is_exec && by == BY_OPTION {
                continue;
            }
            assert_eq!(sockets, [] as [&str; 0], "{command:?}");
            let ended = ended.failed(code).saying(&[needed]);
            let all = format!("{}{}", ended.stdout, ended.stderr);
            assert!(all.contains(by), "{by} in {ended:?}");
            assert!(!ended.stderr.contains("passed over"), "{ended:?}");
        }
    }

    let mut shim = gvm_with_sources(&machine, machine.shims().join("go"));
    shim.arg("version").current_dir(&pinned).env("GVM_AUTO_INSTALL", "1").env("GVM_OFFLINE", "1");
    let (ended, opened) = sockets(&machine, &shim).unwrap();
    assert_eq!(opened, [] as [&str; 0]);
    ended.failed(6).saying(&[BY_VARIABLE, "Go 1.21.9 for"]);

    // The same look sees what is sent otherwise.
    let online = of_gvm(&["install", "1.21.9"], &pinned);
    let (_, opened) = sockets(&machine, &online).unwrap();
    assert!(!opened.is_empty());
}

#[test]
fn what_is_at_hand_needs_no_network() {
    let machine = Machine::new();
    let mut online = {
        // A proof, an index, and a tree, all of which are kept.
        let proxy = Proxy::new(Log::new(&h1()));
        let mirror = GoDev::of(&[VERSION]).serve();
        let mut command = machine.command(GVM);
        command
            .env("GVM_DL_URL", mirror.url() + "/dl")
            .env("GOPROXY", proxy.server.url())
            .env("GOSUMDB", proxy.log.lock().unwrap().verifier())
            .env("GVM_REQUIRE", "checksum-database");
        run(command.args(["install", "1.22"])).succeeded().saying(&["record 700"]);
        command
    };
    let settings: Vec<_> = online
        .env("GVM_OFFLINE", "1")
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    let gvm = |arguments: &[&str]| {
        run(machine.command(GVM).args(arguments).envs(settings.iter().cloned()))
    };

    gvm(&["list-remote"]).succeeded().saying(&[BY_VARIABLE, "going by its list of"]);
    gvm(&["install", "1.22"]).succeeded().saying(&["is installed already"]);
    let verified = gvm(&["verify", "--all", "--json"]).succeeded().json();
    assert_eq!(verified[0]["evidence"], "checksum-database");
    gvm(&["install", "--force", "1.22"]).failed(6).saying(&[BY_VARIABLE, "Go 1.22.4 for"]);
    // What is damaged is seen, and its repair would need the network.
    fs::write(machine.goroot(VERSION).join("VERSION"), "go1.99\n").unwrap();
    gvm(&["verify", "1.22"]).failed(5).saying(&["--repair"]);
    gvm(&["verify", "1.22", "--repair"]).failed(6).saying(&[BY_VARIABLE, "Go 1.22.4 for"]);

    // From a file, with the proof that was kept.
    gvm(&["uninstall", VERSION]).succeeded();
    let file = machine.path().join("go.tar.gz");
    fs::write(&file, tar_gz(&tree(VERSION))).unwrap();
    gvm(&["install", "--from", file.to_str().unwrap()]).succeeded().saying(&["record 700"]);

    // From a directory with the layout of go.dev.
    gvm(&["uninstall", VERSION]).succeeded();
    let directory = machine.path().join("mirror");
    GoDev::of(&[VERSION]).write_to(&directory);
    let mut command = machine.command(GVM);
    command.args(["--offline", "install", "1.22"]).envs(settings.iter().cloned());
    command.env("GVM_DL_URL", format!("file://{}", directory.display()));
    run(&mut command).succeeded().saying(&["record 700"]);
}

#[test]
fn without_a_kept_proof_a_digest_counts_offline() {
    let machine = Machine::new();
    let file = machine.path().join("go.tar.gz");
    let archive = tar_gz(&tree(VERSION));
    fs::write(&file, &archive).unwrap();
    let mut command = gvm_with_sources(&machine, GVM);
    command.args(["install", "--offline", "--from"]).arg(&file);
    run(&mut command).failed(5).saying(&["nothing proves it", BY_OPTION]);
    command.args(["--sha256", &sha256(&archive).to_string()]);
    run(&mut command).succeeded().saying(&[BY_OPTION]);
}

#[test]
fn gvm_offline_is_one_or_zero() {
    let machine = Machine::new();
    let mut command = gvm_with_sources(&machine, GVM);
    command.arg("list-remote").env("GVM_OFFLINE", "maybe");
    run(&mut command).failed(2).saying(&["GVM_OFFLINE=maybe is neither 1 nor 0"]);
    command.env("GVM_OFFLINE", "0").env("GVM_DL_URL", "http://127.0.0.1:9").env("GOPROXY", "off");
    let ended = run(&mut command).failed(6);
    assert!(!ended.stderr.contains("offline"), "{ended:?}");
}
