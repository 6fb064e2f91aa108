//! Completion, as each shell does it.
#![allow(clippy::disallowed_methods, reason = "a test that fails shows its line")]

mod common;

use common::{Ended, GVM, Machine, run};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

fn machine_with(versions: &[&str]) -> Machine {
    let machine = Machine::new();
    for version in versions {
        machine.fake(version);
    }
    machine.refresh_shims();
    // By its name, as a person has it.
    std::os::unix::fs::symlink(GVM, machine.bin().join("gvm")).unwrap();
    machine
}

/// A program by its name, from the PATH of whoever runs the tests; said out loud
/// where it is not there.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let found =
        std::env::split_paths(&path).map(|entry| entry.join(name)).find(|file| file.is_file());
    if found.is_none() {
        not_shown(name);
    }
    found
}

fn not_shown(shell: &str) {
    let _ = writeln!(std::io::stderr(), "NOT SHOWN: completion in {shell}, which is not there");
}

/// PowerShell: what `GVM_TEST_PWSH` names, else the one on PATH.
fn pwsh() -> Option<PathBuf> {
    std::env::var_os("GVM_TEST_PWSH").map(PathBuf::from).or_else(|| program("pwsh"))
}

fn script(machine: &Machine, shell: &str) -> PathBuf {
    let ended: Ended = machine.gvm(&["completions", shell]).succeeded();
    assert_eq!(ended.stderr, "");
    assert!(ended.stdout.contains("gvm"), "{ended:?}");
    let file = machine.path().join(format!("completions.{shell}"));
    fs::write(&file, ended.stdout).unwrap();
    file
}

#[test]
fn each_shell_accepts_its_script() {
    let machine = machine_with(&[]);
    for shell in ["bash", "zsh", "fish"] {
        let file = script(&machine, shell);
        if let Some(program) = program(shell) {
            let checked = run(machine.command(program).arg("-n").arg(&file)).succeeded();
            assert_eq!((checked.stdout.as_str(), checked.stderr.as_str()), ("", ""), "{shell}");
        }
    }
    let file = script(&machine, "powershell");
    assert_eq!(
        machine.gvm(&["completions", "pwsh"]).succeeded().stdout,
        fs::read_to_string(&file).unwrap()
    );
    if let Some(pwsh) = pwsh() {
        let check = format!(
            "$errors = $null; \
             [void][System.Management.Automation.Language.Parser]::ParseFile('{}', [ref]$null, [ref]$errors); \
             \"$($errors.Count) errors $errors\"",
            file.display()
        );
        let mut command = Command::new(pwsh);
        command.args(["-NoProfile", "-NonInteractive", "-Command", &check]);
        let checked = run(command.env("HOME", machine.home())).succeeded();
        assert_eq!(checked.stdout.trim(), "0 errors", "{checked:?}");
    }
    machine.gvm(&["completions", "tcsh"]).failed(2).prints("");
}

/// What bash offers for a command line, of which the last word is being typed.
fn bash(machine: &Machine, bash: &Path, words: &[&str]) -> Vec<String> {
    let ask = r#"
        source "$1" || exit 9
        shift
        specification=$(complete -p gvm) || exit 8
        [[ $specification =~ -F\ ([^ ]+) ]] || exit 7
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE=$* COMP_POINT=${#COMP_LINE} COMP_TYPE=9
        "${BASH_REMATCH[1]}" gvm "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut command = machine.command(bash);
    command.args(["--norc", "-c", ask, "bash"]).arg(script(machine, "bash")).args(words);
    let ended = run(&mut command).succeeded();
    assert_eq!(ended.stderr, "");
    let offered = ended.stdout.lines().map(|line| line.trim_end().to_string());
    offered.filter(|line| !line.is_empty()).collect()
}

/// The same of fish.
fn fish(machine: &Machine, fish: &Path, words: &[&str]) -> Vec<String> {
    let ask = "source $argv[1]; or exit 9; complete -C \"$argv[2]\"";
    let mut command = machine.command(fish);
    command.args(["--no-config", "-c", ask]).arg(script(machine, "fish")).arg(words.join(" "));
    let ended = run(&mut command).succeeded();
    assert_eq!(ended.stderr, "");
    // Behind a tab is the description.
    ended.stdout.lines().map(|line| line.split('\t').next().unwrap().to_string()).collect()
}

/// The same of PowerShell's engine.
fn powershell(machine: &Machine, pwsh: &Path, words: &[&str]) -> Vec<String> {
    let ask = ". $env:TEST_SCRIPT; \
               $line = $env:TEST_LINE; \
               [System.Management.Automation.CommandCompletion]::CompleteInput($line, $line.Length, \
               $null).CompletionMatches | ForEach-Object { $_.CompletionText }";
    let file = script(machine, "powershell");
    let named = file.with_extension("ps1");
    fs::rename(file, &named).unwrap();
    let mut command = machine.command(pwsh);
    command.args(["-NoProfile", "-NonInteractive", "-Command", ask]);
    command.env("TEST_SCRIPT", named).env("TEST_LINE", words.join(" "));
    let ended = run(&mut command).succeeded();
    assert_eq!(ended.stderr, "");
    ended.stdout.lines().map(|line| line.trim_end().to_string()).collect()
}

/// What every shell of this machine offers, sorted.
fn offered(machine: &Machine, words: &[&str]) -> Vec<(&'static str, Vec<String>)> {
    let mut all = quickly_offered(machine, words);
    if let Some(program) = pwsh() {
        let mut offered = powershell(machine, &program, words);
        offered.sort();
        all.push(("powershell", offered));
    }
    all
}

/// The same without PowerShell, which takes its time to start.
fn quickly_offered(machine: &Machine, words: &[&str]) -> Vec<(&'static str, Vec<String>)> {
    let mut all = Vec::new();
    if let Some(program) = program("bash") {
        all.push(("bash", bash(machine, &program, words)));
    }
    if let Some(program) = program("fish") {
        all.push(("fish", fish(machine, &program, words)));
    }
    for (_, offered) in &mut all {
        offered.sort();
    }
    all
}

#[test]
fn the_first_word_is_a_command() {
    let machine = machine_with(&[]);
    for (shell, offered) in offered(&machine, &["gvm", "in"]) {
        assert_eq!(offered, ["install"], "{shell}");
    }
    for (shell, offered) in offered(&machine, &["gvm", ""]) {
        for name in ["install", "uninstall", "list", "use", "default", "pin", "exec", "env", "hook"]
        {
            assert!(offered.iter().any(|word| word == name), "{shell}: no {name} in {offered:?}");
        }
        assert!(!offered.iter().any(|word| word.contains("__shim")), "{shell}: {offered:?}");
    }
}

#[test]
fn installed_versions_complete_where_one_is_wanted() {
    let machine = machine_with(&["1.9", "1.20", "1.21.9", "1.22.4", "1.22.10", "1.22rc1"]);
    for command in ["use", "default", "pin", "uninstall", "exec", "env", "root", "remove", "prefix"]
    {
        for (shell, offered) in quickly_offered(&machine, &["gvm", command, "1.22."]) {
            assert_eq!(offered, ["1.22.10", "1.22.4"], "{shell}: gvm {command}");
        }
    }
    for (shell, offered) in offered(&machine, &["gvm", "use", "1."]) {
        // `1.20` would be the newest of 1.20, so the release has its zero.
        let all = ["1.20.0", "1.21.9", "1.22.10", "1.22.4", "1.22rc1", "1.9.0"];
        assert_eq!(offered, all, "{shell}");
    }
    for (shell, offered) in offered(&machine, &["gvm", "use", "1.3"]) {
        assert!(offered.is_empty(), "{shell}: {offered:?}");
    }
    // Several may be removed at once.
    for (shell, offered) in quickly_offered(&machine, &["gvm", "uninstall", "1.9.0", "1.21"]) {
        assert_eq!(offered, ["1.21.9"], "{shell}");
    }
}

#[test]
fn the_go_in_front_of_a_version_completes_too() {
    let machine = machine_with(&["1.21.9", "1.22.4"]);
    for (shell, offered) in offered(&machine, &["gvm", "use", "go1.22"]) {
        assert_eq!(offered, ["go1.22.4"], "{shell}");
    }
}

#[test]
fn released_versions_complete_for_install_without_asking_anybody() {
    use common::archives;
    use common::server::{Answer, Server};

    let machine = machine_with(&["1.22.4"]);
    let (old, new) = (b"old".to_vec(), b"new".to_vec());
    let index = archives::index(&[("1.26.2", &new), ("1.26.1", &old), ("1.22.4", &old)]);
    let server = Server::start(move |_| Answer::new(200, "application/json", index.clone()));
    // Nothing is known before it was asked for.
    for (shell, offered) in quickly_offered(&machine, &["gvm", "install", "1.26"]) {
        assert!(offered.is_empty(), "{shell}: {offered:?}");
    }
    let mut command = machine.command(GVM);
    run(command.arg("list-remote").env("GVM_DL_URL", server.url())).succeeded();
    let asked = server.requests().len();
    let completed = |arguments: &[&str]| {
        let mut command = machine.command(GVM);
        command.env("COMPLETE", "fish").env("GVM_DL_URL", server.url()).arg("--").args(arguments);
        run(&mut command).succeeded().stdout
    };
    let words = completed(&["gvm", "install", "1.26"]);
    let mut words: Vec<_> = words.lines().collect();
    words.sort_unstable();
    assert_eq!(words, ["1.26.1", "1.26.2"]);
    assert_eq!(server.requests().len(), asked);
}

#[test]
fn shells_complete_by_their_names() {
    let machine = machine_with(&[]);
    for command in ["hook", "completions"] {
        for (shell, offered) in quickly_offered(&machine, &["gvm", command, ""]) {
            for name in ["bash", "fish", "powershell", "zsh"] {
                assert!(offered.iter().any(|word| word == name), "{shell}: {command} {offered:?}");
            }
        }
    }
}

#[test]
fn families_of_checks_complete_by_their_names() {
    let machine = machine_with(&[]);
    for (shell, offered) in quickly_offered(&machine, &["gvm", "doctor", ""]) {
        for name in ["go", "variables", "selected", "modules", "system"] {
            assert!(offered.iter().any(|word| word == name), "{shell}: {offered:?}");
        }
    }
}

#[test]
fn a_gvm_in_a_directory_with_a_space_completes() {
    let machine = machine_with(&["1.22.4"]);
    let directory = machine.path().join("a 'b' $(touch x)");
    fs::create_dir_all(&directory).unwrap();
    let gvm = directory.join("gvm");
    fs::hard_link(GVM, &gvm).or_else(|_| fs::copy(GVM, &gvm).map(drop)).unwrap();
    if let Some(program) = program("bash") {
        let ask = "eval \"$(\"$1\" completions bash)\" && COMP_WORDS=(gvm use 1.) COMP_CWORD=2 && \
                   specification=$(complete -p gvm) && [[ $specification =~ -F\\ ([^ ]+) ]] && \
                   \"${BASH_REMATCH[1]}\" gvm 1. use && printf '%s\\n' \"${COMPREPLY[@]}\"";
        let mut command = machine.command(program);
        let ended = run(command.args(["--norc", "-c", ask, "bash"]).arg(&gvm)).succeeded();
        assert_eq!(ended.stdout.trim(), "1.22.4", "{ended:?}");
    }
    if let Some(program) = program("fish") {
        let ask = "$argv[1] completions fish | source; complete -C 'gvm use 1.'";
        let mut command = machine.command(program);
        let ended = run(command.args(["--no-config", "-c", ask]).arg(&gvm)).succeeded();
        assert!(ended.stdout.starts_with("1.22.4"), "{ended:?}");
    }
    assert!(!machine.work().join("x").exists());
}
