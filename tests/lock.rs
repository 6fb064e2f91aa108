//! The lock file: `gvm pin --lock`, and what installs make of it.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

mod common;

use common::archives::{tar_gz, tree};
use common::log::{Log, Proxy, VERSION, h1};
use common::published::{GoDev, dl};
use common::{Ended, GVM, Machine, run};
use gvm::platform::Platform;
use gvm::trust::h1::module_version;
use gvm::version::Version;
use std::fs;
use std::os::unix::fs::symlink;

const OTHER: &str = "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// A platform that this machine is not.
fn another() -> &'static str {
    if Platform::host().to_string() == "linux-arm64" { "linux-amd64" } else { "linux-arm64" }
}

fn line(version: &str, platform: &str, h1: &str) -> String {
    let platform = Platform::parse(platform).unwrap();
    let of = module_version(Version::parse(version).unwrap(), &platform);
    format!("golang.org/toolchain {of} {h1}\n")
}

fn own_line(h1: &str) -> String {
    line(VERSION, &Platform::host().to_string(), h1)
}

fn lock_of(machine: &Machine) -> String {
    fs::read_to_string(machine.work().join(".go-version.sum")).unwrap()
}

/// A repository whose pin and lock are these.
fn locked(lock: &str) -> Machine {
    let machine = Machine::new();
    machine.repository("", &[(".go-version", VERSION), (".go-version.sum", lock)]);
    machine
}

/// Where go.dev's index lists the release for two platforms.
fn index() -> GoDev {
    let mut published = GoDev::default();
    published.add(VERSION, &tar_gz(&tree(VERSION)));
    published.announce(VERSION, &format!("go{VERSION}.{}.tar.gz", another()), "", 0);
    published
}

#[test]
fn a_lock_has_a_line_for_every_platform_of_the_version() {
    let machine = Machine::new();
    let mut log = Log::new(&h1());
    log.add(another(), OTHER);
    let proxy = Proxy::new(log);
    let index = index().serve();
    let mut command = proxy.command(&machine, &["pin", "--lock", "1.22"]);
    run(command.env("GVM_DL_URL", dl(&index)))
        .succeeded()
        .saying(&["for 2 platforms", &format!("pinned Go {VERSION}")]);
    let mut expected = [own_line(&h1()), line(VERSION, another(), OTHER)];
    expected.sort();
    assert_eq!(lock_of(&machine), expected.concat());
    assert_eq!(fs::read_to_string(machine.work().join(".go-version")).unwrap(), "1.22.4\n");
}

#[test]
fn a_platform_that_nobody_answers_for_is_named_and_the_exit_code_says_so() {
    let machine = Machine::new();
    let proxy = Proxy::new(Log::new(&h1()));
    let index = index().serve();
    let lock = || {
        let mut command = proxy.command(&machine, &["pin", "--lock", VERSION]);
        run(command.env("GVM_DL_URL", dl(&index)))
    };
    lock().failed(7).saying(&["the lock is partial", another(), "404"]);
    assert_eq!(lock_of(&machine), own_line(&h1()));
    // What an earlier lock knows of the same version stays.
    fs::write(machine.work().join(".go-version.sum"), line(VERSION, another(), OTHER)).unwrap();
    lock().succeeded();
    assert_eq!(lock_of(&machine).lines().count(), 2);
    // Without an index, every platform that there may be is asked for.
    proxy.gvm(&machine, &["pin", "--lock", VERSION]).failed(7).saying(&["plan9-amd64"]);
}

#[test]
fn a_lock_is_made_from_proofs_or_not_at_all() {
    // The database lies, contradicts an earlier lock, or cannot be asked.
    let mut log = Log::new(&h1());
    log.head_at = 600;
    let machine = Machine::new();
    Proxy::new(log).gvm(&machine, &["pin", "--lock", VERSION]).failed(5);
    assert!(!machine.work().join(".go-version.sum").exists());
    assert!(!machine.work().join(".go-version").exists());

    let machine = locked(&own_line(OTHER));
    let proxy = Proxy::new(Log::new(&h1()));
    proxy.gvm(&machine, &["pin", "--lock"]).failed(5).saying(&[".go-version.sum:1", OTHER, &h1()]);
    assert_eq!(lock_of(&machine), own_line(OTHER));

    machine.gvm(&["pin", "--lock", "1.22.5"]).failed(6).saying(&["cannot be locked"]);
    assert_eq!(lock_of(&machine), own_line(OTHER));
    machine.gvm(&["pin", "--lock", "system"]).failed(2);
}

#[test]
fn what_is_pinned_is_locked_where_it_is_pinned() {
    let machine = Machine::new();
    let proxy = Proxy::new(Log::new(&h1()));
    let below = machine.repository("a/b", &[]);
    machine.repository("", &[(".go-version", "# why\n1.22.4 # since May\n")]);
    run(proxy.command(&machine, &["pin", "--lock"]).current_dir(&below)).failed(7);
    assert_eq!(lock_of(&machine), own_line(&h1()));
    let pin = fs::read_to_string(machine.work().join(".go-version")).unwrap();
    assert_eq!(pin, "# why\n1.22.4 # since May\n");
    // A .tool-versions is not ours to change.
    let tools = machine.repository("tools", &[(".tool-versions", "golang 1.22.4\n")]);
    run(proxy.command(&machine, &["pin", "--lock"]).current_dir(&tools)).failed(7);
    assert_eq!(fs::read_to_string(tools.join(".go-version.sum")).unwrap(), own_line(&h1()));
    assert!(!tools.join(".go-version").exists());
    // A link stays one.
    let linked = machine.repository("linked", &[(".go-version", VERSION)]);
    symlink("../shared.sum", linked.join(".go-version.sum")).unwrap();
    run(proxy.command(&machine, &["pin", "--lock"]).current_dir(&linked)).failed(7);
    assert_eq!(fs::read_to_string(machine.work().join("shared.sum")).unwrap(), own_line(&h1()));
}

/// Installs what is pinned, from a file by way of a mirror, without the database.
fn install_offline(machine: &Machine, more: &[&str]) -> Ended {
    let mirror = GoDev::of(&[VERSION]).serve();
    let mut command = machine.command(GVM);
    command.arg("install").args(more).env("GVM_DL_URL", dl(&mirror)).env("GVM_REQUIRE", "lock");
    run(&mut command)
}

#[test]
fn a_locked_tree_is_accepted_without_the_database() {
    let machine = locked(&own_line(&h1()));
    install_offline(&machine, &["--locked"]).succeeded().saying(&["going by the lock file"]);
    assert_eq!(machine.receipt(VERSION)["evidence"], "lock-file");
    let listed = machine.gvm(&["list"]).succeeded();
    assert!(listed.stdout.contains("lock file"), "{listed:?}");
    // The policy can ask for more.
    let mut command = machine.command(GVM);
    let mirror = GoDev::of(&[VERSION]).serve();
    run(command
        .args(["install", "--force"])
        .env("GVM_DL_URL", dl(&mirror))
        .env("GVM_REQUIRE", "checksum-database"))
    .failed(5)
    .saying(&["only the lock file speaks for it", "GVM_REQUIRE=lock"]);
    // And the database, where it answers, proves more.
    let proxy = Proxy::new(Log::new(&h1()));
    proxy.gvm(&machine, &["install", "--force", "--locked"]).succeeded();
    assert_eq!(machine.receipt(VERSION)["evidence"], "checksum-database");
}

#[test]
fn another_tree_than_the_locked_one_is_refused_whoever_proves_it() {
    let machine = locked(&format!("\n{}", own_line(OTHER)));
    let file = machine.work().join(".go-version.sum");
    let proxy = Proxy::new(Log::new(&h1()));
    for more in [&[][..], &["--locked"][..], &[VERSION][..]] {
        let refused = proxy.gvm(&machine, &[&["install"], more].concat()).failed(5);
        refused.saying(&[&format!("{}:2 locks", file.display()), OTHER, &h1()]);
        machine.has_nothing_installed();
    }
    // So is one that is installed already.
    fs::write(&file, "").unwrap();
    proxy.gvm(&machine, &["install", VERSION]).succeeded();
    fs::write(&file, own_line(OTHER)).unwrap();
    let refused = proxy.gvm(&machine, &["install"]).failed(5);
    refused.saying(&[".go-version.sum:1 locks", "gvm verify", "gvm install --force"]);
    // What auto_install gets for a shim is held against it as well.
    machine.gvm(&["uninstall", VERSION]).succeeded();
    let root = machine.root();
    let mut shim = proxy.command(&machine, &["__shim", root.to_str().unwrap(), "go", "version"]);
    run(shim.env("GVM_AUTO_INSTALL", "1")).failed(5).saying(&["locks Go"]);
}

#[test]
fn locked_accepts_only_what_the_lock_names() {
    let proxy = Proxy::new(Log::new(&h1()));
    let machine = locked(&line(VERSION, another(), OTHER));
    proxy
        .gvm(&machine, &["install", "--locked"])
        .failed(5)
        .saying(&["locks no Go", "gvm pin --lock"]);
    // Without --locked it is said, and the database decides.
    proxy.gvm(&machine, &["install"]).succeeded().saying(&["warning", "locks no Go"]);

    let machine = Machine::new();
    machine.repository("", &[(".go-version", VERSION)]);
    proxy
        .gvm(&machine, &["install", "--locked"])
        .failed(5)
        .saying(&["there is no .go-version.sum"]);
    // A file of the user's too.
    let archive = machine.path().join("go.tar.gz");
    fs::write(&archive, tar_gz(&tree(VERSION))).unwrap();
    let from = ["install", "--locked", "--from", archive.to_str().unwrap()];
    proxy.gvm(&machine, &from).failed(5).saying(&["there is no .go-version.sum"]);
    machine.has_nothing_installed();
}

#[test]
fn a_pin_of_a_minor_means_the_version_that_is_locked() {
    let machine = locked(&own_line(&h1()));
    machine.repository("", &[(".go-version", "1.22")]);
    let mirror = GoDev::of(&[VERSION, "1.22.9"]).serve();
    let mut command = machine.command(GVM);
    run(command.args(["install"]).env("GVM_DL_URL", dl(&mirror))).succeeded();
    assert_eq!(machine.installed(), [VERSION]);
}

#[test]
fn a_lock_that_cannot_be_read_is_named_and_nothing_is_installed() {
    let proxy = Proxy::new(Log::new(&h1()));
    let contradiction = own_line(&h1()) + &own_line(OTHER);
    for (text, saying) in [
        ("<<<<<<< HEAD\n", ":1: `<<<<<<< HEAD` is no line"),
        (contradiction.as_str(), ":2: it contradicts line 1"),
        ("golang.org/x/mod v0.1.0 h1:x\n", "is no line of a toolchain's go.sum"),
    ] {
        let machine = locked(text);
        let refused = proxy.gvm(&machine, &["install"]).failed(2);
        refused.saying(&[".go-version.sum", saying, "gvm pin --lock"]);
        machine.has_nothing_installed();
        proxy.gvm(&machine, &["pin", "--lock"]).failed(2).saying(&[saying]);
        assert_eq!(lock_of(&machine), text);
    }
    // Not a file, and larger than any.
    let machine = locked("");
    let file = machine.work().join(".go-version.sum");
    fs::remove_file(&file).unwrap();
    run(machine.command("mkfifo").arg(&file)).succeeded();
    proxy.gvm(&machine, &["install"]).failed(2).saying(&["is not a file"]);
    fs::remove_file(&file).unwrap();
    fs::File::create(&file).unwrap().set_len(1 << 40).unwrap();
    proxy.gvm(&machine, &["install"]).failed(2).saying(&["has more than"]);
}

#[test]
fn the_real_log_locks_a_real_version() {
    let machine = Machine::new();
    let mut command = machine.command(GVM);
    command.args(["pin", "--lock", "1.26.10"]).env_remove("GOPROXY").env_remove("GOSUMDB");
    let ended = run(&mut command);
    // A proxy need not relay the records of all platforms.
    assert!(matches!(ended.code, 0 | 7), "{ended:?}");
    let lock = lock_of(&machine);
    let known = "golang.org/toolchain v0.0.1-go1.26.10.linux-amd64 h1:5VAGHlY8yl8pTPVSNIez3SNMy6fWabs+QMR25f3oMT0=";
    assert!(lock.lines().any(|line| line == known), "{lock}");
    assert!(lock.lines().count() > 1, "{lock}");
}
