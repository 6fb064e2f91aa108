//! What a bug report begins with: what was found, without what is nobody's business.

use super::{Checked, Context};
use crate::files;
use crate::layout;
use crate::process;
use crate::setup::shells;
use crate::ui::shown;
use std::env;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The report, as a block of Markdown that can be pasted into an issue. It says the
/// same wherever it is written: no colours, no breaks at the width of a terminal.
#[must_use]
pub fn report(context: &Context, checked: &[Checked]) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| text.push_str(&format!("{name:9}  {value}\n"));
    line("gvm", &format!("{} for {}", env!("CARGO_PKG_VERSION"), layout::HOST));
    line("system", &system());
    let shell = shells::running().map_or_else(|| "none".into(), |shell| shown(&shell));
    line("shell", &shell);
    let toolchains = context.store.toolchains().unwrap_or_default();
    let versions: Vec<_> = toolchains
        .iter()
        .map(|toolchain| match toolchain.platform.is_host() {
            true => toolchain.version.to_string(),
            false => format!("{} ({})", toolchain.version, toolchain.platform),
        })
        .collect();
    line("store", &format!("{}: {}", shown(&context.store.root()), versions.join(", ")));
    for Checked { family, findings } in checked {
        text.push_str(&format!("\n{}\n", family.name));
        for finding in findings {
            let (label, cause) = (finding.severity.label(), &finding.cause);
            text.push_str(&format!("  {label:7}  {}: {cause}\n", finding.subject));
        }
    }
    format!("```text\n{}```\n", Hidden::of_this_person(context.home()).without(&text))
}

/// Paths in this person's home as people write them: `~/go`.
#[must_use]
pub fn from_home(text: &str, home: Option<&Path>) -> String {
    let home = home.map(shown).filter(|home| home.len() > 1);
    home.map_or_else(|| text.into(), |home| replaced(text, &home, "~"))
}

/// What the operating system calls itself, and its kernel.
fn system() -> String {
    let release = files::read_text(Path::new("/etc/os-release"), 64 << 10).ok().flatten();
    let name = release.and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
        Some(line.trim_matches('"').to_string())
    });
    let uname = process::ask(Command::new("uname").arg("-srm"), Duration::from_secs(5));
    let kernel = uname.ok().map(|answer| answer.text());
    let known: Vec<_> = [name, kernel].into_iter().flatten().collect();
    if known.is_empty() { layout::HOST.os.to_string() } else { known.join(", ") }
}

/// What a report must not tell.
struct Hidden {
    /// Spellings of the home directory, the longest first.
    homes: Vec<String>,
    /// Names of the person.
    users: Vec<String>,
}

/// Where homes are, on the systems that gvm knows.
const ABOVE_HOMES: [&str; 5] = ["/home/", "/Users/", "/export/home/", "/usr/home/", "\\Users\\"];

/// What a home directory may be called without being anybody's name.
const NO_NAMES: [&str; 8] = ["root", "go", "home", "usr", "local", "bin", "share", "Shared"];

impl Hidden {
    fn of_this_person(home: Option<&Path>) -> Self {
        let real = home.and_then(|home| fs_err::canonicalize(home).ok());
        let homes = home.map(Path::to_path_buf).into_iter().chain(real);
        let mut homes: Vec<_> =
            homes.map(|home| shown(&home)).filter(|home| home.len() > 1).collect();
        homes.sort_by_key(|home| std::cmp::Reverse(home.len()));
        let named = ["USER", "LOGNAME", "USERNAME", "SUDO_USER"].map(|name| env::var(name).ok());
        let last = homes.iter().filter_map(|home| home.rsplit(['/', '\\']).next());
        let mut users: Vec<_> =
            named.into_iter().flatten().chain(last.map(str::to_string)).collect();
        users.retain(|user| user.len() > 1 && !NO_NAMES.contains(&user.as_str()));
        Self { homes, users }
    }

    fn without(&self, text: &str) -> String {
        let mut text = without_secrets(text);
        for home in &self.homes {
            text = replaced(&text, home, "~");
        }
        for above in ABOVE_HOMES {
            text = without_component_behind(&text, above);
        }
        for user in &self.users {
            text = replaced(&text, user, "USER");
        }
        text
    }
}

/// Whether a character can be part of a name, so that what ends there is not the whole.
fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

/// Puts something in the place of a word wherever that stands as a whole: not as a part
/// of a longer name.
fn replaced(text: &str, word: &str, by: &str) -> String {
    let mut new = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, after) = (&rest[..at], &rest[at + word.len()..]);
        let last = before.chars().next_back().or_else(|| new.chars().next_back());
        let begins_inside = last.is_some_and(is_name);
        // A full stop may end a sentence.
        let ends_inside = match after.strip_prefix('.') {
            Some(behind) => behind.starts_with(is_name),
            None => after.starts_with(is_name),
        };
        new.push_str(before);
        new.push_str(if begins_inside || ends_inside { word } else { by });
        rest = after;
    }
    new + rest
}

/// Other people's homes: the component behind these directories is a name.
fn without_component_behind(text: &str, above: &str) -> String {
    let mut parts = text.split(above);
    let mut new = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let end = part.find(|c: char| !is_name(c)).unwrap_or(part.len());
        new.push_str(above);
        let is_anybodys = end > 0 && !NO_NAMES.contains(&&part[..end]);
        new.push_str(if is_anybodys { "USER" } else { &part[..end] });
        new.push_str(&part[end..]);
    }
    new
}

/// Without what stands before `@` and behind `?` in URLs, long pieces of their paths,
/// values of variables whose names tell of secrets, and what looks like a token by its
/// beginning.
fn without_secrets(text: &str) -> String {
    let is_end =
        |c: char| c.is_whitespace() || matches!(c, ',' | '|' | '"' | '\'' | '(' | ')' | ';');
    let mut new = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c| !is_end(c)) {
        new.push_str(&rest[..at]);
        let end = rest[at..].find(is_end).map_or(rest.len(), |end| at + end);
        new.push_str(&word_without_secrets(&rest[at..end]));
        rest = &rest[end..];
    }
    new + rest
}

fn word_without_secrets(word: &str) -> String {
    const TOKENS: [&str; 9] =
        ["ghp_", "gho_", "ghs_", "ghu_", "github_pat_", "glpat-", "xox", "AKIA", "eyJ"];
    const NAMES: [&str; 6] = ["TOKEN", "SECRET", "PASSW", "CREDENTIAL", "APIKEY", "API_KEY"];
    if let Some((scheme, rest)) = word.split_once("://") {
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = authority.rsplit('@').next().unwrap_or_default();
        let path = path.split('/').map(|piece| match piece.len() >= 20 || has(piece, &TOKENS) {
            true => "…",
            false => piece,
        });
        return format!("{scheme}://{host}{}", path.collect::<Vec<_>>().join("/"));
    }
    if has(word, &TOKENS) {
        return "…".into();
    }
    match word.split_once('=') {
        Some((name, _)) if NAMES.iter().any(|known| name.to_uppercase().contains(known)) => {
            format!("{name}=…")
        }
        _ => word.into(),
    }
}

fn has(word: &str, beginnings: &[&str]) -> bool {
    word.len() >= 12 && beginnings.iter().any(|begin| word.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_secrets_are_hidden_and_all_else_stays() {
        let hidden = Hidden { homes: vec!["/home/ada".into()], users: vec!["ada".into()] };
        for (text, report) in [
            ("/home/ada/go/bin (GOPATH)", "~/go/bin (GOPATH)"),
            ("PATH=/home/ada/bin:/home/ada:/usr/bin", "PATH=~/bin:~:/usr/bin"),
            ("/home/ada.", "~."),
            ("/home/adam/go and /Users/bob/go", "/home/USER/go and /Users/USER/go"),
            ("/home/ada.old/x", "/home/USER/x"),
            ("/srv/ada/cache", "/srv/USER/cache"),
            ("/mnt/home/ada/x", "/mnt/home/USER/x"),
            ("a lambada-day", "a lambada-day"),
            ("https://ada:pass@proxy.example/go,direct", "https://proxy.example/go,direct"),
            ("https://x@h.example/?token=1", "https://h.example/"),
            ("https://h.example/0123456789abcdef0123/go", "https://h.example/…/go"),
            ("GITHUB_TOKEN=abc API_KEY=x GOFLAGS=-v", "GITHUB_TOKEN=… API_KEY=… GOFLAGS=-v"),
            ("said ghp_0123456789abcdef", "said …"),
            ("C:\\Users\\Ada\\go", "C:\\Users\\USER\\go"),
            ("go1.26.11 (linux-amd64)", "go1.26.11 (linux-amd64)"),
        ] {
            assert_eq!(hidden.without(text), report, "{text}");
        }
    }

    #[test]
    fn a_home_that_is_no_name_hides_no_word() {
        let hidden = Hidden::of_this_person(Some(Path::new("/root")));
        assert!(!hidden.users.contains(&"root".to_string()), "{:?}", hidden.users);
        assert_eq!(hidden.without("/root/go, root of it"), "~/go, root of it");
    }
}
