//! Archives with whatever in them, byte by byte where the usual writers refuse.

use super::archives::File;
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use std::io::Write;
use tar::EntryType;

/// An entry of a tar.
#[derive(Clone)]
pub struct TarMember {
    pub name: Vec<u8>,
    pub kind: EntryType,
    pub link: &'static str,
    pub content: Vec<u8>,
    pub executable: bool,
}

impl TarMember {
    pub fn file(name: impl Into<Vec<u8>>, content: &[u8]) -> Self {
        Self::of_kind(name, EntryType::Regular, "", content)
    }

    pub fn of_kind(
        name: impl Into<Vec<u8>>,
        kind: EntryType,
        link: &'static str,
        content: &[u8],
    ) -> Self {
        Self { name: name.into(), kind, link, content: content.into(), executable: false }
    }
}

/// A tree under `go/`.
pub fn tar_members(files: &[File]) -> Vec<TarMember> {
    let member = |(path, content, executable): &File| {
        let file = TarMember::file(format!("go/{path}"), content);
        TarMember { executable: *executable, ..file }
    };
    files.iter().map(member).collect()
}

/// The tar, with names of up to 100 bytes that nobody looks at.
pub fn tar(members: &[TarMember]) -> Vec<u8> {
    let mut archive = ::tar::Builder::new(Vec::new());
    for member in members {
        let mut header = ::tar::Header::new_gnu();
        let old = header.as_old_mut();
        old.name[..member.name.len()].copy_from_slice(&member.name);
        old.linkname[..member.link.len()].copy_from_slice(member.link.as_bytes());
        header.set_entry_type(member.kind);
        header.set_mode(if member.executable { 0o755 } else { 0o644 });
        header.set_size(member.content.len() as u64);
        if matches!(member.kind, EntryType::Char | EntryType::Block) {
            // /dev/zero and /dev/loop0 of Linux.
            header.set_device_major(if member.kind == EntryType::Char { 1 } else { 7 }).unwrap();
            header.set_device_minor(if member.kind == EntryType::Char { 5 } else { 0 }).unwrap();
        }
        header.set_cksum();
        archive.append(&header, member.content.as_slice()).unwrap();
    }
    archive.into_inner().unwrap()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A gzip stream of a tar whose one file `name` holds `size` zeros; made in no
/// time, without the checksum at its end, which is behind all that is read.
pub fn bomb_tar_gz(name: &str, size: u64) -> Vec<u8> {
    const BLOCK: usize = 16 << 20;
    let mut header = ::tar::Header::new_gnu();
    header.set_path(name).unwrap();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(header.as_bytes()).unwrap();
    encoder.flush().unwrap();
    let mut bomb = encoder.get_ref().clone();
    // What is flushed ends at a byte, and zeros() refers to nothing before it.
    bomb.extend(zeros(BLOCK).repeat(usize::try_from(size).unwrap().div_ceil(BLOCK)));
    bomb
}

/// Deflate blocks that come to so many zeros and can be repeated.
pub fn zeros(size: usize) -> Vec<u8> {
    let mut deflate = flate2::Compress::new(Compression::best(), false);
    let mut packed = Vec::with_capacity(size / 100 + 1024);
    let status =
        deflate.compress_vec(&vec![0; size], &mut packed, flate2::FlushCompress::Full).unwrap();
    assert_eq!((status, deflate.total_in()), (flate2::Status::Ok, size as u64));
    packed
}

/// An entry of a zip: what stands in front of its data, and what the central
/// directory says of it.
#[derive(Clone)]
pub struct ZipMember {
    pub name: Vec<u8>,
    pub flags: u16,
    pub method: u16,
    pub data: Vec<u8>,
    pub crc: u32,
    pub size: u32,
    /// The Unix mode in the central directory; 0 is none.
    pub mode: u32,
    /// Whether it stands in the front of the archive at all.
    pub is_there: bool,
    pub listed: Option<Listed>,
}

/// An entry of the central directory.
#[derive(Clone)]
pub struct Listed {
    pub name: Vec<u8>,
    pub crc: u32,
    pub compressed: u32,
    pub size: u32,
}

pub const STORED: u16 = 0;
pub const DEFLATED: u16 = 8;

impl ZipMember {
    pub fn stored(name: impl Into<Vec<u8>>, content: &[u8]) -> Self {
        Self::packed(name, STORED, content.into(), content)
    }

    pub fn deflated(name: impl Into<Vec<u8>>, content: &[u8]) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        Self::packed(name, DEFLATED, encoder.finish().unwrap(), content)
    }

    fn packed(name: impl Into<Vec<u8>>, method: u16, data: Vec<u8>, content: &[u8]) -> Self {
        let name = name.into();
        let mut sum = flate2::Crc::new();
        sum.update(content);
        let (crc, size) = (sum.sum(), content.len() as u32);
        let listed = Listed { name: name.clone(), crc, compressed: data.len() as u32, size };
        Self {
            name,
            flags: 0,
            method,
            data,
            crc,
            size,
            mode: 0,
            is_there: true,
            listed: Some(listed),
        }
    }
}

/// A tree under `prefix`, stored and deflated by turns, with `go.mod` as it is.
pub fn zip_members(prefix: &str, files: &[File]) -> Vec<ZipMember> {
    let member = |(at, (path, content, _)): (usize, &File)| {
        let name = format!("{prefix}{path}");
        let stored = at % 2 == 0;
        if stored { ZipMember::stored(name, content) } else { ZipMember::deflated(name, content) }
    };
    files.iter().enumerate().map(member).collect()
}

/// The zip, as its members say.
pub fn zip(members: &[ZipMember]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut central = Vec::new();
    let mut count = 0_u16;
    for member in members {
        let start = bytes.len() as u32;
        if member.is_there {
            bytes.extend(b"PK\x03\x04");
            put16(&mut bytes, &[20, member.flags, member.method, 0, 0x21]);
            put32(&mut bytes, &[member.crc, member.data.len() as u32, member.size]);
            put16(&mut bytes, &[member.name.len() as u16, 0]);
            bytes.extend(&member.name);
            bytes.extend(&member.data);
        }
        if let Some(listed) = &member.listed {
            count += 1;
            central.extend(b"PK\x01\x02");
            // Made by Unix, so that the mode counts.
            put16(&mut central, &[3 << 8 | 20, 20, member.flags, member.method, 0, 0x21]);
            put32(&mut central, &[listed.crc, listed.compressed, listed.size]);
            put16(&mut central, &[listed.name.len() as u16, 0, 0, 0, 0]);
            put32(&mut central, &[member.mode << 16, start]);
            central.extend(&listed.name);
        }
    }
    let start = bytes.len() as u32;
    bytes.extend(&central);
    bytes.extend(b"PK\x05\x06");
    put16(&mut bytes, &[0, 0, count, count]);
    put32(&mut bytes, &[central.len() as u32, start]);
    put16(&mut bytes, &[0]);
    bytes
}

fn put16(bytes: &mut Vec<u8>, values: &[u16]) {
    values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
}

fn put32(bytes: &mut Vec<u8>, values: &[u32]) {
    values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
}
