//! What may be wrong on a machine: families of checks, each of which says what it has
//! found, why, and what repairs it.
//!
//! A family is a function from the [`Context`] to its findings, in a file of its own
//! and an entry of [`FAMILIES`]. It changes nothing. What `gvm doctor --fix` may do
//! about a finding goes with the finding.

mod build;
mod context;
mod integrity;
mod managers;
mod modules;
mod owner;
mod places;
mod rc;
mod report;
mod selected;
mod system;
mod variables;
mod which_go;

pub use build::of_pair;
pub use context::Context;
pub use report::{from_home, report};

use crate::error::Result;
use serde::Serialize;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How bad it is, in that order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// As it should be.
    Ok,
    /// Worth knowing; nothing has to be done.
    Note,
    /// Not as it should be: something may go wrong.
    Warning,
    /// Something cannot work as it is.
    Error,
}

impl Severity {
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What one check has found: a line of `gvm doctor`.
pub struct Finding {
    pub severity: Severity,
    /// What the line is about, in a word or two: `GOROOT`, `zsh, login`.
    pub subject: String,
    /// What there is and why that matters, in a clause. Paths in it are fit for a
    /// terminal, URLs without passwords.
    pub cause: String,
    pub fix: Option<Fix>,
}

/// What repairs it.
pub struct Fix {
    /// What a person would type, or do.
    pub command: String,
    /// How `--fix` does exactly that. `None` where a person has to decide.
    pub safe: Option<Repair>,
}

/// Does what the command beside it says, and writes nowhere else.
pub type Repair = Box<dyn Fn(&Context) -> Result<()> + Send>;

impl Finding {
    pub fn new(severity: Severity, subject: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { severity, subject: subject.into(), cause: cause.into(), fix: None }
    }

    pub fn ok(subject: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::new(Severity::Ok, subject, cause)
    }

    pub fn note(subject: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::new(Severity::Note, subject, cause)
    }

    pub fn warning(subject: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::new(Severity::Warning, subject, cause)
    }

    pub fn error(subject: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::new(Severity::Error, subject, cause)
    }

    /// With what a person would type, or do, about it.
    #[must_use]
    pub fn fix(mut self, command: impl Into<String>) -> Self {
        self.fix = Some(Fix { command: command.into(), safe: None });
        self
    }

    /// With a command that `--fix` may carry out: `repair` does just that. It takes
    /// nothing from anybody, and can be taken back.
    #[must_use]
    pub fn safe_fix(
        mut self,
        command: impl Into<String>,
        repair: impl Fn(&Context) -> Result<()> + Send + 'static,
    ) -> Self {
        self.fix = Some(Fix { command: command.into(), safe: Some(Box::new(repair)) });
        self
    }
}

/// Checks that belong together.
pub struct Family {
    /// By which it is asked for.
    pub name: &'static str,
    /// What it looks at, in a sentence.
    pub about: &'static str,
    /// Whether it runs only when it is named: it works for long.
    pub by_name: bool,
    /// How long it may take before it counts as hanging.
    pub limit: Duration,
    /// Looks, and says what it has found: at least one line, if all is well.
    pub check: fn(&Context) -> Vec<Finding>,
}

/// All families, in the order in which they are shown.
pub const FAMILIES: &[Family] = &[
    Family {
        name: "go",
        about: "every go on PATH and whose it is, which one wins in this shell, in a login shell \
                and in a script, and whether gvm's hook and shims are whole",
        by_name: false,
        limit: Duration::from_secs(45),
        check: which_go::check,
    },
    Family {
        name: "variables",
        about: "variables of the go command, who sets them, and what old tutorials advise: GOROOT, \
                GOPATH, GOBIN, GO111MODULE, GOFLAGS, GOTOOLCHAIN, GOEXPERIMENT, the caches",
        by_name: false,
        limit: Duration::from_secs(20),
        check: variables::check,
    },
    Family {
        name: "selected",
        about: "the version that the pin selects, and the one that the go command runs once \
                GOTOOLCHAIN, go.work and go.mod have had their say",
        by_name: false,
        limit: Duration::from_secs(10),
        check: selected::check,
    },
    Family {
        name: "integrity",
        about: "what is in the store: receipts, missing files, executables of another machine, \
                what was ended in the middle; gvm verify reads every byte",
        by_name: false,
        limit: Duration::from_secs(30),
        check: integrity::check,
    },
    Family {
        name: "system",
        about: "what the system gives: room for the store and for builds, mounts that let \
                programs run, the loader that each toolchain asks for, the clock",
        by_name: false,
        limit: Duration::from_secs(20),
        check: system::check,
    },
    Family {
        name: "modules",
        about: "where modules come from, and who says so: GOPROXY, GOSUMDB, GOPRIVATE and those \
                beside them, what contradicts what, and whether proxies and mirrors answer",
        by_name: false,
        limit: Duration::from_secs(60),
        check: modules::check,
    },
    Family {
        name: "managers",
        about: "other managers of Go: what they keep and where, and which lines of which files \
                let them into a shell",
        by_name: false,
        limit: Duration::from_secs(20),
        check: managers::check,
    },
    Family {
        name: "build",
        about: "a program, built by the go that runs here, and run; only when it is named",
        by_name: true,
        limit: Duration::from_secs(300),
        check: build::check,
    },
    Family {
        name: "cross",
        about: "programs for other platforms, or for those that are named behind it \
                (GOOS/GOARCH): without C, and with it where there is a compiler; only when it is \
                named",
        by_name: true,
        limit: Duration::from_secs(1800),
        check: build::cross,
    },
];

/// A family, and what it has found.
pub struct Checked {
    pub family: &'static Family,
    pub findings: Vec<Finding>,
}

impl Checked {
    /// That of the worst finding.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.findings.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Ok)
    }
}

/// What [`check`] tells while it works.
pub enum Progress<'a> {
    /// The families that have not answered yet.
    Waiting(Vec<&'static str>),
    /// The next one in order.
    Done(&'a Checked),
}

/// Checks families, all at once and each within its limit, and tells of each in their
/// order, as soon as it and those before it have come to their end.
pub fn check(
    context: &Arc<Context>,
    families: &[&'static Family],
    mut told: impl FnMut(Progress),
) -> Vec<Checked> {
    let start = Instant::now();
    let (report, reports) = mpsc::channel();
    for (number, family) in families.iter().copied().enumerate() {
        let (context, report) = (context.clone(), report.clone());
        // Not joined: a file system that does not answer holds whoever asks it for ever.
        thread::spawn(move || drop(report.send((number, (family.check)(&context)))));
    }
    drop(report);

    let mut found: Vec<Option<Vec<Finding>>> = families.iter().map(|_| None).collect();
    let mut all: Vec<Checked> = Vec::with_capacity(families.len());
    while all.len() < families.len() {
        let family = families[all.len()];
        if let Some(findings) = found[all.len()].take() {
            all.push(Checked { family, findings });
            told(Progress::Done(&all[all.len() - 1]));
            continue;
        }
        let is_open = |(at, _): &(usize, &&Family)| *at >= all.len() && found[*at].is_none();
        let open = families.iter().enumerate().filter(is_open).map(|(_, family)| family.name);
        told(Progress::Waiting(open.collect()));
        match reports.recv_timeout(family.limit.saturating_sub(start.elapsed())) {
            Ok((number, findings)) => found[number] = Some(findings),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                let limit = family.limit.as_secs();
                let late = format!("its checks did not come to an end within {limit} seconds");
                found[all.len()] = Some(vec![Finding::error(family.name, late)]);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    fn quick(_: &Context) -> Vec<Finding> {
        vec![Finding::note("it", "was looked at")]
    }

    fn hanging(_: &Context) -> Vec<Finding> {
        loop {
            thread::park();
        }
    }

    static FIRST: Family = Family {
        name: "first",
        about: "",
        by_name: false,
        limit: Duration::from_millis(300),
        check: hanging,
    };
    static SECOND: Family = Family {
        name: "second",
        about: "",
        by_name: false,
        limit: Duration::from_secs(60),
        check: quick,
    };

    #[test]
    fn a_family_that_hangs_is_left_behind_and_holds_up_no_other() {
        let place = tempfile::tempdir().unwrap();
        let context = Context::new(Store::at(place.path()), Ok(crate::config::Config::default()));
        let mut told = Vec::new();
        let checked = check(&Arc::new(context), &[&FIRST, &SECOND], |progress| match progress {
            Progress::Waiting(names) => told.push(names.join(" ")),
            Progress::Done(checked) => told.push(format!("{} done", checked.family.name)),
        });
        let severities: Vec<_> = checked.iter().map(Checked::severity).collect();
        assert_eq!(severities, [Severity::Error, Severity::Note]);
        assert!(checked[0].findings[0].cause.contains("did not come to an end"));
        // In their order, whichever ends first.
        assert_eq!(told.first().map(String::as_str), Some("first second"));
        assert_eq!(told[told.len() - 2..], ["first done", "second done"]);
    }
}
