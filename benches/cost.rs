//! What gvm costs, held against what the same costs without it and with others, in
//! one run. `cargo bench` measures all parts; `cargo bench -- --help` tells the rest.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

#[path = "../tests/common/mod.rs"]
#[allow(unused, reason = "the tests take more of it")]
mod common;

mod harness;
mod install;
mod peers;
mod prompt;
mod scale;
mod shim;
mod start;
mod upgrade;

use common::Machine;
use harness::Report;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The real Go that is run.
const REAL: &str = "1.26.11";

type Part = (&'static str, &'static str, fn(&mut Report));

const PARTS: [Part; 7] = [
    ("shim", "go through the shim", shim::run),
    ("prompt", "the hooks in bash, zsh and fish", prompt::run),
    ("start", "the gvm executable", start::run),
    ("install", "a real toolchain from loopback", install::run),
    ("link", "the same behind a link of 25 MB/s", install::behind_a_link),
    ("upgrade", "a patch release beside the one before it", upgrade::run),
    ("scale", "1,000 toolchains, deep directories, long indexes", scale::run),
];

/// A tenth of the turns with `--quick`.
static DIVISOR: AtomicUsize = AtomicUsize::new(1);

fn main() -> ExitCode {
    let mut wanted = Vec::new();
    let mut draws = false;
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--bench" => {} // from cargo
            "--quick" => DIVISOR.store(10, Ordering::Relaxed),
            "--chart" => draws = true,
            name if PARTS.iter().any(|(part, ..)| *part == name) => wanted.push(argument),
            "--help" | "-h" => {
                print!("{}", help());
                return ExitCode::SUCCESS;
            }
            other => {
                eprint!("there is no `{other}` here\n\n{}", help());
                return ExitCode::from(2);
            }
        }
    }

    // Everything that is started finds the same environment, and none of the user's.
    let mut report = Report::new(machine());
    println!("{}\n", report.machine);
    for (name, what, run) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|part| part == name) {
            println!("== {name}: {what}");
            run(&mut report);
        }
    }

    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../bench");
    fs::create_dir_all(&directory).unwrap();
    let directory = directory.canonicalize().unwrap();
    let json = serde_json::to_string_pretty(&report).unwrap();
    let mut files = vec![
        (directory.join("cost.md"), report.markdown()),
        (directory.join("cost.json"), json),
        (directory.join("cost.svg"), report.chart()),
    ];
    if draws {
        let beside_readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/cost.svg");
        files.push((beside_readme, report.chart()));
    }
    println!("\n{}", report.markdown());
    for (file, content) in files {
        fs::write(&file, content).unwrap();
        println!("written: {}", file.display());
    }
    ExitCode::SUCCESS
}

fn help() -> String {
    let mut text =
        "cargo bench -- [PART…] [--quick] [--chart]\n\nParts; without one, all of them:\n"
            .to_string();
    for (name, what, _) in PARTS {
        text.push_str(&format!("  {name:<8} {what}\n"));
    }
    text + "
  --quick  a tenth of the turns
  --chart  draw benches/cost.svg anew, which stands in the README

Contenders take turns, and each figure is a median with its quartiles. Real Go is
installed from the module proxy into target/. The table is written to
target/bench/cost.md, cost.json and cost.svg.

" + peers::HELP
        + "\n"
}

/// How many turns a contender gets.
fn rounds(full: usize) -> usize {
    (full / DIVISOR.load(Ordering::Relaxed)).max(5)
}

/// A program that does nothing, built as gvm is.
fn empty_program(machine: &Machine) -> PathBuf {
    let source = machine.path().join("empty.rs");
    let program = machine.path().join("empty");
    fs::write(&source, "fn main() {}\n").unwrap();
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["-C", "opt-level=3", "-C", "panic=abort", "-C", "lto=fat", "-C", "strip=symbols"]);
    rustc.args(["-C", "codegen-units=1", "-o"]).arg(&program).arg(&source);
    assert!(rustc.status().unwrap().success(), "{rustc:?}");
    program
}

/// The machine in a line: processor, cores, kernel, file system.
fn machine() -> String {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let cpu = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cpu = cpu.map_or(std::env::consts::ARCH, |(_, name)| name.trim());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let system = std::env::consts::OS;
    let kernel = read("/proc/sys/kernel/osrelease");
    let mut stat = Command::new("stat");
    let stat = stat.args(["-f", "-c", "%T", env!("CARGO_TARGET_TMPDIR")]).output();
    let file_system = stat.ok().filter(|stat| stat.status.success()).map_or_else(
        || "an unknown file system".into(),
        |stat| String::from_utf8_lossy(&stat.stdout).trim().to_string(),
    );
    let virtual_machine = if cpus.contains("hypervisor") { ", a virtual machine" } else { "" };
    format!("{cpu}, {cores} cores{virtual_machine}; {system} {}; {file_system}", kernel.trim())
}
