//! The everyday commands as a person and a script see them.
#![allow(clippy::disallowed_methods, reason = "a test that fails shows its line")]

mod common;

use common::{Ended, GVM, Machine, machine_with, run, write_script};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const COMMANDS: [&str; 18] = [
    "setup",
    "teardown",
    "install",
    "uninstall",
    "verify",
    "mirror",
    "list",
    "list-remote",
    "use",
    "default",
    "pin",
    "current",
    "which",
    "exec",
    "env",
    "hook",
    "completions",
    "root",
];

/// gvm in `work`, with further variables.
fn gvm_with(machine: &Machine, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    run(machine.command(GVM).args(arguments).envs(variables.iter().copied()))
}

/// What a test could not show on this machine, past the harness that would keep
/// it to itself.
fn not_shown(what: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "NOT SHOWN: {what}");
}

/// A program by its name, from the PATH of whoever runs the tests.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file())
}

/// The shells of this machine that are not PowerShell.
fn shells() -> Vec<(&'static str, PathBuf)> {
    let mut found = Vec::new();
    for name in ["bash", "zsh", "fish"] {
        match program(name) {
            Some(file) => found.push((name, file)),
            None => not_shown(&format!("what {name} makes of gvm's text: there is no {name}")),
        }
    }
    found
}

#[test]
fn use_without_the_hook_says_how_to_set_it_up() {
    let machine = machine_with(&["1.22.4"]);
    for arguments in [&["use", "1.22"][..], &["use"]] {
        machine.gvm(arguments).failed(1).prints("").saying(&["gvm setup", "open a new shell"]);
    }
    // What is not installed comes first.
    machine.gvm(&["use", "1.30"]).failed(3).prints("").saying(&["gvm install 1.30"]);
    machine.gvm(&["use", "lts"]).failed(2).prints("").saying(&["accepted are 1.22.4"]);
}

#[test]
fn use_prints_exact_statements_for_each_shell() {
    let machine = machine_with(&["1.20", "1.22.4", "1.22.10"]);
    let shims = machine.shims();
    let bin = machine.goroot("1.22.10").join("bin");
    let goroot = machine.goroot("1.22.10");
    let (shims, bin, goroot) = (shims.display(), bin.display(), goroot.display());
    let system = machine.bin();
    let system = system.display();
    let posix = format!(
        "export PATH='{shims}:{bin}:{system}:/usr/bin:/bin'\nexport GOROOT='{goroot}'\n\
         export GVM_ACTIVE_GOROOT='{goroot}'\nunset GVM_SAVED_GOROOT\n\
         export GVM_VERSION='1.22.10'\n"
    );
    let fish = format!(
        "set -gx PATH '{shims}' '{bin}' '{system}' '/usr/bin' '/bin'\nset -gx GOROOT '{goroot}'\n\
         set -gx GVM_ACTIVE_GOROOT '{goroot}'\nset -e GVM_SAVED_GOROOT; or true\n\
         set -gx GVM_VERSION '1.22.10'\n"
    );
    let powershell = format!(
        "$env:PATH = '{shims}:{bin}:{system}:/usr/bin:/bin'\n$env:GOROOT = '{goroot}'\n\
         $env:GVM_ACTIVE_GOROOT = '{goroot}'\n$env:GVM_SAVED_GOROOT = $null\n\
         $env:GVM_VERSION = '1.22.10'\n"
    );
    for (shell, text) in
        [("bash", &posix), ("zsh", &posix), ("fish", &fish), ("powershell", &powershell)]
    {
        machine.gvm(&["use", "--eval", shell, "go1.22"]).succeeded().prints(text);
        // Quiet or not, stdout is the same.
        machine.gvm(&["use", "-q", "--eval", shell, "1.22.x"]).succeeded().prints(text);
    }
    // `1.20` would be the newest 1.20.x; the release is called 1.20.0.
    let ended = machine.gvm(&["use", "--eval", "bash", "1.20.0"]).succeeded();
    assert!(ended.stdout.ends_with("export GVM_VERSION='1.20.0'\n"), "{ended:?}");

    // Whatever is refused prints nothing that could be evaluated.
    machine.gvm(&["use", "--eval", "bash", "1.30"]).failed(3).prints("");
    machine.gvm(&["use", "--eval", "bash", "../x"]).failed(2).prints("");
    machine.gvm(&["use", "--eval", "bash", "--nonsense"]).failed(2).prints("");
    machine.gvm(&["use", "--eval", "bash", "--default"]).failed(2).prints("");
    for help in
        [["--eval", "bash", "--help"], ["--help", "--eval", "bash"], ["--eval", "zsh", "-h"]]
    {
        let ended = machine.gvm(&[&["use"][..], &help].concat()).succeeded().prints("");
        ended.saying(&["gvm use 1.21", "Usage"]);
    }
    machine.gvm(&["use", "--eval=bash", "--help"]).succeeded().prints("");
}

#[test]
fn use_without_a_version_gives_the_choice_back_to_the_directory() {
    let machine = machine_with(&["1.21.9", "1.22.4"]);
    machine.system_go("1.18.1");
    let pinned = machine.repository("here", &[(".go-version", "1.22\n")]);
    let in_use = [("GVM_VERSION", "1.21.9")];
    let back = |directory: &Path| {
        let mut command = machine.command(GVM);
        command.args(["use", "--eval", "bash"]).envs(in_use).current_dir(directory);
        run(&mut command).succeeded()
    };
    let there = back(&pinned);
    let goroot = machine.goroot("1.22.4");
    assert!(there.stdout.contains(&format!("export GOROOT='{}'\n", goroot.display())), "{there:?}");
    assert!(there.stdout.ends_with("\nunset GVM_VERSION\n"), "{there:?}");
    let nowhere = back(&machine.work());
    assert!(nowhere.stdout.contains("unset GOROOT\n"), "{nowhere:?}");
    assert!(nowhere.stdout.ends_with("\nunset GVM_VERSION\n"), "{nowhere:?}");
    let system = gvm_with(&machine, &in_use, &["use", "--eval", "bash", "system"]).succeeded();
    assert!(system.stdout.contains("unset GOROOT\n"), "{system:?}");
    assert!(system.stdout.ends_with("\nexport GVM_VERSION='system'\n"), "{system:?}");
}

#[test]
fn use_puts_back_what_the_shell_had_before() {
    let machine = machine_with(&["1.21.9", "1.22.4"]);
    let goroot = machine.goroot("1.21.9");
    let (old, new) = (goroot.display(), machine.goroot("1.22.4"));
    let path = format!("/a:{}:{old}/bin:/b", machine.shims().display());
    let old = old.to_string();
    let active = [
        ("PATH", path.as_str()),
        ("GOROOT", &old),
        ("GVM_ACTIVE_GOROOT", &old),
        ("GVM_SAVED_GOROOT", "/mine"),
    ];
    let switched = gvm_with(&machine, &active, &["use", "--eval", "bash", "1.22"]).succeeded();
    let new = new.display();
    // The shims stay where the user has put them.
    switched.prints(&format!(
        "export PATH='/a:{shims}:{new}/bin:/b'\nexport GOROOT='{new}'\n\
         export GVM_ACTIVE_GOROOT='{new}'\nexport GVM_SAVED_GOROOT='/mine'\n\
         export GVM_VERSION='1.22.4'\n",
        shims = machine.shims().display()
    ));
    gvm_with(&machine, &active, &["use", "--eval", "bash", "system"]).succeeded().prints(&format!(
        "export PATH='/a:{}:/b'\nexport GOROOT='/mine'\nunset GVM_ACTIVE_GOROOT\n\
         unset GVM_SAVED_GOROOT\nexport GVM_VERSION='system'\n",
        machine.shims().display()
    ));
}

#[test]
fn use_can_set_the_default_as_the_bash_gvm_did() {
    let machine = machine_with(&["1.21.9", "1.22.4"]);
    let default = || machine.gvm(&["default"]).succeeded().stdout;
    machine.gvm(&["use", "go1.22.4", "--default"]).succeeded().prints("");
    assert_eq!(default(), "1.22.4\n");
    machine.gvm(&["use", "--default", "1.21"]).succeeded().prints("");
    assert_eq!(default(), "1.21\n");
    let both = machine.gvm(&["use", "--eval", "bash", "--default", "1.22"]).succeeded();
    assert!(both.stdout.ends_with("export GVM_VERSION='1.22.4'\n"), "{both:?}");
    assert_eq!(default(), "1.22\n");
    machine.gvm(&["use", "--default", "1.30"]).failed(3).prints("");
    assert_eq!(default(), "1.22\n");
}

#[test]
fn the_default_is_set_shown_and_taken_away() {
    let machine = machine_with(&["1.21.9", "1.22.4"]);
    machine.system_go("1.18.1");
    let version = || machine.shim_in(&machine.work(), "go", &["version"]).succeeded().stdout;
    machine.gvm(&["default"]).succeeded().prints("").saying(&["gvm default 1.26"]);
    for (typed, shown, runs) in [
        ("1.22", "1.22", "go1.22.4"),
        ("go1.21.9", "1.21.9", "go1.21.9"),
        ("v1.22.x", "1.22", "go1.22.4"),
        ("latest", "latest", "go1.22.4"),
        ("system", "system", "go1.18.1"),
    ] {
        machine.gvm(&["default", typed]).succeeded().prints("");
        machine.gvm(&["default"]).succeeded().prints(&format!("{shown}\n"));
        assert!(version().contains(runs), "{typed}");
    }
    // What is not installed does not become the default.
    machine.gvm(&["default", "1.30"]).failed(3).prints("").saying(&["gvm install 1.30"]);
    machine.gvm(&["default", "x"]).failed(2).prints("");
    machine.gvm(&["default"]).succeeded().prints("system\n");
    machine.gvm(&["default", "--unset", "1.22"]).failed(2);
    for _ in 0..2 {
        machine.gvm(&["default", "--unset"]).succeeded().prints("");
        machine.gvm(&["default"]).succeeded().prints("");
    }
    // The newest of it, today and tomorrow.
    machine.gvm(&["default", "1.22"]).succeeded();
    machine.fake("1.22.5");
    assert!(version().contains("go1.22.5"));
}

#[test]
fn a_change_of_the_default_is_noticed_by_running_shells() {
    let machine = machine_with(&["1.21.9", "1.22.4"]);
    let generation = || fs::read_to_string(machine.root().join("generation")).unwrap();
    let mut seen = vec![generation()];
    for arguments in
        [&["default", "1.22"][..], &["default", "--unset"], &["use", "--default", "1.21"]]
    {
        machine.gvm(arguments).succeeded();
        let now = generation();
        assert!(!seen.contains(&now));
        seen.push(now);
    }
}

#[test]
fn a_pin_keeps_what_else_stands_in_the_file() {
    let machine = machine_with(&["1.22.4"]);
    let directory = machine.repository("here", &[]);
    let file = directory.join(".go-version");
    for (old, new) in [
        (None, &b"1.22\n"[..]),
        (Some(&b"1.20.1\n"[..]), b"1.22\n"),
        (Some(b"1.20.1"), b"1.22"),
        (
            Some(b"# why\r\n\r\n  go1.20.1\t# since May\r\n"),
            b"# why\r\n\r\n  1.22\t# since May\r\n",
        ),
        (Some(b"\xef\xbb\xbf1.20.1\r\n"), b"\xef\xbb\xbf1.22\r\n"),
        (Some(b"1.20.1\n1.19.2\n"), b"1.22\n1.19.2\n"),
        (Some(b"# nothing yet"), b"# nothing yet\n1.22\n"),
        (Some(b"# caf\xe9\n1.20\n"), b"# caf\xe9\n1.22\n"),
    ] {
        match old {
            Some(old) => fs::write(&file, old).unwrap(),
            None => assert!(!file.exists()),
        }
        machine.gvm_in(&directory, &["pin", "go1.22.x"]).succeeded().prints("").saying(&["1.22"]);
        assert_eq!(fs::read(&file).unwrap(), new, "{old:?}");
        machine.shim_in(&directory, "go", &["version"]).succeeded();
    }
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1, "nothing else is left behind");
}

#[test]
fn a_pin_repairs_what_could_not_be_used() {
    let machine = machine_with(&["1.22.4"]);
    let directory = machine.repository("here", &[]);
    let file = directory.join(".go-version");
    let long = "# x\n".repeat(2000);
    let unusable: [&[u8]; 10] = [
        b"",
        b"../../evil\n",
        b"lts\n",
        b"1.22 1.21\n",
        b"1.22\x1b[2J\n",
        b"\xff\xff\n",
        b"\xff\xfe1\0.\0",
        // The lines behind the first one have to be versions too.
        b"1.20.1\n/bin/sh\n",
        b"# us\n1.20.1\n# them\nlts # why\n1.19\n",
        long.as_bytes(),
    ];
    for old in unusable {
        fs::write(&file, old).unwrap();
        machine.shim_in(&directory, "go", &["version"]).failed(2);
        machine.gvm_in(&directory, &["pin", "1.22"]).succeeded();
        let told = machine.shim_in(&directory, "go", &["version"]);
        assert!(told.stdout.contains("go1.22.4"), "{:?} {told:#?}", String::from_utf8_lossy(old));
    }
}

#[test]
fn a_pin_waits_for_no_fifo() {
    let machine = machine_with(&["1.22.4"]);
    let directory = machine.repository("here", &[]);
    let file = directory.join(".go-version");
    run(Command::new("mkfifo").arg(&file)).succeeded();
    let mut command = machine.command("timeout");
    command.args(["10", GVM, "pin", "1.22"]).current_dir(&directory);
    // Whether it is refused or replaced: it ends, and says which.
    let ended = run(&mut command);
    assert!(ended.code < 3, "{ended:?}");
    assert!(ended.stderr.contains(".go-version"), "{ended:?}");
}

#[test]
fn a_pin_keeps_link_and_rights() {
    let machine = machine_with(&["1.22.4"]);
    let directory = machine.repository("here", &[("shared/go-version", "1.20\n")]);
    let (file, target) = (directory.join(".go-version"), directory.join("shared/go-version"));
    symlink("shared/go-version", &file).unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o640)).unwrap();
    machine.gvm_in(&directory, &["pin", "1.22"]).succeeded();
    assert_eq!(fs::read_link(&file).unwrap(), Path::new("shared/go-version"));
    assert_eq!(fs::read_to_string(&target).unwrap(), "1.22\n");
    assert_eq!(fs::metadata(&target).unwrap().mode() & 0o7777, 0o640);
    // A new one is as any file in a repository.
    let other = machine.repository("other", &[]);
    machine.gvm_in(&other, &["pin", "1.22"]).succeeded();
    assert_eq!(fs::metadata(other.join(".go-version")).unwrap().mode() & 0o7777, 0o644);
    // A link to what is not there yet stays a link.
    let third = machine.repository("third", &[("shared/.keep", "")]);
    symlink("shared/new", third.join(".go-version")).unwrap();
    machine.gvm_in(&third, &["pin", "1.22"]).succeeded();
    assert_eq!(fs::read_link(third.join(".go-version")).unwrap(), Path::new("shared/new"));
    assert_eq!(fs::read_to_string(third.join("shared/new")).unwrap(), "1.22\n");
}

#[test]
fn a_pin_below_go_mod_is_warned_of() {
    let machine = machine_with(&["1.20.14", "1.22.4"]);
    let directory = machine.repository("here", &[("go.mod", "module m\n\ngo 1.22.1\n")]);
    let place = format!("{}:3", directory.join("go.mod").display());
    for (version, warned) in
        [("1.20", true), ("1.22.0", true), ("1.22", false), ("1.22.1", false), ("system", false)]
    {
        let ended = machine.gvm_in(&directory, &["pin", version]).succeeded().prints("");
        let has_warned = ended.stderr.contains("warning") && ended.stderr.contains(&place);
        assert_eq!(has_warned, warned, "{version}: {ended:?}");
    }
    // Not even --quiet keeps it to itself, and what is missing is told.
    machine.gvm_in(&directory, &["-q", "pin", "1.20"]).succeeded().saying(&["warning", &place]);
    machine.gvm_in(&directory, &["pin", "1.30"]).succeeded().saying(&["gvm install"]);

    // The go.mod that the shim goes by, when the directory was entered by a link.
    let real = machine.repository("real", &[("inside/.keep", "")]).join("inside");
    let link = directory.join("link");
    symlink(&real, &link).unwrap();
    let mut command = machine.command(GVM);
    command.args(["pin", "1.20"]).current_dir(&link).env("PWD", &link);
    run(&mut command).succeeded().saying(&["warning", &place]);
}

#[test]
fn pin_without_a_version_pins_what_is_in_use() {
    let machine = machine_with(&["1.20", "1.21.9", "1.22.4"]);
    machine.gvm(&["default", "1.22"]).succeeded();
    let directory = machine.repository("here", &[]);
    let file = directory.join(".go-version");
    machine.gvm_in(&directory, &["pin"]).succeeded();
    assert_eq!(fs::read_to_string(&file).unwrap(), "1.22.4\n");
    for (in_use, pinned) in [("1.21", "1.21.9\n"), ("1.20.0", "1.20.0\n")] {
        let mut command = machine.command(GVM);
        run(command.arg("local").current_dir(&directory).env("GVM_VERSION", in_use)).succeeded();
        assert_eq!(fs::read_to_string(&file).unwrap(), pinned);
    }
    let mut command = machine.command(GVM);
    run(command.arg("pin").current_dir(&directory).env("GVM_VERSION", "1.30")).failed(2);
    assert_eq!(fs::read_to_string(&file).unwrap(), "1.20.0\n");
}

#[test]
fn names_of_directories_do_not_write_to_the_screen() {
    let machine = machine_with(&["1.22.4"]);
    let directory = machine.work().join("two\nlines\u{7}");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("go.mod"), "module m\ngo 1.99\n").unwrap();
    for arguments in [&["pin", "1.22"][..], &["current"], &["list"], &["list", "--verbose"]] {
        let ended = machine.gvm_in(&directory, arguments).succeeded();
        for text in [&ended.stdout, &ended.stderr] {
            assert!(!text.contains('\u{7}') && !text.contains("two\nlines"), "{ended:?}");
        }
    }
    // A path for a script is as it is.
    let which = machine.gvm_in(&directory, &["which"]).succeeded();
    which.prints(&format!("{}\n", machine.goroot("1.22.4").join("bin/go").display()));
}

#[test]
fn a_path_for_scripts_is_printed_as_it_is() {
    let machine = machine_with(&["1.22.4", "1.23.1"]);
    machine.gvm(&["default", "1.22"]).succeeded();
    let goroot = machine.goroot("1.22.4").display().to_string();
    machine.gvm(&["which"]).succeeded().prints(&format!("{goroot}/bin/go\n"));
    machine.gvm(&["which", "gofmt"]).succeeded().prints(&format!("{goroot}/bin/gofmt\n"));
    machine.gvm(&["which", "vet"]).failed(2).prints("");
    machine.gvm(&["root"]).succeeded().prints(&format!("{goroot}\n"));
    for name in ["root", "prefix"] {
        let newer = format!("{}\n", machine.goroot("1.23.1").display());
        machine.gvm(&[name, "go1.23.x"]).succeeded().prints(&newer);
        machine.gvm(&[name, "latest"]).succeeded().prints(&newer);
        machine.gvm(&[name, "1.30"]).failed(3).prints("").saying(&["gvm install 1.30"]);
        machine.gvm(&[name, "system"]).failed(2).prints("");
    }
    // The system's go has a GOROOT as well.
    let system = machine.system_go("1.18.1");
    machine.gvm(&["default", "system"]).succeeded();
    machine.gvm(&["root"]).succeeded().prints(&format!("{}\n", system.display()));
    let go = machine.bin().join("go");
    machine.gvm(&["which"]).succeeded().prints(&format!("{}\n", go.display()));
    fs::remove_file(go).unwrap();
    machine.gvm(&["which"]).failed(3).prints("");
    machine.gvm(&["root"]).failed(3).prints("");
}

/// A store of that name with one toolchain, and its GOROOT.
fn store_called(machine: &Machine, name: &[u8]) -> (PathBuf, PathBuf) {
    let root = machine.path().join(OsStr::from_bytes(name));
    let platform = gvm::platform::Platform::host();
    let goroot = root.join(format!("toolchains/1.22.4-{platform}/go"));
    fs::create_dir_all(goroot.join("bin")).unwrap();
    write_script(&goroot.join("bin/go"), "echo hostile \"$@\"");
    (root, goroot)
}

/// Names as hostile as they can be: printable, with what is not, and with bytes
/// that are no text.
const HOSTILE: [&[u8]; 3] = [
    b"a 'b' \"c\" $(touch x) `touch y` \\ $HOME;#~ %PATH% !! {a,b} *",
    b"a 'b' \"c\" $(touch x) `touch y` \\ $HOME;\n#~ %PATH% caf\xc3\xa9 \t",
    b"' $(touch x) \n caf\xe9 \xff",
];

#[test]
fn the_text_of_env_gives_a_shell_these_variables_whatever_the_path() {
    let machine = Machine::new();
    for (hostile, (name, file)) in
        HOSTILE.iter().flat_map(|name| shells().into_iter().map(move |shell| (name, shell)))
    {
        let (root, goroot) = store_called(&machine, hostile);
        let script = match name {
            "fish" => "$argv[1] env 1.22 --shell fish | source; go version; env -0",
            _ => "eval \"$(\"$1\" env 1.22 --shell \"$2\")\" || exit 9; go version; env -0",
        };
        let mut command = machine.command(file);
        match name {
            "fish" => command.args(["--no-config", "-c", script, GVM]),
            "zsh" => command.args(["-f", "-c", script, "zsh", GVM, name]),
            _ => command.args(["--norc", "-c", script, "bash", GVM, name]),
        };
        let output = command.env("GVM_ROOT", &root).output().unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
        let rest = output.stdout.strip_prefix(b"hostile version\n".as_slice());
        let rest = rest.unwrap_or_else(|| panic!("{name}: {output:?}"));
        let variable = |wanted: &str| {
            let mut variables = rest.split(|&byte| byte == 0);
            variables.find_map(|variable| variable.strip_prefix(format!("{wanted}=").as_bytes()))
        };
        assert_eq!(variable("GOROOT"), Some(goroot.as_os_str().as_bytes()), "{name}");
        assert_eq!(variable("GVM_ACTIVE_GOROOT"), Some(goroot.as_os_str().as_bytes()), "{name}");
        assert_eq!(variable("GVM_SAVED_GOROOT"), None, "{name}");
        let mut path = root.join("shims").into_os_string().as_bytes().to_vec();
        path.push(b':');
        path.extend_from_slice(goroot.join("bin").as_os_str().as_bytes());
        let found = variable("PATH").unwrap();
        assert!(found.starts_with(&path), "{name}: {:?}", String::from_utf8_lossy(found));
        assert!(found.ends_with(b":/usr/bin:/bin"), "{name}");
    }
    let left: Vec<_> = fs::read_dir(machine.work()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_text_of_env_gives_powershell_these_variables_whatever_the_path() {
    let pwsh = std::env::var_os("GVM_TEST_PWSH").map(PathBuf::from).or_else(|| program("pwsh"));
    let Some(pwsh) = pwsh else {
        not_shown("what PowerShell makes of gvm's text: there is none on PATH or in GVM_TEST_PWSH");
        return;
    };
    let machine = Machine::new();
    // Its strings are UTF-16, so bytes that are no text have no form there.
    for hostile in &HOSTILE[..2] {
        let (root, goroot) = store_called(&machine, hostile);
        let script = "Invoke-Expression (& $env:TEST_GVM env 1.22 --shell powershell | Out-String); go version; /usr/bin/env -0";
        let mut command = machine.command(&pwsh);
        command.args(["-NoProfile", "-NonInteractive", "-Command", script]);
        let ended = run(command.env("GVM_ROOT", &root).env("TEST_GVM", GVM)).succeeded();
        assert!(ended.stdout.starts_with("hostile version"), "{ended:?}");
        let goroot = goroot.to_str().unwrap();
        // A native program's lines may end as PowerShell has it, its words do not.
        let out = ended.stdout.replace("\r\n", "\n");
        for expected in [
            format!("GOROOT={goroot}\0"),
            format!("GVM_ACTIVE_GOROOT={goroot}\0"),
            format!("PATH={}/shims:{goroot}/bin:", root.to_str().unwrap()),
        ] {
            assert!(out.contains(&expected), "no {expected:?} in {out:?}");
        }
        assert!(!out.contains("GVM_SAVED_GOROOT"), "{out:?}");
    }
    let left: Vec<_> = fs::read_dir(machine.work()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn env_tells_scripts_in_json_and_keeps_the_users_goroot() {
    let machine = machine_with(&["1.22.4"]);
    let goroot = machine.goroot("1.22.4");
    let goroot = goroot.to_str().unwrap();
    let told = gvm_with(
        &machine,
        &[("GOROOT", "/mine"), ("PATH", "/usr/bin")],
        &["env", "1.22", "--json"],
    );
    let path = format!("{}:{goroot}/bin:/usr/bin", machine.shims().display());
    assert_eq!(
        told.succeeded().json(),
        json!({"PATH": path, "GOROOT": goroot, "GVM_ACTIVE_GOROOT": goroot, "GVM_SAVED_GOROOT": "/mine"})
    );
    // And gives it back.
    let active = [
        ("GOROOT", goroot),
        ("GVM_ACTIVE_GOROOT", goroot),
        ("GVM_SAVED_GOROOT", "/mine"),
        ("PATH", &path),
    ];
    let told = gvm_with(&machine, &active, &["env", "system", "--json"]).succeeded().json();
    let path = format!("{}:/usr/bin", machine.shims().display());
    assert_eq!(
        told,
        json!({"PATH": path, "GOROOT": "/mine", "GVM_ACTIVE_GOROOT": null, "GVM_SAVED_GOROOT": null})
    );
    machine.gvm(&["env", "1.30"]).failed(3).prints("").saying(&["gvm install 1.30"]);
    machine.gvm(&["env", "--json", "--shell", "bash"]).failed(2).prints("");
    machine.gvm(&["env", "--shell", "tcsh"]).failed(2).prints("");
    // Without --shell it is the login shell's.
    let fish = gvm_with(&machine, &[("SHELL", "/bin/fish")], &["env", "1.22"]).succeeded();
    assert!(fish.stdout.starts_with("set -gx PATH "), "{fish:?}");
    let bash = gvm_with(&machine, &[], &["env", "1.22"]).succeeded();
    assert!(bash.stdout.starts_with("export PATH="), "{bash:?}");
}

#[test]
fn env_writes_what_other_programs_read_and_nothing_slips_in() {
    let machine = machine_with(&["1.22.4"]);
    let goroot = machine.goroot("1.22.4");
    // As a shell that reads the file has it.
    let file = machine.work().join(".env");
    let told =
        gvm_with(&machine, &[("PATH", "/a'b $x:/usr/bin:/bin")], &["env", "1.22", "--dotenv"]);
    fs::write(&file, told.succeeded().stdout).unwrap();
    let shown = run(machine
        .command("/bin/sh")
        .args(["-c", ". ./.env && printf '%s\\n' \"$GOROOT\" \"$PATH\""]))
    .succeeded();
    let path =
        format!("{}:{1}/bin:/a'b $x:/usr/bin:/bin", machine.shims().display(), goroot.display());
    assert_eq!(shown.stdout, format!("{}\n{path}\n", goroot.display()));

    let (path, env) = (machine.work().join("path"), machine.work().join("env"));
    fs::write(&env, "EARLIER=1\n").unwrap();
    let files = [("GITHUB_PATH", path.to_str().unwrap()), ("GITHUB_ENV", env.to_str().unwrap())];
    let with = |path: &'static str| [&files[..], &[("PATH", path)]].concat();
    gvm_with(&machine, &with("/usr/bin:/bin"), &["env", "1.22", "--github"]).succeeded();
    // Each line of it goes in front of the one before.
    let lines = format!("{}/bin\n{}\n", goroot.display(), machine.shims().display());
    assert_eq!(fs::read_to_string(&path).unwrap(), lines);
    let text = fs::read_to_string(&env).unwrap();
    assert!(text.starts_with(&format!("EARLIER=1\nGOROOT={}\n", goroot.display())), "{text}");

    for option in ["--dotenv", "--github"] {
        let hostile = gvm_with(&machine, &with("/x\nEVIL=1:/bin"), &["env", "1.22", option]);
        hostile.failed(1).prints("").saying(&["control character"]);
    }
    assert_eq!(fs::read_to_string(&env).unwrap(), text);
    machine.gvm(&["env", "1.22", "--github"]).failed(2).saying(&["GITHUB_PATH is not set"]);
}

#[test]
fn exec_runs_a_command_with_a_version_and_ends_as_it_does() {
    let machine = machine_with(&["1.21.9", "1.22.4"]);
    let directory = machine.repository("here", &[(".go-version", "1.21.9\n")]);
    let exec =
        |arguments: &[&str]| machine.gvm_in(&directory, &[&["exec"][..], arguments].concat());
    let goroot = machine.goroot("1.22.4");
    exec(&["1.22", "--", "go", "env", "GOROOT"])
        .succeeded()
        .prints(&format!("{}\n", goroot.display()));
    exec(&[
        "go1.22",
        "--",
        "sh",
        "-c",
        "command -v go; go show \"$@\"",
        "sh",
        "a b",
        "--help",
        "-q",
        "",
    ])
    .succeeded()
    .prints(&format!("{}/bin/go\n[a b]\n[--help]\n[-q]\n[]\n", goroot.display()));
    exec(&["1.22", "go", "show", "--json", "--", "-x"])
        .succeeded()
        .prints("[--json]\n[--]\n[-x]\n");
    for code in [0, 1, 2, 3, 126, 127, 255] {
        exec(&["1.22", "--", "go", "exit", &code.to_string()]).failed(code).prints("");
    }
    exec(&["1.22", "--", "sh", "-c", "kill -TERM $$"]).failed(-15);

    let none = exec(&["1.22", "--", "no-such-command"]).failed(127).prints("");
    none.saying(&["no-such-command"]);
    exec(&["1.30", "--", "go", "version"]).failed(127).prints("").saying(&["gvm install 1.30"]);
    exec(&["1.22"]).failed(2).prints("");
    exec(&["../x", "--", "go"]).failed(2).prints("");
    // Nobody can be reached, and nothing is run in its place.
    let offline = exec(&["--install", "1.30.1", "--", "go", "version"]).failed(6).prints("");
    offline.saying(&["1.30.1"]);
    exec(&["--install", "1.22", "--", "go", "exit", "4"]).failed(4);
}

#[test]
fn exec_tells_what_cannot_be_run_from_what_is_not_there() {
    let machine = machine_with(&["1.22.4"]);
    machine.repository(".", &[("text", "not a program\n")]);
    machine.gvm(&["exec", "1.22", "--", "./text"]).failed(126).prints("").saying(&["text"]);
    machine.gvm(&["exec", "1.22", "--", "./none"]).failed(127).prints("").saying(&["none"]);
}

#[test]
fn exec_system_runs_the_systems_go() {
    let machine = machine_with(&["1.22.4"]);
    let directory = machine.repository("here", &[(".go-version", "1.22.4\n")]);
    let exec = |variables: &[(&str, &Path)], arguments: &[&str]| {
        let mut command = machine.command(GVM);
        command.args(["exec", "system", "--"]).args(arguments).current_dir(&directory);
        run(command.envs(variables.iter().copied()))
    };
    exec(&[], &["go", "version"]).failed(127).prints("");
    machine.system_go("1.18.1");
    let version = exec(&[], &["go", "version"]).succeeded();
    assert!(version.stdout.starts_with("go version go1.18.1 "), "{version:?}");
    let script = "cd .. && go version";
    assert_eq!(exec(&[], &["sh", "-c", script]).succeeded().stdout, version.stdout);
    let ours = machine.goroot("1.22.4");
    exec(&[("GOROOT", &ours)], &["go", "env", "GOROOT"]).succeeded().prints("<unset>\n");
    exec(&[("GOROOT", Path::new("/mine"))], &["go", "env", "GOROOT"]).succeeded().prints("/mine\n");
}

#[test]
fn list_tells_what_is_installed_newest_first() {
    let machine = machine_with(&["1.9", "1.22rc1", "1.22.4", "1.22.10", "1.21.9"]);
    // Neither half an install nor somebody's directory is a toolchain.
    for name in ["1.30.1-linux-amd64.partial", "notes", "go1.19-linux-amd64", "1.20.0-linux-amd64"]
    {
        fs::create_dir_all(machine.root().join("toolchains").join(name).join("go/bin")).unwrap();
    }
    fs::create_dir_all(machine.root().join("toolchains/1.31.1-linux-amd64")).unwrap();
    // Another platform's is listed, and never in use.
    fs::create_dir_all(machine.root().join("toolchains/1.22.10-plan9-386/go")).unwrap();
    machine.gvm(&["default", "1.22"]).succeeded();
    let directory = machine.repository("here", &[(".go-version", "1.21.9\n")]);

    let rows = machine.gvm_in(&directory, &["list", "--json"]).succeeded().json();
    let rows = rows.as_array().unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            let text = |name: &str| row[name].as_str().unwrap().to_string();
            (text("version"), text("os"), row["is_current"] == true, row["is_default"] == true)
        })
        .collect();
    let host = gvm::platform::Platform::host().os;
    let row =
        |version: &str, os: &str, current, default| (version.into(), os.into(), current, default);
    assert_eq!(
        told,
        [
            row("1.22.10", &host, false, true),
            row("1.22.10", "plan9", false, false),
            row("1.22.4", &host, false, false),
            row("1.22rc1", &host, false, false),
            row("1.21.9", &host, true, false),
            row("1.9", &host, false, false),
        ]
    );
    let mut fields: Vec<_> = rows[0].as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    let mut promised = [
        "version",
        "os",
        "arch",
        "goroot",
        "is_current",
        "is_default",
        "evidence",
        "record",
        "h1",
        "source",
        "url",
        "parts",
        "installed_at",
        "files",
        "bytes",
    ];
    promised.sort_unstable();
    assert_eq!(fields, promised);
    let help = machine.gvm(&["list", "--help"]).succeeded().stdout;
    for field in promised {
        assert!(help.contains(field), "--help does not tell of {field}");
    }
    assert_eq!(rows[4]["goroot"], machine.goroot("1.21.9").to_str().unwrap());

    // As a table, whose columns stand below each other.
    let pin = directory.join(".go-version");
    for arguments in [&["list"][..], &["ls"]] {
        let ended = machine.gvm_in(&directory, arguments).succeeded();
        let lines: Vec<_> = ended.stdout.lines().collect();
        assert_eq!(lines.len(), 7, "{ended:#?}");
        let platform = lines[0].find("PLATFORM").unwrap();
        let in_use = lines[0].find("IN USE").unwrap();
        for line in &lines[1..] {
            assert!(
                !line[..platform].trim().is_empty() && line[..platform].ends_with("  "),
                "{line}"
            );
            assert!(
                line[platform..].starts_with(&host) || line[platform..].starts_with("plan9"),
                "{line}"
            );
        }
        assert!(lines[1][in_use..].starts_with("default"), "{ended:#?}");
        assert!(
            lines[5][in_use..].starts_with(&format!("here ({}:1)", pin.display())),
            "{ended:#?}"
        );
        assert_eq!(ended.stderr, "");
    }
    // In detail, a block each.
    let blocks = machine.gvm_in(&directory, &["list", "--verbose"]).succeeded().stdout;
    let goroot = format!("  GOROOT     {}\n", machine.goroot("1.22.4").display());
    assert!(blocks.contains(&goroot) && blocks.matches("\n\n").count() == 5, "{blocks}");
    // A pin that cannot be used is not what was asked for here.
    fs::write(&pin, "../..\n").unwrap();
    assert_eq!(machine.gvm_in(&directory, &["list"]).succeeded().stdout.lines().count(), 7);
}

#[test]
fn a_broken_receipt_breaks_no_list() {
    let machine = machine_with(&["1.20.1", "1.21.1", "1.22.1", "1.23.1"]);
    let receipt = |version: &str| machine.toolchain(version).join("receipt.json");
    let good = json!({
        "version": "go1.20.1", "os": "linux", "arch": "amd64",
        "origin": {"source": "go.dev", "url": "https://x.example/go1.20.1.tar.gz", "sha256": "00", "size": 5},
        "evidence": "published-sha256", "h1": "h1:x", "files": 3, "bytes": 71_680_185,
        "installed_at": "2026-05-01T10:00:00Z", "gvm": "0.1.0", "a_field_of_tomorrow": 1,
    });
    fs::write(receipt("1.20.1"), good.to_string()).unwrap();
    fs::write(receipt("1.21.1"), "{\"version\": ").unwrap();
    fs::write(receipt("1.22.1"), "{}").unwrap();
    fs::create_dir(receipt("1.23.1")).unwrap();
    let rows = machine.gvm(&["list", "--json"]).succeeded().json();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 4);
    for row in &rows[..3] {
        for field in ["evidence", "h1", "source", "url", "installed_at", "files", "bytes"] {
            assert_eq!(row[field], Value::Null, "{row}");
        }
    }
    for (field, value) in [
        ("evidence", json!("published-sha256")),
        ("h1", json!("h1:x")),
        ("source", json!("go.dev")),
        ("url", json!("https://x.example/go1.20.1.tar.gz")),
        ("installed_at", json!("2026-05-01T10:00:00Z")),
        ("files", json!(3)),
        ("bytes", json!(71_680_185)),
    ] {
        assert_eq!(rows[3][field], value);
    }
    let blocks = machine.gvm(&["list", "--verbose"]).succeeded().stdout;
    assert_eq!(blocks.matches("unknown: it has no receipt that").count(), 3, "{blocks}");
    for line in [
        "  evidence   published sha256\n",
        "  size       71.7 MB in 3 files\n",
        "  from       https://x.example/go1.20.1.tar.gz\n",
    ] {
        assert!(blocks.contains(line), "{blocks}");
    }
    assert_eq!(machine.gvm(&["ls", "-v"]).stdout, blocks);
}

#[test]
fn a_list_of_nothing_is_no_error() {
    let machine = Machine::new();
    machine.gvm(&["list"]).succeeded().prints("").saying(&["gvm install stable"]);
    machine.gvm(&["list", "--json"]).succeeded().prints("[]\n");
    assert_eq!(machine.gvm(&["list", "--quiet"]).succeeded().stderr, "");
    assert!(!machine.root().exists(), "looking makes no store");
}

#[test]
fn help_teaches_with_examples() {
    let machine = Machine::new();
    let all = machine.gvm(&["--help"]).succeeded();
    for command in COMMANDS {
        assert!(all.stdout.contains(&format!("\n  {command} ")), "{command} is not in --help");
        let help = machine.gvm(&[command, "--help"]).succeeded().stdout;
        let (_, examples) = help
            .split_once("Examples:\n")
            .or_else(|| help.split_once("Set it up, once"))
            .unwrap_or_else(|| panic!("no example in the help of {command}: {help}"));
        let name = if command == "env" { "gvm env" } else { &format!("gvm {command}") };
        assert!(examples.contains(name), "{command}: {examples}");
        assert!(!help.contains("--eval"), "what only the hook says is not for people");
        assert_eq!(machine.gvm(&["help", command]).succeeded().stdout, help);
    }
    assert!(!all.stdout.contains("__shim"), "{all:?}");
    machine.gvm(&[]).failed(2);
    let version = machine.gvm(&["--version"]).succeeded().stdout;
    assert_eq!(version, format!("gvm {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn names_that_users_of_other_managers_type_work() {
    let machine = machine_with(&["1.22.4"]);
    for (name, of) in [
        ("ls", "list"),
        ("ls-remote", "list-remote"),
        ("listall", "list-remote"),
        ("local", "pin"),
        ("prefix", "root"),
        ("remove", "uninstall"),
        ("rm", "uninstall"),
        ("i", "install"),
    ] {
        let help = |name: &str| machine.gvm(&[name, "--help"]).succeeded().stdout;
        assert_eq!(help(name), help(of));
    }
    let directory = machine.repository("here", &[]);
    machine.gvm_in(&directory, &["local", "go1.22.4"]).succeeded();
    assert_eq!(fs::read_to_string(directory.join(".go-version")).unwrap(), "1.22.4\n");
    machine.gvm(&["remove", "go1.22.4"]).succeeded();
    assert!(machine.installed().is_empty());
    machine.gvm(&["lisst"]).failed(2).prints("").saying(&["list"]);
}

#[test]
fn a_reader_that_hangs_up_is_no_error() {
    let versions: Vec<String> = (0..40).map(|patch| format!("1.22.{patch}")).collect();
    let machine = machine_with(&versions.iter().map(String::as_str).collect::<Vec<_>>());
    for arguments in [
        "list",
        "list --json",
        "current",
        "which",
        "env 1.22",
        "hook bash",
        "completions zsh",
        "--help",
        "list --help",
    ] {
        // The reader is gone before anything is written.
        let script = format!("{{ {GVM} {arguments}; echo $? >&2; }} | exec true");
        let mut command = machine.command("bash");
        command.args(["-c", &script]).env("GVM_VERSION", "1.22");
        assert_eq!(run(&mut command).succeeded().stderr, "0\n", "{arguments}");
        let script = format!("set -o pipefail; {GVM} {arguments} | head -1");
        let mut command = machine.command("bash");
        command.args(["-c", &script]).env("GVM_VERSION", "1.22");
        let ended = run(&mut command).succeeded();
        assert_eq!((ended.stdout.lines().count(), ended.stderr.as_str()), (1, ""), "{arguments}");
    }
    // Nor is a closed stderr.
    let script = format!("{GVM} default 1.22 2>&-");
    run(machine.command("sh").args(["-c", &script])).succeeded();
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let machine = machine_with(&["1.22.4"]);
    for arguments in [&["list"][..], &["list", "--json"], &["env", "1.22"], &["root", "1.22"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = machine.command(GVM);
        let child = command.args(arguments).stdout(full).stderr(Stdio::piped()).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?} {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("No space left"), "{output:?}");
    }
}

#[test]
fn a_store_is_named_by_an_absolute_path() {
    let machine = machine_with(&["1.22.4"]);
    for root in ["store", "./store", "../store", "~/store"] {
        for arguments in [&["list"][..], &["default", "system"], &["hook", "bash"], &["which"]] {
            gvm_with(&machine, &[("GVM_ROOT", root)], arguments)
                .failed(2)
                .prints("")
                .saying(&["GVM_ROOT is a relative path"]);
        }
        let mut command = machine.command(machine.shims().join("go"));
        run(command.arg("version").env("GVM_ROOT", root))
            .failed(2)
            .prints("")
            .saying(&["GVM_ROOT is a relative path"]);
    }
    // An empty one is as good as none.
    let listed = gvm_with(&machine, &[("GVM_ROOT", "")], &["root", "1.22"]).succeeded();
    listed.prints(&format!("{}\n", machine.goroot("1.22.4").display()));
    let left: Vec<_> = fs::read_dir(machine.work()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_relative_home_puts_no_store_into_the_current_directory() {
    let machine = Machine::new();
    for arguments in [&["default", "system"][..], &["hook", "bash"], &["list"]] {
        let ended = run(machine.command(GVM).args(arguments).env("HOME", "relative"));
        assert_ne!(ended.code, 0, "{ended:?}");
    }
    let left: Vec<_> = fs::read_dir(machine.work()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_tree_of_another_gvm_is_left_alone() {
    let machine = Machine::new();
    let root = machine.home().join(".gvm");
    fs::create_dir_all(root.join("scripts")).unwrap();
    fs::write(root.join("scripts/gvm-default"), "").unwrap();
    let variables = [("GVM_ROOT", root.to_str().unwrap())];
    for arguments in [&["list"][..], &["default", "system"], &["use", "1.22"], &["hook", "zsh"]] {
        let ended = gvm_with(&machine, &variables, arguments).failed(2).prints("");
        ended.saying(&["moovweb/gvm", &root.display().to_string(), "unset GVM_ROOT"]);
    }
    let names: Vec<_> =
        fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["scripts"]);
}

#[test]
fn without_any_home_there_is_a_clear_error() {
    let machine = Machine::new();
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        not_shown("a user without a home: that needs root, to become nobody's number");
        return;
    }
    // A number that /etc/passwd does not know, so nobody says where home is.
    fs::set_permissions(machine.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let ask = |home: Option<&str>, arguments: &[&str]| {
        let mut command = machine.command("setpriv");
        command.args(["--reuid=54321", "--regid=54321", "--clear-groups", GVM]).args(arguments);
        match home {
            Some(home) => command.env("HOME", home),
            None => command.env_remove("HOME"),
        };
        run(&mut command)
    };
    for home in [None, Some("")] {
        for arguments in [&["list"][..], &["hook", "bash"], &["default", "system"]] {
            ask(home, arguments)
                .failed(2)
                .prints("")
                .saying(&["neither GVM_ROOT nor HOME is set", "export GVM_ROOT="]);
        }
    }
    let left: Vec<_> = fs::read_dir(machine.work()).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}
