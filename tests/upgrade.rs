//! A version beside another one: what they have in common is on the disk once, and
//! is not fetched again.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

mod common;

use common::archives::{File, large_tree, module_zip, tar_gz};
use common::log::{Log, Proxy, VERSION, h1_of};
use common::published::{GoDev, assert_is_whole, snapshot};
use common::{Ended, GVM, Machine, run};
use gvm::platform::Platform;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is installed before.
const OLD: &str = "1.22.3";
/// What is asked for of a zip before anything else.
const TAIL: u64 = 2 << 20;

/// The tree of `VERSION`: another VERSION file, another compiler of the same size, and
/// one file more than the old one.
fn new() -> Vec<File> {
    let mut files = large_tree(VERSION);
    let compiler = files.iter_mut().find(|(path, ..)| path.ends_with("compile")).unwrap();
    *compiler.1.last_mut().unwrap() ^= 1;
    files.push(("src/fmt/more.go".into(), b"package fmt // more\n".to_vec(), false));
    files
}

/// A machine with the old one and these settings, and a proxy that has the new one,
/// which the database knows.
fn installed(settings: &str) -> (Machine, Proxy) {
    installed_from(&large_tree(OLD), settings)
}

fn installed_from(old: &[File], settings: &str) -> (Machine, Proxy) {
    let machine = Machine::new();
    machine.config(settings);
    install_old(&machine, old, &mut machine.command(GVM));
    let proxy = Proxy::new(Log::new(&h1_of(&new())));
    proxy.zip.lock().unwrap().content = module_zip(VERSION, &Platform::host(), &new());
    (machine, proxy)
}

fn install_old(machine: &Machine, old: &[File], gvm: &mut Command) {
    let archive = machine.path().join("old.zip");
    fs::write(&archive, module_zip(OLD, &Platform::host(), old)).unwrap();
    run(gvm.args(["install", "--from"]).arg(&archive)).succeeded();
}

fn size_of_zip(proxy: &Proxy) -> u64 {
    proxy.zip.lock().unwrap().content.len() as u64
}

/// The inodes of what both toolchains have in common, by path in GOROOT.
fn shared(machine: &Machine) -> BTreeSet<String> {
    let inodes = |version| -> BTreeMap<PathBuf, u64> {
        let goroot = machine.goroot(version);
        let files = snapshot(&goroot).into_keys();
        files
            .map(|file| {
                let inode = fs::symlink_metadata(&file).unwrap().ino();
                (file.strip_prefix(&goroot).unwrap().to_path_buf(), inode)
            })
            .collect()
    };
    let (old, new) = (inodes(OLD), inodes(VERSION));
    new.into_iter()
        .filter(|(path, inode)| old.get(path) == Some(inode))
        .map(|(path, _)| path.to_str().unwrap().to_string())
        .collect()
}

/// The paths of what both trees hold with the same content.
fn in_common() -> BTreeSet<String> {
    let old = large_tree(OLD);
    let common = new().into_iter().filter(|file| old.contains(file)).map(|(path, ..)| path);
    common.filter(|path| !path.starts_with("test/")).collect()
}

/// The new one is there as it should be, by the whole zip, and the reason is told.
#[track_caller]
fn came_as_a_whole(machine: &Machine, proxy: &Proxy, ended: Ended, why: &str) {
    let ended = ended.succeeded();
    assert_is_whole(&machine.goroot(VERSION), &new());
    let origin = machine.receipt(VERSION)["origin"].clone();
    assert!(origin["sha256"].is_string() && origin["parts"].is_null(), "{origin}");
    let whole = proxy.zip_requests().pop().unwrap();
    assert!(!whole.headers.contains_key("range"), "{whole:?}");
    let told = ended.stderr.contains("fetching the whole archive");
    assert_eq!(told, !why.is_empty(), "{ended:?}");
    ended.saying(&[why]);
    machine.has_nothing_staged();
}

#[test]
fn an_upgrade_fetches_what_differs_and_says_so() {
    let (machine, proxy) = installed("");
    let before = proxy.server.sent();
    let ended = proxy.install(&machine).succeeded();
    let sent = proxy.server.sent() - before;
    assert_is_whole(&machine.goroot(VERSION), &new());
    machine.has_nothing_staged();

    // The list of files; VERSION, which is in front; the compiler and what is behind it.
    let asked = proxy.zip_requests();
    assert_eq!(asked.len(), 3, "{asked:?}");
    assert_eq!(asked[0].headers["range"], format!("bytes=-{TAIL}"));
    assert!(asked.iter().all(|request| request.headers.contains_key("range")), "{asked:?}");
    let of_log = 40_000;
    assert!(sent < TAIL + 310_000 + of_log, "{sent} of {}", size_of_zip(&proxy));

    let receipt = machine.receipt(VERSION);
    assert_eq!(receipt["evidence"], "checksum-database");
    let (origin, parts) = (&receipt["origin"], &receipt["origin"]["parts"]);
    assert!(origin.get("sha256").is_none(), "{origin}");
    assert_eq!(origin["size"], size_of_zip(&proxy));
    assert_eq!(parts["neighbour"], format!("go{OLD}"));
    assert_eq!(parts["files"], 3);
    let fetched = parts["bytes"].as_u64().unwrap();
    assert!(fetched > TAIL + 300_000 && fetched <= sent, "{fetched} of {sent}");
    ended.saying(&[&format!("2.4 MB fetched, the rest is as in Go {OLD}")]);
    // What it keeps of itself is what it would be otherwise.
    proxy.gvm(&machine, &["verify", VERSION]).succeeded();
    assert_eq!(receipt["files"], new().len() - 1);
}

#[test]
fn what_is_equal_is_on_the_disk_once() {
    for by_parts in [true, false] {
        let (machine, proxy) = installed("share = \"links\"\n");
        let old = snapshot(&machine.goroot(OLD));
        if by_parts {
            proxy.install(&machine).succeeded();
        } else {
            let mut go_dev = GoDev::default();
            go_dev.add(VERSION, &tar_gz(&new()));
            machine.gvm_at(&go_dev.serve(), &["install", VERSION]).succeeded();
        }
        assert_is_whole(&machine.goroot(VERSION), &new());
        assert_eq!(shared(&machine), in_common(), "by parts: {by_parts}");
        // The old one is as it was, in its modes too; nobody may write to either.
        assert_eq!(snapshot(&machine.goroot(OLD)), old);
        for file in old.keys().chain(snapshot(&machine.goroot(VERSION)).keys()) {
            let mode = fs::metadata(file).unwrap().permissions().mode() & 0o777;
            assert!(matches!(mode, 0o444 | 0o555), "{file:?} {mode:o}");
        }
        let used = |directory: PathBuf| -> u64 {
            let du = run(machine.command("du").args(["-s", "-k"]).arg(directory)).succeeded();
            du.stdout.split_whitespace().next().unwrap().parse().unwrap()
        };
        let (both, one) = (used(machine.root().join("toolchains")), used(machine.toolchain(OLD)));
        assert!(both - one < one / 10, "{one} kB, and with the other one {both}");
        // The one goes, the other stays.
        machine.gvm(&["uninstall", OLD]).succeeded();
        assert_is_whole(&machine.goroot(VERSION), &new());
    }
}

#[test]
fn nothing_is_shared_where_that_is_turned_off() {
    for by_parts in [true, false] {
        let (machine, proxy) = installed("share = \"off\"\n");
        proxy.zip.lock().unwrap().ranges = by_parts;
        proxy.install(&machine).succeeded();
        assert_is_whole(&machine.goroot(VERSION), &new());
        assert_eq!(shared(&machine), BTreeSet::new(), "by parts: {by_parts}");
        let parts = &machine.receipt(VERSION)["origin"]["parts"];
        assert_eq!(parts.is_object(), by_parts, "{parts}");
    }
    let (machine, _) = installed("");
    machine.config("share = \"some\"\n");
    machine.gvm(&["install", VERSION]).failed(2).saying(&["config.toml:1", "share = \"auto\""]);
}

/// A program that writes where it should not.
fn write_into(command: &mut Command, file: &Path) -> Ended {
    run(command.args(["-c", "echo evil >>\"$0\""]).arg(file))
}

#[test]
fn whom_modes_bind_changes_no_goroot_by_writing() {
    let (machine, proxy) = installed("");
    fs::remove_dir_all(machine.root()).unwrap();
    // Files of the one who is bound, as both toolchains are.
    install_old(&machine, &large_tree(OLD), &mut machine.gvm_bound_by_permissions());
    let mut command = machine.gvm_bound_by_permissions();
    let verifier = proxy.log.lock().unwrap().verifier();
    command.args(["install", VERSION]).env("GOPROXY", proxy.server.url());
    run(command.env("GOSUMDB", verifier)).succeeded();
    assert_eq!(shared(&machine), in_common());
    for path in in_common() {
        let file = machine.goroot(VERSION).join(path);
        write_into(&mut machine.bound_by_permissions("sh"), &file)
            .failed(2)
            .saying(&["ermission denied"]);
    }
    assert_is_whole(&machine.goroot(OLD), &large_tree(OLD));
    assert_is_whole(&machine.goroot(VERSION), &new());
}

#[test]
fn whom_no_mode_binds_changes_one_goroot_and_no_other() {
    let (machine, proxy) = installed("");
    if fs::metadata(machine.path()).unwrap().uid() != 0 {
        return; // The one above is about those whom modes bind.
    }
    proxy.install(&machine).succeeded();
    assert_eq!(shared(&machine), BTreeSet::new());
    for path in in_common() {
        write_into(&mut machine.command("sh"), &machine.goroot(VERSION).join(path)).succeeded();
    }
    assert_is_whole(&machine.goroot(OLD), &large_tree(OLD));
    proxy.gvm(&machine, &["verify", VERSION]).failed(5);
}

/// Changes files of the old toolchain, whose names and sizes stay what they were.
fn alter(machine: &Machine) {
    let goroot = machine.goroot(OLD);
    fs::write(goroot.join("src/fmt/print.go"), "package evl\n").unwrap();
    fs::write(goroot.join("go.env"), "GOPROXY=evl\n").unwrap();
    for (path, evil) in [("src/all.bash", "/etc/passwd"), ("src/go.mod", "go.mod")] {
        fs::remove_file(goroot.join(path)).unwrap();
        symlink(evil, goroot.join(path)).unwrap();
    }
    fs::remove_file(goroot.join("bin/gofmt")).unwrap();
    run(Command::new("mkfifo").arg(goroot.join("bin/gofmt"))).succeeded();
}

#[test]
fn a_neighbours_altered_file_is_not_taken_over() {
    for share in ["off", "auto", "links"] {
        for by_parts in [true, false] {
            let (machine, proxy) = installed(&format!("share = \"{share}\"\n"));
            alter(&machine);
            proxy.zip.lock().unwrap().ranges = by_parts;
            let ended = proxy.install(&machine).succeeded();
            assert!(!ended.stderr.contains("whole archive"), "{ended:?}");
            assert_is_whole(&machine.goroot(VERSION), &new());
            if by_parts {
                assert_eq!(machine.receipt(VERSION)["origin"]["parts"]["files"], 3 + 5);
            }
            proxy.gvm(&machine, &["verify", VERSION]).succeeded();
        }
    }
}

#[test]
fn a_file_with_the_right_sum_and_another_content_is_found_out_by_the_proof() {
    // Bytes whose every multiple leaves a CRC-32 as it is: its polynomial.
    let bits = (0..33).map(|at| (0x1_04C1_1DB7_u64 >> (32 - at)) & 1);
    let mut pattern = [0_u8; 5];
    bits.enumerate().for_each(|(at, bit)| pattern[at / 8] |= (bit as u8) << (at % 8));
    let crc = |bytes: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        crc.sum()
    };
    for share in ["auto", "links"] {
        let (machine, proxy) = installed(&format!("share = \"{share}\"\n"));
        let file = machine.goroot(OLD).join("src/fmt/print.go");
        let good = fs::read(&file).unwrap();
        let mut evil = good.clone();
        evil[4..9].iter_mut().zip(pattern).for_each(|(byte, pattern)| *byte ^= pattern);
        assert!(crc(&evil) == crc(&good) && evil != good);
        fs::write(&file, &evil).unwrap();
        let ended = proxy.install(&machine);
        came_as_a_whole(&machine, &proxy, ended, &format!("with the files of Go {OLD}"));
        assert!(!shared(&machine).contains("src/fmt/print.go"));
    }
}

#[test]
fn where_ranges_are_refused_the_whole_zip_comes_by_the_same_request() {
    let (machine, proxy) = installed("share = \"links\"\n");
    proxy.zip.lock().unwrap().ranges = false;
    assert!(proxy.install(&machine).succeeded().stderr.contains("proved by record"));
    assert_is_whole(&machine.goroot(VERSION), &new());
    assert_eq!(proxy.zip_requests().len(), 1);
    assert_eq!(shared(&machine), in_common());
    assert!(machine.receipt(VERSION)["origin"]["sha256"].is_string());
}

#[test]
fn what_would_not_pay_is_not_fetched_in_parts() {
    // Nearly all of it differs, in size or in content alone.
    for change in [|content: &mut Vec<u8>| content.push(0), |content: &mut Vec<u8>| content[9] ^= 1]
    {
        let mut old = large_tree(OLD);
        change(&mut old[1].1);
        let (machine, proxy) = installed_from(&old, "share = \"links\"\n");
        let ended = proxy.install(&machine);
        came_as_a_whole(&machine, &proxy, ended, "");
        assert_eq!(proxy.zip_requests().len(), 2);
        let mut common = in_common();
        common.remove("a/large");
        assert_eq!(shared(&machine), common);
    }
}

#[test]
fn without_a_record_of_the_tree_the_whole_zip_is_fetched() {
    let (machine, proxy) = installed("");
    proxy.log.lock().unwrap().gone = Some("/lookup/");
    let ended = proxy.gvm(&machine, &["install", VERSION]);
    came_as_a_whole(&machine, &proxy, ended, "");
    // A lock file names it as well as the database.
    let (machine, proxy) = installed("");
    machine.repository(".", &[(".go-version", VERSION)]);
    let module = gvm::trust::h1::module_version(
        gvm::version::Version::parse(VERSION).unwrap(),
        &Platform::host(),
    );
    let line = format!("golang.org/toolchain {module} {}\n", h1_of(&new()));
    machine.repository(".", &[(".go-version.sum", &line)]);
    proxy.log.lock().unwrap().gone = Some("/lookup/");
    let mut command = proxy.command(&machine, &["install", "--locked"]);
    run(command.env("GVM_REQUIRE", "lock")).succeeded();
    let receipt = machine.receipt(VERSION);
    assert_eq!(receipt["evidence"], "lock-file");
    assert!(receipt["origin"]["parts"].is_object(), "{receipt}");
}

#[test]
fn a_tree_that_the_database_contradicts_is_refused_in_parts_and_as_a_whole() {
    let (machine, proxy) = installed("");
    let mut evil = new();
    evil.last_mut().unwrap().1[0] ^= 1;
    proxy.zip.lock().unwrap().content = module_zip(VERSION, &Platform::host(), &evil);
    proxy.install(&machine).failed(5).saying(&["fetching the whole archive", "records"]);
    assert_eq!(machine.installed(), [OLD]);
    machine.has_nothing_staged();
}

#[test]
fn a_lying_list_of_files_costs_the_whole_zip_and_nothing_else() {
    let (machine, proxy) = installed("");
    let honest = proxy.zip.lock().unwrap().content.clone();
    let directory = honest.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    let at_of = |name: &str| {
        let name = format!("/{name}");
        directory
            + honest[directory..]
                .windows(name.len())
                .position(|bytes| bytes == name.as_bytes())
                .unwrap()
    };
    let prefix = format!("golang.org/toolchain@v0.0.1-go{VERSION}.{}", Platform::host());
    // Behind a header of 46 bytes and the prefix stands the name (APPNOTE 4.3.12).
    let header = |name: &str| at_of(name) - prefix.len() - 46;
    let compile = large_tree(OLD).into_iter().find(|(path, ..)| path.ends_with("compile")).unwrap();
    let mut of_old = flate2::Crc::new();
    of_old.update(&compile.1);

    type Lie<'a> = (&'a str, Box<dyn Fn(&mut Vec<u8>) + 'a>);
    let lies: [Lie; 8] = [
        (
            "the compiler is the old one",
            Box::new(|zip| {
                let at = header("pkg/tool/x/compile") + 16;
                zip[at..at + 4].copy_from_slice(&of_old.sum().to_le_bytes());
            }),
        ),
        ("a file has another sum", Box::new(|zip| zip[header("src/fmt/print.go") + 16] ^= 1)),
        ("a file is huge", Box::new(|zip| zip[header("src/fmt/more.go") + 27] = 0x7f)),
        ("a file lies elsewhere", Box::new(|zip| zip[header("src/fmt/more.go") + 43] ^= 1)),
        (
            "a name leads out",
            Box::new(|zip| {
                let at = at_of("src/fmt/more.go");
                zip[at + 1..at + 4].copy_from_slice(b"../");
            }),
        ),
        ("a name is no Go's", Box::new(|zip| zip[at_of("src/fmt/more.go") - 1] ^= 1)),
        ("a file is called another", Box::new(|zip| zip[at_of("src/fmt/more.go") + 1] ^= 1)),
        (
            "the list stands elsewhere",
            Box::new(|zip| {
                let at = zip.len() - 6;
                zip[at] ^= 1;
            }),
        ),
    ];
    for (name, lie) in lies {
        let mut parts = honest.clone();
        lie(&mut parts);
        proxy.zip.lock().unwrap().parts = Some(parts);
        let ended = proxy.install(&machine);
        assert_eq!(ended.code, 0, "{name}: {ended:?}");
        came_as_a_whole(&machine, &proxy, ended, "with the files of Go");
        machine.gvm(&["uninstall", VERSION]).succeeded();
    }
}

#[test]
fn a_repair_leaves_the_neighbour_its_files() {
    let (machine, proxy) = installed("share = \"links\"\n");
    proxy.install(&machine).succeeded();
    let inodes = |version| -> Vec<(PathBuf, u64)> {
        let files = snapshot(&machine.goroot(version)).into_keys();
        files.map(|file| (file.clone(), fs::metadata(&file).unwrap().ino())).collect()
    };
    let before = inodes(OLD);
    // One file is another, one is changed in place, in both at once.
    let goroot = machine.goroot(VERSION);
    fs::remove_file(goroot.join("bin/gofmt")).unwrap();
    fs::write(goroot.join("bin/gofmt"), "evil").unwrap();
    fs::write(goroot.join("src/fmt/print.go"), "package evil\n").unwrap();
    proxy.gvm(&machine, &["verify", VERSION, "--repair"]).succeeded();
    assert_is_whole(&goroot, &new());
    assert_eq!(inodes(OLD), before);
    let mut still = in_common();
    still.retain(|path| !["bin/gofmt", "src/fmt/print.go"].contains(&path.as_str()));
    assert_eq!(shared(&machine), still);
    // The other one is not put right behind anybody's back, and it is told.
    let told = proxy.gvm(&machine, &["verify", OLD]).failed(5);
    assert!(told.stdout.contains("src/fmt/print.go"), "{told:?}");
}

#[test]
fn the_nearest_neighbour_is_taken() {
    let (machine, proxy) = installed("");
    for version in ["1.22.2", "1.21.9", "1.23.0", "1.22.5"] {
        machine.fake(version);
    }
    let neighbour = || {
        proxy.install(&machine).succeeded();
        let receipt = machine.receipt(VERSION);
        machine.gvm(&["uninstall", VERSION]).succeeded();
        receipt["origin"]["parts"]["neighbour"].clone()
    };
    assert_eq!(neighbour(), format!("go{OLD}"));
    // The one behind it, where none is before it in its minor; of others, the newest of
    // the nearest.
    for (from, to) in [("1.22.2", "1.20.1"), (OLD, "1.22.6")] {
        fs::rename(machine.toolchain(from), machine.toolchain(to)).unwrap();
    }
    fs::remove_dir_all(machine.toolchain("1.22.5")).unwrap();
    assert_eq!(neighbour(), "go1.22.6");
    fs::rename(machine.toolchain("1.22.6"), machine.toolchain("1.23.1")).unwrap();
    assert_eq!(neighbour(), "go1.23.1");
}

#[test]
fn killed_in_the_middle_nothing_is_left_and_the_neighbour_is_whole() {
    let calls = [
        ("?link,?linkat", [1, 3, 6]),
        ("?mkdir,?mkdirat", [2, 6, 8]),
        ("?rename,?renameat,?renameat2", [1, 2, 3]),
        ("write", [1, 4, 7]),
    ];
    let (used, proxy) = installed("share = \"links\"\n");
    let verifier = proxy.log.lock().unwrap().verifier();
    let mut points = 0;
    for (by_parts, (calls, at)) in calls.iter().flat_map(|calls| [(true, calls), (false, calls)]) {
        proxy.zip.lock().unwrap().ranges = by_parts;
        for at in at {
            let machine = Machine::new();
            let home = used.home().join(".");
            run(machine.command("cp").arg("-a").arg(home).arg(machine.home())).succeeded();
            let mut command = machine.command("strace");
            command.args(["-f", "-qq", "-o", "/dev/null", "-e"]);
            command.arg(format!("inject={calls}:signal=KILL:when={at}"));
            command.args([GVM, "install", VERSION]).env("GOPROXY", proxy.server.url());
            let ended = run(command.env("GOSUMDB", &verifier));
            let name = format!("killed at {at} of {calls}, by parts: {by_parts}");
            let is_killed = matches!(ended.code, -9 | 137);
            assert!(is_killed || ended.code == 0, "{name}: {ended:?}");
            points += usize::from(is_killed);
            assert_is_whole(&machine.goroot(OLD), &large_tree(OLD));
            if machine.installed().contains(&VERSION.to_string()) {
                assert_is_whole(&machine.goroot(VERSION), &new());
            }
            proxy.install(&machine).succeeded();
            assert_is_whole(&machine.goroot(VERSION), &new());
            assert_eq!(shared(&machine), in_common(), "{name}");
            machine.has_nothing_staged();
        }
    }
    assert!(points >= 18, "{points}");
}

#[test]
fn a_real_patch_release_costs_three_fifths_of_its_zip_at_most() {
    let (old, new) = ("1.26.10", "1.26.11");
    let machine = Machine::new();
    machine.real(old);
    // From the real proxy, with the proof of the real log.
    let mut command = machine.command(GVM);
    command
        .args(["install", new])
        .env("GVM_REQUIRE", "checksum-database")
        .env_remove("GOPROXY")
        .env_remove("GOSUMDB");
    let ended = run(&mut command).succeeded();
    let receipt = machine.receipt(new);
    assert_eq!(receipt["evidence"], "checksum-database");
    let (parts, size) = (&receipt["origin"]["parts"], &receipt["origin"]["size"]);
    assert_eq!(parts["neighbour"], format!("go{old}"), "{ended:?}");
    let (fetched, size) = (parts["bytes"].as_u64().unwrap(), size.as_u64().unwrap());
    println!("{} files, {fetched} of {size} bytes", parts["files"]);
    assert!(fetched * 10 <= size * 6, "{fetched} of {size}");
    let platform = Platform::host();
    let version = gvm::version::Version::parse(new).unwrap();
    let found = common::real_go::h1_of(&machine.goroot(new), version, &platform);
    assert_eq!(found.as_deref(), receipt["h1"].as_str());
}
