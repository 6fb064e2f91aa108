//! Whether the go that runs here can build: for this machine, and for others.

use super::{Context, Finding};
use crate::executable;
use crate::host::os;
use crate::layout;
use crate::path::display;
use crate::platform::Platform;
use crate::process::{self, Answer};
use crate::ui::shown;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A first build compiles the standard library.
const BUILD: Duration = Duration::from_secs(240);
const RUN: Duration = Duration::from_secs(10);

const GO_MOD: &str = "module example.com/hello\n\ngo 1.13\n";
const HELLO: &str = "package main\n\nimport (\n\t\"fmt\"\n\t\"runtime\"\n)\n\nfunc main() { fmt.Print(runtime.Version()) }\n";
/// Packages that have another half in C where there is a compiler for it.
const PROGRAM: &str = "package main\n\nimport (\n\t\"fmt\"\n\t\"net\"\n\t\"os/user\"\n)\n\nfunc main() {\n\tme, err := user.Current()\n\tfmt.Println(me, err, net.IPv4zero, answer())\n}\n";
const WITHOUT_C: &str =
    "//go:build !cgo\n// +build !cgo\n\npackage main\n\nfunc answer() int { return 42 }\n";
const WITH_C: &str = "package main\n\n// static int answer(void) { return 42; }\nimport \"C\"\n\nfunc answer() int { return int(C.answer()) }\n";

/// Where nothing else is named.
const TARGETS: [&str; 8] = [
    "linux/amd64",
    "linux/arm64",
    "darwin/amd64",
    "darwin/arm64",
    "windows/amd64",
    "windows/arm64",
    "freebsd/amd64",
    "js/wasm",
];

/// A program for this machine, built and run.
pub(super) fn check(context: &Context) -> Vec<Finding> {
    let module = match Module::new(context, &[("main.go", HELLO)]) {
        Ok(module) => module,
        Err(finding) => return vec![finding],
    };
    let start = Instant::now();
    if let Err(why) = module.build(&[]) {
        return vec![
            Finding::error("hello", format!("cannot be built: {why}"))
                .fix("gvm doctor variables selected, and the first line above"),
        ];
    }
    let took = start.elapsed().as_secs_f32();
    vec![match process::ask(&mut Command::new(module.program()), RUN) {
        Ok(Answer { success: true, stdout, .. }) => {
            let version = display(&stdout).to_string();
            Finding::ok("hello", format!("was built in {took:.1} s, and says that it is {version}"))
        }
        Ok(answer) => {
            Finding::error("hello", format!("was built, and fails: {}", answer.complaint()))
        }
        Err(why) => Finding::error(
            "hello",
            format!("was built, and {why}; go run and go test build there too: {}", module.place()),
        )
        .fix("export GOTMPDIR=/a/directory/whose/programs/may/run"),
    }]
}

/// Programs for other platforms: without C, and with it where there is a compiler.
pub(super) fn cross(context: &Context) -> Vec<Finding> {
    let files = [("main.go", PROGRAM), ("without_c.go", WITHOUT_C), ("with_c.go", WITH_C)];
    let module = match Module::new(context, &files) {
        Ok(module) => module,
        Err(finding) => return vec![finding],
    };
    let targets = match context.targets.as_slice() {
        [] => TARGETS.iter().filter_map(|pair| of_pair(pair)).collect(),
        named => named.to_vec(),
    };
    let mut findings = Vec::new();
    for target in &targets {
        let built = module.cross(target, "0", None);
        let is_built = built.is_ok();
        findings.push(told(format!("{}/{}", target.os, target.arch), built, "without C"));
        if is_built {
            findings.extend(with_c(context, &module, target));
        }
    }
    findings
}

/// `GOOS/GOARCH`, as the go command writes it.
#[must_use]
pub fn of_pair(pair: &str) -> Option<Platform> {
    let (os, arch) = pair.split_once('/')?;
    Platform::parse(&format!("{os}-{arch}"))
}

fn told(subject: String, built: Result<(), String>, how: &str) -> Finding {
    match built {
        Ok(()) => Finding::ok(subject, format!("is built, {how}")),
        Err(why) => Finding::error(subject, why),
    }
}

fn with_c(context: &Context, module: &Module, target: &Platform) -> Option<Finding> {
    let subject = format!("{}/{}, cgo", target.os, target.arch);
    let wanted = c_compilers(target);
    let own = context.setting("CC").filter(|_| target.is_host());
    let own = own.map(|setting| setting.value).filter(|value| !value.is_empty());
    let found = own.or_else(|| wanted.iter().find(|it| is_there(it)).map(|it| (*it).to_string()));
    Some(match found {
        Some(compiler) => {
            let how = format!("with C by {}", display(compiler.as_bytes()));
            told(subject, module.cross(target, "1", Some(&compiler)), &how)
        }
        // A platform without C.
        None if wanted.is_empty() => return None,
        None => {
            let programs = wanted.iter().filter_map(|command| command.split(' ').next());
            let names = programs.collect::<Vec<_>>().join(" or ");
            let finding =
                Finding::note(subject, format!("is built without C alone: no {names} is on PATH"));
            match advice(target) {
                Some(advice) => finding.fix(advice),
                None => finding,
            }
        }
    })
}

fn is_there(command: &str) -> bool {
    command.split(' ').next().is_some_and(|program| which::which(program).is_ok())
}

/// C compilers for a platform, by the names that distributions give them.
fn c_compilers(target: &Platform) -> &'static [&'static str] {
    if target.is_host() {
        return &["gcc", "clang", "cc"];
    }
    match (target.os.as_str(), target.arch.as_str()) {
        ("linux", "amd64") => &["x86_64-linux-gnu-gcc", "zig cc -target x86_64-linux-gnu"],
        ("linux", "386") => &["i686-linux-gnu-gcc", "zig cc -target x86-linux-gnu"],
        ("linux", "arm64") => &["aarch64-linux-gnu-gcc", "zig cc -target aarch64-linux-gnu"],
        ("linux", "arm") => &["arm-linux-gnueabihf-gcc", "zig cc -target arm-linux-gnueabihf"],
        ("linux", "riscv64") => &["riscv64-linux-gnu-gcc", "zig cc -target riscv64-linux-gnu"],
        ("linux", "ppc64le") => {
            &["powerpc64le-linux-gnu-gcc", "zig cc -target powerpc64le-linux-gnu"]
        }
        ("linux", "s390x") => &["s390x-linux-gnu-gcc", "zig cc -target s390x-linux-gnu"],
        ("linux", "loong64") => &["loongarch64-linux-gnu-gcc"],
        ("windows", "amd64") => &["x86_64-w64-mingw32-gcc", "zig cc -target x86_64-windows-gnu"],
        ("windows", "386") => &["i686-w64-mingw32-gcc", "zig cc -target x86-windows-gnu"],
        ("windows", "arm64") => &["aarch64-w64-mingw32-gcc", "zig cc -target aarch64-windows-gnu"],
        // osxcross.
        ("darwin", "amd64") => &["o64-clang"],
        ("darwin", "arm64") => &["oa64-clang"],
        _ => &[],
    }
}

/// How a compiler is had, where one command has it.
fn advice(target: &Platform) -> Option<&'static str> {
    Some(match (target.os.as_str(), target.arch.as_str()) {
        _ if target.is_host() && cfg!(target_os = "macos") => "xcode-select --install",
        ("linux", _) if target.is_host() => "apt-get install gcc, or what your system calls it",
        ("linux", "amd64") => "apt-get install gcc-x86-64-linux-gnu",
        ("linux", "386") => "apt-get install gcc-i686-linux-gnu",
        ("linux", "arm64") => "apt-get install gcc-aarch64-linux-gnu",
        ("linux", "arm") => "apt-get install gcc-arm-linux-gnueabihf",
        ("linux", "riscv64") => "apt-get install gcc-riscv64-linux-gnu",
        ("linux", "ppc64le") => "apt-get install gcc-powerpc64le-linux-gnu",
        ("linux", "s390x") => "apt-get install gcc-s390x-linux-gnu",
        ("windows", "amd64" | "386") => "apt-get install gcc-mingw-w64",
        ("darwin", _) => "build it on a Mac",
        _ => return None,
    })
}

/// A module in a directory of its own, and the go that builds it.
struct Module<'a> {
    goroot: &'a Path,
    directory: TempDir,
}

impl<'a> Module<'a> {
    fn new(context: &'a Context, files: &[(&str, &str)]) -> Result<Self, Finding> {
        let Some(goroot) = context.goroot() else {
            return Err(Finding::error("go", "there is none to build with")
                .fix("gvm install stable && gvm default stable"));
        };
        let made = tempfile::tempdir().and_then(|directory| {
            for (name, content) in [("go.mod", GO_MOD)].iter().chain(files) {
                fs_err::write(directory.path().join(name), content)?;
            }
            Ok(directory)
        });
        let directory =
            made.map_err(|why| Finding::error("go", format!("nothing can be built: {why}")))?;
        Ok(Self { goroot, directory })
    }

    fn program(&self) -> std::path::PathBuf {
        self.directory.path().join(format!("hello{}", std::env::consts::EXE_SUFFIX))
    }

    fn place(&self) -> String {
        shown(self.directory.path().parent().unwrap_or(self.directory.path()))
    }

    /// Builds it with the settings of this environment, but for what belongs to the
    /// directory that gvm stands in, and for GOTOOLCHAIN: nothing is fetched.
    fn build(&self, variables: &[(&str, &str)]) -> Result<(), String> {
        let go = layout::tool(self.goroot.as_os_str().as_encoded_bytes(), "go");
        let mut command = Command::new(os(&go));
        command
            .args(["build", "-o"])
            .arg(self.program())
            .arg(".")
            .current_dir(self.directory.path());
        command.envs([("GOTOOLCHAIN", "local"), ("GOWORK", "off")]).env_remove("PWD");
        command.envs(variables.iter().copied());
        match process::ask(&mut command, BUILD) {
            Ok(answer) if answer.success => Ok(()),
            Ok(answer) => Err(answer.complaint()),
            Err(why) => Err(format!("{} {why}", display(&go))),
        }
    }

    fn cross(&self, target: &Platform, cgo: &str, compiler: Option<&str>) -> Result<(), String> {
        let mut variables =
            vec![("GOOS", &*target.os), ("GOARCH", &*target.arch), ("CGO_ENABLED", cgo)];
        variables.extend(compiler.map(|compiler| ("CC", compiler)));
        self.build(&variables)?;
        match executable::open(&self.program()) {
            Ok(Some(found)) if found.is_for(target) => Ok(()),
            Ok(Some(found)) => Err(format!("what was built is for {}", found.platforms_shown())),
            Ok(None) => Err("what was built is no executable".into()),
            Err(why) => Err(format!("what was built cannot be read: {why}")),
        }
    }
}
