//! `gvm install`: what is asked for, what is chosen, and what is there afterwards.

#![allow(clippy::disallowed_methods, reason = "a test that fails shows its line")]

mod common;

use common::archives::{self, File, module_zip, sha256, tar_gz, tree};
use common::hostile::{zip, zip_members};
use common::published::{GoDev, assert_is_whole, dl, names_in};
use common::{Ended, GVM, Machine, run};
use gvm::platform::Platform;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// An architecture that is not this machine's.
fn foreign() -> Platform {
    let host = Platform::host();
    let arch = if host.arch == "arm64" { "amd64" } else { "arm64" };
    Platform { os: host.os, arch: arch.into() }
}

/// The small Go for another platform.
fn tree_for(version: &str, platform: &Platform) -> Vec<File> {
    let mut files = tree(version);
    for (path, content, _) in &mut files {
        if path.starts_with("bin/") {
            *content = archives::elf(platform);
        }
    }
    files
}

/// What go.dev might have: two supported majors, an old one, a coming one.
fn go_dev() -> GoDev {
    let versions = ["1.28rc1", "1.27.1", "1.27.0", "1.26.3", "1.22.4", "1.22.3", "1.20"];
    let mut published = GoDev::of(&versions);
    // The newest 1.22 is for other machines only.
    let name = format!("go1.22.9.{}.tar.gz", foreign());
    published.add_file("1.22.9", &name, &tar_gz(&tree_for("1.22.9", &foreign())));
    published
}

#[test]
fn a_minor_installs_its_newest_release_for_this_platform() {
    let server = go_dev().serve();
    let machine = Machine::new();
    let installed = machine.gvm_at(&server, &["install", "1.22"]).succeeded();
    // A mirror's own digest proves nothing; the machine's policy takes that.
    installed.saying(&["NOT PROVED", "installed Go 1.22.4, ", "not proved", "gvm default 1.22"]);
    machine.has_whole("1.22.4");
    machine.has_nothing_staged();
    assert_eq!(machine.installed(), ["1.22.4"]);
    // By way of the redirect.
    assert_eq!(server.count(&archives::file_name("1.22.4")), 2);
    let agent = &server.requests()[0].headers["user-agent"];
    assert!(agent.starts_with("gvm/"), "{agent}");
}

#[test]
fn the_receipt_tells_what_it_is_where_it_came_from_and_what_proved_it() {
    let published = go_dev();
    let archive = published.archive("1.22.4").to_vec();
    let server = published.serve();
    let machine = Machine::new();
    machine.gvm_at(&server, &["install", "1.22.4"]).succeeded();

    let receipt = machine.receipt("1.22.4");
    let platform = Platform::host();
    assert_eq!(receipt["version"], "go1.22.4");
    assert_eq!(receipt["os"], platform.os);
    assert_eq!(receipt["arch"], platform.arch);
    assert_eq!(receipt["origin"]["source"], "go.dev");
    let url = format!("{}/{}", dl(&server), archives::file_name("1.22.4"));
    assert_eq!(receipt["origin"]["url"], url);
    assert_eq!(receipt["origin"]["sha256"], sha256(&archive).to_string());
    assert_eq!(receipt["origin"]["size"], archive.len());
    assert_eq!(receipt["evidence"], "none");
    let mut files = tree("1.22.4");
    files.retain(|(path, ..)| !path.starts_with("test/"));
    assert_eq!(receipt["files"], files.len());
    let bytes: usize = files.iter().map(|(_, content, _)| content.len()).sum();
    assert_eq!(receipt["bytes"], bytes);
    let version = gvm::version::Version::parse("1.22.4").unwrap();
    let h1 = common::real_go::h1_of(&machine.goroot("1.22.4"), version, &platform).unwrap();
    assert_eq!(receipt["h1"], h1);
    assert!(receipt["installed_at"].as_str().unwrap().ends_with('Z'));

    let listed = machine.gvm(&["list", "--json"]).succeeded().json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    let row = &listed[0];
    assert_eq!(row["version"], "1.22.4");
    assert_eq!(row["goroot"], machine.goroot("1.22.4").to_str().unwrap());
    assert_eq!(row["evidence"], "none");
    assert_eq!(row["source"], "go.dev");
    assert_eq!(row["url"], url);
    assert_eq!(row["h1"], h1);
}

#[test]
fn the_shims_are_those_of_what_is_installed() {
    let server = go_dev().serve();
    let machine = Machine::new();
    machine.gvm_at(&server, &["install", "1.22.4"]).succeeded();
    assert_eq!(names_in(&machine.shims()), ["go", "go1.22.4", "gofmt"]);
    machine.gvm_at(&server, &["install", "1.28rc1"]).succeeded();
    machine.gvm_at(&server, &["install", "1.20.0"]).succeeded();
    assert_eq!(names_in(&machine.shims()), ["go", "go1.20", "go1.22.4", "go1.28rc1", "gofmt"]);
    for name in names_in(&machine.shims()) {
        let metadata = fs::symlink_metadata(machine.shims().join(&name)).unwrap();
        assert!(metadata.is_file() && metadata.mode() & 0o111 == 0o111, "{name}: {metadata:?}");
    }
}

#[test]
fn what_is_installed_is_not_downloaded_again() {
    let server = go_dev().serve();
    let machine = Machine::new();
    machine.gvm_at(&server, &["install", "1.22"]).succeeded();
    let archives = server.count(".tar.gz");
    machine
        .gvm_at(&server, &["install", "1.22"])
        .succeeded()
        .saying(&["Go 1.22.4 is installed already"]);
    assert_eq!(server.count(".tar.gz"), archives);
    // Of an exact version nobody has to be asked.
    machine.gvm(&["install", "1.22.4"]).succeeded().saying(&["is installed already"]);
    // Shims that somebody took away come back.
    fs::remove_dir_all(machine.shims()).unwrap();
    machine.gvm(&["install", "1.22.4"]).succeeded();
    machine.has_whole("1.22.4");
}

#[test]
fn force_replaces_what_is_installed() {
    let server = go_dev().serve();
    let machine = Machine::new();
    machine.gvm_at(&server, &["install", "1.22.4"]).succeeded();
    let goroot = machine.goroot("1.22.4");
    fs::write(goroot.join("VERSION"), "go1.22.4\nedited\n").unwrap();
    fs::remove_file(goroot.join("src/fmt/print.go")).unwrap();
    fs::write(goroot.join("src/more.go"), "package src\n").unwrap();
    machine.gvm_at(&server, &["install", "1.22.4"]).succeeded();
    assert!(goroot.join("src/more.go").exists());
    machine.gvm_at(&server, &["install", "--force", "1.22.4"]).succeeded();
    machine.has_whole("1.22.4");
    machine.has_nothing_staged();
    // When it cannot be had again, what was there stays.
    machine.gvm(&["install", "--force", "1.22.4"]).failed(6);
    machine.has_whole("1.22.4");
}

#[test]
fn every_spelling_of_a_version_installs_it() {
    for (spelling, version) in [
        ("1.22.4", "1.22.4"),
        ("go1.22.4", "1.22.4"),
        ("v1.22.3", "1.22.3"),
        ("1.22.x", "1.22.4"),
        ("1", "1.27.1"),
        ("1.20", "1.20"),
        ("1.20.0", "1.20"),
        ("1.28-rc1", "1.28rc1"),
        ("1.28.0-rc.1", "1.28rc1"),
        ("latest", "1.27.1"),
        ("stable", "1.27.1"),
        ("oldstable", "1.26.3"),
    ] {
        let server = go_dev().serve();
        let machine = Machine::new();
        machine.gvm_at(&server, &["install", spelling]).succeeded();
        assert_eq!(machine.installed(), [version], "{spelling}");
        machine.has_whole(version);
    }
}

#[test]
fn several_versions_are_installed_by_one_command() {
    let server = go_dev().serve();
    let machine = Machine::new();
    machine
        .gvm_at(&server, &["install", "--default", "1.26", "1.22.3", "1.27"])
        .succeeded()
        .saying(&["installed Go 1.26.3", "installed Go 1.22.3", "installed Go 1.27.1"])
        .saying(&["the default is Go 1.26"]);
    assert_eq!(machine.installed(), ["1.27.1", "1.26.3", "1.22.3"]);
    assert_eq!(fs::read_to_string(machine.root().join("default")).unwrap(), "1.26\n");
    // The index is asked for once in a command.
    assert_eq!(server.count("include=all"), 1);

    // The first ones stay when a later one fails.
    let machine = Machine::new();
    machine.gvm_at(&server, &["install", "1.26", "1.99"]).failed(4);
    assert_eq!(machine.installed(), ["1.26.3"]);
}

#[test]
fn nothing_is_installed_when_one_of_the_versions_is_none() {
    let server = go_dev().serve();
    let machine = Machine::new();
    for wrong in ["system", "1.2.3.4", "../x", ""] {
        machine.gvm_at(&server, &["install", "1.22.4", wrong]).failed(2);
        machine.has_nothing_installed();
    }
}

#[test]
fn what_is_pinned_here_is_installed() {
    for (file, text, version) in [
        (".go-version", "1.22\n", "1.22.4"),
        (".go-version", "go1.22.3\n", "1.22.3"),
        (".go-version", "# ours\nstable\n", "1.27.1"),
        (".tool-versions", "nodejs 22.1.0\ngolang 1.26.3\n", "1.26.3"),
        ("go.mod", "module example.com/m\n\ngo 1.26\n", "1.26.3"),
        ("go.mod", "module example.com/m\n\ngo 1.22.3\n", "1.22.3"),
        ("go.mod", "module example.com/m\n\ngo 1.22.3\n\ntoolchain go1.27.0\n", "1.27.0"),
        ("go.work", "go 1.27.1\n\nuse ./m\n", "1.27.1"),
    ] {
        for has_system_go in [false, true] {
            let server = go_dev().serve();
            let machine = Machine::new();
            if has_system_go {
                machine.system_go("1.19.5");
            }
            let directory = machine.repository("here", &[(file, text), ("sub/x", "")]).join("sub");
            let base = dl(&server);
            let mut command = machine.command(GVM);
            command.arg("install").env("GVM_DL_URL", &base).current_dir(&directory);
            let place = format!("{file}:");
            run(&mut command).succeeded().saying(&[&place, "asks for Go"]);
            assert_eq!(machine.installed(), [version], "{file}: {text}");
        }
    }
}

#[test]
fn without_a_pin_there_is_nothing_to_install() {
    let machine = Machine::new();
    let refused = machine.gvm(&["install"]).failed(2);
    refused.saying(&["nothing to install", "gvm install stable", "gvm pin 1.26"]);
    machine.repository("system", &[(".go-version", "system\n")]);
    machine
        .gvm_in(&machine.work().join("system"), &["install"])
        .failed(2)
        .saying(&[".go-version:1", "gvm install stable"]);
    machine.repository("broken", &[(".go-version", "one\n")]);
    machine
        .gvm_in(&machine.work().join("broken"), &["install"])
        .failed(2)
        .saying(&[".go-version:1", "`one`"]);
    machine.gvm(&["install", "system"]).failed(2).saying(&["gvm install stable"]);
    machine.has_nothing_installed();
}

#[test]
fn a_minor_that_has_only_a_pre_release_names_it() {
    let server = go_dev().serve();
    let machine = Machine::new();
    machine
        .gvm_at(&server, &["install", "1.28"])
        .failed(4)
        .saying(&["1.28 is not released yet", "gvm install 1.28rc1"]);
    machine.has_nothing_installed();
    machine.gvm_at(&server, &["install", "1.28rc1"]).succeeded();
    machine.has_whole("1.28rc1");
}

#[test]
fn a_version_that_does_not_exist_is_said_to_be_so() {
    let server = go_dev().serve();
    let machine = Machine::new();
    machine.gvm_at(&server, &["install", "1.99"]).failed(4).saying(&[
        "no release of Go 1.99",
        "the newest is 1.27.1",
        "gvm list-remote",
    ]);
    machine
        .gvm_at(&server, &["install", "1.22.99"])
        .failed(4)
        .saying(&["its index has no Go 1.22.99", "gvm list-remote"]);
    // It exists, for other machines.
    machine
        .gvm_at(&server, &["install", "1.22.9"])
        .failed(4)
        .saying(&["it has no Go 1.22.9 for", &Platform::host().to_string()]);
    machine.has_nothing_installed();
}

#[test]
fn another_architecture_stands_beside_this_machines() {
    let mut published = go_dev();
    let name = format!("go1.22.4.{}.tar.gz", foreign());
    published.add_file("1.22.4", &name, &tar_gz(&tree_for("1.22.4", &foreign())));
    let server = published.serve();
    let machine = Machine::new();
    let arch = foreign().arch;
    machine
        .gvm_at(&server, &["install", "--arch", &arch, "1.22.4"])
        .succeeded()
        .saying(&[&format!("installed Go 1.22.4 for {}", foreign())]);
    // It is no go that could run here.
    assert!(!machine.shims().join("go1.22.4").exists());
    machine.gvm_at(&server, &["install", "1.22.4"]).succeeded();
    machine.has_whole("1.22.4");
    let other = machine.root().join("toolchains").join(format!("1.22.4-{}", foreign()));
    assert_is_whole(&other.join("go"), &tree_for("1.22.4", &foreign()));

    // The newest of that architecture, which is not the newest of this one.
    machine.gvm_at(&server, &["install", "--arch", &arch, "1.22"]).succeeded();
    let listed = machine.gvm(&["list", "--json"]).succeeded().json();
    let rows: Vec<_> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|row| (row["version"].as_str().unwrap(), row["arch"].as_str().unwrap()))
        .collect();
    let host = Platform::host().arch;
    let mut expected = [("1.22.4", host.as_str()), ("1.22.4", arch.as_str())];
    expected.sort();
    assert_eq!(rows, [&[("1.22.9", arch.as_str())][..], &expected].concat());

    machine.gvm(&["uninstall", "--arch", &arch, "1.22.4"]).succeeded();
    machine.has_whole("1.22.4");
    for wrong in ["../x", "x86_64/..", ""] {
        machine.gvm(&["install", "--arch", wrong, "1.22.4"]).failed(2);
    }
}

/// The same for another operating system: `bin/go.exe`.
fn windows_tree() -> Vec<File> {
    let mut exe = vec![0; 0x80];
    exe[..2].copy_from_slice(b"MZ");
    exe[0x3c] = 0x40;
    exe[0x40..0x46].copy_from_slice(b"PE\0\0\x64\x86");
    let mut files = tree("1.22.4");
    for (path, content, _) in &mut files {
        if path.starts_with("bin/") {
            path.push_str(".exe");
            *content = exe.clone();
        }
    }
    files
}

/// `gvm install --from` a file of that name and content.
fn from(machine: &Machine, name: &str, content: &[u8], more: &[&str]) -> Ended {
    let file = machine.work().join(name);
    fs::write(&file, content).unwrap();
    machine.gvm(&[&["install", "--from", file.to_str().unwrap()], more].concat())
}

#[test]
fn a_file_with_its_digest_is_proved_by_it() {
    let archive = tar_gz(&tree("1.22.4"));
    let digest = sha256(&archive).to_string();
    for digest in [digest.to_uppercase(), digest] {
        let machine = Machine::new();
        let installed = from(&machine, "go.tar.gz", &archive, &["--sha256", &digest]).succeeded();
        assert!(!installed.stderr.contains("NOT PROVED"), "{installed:?}");
        machine.has_whole("1.22.4");
        let receipt = machine.receipt("1.22.4");
        assert_eq!(receipt["evidence"], "published-sha256");
        assert_eq!(receipt["origin"]["source"], "file");
        let file = machine.work().join("go.tar.gz");
        assert_eq!(receipt["origin"]["url"], file.to_str().unwrap());
    }
}

#[test]
fn a_file_without_a_digest_is_said_not_to_be_proved() {
    for quiet in [false, true] {
        let machine = Machine::new();
        let more: &[&str] = if quiet { &["--quiet"] } else { &[] };
        let installed = from(&machine, "go.tar.gz", &tar_gz(&tree("1.22.4")), more).succeeded();
        let installed = installed.saying(&["warning", "NOT PROVED", "--sha256 DIGEST"]);
        // Of a file there is nobody who might have published a digest.
        assert!(!installed.stderr.contains("publishes no digest"), "{installed:?}");
        assert_eq!(machine.receipt("1.22.4")["evidence"], "none");
        machine.has_whole("1.22.4");
    }
}

#[test]
fn a_file_with_another_digest_is_refused() {
    let archive = tar_gz(&tree("1.22.4"));
    let (is, should) = (sha256(&archive).to_string(), sha256(b"another").to_string());
    let machine = Machine::new();
    from(&machine, "go.tar.gz", &archive, &["--sha256", &should]).failed(5).saying(&[
        "go.tar.gz",
        &is,
        &should,
    ]);
    machine.has_nothing_installed();
    machine.has_nothing_staged();
}

#[test]
fn a_module_zip_installs_from_a_file() {
    let machine = Machine::new();
    let platform = Platform::host();
    let zip = module_zip("1.22.4", &platform, &tree("1.22.4"));
    from(&machine, "v0.0.1-go1.22.4.zip", &zip, &[]).succeeded();
    let mut files = tree("1.22.4");
    files.retain(|(path, ..)| !path.starts_with("test/"));
    assert_is_whole(&machine.goroot("1.22.4"), &files);
}

#[test]
fn a_zip_as_it_is_made_for_windows_is_read_and_is_for_windows() {
    let machine = Machine::new();
    let archive = zip(&zip_members("go/", &windows_tree()));
    from(&machine, "go1.22.4.windows-amd64.zip", &archive, &[])
        .failed(5)
        .saying(&["windows-amd64", &Platform::host().to_string()]);
    machine.has_nothing_installed();
    // One for this machine installs, with a go that can be run.
    let archive = zip(&zip_members("go/", &tree("1.22.4")));
    from(&machine, "go.zip", &archive, &[]).succeeded();
    machine.has_whole("1.22.4");
}

#[test]
fn a_file_for_another_architecture_wants_to_be_asked_for() {
    let archive = tar_gz(&tree_for("1.22.4", &foreign()));
    let machine = Machine::new();
    from(&machine, "go.tar.gz", &archive, &[])
        .failed(5)
        .saying(&[&foreign().to_string(), &Platform::host().to_string()]);
    machine.has_nothing_installed();
    from(&machine, "go.tar.gz", &archive, &["--arch", &foreign().arch]).succeeded();
    assert_eq!(machine.installed(), ["1.22.4"]);
}

#[test]
fn a_file_that_is_no_archive_is_refused() {
    let machine = Machine::new();
    let mut lzma = b"\xfd7zXZ\0".to_vec();
    lzma.extend([0; 100]);
    for (name, content) in [
        ("empty.tar.gz", &b""[..]),
        ("one-byte.zip", b"P"),
        ("page.tar.gz", b"<!doctype html><title>Sign in</title>"),
        ("go.tar.xz", &lzma),
    ] {
        from(&machine, name, content, &[])
            .failed(5)
            .saying(&[name, "neither a .tar.gz nor a .zip"]);
    }
    // Archives of something else.
    let other = |files: &[(&str, &[u8])]| {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, content) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, name, *content).unwrap();
        }
        common::hostile::gzip(&archive.into_inner().unwrap())
    };
    from(&machine, "other.tar.gz", &other(&[("README", b"hello")]), &[])
        .failed(5)
        .saying(&["other.tar.gz", "`README` is in no archive of Go"]);
    machine.has_nothing_installed();
    machine.has_nothing_staged();
}

#[test]
fn a_path_that_is_no_file_is_refused() {
    let machine = Machine::new();
    machine.gvm(&["install", "--from", "missing.tar.gz"]).failed(1).saying(&["missing.tar.gz"]);
    let directory = machine.work();
    let refused = machine.gvm(&["install", "--from", directory.to_str().unwrap()]);
    refused.failed(5).saying(&["is not a file"]);
    machine.gvm(&["install", "--from", "/dev/zero"]).failed(5).saying(&["is not a file"]);
    machine.has_nothing_installed();
}

#[test]
fn a_named_pipe_is_not_waited_for() {
    let machine = Machine::new();
    run(machine.command("mkfifo").arg("pipe")).succeeded();
    let mut child = machine
        .command(GVM)
        .args(["install", "--from", "pipe"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    let ended = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status.code(),
            None if start.elapsed() > Duration::from_secs(10) => {
                child.kill().unwrap();
                child.wait().unwrap();
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    assert_eq!(ended, Some(5), "it waits for a writer");
}

#[test]
fn a_file_may_have_any_name() {
    let archive = tar_gz(&tree("1.22.4"));
    for name in ["go #1 %41?.tar.gz", "no end", "größe.zip", "-x"] {
        let machine = Machine::new();
        from(&machine, name, &archive, &[]).succeeded();
        machine.has_whole("1.22.4");
        // Relative, and by a link.
        let machine = Machine::new();
        fs::write(machine.work().join(name), &archive).unwrap();
        std::os::unix::fs::symlink(name, machine.work().join("link")).unwrap();
        machine.gvm(&["install", "--from", "link"]).succeeded();
        machine.has_whole("1.22.4");
        let relative = Path::new(".").join(name);
        let again = machine.gvm(&["install", "--from", relative.to_str().unwrap()]);
        again.succeeded().saying(&["is installed already"]);
    }
}

#[test]
fn a_file_can_replace_what_is_installed_and_be_the_default() {
    let machine = Machine::new();
    let archive = tar_gz(&tree("1.22.4"));
    from(&machine, "go.tar.gz", &archive, &["--default"])
        .succeeded()
        .saying(&["the default is Go 1.22.4"]);
    assert_eq!(fs::read_to_string(machine.root().join("default")).unwrap(), "1.22.4\n");
    fs::remove_file(machine.goroot("1.22.4").join("VERSION")).unwrap();
    from(&machine, "go.tar.gz", &archive, &[]).succeeded();
    assert!(!machine.goroot("1.22.4").join("VERSION").exists());
    from(&machine, "go.tar.gz", &archive, &["--force"]).succeeded();
    machine.has_whole("1.22.4");
}

#[test]
fn options_that_mean_nothing_together_are_refused() {
    let machine = Machine::new();
    let file: PathBuf = machine.work().join("go.tar.gz");
    fs::write(&file, tar_gz(&tree("1.22.4"))).unwrap();
    let digest = "0".repeat(64);
    for arguments in [
        &["install", "1.22.4", "--sha256", &digest][..],
        &["install", "1.22.4", "--from", "go.tar.gz"],
        &["install", "--from", "go.tar.gz", "--sha256", "abc"],
        &["install", "--from", "go.tar.gz", "--sha256", &"g".repeat(64)],
    ] {
        machine.gvm(arguments).failed(2);
    }
    machine.has_nothing_installed();
}
