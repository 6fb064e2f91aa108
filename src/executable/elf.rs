//! ELF: elf(5), the System V ABI, and for symbol versions the Linux Standard Base
//! (Core, "Symbol Versioning").

use super::input::Input;
use super::{Release, Result, damaged};
use std::io::{Read, Seek};

/// An ELF file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elf {
    /// By Go's name: what its ABI or its interpreter says, `linux` where they say nothing.
    pub os: &'static str,
    /// By Go's name; `None` for a machine that Go has none for.
    pub arch: Option<&'static str>,
    /// The program that loads it: `/lib64/ld-linux-x86-64.so.2`. `None`: it is static.
    pub interpreter: Option<String>,
    /// The shared libraries that it asks for: `libc.so.6`.
    pub libraries: Vec<String>,
    /// The least glibc that has all symbols that it asks for, or what it provides
    /// itself where it is a library.
    pub glibc: Option<Release>,
}

/// More program headers and entries than any executable has.
const MAX_HEADERS: u16 = 128;
const MAX_ENTRIES: u32 = 4096;
const MAX_NAME: usize = 1024;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
const DT_VERDEF: u64 = 0x6fff_fffc;
const DT_VERDEFNUM: u64 = 0x6fff_fffd;
const DT_VERNEED: u64 = 0x6fff_fffe;
const DT_VERNEEDNUM: u64 = 0x6fff_ffff;

/// How numbers are written in a file.
#[derive(Clone, Copy)]
struct Form {
    is_64: bool,
    is_little: bool,
}

impl Form {
    fn u16(self, bytes: [u8; 2]) -> u16 {
        if self.is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) }
    }

    fn u32(self, bytes: [u8; 4]) -> u32 {
        if self.is_little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }
    }

    /// An address or offset, of 4 or 8 bytes.
    fn word<R: Read + Seek>(self, input: &mut Input<R>, at: u64) -> Result<u64> {
        if !self.is_64 {
            return Ok(self.u32(input.at(at)?).into());
        }
        let bytes = input.at(at)?;
        Ok(if self.is_little { u64::from_le_bytes(bytes) } else { u64::from_be_bytes(bytes) })
    }
}

/// A part of the file that is loaded to an address.
struct Segment {
    address: u64,
    offset: u64,
    size: u64,
}

pub(super) fn read<R: Read + Seek>(input: &mut Input<R>) -> Result<Elf> {
    let [class, data, _, abi] = input.at::<4>(4)?;
    let is_64 = match class {
        1 => false,
        2 => true,
        _ => return damaged(format!("it has the ELF class {class}, and there are 1 and 2")),
    };
    let is_little = match data {
        1 => true,
        2 => false,
        _ => return damaged(format!("it has the byte order {data}, and there are 1 and 2")),
    };
    let form = Form { is_64, is_little };
    let machine = form.u16(input.at(18)?);
    let mut elf = Elf {
        os: os_of_abi(abi),
        arch: arch(machine, form),
        interpreter: None,
        libraries: Vec::new(),
        glibc: None,
    };

    let (table_at, size_at) = if is_64 { (32, 54) } else { (28, 42) };
    let table = form.word(input, table_at)?;
    let size = u64::from(form.u16(input.at(size_at)?));
    let count = form.u16(input.at(size_at + 2)?);
    if count > 0 && size < if is_64 { 56 } else { 32 } {
        return damaged(format!("its program headers have {size} bytes each"));
    }
    if count > MAX_HEADERS {
        return damaged(format!("it has {count} program headers"));
    }
    let mut segments = Vec::new();
    let mut dynamic = None;
    for number in 0..u64::from(count) {
        let at = table.saturating_add(number * size);
        let kind = form.u32(input.at(at)?);
        let (offset, address, length) = if is_64 { (8, 16, 32) } else { (4, 8, 16) };
        let segment = Segment {
            offset: form.word(input, at + offset)?,
            address: form.word(input, at + address)?,
            size: form.word(input, at + length)?,
        };
        match kind {
            PT_LOAD => segments.push(segment),
            PT_DYNAMIC => dynamic = Some(segment),
            PT_INTERP => elf.interpreter = Some(input.text(segment.offset, MAX_NAME)?),
            _ => {}
        }
    }
    if let (0 | 3, Some(interpreter)) = (abi, &elf.interpreter) {
        elf.os = os_of_interpreter(interpreter);
    }
    if let Some(dynamic) = dynamic {
        read_dynamic(input, form, &dynamic, &segments, &mut elf)?;
    }
    Ok(elf)
}

/// What a dynamically linked file asks for: libraries, and versions of glibc.
fn read_dynamic<R: Read + Seek>(
    input: &mut Input<R>,
    form: Form,
    dynamic: &Segment,
    segments: &[Segment],
    elf: &mut Elf,
) -> Result<()> {
    let place = |address: u64| {
        segments.iter().find_map(|segment| {
            let inside = address.checked_sub(segment.address)?;
            (inside < segment.size).then(|| segment.offset.saturating_add(inside))
        })
    };
    let word = if form.is_64 { 8 } else { 4 };
    let mut needed = Vec::new();
    let mut value_of =
        [(DT_STRTAB, 0), (DT_VERDEF, 0), (DT_VERDEFNUM, 0), (DT_VERNEED, 0), (DT_VERNEEDNUM, 0)];
    let entries = (dynamic.size / (2 * word)).min(MAX_ENTRIES.into());
    for number in 0..entries {
        let at = dynamic.offset.saturating_add(number * 2 * word);
        let tag = form.word(input, at)?;
        let value = form.word(input, at.saturating_add(word))?;
        match tag {
            0 => break,
            DT_NEEDED => needed.push(value),
            _ => value_of.iter_mut().filter(|(of, _)| *of == tag).for_each(|(_, it)| *it = value),
        }
    }
    let [(_, strings), (_, defined), (_, definitions), (_, wanted), (_, wanted_of)] = value_of;
    if needed.is_empty() && wanted == 0 && defined == 0 {
        return Ok(());
    }
    let Some(strings) = place(strings) else {
        return damaged("the names of its libraries are outside of it");
    };
    for name in needed {
        elf.libraries.push(input.text(strings.saturating_add(name), MAX_NAME)?);
    }

    // Verdaux and Vernaux alike: what follows each entry is found by its own offsets.
    let mut left = MAX_ENTRIES;
    let mut version = |name: u64, input: &mut Input<R>| -> Result<()> {
        let name = input.text(strings.saturating_add(name), MAX_NAME)?;
        let release = name.strip_prefix("GLIBC_").and_then(Release::parse);
        elf.glibc = elf.glibc.max(release);
        Ok(())
    };
    for (first, count, is_wanted) in [(wanted, wanted_of, true), (defined, definitions, false)] {
        let Some(mut at) = (first != 0).then(|| place(first)).flatten() else { continue };
        for _ in 0..count.min(MAX_ENTRIES.into()) {
            // Elfxx_Verneed: version, count, file, aux, next; Elfxx_Verdef: version,
            // flags, index, count, hash, aux, next.
            let (names_at, aux_at, next_at) = if is_wanted { (2, 8, 12) } else { (6, 12, 16) };
            let names = form.u16(input.at(at.saturating_add(names_at))?);
            let mut aux = at.saturating_add(form.u32(input.at(at.saturating_add(aux_at))?).into());
            // Of a definition, the first name is its own, and the others its parents'.
            for _ in 0..if is_wanted { names } else { names.min(1) } {
                left = match left.checked_sub(1) {
                    Some(left) => left,
                    None => return damaged("its versions of symbols have no end"),
                };
                let (name_at, aux_next) = if is_wanted { (8, 12) } else { (0, 4) };
                let name = form.u32(input.at(aux.saturating_add(name_at))?);
                version(name.into(), input)?;
                let next = form.u32(input.at(aux.saturating_add(aux_next))?);
                aux = aux.saturating_add(next.into());
            }
            match form.u32(input.at(at.saturating_add(next_at))?) {
                0 => break,
                next => at = at.saturating_add(next.into()),
            }
        }
    }
    Ok(())
}

/// Go's names for `e_machine`.
fn arch(machine: u16, form: Form) -> Option<&'static str> {
    Some(match (machine, form.is_64, form.is_little) {
        (62, true, true) => "amd64",
        (183, true, true) => "arm64",
        (3, false, true) => "386",
        (40, false, true) => "arm",
        (243, true, true) => "riscv64",
        (258, true, true) => "loong64",
        (21, true, true) => "ppc64le",
        (21, true, false) => "ppc64",
        (22, true, false) => "s390x",
        (8, true, false) => "mips64",
        (8, true, true) => "mips64le",
        (8, false, false) => "mips",
        (8, false, true) => "mipsle",
        _ => return None,
    })
}

/// Go's linker writes the ABI of three BSDs, and none for others (cmd/link/internal/ld/elf.go).
fn os_of_abi(abi: u8) -> &'static str {
    match abi {
        2 => "netbsd",
        6 => "solaris",
        9 => "freebsd",
        12 => "openbsd",
        _ => "linux",
    }
}

fn os_of_interpreter(interpreter: &str) -> &'static str {
    match interpreter {
        "/usr/libexec/ld-elf.so.2" => "dragonfly",
        "/lib/amd64/ld.so.1" | "/lib/64/ld.so.1" => "solaris",
        "/system/bin/linker" | "/system/bin/linker64" => "android",
        _ => "linux",
    }
}

impl Elf {
    /// Whether another system writes the same headers.
    pub(super) fn may_be(&self, os: &str) -> bool {
        match self.os {
            "solaris" => os == "illumos",
            "linux" if self.interpreter.is_none() => matches!(os, "android" | "dragonfly"),
            _ => false,
        }
    }
}
