use super::{Gvm, print, print_json};
use crate::doctor::{self, Checked, Context, FAMILIES, Family, Finding, Progress, Severity};
use crate::error::{Code, Error, Result};
use crate::platform::Platform;
use crate::ui::{self, counted, style};
use anstyle::Style;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use serde::Serialize;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use unicode_width::UnicodeWidthStr;

/// Say what is wrong on this machine, why, and what repairs it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each family of checks looks at one thing; gvm doctor --list tells which. Without a
name, all of them run but those that work for long (build, cross), and only what is
worth knowing is shown; with names, or with --verbose, all that was looked at. Nothing
is changed without --fix, and with it only what is marked so.

Examples:
  gvm doctor
  gvm doctor go variables      two families, every line
  gvm doctor cross linux/arm64 windows/amd64
  gvm doctor --fix             repair what can be repaired safely, then look again
  gvm doctor --report          what an issue about gvm begins with
  gvm doctor --json | jq -r '.families[].findings[] | select(.severity == \"error\") | .cause'

Fields of --json: severity (ok, note, warning, error), families (name, severity,
findings: severity, subject, cause, fix {command, safe} or null), applied (command,
error or null).

Exit code 0 when there is nothing above a note, 8 with warnings, 9 with errors.")]
pub struct Args {
    /// Families of checks; without one, all but those that say so. Behind cross, what
    /// to build for: GOOS/GOARCH
    #[arg(value_name = "FAMILY", conflicts_with = "list", value_parser = Names)]
    names: Vec<Name>,

    /// Apply the fixes that are safe, each shown before it is applied
    #[arg(long, conflicts_with = "list")]
    fix: bool,

    /// Say what each family looks at, and check nothing
    #[arg(long)]
    list: bool,

    /// Show what is as it should be, too
    #[arg(long, short)]
    verbose: bool,

    /// Write the beginning of a bug report: every line, without secrets or names
    #[arg(long, conflicts_with_all = ["list", "fix", "json"])]
    report: bool,

    /// For scripts
    #[arg(long)]
    json: bool,
}

/// The family that builds for other platforms.
const CROSS: &str = "cross";

/// What stands on the command line.
#[derive(Clone, Debug)]
enum Name {
    Family(&'static str),
    Target(Platform),
}

impl Name {
    fn is(&self, family: &Family) -> bool {
        matches!(self, Self::Family(name) if *name == family.name)
    }

    fn target(&self) -> Option<&Platform> {
        match self {
            Self::Family(_) => None,
            Self::Target(target) => Some(target),
        }
    }
}

/// Families by their names, which are offered, and platforms.
#[derive(Clone)]
struct Names;

impl TypedValueParser for Names {
    type Value = Name;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Name, clap::Error> {
        if let Some(target) = value.to_str().and_then(doctor::of_pair) {
            return Ok(Name::Target(target));
        }
        let families = FAMILIES.iter().map(|family| family.name);
        let name = PossibleValuesParser::new(families).parse_ref(command, argument, value)?;
        let family = FAMILIES.iter().find(|family| family.name == name);
        let family = family.ok_or_else(|| clap::Error::new(ErrorKind::InvalidValue))?;
        Ok(Name::Family(family.name))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(FAMILIES.iter().map(|family| PossibleValue::new(family.name))))
    }
}

#[derive(Serialize)]
struct Json<'a> {
    severity: Severity,
    families: Vec<FamilyJson<'a>>,
    applied: &'a [Applied],
}

#[derive(Serialize)]
struct FamilyJson<'a> {
    name: &'a str,
    severity: Severity,
    findings: Vec<FindingJson<'a>>,
}

#[derive(Serialize)]
struct FindingJson<'a> {
    severity: Severity,
    subject: &'a str,
    cause: &'a str,
    fix: Option<FixJson<'a>>,
}

#[derive(Serialize)]
struct FixJson<'a> {
    command: &'a str,
    safe: bool,
}

/// A fix that was tried.
#[derive(Serialize)]
struct Applied {
    command: String,
    error: Option<String>,
}

#[derive(Serialize)]
struct ListedJson {
    name: &'static str,
    about: &'static str,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<ExitCode> {
    if args.list {
        return list(args.json).map(|()| ExitCode::SUCCESS);
    }
    let is_named = |family: &Family| args.names.iter().any(|name| name.is(family));
    let targets: Vec<_> = args.names.iter().filter_map(Name::target).cloned().collect();
    let is_cross = |name: &Name| matches!(name, Name::Family(CROSS));
    if !targets.is_empty() && !args.names.iter().any(is_cross) {
        let message = format!("GOOS/GOARCH is for the family {CROSS}, which is not named");
        return Err(Error::new(Code::Usage, message)
            .hint(format!("to build for it: gvm doctor {CROSS} GOOS/GOARCH")));
    }
    // In their own order, each once.
    let families: Vec<&'static Family> = match args.names.is_empty() {
        true => FAMILIES.iter().filter(|family| !family.by_name).collect(),
        false => FAMILIES.iter().filter(|family| is_named(family)).collect(),
    };
    let all_lines = args.verbose || !args.names.is_empty();
    let mut applied = Vec::new();
    if args.fix {
        let context = context(gvm, &targets);
        applied = apply(gvm, &context, &checked(gvm, &context, &families, |_| Ok(()))?);
    }
    // Anew: what was found out before is no longer so.
    let context = context(gvm, &targets);
    let checked = checked(gvm, &context, &families, |checked| match args.json || args.report {
        true => Ok(()),
        false => print(&block(checked, all_lines, context.home())),
    })?;
    let worst = checked.iter().map(Checked::severity).max().unwrap_or(Severity::Ok);
    if args.report {
        print(&doctor::report(&context, &checked))?;
    } else if args.json {
        print_json(&json(worst, &checked, &applied))?;
    } else {
        told(gvm, &checked, args.fix.then_some(&applied));
    }
    Ok(match worst {
        Severity::Ok | Severity::Note => ExitCode::SUCCESS,
        Severity::Warning => ExitCode::from(Code::Warnings as u8),
        Severity::Error => ExitCode::from(Code::Errors as u8),
    })
}

fn context(gvm: &Gvm, targets: &[Platform]) -> Arc<Context> {
    let mut context = Context::new(gvm.store.clone(), gvm.config());
    context.targets = targets.to_vec();
    Arc::new(context)
}

/// What the families find now.
fn checked(
    gvm: &Gvm,
    context: &Arc<Context>,
    families: &[&'static Family],
    mut done: impl FnMut(&Checked) -> Result<()>,
) -> Result<Vec<Checked>> {
    let waiting = gvm.ui.waiting("checking");
    let mut printed = Ok(());
    let checked = doctor::check(context, families, |progress| match progress {
        Progress::Waiting(names) => waiting.now(format!("checking {}", names.join(", "))),
        Progress::Done(checked) => {
            if printed.is_ok() {
                printed = waiting.aside(|| done(checked));
            }
        }
    });
    printed.map(|()| checked)
}

/// Applies what is safe, each command once.
fn apply(gvm: &Gvm, context: &Context, checked: &[Checked]) -> Vec<Applied> {
    let mut known = BTreeSet::new();
    let mut applied = Vec::new();
    for fix in checked.iter().flat_map(|c| &c.findings).filter_map(|f| f.fix.as_ref()) {
        let Some(repair) = fix.safe.as_ref().filter(|_| known.insert(&fix.command)) else {
            continue;
        };
        gvm.ui.say(format_args!("applying: {}", fix.command));
        let error = repair(context).err();
        if let Some(error) = &error {
            gvm.ui.warn(error);
        }
        let error = error.map(|error| error.message().to_string());
        applied.push(Applied { command: fix.command.clone(), error });
    }
    applied
}

/// What there is, in a line behind all others.
fn told(gvm: &Gvm, checked: &[Checked], applied: Option<&Vec<Applied>>) {
    let findings = || checked.iter().flat_map(|checked| &checked.findings);
    if let Some(applied) = applied {
        let done = applied.iter().filter(|applied| applied.error.is_none()).count();
        gvm.ui.say(match done {
            0 => "there was nothing that could be fixed safely".to_string(),
            _ => format!("did {}, and looked again", counted(done, "repair")),
        });
    }
    let counts = [Severity::Error, Severity::Warning, Severity::Note].map(|severity| {
        (severity, findings().filter(|finding| finding.severity == severity).count())
    });
    let total: Vec<_> = counts
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(severity, count)| counted(count, severity.label()))
        .collect();
    if total.is_empty() {
        gvm.ui.say(format_args!("nothing is wrong ({})", counted(findings().count(), "check")));
        return;
    }
    let is_safe = |finding: &&Finding| finding.fix.as_ref().is_some_and(|fix| fix.safe.is_some());
    let safe = findings().filter(is_safe).count();
    let rest = match safe {
        _ if applied.is_some() => String::new(),
        0 => String::new(),
        safe => format!("; gvm doctor --fix repairs {safe} of them"),
    };
    gvm.ui.say(format_args!("{}{rest}", total.join(", ")));
}

/// A family: a line, and below it what was found.
fn block(checked: &Checked, all_lines: bool, home: Option<&Path>) -> String {
    let shown = |finding: &&Finding| all_lines || finding.severity > Severity::Ok;
    let findings: Vec<&Finding> = checked.findings.iter().filter(shown).collect();
    let strong = style::STRONG;
    let name = checked.family.name;
    if findings.is_empty() {
        let (mark, label) = (mark(Severity::Ok), Severity::Ok.label());
        return format!("{strong}{name}{strong:#}: {mark}{label}{mark:#}\n");
    }
    let subject = findings.iter().map(|finding| finding.subject.width()).max().unwrap_or(0);
    let lines = findings.iter().map(|finding| lines(finding, subject.min(MAX_SUBJECT), home));
    format!("{strong}{name}{strong:#}:\n{}", lines.collect::<String>())
}

/// What a subject may take before its cause goes on out of line.
const MAX_SUBJECT: usize = 24;
/// The longest label.
const LABEL: usize = 7;

fn lines(finding: &Finding, subject: usize, home: Option<&Path>) -> String {
    let (mark, label) = (mark(finding.severity), finding.severity.label());
    let indent = 2 + LABEL + 2 + subject + 2;
    // Behind a long one, the cause begins on a line of its own.
    let gap = match subject.checked_sub(finding.subject.width()) {
        Some(pad) => " ".repeat(pad + 2),
        None => format!("\n{}", " ".repeat(indent)),
    };
    // Narrower than this, a line of it holds no word.
    let width = ui::columns().filter(|width| *width >= indent + 20);
    let cause = ui::wrapped(&doctor::from_home(&finding.cause, home), indent, width);
    let mut text = format!("  {mark}{label:LABEL$}{mark:#}  {}{gap}{cause}\n", finding.subject);
    if let Some(fix) = &finding.fix {
        // Neither broken nor shortened: it is there to be copied.
        let how = if fix.safe.is_some() { "fix (--fix does it)" } else { "fix" };
        let (dim, good) = (style::DIM, style::GOOD);
        let pad = " ".repeat(indent);
        text.push_str(&format!("{pad}{dim}{how}:{dim:#} {good}{}{good:#}\n", fix.command));
    }
    text
}

fn mark(severity: Severity) -> Style {
    match severity {
        Severity::Ok => style::GOOD,
        Severity::Note => style::STRONG,
        Severity::Warning => style::WARNING,
        Severity::Error => style::ERROR,
    }
}

fn json<'a>(severity: Severity, checked: &'a [Checked], applied: &'a [Applied]) -> Json<'a> {
    let families = checked.iter().map(|checked| FamilyJson {
        name: checked.family.name,
        severity: checked.severity(),
        findings: checked.findings.iter().map(finding_json).collect(),
    });
    Json { severity, families: families.collect(), applied }
}

fn finding_json(finding: &Finding) -> FindingJson<'_> {
    let fix = finding.fix.as_ref();
    FindingJson {
        severity: finding.severity,
        subject: &finding.subject,
        cause: &finding.cause,
        fix: fix.map(|fix| FixJson { command: &fix.command, safe: fix.safe.is_some() }),
    }
}

fn list(json: bool) -> Result<()> {
    if json {
        let listed = FAMILIES.iter().map(|Family { name, about, .. }| ListedJson { name, about });
        return print_json(&listed.collect::<Vec<_>>());
    }
    let indent = FAMILIES.iter().map(|family| family.name.len()).max().unwrap_or(0) + 2;
    let strong = style::STRONG;
    let lines = FAMILIES.iter().map(|family| {
        let (name, about) = (family.name, ui::wrapped(family.about, indent, ui::columns()));
        let pad = " ".repeat(indent - name.len());
        format!("{strong}{name}{strong:#}{pad}{about}\n")
    });
    print(&lines.collect::<String>())
}
