//! Others that keep toolchains of Go on this machine: where each of them does, which
//! lines of which files let a shell know, and how a directory says what it wants.
//!
//! The places are those of the managers' own sources and documentation. A variable by
//! which a manager can be moved counts as it does there.

pub mod mentions;
pub mod pins;

use crate::goenv;
use crate::host::Host;
use crate::layout::Layout;
use crate::store::Store;
use std::collections::HashSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Whoever keeps toolchains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Manager {
    Goenv,
    /// moovweb/gvm, which has our name.
    Moovweb,
    Asdf,
    Mise,
    /// voidint/g.
    G,
    Gobrew,
    /// golang.org/dl: `go1.22.4 download`.
    Sdk,
    /// What the go command has switched to by itself (GOTOOLCHAIN).
    ModuleCache,
    /// Where go.dev says to unpack the archive.
    UsrLocal,
    Homebrew,
    /// A package of the system.
    Distribution,
}

impl Manager {
    /// All of them; those whose toolchains are the official ones come first.
    pub const ALL: [Self; 11] = [
        Self::Goenv,
        Self::Moovweb,
        Self::Asdf,
        Self::Mise,
        Self::G,
        Self::Gobrew,
        Self::Sdk,
        Self::ModuleCache,
        Self::UsrLocal,
        Self::Homebrew,
        Self::Distribution,
    ];

    /// As it is typed.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Goenv => "goenv",
            Self::Moovweb => "moovweb",
            Self::Asdf => "asdf",
            Self::Mise => "mise",
            Self::G => "g",
            Self::Gobrew => "gobrew",
            Self::Sdk => "sdk",
            Self::ModuleCache => "module-cache",
            Self::UsrLocal => "usr-local",
            Self::Homebrew => "homebrew",
            Self::Distribution => "distribution",
        }
    }

    /// For people.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Goenv => "goenv",
            Self::Moovweb => "moovweb/gvm",
            Self::Asdf => "asdf",
            Self::Mise => "mise",
            Self::G => "voidint/g",
            Self::Gobrew => "gobrew",
            Self::Sdk => "golang.org/dl",
            Self::ModuleCache => "the module cache",
            Self::UsrLocal => "/usr/local/go",
            Self::Homebrew => "Homebrew",
            Self::Distribution => "a package of the system",
        }
    }

    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|manager| manager.name() == name)
    }

    /// Whether it builds Go by itself, so that no tree of its is the published one.
    #[must_use]
    pub fn builds(self) -> bool {
        matches!(self, Self::Homebrew | Self::Distribution)
    }

    /// Whether it takes part in which go runs: by a hook, by shims, or by lines in a
    /// shell's files.
    #[must_use]
    pub fn switches(self) -> bool {
        use Manager::{Asdf, G, Gobrew, Goenv, Mise, Moovweb};
        matches!(self, Goenv | Moovweb | Asdf | Mise | G | Gobrew)
    }

    /// Whether a toolchain of its can be deleted like any directory of the user's:
    /// nobody else keeps a list of what is installed.
    #[must_use]
    pub fn may_lose(self) -> bool {
        !self.builds() && self != Self::UsrLocal
    }
}

/// Where to look.
#[derive(Clone, Debug)]
pub struct Places {
    pub home: PathBuf,
    /// Where the system's directories begin: `/`.
    pub system: PathBuf,
    /// GOMODCACHE, as the go command has it.
    pub module_cache: Option<PathBuf>,
    /// Variables by which managers are moved, with absolute paths.
    pub variables: Vec<(&'static str, PathBuf)>,
}

const VARIABLES: [&str; 9] = [
    "ASDF_DATA_DIR",
    "GOBREW_ROOT",
    "GOENV_ROOT",
    "GVM_ROOT",
    "G_HOME",
    "HOMEBREW_CELLAR",
    "HOMEBREW_PREFIX",
    "MISE_DATA_DIR",
    "XDG_DATA_HOME",
];

impl Places {
    /// Those of this environment; `None` without a home directory.
    #[must_use]
    pub fn here(store: &Store) -> Option<Self> {
        let home = dirs::home_dir().filter(|home| home.is_absolute())?;
        let set = |name| {
            let value = std::env::var_os(name).map(PathBuf::from);
            value.filter(|value| value.is_absolute()).map(|value| (name, value))
        };
        Some(Self {
            system: PathBuf::from("/"),
            module_cache: goenv::gomodcache(store).unwrap_or_default(),
            variables: VARIABLES.into_iter().filter_map(set).collect(),
            home,
        })
    }

    fn variable(&self, name: &str) -> Option<&Path> {
        let found = self.variables.iter().find(|(variable, _)| *variable == name);
        found.map(|(_, value)| value.as_path())
    }

    /// Where a manager keeps what is its own, whether it is there or not.
    fn roots(&self, manager: Manager) -> Vec<PathBuf> {
        let of = |variable: &str, name: &str| {
            vec![self.variable(variable).map_or_else(|| self.home.join(name), Path::to_path_buf)]
        };
        match manager {
            Manager::Goenv => of("GOENV_ROOT", ".goenv"),
            Manager::Moovweb => {
                // Ours is called the same.
                let named = self.variable("GVM_ROOT").filter(|root| {
                    let root = root.as_os_str().as_encoded_bytes();
                    Layout::new(root.to_vec()).is_moovweb(&Host)
                });
                vec![named.map_or_else(|| self.home.join(".gvm"), Path::to_path_buf)]
            }
            Manager::Asdf => of("ASDF_DATA_DIR", ".asdf"),
            Manager::Mise => {
                let data = self.variable("XDG_DATA_HOME").map(Path::to_path_buf);
                let data = data.unwrap_or_else(|| self.home.join(".local/share"));
                let named = self.variable("MISE_DATA_DIR").map(Path::to_path_buf);
                vec![named.unwrap_or_else(|| data.join("mise"))]
            }
            Manager::G => of("G_HOME", ".g"),
            Manager::Gobrew => {
                vec![self.variable("GOBREW_ROOT").unwrap_or(&self.home).join(".gobrew")]
            }
            Manager::Sdk => vec![self.home.join("sdk")],
            Manager::ModuleCache => self.module_cache.clone().into_iter().collect(),
            Manager::UsrLocal => vec![self.system.join("usr/local/go")],
            Manager::Homebrew => {
                let cellar = self.variable("HOMEBREW_CELLAR").map(Path::to_path_buf);
                let prefix = self.variable("HOMEBREW_PREFIX").map(|at| at.join("Cellar"));
                let usual = ["opt/homebrew", "usr/local", "home/linuxbrew/.linuxbrew"];
                let usual = usual.map(|prefix| self.system.join(prefix).join("Cellar"));
                cellar.into_iter().chain(prefix).chain(usual).collect()
            }
            // Debian and Ubuntu, Alpine and Arch, Fedora; openSUSE; FreeBSD; snaps.
            Manager::Distribution => ["usr/lib", "usr/lib64/go", "usr/local", "snap/go"]
                .map(|directory| self.system.join(directory))
                .to_vec(),
        }
    }

    /// Directories that may be a GOROOT.
    fn candidates(&self, manager: Manager) -> Vec<PathBuf> {
        let roots = self.roots(manager);
        let below = |inner: &[&str]| -> Vec<PathBuf> {
            let places = roots.iter().flat_map(|root| inner.iter().map(|name| root.join(name)));
            places.flat_map(|place| children(&place, |_| true)).collect()
        };
        let named = |fits: &dyn Fn(&str) -> bool| -> Vec<PathBuf> {
            roots.iter().flat_map(|root| children(root, fits)).collect()
        };
        match manager {
            Manager::Goenv | Manager::G | Manager::Gobrew => below(&["versions"]),
            Manager::Moovweb => below(&["gos"]),
            Manager::Asdf => below(&["installs/golang", "installs/go"]),
            Manager::Mise => below(&["installs/go"]),
            Manager::Sdk => named(&|name| name.starts_with("go")),
            Manager::ModuleCache => {
                let modules = roots.iter().map(|root| root.join("golang.org"));
                let fits = |name: &str| name.starts_with("toolchain@v0.0.1-go");
                modules.flat_map(|modules| children(&modules, fits)).collect()
            }
            Manager::UsrLocal => roots,
            Manager::Homebrew => {
                let formulas = named(&|name| name == "go" || name.starts_with("go@"));
                let kegs = formulas.iter().flat_map(|formula| children(formula, |_| true));
                kegs.map(|keg| keg.join("libexec")).collect()
            }
            Manager::Distribution => named(&|name| {
                let rest = name.strip_prefix("go").map(|rest| rest.trim_start_matches('-'));
                let is_version = |text: &str| text.starts_with(|c: char| c.is_ascii_digit());
                name == "golang"
                    || rest.is_some_and(|rest| rest.is_empty() || is_version(rest))
                    || is_version(name)
            }),
        }
    }
}

/// Directories in a directory by their names, sorted; links among them are other
/// names for one of them (`latest`, `current`).
fn children(directory: &Path, fits: impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut names: Vec<OsString> = Vec::new();
    for entry in fs_err::read_dir(directory).into_iter().flatten().flatten() {
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_directory && entry.file_name().to_str().is_some_and(&fits) {
            names.push(entry.file_name());
        }
    }
    names.sort();
    names.into_iter().map(|name| directory.join(name)).collect()
}

/// A toolchain of somebody else's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// `None` for a directory that was named and that no manager keeps.
    pub manager: Option<Manager>,
    pub goroot: PathBuf,
}

/// All toolchains that these managers have, in their order, each once. What is in our
/// own store is none of theirs.
#[must_use]
pub fn find(places: &Places, managers: &[Manager], store: &Store) -> Vec<Found> {
    let own = fs_err::canonicalize(store.root()).ok();
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for &manager in managers {
        for directory in places.candidates(manager) {
            let Some(goroot) = goroot_in(&directory) else { continue };
            let Ok(real) = fs_err::canonicalize(&goroot) else { continue };
            let is_own = own.as_ref().is_some_and(|own| real.starts_with(own));
            if !is_own && seen.insert(real) {
                all.push(Found { manager: Some(manager), goroot });
            }
        }
    }
    all
}

/// The GOROOT that somebody means by a directory: itself, or `go` in it, where those
/// are that unpack an archive as it is.
#[must_use]
pub fn goroot_in(directory: &Path) -> Option<PathBuf> {
    let is_goroot = |at: &Path| at.join("VERSION").is_file() && at.join("bin").is_dir();
    [directory.join("go"), directory.to_path_buf()].into_iter().find(|at| is_goroot(at))
}

/// Whose a directory is, if one of the managers keeps it.
#[must_use]
pub fn keeper(places: &Places, goroot: &Path) -> Option<Manager> {
    let real = fs_err::canonicalize(goroot).ok()?;
    Manager::ALL.into_iter().find(|&manager| {
        let candidates = places.candidates(manager).into_iter();
        let mut roots = candidates.filter_map(|directory| goroot_in(&directory));
        roots.any(|root| fs_err::canonicalize(root).is_ok_and(|root| root == real))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_manager_is_looked_for_where_it_keeps_its_toolchains() {
        let directory = tempfile::tempdir().unwrap();
        let at = |path: &str| directory.path().join(path);
        let places = Places {
            home: at("home"),
            system: at("root"),
            module_cache: Some(at("home/go/pkg/mod")),
            variables: vec![("GOENV_ROOT", at("moved/goenv"))],
        };
        let expected = [
            (Manager::Goenv, "moved/goenv/versions/1.22.4"),
            (Manager::Moovweb, "home/.gvm/gos/go1.22.4"),
            (Manager::Asdf, "home/.asdf/installs/golang/1.22.4/go"),
            (Manager::Mise, "home/.local/share/mise/installs/go/1.22.4"),
            (Manager::G, "home/.g/versions/1.22.4"),
            (Manager::Gobrew, "home/.gobrew/versions/1.22.4/go"),
            (Manager::Sdk, "home/sdk/go1.22.4"),
            (
                Manager::ModuleCache,
                "home/go/pkg/mod/golang.org/toolchain@v0.0.1-go1.22.4.linux-amd64",
            ),
            (Manager::UsrLocal, "root/usr/local/go"),
            (Manager::Homebrew, "root/opt/homebrew/Cellar/go/1.22.4/libexec"),
            (Manager::Homebrew, "root/opt/homebrew/Cellar/go@1.21/1.21.9/libexec"),
            (Manager::Distribution, "root/usr/lib/go-1.22"),
            (Manager::Distribution, "root/usr/lib/golang"),
            (Manager::Distribution, "root/usr/lib64/go/1.22"),
            (Manager::Distribution, "root/usr/local/go122"),
        ];
        // Neither are these, nor what a link stands for a second time.
        let others = ["root/usr/lib/gold", "home/sdk/android", "home/.goenv/versions/1.22.4"];
        let goroots = expected.iter().map(|(_, goroot)| *goroot).chain(others);
        for goroot in goroots {
            fs_err::create_dir_all(at(goroot).join("bin")).unwrap();
            fs_err::write(at(goroot).join("VERSION"), "go1.22.4\n").unwrap();
        }
        #[cfg(unix)]
        fs_err::os::unix::fs::symlink(
            at("home/.local/share/mise/installs/go/1.22.4"),
            at("home/.local/share/mise/installs/go/latest"),
        )
        .unwrap();
        let store = Store::at(&at("store"));
        let found: Vec<_> = find(&places, &Manager::ALL, &store)
            .into_iter()
            .map(|found| (found.manager.unwrap(), found.goroot))
            .collect();
        assert_eq!(found, expected.map(|(manager, goroot)| (manager, at(goroot))));
        let goroot = at("home/.gobrew/versions/1.22.4/go");
        assert_eq!(keeper(&places, &goroot), Some(Manager::Gobrew));
        assert_eq!(keeper(&places, &at("home/sdk/android")), None);
        // A store that lies in one of these places is ours.
        let own = Store::at(&at("home/.g"));
        assert!(find(&places, &[Manager::G], &own).is_empty());
    }
}
