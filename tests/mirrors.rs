//! Mirrors: flat ones as sources, the table, what they are like from here, and which
//! one is asked first.

#![allow(clippy::disallowed_methods, reason = "a test that fails shows its line")]

mod common;

use common::archives::{self, file_name, index, sha256, tar_gz, tree};
use common::published::{GoDev, Modules, dl};
use common::server::{Answer, Ending, Request, Server, closed_port};
use common::{Ended, GVM, Machine, run};
use gvm::goenv;
use gvm::platform::Platform;
use std::fs;
use std::path::PathBuf;

/// What `gvm mirror test` holds against its published digest.
const KNOWN: &str = "go1.22.4.linux-amd64.tar.gz";
const KNOWN_DIGEST: &str = "ba79d4526102575196273416239cca418a651e049c2b099f3159db85e7bade7d";

/// A flat mirror below `/golang` with archives of these versions and a digest beside
/// each; where it is to be measured, with another one beside the known file.
struct Flat {
    versions: Vec<String>,
    known_digest: Option<String>,
}

impl Flat {
    fn of(versions: &[&str]) -> Self {
        let versions = versions.iter().map(ToString::to_string).collect();
        Self { versions, known_digest: None }
    }

    fn with_known_digest(self, digest: &str) -> Self {
        Self { known_digest: Some(digest.into()), ..self }
    }

    fn serve(self) -> Server {
        self.serve_with(|_, answer| answer)
    }

    fn serve_with(
        self,
        alter: impl Fn(&Request, Answer) -> Answer + Send + Sync + 'static,
    ) -> Server {
        let files: Vec<(String, Vec<u8>)> =
            self.versions.iter().map(|v| (file_name(v), tar_gz(&tree(v)))).collect();
        Server::start(move |request| {
            let answer = || {
                let name = request.path.strip_prefix("/golang/")?;
                if name == format!("{KNOWN}.sha256")
                    && let Some(digest) = &self.known_digest
                {
                    return Some(Answer::ok(digest.clone()));
                }
                let of = |name: &str| files.iter().find(|(file, _)| file == name);
                match name.strip_suffix(".sha256") {
                    Some(name) => Some(Answer::ok(sha256(&of(name)?.1).to_string())),
                    None => Some(Answer::ok(of(name)?.1.clone())),
                }
            };
            alter(request, answer().unwrap_or_else(Answer::not_found))
        })
    }
}

/// What a flat mirror on loopback is called.
fn flat(server: &Server) -> String {
    format!("flat+{}/golang", server.url())
}

fn paths(server: &Server) -> Vec<String> {
    server.requests().into_iter().map(|request| request.path).collect()
}

/// A machine whose sources are these, and which wants evidence as everybody does.
fn machine_with_sources(sources: &[&str]) -> Machine {
    let machine = Machine::new();
    machine.config(&format!("sources = {sources:?}\n"));
    machine
}

/// Runs gvm with the evidence that is required by default.
fn strictly(machine: &Machine, arguments: &[&str]) -> Ended {
    machine.gvm_with(&[("GVM_REQUIRE", "sha256")], arguments)
}

/// Keeps an index as if it had come from there.
fn keep_index(machine: &Machine, url: &str, index: &str) {
    let cache = machine.root().join("cache");
    fs::create_dir_all(&cache).unwrap();
    let name = format!("index-{}", &sha256(url.as_bytes()).to_string()[..16]);
    let head = serde_json::json!({"url": url, "fetched_at": 1_700_000_000, "form": 1});
    let lines = gvm::catalog::index::parse_json(index.as_bytes()).unwrap().to_lines();
    fs::write(cache.join(name), format!("{head}\n{lines}")).unwrap();
}

const OFFICIAL_INDEX: &str = "https://go.dev/dl/?mode=json&include=all";

#[test]
fn a_flat_mirrors_own_digest_proves_nothing() {
    let server = Flat::of(&["1.22.4"]).serve();
    let machine = machine_with_sources(&[&flat(&server)]);
    strictly(&machine, &["install", "1.22.4"]).failed(5).saying(&[
        "nothing proves it",
        "its own server publishes shows only that the transfer was whole",
        "GVM_REQUIRE=none",
    ]);
    machine.has_nothing_installed();
    machine
        .gvm(&["install", "1.22.4"])
        .succeeded()
        .saying(&["NOT PROVED", "its own server publishes shows only that the transfer was whole"]);
    machine.has_whole("1.22.4");
    let receipt = machine.receipt("1.22.4");
    assert_eq!(receipt["origin"]["source"], "flat");
    assert_eq!(receipt["evidence"], "none");
}

#[test]
fn a_digest_beside_an_archive_is_read_in_its_forms_and_nothing_else_is_taken_for_one() {
    let digest = sha256(&tar_gz(&tree("1.22.4"))).to_string();
    let name = file_name("1.22.4");
    let other = sha256(b"other").to_string();
    for (answer, is_digest) in [
        (Answer::ok(format!("{digest}\n")), true),
        (Answer::ok(format!("{digest}  {name}\n")), true),
        (Answer::ok(format!("{digest}  other.tar.gz\n")), false),
        (Answer::ok("garbage"), false),
        (Answer::html(&other), false),
        (Answer::not_found(), false),
        (Answer::ok(vec![b'a'; 1 << 20]), false),
    ] {
        let what = String::from_utf8_lossy(&answer.body[..answer.body.len().min(80)]).into_owned();
        let server = Flat::of(&["1.22.4"]).serve_with(move |request, other| {
            if request.path.ends_with(".sha256") { answer.clone() } else { other }
        });
        let machine = machine_with_sources(&[&flat(&server)]);
        let installed = machine.gvm(&["install", "1.22.4"]).succeeded();
        let says = installed.stderr.contains("its own server publishes");
        assert_eq!(says, is_digest, "{what}: {installed:?}");
    }
    // One that does not fit is a broken transfer.
    let server = Flat::of(&["1.22.4"]).serve_with(move |request, answer| {
        if request.path.ends_with(".sha256") { Answer::ok(other.clone()) } else { answer }
    });
    let machine = machine_with_sources(&[&flat(&server)]);
    machine.gvm(&["install", "1.22.4"]).failed(5).saying(&["is not what was published"]);
    machine.has_nothing_installed();
}

#[test]
fn the_official_index_that_is_kept_vouches_for_any_mirror() {
    let archive = tar_gz(&tree("1.22.4"));
    let index = index(&[("1.22.4", &archive)]);
    let server = Flat::of(&["1.22.4"]).serve();
    let machine = machine_with_sources(&[&flat(&server)]);
    keep_index(&machine, OFFICIAL_INDEX, &index);
    strictly(&machine, &["install", "1.22.4"]).succeeded().saying(&["going by the published"]);
    assert_eq!(machine.receipt("1.22.4")["evidence"], "published-sha256");
    assert_eq!(server.count(".sha256"), 0, "{:?}", paths(&server));

    // And what it does not vouch for is refused, whatever the mirror says of it.
    let altered = Flat::of(&["1.22.4"]).serve_with(|request, answer| {
        let mut other = tree("1.22.4");
        other[0].1.push(b'\n');
        let other = tar_gz(&other);
        match request.path.ends_with(".sha256") {
            true => Answer::ok(sha256(&other).to_string()),
            false if answer.status == 200 => Answer::ok(other),
            false => answer,
        }
    });
    let machine = machine_with_sources(&[&flat(&altered)]);
    keep_index(&machine, OFFICIAL_INDEX, &index);
    machine.gvm(&["install", "1.22.4"]).failed(5).saying(&["1.22.4"]);
    machine.has_nothing_installed();
}

#[test]
fn an_index_of_somebody_else_tells_a_name_and_vouches_for_nothing() {
    // Such an archive has another name than the one that gvm would make.
    let files =
        tree("1.22.4").into_iter().map(|(path, content, _)| (format!("go/{path}"), content));
    let zip = archives::zip_of(&files.collect::<Vec<_>>());
    let name = file_name("1.22.4").replace(".tar.gz", ".zip");
    let mut published = GoDev::default();
    published.add_file("1.22.4", &name, &zip);
    let go_dev = published.serve_with(|request, answer| {
        if request.path.contains("mode=json") { answer } else { Answer::not_found() }
    });
    let wanted = format!("/golang/{name}");
    let mirror = Server::start(move |request| {
        if request.path == wanted { Answer::ok(zip.clone()) } else { Answer::not_found() }
    });
    let machine = machine_with_sources(&[&flat(&mirror), &format!("dl+{}", dl(&go_dev))]);
    machine.gvm(&["list-remote"]).succeeded();
    strictly(&machine, &["install", "1.22.4"]).failed(5).saying(&["nothing proves it"]);
    machine.gvm(&["install", "1.22.4"]).succeeded();
    machine.has_whole("1.22.4");
    assert_eq!(machine.receipt("1.22.4")["origin"]["source"], "flat");
}

#[test]
fn a_flat_mirror_serves_what_the_next_source_lists() {
    let mirror = Flat::of(&["1.22.3", "1.22.4"]).serve();
    let go_dev = GoDev::of(&["1.22.3", "1.22.4", "1.23.0"]).serve();
    let machine = machine_with_sources(&[&flat(&mirror), &format!("dl+{}", dl(&go_dev))]);
    let listed = machine.gvm(&["list-remote"]).succeeded();
    assert!(listed.stdout.contains("1.23.0"), "{listed:?}");
    machine.gvm(&["install", "1.22"]).succeeded();
    machine.has_whole("1.22.4");
    assert_eq!(machine.receipt("1.22.4")["origin"]["source"], "flat");
    assert_eq!(go_dev.count(".tar.gz"), 0);
    // What it lacks, the next one has.
    machine
        .gvm(&["install", "1.23"])
        .succeeded()
        .saying(&["passed over 127.0.0.1", "it answered 404"]);
    assert_eq!(machine.receipt("1.23.0")["origin"]["source"], "go.dev");
}

#[test]
fn where_nobody_lists_anything_a_flat_mirror_is_asked_for_names() {
    let mirror = Flat::of(&["1.22.0", "1.22.1", "1.22.3"]).serve();
    for sources in [vec![flat(&mirror)], vec![flat(&mirror), format!("dl+{}", closed_port())]] {
        let sources: Vec<_> = sources.iter().map(String::as_str).collect();
        let machine = machine_with_sources(&sources);
        machine.gvm(&["install", "1.22"]).succeeded();
        assert_eq!(machine.installed(), ["1.22.3"]);
        let listed = machine.gvm(&["list-remote"]);
        let code = if sources.len() == 1 { 4 } else { 6 };
        listed.failed(code).saying(&["no source tells which releases of Go there are"]);
        machine.gvm(&["install", "1.21"]).failed(code);
    }
}

#[test]
fn a_source_that_nobody_knows_is_an_error_that_lists_the_names() {
    for (text, line, why) in [
        ("\nsources = [\"go.dev\",\n  \"alyun\"]\n", 3, "there is no mirror called `alyun`"),
        ("mirror = \"https://u:secret@a.example/go\"\n", 1, "flat+https://a.example/go"),
        ("sources = [\"flat+ftp://u:secret@a.example\"]\n", 1, "ftp:// is neither"),
        ("sources = [\"sum.golang.org\"]\n", 1, "has no toolchains"),
    ] {
        let machine = Machine::new();
        machine.config(text);
        let place = format!("{}:{line}:", machine.root().join("config.toml").display());
        for command in [&["install", "1.22"][..], &["list-remote"], &["mirror", "list"]] {
            let failed = machine.gvm(command).failed(2);
            assert!(!failed.stderr.contains("secret"), "{failed:?}");
            failed.saying(&[&place, why, "official, google-cn, aliyun", "flat+URL"]);
        }
        // What only runs Go asks no source.
        machine.gvm(&["list"]).succeeded();
    }
}

#[test]
fn a_named_module_proxy_is_asked_first_for_toolchains_and_for_their_records() {
    let named = Modules::of(&["1.22.4"]).serve();
    let usual = Modules::default().serve_with(|request, answer| {
        if request.path.ends_with("/supported") { Answer::ok("") } else { answer }
    });
    let machine = machine_with_sources(&[&format!("proxy+{}", named.url()), "proxy"]);
    let variables = [("GOPROXY", usual.url()), ("GOSUMDB", "sum.golang.org".into())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    machine.gvm_with(&variables, &["install", "1.22"]).succeeded();
    machine.has_whole("1.22.4");
    let receipt = machine.receipt("1.22.4");
    let url = receipt["origin"]["url"].as_str().unwrap();
    assert!(url.starts_with(&named.url()), "{url}");
    assert_eq!(named.count("/sumdb/sum.golang.org/supported"), 1);
    let lookup = format!("/lookup/golang.org/toolchain@v0.0.1-go1.22.4.{}", Platform::host());
    assert_eq!(usual.count(&lookup), 1, "{:?}", paths(&usual));
}

/// The row of a table that has this name; a long one stands in the line above.
fn row<'a>(table: &'a str, name: &str) -> Vec<&'a str> {
    let found = table.lines().position(|line| line.split_whitespace().next() == Some(name));
    let found = found.unwrap_or_else(|| panic!("no {name} in {table}"));
    let mut lines = table.lines().skip(found);
    let mut row: Vec<_> = lines.next().unwrap().split_whitespace().collect();
    if row.len() == 1 {
        row.extend(lines.next().unwrap().split_whitespace());
    }
    row
}

#[test]
fn the_table_tells_who_serves_what_with_which_evidence_and_asks_nobody() {
    let server = Flat::of(&[]).serve();
    let machine = Machine::new();
    machine.config(&format!(
        "mirror = \"nju\"\nsources = [\"{}\", \"go.dev\", \"proxy\"]\n",
        flat(&server)
    ));
    let variables = [
        ("GVM_DL_URL", dl(&server)),
        ("GOPROXY", "https://goproxy.cn,direct".into()),
        ("GOSUMDB", "sum.golang.google.cn".into()),
    ];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let listed = machine.gvm_with(&variables, &["mirror", "list"]).succeeded();
    let table = listed.stdout.as_str();
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert_eq!(
        row(table, "official").join(" "),
        "official go.dev JSON, HTTPS the Go team log, sha256"
    );
    assert_eq!(row(table, "nju").join(" "), "nju flat .sha256, HTTPS NJU, Nanjing log 1");
    let local = server.url().replace("http://", "") + "/golang";
    assert_eq!(row(table, &local).join(" "), format!("{local} flat HTTP ? log 2"));
    let local = server.url().replace("http://", "") + "/dl";
    assert_eq!(row(table, &local).join(" "), format!("{local} go.dev JSON, HTTP ? log 3"));
    assert_eq!(row(table, "goproxy.cn").last(), Some(&"4"));
    assert_eq!(row(table, "sum.golang.google.cn").last(), Some(&"yes"));
    assert_eq!(row(table, "sum.golang.org").last(), Some(&"log"));

    // An official index that is kept vouches for flat mirrors; GOSUMDB=off leaves no log.
    keep_index(&machine, OFFICIAL_INDEX, "[]");
    let listed = machine.gvm_with(&[("GOSUMDB", "off")], &["mirror", "list", "--json"]).succeeded();
    let rows = listed.json();
    let of = |name: &str| {
        rows.as_array().unwrap().iter().find(|row| row["name"] == name).unwrap().clone()
    };
    assert_eq!(of("nju")["evidence"], serde_json::json!(["published-sha256"]));
    assert_eq!(of("goproxy.io")["evidence"], serde_json::json!([]));
    assert_eq!(of("aliyun")["goproxy"], "https://mirrors.aliyun.com/goproxy/,direct");
    assert_eq!(of("aliyun")["gosumdb"], "sum.golang.google.cn");
    assert_eq!(of("nju")["position"], 1);
    assert_eq!(of("ustc")["in_use"], false);
    assert_eq!(of(&flat(&server))["run_by"], serde_json::Value::Null);
    assert_eq!(paths(&server), [""; 0]);
}

/// Measures these places, and returns the rows of `--json`.
fn measured(machine: &Machine, places: &[&str]) -> (Vec<serde_json::Value>, Ended) {
    let ended = machine.gvm(&[&["mirror", "test", "--json"], places].concat());
    (ended.json().as_array().unwrap().clone(), ended)
}

#[test]
fn the_best_mirror_is_a_fast_one_that_has_the_newest_release() {
    let flat_of =
        |versions: &[&str], digest: &str| Flat::of(versions).with_known_digest(digest).serve();
    let new = flat_of(&["1.22.4", "1.23.0", "1.24.0", "1.24.1"], KNOWN_DIGEST);
    let old = flat_of(&["1.22.4", "1.23.0"], KNOWN_DIGEST);
    let newest = ["1.22.4", "1.23.0", "1.24.0", "1.24.1", "1.24.2"];
    let lying = flat_of(&newest, &sha256(b"other").to_string());
    let page = Server::start(|_| Answer::html("<title>Sign in</title>"));
    let closed = format!("flat+{}", closed_port());
    let machine = Machine::new();
    let places = [flat(&new), flat(&old), flat(&lying), flat(&page), closed];
    let places: Vec<_> = places.iter().map(String::as_str).collect();
    let (rows, ended) = measured(&machine, &places);
    let ended = ended.succeeded();
    let column = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(
        serde_json::Value::from(column("newest")),
        serde_json::json!(["1.24.1", "1.23.0", "1.24.2", null, null])
    );
    assert_eq!(column("digest"), ["right", "right", "wrong", "absent", "absent"]);
    assert_eq!(column("best"), [true, false, false, false, false]);
    for row in &rows[..3] {
        assert!(row["latency_ms"].as_f64().unwrap() > 0.0, "{row}");
        assert!(row["rate"].as_u64().unwrap() > 0, "{row}");
        assert_eq!(row["bytes"], tar_gz(&tree("1.24.1")).len(), "{row}");
    }
    assert_eq!(rows[4]["latency_ms"], serde_json::Value::Null);
    assert!(rows[4]["problem"].as_str().unwrap().contains("cannot be reached"), "{rows:?}");
    ended.saying(&[&format!("gvm mirror use {}", places[0])]);
    // A part of an archive was asked for, not all of it.
    let ranged = new.requests().into_iter().filter(|r| r.path.ends_with(&file_name("1.24.1")));
    let ranges: Vec<_> = ranged.map(|request| request.headers["range"].clone()).collect();
    assert!(ranges.contains(&"bytes=0-3999999".to_string()), "{ranges:?}");

    let shown = machine.gvm(&[&["mirror", "test"][..], &places].concat()).succeeded();
    let name = |server: &Server| server.url().replace("http://", "") + "/golang";
    assert!(row(&shown.stdout, &name(&lying)).contains(&"WRONG"), "{shown:?}");
    assert!(shown.stdout.contains("cannot be reached"), "{shown:?}");
}

#[test]
fn a_mirror_that_stalls_in_the_sample_is_slow_and_not_the_best() {
    let whole = Flat::of(&["1.22.4"]).with_known_digest(KNOWN_DIGEST).serve();
    let stalling = Flat::of(&["1.22.4"]).with_known_digest(KNOWN_DIGEST);
    let stalling = stalling.serve_with(|request, answer| match request.headers.get("range") {
        Some(range) if range == "bytes=0-3999999" => answer.ending(Ending::StallAfter(1000)),
        _ => answer,
    });
    let machine = Machine::new();
    let (rows, ended) = measured(&machine, &[&flat(&stalling), &flat(&whole)]);
    ended.succeeded();
    assert_eq!(rows[0]["bytes"], 1000, "{rows:?}");
    // Over the time in which nothing came as well.
    assert!(rows[0]["rate"].as_u64().unwrap() < 1000, "{rows:?}");
    assert_eq!(rows[1]["best"], true, "{rows:?}");
}

#[test]
fn each_layout_is_measured_by_its_own_means() {
    let mut published = GoDev::of(&["1.22.3", "1.23.1"]);
    published.announce("1.22.4", KNOWN, KNOWN_DIGEST, 68_964_131);
    let go_dev = published.clone().serve();
    published.releases.pop();
    published.announce("1.22.4", KNOWN, &sha256(b"other").to_string(), 68_964_131);
    let lying = published.serve();
    let mut modules = Modules::of(&["1.22.3", "1.23.0"]);
    modules.add("1.23.1", b"not listed");
    let version = format!("golang.org/toolchain/@v/v0.0.1-go1.23.1.{}", Platform::host());
    modules.files.insert(format!("{version}.mod"), b"module golang.org/toolchain\n".into());
    let proxy = modules.clone().serve();
    modules.files.insert(format!("{version}.mod"), b"module example.com/other\n".into());
    let lying_proxy = modules.serve();

    let machine = Machine::new();
    let places = [
        format!("dl+{}", dl(&go_dev)),
        format!("dl+{}", dl(&lying)),
        format!("proxy+{}", proxy.url()),
        format!("proxy+{}", lying_proxy.url()),
    ];
    let places: Vec<_> = places.iter().map(String::as_str).collect();
    let (rows, ended) = measured(&machine, &places);
    ended.succeeded();
    let column = |name: &str| rows.iter().map(|row| row[name].clone()).collect::<Vec<_>>();
    assert_eq!(column("newest"), ["1.23.1"; 4], "{rows:?}");
    assert_eq!(column("digest"), ["right", "wrong", "right", "wrong"], "{rows:?}");
    assert!(rows[1]["best"] == false && rows[3]["best"] == false, "{rows:?}");
    assert!(rows.iter().all(|row| row["rate"].as_u64().unwrap() > 0), "{rows:?}");
}

#[test]
fn when_no_mirror_answers_the_exit_code_is_that_of_the_network() {
    let machine = Machine::new();
    let closed = format!("flat+{}", closed_port());
    let failed = machine.gvm(&["mirror", "test", &closed]).failed(6);
    assert!(failed.stdout.contains("cannot be reached"), "{failed:?}");
    failed.saying(&["gvm: error: it does not answer from here"]);
    machine
        .gvm(&["mirror", "test", &closed, &closed])
        .failed(6)
        .saying(&["gvm: error: none of them answers from here"]);
    // A server that is in trouble, or answers everything, is nobody's mirror.
    let busy = Server::start(|_| Answer::new(503, "text/html", "<h1>Busy</h1>"));
    machine.gvm(&["mirror", "test", &flat(&busy)]).failed(6);
    let archive = tar_gz(&tree("1.22.4"));
    let anything = Server::start(move |_| Answer::ok(archive.clone()));
    let (rows, ended) = measured(&machine, &[&flat(&anything)]);
    ended.succeeded();
    assert_eq!(rows[0]["problem"], "it has an answer to everything");
    machine.gvm(&["mirror", "test", "nowhere"]).failed(2).saying(&["official, google-cn"]);
}

#[test]
fn the_real_proxy_and_the_real_log_are_measured() {
    let machine = Machine::new();
    let log = format!("sumdb+{}/sumdb/sum.golang.org", goenv::public_proxy());
    let (rows, ended) = measured(&machine, &["official-proxy", &log]);
    ended.succeeded().saying(&["gvm mirror use official-proxy"]);
    for row in &rows {
        assert_eq!(row["digest"], "right", "{row}");
    }
    assert!(rows[0]["newest"].as_str().unwrap().starts_with("1."), "{rows:?}");

    // Another record under the log's name is not believed.
    let lying = Server::start(|request| match request.path.contains("/lookup/") {
        true => Answer::ok(
            "24929362\ngolang.org/toolchain v0.0.1-go1.21.9.linux-amd64 h1:AAAA=\n\n\
             go.sum database tree\n28905453\nf3f8U0MoQmXkWAgAEKDtXcaI3c2y6N9+55KNSRefF/w=\n\n\
             — sum.golang.org Az3grr4J9x4SApup87osjthKONInbYdbN37ZskrLF12HIbhDuxOBTzt8Z2jUKbCvxYWrw0yNgshddOzt7pZEl7aSCw8=\n",
        ),
        false => {
            // Hashes of nothing, as many as a tile has.
            let width = request.path.rsplit_once(".p/").map_or(256, |(_, w)| w.parse().unwrap());
            Answer::ok(vec![0; 32 * width])
        }
    });
    let (rows, ended) = measured(&machine, &[&format!("sumdb+{}", lying.url())]);
    ended.succeeded();
    assert_eq!(rows[0]["digest"], "wrong", "{rows:?}");
}

#[test]
fn the_real_log_proves_the_archive_of_a_mirror_that_nobody_knows() {
    let machine = Machine::new();
    let copy = machine.path().join("copy");
    fs::create_dir(&copy).unwrap();
    let real = common::real_go::real_go(GO);
    // Of a copy: tar minds when other tests make links to the files that it reads.
    run(machine.command("cp").arg("-r").arg(&real).arg(&copy)).succeeded();
    let file = machine.path().join(file_name(GO));
    let mut tar = machine.command("tar");
    tar.args(["-I", "gzip -1", "-cf"]).arg(&file).arg("-C").arg(&copy).arg("go");
    run(&mut tar).succeeded();
    let archive = fs::read(&file).unwrap();
    let wanted = format!("/golang/{}", file_name(GO));
    let mirror = Server::start(move |request| match request.path == wanted {
        true => Answer::ok(archive.clone()),
        false => Answer::not_found(),
    });
    machine.config(&format!("sources = [\"{}\"]\n", flat(&mirror)));
    let proxy = goenv::public_proxy();
    let strict = [
        ("GVM_REQUIRE", "checksum-database"),
        ("GOPROXY", proxy.as_str()),
        ("GOSUMDB", "sum.golang.org"),
    ];
    machine.gvm_with(&strict, &["install", GO]).succeeded().saying(&["of sum.golang.org"]);
    let receipt = machine.receipt(GO);
    assert_eq!(receipt["evidence"], "checksum-database");
    assert_eq!(receipt["origin"]["source"], "flat");
}

fn config_of(machine: &Machine) -> String {
    fs::read_to_string(machine.root().join("config.toml")).unwrap()
}

#[test]
fn a_mirror_that_is_used_is_asked_first_and_the_file_stays_the_users() {
    let mirror = Flat::of(&["1.22.4"]).serve();
    let go_dev = GoDev::of(&["1.22.4", "1.23.0"]).serve();
    let machine = Machine::new();
    let text = format!("# ours\n\ndl_url = \"{}\" # near\n# end\n", dl(&go_dev));
    machine.config(&text);
    // A link to where somebody keeps such files.
    let config = machine.root().join("config.toml");
    let kept = machine.home().join("dotfiles.toml");
    fs::rename(&config, &kept).unwrap();
    std::os::unix::fs::symlink("../../../dotfiles.toml", &config).unwrap();

    let without = [("GVM_DL_URL", "")];
    let used = machine.gvm_with(&without, &["mirror", "use", &flat(&mirror)]).succeeded();
    used.saying(&[&format!("Go comes from {}, then dl+{}", flat(&mirror), dl(&go_dev))]);
    assert!(fs::symlink_metadata(&config).unwrap().is_symlink());
    assert_eq!(
        config_of(&machine),
        text.replace("# end", &format!("mirror = \"{}\"\n# end", flat(&mirror)))
    );
    machine.gvm_with(&without, &["install", "1.22", "1.23"]).succeeded();
    assert_eq!(machine.receipt("1.22.4")["origin"]["source"], "flat");
    assert_eq!(machine.receipt("1.23.0")["origin"]["source"], "go.dev");

    // Another one takes its place, and official takes it out.
    machine.gvm_with(&without, &["mirror", "use", "nju"]).succeeded();
    assert_eq!(config_of(&machine).matches("mirror").count(), 1);
    let undone = machine.gvm_with(&without, &["mirror", "use", "official"]).succeeded();
    assert!(!undone.stderr.contains("nothing to undo"), "{undone:?}");
    assert_eq!(config_of(&machine), text);
    assert!(fs::symlink_metadata(&config).unwrap().is_symlink());
    let again = machine.gvm_with(&without, &["mirror", "use", "official"]).succeeded();
    again.saying(&["there was nothing to undo"]);
}

#[test]
fn what_cannot_be_used_is_not_stored() {
    let machine = Machine::new();
    machine.config("# ours\n");
    machine.gvm(&["mirror", "use", "nowhere"]).failed(2).saying(&["official, google-cn"]);
    machine
        .gvm(&["mirror", "use", "sum.golang.google.cn"])
        .failed(2)
        .saying(&["has no toolchains", "go env -w GOSUMDB=sum.golang.google.cn"]);
    let closed = closed_port();
    machine
        .gvm(&["mirror", "use", &closed])
        .failed(6)
        .saying(&["cannot be reached", &format!("gvm mirror use flat+{closed}")]);
    assert_eq!(config_of(&machine), "# ours\n");
    machine.config("sources = [\n");
    machine.gvm(&["mirror", "use", "nju"]).failed(2).saying(&["config.toml:"]);
    assert_eq!(config_of(&machine), "sources = [\n");
}

#[test]
fn a_bare_url_is_looked_at_for_its_layout() {
    let go_dev = GoDev::of(&["1.22.4"]).serve();
    let proxy = Modules::of(&["1.22.4"]).serve();
    let mirror = Flat::of(&["1.22.4"]).serve();
    let nothing = Server::start(|_| Answer::not_found());
    let page = Server::start(|_| Answer::html("<title>Sign in</title>"));
    let machine = Machine::new();
    for (url, prefix) in
        [(dl(&go_dev), "dl"), (proxy.url(), "proxy"), (format!("{}/golang", mirror.url()), "flat")]
    {
        machine.gvm(&["mirror", "use", &format!("{url}/")]).succeeded();
        assert_eq!(config_of(&machine), format!("mirror = \"{prefix}+{url}\"\n"));
    }
    for server in [nothing, page] {
        let url = server.url();
        machine
            .gvm(&["mirror", "use", &url])
            .failed(4)
            .saying(&["has neither an index", &format!("gvm mirror use flat+{url}")]);
    }
    assert!(config_of(&machine).contains("/golang"));
}

/// Runs gvm without variables of the go command's.
fn with_go(machine: &Machine, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let mut command = machine.command(GVM);
    command.args(arguments).env_remove("GOPROXY").env_remove("GOSUMDB");
    run(command.envs(variables.iter().copied()))
}

/// What the go command's own file says.
fn go_env_file(machine: &Machine) -> PathBuf {
    machine.home().join(".config/go/env")
}

fn stored(machine: &Machine) -> Vec<String> {
    let text = fs::read_to_string(go_env_file(machine)).unwrap_or_default();
    let mut lines: Vec<_> = text.lines().map(String::from).collect();
    lines.sort();
    lines
}

const GO: &str = "1.26.11";

#[test]
fn the_go_command_gets_a_mirrors_settings_and_has_its_own_back_afterwards() {
    let machine = Machine::new();
    machine.real(GO);
    machine.refresh_shims();
    fs::create_dir_all(go_env_file(&machine).parent().unwrap()).unwrap();
    let own = ["GOFLAGS=-mod=mod", "GOPROXY=https://u:secret@own.example,direct"];
    fs::write(go_env_file(&machine), own.join("\n") + "\n").unwrap();

    let used = with_go(&machine, &[], &["mirror", "use", "aliyun", "--go"]).succeeded();
    assert!(!used.stderr.contains("secret"), "{used:?}");
    used.saying(&[
        "GOPROXY  https://own.example,direct → https://mirrors.aliyun.com/goproxy/,direct",
        "GOSUMDB  sum.golang.org → sum.golang.google.cn",
    ]);
    let aliyun = [
        "GOFLAGS=-mod=mod",
        "GOPROXY=https://mirrors.aliyun.com/goproxy/,direct",
        "GOSUMDB=sum.golang.google.cn",
    ];
    assert_eq!(stored(&machine), aliyun);
    // Another mirror alone leaves them; with --go, what was there first is remembered.
    with_go(&machine, &[], &["mirror", "use", "ustc"])
        .succeeded()
        .saying(&["the go command still has the settings of aliyun"]);
    assert_eq!(stored(&machine), aliyun);
    with_go(&machine, &[], &["mirror", "use", "goproxy.cn", "--go"]).succeeded();
    assert_eq!(stored(&machine), ["GOFLAGS=-mod=mod", "GOPROXY=https://goproxy.cn,direct"]);
    with_go(&machine, &[], &["mirror", "use", "official"])
        .succeeded()
        .saying(&["GOPROXY  https://goproxy.cn,direct → https://own.example,direct"]);
    assert_eq!(stored(&machine), own);
    assert!(!machine.root().join("mirror.json").exists());
}

#[test]
fn what_somebody_changed_since_is_not_put_back() {
    let machine = Machine::new();
    machine.real(GO);
    machine.refresh_shims();
    with_go(&machine, &[], &["mirror", "use", "aliyun", "--go"]).succeeded();
    run(machine
        .command(machine.goroot(GO).join("bin/go"))
        .args(["env", "-w", "GOPROXY=https://new.example"])
        .env_remove("GOPROXY"))
    .succeeded();
    with_go(&machine, &[], &["mirror", "use", "official"])
        .succeeded()
        .saying(&["https://new.example, which somebody else has set, stays"]);
    assert_eq!(stored(&machine), ["GOPROXY=https://new.example"]);
}

#[test]
fn what_was_there_before_is_not_lost_in_silence() {
    let machine = Machine::new();
    machine.real(GO);
    machine.refresh_shims();
    fs::create_dir_all(go_env_file(&machine).parent().unwrap()).unwrap();
    fs::write(go_env_file(&machine), "GOPROXY=https://own.example\n").unwrap();
    with_go(&machine, &[], &["mirror", "use", "aliyun", "--go"]).succeeded();
    let memory = machine.root().join("mirror.json");
    let kept = fs::read(&memory).unwrap();
    for damage in [&b""[..], b"{}", b"\xff"] {
        fs::write(&memory, damage).unwrap();
        for arguments in [&["mirror", "use", "official"][..], &["mirror", "use", "nju", "--go"]] {
            with_go(&machine, &[], arguments).failed(2).saying(&["mirror.json", "remove"]);
        }
        assert_eq!(fs::read(&memory).unwrap(), damage);
    }
    fs::remove_file(&memory).unwrap();
    run(machine.command("mkfifo").arg(&memory)).succeeded();
    with_go(&machine, &[], &["mirror", "use", "official"]).failed(1).saying(&["is not a file"]);

    // As a process leaves it that is killed before it has set anything: nothing is
    // there to put back.
    fs::remove_file(&memory).unwrap();
    fs::write(&memory, kept).unwrap();
    fs::write(go_env_file(&machine), "GOPROXY=https://own.example\n").unwrap();
    let undone = with_go(&machine, &[], &["mirror", "use", "official"]).succeeded();
    assert!(!undone.stderr.contains("somebody else"), "{undone:?}");
    assert_eq!(stored(&machine), ["GOPROXY=https://own.example"]);
    assert!(!memory.exists());
}

#[test]
fn settings_that_will_not_count_are_told() {
    let machine = Machine::new();
    machine.real(GO);
    machine.refresh_shims();
    with_go(&machine, &[("GOENV", "off")], &["mirror", "use", "aliyun", "--go"])
        .failed(2)
        .saying(&["GOENV=off", "unset GOENV"]);
    assert!(!machine.root().join("config.toml").exists());
    let proxy = [("GOPROXY", "https://u:secret@env.example")];
    let used = with_go(&machine, &proxy, &["mirror", "use", "aliyun", "--go"]).succeeded();
    assert!(!used.stderr.contains("secret"), "{used:?}");
    used.saying(&["GOPROXY is set in the environment, which counts before"]);
    // A mirror without a module proxy: those that have one are named.
    with_go(&machine, &[], &["mirror", "use", "ustc", "--go"])
        .succeeded()
        .saying(&["ustc has no module proxy", "aliyun, official-proxy, goproxy.cn, goproxy.io"]);
    assert_eq!(stored(&machine), [""; 0]);
    assert!(!machine.root().join("mirror.json").exists());

    // The system's go does as well, and no go at all is an error.
    let machine = Machine::new();
    with_go(&machine, &[], &["mirror", "use", "aliyun", "--go"])
        .failed(3)
        .saying(&["there is no go", "gvm install stable"]);
    assert!(!machine.root().join("config.toml").exists());
    let real = common::real_go::real_go(GO);
    std::os::unix::fs::symlink(real.join("bin/go"), machine.bin().join("go")).unwrap();
    with_go(&machine, &[], &["mirror", "use", "aliyun", "--go"]).succeeded();
    assert_eq!(stored(&machine).len(), 2);
}

#[test]
fn the_names_of_mirrors_complete() {
    let machine = Machine::new();
    let completed = |words: &[&str]| {
        let mut command = machine.command(GVM);
        command.env("COMPLETE", "fish").args(["--", "gvm", "mirror"]).args(words);
        let ended = run(&mut command).succeeded();
        let words = ended.stdout.lines().map(|line| line.split('\t').next().unwrap().to_string());
        words.collect::<Vec<_>>()
    };
    assert_eq!(completed(&["use", "go"]), ["google-cn", "goproxy.cn", "goproxy.io"]);
    // Checksum databases have no toolchains; and a name begins as it was typed.
    assert_eq!(completed(&["use", "sum"]), [""; 0]);
    assert_eq!(completed(&["use", "proxy"]), [""; 0]);
    assert_eq!(completed(&["test", "ustc", "sum"]), ["sum.golang.org", "sum.golang.google.cn"]);
    assert!(completed(&[""]).contains(&"list".to_string()));
}
