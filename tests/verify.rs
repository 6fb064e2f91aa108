//! `gvm verify`: installed trees hashed again, what differs named, and put right.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

mod common;

use common::archives::{sha256, tar_gz, tree};
use common::log::{Log, Proxy, VERSION, h1};
use common::published::{assert_is_whole, everything};
use common::real_go::real_go;
use common::{Ended, GVM, Machine, run};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

/// A machine with the small Go, installed from this proxy and proved.
fn installed() -> (Machine, Proxy) {
    let machine = Machine::new();
    let proxy = Proxy::new(Log::new(&h1()));
    proxy.install(&machine).succeeded();
    (machine, proxy)
}

fn verify_json(machine: &Machine, proxy: &Proxy, more: &[&str]) -> (i32, Value) {
    let ended = proxy.gvm(machine, &[&["verify", VERSION, "--json"], more].concat());
    (ended.code, ended.json()[0].clone())
}

#[test]
fn a_whole_tree_is_said_to_be_whole_and_is_not_touched() {
    let (machine, proxy) = installed();
    let before = everything(&machine.toolchain(VERSION));
    let (code, row) = verify_json(&machine, &proxy, &[]);
    assert_eq!(code, 0, "{row}");
    assert_eq!(row["result"], "whole");
    assert_eq!(row["evidence"], "checksum-database");
    assert_eq!((&row["h1"], &row["expected"]), (&h1().into(), &h1().into()));
    assert_eq!(row["record"]["number"], 700);
    let shown = proxy.gvm(&machine, &["verify", "--all"]).succeeded();
    assert!(shown.stdout.contains("checksum database  whole"), "{shown:?}");
    assert_eq!(everything(&machine.toolchain(VERSION)), before);
    // Offline, the kept record proves the same.
    let offline = machine
        .gvm_with(
            &[("GOSUMDB", &proxy.log.lock().unwrap().verifier())],
            &["verify", VERSION, "--json"],
        )
        .succeeded()
        .json();
    assert_eq!(offline[0]["record"]["number"], 700);
}

#[test]
fn what_is_in_use_is_verified_where_nothing_is_named() {
    let (machine, proxy) = installed();
    proxy.gvm(&machine, &["verify"]).failed(2).saying(&["gvm verify --all"]);
    machine.repository("", &[(".go-version", VERSION)]);
    proxy.gvm(&machine, &["verify"]).succeeded();
    machine.repository("", &[(".go-version", "1.21.0")]);
    proxy.gvm(&machine, &["verify"]).failed(3);
    proxy.gvm(&machine, &["verify", "1.21.0"]).failed(3);
    proxy.gvm(&machine, &["verify", "--all", "1.21.0"]).failed(2);
    let empty = Machine::new();
    proxy.gvm(&empty, &["verify", "--all"]).succeeded().saying(&["no version of Go is installed"]);
    proxy.gvm(&empty, &["verify", "--all", "--json"]).succeeded().prints("[]\n");
}

/// Damages a tree in each way that there is.
fn damage(goroot: &Path) {
    fs::write(goroot.join("src/fmt/print.go"), "package evil\n").unwrap();
    fs::write(goroot.join("src/fmt/more.go"), "package fmt\n").unwrap();
    fs::remove_file(goroot.join("bin/gofmt")).unwrap();
    fs::set_permissions(goroot.join("src/all.bash"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::remove_file(goroot.join("src/go.mod")).unwrap();
    symlink("/etc/passwd", goroot.join("src/go.mod")).unwrap();
    symlink("/", goroot.join("src/link")).unwrap();
}

#[test]
fn every_file_that_differs_is_named() {
    let (machine, proxy) = installed();
    damage(&machine.goroot(VERSION));
    let (code, row) = verify_json(&machine, &proxy, &[]);
    assert_eq!(code, 5);
    assert_eq!(row["result"], "differs");
    let changed: Vec<_> = row["changed"].as_object().unwrap().keys().collect();
    assert_eq!(changed, ["src/all.bash", "src/fmt/print.go", "src/go.mod"]);
    assert!(row["changed"]["src/all.bash"].as_str().unwrap().contains("not executable"));
    assert!(row["changed"]["src/go.mod"].as_str().unwrap().contains("symbolic link"));
    assert_eq!(row["missing"], serde_json::json!(["bin/gofmt"]));
    assert_eq!(row["extra"], serde_json::json!(["src/fmt/more.go", "src/link"]));

    let shown = proxy.gvm(&machine, &["verify", VERSION]).failed(5);
    for line in [
        "changed  src/fmt/print.go (has another content)",
        "missing  bin/gofmt",
        "extra    src/fmt/more.go",
        "6 files not as published",
    ] {
        assert!(shown.stdout.contains(line), "no {line:?} in {shown:?}");
    }
    shown.saying(&["is not as it was published", &format!("gvm verify {VERSION} --repair")]);
}

#[test]
fn a_repair_fetches_only_what_differs_and_loses_nothing() {
    let (machine, proxy) = installed();
    let goroot = machine.goroot(VERSION);
    damage(&goroot);
    let before = proxy.zip_requests().len();
    let (code, row) = verify_json(&machine, &proxy, &["--repair"]);
    assert_eq!(code, 0, "{row}");
    assert_eq!(row["repaired"], true);
    assert_is_whole(&goroot, &tree(VERSION));
    assert_eq!(verify_json(&machine, &proxy, &[]).0, 0);

    // Parts, and far less than the whole: the padding that makes up most of it stayed.
    let asked = proxy.zip_requests().split_off(before);
    assert!(asked.iter().all(|request| request.headers.contains_key("range")), "{asked:?}");
    let whole = proxy.zip.lock().unwrap().content.len();
    let bytes: usize = asked
        .iter()
        .map(|request| {
            let (first, last) = request.headers["range"][6..].split_once('-').unwrap();
            let Ok(first) = first.parse::<usize>() else { return whole };
            last.parse::<usize>().unwrap().min(whole - 1) - first + 1
        })
        .sum();
    // The list of files is asked for by its end, and this zip is shorter than that.
    let listing = whole;
    assert!(bytes - listing < whole / 10, "{bytes} of {whole}");

    // What was not Go's is out of GOROOT and still there, links as links.
    let extra = machine.toolchain(VERSION).join("extra");
    assert_eq!(fs::read_to_string(extra.join("src/fmt/more.go")).unwrap(), "package fmt\n");
    assert_eq!(fs::read_link(extra.join("src/link")).unwrap(), Path::new("/"));
    // A second repair keeps what the first one kept.
    fs::write(goroot.join("src/again.go"), "package again\n").unwrap();
    verify_json(&machine, &proxy, &["--repair"]);
    assert!(extra.join("src/fmt/more.go").exists() && extra.join("src/again.go").exists());
    assert!(machine.receipt(VERSION)["repaired_at"].is_string());
    machine.has_nothing_staged();
}

#[test]
fn without_a_list_of_files_the_directory_of_the_zip_tells_what_differs() {
    let (machine, proxy) = installed();
    let goroot = machine.goroot(VERSION);
    let list = machine.toolchain(VERSION).join("files.sha256");
    for broken in ["", "nonsense\n", "0000  ../../x\n"] {
        fs::write(&list, broken).unwrap();
        fs::write(goroot.join("VERSION"), "go1.22.5\n").unwrap();
        let (code, row) = verify_json(&machine, &proxy, &[]);
        assert_eq!((code, &row["result"]), (5, &"differs".into()), "{row}");
        assert!(row["notes"][0].as_str().unwrap().contains("list of files"), "{row}");
        let before = proxy.zip_requests().len();
        assert_eq!(verify_json(&machine, &proxy, &["--repair"]).0, 0);
        let asked = proxy.zip_requests().split_off(before);
        assert!(asked.iter().all(|request| request.headers.contains_key("range")), "{asked:?}");
        assert_is_whole(&goroot, &tree(VERSION));
        assert_eq!(verify_json(&machine, &proxy, &[]).0, 0);
    }
    // One that somebody made to fit the damage does not have the recorded hash.
    fs::write(goroot.join("src/fmt/print.go"), "package evil\n").unwrap();
    let evil = sha256(b"package evil\n");
    let good = sha256(b"package fmt\n");
    let text = fs::read_to_string(&list).unwrap();
    fs::write(&list, text.replace(&good.to_string(), &evil.to_string())).unwrap();
    assert_eq!(verify_json(&machine, &proxy, &[]).0, 5);
}

#[test]
fn where_no_parts_are_sent_the_whole_archive_repairs() {
    let (machine, proxy) = installed();
    proxy.zip.lock().unwrap().ranges = false;
    damage(&machine.goroot(VERSION));
    let repaired = proxy.gvm(&machine, &["verify", VERSION, "--repair"]).succeeded();
    repaired.saying(&["fetching the whole archive", "moved 2 files"]);
    assert_is_whole(&machine.goroot(VERSION), &tree(VERSION));
    assert!(machine.toolchain(VERSION).join("extra/src/fmt/more.go").exists());
    assert_eq!(verify_json(&machine, &proxy, &[]).0, 0);
}

#[test]
fn a_repair_that_is_served_lies_changes_nothing() {
    let (machine, proxy) = installed();
    let goroot = machine.goroot(VERSION);
    damage(&goroot);
    let damaged = everything(&machine.toolchain(VERSION));
    // Another release's files under this one's names.
    let mut files = tree(VERSION);
    files
        .iter_mut()
        .filter(|(path, ..)| path.ends_with(".go") || path == "bin/gofmt")
        .for_each(|(_, content, _)| content.extend_from_slice(b"// a lie\n"));
    let platform = gvm::platform::Platform::host();
    proxy.zip.lock().unwrap().content = common::archives::module_zip(VERSION, &platform, &files);
    let refused = proxy.gvm(&machine, &["verify", VERSION, "--repair"]).failed(5);
    refused.saying(&["records h1:"]);
    assert_eq!(everything(&machine.toolchain(VERSION)), damaged);
    machine.has_nothing_staged();
    // And nobody to ask.
    machine.gvm(&["verify", VERSION, "--repair"]).failed(6);
    assert_eq!(everything(&machine.toolchain(VERSION)), damaged);
}

#[test]
fn what_was_taken_by_its_sha256_is_proved_later_without_a_download() {
    let machine = Machine::new();
    let proxy = Proxy::new(Log::new(&h1()));
    let archive = tar_gz(&tree(VERSION));
    let file = machine.path().join("go.tar.gz");
    fs::write(&file, &archive).unwrap();
    let digest = sha256(&archive).to_string();
    machine
        .gvm(&["install", "--from", file.to_str().unwrap(), "--sha256", &digest])
        .succeeded()
        .saying(&["going by the published sha256 alone", &format!("gvm verify {VERSION}")]);
    assert_eq!(machine.receipt(VERSION)["evidence"], "published-sha256");
    // Nobody answers: it is as it was installed, and no more is said.
    let row = machine.gvm(&["verify", VERSION, "--json"]).succeeded().json()[0].clone();
    assert_eq!(row["evidence"], "published-sha256");
    assert!(row["notes"][0].as_str().unwrap().contains("not held against"), "{row}");

    let ended = proxy.gvm(&machine, &["verify", VERSION]).succeeded();
    ended.saying(&["is proved by the checksum database now"]);
    assert!(proxy.zip_requests().is_empty());
    let receipt = machine.receipt(VERSION);
    assert_eq!(receipt["evidence"], "checksum-database");
    assert_eq!(receipt["record"]["number"], 700);
    assert_eq!(receipt["origin"]["url"], file.to_str().unwrap());
    // With what no record covers, which its own digest spoke for.
    assert!(machine.goroot(VERSION).join("test/left_out.go").exists());
}

#[test]
fn what_no_record_covers_is_held_against_what_was_installed() {
    let machine = Machine::new();
    let archive = tar_gz(&tree(VERSION));
    let file = machine.path().join("go.tar.gz");
    fs::write(&file, &archive).unwrap();
    let digest = sha256(&archive).to_string();
    machine.gvm(&["install", "--from", file.to_str().unwrap(), "--sha256", &digest]).succeeded();
    let proxy = Proxy::new(Log::new(&h1()));
    fs::write(machine.goroot(VERSION).join("test/left_out.go"), "changed").unwrap();
    let (code, row) = verify_json(&machine, &proxy, &[]);
    assert_eq!(code, 5);
    assert!(row["changed"]["test/left_out.go"].is_string(), "{row}");
}

#[test]
fn a_damaged_receipt_is_written_anew_by_a_repair() {
    let (machine, proxy) = installed();
    let receipt = machine.toolchain(VERSION).join("receipt.json");
    for content in [Some("{"), Some(""), None] {
        match content {
            Some(content) => fs::write(&receipt, content).unwrap(),
            None => fs::remove_file(&receipt).unwrap(),
        }
        let (code, row) = verify_json(&machine, &proxy, &[]);
        assert_eq!((code, &row["result"]), (5, &"whole".into()), "{row}");
        let asked = proxy.zip_requests().len();
        assert_eq!(verify_json(&machine, &proxy, &["--repair"]).0, 0);
        assert_eq!(proxy.zip_requests().len(), asked, "nothing of it was to be fetched");
        let written = machine.receipt(VERSION);
        assert_eq!(written["evidence"], "checksum-database");
        assert_eq!(written["h1"], h1());
        assert_eq!(verify_json(&machine, &proxy, &[]).0, 0);
    }
    // Without a receipt and without the database, nothing tells what it has to be.
    fs::remove_file(&receipt).unwrap();
    let row = machine.gvm(&["verify", VERSION, "--json"]).failed(5).json()[0].clone();
    assert_eq!(row["result"], "unknown");
    machine.gvm(&["verify", VERSION, "--repair"]).failed(5).saying(&["gvm install --force"]);
}

#[test]
fn an_edited_go_env_is_called_that_and_nothing_worse() {
    let machine = Machine::new();
    machine.real("1.27.4");
    let copy = machine.path().join("copy");
    let toolchain = machine.toolchain("1.27.4");
    run(machine.command("cp").arg("-a").arg(&toolchain).arg(&copy)).succeeded();
    fs::remove_dir_all(&toolchain).unwrap();
    fs::rename(&copy, &toolchain).unwrap();
    // As the official images of containers do.
    let go_env = machine.goroot("1.27.4").join("go.env");
    let original = fs::read_to_string(&go_env).unwrap();
    fs::write(&go_env, original.replace("GOTOOLCHAIN=auto", "GOTOOLCHAIN=local")).unwrap();

    let real = |arguments: &[&str]| -> Ended {
        let mut command = machine.command(GVM);
        run(command.args(arguments).env_remove("GOPROXY").env_remove("GOSUMDB"))
    };
    for list_is_there in [true, false] {
        if !list_is_there {
            let _ = fs::remove_file(toolchain.join("files.sha256"));
        }
        let row = real(&["verify", "1.27.4", "--json"]).failed(5).json()[0].clone();
        assert_eq!(row["result"], "official-but-for-go.env", "{row}");
    }
    // A file made of such a tree is refused with the same words.
    let archive = machine.path().join("go.tar.gz");
    run(machine.command("tar").arg("-czf").arg(&archive).arg("-C").arg(&toolchain).arg("go"))
        .succeeded();
    real(&["install", "--force", "--from", archive.to_str().unwrap()])
        .failed(5)
        .saying(&["it is the official Go 1.27.4", "but for go.env"]);
    // One file comes back, by parts of a zip of 75 MB.
    real(&["verify", "1.27.4", "--repair"]).succeeded().saying(&["1 file put back, 4"]);
    assert_eq!(fs::read_to_string(&go_env).unwrap(), original);
    real(&["verify", "1.27.4"]).succeeded();
    let _ = real_go("1.27.4");
}

#[test]
fn a_log_that_lies_is_not_asked_what_is_whole() {
    let (machine, proxy) = installed();
    fs::remove_dir_all(machine.root().join("checksums/sums.example/lookup")).unwrap();
    *proxy.log.lock().unwrap() = Log::with_seed(&h1(), "fork");
    proxy.gvm(&machine, &["verify", VERSION]).failed(5).saying(&["has signed two trees"]);
}
