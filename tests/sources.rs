//! Where toolchains come from: go.dev's layout, module proxies, and what is
//! kept of their lists.

#![allow(clippy::disallowed_methods, reason = "a test that fails shows its line")]

mod common;

use common::archives::{index, sha256, tar_gz, tree};
use common::published::{GoDev, Modules, assert_is_whole, dl, everything, zip_name};
use common::server::{Answer, Ending, Server, closed_port};
use common::{Ended, Machine, run};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const LIST: &str = "/@v/list";

fn asked_for(server: &Server) -> Vec<String> {
    server.requests().into_iter().map(|request| request.path).collect()
}

#[test]
fn the_index_is_kept_and_asked_for_by_its_etag() {
    let server = GoDev::of(&["1.22.4"]).serve();
    let machine = Machine::new();
    let first = machine.gvm_at(&server, &["list-remote"]).succeeded();
    let second = machine.gvm_at(&server, &["list-remote"]).succeeded();
    assert_eq!(first.stdout, second.stdout);
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert!(!requests[0].headers.contains_key("if-none-match"));
    let etag = format!("\"{}\"", sha256(GoDev::of(&["1.22.4"]).index().as_bytes()));
    assert_eq!(requests[1].headers["if-none-match"], etag);
    machine.gvm_at(&server, &["install", "1.22"]).succeeded();
    machine.has_whole("1.22.4");
}

#[test]
fn a_new_release_is_seen_at_the_next_call() {
    let published = Arc::new(AtomicUsize::new(1));
    let stage = published.clone();
    let versions = ["1.22.3", "1.22.4"];
    let server = Server::start(move |request| {
        let archives = versions.map(|version| tar_gz(&tree(version)));
        let all: Vec<_> =
            versions.iter().copied().zip(archives.iter().map(Vec::as_slice)).collect();
        match request.path.as_str() {
            path if path.contains("mode=json") => {
                let number = stage.load(Ordering::SeqCst);
                Answer::new(200, "application/json", index(&all[..number]))
                    .header("ETag", &format!("\"{number}\""))
            }
            path => {
                let found = all.iter().find(|(version, _)| path.contains(version));
                Answer::ok(found.unwrap().1)
            }
        }
    });
    let machine = Machine::new();
    machine.gvm_at(&server, &["install", "1.22"]).succeeded();
    published.store(2, Ordering::SeqCst);
    machine.gvm_at(&server, &["install", "1.22"]).succeeded();
    assert_eq!(machine.installed(), ["1.22.4", "1.22.3"]);
}

#[test]
fn without_an_answer_the_kept_list_serves_and_says_so() {
    let server = GoDev::of(&["1.22.4", "1.21.0"]).serve();
    let machine = Machine::new();
    let base = dl(&server);
    let online = machine.gvm_at(&server, &["list-remote"]).succeeded();
    drop(server);
    let offline = machine.gvm_with(&[("GVM_DL_URL", &base)], &["list-remote"]).succeeded();
    assert_eq!(offline.stdout, online.stdout);
    let offline = offline.saying(&["cannot be reached", "going by its list of"]);
    assert_eq!(offline.stderr.matches("going by its list").count(), 1, "{offline:?}");
    // What the list has cannot be downloaded all the same.
    machine.gvm_with(&[("GVM_DL_URL", &base)], &["install", "1.22"]).failed(6).saying(&[
        "going by its list of",
        "Go 1.22.4 for",
        "--from FILE",
    ]);
    machine.has_nothing_installed();
    // Nothing is kept of another place.
    machine.gvm(&["list-remote"]).failed(6);
}

#[test]
fn a_web_page_in_place_of_the_index_does_not_destroy_what_is_kept() {
    let pages = Arc::new(AtomicUsize::new(0));
    let is_page = pages.clone();
    let server = GoDev::of(&["1.22.4"]).serve_with(move |request, answer| {
        match (request.path.contains("mode=json"), is_page.load(Ordering::SeqCst)) {
            (true, 1) => Answer::html("<!doctype html><title>Sign in</title>"),
            // No type tells that this is one.
            (true, 2) => Answer::ok("<!doctype html><title>Sign in</title>"),
            (true, 3) => Answer::new(200, "application/json", "[{\"version\":\"go1.22.4\""),
            (true, 4) => Answer::new(503, "text/html", "<h1>Busy</h1>"),
            _ => answer,
        }
    });

    pages.store(1, Ordering::SeqCst);
    let new = Machine::new();
    let refused = new.gvm_at(&server, &["list-remote"]);
    assert_ne!(refused.code, 0, "{refused:?}");
    refused.saying(&["it sent a web page, not a list of releases"]);

    let machine = Machine::new();
    pages.store(0, Ordering::SeqCst);
    let first = machine.gvm_at(&server, &["list-remote"]).succeeded();
    for (kind, why) in [(1, "web page"), (2, "not that of go.dev"), (3, "index"), (4, "503")] {
        pages.store(kind, Ordering::SeqCst);
        let kept = machine.gvm_at(&server, &["list-remote"]).succeeded();
        assert_eq!(kept.stdout, first.stdout);
        kept.saying(&[why, "going by its list of"]);
    }
    pages.store(0, Ordering::SeqCst);
    machine.gvm_at(&server, &["install", "1.22"]).succeeded();
    assert!(server.requests().iter().rev().any(|r| r.headers.contains_key("if-none-match")));
}

#[test]
fn a_damaged_cache_is_asked_for_anew() {
    let server = GoDev::of(&["1.22.4"]).serve();
    let machine = Machine::new();
    let first = machine.gvm_at(&server, &["list-remote"]).succeeded();
    for damage in ["", "{}\n[]", "garbage", "\u{0}\u{0}\n"] {
        let cache = machine.root().join("cache");
        for entry in fs::read_dir(&cache).unwrap() {
            fs::write(entry.unwrap().path(), damage).unwrap();
        }
        let again = machine.gvm_at(&server, &["list-remote"]).succeeded();
        assert_eq!(again.stdout, first.stdout, "{damage:?}");
    }
}

#[test]
fn a_directory_serves_as_well_as_a_server() {
    let machine = Machine::new();
    let directory = machine.work().join("a mirror");
    GoDev::of(&["1.22.4", "1.21.0"]).write_to(&directory);
    let url = reqwest::Url::from_file_path(&directory).unwrap();
    for url in [url.to_string(), format!("{url}/")] {
        let machine = Machine::new();
        let variables = [("GVM_DL_URL", url.as_str())];
        machine.gvm_with(&variables, &["install", "1.22"]).succeeded();
        machine.has_whole("1.22.4");
        assert_eq!(machine.receipt("1.22.4")["evidence"], "none");
        let listed = machine.gvm_with(&variables, &["list-remote", "--json"]).succeeded().json();
        assert_eq!(listed[1]["version"], "1.22.4");
        machine.gvm_with(&variables, &["install", "1.23"]).failed(4);
    }
    // An archive that is in the index and not in the directory.
    fs::remove_file(directory.join(common::archives::file_name("1.21.0"))).unwrap();
    machine.gvm_with(&[("GVM_DL_URL", url.as_str())], &["install", "1.21.0"]).failed(4);
    let nowhere = format!("{url}-not-there");
    let failed = machine.gvm_with(&[("GVM_DL_URL", nowhere.as_str())], &["install", "1.22"]);
    assert_ne!(failed.code, 0, "{failed:?}");
    machine.has_nothing_installed();
}

#[test]
fn the_base_url_of_the_settings_counts_and_the_variable_more() {
    let (one, two) = (GoDev::of(&["1.22.4"]).serve(), GoDev::of(&["1.22.3"]).serve());
    let machine = Machine::new();
    machine.config(&format!("dl_url = \"{}/\"\n", dl(&one)));
    machine.gvm_with(&[("GVM_DL_URL", "")], &["install", "1.22"]).succeeded();
    assert_eq!(machine.installed(), ["1.22.4"]);
    assert!(two.requests().is_empty());
    machine.gvm_at(&two, &["install", "1.22"]).succeeded();
    assert_eq!(machine.installed(), ["1.22.4", "1.22.3"]);
}

#[test]
fn settings_that_cannot_be_read_are_named_with_their_line() {
    for (text, line, why) in [
        ("dl_url = \"https://a.example\"\nsources = [\"go.dev\"\n", 2, ""),
        ("# ours\n\nmirror = \"x\"\n", 3, "mirror"),
        ("sources = [\"go.dev\", \"elsewhere\"]\n", 1, "elsewhere"),
        ("auto_install = \"yes\"\n", 1, ""),
        ("dl_url = 1\n", 1, ""),
    ] {
        let machine = Machine::new();
        machine.config(text);
        let place = format!("{}:{line}:", machine.root().join("config.toml").display());
        for command in [&["install", "1.22"][..], &["list-remote"]] {
            machine.gvm(command).failed(2).saying(&[&place, why]);
        }
    }
    let machine = Machine::new();
    machine.config("sources = []\n");
    machine.gvm(&["install", "1.22"]).failed(2).saying(&["sources = []"]);
    let machine = Machine::new();
    let failed = machine.gvm_with(&[("GOPROXY", "nonsense")], &["install", "1.22"]).failed(2);
    failed.saying(&["GOPROXY=nonsense", "the environment"]);
}

#[test]
fn a_redirect_leads_to_no_file_and_not_around_in_circles() {
    let machine = Machine::new();
    let secret = machine.work().join("secret.tar.gz");
    fs::write(&secret, tar_gz(&tree("1.22.4"))).unwrap();
    let file = format!("file://{}", secret.display());
    for (to, why) in [(file, "302"), ("/elsewhere/circle".into(), "it redirects in circles")] {
        let server = GoDev::of(&["1.22.4"]).serve_with(move |request, answer| {
            if request.path.ends_with("json&include=all") { answer } else { Answer::redirect(&to) }
        });
        let failed = machine.gvm_at(&server, &["install", "1.22.4"]);
        assert_ne!(failed.code, 0, "{failed:?}");
        failed.saying(&[why]);
        machine.has_nothing_installed();
    }
}

// Module proxies.

#[test]
fn a_module_zip_becomes_a_goroot_and_is_said_not_to_be_proved() {
    let proxy = Modules::of(&["1.22.4"]).serve();
    for quiet in [false, true] {
        let machine = Machine::new();
        let arguments: &[&str] =
            if quiet { &["--quiet", "install", "1.22"] } else { &["install", "1.22"] };
        machine.gvm_by(&proxy.url(), arguments).succeeded().saying(&[
            "warning",
            "Go 1.22.4 for",
            "NOT PROVED",
        ]);
        let mut files = tree("1.22.4");
        files.retain(|(path, ..)| !path.starts_with("test/"));
        assert_is_whole(&machine.goroot("1.22.4"), &files);
        let mode =
            |path| fs::metadata(machine.goroot("1.22.4").join(path)).unwrap().permissions().mode();
        for path in ["bin/go", "bin/gofmt", "pkg/tool/x/compile", "src/all.bash"] {
            assert_eq!(mode(path) & 0o111, 0o111, "{path}");
        }
        for path in ["VERSION", "go.env", "src/go.mod", "src/fmt/print.go"] {
            assert_eq!(mode(path) & 0o111, 0, "{path}");
        }
        assert!(!machine.goroot("1.22.4").join("src/_go.mod").exists());
        let receipt = machine.receipt("1.22.4");
        assert_eq!(receipt["evidence"], "none");
        assert_eq!(receipt["origin"]["source"], "proxy");
        let url = format!("{}/golang.org/toolchain/@v/{}", proxy.url(), zip_name("1.22.4"));
        assert_eq!(receipt["origin"]["url"], url);
        // As the checksum database has it, whatever the archive was.
        let from_go_dev = Machine::new();
        from_go_dev.gvm_at(&GoDev::of(&["1.22.4"]).serve(), &["install", "1.22.4"]).succeeded();
        assert_eq!(receipt["h1"], from_go_dev.receipt("1.22.4")["h1"]);
    }
}

#[test]
fn behind_a_comma_stands_who_is_asked_when_there_is_no_such_thing() {
    for status in [404, 410] {
        let one = Server::start(move |_| Answer::new(status, "text/plain", "not found"));
        let two = Modules::of(&["1.22.4"]).serve();
        let machine = Machine::new();
        let list = format!("{},{}", one.url(), two.url());
        machine.gvm_by(&list, &["install", "1.22"]).succeeded();
        assert_eq!(machine.installed(), ["1.22.4"]);
        assert!(one.count(LIST) == 1 && one.count(".zip") == 1, "{:?}", asked_for(&one));
    }
}

#[test]
fn behind_a_comma_nobody_is_asked_after_another_failure() {
    let two = Modules::of(&["1.22.4"]).serve();
    for status in [403, 500, 503] {
        for version in ["1.22.4", "1.22", "latest"] {
            let one = Server::start(move |_| Answer::new(status, "text/plain", "we do not say\n"));
            let machine = Machine::new();
            let list = format!("{},{}", one.url(), two.url());
            let failed = machine.gvm_by(&list, &["install", version]);
            assert_ne!(failed.code, 0, "{failed:?}");
            assert_eq!(asked_for(&two), [""; 0], "after {status} to {version}");
            machine.has_nothing_installed();
        }
    }
    for version in ["1.22.4", "1.22"] {
        let machine = Machine::new();
        let list = format!("{},{}", closed_port(), two.url());
        machine.gvm_by(&list, &["install", version]).failed(6);
        assert_eq!(asked_for(&two), [""; 0], "without an answer to {version}");
    }
}

#[test]
fn behind_a_bar_stands_who_is_asked_after_any_failure() {
    let broken = |status| Server::start(move |_| Answer::new(status, "text/plain", "no\n"));
    let servers = [broken(404), broken(403), broken(500)];
    let mut firsts: Vec<_> = servers.iter().map(Server::url).collect();
    firsts.push(closed_port());
    for first in firsts {
        let two = Modules::of(&["1.22.4"]).serve();
        let machine = Machine::new();
        let list = format!("{first}|{}", two.url());
        machine.gvm_by(&list, &["install", "1.22"]).succeeded();
        assert_eq!(machine.installed(), ["1.22.4"]);
    }
}

#[test]
fn off_ends_the_list() {
    let proxy = Modules::of(&["1.22.4"]).serve();
    let machine = Machine::new();
    machine
        .gvm_by("off", &["install", "1.22.4"])
        .failed(6)
        .saying(&["GOPROXY=off (the environment)"]);
    let missing = Server::start(|_| Answer::not_found());
    let list = format!("{},off,{}", missing.url(), proxy.url());
    machine.gvm_by(&list, &["install", "1.22.4"]).failed(4);
    assert_eq!(asked_for(&proxy), [""; 0]);
    machine.has_nothing_installed();
}

#[test]
fn a_module_cache_serves_as_a_proxy() {
    let machine = Machine::new();
    let cache = machine.work().join("mod/cache/down load");
    Modules::of(&["1.22.4"]).write_to(&cache);
    let url = reqwest::Url::from_file_path(&cache).unwrap();
    machine.gvm_by(url.as_str(), &["install", "1.22"]).succeeded().saying(&["NOT PROVED"]);
    assert_eq!(machine.installed(), ["1.22.4"]);
    machine.gvm_by(url.as_str(), &["install", "1.23.0"]).failed(4);
    let list = format!("{url}-not-there,{url}");
    let machine = Machine::new();
    machine.gvm_by(&list, &["install", "1.22"]).succeeded();
}

/// Nothing that gvm says or keeps has the password.
#[track_caller]
fn keeps_its_secret(machine: &Machine, ended: &Ended) {
    for text in [&ended.stdout, &ended.stderr] {
        assert!(!text.contains("sesame"), "{ended:?}");
    }
    for path in everything(&machine.root()).keys().filter(|path| path.is_file()) {
        let content = fs::read(path).unwrap();
        let found = content.windows(6).any(|part| part == b"sesame");
        assert!(!found && !path.display().to_string().contains("sesame"), "{}", path.display());
    }
}

#[test]
fn a_password_is_sent_and_never_shown() {
    let with_password = |url: &str| url.replace("http://", "http://ali:open-sesame@");
    fn locked(answer: Answer, sent: Option<&String>) -> Answer {
        // base64 of ali:open-sesame
        match sent {
            Some(sent) if sent == "Basic YWxpOm9wZW4tc2VzYW1l" => answer,
            _ => Answer::new(401, "text/plain", "who are you\n"),
        }
    }
    let proxy = Modules::of(&["1.22.4"])
        .serve_with(move |request, answer| locked(answer, request.headers.get("authorization")));
    let url = with_password(&proxy.url());
    let machine = Machine::new();
    for arguments in [
        &["list-remote"][..],
        &["install", "1.22"],
        &["list", "--verbose"],
        &["list", "--json"],
        &["install", "1.22.5"],
        &["install", "1.23"],
    ] {
        keeps_its_secret(&machine, &machine.gvm_by(&url, arguments));
    }
    assert_eq!(machine.installed(), ["1.22.4"]);
    drop(proxy);
    keeps_its_secret(&machine, &machine.gvm_by(&url, &["install", "1.22.6"]).failed(6));
    keeps_its_secret(&machine, &machine.gvm_by(&url, &["list-remote"]));

    let server = GoDev::of(&["1.22.4"])
        .serve_with(move |request, answer| locked(answer, request.headers.get("authorization")));
    let url = with_password(&dl(&server));
    let machine = Machine::new();
    for arguments in [&["list-remote"][..], &["install", "1.22"], &["list", "--json"]] {
        keeps_its_secret(&machine, &machine.gvm_with(&[("GVM_DL_URL", &url)], arguments));
    }
    assert_eq!(machine.installed(), ["1.22.4"]);
    drop(server);
    keeps_its_secret(&machine, &machine.gvm_with(&[("GVM_DL_URL", &url)], &["list-remote"]));
}

#[test]
fn a_password_is_not_shown_in_a_setting_that_cannot_be_read() {
    let machine = Machine::new();
    for list in [
        "http://ali:open-sesame@[",
        "http://ali:open-sesame@host:port/",
        "http://ali:open-sesame@a.example,nonsense",
        "ftp://ali:open-sesame@a.example",
        "ali:open-sesame@a.example:port",
        // A slash that should have been written %2F.
        "http://ali:open/sesame@a.example/",
    ] {
        let failed = machine.gvm_by(list, &["install", "1.22"]);
        keeps_its_secret(&machine, &failed.failed(2));
    }
}

#[test]
fn goproxy_is_looked_for_where_the_go_command_looks() {
    let servers: Vec<_> = (0..4).map(|_| Modules::of(&["1.22.4"]).serve()).collect();
    let [by_environment, by_named_file, by_user, by_goroot] = servers.as_slice() else { panic!() };
    let machine = Machine::new();
    let goroot = machine.system_go("1.19.5");
    let line = |server: &Server| format!("# a comment\nGOFLAGS=-v\nGOPROXY={}\n", server.url());
    let asks = |variables: &[(&str, &str)], expected: &Server| {
        let before: Vec<_> = servers.iter().map(|server| server.count(LIST)).collect();
        machine.gvm_with(variables, &["list-remote"]).succeeded();
        for (server, before) in servers.iter().zip(before) {
            let asked = server.count(LIST) - before;
            assert_eq!(asked, usize::from(server.url() == expected.url()), "{variables:?}");
        }
    };

    fs::write(goroot.join("go.env"), line(by_goroot)).unwrap();
    asks(&[("GOPROXY", "")], by_goroot);
    let user = machine.home().join(".config/go/env");
    fs::create_dir_all(user.parent().unwrap()).unwrap();
    fs::write(&user, line(by_user)).unwrap();
    asks(&[("GOPROXY", "")], by_user);
    let named = machine.work().join("go.env");
    fs::write(&named, line(by_named_file)).unwrap();
    let named = named.to_str().unwrap();
    asks(&[("GOPROXY", ""), ("GOENV", named)], by_named_file);
    asks(&[("GOPROXY", ""), ("GOENV", "off")], by_goroot);
    asks(&[("GOPROXY", &by_environment.url()), ("GOENV", named)], by_environment);
    // A file that sets something else lets the next one speak.
    fs::write(&user, "GOFLAGS=-v\n").unwrap();
    asks(&[("GOPROXY", "")], by_goroot);
    // Whoever said it is named.
    fs::write(&user, "GOPROXY=off\n").unwrap();
    let place = format!("GOPROXY=off ({})", user.display());
    machine.gvm_with(&[("GOPROXY", "")], &["install", "1.22.3"]).failed(6).saying(&[&place]);
}

#[test]
fn the_list_of_a_proxy_is_a_hint() {
    let proxy = Modules::listing(
        &["1.22.3", "1.26.8"],
        &["1.22.3", "1.22.5", "1.26.8", "1.26.9", "1.26.11"],
    );
    let proxy = proxy.serve();
    let machine = Machine::new();
    // It has this one, and its list does not.
    machine.gvm_by(&proxy.url(), &["install", "1.22.5"]).succeeded();
    // One patch is missing in between.
    machine.gvm_by(&proxy.url(), &["install", "1.26"]).succeeded();
    assert_eq!(machine.installed(), ["1.26.11", "1.22.5"]);
    machine.gvm_by(&proxy.url(), &["install", "1.26.10"]).failed(4).saying(&["no such toolchain"]);
}

#[test]
fn a_minor_that_a_proxy_does_not_list_is_looked_for() {
    let machine = Machine::new();
    let proxy = Modules::listing(&["1.22.3"], &["1.22.3", "1.26.0", "1.26.1"]).serve();
    machine.gvm_by(&proxy.url(), &["install", "1.26"]).succeeded();
    // And so where it lists nothing at all, as one that was never asked.
    let proxy = Modules::listing(&[], &["1.27.0"]).serve();
    machine.gvm_by(&proxy.url(), &["install", "1.27"]).succeeded();
    let mut without_list = Modules::listing(&[], &["1.25.0"]);
    without_list.files.retain(|name, _| !name.ends_with("list"));
    machine.gvm_by(&without_list.serve().url(), &["install", "1.25"]).succeeded();
    assert_eq!(machine.installed(), ["1.27.0", "1.26.1", "1.25.0"]);
}

#[test]
fn a_refusal_in_plain_words_is_passed_on_and_the_next_source_asked() {
    let sentence = "golang.org/toolchain is not on the list of allowed modules";
    let proxy = Modules::of(&["1.22.4"]).serve_with(move |request, answer| {
        if request.path.ends_with(".zip") {
            Answer::new(403, "text/plain; charset=utf-8", format!("\n{sentence}\nsee the wiki\n"))
        } else {
            answer
        }
    });
    let machine = Machine::new();
    machine.gvm_by(&proxy.url(), &["install", "1.22.4"]).failed(4).saying(&[
        sentence,
        "403",
        "gvm list-remote",
    ]);
    machine.has_nothing_installed();
    let server = GoDev::of(&["1.22.4"]).serve();
    machine.config("sources = [\"proxy\", \"go.dev\"]\n");
    let variables = [("GOPROXY", proxy.url()), ("GVM_DL_URL", dl(&server))];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    machine.gvm_with(&variables, &["install", "1.22.4"]).succeeded().saying(&[sentence]);
    assert_eq!(machine.receipt("1.22.4")["origin"]["source"], "go.dev");
}

#[test]
fn what_a_refusal_says_cannot_disturb_the_terminal() {
    let proxy = Server::start(|_| Answer::new(403, "text/plain", "no\x1b]0;title\x07\x1b[2J\n"));
    let machine = Machine::new();
    let failed = machine.gvm_by(&proxy.url(), &["install", "1.22.4"]).failed(4);
    assert!(!failed.stderr.chars().any(|c| c.is_control() && c != '\n'), "{failed:?}");
}

// The order of the sources.

/// Both sources, with what is asked of each in the order of the questions.
fn with_both(machine: &Machine, go_dev: &str, goproxy: &str, arguments: &[&str]) -> Ended {
    machine.gvm_with(&[("GVM_DL_URL", go_dev), ("GOPROXY", goproxy)], arguments)
}

#[test]
fn the_sources_are_asked_in_the_configured_order() {
    for (settings, source) in [
        ("", "go.dev"),
        ("sources = [\"go.dev\", \"proxy\"]\n", "go.dev"),
        ("sources = [\"proxy\", \"go.dev\"]\n", "proxy"),
        ("sources = [\"proxy\"]\n", "proxy"),
        ("sources = [\"go.dev\"]\n", "go.dev"),
    ] {
        let (server, proxy) = (GoDev::of(&["1.22.4"]).serve(), Modules::of(&["1.22.4"]).serve());
        for version in ["1.22.4", "1.22"] {
            let machine = Machine::new();
            machine.config(settings);
            let done = with_both(&machine, &dl(&server), &proxy.url(), &["install", version]);
            let done = done.succeeded();
            assert!(!done.stderr.contains("passed over"), "{done:?}");
            assert_eq!(machine.receipt("1.22.4")["origin"]["source"], source, "{settings}");
        }
        let other = if source == "go.dev" { &proxy } else { &server };
        assert_eq!(asked_for(other), [""; 0], "{settings}");
    }
}

#[test]
fn each_source_that_is_passed_over_gets_one_line() {
    let proxy = Modules::of(&["1.22.4"]).serve();
    let machine = Machine::new();
    let gone = format!("{}/dl", closed_port());
    let done = with_both(&machine, &gone, &proxy.url(), &["install", "1.22"]).succeeded();
    let lines: Vec<_> = done.stderr.lines().filter(|line| line.contains("passed over")).collect();
    assert_eq!(lines.len(), 1, "{done:?}");
    assert!(lines[0].contains("127.0.0.1") && lines[0].contains("cannot be reached"), "{done:?}");
    assert_eq!(machine.receipt("1.22.4")["origin"]["source"], "proxy");

    // A warning where something was sent that must not be believed.
    let server = GoDev::of(&["1.22.4"]).serve_with(|request, answer| {
        if request.path.starts_with("/elsewhere/") { Answer::html("<p>Sign in") } else { answer }
    });
    let machine = Machine::new();
    let done = with_both(&machine, &dl(&server), &proxy.url(), &["--quiet", "install", "1.22"]);
    done.succeeded().saying(&["warning", "passed over", "web page in place of an archive"]);
}

#[test]
fn when_all_fail_the_error_has_the_reason_of_each() {
    let gone = format!("{}/dl", closed_port());
    let without = GoDev::of(&["1.21.0"]).serve();
    let wrong = GoDev::of(&["1.22.4"]).serve_with(|request, answer| {
        if request.path.starts_with("/elsewhere/") {
            let mut body = answer.body;
            body[20] ^= 1;
            Answer::ok(body)
        } else {
            answer
        }
    });
    let busy = GoDev::of(&["1.22.4"]).serve_with(|request, answer| {
        let is_archive = request.path.starts_with("/elsewhere/");
        if is_archive { Answer::new(503, "text/plain", "come back later\n") } else { answer }
    });
    let missing = Server::start(|_| Answer::new(404, "text/plain", "not found: it is unknown\n"));
    let failing = Server::start(|_| Answer::new(500, "text/plain", "it is broken\n"));
    let cut =
        Modules::of(&["1.22.4"]).serve_with(|_, answer| answer.ending(Ending::CutAfter(1000)));
    let nobody = closed_port();

    for (go_dev, goproxy, code, reasons) in [
        (&gone, &nobody, 6, ["cannot be reached", "cannot be reached"]),
        (&gone, &"off".to_string(), 6, ["cannot be reached", "GOPROXY=off"]),
        (&gone, &missing.url(), 4, ["cannot be reached", "not found: it is unknown"]),
        (&dl(&without), &nobody, 4, ["its index has no Go 1.22.4", "cannot be reached"]),
        (&dl(&without), &missing.url(), 4, ["its index has no Go 1.22.4", "it is unknown"]),
        (&dl(&wrong), &missing.url(), 5, ["is not what was published", "it is unknown"]),
        (&dl(&wrong), &nobody, 5, ["is not what was published", "cannot be reached"]),
        // Who is in trouble does not say that there is no such release.
        (&dl(&busy), &failing.url(), 6, ["503: come back later", "500: it is broken"]),
        (&gone, &cut.url(), 6, ["cannot be reached", "broke off"]),
    ] {
        let machine = Machine::new();
        let failed = with_both(&machine, go_dev, goproxy, &["install", "1.22.4"]);
        let failed = failed.failed(code);
        let error = failed.stderr.split_once("gvm: error: ").unwrap().1;
        for reason in reasons {
            assert!(error.contains(reason), "no {reason:?} in {failed:#?}");
        }
        assert_eq!(failed.stderr.matches("gvm: error: ").count(), 1);
        machine.has_nothing_installed();
        machine.has_nothing_staged();
    }
}

#[test]
fn every_proxy_that_was_asked_gives_its_reason() {
    let one = Server::start(|_| Answer::new(403, "text/plain", "not on our list\n"));
    let two = Server::start(|_| Answer::new(404, "text/plain", "it is unknown\n"));
    let machine = Machine::new();
    let list = format!("{}|{}", one.url(), two.url());
    machine
        .gvm_by(&list, &["install", "1.22.4"])
        .failed(4)
        .saying(&["not on our list", "it is unknown"]);
}

// gvm list-remote.

fn releases() -> GoDev {
    GoDev::of(&["1.28rc1", "1.27.1", "1.27.0", "1.27rc2", "1.26.3", "1.22.4", "1.22rc1", "1.20"])
}

fn rows(ended: &Ended) -> Vec<Vec<String>> {
    let cells = |line: &str| -> Vec<String> {
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(Into::into).collect()
    };
    ended.stdout.lines().map(cells).collect()
}

#[test]
fn the_table_of_releases_tells_what_is_supported_and_installed() {
    let server = releases().serve();
    let machine = Machine::new();
    machine.gvm_at(&server, &["install", "1.26.3"]).succeeded();
    for command in ["list-remote", "listall", "ls-remote"] {
        let listed = machine.gvm_at(&server, &[command]).succeeded();
        assert_eq!(
            rows(&listed),
            [
                &["VERSION", "STATUS", "INSTALLED"][..],
                &["1.20", "end of life"],
                &["1.22.4", "end of life"],
                &["1.26.3", "newest patch", "yes"],
                &["1.27.0", "supported"],
                &["1.27.1", "newest patch"],
            ]
        );
    }
    let all = machine.gvm_at(&server, &["list-remote", "--all"]).succeeded();
    let versions: Vec<_> = rows(&all)[1..].iter().map(|row| row[0].clone()).collect();
    assert_eq!(
        versions,
        ["1.20", "1.22rc1", "1.22.4", "1.26.3", "1.27rc2", "1.27.0", "1.27.1", "1.28rc1"]
    );
    assert!(all.stdout.contains("pre-release"));
}

#[test]
fn the_list_of_releases_is_filtered() {
    let server = releases().serve();
    let machine = Machine::new();
    machine.gvm_at(&server, &["install", "1.27.0"]).succeeded();
    for (arguments, versions) in [
        (&["1.27"][..], &["1.27.0", "1.27.1"][..]),
        (&["go1.27.x"], &["1.27.0", "1.27.1"]),
        (&["1.27", "--all"], &["1.27rc2", "1.27.0", "1.27.1"]),
        (&["1.22rc1"], &["1.22rc1"]),
        (&["latest"], &["1.27.1"]),
        (&["stable"], &["1.27.1"]),
        (&["oldstable"], &["1.26.3"]),
        (&["1"], &["1.20", "1.22.4", "1.26.3", "1.27.0", "1.27.1"]),
        (&["--supported"], &["1.26.3", "1.27.0", "1.27.1"]),
        (&["--supported", "--not-installed"], &["1.26.3", "1.27.1"]),
        (&["--supported", "--all"], &["1.26.3", "1.27rc2", "1.27.0", "1.27.1", "1.28rc1"]),
    ] {
        let table = machine.gvm_at(&server, &[&["list-remote"], arguments].concat()).succeeded();
        let found: Vec<_> = rows(&table)[1..].iter().map(|row| row[0].clone()).collect();
        assert_eq!(found, versions, "{arguments:?}");
        let json = machine.gvm_at(&server, &[&["list-remote", "--json"], arguments].concat());
        let json = json.succeeded().json();
        let found: Vec<_> =
            json.as_array().unwrap().iter().map(|row| row["version"].as_str().unwrap()).collect();
        assert_eq!(found, versions, "{arguments:?}");
    }
    for nothing in ["1.99", "1.28"] {
        let none = machine.gvm_at(&server, &["list-remote", nothing]).failed(4);
        none.saying(&[&format!("no release of Go {nothing}")]);
        machine.gvm_at(&server, &["list-remote", "--json", nothing]).succeeded().prints("[]\n");
    }
    machine.gvm_at(&server, &["list-remote", "1.2.3.4"]).failed(2);
}

#[test]
fn scripts_get_every_field_of_a_release() {
    let server = releases().serve();
    let machine = Machine::new();
    machine.gvm_at(&server, &["install", "1.27.1"]).succeeded();
    let listed = machine.gvm_at(&server, &["list-remote", "--all", "--json"]).succeeded().json();
    let row = |version: &str| {
        listed.as_array().unwrap().iter().find(|row| row["version"] == version).unwrap().clone()
    };
    for (version, stable, supported, installed, pre_release) in [
        ("1.20", false, false, false, false),
        ("1.22rc1", false, false, false, true),
        ("1.26.3", true, true, false, false),
        ("1.27.0", false, true, false, false),
        ("1.27.1", true, true, true, false),
        ("1.28rc1", false, true, false, true),
    ] {
        assert_eq!(
            row(version),
            serde_json::json!({
                "version": version, "stable": stable, "supported": supported,
                "installed": installed, "pre_release": pre_release,
            })
        );
    }
}

#[test]
fn a_proxy_alone_is_listed_too() {
    let proxy = Modules::of(&["1.26.8", "1.27.1"]).serve();
    let machine = Machine::new();
    let listed = machine.gvm_by(&proxy.url(), &["list-remote", "--json"]).succeeded().json();
    assert_eq!(listed[0]["version"], "1.26.8");
    assert_eq!(listed[1]["version"], "1.27.1");
    assert_eq!(listed.as_array().unwrap().len(), 2);
    // Offline, by what is kept of it.
    let url = proxy.url();
    drop(proxy);
    let offline = machine.gvm_by(&url, &["list-remote", "--json"]).succeeded();
    assert_eq!(offline.json(), listed);
    offline.saying(&["going by its list of"]);
}

#[test]
fn listing_needs_no_store_that_can_be_written() {
    let server = releases().serve();
    let machine = Machine::new();
    fs::create_dir_all(machine.root()).unwrap();
    fs::set_permissions(machine.root(), fs::Permissions::from_mode(0o555)).unwrap();
    let mut command = machine.gvm_bound_by_permissions();
    let listed = run(command.args(["list-remote", "1.20"]).env("GVM_DL_URL", dl(&server)));
    fs::set_permissions(machine.root(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(rows(&listed.succeeded())[1], ["1.20", "end of life"]);
    assert!(!machine.root().join("cache").exists());
}
