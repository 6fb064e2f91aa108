//! Variables that somebody's files set, with file and line.

use crate::files;
use crate::setup::files::Places;
use std::path::{Path, PathBuf};

/// More than any file that a person has written.
const MAX_FILE: usize = 4 << 20;

/// A line that sets a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    pub file: PathBuf,
    /// Counted from 1.
    pub line: usize,
    /// As it is written there, without quotes around it.
    pub value: String,
}

/// Where these files set a variable. Files that cannot be read are passed over: they
/// are not read by the shell either.
pub fn assignments(files: &[PathBuf], name: &str) -> Vec<Assignment> {
    let mut found = Vec::new();
    for file in files {
        let Ok(Some(content)) = files::read(file, MAX_FILE) else { continue };
        let text = String::from_utf8_lossy(&content);
        found.extend(text.lines().zip(1..).filter_map(|(text, line)| {
            let value = assigned(text, name)?;
            Some(Assignment { file: file.clone(), line, value })
        }));
    }
    found
}

/// The files that shells and desktops read at their start: this person's, then the
/// system's.
pub fn files(places: &Places) -> Vec<PathBuf> {
    let mut files = places.all();
    let own = [
        ".zlogin",
        ".bash_aliases",
        ".xprofile",
        ".xsessionrc",
        ".pam_environment",
        ".cshrc",
        ".tcshrc",
        ".kshrc",
        ".mkshrc",
    ];
    files.extend(own.iter().map(|name| places.home.join(name)));
    if let Some(directory) = &places.zdotdir {
        files.push(directory.join(".zlogin"));
    }
    for name in ["fish/config.fish", "fish/fish_variables"] {
        files.push(places.config.join(name));
    }
    for (directory, suffix) in [
        (places.config.join("fish/conf.d"), "fish"),
        (places.config.join("powershell"), "ps1"),
        (places.config.join("environment.d"), "conf"),
        ("/etc/profile.d".into(), "sh"),
        ("/etc/fish/conf.d".into(), "fish"),
    ] {
        files.extend(in_directory(&directory, suffix));
    }
    let system = [
        "/etc/profile",
        "/etc/bash.bashrc",
        "/etc/bashrc",
        "/etc/environment",
        "/etc/zshenv",
        "/etc/zprofile",
        "/etc/zshrc",
        "/etc/zsh/zshenv",
        "/etc/zsh/zprofile",
        "/etc/zsh/zshrc",
        "/etc/fish/config.fish",
    ];
    files.extend(system.map(PathBuf::from));
    let mut once = Vec::new();
    for file in files {
        if !once.contains(&file) {
            once.push(file);
        }
    }
    once
}

fn in_directory(directory: &Path, suffix: &str) -> Vec<PathBuf> {
    let entries = fs_err::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|file| file.extension().is_some_and(|found| found == suffix))
        .collect();
    files.sort();
    files
}

/// What a line gives to a variable, in the syntax of sh and its relatives,
/// environment.d, fish, csh and PowerShell. An empty value is none.
fn assigned(line: &str, name: &str) -> Option<String> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let is_end = |c: char| c.is_whitespace() || matches!(c, ';' | '&');
    let value = of_sh(line, name).or_else(|| of_others(line, name))?.trim_start();
    let value = match value.chars().next()? {
        quote @ ('"' | '\'') => value[1..].split(quote).next()?,
        _ => value.split(is_end).next()?,
    };
    (!value.is_empty()).then(|| value.to_string())
}

/// `NAME=value`, at the beginning or behind another word.
fn of_sh<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let wanted = format!("{name}=");
    let mut places = line.match_indices(&wanted);
    let (at, _) = places.find(|(at, _)| {
        let before = &line[..*at];
        before.is_empty() || before.ends_with([' ', '\t', ';', '&'])
    })?;
    let before = line[..at].trim_end();
    let rest = &line[at + wanted.len()..];
    // Words in front of it that make it an argument: of echo, of an alias' text.
    let begins = before.is_empty() || before.ends_with([';', '&']);
    let is_set = ["export", "declare", "typeset", "local", "then", "do", "else", "{", "readonly"];
    let behind = before
        .split_whitespace()
        .all(|word| is_set.contains(&word) || word.starts_with('-') || word.contains('='));
    // For a space right behind it, the variable is empty, and a command follows.
    ((begins || behind) && !rest.starts_with(char::is_whitespace)).then_some(rest)
}

/// `set -gx NAME value` and `SETUVAR --export NAME:value` of fish, `setenv NAME value` of
/// csh and fish, `$env:NAME = value` of PowerShell.
fn of_others<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    if let Some(rest) = line.strip_prefix(&format!("SETUVAR --export {name}:")) {
        return Some(rest);
    }
    let lower = line.to_ascii_lowercase();
    let environment = format!("$env:{}", name.to_ascii_lowercase());
    if lower.starts_with(&environment) {
        let rest = line[environment.len()..].trim_start();
        return rest.strip_prefix('=');
    }
    let mut words = line.split_whitespace();
    let is_set = match words.next()? {
        "setenv" => line.split_whitespace().nth(1) == Some(name),
        "set" => {
            let mut words = words.skip_while(|word| word.starts_with('-'));
            words.next() == Some(name) && !line.contains(" -e ") && !line.contains(" --erase ")
        }
        _ => false,
    };
    if !is_set {
        return None;
    }
    let at = line.find(name)? + name.len();
    Some(&line[at..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_are_read_in_each_syntax() {
        for line in [
            "export GOROOT=/usr/local/go",
            "  GOROOT=/usr/local/go  # old",
            "export GOROOT=\"/usr/local/go\"",
            "export GOROOT='/usr/local/go'; export PATH=$GOROOT/bin:$PATH",
            "export A=1 GOROOT=/usr/local/go",
            "declare -x GOROOT=/usr/local/go",
            "A=1; GOROOT=/usr/local/go",
            "[ -d /usr/local/go ] && GOROOT=/usr/local/go",
            "set -gx GOROOT /usr/local/go",
            "set --global --export GOROOT /usr/local/go",
            "setenv GOROOT /usr/local/go",
            "$env:GOROOT = '/usr/local/go'",
            "$Env:GoRoot=\"/usr/local/go\"",
            "SETUVAR --export GOROOT:/usr/local/go",
        ] {
            assert_eq!(assigned(line, "GOROOT").as_deref(), Some("/usr/local/go"), "{line}");
        }
        for line in [
            "# export GOROOT=/usr/local/go",
            "export PATH=$GOROOT/bin:$PATH",
            "unset GOROOT",
            "export GVM_ACTIVE_GOROOT=/usr/local/go",
            "GOROOT= go build",
            "export GOROOT=",
            "set -e GOROOT",
            "echo GOROOT=/usr/local/go",
            "alias old='GOROOT=/usr/local/go go'",
            "if [ \"$GOROOT\" = /usr/local/go ]; then",
            "set -gx GOROOTS /usr/local/go",
            "$env:PATH = \"$env:GOROOT/bin\"",
        ] {
            assert_eq!(assigned(line, "GOROOT"), None, "{line}");
        }
    }
}
