//! Twenty gvm processes at once, and whoever holds a lock stopped or killed.

#![allow(clippy::disallowed_methods, reason = "a test that fails shows its line")]

mod common;

use common::archives::{large_tree, tar_gz, tree};
use common::published::{GoDev, assert_is_whole, dl, names_in, snapshot};
use common::server::Server;
use common::{Ended, GVM, Machine, finish, wait_until};
use std::fs;
use std::process::{Child, Command, Stdio};

/// Never uninstalled, so each is downloaded once.
const KEPT: [&str; 3] = ["1.22.0", "1.22.1", "1.22.2"];
/// Installed and uninstalled by turns.
const COMING_AND_GOING: [&str; 2] = ["1.21.0", "1.21.1"];

fn all() -> Vec<&'static str> {
    [KEPT.as_slice(), &COMING_AND_GOING].concat()
}

fn start(machine: &Machine, server: &Server, program: &str, arguments: &[&str]) -> Child {
    let mut command = machine.command(program);
    command.args(arguments).env("GVM_DL_URL", dl(server));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Repeats itself for a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

enum Doing {
    Install,
    Uninstall,
    List,
    Shim(&'static str),
    Exec,
}

/// Runs what this throw of the dice says.
fn one(machine: &Machine, server: &Server, dice: &mut Dice) -> (Doing, Child) {
    let versions = all();
    let any = versions[dice.below(versions.len())];
    let passing = COMING_AND_GOING[dice.below(COMING_AND_GOING.len())];
    let gvm = |arguments: &[&str]| start(machine, server, GVM, arguments);
    match dice.below(9) {
        0..3 => (Doing::Install, gvm(&["install", any])),
        3 => (Doing::Install, gvm(&["install", "--force", passing])),
        4 => (Doing::Uninstall, gvm(&["uninstall", passing])),
        5 | 6 => (Doing::List, gvm(&["list", "--json"])),
        7 => {
            let shim = machine.shims().join("go");
            let mut command = machine.command(shim);
            command.arg("version").env("GVM_VERSION", any);
            let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            (Doing::Shim(any), child)
        }
        _ => (Doing::Exec, gvm(&["exec", any, "--", "cat", "/dev/null"])),
    }
}

/// What a process may see and say while others work.
fn is_clean(doing: &Doing, ended: &Ended) {
    assert!(!ended.stderr.contains("panicked"), "{ended:?}");
    match doing {
        Doing::Install => assert_eq!(ended.code, 0, "{ended:?}"),
        Doing::Uninstall => assert!(matches!(ended.code, 0 | 3), "{ended:?}"),
        Doing::List => {
            assert_eq!(ended.code, 0, "{ended:?}");
            for row in ended.json().as_array().unwrap() {
                // The receipt is part of what is published. It may be gone with its
                // toolchain by the time that it is read, but is never half there.
                let (version, files) = (row["version"].as_str().unwrap(), &row["files"]);
                let is_whole = *files == 8 || *files == 9;
                let may_go = COMING_AND_GOING.contains(&version) && files.is_null();
                assert!(is_whole || may_go, "{ended:?}");
            }
        }
        // The small Go has the head of an executable alone: it is found and cannot run.
        Doing::Shim(version) => {
            let is_found = ended.code == 126 && ended.stderr.contains(&format!("{version}-"));
            let is_missing = ended.code == 127 && ended.stderr.contains("not installed");
            assert!(is_found || is_missing, "{version}: {ended:?}");
        }
        Doing::Exec => {
            let is_missing = ended.code == 127 && ended.stderr.contains("not installed");
            assert!(ended.code == 0 || is_missing, "{ended:?}");
        }
    }
}

#[test]
fn twenty_at_once_never_see_half_a_toolchain_and_download_each_once() {
    let server = GoDev::of(&all()).serve();
    let machine = Machine::new();
    machine.gvm(&["default", "system"]).succeeded();
    for seed in [1, 2, 3, 4, 5, 6] {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ (seed << 32));
        let children: Vec<_> = (0..20).map(|_| one(&machine, &server, &mut dice)).collect();
        // Each has two minutes, whatever it waits for.
        for (doing, child) in children {
            is_clean(&doing, &finish(child));
        }
        let installed = machine.installed();
        for version in &installed {
            assert_is_whole(&machine.goroot(version), &tree(version));
        }
        let mut shims: Vec<_> = installed.iter().map(|version| format!("go{version}")).collect();
        shims.extend(["go".into(), "gofmt".into()]);
        shims.sort();
        assert_eq!(names_in(&machine.shims()), shims, "seed {seed}");
        machine.has_nothing_staged();
    }
    let installed = machine.installed();
    for version in KEPT {
        let archive = format!("/elsewhere/{}", common::archives::file_name(version));
        let expected = usize::from(installed.iter().any(|it| it == version));
        assert_eq!(server.count(&archive), expected, "{version}");
    }
}

#[test]
fn twenty_installs_of_one_version_download_it_once_and_say_for_whom_they_wait() {
    let server = GoDev::of(&["1.22.0"]).serve_with(|request, answer| {
        if request.path.starts_with("/elsewhere/") {
            // So that the others come while the first one is at it.
            std::thread::sleep(std::time::Duration::from_secs(2));
        }
        answer
    });
    let machine = Machine::new();
    let children: Vec<_> =
        (0..20).map(|_| start(&machine, &server, GVM, &["install", "1.22.0"])).collect();
    let ids: Vec<_> = children.iter().map(Child::id).collect();
    let ended: Vec<_> = children.into_iter().map(|child| finish(child).succeeded()).collect();
    let waited: Vec<_> =
        ended.iter().filter(|ended| ended.stderr.contains("waiting for")).collect();
    let names_one = |ended: &Ended| {
        ids.iter().any(|id| {
            ended.stderr.contains(&format!("waiting for gvm, process {id}, installing 1.22.0-"))
        })
    };
    assert!(waited.len() >= 5, "{}", waited.len());
    assert!(waited.iter().any(|ended| names_one(ended)), "{waited:#?}");
    assert_eq!(server.count(&format!("/elsewhere/{}", common::archives::file_name("1.22.0"))), 1);
    machine.has_whole("1.22.0");
    machine.has_nothing_staged();
}

/// Sends a signal to a process of ours.
fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
}

#[test]
fn a_stopped_holder_is_waited_for_by_name_and_a_killed_one_is_not() {
    let mut published = GoDev::of(&["1.22.1"]);
    published.add("1.22.0", &tar_gz(&large_tree("1.22.0")));
    let server = published.serve_with(|request, answer| {
        if request.path.contains("/elsewhere/go1.22.0") {
            answer.ending(common::server::Ending::StallAfter(5_000_000))
        } else {
            answer
        }
    });
    let machine = Machine::new();
    let mut first = start(&machine, &server, GVM, &["install", "1.22.0"]);
    // By then it has given back the lock of tmp/, which all share.
    wait_until("the first one unpacks", || {
        let staged = snapshot(&machine.root().join("tmp"));
        staged.keys().any(|path| path.ends_with("go/VERSION"))
    });
    signal(&first, "-STOP");
    // What is stopped is in nobody else's way.
    machine.gvm_at(&server, &["install", "1.22.1"]).succeeded();
    assert_eq!(machine.installed(), ["1.22.1"]);

    let whole = GoDev::of(&["1.22.0"]).serve();
    let log = machine.path().join("second");
    let mut command = machine.command(GVM);
    command.args(["install", "1.22.0"]).env("GVM_DL_URL", dl(&whole));
    let second = command.stderr(fs::File::create(&log).unwrap()).spawn().unwrap();
    let named = format!("waiting for gvm, process {}, installing 1.22.0-", first.id());
    wait_until("it says for whom", || fs::read_to_string(&log).unwrap().contains(&named));
    first.kill().unwrap();
    first.wait().unwrap();
    finish(second).succeeded();
    machine.has_whole("1.22.0");
    machine.has_nothing_staged();
}
