//! Toolchains of other managers, taken over: laid out as each of them does, proved as a
//! download would be, and left as they are.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

mod common;

use common::archives::{File, tree};
use common::log::{Log, Proxy, VERSION, h1_of};
use common::published::{assert_is_whole, everything, names_in};
use common::real_go::real_go;
use common::{Ended, GVM, Machine, run, write_script};
use gvm::config::{Config, Require};
use gvm::install::import;
use gvm::install::{IfPresent, Terms};
use gvm::platform::Platform;
use gvm::source::Sources;
use gvm::store::Store;
use gvm::ui::Ui;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where each manager keeps `VERSION`, below HOME.
const PLACES: [(&str, &str); 7] = [
    ("goenv", ".goenv/versions/1.22.4"),
    ("moovweb", ".gvm/gos/go1.22.4"),
    ("asdf", ".asdf/installs/golang/1.22.4/go"),
    ("mise", ".local/share/mise/installs/go/1.22.4"),
    ("g", ".g/versions/1.22.4"),
    ("gobrew", ".gobrew/versions/1.22.4/go"),
    ("sdk", "sdk/go1.22.4"),
];

/// Unpacks a tree as an archive of go.dev would be.
fn unpack(files: &[File], goroot: &Path) {
    for (path, content, executable) in files {
        let file = goroot.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, content).unwrap();
        let mode = if *executable { 0o755 } else { 0o644 };
        fs::set_permissions(&file, Permissions::from_mode(mode)).unwrap();
    }
}

/// A machine on which goenv has the small Go, and a proxy that relays its record.
fn with_goenv() -> (Machine, Proxy, PathBuf) {
    let machine = Machine::new();
    let goroot = machine.home().join(PLACES[0].1);
    unpack(&tree(VERSION), &goroot);
    (machine, Proxy::new(Log::new(&h1_of(&tree(VERSION)))), goroot)
}

/// gvm with a proof that counts, or nothing.
fn gvm(machine: &Machine, proxy: &Proxy, arguments: &[&str]) -> Ended {
    run(proxy.command(machine, arguments).env("GVM_REQUIRE", "checksum-database"))
}

/// `gvm import` of what is in HOME: whoever runs the tests may have a Go in /usr/local.
const MANAGERS: [&str; 14] = [
    "--from", "goenv", "--from", "moovweb", "--from", "asdf", "--from", "mise", "--from", "g",
    "--from", "gobrew", "--from", "sdk",
];

fn import_home(machine: &Machine, proxy: &Proxy, arguments: &[&str]) -> Ended {
    gvm(machine, proxy, &[&["import"], &MANAGERS[..], arguments].concat())
}

#[test]
fn what_each_manager_keeps_is_taken_over_and_left_as_it_is() {
    for (manager, place) in PLACES {
        let machine = Machine::new();
        let proxy = Proxy::new(Log::new(&h1_of(&tree(VERSION))));
        let goroot = machine.home().join(place);
        unpack(&tree(VERSION), &goroot);
        let before = everything(&machine.home());

        let listed = import_home(&machine, &proxy, &["--dry-run", "--json"]).succeeded().json();
        assert_eq!(listed[0]["manager"], manager);
        assert_eq!(listed[0]["goroot"], goroot.to_str().unwrap());
        assert_eq!(listed[0]["verdict"], "proved");
        assert_eq!(listed[0]["record"]["number"], 700);
        assert_eq!(machine.installed(), [""; 0]);

        let taken = gvm(&machine, &proxy, &["import", "--yes", "--from", manager]).succeeded();
        taken.saying(&["imported Go 1.22.4 from", "proved by record 700 of sums.example"]);
        machine.has_whole(VERSION);
        machine.has_nothing_staged();
        let receipt = machine.receipt(VERSION);
        assert_eq!(receipt["evidence"], "checksum-database", "{manager}");
        assert_eq!(receipt["origin"]["source"], "import");
        assert_eq!(receipt["origin"]["url"], goroot.to_str().unwrap());
        gvm(&machine, &proxy, &["verify", VERSION]).succeeded();
        let mut after = everything(&machine.home());
        after.retain(|path, _| before.contains_key(path));
        assert_eq!(after, before, "{manager}");
        assert!(proxy.zip_requests().is_empty(), "nothing is downloaded");
        // Once more is nothing more.
        let again = import_home(&machine, &proxy, &["--yes"]).succeeded();
        again.saying(&["nothing to take over"]);
    }
}

#[test]
fn without_a_terminal_nothing_is_taken_unless_it_was_said() {
    let (machine, proxy, _) = with_goenv();
    let asked = import_home(&machine, &proxy, &[]).failed(2);
    assert!(asked.stdout.contains("~/.goenv/versions/1.22.4"), "{asked:?}");
    asked.saying(&["no terminal", "--yes"]);
    machine.has_nothing_installed();
    // What is named is meant.
    gvm(&machine, &proxy, &["import", "1.22"]).succeeded();
    machine.has_whole(VERSION);
}

#[test]
fn what_nobody_keeps_cannot_be_named() {
    let (machine, proxy, _) = with_goenv();
    gvm(&machine, &proxy, &["import", "1.21"]).failed(3).saying(&["gvm install 1.21"]);
    gvm(&machine, &proxy, &["import", "./absent"]).failed(2).saying(&["neither a version nor"]);
    gvm(&machine, &proxy, &["import", "."]).failed(2).saying(&["holds no Go"]);
    gvm(&machine, &proxy, &["import", "--from", "nvm"]).failed(2).saying(&["goenv, moovweb"]);
    machine.has_nothing_installed();
}

#[test]
fn a_record_that_is_kept_proves_offline() {
    let (machine, proxy, _) = with_goenv();
    import_home(&machine, &proxy, &["--dry-run"]).succeeded();
    let sent = proxy.server.requests().len();
    import_home(&machine, &proxy, &["--offline", "--yes"]).succeeded();
    assert_eq!(machine.receipt(VERSION)["evidence"], "checksum-database");
    assert_eq!(proxy.server.requests().len(), sent);
}

#[test]
fn what_nobody_answers_for_is_taken_only_where_that_is_allowed() {
    let (machine, _, _) = with_goenv();
    let offline =
        |require| run(machine.command(GVM).args(["import", VERSION]).env("GVM_REQUIRE", require));
    for require in ["checksum-database", "lock", "sha256"] {
        offline(require).failed(5).saying(&["is not taken", "GOSUMDB=off", "GVM_REQUIRE=none"]);
        machine.has_nothing_installed();
    }
    offline("none").succeeded().saying(&["NOT PROVED"]);
    assert_eq!(machine.receipt(VERSION)["evidence"], "none");
}

#[test]
fn what_the_log_contradicts_is_never_taken() {
    let alter: [fn(&Path); 3] = [
        |goroot| fs::write(goroot.join("src/fmt/print.go"), "evil").unwrap(),
        |goroot| fs::remove_file(goroot.join("src/fmt/print.go")).unwrap(),
        |goroot| fs::write(goroot.join("src/fmt/evil.go"), "evil").unwrap(),
    ];
    for alter in alter {
        let (machine, proxy, goroot) = with_goenv();
        alter(&goroot);
        for require in ["checksum-database", "none"] {
            let mut command = proxy.command(&machine, &["import", "--yes", VERSION]);
            run(command.env("GVM_REQUIRE", require))
                .failed(5)
                .saying(&["record 700 of sums.example", "somebody built or changed it"]);
        }
        machine.has_nothing_installed();
        // Among others, it is passed over, and the next one of that version counts.
        unpack(&tree(VERSION), &machine.home().join(PLACES[4].1));
        let taken = import_home(&machine, &proxy, &["--yes"]).succeeded();
        taken.saying(&[".g/versions/1.22.4"]);
        machine.has_whole(VERSION);
    }
}

#[test]
fn what_is_no_file_of_go_is_not_followed_and_not_waited_for() {
    type Make = fn(&Path);
    let odd: [(&str, Make); 5] = [
        ("is a symbolic link", |file| symlink("/etc/passwd", file).unwrap()),
        ("is a symbolic link", |file| symlink("/", file).unwrap()),
        ("is a device, pipe or socket", |file| {
            run(Command::new("mkfifo").arg(file)).succeeded();
        }),
        ("is a device, pipe or socket", |file| {
            drop(std::os::unix::net::UnixListener::bind(file).unwrap());
        }),
        ("has a name that is not UTF-8", |file| {
            use std::os::unix::ffi::OsStrExt;
            let name = std::ffi::OsStr::from_bytes(b"\xff.go");
            fs::write(file.with_file_name(name), "x").unwrap();
        }),
    ];
    for (why, make) in odd {
        let (machine, proxy, goroot) = with_goenv();
        make(&goroot.join("src/odd"));
        gvm(&machine, &proxy, &["import", "--yes", VERSION]).failed(5).saying(&[why]);
        machine.has_nothing_installed();
        machine.has_nothing_staged();
    }
    // A whole directory that is somewhere else, as packages of Debian have it.
    let (machine, proxy, goroot) = with_goenv();
    fs::rename(goroot.join("src"), machine.home().join("src")).unwrap();
    symlink(machine.home().join("src"), goroot.join("src")).unwrap();
    gvm(&machine, &proxy, &["import", "--yes", VERSION]).failed(5).saying(&["`src` is a symbolic"]);
    // What stands for bin/go and VERSION is not looked into either.
    for path in ["bin/go", "VERSION"] {
        let (machine, proxy, goroot) = with_goenv();
        fs::remove_file(goroot.join(path)).unwrap();
        symlink("/dev/zero", goroot.join(path)).unwrap();
        let ended = import_home(&machine, &proxy, &["--yes"]).succeeded();
        assert!(!ended.stdout.contains("checksum database"), "{ended:?}");
        machine.has_nothing_installed();
    }
}

#[test]
fn what_is_no_release_says_so() {
    for (text, why) in [
        ("devel +abc", "`devel +abc`, which is no release"),
        ("go1.22.4 X:boringcrypto", "`go1.22.4 X:boringcrypto`, which is no release"),
        ("go1.22.4-custom", "which is no release"),
        ("go1.22\x1b[31m", "which is no release"),
    ] {
        let (machine, proxy, goroot) = with_goenv();
        fs::write(goroot.join("VERSION"), text).unwrap();
        let ended = import_home(&machine, &proxy, &["--yes"]).succeeded();
        assert!(ended.stdout.contains(why), "{ended:?}");
        assert!(!ended.stdout.contains('\x1b'), "{ended:?}");
        machine.has_nothing_installed();
    }
    let (machine, proxy, goroot) = with_goenv();
    fs::write(goroot.join("bin/go"), "#!/bin/sh\n").unwrap();
    let ended = import_home(&machine, &proxy, &["--yes"]).succeeded();
    assert!(ended.stdout.contains("bin/go is no executable"), "{ended:?}");
}

/// What managers and people put beside Go's files.
const ADDED: [&str; 6] = [
    "manifest",
    ".unpacked-success",
    "bin/gopls",
    "packages/x/y.go",
    "pkg/mod/a/b.go",
    "src/.DS_Store",
];

#[test]
fn what_was_put_beside_go_is_left_out_and_named() {
    let (machine, proxy, goroot) = with_goenv();
    for path in ADDED {
        fs::create_dir_all(goroot.join(path).parent().unwrap()).unwrap();
        fs::write(goroot.join(path), "somebody's").unwrap();
    }
    symlink("/elsewhere", goroot.join("bin/tool")).unwrap();
    let taken = import_home(&machine, &proxy, &["--yes", "--json"]).succeeded();
    machine.has_whole(VERSION);
    let extra = &taken.json()[0]["extra"];
    let expected = serde_json::json!([
        ".unpacked-success",
        "bin/gopls",
        "bin/tool",
        "manifest",
        "packages/",
        "pkg/mod/",
        "src/.DS_Store"
    ]);
    assert_eq!(*extra, expected);
    taken.saying(&["left out what is not Go's", "and 4 more"]);
    assert!(goroot.join("bin/gopls").exists());
}

#[test]
fn theirs_goes_only_when_told_and_when_nothing_is_lost() {
    let remove = ["--yes", "--remove"];
    let (machine, proxy, goroot) = with_goenv();
    // As the go command leaves directories: nobody may write to them.
    fs::set_permissions(goroot.join("src"), Permissions::from_mode(0o555)).unwrap();
    import_home(&machine, &proxy, &remove)
        .succeeded()
        .saying(&["removed", ".goenv/versions/1.22.4"]);
    assert_eq!(names_in(goroot.parent().unwrap()), [""; 0]);
    machine.has_whole(VERSION);

    // asdf's directory of a version goes with it, unless something else is there.
    for packages in [false, true] {
        let machine = Machine::new();
        let goroot = machine.home().join(PLACES[2].1);
        unpack(&tree(VERSION), &goroot);
        if packages {
            fs::create_dir(goroot.with_file_name("packages")).unwrap();
        }
        import_home(&machine, &proxy, &remove).succeeded();
        assert!(!goroot.exists());
        assert_eq!(goroot.parent().unwrap().exists(), packages);
    }

    let (machine, proxy, goroot) = with_goenv();
    fs::write(goroot.join("bin/gopls"), "somebody's").unwrap();
    import_home(&machine, &proxy, &remove).succeeded().saying(&["stays", "bin/gopls"]);
    assert!(goroot.join("bin/gopls").exists() && goroot.join("bin/go").exists());

    // A directory that is nobody's, and one that is not taken.
    let machine = Machine::new();
    let goroot = machine.home().join("opt/go");
    unpack(&tree(VERSION), &goroot);
    let at = goroot.to_str().unwrap();
    gvm(&machine, &proxy, &["import", "--remove", at]).succeeded().saying(&["stays"]);
    assert!(goroot.join("bin/go").exists());
    let (machine, proxy, goroot) = with_goenv();
    fs::write(goroot.join("src/fmt/print.go"), "evil").unwrap();
    import_home(&machine, &proxy, &remove).succeeded();
    assert!(goroot.join("bin/go").exists());
    machine.has_nothing_installed();
}

#[test]
fn a_version_is_taken_once_and_its_other_places_are_named() {
    let (machine, proxy, _) = with_goenv();
    unpack(&tree(VERSION), &machine.home().join(PLACES[4].1));
    let listed = import_home(&machine, &proxy, &["--yes", "--json"]).succeeded().json();
    assert_eq!((&listed[0]["verdict"], &listed[0]["imported"]), (&"proved".into(), &true.into()));
    assert_eq!(listed[1]["verdict"], "duplicate");
    let listed = import_home(&machine, &proxy, &["-n", "--json"]).succeeded().json();
    assert_eq!(
        (&listed[0]["verdict"], &listed[1]["verdict"]),
        (&"installed".into(), &"installed".into())
    );
}

#[test]
fn a_lock_counts_as_for_a_download() {
    let (machine, _, _) = with_goenv();
    let import = |h1: &str| {
        let lock = format!("golang.org/toolchain v0.0.1-go{VERSION}.{} {h1}\n", Platform::host());
        let here = machine.repository("r", &[(".go-version", VERSION), (".go-version.sum", &lock)]);
        let mut command = machine.command(GVM);
        run(command.args(["import", VERSION]).env("GVM_REQUIRE", "lock").current_dir(here))
    };
    import("h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
        .failed(5)
        .saying(&[".go-version.sum"]);
    machine.has_nothing_installed();
    import(&h1_of(&tree(VERSION))).succeeded().saying(&["going by the lock file"]);
    assert_eq!(machine.receipt(VERSION)["evidence"], "lock-file");
}

#[test]
fn files_that_nobody_may_write_are_shared_and_others_copied() {
    let (machine, proxy, goroot) = with_goenv();
    let shared = ["src/fmt/print.go", "bin/go"];
    fs::set_permissions(goroot.join(shared[0]), Permissions::from_mode(0o444)).unwrap();
    fs::set_permissions(goroot.join(shared[1]), Permissions::from_mode(0o555)).unwrap();
    let mut command = machine.gvm_bound_by_permissions();
    let verifier = proxy.log.lock().unwrap().verifier();
    command
        .arg("import")
        .args(MANAGERS)
        .arg("--yes")
        .env("GOPROXY", proxy.server.url())
        .env("GOSUMDB", verifier);
    run(&mut command).succeeded();
    machine.has_whole(VERSION);
    let inode = |file: PathBuf| fs::metadata(file).unwrap().ino();
    for (path, ..) in tree(VERSION).iter().filter(|(path, ..)| !path.starts_with("test/")) {
        let ours = machine.goroot(VERSION).join(path);
        let is_shared = inode(ours.clone()) == inode(goroot.join(path));
        assert_eq!(is_shared, shared.contains(&path.as_str()), "{path}");
        assert_eq!(fs::metadata(ours).unwrap().mode() & 0o222, 0, "{path}");
    }
}

/// Looks at goenv's tree through the library, and lets a test come in between.
fn changed_meanwhile(change: impl Fn(&Path)) -> (Machine, gvm::error::Error) {
    let (machine, _, goroot) = with_goenv();
    let store = Store::at(&machine.root());
    let config = Config {
        require: Require::None,
        offline: Some(gvm::config::Offline::Option),
        ..Config::default()
    };
    let ui = Ui { quiet: true };
    let sources = Sources::new(&config, &store, ui).unwrap();
    let platform = Platform::host();
    let terms =
        Terms { platform: &platform, if_present: IfPresent::Keep, lock: None, locked: false };
    let identity = import::identify(&goroot).unwrap();
    let looked = import::inspect(&store, &sources, &ui, &goroot, identity, terms).unwrap();
    change(&goroot);
    let error = import::import(&store, &sources, &ui, &looked, terms).err().unwrap();
    (machine, error)
}

#[test]
fn a_tree_that_changes_while_it_is_taken_is_not_taken() {
    let changes: [fn(&Path); 4] = [
        |goroot| fs::write(goroot.join("src/fmt/print.go"), "package evil\n").unwrap(),
        |goroot| fs::remove_file(goroot.join("src/fmt/print.go")).unwrap(),
        |goroot| {
            fs::remove_file(goroot.join("src/fmt/print.go")).unwrap();
            symlink("/etc/passwd", goroot.join("src/fmt/print.go")).unwrap();
        },
        |goroot| {
            fs::remove_file(goroot.join("src/fmt/print.go")).unwrap();
            run(Command::new("mkfifo").arg(goroot.join("src/fmt/print.go"))).succeeded();
        },
    ];
    for change in changes {
        let (machine, error) = changed_meanwhile(change);
        assert!(error.message().contains("changed while it was imported"), "{error}");
        machine.has_nothing_installed();
        machine.has_nothing_staged();
    }
}

/// The settings of the network that the tests themselves run with.
fn with_real_log(command: &mut Command) -> &mut Command {
    for name in ["GOPROXY", "GOSUMDB"] {
        match std::env::var_os(name) {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("GVM_REQUIRE", "checksum-database")
}

#[test]
fn what_the_go_command_has_switched_to_is_taken_from_its_module_cache() {
    let machine = Machine::new();
    let go = real_go("1.26.10").join("bin/go");
    let cache = machine.home().join("go/pkg/mod");
    let switched = "1.26.11";
    let module = machine.repository("m", &[("go.mod", "module m\n\ngo 1.20\n")]);
    let mut command = machine.command(&go);
    with_real_log(&mut command).env("GOTOOLCHAIN", format!("go{switched}")).arg("version");
    run(command.current_dir(&module)).succeeded().prints(&format!(
        "go version go{switched} {}\n",
        Platform::host().to_string().replace('-', "/")
    ));
    let module = format!("golang.org/toolchain@v0.0.1-go{switched}.{}", Platform::host());
    // Both names of each go.mod are there.
    assert!(cache.join(&module).join("src/_go.mod").is_file());
    assert!(cache.join(&module).join("src/go.mod").is_file());

    let mut command = machine.gvm_bound_by_permissions();
    let ended = run(with_real_log(command.args(["import", "--from", "module-cache", "--yes"])));
    ended.succeeded().saying(&["imported Go 1.26.11", "of sum.golang.org"]);
    let goroot = machine.goroot(switched);
    assert_is_whole(&goroot, &common::archives::files_of(&real_go(switched)));
    assert!(!goroot.join("src/_go.mod").exists());
    // On the disk once: nobody may write to what is in the cache.
    let inode = |file: PathBuf| fs::metadata(file).unwrap().ino();
    assert_eq!(inode(goroot.join("bin/go")), inode(cache.join(&module).join("bin/go")));
    let go = run(machine.command(goroot.join("bin/go")).args(["env", "GOVERSION"])).succeeded();
    go.prints("go1.26.11\n");
    // Theirs goes where that is wanted, though its directories are read-only.
    let mut command = machine.gvm_bound_by_permissions();
    let force = ["uninstall", switched];
    run(command.args(force)).succeeded();
    let mut command = machine.gvm_bound_by_permissions();
    run(with_real_log(command.args(["import", switched, "--remove"]))).succeeded();
    assert!(!cache.join(&module).exists());
    let go = run(machine.command(goroot.join("bin/go")).args(["env", "GOVERSION"])).succeeded();
    go.prints("go1.26.11\n");
}

#[test]
fn an_edited_go_env_is_put_back_and_that_is_said() {
    // The go.env of a real Go in the small one.
    let official = fs::read(real_go("1.26.11").join("go.env")).unwrap();
    let mut files = tree(VERSION);
    files.iter_mut().find(|(path, ..)| path == "go.env").unwrap().1 = official.clone();
    let proxy = Proxy::new(Log::new(&h1_of(&files)));
    let text = String::from_utf8(official).unwrap();
    let edits = [
        text.replace("GOTOOLCHAIN=auto", "GOTOOLCHAIN=local"),
        text.replace("GOSUMDB=sum.golang.org", "GOSUMDB=off")
            .replace("GOTOOLCHAIN=auto", "GOTOOLCHAIN=go1.22.4"),
    ];
    for edited in &edits {
        let machine = Machine::new();
        let goroot = machine.home().join(PLACES[0].1);
        unpack(&files, &goroot);
        fs::write(goroot.join("go.env"), edited).unwrap();
        let taken = import_home(&machine, &proxy, &["--yes", "--json"]).succeeded();
        assert_eq!(taken.json()[0]["verdict"], "but-for-go.env");
        taken.saying(&["its go.env was edited", "proved by record 700"]);
        assert_is_whole(&machine.goroot(VERSION), &files);
        assert_eq!(&fs::read_to_string(goroot.join("go.env")).unwrap(), edited);
        gvm(&machine, &proxy, &["verify", VERSION]).succeeded();
    }
    // What nothing tells is not made up; a toolchain of the store tells it.
    let machine = Machine::new();
    let goroot = machine.home().join(PLACES[0].1);
    unpack(&files, &goroot);
    fs::write(goroot.join("go.env"), "GOTOOLCHAIN=local\n").unwrap();
    gvm(&machine, &proxy, &["import", VERSION])
        .failed(5)
        .saying(&["go.env was edited, and nothing"]);
    machine.has_nothing_installed();
    machine.real("1.26.11");
    gvm(&machine, &proxy, &["import", VERSION]).succeeded();
    assert_is_whole(&machine.goroot(VERSION), &files);
}

#[test]
fn versions_and_managers_complete() {
    let (machine, _, _) = with_goenv();
    let complete = |words: &[&str]| {
        let mut command = machine.command(GVM);
        let index = (words.len() - 1).to_string();
        command.args(["--"]).args(words).env("COMPLETE", "bash");
        command.env("_CLAP_COMPLETE_INDEX", index).env("_CLAP_IFS", "\n");
        run(&mut command).succeeded().stdout
    };
    assert_eq!(complete(&["gvm", "import", "1.22"]).trim(), "1.22.4");
    assert_eq!(
        complete(&["gvm", "import", "--from", "mo"]).lines().collect::<Vec<_>>(),
        ["moovweb", "module-cache"]
    );
}

#[test]
fn a_go_on_path_is_not_run_to_tell_what_it_is() {
    let (machine, proxy, goroot) = with_goenv();
    let ran = machine.path().join("ran");
    write_script(&goroot.join("bin/go"), &format!("touch {}", ran.display()));
    import_home(&machine, &proxy, &["--yes"]).succeeded();
    assert!(!ran.exists());
}
