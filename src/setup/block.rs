//! The block that `gvm setup` adds to a file, as bytes: how it is put in, found
//! again and taken out. Whatever else is in the file is nobody's business here: it
//! need not be text.
//!
//! ```text
//! # >>> gvm setup: made this file and 2 directories above it >>>
//! …
//! # <<< gvm setup 4f0c7a1e9b3d5268 <<<
//! ```
//!
//! The first line tells what has to be undone besides; the last one holds a digest
//! of all above it, which tells whether somebody has edited the block. So nothing
//! about it is kept elsewhere, and a file that moves to another machine can be
//! cleaned there. `#` begins a comment in each shell and in environment.d.

use sha2::{Digest, Sha256};
use std::ops::Range;

pub(crate) const OPEN: &str = "# >>> gvm setup";
const OPEN_END: &str = " >>>";
const CLOSE: &str = "# <<< gvm setup ";
const CLOSE_END: &str = " <<<";
const WITHOUT_END: &str = ": after a line without an end";
const MADE: &str = ": made this file";

/// What setup did besides adding lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// Nothing.
    Added,
    /// It ended the last line of the file, which had no newline.
    EndedLine,
    /// It made the file, and so many directories above it.
    Made { directories: usize },
}

impl Note {
    fn opening(self) -> String {
        let told = match self {
            Self::Added => String::new(),
            Self::EndedLine => WITHOUT_END.into(),
            Self::Made { directories: 0 } => MADE.into(),
            Self::Made { directories: 1 } => format!("{MADE} and 1 directory above it"),
            Self::Made { directories } => format!("{MADE} and {directories} directories above it"),
        };
        format!("{OPEN}{told}{OPEN_END}\n")
    }

    /// What [`Note::opening`] wrote.
    fn parse(line: &[u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let told = line.strip_prefix(OPEN)?.strip_suffix(OPEN_END)?;
        let note = match told.strip_prefix(MADE) {
            _ if told.is_empty() => Self::Added,
            _ if told == WITHOUT_END => Self::EndedLine,
            None => return None,
            Some(rest) => {
                let count = rest.strip_prefix(" and ").and_then(|rest| rest.split(' ').next());
                Self::Made { directories: count.map_or(Some(0), |count| count.parse().ok())? }
            }
        };
        (note.opening().trim_end() == line).then_some(note)
    }
}

/// A block in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its bytes.
    pub range: Range<usize>,
    /// Its first and last lines, counted from 1.
    pub lines: (usize, usize),
    /// What setup did besides; `None` when the block is not as setup wrote it.
    pub note: Option<Note>,
}

/// The block with these lines, which end with a newline.
#[must_use]
pub fn block(note: Note, body: &[u8]) -> Vec<u8> {
    let mut block = note.opening().into_bytes();
    block.extend_from_slice(body);
    let closing = format!("{CLOSE}{}{CLOSE_END}\n", digest(&block));
    block.extend_from_slice(closing.as_bytes());
    block
}

/// Enough of it to tell an edit; nobody is to be convinced of anything.
fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All blocks of a file, in order.
#[must_use]
pub fn find(content: &[u8]) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<(usize, usize)> = None;
    let mut at = 0;
    let unclosed = |(start, line): (usize, usize), end: usize, last: usize| Block {
        range: start..end,
        lines: (line, last),
        note: None,
    };
    for (number, line) in content.split_inclusive(|&byte| byte == b'\n').enumerate() {
        let (start, number) = (at, number + 1);
        at += line.len();
        if line.starts_with(OPEN.as_bytes()) {
            if let Some(open) = open.replace((start, number)) {
                found.push(unclosed(open, start, number - 1));
            }
        } else if line.starts_with(CLOSE.as_bytes())
            && let Some((from, first)) = open.take()
        {
            let written = &content[from..start];
            let opening = written.split(|&byte| byte == b'\n').next().unwrap_or_default();
            // An editor may have taken the newline away that ended the file.
            let closing = line.strip_suffix(b"\n").unwrap_or(line);
            let is_intact = closing == format!("{CLOSE}{}{CLOSE_END}", digest(written)).as_bytes();
            let note = Note::parse(opening).filter(|_| is_intact);
            found.push(Block { range: from..at, lines: (first, number), note });
        }
    }
    if let Some(open) = open {
        let last = content.split_inclusive(|&byte| byte == b'\n').count();
        found.push(unclosed(open, content.len(), last));
    }
    found
}

/// What becomes of a file when lines are put into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// The new content.
    Changed(Vec<u8>),
    /// They are there already.
    Same,
    /// There is a block that somebody has edited, at these lines.
    Edited((usize, usize)),
}

/// Puts the block with these lines at the end of a file, or where it stands already.
/// `content` is `None` where there is no file, and then so many `directories` are to
/// be made for it.
#[must_use]
pub fn put(content: Option<&[u8]>, directories: usize, body: &[u8]) -> Put {
    let Some(content) = content else {
        return Put::Changed(block(Note::Made { directories }, body));
    };
    let note = match content.last() {
        None | Some(b'\n') => Note::Added,
        Some(_) => Note::EndedLine,
    };
    match find(content).first() {
        None => {
            let mut new = content.to_vec();
            if note == Note::EndedLine {
                new.push(b'\n');
            }
            new.extend_from_slice(&block(note, body));
            Put::Changed(new)
        }
        Some(Block { note: None, lines, .. }) => Put::Edited(*lines),
        Some(Block { note: Some(note), range, .. }) => {
            let wanted = block(*note, body);
            if content[range.clone()] == wanted {
                return Put::Same;
            }
            let (before, after) = (&content[..range.start], &content[range.end..]);
            Put::Changed([before, &wanted, after].concat())
        }
    }
}

/// A file without its blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Without {
    pub content: Vec<u8>,
    /// The lines that were taken out.
    pub removed: Vec<(usize, usize)>,
    /// Blocks that somebody has edited, and that stay.
    pub edited: Vec<(usize, usize)>,
    /// Set when setup made the file and nothing else is in it: so many directories
    /// above it were made for it.
    pub made: Option<usize>,
}

/// Takes the blocks out that are as setup wrote them.
#[must_use]
pub fn without(content: &[u8]) -> Without {
    let mut rest = Without {
        content: Vec::with_capacity(content.len()),
        removed: Vec::new(),
        edited: Vec::new(),
        made: None,
    };
    let mut kept_to = 0;
    for block in find(content) {
        let Some(note) = block.note else {
            rest.edited.push(block.lines);
            continue;
        };
        let mut kept = &content[kept_to..block.range.start];
        // Where lines were added behind the block, theirs begins on a line of its own.
        if note == Note::EndedLine && block.range.end == content.len() {
            kept = kept.strip_suffix(b"\n").unwrap_or(kept);
        }
        if let Note::Made { directories } = note {
            rest.made = Some(directories);
        }
        rest.content.extend_from_slice(kept);
        rest.removed.push(block.lines);
        kept_to = block.range.end;
    }
    rest.content.extend_from_slice(&content[kept_to..]);
    rest.made = rest.made.filter(|_| rest.content.is_empty());
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn changed(put: Put) -> Vec<u8> {
        match put {
            Put::Changed(content) => content,
            other => panic!("{other:?}"),
        }
    }

    proptest! {
        /// Bytes of any kind, with ends of lines and pieces of markers among them.
        #[test]
        fn what_is_put_in_comes_out_to_the_byte(
            pieces in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..20),
                    Just(b"\n".to_vec()), Just(b"\r\n".to_vec()), Just(b"\\".to_vec()),
                    Just(b"# <<< gvm setup 00 <<<\n".to_vec()), Just(b"# >>> gvm".to_vec()),
                ], 0..12),
            body in "[a-z \n]{0,40}\n", newer in "[a-z \n]{0,40}\n",
        ) {
            let content = pieces.concat();
            prop_assume!(find(&content).is_empty());
            let with = changed(put(Some(&content), 0, body.as_bytes()));
            prop_assert!(with.starts_with(&content));
            prop_assert_eq!(put(Some(&with), 0, body.as_bytes()), Put::Same);
            let renewed = match put(Some(&with), 0, newer.as_bytes()) {
                Put::Same => with,
                other => changed(other),
            };
            let rest = without(&renewed);
            prop_assert_eq!(rest.content, content);
            prop_assert_eq!((rest.removed.len(), rest.edited.len(), rest.made), (1, 0, None));
        }
    }

    #[test]
    fn a_file_that_setup_made_is_told_with_its_directories() {
        for directories in 0..3 {
            let made = changed(put(None, directories, b"x\n"));
            assert_eq!(without(&made).made, Some(directories));
            let kept = without(&[&made[..], b"mine\n"].concat());
            assert_eq!((kept.content.as_slice(), kept.made), (&b"mine\n"[..], None));
        }
    }

    #[test]
    fn lines_behind_the_block_are_not_joined_to_those_before_it() {
        let with = changed(put(Some(b"before"), 0, b"x\n"));
        let rest = without(&[&with[..], b"after\n"].concat());
        assert_eq!(rest.content, b"before\nafter\n");
    }

    #[test]
    fn an_edited_block_is_told_and_left() {
        let with = String::from_utf8(changed(put(Some(b"a\n"), 0, b"x\ny\n"))).unwrap();
        let edits = [
            with.replace("x\n", "x # mine\n"),
            with.replace("setup >>>", "setup: made this file >>>"),
            with.replace('\n', "\r\n"),
            with.rsplit_once("# <<<").unwrap().0.to_string(),
        ];
        for edited in edits {
            let rest = without(edited.as_bytes());
            assert_eq!(rest.content, edited.as_bytes(), "{edited}");
            assert!(rest.removed.is_empty() && rest.edited[0].0 == 2, "{rest:?}");
            assert!(matches!(put(Some(edited.as_bytes()), 0, b"z\n"), Put::Edited(_)));
        }
    }

    #[test]
    fn an_editor_that_takes_the_last_newline_is_forgiven() {
        let with = changed(put(Some(b"a\n"), 0, b"x\n"));
        assert_eq!(without(with.strip_suffix(b"\n").unwrap()).content, b"a\n");
    }
}
