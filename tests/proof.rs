//! Proof by Go's checksum database: the real one through the module proxy, and
//! one of the tests' own, which can lie.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

mod common;

use common::archives::{index, tar_gz, tree};
use common::log::{Log, Proxy, VERSION, h1};
use common::real_go::real_go;
use common::server::{Answer, Server};
use common::{Ended, GVM, Machine, run};
use gvm::platform::Platform;
use gvm::trust::h1::{module_prefix, module_version};
use gvm::version::Version;
use ring::signature::Ed25519KeyPair;
use std::fs;

#[test]
fn a_record_that_fits_proves_the_tree() {
    let machine = Machine::new();
    let proxy = Proxy::new(Log::new(&h1()));
    let installed = proxy.install(&machine).succeeded().saying(&["record 700 of sums.example"]);
    assert!(!installed.stderr.contains("NOT PROVED"), "{installed:?}");
    let listed = machine.gvm(&["list", "--json"]).succeeded().json();
    assert_eq!(listed[0]["evidence"], "checksum-database");
    assert_eq!(listed[0]["h1"], h1());
}

#[test]
fn a_tree_that_is_not_the_recorded_one_is_refused() {
    let machine = Machine::new();
    let other = "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let proxy = Proxy::new(Log::new(other));
    proxy.install(&machine).failed(5).saying(&[other, &h1()]);
    assert!(machine.installed().is_empty());
    // And so for an archive that has the sha256 which its mirror publishes.
    let archive = tar_gz(&tree(VERSION));
    let index = index(&[(VERSION, &archive)]);
    let mirror = Server::start(move |request| match request.path.as_str() {
        path if path.ends_with(".tar.gz") => Answer::ok(archive.clone()),
        _ => Answer::new(200, "application/json", index.clone()),
    });
    let mut command = machine.command(GVM);
    command
        .args(["install", VERSION])
        .env("GVM_DL_URL", mirror.url())
        .env("GOPROXY", proxy.server.url())
        .env("GOSUMDB", proxy.log.lock().unwrap().verifier());
    run(&mut command).failed(5).saying(&[other]);
    assert!(machine.installed().is_empty());
}

#[test]
fn what_was_proved_is_proved_again_offline() {
    let machine = Machine::new();
    let proxy = Proxy::new(Log::new(&h1()));
    proxy.install(&machine).succeeded();
    machine.gvm(&["uninstall", VERSION]).succeeded();
    let file = machine.path().join("go.tar.gz");
    fs::write(&file, tar_gz(&tree(VERSION))).unwrap();
    let before = proxy.server.requests().len();
    let mut command = machine.command(GVM);
    command
        .args(["install", "--from"])
        .arg(&file)
        .env("GOSUMDB", proxy.log.lock().unwrap().verifier())
        .env("GVM_REQUIRE", "checksum-database");
    run(&mut command).succeeded().saying(&["record 700"]);
    assert_eq!(proxy.server.requests().len(), before, "GOPROXY is off, and nobody was asked");
}

#[test]
fn what_could_not_be_cleaned_up_beside_the_records_goes_with_the_next_proof() {
    let machine = Machine::new();
    let proxy = Proxy::new(Log::new(&h1()));
    proxy.install(&machine).succeeded();
    // As a file system leaves it that became read-only between writing and renaming.
    let left = machine.root().join("checksums/sums.example/.gvm-new-x");
    fs::write(&left, "go.sum database tree\n").unwrap();
    // Nothing is written there this time: all is known.
    proxy.install(&machine).succeeded();
    assert!(!left.exists());
}

#[test]
fn without_the_database_a_module_zip_is_refused_and_the_policy_can_take_it() {
    let machine = Machine::new();
    let mut log = Log::new(&h1());
    log.gone = Some("/");
    let proxy = Proxy::new(log);
    let mut command = machine.command(GVM);
    command
        .args(["install", VERSION])
        .env("GOPROXY", proxy.server.url())
        .env("GOSUMDB", format!("{} {}", proxy.log.lock().unwrap().verifier(), proxy.server.url()))
        .env("GVM_REQUIRE", "sha256");
    run(&mut command).failed(5).saying(&["nothing proves it", "GVM_REQUIRE=none"]);
    assert!(machine.installed().is_empty());
    run(command.env("GVM_REQUIRE", "none")).succeeded().saying(&["NOT PROVED"]);
}

/// Breaks the log after a first proof, and expects that nothing is believed.
fn is_refused_when(break_it: impl Fn(&mut Log), saying: &str) {
    let machine = Machine::new();
    let proxy = Proxy::new(Log::new(&h1()));
    break_it(&mut proxy.log.lock().unwrap());
    let refused = proxy.install(&machine).failed(5);
    assert!(refused.stderr.contains(saying), "{refused:?}");
    assert!(machine.installed().is_empty());
}

#[test]
fn a_lying_log_is_not_believed() {
    // Another key under the same name.
    let machine = Machine::new();
    let proxy = Proxy::new(Log::new(&h1()));
    let verifier = proxy.log.lock().unwrap().verifier();
    proxy.log.lock().unwrap().key = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap();
    let mut command = machine.command(GVM);
    command
        .args(["install", VERSION])
        .env("GOPROXY", proxy.server.url())
        .env("GOSUMDB", verifier)
        .env("GVM_REQUIRE", "none");
    run(&mut command).failed(5).saying(&["signature of the expected key"]);
    assert!(machine.installed().is_empty());

    // A record that is not in the tree that was signed.
    is_refused_when(
        |log| {
            log.head_at = 600;
        },
        "not in the signed tree",
    );
    // A record without an h1 for this toolchain.
    is_refused_when(
        |log| {
            log.records[700] =
                log.records[700].lines().nth(1).map(|line| format!("{line}\n")).unwrap();
        },
        "names no h1",
    );
}

#[test]
fn a_log_that_forks_is_reported_as_what_it_is_and_both_heads_are_kept() {
    let machine = Machine::new();
    let proxy = Proxy::new(Log::new(&h1()));
    proxy.install(&machine).succeeded();
    // The same size, other records; and a larger one that does not begin with ours.
    for size in [1300, 1200, 1290] {
        let mut fork = Log::with_seed(&h1(), "fork");
        fork.head_at = size;
        *proxy.log.lock().unwrap() = fork;
        // The kept record would do; another machine's cache has none.
        let lookups = machine.root().join("checksums/sums.example/lookup");
        fs::remove_dir_all(&lookups).unwrap();
        fs::create_dir_all(&lookups).unwrap();
        let refused = proxy.install(&machine).failed(5);
        // Of one size they contradict each other plainly. Else it takes hashes that
        // lead to the newer one, and this log has none to offer.
        let what = if size == 1300 { "contradict each other" } else { "that " };
        assert!(refused.stderr.contains("has signed two trees"), "{refused:?}");
        assert!(refused.stderr.contains(what), "{refused:?}");
        let kept = fs::read_dir(machine.root().join("checksums/sums.example")).unwrap();
        let forks: Vec<_> = kept
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("fork-"))
            .collect();
        assert!(!forks.is_empty());
        let text = fs::read_to_string(&forks[0]).unwrap();
        assert_eq!(text.matches("go.sum database tree").count(), 2, "{text}");
    }
    // What was installed before is still there.
    assert_eq!(machine.installed(), [VERSION]);
}

#[test]
fn an_older_head_than_the_newest_seen_has_to_be_its_beginning() {
    let machine = Machine::new();
    let proxy = Proxy::new(Log::new(&h1()));
    proxy.install(&machine).succeeded();
    let latest = machine.root().join("checksums/sums.example/latest");
    let newest = fs::read_to_string(&latest).unwrap();
    proxy.log.lock().unwrap().head_at = 900;
    fs::remove_dir_all(machine.root().join("checksums/sums.example/lookup")).unwrap();
    proxy.install(&machine).succeeded();
    assert_eq!(fs::read_to_string(&latest).unwrap(), newest, "the newest head stays");
    // And a log that has grown.
    let grown: Vec<String> =
        (0..500).map(|n| format!("example.com/new v1.0.{n} h1:{n}=\n")).collect();
    {
        let mut log = proxy.log.lock().unwrap();
        log.records.extend(grown);
        log.head_at = 1800;
        fs::remove_dir_all(machine.root().join("checksums/sums.example/lookup")).unwrap();
    }
    proxy.install(&machine).succeeded();
    assert!(fs::read_to_string(&latest).unwrap().contains("\n1800\n"));
}

#[test]
fn a_damaged_cache_is_not_a_lying_log() {
    let machine = Machine::new();
    let proxy = Proxy::new(Log::new(&h1()));
    proxy.install(&machine).succeeded();
    let tiles = machine.root().join("checksums/sums.example/tile");
    for file in ["0/002", "1/000.p/5"] {
        let file = tiles.join(file);
        let length = fs::metadata(&file).unwrap().len();
        fs::write(&file, vec![0; length as usize]).unwrap();
    }
    proxy.install(&machine).succeeded();
}

#[test]
fn what_the_log_does_not_cover_needs_somebody_who_vouches_for_it() {
    let machine = Machine::new();
    let archive = tar_gz(&tree(VERSION));
    let file = machine.path().join("go.tar.gz");
    fs::write(&file, &archive).unwrap();
    let uncovered = machine.goroot(VERSION).join("test/left_out.go");
    let from = |more: &[&str]| {
        let mut command = machine.command(GVM);
        run(command.args(["install", "--force", "--from"]).arg(&file).args(more)).succeeded()
    };
    from(&[]);
    assert!(!uncovered.exists());
    let digest = common::archives::sha256(&archive).to_string();
    from(&["--sha256", &digest]).saying(&["published sha256"]);
    assert!(uncovered.exists());

    // A module zip has none of it, so one that does is not a module's.
    let mut files: Vec<_> = tree(VERSION);
    files.retain(|(path, ..)| !path.ends_with("go.mod"));
    let prefix = module_prefix(Version::parse(VERSION).unwrap(), &Platform::host());
    let named: Vec<_> =
        files.into_iter().map(|(path, content, _)| (format!("{prefix}{path}"), content)).collect();
    fs::write(&file, common::archives::zip_of(&named)).unwrap();
    let mut command = machine.command(GVM);
    run(command.args(["install", "--force", "--from"]).arg(&file))
        .failed(5)
        .saying(&["is in no module zip"]);
}

#[test]
fn a_header_that_wants_the_memory_is_refused() {
    // A GNU long name of 200 MB, of which a gzip needs little.
    let machine = Machine::new();
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let mut archive = tar::Builder::new(gzip);
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::GNULongName);
    header.set_size(200 << 20);
    header.set_path("././@LongLink").unwrap();
    header.set_cksum();
    archive.append(&header, std::io::Read::take(std::io::repeat(b'a'), 200 << 20)).unwrap();
    let bytes = archive.into_inner().unwrap().finish().unwrap();
    let file = machine.path().join("go.tar.gz");
    fs::write(&file, bytes).unwrap();
    let mut command = machine.command(GVM);
    run(command.args(["install", "--from"]).arg(&file))
        .failed(5)
        .saying(&["larger than any has to be"]);
    assert!(machine.installed().is_empty());
}

#[test]
fn a_proxy_that_answers_everything_ends_no_search() {
    let machine = Machine::new();
    let version = module_version(Version::parse(VERSION).unwrap(), &Platform::host());
    let list = format!("{version}\n");
    let server = Server::start(move |request| match request.path.ends_with("/list") {
        true => Answer::new(200, "text/plain", list.clone()),
        false => Answer::html("<html>welcome</html>"),
    });
    let mut command = machine.command(GVM);
    run(command.args(["install", "latest"]).env("GOPROXY", server.url()))
        .failed(5)
        .saying(&["web page"]);
    assert!(server.requests().len() < 20, "{}", server.requests().len());
}

#[test]
fn real_toolchains_are_proved_by_the_real_log() {
    let machine = Machine::new();
    // The real proxy and the real log, from an empty cache; as this machine's
    // user reaches them.
    let mut command = std::process::Command::new(GVM);
    command
        .args(["install", "1.20.14", "1.26.11", "1.27.4"])
        .env("GVM_ROOT", machine.root())
        .env("GVM_REQUIRE", "checksum-database");
    for variable in ["GVM_VERSION", "GVM_DL_URL", "GVM_AUTO_INSTALL"] {
        command.env_remove(variable);
    }
    run(&mut command).succeeded();
    let listed = machine.gvm(&["list", "--json"]).succeeded().json();
    for row in listed.as_array().unwrap() {
        assert_eq!(row["evidence"], "checksum-database", "{row}");
    }
    assert_eq!(machine.installed(), ["1.27.4", "1.26.11", "1.20.14"]);

    // An archive of a real tree, by the same record, without a network.
    let archive = machine.path().join("go.tar.gz");
    let copy = machine.path().join("copy");
    fs::create_dir(&copy).unwrap();
    run(machine.command("cp").arg("-r").arg(real_go("1.27.4")).arg(&copy)).succeeded();
    run(machine.command("tar").arg("-czf").arg(&archive).arg("-C").arg(&copy).arg("go"))
        .succeeded();
    machine.gvm(&["uninstall", "1.27.4"]).succeeded();
    let from = |machine: &Machine| {
        let mut command = machine.command(GVM);
        command
            .args(["install", "--from"])
            .arg(&archive)
            .env("GOSUMDB", "sum.golang.org")
            .env("GVM_REQUIRE", "checksum-database");
        run(&mut command)
    };
    from(&machine).succeeded().saying(&["of sum.golang.org"]);

    // With one byte more in it, it is another tree.
    machine.gvm(&["uninstall", "1.27.4"]).succeeded();
    let edited = copy.join("go/src/fmt/print.go");
    let mut content = fs::read(&edited).unwrap();
    content.push(b'\n');
    fs::write(&edited, content).unwrap();
    run(machine.command("tar").arg("-czf").arg(&archive).arg("-C").arg(&copy).arg("go"))
        .succeeded();
    from(&machine).failed(5).saying(&["sum.golang.org records h1:"]);
    assert_eq!(machine.installed(), ["1.26.11", "1.20.14"]);
}

/// Whether the real go command takes the small Go from that proxy, and what it says.
fn go_takes_it(machine: &Machine, proxy: &Proxy, variables: &[(&str, &str)]) -> (bool, Ended) {
    let goroot = real_go("1.27.4");
    let cache = machine.path().join("modcache");
    let mut command = machine.command(goroot.join("bin/go"));
    command
        .arg("version")
        .env("GOTOOLCHAIN", format!("go{VERSION}"))
        .env("GOMODCACHE", &cache)
        .env("GOFLAGS", "-modcacherw")
        .env("GOPROXY", proxy.server.url())
        .env("GOSUMDB", proxy.log.lock().unwrap().verifier())
        .envs(variables.iter().copied());
    let ended = run(&mut command);
    let version = module_version(Version::parse(VERSION).unwrap(), &Platform::host());
    let takes = cache.join(format!("golang.org/toolchain@{version}/bin/go")).exists();
    // Its `go` cannot run, which is told once it was taken.
    assert_ne!(ended.code, 0, "{ended:?}");
    let _ = fs::remove_dir_all(&cache);
    (takes, ended)
}

#[test]
fn what_the_go_command_accepts_is_accepted_and_what_it_refuses_is_refused() {
    type Break = fn(&mut Log);
    type Variables = &'static [(&'static str, &'static str)];
    let cases: [(&str, Break, Variables, bool); 7] = [
        ("an honest proxy", |_| {}, &[], true),
        ("private patterns", |_| {}, &[("GOPRIVATE", "*"), ("GONOPROXY", "none")], true),
        (
            "another tree than the recorded one",
            |log| {
                log.records[700] = log.records[700]
                    .replace(&h1(), "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
            },
            &[],
            false,
        ),
        ("a record that is not in the signed tree", |log| log.head_at = 600, &[], false),
        (
            "a head that somebody else has signed",
            |log| log.key = Ed25519KeyPair::from_seed_unchecked(&[8; 32]).unwrap(),
            &[("GOSUMDB", "")],
            false,
        ),
        ("no database", |log| log.gone = Some("/"), &[], false),
        ("a database that is turned off", |_| {}, &[("GOSUMDB", "off")], false),
    ];
    for (what, break_it, variables, is_accepted) in cases {
        let machine = Machine::new();
        let proxy = Proxy::new(Log::new(&h1()));
        let verifier = proxy.log.lock().unwrap().verifier();
        break_it(&mut proxy.log.lock().unwrap());
        // The key that is known is the one from before.
        let own = format!("{verifier} {}/sumdb/sums.example", proxy.server.url());
        let variables: Vec<_> = variables
            .iter()
            .map(|&(name, value)| (name, if value.is_empty() { own.as_str() } else { value }))
            .collect();
        let (by_go, told) = go_takes_it(&machine, &proxy, &variables);
        assert_eq!(by_go, is_accepted, "the go command and {what}: {told:?}");
        let mut command = proxy.command(&machine, &["install", VERSION]);
        let ended = run(command.env_remove("GVM_REQUIRE").envs(variables));
        assert_eq!(ended.code == 0, is_accepted, "gvm and {what}: {ended:?}");
        assert_eq!(machine.installed().len(), usize::from(is_accepted), "{what}");
    }
}

#[test]
fn a_url_in_gosumdb_is_asked_in_place_of_the_proxies_as_the_go_command_does() {
    let log = Log::new(&h1());
    let verifier = log.verifier();
    let database = Server::start(move |request| log.answer(&request.path));
    let proxy = Proxy::new(Log::new(&h1()));
    let machine = Machine::new();
    let gosumdb = format!("{verifier} {}/", database.url());
    let variables = [("GOSUMDB", gosumdb.as_str())];
    let (by_go, told) = go_takes_it(&machine, &proxy, &variables);
    assert!(by_go, "{told:?}");
    let relayed = || proxy.server.requests().iter().any(|r| r.path.starts_with("/sumdb/"));
    assert!(!relayed(), "{:?}", proxy.server.requests());
    let asked = database.requests().len();
    let mut command = proxy.command(&machine, &["install", VERSION]);
    run(command.env("GVM_REQUIRE", "checksum-database").envs(variables)).succeeded();
    assert!(!relayed() && database.requests().len() > asked, "{:?}", proxy.server.requests());
    // Nor when it does not answer.
    let gosumdb = format!("{verifier} {}", common::server::closed_port());
    let other = Machine::new();
    let mut command = proxy.command(&other, &["install", VERSION]);
    run(command.env("GVM_REQUIRE", "checksum-database").env("GOSUMDB", gosumdb)).failed(5);
    assert!(!relayed());
}
