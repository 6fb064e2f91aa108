//! `gvm doctor`: for each check a fault that is planted, found, repaired and looked for
//! again; and a machine on which nothing is wrong.

#![allow(clippy::disallowed_methods, reason = "a test that fails shows its line")]

mod common;

use common::server::{Answer, Request, Server, closed_port};
use common::terminal::{self, Shell, Terminal};
use common::{Ended, GVM, Machine, machine_with, run, write_script};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

const VERSION: &str = "1.26.11";

/// A module proxy with the checksum database behind it, and an index of releases.
fn proxy() -> Server {
    Server::start(answer)
}

fn answer(request: &Request) -> Answer {
    match request.path.as_str() {
        path if path.ends_with("/supported") => Answer::ok(""),
        "/?mode=json" => Answer::ok("[]"),
        path if path.ends_with(".info") => Answer::ok("{}"),
        _ => Answer::not_found(),
    }
}

/// A machine that is set up as the README says, with a proxy in reach.
struct Clean {
    machine: Machine,
    proxy: Server,
}

impl Clean {
    fn new() -> Self {
        let machine = machine_with(&[VERSION]);
        symlink(GVM, machine.bin().join("gvm")).unwrap();
        let this = Self { machine, proxy: proxy() };
        let shells = ["--shell", "bash", "--shell", "zsh", "--shell", "fish"];
        let arguments = [&["setup", "--yes", "--no-verify"][..], &shells].concat();
        run(this.command().args(arguments)).succeeded();
        this.machine.gvm(&["default", VERSION]).succeeded();
        this
    }

    fn command(&self) -> Command {
        let mut command = self.machine.command(self.machine.bin().join("gvm"));
        command.env("SHELL", "/bin/bash").env_remove("GOSUMDB");
        command.env("GOPROXY", self.proxy.url()).env("GVM_DL_URL", self.proxy.url());
        command
    }

    fn doctor(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Found {
        let mut command = self.command();
        command.arg("doctor").args(arguments).arg("--json").envs(variables.iter().copied());
        let ended = run(&mut command);
        Found { json: ended.json(), code: ended.code }
    }

    fn home(&self, file: &str, text: &str) {
        let file = self.machine.home().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
}

/// What doctor says in JSON.
struct Found {
    json: Value,
    code: i32,
}

impl Found {
    fn findings(&self) -> Vec<&Value> {
        let families = self.json["families"].as_array().unwrap().iter();
        families.flat_map(|family| family["findings"].as_array().unwrap()).collect()
    }

    /// A line of that severity about that subject, whose cause has each of these parts.
    #[track_caller]
    fn has(&self, severity: &str, subject: &str, parts: &[&str]) -> &Value {
        let fits = |finding: &&&Value| {
            finding["severity"] == severity
                && finding["subject"] == subject
                && parts.iter().all(|part| finding["cause"].as_str().unwrap().contains(part))
        };
        let findings = self.findings();
        let found = findings.iter().find(fits);
        found.unwrap_or_else(|| panic!("no {severity} {subject} {parts:?} in {:#}", self.json))
    }

    #[track_caller]
    fn has_fix(&self, severity: &str, subject: &str, parts: &[&str], fix: &str) {
        let finding = self.has(severity, subject, parts);
        let told = finding["fix"]["command"].as_str().unwrap_or_default();
        assert!(told.contains(fix), "{finding:#}");
    }

    /// Nothing that is worse than a line that all is well.
    #[track_caller]
    fn is_clean(&self) {
        assert_eq!((self.code, &self.json["severity"]), (0, &"ok".into()), "{:#}", self.json);
    }

    /// Nothing worse about that subject, at least.
    #[track_caller]
    fn is_clean_about(&self, subject: &str) {
        let about = self.findings().into_iter().filter(|finding| finding["subject"] == subject);
        let worse: Vec<_> = about.filter(|finding| finding["severity"] != "ok").collect();
        assert!(worse.is_empty(), "{worse:#?}");
    }
}

#[test]
fn a_clean_machine_hears_that_nothing_is_wrong() {
    let clean = Clean::new();
    clean.doctor(&["go", "variables", "selected", "modules", "managers"], &[]).is_clean();
    let ended = run(clean.command().args(["doctor", "go", "variables", "selected", "modules"]));
    assert_eq!(ended.code, 0, "{ended:#?}");
    assert!(ended.stderr.starts_with("gvm: nothing is wrong ("), "{ended:#?}");
    assert!(!ended.stdout.contains('\x1b'), "{ended:#?}");
    for line in ended.stdout.lines().filter(|line| line.starts_with(' ')) {
        assert!(line.starts_with("  ok       "), "{line}");
    }
}

#[test]
fn the_exit_code_tells_the_worst() {
    let clean = Clean::new();
    for (module, code) in [("on", 0), ("off", 8), ("maybe", 9)] {
        let found = clean.doctor(&["variables"], &[("GO111MODULE", module)]);
        assert_eq!(found.code, code, "{:#}", found.json);
    }
    let ended = run(clean.command().args(["doctor", "no-such-family"]));
    ended.failed(2).saying(&["no-such-family", "variables"]);
}

#[test]
fn json_has_the_fields_that_the_help_names() {
    let clean = Clean::new();
    let found = clean.doctor(&["variables"], &[("GO111MODULE", "off")]);
    let keys = |value: &Value| {
        let keys: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        keys.join(" ")
    };
    assert_eq!(keys(&found.json), "applied families severity");
    assert_eq!(found.json["severity"], "warning");
    assert_eq!(found.json["applied"], Value::Array(Vec::new()));
    let family = &found.json["families"][0];
    assert_eq!(keys(family), "findings name severity");
    assert_eq!(family["name"], "variables");
    let finding = found.has("warning", "GO111MODULE", &["off", "environment"]);
    assert_eq!(keys(finding), "cause fix severity subject");
    assert_eq!(keys(&finding["fix"]), "command safe");
    assert_eq!(finding["fix"]["safe"], false);
    assert_eq!(found.has("ok", "GOROOT", &[])["fix"], Value::Null);
}

#[test]
fn families_are_listed_without_a_check() {
    let clean = Clean::new();
    let listed = run(clean.command().args(["doctor", "--list", "--json"])).succeeded();
    let names: Vec<_> =
        listed.json().as_array().unwrap().iter().map(|f| f["name"].clone()).collect();
    for name in ["go", "variables", "selected", "system", "modules", "managers"] {
        assert!(names.contains(&name.into()), "{names:?}");
    }
    let shown = run(clean.command().args(["doctor", "--list"])).succeeded();
    assert!(shown.stdout.starts_with("go "), "{shown:#?}");
    assert!(clean.proxy.requests().is_empty());
}

#[test]
fn another_go_in_front_is_told_with_its_version_and_place() {
    let clean = Clean::new();
    let path = |entries: &[&Path]| {
        let entries: Vec<_> = entries.iter().map(|entry| entry.to_str().unwrap()).collect();
        entries.join(":") + ":/usr/bin:/bin"
    };
    let other = clean.machine.home().join("sdk/go1.19.5");
    fs::create_dir_all(other.join("bin")).unwrap();
    fs::write(other.join("VERSION"), "go1.19.5\ntime 2023\n").unwrap();
    write_script(&other.join("bin/go"), "sleep 600");
    let (bin, shims) = (other.join("bin"), clean.machine.shims());
    let own = clean.machine.bin();
    let front = path(&[&bin, &shims, &own]);
    let found = clean.doctor(&["go"], &[("PATH", &front)]);
    found.has_fix(
        "warning",
        "go here",
        &["sdk/go1.19.5/bin/go is go1.19.5, of golang.org/dl", "before gvm's shims"],
        "make gvm's hook the last line",
    );
    found.has("ok", "go, behind 1", &["gvm's shim"]);
    clean.doctor(&["go"], &[("PATH", &path(&[&bin, &own]))]).has_fix(
        "warning",
        "go here",
        &["gvm's shims are not on PATH"],
        "gvm setup",
    );
    clean.doctor(&["go"], &[("PATH", &path(&[&own]))]).has(
        "error",
        "go here",
        &["no go is on PATH"],
    );
    let found = clean.doctor(&["go"], &[("PATH", &path(&[&shims, &own, &bin]))]);
    found.has("ok", "go, behind 1", &["go1.19.5"]);
    found.is_clean();
    // A gofmt that is not the one beside the go.
    let stray = clean.machine.path().join("stray");
    fs::create_dir(&stray).unwrap();
    write_script(&stray.join("gofmt"), "echo");
    let found = clean.doctor(&["go"], &[("PATH", &path(&[&stray, &shims, &own]))]);
    found.has("warning", "gofmt here", &["stray/gofmt"]);
}

#[test]
fn a_go_that_hangs_does_not_hang_doctor() {
    let clean = Clean::new();
    let wrapper = clean.machine.path().join("wrapper");
    fs::create_dir(&wrapper).unwrap();
    write_script(&wrapper.join("go"), "sleep 600");
    let path = format!("{}:{}:/usr/bin:/bin", wrapper.display(), clean.machine.shims().display());
    let found = clean.doctor(&["go"], &[("PATH", &path)]);
    found.has("error", "go here", &["wrapper/go", "does not come to an end within 10 seconds"]);
    write_script(&wrapper.join("go"), "echo not for you >&2; exit 3");
    let found = clean.doctor(&["go"], &[("PATH", &path)]);
    found.has("error", "go here", &["does not tell its version: not for you"]);
}

#[test]
fn shims_that_are_not_whole_are_made_anew() {
    let clean = Clean::new();
    let shims = clean.machine.shims();
    let remove = |name: &str| drop(fs::remove_file(shims.join(name)));
    let plants: [&dyn Fn(); 5] = [
        &|| remove("gofmt"),
        &|| {
            remove("go");
            write_script(&shims.join("go"), "echo mine");
        },
        &|| {
            remove("go");
            symlink("/usr/bin/true", shims.join("go")).unwrap();
        },
        &|| remove("go1.26.11"),
        &|| fs::copy(shims.join("go"), shims.join("go1.9")).map(drop).unwrap(),
    ];
    for (plant, (severity, what)) in plants.iter().zip([
        ("error", "gofmt is missing"),
        ("error", "go is not this gvm's shim"),
        ("error", "go is not a file"),
        ("warning", "go1.26.11 is missing"),
        ("warning", "go1.9 is of a version that is not installed"),
    ]) {
        plant();
        let found = clean.doctor(&["go"], &[]);
        assert_eq!(found.has(severity, "shims", &[what])["fix"]["safe"], true);
        // The hooks of the shells that it has started may have made some anew.
        plant();
        let fixed = clean.doctor(&["go", "--fix"], &[]);
        assert_eq!(fixed.json["applied"].as_array().unwrap().len(), 1, "{:#}", fixed.json);
        fixed.is_clean();
    }
    fs::write(clean.machine.root().join("gvm-path"), "/gone/gvm").unwrap();
    clean.doctor(&["go"], &[]).has("warning", "shims, gvm", &["/gone/gvm", "is gone"]);
    clean.doctor(&["go", "--fix"], &[]).is_clean();
}

#[test]
fn a_fix_is_shown_before_it_is_applied_and_what_is_left_after_it() {
    let clean = Clean::new();
    fs::remove_file(clean.machine.shims().join("gofmt")).unwrap();
    let mut command = clean.command();
    let fixed = run(command.args(["doctor", "go", "variables", "--fix"]).env("GOROOT", "/nowhere"));
    assert_eq!(fixed.code, 9, "{fixed:#?}");
    let told = ["applying: make the shims in ", "did 1 repair, and looked again", "1 error"];
    let places = told.map(|told| fixed.stderr.find(told));
    assert!(places.is_sorted() && places[0].is_some(), "{fixed:#?}");
    assert!(fixed.stdout.contains("GOROOT") && fixed.stdout.contains("/nowhere"), "{fixed:#?}");
    assert!(clean.machine.shims().join("gofmt").exists());
}

#[test]
fn a_fix_that_fails_is_told() {
    let clean = Clean::new();
    clean.home(".config/go/env", "GOROOT=/old\n");
    let file = clean.machine.home().join(".config/go/env");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
    let fixed = clean.doctor(&["variables", "--fix"], &[]);
    let error = fixed.json["applied"][0]["error"].as_str().unwrap_or_default();
    assert!(error.contains("is read-only"), "{:#}", fixed.json);
    assert_eq!(fixed.code, 9);
    assert_eq!(fs::read_to_string(&file).unwrap(), "GOROOT=/old\n");
}

#[test]
fn a_shell_whose_files_lead_past_the_shims_is_told() {
    let clean = Clean::new();
    let goroot = clean.machine.system_go("1.19.5");
    let bin = clean.machine.bin();
    for (file, shell) in [(".profile", "bash"), (".zprofile", "zsh")] {
        let file = clean.machine.home().join(file);
        let before = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{before}export PATH={}:$PATH\n", bin.display())).unwrap();
        let found = clean.doctor(&["go"], &[]);
        let subject = format!("{shell} started anew");
        let place = format!("{}/go (go1.19.5", bin.display());
        found.has_fix("warning", &subject, &["as login", &place], "below gvm's lines");
        fs::write(&file, before).unwrap();
        clean.doctor(&["go"], &[]).is_clean_about(&subject);
    }
    assert!(goroot.exists());
}

#[test]
fn a_shell_that_is_not_set_up_is_noted() {
    let clean = Clean::new();
    run(clean.command().args(["teardown", "--yes"])).succeeded();
    let found = clean.doctor(&["go"], &[]);
    found.has_fix("note", "bash started anew", &["finds no go"], "gvm setup");
    assert_eq!(found.code, 0, "{:#}", found.json);
}

#[test]
fn lines_of_another_gvm_are_told_and_setup_renews_them() {
    let clean = Clean::new();
    // As by an earlier place of gvm.
    let bin = clean.machine.path().join("other-bin");
    fs::create_dir(&bin).unwrap();
    symlink(GVM, bin.join("gvm")).unwrap();
    let path = format!("{}:{}:/usr/bin:/bin", clean.machine.shims().display(), bin.display());
    let found = clean.doctor(&["go"], &[("PATH", &path)]);
    found.has_fix("warning", "setup", &[".bashrc", "of another gvm"], "gvm setup");
    let mut setup = clean.command();
    setup.args(["setup", "--yes", "--no-verify"]).env("PATH", &path);
    run(&mut setup).succeeded();
    clean.doctor(&["go"], &[("PATH", &path)]).is_clean();
}

#[test]
fn the_hook_tells_doctor_that_it_is_there() {
    for shell in terminal::shells() {
        let clean = Clean::new();
        let mut terminal = Terminal::start(&clean.machine, shell, "", "");
        let name = shell.name();
        let said = terminal.run("gvm doctor go");
        assert!(said.contains(&format!("this {name} has gvm's, and it is up to date")), "{said}");
        // Nobody else hears of it.
        terminal.expect_variable("GVM_HOOK", "unset");
        // The terminal of the tests starts zsh in a way that nobody who types does, and
        // PowerShell has no such word.
        if matches!(shell, Shell::Zsh | Shell::Powershell) {
            continue;
        }
        let said = terminal.run("command gvm doctor go");
        assert!(
            said.contains(&format!("this {name} has none, or gvm was called around")),
            "{name}: {said}"
        );
    }
    let clean = Clean::new();
    let found = clean.doctor(&["go"], &[("GVM_HOOK", "zsh:00000000")]);
    found.has_fix("warning", "hook", &["this zsh is of another version of gvm"], "new terminal");
}

#[test]
fn goroot_is_found_wherever_it_is_set() {
    let clean = Clean::new();
    // In the environment.
    let found = clean.doctor(&["variables"], &[("GOROOT", "/usr")]);
    found.has_fix("warning", "GOROOT", &["set to /usr in the environment"], "unset GOROOT");
    let found = clean.doctor(&["variables"], &[("GOROOT", "/nowhere")]);
    found.has("error", "GOROOT", &["/nowhere", "nothing is there"]);
    let goroot = clean.machine.goroot(VERSION);
    let goroot = goroot.to_str().unwrap();
    let ours = [("GOROOT", goroot), ("GVM_ACTIVE_GOROOT", goroot)];
    clean.doctor(&["variables"], &ours).is_clean();

    // Another go than its own.
    let system = clean.machine.system_go("1.25.0");
    let path = format!("{}:/usr/bin:/bin", clean.machine.bin().display());
    let found = clean.doctor(&["variables"], &[("PATH", &path), ("GOROOT", "/usr")]);
    found.has("error", "GOROOT", &["every build breaks"]);
    let own = [("PATH", path.as_str()), ("GOROOT", system.to_str().unwrap())];
    clean.doctor(&["variables"], &own).has("note", "GOROOT", &["go finds it by itself"]);

    // In the files of shells, with file and line.
    for (file, text, line) in [
        (".profile", "# mine\nexport GOROOT=/usr/local/go\n", 2),
        (".zshrc", "export GOROOT=\"/usr/local/go\"; export A=b\n", 1),
        (".config/fish/config.fish", "\n\nset -gx GOROOT /usr/local/go\n", 3),
        (".config/powershell/profile.ps1", "$env:GOROOT = '/usr/local/go'\n", 1),
    ] {
        let path = clean.machine.home().join(file);
        let before = fs::read(&path).ok();
        clean.home(file, text);
        let found = clean.doctor(&["variables"], &[]);
        let place = format!("{}:{line} sets it to /usr/local/go", path.display());
        let fix = format!("take out line {line} of {}", path.display());
        found.has_fix("warning", "GOROOT", &[&place, "old tutorials"], &fix);
        assert_eq!(found.has("warning", "GOROOT", &[])["fix"]["safe"], false);
        match before {
            Some(before) => fs::write(&path, before).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        clean.doctor(&["variables"], &[]).is_clean();
    }
}

#[test]
fn goroot_is_taken_out_of_the_go_commands_file_and_nothing_else() {
    let clean = Clean::new();
    let text = b"GOFLAGS=-v\n# not text: \xff\nGOROOT=/old/go\nGONOSUMDB=a.example\n";
    let file = clean.machine.home().join(".config/go/env");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let found = clean.doctor(&["variables"], &[]);
    let place = format!("{}:3", file.display());
    found.has_fix("error", "GOROOT", &["go env -w has stored /old/go", &place], "take GOROOT out");
    let fixed = clean.doctor(&["variables", "--fix"], &[]);
    fixed.is_clean_about("GOROOT");
    let rest = b"GOFLAGS=-v\n# not text: \xff\nGONOSUMDB=a.example\n";
    assert_eq!(fs::read(&file).unwrap(), rest);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Why the fix is not `go env -u GOROOT`: newer go commands refuse it.
#[test]
fn the_go_command_follows_a_stored_goroot_and_newer_ones_do_not_take_it_back() {
    let clean = Clean::new();
    let go = common::real_go::real_go("1.27.4").join("bin/go");
    clean.home(".config/go/env", "GOROOT=/nowhere\n");
    let ask = |arguments: &[&str]| {
        run(clean.machine.command(&go).args(arguments).env("GOTOOLCHAIN", "local"))
    };
    assert_ne!(ask(&["list", "std"]).code, 0);
    assert_ne!(ask(&["env", "-u", "GOROOT"]).code, 0);
    clean.doctor(&["variables", "--fix"], &[]).is_clean();
    ask(&["list", "fmt"]).succeeded().prints("fmt\n");
}

#[test]
fn each_variable_that_is_off_is_told_with_who_sets_it() {
    let clean = Clean::new();
    let readable = clean.machine.path().join("readable");
    fs::create_dir(&readable).unwrap();
    let flags = clean.machine.goroot(VERSION).join("src/internal/goexperiment");
    fs::create_dir_all(&flags).unwrap();
    fs::write(
        flags.join("flags.go"),
        "package goexperiment\n\ntype Flags struct {\n\t// x\n\tJSONv2 bool\n\tA, B int\n}\n",
    )
    .unwrap();
    let inside = clean.machine.goroot(VERSION).join("mine");
    let inside = inside.to_str().unwrap();
    let file = readable.join("file");
    fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    for (name, value, severity, subject, part) in [
        ("GOPATH", "relative", "error", "GOPATH", "is relative"),
        ("GOPATH", "~/go", "error", "GOPATH", "begins with ~"),
        ("GOPATH", inside, "warning", "GOPATH", "lies in GOROOT"),
        ("GOPATH", file, "error", "GOPATH", "cannot be written"),
        ("GOPATH", "/tmp/a:/tmp/b", "note", "GOPATH", "has 2 entries"),
        ("GOBIN", "bin", "error", "go install", "a relative path"),
        ("GO111MODULE", "on", "note", "GO111MODULE", "the default since Go 1.16"),
        ("GO111MODULE", "auto", "note", "GO111MODULE", "old tutorials"),
        ("GO111MODULE", "off", "warning", "GO111MODULE", "go.mod does not count"),
        ("GO111MODULE", "1", "error", "GO111MODULE", "none of on, off, auto"),
        ("GOFLAGS", "-mod=mod -ldflags=-X=a.b=secret", "note", "GOFLAGS", "-mod=mod -ldflags=…"),
        ("GOFLAGS", "-tags x", "error", "GOFLAGS", "its word 2, behind -tags, is no flag"),
        ("GOFLAGS", "'-tags=x", "error", "GOFLAGS", "quote"),
        ("GOTOOLCHAIN", "go1.22.4", "warning", "GOTOOLCHAIN", "whatever is selected"),
        ("GOTOOLCHAIN", "1.22.4", "error", "GOTOOLCHAIN", "refuses to work"),
        ("GOEXPERIMENT", "jsonv2", "note", "GOEXPERIMENT", "every build"),
        ("GOEXPERIMENT", "nojsonv2", "note", "GOEXPERIMENT", "every build"),
        ("GOEXPERIMENT", "jsonv3", "error", "GOEXPERIMENT", "no experiment jsonv3"),
        ("GOOS", "plan9", "warning", "GOOS", "another machine"),
        ("GOARCH", "mips", "warning", "GOARCH", "another machine"),
        ("GOCACHE", "off", "error", "GOCACHE", "since Go 1.12"),
        ("GOCACHE", "cache", "error", "GOCACHE", "no absolute path"),
        ("GOMODCACHE", file, "error", "GOMODCACHE", "cannot be written"),
    ] {
        let found = clean.doctor(&["variables"], &[(name, value)]);
        let finding = found.has(severity, subject, &[part]);
        if severity != "note" {
            assert!(finding["fix"]["command"].is_string(), "{finding:#}");
        }
        if subject == name {
            assert!(finding["cause"].as_str().unwrap().contains("the environment"), "{finding:#}");
        }
        // The same from the file, where the environment says nothing.
        clean.home(".config/go/env", &format!("X=1\n{name}={value}\n"));
        let found = clean.doctor(&["variables"], &[]);
        let finding = found.has(severity, subject, &[part]);
        if subject == name {
            assert!(finding["cause"].as_str().unwrap().contains("go/env:2"), "{finding:#}");
        }
        fs::remove_file(clean.machine.home().join(".config/go/env")).unwrap();
    }
    clean.doctor(&["variables"], &[]).is_clean();
    let found =
        run(clean.command().args(["doctor", "variables"]).env("GOFLAGS", "-ldflags=secret"));
    assert!(!found.stdout.contains("secret"), "{found:#?}");
}

#[test]
fn the_line_that_exports_a_variable_is_named_in_its_fix() {
    let clean = Clean::new();
    clean.home(".zlogin", "# mine\n\nexport GOFLAGS=-mod=mod\n");
    let found = clean.doctor(&["variables"], &[("GOFLAGS", "-mod=mod")]);
    found.has_fix("note", "GOFLAGS", &["-mod=mod"], "unset GOFLAGS, and take out line 3 of ");
}

#[test]
fn go111module_on_is_taken_back_where_go_env_has_stored_it() {
    let clean = Clean::new();
    clean.home(".config/go/env", "GO111MODULE=on\nGOFLAGS=-v\n");
    let fixed = clean.doctor(&["variables", "--fix"], &[]);
    assert_eq!(fixed.json["applied"][0]["command"], "go env -u GO111MODULE");
    fixed.is_clean_about("GO111MODULE");
    let rest = fs::read_to_string(clean.machine.home().join(".config/go/env")).unwrap();
    assert_eq!(rest, "GOFLAGS=-v\n");
}

#[test]
fn programs_that_go_install_has_put_off_path_are_told() {
    let clean = Clean::new();
    let bin = clean.machine.home().join("go/bin");
    clean.doctor(&["variables"], &[]).has("ok", "go install", &["none is there yet"]);
    fs::create_dir_all(&bin).unwrap();
    write_script(&bin.join("stringer"), "echo");
    let told = bin.display().to_string();
    let found = clean.doctor(&["variables"], &[]);
    found.has_fix("warning", "go install", &["has put 1 program into", &told], "export PATH=");
    let path = format!(
        "{}:{told}/:{}:/usr/bin:/bin",
        clean.machine.shims().display(),
        clean.machine.bin().display()
    );
    clean.doctor(&["variables"], &[("PATH", &path)]).is_clean();
    let found = clean.doctor(&["variables"], &[("GOBIN", &told), ("PATH", &path)]);
    found.has("ok", "go install", &["(GOBIN, the environment), which is on PATH"]);
}

#[test]
fn the_layout_of_old_tutorials_is_told() {
    let clean = Clean::new();
    let here = clean.machine.home().join("go/src/example.com/hello");
    fs::create_dir_all(&here).unwrap();
    let ask = || {
        let mut command = clean.command();
        let ended = run(command.args(["doctor", "variables", "--json"]).current_dir(&here));
        Found { json: ended.json(), code: ended.code }
    };
    ask().has_fix("warning", "GOPATH", &["old tutorials"], "go mod init");
    fs::write(here.join("go.mod"), "module example.com/hello\n").unwrap();
    ask().is_clean();
}

#[test]
fn a_file_of_settings_that_is_no_file_or_has_odd_line_ends_is_told() {
    let clean = Clean::new();
    let file = clean.machine.home().join(".config/go/env");
    clean.home(".config/go/env", "GOFLAGS=-v\r\n");
    clean.doctor(&["variables"], &[]).has("warning", "go env -w", &["line ends of Windows"]);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    clean.doctor(&["variables"], &[]).has("error", "go env -w", &["is not a file"]);
    fs::remove_dir(&file).unwrap();
    let found = clean.doctor(&["variables"], &[("GOENV", "off")]);
    found.has("note", "go env -w", &["does not count"]);
}

/// A machine without a home: go has no place for anything.
#[test]
fn no_home_is_told() {
    let clean = Clean::new();
    let mut command = clean.command();
    command.args(["doctor", "variables", "--json"]).env("GVM_ROOT", clean.machine.root());
    // Where HOME is unset, the user database would answer for it.
    let ended = run(command.env("HOME", "relative"));
    let found = Found { json: ended.json(), code: ended.code };
    found.has("error", "GOPATH", &["neither it nor HOME is set"]);
}

#[test]
fn what_is_stored_in_a_home_stays_out_of_a_report() {
    let clean = Clean::new();
    let home = clean.machine.home();
    let secret = "s3cr3t-value";
    clean.home(
        ".config/go/env",
        &format!(
            "GOFLAGS=-ldflags={secret}\nGOAUTH={secret}\nUNKNOWN={secret}\nGOROOT=/home/bob/go\n"
        ),
    );
    let other = home.join("tools");
    fs::create_dir_all(&other).unwrap();
    write_script(
        &other.join("go"),
        &format!("echo token ghp_{secret}{secret} in {} >&2; exit 1", home.display()),
    );
    let path = format!("{}:{}:/usr/bin:/bin", other.display(), clean.machine.shims().display());
    let mut command = clean.command();
    command.args(["doctor", "--report", "go", "variables", "selected", "modules"]);
    let proxy = clean.proxy.url().replace("http://", &format!("http://ada:{secret}@"));
    command.env("PATH", path).env("GOPROXY", &proxy).env("SECRET_TOKEN", secret);
    command.env("USER", "adalovelace").env("GOPATH", "/home/adalovelace/go:/srv/adalovelace/go");
    command
        .env("GOPRIVATE", "git.example.com")
        .env("GOSUMDB", format!("sum.golang.org https://x:{secret}@h.example"));
    let report = run(&mut command);
    assert!(report.stdout.starts_with("```text\ngvm "), "{report:#?}");
    assert!(report.stdout.ends_with("```\n"), "{report:#?}");
    for hidden in [secret, home.to_str().unwrap(), "bob", "adalovelace", "\x1b"] {
        assert!(!report.stdout.contains(hidden), "{hidden} in {}", report.stdout);
    }
    for told in [
        "~/tools/go",
        "/home/USER/go",
        "~/.local/share/gvm",
        "1.26.11",
        "GOPRIVATE: git.example.com",
    ] {
        assert!(report.stdout.contains(told), "no {told} in {}", report.stdout);
    }
}

#[test]
fn a_report_is_the_same_wherever_it_is_written() {
    let clean = Clean::new();
    let ask = |columns: &str| {
        let mut command = clean.command();
        let command = command.args(["doctor", "--report", "variables", "selected"]);
        run(command.env("COLUMNS", columns).env("CLICOLOR_FORCE", "1"))
    };
    let report = ask("40").succeeded();
    assert_eq!(report.stdout, ask("200").succeeded().stdout);
    assert!(!report.stdout.contains('\x1b'));
}

/// As JSON, what is wrong with a contradiction of variables about modules.
#[test]
fn contradictions_about_modules_are_told() {
    let clean = Clean::new();
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str, &'a [&'a str], &'a str);
    let public = "https://goproxy.io,direct";
    let cases: &[Case] = &[
        (
            &[("GOSUMDB", "off")],
            "warning",
            "GOSUMDB",
            &["nothing holds public modules"],
            "unset GOSUMDB",
        ),
        (&[("GOSUMDB", "on")], "error", "GOSUMDB", &["refuses to fetch"], "unset GOSUMDB"),
        (&[("GOPROXY", "ftp://a.example")], "error", "GOPROXY", &["ftp"], "unset GOPROXY"),
        (&[("GOPROXY", "off")], "note", "GOPROXY", &["fetches nothing"], "unset GOPROXY"),
        (
            &[("GOPROXY", "direct")],
            "note",
            "GOPROXY",
            &["from their repositories"],
            "unset GOPROXY",
        ),
        (&[("GOPROXY", "http://a.example")], "note", "GOPROXY", &["changed on its way"], ""),
        (
            &[("GOINSECURE", "*")],
            "warning",
            "GOINSECURE",
            &["covers everything"],
            "go env -w GOINSECURE=",
        ),
        (
            &[("GOPRIVATE", "*")],
            "warning",
            "GOPRIVATE",
            &["covers everything"],
            "go env -w GOPRIVATE=",
        ),
        (&[("GONOSUMDB", "*.com,*.org")], "warning", "GONOSUMDB", &["covers everything"], ""),
        (
            &[("GOPRIVATE", "git.corp.example"), ("GONOPROXY", "none"), ("GOPROXY", public)],
            "warning",
            "GONOPROXY",
            &["in place of GOPRIVATE", "goproxy.io is asked for git.corp.example"],
            "unset GONOPROXY",
        ),
        (
            &[("GOPRIVATE", "*.corp.example"), ("GONOSUMDB", "other.example")],
            "warning",
            "GONOSUMDB",
            &["the public checksum database is asked for *.corp.example"],
            "unset GONOSUMDB",
        ),
        (
            &[("GONOPROXY", "git.corp.example")],
            "warning",
            "GONOPROXY",
            &["git.corp.example", "cannot know it"],
            "go env -w 'GOPRIVATE=git.corp.example'",
        ),
        (
            &[("GOVCS", "*:all")],
            "warning",
            "GOVCS",
            &["any version control program"],
            "unset GOVCS",
        ),
        (&[("GOVCS", "git")], "error", "GOVCS", &["no list of pattern:vcs"], "unset GOVCS"),
        (&[("GONOSUMCHECK", "1")], "note", "GONOSUMCHECK", &["GONOSUMDB is meant"], "unset"),
    ];
    for (variables, severity, subject, parts, fix) in cases {
        let mut variables = variables.to_vec();
        variables.push(("GVM_OFFLINE", "1"));
        clean.doctor(&["modules"], &variables).has_fix(severity, subject, parts, fix);
    }
    // What fits together says nothing.
    for variables in [
        &[("GOPRIVATE", "git.corp.example"), ("GOPROXY", public)][..],
        &[("GOPRIVATE", "git.corp.example"), ("GONOPROXY", "git.corp.example")],
        &[("GOVCS", "private:all,public:git|hg")],
        &[("GOINSECURE", "git.corp.example/*")],
    ] {
        let variables = [variables, &[("GVM_OFFLINE", "1")]].concat();
        let found = clean.doctor(&["modules"], &variables);
        for (name, _) in &variables {
            found.is_clean_about(name);
        }
        found.has("note", "network", &["offline", "nobody was asked"]);
    }
    assert!(clean.proxy.requests().is_empty());
}

#[test]
fn the_origin_of_each_value_is_told() {
    let clean = Clean::new();
    let url = clean.proxy.url();
    fs::write(clean.machine.goroot(VERSION).join("go.env"), format!("# x\nGOPROXY={url}\n"))
        .unwrap();
    clean.home(".config/go/env", "GOFLAGS=-v\nGOPRIVATE=git.example.com\n");
    let mut command = clean.command();
    command.args(["doctor", "modules", "--json"]).env_remove("GOPROXY").env("GOVCS", "*:git");
    let ended = run(&mut command);
    let found = Found { json: ended.json(), code: ended.code };
    found.has("ok", "GOPROXY", &[&url, "go.env:2"]);
    found.has("ok", "GOPRIVATE", &["git.example.com", "go/env:2"]);
    found.has("ok", "GONOSUMDB", &["git.example.com (GOPRIVATE)"]);
    found.has("ok", "GOVCS", &["*:git (the environment)"]);
    found.has("ok", "GOSUMDB", &["sum.golang.org (Go's default)"]);
    assert_eq!(found.code, 0, "{:#}", found.json);
}

#[test]
fn a_place_that_does_not_answer_is_told_and_not_waited_for() {
    let clean = Clean::new();
    let closed = closed_port();
    let found = clean.doctor(&["modules"], &[("GOPROXY", &closed)]);
    let subject = format!("proxy {}", closed.trim_start_matches("http://"));
    found.has_fix("error", &subject, &["does not answer"], "gvm mirror test");

    // One that takes the connection and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let found = clean.doctor(&["modules"], &[("GOPROXY", &format!("http://{address}"))]);
    let subject = format!("proxy {address}");
    found.has("error", &subject, &["does not answer within 6 seconds"]);

    // gvm's own source alone: there are others.
    let found = clean.doctor(&["modules"], &[("GVM_DL_URL", &closed)]);
    let subject = format!("source {}", closed.trim_start_matches("http://"));
    found.has("note", &subject, &["gvm goes on"]);
    assert_eq!(found.code, 0);
}

#[test]
fn a_proxy_without_the_checksum_database_is_told() {
    let clean = Clean::new();
    let bare = Server::start(|request| match request.path.contains("/sumdb/") {
        true => Answer::not_found(),
        false => Answer::ok("{}"),
    });
    let subject = format!("proxy {}", bare.url().trim_start_matches("http://"));
    // The database itself cannot be reached from here.
    let dead = closed_port();
    let variables = [("GOPROXY", &*bare.url()), ("HTTPS_PROXY", &dead)];
    let found = clean.doctor(&["modules"], &variables);
    found.has("note", &subject, &["has no /sumdb/"]);
    found.has(
        "error",
        "checksums",
        &["https://sum.golang.org does not answer", "refuses new modules"],
    );

    let broken = Server::start(|request| match request.path.contains("/sumdb/") {
        true => Answer::new(403, "text/plain", "not for you"),
        false => Answer::ok("{}"),
    });
    let subject = format!("proxy {}", broken.url().trim_start_matches("http://"));
    let found = clean.doctor(&["modules"], &[("GOPROXY", &broken.url())]);
    found.has(
        "error",
        &subject,
        &["does not say whether it passes sum.golang.org on", "go gives up"],
    );
}

#[test]
fn what_is_selected_and_missing_is_told() {
    let clean = Clean::new();
    let ask = |variables: &[(&str, &str)]| clean.doctor(&["selected"], variables);
    ask(&[]).has("ok", "selected", &["Go 1.26.11, by the default"]);
    ask(&[("GVM_VERSION", "1.19")]).has_fix(
        "error",
        "selected",
        &["Go 1.19, which GVM_VERSION asks for, is not installed"],
        "gvm install 1.19",
    );
    ask(&[("GVM_VERSION", "nonsense")]).has_fix(
        "error",
        "selected",
        &["nonsense"],
        "unset GVM_VERSION",
    );
    fs::write(clean.machine.root().join("default"), "1.18\n").unwrap();
    ask(&[("GVM_VERSION", VERSION)]).has_fix(
        "warning",
        "default",
        &["Go 1.18, which is the default, is not installed"],
        "gvm install 1.18",
    );
    fs::write(clean.machine.root().join("default"), "nonsense\n").unwrap();
    ask(&[("GVM_VERSION", VERSION)]).has_fix("error", "default", &["nonsense"], "gvm default");
    fs::write(clean.machine.root().join("default"), format!("{VERSION}\n")).unwrap();
    fs::write(clean.machine.root().join("config.toml"), "nonsense = 1\n").unwrap();
    ask(&[]).has("error", "settings", &["config.toml:1", "nonsense"]);
    fs::remove_file(clean.machine.root().join("config.toml")).unwrap();
    ask(&[]).is_clean();
    // Another go comes first.
    clean.machine.system_go("1.25.0");
    let path = format!(
        "{}:{}:/usr/bin:/bin",
        clean.machine.bin().display(),
        clean.machine.shims().display()
    );
    let found = ask(&[("PATH", &path)]);
    found.has(
        "warning",
        "selected",
        &["Go 1.26.11, by the default", "but go here is", "Go 1.25.0"],
    );
}

/// What the real go command does in each case, beside what doctor says of it.
#[test]
fn the_version_that_runs_is_the_one_that_the_go_command_runs() {
    let clean = Clean::new();
    // Beside them, so that the store has two to switch between.
    for version in [VERSION, "1.26.10", "1.27.4"] {
        let _ = fs::remove_dir_all(clean.machine.toolchain(version));
        clean.machine.real(version);
    }
    clean.machine.gvm(&["setup", "--yes", "--no-verify", "--shell", "bash"]).succeeded();
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [(&'a str, &'a str)], &'a str, &'a str);
    // Name, files, variables, severity, version (a `!` where go refuses to build).
    let cases: &[Case] = &[
        ("none", &[], &[], "ok", "1.26.11"),
        ("older", &[("go.mod", "module m\ngo 1.25\n")], &[], "ok", "1.26.11"),
        ("go-line", &[("go.mod", "module m\ngo 1.27.4\n")], &[], "note", "1.27.4"),
        (
            "toolchain",
            &[("go.mod", "module m\ngo 1.25\ntoolchain go1.27.4\n")],
            &[],
            "note",
            "1.27.4",
        ),
        ("default", &[("go.mod", "module m\ngo 1.25\ntoolchain default\n")], &[], "ok", "1.26.11"),
        (
            "default-unmet",
            &[("go.mod", "module m\ngo 1.27.4\ntoolchain default\n")],
            &[],
            "error",
            "!1.26.11",
        ),
        ("language", &[("go.mod", "module m\ngo 1.27\n")], &[], "warning", "1.27.0"),
        ("absent", &[("go.mod", "module m\ngo 1.99.1\n")], &[], "warning", "1.99.1"),
        (
            "local",
            &[("go.mod", "module m\ngo 1.27.4\n")],
            &[("GOTOOLCHAIN", "local")],
            "error",
            "!1.26.11",
        ),
        (
            "local-toolchain",
            &[("go.mod", "module m\ngo 1.25\ntoolchain go1.27.4\n")],
            &[("GOTOOLCHAIN", "local")],
            "ok",
            "1.26.11",
        ),
        (
            "path",
            &[("go.mod", "module m\ngo 1.27.4\n")],
            &[("GOTOOLCHAIN", "path")],
            "note",
            "1.27.4",
        ),
        (
            "path-absent",
            &[("go.mod", "module m\ngo 1.99.1\n")],
            &[("GOTOOLCHAIN", "path")],
            "error",
            "1.99.1",
        ),
        ("fixed", &[], &[("GOTOOLCHAIN", "go1.27.4")], "note", "1.27.4"),
        ("fixed-older", &[], &[("GOTOOLCHAIN", "go1.26.10")], "note", "1.26.10"),
        (
            "plus-older",
            &[("go.mod", "module m\ngo 1.26.10\n")],
            &[("GOTOOLCHAIN", "go1.26.10+auto")],
            "note",
            "1.26.10",
        ),
        (
            "fixed-unmet",
            &[("go.mod", "module m\ngo 1.99.1\n")],
            &[("GOTOOLCHAIN", "go1.27.4")],
            "error",
            "!1.27.4",
        ),
        (
            "plus",
            &[("go.mod", "module m\ngo 1.25\n")],
            &[("GOTOOLCHAIN", "go1.27.4+auto")],
            "note",
            "1.27.4",
        ),
        (
            "plus-lower",
            &[("go.mod", "module m\ngo 1.26.11\n")],
            &[("GOTOOLCHAIN", "go1.20+auto")],
            "ok",
            "1.26.11",
        ),
        (
            "local-plus",
            &[("go.mod", "module m\ngo 1.27.4\n")],
            &[("GOTOOLCHAIN", "local+path")],
            "note",
            "1.27.4",
        ),
        (
            "work",
            &[
                ("go.work", "go 1.25\nuse ./a\n"),
                ("a/go.mod", "module m\ngo 1.27.4\n"),
                ("go.mod", "module n\ngo 1.27.4\n"),
            ],
            &[],
            "ok",
            "1.26.11",
        ),
        (
            "work-newer",
            &[("go.work", "go 1.27.4\n"), ("go.mod", "module n\ngo 1.25\n")],
            &[],
            "note",
            "1.27.4",
        ),
        (
            "work-off",
            &[("go.work", "go 1.27.4\n"), ("go.mod", "module n\ngo 1.25\n")],
            &[("GOWORK", "off")],
            "ok",
            "1.26.11",
        ),
        (
            "gopath-mode",
            &[("go.mod", "module m\ngo 1.27.4\n")],
            &[("GO111MODULE", "off")],
            "ok",
            "1.26.11",
        ),
    ];
    for (name, files, variables, severity, version) in cases {
        let directory = clean.machine.repository(name, files);
        fs::write(directory.join(".go-version"), VERSION).unwrap();
        let mut doctor = clean.command();
        doctor.args(["doctor", "selected", "--json"]).envs(variables.iter().copied());
        let ended = run(doctor.current_dir(&directory));
        let found = Found { json: ended.json(), code: ended.code };
        let (refuses, version) = match version.strip_prefix('!') {
            Some(version) => (true, version),
            None => (false, *version),
        };
        found.has(severity, "runs", &[&format!("Go {version}")]);

        // What is not there can be seen only by what go complains of.
        let go = |arguments: &[&str]| {
            let mut go = clean.machine.command(clean.machine.shims().join("go"));
            go.args(arguments).envs(variables.iter().copied()).current_dir(&directory);
            run(&mut go)
        };
        let said = go(&["version"]);
        let said = format!("{}{}", said.stdout, said.stderr);
        assert!(said.contains(&format!("go{version}")), "{name}: {said}");
        if refuses {
            fs::write(directory.join("m.go"), "package m\n").unwrap();
            let refused = go(&["build", "."]);
            assert_ne!(refused.code, 0, "{name}: {refused:#?}");
            assert!(refused.stderr.contains("requires go >="), "{name}: {refused:#?}");
        }
    }
}

#[test]
fn a_flag_that_go_does_not_have_is_told() {
    let clean = Clean::new();
    let _ = fs::remove_dir_all(clean.machine.toolchain(VERSION));
    clean.machine.real(VERSION);
    let found = clean.doctor(&["variables"], &[("GOFLAGS", "-mod=mod -nosuch=1")]);
    found.has("error", "GOFLAGS", &["no command has the flag -nosuch", "refuses to work"]);
    clean.doctor(&["variables"], &[("GOFLAGS", "-mod=mod")]).has("note", "GOFLAGS", &["-mod=mod"]);
    // What go itself says of each that doctor calls an error, and of those that it does not.
    for (name, value, refused) in [
        ("GOFLAGS", "-tags x", true),
        ("GOFLAGS", "-mod=mod", false),
        ("GO111MODULE", "1", true),
        ("GO111MODULE", "auto", false),
        ("GOTOOLCHAIN", "1.22.4", true),
        ("GOEXPERIMENT", "nosuch", true),
        ("GOEXPERIMENT", "jsonv2", false),
        ("GOPATH", "relative", true),
        ("GOPATH", "~/go", true),
        ("GOCACHE", "off", true),
        ("GOCACHE", "cache", true),
        ("GOPATH", "/tmp/a:/tmp/b", false),
    ] {
        let found = clean.doctor(&["variables", "selected"], &[(name, value)]);
        assert_eq!(found.code == 9, refused, "{name}={value}: {:#}", found.json);
        let directory = clean.machine.repository("hello", &[("go.mod", "module hello\n")]);
        fs::write(directory.join("hello.go"), "package hello\n").unwrap();
        let mut go = clean.machine.command(clean.machine.goroot(VERSION).join("bin/go"));
        go.args(["build", "."]).env(name, value).current_dir(&directory);
        let ended = run(&mut go);
        assert_eq!(ended.code != 0, refused, "{name}={value}: {ended:#?}");
    }
}

/// What doctor takes for the go command's settings is what the go command takes for them.
#[test]
fn settings_are_those_of_the_go_command() {
    let clean = Clean::new();
    let _ = fs::remove_dir_all(clean.machine.toolchain(VERSION));
    clean.machine.real(VERSION);
    let home = clean.machine.home();
    let home = home.to_str().unwrap();
    let stored =
        format!("GOPATH={home}/stored\nGOBIN={home}/bin\nGOPRIVATE=a.example\nGOVCS=*:git\n");
    for (file, variables) in [
        ("", &[][..]),
        (&*stored, &[]),
        (&*stored, &[("GOPATH", "/tmp/of-environment"), ("GOPRIVATE", ""), ("GOSUMDB", "")]),
        (
            "GOPROXY=https://a.example\nGOPROXY=https://b.example,direct\n",
            &[("GOCACHE", "/tmp/cache")],
        ),
        ("# GOPROXY=https://a.example\n GOPROXY=https://b.example\n", &[("GOMODCACHE", "/tmp/m")]),
    ] {
        clean.home(".config/go/env", file);
        let mut doctor = clean.command();
        doctor.args(["doctor", "variables", "modules", "--json"]);
        let mut go = clean.machine.command(clean.machine.goroot(VERSION).join("bin/go"));
        go.args(["env", "-json"]);
        for command in [&mut doctor, &mut go] {
            command.env("GVM_OFFLINE", "1").env_remove("GOPROXY").env_remove("GOSUMDB");
            command.envs(variables.iter().copied());
        }
        let ended = run(&mut doctor);
        let found = Found { json: ended.json(), code: ended.code };
        let env = run(&mut go).succeeded().json();
        let names = [
            "GOPATH",
            "GOMODCACHE",
            "GOCACHE",
            "GOPROXY",
            "GOSUMDB",
            "GOPRIVATE",
            "GONOPROXY",
            "GONOSUMDB",
            "GOVCS",
        ];
        for name in names {
            let value = env[name].as_str().unwrap();
            let line = found.findings().into_iter().find(|finding| finding["subject"] == name);
            match line {
                Some(line) => {
                    let cause = line["cause"].as_str().unwrap();
                    assert!(cause.starts_with(&format!("{value} (")), "{name}={value}: {cause}");
                }
                None => assert_eq!(value, "", "{name}: {:#}", found.json),
            }
        }
        let bin = match env["GOBIN"].as_str().unwrap() {
            "" => format!("{}/bin", env["GOPATH"].as_str().unwrap()),
            bin => bin.to_string(),
        };
        found.has("ok", "go install", &[&format!("into {bin} (")]);
    }
}

#[test]
fn no_colour_where_nobody_sees_it() {
    let clean = Clean::new();
    let mut terminal = Terminal::start(&clean.machine, Shell::Bash, "", "");
    let piped =
        terminal.run("GO111MODULE=off gvm doctor variables 2>/dev/null | od -c | grep -c 033");
    assert_eq!(piped, "0");
    let told: Ended = run(clean.command().args(["doctor", "variables"]).env("GO111MODULE", "off"));
    assert!(told.stdout.contains("  warning  GO111MODULE"), "{told:#?}");
}

#[test]
fn other_managers_are_named_with_what_they_keep_and_what_lets_them_in() {
    let clean = Clean::new();
    clean.doctor(&["managers"], &[]).is_clean();

    clean.home(".goenv/versions/1.21.0/VERSION", "go1.21.0\n");
    clean.home(".goenv/versions/1.21.0/bin/go", "");
    clean.home("sdk/go1.26.11/VERSION", "go1.26.11\n");
    clean.home("sdk/go1.26.11/bin/go", "");
    let zshrc = fs::read_to_string(clean.machine.home().join(".zshrc")).unwrap();
    let last = zshrc.lines().count() + 2;
    clean.home(".zshrc", &format!("eval \"$(goenv init -)\"\n{zshrc}. ~/.asdf/asdf.sh\n"));
    clean.home(".bash_aliases", "export GOROOT=$HOME/.g/go\n. ~/.gvm/scripts/gvm\n");

    let found = clean.doctor(&["managers"], &[]);
    assert_eq!(found.code, 8);
    let fix = "gvm import --from goenv";
    found.has_fix("note", "goenv", &["keeps 1 toolchain", ".goenv/versions", "1.21.0"], fix);
    found.has("ok", "golang.org/dl", &["1.26.11", "gvm has the same"]);
    found.has_fix("note", "goenv", &[".zshrc:1", "goenv init"], "take out line 1 of");
    let behind = format!(".zshrc:{last}");
    found.has("warning", "asdf", &[&behind, "behind gvm's block"]);
    found.has("warning", "voidint/g", &[".bash_aliases:1", "sets GOROOT"]);
    found.has("warning", "moovweb/gvm", &[".bash_aliases:2", "a command gvm of its own"]);

    // Each fix done: what goenv keeps cannot be proved here and goes, as do the lines.
    fs::remove_dir_all(clean.machine.home().join(".goenv")).unwrap();
    fs::remove_file(clean.machine.home().join(".bash_aliases")).unwrap();
    clean.home(".zshrc", &zshrc);
    clean.doctor(&["managers"], &[]).is_clean();
}
