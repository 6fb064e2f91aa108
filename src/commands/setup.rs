use super::{Gvm, confirm, lossy, print, print_json};
use crate::error::{Code, Error, Result};
use crate::path::display;
use crate::setup::files::refuse_foreign_home;
use crate::setup::shells::{self, Used};
use crate::setup::text::Names;
use crate::setup::verify::{self, Answer, Go};
use crate::setup::{self, Action, Step};
use crate::shell::{self, Shell};
use crate::ui::{self, counted, shown, style};
use serde::Serialize;

/// Let your shells know of gvm: the hook, and the shims on PATH
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It finds the shells that you use (the one you log in with, the one that runs, those
whose files are there), shows the lines that it will add to which file, and asks
once. Then it starts each shell as login, interactive and script, and says which go
each one finds. Run again, it changes what has changed; gvm teardown takes out
exactly what was added.

Examples:
  gvm setup
  gvm setup --dry-run          what it would add
  gvm setup --yes              without asking
  gvm setup --shell zsh        for that shell alone

Fields of --json: files (file, target, read_by, action, lines) and shells (shell,
login, interactive, script: \"gvm\", the path of another go, or null).")]
pub struct Args {
    /// Set up this shell, whichever are in use; may be given again
    #[arg(long, value_name = "SHELL", value_parser = shell::parser())]
    shell: Vec<Shell>,

    /// Do not ask
    #[arg(long, short)]
    yes: bool,

    /// Only show what would be added
    #[arg(long, short = 'n', conflicts_with = "yes")]
    dry_run: bool,

    /// Do not start the shells afterwards
    #[arg(long)]
    no_verify: bool,

    /// For scripts
    #[arg(long)]
    json: bool,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    let places = shells::places()?;
    refuse_foreign_home(&places.home)?;
    let used = match args.shell.as_slice() {
        [] => shells::used(&places),
        named => Used { shells: named.to_vec(), sh: false, session: false },
    };
    if used.shells.is_empty() && !used.sh {
        return Err(Error::new(Code::Usage, "no shell of yours is one that gvm knows")
            .hint("to set one up: gvm setup --shell bash, or zsh, fish, powershell"));
    }
    let steps = setup::plan(used.targets(&places), &Names::of(&gvm.store)?)?;
    let todo = steps.iter().filter(|step| matches!(step.action, Action::Write(_))).count();
    if !args.json {
        print(&shown_steps(&steps))?;
    }
    if !args.dry_run {
        if let Some(refusal) = steps.iter().find_map(|step| match &step.action {
            Action::Refused(refusal) => Some(refusal.clone()),
            _ => None,
        }) {
            return Err(refusal
                .hint("to leave a shell out, name the others: gvm setup --shell bash")
                .hint("to see the lines, and add them yourself: gvm setup --dry-run"));
        }
        if todo > 0 {
            let question = format!("add these lines to {}?", counted(todo, "file"));
            confirm(&question, args.yes, "nothing was changed")?;
            apply(gvm, &steps)?;
        } else {
            gvm.store.refresh_shims(&gvm.ui)?;
            gvm.ui.say("nothing is to be added: all is set up");
        }
    }
    let answers = if args.dry_run || args.no_verify {
        Vec::new()
    } else {
        gvm.ui.say("starting each shell, to see which go it finds");
        verify::ask(&used.shells, used.sh, &places, gvm.store.layout())
    };
    if args.json {
        return print_json(&json(&steps, &answers));
    }
    if !answers.is_empty() {
        print(&table(&answers))?;
        told(gvm, &answers);
    }
    if todo > 0 && !args.dry_run {
        gvm.ui.say("open a new terminal to use it; to undo it: gvm teardown");
    }
    Ok(())
}

fn apply(gvm: &Gvm, steps: &[Step]) -> Result<()> {
    // What the lines name is there before they are.
    gvm.store.refresh_shims(&gvm.ui)?;
    for step in steps {
        if let Action::Write(content) = &step.action {
            step.found.replace(content)?;
            gvm.ui.say(format_args!("wrote {}", shown(&step.target.file)));
        }
    }
    Ok(())
}

/// What is going to happen, with the lines; once for files that get the same ones.
fn shown_steps(steps: &[Step]) -> String {
    let gets = |step: &Step| matches!(step.action, Action::Write(_) | Action::Refused(_));
    let shown = steps.iter().enumerate().map(|(at, step)| {
        let next = steps.get(at + 1).filter(|next| gets(next) && next.body == step.body);
        shown_step(step, gets(step) && next.is_none())
    });
    shown.collect()
}

/// A file, and its lines where they are not shown with the next one.
fn shown_step(step: &Step, with_lines: bool) -> String {
    let target = &step.target;
    let (strong, good) = (style::STRONG, style::GOOD);
    let mut text = format!("{strong}{}{strong:#}, read by {}", shown(&target.file), target.read_by);
    if step.found.file != target.file {
        text.push_str(&format!(", a link to {}", shown(&step.found.file)));
    }
    if let Some(line) = step.hook_line {
        text.push_str(&format!(" (its line {line} evaluates the hook too, and can go then)"));
    }
    let lines = |text: &mut String| {
        if !with_lines {
            return text.push_str(", and");
        }
        text.push(':');
        for line in step.body.strip_suffix(b"\n").unwrap_or(&step.body).split(|&b| b == b'\n') {
            text.push_str(&format!("\n  {good}+ {}{good:#}", display(line)));
        }
    };
    match &step.action {
        Action::Write(_) if step.found.content.is_none() => {
            text.push_str(", a new file");
            lines(&mut text);
        }
        Action::Write(_) => lines(&mut text),
        Action::Nothing => text.push_str(": the lines are there"),
        Action::Edited((first, last)) => text.push_str(&format!(
            ": lines {first} to {last} are gvm's, and edited; they stay as they are"
        )),
        Action::Refused(refusal) => {
            text.push_str(&format!("; it cannot be changed: {}", refusal.message()));
            lines(&mut text);
        }
    }
    text + "\n"
}

fn cell(go: &Go) -> String {
    match go {
        Go::Shim => "gvm".into(),
        Go::Other(other) => display(other).to_string(),
        Go::Nothing => "none".into(),
        Go::Silent => "no answer".into(),
    }
}

/// Which go each shell finds.
fn table(answers: &[Answer]) -> String {
    let mut rows = vec![["SHELL", "LOGIN", "INTERACTIVE", "SCRIPT"].map(String::from).to_vec()];
    for answer in answers {
        let interactive = answer.interactive.as_ref().map_or_else(String::new, cell);
        rows.push(vec![answer.name.into(), cell(&answer.login), interactive, cell(&answer.script)]);
    }
    ui::table(&rows)
}

/// What is not as it should be.
fn told(gvm: &Gvm, answers: &[Answer]) {
    for answer in answers {
        let interactive = answer.interactive.as_ref();
        let modes = [("login", Some(&answer.login)), ("interactive", interactive)];
        for (mode, go) in modes.into_iter().filter_map(|(mode, go)| Some((mode, go?))) {
            let name = answer.name;
            match go {
                Go::Shim => {}
                Go::Silent => gvm.ui.warn(format_args!(
                    "{name} did not tell within ten seconds which go it finds ({mode})"
                )),
                Go::Nothing => gvm.ui.warn(format_args!(
                    "{name} ({mode}) does not reach gvm's lines: look in its files for a return \
                     or exit above them, or for a line that sets PATH anew"
                )),
                Go::Other(other) => gvm.ui.warn(format_args!(
                    "{name} ({mode}) finds {} first: look in its files for a line below gvm's \
                     that puts it in front, or for a return above them",
                    display(other)
                )),
            }
        }
    }
}

#[derive(Serialize)]
struct Json {
    files: Vec<FileJson>,
    shells: Vec<AnswerJson>,
}

#[derive(Serialize)]
struct FileJson {
    file: String,
    /// Without links.
    target: String,
    read_by: &'static str,
    action: &'static str,
    lines: String,
}

#[derive(Serialize)]
struct AnswerJson {
    shell: &'static str,
    login: Option<String>,
    interactive: Option<String>,
    script: Option<String>,
}

fn json(steps: &[Step], answers: &[Answer]) -> Json {
    let go = |go: &Go| match go {
        Go::Shim | Go::Other(_) => Some(cell(go)),
        Go::Nothing | Go::Silent => None,
    };
    let files = steps.iter().map(|step| FileJson {
        file: step.target.file.to_string_lossy().into_owned(),
        target: step.found.file.to_string_lossy().into_owned(),
        read_by: step.target.read_by,
        action: match (&step.action, &step.found.content) {
            (Action::Write(_), None) => "create",
            (Action::Write(_), Some(_)) => "add",
            (Action::Nothing, _) => "none",
            (Action::Edited(_), _) => "left: edited",
            (Action::Refused(_), _) => "refused",
        },
        lines: lossy(&step.body),
    });
    let shells = answers.iter().map(|answer| AnswerJson {
        shell: answer.name,
        login: go(&answer.login),
        interactive: answer.interactive.as_ref().and_then(go),
        script: go(&answer.script),
    });
    Json { files: files.collect(), shells: shells.collect() }
}
