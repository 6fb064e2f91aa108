//! The table of attacks names tests that there are.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

use std::fs;
use std::path::Path;

#[test]
fn every_test_that_the_table_of_attacks_names_is_there() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let table = fs::read_to_string(tests.join("ATTACKS.md")).unwrap();
    let mut named = 0;
    for row in table.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = row.split(" | ").collect();
        assert_eq!(cells.len(), 3, "{row}");
        for reference in cells[2].split('`').filter(|word| word.contains("::")) {
            let (file, test) = reference.split_once("::").unwrap();
            let source = fs::read_to_string(tests.join(format!("{file}.rs"))).unwrap();
            let is_there = source.contains(&format!("#[test]\nfn {test}() {{"));
            assert!(is_there, "there is no test {reference}");
            named += 1;
        }
    }
    assert!(named > 40, "{named}");
}
