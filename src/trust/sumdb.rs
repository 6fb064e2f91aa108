//! Go's checksum database: a transparency log of what every module's bytes are
//! (go.dev/design/25530-sumdb; golang.org/x/mod/sumdb).
//!
//! What is believed is one public key. Records, heads and tiles may come from
//! anybody, and are kept, so that what was proved once is proved again offline.

use super::h1::{TOOLCHAIN_MODULE, module_version};
use super::merkle::{self, Hash, Head, ProofError, Subtrees};
use super::note::Verifier;
use crate::files;
use crate::path::display;
use crate::platform::Platform;
use crate::store::LogRecord;
use crate::ui::{self, shown};
use crate::version::Version;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// The key of sum.golang.org (cmd/go, internal/modfetch/key.go).
pub const GOLANG_KEY: &str = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";

/// Levels of the tree in a tile, and the hashes in its lowest.
const TILE_HEIGHT: u32 = 8;
const TILE_WIDTH: u64 = 1 << TILE_HEIGHT;
const HASH_SIZE: usize = 32;
/// The largest answer that is read: records are a few hundred bytes.
pub const MAX_ANSWER: usize = 64 << 10;

/// Which database is believed, and where it answers directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    pub verifier: Verifier,
    /// Without a closing slash.
    pub direct_url: String,
    /// The user names the URL: then no module proxy is asked for records (cmd/go,
    /// modfetch.dbDial).
    pub is_named: bool,
}

impl Database {
    /// Reads GOSUMDB: a name or key, and perhaps a URL. `None` when it is `off`.
    ///
    /// # Errors
    /// It is none of the forms that cmd/go accepts.
    pub fn parse(setting: &str) -> Result<Option<Self>, String> {
        let mut words = setting.split_ascii_whitespace();
        let (name, url) = (words.next().unwrap_or_default(), words.next());
        if words.next().is_some() {
            return Err("it has more than a name and a URL".into());
        }
        let (key, alias_url) = match name {
            "off" => return Ok(None),
            "" | "sum.golang.org" => (GOLANG_KEY, None),
            // The same database at an address that answers in China.
            "sum.golang.google.cn" => (GOLANG_KEY, Some("https://sum.golang.google.cn")),
            key => (key, None),
        };
        let verifier = Verifier::parse(key).ok_or_else(|| {
            format!("`{}` is neither a known name nor a key", display(name.as_bytes()))
        })?;
        let named = url.or(alias_url);
        let direct_url = match named {
            Some(url) => url.trim_end_matches('/').to_string(),
            None => format!("https://{}", verifier.name),
        };
        Ok(Some(Self { verifier, direct_url, is_named: named.is_some() }))
    }
}

/// Fetches a path of the database, such as `/latest`.
pub trait Transport {
    /// # Errors
    /// A clause that says why there is nothing.
    fn get(&self, path: &str) -> Result<Vec<u8>, Unanswered>;
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// The database (or a proxy of it) says that there is no such thing.
    NotFound(String),
    Unreachable(String),
}

/// Why a toolchain is not proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unproved {
    /// The database could not be asked. Nothing speaks against the toolchain.
    Unreachable(String),
    /// It has no record of that toolchain.
    NoRecord(String),
    /// What it said is not what it must say; whoever said it.
    Lie(String),
}

impl fmt::Display for Unproved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) | Self::NoRecord(why) | Self::Lie(why) => f.write_str(why),
        }
    }
}

/// What the database records of a toolchain, proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub h1: String,
    pub database: String,
    /// Its number in the log.
    pub number: u64,
    /// Of the tree that it was proved to be in.
    pub tree_size: u64,
}

impl From<&Record> for LogRecord {
    fn from(record: &Record) -> Self {
        let Record { database, number, tree_size, .. } = record;
        Self { database: database.clone(), number: *number, tree_size: *tree_size }
    }
}

/// A client with its cache: `lookup/`, `tile/`, and the newest head seen, `latest`.
pub struct Client<'a, T> {
    pub database: &'a Database,
    pub transport: &'a T,
    pub cache: PathBuf,
}

/// The answer to a lookup.
struct Answer {
    number: u64,
    /// The lines of go.sum, as they are hashed.
    record: String,
    head: Head,
    /// The signed note that the head was read from.
    note: String,
}

impl<T: Transport> Client<'_, T> {
    /// What the database records of a toolchain.
    ///
    /// # Errors
    /// [`Unproved`].
    pub fn lookup(&self, version: Version, platform: &Platform) -> Result<Record, Unproved> {
        files::sweep(&self.cache);
        let module_version = module_version(version, platform);
        let kept = self.cache.join("lookup").join(&module_version);
        // Its head was held against the newest one when it came; what came since
        // was held against that.
        let again = |why: String| ui::warn(format_args!("{why}; asking the database again"));
        match files::read(&kept, MAX_ANSWER) {
            Ok(None) => {}
            Ok(Some(answer)) => match self.believe(&answer, &module_version) {
                Ok((record, _)) => return Ok(record),
                Err(Unproved::Lie(why)) => again(format!("{} is damaged: {why}", shown(&kept))),
                Err(Unproved::Unreachable(_) | Unproved::NoRecord(_)) => {}
            },
            Err(error) => again(error.to_string()),
        }
        let path = format!("/lookup/{TOOLCHAIN_MODULE}@{module_version}");
        let answer = self.transport.get(&path).map_err(|unanswered| match unanswered {
            Unanswered::NotFound(why) => Unproved::NoRecord(why),
            Unanswered::Unreachable(why) => Unproved::Unreachable(why),
        })?;
        let (record, answered) = self.believe(&answer, &module_version)?;
        self.advance(&answered)?;
        let _ = self.keep(&kept, &answer);
        Ok(record)
    }

    /// Checks an answer from signature to tree.
    fn believe(&self, answer: &[u8], module_version: &str) -> Result<(Record, Answer), Unproved> {
        let parsed = self.parse_answer(answer)?;
        let leaf = merkle::leaf(parsed.record.as_bytes());
        self.prove(|tiles| {
            let mut tiles = tiles.of(parsed.head.size);
            merkle::prove_inclusion(parsed.head, parsed.number, leaf, &mut tiles)?;
            // The proof puts the record's own hash where the tile has one: what is
            // kept has to have the same.
            match tiles.subtree(0, parsed.number).map_err(ProofError::Hashes)? == leaf {
                true => Ok(()),
                false => Err(ProofError::Differs),
            }
        })
        .map_err(|error| self.named("the record is not in the signed tree", error))?;

        let prefix = format!("{TOOLCHAIN_MODULE} {module_version} ");
        let h1 = parsed.record.lines().find_map(|line| line.strip_prefix(&prefix));
        let h1 = h1.filter(|h1| h1.starts_with("h1:")).ok_or_else(|| {
            let name = &self.database.verifier.name;
            Unproved::Lie(format!("the record of {name} names no h1 of {module_version}"))
        })?;
        let record = Record {
            h1: h1.into(),
            database: self.database.verifier.name.clone(),
            number: parsed.number,
            tree_size: parsed.head.size,
        };
        Ok((record, parsed))
    }

    /// `number`, the lines of go.sum, a blank line, the signed head.
    fn parse_answer(&self, answer: &[u8]) -> Result<Answer, Unproved> {
        let lie = |why: &str| Unproved::Lie(format!("{}: {why}", self.database.verifier.name));
        let malformed = || lie("its answer is malformed");
        let text = std::str::from_utf8(answer).map_err(|_| malformed())?;
        let (number, rest) = text.split_once('\n').ok_or_else(malformed)?;
        let (record, note) = rest.split_once("\n\n").ok_or_else(malformed)?;
        let head = self.open_head(note).map_err(|why| lie(&why))?;
        Ok(Answer {
            number: decimal(number).ok_or_else(malformed)?,
            record: format!("{record}\n"),
            head,
            note: note.into(),
        })
    }

    /// `go.sum database tree`, the size, the root.
    fn open_head(&self, note: &str) -> Result<Head, String> {
        let text = self.database.verifier.open(note).map_err(|error| error.to_string())?;
        let malformed = || "its tree head is malformed".to_string();
        let mut lines = text.lines();
        if lines.next() != Some("go.sum database tree") {
            return Err(malformed());
        }
        let size = lines.next().and_then(decimal).ok_or_else(malformed)?;
        let root = lines.next().and_then(|line| BASE64.decode(line).ok()).ok_or_else(malformed)?;
        Ok(Head { size, root: root.try_into().map_err(|_| malformed())? })
    }

    /// Holds a head against the newest one that this machine has seen, and keeps
    /// the newer of the two. One of them has to be the beginning of the other.
    fn advance(&self, answer: &Answer) -> Result<(), Unproved> {
        let Answer { head, note, .. } = answer;
        let (head, file) = (*head, self.cache.join("latest"));
        // Without it, a log that forks would not be noticed.
        let remember = || {
            if let Err(error) = self.keep(&file, note.as_bytes()) {
                ui::warn(format_args!("the newest tree head cannot be kept: {error}"));
            }
        };
        let unusable = |why: String| {
            Unproved::Lie(format!(
                "the newest tree head that was seen cannot be used: {}: {why}; \
                 removing it forgets what the log has said so far",
                shown(&file)
            ))
        };
        let kept = files::read_text(&file, MAX_ANSWER).map_err(|e| unusable(e.to_string()))?;
        let Some(kept) = kept else {
            remember();
            return Ok(());
        };
        let latest = self.open_head(&kept).map_err(unusable)?;
        let (older, newer) = if head.size < latest.size { (head, latest) } else { (latest, head) };
        let proved =
            self.prove(|tiles| merkle::prove_consistency(older, newer, &mut tiles.of(newer.size)));
        match proved {
            Ok(()) => {
                if head.size > latest.size {
                    remember();
                }
                Ok(())
            }
            Err(error @ ProofError::Hashes(_)) => Err(self.named("", error)),
            Err(error) => {
                let evidence = self.cache.join(format!("fork-{}-{}", older.size, newer.size));
                let mut both = kept.into_bytes();
                both.push(b'\n');
                both.extend_from_slice(note.as_bytes());
                let kept = match self.keep(&evidence, &both) {
                    Ok(()) => format!("both are kept in {}", shown(&evidence)),
                    Err(error) => format!("they could not be kept: {error}"),
                };
                let what = match error {
                    ProofError::Fork => "contradict each other: one of them was made for you alone",
                    _ => "are not shown to be of one history",
                };
                Err(Unproved::Lie(format!(
                    "{} has signed two trees, of {} and {} records, that {what}; {kept}",
                    self.database.verifier.name, older.size, newer.size,
                )))
            }
        }
    }

    /// Tries a proof from kept tiles, and once more with fresh ones if those do
    /// not lead to the root: a damaged cache is not a lying log.
    fn prove(
        &self,
        proof: impl Fn(&Tiles<T>) -> Result<(), ProofError<Unanswered>>,
    ) -> Result<(), ProofError<Unanswered>> {
        let tiles = |use_cache| Tiles {
            transport: self.transport,
            cache: self.cache.clone(),
            use_cache,
            read: Default::default(),
        };
        let kept = tiles(true);
        let result = match proof(&kept) {
            Err(ProofError::Differs) => {
                let fresh = tiles(false);
                let again = proof(&fresh);
                if again.is_ok() {
                    fresh.keep();
                }
                return again;
            }
            other => other,
        };
        if result.is_ok() {
            kept.keep();
        }
        result
    }

    fn keep(&self, file: &Path, content: &[u8]) -> std::io::Result<()> {
        keep(&self.cache, file, content)
    }

    fn named(&self, what: &str, error: ProofError<Unanswered>) -> Unproved {
        let name = &self.database.verifier.name;
        match error {
            ProofError::Differs | ProofError::Fork => Unproved::Lie(format!("{name}: {what}")),
            ProofError::Hashes(Unanswered::Unreachable(why) | Unanswered::NotFound(why)) => {
                Unproved::Unreachable(why)
            }
        }
    }
}

/// Digits and nothing else, as the database writes numbers.
fn decimal(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok())?
}

/// What is kept saves a question the next time. It comes by way of the cache's own
/// directory, where the next lookup sweeps: most of these files are written once.
fn keep(cache: &Path, file: &Path, content: &[u8]) -> std::io::Result<()> {
    fs_err::create_dir_all(file.parent().unwrap_or(cache))?;
    files::replace_from(cache, file, content, None)
}

/// Tiles of 256 hashes: those that are kept, and those that were fetched.
struct Tiles<'a, T> {
    transport: &'a T,
    /// The cache of the client: tiles are in `tile/`.
    cache: PathBuf,
    use_cache: bool,
    read: std::cell::RefCell<BTreeMap<String, Vec<u8>>>,
}

/// The tiles of a tree of that size.
struct TilesOf<'a, 'b, T> {
    tiles: &'a Tiles<'b, T>,
    size: u64,
}

impl<'b, T: Transport> Tiles<'b, T> {
    fn of(&self, size: u64) -> TilesOf<'_, 'b, T> {
        TilesOf { tiles: self, size }
    }

    /// Called when what was fetched has led to a signed root. Fresh tiles take the
    /// place of those that did not.
    fn keep(&self) {
        for (path, content) in self.read.borrow().iter() {
            let _ = keep(&self.cache, &self.file(path), content);
        }
    }

    fn file(&self, path: &str) -> PathBuf {
        self.cache.join("tile").join(path)
    }

    /// The hashes of a tile, at least `width` of them.
    fn tile(&self, level: u32, number: u64, width: u64) -> Result<Vec<u8>, Unanswered> {
        let full = format!("{level}/{}", encode(number));
        let partial = format!("{full}.p/{width}");
        let names = if width == TILE_WIDTH { vec![full] } else { vec![full, partial] };
        let enough = |content: &Vec<u8>| content.len() >= width as usize * HASH_SIZE;
        for name in &names {
            if let Some(content) = self.read.borrow().get(name).filter(|content| enough(content)) {
                return Ok(content.clone());
            }
            if self.use_cache
                && let Ok(Some(content)) = files::read(&self.file(name), MAX_ANSWER)
                && enough(&content)
            {
                return Ok(content);
            }
        }
        // A partial tile may be gone when the tree has grown: then the full one
        // is there.
        let mut last = Err(Unanswered::NotFound("there is no such tile".into()));
        for name in names.iter().rev() {
            last = self.transport.get(&format!("/tile/{TILE_HEIGHT}/{name}"));
            match &last {
                Ok(content) if enough(content) && content.len() % HASH_SIZE == 0 => {
                    self.read.borrow_mut().insert(name.clone(), content.clone());
                    break;
                }
                Ok(_) => last = Err(Unanswered::Unreachable(format!("the tile {name} is damaged"))),
                Err(Unanswered::NotFound(_)) => {}
                Err(Unanswered::Unreachable(_)) => break,
            }
        }
        last
    }
}

impl<T: Transport> Subtrees for TilesOf<'_, '_, T> {
    type Error = Unanswered;

    fn subtree(&mut self, level: u32, index: u64) -> Result<Hash, Unanswered> {
        let (tile_level, height) = (level / TILE_HEIGHT, level % TILE_HEIGHT);
        let first = index << height;
        let (number, at) = (first / TILE_WIDTH, first % TILE_WIDTH);
        let in_level = self.size >> (TILE_HEIGHT * tile_level);
        let width = (in_level - number * TILE_WIDTH).min(TILE_WIDTH);
        let tile = self.tiles.tile(tile_level, number, width)?;
        let hashes = tile.chunks_exact(HASH_SIZE).skip(at as usize).take(1 << height);
        let mut hashes: Vec<Hash> = hashes.filter_map(|hash| hash.try_into().ok()).collect();
        while hashes.len() > 1 {
            hashes = hashes.chunks_exact(2).map(|pair| merkle::node(&pair[0], &pair[1])).collect();
        }
        hashes.pop().ok_or_else(|| Unanswered::Unreachable("a tile is too short".into()))
    }
}

/// A tile's number in its path: groups of three digits, all but the last with an
/// `x` in front.
fn encode(number: u64) -> String {
    let mut text = format!("{:03}", number % 1000);
    let mut rest = number / 1000;
    while rest > 0 {
        text = format!("x{:03}/{text}", rest % 1000);
        rest /= 1000;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::merkle::tests::Log;
    use std::cell::RefCell;

    #[test]
    fn tile_numbers_are_grouped() {
        assert_eq!(encode(7), "007");
        assert_eq!(encode(1_234_067), "x001/x234/067");
        assert_eq!(encode(1000), "x001/000");
    }

    #[test]
    fn gosumdb_is_read_as_the_go_command_reads_it() {
        let url = |setting| Database::parse(setting).unwrap().map(|database| database.direct_url);
        assert_eq!(url("sum.golang.org").as_deref(), Some("https://sum.golang.org"));
        assert_eq!(url("").as_deref(), Some("https://sum.golang.org"));
        assert_eq!(url("sum.golang.google.cn").as_deref(), Some("https://sum.golang.google.cn"));
        assert_eq!(url(GOLANG_KEY).as_deref(), Some("https://sum.golang.org"));
        let with_url = format!("{GOLANG_KEY} https://sums.example/");
        assert_eq!(url(&with_url).as_deref(), Some("https://sums.example"));
        assert_eq!(url("off"), None);
        for setting in ["on", "sum.example.org", "a b c", "sum.golang.org+00000000+AAAA"] {
            assert!(Database::parse(setting).is_err(), "{setting}");
        }
    }

    /// Tiles of a log in memory, as a server cuts them.
    struct Served {
        log: Log,
        gone: RefCell<Vec<String>>,
        asked: RefCell<usize>,
    }

    impl Transport for Served {
        fn get(&self, path: &str) -> Result<Vec<u8>, Unanswered> {
            *self.asked.borrow_mut() += 1;
            let not_found = || Unanswered::NotFound("404".into());
            if self.gone.borrow().iter().any(|gone| path.contains(gone.as_str())) {
                return Err(not_found());
            }
            let rest = path.strip_prefix("/tile/8/").unwrap();
            let (rest, width) = match rest.split_once(".p/") {
                Some((rest, width)) => (rest, width.parse().unwrap()),
                None => (rest, TILE_WIDTH),
            };
            let (level, number) = rest.split_once('/').unwrap();
            let level: u32 = level.parse().unwrap();
            let number: u64 = number.replace(['x', '/'], "").parse().unwrap();
            let step = TILE_HEIGHT * level;
            let hash = |at: u64| {
                let (low, high) = (at << step, (at + 1) << step);
                let in_log = high <= self.log.0.len() as u64;
                in_log
                    .then(|| Log(self.log.0[low as usize..high as usize].to_vec()).root(1 << step))
            };
            let hashes: Option<Vec<Hash>> =
                (number * TILE_WIDTH..number * TILE_WIDTH + width).map(hash).collect();
            Ok(hashes.ok_or_else(not_found)?.concat())
        }
    }

    #[test]
    fn proofs_come_together_from_full_and_partial_tiles() {
        let served =
            Served { log: Log::new(1500), gone: RefCell::default(), asked: RefCell::default() };
        let cache = tempfile::tempdir().unwrap();
        let tiles = Tiles {
            transport: &served,
            cache: cache.path().into(),
            use_cache: true,
            read: RefCell::default(),
        };
        for size in [1, 2, 255, 256, 257, 700, 1024, 1337, 1500] {
            let head = served.log.head(size);
            for index in [0, size / 3, size / 2, size - 1] {
                let leaf = served.log.0[index as usize];
                merkle::prove_inclusion(head, index, leaf, &mut tiles.of(size)).unwrap();
            }
            for older in [1, 255, 256, 300, 1024].into_iter().filter(|older| *older <= size) {
                let older = served.log.head(older);
                merkle::prove_consistency(older, head, &mut tiles.of(size)).unwrap();
            }
        }
        // Kept, they prove again without a question.
        tiles.keep();
        let asked = *served.asked.borrow();
        let offline = Tiles {
            transport: &served,
            cache: cache.path().into(),
            use_cache: true,
            read: RefCell::default(),
        };
        let head = served.log.head(1500);
        merkle::prove_inclusion(head, 700, served.log.0[700], &mut offline.of(1500)).unwrap();
        assert_eq!(*served.asked.borrow(), asked);
    }

    #[test]
    fn a_partial_tile_that_is_gone_is_cut_from_the_full_one() {
        let served = Served {
            log: Log::new(600),
            gone: RefCell::new(vec![".p/".into()]),
            asked: RefCell::default(),
        };
        let tiles = Tiles {
            transport: &served,
            cache: PathBuf::from("/nonexistent"),
            use_cache: true,
            read: RefCell::default(),
        };
        // Of a tree of 300, the second tile is partial; now it is full.
        let head = served.log.head(300);
        let leaf = served.log.0[280];
        let proved = merkle::prove_inclusion(head, 280, leaf, &mut tiles.of(300));
        // Level 1 has one hash in a partial tile, and there is no full one yet.
        assert!(matches!(proved, Ok(()) | Err(ProofError::Hashes(Unanswered::NotFound(_)))));
        assert!(tiles.tile(0, 1, 44).is_ok());
    }
}
