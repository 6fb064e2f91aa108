//! Killed at any point, and refused any system call: the next command finds a
//! whole store.

#![allow(clippy::disallowed_methods, reason = "a test that fails shows its line")]

mod common;

use common::archives::tree;
use common::log::{Log, Proxy, h1};
use common::published::{GoDev, Modules, assert_is_whole, dl, everything, names_in};
use common::server::Server;
use common::{Ended, GVM, Machine, run};
use gvm::platform::Platform;
use gvm::trust::h1::module_version;
use gvm::version::Version;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

const VERSION: &str = "1.22.4";
/// What is installed, pinned and the default before a command is killed.
const OTHER: &str = "1.21.0";

/// A command to kill, and what may be true after that.
struct Case {
    arguments: &'static [&'static str],
    /// Whether the machine has `OTHER`, or gvm was never run.
    is_used: bool,
    source: Source,
    /// The versions that may be installed.
    installed: &'static [&'static [&'static str]],
    /// What `.go-version` and `default` may say; empty where there is no file.
    pins: &'static [&'static str],
    defaults: &'static [&'static str],
    /// Another file, by its path on the machine, and its new text; empty before.
    also: Option<Also>,
    /// Whether files of `OTHER` are changed, missing and too many before.
    is_damaged: bool,
}

type Also = (&'static str, fn() -> String);

#[derive(Clone, Copy)]
enum Source {
    GoDev,
    Modules,
    /// A proxy that relays a checksum database, with a record of `VERSION`.
    Log,
}

/// A new command is one more entry.
const CASES: &[Case] = &[
    Case { arguments: &["install", VERSION], installed: &[&[OTHER], &[VERSION, OTHER]], ..USED },
    Case {
        arguments: &["install", VERSION],
        installed: &[&[OTHER], &[VERSION, OTHER]],
        source: Source::Modules,
        ..USED
    },
    Case { arguments: &["install", "--force", OTHER], ..USED },
    Case {
        arguments: &["install", VERSION],
        is_used: false,
        installed: &[&[], &[VERSION]],
        pins: &[""],
        defaults: &["", "1.22.4\n"],
        ..USED
    },
    Case { arguments: &["uninstall", OTHER], installed: &[&[OTHER], &[]], ..USED },
    Case { arguments: &["pin", "1.22"], pins: &["1.21.0\n", "1.22\n"], ..USED },
    Case { arguments: &["default", "system"], defaults: &["1.21\n", "system\n"], ..USED },
    Case { arguments: &["default", "--unset"], defaults: &["1.21\n", ""], ..USED },
    Case {
        arguments: &["verify", OTHER, "--repair"],
        source: Source::Modules,
        is_damaged: true,
        ..USED
    },
    Case {
        arguments: &["pin", "--lock", VERSION],
        source: Source::Log,
        pins: &["1.21.0\n", "1.22.4\n"],
        also: Some(("work/.go-version.sum", lock)),
        ..USED
    },
    Case {
        arguments: &["mirror", "use", "flat+http://127.0.0.1:9/golang"],
        also: Some(("home/.local/share/gvm/config.toml", || {
            "mirror = \"flat+http://127.0.0.1:9/golang\"\n".into()
        })),
        ..USED
    },
];

/// The lock file of this machine's platform, which is all that the log knows.
fn lock() -> String {
    let of = module_version(Version::parse(VERSION).unwrap(), &Platform::host());
    format!("golang.org/toolchain {of} {}\n", h1())
}

const USED: Case = Case {
    arguments: &[],
    is_used: true,
    source: Source::GoDev,
    installed: &[&[OTHER]],
    pins: &["1.21.0\n"],
    defaults: &["1.21\n"],
    also: None,
    is_damaged: false,
};

/// System calls are counted in each thread, so the one that writes the tree gets
/// its own turn where those of the main thread are left out. A question mark
/// stands before what some architectures do not have.
const CHANGES: &str = "?mkdir,?mkdirat,?rename,?renameat,?renameat2,?unlink,?unlinkat,?rmdir,\
                       ?link,?linkat,?chmod,fchmod,?fchmodat,ftruncate,flock,?utimensat";
const CALLS: [&str; 3] = [CHANGES, "openat", "write"];

struct Servers {
    go_dev: Server,
    modules: Server,
    proxy: Proxy,
    verifier: String,
}

impl Servers {
    fn start() -> Self {
        let versions = [VERSION, OTHER];
        let log = Log::new(&h1());
        Self {
            go_dev: GoDev::of(&versions).serve(),
            modules: Modules::of(&versions).serve(),
            verifier: log.verifier(),
            proxy: Proxy::new(log),
        }
    }

    fn tell(&self, source: Source, command: &mut Command) {
        match source {
            Source::GoDev => command.env("GVM_DL_URL", dl(&self.go_dev)),
            Source::Modules => command.env("GOPROXY", self.modules.url()),
            // The index tells the platforms: without it, all that there may be are asked for.
            Source::Log => command
                .env("GVM_DL_URL", dl(&self.go_dev))
                .env("GOPROXY", self.proxy.server.url())
                .env("GOSUMDB", &self.verifier),
        };
    }
}

/// A machine as a case wants it, copied from one that was used.
fn machine(case: &Case, used: &Machine) -> Machine {
    let machine = Machine::new();
    if case.is_used {
        for part in ["home", "work"] {
            let (from, to) = (used.path().join(part).join("."), machine.path().join(part));
            assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
        }
    }
    if case.is_damaged {
        let goroot = machine.goroot(OTHER);
        fs::write(goroot.join("src/fmt/print.go"), "package evil\n").unwrap();
        fs::write(goroot.join("src/fmt/more.go"), "package fmt\n").unwrap();
        fs::remove_file(goroot.join("bin/gofmt")).unwrap();
    }
    machine
}

fn used(servers: &Servers) -> Machine {
    let machine = Machine::new();
    machine.gvm_at(&servers.go_dev, &["install", OTHER]).succeeded();
    machine.gvm(&["default", "1.21"]).succeeded();
    machine.repository(".", &[(".go-version", "1.21.0\n")]);
    machine
}

/// Runs a case with the `at`th of these calls of a thread made to fail so.
fn inject(machine: &Machine, servers: &Servers, case: &Case, what: &str) -> Ended {
    let mut command = machine.command("strace");
    command.args(["-f", "-qq", "-o", "/dev/null", "-e", what, GVM]).args(case.arguments);
    servers.tell(case.source, &mut command);
    run(&mut command)
}

/// Every command that comes after finds a whole store, and leaves nothing over.
fn is_whole(machine: &Machine, servers: &Servers, case: &Case, at: &str) {
    let one_of = |what: &str, found: String, allowed: &[&str]| {
        assert!(allowed.contains(&found.as_str()), "{at}: {what} is {found:?}");
    };
    let text = |file: &Path| fs::read_to_string(file).unwrap_or_default();
    one_of(".go-version", text(&machine.work().join(".go-version")), case.pins);
    one_of("the default", text(&machine.root().join("default")), case.defaults);
    if let Some((file, new)) = case.also {
        one_of(file, text(&machine.path().join(file)), &["", &new()]);
    }

    let installed = machine.installed();
    assert!(case.installed.iter().any(|list| installed == *list), "{at}: {installed:?}");
    let mut shims: Vec<_> = installed.iter().map(|version| format!("go{version}")).collect();
    for version in &installed {
        if !case.is_damaged {
            assert_is_whole(&machine.goroot(version), &tree(version));
        }
        assert_eq!(machine.receipt(version)["version"], format!("go{version}"), "{at}");
        // The small Go has the head of an executable alone: its shim finds it.
        assert!(machine.shims().join(format!("go{version}")).is_file(), "{at}: {version}");
        let shim = machine.shim_in(&machine.work(), &format!("go{version}"), &["version"]);
        assert_eq!(shim.code, 126, "{at}: {shim:?}");
        assert!(shim.stderr.contains(machine.goroot(version).to_str().unwrap()), "{at}: {shim:?}");
    }
    shims.extend(["go".into(), "gofmt".into()]);
    shims.sort();
    let found = names_in(&machine.shims());
    if case.is_used || !installed.is_empty() {
        assert_eq!(found, shims, "{at}");
    }

    // Again, and this time to its end.
    let mut again = machine.command(GVM);
    servers.tell(case.source, again.args(case.arguments));
    let again = run(&mut again);
    let is_gone = case.arguments[0] == "uninstall" && again.code == 3;
    assert!(again.code == 0 || is_gone, "{at}: {again:?}");
    if case.is_damaged {
        assert_is_whole(&machine.goroot(OTHER), &tree(OTHER));
        assert!(machine.toolchain(OTHER).join("extra/src/fmt/more.go").is_file(), "{at}");
    }
    if let Some((file, new)) = case.also {
        assert_eq!(text(&machine.path().join(file)), new(), "{at}");
    }
    machine.gvm_at(&servers.go_dev, &["install", VERSION]).succeeded();
    machine.has_whole(VERSION);
    machine.has_nothing_staged();
    let mut left = everything(&machine.path());
    left.retain(|path, _| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.contains(".new") || name.contains("-new-") || name.ends_with(".tmp")
    });
    assert!(left.is_empty(), "{at}: {left:?}");
}

/// Works through all cases and calls, on two threads; `one` says whether the call
/// was reached.
fn sweep(one: impl Fn(&Case, &str, usize) -> bool + Sync) {
    let work: Vec<_> = CASES.iter().flat_map(|case| CALLS.map(|calls| (case, calls))).collect();
    let work = Mutex::new(work);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some((case, calls)) = work.lock().unwrap().pop() else { return };
                    let mut at = if calls == "openat" { OPENED_BY_THE_LOADER } else { 1 };
                    while one(case, calls, at) {
                        at += 1;
                        assert!(at < 500, "{:?} never comes to its end", case.arguments);
                    }
                }
            });
        }
    });
}

/// The first calls are those of the program's loader, before gvm begins.
const OPENED_BY_THE_LOADER: usize = 5;

#[test]
fn killed_anywhere_the_next_command_finds_a_whole_store() {
    let servers = Servers::start();
    let used = used(&servers);
    let points = AtomicUsize::new(0);
    sweep(|case, calls, at| {
        let machine = machine(case, &used);
        let ended =
            inject(&machine, &servers, case, &format!("inject={calls}:signal=KILL:when={at}"));
        let name = format!("{:?} killed at {at} of {calls}", case.arguments);
        let is_killed = matches!(ended.code, -9 | 137);
        assert!(is_killed || ended.code == 0, "{name}: {ended:?}");
        is_whole(&machine, &servers, case, &name);
        points.fetch_add(usize::from(is_killed), Ordering::SeqCst);
        is_killed
    });
    let points = points.into_inner();
    println!("killed at {points} points");
    assert!(points >= 100, "{points}");
}

/// What a system may answer, what gvm says then, and what helps.
const REFUSALS: [(&str, &str, &str); 6] = [
    ("ENOSPC", "(os error 28)", "free some room"),
    ("EDQUOT", "(os error 122)", "free some room"),
    ("EROFS", "(os error 30)", ""),
    ("EACCES", "ermission denied", ""),
    ("EMFILE", "(os error 24)", "ulimit -n"),
    ("EIO", "(os error 5)", ""),
];

#[test]
fn refused_any_call_it_says_why_and_the_store_is_whole() {
    let servers = Servers::start();
    let used = used(&servers);
    let (points, failures) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let unclear = Mutex::new(Vec::new());
    sweep(|case, calls, at| {
        // Each call is refused with one of them, the next call with the next one.
        let (error, cause, hint) = REFUSALS[at % REFUSALS.len()];
        let machine = machine(case, &used);
        let log = machine.path().join("calls");
        let mut command = machine.command("strace");
        command.args(["-f", "-qq", "-o", log.to_str().unwrap(), "-e"]);
        command.arg(format!("inject={calls}:error={error}:when={at}"));
        command.args(["-e", &format!("trace={calls}"), GVM]).args(case.arguments);
        servers.tell(case.source, &mut command);
        let ended = run(&mut command);
        let log = fs::read_to_string(&log).unwrap();
        fs::remove_file(machine.path().join("calls")).unwrap();
        let name = format!("{:?} refused {at} of {calls} with {error}", case.arguments);
        // What wakes another thread is no file: no system refuses that.
        let is_real = !ended.stderr.contains("failed to wake I/O driver");
        assert!(!is_real || matches!(ended.code, 0 | 1 | 2 | 5 | 6), "{name}: {ended:?}");
        assert!(!is_real || !ended.stderr.contains("panicked"), "{name}: {ended:?}");
        if ended.code != 0 && calls != "write" {
            // What `verify` could not read stands in its report.
            let says = |what: &str| ended.stderr.contains(what) || ended.stdout.contains(what);
            // What is read for a pin goes by the system's number for it.
            let is_told = says(cause) && says(hint) || says("cannot be read: system error");
            if ended.stderr.matches("gvm: error: ").count() != 1 || !is_told {
                unclear.lock().unwrap().push(format!("{name}: {ended:?}"));
            }
            failures.fetch_add(1, Ordering::SeqCst);
        }
        is_whole(&machine, &servers, case, &name);
        points.fetch_add(1, Ordering::SeqCst);
        log.contains("INJECTED")
    });
    let (points, failures) = (points.into_inner(), failures.into_inner());
    let unclear = unclear.into_inner().unwrap();
    assert!(unclear.is_empty(), "{unclear:#?}");
    println!("refused {points} calls, of which {failures} ended the command");
    assert!(points >= 100 && failures >= 50, "{points} {failures}");
}

/// Runs gvm at another time.
fn at(machine: &Machine, server: &Server, time: &str, arguments: &[&str]) -> Ended {
    let mut command = machine.command("faketime");
    command.args(["-f", &format!("@{time}"), GVM]).args(arguments);
    run(command.env("GVM_DL_URL", dl(server)))
}

#[test]
fn a_clock_that_is_decades_off_stops_nothing() {
    let server = GoDev::of(&[VERSION, OTHER]).serve();
    for (time, year) in [("1970-01-01 00:00:10", "1970"), ("2099-12-31 23:00:00", "2099")] {
        let machine = Machine::new();
        at(&machine, &server, time, &["install", VERSION]).succeeded();
        let told = machine.receipt(VERSION)["installed_at"].to_string();
        // faketime reads a local time, and the test's is UTC.
        assert!(told.contains(year), "{told}");
        for arguments in [
            ["list", "--verbose"].as_slice(),
            &["list-remote"],
            &["pin", VERSION],
            &["default", VERSION],
            &["install", "--force", VERSION],
        ] {
            at(&machine, &server, time, arguments).succeeded();
        }
        // What was kept then is of the future or of long ago.
        machine.gvm_at(&server, &["list-remote"]).succeeded();
        let offline = machine.gvm(&["list-remote"]);
        let said = format!("{}{}", offline.stdout, offline.stderr);
        assert!(offline.code == 0 || offline.code == 6, "{offline:?}");
        assert!(!said.contains("-1") && !said.contains("panicked"), "{offline:?}");
        at(&machine, &server, time, &["uninstall", VERSION]).succeeded();
        machine.has_nothing_staged();
    }
}
#[test]
fn a_list_of_the_future_has_no_absurd_age() {
    let server = GoDev::of(&[VERSION]).serve();
    let machine = Machine::new();
    at(&machine, &server, "2099-12-31 23:00:00", &["list-remote"]).succeeded();
    let closed = dl(&server);
    drop(server);
    for time in ["1970-01-01 00:00:10", "2020-01-01 00:00:00"] {
        let mut command = machine.command("faketime");
        command.args(["-f", &format!("@{time}"), GVM, "list-remote"]);
        let listed = run(command.env("GVM_DL_URL", &closed)).succeeded();
        assert!(listed.stdout.contains(VERSION), "{listed:?}");
        assert!(!listed.stderr.contains("days ago"), "{listed:?}");
    }
}

#[test]
fn few_open_files_are_said_to_be_the_cause() {
    let server = GoDev::of(&[VERSION, OTHER]).serve();
    let machine = Machine::new();
    machine.gvm_at(&server, &["install", OTHER]).succeeded();
    let mut told = 0;
    for limit in 4..16 {
        let mut command = machine.command("sh");
        let script = format!("ulimit -n {limit}; exec \"$0\" install {VERSION}");
        command.args(["-c", &script, GVM]).env("GVM_DL_URL", dl(&server));
        let ended = run(&mut command);
        let name = format!("{limit} files");
        assert!(!ended.stderr.contains("panicked"), "{name}: {ended:?}");
        if ended.code == 0 {
            break;
        }
        // Where even the loader has too few, gvm does not begin.
        if ended.stderr.contains("error while loading shared libraries") {
            continue;
        }
        // Without its certificates it does not come to the files.
        let is_told = ended.stderr.contains("ulimit -n") || ended.code == 6;
        assert!(is_told, "{name}: {ended:?}");
        told += usize::from(ended.code == 1);
        assert_eq!(machine.installed(), [OTHER], "{name}");
        machine.has_whole(OTHER);
    }
    assert!(told > 0);
    machine.gvm_at(&server, &["install", VERSION]).succeeded();
    machine.has_nothing_staged();
}

#[test]
fn a_home_that_cannot_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt;
    let server = GoDev::of(&[VERSION]).serve();
    let machine = Machine::new();
    let set = |mode| fs::set_permissions(machine.home(), fs::Permissions::from_mode(mode)).unwrap();
    set(0o555);
    let mut command = machine.gvm_bound_by_permissions();
    let failed = run(command.args(["install", VERSION]).env("GVM_DL_URL", dl(&server)));
    set(0o755);
    failed.failed(1).saying(&["ermission denied", machine.home().to_str().unwrap()]);
    assert_eq!(names_in(&machine.home()), [""; 0]);
    machine.gvm_at(&server, &["install", VERSION]).succeeded();
    machine.has_whole(VERSION);
}
