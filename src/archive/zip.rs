//! `.zip`, read from front to back while it arrives.
//!
//! The local headers of Go's module zips do not tell sizes: those follow the data
//! in a descriptor (APPNOTE 4.3.9), and a deflate stream knows its own end. When
//! the central directory has come too, it has to say the same of every file: a
//! reader that goes by it must not see another tree than we did.

use super::{ArchiveError, Checked, ChunkReader, damaged, hostile};
use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use std::io::{self, Read, Seek, SeekFrom};

const LOCAL_HEADER: u32 = 0x0403_4b50;
const CENTRAL_HEADER: u32 = 0x0201_4b50;
const DATA_DESCRIPTOR: u32 = 0x0807_4b50;

/// The record that ends a zip, without a comment.
const END_RECORD: usize = 22;

const FLAG_ENCRYPTED: u16 = 1;
const FLAG_DESCRIPTOR: u16 = 1 << 3;

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

/// 100,000 files with names of the longest kind.
const MAX_CENTRAL_DIRECTORY: u64 = 128 << 20;

/// What a local header and its data came to.
struct Seen {
    name: Vec<u8>,
    header_start: u64,
    crc: u32,
    compressed: u64,
    size: u64,
}

/// The archive, under a decoder that is used for one file after the other.
type Inflating = DeflateDecoder<ChunkReader>;

pub(super) fn unpack(reader: ChunkReader, sink: &mut Checked) -> Result<(), ArchiveError> {
    let mut inflating = Inflating::new(reader);
    let mut seen = Vec::new();
    let central_start = loop {
        let start = inflating.get_ref().position();
        match read_u32(inflating.get_mut())? {
            LOCAL_HEADER => seen.push(local(&mut inflating, start, sink)?),
            CENTRAL_HEADER => break start,
            _ if start == 0 => return Err(damaged("it does not begin as a zip does")),
            _ => return Err(damaged(format_args!("there is no header at byte {start}"))),
        }
    };
    let mut tail = CENTRAL_HEADER.to_le_bytes().to_vec();
    inflating.into_inner().take(MAX_CENTRAL_DIRECTORY).read_to_end(&mut tail).map_err(damaged)?;
    if tail.len() as u64 > MAX_CENTRAL_DIRECTORY {
        return Err(hostile("its central directory is too large"));
    }
    // The record of the end is the end: no comment, and nothing behind it in
    // which another record could stand (APPNOTE 4.3.16).
    let end = tail.len().checked_sub(END_RECORD).map(|at| &tail[at..]);
    let is_end = end.is_some_and(|end| {
        let directory = u32::from_le_bytes([end[12], end[13], end[14], end[15]]) as usize;
        end.starts_with(b"PK\x05\x06") && directory + END_RECORD == tail.len()
    });
    if !is_end {
        return Err(hostile("it does not end with its central directory"));
    }
    compare(&seen, central_start, tail)
}

/// One file: its header, its data, and its descriptor.
fn local(inflating: &mut Inflating, start: u64, sink: &mut Checked) -> Result<Seen, ArchiveError> {
    let reader = inflating.get_mut();
    let mut header = [0; 26];
    reader.read_exact(&mut header).map_err(damaged)?;
    let u16_at = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
    let u32_at = |at: usize| u32::from(u16_at(at)) | u32::from(u16_at(at + 2)) << 16;
    let (flags, method) = (u16_at(2), u16_at(4));
    let (crc, compressed, size) = (u32_at(10), u32_at(14), u32_at(18));
    let name = read_vec(reader, u16_at(22))?;
    let _extra = read_vec(reader, u16_at(24))?;

    let shown = gvm_hot::path::display(&name).to_string();
    if flags & FLAG_ENCRYPTED != 0 {
        return Err(hostile(format_args!("`{shown}` is encrypted")));
    }
    let has_descriptor = flags & FLAG_DESCRIPTOR != 0;
    if compressed == u32::MAX || size == u32::MAX {
        return Err(hostile(format_args!("`{shown}` says that it has 4 GB or more")));
    }
    let header = (crc, u64::from(compressed), u64::from(size));
    let data_start = reader.position();
    let mut sum = Crc::new();
    if name.ends_with(b"/") {
        if size != 0 || has_descriptor && method != DEFLATED {
            return Err(hostile(format_args!("the directory `{shown}` has content")));
        }
        sink.count()?;
        let mut data = reader.take(header.1);
        io::copy(&mut data, &mut io::sink()).map_err(damaged)?;
    } else {
        match method {
            DEFLATED => {
                inflating.reset_data();
                let mut data = Summed { data: &mut *inflating, sum: &mut sum };
                sink.file(&name, false, &mut data)?;
                io::copy(&mut data, &mut io::sink()).map_err(damaged)?;
            }
            // Without a size in front there is no telling where it ends.
            STORED if !has_descriptor => {
                let mut data = Summed { data: (&mut *reader).take(header.1), sum: &mut sum };
                sink.file(&name, false, &mut data)?;
                io::copy(&mut data, &mut io::sink()).map_err(damaged)?;
            }
            _ => {
                return Err(hostile(format_args!("`{shown}` is packed by method {method}")));
            }
        }
    }
    let reader = inflating.get_mut();
    let read = reader.position() - data_start;
    let size = u64::from(sum.amount());
    let told = if has_descriptor { descriptor(reader)? } else { header };
    if told != (sum.sum(), read, size) {
        return Err(damaged(format_args!("`{shown}` is not what its header says")));
    }
    Ok(Seen { name, header_start: start, crc: sum.sum(), compressed: read, size })
}

/// The descriptor behind the data: an optional signature, the CRC and two sizes,
/// of 4 bytes each, since no file here has 4 GB.
fn descriptor(reader: &mut ChunkReader) -> Result<(u32, u64, u64), ArchiveError> {
    let mut crc = read_u32(reader)?;
    if crc == DATA_DESCRIPTOR {
        crc = read_u32(reader)?;
    }
    let compressed = read_u32(reader)?;
    let size = read_u32(reader)?;
    Ok((crc, u64::from(compressed), u64::from(size)))
}

/// Holds the central directory against what was seen.
fn compare(seen: &[Seen], central_start: u64, tail: Vec<u8>) -> Result<(), ArchiveError> {
    let tail = Tail::new(central_start, tail);
    let central = zip::ZipArchive::new(tail).map_err(damaged)?;
    let differs = |what: &str| {
        hostile(format_args!("its central directory {what}, against the files in front of it"))
    };
    if central.offset() != 0 || central.central_directory_start() != central_start {
        return Err(differs("stands elsewhere"));
    }
    if central.len() != seen.len() {
        return Err(differs("lists another number of files"));
    }
    for (at, seen) in seen.iter().enumerate() {
        let listed = central.by_index_data(at).map_err(damaged)?;
        let same = listed.name_raw() == seen.name
            && listed.header_start() == seen.header_start
            && listed.crc32() == seen.crc
            && listed.compressed_size() == seen.compressed
            && listed.size() == seen.size;
        if !same {
            return Err(differs("tells another content"));
        }
        // Links, devices and pipes are told by a mode alone (stat(2)).
        let kind = listed.unix_mode().unwrap_or_default() & 0o170_000;
        let is_directory = seen.name.ends_with(b"/");
        if !matches!((kind, is_directory), (0 | 0o100_000, false) | (0 | 0o040_000, true)) {
            let shown = gvm_hot::path::display(&seen.name).to_string();
            return Err(hostile(format_args!("`{shown}` is neither a file nor a directory")));
        }
    }
    Ok(())
}

fn read_u32(reader: &mut ChunkReader) -> Result<u32, ArchiveError> {
    let mut bytes = [0; 4];
    reader.read_exact(&mut bytes).map_err(damaged)?;
    Ok(u32::from_le_bytes(bytes))
}

fn read_vec(reader: &mut ChunkReader, length: u16) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = vec![0; length.into()];
    reader.read_exact(&mut bytes).map_err(damaged)?;
    Ok(bytes)
}

/// Sums what is read through it.
pub(super) struct Summed<'a, R> {
    pub(super) data: R,
    pub(super) sum: &'a mut Crc,
}

impl<R: Read> Read for Summed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.data.read(buffer)?;
        self.sum.update(&buffer[..length]);
        Ok(length)
    }
}

/// The end of an archive, at its place, for a reader that looks for it from the
/// back. The files in front of it read as zeros.
pub(super) struct Tail {
    start: u64,
    bytes: Vec<u8>,
    at: u64,
}

impl Tail {
    pub(super) fn new(start: u64, bytes: Vec<u8>) -> Self {
        Self { start, bytes, at: 0 }
    }
}

impl Read for Tail {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = if self.at < self.start {
            let gap = usize::try_from(self.start - self.at).unwrap_or(usize::MAX);
            let length = gap.min(buffer.len());
            buffer[..length].fill(0);
            length
        } else {
            let behind = usize::try_from(self.at - self.start).unwrap_or(usize::MAX);
            let rest = self.bytes.get(behind..).unwrap_or_default();
            let length = rest.len().min(buffer.len());
            buffer[..length].copy_from_slice(&rest[..length]);
            length
        };
        self.at += length as u64;
        Ok(length)
    }
}

impl Seek for Tail {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let end = self.start + self.bytes.len() as u64;
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => end.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
