//! The shims as programs start them: whatever goes in reaches the real tool, and
//! whatever comes out is the tool's own.
#![allow(clippy::disallowed_methods, reason = "a test that fails shows its line")]

mod common;

use common::archives;
use common::server::{Answer, Server};
use common::{Ended, GVM, Machine, finish, machine_with, run, write_script};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// With 1.22.4, which is pinned in `work`.
fn pinned() -> Machine {
    let machine = machine_with(&["1.22.4"]);
    machine.repository(".", &[(".go-version", "1.22.4\n")]);
    machine
}

fn go(machine: &Machine) -> Command {
    machine.command(machine.shims().join("go"))
}

fn version_line(version: &str) -> String {
    let platform = gvm::platform::Platform::host().to_string().replace('-', "/");
    format!("go version go{version} {platform}\n")
}

/// What a test could not show on this machine, past the harness that would keep
/// it to itself.
fn not_shown(what: &str) {
    let _ = writeln!(std::io::stderr(), "NOT SHOWN: {what}");
}

/// A PATH of these directories.
fn path_of(directories: &[&Path]) -> OsString {
    std::env::join_paths(directories).unwrap()
}

#[test]
fn arguments_arrive_as_they_were_given() {
    let machine = pinned();
    let odd: Vec<OsString> = [
        &b""[..],
        b" ",
        b"a b",
        b"'",
        b"\"",
        b"`x`",
        b"$(touch x)",
        b"*",
        b"~",
        b"a\\b",
        b"\\",
        b"two\nlines\n",
        b"\ttab",
        b"-",
        b"--",
        b"--help",
        b"-toolexec=a b",
        b"caf\xc3\xa9",
        b"\xff\xfe not text",
        b"%PATH%",
        b"#",
        b"",
    ]
    .map(|bytes| OsString::from_vec(bytes.to_vec()))
    .into();
    let many: Vec<OsString> = (0..1000).map(|number| format!("argument {number}").into()).collect();
    for arguments in [odd, many, Vec::new()] {
        let output = go(&machine).arg("show").args(&arguments).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let expected: Vec<u8> = arguments
            .iter()
            .flat_map(|argument| [b"[", argument.as_bytes(), b"]\n"].concat())
            .collect();
        assert_eq!(output.stdout, expected, "{}", String::from_utf8_lossy(&output.stdout));
    }
    assert!(!machine.work().join("x").exists());
}

#[test]
fn input_and_output_pass_through_as_they_are() {
    let machine = pinned();
    let input: Vec<u8> =
        (0..1_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut child = go(&machine)
        .arg("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let sent = input.clone();
    let writing = std::thread::spawn(move || stdin.write_all(&sent).unwrap());
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap();
    assert!(output.status.success() && output.stdout == input && output.stderr.is_empty());

    let script = "echo out; echo err >&2; echo out again";
    let ended = run(go(&machine).args(["run", "sh", "-c", script])).succeeded();
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("out\nout again\n", "err\n"));

    // Descriptors beyond the three, and that one of them is closed.
    let script = r#""$@" 3>three 4<four 0<&-"#;
    fs::write(machine.work().join("four"), "from four").unwrap();
    let mut command = machine.command("sh");
    command.args(["-c", script, "sh"]).arg(machine.shims().join("go"));
    command.args(["run", "sh", "-c", "cat <&4 >&3; test ! -e /proc/self/fd/0"]);
    run(&mut command).succeeded();
    assert_eq!(fs::read_to_string(machine.work().join("three")).unwrap(), "from four");
}

#[test]
fn every_exit_code_is_the_tools_own() {
    let machine = pinned();
    for code in 0..=255 {
        let ended = run(go(&machine).args(["exit", &code.to_string()]));
        assert_eq!((ended.code, ended.stderr.as_str()), (code, ""));
    }
}

#[test]
fn the_shim_becomes_the_tool() {
    let machine = pinned();
    let child = go(&machine)
        .args(["run", "sh", "-c", "echo $$"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let id = child.id();
    finish(child).succeeded().prints(&format!("{id}\n"));
}

#[test]
fn a_signal_reaches_the_tool_and_its_death_the_caller() {
    let machine = pinned();
    for signal in [2, 6, 9, 11, 15] {
        let script = format!("kill -{signal} $$; sleep 5");
        run(go(&machine).args(["run", "sh", "-c", &script])).failed(-signal);
    }

    let mut child =
        go(&machine).arg("wait").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert_eq!(line, "waiting\n");
    run(Command::new("kill").arg("-TERM").arg(child.id().to_string())).succeeded();
    line.clear();
    lines.read_line(&mut line).unwrap();
    assert_eq!(line, "terminated\n");
    finish(child).failed(9);

    // What the caller ignores, the tool finds ignored.
    let script = r#"trap '' HUP; exec "$@""#;
    let mut command = machine.command("sh");
    command.args(["-c", script, "sh"]).arg(machine.shims().join("go"));
    run(command.args(["run", "sh", "-c", "kill -HUP $$; echo alive"]))
        .succeeded()
        .prints("alive\n");
}

#[test]
fn it_needs_no_home_no_hook_and_no_terminal() {
    let machine = pinned();
    let shims = machine.shims();
    for directory in [machine.work(), machine.repository("below", &[])] {
        // As cron would: a session without a terminal, and PATH alone.
        let mut command = Command::new("setsid");
        command.args(["-w", "env", "-i"]).arg(format!("PATH={}:/usr/bin:/bin", shims.display()));
        command.args(["go", "version"]).current_dir(directory).stdin(Stdio::null());
        run(&mut command).succeeded().prints(&version_line("1.22.4"));
    }
    // Not even PATH.
    let mut command = Command::new(shims.join("go"));
    command.arg("version").env_clear().current_dir(machine.work());
    run(&mut command).succeeded().prints(&version_line("1.22.4"));
    let mut command = Command::new(shims.join("go"));
    command.args(["env", "PATH"]).env_clear().current_dir(machine.work());
    let path = path_of(&[&machine.goroot("1.22.4").join("bin"), &shims]);
    run(&mut command).succeeded().prints(&format!("{}\n", path.display()));
}

#[test]
fn it_is_itself_however_it_is_started() {
    let machine = machine_with(&["1.21.9", "1.22.4"]);
    machine.repository(".", &[(".go-version", "1.22.4\n")]);
    let shims = machine.shims();
    let expected = version_line("1.22.4");
    // By its path, and through PATH.
    run(go(&machine).arg("version")).succeeded().prints(&expected);
    run(machine.command("sh").args(["-c", "go version"])).succeeded().prints(&expected);
    // By a relative path.
    machine.repository("below", &[]);
    let script = "cd below && ../../home/.local/share/gvm/shims/go version";
    run(machine.command("sh").args(["-c", script])).succeeded().prints(&expected);
    // Through a link from elsewhere, whatever it is called.
    for name in ["go", "gofmt", "go1.21.9", "another name"] {
        let link = machine.bin().join(name);
        symlink(shims.join("go"), &link).unwrap();
        run(machine.command(&link).arg("version").env_remove("HOME")).succeeded().prints(&expected);
    }
    // Through a directory that is a link.
    symlink(&shims, machine.path().join("linked")).unwrap();
    run(machine.command(machine.path().join("linked/go")).arg("version"))
        .succeeded()
        .prints(&expected);
    // Both again, and a detour, where the names promise a store that is none.
    let decoy = machine.path().join("decoy");
    fs::create_dir_all(&decoy).unwrap();
    symlink(&shims, decoy.join("shims")).unwrap();
    let linked = machine.path().join("files/shims");
    fs::create_dir_all(&linked).unwrap();
    symlink(shims.join("go"), linked.join("go")).unwrap();
    let goroot = format!("{}\n", machine.goroot("1.22.4").display());
    for path in [decoy.join("shims/go"), linked.join("go"), shims.join("../shims/./go")] {
        run(machine.command(&path).args(["env", "GOROOT"])).succeeded().prints(&goroot);
    }
    // What the caller calls it is not what it is.
    for name in ["", "go1.21.9", "/no/such/file", "gofmt", "-go", "a\nb"] {
        run(go(&machine).arg0(name).arg("version")).succeeded().prints(&expected);
    }
}

#[test]
fn the_tool_finds_its_own_toolchain_first_and_the_shims_behind() {
    let machine = pinned();
    let goroot = machine.goroot("1.22.4");
    let (bin, shims) = (goroot.join("bin"), machine.shims());
    let usr = Path::new("/usr/bin");
    let slash = PathBuf::from(format!("{}/", shims.display()));
    for (given, expected) in [
        (vec![usr], vec![&*bin, usr, &shims]),
        (vec![&*shims, usr], vec![&*bin, &shims, usr]),
        (vec![usr, &*shims], vec![&*bin, usr, &shims]),
        (vec![&*slash, usr], vec![&*bin, &slash, usr]),
        // Not once more each time that a tool starts a tool.
        (vec![&*bin, usr, &*shims], vec![&*bin, usr, &shims]),
        // An empty entry stays what it is.
        (
            vec![Path::new(""), usr, Path::new("")],
            vec![&*bin, Path::new(""), usr, Path::new(""), &shims],
        ),
    ] {
        let mut command = go(&machine);
        command.args(["env", "PATH"]).env("PATH", path_of(&given)).env("GOROOT", "/other");
        let expected = path_of(&expected);
        run(&mut command).succeeded().prints(&format!("{}\n", expected.display()));
    }
    run(go(&machine).args(["env", "GOROOT"]).env("GOROOT", "/other"))
        .succeeded()
        .prints(&format!("{}\n", goroot.display()));
    run(go(&machine).args(["env", "GOROOT"]))
        .succeeded()
        .prints(&format!("{}\n", goroot.display()));
    // What it starts is of the same version, wherever that stands.
    let other = machine.fake("1.23.1");
    let elsewhere = machine.repository("elsewhere", &[(".go-version", "1.23.1\n")]);
    let script = format!("cd '{}' && go version && gofmt", elsewhere.display());
    run(go(&machine).args(["run", "sh", "-c", &script]))
        .succeeded()
        .prints(&format!("{}gofmt of 1.22.4\n", version_line("1.22.4")));
    assert!(other.exists());
    // Each of the two is there once: which of two counts is anybody's guess.
    let seen = machine.goroot("1.22.4").join("bin/go");
    fs::copy("/bin/cat", &seen).unwrap();
    let mut command = go(&machine);
    command.arg("/proc/self/environ").env("GOROOT", "/other");
    let seen_by_tool = run(&mut command).succeeded().stdout;
    for name in ["GOROOT=", "PATH="] {
        let count = seen_by_tool.split('\0').filter(|variable| variable.starts_with(name)).count();
        assert_eq!(count, 1, "{seen_by_tool:?}");
    }
    machine.fake("1.22.4");
    // Everything else in the environment is as it was.
    let mut command = go(&machine);
    command.args([
        "run", "env", "-u", "PATH", "-u", "GOROOT", "-u", "_", "-u", "PWD", "-u", "OLDPWD", "-u",
        "SHLVL",
    ]);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("A", "1").env("GOROOTX", "y").env("", "");
    command.env("ODD", OsStr::from_bytes(b"\xff\n$(x)"));
    let output = command.env_remove("").output().unwrap();
    assert_eq!(output.stdout, b"A=1\nGOROOTX=y\nODD=\xff\n$(x)\n", "{output:?}");
}

#[test]
fn for_system_the_users_goroot_stays_and_ours_goes() {
    let machine = machine_with(&["1.22.4"]);
    machine.system_go("1.18.1");
    let ours = machine.goroot("1.22.4");
    let goroot = |variables: &[(&str, &OsStr)]| {
        let mut command = go(&machine);
        command.args(["env", "GOROOT"]).envs(variables.iter().copied());
        run(&mut command).succeeded().stdout
    };
    let (mine, ours) = (OsStr::new("/my/go"), ours.as_os_str());
    assert_eq!(goroot(&[]), "<unset>\n");
    assert_eq!(goroot(&[("GOROOT", mine)]), "/my/go\n");
    assert_eq!(goroot(&[("GOROOT", ours)]), "<unset>\n");
    assert_eq!(goroot(&[("GOROOT", ours), ("GVM_ACTIVE_GOROOT", ours)]), "<unset>\n");
    let hook = [("GOROOT", ours), ("GVM_ACTIVE_GOROOT", ours), ("GVM_SAVED_GOROOT", mine)];
    assert_eq!(goroot(&hook), "/my/go\n");
    // The user has changed it since.
    let since = [("GOROOT", mine), ("GVM_ACTIVE_GOROOT", ours)];
    assert_eq!(goroot(&since), "/my/go\n");
    // PATH is as it was.
    let path = path_of(&[&machine.shims(), &machine.bin(), Path::new("/usr/bin")]);
    run(go(&machine).args(["env", "PATH"]).env("PATH", &path))
        .succeeded()
        .prints(&format!("{}\n", path.display()));
}

#[test]
fn system_is_never_one_of_ours() {
    let machine = machine_with(&["1.22.4"]);
    machine.system_go("1.18.1");
    let (shims, bin) = (machine.shims(), machine.bin());
    let store_bin = machine.goroot("1.22.4").join("bin");
    let linked = machine.path().join("linked");
    symlink(&shims, &linked).unwrap();
    // A link to a shim, and a directory called go.
    let links = machine.path().join("links");
    fs::create_dir_all(&links).unwrap();
    symlink(shims.join("go"), links.join("go")).unwrap();
    let directory = machine.path().join("directory");
    fs::create_dir_all(directory.join("go")).unwrap();
    let not_executable = machine.path().join("text");
    fs::create_dir_all(&not_executable).unwrap();
    fs::write(not_executable.join("go"), "#!/bin/sh\necho wrong\n").unwrap();
    write_script(&machine.work().join("go"), "echo wrong");
    let dot = Path::new(".");
    let empty = Path::new("");
    let below = machine.path().join("linked/../linked");

    for before in [
        vec![&*shims],
        vec![&*shims, &*shims],
        vec![&*linked, &*shims],
        vec![&*below],
        vec![&*links],
        vec![&*store_bin],
        vec![dot, empty, Path::new("../work")],
        vec![&*directory, &*not_executable, Path::new("/no/such/directory")],
        vec![&*shims, &*linked, &*links, &*store_bin, dot, empty, &*directory, &*shims],
    ] {
        let with = [&before[..], &[&*bin, Path::new("/usr/bin"), Path::new("/bin")]].concat();
        run(go(&machine).arg("version").env("PATH", path_of(&with)))
            .succeeded()
            .prints(&version_line("1.18.1"));
        let told = run(machine.command(GVM).arg("which").env("PATH", path_of(&with)));
        told.succeeded().prints(&format!("{}\n", bin.join("go").display()));
        // Without the system's there is none.
        let without = path_of(&before);
        run(go(&machine).arg("version").env("PATH", &without))
            .failed(127)
            .prints("")
            .saying(&["there is no go on PATH", "gvm install stable"]);
    }
}

#[test]
fn a_toolchain_of_the_store_is_not_the_systems_under_another_name() {
    let machine = machine_with(&["1.22.4"]);
    machine.system_go("1.18.1");
    let linked = machine.path().join("linked store");
    symlink(machine.root(), &linked).unwrap();
    let bin = machine.goroot("1.22.4").join("bin");
    let through_link = linked.join(bin.strip_prefix(machine.root()).unwrap());
    // Here the link is on PATH, there the store goes by the link.
    for (root, entry) in [(machine.root(), &through_link), (linked, &bin)] {
        let path = path_of(&[entry, &machine.bin(), Path::new("/usr/bin"), Path::new("/bin")]);
        run(go(&machine).arg("version").env("PATH", &path).env("GVM_ROOT", root))
            .succeeded()
            .prints(&version_line("1.18.1"));
    }
}

#[test]
fn a_second_managers_shim_that_runs_ours_again_ends_with_an_error() {
    let machine = machine_with(&["1.22.4"]);
    let counter = machine.path().join("counter");
    let body = format!("echo x >> '{}'; exec go \"$@\"", counter.display());
    write_script(&machine.bin().join("go"), &body);
    run(go(&machine).arg("version")).failed(127).prints("").saying(&[
        &machine.bin().join("go").display().to_string(),
        "runs gvm's shim again",
        "PATH",
    ]);
    let rounds = fs::read_to_string(counter).unwrap().lines().count();
    assert!((1..=20).contains(&rounds), "{rounds}");
    // With a version pinned both of them end at it.
    machine.repository(".", &[(".go-version", "1.22.4\n")]);
    run(machine.command(machine.bin().join("go")).arg("version"))
        .succeeded()
        .prints(&version_line("1.22.4"));
}

#[test]
fn gofmt_is_the_one_beside_the_systems_go() {
    let machine = machine_with(&["1.22.4"]);
    machine.system_go("1.18.1");
    let early = machine.path().join("early");
    fs::create_dir_all(&early).unwrap();
    write_script(&early.join("gofmt"), "echo another gofmt");
    let path = path_of(&[&machine.shims(), &early, &machine.bin(), Path::new("/usr/bin")]);
    run(machine.command(machine.shims().join("gofmt")).env("PATH", &path))
        .succeeded()
        .prints("gofmt of 1.18.1\n");
    run(machine.command(GVM).args(["which", "gofmt"]).env("PATH", &path))
        .succeeded()
        .prints(&format!("{}\n", machine.bin().join("gofmt").display()));
    // Where there is none beside it, the next best.
    fs::remove_file(machine.bin().join("gofmt")).unwrap();
    run(machine.command(machine.shims().join("gofmt")).env("PATH", &path))
        .succeeded()
        .prints("another gofmt\n");
    fs::remove_file(early.join("gofmt")).unwrap();
    run(machine.command(machine.shims().join("gofmt")).env("PATH", &path))
        .failed(127)
        .saying(&["there is no gofmt"]);
}

#[test]
fn a_missing_version_ends_with_the_command_that_installs_it() {
    let machine = machine_with(&["1.22.4"]);
    let system = machine.system_go("1.18.1");
    let directory = machine.repository("here", &[(".go-version", "1.22.5\n")]);
    let expected = format!(
        "Go 1.22.5, which {}:1 asks for, is not installed\n  to install it: gvm install 1.22.5\n",
        directory.join(".go-version").display()
    );
    let ask = |tool: &str| machine.shim_in(&directory, tool, &["version"]);
    for tool in ["go", "gofmt"] {
        ask(tool).failed(127).prints("").saying(&[&expected]);
    }
    // Nor does it need gvm to say so.
    let note = machine.root().join("gvm-path");
    for gvm in [Some("/no/such/gvm\n"), Some("gvm"), Some(""), None] {
        match gvm {
            Some(path) => fs::write(&note, path).unwrap(),
            None => fs::remove_file(&note).unwrap(),
        }
        assert_eq!(ask("go").failed(127).prints("").stderr, format!("gvm: {expected}"));
    }
    assert!(system.exists());
}

/// A Go whose `bin/go` is a real executable of this machine: bash.
fn runnable(version: &str) -> Vec<u8> {
    let bash = ["/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash"];
    let bash = bash.into_iter().find(|file| Path::new(file).exists()).expect("bash");
    let mut files = archives::tree(version);
    for (path, content, _) in &mut files {
        if path == "bin/go" {
            *content = fs::read(bash).unwrap();
        }
    }
    archives::tar_gz(&files)
}

fn go_dev(versions: &[&str]) -> Server {
    let archives: Vec<(String, Vec<u8>)> =
        versions.iter().map(|version| (version.to_string(), runnable(version))).collect();
    let borrowed: Vec<_> = archives.iter().map(|(v, archive)| (v.as_str(), &archive[..])).collect();
    let index = archives::index(&borrowed);
    Server::start(move |request| {
        if request.path == "/?mode=json&include=all" {
            return Answer::new(200, "application/json", index.clone());
        }
        let name = request.path.trim_start_matches('/');
        let mut archives = archives.iter();
        match archives.find(|(version, _)| archives::file_name(version) == name) {
            Some((_, archive)) => Answer::ok(archive.clone()),
            None => Answer::not_found(),
        }
    })
}

/// bash by the name of go: tells its arguments and its GOROOT.
const TELL: [&str; 5] = ["-c", r#"printf '[%s]' "$GOROOT" "$@"; exit 7"#, "go", "a b", "*"];

#[test]
fn with_auto_install_a_missing_version_is_installed_first() {
    let machine = machine_with(&["1.20.14"]);
    let server = go_dev(&["1.22.4", "1.22.5", "1.23.1"]);
    fs::write(machine.root().join("config.toml"), "auto_install = true\n").unwrap();
    let ask = |directory: &Path| {
        let mut command = go(&machine);
        run(command.args(TELL).current_dir(directory).env("GVM_DL_URL", server.url()))
    };
    let directory = machine.repository("minor", &[(".go-version", "1.22\n")]);
    let told = format!("[{}][a b][*]", machine.goroot("1.22.5").display());
    // The output is the tool's alone, and so is the exit code.
    let first = ask(&directory).failed(7).prints(&told);
    assert!(first.stderr.contains("1.22.5"), "{first:?}");
    let asked = server.requests().len();
    let second = ask(&directory).failed(7).prints(&told);
    assert_eq!(second.stderr, "");
    assert_eq!(server.requests().len(), asked, "what is installed asks nobody");

    let directory = machine.repository("floor", &[("go.mod", "module m\ngo 1.23.0\n")]);
    machine.gvm(&["default", "1.20"]).succeeded();
    // What the go line asks for is not to be had: the error is the end of it.
    let ended = ask(&directory);
    assert_ne!(ended.code, 7, "{ended:?}");
    assert!(ended.stdout.is_empty() && ended.stderr.contains("1.23.0"), "{ended:?}");
    fs::write(directory.join("go.mod"), "module m\ngo 1.23\n").unwrap();
    ask(&directory).failed(7).prints(&format!("[{}][a b][*]", machine.goroot("1.23.1").display()));
    let mut installed = machine.installed();
    installed.sort();
    assert_eq!(installed, ["1.20.14", "1.22.5", "1.23.1"]);
}

#[test]
fn without_auto_install_nothing_is_asked_of_anybody() {
    let machine = machine_with(&["1.20.14"]);
    let server = go_dev(&["1.22.4"]);
    let directory = machine.repository("here", &[(".go-version", "1.22.4\n")]);
    for (config, variable) in
        [("", ""), ("auto_install = false\n", ""), ("auto_install = true\n", "0")]
    {
        fs::write(machine.root().join("config.toml"), config).unwrap();
        let mut command = go(&machine);
        command.args(TELL).current_dir(&directory).env("GVM_DL_URL", server.url());
        run(command.env("GVM_AUTO_INSTALL", variable))
            .failed(127)
            .prints("")
            .saying(&["gvm install 1.22.4"]);
    }
    assert_eq!(server.requests().len(), 0);
    assert_eq!(machine.installed(), ["1.20.14"]);
    // The variable alone turns it on.
    let mut command = go(&machine);
    command.args(TELL).current_dir(&directory).env("GVM_DL_URL", server.url());
    run(command.env("GVM_AUTO_INSTALL", "1")).failed(7);
}

#[test]
fn a_shim_of_a_store_elsewhere_asks_that_store_alone() {
    let machine = machine_with(&["1.22.4"]);
    let elsewhere = machine.path().join("another store");
    run(machine.command(GVM).args(["default", "system"]).env("GVM_ROOT", &elsewhere)).succeeded();
    let directory = machine.repository("here", &[(".go-version", "1.22.4\n")]);
    let mut command = machine.command(elsewhere.join("shims/go"));
    // The one in the usual place has it, and is not this one.
    run(command.arg("version").current_dir(&directory))
        .failed(127)
        .prints("")
        .saying(&["gvm install 1.22.4"]);
    // Nor does it install into the other one.
    let server = go_dev(&["1.23.1"]);
    fs::write(elsewhere.join("config.toml"), "auto_install = true\n").unwrap();
    fs::write(directory.join(".go-version"), "1.23.1\n").unwrap();
    let mut command = machine.command(elsewhere.join("shims/go"));
    let ended = run(command.args(TELL).current_dir(&directory).env("GVM_DL_URL", server.url()));
    let platform = gvm::platform::Platform::host();
    let goroot = elsewhere.join(format!("toolchains/1.23.1-{platform}/go"));
    ended.failed(7).prints(&format!("[{}][a b][*]", goroot.display()));
    assert_eq!(machine.installed(), ["1.22.4"]);
}

#[test]
fn a_version_by_name_looks_at_no_pin() {
    let machine = machine_with(&["1.20", "1.21rc2", "1.22.4", "1.23.1"]);
    machine.gvm(&["default", "1.23"]).succeeded();
    let directory = machine.repository("here", &[(".go-version", "../../evil\n")]);
    for version in ["1.20", "1.21rc2", "1.22.4", "1.23.1"] {
        for variable in ["1.23.1", "system", "nonsense"] {
            let mut command = machine.command(machine.shims().join(format!("go{version}")));
            command.arg("version").current_dir(&directory).env("GVM_VERSION", variable);
            run(&mut command).succeeded().prints(&version_line(version));
        }
        let goroot = machine.goroot(version);
        machine
            .shim_in(&directory, &format!("go{version}"), &["env", "GOROOT"])
            .succeeded()
            .prints(&format!("{}\n", goroot.display()));
    }
}

#[test]
fn the_shim_of_a_removed_version_runs_no_other() {
    let machine = machine_with(&["1.22.4", "1.23.1"]);
    machine.system_go("1.18.1");
    fs::remove_dir_all(machine.toolchain("1.22.4")).unwrap();
    let check = |directory: &Path| {
        machine
            .shim_in(directory, "go1.22.4", &["version"])
            .failed(127)
            .prints("")
            .saying(&["Go 1.22.4 is not installed", "gvm install 1.22.4"]);
    };
    check(&machine.work());
    check(&machine.repository("here", &[(".go-version", "1.23.1\n")]));
    check(&machine.repository("there", &[(".go-version", "1.30.1\n")]));
    machine.gvm(&["default", "1.23"]).succeeded();
    check(&machine.work());
    // The next change of the store takes it away.
    machine.gvm(&["uninstall", "1.23.1"]).succeeded();
    assert!(!machine.shims().join("go1.22.4").exists());
}

#[test]
fn a_shim_by_any_other_name_is_refused() {
    let machine = pinned();
    for name in ["foo", "gox", "Go", "go1.22.04", "go1.22.4-custom", "gofmt2", "go system"] {
        let shim = machine.shims().join(name);
        fs::hard_link(machine.shims().join("go"), &shim).unwrap();
        run(machine.command(&shim).arg("version"))
            .failed(2)
            .prints("")
            .saying(&["a shim is called go, gofmt or go1.X.Y", name]);
    }
}

#[test]
fn a_broken_toolchain_says_what_cannot_be_run() {
    let machine = pinned();
    let go_file = machine.goroot("1.22.4").join("bin/go");
    let told = format!("gvm: {} cannot be run: ", go_file.display());
    let ask = || run(go(&machine).arg("version")).prints("");
    fs::remove_file(&go_file).unwrap();
    ask().failed(127).saying(&[&told, "gvm install --force 1.22.4"]);
    fs::create_dir(&go_file).unwrap();
    ask().failed(126).saying(&[&told]);
    fs::remove_dir(&go_file).unwrap();
    fs::write(&go_file, "#!/bin/sh\n").unwrap();
    ask().failed(126).saying(&[&told, "permission denied"]);
    fs::remove_file(&go_file).unwrap();
    // As Go up to 1.20 on a system without glibc.
    write_script(&go_file, "");
    fs::write(&go_file, "#!/no/such/interpreter\n").unwrap();
    ask().failed(127).saying(&[&told, "loader"]);
    fs::remove_file(&go_file).unwrap();
    symlink("go", &go_file).unwrap();
    ask().failed(126).saying(&[&told]);
    // A toolchain without its tree is none.
    fs::remove_dir_all(machine.goroot("1.22.4")).unwrap();
    ask().failed(127).saying(&["is not installed", "gvm install 1.22.4"]);
}

#[test]
fn a_large_environment_passes_through() {
    let machine = pinned();
    let mut command = go(&machine);
    for number in 0..200 {
        command.env(format!("LARGE_{number}"), format!("{number} {}", "x".repeat(1020)));
    }
    command.env("LARGEST", "y".repeat(100_000));
    command.args(["run", "env"]);
    let seen = run(&mut command).succeeded().stdout;
    for number in 0..200 {
        let line = format!("LARGE_{number}={number} {}\n", "x".repeat(1020));
        assert!(seen.contains(&line), "LARGE_{number}");
    }
    assert!(seen.contains(&format!("LARGEST={}\n", "y".repeat(100_000))));
}

#[test]
fn a_huge_go_mod_is_read_to_its_end() {
    let machine = machine_with(&["1.20.14", "1.23.1"]);
    machine.gvm(&["default", "1.20"]).succeeded();
    let requires = "\texample.com/some/module/of/a/monorepo v1.2.3 // indirect\n".repeat(60_000);
    let text = format!("module m\n\nrequire (\n{requires})\n\ngo 1.22.1\n");
    assert!(text.len() > 3 << 20);
    let directory = machine.repository("here", &[("go.mod", &text)]);
    let version = || machine.shim_in(&directory, "go", &["version"]).succeeded().stdout;
    assert_eq!(version(), version_line("1.23.1"));
    fs::write(directory.join("go.mod"), text.replace("go 1.22.1", "go 1.20")).unwrap();
    assert_eq!(version(), version_line("1.20.14"));
}

/// The system calls that the shim makes before it becomes the tool.
fn system_calls(machine: &Machine, directory: &Path) -> Option<Vec<String>> {
    let log = machine.path().join("strace");
    let works = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        not_shown(
            "the number of system calls of the shim; that needs strace and the right to trace",
        );
        return None;
    }
    let mut command = machine.command("strace");
    command.args(["-s", "400", "-o"]).arg(&log).arg(machine.shims().join("go")).arg("version");
    let ended: Ended = run(command.current_dir(directory).env("PWD", directory));
    ended.succeeded().prints(&version_line("1.22.4"));
    let log = fs::read_to_string(log).unwrap();
    let mut calls = log.lines();
    // The first is strace's own: it starts the shim.
    assert!(calls.next().is_some_and(|call| call.starts_with("execve(")), "{log}");
    let calls: Vec<_> =
        calls.take_while(|call| !call.starts_with("execve(")).map(String::from).collect();
    assert!(calls.len() < log.lines().count() - 1, "there is no second execve in {log}");
    Some(calls)
}

/// How many of the calls begin with one of these.
fn count(calls: &[String], names: &[&str]) -> usize {
    calls.iter().filter(|call| names.iter().any(|name| call.starts_with(name))).count()
}

/// Whether the shim is the executable without libc (see build.rs); std makes more calls.
const OWN_START_CODE: bool = cfg!(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
)) && option_env!("GVM_HOSTED_SHIM").is_none();

#[test]
fn an_exact_pin_costs_eight_system_calls_and_two_for_each_level() {
    let machine = machine_with(&["1.22.4", "1.21.9"]);
    let pinned = machine.repository("exact", &[(".go-version", "1.22.4\n")]);
    let mut directory = pinned.clone();
    for level in 0..=10 {
        let Some(calls) = system_calls(&machine, &directory) else { return };
        let looks_into_directories = count(&calls, &["getdents"]);
        assert_eq!(looks_into_directories, 0, "{calls:#?}");
        // Of all files on the way, the one that decides is opened.
        let opened: Vec<_> = calls.iter().filter(|call| call.starts_with("open")).collect();
        let pin = format!("{}\"", pinned.join(".go-version").display());
        let decides = |call: &&&String| call.contains(&pin) && !call.contains("= -1");
        assert_eq!(opened.iter().filter(decides).count(), 1, "{opened:#?}");
        if OWN_START_CODE {
            assert_eq!(opened.len(), 1, "{calls:#?}");
            // Who am I (2), where am I, the pin (look, open, read, close), the toolchain.
            assert_eq!(calls.len(), 8 + 2 * level, "{calls:#?}");
        }
        directory = directory.join("deep");
        fs::create_dir(&directory).unwrap();
    }
}

#[test]
fn the_newest_of_a_minor_costs_one_look_into_a_directory_however_many_there_are() {
    let machine = machine_with(&["1.22.4", "1.21.9"]);
    let directory = machine.repository("minor", &[(".go-version", "1.22\n")]);
    let mut of_few = None;
    for many in [0, 200] {
        for patch in 0..many {
            fs::create_dir_all(machine.goroot(&format!("1.19.{patch}"))).unwrap();
        }
        let Some(calls) = system_calls(&machine, &directory) else { return };
        let opened: Vec<_> = calls.iter().filter(|call| call.contains("O_DIRECTORY")).collect();
        assert_eq!(opened.len(), 1, "{calls:#?}");
        assert!(opened[0].contains("/toolchains\""), "{opened:?}");
        let without_reading = calls.len() - count(&calls, &["getdents"]);
        assert_eq!(*of_few.get_or_insert(without_reading), without_reading, "{calls:#?}");
    }
}

/// The instructions that the shim executes until it becomes the tool, or rather tries
/// to, because valgrind tells them only of a program that ends.
fn instructions(machine: &Machine, directory: &Path, variables: &[(&str, String)]) -> Option<u64> {
    let mut command = machine.command("valgrind");
    let log = machine.path().join("callgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(format!("--log-file={}", log.display()));
    command.arg(machine.shims().join("go")).arg("version");
    command.env("PWD", directory).envs(variables.iter().map(|(name, value)| (name, value)));
    let works = Command::new("valgrind").args(["--tool=callgrind", "--version"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
        not_shown("the number of instructions of the shim; that needs valgrind");
        return None;
    }
    run(command.current_dir(directory)).failed(126).saying(&["permission denied"]);
    let log = fs::read_to_string(log).unwrap();
    let total = log.lines().find_map(|line| line.split_once("Collected : ")).unwrap().1;
    Some(total.trim().parse().unwrap())
}

#[test]
fn the_shim_takes_few_instructions_and_no_more_for_what_it_does_not_need() {
    if !OWN_START_CODE {
        return not_shown("the number of instructions of a shim with its own start code");
    }
    let machine = machine_with(&["1.22.4"]);
    let go_file = machine.goroot("1.22.4").join("bin/go");
    fs::set_permissions(go_file, fs::Permissions::from_mode(0o644)).unwrap();
    let pinned = machine.repository("exact", &[(".go-version", "1.22.4\n")]);
    let deep = machine.repository("exact/1/2/3/4/5/6/7/8/9/10", &[]);
    let Some(few) = instructions(&machine, &pinned, &[]) else { return };
    // Measured 16 thousand, and 110 thousand where they are not optimized.
    let allowed = if cfg!(debug_assertions) { 200_000 } else { 20_000 };
    assert!(few <= allowed, "{few} instructions");

    let per_level = (instructions(&machine, &deep, &[]).unwrap() - few) / 10;
    assert!(per_level <= allowed / 20, "{per_level} instructions for each level");

    for patch in 0..200 {
        fs::create_dir_all(machine.goroot(&format!("1.19.{patch}"))).unwrap();
    }
    let many = instructions(&machine, &pinned, &[]).unwrap();
    assert!(many.abs_diff(few) <= few / 100, "{many} with 200 toolchains, {few} with one");

    // Long variables that are none of its business are not read.
    let variables: Vec<_> = (0..50).map(|n| format!("LARGE_{n}")).collect();
    let variables: Vec<_> = variables.iter().map(|name| (&**name, "x".repeat(10_000))).collect();
    let large = instructions(&machine, &pinned, &variables).unwrap();
    assert!(large - few <= allowed / 2, "{} instructions for 50 variables", large - few);
}
