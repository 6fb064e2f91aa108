//! `.zip`, read from front to back while it arrives.
//!
//! The local headers of Go's module zips do not tell sizes: those follow the data
//! in a descriptor (APPNOTE 4.3.9), and a deflate stream knows its own end. When
//! the central directory has come too, it has to say the same of every file: a
//! reader that goes by it must not see another tree than we did.

use super::{ArchiveError, Checked, ChunkReader, damaged, hostile};
use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

const LOCAL_HEADER: u32 = 0x0403_4b50;
const CENTRAL_HEADER: u32 = 0x0201_4b50;
const DATA_DESCRIPTOR: u32 = 0x0807_4b50;

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

pub(super) fn unpack(mut reader: ChunkReader, sink: &mut Checked) -> Result<(), ArchiveError> {
    let mut seen = Vec::new();
    let central_start = loop {
        let start = reader.position();
        match read_u32(&mut reader)? {
            LOCAL_HEADER => seen.push(local(&mut reader, start, sink)?),
            CENTRAL_HEADER => break start,
            _ if start == 0 => return Err(damaged("it does not begin as a zip does")),
            _ => return Err(damaged(format_args!("there is no header at byte {start}"))),
        }
    };
    let mut tail = CENTRAL_HEADER.to_le_bytes().to_vec();
    reader.take(MAX_CENTRAL_DIRECTORY).read_to_end(&mut tail).map_err(damaged)?;
    if tail.len() as u64 > MAX_CENTRAL_DIRECTORY {
        return Err(hostile("its central directory is too large"));
    }
    compare(&seen, central_start, tail)
}

/// One file: its header, its data, and its descriptor.
fn local(reader: &mut ChunkReader, start: u64, sink: &mut Checked) -> Result<Seen, ArchiveError> {
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
    let (told, compressed) = (size, u64::from(compressed));
    let data_start = reader.position();
    let mut sum = Crc::new();
    if name.ends_with(b"/") {
        if size != 0 || has_descriptor && method != DEFLATED {
            return Err(hostile(format_args!("the directory `{shown}` has content")));
        }
        let mut data = reader.take(compressed);
        io::copy(&mut data, &mut io::sink()).map_err(damaged)?;
    } else {
        match method {
            DEFLATED => {
                let mut data = Summed { data: DeflateDecoder::new(&mut *reader), sum: &mut sum };
                sink.file(&name, false, &mut data)?;
                io::copy(&mut data, &mut io::sink()).map_err(damaged)?;
            }
            // Without a size in front there is no telling where it ends.
            STORED if !has_descriptor => {
                let mut data = Summed { data: (&mut *reader).take(compressed), sum: &mut sum };
                sink.file(&name, false, &mut data)?;
                io::copy(&mut data, &mut io::sink()).map_err(damaged)?;
            }
            _ => {
                return Err(hostile(format_args!("`{shown}` is packed by method {method}")));
            }
        }
    }
    let read = reader.position() - data_start;
    let size = u64::from(sum.amount());
    let told = if has_descriptor {
        descriptor(reader, size, read)?
    } else {
        (crc, compressed, u64::from(told))
    };
    if told != (sum.sum(), read, size) {
        return Err(damaged(format_args!("`{shown}` is not what its header says")));
    }
    Ok(Seen { name, header_start: start, crc: sum.sum(), compressed: read, size })
}

/// The descriptor behind the data: an optional signature, the CRC, and two sizes
/// of 4 or 8 bytes.
fn descriptor(
    reader: &mut ChunkReader,
    size: u64,
    compressed: u64,
) -> Result<(u32, u64, u64), ArchiveError> {
    let mut crc = read_u32(reader)?;
    if crc == DATA_DESCRIPTOR {
        crc = read_u32(reader)?;
    }
    // Files below 4 GB have the short form, and there are no others here.
    debug_assert!(size.max(compressed) < u64::from(u32::MAX) || size == 0);
    let compressed = read_u32(reader)?;
    let size = read_u32(reader)?;
    Ok((crc, u64::from(compressed), u64::from(size)))
}

/// Holds the central directory against what was seen.
fn compare(seen: &[Seen], central_start: u64, tail: Vec<u8>) -> Result<(), ArchiveError> {
    let tail = Tail { start: central_start, bytes: Cursor::new(tail) };
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
        if listed.is_symlink() {
            return Err(hostile("it has a symbolic link"));
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
struct Summed<'a, R> {
    data: R,
    sum: &'a mut Crc,
}

impl<R: Read> Read for Summed<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.data.read(buffer)?;
        self.sum.update(&buffer[..length]);
        Ok(length)
    }
}

/// The end of an archive, at its place, for a reader that wants to seek in the
/// whole. What stands before it is not there to be read.
struct Tail {
    start: u64,
    bytes: Cursor<Vec<u8>>,
}

impl Read for Tail {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer)
    }
}

impl Seek for Tail {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => {
                let at = at.checked_sub(self.start);
                SeekFrom::Start(at.ok_or_else(|| io::Error::other("before the directory"))?)
            }
            other => other,
        };
        Ok(self.start + self.bytes.seek(to)?)
    }
}
