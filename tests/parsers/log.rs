//! A checksum database in memory, whose every answer can be altered.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use gvm::platform::Platform;
use gvm::trust::merkle::{self, Hash};
use gvm::trust::sha256::Hasher;
use gvm::trust::sumdb::{Client, Database, Transport, Unanswered};
use gvm::version::Version;
use ring::signature::{Ed25519KeyPair, KeyPair};
use std::collections::BTreeMap;
use std::sync::LazyLock;

const NAME: &str = "sums.example";
const H1: &str = "h1:zhaB0xtf1n7RI8+VTlFAxhfXYrkUUHHjr4cpEh+aEsA=";
const RECORD: usize = 300;
const RECORDS: usize = 600;
const TILE: usize = 256;

/// The database, and what it answers to each path of the proof.
struct Log {
    database: Database,
    /// It holds the newest head and can keep nothing more, so that each input begins
    /// anew.
    cache: tempfile::TempDir,
    answers: BTreeMap<String, Vec<u8>>,
}

static LOG: LazyLock<Log> = LazyLock::new(|| {
    let mut records: Vec<String> = (0..RECORDS)
        .map(|n| format!("example.com/m v1.0.{n} h1:{n}=\nexample.com/m v1.0.{n}/go.mod h1:{n}=\n"))
        .collect();
    let module = "golang.org/toolchain v0.0.1-go1.22.1.linux-amd64";
    records[RECORD] = format!("{module} {H1}\n{module}/go.mod h1:x=\n");
    let leaves: Vec<Hash> = records.iter().map(|record| merkle::leaf(record.as_bytes())).collect();

    let key = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let mut public = vec![1];
    public.extend_from_slice(key.public_key().as_ref());
    let mut hasher = Hasher::default();
    hasher.update(format!("{NAME}\n").as_bytes());
    hasher.update(&public);
    let hash = &hasher.finish().0[..4];
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let verifier = format!("{NAME}+{hex}+{}", BASE64.encode(&public));

    let head = format!("go.sum database tree\n{RECORDS}\n{}\n", BASE64.encode(root(&leaves)));
    let signature = [hash, key.sign(head.as_bytes()).as_ref()].concat();
    let note = format!("{head}\n— {NAME} {}\n", BASE64.encode(signature));
    let lookup = format!("{RECORD}\n{}\n{note}", records[RECORD]);

    let path = "/lookup/golang.org/toolchain@v0.0.1-go1.22.1.linux-amd64".to_string();
    let mut answers = BTreeMap::from([(path, lookup.into_bytes())]);
    for (number, tile) in leaves.chunks(TILE).enumerate() {
        let width = if tile.len() < TILE { format!(".p/{}", tile.len()) } else { String::new() };
        answers.insert(format!("/tile/8/0/{number:03}{width}"), tile.concat());
    }
    let full: Vec<Hash> = leaves.chunks_exact(TILE).map(root).collect();
    answers.insert(format!("/tile/8/1/000.p/{}", full.len()), full.concat());
    let cache = tempfile::tempdir().unwrap();
    for (file, content) in [("latest", note.as_str()), ("lookup", ""), ("tile", "")] {
        std::fs::write(cache.path().join(file), content).unwrap();
    }
    Log { cache, database: Database::parse(&verifier).unwrap().unwrap(), answers }
});

/// RFC 6962, 2.1, by its definition.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [leaf] => *leaf,
        _ => {
            let middle = leaves.len().next_power_of_two() / 2;
            merkle::node(&root(&leaves[..middle]), &root(&leaves[middle..]))
        }
    }
}

/// The log, with one of its answers altered.
struct Altered<'a> {
    which: usize,
    data: &'a [u8],
}

impl Transport for Altered<'_> {
    fn get(&self, path: &str) -> Result<Vec<u8>, Unanswered> {
        let at = LOG.answers.keys().position(|known| known == path);
        let at = at.ok_or_else(|| Unanswered::NotFound("404".into()))?;
        let mut answer = LOG.answers[path].clone();
        if at == self.which {
            match self.data {
                // Another answer altogether, or some of its bytes changed.
                [0, rest @ ..] => answer = rest.to_vec(),
                [_, high, low, rest @ ..] => {
                    let from = usize::from(u16::from_be_bytes([*high, *low])) % answer.len();
                    answer[from..].iter_mut().zip(rest).for_each(|(byte, by)| *byte ^= by);
                }
                _ => answer.clear(),
            }
        }
        Ok(answer)
    }
}

/// Answers of the checksum database: whatever is done to one of them, the record is
/// the true one or none at all.
pub fn answers(data: &[u8]) {
    let Some((which, data)) = data.split_first() else { return };
    let altered = Altered { which: usize::from(*which) % (LOG.answers.len() + 1), data };
    let client =
        Client { database: &LOG.database, transport: &altered, cache: LOG.cache.path().into() };
    let platform = Platform::parse("linux-amd64").unwrap();
    match client.lookup(Version::parse("1.22.1").unwrap(), &platform) {
        Ok(record) => assert_eq!((record.h1.as_str(), record.number), (H1, RECORD as u64)),
        // Unaltered, it has to be believed.
        Err(why) => assert!(altered.which < LOG.answers.len(), "{why}"),
    }
}
