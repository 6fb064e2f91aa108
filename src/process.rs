//! Other programs that are asked something and have to answer in time.

use crate::path;
use std::fmt;
use std::io::{self, Read, Seek};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// More than any answer has.
const MAX_OUTPUT: u64 = 1 << 20;

/// What a program has printed when it ended.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Whether it ended with 0.
    pub success: bool,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Answer {
    /// What it printed as text, without the newline at its end.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim_end().to_string()
    }

    /// What it complained of, in one line that is fit for a terminal.
    #[must_use]
    pub fn complaint(&self) -> String {
        let text = String::from_utf8_lossy(&self.stderr);
        let lines: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        path::display(lines.join("; ").as_bytes()).to_string()
    }
}

/// Why there is no answer, as a clause that goes behind the program's name.
#[derive(Debug)]
pub enum Silence {
    CannotRun(io::Error),
    /// It was still running, and was ended with what it had started.
    Late(Duration),
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CannotRun(why) => write!(f, "cannot be run: {why}"),
            Self::Late(limit) => {
                write!(f, "does not come to an end within {} seconds", limit.as_secs())
            }
        }
    }
}

/// Runs a command to its end, without input, for `limit` at the most. What it starts
/// may live on and keep its output open, so that goes to files.
///
/// # Errors
/// It could not be run, or was still running.
pub fn ask(command: &mut Command, limit: Duration) -> Result<Answer, Silence> {
    let mut run = || {
        let (stdout, stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
        command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
        Ok((detached(command).spawn()?, stdout, stderr))
    };
    let (mut child, stdout, stderr) = run().map_err(Silence::CannotRun)?;
    let Some(success) = ended(&mut child, limit) else {
        kill(&mut child);
        return Err(Silence::Late(limit));
    };
    let all_of = |mut file: std::fs::File| {
        let mut text = Vec::new();
        file.rewind().and_then(|()| file.take(MAX_OUTPUT).read_to_end(&mut text)).map(|_| text)
    };
    let stdout = all_of(stdout).map_err(Silence::CannotRun)?;
    let stderr = all_of(stderr).map_err(Silence::CannotRun)?;
    Ok(Answer { success, stdout, stderr })
}

/// Whether it succeeded, if it comes to its end in time.
fn ended(child: &mut Child, limit: Duration) -> Option<bool> {
    let start = Instant::now();
    while start.elapsed() < limit {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(Duration::from_millis(5)),
            Ok(Some(status)) => return Some(status.success()),
            Err(_) => return None,
        }
    }
    None
}

/// In a session of its own: an interactive shell makes itself the foreground of its
/// terminal, and would take it from the one that runs here.
#[cfg(unix)]
fn detached(command: &mut Command) -> &mut Command {
    use std::os::unix::process::CommandExt;
    // SAFETY: setsid is one system call; it allocates nothing and takes no lock.
    unsafe { command.pre_exec(|| Ok(rustix::process::setsid().map(|_| ())?)) }
}

#[cfg(not(unix))]
fn detached(command: &mut Command) -> &mut Command {
    command
}

/// With everything that it has started.
fn kill(child: &mut Child) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process_group};
        if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn sh(script: &str, limit: Duration) -> Result<Answer, Silence> {
        ask(Command::new("sh").args(["-c", script]), limit)
    }

    #[test]
    fn an_answer_is_both_outputs_and_how_it_ended() {
        let answer = sh("echo out; echo ' a' >&2; echo b >&2; exit 3", Duration::MAX).unwrap();
        assert!(!answer.success);
        assert_eq!((answer.text().as_str(), answer.complaint().as_str()), ("out", "a; b"));
    }

    #[test]
    fn who_does_not_end_is_ended_with_what_it_started() {
        let left = tempfile::tempdir().unwrap();
        let file = left.path().join("pid");
        let script = format!("sleep 600 & echo $! >'{}'; wait", file.display());
        let silence = sh(&script, Duration::from_secs(1)).unwrap_err();
        assert_eq!(silence.to_string(), "does not come to an end within 1 seconds");
        let pid = fs_err::read_to_string(&file).unwrap().trim().parse().unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        // Gone, but for whoever has to take notice of it.
        let is_gone = || match fs_err::read_to_string(format!("/proc/{pid}/stat")) {
            Ok(stat) => stat.contains(") Z "),
            Err(_) => rustix::process::test_kill_process(pid).is_err(),
        };
        let start = Instant::now();
        while !is_gone() {
            assert!(start.elapsed() < Duration::from_secs(20), "{pid} lives");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn what_is_not_there_cannot_be_run() {
        let silence = ask(&mut Command::new("/no/such/program"), Duration::MAX).unwrap_err();
        assert!(silence.to_string().starts_with("cannot be run: "), "{silence}");
    }
}
