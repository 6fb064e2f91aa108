//! What parsers promise, tried on inputs that nobody thought of: any bytes, real
//! inputs with some bytes changed, and inputs that were made to be right.

#![allow(clippy::disallowed_methods, reason = "a failure shows its line")]

mod common;
mod parsers;

use common::hostile::{self, TarMember, ZipMember};
use gvm::archive::{self, ArchiveError, ChunkReader, Format, Sink, members};
use gvm::pin;
use gvm::platform::Platform;
use gvm::trust::lockfile::LockFile;
use gvm::version::{Request, Version};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::Index;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::Read;
use std::sync::mpsc::sync_channel;

/// A change to an input.
#[derive(Clone, Debug)]
enum Edit {
    Put(Index, u8),
    Insert(Index, Vec<u8>),
    Remove(Index, usize),
    Repeat(Index, usize),
    Cut(Index),
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Edit::Put(at, byte)),
        2 => (any::<Index>(), vec(any::<u8>(), 1..20)).prop_map(|(at, more)| Edit::Insert(at, more)),
        2 => (any::<Index>(), 1..600_usize).prop_map(|(at, length)| Edit::Remove(at, length)),
        1 => (any::<Index>(), 1..600_usize).prop_map(|(at, length)| Edit::Repeat(at, length)),
        1 => any::<Index>().prop_map(Edit::Cut),
    ]
}

fn edited(mut input: Vec<u8>, edits: Vec<Edit>) -> Vec<u8> {
    for edit in edits {
        let place = |at: Index| at.index(input.len() + 1);
        match edit {
            Edit::Put(at, byte) => {
                let at = place(at);
                input.get_mut(at).into_iter().for_each(|old| *old = byte);
            }
            Edit::Insert(at, more) => {
                let at = place(at);
                input.splice(at..at, more);
            }
            Edit::Remove(at, length) => {
                let at = place(at);
                let end = (at + length).min(input.len());
                input.drain(at..end);
            }
            Edit::Repeat(at, length) => {
                let at = place(at);
                let part = input[at..(at + length).min(input.len())].to_vec();
                input.splice(at..at, part);
            }
            Edit::Cut(at) => input.truncate(place(at)),
        }
    }
    input
}

/// Any bytes, or one of these inputs with a few edits.
fn near(inputs: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let changed =
        (proptest::sample::select(inputs), vec(edit(), 0..6)).prop_map(|(i, e)| edited(i, e));
    prop_oneof![1 => vec(any::<u8>(), 0..400), 4 => changed]
}

fn texts(inputs: &[&str]) -> Vec<Vec<u8>> {
    inputs.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Small archives as Go has them.
fn files() -> Vec<(String, Vec<u8>)> {
    [("VERSION", 20), ("bin/go", 900), ("src/fmt/print.go", 2_000), ("src/go.mod", 0)]
        .map(|(path, length)| (path.into(), (0..length).map(|n| (n * 7) as u8).collect()))
        .into()
}

fn tar_of(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let member = |(path, content): &(String, Vec<u8>)| TarMember::file(path.as_str(), content);
    hostile::tar(&files.iter().map(member).collect::<Vec<_>>())
}

fn zip_of(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let member = |(at, (path, content)): (usize, &(String, Vec<u8>))| match at % 2 {
        0 => ZipMember::stored(path.as_str(), content),
        _ => ZipMember::deflated(path.as_str(), content),
    };
    hostile::zip(&files.iter().enumerate().map(member).collect::<Vec<_>>())
}

const LOCK: &str = "golang.org/toolchain v0.0.1-go1.22.1.linux-amd64 h1:zhaB0xtf1n7RI8+VTlFAxhfXYrkUUHHjr4cpEh+aEsA=\n\
     golang.org/toolchain v0.0.1-go1.22.1.linux-amd64/go.mod h1:8wlg68NqwW7eMnI1aABk/C2pDYXj8mrMY4TyRfiLeS0=\n";

const INDEX: &str = r#"[{"version":"go1.22.4","stable":true,"files":[
    {"filename":"go1.22.4.linux-amd64.tar.gz","os":"linux","arch":"amd64","kind":"archive",
     "sha256":"ba79d4526102575196273416239cca418a651e049c2b099f3159db85e7bade7d","size":68964131}]}]"#;

const RECEIPT: &str = r#"{"version":"go1.22.4","os":"linux","arch":"amd64","origin":{"source":"proxy",
    "url":"https://a.example/x","sha256":"00","size":3},"evidence":"checksum-database","h1":"h1:x=",
    "files":3,"bytes":4,"installed_at":"2026-01-01T00:00:00Z","gvm":"0.1.0"}"#;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn names_are_read_back_or_refused(data in near(texts(&[
        "1.22.4", "go1.21rc2", "v1.22.x", "1.20 1.20.0 1.20rc1 1.9.2rc2 1.21 1.21.0", "linux-armv6l",
        "darwin-amd64-osx10.8", "latest", "system", "flat+https://u:p@a.example/golang//",
        "proxy+http://[::1]:81", gvm::trust::sumdb::GOLANG_KEY,
    ]))) {
        parsers::names(&data);
    }

    #[test]
    fn files_of_a_repository_are_read_or_refused_with_a_line(data in near(texts(&[
        "# ours\r\n1.22.4 # why\r\n", "\u{feff}go1.22\n1.21.9\n", "nodejs 20\ngolang latest:1.22\n",
        "module m // c\n\ngo 1.22.0\n\ntoolchain go1.22.4-custom\n\nrequire (\n\ta v1\n)\n",
    ]))) {
        parsers::pins(&data);
    }

    #[test]
    fn no_note_is_believed_but_the_signed_one(data in near(texts(&[
        parsers::SIGNED, gvm::trust::sumdb::GOLANG_KEY,
    ]))) {
        parsers::notes(&data);
    }

    #[test]
    fn lock_files_say_the_same_when_they_are_written_again(data in near(texts(&[
        LOCK, "ba79d4526102575196273416239cca418a651e049c2b099f3159db85e7bade7d  src/a b.go\n",
    ]))) {
        parsers::locks(&data);
    }

    #[test]
    fn indexes_name_files_and_never_paths(data in near(texts(&[INDEX, "v0.0.1-go1.26.8.linux-amd64\n"]))) {
        parsers::catalogs(&data);
    }

    #[test]
    fn settings_and_receipts_are_read_or_refused(data in near(texts(&[
        RECEIPT, "mirror = \"aliyun\" # x\nsources = [\"go.dev\", \"proxy+https://a.example\"]\nrequire = \"lock\"\n",
    ]))) {
        parsers::settings(&data);
    }

    #[test]
    fn damaged_executables_are_read_or_refused_with_little_work(data in near(common::executables::all())) {
        parsers::executables(&data);
    }

    /// 600 records prove themselves in a moment; each input alters one answer.
    #[test]
    fn an_altered_answer_of_the_log_proves_nothing_false(which in 0_u8..6, data in vec(any::<u8>(), 0..40)) {
        let mut input = vec![which];
        input.extend(data);
        parsers::answers(&input);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    #[test]
    fn a_damaged_tar_gz_is_refused_or_harmless(data in near(vec![tar_of(&files()), hostile::gzip(&tar_of(&files()))])) {
        parsers::tar_gz(&data);
    }

    #[test]
    fn a_damaged_zip_is_refused_or_harmless(data in near(vec![zip_of(&files())])) {
        parsers::zip(&data);
        parsers::parts_of_zip(&data);
    }

    /// Both kinds of archive, as a whole and in parts, give back what was put in.
    #[test]
    fn archives_hold_what_was_put_in(
        files in btree_map("[a-z]{1,8}(/[a-z0-9_.-]{0,8}[a-z]){0,4}", vec(any::<u8>(), 0..3_000), 1..8),
    ) {
        let files: Vec<_> = files.into_iter().collect();
        // A file where another one needs a directory is no tree.
        let is_tree = files.windows(2).all(|pair| !pair[1].0.starts_with(&format!("{}/", pair[0].0)));
        prop_assume!(is_tree && files.iter().all(|(path, _)| is_plain(path)));
        let expected: BTreeMap<_, _> = files.iter().cloned().collect();
        let tar_gz = hostile::gzip(&tar_of(&files));
        prop_assert_eq!(&unpacked(Format::TarGz, &tar_gz).unwrap(), &expected);
        let zip = zip_of(&files);
        prop_assert_eq!(&unpacked(Format::Zip, &zip).unwrap(), &expected);

        let members::Listing::Whole(listed) = members::list(zip.len() as u64, zip.clone()).unwrap() else {
            panic!("all of it is there");
        };
        // Every other one, with what lies between them.
        let wanted: Vec<_> = listed.iter().step_by(2).collect();
        let spans: Vec<_> = wanted.iter().map(|member| member.span.clone()).collect();
        let ranges = members::coalesce(&spans, 100);
        let bytes: Vec<_> = ranges
            .iter()
            .flat_map(|range| &zip[range.start as usize..range.end as usize])
            .copied()
            .collect();
        let mut found = BTreeMap::new();
        let unpacked = members::unpack(&ranges, &wanted, bytes.as_slice(), |member, content| {
            let mut file = Vec::new();
            content.read_to_end(&mut file).unwrap();
            found.insert(member.name.clone(), file);
            Ok(())
        });
        prop_assert!(unpacked.is_ok(), "{unpacked:?}");
        let mut names: Vec<_> = wanted.iter().map(|member| &member.name).collect();
        names.sort();
        prop_assert_eq!(found.keys().collect::<Vec<_>>(), names);
        prop_assert!(found.iter().all(|(name, file)| expected[name] == *file));
    }

    /// The order of cmd/go, by the words of its documentation.
    #[test]
    fn versions_are_in_the_order_of_the_go_command(a in version(), b in version()) {
        let (of_a, of_b) = (Version::parse(&a.0).unwrap(), Version::parse(&b.0).unwrap());
        prop_assert_eq!(of_a.cmp(&of_b), a.1.cmp(&b.1), "{} {}", a.0, b.0);
        prop_assert_eq!(of_a == of_b, of_a.cmp(&of_b) == Ordering::Equal);
    }

    #[test]
    fn a_pin_is_the_same_however_it_is_decorated(
        version in version(),
        prefix in prop_oneof![Just(""), Just("go"), Just("v")],
        bom in any::<bool>(), crlf in any::<bool>(), end in any::<bool>(),
        before in vec(prop_oneof![Just(""), Just("# a comment: 1.2"), Just("   ")], 0..4),
        blanks in "[ \t]{0,3}", comment in prop_oneof![Just(""), Just(" # why")],
    ) {
        let line = if crlf { "\r\n" } else { "\n" };
        let mut text = if bom { String::from("\u{feff}") } else { String::new() };
        before.iter().for_each(|before| text += &format!("{before}{line}"));
        text += &format!("{blanks}{prefix}{}{comment}{}", version.0, if end { line } else { "" });
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(".go-version"), &text).unwrap();
        let bytes = directory.path().as_os_str().as_encoded_bytes().to_vec();
        let found = pin::from_directory(&gvm::host::Host, &bytes).unwrap().unwrap();
        prop_assert_eq!(found.request, Request::parse(&version.0).unwrap(), "{:?}", text);
        let at = format!(":{}", before.len() + 1);
        prop_assert!(found.origin.to_string().ends_with(&at), "{}", found.origin);
    }

    #[test]
    fn any_lock_is_read_as_it_was_written(
        trees in btree_map((version(), platform()), any::<[u8; 32]>(), 0..12),
    ) {
        use base64::Engine;
        let base64 = base64::engine::general_purpose::STANDARD;
        let mut lock = LockFile::default();
        let mut expected = BTreeMap::new();
        for (((name, _), platform), digest) in trees {
            let version = Version::parse(&name).unwrap();
            if version.is_language() || expected.contains_key(&(version, platform.clone())) {
                continue;
            }
            let h1 = format!("h1:{}", base64.encode(digest));
            lock.add(version, &platform, &h1);
            expected.insert((version, platform), h1);
        }
        let read = LockFile::parse(lock.to_string().as_bytes()).unwrap();
        let found: BTreeMap<_, _> = read
            .trees()
            .map(|tree| ((tree.version, tree.platform.clone()), tree.h1.clone()))
            .collect();
        prop_assert_eq!(found, expected);
    }
}

/// Whether a generated path is one that archives of Go may hold.
fn is_plain(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && !path.split('/').any(|part| {
            let stem = part.split('.').next().unwrap_or_default();
            matches!(stem, "con" | "prn" | "aux" | "nul")
                || (stem.len() == 4 && (stem.starts_with("com") || stem.starts_with("lpt")))
        })
}

/// A version's text, and what its order is by: minor, patch (`-1` before the first
/// release of a minor), stage, number of the stage. Stages: language version, alpha,
/// beta, rc, release.
fn version() -> impl Strategy<Value = (String, (u32, i64, u8, u32))> {
    let pre = prop_oneof![Just(None), (0..2_u8, 1..12_u32).prop_map(Some)];
    (0..30_u32, proptest::option::of(0..15_u32), pre).prop_map(|(minor, patch, pre)| {
        let mut text = format!("1.{minor}");
        patch.iter().for_each(|patch| text += &format!(".{patch}"));
        let stage = match pre {
            Some((stage, number)) => {
                text += &format!("{}{number}", ["beta", "rc"][usize::from(stage)]);
                (2 + stage, number)
            }
            // `1.20` is a release, `1.21` what comes before its first candidate.
            None if patch.is_none() && minor >= 21 => (0, 0),
            None => (4, 0),
        };
        let is_first = patch.is_none() && (stage.0 != 4);
        let patch = if is_first { -1 } else { i64::from(patch.unwrap_or(0)) };
        (text, (minor, patch, stage.0, stage.1))
    })
}

fn platform() -> impl Strategy<Value = Platform> {
    let words = (
        proptest::sample::select(vec!["linux", "darwin", "windows", "freebsd", "plan9"]),
        proptest::sample::select(vec!["amd64", "arm64", "arm", "386", "riscv64"]),
    );
    words.prop_map(|(os, arch)| Platform { os: os.into(), arch: arch.into() })
}

/// Keeps what an archive hands over.
#[derive(Default)]
struct Kept(BTreeMap<String, Vec<u8>>);

impl Sink for Kept {
    fn file(&mut self, name: &str, _: bool, content: &mut dyn Read) -> Result<(), ArchiveError> {
        let mut kept = Vec::new();
        content.read_to_end(&mut kept).map_err(|error| ArchiveError::Damaged(error.to_string()))?;
        self.0.insert(name.into(), kept);
        Ok(())
    }
}

fn unpacked(format: Format, archive: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, ArchiveError> {
    let chunks: Vec<_> = archive.chunks(100).map(bytes::Bytes::copy_from_slice).collect();
    let (sender, receiver) = sync_channel(chunks.len());
    chunks.into_iter().for_each(|chunk| sender.send(chunk).unwrap());
    drop(sender);
    let mut kept = Kept::default();
    archive::unpack(format, ChunkReader::new(receiver), &mut kept)?;
    Ok(kept.0)
}
