//! Two toolchains that have most of their files in common: whatever is odd about those
//! files, the file system or the parts of a zip, each tree is what it should be.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

mod common;

use common::archives::{self, File, module_zip, sha256, tar_gz};
use common::hostile::{ZipMember, zip, zip_members};
use common::log::{Log, Proxy, VERSION, part};
use common::published::{GoDev, assert_is_whole, everything};
use common::server::{Answer, Ending, Request, Server};
use common::{Ended, GVM, Machine, run};
use gvm::platform::Platform;
use gvm::trust::h1::{Tree, module_prefix};
use gvm::version::Version;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is installed before `VERSION`, which comes by an upgrade.
const OLD: &str = "1.22.3";

/// Bytes that cannot be packed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = vec![0; length];
    for byte in &mut bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = state as u8;
    }
    bytes
}

/// The small Go with what two patch releases have in common, which is most of it, and
/// what they have not.
fn tree(version: &str) -> Vec<File> {
    let is_new = version == VERSION;
    let mut files = archives::tree(version);
    let file = |path: &str, content: Vec<u8>| (path.to_string(), content, path.contains("tool"));
    files.push(file("pkg/tool/x/shared", noise(1, 6 << 20)));
    files.push(file("pkg/tool/x/link", noise(2 + u64::from(is_new), 700_000)));
    files.push(file("src/same_size.go", if is_new { b"two" } else { b"one" }.to_vec()));
    files.push(file("src/longer.go", vec![b'/'; if is_new { 20 } else { 10 }]));
    files.push(file("src/shorter.go", vec![b'/'; if is_new { 10 } else { 20 }]));
    if is_new {
        files.push(file("src/added.go", b"package added\n".to_vec()));
    } else {
        files.push(file("src/gone.go", b"package gone\n".to_vec()));
    }
    files
}

/// Files that differ between the two, of those that a module has.
const NEW: [&str; 6] = [
    "VERSION",
    "pkg/tool/x/link",
    "src/added.go",
    "src/longer.go",
    "src/same_size.go",
    "src/shorter.go",
];
/// Some that do not.
const SAME: [&str; 4] = ["pkg/tool/x/shared", "src/fmt/print.go", "src/go.mod", "src/all.bash"];

fn h1_of(files: &[File]) -> String {
    let mut tree = Tree::default();
    files.iter().for_each(|(path, content, _)| tree.add(path, sha256(content)));
    tree.h1(&module_prefix(Version::parse(VERSION).unwrap(), &Platform::host()))
}

/// A proxy with `VERSION` and its record.
fn proxy() -> Proxy {
    let proxy = Proxy::new(Log::new(&h1_of(&tree(VERSION))));
    proxy.zip.lock().unwrap().content = module_zip(VERSION, &Platform::host(), &tree(VERSION));
    proxy
}

/// A machine that has `OLD`, installed as somebody whom permissions bind.
fn machine() -> Machine {
    let machine = Machine::new();
    install_old(&machine, &tree(OLD));
    machine
}

fn install_old(machine: &Machine, files: &[File]) {
    let archive = machine.path().join("old.zip");
    fs::write(&archive, module_zip(OLD, &Platform::host(), files)).unwrap();
    let mut command = machine.gvm_bound_by_permissions();
    run(command.args(["install", "--from"]).arg(&archive)).succeeded();
    assert_is_whole(&machine.goroot(OLD), files);
}

/// Installs `VERSION` as somebody whom permissions bind, with a proof that counts.
fn upgrade(machine: &Machine, proxy: &Proxy) -> Ended {
    run(told(machine.gvm_bound_by_permissions().args(["install", VERSION]), proxy))
}

fn told<'c>(command: &'c mut Command, proxy: &Proxy) -> &'c mut Command {
    let verifier = proxy.log.lock().unwrap().verifier();
    command
        .env("GOPROXY", proxy.server.url())
        .env("GOSUMDB", verifier)
        .env("GVM_REQUIRE", "checksum-database")
}

fn inode(file: &Path) -> u64 {
    fs::metadata(file).unwrap().ino()
}

/// Which of these files the two toolchains have once.
fn shared<'p>(machine: &Machine, paths: &[&'p str]) -> Vec<&'p str> {
    let [old, new] = [OLD, VERSION].map(|version| machine.goroot(version));
    let is_one = |path: &&str| {
        let old = fs::metadata(old.join(path)).ok();
        old.is_some_and(|old| old.ino() == inode(&new.join(path)))
    };
    paths.iter().copied().filter(is_one).collect()
}

/// Each is what was published, and nothing is left over.
#[track_caller]
fn both_are_whole(machine: &Machine) {
    for version in [OLD, VERSION] {
        assert_is_whole(&machine.goroot(version), &tree(version));
        machine.gvm(&["verify", version]).succeeded();
    }
    machine.has_nothing_staged();
}

#[test]
fn what_is_the_same_is_kept_once_whatever_it_came_from() {
    let proxy = proxy();
    // By parts of a zip, by the whole of it, by a tarball, and by a file.
    let (mut go_dev, tarball) = (GoDev::default(), tar_gz(&tree(VERSION)));
    go_dev.add(VERSION, &tarball);
    let go_dev = go_dev.serve();
    for from in ["parts", "zip", "tarball", "file"] {
        let machine = machine();
        proxy.zip.lock().unwrap().ranges = from == "parts";
        match from {
            "parts" | "zip" => drop(upgrade(&machine, &proxy).succeeded()),
            "tarball" => {
                let mut command = machine.gvm_bound_by_permissions();
                command.args(["install", VERSION]);
                run(command.env("GVM_DL_URL", common::published::dl(&go_dev))).succeeded();
            }
            _ => {
                let file = machine.path().join("new.tar.gz");
                fs::write(&file, &tarball).unwrap();
                let mut command = machine.gvm_bound_by_permissions();
                run(command.args(["install", "--from"]).arg(&file)).succeeded();
            }
        }
        both_are_whole(&machine);
        assert_eq!(shared(&machine, &SAME), SAME, "{from}");
        assert_eq!(shared(&machine, &NEW), [""; 0], "{from}");
        let goroot = machine.goroot(VERSION);
        for path in SAME.iter().chain(&NEW) {
            let mode = fs::metadata(goroot.join(path)).unwrap().mode() & 0o7777;
            let is_tool = path.contains("tool") || path.ends_with(".bash");
            assert_eq!(mode, if is_tool { 0o555 } else { 0o444 }, "{from}: {path}");
        }
    }
}

#[test]
fn a_repair_takes_nothing_from_who_shares_the_good_files() {
    for is_list_there in [true, false] {
        let (machine, proxy) = (machine(), proxy());
        upgrade(&machine, &proxy).succeeded();
        let [old, new] = [OLD, VERSION].map(|version| machine.goroot(version));
        let list = machine.toolchain(VERSION).join("files.sha256");
        if !is_list_there {
            fs::remove_file(list).unwrap();
        }
        // One inode under two names: what happens to one happens to the other.
        let tool = "pkg/tool/x/shared";
        fs::set_permissions(new.join(tool), fs::Permissions::from_mode(0o444)).unwrap();
        fs::remove_file(new.join("src/fmt/print.go")).unwrap();
        let mut repair = machine.gvm_bound_by_permissions();
        run(told(repair.args(["verify", VERSION, "--repair"]), &proxy)).succeeded();
        assert_is_whole(&new, &tree(VERSION));
        // Its own file with its own mode, and the other's is as it was.
        assert_eq!(fs::metadata(new.join(tool)).unwrap().mode() & 0o7777, 0o555);
        assert_eq!(fs::metadata(old.join(tool)).unwrap().mode() & 0o7777, 0o444);
        assert_ne!(inode(&new.join(tool)), inode(&old.join(tool)));
        assert_eq!(shared(&machine, &["src/go.mod"]), ["src/go.mod"]);
        // The same for the other, which has to be as it was published too.
        machine.gvm(&["verify", OLD]).failed(5);
    }
}

#[test]
fn a_file_that_was_altered_is_not_taken_over() {
    let proxy = proxy();
    let alter = |goroot: &Path| {
        let replace = |path: &str, content: &[u8]| {
            fs::remove_file(goroot.join(path)).unwrap();
            fs::write(goroot.join(path), content).unwrap();
            let mode = if path.contains("tool") { 0o555 } else { 0o444 };
            fs::set_permissions(goroot.join(path), fs::Permissions::from_mode(mode)).unwrap();
        };
        // In its last byte; of the same size; shorter; gone; something else.
        let mut evil = noise(1, 6 << 20);
        *evil.last_mut().unwrap() ^= 1;
        replace("pkg/tool/x/shared", &evil);
        replace("src/fmt/print.go", b"package FMT\n");
        replace("go.env", b"");
        fs::remove_file(goroot.join("bin/gofmt")).unwrap();
        fs::remove_file(goroot.join("src/go.mod")).unwrap();
        symlink("/etc/passwd", goroot.join("src/go.mod")).unwrap();
        fs::remove_file(goroot.join("src/all.bash")).unwrap();
        run(Command::new("mkfifo").arg(goroot.join("src/all.bash"))).succeeded();
    };
    for is_large in [true, false] {
        for ranges in [true, false] {
            proxy.zip.lock().unwrap().ranges = ranges;
            let machine = machine();
            let goroot = machine.goroot(OLD);
            alter(&goroot);
            if !is_large {
                // Most of the zip is there then, and parts pay.
                fs::remove_file(goroot.join("pkg/tool/x/shared")).unwrap();
                fs::write(goroot.join("pkg/tool/x/shared"), noise(1, 6 << 20)).unwrap();
            }
            // The list of its files says what it was, and is not asked.
            upgrade(&machine, &proxy).succeeded();
            assert_is_whole(&machine.goroot(VERSION), &tree(VERSION));
            machine.gvm(&["verify", VERSION]).succeeded();
            let parts = &machine.receipt(VERSION)["origin"]["parts"];
            assert_eq!(parts.is_object(), ranges && !is_large, "{parts}");
            if parts.is_object() {
                assert_eq!(parts["files"], 6 + 5);
            }
            // And the neighbour is left as it was found.
            machine.gvm(&["verify", OLD]).failed(5);
        }
    }
}

#[test]
fn a_file_that_somebody_may_write_is_not_linked() {
    let proxy = proxy();
    for ranges in [true, false] {
        proxy.zip.lock().unwrap().ranges = ranges;
        let machine = machine();
        let goroot = machine.goroot(OLD);
        for (path, mode) in
            [("src/go.mod", 0o644), ("pkg/tool/x/shared", 0o575), ("src/all.bash", 0o2555)]
        {
            fs::set_permissions(goroot.join(path), fs::Permissions::from_mode(mode)).unwrap();
        }
        upgrade(&machine, &proxy).succeeded();
        both_are_whole(&machine);
        assert_eq!(shared(&machine, &SAME), ["src/fmt/print.go"]);
        let mode = |path: &str| fs::metadata(machine.goroot(VERSION).join(path)).unwrap().mode();
        assert_eq!(mode("src/go.mod") & 0o7777, 0o444);
        assert_eq!(mode("src/all.bash") & 0o7777, 0o555);
        // What was taken as a copy was not fetched.
        assert_eq!(machine.receipt(VERSION)["origin"]["parts"].is_object(), ranges);
    }
}

/// The members of the zip of `VERSION`, as a server may alter them.
fn members() -> Vec<ZipMember> {
    let mut files = tree(VERSION);
    files.retain(|(path, ..)| !path.starts_with("test/"));
    for (path, ..) in &mut files {
        *path = path.replace("go.mod", "_go.mod");
    }
    zip_members(&module_prefix(Version::parse(VERSION).unwrap(), &Platform::host()), &files)
}

/// A proxy that relays the database, sends parts as `parts` says, and the right zip
/// as a whole.
fn lying(
    log: &Proxy,
    parts: impl Fn(&Request) -> Option<Answer> + Send + Sync + 'static,
) -> Server {
    let (log, whole) = (log.log.clone(), zip(&members()));
    Server::start(move |request| match request.path.strip_prefix("/sumdb/sums.example") {
        Some(path) => log.lock().unwrap().answer(path),
        None if request.path.ends_with(".zip") => {
            parts(request).unwrap_or_else(|| Answer::ok(whole.clone()))
        }
        None => Answer::not_found(),
    })
}

/// Installs from a server that lies in the parts alone: it succeeds by the whole zip.
#[track_caller]
fn falls_back(what: &str, why: &str, log: &Proxy, server: &Server) {
    let machine = machine();
    let mut command = machine.gvm_bound_by_permissions();
    let command = told(command.args(["install", VERSION]), log).env("GOPROXY", server.url());
    let ended = run(command).succeeded();
    assert!(ended.stderr.contains("fetching the whole archive"), "{what}: {ended:?}");
    assert!(ended.stderr.contains(why), "{what}: {ended:?}");
    let said = ended.stderr.lines().filter(|line| line.contains("whole archive")).count();
    assert_eq!(said, 1, "{what}: {ended:?}");
    both_are_whole(&machine);
    assert_eq!(machine.receipt(VERSION)["origin"]["parts"], Value::Null, "{what}");
}

#[test]
fn a_directory_that_lies_is_found_out_by_the_proof_or_before() {
    let log = proxy();
    let prefix = module_prefix(Version::parse(VERSION).unwrap(), &Platform::host());
    type Lie<'a> = (&'a str, &'a str, Box<dyn Fn(&mut Vec<ZipMember>) + 'a>);
    let at = |members: &[ZipMember], path: &str| {
        let name = format!("{prefix}{path}").into_bytes();
        members.iter().position(|member| member.name == name).unwrap()
    };
    let add = |members: &mut Vec<ZipMember>, name: &str| {
        members.push(ZipMember::stored(name, b"evil"));
    };
    let of_old = |path: &str| {
        let (_, content, _) = tree(OLD).into_iter().find(|(other, ..)| other == path).unwrap();
        ZipMember::stored("x", &content).listed.unwrap()
    };
    let lies: Vec<Lie> = vec![
        (
            "a changed file is listed as the old one",
            "records h1:",
            Box::new(|members| {
                let place = at(members, "src/same_size.go");
                members[place].listed.as_mut().unwrap().crc = of_old("src/same_size.go").crc;
            }),
        ),
        (
            "a file is not listed",
            "records h1:",
            Box::new(|members| {
                let place = at(members, "src/fmt/print.go");
                members[place].listed = None;
            }),
        ),
        (
            "a file is too many",
            "records h1:",
            Box::new(|members| {
                add(members, &format!("{prefix}src/evil.go"));
            }),
        ),
        (
            "a file that no record covers",
            "is in no module zip",
            Box::new(|members| {
                add(members, &format!("{prefix}test/evil.go"));
            }),
        ),
        (
            "a go.mod beside _go.mod",
            "is in no module zip",
            Box::new(|members| {
                add(members, &format!("{prefix}src/go.mod"));
            }),
        ),
        (
            "another version's file",
            "is not under",
            Box::new(|members| {
                add(members, "golang.org/toolchain@v0.0.1-go1.22.9.linux-amd64/src/evil.go");
            }),
        ),
        (
            "a name that leads out",
            "could lead out",
            Box::new(|members| {
                add(members, &format!("{prefix}../../evil"));
            }),
        ),
        (
            "names that differ in case alone",
            "differ in case alone",
            Box::new(|members| {
                add(members, &format!("{prefix}SRC/evil.go"));
            }),
        ),
        (
            "a wrong sum of a new file",
            "is not what the directory lists",
            Box::new(|members| {
                let place = at(members, "src/added.go");
                members[place].listed.as_mut().unwrap().crc ^= 1;
            }),
        ),
        (
            "a wrong size of a new file",
            "is not what the directory lists",
            Box::new(|members| {
                let place = at(members, "src/longer.go");
                members[place].listed.as_mut().unwrap().size += 5;
            }),
        ),
        (
            "a new file with the content of another",
            "records h1:",
            Box::new(|members| {
                let place = at(members, "src/longer.go");
                let evil =
                    ZipMember::stored(members[place].name.clone(), b"package evil // so lon");
                members[place] = evil;
            }),
        ),
    ];
    for (what, why, lie) in lies {
        let mut members = members();
        lie(&mut members);
        let zip = zip(&members);
        let server = lying(&log, move |request| part(request, &zip));
        falls_back(what, why, &log, &server);
    }
}

#[test]
fn parts_that_do_not_arrive_are_not_waited_for() {
    let log = proxy();
    let is_first = |request: &Request| request.headers["range"].starts_with("bytes=-");
    let whole = zip(&members());
    type Odd = fn(Answer) -> Answer;
    let odd: [(&str, &str, Odd); 5] = [
        ("another status", "with status 200", |answer| Answer::ok(answer.body)),
        ("an error", "with status 503", |_| Answer::new(503, "text/plain", "busy")),
        ("too little", "bytes in place of", |mut answer| {
            answer.body.truncate(answer.body.len() / 2);
            answer
        }),
        ("too much", "bytes in place of", |mut answer| {
            answer.body.extend([0; 100]);
            answer
        }),
        ("a broken connection", "broke off", |answer| {
            let half = answer.body.len() / 2;
            answer.ending(Ending::CutAfter(half))
        }),
    ];
    for (what, why, make) in odd {
        let whole = whole.clone();
        let server = lying(&log, move |request| {
            let answer = part(request, &whole)?;
            Some(if is_first(request) { answer } else { make(answer) })
        });
        falls_back(what, why, &log, &server);
    }
}

#[test]
fn a_file_that_cannot_be_linked_is_copied() {
    let proxy = proxy();
    for error in ["EMLINK", "EXDEV", "EPERM"] {
        for ranges in [true, false] {
            proxy.zip.lock().unwrap().ranges = ranges;
            let machine = machine();
            // Those of gvm itself, which makes the shims by links, are not what is meant.
            let inject = format!("inject=linkat:error={error}:when=1..10");
            let mut command = machine.bound_by_permissions("strace");
            command.args(["-f", "-qq", "-o", "/dev/null", "-e", &inject, GVM, "install", VERSION]);
            run(told(&mut command, &proxy)).succeeded();
            both_are_whole(&machine);
            let parts = &machine.receipt(VERSION)["origin"]["parts"];
            assert_eq!(parts.is_object(), ranges);
            assert!(shared(&machine, &SAME).len() < SAME.len(), "{error}");
        }
    }
}

#[test]
#[ignore = "needs a directory on Btrfs, XFS or another file system that clones: GVM_TEST_CLONES"]
fn a_file_system_that_clones_shares_blocks_and_no_files() {
    let place = std::env::var_os("GVM_TEST_CLONES").expect("GVM_TEST_CLONES names a directory");
    let place = tempfile::tempdir_in(place).unwrap();
    let proxy = proxy();
    let machine = Machine::new();
    for ranges in [true, false] {
        proxy.zip.lock().unwrap().ranges = ranges;
        let root = place.path().join(format!("store-{ranges}"));
        let archive = machine.path().join("old.zip");
        fs::write(&archive, module_zip(OLD, &Platform::host(), &tree(OLD))).unwrap();
        let gvm = |arguments: &[&str]| {
            // As root too: a clone is a file of its own.
            let mut command = machine.command(GVM);
            run(told(command.args(arguments), &proxy).env("GVM_ROOT", &root))
        };
        let mut from = machine.command(GVM);
        from.args(["install", "--from"]).arg(&archive).env("GVM_ROOT", &root);
        run(&mut from).succeeded();
        run(Command::new("sync").arg("-f").arg(place.path())).succeeded();
        let used = || {
            run(Command::new("sync").arg("-f").arg(place.path())).succeeded();
            let of = run(Command::new("df").args(["-B1", "--output=used"]).arg(place.path()));
            of.stdout.lines().nth(1).unwrap().trim().parse::<u64>().unwrap()
        };
        let before = used();
        gvm(&["install", VERSION]).succeeded();
        let added = used() - before;
        assert!(added < 3 << 20, "{added} bytes for 0.7 MB that are new, of 7 MB");
        let goroot = |version: &str| -> PathBuf {
            root.join("toolchains").join(format!("{version}-{}", Platform::host())).join("go")
        };
        assert_is_whole(&goroot(VERSION), &tree(VERSION));
        let before: BTreeMap<_, _> = everything(&goroot(VERSION));
        for path in SAME {
            assert_ne!(inode(&goroot(OLD).join(path)), inode(&goroot(VERSION).join(path)));
            fs::write(goroot(OLD).join(path), "evil").unwrap();
        }
        assert_eq!(everything(&goroot(VERSION)), before);
        let mode = fs::metadata(goroot(VERSION).join("src/all.bash")).unwrap().mode();
        assert_eq!(mode & 0o7777, 0o555);
    }
}
