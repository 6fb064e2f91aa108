//! Which Go a directory gets, and who said so: what `gvm` tells and what the shim
//! runs, always both.
#![allow(clippy::disallowed_methods, reason = "a test that fails shows its line")]

mod common;

use common::{Ended, GVM, Machine, machine_with, run, write_script};
use gvm::platform::Platform;
use gvm::version::Version;
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A place to ask from: a directory, variables, and what stands before the
/// command (`setpriv …`, `sh -c …`).
#[derive(Clone)]
struct At<'a> {
    machine: &'a Machine,
    directory: PathBuf,
    variables: Vec<(&'static str, OsString)>,
    prefix: Vec<OsString>,
}

/// What gvm and the shim both said.
#[derive(Debug)]
enum Decision {
    /// What `gvm current --json` printed.
    Runs(Value),
    /// The same, and the message.
    Missing(Value, String),
    /// The message.
    Refused(String),
}

impl<'a> At<'a> {
    fn new(machine: &'a Machine, directory: &Path) -> Self {
        let directory = directory.to_path_buf();
        Self { machine, directory, variables: Vec::new(), prefix: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: impl Into<OsString>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    fn behind(mut self, prefix: &[&str]) -> Self {
        self.prefix = prefix.iter().map(OsString::from).collect();
        self
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Ended {
        let mut words = self.prefix.clone();
        words.push(program.into());
        let mut command = self.machine.command(&words[0]);
        command.args(&words[1..]).args(arguments).current_dir(&self.directory);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        run(&mut command)
    }

    fn gvm(&self, arguments: &[&str]) -> Ended {
        self.run(Path::new(GVM), arguments)
    }

    fn go(&self, arguments: &[&str]) -> Ended {
        self.run(&self.machine.shims().join("go"), arguments)
    }

    /// Asks gvm and the shim, who have to agree.
    #[track_caller]
    fn decide(&self) -> Decision {
        let current = self.gvm(&["current", "--json"]);
        let which = self.gvm(&["which"]);
        let shim = self.go(&["version"]);
        // The shim writes its errors without the word in front.
        let message = current.stderr.replacen("gvm: error: ", "gvm: ", 1);
        let shims_message = shim.stderr.replacen("gvm: error: ", "gvm: ", 1);
        match current.code {
            0 => {
                let told = current.json();
                shim.succeeded().prints(&format!(
                    "go version go{} {}\n",
                    told["version"].as_str().unwrap(),
                    Platform::host().to_string().replace('-', "/")
                ));
                match told["kind"].as_str() {
                    Some("toolchain") => {
                        let goroot = told["goroot"].as_str().unwrap();
                        which.succeeded().prints(&format!("{goroot}/bin/go\n"));
                        self.go(&["env", "GOROOT"]).succeeded().prints(&format!("{goroot}\n"));
                    }
                    Some("system") => {
                        let go = which.succeeded().stdout;
                        let go = fs::canonicalize(go.trim_end_matches('\n')).unwrap();
                        let goroot = Path::new(told["goroot"].as_str().unwrap());
                        assert_eq!(go, goroot.join("bin/go"));
                    }
                    other => panic!("{other:?} in {told}"),
                }
                Decision::Runs(told)
            }
            3 => {
                which.failed(3);
                shim.failed(127).prints("");
                assert_eq!(message, shims_message);
                let told = current.json();
                assert_eq!(told["kind"], "missing");
                assert_eq!((&told["version"], &told["goroot"]), (&Value::Null, &Value::Null));
                Decision::Missing(told, message)
            }
            2 => {
                which.failed(2).prints("");
                shim.failed(2).prints("");
                current.prints("");
                assert_eq!(message, shims_message);
                Decision::Refused(message)
            }
            _ => panic!("{current:#?}"),
        }
    }

    /// It is that version of the store, and that is who said so.
    #[track_caller]
    fn runs(&self, version: &str, origin: &Value) -> Value {
        match self.decide() {
            Decision::Runs(told) if told["kind"] == "toolchain" => {
                assert_eq!(told["version"], version, "{told}");
                assert_eq!(told["origin"], *origin, "{told}");
                let goroot = self.machine.goroot(version);
                assert_eq!(told["goroot"], goroot.to_str().unwrap());
                told
            }
            other => panic!("{version} and {origin} against {other:#?}"),
        }
    }

    #[track_caller]
    fn is_system(&self, origin: &Value) {
        match self.decide() {
            Decision::Runs(told) => {
                assert_eq!((&told["kind"], &told["origin"]), (&json!("system"), origin), "{told}");
            }
            other => panic!("system and {origin} against {other:#?}"),
        }
    }

    #[track_caller]
    fn is_missing(&self, request: &str, origin: &Value) -> String {
        match self.decide() {
            Decision::Missing(told, message) => {
                assert_eq!(told["request"], request, "{told}");
                assert_eq!(told["origin"], *origin, "{told}");
                message
            }
            other => panic!("{request} and {origin} against {other:#?}"),
        }
    }

    #[track_caller]
    fn is_refused(&self, parts: &[&str]) -> String {
        match self.decide() {
            Decision::Refused(message) => {
                for part in parts {
                    assert!(message.contains(part), "no {part:?} in {message}");
                }
                // Nothing of a hostile file may write to the screen.
                let raw = |c: char| c.is_control() && c != '\n';
                assert!(!message.contains(raw), "{message:?}");
                message
            }
            other => panic!("it should be refused: {other:#?}"),
        }
    }
}

fn file(path: &Path, line: usize) -> Value {
    json!({"kind": "file", "file": path.to_string_lossy(), "line": line})
}

fn variable() -> Value {
    json!({"kind": "variable", "name": "GVM_VERSION"})
}

fn nobody() -> Value {
    json!({"kind": "nobody"})
}

fn default(machine: &Machine) -> Value {
    json!({"kind": "default", "file": machine.root().join("default").to_str().unwrap()})
}

const FORMS: &str = "accepted are 1.22.4, 1.22, 1.22.x, 1.22rc1 (each also with go or v in front), \
                     latest, stable, oldstable, system";

#[test]
fn each_who_may_decide_gives_way_to_the_one_before() {
    let machine =
        machine_with(&["1.20.14", "1.21.9", "1.22.4", "1.23.1", "1.24.2", "1.25.3", "1.26.1"]);
    machine.system_go("1.18.1");
    machine.gvm(&["default", "1.20"]).succeeded();
    let outer = machine.repository(
        "outer",
        &[
            (".go-version", "1.24.2\n"),
            (".tool-versions", "golang 1.23.1\n"),
            ("go.mod", "module m\n\ngo 1.22\n"),
            ("inner/deep/.keep", ""),
            ("inner/.go-version", "1.25.3\n"),
            ("inner/.tool-versions", "golang 1.21.9\n"),
        ],
    );
    let deep = outer.join("inner/deep");
    let at = At::new(&machine, &deep);

    at.clone().with("GVM_VERSION", "1.26.1").runs("1.26.1", &variable());
    // An empty variable is as good as none.
    at.clone().with("GVM_VERSION", "").runs("1.25.3", &file(&outer.join("inner/.go-version"), 1));

    fs::remove_file(outer.join("inner/.go-version")).unwrap();
    at.runs("1.21.9", &file(&outer.join("inner/.tool-versions"), 1));

    // A .tool-versions that does not speak of Go decides nothing.
    fs::write(outer.join("inner/.tool-versions"), "nodejs 20.1.0\n").unwrap();
    at.runs("1.24.2", &file(&outer.join(".go-version"), 1));

    fs::remove_file(outer.join(".go-version")).unwrap();
    at.runs("1.23.1", &file(&outer.join(".tool-versions"), 1));

    // Now the go.mod is a floor, which the default 1.20 does not reach.
    fs::remove_file(outer.join(".tool-versions")).unwrap();
    at.runs("1.26.1", &file(&outer.join("go.mod"), 3));

    fs::remove_file(outer.join("go.mod")).unwrap();
    at.runs("1.20.14", &default(&machine));

    machine.gvm(&["default", "--unset"]).succeeded();
    at.is_system(&nobody());

    fs::remove_file(machine.bin().join("go")).unwrap();
    let message = at.is_missing("system", &nobody());
    assert!(message.contains("gvm install stable && gvm default stable"), "{message}");
}

#[test]
fn every_form_of_go_version_is_read_however_it_is_written() {
    let machine = machine_with(&["1.21.9", "1.22rc1", "1.22.4", "1.22.10", "1.23.1", "1.24rc1"]);
    machine.system_go("1.18.1");
    let directory = machine.repository("here", &[]);
    let pin = directory.join(".go-version");
    let at = At::new(&machine, &directory);

    let forms = [
        ("1.22", "1.22.10"),
        ("1.22.4", "1.22.4"),
        ("go1.22.4", "1.22.4"),
        ("v1.22.4", "1.22.4"),
        ("1.22.x", "1.22.10"),
        ("1.22rc1", "1.22rc1"),
        ("1.22-rc1", "1.22rc1"),
        ("1.22.0-rc.1", "1.22rc1"),
        ("latest", "1.23.1"),
        ("stable", "1.23.1"),
        ("oldstable", "1.22.10"),
        ("system", "1.18.1"),
    ];
    for (form, version) in forms {
        fs::write(&pin, format!("{form}\n")).unwrap();
        match version {
            "1.18.1" => at.is_system(&file(&pin, 1)),
            version => drop(at.runs(version, &file(&pin, 1))),
        }
    }

    let utf16 = |text: &str, unit: fn(u16) -> [u8; 2]| {
        let units = ["\u{feff}", text].concat();
        units.encode_utf16().flat_map(unit).collect::<Vec<u8>>()
    };
    for (form, version) in [("go1.22.4", "1.22.4"), ("1.22", "1.22.10"), ("1.22-rc1", "1.22rc1")] {
        let written: [(Vec<u8>, usize); 10] = [
            (form.into(), 1),
            (format!("{form}\r\n").into(), 1),
            (format!("\u{feff}{form}\n").into(), 1),
            (format!("\u{feff}{form}\r\n").into(), 1),
            (format!("\t {form} \t \n").into(), 1),
            (format!("{form} # since May\n").into(), 1),
            (format!("# why\r\n\r\n   # and who\r\n{form}\r\n\r\n").into(), 4),
            (format!("\n{form}\n1.21.9\n1.23\n").into(), 2),
            (utf16(&format!("# é\r\n{form}\r\n"), u16::to_le_bytes), 2),
            (utf16(form, u16::to_be_bytes), 1),
        ];
        for (content, line) in written {
            fs::write(&pin, &content).unwrap();
            at.runs(version, &file(&pin, line));
        }
    }
}

#[test]
fn a_line_of_tool_versions_is_read_as_asdf_and_mise_write_it() {
    let machine = machine_with(&["1.21.9", "1.22.4", "1.22.10"]);
    let directory = machine.repository("here", &[]);
    let pin = directory.join(".tool-versions");
    let at = At::new(&machine, &directory);
    for (content, version, line) in [
        ("golang 1.22.4\n", "1.22.4", 1),
        ("go 1.22\n", "1.22.10", 1),
        ("nodejs 20.1.0\r\ngolang\t 1.22.4 1.21.9 # both\r\n", "1.22.4", 2),
        ("golangci-lint 1.55.2\n#golang 1.21.9\ngolang 1.22.4", "1.22.4", 3),
        ("\u{feff}golang 1.22.4", "1.22.4", 1),
    ] {
        fs::write(&pin, content).unwrap();
        at.runs(version, &file(&pin, line));
    }
    for content in ["golang path:/opt/go\n", "golang\n", "golang ../../x\n", "go ref:master\n"] {
        fs::write(&pin, content).unwrap();
        at.is_refused(&[&format!("{}:1: ", pin.display()), FORMS]);
    }
}

#[test]
fn a_request_is_answered_by_the_newest_installed_that_fits() {
    let machine = machine_with(&[
        "1.9", "1.20", "1.20.5", "1.22.4", "1.22.10", "1.22rc2", "1.23rc1", "1.23rc2", "1.26.8",
        "1.27.4", "1.28rc1",
    ]);
    machine.system_go("1.18.1");
    let at = At::new(&machine, &machine.work());
    for (request, version) in [
        ("1.22", "1.22.10"),
        ("1.22.x", "1.22.10"),
        ("go1.22", "1.22.10"),
        // `1.20` is the newest of it, `1.20.0` the release of that name.
        ("1.20", "1.20.5"),
        ("1.20.0", "1.20"),
        ("1.9", "1.9"),
        // Only pre-releases are there.
        ("1.23", "1.23rc2"),
        ("1.22rc2", "1.22rc2"),
        ("latest", "1.27.4"),
        ("stable", "1.27.4"),
        ("oldstable", "1.26.8"),
        ("1", "1.27.4"),
    ] {
        at.clone().with("GVM_VERSION", request).runs(version, &variable());
    }
    at.clone().with("GVM_VERSION", "system").is_system(&variable());
    for request in ["1.22.5", "1.21", "1.22rc1", "1.24rc1", "2"] {
        let message = at.clone().with("GVM_VERSION", request).is_missing(request, &variable());
        assert!(message.contains(&format!("gvm install {request}\n")), "{message}");
    }
}

#[test]
fn go_mod_is_a_floor_and_never_a_pin() {
    let machine = machine_with(&["1.20.14", "1.21.0", "1.22.4", "1.23.1", "1.24rc1"]);
    machine.system_go("1.18.1");
    let directory = machine.repository("here", &[]);
    let module = directory.join("go.mod");
    let at = At::new(&machine, &directory);
    let go_mod = |text: &str| fs::write(&module, format!("module m\n\n{text}")).unwrap();
    let set_default = |version: &str| drop(machine.gvm(&["default", version]).succeeded());

    set_default("1.22");
    // The default is new enough: the floor is met, and the default decides.
    for text in ["go 1.20\n", "go 1.22\n", "go 1.22.4\n", "go 1.21.0\ntoolchain go1.22.1\n", ""] {
        go_mod(text);
        at.runs("1.22.4", &default(&machine));
    }
    // It is not: the newest installed one, and a release before a pre-release.
    for text in ["go 1.22.5\n", "go 1.23\n", "go 1.21.0\ntoolchain go1.23.1\n"] {
        go_mod(text);
        let line = if text.contains("toolchain") { 4 } else { 3 };
        at.runs("1.23.1", &file(&module, line));
    }
    // `toolchain default` asks for no more than the go line; an older toolchain
    // line than the go line for no less.
    go_mod("go 1.22\ntoolchain default\n");
    at.runs("1.22.4", &default(&machine));
    go_mod("go 1.23.0\ntoolchain go1.22.0\n");
    at.runs("1.23.1", &file(&module, 3));
    // Only the pre-release is new enough.
    go_mod("go 1.24rc1\n");
    at.runs("1.24rc1", &file(&module, 3));
    go_mod("go 1.24\n");
    at.runs("1.24rc1", &file(&module, 3));
    // Nothing is. A language version is met by any release of it.
    go_mod("go 1.24.0\n");
    let message = at.is_missing("1.24.0 or newer", &file(&module, 3));
    assert!(message.contains("gvm install 1.24.0\n"), "{message}");
    go_mod("go 1.99 // soon\r\n");
    let message = at.is_missing("1.99 or newer", &file(&module, 3));
    assert!(message.contains("gvm install 1.99\n"), "{message}");
    assert!(message.contains(&format!("{}:3", module.display())), "{message}");

    // A default that is not installed is not new enough.
    fs::write(machine.root().join("default"), "1.30.0\n").unwrap();
    go_mod("go 1.22\n");
    at.runs("1.23.1", &file(&module, 3));

    // Without a default as well, and with nothing new enough the system's go
    // may switch by itself.
    machine.gvm(&["default", "--unset"]).succeeded();
    at.runs("1.23.1", &file(&module, 3));
    go_mod("go 1.99\n");
    at.is_system(&nobody());
    // Who wants the system's go gets it.
    set_default("system");
    go_mod("go 1.22\n");
    at.is_system(&default(&machine));

    // The nearest go.mod counts, and a directory of that name is none.
    set_default("1.20");
    let below = machine.repository("here/below/x", &[]);
    fs::create_dir(directory.join("below/go.mod")).unwrap();
    At::new(&machine, &below).runs("1.23.1", &file(&module, 3));
    At::new(&machine, &below).with("GO111MODULE", "off").runs("1.20.14", &default(&machine));
    // What cmd/go would refuse is refused here, with its line.
    for text in ["go 1.22.x\n", "go\n", "toolchain 1.22\n", "go 1.2\u{1b}[2J\n"] {
        go_mod(text);
        at.is_refused(&[&format!("{}:3: ", module.display())]);
    }
}

#[test]
fn a_default_of_system_without_a_go_on_path_does_not_hide_what_is_installed() {
    let machine = machine_with(&["1.22.4"]);
    machine.gvm(&["default", "system"]).succeeded();
    let directory = machine.repository("here", &[("go.mod", "module m\ngo 1.22\n")]);
    At::new(&machine, &directory).runs("1.22.4", &file(&directory.join("go.mod"), 2));
}

#[test]
fn go_work_decides_alone_unless_gowork_says_otherwise() {
    let machine = machine_with(&["1.20.14", "1.21.9", "1.22.4", "1.23.1"]);
    machine.gvm(&["default", "1.20"]).succeeded();
    let workspace = machine.repository(
        "workspace",
        &[
            ("go.work", "// all\ngo 1.21\n\nuse ./member\n"),
            ("member/go.mod", "module m\n\ngo 1.99\n"),
            ("elsewhere/go.work", "go 1.22.0\n\ntoolchain go1.22.1\n"),
            ("elsewhere/go.work.old", "go 1.20\n"),
        ],
    );
    let member = workspace.join("member");
    let at = At::new(&machine, &member);
    let work = workspace.join("go.work");
    let module = member.join("go.mod");
    let other = workspace.join("elsewhere/go.work");

    at.runs("1.23.1", &file(&work, 2));
    at.clone().with("GOWORK", "").runs("1.23.1", &file(&work, 2));
    at.clone().with("GOWORK", "auto").runs("1.23.1", &file(&work, 2));
    at.clone().with("GOWORK", "off").is_missing("1.99 or newer", &file(&module, 3));
    let told = at.clone().with("GOWORK", &other).runs("1.23.1", &file(&other, 3));
    assert_eq!(told["floor"], json!({"version": "1.22.1", "origin": file(&other, 3)}));
    let old = workspace.join("elsewhere/go.work.old");
    at.clone().with("GOWORK", &old).runs("1.20.14", &default(&machine));
    // When that file is not there, go has something to say and gvm has not.
    let gone = workspace.join("gone.work");
    at.clone().with("GOWORK", &gone).runs("1.20.14", &default(&machine));

    // A pin comes before both.
    fs::write(workspace.join(".go-version"), "1.22.4\n").unwrap();
    at.runs("1.22.4", &file(&workspace.join(".go-version"), 1));
}

#[test]
fn a_malformed_pin_is_an_error_and_never_skipped() {
    let machine = machine_with(&["1.22.4"]);
    machine.system_go("1.18.1");
    machine.gvm(&["default", "1.22"]).succeeded();
    // There would be much to fall back to.
    machine.repository(".", &[(".go-version", "1.22.4\n")]);
    let directory = machine.repository(
        "here",
        &[(".tool-versions", "golang 1.22.4\n"), ("go.mod", "module m\ngo 1.22\n")],
    );
    let pin = directory.join(".go-version");
    let at = At::new(&machine, &directory);
    let cases: [(&[u8], usize, &str); 20] = [
        (b"", 1, "there is no version in it"),
        (b"\n\n# nothing but a comment\n", 1, "there is no version in it"),
        (b"/usr/local/go\n", 1, "`/usr/local/go`: it looks like a path"),
        (b"# x\n\n../../etc\n", 3, "`../../etc`: it looks like a path"),
        (b"1.22/../../x\n", 1, "it looks like a path"),
        (b"..\n", 1, "it looks like a path"),
        (b"1.22\\..\\x\n", 1, "it looks like a path"),
        (b"1.22.4\n../x\n", 2, "it looks like a path"),
        (b"1.22\x1b[2J\x07\n", 1, "control characters"),
        (b"\x1b]0;title\x07\n", 1, "control characters"),
        (b"1.22\0\n", 1, "control characters"),
        (b"1.22\r1.23\n", 1, "control characters"),
        ("1.22\u{9b}2J\n".as_bytes(), 1, "control characters"),
        (b"1.2\xff\n", 1, "bytes that are not text"),
        (b"\xff\xfe1\0.\0", 1, "`1.`: it is not a Go version"),
        (b"lts\n", 1, "`lts`: it is not a Go version"),
        (b"1.22.4.5\n", 1, "it is not a Go version"),
        (b"01.22\n", 1, "it is not a Go version"),
        (b"1.22.4 1.21.9\n", 1, "`1.22.4 1.21.9`: it is not a Go version"),
        (b"$(touch x)\n", 1, "it is not a Go version"),
    ];
    for (content, line, why) in cases {
        fs::write(&pin, content).unwrap();
        let place = format!("gvm: {}:{line}: ", pin.display());
        let repair = format!("in {}: gvm pin ", directory.display());
        at.is_refused(&[&place, why, FORMS, &repair]);
    }
    assert!(!directory.join("x").exists());

    // Long lines are not written out.
    fs::write(&pin, "1".repeat(4000)).unwrap();
    let message = at.is_refused(&[&format!("{}:1: ", pin.display()), "longer than any version"]);
    assert!(message.len() < 1000, "{message}");
    fs::write(&pin, "# x\n".repeat(1280)).unwrap();
    at.is_refused(&[&pin.display().to_string(), "larger than any such file needs to be"]);

    fs::remove_file(&pin).unwrap();
    for value in ["../../etc", "1.22\u{1b}[31m", "lts", &"1".repeat(5000)] {
        at.clone().with("GVM_VERSION", value).is_refused(&[
            "gvm: GVM_VERSION: ",
            FORMS,
            "unset GVM_VERSION",
        ]);
    }
    let bytes = OsString::from_vec(b"1.22\xff".to_vec());
    at.with("GVM_VERSION", bytes).is_refused(&["gvm: GVM_VERSION: ", FORMS]);
}

#[test]
fn what_is_no_file_is_refused_as_a_pin_and_nothing_waits_for_it() {
    let machine = machine_with(&["1.22.4"]);
    machine.gvm(&["default", "1.22"]).succeeded();
    for name in [".go-version", ".tool-versions"] {
        for kind in ["fifo", "directory", "loop"] {
            let directory = machine.repository(&format!("{kind} {name}"), &[]);
            let pin = directory.join(name);
            match kind {
                "fifo" => drop(run(Command::new("mkfifo").arg(&pin)).succeeded()),
                "directory" => fs::create_dir(&pin).unwrap(),
                _ => symlink(name, &pin).unwrap(),
            }
            At::new(&machine, &directory)
                .is_refused(&[&format!("gvm: {} cannot be read: ", pin.display())]);
        }
    }
    // A link to a file is as good as the file.
    let directory = machine.repository("link", &[("real", "1.22.4\n")]);
    symlink("real", directory.join(".go-version")).unwrap();
    At::new(&machine, &directory).runs("1.22.4", &file(&directory.join(".go-version"), 1));
}

#[test]
fn a_pin_that_may_not_be_read_is_an_error() {
    let machine = machine_with(&["1.22.4"]);
    machine.gvm(&["default", "1.22"]).succeeded();
    let outer = machine.repository("outer", &[("inner/.keep", "")]);
    let inner = outer.join("inner");
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let mut at = At::new(&machine, &inner);
    if fs::metadata("/proc/self").unwrap().uid() == 0 {
        // Root may read everything, so somebody else asks.
        mode(&machine.path(), 0o755);
        at = at.behind(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    at.runs("1.22.4", &default(&machine));
    for name in [".tool-versions", ".go-version"] {
        let pin = outer.join(name);
        fs::write(&pin, "golang 1.22.4\n").unwrap();
        mode(&pin, 0o000);
        at.is_refused(&[&format!("gvm: {} cannot be read: permission denied", pin.display())]);
        fs::remove_file(&pin).unwrap();
    }
}

#[test]
fn no_pin_runs_anything_outside_the_store() {
    let machine = machine_with(&["1.22.4"]);
    machine.gvm(&["default", "1.22"]).succeeded();
    let marker = machine.path().join("marker");
    let toolchains = machine.root().join("toolchains");
    // What the text would lead to if it were pasted into a path, with the
    // platform behind it and without.
    fs::create_dir_all(toolchains.join("1.22")).unwrap();
    let evil = machine.path().join("evil");
    let absolute = evil.to_str().unwrap();
    let pins =
        ["../../x", "1.22/../../x", "1.22.4/../../../x", "x/../../../x", absolute, "..", "."];
    let mut planted = 0;
    for pin in pins {
        for end in [String::new(), format!("-{}", Platform::host())] {
            let goroot = toolchains.join(format!("{pin}{end}")).join("go");
            for bin in [goroot.join("bin"), goroot.parent().unwrap().join("bin")] {
                if fs::create_dir_all(&bin).is_ok() {
                    for tool in ["go", "gofmt"] {
                        write_script(&bin.join(tool), &format!("touch '{}'", marker.display()));
                        planted += 1;
                    }
                }
            }
        }
    }
    assert!(planted > 30, "{planted}");
    fs::remove_dir_all(toolchains.join("1.22")).unwrap();

    let directory = machine.repository("here", &[]);
    let at = At::new(&machine, &directory);
    for pin in pins {
        fs::write(directory.join(".go-version"), pin).unwrap();
        at.is_refused(&[FORMS]);
        machine.shim_in(&directory, "gofmt", &[]).failed(2);
        at.clone().with("GVM_VERSION", pin).is_refused(&[FORMS]);
        fs::remove_file(directory.join(".go-version")).unwrap();
        fs::write(directory.join(".tool-versions"), format!("golang {pin}")).unwrap();
        at.is_refused(&[FORMS]);
        fs::remove_file(directory.join(".tool-versions")).unwrap();
        fs::write(machine.root().join("default"), pin).unwrap();
        at.is_refused(&[FORMS]);
        fs::write(machine.root().join("default"), "1.22").unwrap();
    }
    assert!(!marker.exists());
}

#[test]
fn a_malformed_default_says_how_to_set_it_anew() {
    let machine = machine_with(&["1.22.4"]);
    let default = machine.root().join("default");
    fs::write(&default, "lts\n").unwrap();
    let at = At::new(&machine, &machine.work());
    at.is_refused(&[&default.display().to_string(), "`lts`", FORMS, "gvm default 1.22"]);
    machine.gvm(&["default", "1.22"]).succeeded();
    at.runs("1.22.4", &self::default(&machine));
}

#[test]
fn current_tells_version_goroot_and_who_said_so() {
    let machine = machine_with(&["1.20.14", "1.22.4"]);
    machine.system_go("1.18.1");
    let directory = machine.repository("here", &[(".go-version", "# us\ngo1.22.4\n")]);
    let pin = directory.join(".go-version");
    let goroot = machine.goroot("1.22.4");
    let current = |variables: &[(&str, &str)], directory: &Path| {
        let mut command = machine.command(GVM);
        command.arg("current").current_dir(directory).envs(variables.iter().copied());
        run(&mut command)
    };
    current(&[], &directory).succeeded().prints(&format!(
        "1.22.4\n  GOROOT  {}\n  set by  {}:2 (1.22.4)\n",
        goroot.display(),
        pin.display()
    ));
    current(&[("GVM_VERSION", "1.20")], &directory).succeeded().prints(&format!(
        "1.20.14\n  GOROOT  {}\n  set by  GVM_VERSION (1.20)\n",
        machine.goroot("1.20.14").display()
    ));
    let outside = current(&[], &machine.work()).succeeded();
    assert!(outside.stdout.starts_with("1.18.1 (system)\n  GOROOT  "), "{outside:?}");
    assert!(outside.stdout.contains("no pin and no default"), "{outside:?}");

    // The fields that --help promises, and no others.
    let told = At::new(&machine, &directory).runs("1.22.4", &file(&pin, 2));
    let fields: Vec<_> = told.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["floor", "goroot", "kind", "origin", "request", "version"]);
    assert_eq!((&told["request"], &told["floor"]), (&json!("1.22.4"), &Value::Null));
    let help = machine.gvm(&["current", "--help"]).succeeded().stdout;
    for field in fields {
        assert!(help.contains(field), "--help does not tell of {field}");
    }

    // Met by the default, the floor is told beside it.
    machine.gvm(&["default", "1.22"]).succeeded();
    let module = machine.repository("module", &[("go.mod", "module m\ngo 1.21\n")]);
    let told = At::new(&machine, &module).runs("1.22.4", &default(&machine));
    let floor = json!({"version": "1.21", "origin": file(&module.join("go.mod"), 2)});
    assert_eq!(told["floor"], floor);
    let text = current(&[], &module).succeeded().stdout;
    let floor = format!("  at least 1.21 ({}:2)\n", module.join("go.mod").display());
    assert!(text.ends_with(&floor), "{text}");

    // What is missing is told, with its code.
    fs::write(&pin, "1.30.1\n").unwrap();
    let missing = current(&[], &directory).failed(3).prints("");
    missing.saying(&[&format!("{}:1", pin.display()), "gvm install 1.30.1"]);
}

#[test]
fn a_goroot_with_odd_characters_is_told_as_it_is() {
    let machine = Machine::new();
    let root = machine.path().join("a\n\"b\" é");
    let goroot = root.join(format!("toolchains/1.22.4-{}/go", Platform::host()));
    fs::create_dir_all(goroot.join("bin")).unwrap();
    write_script(&goroot.join("bin/go"), "printf '%s' \"$GOROOT\"");
    let gvm = |arguments: &[&str]| {
        let mut command = machine.command(GVM);
        run(command.args(arguments).env("GVM_ROOT", &root).env("GVM_VERSION", "1.22"))
    };
    gvm(&["default", "1.22"]).succeeded();
    let told = gvm(&["current", "--json"]).succeeded().json();
    assert_eq!(told["goroot"], goroot.to_str().unwrap());
    let ran = run(machine.command(root.join("shims/go")).env("GVM_VERSION", "1.22"));
    ran.succeeded().prints(goroot.to_str().unwrap());
    // On a screen it stays in its line.
    let text = gvm(&["current"]).succeeded().stdout;
    assert_eq!(text.lines().count(), 3, "{text:?}");
}

#[test]
fn a_deleted_directory_pins_nothing() {
    let machine = machine_with(&["1.22.4"]);
    machine.gvm(&["default", "1.22"]).succeeded();
    let script = r#"mkdir -p gone && cd gone && rmdir ../gone && exec "$@""#;
    let at = At::new(&machine, &machine.work()).behind(&["sh", "-c", script, "sh"]);
    at.runs("1.22.4", &default(&machine));
    let gone = machine.work().join("gone");
    at.with("PWD", gone).runs("1.22.4", &default(&machine));
}

#[test]
fn a_directory_reached_through_a_link_is_the_one_of_pwd() {
    let machine = machine_with(&["1.21.9", "1.22.4"]);
    let real = machine.repository("real", &[(".go-version", "1.21.9\n"), ("inside/.keep", "")]);
    let logical = machine.repository("logical", &[(".go-version", "1.22.4\n")]);
    symlink(real.join("inside"), logical.join("link")).unwrap();
    let link = logical.join("link");
    let by_link = file(&logical.join(".go-version"), 1);
    let by_real = file(&real.join(".go-version"), 1);
    // As the go command has it (os.Getwd).
    let at = At::new(&machine, &link);
    at.clone().with("PWD", &link).runs("1.22.4", &by_link);
    at.runs("1.21.9", &by_real);
    // A PWD that names another directory, or is relative, is not believed.
    at.clone().with("PWD", &logical).runs("1.21.9", &by_real);
    at.clone().with("PWD", ".").runs("1.21.9", &by_real);
    at.clone().with("PWD", "").runs("1.21.9", &by_real);
}

#[test]
fn directories_may_have_any_name() {
    let machine = machine_with(&["1.22.4"]);
    for name in [
        &b"with space"[..],
        b"with 'quotes\" and $(touch x) `y`",
        b"two\nlines",
        b"caf\xe9 \xff",
        "caf\u{e9} \u{1f4a1}".as_bytes(),
        b"esc\x1b[31m",
        b"-rf",
        b"a:b",
    ] {
        let outer = machine.work().join(OsStr::from_bytes(name));
        let inner = outer.join("inner");
        fs::create_dir_all(&inner).unwrap();
        let pin = outer.join(".go-version");
        fs::write(&pin, "1.22.4\n").unwrap();
        let at = At::new(&machine, &inner);
        at.runs("1.22.4", &file(&pin, 1));
        at.clone().with("PWD", &inner).runs("1.22.4", &file(&pin, 1));
        let text = at.gvm(&["current"]).succeeded().stdout;
        assert_eq!(text.lines().count(), 3, "{text:?}");
        assert!(!text.contains('\x1b'), "{text:?}");
        // An error names it, and no byte of it writes to the screen.
        fs::write(&pin, "lts\n").unwrap();
        let message = at.is_refused(&[":1: `lts`"]);
        assert_eq!(message.lines().count(), 2, "{message}");
    }
    assert!(!machine.work().join("x").exists());
}

const LOOSE: [&str; 3] = ["go1.21rc", "go1.21foo1", "go1.21rc-x"];

/// Names, valid or not, in which everything that the grammar knows occurs.
fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "",
        "go",
        "1.21",
        "go1.",
        "go.1",
        "go01",
        "go1.01",
        "go1.2.03",
        "go1.2.3.4",
        "go1.21rc01",
        "go1.21rc1.2",
        "go1.21RC1",
        "go1.21-rc1",
        "go1.21.0-custom",
        "go1.21rc1-x",
        "go-1.21",
        " go1.21",
        "go1.-1",
        "go1.21.",
        "go1..21",
        "gogo1.21",
        "v1.21",
        "go1.21.x",
        "golatest",
        "go1.21\n",
        "go1.21+auto",
        "go0",
        "go0.1",
        "go1.0",
        "go1.0.0",
        "go1.100.0",
        "go1.21rc0",
        "go1.999999999",
        "go1.20-",
        "go1-custom",
    ]
    .map(String::from)
    .into();
    names.extend(LOOSE.map(String::from));
    for major in ["1", "2"] {
        names.push(format!("go{major}"));
        for minor in [0, 4, 8, 9, 10, 19, 20, 21, 22, 27] {
            names.push(format!("go{major}.{minor}"));
            for end in [".0", ".1", ".2", ".10", "alpha1", "beta1", "beta2", "rc1", "rc2", "rc10"] {
                names.push(format!("go{major}.{minor}{end}"));
            }
        }
    }
    names
}

#[test]
fn versions_are_valid_and_ordered_as_in_gos_own_package() {
    let goroot = common::real_go::real_go("1.26.11");
    let machine = Machine::new();
    let directory = machine.repository(
        "order",
        &[
            ("go.mod", "module example.com/order\n\ngo 1.26\n"),
            (
                "main.go",
                r#"package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"go/version"
	"os"
)

func main() {
	var names []string
	if err := json.NewDecoder(os.Stdin).Decode(&names); err != nil {
		panic(err)
	}
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	for _, a := range names {
		fmt.Fprint(out, version.IsValid(a))
		for _, b := range names {
			fmt.Fprint(out, " ", version.Compare(a, b))
		}
		fmt.Fprintln(out)
	}
}
"#,
            ),
        ],
    );
    let names = names();
    fs::write(directory.join("names.json"), serde_json::to_string(&names).unwrap()).unwrap();
    let mut command = machine.command(goroot.join("bin/go"));
    command
        .args(["run", "."])
        .current_dir(&directory)
        .stdin(fs::File::open(directory.join("names.json")).unwrap())
        .env("GOTOOLCHAIN", "local")
        .env("GOFLAGS", "-mod=mod")
        // Kept between runs: a standard library is a minute's work for a small machine.
        .env("GOCACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-build"));
    let answer = run(&mut command).succeeded().stdout;
    let rows: Vec<Vec<&str>> = answer.lines().map(|row| row.split(' ').collect()).collect();
    assert_eq!(rows.len(), names.len());

    let parsed: Vec<_> = names.iter().map(|name| Version::parse_toolchain(name)).collect();
    let mut compared = 0;
    for (a, row) in rows.iter().enumerate() {
        // Go's package lets any word pass for a pre-release, and without a number;
        // no release was ever called so.
        let is_valid = row[0] == "true" && !LOOSE.contains(&names[a].as_str());
        assert_eq!(parsed[a].is_some(), is_valid, "validity of {:?}", names[a]);
        for b in 0..rows.len() {
            if let (Some(ours), Some(other)) = (parsed[a], parsed[b]) {
                let ordering = match row[b + 1] {
                    "-1" => Ordering::Less,
                    "0" => Ordering::Equal,
                    "1" => Ordering::Greater,
                    other => panic!("{other}"),
                };
                assert_eq!(ours.cmp(&other), ordering, "{:?} against {:?}", names[a], names[b]);
                compared += 1;
            }
        }
    }
    assert!(compared > 40_000, "{compared}");

    // The one thing that Go released and its package does not know.
    let version = |text: &str| Version::parse(text).unwrap();
    assert!(version("1.9.1") < version("1.9.2rc2"));
    assert!(version("1.9.2rc2") < version("1.9.2"));
}
