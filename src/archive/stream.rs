//! Bytes that another thread receives, as a reader.

use bytes::Bytes;
use std::io::{self, BufRead, Read};
use std::sync::mpsc::Receiver;

/// Reads chunks in the order in which they were sent; the end is where the
/// sender hung up. Whether that was too early, the formats tell.
pub struct ChunkReader {
    chunks: Receiver<Bytes>,
    current: Bytes,
    position: u64,
}

impl ChunkReader {
    #[must_use]
    pub fn new(chunks: Receiver<Bytes>) -> Self {
        Self { chunks, current: Bytes::new(), position: 0 }
    }

    /// How many bytes have been read.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }
}

impl BufRead for ChunkReader {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty() {
            match self.chunks.recv() {
                Ok(chunk) => self.current = chunk,
                Err(_) => break,
            }
        }
        Ok(&self.current)
    }

    fn consume(&mut self, length: usize) {
        let _ = self.current.split_to(length);
        self.position += length as u64;
    }
}

impl Read for ChunkReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(buffer.len());
        buffer[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}
