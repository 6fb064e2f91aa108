//! The main job with real Go: toolchains that gvm installed from the module
//! proxy build and run real programs, through the shims.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

mod common;

use common::real_go::h1_of;
use common::{Machine, run};
use std::fs;
use std::path::Path;

/// An old one, whose go command is linked dynamically and does not switch
/// toolchains, and the two supported majors.
const OLD: &str = "1.20.14";
const MIDDLE: &str = "1.26.11";
const NEW: &str = "1.27.4";

fn hello(machine: &Machine, pin: &str) -> std::path::PathBuf {
    machine.repository(
        &format!("hello {pin}"),
        &[
            (".go-version", pin),
            ("go.mod", "module example.com/hello\n\ngo 1.20\n"),
            (
                "main.go",
                "package main\n\nimport (\n\t\"fmt\"\n\t\"runtime\"\n)\n\n\
                 func main() { fmt.Println(\"built with\", runtime.Version()) }\n",
            ),
        ],
    )
}

/// What a build needs on top of the machine: caches, and no network.
fn go_in(machine: &Machine, directory: &Path, shim: &str, arguments: &[&str]) -> common::Ended {
    let mut command = machine.command(machine.shims().join(shim));
    command
        .args(arguments)
        .current_dir(directory)
        .env("GOFLAGS", "-mod=mod")
        .env("GOPROXY", "off")
        .env("GOTOOLCHAIN", "auto");
    run(&mut command)
}

#[test]
fn each_pinned_go_builds_and_runs_a_real_module() {
    let machine = Machine::new();
    for version in [OLD, MIDDLE, NEW] {
        machine.real(version);
    }
    machine.refresh_shims();
    for version in [OLD, MIDDLE, NEW] {
        let directory = hello(&machine, version);
        go_in(&machine, &directory, "go", &["version"])
            .succeeded()
            .prints(&format!("go version go{version} linux/{}\n", arch()));
        go_in(&machine, &directory, "go", &["build", "-o", "hello", "."]).succeeded();
        run(&mut machine.command(directory.join("hello")))
            .succeeded()
            .prints(&format!("built with go{version}\n"));
        let goroot = machine.goroot(version);
        go_in(&machine, &directory, "go", &["env", "GOROOT"])
            .succeeded()
            .prints(&format!("{}\n", goroot.display()));
        fs::write(directory.join("ugly.go"), "package main\nfunc  f( ){}\n").unwrap();
        go_in(&machine, &directory, "gofmt", &["ugly.go"])
            .succeeded()
            .prints("package main\n\nfunc f() {}\n");
    }
}

#[test]
fn gos_own_switching_finds_the_store_before_it_downloads() {
    let machine = Machine::new();
    machine.real(MIDDLE);
    machine.real(NEW);
    machine.refresh_shims();
    let directory = hello(&machine, MIDDLE);
    fs::write(directory.join("go.mod"), format!("module example.com/hello\n\ngo {NEW}\n")).unwrap();

    // The pin selects the older one; its go command meets the newer go line,
    // looks for go1.27.4 on PATH and finds the shim. GOPROXY is off.
    go_in(&machine, &directory, "go", &["version"])
        .succeeded()
        .prints(&format!("go version go{NEW} linux/{}\n", arch()));
    go_in(&machine, &directory, "go", &["run", "."])
        .succeeded()
        .prints(&format!("built with go{NEW}\n"));

    // Without that shim it cannot.
    fs::remove_file(machine.shims().join(format!("go{NEW}"))).unwrap();
    let refused = go_in(&machine, &directory, "go", &["version"]);
    assert_ne!(refused.code, 0, "{refused:?}");
    assert!(refused.stderr.contains(NEW), "{refused:?}");
}

#[test]
fn a_named_shim_is_that_version_whatever_is_pinned() {
    let machine = Machine::new();
    machine.real(OLD);
    machine.real(NEW);
    machine.refresh_shims();
    let directory = hello(&machine, NEW);
    go_in(&machine, &directory, &format!("go{OLD}"), &["version"])
        .succeeded()
        .prints(&format!("go version go{OLD} linux/{}\n", arch()));
}

#[test]
fn an_archive_of_go_dev_and_a_module_zip_are_the_same_tree() {
    use gvm::platform::Platform;
    use gvm::version::Version;

    let goroot = common::real_go::real_go(MIDDLE);
    let machine = Machine::new();
    let archive = machine.path().join(common::archives::file_name(MIDDLE));
    // Of a copy: tar minds when other tests make links to the files that it reads.
    let copy = machine.path().join("copy");
    fs::create_dir(&copy).unwrap();
    run(machine.command("cp").arg("-r").arg(&goroot).arg(&copy)).succeeded();
    run(machine.command("tar").arg("-czf").arg(&archive).arg("-C").arg(&copy).arg("go"))
        .succeeded();
    let bytes = fs::read(&archive).unwrap();
    let index = common::archives::index(&[(MIDDLE, &bytes)]);
    let server = common::server::Server::start(move |request| {
        use common::server::Answer;
        match request.path.as_str() {
            "/dl/?mode=json&include=all" => Answer::new(200, "application/json", index.clone()),
            path if path.ends_with(".tar.gz") && path.starts_with("/dl/") => {
                Answer::redirect(&path.replace("/dl/", "/go/"))
            }
            path if path.starts_with("/go/") => Answer::ok(bytes.clone()),
            _ => Answer::not_found(),
        }
    });

    let base = format!("{}/dl", server.url());
    // The mirror's archive, and the real log.
    let mut command = machine.command(common::GVM);
    command
        .args(["install", "1.26"])
        .env("GVM_DL_URL", &base)
        .env("GVM_REQUIRE", "checksum-database")
        .env_remove("GOPROXY")
        .env_remove("GOSUMDB");
    let installed = run(&mut command).succeeded();
    assert!(!installed.stderr.contains("NOT PROVED"), "{installed:?}");
    let version = Version::parse(MIDDLE).unwrap();
    let platform = Platform::host();
    assert_eq!(
        h1_of(&machine.goroot(MIDDLE), version, &platform).unwrap(),
        h1_of(&goroot, version, &platform).unwrap(),
    );
    let listed = machine.gvm(&["list", "--json"]).succeeded().json();
    assert_eq!(listed[0]["source"], "go.dev");
    assert_eq!(listed[0]["evidence"], "checksum-database");
    assert_eq!(listed[0]["h1"], h1_of(&goroot, version, &platform).unwrap());
    go_in(&machine, &hello(&machine, "1.26"), "go", &["run", "."])
        .succeeded()
        .prints(&format!("built with go{MIDDLE}\n"));
}

fn arch() -> String {
    gvm::platform::Platform::host().arch
}
