//! What grows with the store and the directories, and what does not.

use super::common::server::{Answer, Server};
use super::common::{GVM, Machine};
use super::harness::{Comparison, Contender, Report, Role, Row, in_turns};
use super::rounds;
use std::fs;
use std::process::Command;

/// The release that is pinned, among very many others.
const PINNED: &str = "1.22.4";

pub fn run(report: &mut Report) {
    let few = machine(10);
    let many = machine(1000);
    let commands: [(&str, &[&str]); 5] = [
        ("gvm which", &["which"]),
        ("gvm current", &["current"]),
        ("gvm root 1.22", &["root", "1.22"]),
        ("gvm list", &["list"]),
        ("gvm hook bash --refresh", &["hook", "bash", "--refresh"]),
    ];
    for (what, arguments) in commands {
        let of = |machine: &Machine| {
            let mut command = machine.command(GVM);
            command.args(arguments);
            command
        };
        grows(
            report,
            format!("{what}: 1,000 toolchains against 10"),
            ["10", "1,000"],
            || of(&few),
            || of(&many),
        );
    }
    for (what, pin) in [("an exact pin", "1.22.4\n"), ("pin 1.22", "1.22\n")] {
        let of = |machine: &Machine| {
            machine.repository("pinned", &[(".go-version", pin)]);
            let mut command = machine.command(machine.shims().join("go"));
            command.arg("version").current_dir(machine.work().join("pinned"));
            command
        };
        let what = format!("the shim, {what}: 1,000 toolchains and shims against 10");
        grows(report, what, ["10", "1,000"], || of(&few), || of(&many));
    }

    let mut deep = "deep".to_string();
    let shallow = few.repository(&deep, &[(".go-version", PINNED)]);
    for level in 1..60 {
        deep.push_str(&format!("/{level}"));
    }
    let deep = few.repository(&deep, &[]);
    for (what, program, argument) in
        [("the shim", few.shims().join("go"), "version"), ("gvm current", GVM.into(), "current")]
    {
        let at = |directory: &std::path::Path| {
            let mut command = few.command(&program);
            command.arg(argument).current_dir(directory).env("PWD", directory);
            command
        };
        let what = format!("{what}: the pin 60 levels up against here");
        grows(report, what, ["here", "60 levels up"], || at(&shallow), || at(&deep));
    }

    // Asked for once, and from then on taken from the cache.
    let urls = [(&few, 1), (&many, 10)].map(|(machine, times)| {
        let index = todays_index(times);
        let server = Server::start(move |_| Answer::new(200, "application/json", index.clone()));
        let url = server.url();
        let mut command = machine.command(GVM);
        command.arg("list-remote").env("GVM_DL_URL", &url);
        assert!(command.output().unwrap().status.success());
        url
    });
    let list_remote = |machine: &Machine, url: &str| {
        let mut command = machine.command(GVM);
        command.args(["--offline", "list-remote"]).env("GVM_DL_URL", url);
        command
    };
    let what = "gvm list-remote: an index ten times today's".to_string();
    grows(
        report,
        what,
        ["today's", "ten times"],
        || list_remote(&few, &urls[0]),
        || list_remote(&many, &urls[1]),
    );
    let empty = super::empty_program(&few);
    report.add(Row {
        part: "scale",
        what: "gvm list-remote, today's index, from the cache".into(),
        comparison: Comparison::Ratio,
        wanted: Some("within 3 ×"),
        in_chart: false,
        runs: in_turns(
            rounds(100),
            vec![
                Contender::command(Role::Floor, "an empty Rust program", || few.command(&empty)),
                Contender::command(Role::Ours, "gvm", || list_remote(&few, &urls[0])),
            ],
        ),
    });
}

fn grows(
    report: &mut Report,
    what: String,
    names: [&str; 2],
    few: impl Fn() -> Command,
    many: impl Fn() -> Command,
) {
    let runs = in_turns(
        rounds(60),
        vec![
            Contender::command(Role::Floor, names[0], few),
            Contender::command(Role::Ours, names[1], many),
        ],
    );
    let comparison = Comparison::Added;
    report.add(Row { part: "scale", what, comparison, wanted: None, in_chart: false, runs });
}

/// With that many toolchains, each with its receipt and its shim.
fn machine(toolchains: u32) -> Machine {
    let machine = Machine::new();
    machine.fake(PINNED);
    for number in 1..toolchains {
        let version = format!("1.{}.{}", 23 + number / 100, number % 100);
        let goroot = machine.goroot(&version);
        fs::create_dir_all(goroot.join("bin")).unwrap();
        fs::write(machine.toolchain(&version).join("receipt.json"), receipt(&version)).unwrap();
    }
    machine.refresh_shims();
    machine.repository(".", &[(".go-version", &format!("{PINNED}\n"))]);
    machine
}

fn receipt(version: &str) -> String {
    format!(
        r#"{{"version": "go{version}", "os": "linux", "arch": "amd64", "origin": {{
  "source": "go.dev", "url": "https://go.dev/dl/go{version}.linux-amd64.tar.gz",
  "sha256": "ba79d4526102575196273416239cca418a651e049c2b099f3159db85e7bade7d", "size": 68964131 }},
  "evidence": "published-sha256", "h1": "h1:rRL9rPpsjKfpdDFcppvNgw1/dynUMrpDcTxdIwtyFR0=",
  "files": 12072, "bytes": 250000000, "installed_at": "2026-01-01T00:00:00Z", "gvm": "0.1.0" }}
"#
    )
}

/// As many releases and files as go.dev lists, or a multiple.
fn todays_index(times: u32) -> String {
    let platforms = &PLATFORMS;
    let mut releases = Vec::new();
    for minor in (2..=27).rev() {
        for patch in (0..=12 * times).rev() {
            let version = format!("go1.{minor}.{patch}");
            let those = if minor >= 21 { platforms } else { &platforms[..8] };
            let files: Vec<_> = those.iter().map(|(os, arch)| {
                let suffix = if *os == "windows" { "zip" } else { "tar.gz" };
                serde_json::json!({
                    "filename": format!("{version}.{os}-{arch}.{suffix}"), "os": os, "arch": arch,
                    "version": version, "size": 70_000_000, "kind": "archive",
                    "sha256": "ba79d4526102575196273416239cca418a651e049c2b099f3159db85e7bade7d",
                })
            }).collect();
            releases.push(serde_json::json!({"version": version, "stable": true, "files": files}));
        }
    }
    serde_json::to_string_pretty(&releases).unwrap()
}

/// The ports that go.dev has archives of, the oldest ones first.
const PLATFORMS: [(&str, &str); 40] = [
    ("darwin", "amd64"),
    ("freebsd", "386"),
    ("freebsd", "amd64"),
    ("linux", "386"),
    ("linux", "amd64"),
    ("linux", "arm64"),
    ("windows", "386"),
    ("windows", "amd64"),
    ("linux", "armv6l"),
    ("linux", "ppc64le"),
    ("linux", "s390x"),
    ("aix", "ppc64"),
    ("darwin", "arm64"),
    ("dragonfly", "amd64"),
    ("freebsd", "arm"),
    ("freebsd", "arm64"),
    ("freebsd", "riscv64"),
    ("illumos", "amd64"),
    ("linux", "loong64"),
    ("linux", "mips"),
    ("linux", "mips64"),
    ("linux", "mips64le"),
    ("linux", "mipsle"),
    ("linux", "ppc64"),
    ("linux", "riscv64"),
    ("netbsd", "386"),
    ("netbsd", "amd64"),
    ("netbsd", "arm"),
    ("netbsd", "arm64"),
    ("openbsd", "386"),
    ("openbsd", "amd64"),
    ("openbsd", "arm"),
    ("openbsd", "arm64"),
    ("openbsd", "ppc64"),
    ("openbsd", "riscv64"),
    ("plan9", "386"),
    ("plan9", "amd64"),
    ("plan9", "arm"),
    ("solaris", "amd64"),
    ("windows", "arm64"),
];
