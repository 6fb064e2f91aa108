//! Single files out of a zip of which only parts have been fetched: its central
//! directory first, then the members that are wanted.

use super::zip::{Summed, Tail};
use super::{ArchiveError, MAX_BYTES, MAX_FILES, Names, damaged, hostile, safe_name};
use flate2::Crc;
use flate2::bufread::DeflateDecoder;
use std::io::{self, BufRead, Read};
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
    let mut names = Names::default();
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
        let name = safe_name(listed.name_raw())?;
        names.add(name)?;
        members.push(Member {
            name: name.into(),
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

/// Unpacks members out of the bytes of these ranges of a zip, one range after the other
/// in `bytes`. Both are sorted, and each member lies in one of the ranges. `each` reads
/// a file to its end.
///
/// # Errors
/// They are not what the central directory says, or what `each` says.
pub fn unpack<'m>(
    ranges: &[Range<u64>],
    members: &[&'m Member],
    mut bytes: impl BufRead,
    mut each: impl FnMut(&'m Member, &mut dyn Read) -> Result<(), ArchiveError>,
) -> Result<(), ArchiveError> {
    let mut members = members.iter().peekable();
    let skip = |bytes: &mut dyn Read, length: u64| match io::copy(
        &mut bytes.take(length),
        &mut io::sink(),
    ) {
        Ok(skipped) if skipped == length => Ok(()),
        Ok(_) => Err(damaged("a part of it ends too early")),
        Err(error) => Err(damaged(error)),
    };
    for range in ranges {
        let mut at = range.start;
        while let Some(member) = members.next_if(|member| member.span.end <= range.end) {
            skip(&mut bytes, member.span.start - at)?;
            at = member.span.end;
            let mut own = (&mut bytes).take(member.span.end - member.span.start);
            member.unpack(&mut own, |content| each(member, content))?;
            let rest = own.limit();
            skip(&mut bytes, rest)?;
        }
        skip(&mut bytes, range.end - at)?;
    }
    Ok(())
}

impl Member {
    /// Reads the file out of the bytes of its span.
    fn unpack(
        &self,
        bytes: &mut impl BufRead,
        each: impl FnOnce(&mut dyn Read) -> Result<(), ArchiveError>,
    ) -> Result<(), ArchiveError> {
        let broken = || damaged(format_args!("`{}` is not what the directory lists", self.name));
        let mut header = [0; LOCAL_HEADER];
        bytes.read_exact(&mut header).map_err(|_| broken())?;
        let u16_at = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let mut rest = vec![0; usize::from(u16_at(26)) + usize::from(u16_at(28))];
        bytes.read_exact(&mut rest).map_err(|_| broken())?;
        let is_it = header.starts_with(b"PK\x03\x04")
            && u16_at(6) & 1 == 0
            && u16_at(8) == if self.is_deflated { 8 } else { 0 }
            && rest[..u16_at(26).into()] == *self.name.as_bytes();
        if !is_it {
            return Err(broken());
        }
        let mut sum = Crc::new();
        let mut packed = bytes.take(self.compressed);
        // One byte more than there should be is seen, and no more.
        let most = self.size + 1;
        if self.is_deflated {
            let data = DeflateDecoder::new(&mut packed).take(most);
            each(&mut Summed { data, sum: &mut sum })?;
        } else {
            each(&mut Summed { data: (&mut packed).take(most), sum: &mut sum })?;
        }
        let is_whole = u64::from(sum.amount()) == self.size && sum.sum() == self.crc;
        if is_whole { Ok(()) } else { Err(broken()) }
    }
}

/// Ranges that cover these spans, in few requests: what lies close together is
/// asked for at once. `spans` are sorted and do not overlap.
#[must_use]
pub fn coalesce(spans: &[Range<u64>], gap: u64) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for span in spans {
        match ranges.last_mut() {
            Some(last) if span.start - last.end <= gap => last.end = span.end,
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
        let unpacked = |ranges: &[Range<u64>], members: &[&Member], bytes: &[u8]| {
            let mut files = Vec::new();
            unpack(ranges, members, bytes, |_, content| {
                let mut file = Vec::new();
                content.read_to_end(&mut file).map_err(damaged)?;
                files.push(file);
                Ok(())
            })?;
            Ok::<_, ArchiveError>(files)
        };
        let one = |member: &Member, bytes: &[u8]| {
            let range = std::slice::from_ref(&member.span);
            Ok::<_, ArchiveError>(unpacked(range, &[member], bytes)?.remove(0))
        };
        assert_eq!(one(&members[0], bytes(&members[0])).unwrap(), b"one");
        assert_eq!(one(&members[1], bytes(&members[1])).unwrap(), long);
        assert_eq!(one(&members[2], bytes(&members[2])).unwrap(), b"");
        // What lies between them is passed over.
        let ends = [&members[0], &members[2]];
        let range = members[0].span.start..members[2].span.end + 9;
        let files =
            unpacked(std::slice::from_ref(&range), &ends, &zip[..range.end as usize]).unwrap();
        assert_eq!(files, [b"one".to_vec(), Vec::new()]);
        // Another's bytes, cut ones, and altered ones are not it.
        assert!(one(&members[0], bytes(&members[1])).is_err());
        let own = bytes(&members[1]);
        assert!(one(&members[1], &own[..50]).is_err());
        assert!(one(&members[1], &own[..own.len() - 1]).is_err());
        for at in [0, 8, 31, 45] {
            let mut altered = own.to_vec();
            altered[at] ^= 0x11;
            assert!(one(&members[1], &altered).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_directory_that_lies_is_refused() {
        let zip = zip_of(&[("a/x", b"one"), ("../y", b"two")]);
        assert!(list(zip.len() as u64, zip.clone()).is_err(), "a name that leads out");
        let zip = zip_of(&[("a/x", b"one"), ("A/y", b"two")]);
        assert!(list(zip.len() as u64, zip.clone()).is_err(), "names that differ in case alone");
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
        assert_eq!(coalesce(&spans, 5), [0..20, 100..150]);
        assert_eq!(coalesce(&spans, 1), [0..10, 12..20, 100..150]);
        assert_eq!(coalesce(&[], 5), []);
    }
}
