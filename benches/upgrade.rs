//! What a patch release costs beside the one before it, against a whole install from
//! the same server on loopback.

use super::common::log::{Log, part};
use super::common::real_go::{h1_of, real_go, real_zip};
use super::common::server::{Answer, Server};
use super::common::{GVM, Machine, run as run_to_its_end};
use super::harness::{Comparison, Contender, Report, Role, Row, in_turns, timed};
use super::{REAL, rounds};
use gvm::config::Config;
use gvm::platform::Platform;
use gvm::source::Sources;
use gvm::store::Store;
use gvm::trust::h1::module_version;
use gvm::ui::Ui;
use gvm::version::Version;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

const BEFORE: &str = "1.26.10";

pub fn run(report: &mut Report) {
    let (machine, alone) = (Machine::new(), Machine::new());
    let platform = Platform::host();
    let mut log = Log::new("h1:none");
    let mut zips = BTreeMap::new();
    let store = Store::at(&machine.root());
    let sources = Sources::new(&Config::default(), &store, Ui { quiet: true }).unwrap();
    for (at, text) in [BEFORE, REAL].into_iter().enumerate() {
        let version = Version::parse(text).unwrap();
        let module = module_version(version, &platform);
        let h1 = h1_of(&real_go(text), version, &platform).unwrap();
        log.records[at] = format!("golang.org/toolchain {module} {h1}\n");
        let zip = fs::read(real_zip(&sources, version, &platform)).unwrap();
        zips.insert(format!("/golang.org/toolchain/@v/{module}.zip"), zip);
    }
    let verifier = log.verifier();
    let whole = zips.values().next_back().map_or(0, Vec::len) as u64;
    let server = Server::start(move |request| {
        if let Some(path) = request.path.strip_prefix("/sumdb/sums.example") {
            return log.answer(path);
        }
        let Some(zip) = zips.get(&request.path) else { return Answer::not_found() };
        part(request, zip).unwrap_or_else(|| Answer::ok(zip.clone()))
    });
    let gvm = |machine: &Machine, arguments: &[&str]| -> Command {
        let mut command = machine.command(GVM);
        command.args(arguments).env("GOPROXY", server.url()).env("GOSUMDB", &verifier);
        command.env("GVM_REQUIRE", "checksum-database");
        command
    };
    let settings = "share = \"links\"\nsources = [\"proxy\"]\n";
    machine.config(settings);
    alone.config(settings);
    run_to_its_end(&mut gvm(&machine, &["install", BEFORE])).succeeded();

    let (disk, sent) = (disk_of(&machine.root()), server.sent());
    run_to_its_end(&mut gvm(&machine, &["install", REAL])).succeeded();
    let (added, fetched) = (disk_of(&machine.root()) - disk, server.sent() - sent);
    run_to_its_end(&mut gvm(&alone, &["install", REAL])).succeeded();
    let all = disk_of(&alone.toolchain(REAL));
    let percent = |part: u64, whole: u64| part * 100 / whole;
    report.counted(format!(
        "Go {REAL} beside {BEFORE}: {:.1} of {:.1} MB fetched ({} %), {:.1} of {:.1} MB of the disk \
         ({} %)",
        fetched as f64 / 1e6,
        whole as f64 / 1e6,
        percent(fetched, whole),
        added as f64 / 1e6,
        all as f64 / 1e6,
        percent(added, all),
    ));

    let turn = |machine: &Machine| {
        run_to_its_end(&mut gvm(machine, &["uninstall", REAL])).succeeded();
        timed(&mut gvm(machine, &["install", REAL]))
    };
    let contenders = vec![
        Contender::new(Role::Floor, "alone, by the whole zip", || turn(&alone)),
        Contender::new(Role::Ours, "gvm", || turn(&machine)),
    ];
    report.add(Row {
        part: "upgrade",
        what: format!("installing Go {REAL} beside {BEFORE}, from loopback"),
        comparison: Comparison::Ratio,
        wanted: None,
        in_chart: false,
        runs: in_turns(rounds(10), contenders),
    });
}

/// What a directory takes of the disk, in bytes.
fn disk_of(directory: &Path) -> u64 {
    let du = run_to_its_end(Command::new("du").args(["-s", "-k"]).arg(directory)).succeeded();
    du.stdout.split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}
