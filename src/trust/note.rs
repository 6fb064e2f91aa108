//! Signed notes, the form of the checksum database's tree heads
//! (golang.org/x/mod/sumdb/note): a text, a blank line, and signature lines.

use super::sha256::Hasher;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::signature::{ED25519, UnparsedPublicKey};
use std::fmt;

/// No note of a checksum database comes near this.
const MAX_NOTE: usize = 64 << 10;
/// The only algorithm there is: Ed25519.
const ED25519_ID: u8 = 1;

/// A public key and the name it signs under: `name+hash+base64`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verifier {
    pub name: String,
    hash: u32,
    key: [u8; 32],
}

/// Why a note is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteError {
    Malformed,
    /// No signature of the key that is asked for.
    Unsigned,
    BadSignature,
}

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "it is not a signed note",
            Self::Unsigned => "it does not carry the signature of the expected key",
            Self::BadSignature => "its signature is wrong",
        })
    }
}

impl std::error::Error for NoteError {}

impl Verifier {
    /// Reads a verifier key. The hash in it has to be that of name and key.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '+');
        let (name, hash, key) = (parts.next()?, parts.next()?, parts.next()?);
        // It becomes a directory of the cache.
        let is_name = !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\')
            && name.split('/').all(|part| !matches!(part, "" | "." | ".."));
        let hash = (hash.len() == 8).then(|| u32::from_str_radix(hash, 16).ok())??;
        let key = BASE64.decode(key).ok()?;
        let (&ED25519_ID, key) = key.split_first()? else { return None };
        let key: [u8; 32] = key.try_into().ok()?;
        (is_name && hash == key_hash(name, &key)).then(|| Self { name: name.into(), hash, key })
    }

    /// The text of a note that this key has signed, with its final newline.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn open<'a>(&self, note: &'a str) -> Result<&'a str, NoteError> {
        let is_plain = |c: char| c == '\n' || !c.is_control();
        if note.len() > MAX_NOTE || !note.chars().all(is_plain) {
            return Err(NoteError::Malformed);
        }
        let split = note.rfind("\n\n").ok_or(NoteError::Malformed)?;
        let (text, signatures) = (&note[..=split], &note[split + 2..]);
        let mut is_signed = false;
        let lines = signatures.strip_suffix('\n').ok_or(NoteError::Malformed)?;
        for line in lines.split('\n') {
            let rest = line.strip_prefix("— ").ok_or(NoteError::Malformed)?;
            let (name, signature) = rest.split_once(' ').ok_or(NoteError::Malformed)?;
            let signature = BASE64.decode(signature).map_err(|_| NoteError::Malformed)?;
            let (hash, signature) = signature.split_first_chunk().ok_or(NoteError::Malformed)?;
            // Signatures of other keys say nothing.
            if name != self.name || u32::from_be_bytes(*hash) != self.hash {
                continue;
            }
            let key = UnparsedPublicKey::new(&ED25519, &self.key);
            key.verify(text.as_bytes(), signature).map_err(|_| NoteError::BadSignature)?;
            is_signed = true;
        }
        if is_signed { Ok(text) } else { Err(NoteError::Unsigned) }
    }
}

/// The first four bytes of SHA-256(name ‖ newline ‖ algorithm ‖ key).
fn key_hash(name: &str, key: &[u8; 32]) -> u32 {
    let mut hasher = Hasher::default();
    hasher.update(name.as_bytes());
    hasher.update(&[b'\n', ED25519_ID]);
    hasher.update(key);
    let [a, b, c, d, ..] = hasher.finish().0;
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub const KEY: &str = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8";
    /// Two heads that the checksum database has signed.
    pub const NOTES: [&str; 2] = [
        "go.sum database tree\n28905453\nf3f8U0MoQmXkWAgAEKDtXcaI3c2y6N9+55KNSRefF/w=\n\n\
         — sum.golang.org Az3grr4J9x4SApup87osjthKONInbYdbN37ZskrLF12HIbhDuxOBTzt8Z2jUKbCvxYWrw0yNgshddOzt7pZEl7aSCw8=\n",
        "go.sum database tree\n28891140\n++pUIeKTwGvykMUkmM3AT97PwQipMT6H/p7t86E0Sp0=\n\n\
         — sum.golang.org Az3grqNvOILDz7xwAKugtVFZwd+I9IyB/mHrUYzcVaS9zKsRVdRLNGLFpnAcLhyoBBkdIYEzK/+7Eu4wanYttLrPsQo=\n",
    ];

    #[test]
    fn real_heads_are_opened_and_altered_ones_are_not() {
        let verifier = Verifier::parse(KEY).unwrap();
        for note in NOTES {
            let text = verifier.open(note).unwrap();
            assert!(text.starts_with("go.sum database tree\n") && text.ends_with("=\n"));
            let altered = note.replace("tree\n28", "tree\n29");
            assert_eq!(verifier.open(&altered), Err(NoteError::BadSignature));
            for broken in [
                note.replace("\n\n", "\n"),
                note.trim_end().to_string(),
                note.replace('\n', "\r\n"),
                note.replace("— ", "- "),
                note.replace("=\n", "\n"),
                format!("{note}extra\n"),
                String::new(),
            ] {
                assert!(verifier.open(&broken).is_err(), "{broken:?}");
            }
            let other = note.replace("— sum.golang.org", "— sum.example.org");
            assert_eq!(verifier.open(&other), Err(NoteError::Unsigned));
        }
    }

    #[test]
    fn signatures_of_others_say_nothing_and_each_own_one_has_to_be_right() {
        let verifier = Verifier::parse(KEY).unwrap();
        let note = NOTES[0];
        let other = format!("— other.example {}\n", BASE64.encode([1; 68]));
        assert!(verifier.open(&format!("{note}{other}")).is_ok());
        let own = note.lines().last().unwrap();
        assert!(verifier.open(&format!("{note}{own}\n")).is_ok(), "the same one twice");
        // The signature of another text, behind the right one.
        let wrong = NOTES[1].lines().last().unwrap();
        assert_eq!(verifier.open(&format!("{note}{wrong}\n")), Err(NoteError::BadSignature));
        for broken in [
            note.replace("Cw8=\n", "Cw8\n"),
            note.replace("Cw8=\n", "\n"),
            note.replace(own, "— sum.golang.org "),
            note.replace(own, "— sum.golang.org AAAA"),
            format!("{note}\n"),
            format!("{note}— other.example not-base64\n"),
            note.replace("tree\n28", "tree\n\x0028"),
            format!("{}{note}", "x".repeat(MAX_NOTE)),
        ] {
            assert!(verifier.open(&broken).is_err(), "{broken:?}");
        }
    }

    #[test]
    fn a_verifier_key_has_to_fit_its_hash() {
        assert!(Verifier::parse(KEY).is_some());
        for key in [
            "",
            "sum.golang.org",
            "sum.golang.org+033de0ae",
            "sum.golang.org+033de0af+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
            "sum.example.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8",
            "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuA==",
        ] {
            assert_eq!(Verifier::parse(key), None, "{key}");
        }
    }
}
