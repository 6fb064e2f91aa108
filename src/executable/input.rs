//! A file that is read at the places that it names itself.

use super::{Result, damaged};
use std::io::{self, Read, Seek, SeekFrom};

/// As much as is read at once.
const WINDOW: usize = 4096;

/// Reads small pieces at any place, through a window that keeps its size.
pub(super) struct Input<R> {
    file: R,
    length: u64,
    window: Vec<u8>,
    /// Where in the file the window begins.
    start: u64,
}

impl<R: Read + Seek> Input<R> {
    pub(super) fn new(mut file: R) -> io::Result<Self> {
        let length = file.seek(SeekFrom::End(0))?;
        Ok(Self { file, length, window: Vec::with_capacity(WINDOW), start: 0 })
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// What is there; `None` where the file ends before.
    pub(super) fn get<const N: usize>(&mut self, at: u64) -> Result<Option<[u8; N]>> {
        const { assert!(N <= WINDOW) };
        if at.checked_add(N as u64).is_none_or(|end| end > self.length) {
            return Ok(None);
        }
        let is_inside = |start: u64, length: usize| {
            at >= start && at - start <= length.saturating_sub(N) as u64 && length >= N
        };
        if !is_inside(self.start, self.window.len()) {
            self.window.clear();
            self.start = at;
            self.file.seek(SeekFrom::Start(at))?;
            self.file.by_ref().take(WINDOW as u64).read_to_end(&mut self.window)?;
        }
        // Shorter than it was a moment ago: somebody has cut the file.
        let from = self.window.get((at - self.start) as usize..);
        Ok(from.and_then(|from| from.first_chunk()).copied())
    }

    /// What is there.
    pub(super) fn at<const N: usize>(&mut self, at: u64) -> Result<[u8; N]> {
        match self.get(at)? {
            Some(bytes) => Ok(bytes),
            None => damaged(format!("its headers point to byte {at}, and it ends before")),
        }
    }

    /// A text that a zero ends, of `limit` bytes at the most. What is not printable
    /// ASCII makes it damaged: names in headers are words and paths.
    pub(super) fn text(&mut self, at: u64, limit: usize) -> Result<String> {
        let mut text = String::new();
        for offset in 0..limit as u64 {
            match self.at::<1>(at.saturating_add(offset))? {
                [0] => return Ok(text),
                [byte @ b' '..=b'~'] => text.push(char::from(byte)),
                _ => return damaged(format!("the name at byte {at} is no text")),
            }
        }
        damaged(format!("the name at byte {at} has no end"))
    }
}
