//! Files that gvm reads, each damaged in every way: none makes it panic, hang or
//! write elsewhere, and none is skipped in silence.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

mod common;

use common::log::{Log, Proxy, VERSION, h1};
use common::published::{GoDev, dl, names_in};
use common::{Ended, Machine, run};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

/// A way in which a file is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    Garbage,
    NotUtf8,
    Huge,
    Fifo,
    Directory,
    Loop,
    Dangling,
    Unreadable,
}

use Damage::{Dangling, Directory, Fifo, Garbage, Huge, Loop, NotUtf8, Unreadable};

const ALL: [Damage; 8] = [Garbage, NotUtf8, Huge, Fifo, Directory, Loop, Dangling, Unreadable];

fn damage(file: &Path, how: Damage) {
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    if fs::symlink_metadata(file).is_ok() {
        fs::rename(file, file.with_extension("kept")).unwrap();
    }
    match how {
        Garbage => fs::write(file, "{\"<<<<<<< \u{1b}[31mHEAD\n").unwrap(),
        NotUtf8 => fs::write(file, b"\xff\xfe\xfd\n\x80\x81").unwrap(),
        Huge => fs::File::create(file).unwrap().set_len(1 << 42).unwrap(),
        Fifo => {
            assert!(std::process::Command::new("mkfifo").arg(file).status().unwrap().success());
        }
        Directory => fs::create_dir(file).unwrap(),
        Dangling => symlink("nowhere", file).unwrap(),
        Loop => symlink(file.file_name().unwrap(), file).unwrap(),
        Unreadable => {
            fs::write(file, "1.22.4\n").unwrap();
            fs::set_permissions(file, fs::Permissions::from_mode(0o000)).unwrap();
        }
    }
}

/// Takes the damage away again.
fn mend(file: &Path) {
    match fs::symlink_metadata(file) {
        Ok(found) if found.is_dir() => fs::remove_dir(file).unwrap(),
        Ok(_) => fs::remove_file(file).unwrap(),
        Err(_) => {}
    }
    let kept = file.with_extension("kept");
    if kept.exists() {
        fs::rename(kept, file).unwrap();
    }
}

/// A machine with the small Go, all caches filled, and those who filled them.
struct World {
    machine: Machine,
    proxy: Proxy,
    go_dev: common::server::Server,
}

impl World {
    fn new() -> Self {
        let machine = Machine::new();
        let proxy = Proxy::new(Log::new(&h1()));
        let go_dev = GoDev::of(&[VERSION]).serve();
        let world = Self { machine, proxy, go_dev };
        world.gvm(&["install", VERSION]).succeeded();
        world.gvm(&["default", VERSION]).succeeded();
        world
    }

    /// gvm, or a program by its shim, as somebody whom permissions bind.
    fn gvm(&self, arguments: &[&str]) -> Ended {
        let mut command = self.machine.gvm_bound_by_permissions();
        let arguments = match arguments {
            ["go", rest @ ..] => {
                command = self.machine.bound_by_permissions(self.machine.shims().join("go"));
                rest
            }
            all => all,
        };
        let setting = self.proxy.log.lock().unwrap().verifier();
        command
            .args(arguments)
            .env("GVM_DL_URL", dl(&self.go_dev))
            .env("GOPROXY", self.proxy.server.url())
            .env("GOSUMDB", setting);
        run(&mut command)
    }

    /// What is on the machine outside of the store, by name, size and time of the last
    /// change.
    fn outside(&self) -> BTreeMap<PathBuf, (u64, i64, i64)> {
        let mut found = BTreeMap::new();
        let mut pending = vec![self.machine.path()];
        while let Some(directory) = pending.pop() {
            for entry in fs::read_dir(&directory).unwrap() {
                let path = entry.unwrap().path();
                let metadata = fs::symlink_metadata(&path).unwrap();
                if metadata.is_dir() && path != self.machine.root() {
                    pending.push(path.clone());
                }
                if !metadata.is_dir() {
                    let told = (metadata.len(), metadata.mtime(), metadata.mtime_nsec());
                    found.insert(path, told);
                }
            }
        }
        found
    }
}

/// What a command may do about it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// It fails with one of these codes.
    Fails(&'static [i32]),
    /// It goes on, after it has said so.
    GoesOn,
}

#[track_caller]
fn check(file: &dyn Fn(&Machine) -> PathBuf, damages: &[Damage], arguments: &[&str], then: Then) {
    let world = World::new();
    let file = file(&world.machine);
    for &how in damages {
        damage(&file, how);
        let before = world.outside();
        let ended = world.gvm(arguments);
        let what = format!("{how:?} {} {arguments:?}: {ended:#?}", file.display());
        assert!(!ended.stderr.contains("panicked"), "{what}");
        match then {
            Then::Fails(codes) => assert!(codes.contains(&ended.code), "{what}"),
            Then::GoesOn => assert_eq!(ended.code, 0, "{what}"),
        }
        let told = format!("{}{}", ended.stderr, ended.stdout);
        assert!(told.contains(&file.display().to_string()), "not named: {what}");
        assert!(!told.contains('\u{1b}'), "what is in it reaches the terminal: {what}");
        assert_eq!(world.outside(), before, "{what}");
        mend(&file);
        world.gvm(&["list"]).succeeded();
    }
}

#[test]
fn a_pin_that_cannot_be_used_is_an_error_wherever_it_is_read() {
    for name in [".go-version", ".tool-versions"] {
        // Lines about other tools are theirs, whatever is in them.
        // A link to nothing is nothing: telling it apart would cost a system call in
        // each directory upward.
        let is_ours = |how: &Damage| match how {
            Dangling => false,
            Garbage | NotUtf8 => name == ".go-version",
            _ => true,
        };
        let damages: Vec<_> = ALL.into_iter().filter(is_ours).collect();
        for arguments in [&["current"][..], &["install"], &["which"], &["env"], &["verify"]] {
            let file = |machine: &Machine| machine.work().join(name);
            check(&file, &damages, arguments, Then::Fails(&[1, 2]));
        }
        let file = |machine: &Machine| machine.work().join(name);
        check(&file, &damages, &["go", "version"], Then::Fails(&[1, 2, 126]));
    }
}

#[test]
fn a_go_mod_that_cannot_be_read_is_an_error() {
    // The go command reads its text, and says what is wrong with it.
    for name in ["go.mod", "go.work"] {
        let file = |machine: &Machine| machine.work().join(name);
        check(&file, &[Unreadable], &["current"], Then::Fails(&[1, 2]));
        check(&file, &[Unreadable], &["go", "version"], Then::Fails(&[1, 2, 126]));
    }
}

#[test]
fn settings_that_cannot_be_read_are_an_error() {
    let file = |machine: &Machine| machine.root().join("config.toml");
    for arguments in [&["install", VERSION][..], &["list-remote"], &["verify", VERSION]] {
        check(&file, &ALL, arguments, Then::Fails(&[1, 2]));
    }
    let file = |machine: &Machine| machine.root().join("default");
    let but_dangling: Vec<_> = ALL.into_iter().filter(|&how| how != Dangling).collect();
    check(&file, &but_dangling, &["current"], Then::Fails(&[1, 2]));
    check(&file, &but_dangling, &["go", "version"], Then::Fails(&[1, 2, 126]));
    check(&file, &but_dangling, &["list"], Then::GoesOn);
}

#[test]
fn a_damaged_receipt_is_named_and_the_toolchain_is_listed() {
    let file = |machine: &Machine| machine.toolchain(VERSION).join("receipt.json");
    let damages = [Garbage, NotUtf8, Huge, Fifo, Directory, Loop, Unreadable];
    check(&file, &damages, &["list"], Then::GoesOn);
    check(&file, &damages, &["list", "--json"], Then::GoesOn);
    check(&file, &damages, &["verify", VERSION], Then::Fails(&[5]));
}

#[test]
fn a_damaged_index_is_named_and_asked_for_anew() {
    let index = |machine: &Machine| {
        let cache = machine.root().join("cache");
        let name = names_in(&cache).into_iter().find(|name| name.starts_with("index-")).unwrap();
        cache.join(name)
    };
    // A directory cannot be replaced by a file; that costs time and nothing else.
    check(&index, &ALL, &["list-remote"], Then::GoesOn);
    check(&index, &ALL, &["install", "--force", VERSION], Then::GoesOn);
}

#[test]
fn what_the_checksum_database_said_is_asked_for_anew_when_it_is_damaged() {
    let lookup = |machine: &Machine| {
        let kept = machine.root().join("checksums/sums.example/lookup");
        kept.join(names_in(&kept).remove(0))
    };
    check(&lookup, &ALL, &["verify", VERSION], Then::GoesOn);
}

#[test]
fn without_the_newest_head_nothing_is_believed() {
    let world = World::new();
    let kept = world.machine.root().join("checksums/sums.example");
    for how in ALL {
        fs::remove_dir_all(kept.join("lookup")).unwrap();
        damage(&kept.join("latest"), how);
        let refused = world.gvm(&["install", "--force", VERSION]).failed(5);
        refused.saying(&["newest tree head", &kept.join("latest").display().to_string()]);
        mend(&kept.join("latest"));
        world.gvm(&["install", "--force", VERSION]).succeeded();
    }
}

#[test]
fn damaged_tiles_are_fetched_again() {
    let world = World::new();
    let kept = world.machine.root().join("checksums/sums.example");
    for how in ALL {
        fs::remove_dir_all(kept.join("lookup")).unwrap();
        for tile in ["tile/0/002", "tile/0/005.p/20"] {
            damage(&kept.join(tile), how);
        }
        world.gvm(&["install", "--force", VERSION]).succeeded();
        mend(&kept.join("tile/0/002"));
        mend(&kept.join("tile/0/005.p/20"));
    }
}

#[test]
fn the_go_commands_settings_are_read_with_care() {
    let file = |machine: &Machine| machine.home().join(".config/go/env");
    // Any bytes may stand in values that are not ours.
    let world = World::new();
    let file = file(&world.machine);
    for how in [Huge, Fifo, Directory, Loop, Unreadable] {
        damage(&file, how);
        let mut command = world.machine.gvm_bound_by_permissions();
        command.args(["install", "--force", VERSION]).env_remove("GOPROXY").env_remove("GOSUMDB");
        let ended = run(&mut command);
        assert!(matches!(ended.code, 1 | 2), "{how:?}: {ended:?}");
        ended.saying(&[&file.display().to_string(), "settings cannot be read", "GOENV=off"]);
        mend(&file);
    }
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, b"GOFLAGS=-x=\xff\xfe\nGOPROXY=off\nGOSUMDB=off\n").unwrap();
    let mut command = world.machine.gvm_bound_by_permissions();
    command
        .args(["install", "--force", VERSION])
        .env("GVM_DL_URL", dl(&world.go_dev))
        .env_remove("GOPROXY")
        .env_remove("GOSUMDB");
    run(&mut command).succeeded();
}

#[test]
fn a_list_of_files_that_is_damaged_is_told_and_written_anew() {
    let world = World::new();
    let list = world.machine.toolchain(VERSION).join("files.sha256");
    for how in ALL {
        damage(&list, how);
        let ended = world.gvm(&["verify", VERSION]).failed(5);
        assert!(ended.stdout.contains("its list of files is missing or damaged"), "{ended:?}");
        mend(&list);
    }
    damage(&list, Garbage);
    world.gvm(&["verify", VERSION, "--repair"]).succeeded();
    world.gvm(&["verify", VERSION]).succeeded();
}
