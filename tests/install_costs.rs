//! What an install costs, counted: memory, requests, and system calls. Counts are the
//! same on every machine; the bench has the times.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, reason = "a test that fails shows its line")]

mod common;

use common::archives::{self, File, files_of, tar_gz, tree};
use common::published::{GoDev, Modules, dl};
use common::real_go::real_go;
use common::{GVM, Machine, run};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};

const VERSION: &str = "1.22.4";
/// A real one, for what depends on its size.
const REAL: &str = "1.26.11";

/// What an install may hold in memory, in KiB. The buffers have 16 MiB and the waiting
/// parts of the archive 9; the rest is the program, and the names and digests of eleven
/// thousand files. Without optimization it is the same: the buffers are.
const MEMORY: i64 = 64 << 10;

/// An install that waits to be told where from. It is started while this process is
/// small: the memory of a process counts from what its parent had.
struct Waiting(Child);

impl Waiting {
    fn start(machine: &Machine, variable: &str) -> Self {
        let script = "read -r url; export \"$1=$url\"; exec \"$0\" install --force \"$2\"";
        let mut command = machine.command("sh");
        command.args(["-c", script, GVM, variable, REAL]).stdin(Stdio::piped());
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }

    /// The most memory that it had at once, in KiB (getrusage(2), `ru_maxrss`).
    fn peak(mut self, url: &str) -> i64 {
        writeln!(self.0.stdin.take().unwrap(), "{url}").unwrap();
        let id = i32::try_from(self.0.id()).unwrap();
        let mut status = 0;
        // SAFETY: all zeros is a rusage, and both pointers are to variables of ours. The
        // child is waited for here alone.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            assert_eq!(libc::wait4(id, &raw mut status, 0, &raw mut usage), id);
            usage
        };
        assert!(ExitStatus::from_raw(status).success(), "from {url}");
        usage.ru_maxrss
    }
}

#[test]
fn a_real_toolchain_is_installed_in_little_memory() {
    let machine = Machine::new();
    let ways = ["GVM_DL_URL", "GOPROXY"].map(|variable| Waiting::start(&machine, variable));
    let files = files_of(&real_go(REAL));
    let mut published = GoDev::default();
    published.add(REAL, &tar_gz(&files));
    let go_dev = published.serve();
    let mut modules = Modules::of(&[]);
    modules.add(REAL, &archives::module_zip(REAL, &gvm::platform::Platform::host(), &files));
    let proxy = modules.serve();
    for (waiting, url) in ways.into_iter().zip([dl(&go_dev), proxy.url()]) {
        let peak = waiting.peak(&url);
        println!("from {url}: {} MiB", peak >> 10);
        assert!(peak <= MEMORY, "from {url}: {peak} KiB");
        let version = gvm::version::Version::parse(REAL).unwrap();
        let platform = gvm::platform::Platform::host();
        let h1 = common::real_go::h1_of(&machine.goroot(REAL), version, &platform).unwrap();
        assert_eq!(machine.receipt(REAL)["h1"], h1);
    }
}

#[test]
fn an_install_asks_for_the_index_and_the_archive_and_nothing_else() {
    let server = GoDev::of(&[VERSION]).serve();
    let machine = Machine::new();
    machine.gvm_at(&server, &["install", VERSION]).succeeded();
    let asked: Vec<_> = server.requests().into_iter().map(|request| request.path).collect();
    let archive = archives::file_name(VERSION);
    // The second one is where go.dev sends people for the archive.
    let expected =
        ["/dl/?mode=json&include=all", &format!("/dl/{archive}"), &format!("/elsewhere/{archive}")];
    assert_eq!(asked, expected);

    let proxy = Modules::of(&[VERSION]).serve();
    let machine = Machine::new();
    let mut command = machine.command(GVM);
    run(command.args(["install", VERSION]).env("GOPROXY", proxy.url())).succeeded();
    assert_eq!(proxy.count(".zip"), 1);
    assert!(proxy.requests().len() <= 2, "{:?}", proxy.requests());
}

/// System calls of all threads of an install of a small Go, each on a line with the
/// paths of its files.
fn calls_of_an_install(machine: &Machine, what: &str) -> Vec<String> {
    let server = GoDev::of(&[VERSION]).serve();
    let log = machine.path().join("strace");
    let mut command = machine.command("strace");
    command.args(["-f", "-y", "-qq", "-s", "0", "-e", &format!("trace={what}"), "-o"]);
    command.arg(&log).arg(GVM).args(["install", VERSION]).env("GVM_DL_URL", dl(&server));
    run(&mut command).succeeded();
    machine.has_whole(VERSION);
    let log = fs::read_to_string(log).unwrap();
    log.lines()
        .filter(|line| !line.contains("resumed>"))
        .map(|line| line.split_once(' ').unwrap().1.trim_start().to_string())
        .collect()
}

/// What of the small Go is installed: nobody vouches for the rest.
fn installed_files() -> Vec<File> {
    let mut files = tree(VERSION);
    files.retain(|(path, ..)| !path.starts_with("test/"));
    files
}

#[test]
fn one_durable_publish_and_no_flush_for_each_file() {
    let machine = Machine::new();
    let what = "fsync,fdatasync,syncfs,sync,sync_file_range,msync,?rename,?renameat,?renameat2";
    let calls = calls_of_an_install(&machine, what);
    let toolchains = machine.root().join("toolchains");
    let named = |path: &Path| format!("<{}>", path.display());
    let of_tree = |call: &&String| {
        let publishes = call.starts_with("rename") && call.contains("/toolchain\"");
        publishes || !call.starts_with("rename")
    };
    let calls: Vec<_> = calls.iter().filter(of_tree).collect();
    // Large files set out for the disk early, and small ones where the archive comes
    // slowly; nobody waits for them.
    let (early, calls): (Vec<_>, Vec<_>) =
        calls.into_iter().partition(|call| call.starts_with("sync_file_range"));
    let large = tree(VERSION).iter().filter(|(_, content, _)| content.len() >= 64 << 10).count();
    assert!((large..=tree(VERSION).len()).contains(&early.len()), "{early:?}");
    // All that is staged, then its name, then the directory that the name is in.
    assert_eq!(calls.len(), 3, "{calls:#?}");
    assert!(calls[0].starts_with("syncfs(") && calls[0].contains("/tmp/stage-"), "{calls:#?}");
    assert!(calls[1].starts_with("rename"), "{calls:#?}");
    let is_last = calls[2].starts_with("fsync(") && calls[2].contains(&named(&toolchains));
    assert!(is_last, "{calls:#?}");
}

#[test]
fn each_file_is_opened_once_and_written_by_one_call() {
    let machine = Machine::new();
    let calls = calls_of_an_install(
        &machine,
        "?open,openat,write,writev,pwrite64,?creat,?chmod,fchmod,?fchmodat,?stat,?lstat,?newfstatat,?statx",
    );
    let staged =
        |call: &&String| call.contains("/toolchain/go/") || call.contains("/toolchain/go>");
    let calls: Vec<_> = calls.iter().filter(staged).collect();
    let files = installed_files();
    let of = |start: &str| calls.iter().filter(|call| call.starts_with(start)).count();
    let created = calls.iter().filter(|call| call.contains("O_CREAT")).count();
    assert_eq!(created, files.len(), "{calls:#?}");
    assert_eq!(of("write("), files.len(), "{calls:#?}");
    assert_eq!(of("writev(") + of("pwrite64("), 0, "{calls:#?}");
    // Rights are given when a file is made, and nothing is looked up.
    assert_eq!(of("chmod") + of("fchmod"), 0, "{calls:#?}");
    assert_eq!(of("stat") + of("lstat"), 0, "{calls:#?}");
    let looked: Vec<_> =
        calls.iter().filter(|call| call.contains("stat(") || call.starts_with("statx(")).collect();
    assert!(looked.len() <= 2, "{looked:#?}");

    // What is read back is what tells which Go it is, and nothing for the h1.
    let mut read: Vec<_> = calls
        .iter()
        .filter(|call| call.contains("O_RDONLY") && !call.contains("O_DIRECTORY"))
        .filter(|call| !call.contains("= -1") && !call.contains("/toolchain/go\""))
        .map(|call| call.split('"').nth(1).unwrap().rsplit("/toolchain/go/").next().unwrap())
        .collect();
    read.sort_unstable();
    assert_eq!(read, ["VERSION", "bin/go"]);
}

#[test]
fn files_of_a_toolchain_are_read_only_and_it_can_be_replaced_and_removed() {
    let server = GoDev::of(&[VERSION]).serve();
    let machine = Machine::new();
    // Whom rights bind, and with the umask that most people have.
    let gvm = |arguments: &[&str]| {
        let mut command = machine.bound_by_permissions("sh");
        command.args(["-c", "umask 022; exec \"$0\" \"$@\"", GVM]).args(arguments);
        run(command.env("GVM_DL_URL", dl(&server))).succeeded()
    };
    gvm(&["install", VERSION]);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let goroot = machine.goroot(VERSION);
    for (path, _, executable) in installed_files() {
        let expected = if executable { 0o555 } else { 0o444 };
        assert_eq!(mode(&goroot.join(&path)), expected, "{path}");
    }
    assert_eq!([mode(&goroot), mode(&goroot.join("src/fmt"))], [0o755; 2]);

    gvm(&["install", "--force", VERSION]);
    machine.has_whole(VERSION);
    gvm(&["uninstall", VERSION]);
    machine.has_nothing_installed();
    machine.has_nothing_staged();
}
