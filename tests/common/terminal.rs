//! Real shells on a pseudo-terminal, as a person sits before them: a line is
//! typed at the prompt, and what comes until the next prompt is its output.

use super::Machine;
use portable_pty::{Child, CommandBuilder, PtySize, native_pty_system};
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

/// The shells of this machine. bash, zsh and fish have to be there (`tests/run`
/// installs them); PowerShell is tested where there is one.
pub fn shells() -> Vec<Shell> {
    let mut shells = vec![Shell::Bash, Shell::Zsh, Shell::Fish];
    for shell in &shells {
        let name = shell.name();
        assert!(which::which(name).is_ok(), "there is no {name} on PATH; tests/run installs it");
    }
    if powershell().is_some() {
        shells.push(Shell::Powershell);
    } else {
        eprintln!("no pwsh on PATH and no GVM_TEST_PWSH: PowerShell is not tested");
    }
    shells
}

/// `pwsh` on PATH, or what `GVM_TEST_PWSH` names.
pub fn powershell() -> Option<PathBuf> {
    let named = std::env::var_os("GVM_TEST_PWSH").map(PathBuf::from);
    which::which("pwsh").ok().or(named)
}

impl Shell {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::Powershell => "powershell",
        }
    }

    /// The file that an interactive shell reads at its start.
    pub fn rc(self, home: &Path) -> PathBuf {
        home.join(match self {
            Self::Bash => ".bashrc",
            Self::Zsh => ".zshrc",
            Self::Fish => ".config/fish/config.fish",
            Self::Powershell => ".config/powershell/profile.ps1",
        })
    }

    fn program(self) -> PathBuf {
        match self {
            Self::Powershell => powershell().unwrap(),
            _ => which::which(self.name()).unwrap(),
        }
    }

    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Bash => &["-i"],
            Self::Zsh => &["-i", "+Z"],
            Self::Fish => &["-i"],
            Self::Powershell => &["-NoLogo"],
        }
    }

    /// The prompt that the tests wait for.
    pub fn prompt_setup(self) -> &'static str {
        match self {
            Self::Bash => "PS1='READY> '",
            Self::Zsh => "PS1='READY> '; unsetopt prompt_cr prompt_sp zle",
            // fish paints its prompt anew with each key and at other times; a number,
            // which its event counts up, tells the next one.
            Self::Fish => {
                "set -g fish_greeting; set -g fish_autosuggestion_enabled 0\n\
                 set -q prompts; or set -gx prompts 0\n\
                 function tests_count --on-event fish_prompt; set -gx prompts (math $prompts + 1); end\n\
                 function fish_prompt; printf 'READY%d> ' $prompts; end"
            }
            Self::Powershell => "function prompt { 'READY> ' }",
        }
    }

    /// The line that sets the hook up.
    pub fn hook(self) -> String {
        let gvm = super::GVM;
        match self {
            Self::Bash | Self::Zsh => format!("eval \"$('{gvm}' hook {})\"", self.name()),
            Self::Fish => format!("'{gvm}' hook fish | source"),
            Self::Powershell => {
                format!("Invoke-Expression (& '{gvm}' hook powershell | Out-String)")
            }
        }
    }

    pub fn export(self, name: &str, value: &str) -> String {
        match self {
            Self::Bash | Self::Zsh => format!("export {name}='{value}'"),
            Self::Fish if name == "PATH" => {
                let entries: Vec<_> = value.split(':').map(|entry| format!("'{entry}'")).collect();
                format!("set -gx PATH {}", entries.join(" "))
            }
            Self::Fish => format!("set -gx {name} '{value}'"),
            Self::Powershell => format!("$env:{name} = '{value}'"),
        }
    }

    /// A command that changes the directory to one of whatever name.
    pub fn cd(self, directory: &Path) -> String {
        let path = directory.to_str().unwrap();
        match self {
            Self::Powershell => format!("Set-Location -LiteralPath '{}'", path.replace('\'', "''")),
            Self::Fish => {
                format!("cd '{}'", path.replace('\\', "\\\\").replace('\'', "\\'"))
            }
            _ => format!("cd '{}'", path.replace('\'', r"'\''")),
        }
    }
}

/// A shell that somebody sits before.
pub struct Terminal {
    pub shell: Shell,
    writer: Box<dyn Write + Send>,
    output: Arc<Mutex<Vec<u8>>>,
    child: Box<dyn Child + Send + Sync>,
    seen: usize,
    prompt: Vec<u8>,
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

impl Terminal {
    /// Starts a shell with the hook in its rc file, and `before` and `after`
    /// lines around it.
    pub fn start(machine: &Machine, shell: Shell, before: &str, after: &str) -> Self {
        let setup = [shell.prompt_setup(), before, &shell.hook(), after].join("\n");
        Self::start_with(machine, shell, &setup, None)
    }

    /// Starts a shell with that rc file, its system calls for processes written
    /// to `trace`, if given.
    pub fn start_with(machine: &Machine, shell: Shell, rc: &str, trace: Option<&Path>) -> Self {
        let file = shell.rc(&machine.home());
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, format!("{rc}\n")).unwrap();

        let size = PtySize { rows: 50, cols: 1000, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = match trace {
            None => CommandBuilder::new(shell.program()),
            Some(trace) => {
                let mut command = CommandBuilder::new("strace");
                command.args(["-f", "-qq", "-e", "trace=execve,fork,vfork,clone,clone3", "-o"]);
                command.arg(trace);
                command.arg(shell.program());
                command
            }
        };
        command.args(shell.arguments());
        command.env_clear();
        command.env("HOME", machine.home());
        command.env("PATH", format!("{}:/usr/bin:/bin", machine.bin().display()));
        command.env("TERM", "dumb");
        command.env("LC_ALL", "C.UTF-8");
        command.env("GVM_DL_URL", "http://127.0.0.1:9");
        command.env("GOPROXY", "off");
        command.env("GOSUMDB", "off");
        command.cwd(machine.work());
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);

        let output = Arc::new(Mutex::new(Vec::new()));
        let (mut reader, received) = (pair.master.try_clone_reader().unwrap(), output.clone());
        let writer = pair.master.take_writer().unwrap();
        std::thread::spawn(move || {
            // The master has to live as long as somebody reads.
            let _master = pair.master;
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = reader.read(&mut buffer) {
                received.lock().unwrap().extend_from_slice(&buffer[..length]);
            }
        });
        let mut terminal = Self { shell, writer, output, child, seen: 0, prompt: Vec::new() };
        terminal.until_prompt("its start");
        terminal
    }

    /// Types a line and returns what it prints, without the line itself.
    #[track_caller]
    pub fn run(&mut self, line: &str) -> String {
        self.writer.write_all(format!("{line}\n").as_bytes()).unwrap();
        let shown = self.until_prompt(line);
        // The terminal's echo of what was typed, which fish writes again with each key.
        let output = match shown.rsplit_once(&format!("{line}\n")) {
            Some((_, rest)) if self.shell == Shell::Fish => rest,
            _ => shown.split_once(line).map_or(shown.as_str(), |(_, rest)| rest),
        };
        // Typed before the shell was ready for it, a line is echoed by the terminal
        // and then by the shell.
        let mut output = output;
        let blank = ['\r', '\n', ' '];
        while let Some(again) = output.trim_start_matches(blank).strip_prefix(line)
            && !line.is_empty()
            && again.starts_with('\n')
        {
            output = again;
        }
        // fish's mark for a line that a program left open, at the start of a line.
        let output = match output.find('⏎') {
            Some(at) if output[..at].is_empty() || output[..at].ends_with('\n') => &output[..at],
            _ => output,
        };
        output.trim_start_matches(['\r', '\n', ' ']).trim_end().to_string()
    }

    /// Types a line, waits for the question, types the answer, and returns what is
    /// shown up to the next prompt.
    #[track_caller]
    pub fn asked(&mut self, line: &str, question: &str, answer: &str) -> String {
        self.writer.write_all(format!("{line}\n").as_bytes()).unwrap();
        let start = Instant::now();
        loop {
            let unseen = self.output.lock().unwrap()[self.seen..].to_vec();
            if find(&unseen, question.as_bytes()).is_some() {
                break;
            }
            if start.elapsed() > Duration::from_secs(30) {
                panic!("{line:?} did not ask: {:?}", String::from_utf8_lossy(&unseen));
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        self.writer.write_all(format!("{answer}\n").as_bytes()).unwrap();
        self.until_prompt(line)
    }

    /// Everything up to the next prompt.
    #[track_caller]
    fn until_prompt(&mut self, what: &str) -> String {
        let start = Instant::now();
        loop {
            let unseen = self.output.lock().unwrap()[self.seen..].to_vec();
            if let Some((at, prompt)) = self.next_prompt(&unseen) {
                self.seen += at + prompt.len();
                self.prompt = prompt;
                return without_escapes(&String::from_utf8_lossy(&unseen[..at]));
            }
            if start.elapsed() > Duration::from_secs(30) {
                let text = String::from_utf8_lossy(&unseen);
                panic!("{:?}: no prompt after {what:?}: {text:?}", self.shell);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Where the next prompt stands, and its text. In fish it is another one than
    /// the last.
    fn next_prompt(&self, bytes: &[u8]) -> Option<(usize, Vec<u8>)> {
        let mut from = 0;
        loop {
            let at = from + find(&bytes[from..], b"READY")?;
            let end = at + find(&bytes[at..], b"> ")? + 2;
            let prompt = &bytes[at..end];
            if self.shell != Shell::Fish || prompt != self.prompt {
                return Some((at, prompt.to_vec()));
            }
            from = end;
        }
    }

    /// A variable of the environment that programs started here see.
    #[track_caller]
    pub fn variable(&mut self, name: &str) -> String {
        self.run(&format!("sh -c 'printf \"<%s>\\n\" \"${{{name}-unset}}\"'"))
            .trim_start_matches('<')
            .trim_end_matches('>')
            .to_string()
    }

    /// Types a line and expects exactly this.
    #[track_caller]
    pub fn expect(&mut self, line: &str, output: &str) {
        let printed = self.run(line);
        assert_eq!(printed, output, "{:?}: {line}", self.shell);
    }

    #[track_caller]
    pub fn expect_variable(&mut self, name: &str, value: &str) {
        let found = self.variable(name);
        assert_eq!(found, value, "{:?}: {name}", self.shell);
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Terminal output without escape sequences and carriage returns.
fn without_escapes(text: &str) -> String {
    let mut plain = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' => {}
            '\x1b' => match characters.next() {
                Some('[') => while characters.next().is_some_and(|c| !c.is_ascii_alphabetic()) {},
                Some(']') => while characters.next().is_some_and(|c| c != '\x07') {},
                _ => {}
            },
            _ => plain.push(character),
        }
    }
    plain
}
