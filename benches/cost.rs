//! What gvm costs, as a ratio or a difference against a floor in the same run:
//! the shim against the real go command by its path, and an installation against
//! `curl | tar xz` of the same archive. Runs are interleaved, medians are shown.
//!
//! `cargo bench` runs it; it needs real Go, which it installs from the module
//! proxy into `target/`.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

#[path = "../tests/common/mod.rs"]
#[allow(unused, reason = "the tests take more of it")]
mod common;

use common::archives;
use common::real_go::real_go;
use common::server::{Answer, Server};
use common::{GVM, Machine, run};
use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const VERSION: &str = "1.26.11";
const SHIM_ROUNDS: usize = 300;
const INSTALL_ROUNDS: usize = 7;

fn main() {
    let goroot = real_go(VERSION);
    println!("{:<44} {:>10} {:>10} {:>10}", "", "ours", "floor", "");
    shim();
    start();
    install(&goroot);
}

/// `go version` in a directory ten levels below its pin, with 100 toolchains
/// installed, through the shim and by its path.
fn shim() {
    let machine = Machine::new();
    let goroot = machine.real(VERSION);
    for patch in 0..99 {
        fs::create_dir_all(machine.goroot(&format!("1.19.{patch}")).join("bin")).unwrap();
    }
    machine.refresh_shims();
    for (pin, what) in [(VERSION, "an exact pin"), ("1.26", "the newest of a minor")] {
        let deep = machine.repository("deep/1/2/3/4/5/6/7/8/9", &[]);
        machine.repository("deep", &[(".go-version", pin)]);
        let by_path = || {
            let mut command = machine.command(goroot.join("bin/go"));
            command.arg("version").current_dir(&deep).stdout(Stdio::null());
            command
        };
        let by_shim = || {
            let mut command = machine.command(machine.shims().join("go"));
            command.arg("version").current_dir(&deep).stdout(Stdio::null());
            command
        };
        let [ours, floor] = interleaved(SHIM_ROUNDS, [&by_shim, &by_path]);
        let added = (ours.as_secs_f64() - floor.as_secs_f64()) * 1e3;
        row(&format!("go version, {what}"), ours, floor, &format!("+{added:.3} ms"));
    }
}

/// The gvm executable itself, against a program that does nothing.
fn start() {
    let machine = Machine::new();
    machine.fake(VERSION);
    let gvm = || {
        let mut command = machine.command(GVM);
        command.args(["root", VERSION]).stdout(Stdio::null());
        command
    };
    let nothing = || machine.command("/bin/true");
    let [ours, floor] = interleaved(SHIM_ROUNDS, [&gvm, &nothing]);
    row("gvm root, against /bin/true", ours, floor, &ratio(ours, floor));
}

/// Installed, verified and published from loopback, against
/// `curl -s URL | tar -xz` of the same archive.
fn install(goroot: &std::path::Path) {
    let machine = Machine::new();
    let archive = machine.path().join(archives::file_name(VERSION));
    let parent = goroot.parent().unwrap();
    run(Command::new("tar").arg("-czf").arg(&archive).arg("-C").arg(parent).arg("go")).succeeded();
    let bytes = fs::read(&archive).unwrap();
    let index = archives::index(&[(VERSION, &bytes)]);
    let server = Server::start(move |request| match request.path.as_str() {
        path if path.ends_with(".tar.gz") => Answer::ok(bytes.clone()),
        _ => Answer::new(200, "application/json", index.clone()),
    });
    let url = format!("{}/{}", server.url(), archives::file_name(VERSION));
    let target = machine.path().join("unpacked");

    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..INSTALL_ROUNDS {
        let _ = fs::remove_dir_all(machine.root());
        let mut ours = machine.command(GVM);
        ours.args(["install", VERSION]).env("GVM_DL_URL", server.url());
        times[0].push(timed(&mut ours));
        let _ = fs::remove_dir_all(&target);
        fs::create_dir(&target).unwrap();
        let mut floor = machine.command("sh");
        floor.args(["-c", "curl -s \"$1\" | tar -xz -C \"$2\"", "sh", &url]).arg(&target);
        times[1].push(timed(&mut floor));
    }
    let [ours, floor] = times.map(median);
    row("install, against curl | tar xz", ours, floor, &ratio(ours, floor));
}

fn interleaved(rounds: usize, commands: [&dyn Fn() -> Command; 2]) -> [Duration; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..rounds + 5 {
        for (times, command) in times.iter_mut().zip(commands) {
            let time = timed(&mut command());
            // The first ones warm the caches.
            if round >= 5 {
                times.push(time);
            }
        }
    }
    times.map(median)
}

fn timed(command: &mut Command) -> Duration {
    let start = Instant::now();
    let status = command.stderr(Stdio::null()).status().unwrap();
    let time = start.elapsed();
    assert!(status.success(), "{command:?}");
    time
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn ratio(ours: Duration, floor: Duration) -> String {
    format!("{:.2} x", ours.as_secs_f64() / floor.as_secs_f64())
}

fn row(what: &str, ours: Duration, floor: Duration, comparison: &str) {
    let shown = |time: Duration| {
        if time < Duration::from_millis(100) {
            format!("{:.3} ms", time.as_secs_f64() * 1e3)
        } else {
            format!("{:.2} s", time.as_secs_f64())
        }
    };
    println!("{what:<44} {:>10} {:>10} {comparison:>10}", shown(ours), shown(floor));
}
