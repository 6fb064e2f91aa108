//! Other managers of Go: what they keep, and which lines let them into a shell.

use super::{Context, Finding, Severity, rc, which_go};
use crate::managers::mentions::{self, Does, Mention};
use crate::managers::{self, Found, Manager, Places};
use crate::setup::shells;
use crate::ui::{counted, shown};
use crate::version::Version;

pub(super) fn check(context: &Context) -> Vec<Finding> {
    let Some(places) = Places::here(&context.store) else {
        return vec![Finding::note("managers", "HOME is not set, so there is nowhere to look")];
    };
    // All at once: who is asked first names a tree that two of them would.
    let found = managers::find(&places, &Manager::ALL, &context.store);
    let ours = context.store.versions_here().unwrap_or_default();
    let mut findings = Vec::new();
    for manager in Manager::ALL {
        let of: Vec<_> = found.iter().filter(|found| found.manager == Some(manager)).collect();
        if !of.is_empty() {
            findings.push(kept(manager, &of, &ours));
        }
    }
    let files = shells::places().map(|places| rc::files(&places)).unwrap_or_default();
    findings.extend(mentions::mentions(&places, &files).iter().map(mention));
    if findings.is_empty() {
        findings.push(Finding::ok("managers", "nobody but gvm manages Go on this machine"));
    }
    findings
}

/// What a manager keeps.
fn kept(manager: Manager, found: &[&Found], ours: &[Version]) -> Finding {
    let goroot = &found[0].goroot;
    let directory = shown(goroot.parent().unwrap_or(goroot));
    let version = |found: &&Found| Version::parse_toolchain(&which_go::version_in(&found.goroot)?);
    let versions: Vec<_> = found.iter().filter_map(version).collect();
    let has_new = versions.iter().any(|version| !ours.contains(version));
    let names: Vec<_> = versions.iter().map(ToString::to_string).collect();
    let keeps = format!("keeps {}, in {directory}", counted(found.len(), "toolchain"));
    let keeps = if names.is_empty() { keeps } else { format!("{keeps}: {}", names.join(", ")) };
    if manager.builds() {
        return Finding::ok(
            manager.label(),
            format!("{keeps}; it is built there, so nothing can prove it"),
        );
    }
    if !has_new {
        return Finding::ok(manager.label(), format!("{keeps}; gvm has the same"));
    }
    let import = format!("gvm import --from {}", manager.name());
    if !manager.switches() {
        // In nobody's way.
        return Finding::ok(manager.label(), format!("{keeps}; to take it over: {import}"));
    }
    Finding::note(manager.label(), keeps)
        .fix(format!("to take them over without a download: {import}"))
}

/// A line that lets a manager in. Behind gvm's own block it comes before gvm on PATH.
fn mention(mention: &Mention) -> Finding {
    let Mention { manager, file, line, does, behind_ours, text } = mention;
    let place = format!("{}:{line}", shown(file));
    let (severity, so) = match does {
        Does::Goroot => (Severity::Warning, "sets GOROOT, which breaks every other version of go"),
        _ if *manager == Manager::Moovweb => {
            (Severity::Warning, "defines a command gvm of its own, and whichever comes last is run")
        }
        _ if *behind_ours => {
            (Severity::Warning, "comes behind gvm's block, so that its go comes first on PATH")
        }
        _ => (Severity::Note, "comes before gvm's, which goes to the front"),
    };
    Finding::new(severity, manager.label(), format!("{place} `{text}` {so}"))
        .fix(format!("once nothing needs it, take out line {line} of {}", shown(file)))
}
