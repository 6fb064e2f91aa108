//! Lists of releases that lie, grow or are something else: one sentence each, and
//! what is there besides still counts.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

mod common;

use common::published::{GoDev, Modules, dl};
use common::server::{Answer, Server};
use common::{Ended, GVM, Machine, run};
use gvm::platform::Platform;
use serde_json::{Value, json};

const VERSION: &str = "1.22.4";

/// What gvm makes of an index, with little memory.
fn with_index(index: impl Into<Vec<u8>>, arguments: &[&str]) -> (Machine, Ended) {
    let index = index.into();
    let published = GoDev::of(&[VERSION]);
    let server = published.serve_with(move |request, answer| {
        if request.path.contains("mode=json") {
            return Answer::new(200, "application/json", index.clone());
        }
        answer
    });
    let machine = Machine::new();
    let ended = in_little_memory(&machine, &[("GVM_DL_URL", &dl(&server))], arguments);
    (machine, ended)
}

/// Runs gvm with an address space of 300 MB.
fn in_little_memory(machine: &Machine, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let mut command = machine.command("bash");
    command.args(["-c", "ulimit -v 300000; exec \"$0\" \"$@\"", GVM]).args(arguments);
    run(command.envs(variables.iter().copied()))
}

/// The index of go.dev with one thing changed.
fn altered(pointer: &str, value: Value) -> String {
    let mut index: Value = serde_json::from_str(&GoDev::of(&[VERSION]).index()).unwrap();
    *index.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
    index.to_string()
}

#[test]
fn a_value_of_another_type_makes_it_no_index() {
    let places = ["", "/0", "/0/version", "/0/files", "/0/files/0"];
    let fields = ["filename", "kind", "sha256", "size"].map(|name| format!("/0/files/0/{name}"));
    let values = [json!(null), json!(true), json!(-1), json!(1.5), json!({"a": [1]}), json!([[]])];
    let mut refused = 0;
    for place in places.into_iter().chain(fields.iter().map(String::as_str)) {
        for value in &values {
            let (machine, ended) = with_index(altered(place, value.clone()), &["install", VERSION]);
            assert!(!ended.stderr.contains("panicked"), "{place} {value}: {ended:?}");
            // An empty list of files or releases is none of that release.
            assert!(matches!(ended.code, 4 | 6), "{place} {value}: {ended:?}");
            refused += usize::from(ended.stderr.contains("its index is not that of go.dev"));
            machine.has_nothing_installed();
        }
    }
    assert!(refused > 40, "{refused}");
}

#[test]
fn what_is_new_in_an_index_is_passed_over() {
    let mut index: Value = serde_json::from_str(&GoDev::of(&[VERSION]).index()).unwrap();
    index[0]["codename"] = json!({"since": [2027]});
    index[0]["files"][0]["signature"] = json!("x");
    let mut other = index[0]["files"][0].clone();
    other["kind"] = json!("hologram");
    index[0]["files"].as_array_mut().unwrap().insert(0, other);
    index.as_array_mut().unwrap().push(json!({"version": "go2x", "files": [{"kind": "archive"}]}));
    let (machine, ended) = with_index(index.to_string(), &["install", VERSION]);
    ended.succeeded();
    machine.has_whole(VERSION);
}

#[test]
fn a_file_name_leads_nowhere_else() {
    let own = format!("go{VERSION}.{}.tar.gz", Platform::host());
    for name in [
        format!("../{own}"),
        format!("/etc/{own}"),
        format!("x/{own}"),
        format!("..\\{own}"),
        format!("{own}?x=1"),
        format!("{own}#x"),
        format!("%2e%2e/{own}"),
        format!("https://evil.example/{own}"),
        format!("{own}\n"),
        String::new(),
    ] {
        let index = altered("/0/files/0/filename", json!(name));
        let (machine, ended) = with_index(index, &["install", VERSION]);
        ended.failed(4).saying(&["it has no Go 1.22.4 for"]);
        machine.has_nothing_installed();
    }
}

#[test]
fn an_index_that_is_too_large_or_too_deep_is_not_read() {
    let mut large = String::from("[");
    while large.len() < 100 << 20 {
        large.push_str(r#"{"version":"go1.22.4","stable":true,"files":[]},"#);
    }
    large.push_str("{}]");
    let (_, ended) = with_index(large, &["list-remote"]);
    ended.failed(6).saying(&["the answer is larger than 33554432 bytes"]);
    let deep = "[".repeat(1_000_000);
    let (_, ended) = with_index(deep, &["list-remote"]);
    assert_eq!(ended.code, 4, "{ended:?}");
    ended.saying(&["its index is not that of go.dev"]);
}

#[test]
fn a_release_that_comes_twice_keeps_its_first_archives() {
    let mut index: Value = serde_json::from_str(&GoDev::of(&[VERSION]).index()).unwrap();
    let mut again = index[0].clone();
    again["files"][0]["sha256"] = json!("0".repeat(64));
    index.as_array_mut().unwrap().push(again);
    let (machine, ended) = with_index(index.to_string(), &["install", VERSION]);
    ended.succeeded();
    machine.has_whole(VERSION);
}

#[test]
fn a_number_that_no_size_has_is_refused() {
    for size in ["1e400", "18446744073709551616", "-0.5", "\"5\""] {
        let index = GoDev::of(&[VERSION]).index();
        let at = index.find("\"size\":").unwrap() + 7;
        let end = at + index[at..].find(['}', ',']).unwrap();
        let index = format!("{}{size}{}", &index[..at], &index[end..]);
        let (machine, ended) = with_index(index, &["install", VERSION]);
        ended.failed(4).saying(&["its index is not that of go.dev"]);
        machine.has_nothing_installed();
    }
}

/// What gvm makes of a proxy whose list is this.
fn with_list(list: impl Into<Vec<u8>>, arguments: &[&str]) -> Ended {
    let list = list.into();
    let modules = Modules::of(&[VERSION]);
    let proxy = modules.serve_with(move |request, answer| {
        if request.path.ends_with("/list") { Answer::ok(list.clone()) } else { answer }
    });
    in_little_memory(&Machine::new(), &[("GOPROXY", &proxy.url())], arguments)
}

#[test]
fn a_proxys_list_is_read_with_care() {
    let line = format!("v0.0.1-go{VERSION}.{}\n", Platform::host());
    let junk = format!("\u{1b}[2J\nv0.0.1-go../../x.linux-amd64\n{line}v9\nv0.0.1-go1.22.4\n");
    let ended = with_list(junk, &["list-remote"]).succeeded();
    assert!(ended.stdout.contains(VERSION) && !ended.stdout.contains('\u{1b}'), "{ended:?}");
    with_list(line.repeat((100 << 20) / line.len()), &["list-remote"])
        .failed(6)
        .saying(&["the answer is larger than"]);
    with_list(b"\xff\xfe\n".to_vec(), &["list-remote"]).failed(4).saying(&["is not text"]);
    with_list("nothing\nof\nit\n", &["list-remote"]).failed(4).saying(&["names no toolchain"]);
}

#[test]
fn an_info_that_says_something_else_is_no_answer() {
    let name = format!("v0.0.1-go1.22.9.{}", Platform::host());
    for info in [
        "{}".to_string(),
        "<html>".into(),
        "{\"Version\":5}".into(),
        "{\"Version\":\"v0.0.1-go1.22.4.linux-amd64\"}".into(),
        "[".repeat(200_000),
        format!("{{\"Version\":\"{name}\"{}", " ".repeat(80 << 10)),
        "\u{0}".repeat(1 << 20),
    ] {
        let asked = info.clone();
        let server = Server::start(move |request| match request.path.as_str() {
            path if path.ends_with("/list") => Answer::ok(""),
            path if path.ends_with(".info") => Answer::ok(asked.clone()),
            _ => Answer::not_found(),
        });
        let variables = [("GOPROXY", server.url())];
        let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
        let ended = in_little_memory(&Machine::new(), &variables, &["install", "1.22"]);
        assert!(!ended.stderr.contains("panicked"), "{ended:?}");
        assert_eq!(ended.code, 4, "{}: {ended:?}", &info[..info.len().min(60)]);
        assert!(server.requests().len() < 20, "{}", server.requests().len());
    }
}
