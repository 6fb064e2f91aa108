//! What gvm computes of real toolchains, against what the real log records.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

mod common;

use common::Machine;
use common::real_go::proved_zip;
use gvm::config::Config;
use gvm::platform::Platform;
use gvm::source::Sources;
use gvm::store::Store;
use gvm::ui::Ui;
use gvm::version::Version;

/// Releases of twelve years, for five platforms.
const TOOLCHAINS: [(&str, &str); 10] = [
    ("1.2.2", "linux-amd64"),
    ("1.10.8", "linux-amd64"),
    ("1.20.14", "linux-amd64"),
    ("1.21.0", "linux-amd64"),
    ("1.24.1", "linux-amd64"),
    ("1.27.4", "linux-amd64"),
    ("1.26.10", "linux-arm64"),
    ("1.26.10", "darwin-amd64"),
    ("1.26.10", "darwin-arm64"),
    ("1.26.10", "windows-amd64"),
];

#[test]
fn ten_real_toolchains_of_five_platforms_have_the_h1_that_the_real_log_records() {
    let machine = Machine::new();
    let store = Store::at(&machine.root());
    let sources = Sources::new(&Config::default(), &store, Ui { quiet: true }).unwrap();
    for (version, platform) in TOOLCHAINS {
        let (version, platform) =
            (Version::parse(version).unwrap(), Platform::parse(platform).unwrap());
        proved_zip(&sources, version, &platform);
    }
}
