//! What `go` costs through a shim, on top of the same go by its path.

use super::common::Machine;
use super::harness::{Comparison, Contender, Report, Role, Row, in_turns};
use super::peers::{self, Goenv, Mise};
use super::{REAL, rounds};
use std::fs;
use std::path::Path;
use std::process::Command;

/// `go version` ten levels below its pin, with 100 toolchains installed, by every
/// shim that there is.
pub fn run(report: &mut Report) {
    let machine = Machine::new();
    let goroot = machine.real(REAL);
    for patch in 0..99 {
        fs::create_dir_all(machine.goroot(&format!("1.19.{patch}")).join("bin")).unwrap();
    }
    machine.refresh_shims();
    let deep = machine.repository("deep/1/2/3/4/5/6/7/8/9/10", &[]);
    let version = |mut command: Command| {
        command.arg("version").current_dir(&deep).env("PWD", &deep);
        command
    };
    let by_path = || version(machine.command(goroot.join("bin/go")));
    let by_shim = || version(machine.command(machine.shims().join("go")));

    let pin = |version: &str| {
        machine.repository("deep", &[(".go-version", &format!("{version}\n"))]);
    };
    let installed: [(&str, &Path); 1] = [(REAL, &goroot)];
    let mise = Mise::set_up(&machine, &installed);
    if mise.is_none() {
        report.not_measured(peers::missing("mise"));
    }
    let goenv = Goenv::set_up(&machine, &installed);
    if goenv.is_none() {
        report.not_measured(peers::missing("goenv"));
    }

    pin(REAL);
    let mut contenders = vec![
        Contender::command(Role::Floor, "by its path", by_path),
        Contender::command(Role::Ours, "gvm", by_shim),
    ];
    if let Some(mise) = &mise {
        // It reads .go-version only where a setting says so; this is its own file.
        machine.repository("deep", &[("mise.toml", &format!("[tools]\ngo = \"{REAL}\"\n"))]);
        contenders.push(Contender::command(Role::Peer, "mise", || {
            let mut command = version(machine.command(mise.shim("go")));
            mise.environment(&mut command);
            command.env("MISE_TRUSTED_CONFIG_PATHS", machine.work());
            command
        }));
    }
    if let Some(goenv) = &goenv {
        contenders.push(Contender::command(Role::Peer, "goenv", || {
            let mut command = version(machine.command(goenv.shim("go")));
            goenv.environment(&mut command);
            command
        }));
    }
    report.add(Row {
        part: "shim",
        what: "go version through the shim, exact pin ten levels up, 100 toolchains".into(),
        comparison: Comparison::Added,
        wanted: Some("at most 0.10 ms"),
        in_chart: true,
        runs: in_turns(rounds(200), contenders),
    });

    pin("1.26");
    report.add(Row {
        part: "shim",
        what: "the same, pin 1.26 (the newest installed)".into(),
        comparison: Comparison::Added,
        wanted: None,
        in_chart: false,
        runs: in_turns(
            rounds(200),
            vec![
                Contender::command(Role::Floor, "by its path", by_path),
                Contender::command(Role::Ours, "gvm", by_shim),
            ],
        ),
    });

    // Go itself varies by more than the shim takes; what does nothing does not.
    let nothing = super::empty_program(&machine);
    fs::remove_file(goroot.join("bin/go")).unwrap();
    fs::copy(&nothing, goroot.join("bin/go")).unwrap();
    pin(REAL);
    report.add(Row {
        part: "shim",
        what: "the same, where go is a program that does nothing".into(),
        comparison: Comparison::Added,
        wanted: None,
        in_chart: false,
        runs: in_turns(
            rounds(500),
            vec![
                Contender::command(Role::Floor, "by its path", by_path),
                Contender::command(Role::Ours, "gvm", by_shim),
            ],
        ),
    });

    match peers::rustup() {
        Some((proxy, real)) => {
            let version = |program: &Path| {
                let mut command = Command::new(program);
                command.arg("--version").env_remove("RUST_BACKTRACE").current_dir(&deep);
                command
            };
            report.add(Row {
                part: "shim",
                what: "for comparison: cargo --version through rustup's proxy".into(),
                comparison: Comparison::Added,
                wanted: None,
                in_chart: true,
                runs: in_turns(
                    rounds(60),
                    vec![
                        Contender::command(Role::Floor, "by its path", || version(&real)),
                        Contender::command(Role::Peer, "rustup", || version(&proxy)),
                    ],
                ),
            });
        }
        None => report.not_measured("rustup's proxy: the cargo on PATH is none"),
    }
}
