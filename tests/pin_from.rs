//! `gvm pin --from`: what other files say becomes a `.go-version`.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

mod common;

use common::{Machine, machine_with};
use std::fs;

fn pinned(machine: &Machine) -> String {
    fs::read_to_string(machine.work().join(".go-version")).unwrap()
}

/// The only file here, and what is pinned from it.
#[test]
fn each_file_that_says_which_go_it_wants_becomes_a_pin() {
    for (file, text, version, line) in [
        (".tool-versions", "nodejs 20.1.0\ngolang 1.22.4 1.21.0\n", "1.22.4", 2),
        ("mise.toml", "[tools]\nnode = \"20\"\ngo = \"1.22\"\n", "1.22", 3),
        (".mise.toml", "[tools]\ngo = { version = \"1.22.4\" }\n", "1.22.4", 2),
        (".config/mise.toml", "[tools]\ngo = [\"latest\", \"1.21\"]\n", "latest", 2),
        ("go.mod", "module m\n\ngo 1.22\n", "1.22", 3),
        ("go.mod", "module m\n\ngo 1.22.1\n\ntoolchain go1.22.4\n", "1.22.4", 5),
        ("go.work", "go 1.23.2\n", "1.23.2", 1),
    ] {
        let machine = Machine::new();
        machine.repository("", &[(file, text)]);
        let ended = machine.gvm(&["pin", "--from"]).succeeded();
        let told = format!("{file}:{line} asks for Go {version}");
        assert!(ended.stderr.contains(&told), "{ended:?}");
        assert_eq!(pinned(&machine), format!("{version}\n"), "{file}");
        // And by its name, from somewhere else.
        let elsewhere = machine.repository("elsewhere", &[]);
        machine.gvm_in(&elsewhere, &["pin", "--from", &format!("../{file}")]).succeeded();
        let pin = fs::read_to_string(elsewhere.join(".go-version")).unwrap();
        assert_eq!(pin, format!("{version}\n"));
    }
}

#[test]
fn what_pins_comes_before_what_sets_a_minimum() {
    let machine = machine_with(&["1.22.4"]);
    machine.repository("", &[("go.mod", "module m\n\ngo 1.21\n"), (".tool-versions", "go 1.22.4")]);
    machine.gvm(&["pin", "--from"]).succeeded();
    assert_eq!(pinned(&machine), "1.22.4\n");
    machine.repository("", &[(".tool-versions", "nodejs 20\n")]);
    machine.gvm(&["pin", "--from"]).succeeded();
    assert_eq!(pinned(&machine), "1.21\n");
}

#[test]
fn several_versions_of_goenv_become_one_and_comments_stay() {
    let machine = Machine::new();
    let theirs = machine.repository("theirs", &[(".go-version", "# both\n1.21.9\n1.20.1\n")]);
    machine.repository("", &[(".go-version", "# ours\n1.22.4 # why\n")]);
    let file = theirs.join(".go-version").display().to_string();
    let ended = machine.gvm(&["pin", "--from", &file]).succeeded();
    assert!(ended.stderr.contains(".go-version:2 asks for Go 1.21.9"), "{ended:?}");
    assert_eq!(pinned(&machine), "# ours\n1.21.9 # why\n");
}

#[test]
fn a_file_that_says_nothing_or_nonsense_pins_nothing() {
    for (file, text, code, what) in [
        ("go.mod", "module m\n\ngo 1.22.x\n", 2, "go.mod:3"),
        (".tool-versions", "golang ../../evil\n", 2, ".tool-versions:1"),
        ("mise.toml", "[tools]\ngo = \"path:/opt/go\"\n", 2, "line 2"),
        ("mise.toml", "not toml", 2, "mise.toml cannot be used"),
        (".tool-versions", "nodejs 20\n", 2, "none of"),
    ] {
        let machine = Machine::new();
        machine.repository("", &[(file, text)]);
        let ended = machine.gvm(&["pin", "--from"]).failed(code);
        assert!(ended.stderr.contains(what), "{file}: {ended:?}");
        assert!(!machine.work().join(".go-version").exists());
    }
    let machine = Machine::new();
    machine.gvm(&["pin", "--from"]).failed(2).saying(&[".tool-versions", "go.mod"]);
    machine.gvm(&["pin", "--from", "absent"]).failed(2).saying(&["no file absent"]);
    machine.gvm(&["pin", "--from", "x", "1.22"]).failed(2);
    machine.repository("", &[(".tool-versions", "nodejs 20\n")]);
    machine.gvm(&["pin", "--from", ".tool-versions"]).failed(2).saying(&["does not say"]);
}
