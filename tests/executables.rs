//! Headers of executables, against real files: those of real toolchains, and
//! programs that the real go builds for other platforms.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

mod common;

use common::real_go::{proved_zip, real_go};
use common::{Machine, run};
use gvm::config::Config;
use gvm::executable::{self, Executable, Release, Subsystem};
use gvm::platform::Platform;
use gvm::source::Sources;
use gvm::store::Store;
use gvm::ui::Ui;
use gvm::version::Version;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

/// A release that the module proxies serve for five platforms.
const RELEASE: &str = "1.26.10";
const BUILDER: &str = "1.27.4";

fn platform(name: &str) -> Platform {
    Platform::parse(name).unwrap()
}

/// What is in `bin` and `pkg/tool` of a release for another platform, by its path in
/// GOROOT.
fn programs(name: &str) -> BTreeMap<String, Vec<u8>> {
    let machine = Machine::new();
    let store = Store::at(&machine.root());
    let sources = Sources::new(&Config::default(), &store, Ui { quiet: true }).unwrap();
    let zip = proved_zip(&sources, Version::parse(RELEASE).unwrap(), &platform(name));
    let mut zip = zip::ZipArchive::new(fs::File::open(zip).unwrap()).unwrap();
    let prefix = format!("golang.org/toolchain@v0.0.1-go{RELEASE}.{name}/");
    let mut programs = BTreeMap::new();
    for index in 0..zip.len() {
        let mut member = zip.by_index(index).unwrap();
        let path = member.name().unwrap().strip_prefix(&prefix).unwrap().to_string();
        if path.starts_with("bin/") || path.starts_with("pkg/tool/") {
            let mut content = Vec::new();
            member.read_to_end(&mut content).unwrap();
            programs.insert(path, content);
        }
    }
    let go = if name.starts_with("windows") { "bin/go.exe" } else { "bin/go" };
    assert!(programs.contains_key(go) && programs.len() >= 9, "{:?}", programs.keys());
    programs
}

fn read(content: &[u8]) -> Executable {
    executable::read(Cursor::new(content)).unwrap().unwrap()
}

#[test]
fn each_program_of_a_linux_toolchain_is_static_since_1_21() {
    for (path, content) in programs("linux-arm64") {
        let Executable::Elf(elf) = read(&content) else { panic!("{path}") };
        assert_eq!((elf.os, elf.arch), ("linux", Some("arm64")), "{path}");
        assert_eq!((elf.interpreter, elf.glibc), (None, None), "{path}");
        assert!(elf.libraries.is_empty(), "{path}");
    }
}

#[test]
fn the_go_command_of_1_20_asks_for_glibc() {
    let goroot = real_go("1.20.14");
    let found = executable::open(&goroot.join("bin/go")).unwrap().unwrap();
    let Executable::Elf(elf) = found else { panic!("{found:?}") };
    let loader = match Platform::host().arch.as_str() {
        "arm64" => "/lib/ld-linux-aarch64.so.1",
        _ => "/lib64/ld-linux-x86-64.so.2",
    };
    assert_eq!(elf.interpreter.as_deref(), Some(loader));
    assert!(elf.libraries.contains(&"libc.so.6".to_string()), "{elf:?}");
    assert!(elf.glibc.unwrap() < Release::new(2, 18), "{elf:?}");
    // The compiler was static then already.
    let tools = goroot.join(format!("pkg/tool/linux_{}", Platform::host().arch));
    let found = executable::open(&tools.join("compile")).unwrap().unwrap();
    let Executable::Elf(elf) = found else { panic!("{found:?}") };
    assert_eq!(elf.interpreter, None);
}

#[test]
fn each_program_of_a_macos_toolchain_tells_who_signed_it() {
    for name in ["darwin-amd64", "darwin-arm64"] {
        for (path, content) in programs(name) {
            let found = read(&content);
            assert_eq!(found.platforms(), [platform(name)], "{path}");
            let Executable::MachO(images) = found else { panic!("{path}") };
            let [image] = images.as_slice() else { panic!("{path}: {images:?}") };
            // Go 1.25's release notes: macOS 12.
            assert_eq!(image.minimum, Some(Release::new(12, 0)), "{path}");
            let signature = image.signature.as_ref().unwrap();
            let program = path.rsplit('/').next().unwrap();
            assert_eq!(signature.identifier, format!("org.golang.{program}"));
            // Google's.
            assert_eq!(signature.team.as_deref(), Some("EQHXZ8M8AV"), "{path}");
            assert!(signature.is_hardened && signature.has_certificate && !signature.is_adhoc);
        }
    }
}

#[test]
fn each_program_of_a_windows_toolchain_is_for_a_console() {
    for (path, content) in programs("windows-amd64") {
        let found = read(&content);
        assert_eq!(found.platforms(), [platform("windows-amd64")], "{path}");
        let Executable::Pe(pe) = found else { panic!("{path}") };
        assert_eq!(pe.subsystem, Subsystem::Console, "{path}");
        // What its linker writes, which is less than what Go 1.21 and newer need.
        assert_eq!(pe.minimum, Release::new(6, 1), "{path}");
        assert!(!pe.is_signed, "{path}");
    }
}

/// A universal file as lipo(1) makes it.
fn universal(images: &[&[u8]]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xcafe_babe_u32.to_be_bytes());
    file.extend((images.len() as u32).to_be_bytes());
    let mut offset = 1 << 14;
    for image in images {
        // The machine in its header is little-endian, and here it is big-endian.
        file.extend(image[4..8].iter().rev());
        file.extend(image[8..12].iter().rev());
        for number in [offset, image.len() as u32, 14] {
            file.extend(number.to_be_bytes());
        }
        offset += (image.len() as u32).next_multiple_of(1 << 14);
    }
    for image in images {
        file.resize(file.len().next_multiple_of(1 << 14), 0);
        file.extend(*image);
    }
    file
}

#[test]
fn a_universal_program_is_for_each_of_its_architectures() {
    let (intel, arm) = (programs("darwin-amd64"), programs("darwin-arm64"));
    let both = universal(&[&intel["bin/gofmt"], &arm["bin/gofmt"]]);
    let found = read(&both);
    assert_eq!(found.platforms_shown(), "darwin-amd64 and darwin-arm64");
    assert!(found.is_for(&platform("darwin-amd64")) && found.is_for(&platform("darwin-arm64")));
    assert!(!found.is_for(&platform("linux-amd64")));
    let Executable::MachO(images) = found else { panic!() };
    for image in images {
        assert_eq!(image.signature.unwrap().identifier, "org.golang.gofmt");
    }
    // Its second image is cut off.
    let why = executable::read(Cursor::new(&both[..both.len() - 1])).unwrap_err();
    assert!(why.to_string().contains("outside of it"), "{why}");
}

/// Each form and byte order, some machines that are rare, and systems that only their
/// interpreters tell apart. `GVM_TEST_ALL_PLATFORMS=1` takes all that Go knows.
const PAIRS: [&str; 9] = [
    "aix/ppc64",
    "darwin/arm64",
    "js/wasm",
    "linux/mipsle",
    "linux/s390x",
    "openbsd/riscv64",
    "plan9/arm",
    "solaris/amd64",
    "windows/386",
];

/// Those that Go's linker leaves to a C linker.
const NEED_CGO: [&str; 5] =
    ["android/386", "android/amd64", "android/arm", "ios/amd64", "ios/arm64"];

/// A small program for a platform, built once for each version of Go.
fn cross_built(goroot: &Path, pair: &str) -> PathBuf {
    let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cross-built-{BUILDER}"));
    let program = kept.join(pair.replace('/', "-"));
    if program.exists() {
        return program;
    }
    let machine = Machine::new();
    let directory = machine.repository(
        "hello",
        &[
            ("go.mod", "module hello\n\ngo 1.20\n"),
            ("main.go", "package main\n\nfunc main() { println(\"hello\") }\n"),
        ],
    );
    fs::create_dir_all(&kept).unwrap();
    let new = tempfile::NamedTempFile::new_in(&kept).unwrap();
    let (os, arch) = pair.split_once('/').unwrap();
    let mut build = machine.command(goroot.join("bin/go"));
    build.args(["build", "-trimpath", "-ldflags=-s", "-o"]).arg(new.path()).arg(".");
    build.current_dir(directory);
    build.envs([("GOOS", os), ("GOARCH", arch), ("CGO_ENABLED", "0"), ("GOTOOLCHAIN", "local")]);
    build.env("GOCACHE", Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-build"));
    run(&mut build).succeeded();
    new.persist(&program).unwrap();
    program
}

#[test]
fn a_program_is_for_the_platform_that_the_real_go_built_it_for() {
    let goroot = real_go(BUILDER);
    let machine = Machine::new();
    let listed = run(machine.command(goroot.join("bin/go")).args(["tool", "dist", "list"]));
    let all: Vec<_> = listed.succeeded().stdout.lines().map(String::from).collect();
    assert!(all.len() > 40 && PAIRS.iter().all(|pair| all.iter().any(|it| it == pair)));
    let chosen: Vec<_> = match std::env::var_os("GVM_TEST_ALL_PLATFORMS") {
        Some(_) => all.iter().filter(|pair| !NEED_CGO.contains(&pair.as_str())).cloned().collect(),
        None => PAIRS.map(String::from).into(),
    };
    for pair in &chosen {
        let found = executable::open(&cross_built(&goroot, pair)).unwrap().unwrap();
        let wanted = platform(&pair.replace('/', "-"));
        assert!(found.is_for(&wanted), "{pair}: {found:?}");
        // And for no other one, but where two systems write the same.
        let others = all.iter().filter(|other| found.is_for(&platform(&other.replace('/', "-"))));
        let others: Vec<_> = others.filter(|other| *other != pair).map(String::as_str).collect();
        let alike: &[&str] = match pair.as_str() {
            "dragonfly/amd64" => &["android/amd64", "linux/amd64"],
            "linux/amd64" => &["android/amd64", "dragonfly/amd64"],
            "linux/386" => &["android/386"],
            "linux/arm" => &["android/arm"],
            "linux/arm64" => &["android/arm64"],
            "illumos/amd64" => &["solaris/amd64"],
            "solaris/amd64" => &["illumos/amd64"],
            "js/wasm" => &["wasip1/wasm"],
            "wasip1/wasm" => &["js/wasm"],
            _ => &[],
        };
        assert_eq!(others, alike, "{pair}");
        if let Executable::MachO(images) = found {
            // The linker signs for arm64 alone, in nobody's name.
            let signature = images[0].signature.as_ref();
            assert_eq!(signature.is_some(), wanted.arch == "arm64", "{pair}");
            assert!(
                signature.is_none_or(|it| it.is_adhoc && !it.has_certificate && it.team.is_none())
            );
        }
    }
}

/// Go by the libraries of this machine: what a program asks of glibc, glibc has.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn a_library_tells_which_symbols_it_has() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let libc = maps.lines().find_map(|line| {
        line.split_whitespace().last().filter(|file| file.ends_with("/libc.so.6"))
    });
    let library = executable::open(Path::new(libc.unwrap())).unwrap().unwrap();
    let own = executable::open(&std::env::current_exe().unwrap()).unwrap().unwrap();
    let (Executable::Elf(library), Executable::Elf(own)) = (library, own) else { panic!() };
    assert!(library.glibc.unwrap() >= own.glibc.unwrap(), "{library:?} {own:?}");
    assert!(own.interpreter.is_some() && own.libraries.contains(&"libc.so.6".to_string()));
}

#[test]
fn executables_in_miniature_say_all_that_can_be_said() {
    let [elf, mach_o, both, pe, _] = common::executables::all().try_into().unwrap();
    let Executable::Elf(elf) = read(&elf) else { panic!() };
    assert_eq!((elf.os, elf.arch), ("linux", Some("amd64")));
    assert_eq!(elf.interpreter.as_deref(), Some("/lib64/ld-linux-x86-64.so.2"));
    assert_eq!(elf.libraries, ["libc.so.6"]);
    assert_eq!(elf.glibc, Some(Release::new(2, 17)));
    let Executable::MachO(images) = read(&mach_o) else { panic!() };
    let signature = images[0].signature.as_ref().unwrap();
    assert_eq!(images[0].minimum, Some(Release::new(12, 0)));
    assert_eq!(signature.identifier, "org.golang");
    assert_eq!(signature.team.as_deref(), Some("TEAM123456"));
    assert!(signature.is_hardened && !signature.is_adhoc && !signature.has_certificate);
    assert_eq!(read(&both).platforms_shown(), "darwin-arm64 and darwin-amd64");
    let Executable::Pe(pe) = read(&pe) else { panic!() };
    assert_eq!((pe.arch, pe.subsystem), (Some("amd64"), Subsystem::Console));
    assert_eq!(pe.minimum, Release::new(10, 0));
}
