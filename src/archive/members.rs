//! Single files out of a zip of which only parts have been fetched: its central
//! directory first, then the members that are wanted.

use super::zip::Tail;
use super::{ArchiveError, MAX_BYTES, MAX_FILES, damaged, hostile, safe_name};
use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use std::io::Read;
use std::ops::Range;

/// The record that ends a zip, without a comment (APPNOTE 4.3.16).
const END_RECORD: usize = 22;
/// What stands in front of a member's name (APPNOTE 4.3.7).
const LOCAL_HEADER: usize = 30;

/// A file of a zip, as the central directory lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub name: String,
    pub crc: u32,
    /// In bytes, unpacked.
    pub size: u64,
    /// Where it lies: from its local header to where the next one begins.
    pub span: Range<u64>,
    compressed: u64,
    is_deflated: bool,
}

/// What the end of a zip tells.
#[derive(Debug, PartialEq, Eq)]
pub enum Listing {
    Whole(Vec<Member>),
    /// It takes the bytes from here to the end.
    From(u64),
}

/// Reads the list of files from the last bytes of a zip that has `total`.
///
/// # Errors
/// It is damaged, or lists what no zip of Go's has.
pub fn list(total: u64, tail: Vec<u8>) -> Result<Listing, ArchiveError> {
    let end = tail.len().checked_sub(END_RECORD).map(|at| &tail[at..]);
    let Some(end) = end.filter(|end| end.starts_with(b"PK\x05\x06")) else {
        return Err(hostile("it does not end with its central directory"));
    };
    let u32_at =
        |at: usize| u64::from(u32::from_le_bytes([end[at], end[at + 1], end[at + 2], end[at + 3]]));
    let (size, directory) = (u32_at(12), u32_at(16));
    if directory + size + END_RECORD as u64 != total {
        return Err(hostile("its central directory stands elsewhere"));
    }
    let start = total - tail.len() as u64;
    if directory < start {
        return Ok(Listing::From(directory));
    }
    let central = zip::ZipArchive::new(Tail::new(start, tail)).map_err(damaged)?;
    if central.len() as u64 > MAX_FILES {
        return Err(hostile(format_args!("it has more than {MAX_FILES} files")));
    }
    let mut members = Vec::with_capacity(central.len());
    for at in 0..central.len() {
        let listed = central.by_index_data(at).map_err(damaged)?;
        if listed.name_raw().ends_with(b"/") {
            continue;
        }
        let is_deflated = match listed.compression() {
            zip::CompressionMethod::Deflated => true,
            zip::CompressionMethod::Stored => false,
            method => return Err(hostile(format_args!("a file in it is packed by {method}"))),
        };
        let from = listed.header_start();
        members.push(Member {
            name: safe_name(listed.name_raw())?.into(),
            crc: listed.crc32(),
            size: listed.size(),
            span: from..from,
            compressed: listed.compressed_size(),
            is_deflated,
        });
    }
    members.sort_by_key(|member| member.span.start);
    let mut next = directory;
    for member in members.iter_mut().rev() {
        member.span.end = next;
        next = member.span.start;
        // What is not there is not asked for.
        let least = member.compressed.saturating_add(LOCAL_HEADER as u64);
        if member.span.end - member.span.start.min(member.span.end) < least {
            return Err(hostile("files in it overlap"));
        }
    }
    if members.iter().map(|member| member.size).try_fold(0_u64, u64::checked_add) > Some(MAX_BYTES)
    {
        return Err(hostile(format_args!("it unpacks to more than {} GB", MAX_BYTES >> 30)));
    }
    Ok(Listing::Whole(members))
}

impl Member {
    /// The file, from the bytes of its span.
    ///
    /// # Errors
    /// They are not what the central directory says.
    pub fn unpack(&self, bytes: &[u8]) -> Result<Vec<u8>, ArchiveError> {
        let broken = || damaged(format_args!("`{}` is not what the directory lists", self.name));
        let header = bytes.get(..LOCAL_HEADER).ok_or_else(broken)?;
        let u16_at = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]]));
        let name = LOCAL_HEADER..LOCAL_HEADER + u16_at(26);
        let data = name.end + u16_at(28);
        let data = data..data + usize::try_from(self.compressed).map_err(damaged)?;
        let is_it = header.starts_with(b"PK\x03\x04")
            && u16_at(6) & 1 == 0
            && u16_at(8) == if self.is_deflated { 8 } else { 0 }
            && bytes.get(name) == Some(self.name.as_bytes());
        let packed = bytes.get(data).filter(|_| is_it).ok_or_else(broken)?;
        let mut content = Vec::new();
        if self.is_deflated {
            let inflating = DeflateDecoder::new(packed);
            inflating.take(self.size + 1).read_to_end(&mut content).map_err(damaged)?;
        } else {
            content.extend_from_slice(packed);
        }
        let mut sum = Crc::new();
        sum.update(&content);
        let is_whole = content.len() as u64 == self.size && sum.sum() == self.crc;
        if is_whole { Ok(content) } else { Err(broken()) }
    }
}

/// Ranges that cover these spans, in few requests: what lies close together is
/// asked for at once. `spans` are sorted and do not overlap.
#[must_use]
pub fn coalesce(spans: &[Range<u64>], gap: u64, longest: u64) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for span in spans {
        match ranges.last_mut() {
            Some(last) if span.start - last.end <= gap && span.end - last.start <= longest => {
                last.end = span.end;
            }
            _ => ranges.push(span.clone()),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn zip_of(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut archive = zip::ZipWriter::new_stream(Vec::new());
        for (name, content) in files {
            archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(content).unwrap();
        }
        archive.finish().unwrap().into_inner()
    }

    #[test]
    fn files_come_out_of_the_parts_that_hold_them() {
        let long = vec![7; 100_000];
        let zip = zip_of(&[("a/x", b"one"), ("a/y", &long), ("a/z", b"")]);
        let total = zip.len() as u64;
        let Listing::From(from) = list(total, zip[zip.len() - 30..].to_vec()).unwrap() else {
            panic!("30 bytes are no central directory");
        };
        let Listing::Whole(members) = list(total, zip[from as usize..].to_vec()).unwrap() else {
            panic!("the whole directory is there");
        };
        let names: Vec<_> = members.iter().map(|member| member.name.as_str()).collect();
        assert_eq!(names, ["a/x", "a/y", "a/z"]);
        let bytes = |member: &Member| &zip[member.span.start as usize..member.span.end as usize];
        assert_eq!(members[0].unpack(bytes(&members[0])).unwrap(), b"one");
        assert_eq!(members[1].unpack(bytes(&members[1])).unwrap(), long);
        assert_eq!(members[2].unpack(bytes(&members[2])).unwrap(), b"");
        // Another's bytes, cut ones, and altered ones are not it.
        assert!(members[0].unpack(bytes(&members[1])).is_err());
        let own = bytes(&members[1]);
        assert!(members[1].unpack(&own[..50]).is_err());
        for at in [0, 8, 31, 45] {
            let mut altered = own.to_vec();
            altered[at] ^= 0x11;
            assert!(members[1].unpack(&altered).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_directory_that_lies_is_refused() {
        let zip = zip_of(&[("a/x", b"one"), ("../y", b"two")]);
        assert!(list(zip.len() as u64, zip.clone()).is_err(), "a name that leads out");
        let zip = zip_of(&[("a/x", b"one")]);
        assert!(list(zip.len() as u64 + 1, zip.clone()).is_err(), "another size");
        assert!(list(zip.len() as u64, Vec::new()).is_err());
        let mut moved = zip.clone();
        let at = moved.len() - 6;
        moved[at] ^= 1;
        assert!(list(zip.len() as u64, moved).is_err(), "it stands elsewhere");
    }

    #[test]
    fn what_lies_close_together_is_asked_for_at_once() {
        let spans = [0..10, 12..20, 100..110, 110..150];
        assert_eq!(coalesce(&spans, 5, 1000), [0..20, 100..150]);
        assert_eq!(coalesce(&spans, 5, 45), [0..20, 100..110, 110..150]);
        assert_eq!(coalesce(&[], 5, 45), []);
    }
}
