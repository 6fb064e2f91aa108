//! Archives that are not what they should be: each is refused in a sentence,
//! and nothing of it stays, neither in the store nor outside.

#![allow(clippy::disallowed_methods, reason = "a test that fails shows its line")]

mod common;

use bytes::Bytes;
use common::archives::{File, module_zip, sha256, tar_gz, tree};
use common::hostile::{
    TarMember, ZipMember, bomb_tar_gz, gzip, tar, tar_members, zip, zip_members,
};
use common::published::{GoDev, Modules, dl, everything};
use common::{Ended, Machine};
use gvm::archive::{ArchiveError, ChunkReader, Format, Sink, unpack};
use gvm::platform::Platform;
use gvm::trust::h1::module_prefix;
use gvm::version::Version;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::sync::mpsc::sync_channel;
use tar::EntryType;

const VERSION: &str = "1.22.4";

/// How an archive comes to gvm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// From go.dev, with this end of its name and the digest that it has.
    GoDev(&'static str),
    Proxy,
    File(&'static str),
}

const AS_TAR: [Way; 2] = [Way::GoDev("tar.gz"), Way::File("tar.gz")];
const AS_ZIP: [Way; 2] = [Way::GoDev("zip"), Way::File("zip")];
const AS_MODULE: [Way; 2] = [Way::Proxy, Way::File("zip")];

/// The small Go without what only makes it larger.
fn files() -> Vec<File> {
    let mut files = tree(VERSION);
    files.retain(|(path, ..)| path != "pkg/tool/x/compile");
    files
}

fn prefix_of(version: &str) -> String {
    module_prefix(Version::parse(version).unwrap(), &Platform::host())
}

/// The tree as a module has it, stored and deflated by turns.
fn module_members() -> Vec<ZipMember> {
    let mut files = files();
    files.retain(|(path, ..)| !path.starts_with("test/"));
    for (path, ..) in &mut files {
        *path = path.replace("go.mod", "_go.mod");
    }
    zip_members(&prefix_of(VERSION), &files)
}

fn offer(machine: &Machine, way: Way, archive: &[u8]) -> Ended {
    match way {
        Way::GoDev(end) => {
            let mut published = GoDev::default();
            let name = format!("go{VERSION}.{}.{end}", Platform::host());
            published.add_file(VERSION, &name, archive);
            let server = published.serve();
            machine.gvm_with(&[("GVM_DL_URL", &dl(&server))], &["install", VERSION])
        }
        Way::Proxy => {
            let mut modules = Modules::of(&[]);
            modules.add(VERSION, archive);
            machine.gvm_by(&modules.serve().url(), &["install", VERSION])
        }
        Way::File(end) => {
            // Not on that machine, of which everything is looked at.
            let elsewhere = Machine::new();
            let file = elsewhere.work().join(format!("archive.{end}"));
            fs::write(&file, archive).unwrap();
            machine.gvm(&["install", "--from", file.to_str().unwrap()])
        }
    }
}

/// Everything on the machine but what gvm keeps for itself.
fn on(machine: &Machine) -> Vec<(PathBuf, String)> {
    let root = machine.root();
    let ours = [root.join("cache"), root.join("locks"), root.join("tmp")];
    everything(&machine.path())
        .into_iter()
        .filter(|(path, _)| !ours.iter().any(|ours| path.starts_with(ours)))
        .filter(|(path, _)| !machine.root().starts_with(path))
        .collect()
}

/// Refused by each way, in a sentence that says `why`, with nothing left.
#[track_caller]
fn is_refused(what: &str, archive: &[u8], ways: &[Way], why: &str) {
    for &way in ways {
        eprintln!("{what}, {way:?}");
        let machine = Machine::new();
        let before = on(&machine);
        let refused = offer(&machine, way, archive).failed(5).saying(&[why]);
        let errors = refused.stderr.lines().filter(|line| line.starts_with("gvm: error: "));
        assert_eq!(errors.count(), 1, "{refused:#?}");
        assert_eq!(refused.stdout, "");
        machine.has_nothing_installed();
        machine.has_nothing_staged();
        assert_eq!(on(&machine), before, "{what}, {way:?}");
    }
}

/// A tar of the small Go with something more behind its first file.
#[track_caller]
fn tar_with(what: &str, more: &[TarMember], why: &str) {
    let mut members = tar_members(&files());
    members.splice(1..1, more.iter().cloned());
    is_refused(what, &gzip(&tar(&members)), &AS_TAR, why);
}

/// Both kinds of zip with something more behind their first file; `more` gets
/// the prefix.
#[track_caller]
fn zip_with(what: &str, more: impl Fn(&str) -> Vec<ZipMember>, why: &str) {
    let mut members = zip_members("go/", &files());
    members.splice(1..1, more("go/"));
    is_refused(what, &zip(&members), &AS_ZIP, why);
    let mut members = module_members();
    members.splice(1..1, more(&prefix_of(VERSION)));
    is_refused(what, &zip(&members), &AS_MODULE, why);
}

#[test]
fn the_archives_that_the_others_are_made_from_are_accepted() {
    let accepted = |way, archive: &[u8]| {
        let machine = Machine::new();
        offer(&machine, way, archive).succeeded();
        let mut expected = files();
        expected.retain(|(path, ..)| !path.starts_with("test/"));
        // A zip carries no modes; a module zip's are known by its names.
        for (path, content, _) in expected {
            assert_eq!(fs::read(machine.goroot(VERSION).join(path)).unwrap(), content);
        }
    };
    let tar = gzip(&tar(&tar_members(&files())));
    AS_TAR.into_iter().for_each(|way| accepted(way, &tar));
    let zip = zip(&zip_members("go/", &files()));
    AS_ZIP.into_iter().for_each(|way| accepted(way, &zip));
    let module = common::hostile::zip(&module_members());
    AS_MODULE.into_iter().for_each(|way| accepted(way, &module));
}

/// Names that lead out of the directory that they are unpacked in, by each
/// number of steps up to the machine's own directory.
fn escaping(prefix: &str) -> Vec<String> {
    let mut names: Vec<_> =
        (1..8).map(|steps| format!("{prefix}{}escaped", "../".repeat(steps))).collect();
    names.push("../escaped".into());
    names.push(format!("{prefix}src/../../../escaped"));
    names.push(format!("{prefix}./escaped"));
    names.push(format!("{prefix}src//escaped"));
    names
}

#[test]
fn a_name_that_leads_out_of_the_tree_is_refused() {
    let why = "could lead out of its directory";
    for name in escaping("go/") {
        tar_with(&name, &[TarMember::file(name.as_str(), b"hostile")], why);
    }
    let number = escaping("").len();
    for at in 0..number {
        let more = |prefix: &str| vec![ZipMember::stored(escaping(prefix)[at].as_str(), b"x")];
        zip_with("a name that leads out", more, why);
    }
}

#[test]
fn an_absolute_name_is_refused() {
    let elsewhere = Machine::new();
    let name = elsewhere.work().join("escaped");
    let short = "/gvm-escaped";
    let why = "could lead out of its directory";
    tar_with("an absolute name", &[TarMember::file(short, b"hostile")], why);
    zip_with(
        "an absolute name",
        |_| vec![ZipMember::deflated(name.to_str().unwrap(), b"hostile")],
        why,
    );
    assert!(!name.exists());
    assert!(!PathBuf::from(short).exists());
}

#[test]
fn names_that_other_systems_read_differently_are_refused() {
    let why = "has characters that no file of Go has";
    for name in ["go/..\\escaped", "go/C:escaped", "go/a\nb", "go/a\x1b[31m", "go/a\x7fb"] {
        tar_with(name, &[TarMember::file(name, b"x")], why);
        let name = name.strip_prefix("go/").unwrap();
        zip_with(name, |prefix| vec![ZipMember::stored(format!("{prefix}{name}"), b"x")], why);
    }
    let name = |prefix: &str| [prefix.as_bytes(), b"\xff\xfe"].concat();
    tar_with("no UTF-8", &[TarMember::file(name("go/"), b"x")], "is not UTF-8");
    zip_with("no UTF-8", |prefix| vec![ZipMember::stored(name(prefix), b"x")], "is not UTF-8");
}

#[test]
fn no_control_characters_of_an_archive_reach_the_terminal() {
    let mut members = tar_members(&files());
    members.insert(1, TarMember::file("go/\x1b]0;title\x07", b"x"));
    let refused = offer(&Machine::new(), AS_TAR[1], &gzip(&tar(&members))).failed(5);
    assert!(!refused.stderr.chars().any(|c| c.is_control() && c != '\n'), "{refused:?}");
}

#[test]
fn a_name_that_no_file_system_takes_is_the_archives_fault() {
    let long = "n".repeat(300);
    let name = |prefix: &str| format!("{prefix}{long}");
    zip_with("a long name", |prefix| vec![ZipMember::stored(name(prefix), b"x")], "nnn");
    let mut archive = tar::Builder::new(Vec::new());
    for member in tar_members(&files()) {
        let mut header = tar::Header::new_gnu();
        header.set_size(member.content.len() as u64);
        header.set_mode(0o644);
        let name = String::from_utf8(member.name).unwrap();
        archive.append_data(&mut header, name, member.content.as_slice()).unwrap();
    }
    let mut header = tar::Header::new_gnu();
    header.set_size(0);
    archive.append_data(&mut header, name("go/"), &[][..]).unwrap();
    is_refused("a long name", &gzip(&archive.into_inner().unwrap()), &AS_TAR, "nnn");
}

#[test]
fn links_devices_and_pipes_are_refused() {
    for (kind, link, why) in [
        (EntryType::Symlink, "../../../../../escaped", "is a symbolic link"),
        (EntryType::Symlink, "/etc/passwd", "is a symbolic link"),
        (EntryType::Symlink, "VERSION", "is a symbolic link"),
        (EntryType::Link, "go/VERSION", "is a hard link"),
        (EntryType::Link, "/etc/passwd", "is a hard link"),
        (EntryType::Char, "", "is a device"),
        (EntryType::Block, "", "is a device"),
        (EntryType::Fifo, "", "is a named pipe"),
        (EntryType::Continuous, "", "is a kind of entry"),
        (EntryType::GNUSparse, "", "the archive is"),
        (EntryType::XGlobalHeader, "", "is a kind of entry"),
        (EntryType::new(b'Z'), "", "is a kind of entry"),
    ] {
        // What goes through the link would land elsewhere.
        let through = TarMember::file("go/bin/odd/escaped", b"hostile");
        let odd = TarMember::of_kind("go/bin/odd", kind, link, b"");
        tar_with(&format!("{kind:?} to `{link}`"), &[odd, through], why);
    }
}

/// A record of an extended header: its length in decimal digits counts itself.
fn pax(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let length = (1..).map(|digits| rest + digits).find(|n| n.to_string().len() + rest == *n);
    [format!("{} {key}=", length.unwrap()).as_bytes(), value, b"\n"].concat()
}

#[test]
fn extended_headers_lead_nowhere_else() {
    let file = || TarMember::file("go/odd", b"content");
    let header = |records: Vec<u8>| TarMember::of_kind("pax", EntryType::XHeader, "", &records);
    for (what, records, why) in [
        ("a name that leads out", pax("path", b"../escaped"), "could lead out"),
        ("an absolute name", pax("path", b"/etc/passwd"), "could lead out"),
        ("a name with a NUL", pax("path", b"go/x\0y"), "characters that no file of Go has"),
        ("a name that is there already", pax("path", b"go/VERSION"), "is twice"),
        ("another size", pax("size", b"1"), "has the pax record size"),
        ("a size that nothing has", pax("size", b"18446744073709551615"), ""),
        ("a link", pax("linkpath", b"/etc/passwd"), "has the pax record linkpath"),
        (
            "a sparse file",
            [pax("GNU.sparse.major", b"1"), pax("GNU.sparse.realsize", b"9999")].concat(),
            "has the pax record GNU.sparse.major",
        ),
        ("a record without an end", b"30 path=x".to_vec(), ""),
        ("a length that lies", b"99999999999999999999 path=x\n".to_vec(), ""),
        ("no record", b"\xff\xff\xff".to_vec(), ""),
        ("a record of 2 MB", pax("comment", &vec![b'x'; 2 << 20]), "larger than any has to be"),
    ] {
        tar_with(what, &[header(records), file()], why);
    }
    // A header that nothing follows, and one that another follows.
    tar_with(
        "two headers",
        &[header(pax("path", b"go/a")), header(pax("path", b"go/b")), file()],
        "",
    );
    let mut members = tar_members(&files());
    members.push(header(pax("path", b"go/a")));
    is_refused("a header at the end", &gzip(&tar(&members)), &AS_TAR, "");
    // What says nothing about the tree does no harm.
    let machine = Machine::new();
    let mut members = tar_members(&files());
    members.insert(1, header([pax("mtime", b"1.5"), pax("comment", b"x")].concat()));
    offer(&machine, AS_TAR[0], &gzip(&tar(&members))).succeeded();
}

#[test]
fn a_zip_of_several_disks_is_refused() {
    let good = zip(&zip_members("go/", &files()));
    let end = good.len() - 22;
    // The number of this disk, of the disk where the directory starts, and the
    // entries on this one (APPNOTE 4.3.16).
    for at in [4, 6, 8] {
        let mut archive = good.clone();
        archive[end + at] ^= 1;
        is_refused(&format!("byte {at} of the end"), &archive, &AS_ZIP, "");
    }
    // The marks of zip64, which no archive of Go needs.
    for (at, length) in [(8, 4), (12, 4), (16, 4)] {
        let mut archive = good.clone();
        archive[end + at..end + at + length].fill(0xff);
        is_refused("zip64", &archive, &AS_ZIP, "");
    }
}

#[test]
fn a_zip_that_calls_a_file_something_else_than_a_file_is_refused() {
    for (what, mode) in [
        ("a symbolic link", 0o120_777),
        ("a named pipe", 0o010_644),
        ("a character device", 0o020_644),
        ("a block device", 0o060_644),
        ("a socket", 0o140_644),
    ] {
        let odd = |prefix: &str| ZipMember {
            mode,
            ..ZipMember::stored(format!("{prefix}bin/odd"), b"../../../escaped")
        };
        zip_with(what, |prefix| vec![odd(prefix)], "");
    }
}

#[test]
fn a_name_that_comes_twice_is_refused() {
    let why = "is twice in the archive";
    tar_with("a file twice", &[TarMember::file("go/VERSION", b"go1.22.5\n")], why);
    zip_with(
        "a file twice",
        |prefix| vec![ZipMember::stored(format!("{prefix}VERSION"), b"go1.22.5\n")],
        why,
    );
}

#[test]
fn a_file_that_is_a_directory_too_is_refused() {
    let names = ["a", "a/b"];
    for order in [[0, 1], [1, 0]] {
        let tar = order.map(|at| TarMember::file(format!("go/{}", names[at]), b"x"));
        tar_with("a file and a directory", &tar, "`a");
        let zip = |prefix: &str| {
            order.map(|at| ZipMember::stored(format!("{prefix}{}", names[at]), b"x")).to_vec()
        };
        zip_with("a file and a directory", zip, "`a");
    }
}

#[test]
fn names_that_differ_in_case_alone_are_refused() {
    for name in ["src/FMT/more.go", "version", "Bin/x", "src/fmt/PRINT.go"] {
        let why = "differ in case alone";
        tar_with(name, &[TarMember::file(format!("go/{name}"), b"x")], why);
        zip_with(name, |prefix| vec![ZipMember::stored(format!("{prefix}{name}"), b"x")], why);
    }
    tar_with("Go", &[TarMember::file("Go/x", b"x")], "differ in case alone");
}

#[test]
fn names_that_windows_does_not_take_are_refused_everywhere() {
    for name in ["src/aux.go", "CON", "src/com1", "nul.tar.gz", "src/x.", "src/x ", "a/lpt9.x/b"] {
        let why = "is no name of a file on Windows";
        tar_with(name, &[TarMember::file(format!("go/{name}"), b"x")], why);
        zip_with(name, |prefix| vec![ZipMember::stored(format!("{prefix}{name}"), b"x")], why);
    }
    for name in ["src/a?b", "src/a|b", "src/<a>", "src/a\"b", "src/a*b"] {
        let why = "has characters that no file of Go has";
        tar_with(name, &[TarMember::file(format!("go/{name}"), b"x")], why);
    }
}

#[test]
fn everything_stands_under_the_one_top_directory() {
    for name in ["evil", "evil/x", "gone/x", "go", "go.mod", " go/x"] {
        tar_with(name, &[TarMember::file(name, b"x")], "is not under go/");
        let more = |_: &str| vec![ZipMember::stored(name, b"x")];
        zip_with(name, more, "is not under go");
    }
    // An archive that is altogether somewhere else.
    let mut members = tar_members(&files());
    for member in &mut members {
        member.name.splice(..2, *b"golang");
    }
    let archive = gzip(&tar(&members));
    is_refused("another top directory", &archive, &AS_TAR[..1], "is not under go/");
    is_refused("another top directory", &archive, &AS_TAR[1..], "is in no archive of Go");
}

#[test]
fn the_files_of_another_version_or_platform_are_refused_by_their_names() {
    let mut files = files();
    files.retain(|(path, ..)| !path.ends_with("go.mod") && !path.starts_with("test/"));
    let other = zip(&zip_members(&prefix_of("1.22.5"), &files));
    is_refused("another version", &other, &[Way::Proxy], "is not under golang.org/toolchain@");
    is_refused(
        "another version",
        &other,
        &[Way::File("zip")],
        "its files say that it is Go 1.22.5",
    );

    let platform = Platform::parse("plan9-amd64").unwrap();
    let prefix = module_prefix(Version::parse(VERSION).unwrap(), &platform);
    let other = zip(&zip_members(&prefix, &files));
    is_refused("another platform", &other, &[Way::Proxy], "is not under golang.org/toolchain@");
    is_refused("another platform", &other, &[Way::File("zip")], "plan9-amd64");
}

#[test]
fn a_go_mod_has_the_name_that_its_kind_of_archive_gives_it() {
    let why = "is in no archive of go.dev";
    for path in ["_go.mod", "src/x/_go.mod"] {
        tar_with(path, &[TarMember::file(format!("go/{path}"), b"module x\n")], why);
        let mut members = zip_members("go/", &files());
        members.push(ZipMember::stored(format!("go/{path}"), b"module x\n"));
        is_refused(path, &zip(&members), &AS_ZIP, why);
    }
    for path in ["go.mod", "src/x/go.mod"] {
        let mut members = module_members();
        members.push(ZipMember::stored(prefix_of(VERSION) + path, b"module x\n"));
        is_refused(path, &zip(&members), &AS_MODULE, "is in no module zip");
    }
}

#[test]
fn what_follows_the_end_of_a_tar_gz_is_refused() {
    let tar = tar(&tar_members(&files()));
    let good = gzip(&tar);
    let hidden = common::hostile::tar(&[TarMember::file("go/bin/go", b"hostile")]);
    for (what, more) in
        [("a byte", vec![0]), ("garbage", vec![b'x'; 5000]), ("gzip", gzip(&hidden))]
    {
        let archive = [good.as_slice(), &more].concat();
        is_refused(what, &archive, &AS_TAR, "something follows its end");
    }
    // Readers that pass over the end of a tar would see another tree.
    let archive = gzip(&[tar.as_slice(), &hidden].concat());
    is_refused("a tar behind the tar", &archive, &AS_TAR, "end");
    let archive = gzip(&[tar, vec![0; 3 << 20]].concat());
    is_refused("a lot of padding", &archive, &AS_TAR, "it goes on after its end");
}

#[test]
fn what_surrounds_a_zip_is_refused() {
    for (good, ways) in [
        (zip(&zip_members("go/", &files())), AS_ZIP),
        (zip(&module_members()), AS_MODULE),
        (module_zip(VERSION, &Platform::host(), &files()), AS_MODULE),
    ] {
        for (what, more) in
            [("a byte", vec![0]), ("garbage", vec![b'x'; 500]), ("zip", good.clone())]
        {
            let archive = [good.as_slice(), &more].concat();
            is_refused(&format!("{what} behind it"), &archive, &ways, "");
        }
        let archive = [b"MZ garbage".as_slice(), &good].concat();
        is_refused("garbage in front of it", &archive, &ways[..1], "");
        // Between the files and the central directory.
        let at = good.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
        let archive = [&good[..at], b"garbage", &good[at..]].concat();
        is_refused("garbage within it", &archive, &ways, "");
    }
}

#[test]
fn a_central_directory_that_tells_another_tree_is_refused() {
    type Change = fn(&mut Vec<ZipMember>);
    let changes: [(&str, Change); 9] = [
        ("another name", |members| {
            let listed = members[1].listed.as_mut().unwrap();
            *listed.name.last_mut().unwrap() ^= 1;
        }),
        ("another size", |members| members[1].listed.as_mut().unwrap().size += 1),
        ("another packed size", |members| members[1].listed.as_mut().unwrap().compressed -= 1),
        ("another checksum", |members| members[1].listed.as_mut().unwrap().crc ^= 1),
        ("a file that is not there", |members| {
            let name = [members[1].name.as_slice(), b"2"].concat();
            members.push(ZipMember { is_there: false, ..ZipMember::stored(name, b"x") });
        }),
        ("a file less", |members| members[1].listed = None),
        ("a file twice", |members| {
            let twice = members[1].clone();
            members.insert(2, ZipMember { is_there: false, ..twice });
        }),
        ("another order", |members| {
            let (one, two) = (members[1].listed.take(), members[2].listed.take());
            (members[1].listed, members[2].listed) = (two, one);
        }),
        ("nothing", |members| members.iter_mut().for_each(|member| member.listed = None)),
    ];
    for (what, change) in changes {
        for (mut members, ways) in
            [(zip_members("go/", &files()), AS_ZIP), (module_members(), AS_MODULE)]
        {
            change(&mut members);
            is_refused(what, &zip(&members), &ways, "");
        }
    }
}

#[test]
fn a_zip_with_anything_but_plain_files_is_refused() {
    let member = |prefix: &str| ZipMember::deflated(format!("{prefix}odd"), b"content");
    zip_with("encrypted", |p| vec![ZipMember { flags: 1, ..member(p) }], "is encrypted");
    zip_with("bzip2", |p| vec![ZipMember { method: 12, ..member(p) }], "is packed by method 12");
    let stored = |prefix: &str| ZipMember::stored(format!("{prefix}odd"), b"content");
    // Where the data ends is anybody's guess.
    zip_with("no size", |p| vec![ZipMember { flags: 8, ..stored(p) }], "is packed by method 0");
    zip_with("4 GB", |p| vec![ZipMember { size: u32::MAX, ..stored(p) }], "4 GB or more");
    for wrong in [
        |m: &mut ZipMember| m.crc ^= 1,
        |m: &mut ZipMember| m.size += 1,
        |m: &mut ZipMember| m.data.insert(0, 0xff),
    ] {
        let more = |prefix: &str| {
            let mut odd = member(prefix);
            wrong(&mut odd);
            vec![odd]
        };
        zip_with("another content", more, "the archive is damaged");
    }
    let directory = |prefix: &str| ZipMember::stored(format!("{prefix}odd/"), b"content");
    zip_with("a directory with content", |p| vec![directory(p)], "");
}

#[test]
fn an_archive_without_a_go_in_it_is_refused() {
    let without = |left_out: &str| {
        let mut files = files();
        files.retain(|(path, ..)| path != left_out);
        gzip(&tar(&tar_members(&files)))
    };
    is_refused("no VERSION", &without("VERSION"), &AS_TAR, "it has no VERSION file");
    is_refused("no bin/go", &without("bin/go"), &AS_TAR, "it has no bin/go");
    is_refused("empty", &gzip(&tar(&[])), &AS_TAR, "it has no VERSION file");
    is_refused("empty", &zip(&[]), &AS_ZIP[..1], "");
    for text in ["", "devel +abc", "go1.22", "1.22.4", "go1.22.4/../../x", "\u{1b}[31m"] {
        let mut files = files();
        files[0].1 = text.into();
        is_refused(text, &gzip(&tar(&tar_members(&files))), &AS_TAR, "VERSION file says");
    }
}

/// Takes the files and keeps them, or lets them go.
#[derive(Default)]
struct Collected {
    keep: bool,
    files: Vec<(String, bool, Vec<u8>)>,
    bytes: u64,
}

impl Sink for Collected {
    fn file(
        &mut self,
        name: &str,
        executable: bool,
        content: &mut dyn Read,
    ) -> Result<(), ArchiveError> {
        let mut buffer = vec![0; 1 << 20];
        let mut kept = Vec::new();
        loop {
            let read = content.read(&mut buffer);
            match read.map_err(|error| ArchiveError::Damaged(error.to_string()))? {
                0 => break,
                length => {
                    self.bytes += length as u64;
                    if self.keep {
                        kept.extend_from_slice(&buffer[..length]);
                    }
                }
            }
        }
        self.files.push((name.into(), executable, kept));
        Ok(())
    }
}

fn collect(format: Format, archive: &[u8], keep: bool) -> (Result<(), ArchiveError>, Collected) {
    let mut collected = Collected { keep, ..Collected::default() };
    let done = std::thread::scope(|scope| {
        let (chunks, queue) = sync_channel(4);
        scope.spawn(move || {
            for chunk in archive.chunks(64 << 10) {
                // The reader has had enough.
                if chunks.send(Bytes::copy_from_slice(chunk)).is_err() {
                    break;
                }
            }
        });
        unpack(format, ChunkReader::new(queue), &mut collected)
    });
    (done, collected)
}

#[test]
fn a_bomb_is_refused_before_it_fills_a_disk() {
    let bomb = bomb_tar_gz("go/zeros", 6 << 30);
    assert!(bomb.len() < 10 << 20);
    let (done, collected) = collect(Format::TarGz, &bomb, false);
    let error = done.unwrap_err();
    assert!(matches!(error, ArchiveError::Hostile(_)), "{error:?}");
    assert!(collected.bytes <= 4 << 30, "{}", collected.bytes);
    assert!(error.to_string().contains("4 GB"), "{error}");
}

#[test]
fn more_files_than_any_go_has_are_refused() {
    let name = |at: u32| format!("go/{at}");
    let members: Vec<_> = (0..=100_000).map(|at| TarMember::file(name(at), b"")).collect();
    let mut members_of_zip: Vec<_> =
        (0..=100_000).map(|at| ZipMember::stored(name(at), b"")).collect();
    // The central directory is not come to, and has no room for so many.
    members_of_zip.iter_mut().for_each(|member| member.listed = None);
    for (format, archive) in
        [(Format::TarGz, gzip(&tar(&members))), (Format::Zip, zip(&members_of_zip))]
    {
        let (done, collected) = collect(format, &archive, false);
        let error = done.unwrap_err().to_string();
        assert!(error.contains("more than 100000 files"), "{error}");
        assert_eq!(collected.files.len(), 100_000);
    }
}

#[test]
fn an_archive_that_is_cut_off_anywhere_is_refused() {
    for (format, archive) in small_archives() {
        for length in 0..archive.len() {
            let (done, _) = collect(format, &archive[..length], false);
            assert!(done.is_err(), "{format:?} of {length} bytes of {}", archive.len());
        }
    }
}

#[test]
fn an_altered_byte_never_changes_the_tree() {
    for (format, archive) in small_archives() {
        let (done, whole) = collect(format, &archive, true);
        done.unwrap();
        for at in 0..archive.len() {
            for bits in [0x01, 0x80, 0xff] {
                let mut altered = archive.clone();
                altered[at] ^= bits;
                let (done, found) = collect(format, &altered, true);
                assert!(
                    done.is_err() || found.files == whole.files,
                    "{format:?}: byte {at} altered by {bits:#x} gives another tree"
                );
            }
        }
    }
}

/// Of two files each, so that every byte of them can be tried.
fn small_archives() -> Vec<(Format, Vec<u8>)> {
    let mut files = files();
    files.truncate(2);
    vec![
        (Format::TarGz, tar_gz(&files)),
        (Format::Zip, zip(&zip_members("go/", &files))),
        (Format::Zip, module_zip(VERSION, &Platform::host(), &files)),
    ]
}

#[test]
fn a_hostile_archive_of_one_source_does_not_keep_the_next_from_being_asked() {
    let mut members = tar_members(&files());
    members.push(TarMember::file("../escaped", b"hostile"));
    let hostile = gzip(&tar(&members));
    let mut published = GoDev::default();
    published.add(VERSION, &hostile);
    let (server, proxy) = (published.serve(), Modules::of(&[VERSION]).serve());
    let machine = Machine::new();
    let variables = [("GVM_DL_URL", dl(&server)), ("GOPROXY", proxy.url())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    machine.gvm_with(&variables, &["install", VERSION]).succeeded().saying(&[
        "passed over",
        "could lead out of its directory",
        "NOT PROVED",
    ]);
    assert_eq!(machine.receipt(VERSION)["origin"]["source"], "proxy");
    machine.has_nothing_staged();
}

#[test]
fn a_digest_that_fits_does_not_excuse_what_is_in_the_archive() {
    let mut members = tar_members(&files());
    members.push(TarMember::of_kind("go/bin/link", EntryType::Symlink, "/etc/passwd", b""));
    let archive = gzip(&tar(&members));
    let machine = Machine::new();
    let file = machine.work().join("archive.tar.gz");
    fs::write(&file, &archive).unwrap();
    let digest = sha256(&archive).to_string();
    machine
        .gvm(&["install", "--from", file.to_str().unwrap(), "--sha256", &digest])
        .failed(5)
        .saying(&["is a symbolic link"]);
    machine.has_nothing_installed();
}
