//! What the hooks cost, measured by the shells themselves: their clock around a loop of
//! what runs at a prompt, less an empty loop. And a real prompt, at a terminal.

use super::common::Machine;
use super::common::terminal::Shell;
use super::harness::{Comparison, Contender, Report, Role, Row, in_turns};
use super::peers::{self, Fnm, Mise};
use super::{REAL, rounds};
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const OTHER: &str = "1.22.4";
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// One whose hook is measured: the line that sets it up, and its environment.
struct Hooked<'a> {
    name: &'static str,
    role: Role,
    setup: Box<dyn Fn(Shell) -> String + 'a>,
    environment: Box<dyn Fn(&mut Command) + 'a>,
    /// What shows that the version has changed: a command, and what it prints then.
    proof: [&'static str; 2],
}

pub fn run(report: &mut Report) {
    let machine = Machine::new();
    for version in [REAL, OTHER] {
        machine.fake(version);
    }
    machine.refresh_shims();
    // Each directory says it to everybody, by the file that is that one's own.
    for (name, version, node) in [("one", REAL, "v20.0.0"), ("two", OTHER, "v22.0.0")] {
        let mise = format!("[tools]\ngo = \"{version}\"\n");
        let files = [(".go-version", version), ("mise.toml", &*mise), (".node-version", node)];
        machine.repository(name, &files);
        machine.repository(&format!("{name}/1/2/3/4/5/6"), &[]);
    }
    let module = "module m\n\ngo 1.22\n\nrequire (\n\texample.com/x v1.2.3\n)\n";
    // Where nothing is pinned, everything up to the root is looked at: this stands six
    // directories deep, as a person's repositories do, and not below target/.
    let shallow = tempfile::tempdir().unwrap();
    let [with_module, with_nothing] = ["module", "nothing"].map(|name| {
        let depth = shallow.path().components().count();
        let below = ["a", "b", "c", "d"][..6_usize.saturating_sub(depth)].join("/");
        let directory = shallow.path().join(name).join(below);
        fs::create_dir_all(&directory).unwrap();
        directory
    });
    fs::write(shallow.path().join("module/go.mod"), module).unwrap();

    let goroots = [REAL, OTHER].map(|version| machine.goroot(version));
    let mise = Mise::set_up(&machine, &[(REAL, &goroots[0]), (OTHER, &goroots[1])]);
    let fnm = Fnm::set_up(&machine, &["v20.0.0", "v22.0.0"]);
    let hooked = || {
        let mut all = vec![Hooked {
            name: "gvm",
            role: Role::Ours,
            setup: Box::new(|shell| shell.hook()),
            environment: Box::new(|_| {}),
            proof: ["go version", OTHER],
        }];
        if let Some(mise) = &mise {
            let program = mise.program.display().to_string();
            let trusted = machine.work();
            all.push(Hooked {
                name: "mise",
                role: Role::Peer,
                setup: Box::new(move |shell| {
                    evaluate(shell, &format!("'{program}' activate {}", shell.name()))
                }),
                environment: Box::new(move |command| {
                    mise.environment(command);
                    command.env("MISE_TRUSTED_CONFIG_PATHS", &trusted);
                }),
                proof: ["go version", OTHER],
            });
        }
        if let Some(fnm) = &fnm {
            let program = fnm.program.display().to_string();
            all.push(Hooked {
                name: "fnm",
                role: Role::Peer,
                setup: Box::new(move |shell| {
                    evaluate(
                        shell,
                        &format!("'{program}' env --use-on-cd --shell {}", shell.name()),
                    )
                }),
                environment: Box::new(|command| fnm.environment(command)),
                proof: ["node", "v22.0.0"],
            });
        }
        all
    };
    for (name, found) in [("mise", mise.is_some()), ("fnm", fnm.is_some())] {
        if !found {
            report.not_measured(peers::missing(name));
        }
    }

    let places = [
        (machine.work().join("one/1/2/3/4/5/6"), "a pin six levels up"),
        (with_module, "six directories deep with a go.mod, no pin"),
        (with_nothing, "six directories deep with nothing"),
    ];
    for shell in SHELLS {
        if peers::find(shell.name()).is_none() {
            report.not_measured(format!("hooks in {}", peers::missing(shell.name())));
            continue;
        }
        for (directory, what) in &places {
            let turn = |hooked: &Hooked| {
                let script = at_the_prompt(shell, &(hooked.setup)(shell), directory);
                by_its_clock(&machine, shell, &script, hooked).0
            };
            let is_first = *directory == places[0].0;
            let all = hooked();
            // fnm does nothing at a prompt, only on cd.
            let those =
                all.iter().filter(|one| one.role == Role::Ours || (is_first && one.name != "fnm"));
            let contenders = those.map(|one| Contender::new(one.role, one.name, || turn(one)));
            report.add(Row {
                part: "prompt",
                what: format!("{}: a prompt where nothing changed, {what}", shell.name()),
                comparison: Comparison::Plain,
                wanted: Some("at most 0.05 ms"),
                in_chart: is_first && shell == Shell::Bash,
                runs: in_turns(rounds(15), contenders.collect()),
            });
        }
        let all = hooked();
        let turn = |hooked: &Hooked| {
            let [one, two] = ["one", "two"].map(|name| machine.work().join(name));
            let script = on_a_change(shell, &(hooked.setup)(shell), &one, &two);
            let [command, version] = hooked.proof;
            let script = format!("{script}\n{command}");
            let (time, printed) = by_its_clock(&machine, shell, &script, hooked);
            assert!(printed.contains(version), "{}: {script}\n{printed}", hooked.name);
            // There and back.
            time / 2
        };
        let contenders =
            all.iter().map(|one| Contender::new(one.role, one.name, || turn(one))).collect();
        report.add(Row {
            part: "prompt",
            what: format!("{}: cd to another version and the prompt there", shell.name()),
            comparison: Comparison::Plain,
            wanted: (shell == Shell::Bash).then_some("at most 1.5 ms"),
            in_chart: shell == Shell::Bash,
            runs: in_turns(rounds(15), contenders),
        });
        let start = |setup: &str, hooked: Option<&Hooked>| {
            let mut command = shell_command(&machine, shell, &format!("{setup}\n"));
            // As deep as a home is: that is where shells start.
            command.current_dir(shallow.path());
            if let Some(hooked) = hooked {
                (hooked.environment)(&mut command);
            }
            command
        };
        let mut contenders =
            vec![Contender::command(Role::Floor, "without a hook", || start("", None))];
        for one in &all {
            contenders.push(Contender::command(one.role, one.name, || {
                start(&(one.setup)(shell), Some(one))
            }));
        }
        report.add(Row {
            part: "prompt",
            what: format!("{}: the hook at the start of the shell", shell.name()),
            comparison: Comparison::Added,
            wanted: Some("at most 2 ms"),
            in_chart: shell == Shell::Bash,
            runs: in_turns(rounds(60), contenders),
        });
        at_a_terminal(report, &machine, shell);
    }
}

fn evaluate(shell: Shell, command: &str) -> String {
    match shell {
        Shell::Fish => format!("{command} | source"),
        _ => format!("eval \"$({command})\""),
    }
}

/// The code that runs all that a prompt runs.
fn prompt_code(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => {
            "for prompt_code in \"${PROMPT_COMMAND[@]}\"; do eval \"$prompt_code\"; done"
        }
        Shell::Zsh => "for prompt_code in $precmd_functions; do $prompt_code; done",
        _ => "emit fish_prompt",
    }
}

/// The same for a prompt that runs nothing.
fn nothing(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => "for prompt_code in :; do eval \"$prompt_code\"; done",
        Shell::Zsh => "for prompt_code in :; do $prompt_code; done",
        _ => "emit nothing_that_is_listened_for",
    }
}

/// A loop of `code`, and an empty one, `times` each: prints nanoseconds for one.
fn clocked(shell: Shell, code: &str, empty: &str, times: usize) -> String {
    match shell {
        Shell::Bash => format!(
            "t0=${{EPOCHREALTIME/./}}; for ((i = 0; i < {times}; i++)); do {code}; done
t1=${{EPOCHREALTIME/./}}; for ((i = 0; i < {times}; i++)); do {empty}; done
t2=${{EPOCHREALTIME/./}}; echo \"result $(((2 * t1 - t0 - t2) * 1000 / {times}))\""
        ),
        Shell::Zsh => format!(
            "zmodload zsh/datetime
t0=$EPOCHREALTIME; for ((i = 0; i < {times}; i++)); do {code}; done
t1=$EPOCHREALTIME; for ((i = 0; i < {times}; i++)); do {empty}; done
t2=$EPOCHREALTIME; printf 'result %d\\n' $(((2 * t1 - t0 - t2) * 1e9 / {times}))"
        ),
        _ => format!(
            "set numbers (seq {times})
set t0 (date +%s%N); for i in $numbers; {code}; end
set t1 (date +%s%N); for i in $numbers; {empty}; end
set t2 (date +%s%N); printf 'result %.0f\\n' (math \"(2 * $t1 - $t0 - $t2) / {times}\")"
        ),
    }
}

fn at_the_prompt(shell: Shell, setup: &str, directory: &Path) -> String {
    let prompt = prompt_code(shell);
    let cd = shell.cd(directory);
    let code = clocked(shell, prompt, nothing(shell), 100);
    format!("{setup}\n{cd}\n{prompt}\n{prompt}\n{code}")
}

fn on_a_change(shell: Shell, setup: &str, one: &Path, two: &Path) -> String {
    let prompt = prompt_code(shell);
    let [one, two] = [one, two].map(|directory| shell.cd(directory));
    // fnm replaces cd by an alias.
    let aliases = if shell == Shell::Bash { "shopt -s expand_aliases\n" } else { "" };
    let both = format!("{one}; {prompt}; {two}; {prompt}");
    format!("{aliases}{setup}\n{both}\n{}", clocked(shell, &both, nothing(shell), 10))
}

/// The time that a script prints as its result, and all that it prints.
fn by_its_clock(
    machine: &Machine,
    shell: Shell,
    script: &str,
    hooked: &Hooked,
) -> (Duration, String) {
    let mut command = shell_command(machine, shell, script);
    (hooked.environment)(&mut command);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let result = text.lines().find_map(|line| line.strip_prefix("result "));
    let nanos: i64 = result
        .and_then(|result| result.trim().parse().ok())
        .unwrap_or_else(|| panic!("{}: {script}\n{output:?}", hooked.name));
    (Duration::from_nanos(nanos.max(0) as u64), text.into_owned())
}

/// A shell without anybody's rc files that runs this.
fn shell_command(machine: &Machine, shell: Shell, script: &str) -> Command {
    let mut command = machine.command(shell.name());
    command.args(match shell {
        Shell::Bash => &["--noprofile", "--norc"][..],
        Shell::Zsh => &["-f"],
        _ => &["--no-config"],
    });
    command.arg("-c").arg(script);
    command
}

/// The time from the Enter key to the next prompt, with the hook and without.
fn at_a_terminal(report: &mut Report, machine: &Machine, shell: Shell) {
    let directory = machine.work().join("one/1/2/3/4/5/6");
    let mut with = Prompt::start(machine, shell, &shell.hook(), &directory);
    let mut without = Prompt::start(machine, shell, "", &directory);
    let contenders = vec![
        Contender::new(Role::Floor, "without a hook", || without.enter()),
        Contender::new(Role::Ours, "gvm", || with.enter()),
    ];
    report.add(Row {
        part: "prompt",
        what: format!("{}: Enter at a terminal, a pin six levels up", shell.name()),
        comparison: Comparison::Added,
        wanted: None,
        in_chart: false,
        runs: in_turns(rounds(200), contenders),
    });
}

/// A shell at a terminal of its own.
struct Prompt {
    reader: Box<dyn Read + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn portable_pty::Child + Send + Sync>,
    _master: Box<dyn portable_pty::MasterPty + Send>,
}

impl Prompt {
    fn start(machine: &Machine, shell: Shell, setup: &str, directory: &Path) -> Self {
        let rc = machine.path().join("bench-rc");
        let prompt = match shell {
            Shell::Fish => "function fish_prompt; printf 'READY'; end; set -g fish_greeting",
            _ => "PS1=READY",
        };
        fs::write(&rc, format!("{prompt}\n{setup}\n{}\n", shell.cd(directory))).unwrap();
        let size = PtySize { rows: 50, cols: 200, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(shell.name());
        match shell {
            Shell::Bash => command.args(["--noprofile", "--rcfile", rc.to_str().unwrap(), "-i"]),
            Shell::Zsh => {
                let home = machine.path().join("zdotdir");
                fs::create_dir_all(&home).unwrap();
                fs::copy(&rc, home.join(".zshrc")).unwrap();
                command.env("ZDOTDIR", home);
                command.args(["-d", "-i", "+Z"]);
            }
            _ => command.args(["--no-config", "-i", "-C", &format!("source {}", rc.display())]),
        }
        command.env_clear();
        for (name, value) in machine.command("true").get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        if shell == Shell::Zsh {
            command.env("ZDOTDIR", machine.path().join("zdotdir"));
        }
        command.env("TERM", "dumb");
        command.cwd(directory);
        let child = pair.slave.spawn_command(command).unwrap();
        let mut prompt = Self {
            reader: pair.master.try_clone_reader().unwrap(),
            writer: pair.master.take_writer().unwrap(),
            child,
            _master: pair.master,
        };
        prompt.until_ready();
        // Whatever a first prompt and a first key set up is behind us then.
        for _ in 0..5 {
            prompt.enter();
        }
        prompt
    }

    fn enter(&mut self) -> Duration {
        let start = Instant::now();
        self.writer.write_all(b"\n").unwrap();
        self.until_ready();
        start.elapsed()
    }

    fn until_ready(&mut self) {
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        while !seen.windows(5).any(|window| window == b"READY") {
            let length = self.reader.read(&mut buffer).unwrap();
            assert!(length > 0, "the shell ended: {}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&buffer[..length]);
        }
    }
}

impl Drop for Prompt {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
