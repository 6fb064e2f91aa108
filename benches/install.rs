//! An install, received from loopback, verified and published, against the shortest way
//! to the same files without any of that being kept: `curl`, `sha256sum`, `tar`.
//!
//! Each turn has a fresh directory, and all of them stay until the whole bench is over
//! (some 12 GB): file systems are slow to take inodes again that were just given up. Before a turn the disk is idle,
//! and memory has been used once: a virtual machine gets it from its host at first use,
//! which takes longer than to unpack a toolchain.

use super::common::archives::{self, File, files_of};
use super::common::real_go::real_go;
use super::common::server::{Answer, Server};
use super::common::{GVM, Machine};
use super::harness::{Comparison, Contender, Report, Role, Row, in_turns, timed};
use super::{REAL, rounds};
use gvm::platform::Platform;
use gvm::trust::sha256::Hasher;
use std::cell::Cell;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// A link of 200 Mbit/s, in bytes a second.
const LINK: f64 = 25e6;

/// From loopback, as fast as the machine can.
pub fn run(report: &mut Report) {
    let machine = Machine::new();
    let tar = packed(&machine);
    let files = files_of(&real_go(REAL));
    from_go_dev(report, &machine, &tar, &files);
    let zip = archives::module_zip(REAL, &Platform::host(), &files);
    drop(files);
    from_a_proxy(report, &machine, &zip.into());
    report.keep(machine);
}

/// The real Go as go.dev has it.
fn packed(machine: &Machine) -> Arc<[u8]> {
    let tar = machine.path().join("go.tar.gz");
    let goroot = real_go(REAL);
    timed(
        machine
            .command("tar")
            .arg("-czf")
            .arg(&tar)
            .arg("-C")
            .arg(goroot.parent().unwrap())
            .arg("go"),
    );
    fs::read(tar).unwrap().into()
}

/// Directories of their own for all turns of a contest.
struct Fresh {
    parent: PathBuf,
    made: Cell<usize>,
}

impl Fresh {
    fn new(machine: &Machine, contest: &str) -> Self {
        let parent = machine.path().join(contest);
        fs::create_dir(&parent).unwrap();
        Self { parent, made: Cell::new(0) }
    }

    /// A new directory, once the machine is as it was before the last turn.
    fn directory(&self) -> PathBuf {
        self.made.set(self.made.get() + 1);
        let directory = self.parent.join(self.made.get().to_string());
        fs::create_dir(&directory).unwrap();
        assert!(Command::new("sync").status().unwrap().success());
        let mut memory = vec![0_u8; 600 << 20];
        memory.iter_mut().step_by(4096).for_each(|page| *page = 1);
        std::hint::black_box(memory);
        directory
    }
}

/// An install into a store of its own.
fn install<'a>(
    machine: &'a Machine,
    fresh: &'a Fresh,
    variable: &'a str,
    url: String,
) -> Contender<'a> {
    Contender::new(Role::Ours, "gvm", move || {
        let mut command = machine.command(GVM);
        command.args(["install", REAL]).env("GVM_ROOT", fresh.directory()).env(variable, &url);
        timed(&mut command)
    })
}

/// Commands of a shell in a directory of their own; `$1` is where the archive is.
fn script<'a>(
    machine: &'a Machine,
    fresh: &'a Fresh,
    role: Role,
    name: &'a str,
    script: &'a str,
    arguments: [String; 2],
) -> Contender<'a> {
    Contender::new(role, name, move || {
        let mut command = machine.command("sh");
        command.args(["-euc", script, "sh"]).args(&arguments).current_dir(fresh.directory());
        timed(&mut command)
    })
}

fn from_go_dev(report: &mut Report, machine: &Machine, tar: &Arc<[u8]>, files: &[File]) {
    let fresh = Fresh::new(machine, "go.dev");
    let archive = serve(tar.clone(), None);
    let server = go_dev(tar, archive.clone());
    let unpack = "curl -s -o a \"$1\"; echo \"$2  a\" | sha256sum -c --quiet; tar -xzf a";
    let unpack_for_good = format!("{unpack}; sync -f .");
    let digest = archives::sha256(tar).to_string();
    let arguments = [archive, digest];
    let from_memory = || {
        let directory = fresh.directory();
        let start = Instant::now();
        for (path, content, _) in files {
            let file = directory.join(path);
            if let Err(error) = fs::write(&file, content) {
                assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{}", file.display());
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(&file, content).unwrap();
            }
        }
        start.elapsed()
    };
    let hash = || {
        let start = Instant::now();
        for (_, content, _) in files {
            let mut hasher = Hasher::default();
            hasher.update(content);
            std::hint::black_box(hasher.finish());
        }
        start.elapsed()
    };
    let contenders = vec![
        script(machine, &fresh, Role::Floor, "curl, sha256sum, tar", unpack, arguments.clone()),
        install(machine, &fresh, "GVM_DL_URL", format!("{}/dl", server.url())),
        script(machine, &fresh, Role::Peer, "the same and sync -f", &unpack_for_good, arguments),
        Contender::new(Role::Peer, "the same files from memory", from_memory),
        Contender::new(Role::Peer, "hashing them in memory", hash),
    ];
    report.add(Row {
        part: "install",
        what: "install a .tar.gz from loopback".into(),
        comparison: Comparison::Ratio,
        wanted: Some("at most 0.30 ×"),
        in_chart: false,
        runs: in_turns(rounds(9), contenders),
    });
}

fn from_a_proxy(report: &mut Report, machine: &Machine, zip: &Arc<[u8]>) {
    let fresh = Fresh::new(machine, "proxy");
    let archive = serve(zip.clone(), None);
    let to = archive.clone();
    let server = Server::start(move |request| match request.path.ends_with(".zip") {
        true => Answer::redirect(&to),
        false => Answer::not_found(),
    });
    let unpack = "curl -s -o a \"$1\"; python3 -m zipfile -e a .";
    let floor = ["curl, python3 -m zipfile", "curl, unzip"];
    let has_unzip = which::which("unzip").is_ok();
    let unpack = if has_unzip { "curl -s -o a \"$1\"; unzip -q a" } else { unpack };
    let arguments = [archive, String::new()];
    let name = floor[usize::from(has_unzip)];
    report.add(Row {
        part: "install",
        what: "install a .zip of a module proxy from loopback".into(),
        comparison: Comparison::Ratio,
        wanted: None,
        in_chart: false,
        runs: in_turns(
            rounds(9),
            vec![
                script(machine, &fresh, Role::Floor, name, unpack, arguments),
                install(machine, &fresh, "GOPROXY", server.url()),
            ],
        ),
    });
}

/// Behind a link that is slower than the machine.
pub fn behind_a_link(report: &mut Report) {
    let owned = Machine::new();
    let machine = &owned;
    let tar = &packed(machine);
    let fresh = Fresh::new(machine, "link");
    let archive = serve(tar.clone(), Some(LINK));
    let server = go_dev(tar, archive.clone());
    let arguments = [archive, String::new()];
    report.add(Row {
        part: "link",
        what: "install behind a link of 25 MB/s".into(),
        comparison: Comparison::Ratio,
        wanted: Some("at most 1.03 ×"),
        in_chart: false,
        runs: in_turns(
            rounds(5),
            vec![
                script(machine, &fresh, Role::Floor, "curl", "curl -s -o a \"$1\"", arguments),
                install(machine, &fresh, "GVM_DL_URL", format!("{}/dl", server.url())),
            ],
        ),
    });
    report.keep(owned);
}

/// go.dev with one release, which is sent from elsewhere.
fn go_dev(tar: &[u8], archive: String) -> Server {
    let index = archives::index(&[(REAL, tar)]);
    Server::start(move |request| match request.path.starts_with("/dl/?") {
        true => Answer::new(200, "application/json", index.clone()),
        false => Answer::redirect(&archive),
    })
}

/// Sends these bytes to whoever asks for whatever, at so many a second. What the tests
/// have would copy them each time. It serves until the bench ends.
fn serve(bytes: Arc<[u8]>, rate: Option<f64>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/archive", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let bytes = bytes.clone();
            thread::spawn(move || {
                let request = BufReader::new(stream.try_clone().unwrap());
                for _ in request.lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
                }
                let length = bytes.len();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).ok()?;
                let (start, mut sent) = (Instant::now(), 0);
                for part in bytes.chunks(64 << 10) {
                    stream.write_all(part).ok()?;
                    sent += part.len();
                    if let Some(rate) = rate {
                        let due = start + Duration::from_secs_f64(sent as f64 / rate);
                        thread::sleep(due.saturating_duration_since(Instant::now()));
                    }
                }
                Some(())
            });
        }
    });
    url
}
