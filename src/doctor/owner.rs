//! Whose a go is, by the place where it lies.

use crate::path;
use crate::process;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A package database answers in a fraction of this.
const PATIENCE: Duration = Duration::from_secs(5);

/// Directories by which a manager's own go, or the shim that leads to it, is known, as
/// they stand in the manager's documentation.
const PLACES: [(&str, &str); 19] = [
    ("/.goenv/", "goenv"),
    ("/.gvm/", "moovweb/gvm"),
    ("/.asdf/", "asdf"),
    ("/mise/", "mise"),
    ("/.rtx/", "rtx"),
    ("/.g/", "voidint/g"),
    ("/.gobrew/", "gobrew"),
    ("/.gimme/", "gimme"),
    ("/.vfox/", "vfox"),
    ("/.proto/", "proto"),
    ("/Cellar/", "Homebrew"),
    ("/homebrew/", "Homebrew"),
    ("/.linuxbrew/", "Homebrew"),
    ("/snap/", "snap"),
    ("/nix/store/", "Nix"),
    ("/opt/local/", "MacPorts"),
    ("/scoop/", "Scoop"),
    ("/chocolatey/", "Chocolatey"),
    ("/pkg/mod/golang.org/toolchain@", "the go command's own switching, from the module cache"),
];

/// Whose it is, as the end of a sentence that begins with its path: `of mise`.
/// `None` where its place says nothing.
pub fn of(go: &Path, home: Option<&Path>) -> Option<String> {
    let real = fs_err::canonicalize(go).unwrap_or_else(|_| go.to_path_buf());
    // A shim that is a link to its manager tells by its own place alone.
    for file in [go, &real] {
        let text = file.to_string_lossy().replace('\\', "/");
        if let Some((_, owner)) = PLACES.iter().find(|(place, _)| text.contains(place)) {
            return Some(format!("of {owner}"));
        }
    }
    if home.is_some_and(|home| real.starts_with(home.join("sdk"))) {
        return Some("of golang.org/dl, which keeps its versions in ~/sdk".into());
    }
    if let Some(package) = package(&real) {
        return Some(format!("of the package {package}"));
    }
    let of_go_dev: &[&str] =
        if cfg!(windows) { &["C:\\Program Files\\Go", "C:\\Go"] } else { &["/usr/local/go"] };
    let by = if cfg!(target_os = "linux") { "an archive" } else { "an installer" };
    let is_its = of_go_dev.iter().any(|place| real.starts_with(place));
    is_its.then(|| format!("of {by} of go.dev's"))
}

/// The package that the file belongs to, asked of the system's database. None puts
/// files into `/usr/local` or a home directory.
fn package(file: &Path) -> Option<String> {
    let is_system = file.starts_with("/usr") && !file.starts_with("/usr/local");
    if !is_system || cfg!(not(target_os = "linux")) {
        return None;
    }
    let asked: [(&str, &[&str]); 4] =
        [("dpkg", &["-S"]), ("rpm", &["-qf"]), ("pacman", &["-Qqo"]), ("apk", &["info", "-qW"])];
    asked.into_iter().find_map(|(program, arguments)| {
        let program: PathBuf = which::which(program).ok()?;
        let answer =
            process::ask(Command::new(program).args(arguments).arg(file), PATIENCE).ok()?;
        let text = answer.text();
        // dpkg writes `golang-1.22-go: /usr/lib/go-1.22/bin/go`.
        let name = text.lines().next()?.split(": ").next()?;
        let is_name = answer.success && !name.is_empty() && !name.contains(' ');
        is_name.then(|| path::display(name.as_bytes()).to_string())
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_go_is_known_by_its_place() {
        let home = Path::new("/home/ada");
        for (file, owner) in [
            ("/home/ada/.goenv/shims/go", "of goenv"),
            ("/home/ada/.gvm/gos/go1.22/bin/go", "of moovweb/gvm"),
            ("/home/ada/.asdf/shims/go", "of asdf"),
            ("/home/ada/.local/share/mise/shims/go", "of mise"),
            ("/home/ada/.g/go/bin/go", "of voidint/g"),
            ("/opt/homebrew/bin/go", "of Homebrew"),
            ("/usr/local/Cellar/go/1.22.4/bin/go", "of Homebrew"),
            ("/snap/bin/go", "of snap"),
            (
                "/home/ada/sdk/go1.22.4/bin/go",
                "of golang.org/dl, which keeps its versions in ~/sdk",
            ),
        ] {
            assert_eq!(of(Path::new(file), Some(home)).as_deref(), Some(owner), "{file}");
        }
        assert_eq!(of(Path::new("/srv/tools/go"), Some(home)), None);
    }
}
