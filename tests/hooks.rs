//! The hooks, in the shells themselves, at a prompt.

#![allow(clippy::disallowed_methods, reason = "a test that fails shows its line")]

mod common;

use common::terminal::{Shell, Terminal, shells};
use common::{GVM, Machine};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const OLD: &str = "1.21.0";
const NEW: &str = "1.22.4";

fn version(version: &str) -> String {
    let platform = gvm::platform::Platform::host().to_string().replace('-', "/");
    format!("go version go{version} {platform}")
}

/// A machine with two fake versions, a system's go, and a repository for each.
fn machine() -> Machine {
    let machine = Machine::new();
    machine.fake(OLD);
    machine.fake(NEW);
    machine.system_go("1.19.5");
    machine.refresh_shims();
    machine.repository("old", &[(".go-version", OLD), ("sub/deep/file", "")]);
    machine.repository("new", &[(".go-version", "1.22\n")]);
    machine.repository("plain", &[("sub/file", "")]);
    machine
}

/// Runs a test in each shell, on a machine of its own.
fn in_each_shell(test: impl Fn(Shell, &Machine)) {
    for shell in shells() {
        eprintln!("in {}", shell.name());
        test(shell, &machine());
    }
}

#[test]
fn entering_and_leaving_set_and_restore_goroot_and_path_together() {
    in_each_shell(|shell, machine| {
        let own = shell.export("GOROOT", "/the/user's own".replace('\'', "").as_str());
        let mut terminal = Terminal::start(machine, shell, &own, "");
        let outside = terminal.variable("PATH");
        let bin = |of: &str| format!("{}/bin", machine.goroot(of).display());
        assert!(outside.starts_with(&machine.shims().display().to_string()), "{outside}");
        assert!(!outside.contains("toolchains"), "{outside}");
        terminal.expect("go version", &version("1.19.5"));
        terminal.expect_variable("GOROOT", "/the/users own");

        for (directory, of) in [("old", OLD), ("new", NEW), ("old/sub/deep", OLD)] {
            terminal.run(&shell.cd(&machine.work().join(directory)));
            terminal.expect("go version", &version(of));
            terminal.expect_variable("GOROOT", machine.goroot(of).to_str().unwrap());
            let path = terminal.variable("PATH");
            let ours: Vec<_> =
                path.split(':').filter(|entry| entry.contains("toolchains")).collect();
            assert_eq!(ours, [bin(of)], "{shell:?}: {path}");
        }

        terminal.run(&shell.cd(&machine.work().join("plain")));
        terminal.expect("go version", &version("1.19.5"));
        terminal.expect_variable("GOROOT", "/the/users own");
        terminal.expect_variable("PATH", &outside);
    });
}

#[test]
fn a_pin_that_is_edited_checked_out_or_deleted_is_noticed_at_the_next_prompt() {
    in_each_shell(|shell, machine| {
        let mut terminal = Terminal::start(machine, shell, "", "");
        let directory = machine.repository("changing", &[("go.mod", "module m\n")]);
        terminal.run(&shell.cd(&directory));
        let expect = |terminal: &mut Terminal, goroot: &str| {
            // The file changed behind the shell's back; a prompt goes by.
            terminal.run("");
            terminal.expect_variable("GOROOT", goroot);
        };
        let of = |version: &str| machine.goroot(version).display().to_string();
        expect(&mut terminal, "unset");
        fs::write(directory.join(".go-version"), OLD).unwrap();
        expect(&mut terminal, &of(OLD));
        fs::write(directory.join(".go-version"), format!("v{NEW}\r\n")).unwrap();
        expect(&mut terminal, &of(NEW));
        fs::remove_file(directory.join(".go-version")).unwrap();
        expect(&mut terminal, "unset");
        fs::write(machine.work().join(".tool-versions"), format!("golang {OLD}\n")).unwrap();
        expect(&mut terminal, &of(OLD));
        fs::remove_file(machine.work().join(".tool-versions")).unwrap();
        fs::write(directory.join("go.mod"), format!("module m\n\ngo {OLD}\n")).unwrap();
        expect(&mut terminal, &of(NEW));
        // The default, set in another shell, is new enough for that go.mod.
        machine.gvm(&["default", OLD]).succeeded();
        expect(&mut terminal, &of(OLD));
        machine.gvm(&["default", "--unset"]).succeeded();
        expect(&mut terminal, &of(NEW));
    });
}

#[test]
fn every_way_to_change_the_directory_counts() {
    in_each_shell(|shell, machine| {
        let mut terminal = Terminal::start(machine, shell, "", "");
        let old = machine.work().join("old").display().to_string();
        let new = machine.work().join("new").display().to_string();
        let function = match shell {
            Shell::Bash | Shell::Zsh => format!("z() {{ cd '{new}'; }}"),
            Shell::Fish => format!("function z; cd '{new}'; end"),
            Shell::Powershell => format!("function z {{ Set-Location '{new}' }}"),
        };
        terminal.run(&format!("pushd '{old}'"));
        terminal.expect("go version", &version(OLD));
        terminal.run(&function);
        terminal.run("z");
        terminal.expect("go version", &version(NEW));
        terminal.expect_variable("GOROOT", machine.goroot(NEW).to_str().unwrap());
        terminal.run("popd");
        terminal.expect_variable("GOROOT", "unset");
        if shell == Shell::Zsh {
            terminal.run("setopt autocd");
            terminal.run(&old);
            terminal.expect_variable("GOROOT", machine.goroot(OLD).to_str().unwrap());
        }
        // A script that changes its directory has no hook, and the right go.
        terminal.run(&shell.cd(Path::new(&old)));
        terminal.expect(&format!("sh -c 'cd \"{new}\" && go version'"), &version(NEW));
        // Nothing redefined cd.
        let kind = match shell {
            Shell::Bash | Shell::Zsh => Some("type cd"),
            Shell::Fish | Shell::Powershell => None,
        };
        if let Some(kind) = kind {
            assert!(terminal.run(kind).contains("builtin"), "{shell:?}");
        }
    });
}

#[test]
fn a_missing_version_and_a_malformed_pin_are_hinted_once_and_nothing_else_runs() {
    in_each_shell(|shell, machine| {
        machine.repository("missing", &[(".go-version", "1.23.9"), ("sub/file", "")]);
        machine.repository("malformed", &[(".go-version", "../../evil")]);
        let mut terminal = Terminal::start(machine, shell, "", "");
        terminal.run(&shell.cd(&machine.work().join("old")));
        let shown = terminal.run(&shell.cd(&machine.work().join("missing")));
        assert!(shown.contains("gvm install 1.23.9"), "{shell:?}: {shown}");
        assert!(shown.contains("missing/.go-version:1"), "{shell:?}: {shown}");
        terminal.expect("", "");
        terminal.expect(&shell.cd(&machine.work().join("missing/sub")), "");
        terminal.expect_variable("GOROOT", "unset");
        let refused = terminal.run("go version");
        assert!(refused.contains("gvm install 1.23.9"), "{shell:?}: {refused}");
        assert!(!refused.contains("go version go"), "{shell:?}: {refused}");

        let shown = terminal.run(&shell.cd(&machine.work().join("malformed")));
        assert!(shown.contains("malformed/.go-version:1"), "{shell:?}: {shown}");
        terminal.expect("", "");
        terminal.expect_variable("GOROOT", "unset");
    });
}

#[test]
fn gvm_use_acts_on_this_shell() {
    in_each_shell(|shell, machine| {
        let mut terminal = Terminal::start(machine, shell, "", "");
        terminal.run(&shell.cd(&machine.work().join("new")));
        terminal.run("gvm use 1.21");
        terminal.expect("go version", &version(OLD));
        terminal.expect_variable("GVM_VERSION", OLD);
        terminal.expect_variable("GOROOT", machine.goroot(OLD).to_str().unwrap());
        let refused = terminal.run("gvm use 1.50");
        assert!(refused.contains("gvm install 1.50"), "{shell:?}: {refused}");
        terminal.expect("go version", &version(OLD));
        let help = terminal.run("gvm use --help");
        assert!(help.contains("Examples:"), "{shell:?}: {help}");
        terminal.expect("go version", &version(OLD));
        terminal.run("gvm use system");
        terminal.expect("go version", &version("1.19.5"));
        terminal.expect_variable("GOROOT", "unset");
        terminal.run("gvm use");
        terminal.expect("go version", &version(NEW));
        terminal.expect_variable("GVM_VERSION", "unset");
        // Everything else passes through.
        let listed = terminal.run("gvm root 1.21");
        assert_eq!(listed, machine.goroot(OLD).display().to_string(), "{shell:?}");
    });
}

#[test]
fn hostile_names_are_data() {
    in_each_shell(|shell, machine| {
        let pwned = machine.path().join("pwned");
        let mut names = vec![
            "with space".to_string(),
            "it's \"quoted\"".into(),
            format!("$(touch {})", pwned.display()).replace('/', "_"),
            "`touch pwned`".into(),
            "; touch pwned ;".into(),
            "-dash *[a]?".into(),
        ];
        if shell != Shell::Powershell {
            names.push("back\\slash".into());
        }
        let mut terminal = Terminal::start(machine, shell, "", "");
        for name in &names {
            let directory = machine.repository(name, &[(".go-version", OLD)]);
            terminal.run(&shell.cd(&directory));
            terminal.expect_variable("GOROOT", machine.goroot(OLD).to_str().unwrap());
            terminal.run(&shell.cd(&machine.work()));
            terminal.expect_variable("GOROOT", "unset");
        }
        for directory in [machine.work(), machine.home(), machine.path()] {
            assert!(!directory.join("pwned").exists(), "{shell:?}");
        }
    });
}

#[test]
fn a_store_whose_path_is_hostile_is_data_too() {
    for shell in shells() {
        let machine = Machine::new();
        let root = machine.path().join("it's a \"store\" $(touch pwned) é");
        let own = shell.export("GVM_ROOT", "PLACE");
        // Written into the rc file by a program, in the shell's own quoting.
        let quoted = match shell {
            Shell::Powershell => root.display().to_string().replace('\'', "''"),
            Shell::Fish => root.display().to_string().replace('\'', "\\'"),
            _ => root.display().to_string().replace('\'', r"'\''"),
        };
        let goroot =
            root.join("toolchains").join(format!("{OLD}-{}", gvm::platform::Platform::host()));
        fs::create_dir_all(goroot.join("go/bin")).unwrap();
        common::write_script(&goroot.join("go/bin/go"), "echo it runs");
        machine.repository("old", &[(".go-version", OLD)]);
        let mut terminal = Terminal::start(&machine, shell, &own.replace("PLACE", &quoted), "");
        terminal.run(&shell.cd(&machine.work().join("old")));
        terminal.expect_variable("GOROOT", goroot.join("go").to_str().unwrap());
        terminal.expect("go version", "it runs");
        assert!(!machine.work().join("pwned").exists());
        assert!(!machine.work().join("old/pwned").exists());
    }
}

#[test]
fn names_with_newlines_and_bytes_that_are_no_text_are_data() {
    use std::os::unix::ffi::OsStrExt;
    let machine = machine();
    let name = std::ffi::OsStr::from_bytes(b"new\nline \xff\xfe $(touch pwned)");
    let directory = machine.work().join(name);
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(".go-version"), OLD).unwrap();
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let mut terminal = Terminal::start(&machine, shell, "", "");
        terminal.run("cd new*line*");
        terminal.expect_variable("GOROOT", machine.goroot(OLD).to_str().unwrap());
        terminal.expect("go version", &version(OLD));
        terminal.run("cd ..");
        terminal.expect_variable("GOROOT", "unset");
        assert!(!directory.join("pwned").exists());
    }
}

#[test]
fn what_the_user_had_in_the_prompt_is_kept() {
    for (shell, before, probe) in [
        (Shell::Bash, "PROMPT_COMMAND='seen=$?'", "echo $seen"),
        (Shell::Bash, "PROMPT_COMMAND=('seen=$?' 'other=1')", "echo $seen"),
        (Shell::Zsh, "precmd() { seen=$? }", "echo $seen"),
        (
            Shell::Fish,
            "function keep --on-event fish_prompt; set -g seen $status; end",
            "echo $seen",
        ),
        (Shell::Powershell, "function prompt { $global:seen = $?; 'READY> ' }", "$seen"),
    ] {
        if !shells().contains(&shell) {
            continue;
        }
        let machine = machine();
        let mut terminal = Terminal::start(&machine, shell, before, "");
        let (fail, failed) = match shell {
            Shell::Powershell => ("Get-Item /nonexistent -ErrorAction SilentlyContinue", "False"),
            _ => ("sh -c 'exit 7'", "7"),
        };
        terminal.run(fail);
        terminal.expect(probe, failed);
        // And the status itself, with a change of version in between.
        if shell != Shell::Powershell {
            let status = if shell == Shell::Fish { "echo $status" } else { "echo $?" };
            terminal.run(&format!("{}; sh -c 'exit 9'", shell.cd(&machine.work().join("old"))));
            terminal.expect(status, "9");
        } else {
            terminal.run("sh -c 'exit 9'");
            terminal.run(&shell.cd(&machine.work().join("old")));
            terminal.expect("$LASTEXITCODE", "9");
        }
        terminal.expect("go version", &version(OLD));
    }
}

#[test]
fn strict_shells_go_on() {
    for (shell, strict) in [
        (
            Shell::Bash,
            "set -eu -o pipefail; shopt -s failglob nocasematch; IFS=/; set -o noclobber",
        ),
        (
            Shell::Zsh,
            "setopt err_exit no_unset ksh_arrays sh_word_split null_glob warn_create_global no_clobber",
        ),
        (Shell::Powershell, "Set-StrictMode -Version Latest; $ErrorActionPreference = 'Stop'"),
    ] {
        if !shells().contains(&shell) {
            continue;
        }
        let machine = machine();
        for (before, after) in [(strict, ""), ("", strict)] {
            let mut terminal = Terminal::start(&machine, shell, before, after);
            terminal.run(&shell.cd(&machine.work().join("old")));
            terminal.expect("go version", &version(OLD));
            terminal.run(&shell.cd(&machine.work().join("plain")));
            terminal.expect("go version", &version("1.19.5"));
            terminal.expect_variable("GOROOT", "unset");
        }
    }
}

#[test]
fn being_set_up_twice_and_nested_shells_change_nothing() {
    in_each_shell(|shell, machine| {
        let mut terminal = Terminal::start(machine, shell, &shell.hook(), "");
        let outside = terminal.variable("PATH");
        let shims = machine.shims().display().to_string();
        assert_eq!(outside.matches(&shims).count(), 1, "{shell:?}: {outside}");
        terminal.run(&shell.cd(&machine.work().join("old")));
        let inside = terminal.variable("PATH");
        // A shell in the shell has the hook from the same file.
        match shell {
            Shell::Zsh => terminal.run("zsh -i +Z"),
            Shell::Powershell => {
                let pwsh = common::terminal::powershell().unwrap();
                terminal.run(&format!("& '{}' -NoLogo", pwsh.display()))
            }
            _ => terminal.run(&format!("{} -i", shell.name())),
        };
        terminal.expect("go version", &version(OLD));
        terminal.expect_variable("PATH", &inside);
        terminal.run(&shell.cd(&machine.work().join("new")));
        terminal.expect("go version", &version(NEW));
        terminal.run("exit");
        terminal.expect_variable("PATH", &inside);
        terminal.run(&shell.cd(&machine.work()));
        terminal.expect_variable("PATH", &outside);
        terminal.expect_variable("GOROOT", "unset");
    });
}

#[test]
fn path_edits_made_meanwhile_are_kept() {
    in_each_shell(|shell, machine| {
        let mut terminal = Terminal::start(machine, shell, "", "");
        terminal.run(&shell.cd(&machine.work().join("old")));
        let path = terminal.variable("PATH");
        terminal.run(&shell.export("PATH", &format!("/added/first:{path}:/added/last")));
        terminal.expect("go version", &version(OLD));
        terminal.run(&shell.cd(&machine.work()));
        let path = terminal.variable("PATH");
        assert!(path.starts_with("/added/first:") && path.ends_with(":/added/last"), "{path}");
        assert!(!path.contains("toolchains"), "{path}");

        // Another go in front is the user's wish; it must not get our GOROOT.
        let rival = machine.path().join("rival");
        fs::create_dir_all(&rival).unwrap();
        common::write_script(&rival.join("go"), "echo rival with ${GOROOT-no GOROOT}");
        terminal.run(&shell.cd(&machine.work().join("old")));
        let before = terminal.variable("PATH");
        terminal.run(&shell.export("PATH", &format!("{}:{before}", rival.display())));
        terminal.expect("go version", "rival with no GOROOT");
        let after = terminal.variable("PATH");
        terminal.run(
            &shell.export("PATH", after.strip_prefix(&format!("{}:", rival.display())).unwrap()),
        );
        terminal.expect("go version", &version(OLD));
        terminal.expect_variable("GOROOT", machine.goroot(OLD).to_str().unwrap());
    });
}

/// The processes of a traced shell: how many were forked, with or without a program
/// in them, and the programs that were started, by their last path component.
fn processes(trace: &Path) -> (usize, Vec<String>) {
    let log = fs::read_to_string(trace).unwrap();
    // The line that tells the result, once for each call; threads are no processes.
    let forks = log.lines().filter(|line| {
        ["clone", "fork"].iter().any(|call| line.contains(call))
            && line
                .rsplit("= ")
                .next()
                .is_some_and(|id| id.trim().parse().is_ok_and(|id: u32| id > 0))
            && !line.contains("CLONE_THREAD")
    });
    let programs = log.lines().filter(|line| line.contains("execve(\"") && !line.contains("= -1"));
    let name = |line: &str| line.split('"').nth(1).unwrap().rsplit('/').next().unwrap().to_string();
    (forks.count(), programs.map(name).collect())
}

#[test]
fn nothing_is_started_where_nothing_changed() {
    for shell in shells() {
        let machine = machine();
        machine
            .repository("modules", &[("go.mod", "module m\n\ngo 1.21\n"), ("sub/deep/file", "")]);
        let trace = machine.path().join("trace");
        let rc = format!("{}\n{}", shell.prompt_setup(), shell.hook());
        let mut terminal = Terminal::start_with(&machine, shell, &rc, Some(&trace));
        // fish's own, for its completions; PowerShell starts threads by the same call.
        let own = |name: &String| matches!(name.as_str(), "man" | "manpath");
        let started = || -> Vec<String> {
            processes(&trace)
                .1
                .into_iter()
                .filter(|name| shell != Shell::Fish || !own(name))
                .collect()
        };
        let counts_forks = matches!(shell, Shell::Bash | Shell::Zsh);
        let forked = || if counts_forks { processes(&trace).0 } else { 0 };
        let gvms = || started().iter().filter(|name| name.starts_with("gvm")).count();
        assert_eq!(gvms(), 1, "{shell:?}: only the one `gvm hook` at the start: {:?}", started());
        if counts_forks {
            assert_eq!(forked(), 1, "{shell:?}: one process at the start: {:?}", started());
        }

        let quiet = |terminal: &mut Terminal, line: &str| {
            let before = (forked(), started().len());
            terminal.run(line);
            terminal.run("");
            let after = (forked(), started().len());
            let new = &started()[before.1..];
            assert_eq!(after, before, "{shell:?}: {line:?} started {new:?}");
        };
        let changes = |terminal: &mut Terminal, line: &str| {
            let before = (forked(), gvms());
            terminal.run(line);
            terminal.run("");
            let after = (before.0 + usize::from(counts_forks), before.1 + 1);
            assert_eq!((forked(), gvms()), after, "{shell:?}: {line:?}: one gvm and no more");
        };
        let to = |name: &str| shell.cd(&machine.work().join(name));
        quiet(&mut terminal, "");
        quiet(&mut terminal, &to("plain"));
        quiet(&mut terminal, &to("plain/sub"));
        changes(&mut terminal, &to("old"));
        quiet(&mut terminal, "");
        quiet(&mut terminal, &to("old/sub/deep"));
        quiet(&mut terminal, &to("old"));
        changes(&mut terminal, &to("new"));
        changes(&mut terminal, &to("plain"));
        changes(&mut terminal, &to("modules"));
        quiet(&mut terminal, &to("modules/sub"));
        quiet(&mut terminal, &to("modules/sub/deep"));
        // What a go.mod requires changes all the time.
        let requires = "module m\n\ngo 1.21\n\nrequire example.com/x v1.0.0\n";
        fs::write(machine.work().join("modules/go.mod"), requires).unwrap();
        quiet(&mut terminal, "");
        fs::write(machine.work().join("modules/go.mod"), requires.replace("v1.0.0", "v1.0.1"))
            .unwrap();
        quiet(&mut terminal, "");
        let path = format!("/x:{}:/usr/bin:/bin", machine.shims().display());
        quiet(&mut terminal, &shell.export("PATH", &path));
    }
}

/// The shim's executable answers hooks, because it starts sooner than gvm. Whichever of
/// the two is asked, the shell gets the same bytes.
#[test]
fn the_quick_answer_is_gvms_own() {
    let machine = machine();
    machine.repository("malformed", &[(".go-version", "1.22.4 nonsense\n")]);
    machine.repository("lost", &[(".go-version", "1.19.13\n")]);
    machine.repository("it's \u{e9}\n", &[(".go-version", "1.22.4\n")]);
    machine.repository("modules", &[("go.mod", "module m\n\ngo 1.21\n")]);
    let shim = Path::new(GVM).with_file_name("gvm-shim");
    let shims = machine.shims().display().to_string();
    let rival = machine.path().join("rival");
    fs::create_dir(&rival).unwrap();
    fs::copy("/bin/true", rival.join("go")).unwrap();
    let goroot = machine.goroot(OLD).display().to_string();
    let behind = format!("/usr/bin:{shims}:/bin");
    let before = format!("{}:{shims}:/usr/bin:/bin", rival.display());
    let environments: &[&[(&str, &str)]] = &[
        &[],
        &[("PATH", &behind)],
        &[("PATH", &before)],
        &[("PATH", "/a b:/it's:/\u{e9}\u{1f4a1}:/x\ny:\\")],
        &[("GOROOT", "/user's"), ("PATH", &behind)],
        &[("GOROOT", &goroot), ("GVM_ACTIVE_GOROOT", &goroot), ("GVM_SAVED_GOROOT", "/own")],
        &[("GVM_VERSION", "1.22")],
        &[("GVM_VERSION", "1.18")],
        &[("GVM_VERSION", "system")],
        &[("GVM_VERSION", "\u{1b}[2J")],
        &[("GVM_ROOT", "")],
        &[("GVM_ROOT", ""), ("XDG_DATA_HOME", "/nowhere")],
    ];
    let mut hints = 0;
    for directory in ["old", "plain", "malformed", "lost", "it's \u{e9}\n", "modules"] {
        for environment in environments {
            for shell in ["bash", "zsh", "fish", "powershell"] {
                let answer = |program: &Path, hinted: &str| {
                    let mut command = machine.command(program);
                    command.args(["hook", shell, "--refresh", "--hinted", hinted]);
                    command.current_dir(machine.work().join(directory));
                    let output = command.envs(environment.iter().copied()).output().unwrap();
                    assert!(output.status.success(), "{directory} {environment:?}: {output:?}");
                    (output.stdout, output.stderr)
                };
                let gvm = answer(Path::new(GVM), "");
                assert_eq!(answer(&shim, ""), gvm, "{directory} {environment:?} {shell}");
                let hint = String::from_utf8(gvm.1).unwrap();
                if let Some(hint) = hint.strip_prefix("gvm: ") {
                    let again = answer(&shim, hint.trim_end_matches('\n'));
                    assert_eq!(again.1, b"", "{hint:?} is said once");
                    assert_eq!(again.0, gvm.0);
                    hints += 1;
                }
            }
        }
    }
    assert!(hints > 40, "{hints} hints");
}

/// Where the shim's executable cannot answer, or is gone, gvm is asked.
#[test]
fn what_the_quick_one_cannot_answer_gvm_is_asked() {
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let machine = machine();
        let directory = machine.path().join("programs");
        fs::create_dir(&directory).unwrap();
        for name in ["gvm", "gvm-shim"] {
            fs::hard_link(Path::new(GVM).with_file_name(name), directory.join(name)).unwrap();
        }
        let gvm = directory.join("gvm").display().to_string();
        let setup = match shell {
            Shell::Fish => format!("'{gvm}' hook fish | source"),
            _ => format!("eval \"$('{gvm}' hook {})\"", shell.name()),
        };
        let rc = format!("{}\n{setup}", shell.prompt_setup());
        let mut terminal = Terminal::start_with(&machine, shell, &rc, None);
        let mut goes_to = |name: &str, version: &str| {
            terminal.run(&shell.cd(&machine.work().join(name)));
            terminal.expect_variable("GOROOT", &machine.goroot(version).display().to_string());
        };
        goes_to("old", OLD);
        let shim = directory.join("gvm-shim");
        let script = directory.join("script");
        fs::write(&script, "#!/bin/sh\nexit 126\n").unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(&script, &shim).unwrap();
        goes_to("new", NEW);
        fs::remove_file(&shim).unwrap();
        goes_to("old", OLD);
    }
}

#[test]
fn no_way_to_change_a_file_goes_unnoticed() {
    in_each_shell(|shell, machine| {
        let directory = machine.repository("here/below", &[]);
        let above = machine.work().join("here");
        let mut terminal = Terminal::start(machine, shell, "", "");
        terminal.run(&shell.cd(&directory));
        let mut expect = |goroot: &str| {
            // The file changed behind the shell's back; a prompt goes by.
            terminal.run("");
            terminal.expect_variable("GOROOT", goroot);
        };
        let of = |version: &str| machine.goroot(version).display().to_string();
        let pin = above.join(".go-version");
        let spare = above.join("spare");
        expect("unset");
        fs::write(&pin, "1.21.0\n").unwrap();
        expect(&of(OLD));
        // Of the same length, in the same instant, with the same time.
        let written = fs::metadata(&pin).unwrap().modified().unwrap();
        fs::write(&pin, "1.22.4\n").unwrap();
        fs::File::options().write(true).open(&pin).unwrap().set_modified(written).unwrap();
        expect(&of(NEW));
        // An older file in its place.
        fs::write(&spare, "1.21.0\n").unwrap();
        let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        fs::File::options().write(true).open(&spare).unwrap().set_modified(long_ago).unwrap();
        fs::rename(&spare, &pin).unwrap();
        expect(&of(OLD));
        // A nearer one, by another name, and gone again.
        fs::write(directory.join(".tool-versions"), "nodejs 20\ngolang 1.22.4\n").unwrap();
        expect(&of(NEW));
        fs::write(directory.join(".tool-versions"), "nodejs 20\n").unwrap();
        expect(&of(OLD));
        fs::remove_file(&pin).unwrap();
        expect("unset");
        // The go.mod that is nearest, its toolchain line, and a go.work over it.
        fs::write(above.join("go.mod"), "module m\ngo 1.20\n\nrequire x.org/x v1.0.0\n").unwrap();
        expect(&of(NEW));
        machine.gvm(&["default", OLD]).succeeded();
        expect(&of(OLD));
        let newer = "module m\ngo 1.20\n\ntoolchain go1.22.1\n\nrequire x.org/x v1.0.0\n";
        fs::write(above.join("go.mod"), newer).unwrap();
        expect(&of(NEW));
        fs::write(directory.join("go.mod"), "module m/m\ngo 1.20\n").unwrap();
        expect(&of(OLD));
        fs::write(machine.work().join("go.work"), "go 1.22\n\nuse ./here\n").unwrap();
        expect(&of(NEW));
        fs::remove_file(machine.work().join("go.work")).unwrap();
        expect(&of(OLD));
        machine.gvm(&["default", "--unset"]).succeeded();
        expect(&of(NEW));
    });
}

#[test]
fn in_a_directory_behind_a_link_the_way_that_was_taken_counts() {
    in_each_shell(|shell, machine| {
        if shell == Shell::Powershell {
            return; // It tells what it starts the directory, and not the way to it.
        }
        let real = machine.repository("real/inner/sub", &[]);
        let links = machine.repository("links", &[]);
        std::os::unix::fs::symlink(real.parent().unwrap(), links.join("l")).unwrap();
        let mut terminal = Terminal::start(machine, shell, "", "");
        terminal.run(&shell.cd(&links.join("l/sub")));
        let mut expect = |goroot: &str| {
            terminal.run("");
            terminal.expect_variable("GOROOT", goroot);
        };
        let of = |version: &str| machine.goroot(version).display().to_string();
        expect("unset");
        fs::write(links.join(".go-version"), NEW).unwrap();
        expect(&of(NEW));
        fs::write(links.join(".go-version"), OLD).unwrap();
        expect(&of(OLD));
        // Above the link's target, but not above the link.
        fs::write(machine.work().join("real/.go-version"), NEW).unwrap();
        expect(&of(OLD));
        // The link's target itself is on both ways.
        fs::write(real.parent().unwrap().join(".go-version"), NEW).unwrap();
        expect(&of(NEW));
    });
}

#[test]
fn a_fifo_or_directory_as_pin_blocks_no_prompt() {
    in_each_shell(|shell, machine| {
        let fifo = machine.repository("fifo", &[]);
        common::run(machine.command("mkfifo").arg(fifo.join(".go-version"))).succeeded();
        let directory = machine.repository("directory", &[(".go-version/file", "")]);
        let mut terminal = Terminal::start(machine, shell, "", "");
        for place in [fifo, directory] {
            let shown = terminal.run(&shell.cd(&place));
            assert!(shown.contains("not a regular file"), "{shell:?}: {shown}");
            terminal.expect("", "");
        }
    });
}

#[test]
fn a_deleted_directory_is_no_error() {
    in_each_shell(|shell, machine| {
        let gone = machine.repository("gone", &[(".go-version", OLD)]);
        let mut terminal = Terminal::start(machine, shell, "", "");
        terminal.run(&shell.cd(&gone));
        fs::remove_dir_all(&gone).unwrap();
        terminal.expect("", "");
        terminal.run(&shell.cd(&machine.work().join("new")));
        terminal.expect("go version", &version(NEW));
    });
}

#[test]
fn the_hook_works_with_real_go_at_the_prompt() {
    const REAL: &str = "1.26.11";
    for shell in shells() {
        let machine = Machine::new();
        machine.real("1.20.14");
        machine.real(REAL);
        machine.refresh_shims();
        let hello = machine.repository(
            "hello",
            &[
                (".go-version", REAL),
                ("go.mod", "module example.com/hello\n\ngo 1.20\n"),
                ("main.go", "package main\n\nimport \"runtime\"\n\nfunc main() { print(\"ran with \", runtime.Version(), \"\\n\") }\n"),
            ],
        );
        let old = machine.repository("old", &[(".go-version", "go1.20.14")]);
        let mut terminal = Terminal::start(&machine, shell, "", "");
        terminal.run(&shell.cd(&old));
        terminal.expect("go version", &version("1.20.14"));
        terminal.run(&shell.cd(&hello));
        terminal.expect("go version", &version(REAL));
        terminal.expect("go env GOROOT", machine.goroot(REAL).to_str().unwrap());
        terminal.expect("go run .", &format!("ran with go{REAL}"));
    }
}
