//! What becomes of the store when something goes wrong, when two work on it at
//! once, and when versions leave it.

#![allow(clippy::disallowed_methods, reason = "a test that fails shows its line")]

mod common;

use common::archives::{self, large_tree, sha256, tar_gz, tree};
use common::published::{GoDev, Modules, dl, names_in, snapshot};
use common::server::{Answer, Ending, Server};
use common::{Ended, GVM, Machine, finish, run, wait_until};
use gvm::platform::Platform;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const VERSION: &str = "1.22.4";
/// What is installed before something goes wrong.
const OTHER: &str = "1.21.0";

/// go.dev with both versions, where `fault` makes something else of the archive.
fn go_dev_with(fault: impl Fn(Answer) -> Answer + Send + Sync + 'static) -> Server {
    GoDev::of(&[VERSION, OTHER]).serve_with(move |request, answer| {
        let is_it = request.path == format!("/elsewhere/{}", archives::file_name(VERSION));
        if is_it { fault(answer) } else { answer }
    })
}

/// Sends an archive that is large enough to be on the disk in part, and stops in it.
fn stalling(version: &str) -> Server {
    let mut published = GoDev::of(&[]);
    published.add(version, &tar_gz(&large_tree(version)));
    published.serve_with(|request, answer| {
        let is_it = request.path.starts_with("/elsewhere/");
        if is_it { answer.ending(Ending::StallAfter(5_000_000)) } else { answer }
    })
}

/// A machine with another version in its store, from a file.
fn machine() -> Machine {
    let machine = Machine::new();
    let file = machine.path().join("other.tar.gz");
    fs::write(&file, tar_gz(&tree(OTHER))).unwrap();
    machine.gvm(&["install", "--from", file.to_str().unwrap()]).succeeded();
    machine
}

/// What counts: the toolchains, the shims, and what tells shells of a change.
fn store(machine: &Machine) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for part in ["toolchains", "shims"] {
        found.extend(snapshot(&machine.root().join(part)));
    }
    for file in ["generation", "default", "gvm-path"] {
        let content = fs::read_to_string(machine.root().join(file)).unwrap_or_default();
        found.push((file.into(), content));
    }
    found
}

/// Fails with a sentence, changes nothing, and leaves nothing in the way of the
/// next one.
#[track_caller]
fn fails_without_a_trace(server: &Server, code: i32, saying: &[&str]) {
    let machine = machine();
    let before = store(&machine);
    let failed = machine.gvm_at(server, &["install", VERSION]).failed(code).saying(saying);
    assert_eq!(failed.stderr.matches("gvm: error: ").count(), 1, "{failed:#?}");
    assert_eq!(store(&machine), before);
    assert_eq!(machine.installed(), [OTHER]);
    machine.has_nothing_staged();
    machine.gvm_at(&GoDev::of(&[VERSION]).serve(), &["install", VERSION]).succeeded();
    machine.has_whole(VERSION);
    machine.has_whole(OTHER);
}

#[test]
fn a_web_page_in_place_of_an_archive_is_refused() {
    let page = "<!doctype html><title>Sign in to the guest network</title>";
    let server = go_dev_with(move |_| Answer::html(page));
    fails_without_a_trace(&server, 5, &["it sent a web page in place of an archive"]);
    // One that does not say what it is.
    let server = go_dev_with(move |_| Answer::ok(page));
    fails_without_a_trace(&server, 5, &[&archives::file_name(VERSION), "bytes"]);
}

#[test]
fn an_archive_that_is_not_there_is_not_installed() {
    let server = go_dev_with(|_| Answer::not_found());
    fails_without_a_trace(&server, 4, &["404: 404 page not found"]);
    let server = go_dev_with(|_| Answer::new(403, "text/html", "<p>no"));
    fails_without_a_trace(&server, 4, &["403"]);
}

#[test]
fn a_server_in_trouble_is_a_matter_of_the_network() {
    for status in [429, 500, 502, 503] {
        let server = go_dev_with(move |_| Answer::new(status, "text/html", "<p>sorry"));
        fails_without_a_trace(&server, 6, &[&status.to_string()]);
    }
}

#[test]
fn a_body_that_breaks_off_is_a_matter_of_the_network() {
    let whole = GoDev::of(&[VERSION]).archive(VERSION).len();
    for length in [0, 1, 20, 5_000, 200_000, whole - 1] {
        let server = go_dev_with(move |answer| answer.ending(Ending::CutAfter(length)));
        fails_without_a_trace(&server, 6, &["the transfer broke off after", "bytes"]);
    }
}

#[test]
fn an_altered_byte_is_told_by_both_digests() {
    // Small enough to come in one go, and too large for that.
    for size in [300_000, 6_000_000] {
        let mut files = tree(VERSION);
        let mut more = files[4].1.repeat(size / files[4].1.len());
        more.iter_mut().enumerate().for_each(|(at, byte)| *byte ^= (at >> 11) as u8);
        files[4].1 = more;
        let archive = tar_gz(&files);
        for at in [12, 40, 3_000, archive.len() / 2, archive.len() - 3] {
            let mut altered = archive.clone();
            altered[at] ^= 0x10;
            let mut published = GoDev::default();
            published.add(VERSION, &archive);
            let (is, should) = (sha256(&altered).to_string(), sha256(&archive).to_string());
            let server = published.serve_with(move |request, answer| {
                let is_it = request.path.starts_with("/elsewhere/");
                if is_it { Answer::ok(altered.clone()) } else { answer }
            });
            let why = [archives::file_name(VERSION), is, should];
            fails_without_a_trace(&server, 5, &why.each_ref().map(String::as_str));
        }
    }
}

#[test]
fn an_archive_of_another_size_is_refused() {
    let archive = tar_gz(&tree(VERSION));
    let digest = sha256(&archive).to_string();
    for size in [archive.len() as u64 - 1, archive.len() as u64 + 1, 1, 1 << 40] {
        let mut published = GoDev::of(&[VERSION]);
        published.releases.clear();
        published.announce(VERSION, &archives::file_name(VERSION), &digest, size);
        fails_without_a_trace(&published.serve(), 5, &["bytes", &size.to_string()]);
    }
    // What comes behind the archive counts too.
    let server = go_dev_with(|answer| Answer::ok([answer.body.as_slice(), &[0; 1000]].concat()));
    fails_without_a_trace(&server, 5, &["bytes"]);
}

#[test]
fn an_archive_without_a_published_digest_is_said_not_to_be_proved() {
    let mut published = GoDev::of(&[VERSION]);
    published.releases.clear();
    published.announce(VERSION, &archives::file_name(VERSION), "", 0);
    let machine = Machine::new();
    machine
        .gvm_at(&published.serve(), &["--quiet", "install", VERSION])
        .succeeded()
        .saying(&["NOT PROVED"]);
    assert_eq!(machine.receipt(VERSION)["evidence"], "none");
}

#[test]
fn an_archive_with_another_version_in_it_is_refused() {
    let mut published = GoDev::default();
    published.add(VERSION, &tar_gz(&tree("1.22.3")));
    fails_without_a_trace(&published.serve(), 5, &["it is Go 1.22.3 and should be 1.22.4"]);
}

#[test]
fn an_archive_for_another_platform_is_refused() {
    let arch = if Platform::host().arch == "arm64" { "amd64" } else { "arm64" };
    let other = Platform { os: Platform::host().os, arch: arch.into() };
    let mut files = tree(VERSION);
    files[1].1 = archives::elf(&other);
    let mut published = GoDev::default();
    published.add(VERSION, &tar_gz(&files));
    let why = [format!("its go is for {other}"), Platform::host().to_string()];
    fails_without_a_trace(&published.serve(), 5, &why.each_ref().map(String::as_str));

    files[1].1 = b"#!/bin/sh\n".into();
    let mut published = GoDev::default();
    published.add(VERSION, &tar_gz(&files));
    fails_without_a_trace(&published.serve(), 5, &["its go is no executable for"]);
}

#[test]
fn without_an_answer_nothing_changes() {
    let machine = machine();
    let before = store(&machine);
    machine.gvm(&["install", VERSION]).failed(6).saying(&["cannot be reached", "--from FILE"]);
    assert_eq!(store(&machine), before);
    machine.has_nothing_staged();
}

#[test]
fn a_full_disk_leaves_the_store_as_it_was() {
    let machine = Machine::new();
    let (small, server) = (machine.path().join("small"), GoDev::of(&[VERSION]).serve());
    fs::create_dir(&small).unwrap();
    // A file system of its own, which goes with the last process in it.
    let script = r#"
        mount -t tmpfs -o size=200k none "$0" || { echo NO MOUNT; exit 0; }
        export GVM_ROOT="$0/store"
        "$1" install 1.22.4; echo "code $?"
        "$1" list --json
        ls "$0/store/toolchains" "$0/store/tmp" 2>/dev/null
        mount -o remount,size=64m "$0"
        "$1" install 1.22.4; echo "code $?"
        cat "$0"/store/toolchains/*/go/VERSION
        ls "$0/store/tmp"
    "#;
    let mut command = machine.command("unshare");
    command.args(["-rm", "sh", "-c", script]).arg(&small).arg(GVM);
    let ended = run(command.env("GVM_DL_URL", dl(&server)));
    if ended.code != 0 && ended.stdout.is_empty() || ended.stdout.contains("NO MOUNT") {
        // Past the test runner, which keeps what a passing test prints.
        let why = format!("NOT TESTED: a full disk; nothing may be mounted here: {}", ended.stderr);
        std::io::stderr().write_all(why.as_bytes()).unwrap();
        return;
    }
    let tree = String::from_utf8(tree(VERSION).remove(0).1).unwrap();
    let (before, after) =
        ended.stdout.split_once("code 1\n").unwrap_or_else(|| panic!("{ended:#?}"));
    assert_eq!(before, "", "{ended:#?}");
    let after = after.strip_prefix("[]\n").unwrap_or_else(|| panic!("{ended:#?}"));
    let (listed, after) = after.split_once("code 0\n").unwrap_or_else(|| panic!("{ended:#?}"));
    // The names of the directories alone.
    assert!(!listed.contains("stage-") && !listed.contains(VERSION), "{ended:#?}");
    assert_eq!(after, tree, "{ended:#?}");
    ended.saying(&["No space left on device", "free some room"]);
}

#[test]
fn a_store_that_cannot_be_written_stays_as_it_was() {
    let server = GoDev::of(&[VERSION]).serve();
    for read_only in ["", "toolchains", "tmp", "locks", "shims"] {
        let machine = machine();
        let before = store(&machine);
        let directory = machine.root().join(read_only);
        let set = |mode| fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).unwrap();
        set(0o555);
        let mut command = machine.gvm_bound_by_permissions();
        let failed = run(command.args(["install", VERSION]).env("GVM_DL_URL", dl(&server)));
        set(0o755);
        let failed = failed.failed(1).saying(&["ermission denied"]);
        let place = machine.root().join(read_only);
        assert!(failed.stderr.contains(place.to_str().unwrap()), "{failed:?}");
        // Shells may be told to look again, when nothing came of it.
        let counts =
            |file: &(PathBuf, String)| !before.contains(file) && file.0 != Path::new("generation");
        let changed: Vec<_> = store(&machine).into_iter().filter(counts).collect();
        assert_eq!((changed, machine.installed()), (vec![], vec![OTHER.into()]), "{read_only}/");
        machine.gvm_at(&server, &["install", VERSION]).succeeded();
        machine.has_whole(VERSION);
        machine.has_whole(OTHER);
        machine.has_nothing_staged();
    }
}

/// Waits until the archive is being unpacked in `tmp/`.
fn wait_until_staged(machine: &Machine) {
    wait_until("something is staged", || {
        snapshot(&machine.root().join("tmp")).keys().any(|path| path.ends_with("go/VERSION"))
    });
}

fn start(machine: &Machine, server: &Server, arguments: &[&str]) -> Child {
    let mut command = machine.command(GVM);
    command.args(arguments).env("GVM_DL_URL", dl(server));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_killed_install_leaves_no_toolchain() {
    let server = stalling(VERSION);
    let machine = machine();
    let before = store(&machine);
    let mut child = start(&machine, &server, &["install", VERSION]);
    wait_until_staged(&machine);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().code(), None);

    assert_eq!(store(&machine), before);
    assert_eq!(names_in(&machine.root().join("tmp")).len(), 1);
    assert_eq!(machine.installed(), [OTHER]);
    machine.has_nothing_staged();
    machine.gvm_at(&GoDev::of(&[VERSION]).serve(), &["install", VERSION]).succeeded();
    machine.has_whole(VERSION);
}

#[test]
fn a_killed_replacement_leaves_what_was_there() {
    let machine = machine();
    let stalling = stalling(OTHER);
    let before = store(&machine);
    let mut child = start(&machine, &stalling, &["install", "--force", OTHER]);
    wait_until_staged(&machine);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(store(&machine), before);
    machine.gvm_at(&GoDev::of(&[OTHER]).serve(), &["install", "--force", OTHER]).succeeded();
    machine.has_whole(OTHER);
    machine.has_nothing_staged();
}

#[test]
fn nobody_sweeps_what_another_process_works_on() {
    let server = stalling(VERSION);
    let machine = machine();
    let mut child = start(&machine, &server, &["install", VERSION]);
    wait_until_staged(&machine);
    let staged = names_in(&machine.root().join("tmp"));
    machine.gvm_at(&GoDev::of(&["1.20.1"]).serve(), &["install", "1.20.1"]).succeeded();
    machine.gvm(&["uninstall", OTHER]).succeeded();
    assert_eq!(names_in(&machine.root().join("tmp")), staged);
    wait_until_staged(&machine);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn what_is_in_tmp_and_toolchains_and_not_ours_does_no_harm() {
    let machine = machine();
    let root = machine.root();
    fs::create_dir_all(root.join("tmp/left/over")).unwrap();
    fs::write(root.join("tmp/file"), "x").unwrap();
    for name in ["1.22.4", "1.22.4-linux-amd64.old", ".hidden", "1.23.0-linux-amd64"] {
        fs::create_dir_all(root.join("toolchains").join(name)).unwrap();
    }
    fs::write(root.join("toolchains/file"), "x").unwrap();
    let outside = machine.work().join("precious");
    fs::write(&outside, "x").unwrap();
    std::os::unix::fs::symlink(machine.work(), root.join("tmp/left/link")).unwrap();
    assert_eq!(machine.installed(), [OTHER]);
    machine.gvm_at(&GoDev::of(&[VERSION]).serve(), &["install", VERSION]).succeeded();
    assert_eq!(machine.installed(), [VERSION, OTHER]);
    assert!(outside.exists());
    assert!(!root.join("tmp/left").exists());
}

// Two at once.

/// Both outputs of a child as it writes them, and its end.
struct Watched {
    child: Child,
    seen: Arc<std::sync::Mutex<String>>,
    reader: std::thread::JoinHandle<()>,
}

fn watch(mut child: Child) -> Watched {
    let seen = Arc::new(std::sync::Mutex::new(String::new()));
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let sink = seen.clone();
    let reader = std::thread::spawn(move || {
        for line in stderr.lines().map_while(Result::ok) {
            let mut seen = sink.lock().unwrap();
            seen.push_str(&line);
            seen.push('\n');
        }
    });
    Watched { child, seen, reader }
}

impl Watched {
    fn says(&self, what: &str) -> bool {
        self.seen.lock().unwrap().contains(what)
    }

    fn end(self) -> Ended {
        let mut ended = finish(self.child);
        self.reader.join().unwrap();
        ended.stderr = self.seen.lock().unwrap().clone();
        ended
    }
}

/// Serves archives only when it is let.
fn held_back(published: GoDev) -> (Server, Arc<AtomicBool>) {
    let open = Arc::new(AtomicBool::new(false));
    let gate = open.clone();
    let server = published.serve_with(move |request, answer| {
        let start = Instant::now();
        while request.path.starts_with("/elsewhere/")
            && !gate.load(Ordering::SeqCst)
            && start.elapsed() < Duration::from_secs(25)
        {
            std::thread::sleep(Duration::from_millis(2));
        }
        answer
    });
    (server, open)
}

#[test]
fn two_installs_of_one_version_download_it_once() {
    let (server, open) = held_back(GoDev::of(&[VERSION]));
    let machine = Machine::new();
    let first = watch(start(&machine, &server, &["install", VERSION]));
    wait_until("the first one downloads", || server.count(".tar.gz") == 2);
    let second = watch(start(&machine, &server, &["install", "1.22"]));
    let name = format!("waiting for gvm, process {}, installing", first.child.id());
    wait_until("the second one waits and says for whom", || second.says(&name));
    open.store(true, Ordering::SeqCst);
    first.end().succeeded().saying(&["installed Go 1.22.4"]);
    second.end().succeeded().saying(&["Go 1.22.4 is installed already"]);
    assert_eq!(server.count(".tar.gz"), 2);
    machine.has_whole(VERSION);
    machine.has_nothing_staged();
}

#[test]
fn whoever_waits_goes_on_when_the_first_one_is_killed() {
    let (server, open) = held_back(GoDev::of(&[VERSION]));
    let machine = Machine::new();
    let mut first = watch(start(&machine, &server, &["install", VERSION]));
    wait_until("the first one downloads", || server.count(".tar.gz") == 2);
    let second = watch(start(&machine, &server, &["install", VERSION]));
    wait_until("the second one waits", || second.says("waiting for gvm"));
    first.child.kill().unwrap();
    open.store(true, Ordering::SeqCst);
    second.end().succeeded().saying(&["installed Go 1.22.4"]);
    first.child.wait().unwrap();
    machine.has_whole(VERSION);
    machine.has_nothing_staged();
}

#[test]
fn an_uninstall_waits_for_the_install_of_the_same_version() {
    let (server, open) = held_back(GoDev::of(&[VERSION]));
    let machine = machine();
    let file = machine.work().join("go.tar.gz");
    fs::write(&file, tar_gz(&tree(VERSION))).unwrap();
    machine.gvm(&["install", "--from", file.to_str().unwrap()]).succeeded();
    let install = watch(start(&machine, &server, &["install", "--force", VERSION]));
    wait_until("it is downloaded", || server.count(".tar.gz") == 2);
    let uninstall = watch(start(&machine, &server, &["uninstall", VERSION]));
    wait_until("the other one waits", || uninstall.says("waiting for gvm"));
    machine.has_whole(VERSION);
    open.store(true, Ordering::SeqCst);
    install.end().succeeded();
    uninstall.end().succeeded().saying(&["removed Go 1.22.4"]);
    assert_eq!(machine.installed(), [OTHER]);
    assert_eq!(names_in(&machine.shims()), ["go", "go1.21.0", "gofmt"]);
    machine.has_nothing_staged();
}

#[test]
fn installs_and_uninstalls_at_once_end_in_a_store_that_is_whole() {
    let machine = machine();
    let server = GoDev::of(&[VERSION]).serve();
    for _ in 0..3 {
        let children: Vec<_> = (0..6)
            .map(|number| match number % 3 {
                0 => start(&machine, &server, &["install", VERSION]),
                1 => start(&machine, &server, &["install", "--force", VERSION]),
                _ => start(&machine, &server, &["uninstall", VERSION]),
            })
            .collect();
        for (number, child) in children.into_iter().enumerate() {
            let ended = finish(child);
            // What is not installed yet cannot be removed.
            let may_miss = number % 3 == 2 && ended.code == 3;
            assert!(ended.code == 0 || may_miss, "{ended:#?}");
        }
        let installed = machine.installed();
        let shims = names_in(&machine.shims());
        if installed.len() == 2 {
            machine.has_whole(VERSION);
            assert_eq!(shims, ["go", "go1.21.0", "go1.22.4", "gofmt"]);
        } else {
            assert_eq!(installed, [OTHER]);
            assert_eq!(shims, ["go", "go1.21.0", "gofmt"]);
        }
        machine.has_whole(OTHER);
        machine.has_nothing_staged();
    }
}

#[test]
fn several_versions_are_installed_and_removed_at_once() {
    let versions: Vec<_> = (0..6).map(|patch| format!("1.22.{patch}")).collect();
    let names: Vec<_> = versions.iter().map(String::as_str).collect();
    let server = GoDev::of(&names).serve();
    let machine = Machine::new();
    let each = |command: &str| {
        let children: Vec<_> =
            names.iter().map(|version| start(&machine, &server, &[command, version])).collect();
        for child in children {
            finish(child).succeeded();
        }
        machine.has_nothing_staged();
    };
    each("install");
    names.iter().for_each(|version| machine.has_whole(version));
    assert_eq!(names_in(&machine.shims()).len(), names.len() + 2);
    each("uninstall");
    machine.has_nothing_installed();
    assert_eq!(names_in(&machine.shims()), ["go", "gofmt"]);
}

#[test]
fn whoever_waited_for_the_shims_looks_again_at_what_is_installed() {
    let machine = machine();
    let lock = fs::File::open(machine.root().join("locks/shims.lock")).unwrap();
    fs2::FileExt::lock_exclusive(&lock).unwrap();
    let server = GoDev::of(&[VERSION]).serve();
    let install = watch(start(&machine, &server, &["install", VERSION]));
    wait_until("it waits for the shims", || install.says("waiting for"));
    // Meanwhile another one has gone.
    let gone = machine.path().join("gone");
    fs::rename(machine.toolchain(OTHER), gone).unwrap();
    fs2::FileExt::unlock(&lock).unwrap();
    install.end().succeeded();
    assert_eq!(names_in(&machine.shims()), ["go", "go1.22.4", "gofmt"]);
}

// gvm uninstall.

#[test]
fn a_version_leaves_with_its_shim_and_nothing_else() {
    let machine = machine();
    machine.gvm_at(&GoDev::of(&[VERSION]).serve(), &["install", VERSION]).succeeded();
    let generation = fs::read(machine.root().join("generation")).unwrap();
    machine.gvm(&["uninstall", "go1.22.4"]).succeeded().saying(&["removed Go 1.22.4"]);
    assert_eq!(machine.installed(), [OTHER]);
    assert!(!machine.toolchain(VERSION).exists());
    assert_eq!(names_in(&machine.shims()), ["go", "go1.21.0", "gofmt"]);
    machine.has_whole(OTHER);
    machine.has_nothing_staged();
    // So that running shells notice.
    assert_ne!(fs::read(machine.root().join("generation")).unwrap(), generation);
    machine.gvm(&["remove", OTHER]).succeeded();
    machine.has_nothing_installed();
}

#[test]
fn a_tree_that_nobody_may_write_is_removed() {
    let machine = machine();
    let goroot = machine.goroot(OTHER);
    let module = goroot.join("pkg/mod/example.com/m@v1.0.0/sub");
    fs::create_dir_all(&module).unwrap();
    fs::write(module.join("file.go"), "package m\n").unwrap();
    let outside = machine.work().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("file"), "x").unwrap();
    std::os::unix::fs::symlink(&outside, goroot.join("link")).unwrap();
    let toolchain = machine.toolchain(OTHER);
    run(machine.command("chmod").arg("-R").arg("a-w").arg(&toolchain)).succeeded();
    // A directory that cannot even be looked into.
    fs::set_permissions(&module, fs::Permissions::from_mode(0o000)).unwrap();
    fs::set_permissions(&outside, fs::Permissions::from_mode(0o555)).unwrap();

    let mut command = machine.gvm_bound_by_permissions();
    run(command.args(["uninstall", OTHER])).succeeded();
    machine.has_nothing_installed();
    machine.has_nothing_staged();
    // Links are not followed.
    let mode = fs::metadata(&outside).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o555);
    assert!(outside.join("file").exists());
    fs::set_permissions(&outside, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn what_could_be_several_versions_removes_none() {
    let machine = Machine::new();
    let server = GoDev::of(&["1.22.4", "1.22.3", "1.21.0", "1.20", "1.20.1"]).serve();
    let versions = ["1.22.4", "1.22.3", "1.21.0", "1.20.1", "1.20.0"];
    machine.gvm_at(&server, &[&["install"], &versions[..]].concat()).succeeded();
    let before = store(&machine);
    machine
        .gvm(&["uninstall", "1.22"])
        .failed(2)
        .saying(&["1.22 could be 1.22.4, 1.22.3", "gvm uninstall 1.22.4 1.22.3"]);
    // The release of that name is told from the newest 1.20.
    machine.gvm(&["uninstall", "1.20"]).failed(2).saying(&["gvm uninstall 1.20.1 1.20.0"]);
    machine.gvm(&["uninstall", "1"]).failed(2);
    // None of several, when one of them is not clear or not there.
    machine.gvm(&["uninstall", "1.21.0", "1.22"]).failed(2);
    machine.gvm(&["uninstall", "1.21.0", "1.19.3"]).failed(3);
    assert_eq!(store(&machine), before);
    machine.gvm(&["uninstall", "1.21"]).succeeded().saying(&["removed Go 1.21.0"]);
    machine.gvm(&["uninstall", "1.20.1", "1.20.0"]).succeeded();
    assert_eq!(machine.installed(), ["1.22.4", "1.22.3"]);
}

#[test]
fn what_is_not_installed_cannot_be_removed() {
    let machine = machine();
    let before = store(&machine);
    for version in ["1.19.3", "1.19", "1.21.1"] {
        let failed = machine.gvm(&["uninstall", version]).failed(3);
        failed.saying(&[version, "not installed", "gvm install"]);
    }
    for wrong in ["system", "../1.21.0", "1.21.0-linux-amd64"] {
        let failed = machine.gvm(&["uninstall", wrong]);
        assert!(matches!(failed.code, 2 | 3), "{failed:?}");
    }
    assert_eq!(store(&machine), before);
    machine.gvm(&["uninstall"]).failed(2);
}

#[test]
fn a_default_that_goes_is_said_to_be_gone() {
    let machine = machine();
    machine.gvm_at(&GoDev::of(&[VERSION]).serve(), &["install", VERSION]).succeeded();
    machine.gvm(&["default", "1.21"]).succeeded();
    let other = machine.gvm(&["uninstall", VERSION]).succeeded();
    assert!(!other.stderr.contains("default"), "{other:?}");
    machine.gvm(&["--quiet", "uninstall", OTHER]).succeeded().saying(&[
        "warning",
        "the default is Go 1.21",
        "not installed any more",
    ]);
}

#[test]
fn a_removal_that_is_killed_leaves_no_half_of_a_toolchain() {
    // It leaves by one rename: whenever it is killed, the version is whole or gone.
    let machine = Machine::new();
    let file = machine.work().join("go.tar.gz");
    let mut files = tree(VERSION);
    for at in 0..400 {
        files.push((format!("src/more/{at}/file.go"), b"package more\n".into(), false));
    }
    fs::write(&file, tar_gz(&files)).unwrap();
    for microseconds in [200, 1_500, 3_000, 5_000, 8_000, 12_000] {
        machine.gvm(&["install", "--from", file.to_str().unwrap()]).succeeded();
        let mut child =
            machine.command(GVM).args(["--quiet", "uninstall", VERSION]).spawn().unwrap();
        std::thread::sleep(Duration::from_micros(microseconds));
        child.kill().unwrap();
        child.wait().unwrap();
        if machine.toolchain(VERSION).exists() {
            assert_eq!(machine.installed(), [VERSION]);
            common::published::assert_is_whole(&machine.goroot(VERSION), &files);
        } else {
            machine.has_nothing_installed();
        }
    }
    machine.gvm_at(&GoDev::of(&[OTHER]).serve(), &["install", OTHER]).succeeded();
    machine.has_nothing_staged();
}

#[test]
fn a_module_that_breaks_off_leaves_nothing_either() {
    let machine = machine();
    let before = store(&machine);
    let whole = Modules::of(&[VERSION]);
    for length in [10, 5_000, 250_000] {
        let proxy = whole.clone().serve_with(move |request, answer| {
            let is_zip = request.path.ends_with(".zip");
            if is_zip { answer.ending(Ending::CutAfter(length)) } else { answer }
        });
        machine
            .gvm_by(&proxy.url(), &["install", VERSION])
            .failed(6)
            .saying(&["the transfer broke off"]);
        assert_eq!(store(&machine), before);
        machine.has_nothing_staged();
    }
}
