//! Shells set up and that taken back: real shells in fresh homes, started in every
//! way, and files that are again what they were, to the byte.

#![allow(clippy::disallowed_methods, reason = "a test that fails shows its line")]

mod common;

use common::terminal::{self, Terminal, powershell};
use common::{Ended, GVM, Machine, run};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What distributions put into a new home, as far as it decides what is read: the
/// guards, what sources what, and what is done to PATH.
const DEBIAN: &[(&str, &str)] = &[
    (
        ".bashrc",
        "# ~/.bashrc: executed by bash(1) for non-login shells.\n\n\
         # If not running interactively, don't do anything\n\
         case $- in\n    *i*) ;;\n      *) return;;\nesac\n\
         HISTCONTROL=ignoreboth\nshopt -s histappend\n\
         if ! shopt -oq posix; then\n  \
           if [ -f /usr/share/bash-completion/bash_completion ]; then\n    \
             . /usr/share/bash-completion/bash_completion\n  fi\nfi\n",
    ),
    (
        ".profile",
        "# ~/.profile: executed by the command interpreter for login shells.\n\
         if [ -n \"$BASH_VERSION\" ]; then\n    \
           if [ -f \"$HOME/.bashrc\" ]; then\n\t. \"$HOME/.bashrc\"\n    fi\nfi\n\n\
         if [ -d \"$HOME/bin\" ] ; then\n    PATH=\"$HOME/bin:$PATH\"\nfi\n",
    ),
    (".bash_logout", "# ~/.bash_logout\n"),
];

const FEDORA: &[(&str, &str)] = &[
    (
        ".bash_profile",
        "# .bash_profile\n\n# Get the aliases and functions\n\
         if [ -f ~/.bashrc ]; then\n    . ~/.bashrc\nfi\n\n\
         # User specific environment and startup programs\n",
    ),
    (
        ".bashrc",
        "# .bashrc\n\n# Source global definitions\n\
         if [ -f /etc/bashrc ]; then\n    . /etc/bashrc\nfi\n\n\
         if ! [[ \"$PATH\" =~ \"$HOME/.local/bin:$HOME/bin:\" ]]; then\n    \
           PATH=\"$HOME/.local/bin:$HOME/bin:$PATH\"\nfi\nexport PATH\n\
         if [ -d ~/.bashrc.d ]; then\n    for rc in ~/.bashrc.d/*; do\n        \
           if [ -f \"$rc\" ]; then\n            . \"$rc\"\n        fi\n    done\nfi\nunset rc\n",
    ),
    (".zshrc", "# .zshrc\nbindkey -e\n"),
];

const ARCH: &[(&str, &str)] = &[
    (".bash_profile", "#\n# ~/.bash_profile\n#\n\n[[ -f ~/.bashrc ]] && . ~/.bashrc\n"),
    (
        ".bashrc",
        "#\n# ~/.bashrc\n#\n\n# If not running interactively, don't do anything\n\
         [[ $- != *i* ]] && return\n\nalias ls='ls --color=auto'\nPS1='[\\u@\\h \\W]\\$ '\n",
    ),
];

/// A new account has no files at all; this one has what Homebrew adds.
const MACOS: &[(&str, &str)] = &[
    (".zprofile", "\nexport PATH=\"/opt/homebrew/bin:$PATH\"\n"),
    (".bash_profile", "export PATH=\"/opt/homebrew/bin:$PATH\"\n"),
];

/// A machine whose gvm is called by its name, and no shell of which is set up.
fn machine(files: &[(&str, &str)]) -> Machine {
    let machine = Machine::new();
    symlink(GVM, machine.bin().join("gvm")).unwrap();
    if let Some(pwsh) = powershell() {
        symlink(pwsh, machine.bin().join("pwsh")).unwrap();
    }
    machine.fake("1.22.4");
    for (file, text) in files {
        let file = machine.home().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    machine
}

/// gvm, as somebody with that login shell runs it in a shell that knows nothing yet.
fn command(machine: &Machine, arguments: &[&str]) -> Command {
    let mut command = machine.command(machine.bin().join("gvm"));
    command.args(arguments).env("PATH", format!("{}:/usr/bin:/bin", machine.bin().display()));
    command.env("SHELL", "/bin/bash");
    command
}

fn gvm(machine: &Machine, arguments: &[&str]) -> Ended {
    run(&mut command(machine, arguments))
}

/// Everything below a directory: text of files and links, permissions, directories.
fn tree(directory: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    fn walk(directory: &Path, found: &mut BTreeMap<PathBuf, (u32, Vec<u8>)>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = fs::symlink_metadata(&path).unwrap();
            let text = if metadata.is_dir() {
                walk(&path, found);
                Vec::new()
            } else if metadata.is_symlink() {
                fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
            } else {
                fs::read(&path).unwrap()
            };
            found.insert(path, (metadata.mode(), text));
        }
    }
    let mut found = BTreeMap::new();
    walk(directory, &mut found);
    found
}

/// The files of a home without the store, which is below it.
fn home_tree(machine: &Machine) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut tree = tree(&machine.home());
    tree.retain(|path, _| !path.starts_with(machine.home().join(".local")));
    tree
}

/// What a shell answers that is started with nothing but a home: no terminal, no
/// PATH of ours, no store named.
fn started(home: &Path, program: &str, arguments: &[&str], question: &str) -> Ended {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").env("TERM", "dumb");
    // In the C locale fish does not find its own files below a directory that is not ASCII.
    command.env("LC_ALL", "C.UTF-8");
    command.args(arguments).arg(question).current_dir(home).stdin(Stdio::null());
    run(&mut command)
}

/// Each way to start a shell, by the shells that have to be set up for it.
fn ways(shell: &str) -> Vec<(&'static str, Vec<&'static str>)> {
    let ways: &[(&str, &[&str])] = match shell {
        "bash" => &[
            ("bash", &["-lc"]),
            ("bash", &["-ic"]),
            ("bash", &["-lic"]),
            ("/bin/bash", &["--login", "-c"]),
        ],
        "zsh" => &[("zsh", &["-c"]), ("zsh", &["-lc"]), ("zsh", &["-ic"]), ("zsh", &["-lic"])],
        "fish" => &[("fish", &["-c"]), ("fish", &["-lc"]), ("fish", &["-ic"])],
        _ => &[("sh", &["-lc"])],
    };
    ways.iter().map(|(program, arguments)| (*program, arguments.to_vec())).collect()
}

/// The go that is found, and the one that a script finds that is started there.
fn finds_shim(home: &Path, shims: &Path, shell: &str) {
    for (program, arguments) in ways(shell) {
        let at = format!("{program} {arguments:?}");
        for question in ["command -v go", "sh -c 'command -v go'"] {
            let ended = started(home, program, &arguments, question);
            let found = ended.stdout.lines().last().unwrap_or_default();
            assert_eq!(Path::new(found), shims.join("go"), "{at} {question}: {ended:?}");
        }
        let interactive =
            arguments.iter().any(|argument| argument.contains('i') && !argument.starts_with("--"));
        let function =
            if shell == "fish" { "functions -q __gvm_refresh" } else { "command -v __gvm_refresh" };
        let has_hook = started(home, program, &arguments, function).code == 0;
        assert_eq!(has_hook, interactive, "{at}: the hook");
        // Once, whatever sourced what.
        let entries = started(home, program, &arguments, "printenv PATH").stdout;
        let last = entries.lines().last().unwrap_or_default();
        let ours = last.split(':').filter(|entry| Path::new(entry) == shims).count();
        assert_eq!(ours, 1, "{at}: {entries}");
    }
}

#[test]
fn each_shell_finds_the_shims_however_it_is_started() {
    for (name, files, sh) in [
        ("Debian", DEBIAN, true),
        ("Fedora", FEDORA, false),
        ("Arch", ARCH, false),
        ("macOS", MACOS, false),
        ("nothing", &[][..], true),
    ] {
        eprintln!("in a home as of {name}");
        let machine = machine(files);
        let before = home_tree(&machine);
        let shells = ["--shell", "bash", "--shell", "zsh", "--shell", "fish"];
        let arguments = [&["setup", "--yes", "--no-verify"][..], &shells].concat();
        gvm(&machine, &arguments).succeeded();
        for shell in ["bash", "zsh", "fish"] {
            finds_shim(&machine.home(), &machine.shims(), shell);
        }
        if sh {
            finds_shim(&machine.home(), &machine.shims(), "sh");
        }
        gvm(&machine, &["teardown", "--yes"]).succeeded();
        let mut after = home_tree(&machine);
        // zsh and fish write there when they are started.
        after.retain(|path, _| {
            before.contains_key(path) || !path.to_string_lossy().contains(".config/fish")
        });
        assert_eq!(after, before, "{name}");
    }
}

#[test]
fn bash_over_ssh_finds_the_shims_where_its_file_lets_it() {
    let machine = machine(FEDORA);
    gvm(&machine, &["setup", "--yes", "--no-verify"]).succeeded();
    let mut command = Command::new("bash");
    command.env_clear().env("HOME", machine.home()).env("PATH", "/usr/bin:/bin");
    // By this bash takes itself for one that sshd has started.
    command.env("SSH_CLIENT", "127.0.0.1 1 22").args(["-c", "command -v go"]);
    let ended = run(&mut command);
    // Not every bash is built to look.
    if ended.code == 0 {
        assert_eq!(Path::new(ended.stdout.trim()), machine.shims().join("go"));
    } else {
        eprintln!("NOT SHOWN: this bash does not read .bashrc over ssh");
    }
}

#[test]
fn powershell_finds_the_shims_and_its_profile_becomes_what_it_was() {
    if powershell().is_none() {
        eprintln!("NOT SHOWN: PowerShell, which is not there");
        return;
    }
    let machine = machine(&[(".config/powershell/profile.ps1", "# mine\r\n$x = 1")]);
    let before = home_tree(&machine);
    gvm(&machine, &["setup", "--yes", "--no-verify", "--shell", "powershell"]).succeeded();
    for arguments in [&["-NoLogo", "-Command"][..], &["-NoLogo", "-NonInteractive", "-Command"]] {
        let pwsh = machine.bin().join("pwsh");
        let question = "(Get-Command go).Source; \"x is $x\"";
        let ended = started(&machine.home(), pwsh.to_str().unwrap(), arguments, question);
        let shim = machine.shims().join("go");
        assert_eq!(ended.stdout, format!("{}\nx is 1\n", shim.display()), "{ended:?}");
    }
    gvm(&machine, &["teardown", "--yes"]).succeeded();
    let mut after = home_tree(&machine);
    after.retain(|path, _| !path.starts_with(machine.home().join(".cache")));
    assert_eq!(after, before);
}

/// What path_helper does on macOS, between the files of the person: the system's
/// directories come first again.
#[test]
fn a_go_that_the_systems_files_put_in_front_does_not_win() {
    let machine = machine(&[]);
    machine.system_go("1.19.5");
    let reorder = format!("export PATH={}:$PATH\n", machine.bin().display());
    for file in [".zprofile", ".bash_profile", ".config/fish/conf.d/a.fish"] {
        let file = machine.home().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, &reorder).unwrap();
    }
    let shells = ["--shell", "bash", "--shell", "zsh", "--shell", "fish"];
    gvm(&machine, &[&["setup", "--yes", "--no-verify"][..], &shells].concat()).succeeded();
    for shell in ["bash", "zsh", "fish"] {
        finds_shim(&machine.home(), &machine.shims(), shell);
    }
    // A shell in a shell (tmux starts login shells), where the shims are on PATH.
    for shell in ["bash", "zsh", "fish"] {
        let question = format!("{shell} -lc '{shell} -lc \"printenv PATH\"'");
        let path = started(&machine.home(), shell, &["-lc"], &question).succeeded().stdout;
        assert!(Path::new(path.split(':').next().unwrap()) == machine.shims(), "{shell}: {path}");
        let count = path.matches(machine.shims().to_str().unwrap()).count();
        assert_eq!(count, 1, "{shell}: {path}");
    }
}

#[test]
fn set_up_twice_nothing_is_written() {
    let machine = machine(DEBIAN);
    gvm(&machine, &["setup", "--yes", "--no-verify"]).succeeded();
    let inodes = || {
        [".bashrc", ".profile"].map(|file| fs::metadata(machine.home().join(file)).unwrap().ino())
    };
    let (before, numbers) = (home_tree(&machine), inodes());
    // Nothing is to be asked, so no terminal is needed.
    let again = gvm(&machine, &["setup", "--no-verify"]).succeeded();
    again.saying(&["all is set up"]);
    assert_eq!((home_tree(&machine), inodes()), (before, numbers));
}

#[test]
fn a_gvm_that_moved_replaces_its_lines_where_they_stand() {
    let machine = machine(&[(".bashrc", "before\n")]);
    gvm(&machine, &["setup", "--yes", "--no-verify"]).succeeded();
    let bashrc = machine.home().join(".bashrc");
    let old = fs::read_to_string(&bashrc).unwrap();
    fs::write(&bashrc, format!("{old}after\n")).unwrap();
    let elsewhere = machine.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::rename(machine.bin().join("gvm"), elsewhere.join("gvm")).unwrap();
    let mut command = machine.command(elsewhere.join("gvm"));
    command.args(["setup", "--yes", "--no-verify"]).env("SHELL", "/bin/bash");
    command.env("PATH", format!("{}:/usr/bin:/bin", elsewhere.display()));
    run(&mut command).succeeded();
    let new = fs::read_to_string(&bashrc).unwrap();
    assert!(new.starts_with("before\n# >>> gvm setup") && new.ends_with("<<<\nafter\n"), "{new}");
    assert!(new.contains(elsewhere.to_str().unwrap()), "{new}");
    assert!(!new.contains(machine.bin().to_str().unwrap()), "{new}");
    assert_eq!(new.matches(">>> gvm setup").count(), 1, "{new}");
    gvm_at(&machine, &elsewhere, &["teardown", "--yes"]).succeeded();
    assert_eq!(fs::read_to_string(&bashrc).unwrap(), "before\nafter\n");
}

fn gvm_at(machine: &Machine, directory: &Path, arguments: &[&str]) -> Ended {
    run(machine.command(directory.join("gvm")).args(arguments))
}

/// Files that other programs would make something else of.
fn nasty() -> Vec<(&'static str, Vec<u8>)> {
    let huge: Vec<u8> = b"export A=1 # \xe4\xf6\xfc\n".repeat(200_000);
    vec![
        ("empty", Vec::new()),
        ("only a newline", b"\n".to_vec()),
        ("only comments", b"# one\n# two\n".to_vec()),
        ("not UTF-8", b"alias gr\xfc\xdfe='echo \xff\xfe'\n\xc3\x28\n".to_vec()),
        ("no final newline", b"alias x=y".to_vec()),
        ("a space for an end", b"alias x=y\n  ".to_vec()),
        ("CRLF", b"# one\r\n# two\r\n".to_vec()),
        ("CRLF without the last one", b"# one\r\n# two".to_vec()),
        ("old Mac", b"# one\r# two\r".to_vec()),
        ("a byte order mark", b"\xef\xbb\xbf# one\n".to_vec()),
        ("a return at the end", b"alias x=y\nreturn\n".to_vec()),
        ("a return at the end, without a newline", b"return 0".to_vec()),
        ("an early guard", b"[ -z \"$PS1\" ] && return\nalias x=y\n".to_vec()),
        ("the other guard", b"case $- in *i*) ;; *) return;; esac\n".to_vec()),
        ("a backslash for an end", b"echo a \\\n".to_vec()),
        ("a backslash without a newline", b"echo a \\".to_vec()),
        ("NUL", b"a\0b\n\0".to_vec()),
        ("control characters", b"\x1b[31m\x07\n".to_vec()),
        (
            "another tool's block",
            b"# >>> conda initialize >>>\n# <<< conda initialize <<<\n".to_vec(),
        ),
        ("a mark of ours alone", b"# <<< gvm setup 0123456789abcdef <<<\n".to_vec()),
        ("huge", huge),
    ]
}

#[test]
fn nasty_files_are_only_added_to_and_become_again_what_they_were() {
    let names = [
        ".bashrc",
        ".profile",
        ".zshrc",
        ".zshenv",
        ".config/fish/conf.d/gvm.fish",
        ".config/powershell/profile.ps1",
    ];
    let shells = ["--shell", "bash", "--shell", "zsh", "--shell", "fish", "--shell", "powershell"];
    for (what, content) in nasty() {
        let machine = machine(&[]);
        for (at, name) in names.iter().enumerate() {
            let file = machine.home().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(&file, &content).unwrap();
            let mode = [0o644, 0o600, 0o640][at % 3];
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        }
        let before = tree(&machine.home());
        // ZDOTDIR is told, so no zsh has to be started to ask.
        let set_up = |arguments: &[&str]| {
            let arguments = [arguments, &shells[..]].concat();
            run(command(&machine, &arguments).env("ZDOTDIR", machine.home())).succeeded()
        };
        set_up(&["setup", "--yes", "--no-verify"]);
        for name in names {
            let new = fs::read(machine.home().join(name)).unwrap();
            assert!(new.starts_with(&content) && new.len() > content.len(), "{what}: {name}");
        }
        let once = home_tree(&machine);
        set_up(&["setup", "--yes", "--no-verify"]);
        assert!(home_tree(&machine) == once, "{what}: the second time");
        let teardown = ["teardown", "--yes", "--all"];
        run(command(&machine, &teardown).env("ZDOTDIR", machine.home())).succeeded();
        let mut after = tree(&machine.home());
        after.retain(|path, _| !path.starts_with(machine.home().join(".local")));
        let mut before = before;
        before.retain(|path, _| !path.starts_with(machine.home().join(".local")));
        assert!(after == before, "{what}: {:?}", after.keys());
    }
}

#[test]
fn files_and_directories_that_setup_made_go_unless_something_else_is_in_them() {
    let machine = machine(&[]);
    let before = home_tree(&machine);
    let arguments = ["setup", "--yes", "--no-verify", "--shell", "fish", "--shell", "bash"];
    gvm(&machine, &arguments).succeeded();
    assert!(machine.home().join(".config/fish/conf.d/gvm.fish").is_file());
    gvm(&machine, &["teardown", "--yes"]).succeeded();
    assert_eq!(home_tree(&machine), before);

    gvm(&machine, &arguments).succeeded();
    let bashrc = machine.home().join(".bashrc");
    let text = fs::read_to_string(&bashrc).unwrap();
    fs::write(&bashrc, format!("{text}alias mine=x\n")).unwrap();
    let config = machine.home().join(".config/fish/config.fish");
    fs::write(&config, "# mine\n").unwrap();
    gvm(&machine, &["teardown", "--yes"]).succeeded();
    assert_eq!(fs::read_to_string(&bashrc).unwrap(), "alias mine=x\n");
    assert!(config.is_file() && !config.with_file_name("conf.d").exists());
    assert!(!machine.home().join(".profile").exists());
}

#[test]
fn a_profile_is_never_hidden_from_bash() {
    // By what is there: which file bash gets its lines from.
    for (files, expected) in [
        (&[".profile"][..], ".profile"),
        (&[".bash_login", ".profile"], ".bash_login"),
        (&[".bash_profile", ".bash_login", ".profile"], ".bash_profile"),
        (&[], ".profile"),
    ] {
        let machine = machine(&[]);
        for file in files {
            fs::write(machine.home().join(file), format!("FROM={file}\n")).unwrap();
        }
        gvm(&machine, &["setup", "--yes", "--no-verify"]).succeeded();
        for name in [".bash_profile", ".bash_login"] {
            assert_eq!(machine.home().join(name).exists(), files.contains(&name), "{files:?}");
        }
        let text = fs::read_to_string(machine.home().join(expected)).unwrap();
        assert!(text.contains("gvm setup"), "{files:?}: {text}");
        let from = started(&machine.home(), "bash", &["-lc"], "echo $FROM").stdout;
        assert_eq!(from.trim(), files.first().copied().unwrap_or_default());
        // What sh reads is set up besides where it is there.
        if files.contains(&".profile") {
            finds_shim(&machine.home(), &machine.shims(), "sh");
        }
    }
}

#[test]
fn a_read_only_file_stops_it_before_anything_is_written() {
    let machine = machine(DEBIAN);
    let profile = machine.home().join(".bashrc");
    fs::set_permissions(&profile, fs::Permissions::from_mode(0o444)).unwrap();
    let before = home_tree(&machine);
    gvm(&machine, &["setup", "--yes", "--no-verify"]).failed(1).saying(&[
        ".bashrc is read-only",
        "chmod u+w",
        "--dry-run",
    ]);
    assert_eq!(home_tree(&machine), before);
    let shown = gvm(&machine, &["setup", "--dry-run"]).succeeded().stdout;
    assert!(shown.contains("it cannot be changed") && shown.contains("hook bash"), "{shown}");
    assert_eq!(home_tree(&machine), before);
    // As it is with those that are generated elsewhere: nothing to write, no harm.
    fs::set_permissions(&profile, fs::Permissions::from_mode(0o644)).unwrap();
    gvm(&machine, &["setup", "--yes", "--no-verify"]).succeeded();
    fs::set_permissions(&profile, fs::Permissions::from_mode(0o444)).unwrap();
    gvm(&machine, &["setup", "--yes", "--no-verify"]).succeeded().saying(&["all is set up"]);
    gvm(&machine, &["teardown", "--yes"]).failed(1).saying(&[".bashrc is read-only"]);
    // UTF-16 cannot take lines of ASCII.
    fs::write(machine.home().join(".profile"), b"\xff\xfea\0\n\0").unwrap();
    gvm(&machine, &["setup", "--yes", "--no-verify"]).failed(1).saying(&["UTF-16"]);
}

#[test]
fn a_link_into_a_dotfiles_repository_stays_and_its_target_changes() {
    let machine = machine(&[
        ("dotfiles/bashrc", "# mine\n"),
        ("dotfiles/zsh/zshrc", "# mine too"),
        ("dotfiles/both", "# one file\n"),
    ]);
    let home = machine.home();
    symlink("dotfiles/bashrc", home.join(".bashrc")).unwrap();
    symlink(home.join("dotfiles/zsh/zshrc"), home.join(".zshrc")).unwrap();
    // Two names for one file get one block.
    symlink("dotfiles/both", home.join(".bash_profile")).unwrap();
    symlink("dotfiles/both", home.join(".profile")).unwrap();
    // A link to what is not there.
    symlink("dotfiles/zshenv", home.join(".zshenv")).unwrap();
    let before = home_tree(&machine);
    let shown = gvm(&machine, &["setup", "--yes", "--no-verify"]).succeeded().stdout;
    assert!(shown.contains(&format!("a link to {}/dotfiles/bashrc", home.display())), "{shown}");
    for link in [".bashrc", ".zshrc", ".bash_profile", ".profile", ".zshenv"] {
        assert!(home.join(link).is_symlink(), "{link}");
        let text = fs::read_to_string(home.join(link)).unwrap();
        assert_eq!(text.matches(">>> gvm setup").count(), 1, "{link}: {text}");
    }
    finds_shim(&home, &machine.shims(), "bash");
    finds_shim(&home, &machine.shims(), "zsh");
    gvm(&machine, &["teardown", "--yes"]).succeeded();
    assert_eq!(home_tree(&machine), before);
}

#[test]
fn root_in_the_home_of_somebody_else_is_refused() {
    let machine = machine(DEBIAN);
    if std::os::unix::fs::chown(machine.home(), Some(12345), None).is_err() {
        eprintln!("NOT SHOWN: sudo, since this is not root");
        return;
    }
    let before = home_tree(&machine);
    for command in ["setup", "teardown"] {
        gvm(&machine, &[command, "--yes"]).failed(2).saying(&[
            "runs as root",
            "user 12345's",
            "without sudo",
        ]);
    }
    assert_eq!(home_tree(&machine), before);
    std::os::unix::fs::chown(machine.home(), Some(0), None).unwrap();
    gvm(&machine, &["setup", "--yes", "--no-verify"]).succeeded();
}

#[test]
fn without_a_terminal_it_says_what_it_would_do_and_changes_nothing() {
    let machine = machine(DEBIAN);
    let before = home_tree(&machine);
    let ended = gvm(&machine, &["setup"]).failed(2).saying(&["no terminal", "--yes"]);
    assert!(ended.stdout.contains(".bashrc") && ended.stdout.contains("hook bash"), "{ended:?}");
    let ended = gvm(&machine, &["setup", "--dry-run"]).succeeded();
    assert!(ended.stdout.contains(".profile"), "{ended:?}");
    assert_eq!(home_tree(&machine), before);
    gvm(&machine, &["setup", "--yes", "--no-verify"]).succeeded();
    let after = home_tree(&machine);
    let ended = gvm(&machine, &["teardown", "--all"]).failed(2).saying(&["--yes"]);
    assert!(ended.stdout.contains(".bashrc: lines"), "{ended:?}");
    assert_eq!(home_tree(&machine), after);
    assert!(machine.goroot("1.22.4").is_dir());
}

#[test]
fn it_asks_once_and_takes_no_for_an_answer() {
    let machine = machine(DEBIAN);
    let rc = terminal::Shell::Bash.prompt_setup();
    let mut terminal = Terminal::start_with(&machine, terminal::Shell::Bash, rc, None);
    let before = home_tree(&machine);
    let line = "gvm setup --shell bash --shell zsh --no-verify";
    for answer in ["n", "", "what"] {
        let shown = terminal.asked(line, "[y/N]", answer);
        assert!(shown.contains("nothing was changed"), "{shown}");
        assert_eq!(shown.matches("[y/N]").count(), 1, "{shown}");
    }
    terminal.expect("gvm setup --shell bash --no-verify </dev/null >/dev/null 2>&1; echo $?", "2");
    assert_eq!(home_tree(&machine), before);
    let shown = terminal.asked(line, "[y/N]", "y");
    assert!(shown.contains("open a new terminal"), "{shown}");
    assert_eq!(shown.matches("[y/N]").count(), 1, "{shown}");
    assert!(fs::read_to_string(machine.home().join(".zshrc")).unwrap().contains("hook zsh"));
    // The shells that are started to be asked leave the terminal alone.
    let shown = terminal.run("gvm setup --shell bash --shell zsh");
    assert!(shown.contains("INTERACTIVE"), "{shown}");
    terminal.expect("echo alive", "alive");
    let shown = terminal.asked("gvm teardown", "[y/N]", "no");
    assert!(shown.contains("nothing was changed"), "{shown}");
    let shown = terminal.asked("gvm teardown", "[y/N]", "yes");
    assert!(shown.contains("removed"), "{shown}");
    assert_eq!(home_tree(&machine), before);
}

#[test]
fn an_edited_block_is_named_and_left() {
    let machine = machine(DEBIAN);
    gvm(&machine, &["setup", "--yes", "--no-verify"]).succeeded();
    let bashrc = machine.home().join(".bashrc");
    let text = fs::read_to_string(&bashrc).unwrap();
    let first = text.lines().position(|line| line.starts_with("# >>> gvm setup")).unwrap() + 1;
    let mine = text.replace("hook bash)\"", "hook bash)\"; echo mine");
    fs::write(&bashrc, &mine).unwrap();
    let shown = gvm(&machine, &["setup", "--yes", "--no-verify"]).succeeded().stdout;
    assert!(shown.contains(&format!("lines {first} to")) && shown.contains("edited"), "{shown}");
    let line = format!("lines {first} to");
    gvm(&machine, &["teardown", "--yes"]).failed(1).saying(&[&line, ".bashrc", "edited", "editor"]);
    assert_eq!(fs::read_to_string(&bashrc).unwrap(), mine);
    // The others are done.
    assert_eq!(fs::read_to_string(machine.home().join(".profile")).unwrap(), DEBIAN[1].1);
}

#[test]
fn a_line_added_by_hand_is_told() {
    let machine = machine(&[(".bashrc", "# gvm hook bash\nx=1\neval \"$(gvm hook bash)\"\n")]);
    let shown = gvm(&machine, &["setup", "--dry-run"]).succeeded().stdout;
    assert!(shown.contains("its line 3 evaluates the hook too"), "{shown}");
}

#[test]
fn without_gvm_and_without_its_store_shells_start_in_silence() {
    let machine = machine(DEBIAN);
    let shells = ["--shell", "bash", "--shell", "zsh", "--shell", "fish", "--shell", "powershell"];
    gvm(&machine, &[&["setup", "--yes", "--no-verify"][..], &shells].concat()).succeeded();
    fs::remove_file(machine.bin().join("gvm")).unwrap();
    fs::remove_dir_all(machine.root()).unwrap();
    let mut ways: Vec<_> = ["bash", "zsh", "fish", "sh"].into_iter().flat_map(ways).collect();
    let pwsh = machine.bin().join("pwsh");
    if powershell().is_some() {
        ways.push((pwsh.to_str().unwrap().to_string().leak(), vec!["-NoLogo", "-Command"]));
    }
    for (program, arguments) in ways {
        let ended = started(&machine.home(), program, &arguments, "echo started").succeeded();
        let stderr: Vec<_> = ended
            .stderr
            .lines()
            // bash says this whatever its files say, where there is no terminal.
            .filter(|line| {
                !line.contains("terminal process group") && !line.contains("no job control")
            })
            .collect();
        assert_eq!(ended.stdout, "started\n", "{program} {arguments:?}");
        assert!(stderr.is_empty(), "{program} {arguments:?}: {stderr:?}");
    }
}

#[test]
fn hostile_names_are_quoted_for_each_shell() {
    let machine = machine(&[]);
    for name in ["it's $(touch pwned) `touch pwned` é *?", "a\\b \"c\" ;touch pwned; } {", "-n:x"]
    {
        // A colon ends an entry of PATH, so no shim is found there, and nothing runs.
        let is_usable = !name.contains(':');
        let home = machine.path().join("homes").join(name);
        fs::create_dir_all(home.join("bin")).unwrap();
        symlink(GVM, home.join("bin/gvm")).unwrap();
        let mut command = Command::new(home.join("bin/gvm"));
        command.env_clear().env("HOME", &home).env("SHELL", "/bin/bash").stdin(Stdio::null());
        command.env("PATH", format!("{}/bin:/usr/bin:/bin", home.display())).current_dir(&home);
        command.args(["setup", "--yes", "--no-verify"]);
        command.args(["--shell", "bash", "--shell", "zsh", "--shell", "fish"]);
        let before = tree(&home);
        run(&mut command).succeeded();
        for shell in ["bash", "zsh", "fish", "sh"] {
            if is_usable {
                finds_shim(&home, &home.join(".local/share/gvm/shims"), shell);
            } else {
                started(&home, shell, &["-lc"], "true").succeeded();
            }
        }
        if is_usable && let Some(pwsh) = powershell() {
            command = Command::new(home.join("bin/gvm"));
            command.env_clear().env("HOME", &home).env("PATH", "/usr/bin:/bin").current_dir(&home);
            command.args(["setup", "--yes", "--no-verify", "--shell", "powershell"]);
            run(command.stdin(Stdio::null())).succeeded();
            let question = "(Get-Command go).Source";
            let ended = started(&home, pwsh.to_str().unwrap(), &["-Command"], question);
            let found = ended.stdout.trim();
            assert_eq!(Path::new(found), home.join(".local/share/gvm/shims/go"), "{ended:?}");
        }
        let mut command = Command::new(home.join("bin/gvm"));
        command
            .env_clear()
            .env("HOME", &home)
            .stdin(Stdio::null())
            .args(["teardown", "--yes", "--all"]);
        run(&mut command).succeeded();
        let mut after = tree(&home);
        // What the shells have written themselves.
        after.retain(|path, _| {
            let path = path.strip_prefix(&home).unwrap();
            ![".local", ".cache", ".config"].iter().any(|own| path.starts_with(own))
        });
        assert!(!home.join(".config/fish/conf.d").exists());
        assert_eq!(after, before, "{name}");
    }
    let left: Vec<_> = tree(&machine.path()).into_keys().filter(|p| p.ends_with("pwned")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn the_shells_in_use_are_found() {
    let files = |login: &str, files: &[(&str, &str)]| {
        let machine = machine(files);
        let mut command = command(&machine, &["setup", "--dry-run", "--json"]);
        let told = run(command.env("SHELL", login)).succeeded().json();
        let files = told["files"].as_array().unwrap().clone();
        let home = machine.home();
        let name = |file: &serde_json::Value| {
            let file = PathBuf::from(file["file"].as_str().unwrap());
            file.strip_prefix(&home).unwrap().to_str().unwrap().to_string()
        };
        files.iter().map(name).collect::<Vec<_>>()
    };
    let zsh = [".zshrc", ".zprofile", ".zshenv"];
    assert_eq!(files("/usr/bin/zsh", &[]), zsh);
    assert_eq!(files("/bin/bash", &[]), [".profile", ".bashrc"]);
    assert_eq!(files("/usr/bin/fish", &[]), [".config/fish/conf.d/gvm.fish"]);
    assert_eq!(files("/bin/dash", &[]), [".profile"]);
    assert_eq!(files("/usr/bin/pwsh", &[]), [".config/powershell/profile.ps1"]);
    let with_zsh = files("/bin/bash", &[(".zshrc", "")]);
    assert_eq!(with_zsh, [&[".profile", ".bashrc"][..], &zsh].concat());
    assert_eq!(files("/usr/bin/zsh", DEBIAN)[..2], [".profile", ".bashrc"]);
    let with_fish = files("/bin/bash", &[(".config/fish/config.fish", "")]);
    assert_eq!(with_fish.last().unwrap(), ".config/fish/conf.d/gvm.fish");
    // A profile alone does not say who reads it.
    assert_eq!(files("/usr/bin/zsh", &[(".profile", "")]), [&zsh[..], &[".profile"]].concat());
    let machine = machine(&[]);
    run(command(&machine, &["setup"]).env("SHELL", "/bin/tcsh"))
        .failed(2)
        .saying(&["--shell bash"]);
    // The shell that somebody types into counts as well.
    let mut terminal = Terminal::start_with(
        &machine,
        terminal::Shell::Zsh,
        terminal::Shell::Zsh.prompt_setup(),
        None,
    );
    let shown = terminal.run("SHELL=/bin/sh gvm setup --dry-run");
    assert!(shown.contains(".zprofile"), "{shown}");
}

#[test]
fn zsh_is_set_up_where_zdotdir_says() {
    let machine = machine(&[
        (".zshenv", "export ZDOTDIR=$HOME/.config/zsh\nprint noise\n"),
        (".config/zsh/.zshrc", "# mine\n"),
    ]);
    let before = home_tree(&machine);
    gvm(&machine, &["setup", "--yes", "--no-verify", "--shell", "zsh"]).succeeded();
    let has = |file: &str| {
        fs::read_to_string(machine.home().join(file)).is_ok_and(|text| text.contains("gvm setup"))
    };
    assert!(has(".zshenv") && has(".config/zsh/.zshrc") && has(".config/zsh/.zprofile"));
    assert!(!has(".zshrc") && !has(".zprofile") && !has(".config/zsh/.zshenv"));
    finds_shim(&machine.home(), &machine.shims(), "zsh");
    gvm(&machine, &["teardown", "--yes"]).succeeded();
    assert_eq!(home_tree(&machine), before);
    // Where the system sets it, before any file of theirs.
    fs::remove_file(machine.home().join(".zshenv")).unwrap();
    let directory = machine.home().join(".config/zsh");
    let mut command = command(&machine, &["setup", "--yes", "--no-verify", "--shell", "zsh"]);
    run(command.env("ZDOTDIR", directory)).succeeded();
    assert!(has(".config/zsh/.zshenv") && !has(".zshenv"));
}

#[test]
fn fish_and_powershell_are_set_up_where_xdg_config_home_says() {
    let machine = machine(&[]);
    let elsewhere = machine.home().join("cfg");
    let arguments = ["setup", "--yes", "--no-verify", "--shell", "fish", "--shell", "powershell"];
    run(command(&machine, &arguments).env("XDG_CONFIG_HOME", &elsewhere)).succeeded();
    assert!(elsewhere.join("fish/conf.d/gvm.fish").is_file());
    assert!(elsewhere.join("powershell/profile.ps1").is_file());
    run(command(&machine, &["teardown", "--yes"]).env("XDG_CONFIG_HOME", &elsewhere)).succeeded();
    assert!(!elsewhere.exists());
}

#[test]
fn a_desktop_session_is_set_up_where_systemd_starts_it() {
    let machine = machine(&[]);
    let file = machine.home().join(".config/environment.d/60-gvm.conf");
    let runtime = machine.path().join("run");
    fs::create_dir_all(runtime.join("systemd")).unwrap();
    let set_up = |desktop: &str, runtime: &Path| {
        let mut command = command(&machine, &["setup", "--yes", "--no-verify"]);
        command.env("XDG_CURRENT_DESKTOP", desktop).env("XDG_RUNTIME_DIR", runtime);
        run(&mut command).succeeded();
        file.exists()
    };
    assert!(!set_up("", &runtime), "over ssh");
    assert!(!set_up("GNOME", &machine.path()), "without systemd");
    assert!(set_up("GNOME", &runtime));
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(&format!("\nPATH={}:$PATH\n", machine.shims().display())), "{text}");
    gvm(&machine, &["teardown", "--yes"]).succeeded();
    assert!(!file.parent().unwrap().exists());
}

#[test]
fn another_store_is_known_to_the_shells_that_are_set_up_for_it() {
    let machine = machine(DEBIAN);
    let root = machine.home().join("my store");
    let shells = ["--shell", "bash", "--shell", "zsh", "--shell", "fish"];
    let arguments = [&["setup", "--yes", "--no-verify"][..], &shells].concat();
    run(command(&machine, &arguments).env("GVM_ROOT", &root)).succeeded();
    for shell in ["bash", "zsh", "fish"] {
        finds_shim(&machine.home(), &root.join("shims"), shell);
        let told = started(&machine.home(), shell, &["-lc"], "printenv GVM_ROOT").stdout;
        assert_eq!(Path::new(told.trim_end()), root, "{shell}");
    }
    gvm(&machine, &["setup", "--yes", "--no-verify"]).succeeded();
    assert!(!fs::read_to_string(machine.home().join(".bashrc")).unwrap().contains("GVM_ROOT"));
}

#[test]
fn afterwards_each_shell_tells_which_go_it_finds() {
    let machine = machine(DEBIAN);
    let arguments =
        ["setup", "--yes", "--json", "--shell", "bash", "--shell", "zsh", "--shell", "fish"];
    let told = gvm(&machine, &arguments).succeeded().json();
    let gvm_everywhere = |shell: &str| {
        serde_json::json!({
            "shell": shell, "login": "gvm", "interactive": "gvm", "script": "gvm"
        })
    };
    assert_eq!(told["shells"], serde_json::json!(["bash", "zsh", "fish"].map(gvm_everywhere)));

    // One that never reaches the lines, and one that puts its own go before them.
    machine.system_go("1.19.5");
    let bashrc = machine.home().join(".bashrc");
    let text = fs::read_to_string(&bashrc).unwrap();
    fs::write(&bashrc, format!("return\n{text}")).unwrap();
    let zshrc = machine.home().join(".zshrc");
    let text = fs::read_to_string(&zshrc).unwrap();
    fs::write(&zshrc, format!("{text}path=({} $path)\n", machine.bin().display())).unwrap();
    let other = machine.bin().join("go");
    let ended = gvm(&machine, &["setup"]).succeeded().saying(&[
        "bash (interactive) ",
        "return",
        "zsh (interactive) finds",
        other.to_str().unwrap(),
    ]);
    let row = |shell: &str| ended.stdout.lines().find(|line| line.starts_with(shell)).unwrap();
    let words = |shell: &str| row(shell).split_whitespace().map(String::from).collect::<Vec<_>>();
    assert_eq!(words("zsh"), ["zsh", "gvm", other.to_str().unwrap(), "gvm"]);
    assert_eq!(words("fish"), ["fish", "gvm", "gvm", "gvm"]);
    assert_eq!(words("sh"), ["sh", "gvm", "gvm"]);
    assert!(words("bash")[1] == "gvm" && words("bash")[2] != "gvm", "{ended:?}");
}

#[test]
fn a_shell_that_does_not_come_up_is_not_waited_for() {
    let machine = machine(&[(".bashrc", "sleep 1000 & disown\nwhile :; do sleep 1; done\n")]);
    let ended = gvm(&machine, &["setup", "--yes", "--shell", "bash"]).succeeded();
    ended.saying(&["bash did not tell within ten seconds", "(interactive)"]);
}

#[test]
fn teardown_of_all_removes_the_store_and_nothing_else() {
    let machine = machine(DEBIAN);
    gvm(&machine, &["setup", "--yes", "--no-verify"]).succeeded();
    let before = home_tree(&machine);
    let outside = machine.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("kept"), "kept").unwrap();
    let goroot = machine.goroot("1.22.4");
    symlink(&outside, goroot.join("link")).unwrap();
    symlink(&outside, machine.root().join("cache")).unwrap();
    fs::write(goroot.join("big"), vec![0; 3_000_000]).unwrap();
    fs::hard_link(goroot.join("big"), goroot.join("big again")).unwrap();
    // Read-only, as the go command leaves directories.
    fs::set_permissions(goroot.join("bin"), fs::Permissions::from_mode(0o555)).unwrap();
    fs::write(machine.root().join("mine"), "not of a store").unwrap();

    let shown = gvm(&machine, &["teardown", "--all", "--dry-run"]).succeeded().stdout;
    let line = shown.lines().find(|line| line.contains("1 version of Go")).unwrap();
    // The file that has two names counts once, and shims and scripts are small.
    let size: f64 = line.rsplit_once(" MB").unwrap().0.rsplit_once(' ').unwrap().1.parse().unwrap();
    assert!((3.0..6.0).contains(&size), "{line}");
    assert_eq!(home_tree(&machine), before);

    gvm(&machine, &["teardown", "--all", "--yes"]).succeeded();
    let left: Vec<_> =
        fs::read_dir(machine.root()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["mine"]);
    assert_eq!(fs::read_to_string(outside.join("kept")).unwrap(), "kept");
    assert_eq!(fs::read_to_string(machine.home().join(".bashrc")).unwrap(), DEBIAN[0].1);

    fs::remove_file(machine.root().join("mine")).unwrap();
    machine.fake("1.22.4");
    gvm(&machine, &["teardown", "--all", "--yes"]).succeeded();
    assert!(!machine.root().exists());
    gvm(&machine, &["teardown", "--all", "--yes"]).succeeded().saying(&["nothing"]);
}

/// Kills setup or teardown at each of its calls of that kind, from the first one after
/// the loader's on, and looks at what is left.
#[test]
fn killed_anywhere_each_file_is_the_old_one_or_the_new_one() {
    let calls = ["rename", "write", "fsync", "fchmod", "unlink", "openat"];
    let all = [".bashrc", ".profile", ".zshrc", ".zshenv", ".zprofile"];
    let content = |machine: &Machine| all.map(|file| fs::read(machine.home().join(file)).ok());
    let fresh = || machine(&[DEBIAN, &[(".zshrc", "no newline")]].concat());
    let set_up = ["setup", "--yes", "--no-verify", "--shell", "bash", "--shell", "zsh"];
    let mut points = 0;
    for arguments in [&set_up[..], &["teardown", "--yes"]] {
        for call in calls {
            let mut at = if call == "openat" { 5 } else { 1 };
            loop {
                let machine = fresh();
                let old = content(&machine);
                gvm(&machine, &set_up).succeeded();
                let new = content(&machine);
                if arguments == set_up {
                    gvm(&machine, &["teardown", "--yes"]).succeeded();
                    assert_eq!(content(&machine), old);
                }
                let mut command = command(&machine, &[]);
                let path = format!("{}:/usr/bin:/bin", machine.bin().display());
                command = {
                    let mut strace = machine.command("strace");
                    strace
                        .env("PATH", path)
                        .env("SHELL", "/bin/bash")
                        .env("ZDOTDIR", machine.home());
                    let what = format!("inject={call}:signal=KILL:when={at}");
                    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &what]);
                    strace.arg(command.get_program()).args(arguments);
                    strace
                };
                let ended = run(&mut command);
                let is_killed = matches!(ended.code, -9 | 137);
                assert!(is_killed || ended.code == 0, "{call} {at}: {ended:?}");
                for ((found, old), new) in content(&machine).iter().zip(&old).zip(&new) {
                    assert!(found == old || found == new, "{arguments:?} killed at {call} {at}");
                }
                // Again, and to its end; then nothing is left over.
                gvm(&machine, arguments).succeeded();
                assert_eq!(content(&machine), if arguments == set_up { new } else { old });
                gvm(&machine, &["teardown", "--yes"]).succeeded();
                let names = fs::read_dir(machine.home()).unwrap().map(|e| e.unwrap().file_name());
                let left: Vec<_> =
                    names.filter(|name| name.to_string_lossy().starts_with(".gvm")).collect();
                assert!(left.is_empty(), "{call} {at}: {left:?}");
                if !is_killed {
                    break;
                }
                points += 1;
                at += 1;
            }
        }
    }
    assert!(points >= 30, "{points}");
    eprintln!("killed at {points} points");
}
