//! `gvm man`: the command line as man pages.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

mod common;

use common::Machine;
use common::published::names_in;
use std::fs;

#[test]
fn each_command_has_a_page_and_hidden_ones_have_none() {
    let machine = Machine::new();
    let told = machine.gvm(&["man", "man/man1"]).succeeded();
    let directory = machine.work().join("man/man1");
    let help = machine.gvm(&["--help"]).succeeded().stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<_> = commands
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty() && *name != "help")
        .collect();
    assert!(commands.len() > 20, "{help}");
    let pages = names_in(&directory);
    assert!(told.stderr.contains(&format!("wrote {} pages", pages.len())), "{told:?}");
    for command in &commands {
        assert!(pages.contains(&format!("gvm-{command}.1")), "{command}: {pages:?}");
    }
    assert!(!pages.iter().any(|page| page.contains("shim")), "{pages:?}");
    for page in &pages {
        let text = fs::read_to_string(directory.join(page)).unwrap();
        assert!(text.contains(".SH OPTIONS") && text.contains(".SH SYNOPSIS"), "{page}");
        // roff reads other characters as Latin-1.
        assert!(text.is_ascii(), "{page}: {:?}", text.chars().find(|c| !c.is_ascii()));
    }
    // A page is in the words of the help.
    let page = fs::read_to_string(directory.join("gvm-upgrade.1")).unwrap();
    assert!(page.contains("Only say what would be done"));
}
