//! Transfers that break off, servers in passing trouble, and servers that try to keep
//! gvm busy. The real module proxy answers in tests/proof.rs.

#![allow(clippy::disallowed_methods, reason = "a test that fails shows its line")]

mod common;

use common::archives;
use common::hostile::{gzip, zeros};
use common::published::{GoDev, Modules, dl};
use common::server::{Answer, Ending, Request, Server};
use common::{Ended, GVM, Machine, finish, wait_until};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

const VERSION: &str = "1.22.4";

fn is_archive(request: &Request) -> bool {
    request.path == format!("/elsewhere/{}", archives::file_name(VERSION))
}

/// The questions for the archive, without those for the redirect to it.
fn asked(server: &Server) -> Vec<Request> {
    server.requests().into_iter().filter(is_archive).collect()
}

/// go.dev, where `fault` makes something else of the archive's nth answer, from 0. It
/// is told where the part begins that was asked for.
fn go_dev_with(fault: impl Fn(usize, usize, Answer) -> Answer + Send + Sync + 'static) -> Server {
    let count = AtomicUsize::new(0);
    GoDev::of(&[VERSION]).serve_with(move |request, answer| {
        if !is_archive(request) {
            return answer;
        }
        fault(count.fetch_add(1, Ordering::SeqCst), begin_of(request), answer)
    })
}

/// Where the part begins that is asked for.
fn begin_of(request: &Request) -> usize {
    let range = request.headers.get("range").map_or("bytes=0-", String::as_str);
    range.strip_prefix("bytes=").unwrap().split('-').next().unwrap().parse().unwrap()
}

/// The rest of a file, from there on.
fn rest(answer: Answer, begin: usize) -> Answer {
    let all = answer.body.len();
    let range = format!("bytes {begin}-{}/{all}", all - 1);
    let part = Answer { status: 206, body: answer.body[begin..].to_vec(), ..answer };
    part.header("Content-Range", &range)
}

#[test]
fn a_transfer_that_breaks_off_goes_on_where_it_was() {
    const PIECE: usize = 70_000;
    let length = GoDev::of(&[VERSION]).archive(VERSION).len();
    assert!(length > 4 * PIECE);
    for version in
        [Some(("ETag", "\"one\"")), Some(("Last-Modified", "Wed, 05 Jun 2024 09:00:00 GMT")), None]
    {
        let server = go_dev_with(move |_, begin, answer| {
            let answer = if begin == 0 { answer } else { rest(answer, begin) };
            let left = answer.body.len();
            let ending = if left > PIECE { Ending::CutAfter(PIECE) } else { Ending::Whole };
            let answer = answer.ending(ending);
            version.map_or(answer.clone(), |(name, value)| answer.header(name, value))
        });
        let machine = Machine::new();
        machine.gvm_at(&server, &["install", VERSION]).succeeded();
        machine.has_whole(VERSION);
        let asked = asked(&server);
        assert_eq!(asked.len(), length.div_ceil(PIECE), "{asked:#?}");
        // Nothing comes twice, and a part only of the version that was begun.
        for (number, request) in asked.iter().enumerate().skip(1) {
            assert_eq!(begin_of(request), number * PIECE);
            let condition = request.headers.get("if-range").map(String::as_str);
            assert_eq!(condition, version.map(|(_, value)| value));
        }
    }
}

/// How many bytes come slowly, before the process ends in the tests below.
const SLOW: usize = 200_000;

/// What is kept of archives.
fn kept(machine: &Machine) -> Vec<PathBuf> {
    let cache = fs::read_dir(machine.root().join("cache")).into_iter().flatten();
    let names = cache.map(|entry| entry.unwrap().path());
    names.filter(|path| path.to_str().unwrap().contains("/part-")).collect()
}

/// go.dev, whose archive comes slowly the first time and stalls; then parts of it come.
fn slow_at_first(then: impl Fn(usize, Answer) -> Answer + Send + Sync + 'static) -> Server {
    go_dev_with(move |number, begin, answer| match number {
        0 => answer.header("ETag", "\"one\"").ending(Ending::Slowly(SLOW)),
        _ => then(begin, answer),
    })
}

/// Kills an installation once its first bytes are kept.
fn kill_in_the_middle(machine: &Machine, server: &Server) {
    let mut command = machine.command(GVM);
    command.args(["install", VERSION]).env("GVM_DL_URL", dl(server));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("the first bytes are kept", || {
        kept(machine).iter().any(|file| file.metadata().unwrap().len() >= SLOW as u64)
    });
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_download_that_died_with_its_process_goes_on_the_next_time() {
    let server = slow_at_first(|begin, answer| rest(answer, begin).header("ETag", "\"one\""));
    let machine = Machine::new();
    kill_in_the_middle(&machine, &server);
    let installed = machine.gvm_at(&server, &["install", VERSION]).succeeded();
    installed.saying(&["going on with an earlier download"]);
    machine.has_whole(VERSION);
    let asked = asked(&server);
    assert_eq!(asked.len(), 2);
    assert_eq!(begin_of(&asked[1]), SLOW);
    assert_eq!(asked[1].headers["if-range"], "\"one\"");
    assert!(kept(&machine).is_empty());
}

#[test]
fn what_was_kept_of_another_file_is_not_used() {
    // Another version now, and all of it, as If-Range wants it.
    let server = slow_at_first(|_, answer| answer.header("ETag", "\"two\""));
    let machine = Machine::new();
    kill_in_the_middle(&machine, &server);
    machine.gvm_at(&server, &["install", VERSION]).succeeded();
    machine.has_whole(VERSION);
    assert_eq!(asked(&server).len(), 2);
    assert!(kept(&machine).is_empty());
}

#[test]
fn what_was_kept_and_damaged_is_found_out_and_the_download_begun_anew() {
    let server = slow_at_first(|begin, answer| match begin {
        0 => answer,
        begin => rest(answer, begin).header("ETag", "\"one\""),
    });
    let machine = Machine::new();
    kill_in_the_middle(&machine, &server);
    let file = &kept(&machine)[0];
    let mut content = fs::read(file).unwrap();
    let last = content.len() - 1;
    content[last] ^= 1;
    fs::write(file, content).unwrap();
    machine
        .gvm_at(&server, &["install", VERSION])
        .succeeded()
        .saying(&["beginning anew, without the 200.0 kB of an earlier download"]);
    machine.has_whole(VERSION);
    assert_eq!(asked(&server).iter().map(begin_of).collect::<Vec<_>>(), [0, SLOW, 0]);
    assert!(kept(&machine).is_empty());
}

#[test]
fn what_a_server_sent_before_it_went_away_is_kept() {
    let is_back = Arc::new(AtomicBool::new(false));
    let back = is_back.clone();
    let server = go_dev_with(move |number, begin, answer| match number {
        0 => answer.ending(Ending::SlowlyAndCut(SLOW)),
        _ if back.load(Ordering::SeqCst) => rest(answer, begin),
        _ => Answer::new(503, "text/plain", "in a moment"),
    });
    let machine = Machine::new();
    machine.gvm_at(&server, &["install", VERSION]).failed(6).saying(&["broke off"]);
    assert_eq!(kept(&machine).len(), 1);
    machine.has_nothing_staged();
    is_back.store(true, Ordering::SeqCst);
    machine.gvm_at(&server, &["install", VERSION]).succeeded();
    assert_eq!(begin_of(asked(&server).last().unwrap()), SLOW);
    assert!(kept(&machine).is_empty());
}

#[test]
fn a_server_without_ranges_sends_all_of_it_again() {
    let server = go_dev_with(|number, _, answer| match number {
        0 => answer.ending(Ending::CutAfter(300)),
        _ => answer,
    });
    let machine = Machine::new();
    machine.gvm_at(&server, &["install", VERSION]).succeeded();
    machine.has_whole(VERSION);
    assert_eq!(asked(&server).len(), 2);
}

#[test]
fn the_rest_of_another_file_is_not_taken() {
    type Change = fn(usize, Answer) -> Answer;
    let changes: [Change; 6] = [
        // Another version: all of it, as If-Range wants it.
        |_, answer| answer.header("ETag", "\"two\""),
        |begin, answer| rest(answer, begin).header("ETag", "\"two\""),
        // As long a part, of another place.
        |begin, answer| {
            let all = answer.body.len();
            let body = answer.body[..all - begin].to_vec();
            let answer = Answer { status: 206, body, ..answer.header("ETag", "\"one\"") };
            answer.header("Content-Range", &format!("bytes 0-{}/{all}", all - begin - 1))
        },
        |_, answer| Answer { body: answer.body[1..].to_vec(), ..answer },
        |_, _| Answer::new(416, "text/plain", "there is no such part"),
        |_, _| Answer::not_found(),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let server = go_dev_with(move |asked, begin, answer| match asked {
            0 => answer.header("ETag", "\"one\"").ending(Ending::CutAfter(300)),
            _ => change(begin, answer),
        });
        let machine = Machine::new();
        let ended = machine.gvm_at(&server, &["install", VERSION]).failed(6);
        ended.saying(&["the transfer broke off after 300 of", "what is there now is another file"]);
        machine.has_nothing_installed();
        machine.has_nothing_staged();
        assert_eq!(asked(&server).len(), 2, "{number}");
    }
}

/// What is put together is believed as little as what came in one piece.
#[test]
fn a_whole_of_two_versions_is_refused() {
    let server = go_dev_with(|number, begin, mut answer| {
        if number == 0 {
            return answer.ending(Ending::CutAfter(300));
        }
        let last = answer.body.len() - 1;
        answer.body[last] ^= 1;
        rest(answer, begin)
    });
    let machine = Machine::new();
    machine.gvm_at(&server, &["install", VERSION]).failed(5).saying(&["is not what was published"]);
    machine.has_nothing_installed();
}

#[test]
fn what_breaks_off_again_and_again_has_an_end() {
    for (step, most) in [(0, 4), (7, 21)] {
        let server = go_dev_with(move |_, begin, answer| {
            let answer = if begin == 0 { answer } else { rest(answer, begin) };
            answer.header("ETag", "\"one\"").ending(Ending::CutAfter(step))
        });
        let machine = Machine::new();
        let ended = machine.gvm_at(&server, &["install", VERSION]).failed(6);
        ended.saying(&["the transfer broke off after"]);
        assert_eq!(asked(&server).len(), most);
        machine.has_nothing_installed();
    }
}

#[test]
fn passing_trouble_is_waited_out_and_lasting_trouble_is_not() {
    for (status, retry_after, times) in [
        (503, None, 2),
        (502, None, 2),
        (429, Some("1"), 2),
        (429, Some("86400"), 1),
        // Not by a clock that may be wrong.
        (503, Some("Wed, 21 Oct 2099 07:28:00 GMT"), 2),
        (500, None, 1),
        (403, None, 1),
        (404, None, 1),
    ] {
        let server = go_dev_with(move |number, _, answer| match (number, retry_after) {
            (0, None) => Answer::new(status, "text/html", "<p>sorry"),
            (0, Some(time)) => Answer::new(status, "text/html", "").header("Retry-After", time),
            _ => answer,
        });
        let machine = Machine::new();
        let ended = machine.gvm_at(&server, &["install", VERSION]);
        assert_eq!(asked(&server).len(), times, "{status} {retry_after:?}: {ended:?}");
        assert_eq!(ended.code == 0, times == 2, "{ended:?}");
    }
}

/// A server that says what it likes.
struct Raw(String);

impl Raw {
    /// Runs until the test ends. The path that is asked for, and where to answer.
    fn start(answer: impl Fn(&str, &mut TcpStream) -> Option<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, mut stream) = (answer.clone(), stream.unwrap());
                thread::spawn(move || {
                    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                    let head: Option<Vec<_>> =
                        lines.map(Result::ok).take_while(|l| l.as_deref() != Some("")).collect();
                    let path = head?.first()?.split(' ').nth(1)?.to_string();
                    answer(&path, &mut stream)
                });
            }
        });
        Self(url)
    }

    fn dl(&self) -> String {
        format!("{}/dl", self.0)
    }
}

const ENDLESS: &str = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";

/// Sends it again and again, as long as somebody listens.
fn forever(stream: &mut TcpStream, what: &[u8]) -> Option<()> {
    loop {
        stream.write_all(what).ok()?;
    }
}

/// Runs gvm with a gigabyte of address space at the most.
fn in_little_memory(machine: &Machine, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let mut command = machine.command("/bin/sh");
    command.args(["-c", "ulimit -v 1000000; exec \"$@\"", "sh", GVM]).args(arguments);
    common::run(command.envs(variables.iter().copied()))
}

#[test]
fn what_never_ends_is_not_read_to_the_end() {
    let index = GoDev::of(&[VERSION]).index();
    let beginning = archives::tar_gz(&archives::tree(VERSION));
    let server = Raw::start(move |path, stream| {
        if path.starts_with("/headers") {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").ok()?;
            return forever(stream, b"X-More: and more\r\n");
        }
        if path.starts_with("/header") {
            stream.write_all(b"HTTP/1.1 200 OK\r\nX-More: ").ok()?;
            return forever(stream, &[b'x'; 4096]);
        }
        stream.write_all(ENDLESS.as_bytes()).ok()?;
        if path.starts_with("/list") {
            return forever(stream, &[b' '; 4096]);
        }
        if path.ends_with("include=all") {
            return stream.write_all(index.as_bytes()).ok();
        }
        // An archive with no end.
        stream.write_all(&beginning).ok()?;
        forever(stream, &[0; 4096])
    });
    for (path, code, why) in [
        ("/headers", 6, "gvm: error: "),
        ("/header", 6, "gvm: error: "),
        ("/list", 6, "the answer is larger than"),
        ("/archive", 5, "should have"),
    ] {
        let url = format!("{}{path}", server.0);
        let machine = Machine::new();
        let ended = in_little_memory(&machine, &[("GVM_DL_URL", &url)], &["install", VERSION]);
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
        let ended = ended.failed(code).saying(&[why]);
        assert_eq!(ended.stderr.matches("gvm: error: ").count(), 1, "{ended:?}");
        machine.has_nothing_installed();
    }
    // A proxy's zip and the database's records.
    let url = format!("{}/archive", server.0);
    let variables = [("GOPROXY", url.as_str()), ("GVM_DL_URL", "file:///nowhere")];
    let machine = Machine::new();
    in_little_memory(&machine, &variables, &["install", VERSION]).failed(5);
    let log = common::log::Log::new(&common::log::h1());
    let modules = Modules::of(&[VERSION]);
    let proxy = modules.serve();
    let sums = format!("{} {}/list", log.verifier(), server.0);
    let variables =
        [("GOPROXY", proxy.url()), ("GOSUMDB", sums), ("GVM_REQUIRE", "checksum-database".into())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    in_little_memory(&machine, &variables, &["install", VERSION])
        .failed(5)
        .saying(&["the answer is larger than"]);
    machine.has_nothing_installed();
}

#[test]
fn a_length_that_lies_is_noticed() {
    let archive = archives::tar_gz(&archives::tree(VERSION));
    let all = archive.len();
    let index = GoDev::of(&[VERSION]).index();
    for (length, code, why) in [
        ((all - 1).to_string(), 5, "bytes and should have"),
        ((all + 1).to_string(), 6, "the transfer broke off"),
        ("99999999999".into(), 6, "the transfer broke off"),
        ("-1".into(), 6, "gvm: error"),
        (format!("{all}\r\nContent-Length: 5"), 6, "gvm: error"),
        ("99999999999999999999999".into(), 6, "gvm: error"),
    ] {
        let (archive, index) = (archive.clone(), index.clone());
        let server = Raw::start(move |path, stream| {
            let is_index = path.ends_with("include=all");
            let body = if is_index { index.as_bytes() } else { &archive };
            let own = body.len().to_string();
            let length = if is_index { &own } else { &length };
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
            )
            .ok()?;
            stream.write_all(body).ok()
        });
        let machine = Machine::new();
        let ended = machine.gvm_with(&[("GVM_DL_URL", &server.dl())], &["install", VERSION]);
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
        ended.failed(code).saying(&[why]);
        machine.has_nothing_installed();
        machine.has_nothing_staged();
    }
}

/// Nothing is inflated that nobody asked to have compressed.
#[test]
fn a_compressed_answer_is_no_list() {
    let bomb = gzip(&zeros(64 << 20));
    let server = Server::start(move |_| {
        Answer::new(200, "application/json", bomb.clone()).header("Content-Encoding", "gzip")
    });
    let machine = Machine::new();
    let ended = in_little_memory(&machine, &[("GVM_DL_URL", &dl(&server))], &["install", VERSION]);
    ended.failed(4).saying(&["its index is not that of go.dev"]);
}

#[test]
fn a_login_page_is_called_a_web_page_whoever_sends_it() {
    let server = Server::start(|_| Answer::html("<!doctype html><title>Sign in</title>"));
    let machine = Machine::new();
    let log = common::log::Log::new(&common::log::h1());
    let sums = format!("{} {}", log.verifier(), server.url());
    let url = server.url();
    let variables = [
        ("GVM_DL_URL", url.as_str()),
        ("GOPROXY", &url),
        ("GOSUMDB", &sums),
        ("GVM_REQUIRE", "sha256"),
    ];
    let place = url.strip_prefix("http://").unwrap();
    let ended = machine.gvm_with(&variables, &["install", VERSION]).failed(5).saying(&[
        &format!("passed over {place}: it sent a web page, not a list of releases"),
        &format!("{place}: it sent a web page in place of an archive"),
    ]);
    assert_eq!(ended.stderr.matches("gvm: error: ").count(), 1, "{ended:?}");
    machine.has_nothing_installed();
    // The database alone.
    let proxy = Modules::of(&[VERSION]).serve();
    let (url, nowhere) = (proxy.url(), "file:///nowhere".to_string());
    let variables = [
        ("GVM_DL_URL", nowhere.as_str()),
        ("GOPROXY", &url),
        ("GOSUMDB", &sums),
        ("GVM_REQUIRE", "sha256"),
    ];
    machine.gvm_with(&variables, &["install", VERSION]).failed(5).saying(&[
        "nothing proves it",
        &format!("the checksum database at {place}: it sent a web page"),
    ]);
    machine.has_nothing_installed();
}

#[test]
fn redirects_lead_only_to_where_one_can_download() {
    for to in
        ["ftp://127.0.0.1/x", "file:///etc/passwd", "gopher://x", "//", "http://", "\u{1b}[2J"]
    {
        let server = go_dev_with(move |_, _, _| Answer::redirect(to));
        let machine = Machine::new();
        let ended = machine.gvm_at(&server, &["install", VERSION]);
        assert!(matches!(ended.code, 4 | 6), "{to}: {ended:?}");
        assert!(
            !ended.stderr.contains('\u{1b}') && !ended.stderr.contains("panicked"),
            "{ended:?}"
        );
        assert_eq!(ended.stderr.matches("gvm: error: ").count(), 1, "{ended:?}");
        machine.has_nothing_installed();
    }
}

/// It takes half a minute to be sure of it, for both at once.
#[test]
fn a_server_that_trickles_is_left() {
    let server = Raw::start(|path, stream| {
        if path.starts_with("/body") {
            stream.write_all(ENDLESS.as_bytes()).ok()?;
        }
        loop {
            stream.write_all(b"H").ok()?;
            thread::sleep(std::time::Duration::from_millis(200));
        }
    });
    let machine = Machine::new();
    let started = ["head", "body"].map(|part| {
        let url = format!("{}/{part}", server.0);
        let mut command = machine.command(GVM);
        command.args(["list-remote"]).env("GVM_DL_URL", url);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    let why = ["it does not answer in time", "it sends less than 1 kB a second"];
    for (child, why) in started.into_iter().zip(why) {
        finish(child).failed(6).saying(&[why]);
    }
}
