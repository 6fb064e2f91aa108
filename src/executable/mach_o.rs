//! Mach-O: Apple's `mach-o/fat.h`, `mach-o/loader.h` and `mach/machine.h`; for code
//! signatures `osfmk/kern/cs_blobs.h` of xnu.

use super::input::Input;
use super::{Release, Result, damaged};
use std::io::{Read, Seek};

/// The executable of one architecture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachO {
    /// By Go's name: `darwin` or `ios`.
    pub os: &'static str,
    /// By Go's name; `None` for a machine that Go has none for.
    pub arch: Option<&'static str>,
    /// The least macOS (or iOS) that it says it runs on.
    pub minimum: Option<Release>,
    /// What its code signature says; whether that is right is for Apple's tools to
    /// tell.
    pub signature: Option<Signature>,
}

/// The code directory of an embedded signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The name that was signed: `org.golang.go`, `a.out`.
    pub identifier: String,
    /// Apple's identifier of the developer's team: `EQHXZ8M8AV`.
    pub team: Option<String>,
    /// Nobody's name: the linker's own, as macOS on arm64 asks for.
    pub is_adhoc: bool,
    /// Whether it asks for the hardened runtime, as notarization does.
    pub is_hardened: bool,
    /// Whether there is a signature with a certificate beside the code directory.
    pub has_certificate: bool,
}

/// More than any executable has.
const MAX_IMAGES: u32 = 32;
const MAX_COMMANDS: u32 = 4096;
const MAX_BLOBS: u32 = 64;
const MAX_NAME: usize = 1024;

const LC_CODE_SIGNATURE: u32 = 0x1d;
const LC_VERSION_MIN_MACOSX: u32 = 0x24;
const LC_VERSION_MIN_IPHONEOS: u32 = 0x25;
const LC_BUILD_VERSION: u32 = 0x32;
const PLATFORM_IOS: u32 = 2;
const PLATFORM_IOS_SIMULATOR: u32 = 7;

const CSMAGIC_EMBEDDED_SIGNATURE: u32 = 0xfade_0cc0;
const CSMAGIC_CODEDIRECTORY: u32 = 0xfade_0c02;
const CSSLOT_CODEDIRECTORY: u32 = 0;
const CSSLOT_SIGNATURE: u32 = 0x10000;
const CS_ADHOC: u32 = 0x2;
const CS_RUNTIME: u32 = 0x10000;
/// The first version of the code directory that can name a team.
const CS_SUPPORTS_TEAM: u32 = 0x20200;

/// The images of a universal file; `None` when it is something else that begins so.
pub(super) fn read_universal<R: Read + Seek>(input: &mut Input<R>) -> Result<Option<Vec<MachO>>> {
    let (Some(magic), Some(count)) = (input.get::<4>(0)?, input.get(4)?) else { return Ok(None) };
    let is_64 = magic[3] == 0xbf;
    let count = u32::from_be_bytes(count);
    if count > MAX_IMAGES {
        return Ok(None);
    }
    let mut images = Vec::new();
    for number in 0..u64::from(count) {
        let (offset, size) = if is_64 {
            let at = 8 + number * 32;
            (u64::from_be_bytes(input.at(at + 8)?), u64::from_be_bytes(input.at(at + 16)?))
        } else {
            let at = 8 + number * 20;
            let (offset, size) = (input.at(at + 8)?, input.at(at + 12)?);
            (u32::from_be_bytes(offset).into(), u32::from_be_bytes(size).into())
        };
        if offset.checked_add(size).is_none_or(|end| end > input.length()) {
            return damaged("an image of it is outside of it");
        }
        images.push(read(input, offset, size)?);
    }
    Ok(Some(images))
}

/// One image, which has `size` bytes from `start`.
pub(super) fn read<R: Read + Seek>(input: &mut Input<R>, start: u64, size: u64) -> Result<MachO> {
    let is_64 = match input.at::<4>(start)? {
        [0xcf, 0xfa, 0xed, 0xfe] => true,
        [0xce, 0xfa, 0xed, 0xfe] => false,
        _ => return damaged("an image of it is no Mach-O file"),
    };
    let number = |input: &mut Input<R>, at: u64| -> Result<u32> {
        Ok(u32::from_le_bytes(input.at(start.saturating_add(at))?))
    };
    let mut image = MachO {
        os: "darwin",
        arch: match number(input, 4)? {
            7 => Some("386"),
            0x0100_0007 => Some("amd64"),
            0x0100_000c => Some("arm64"),
            12 => Some("arm"),
            _ => None,
        },
        minimum: None,
        signature: None,
    };
    let count = number(input, 16)?;
    if count > MAX_COMMANDS {
        return damaged(format!("it has {count} load commands"));
    }
    let mut at = if is_64 { 32 } else { 28 };
    for _ in 0..count {
        let (command, length) = (number(input, at)?, number(input, at + 4)?);
        if length < 8 {
            return damaged(format!("a load command of it has {length} bytes"));
        }
        match command {
            LC_VERSION_MIN_MACOSX | LC_VERSION_MIN_IPHONEOS => {
                if command == LC_VERSION_MIN_IPHONEOS {
                    image.os = "ios";
                }
                image.minimum = Some(release(number(input, at + 8)?));
            }
            LC_BUILD_VERSION => {
                if matches!(number(input, at + 8)?, PLATFORM_IOS | PLATFORM_IOS_SIMULATOR) {
                    image.os = "ios";
                }
                image.minimum = Some(release(number(input, at + 12)?));
            }
            LC_CODE_SIGNATURE => {
                let (offset, length) = (number(input, at + 8)?, number(input, at + 12)?);
                if image.signature.is_some() {
                    return damaged("it has two signatures");
                }
                let end = u64::from(offset) + u64::from(length);
                if end > size.min(input.length().saturating_sub(start)) {
                    return damaged("its signature is outside of it");
                }
                let place = start.saturating_add(offset.into());
                image.signature = Some(signature(input, place, length.into())?);
            }
            _ => {}
        }
        at += u64::from(length);
    }
    Ok(image)
}

/// `X.Y.Z` in nibbles: xxxx.yy.zz.
fn release(version: u32) -> Release {
    Release::new(version >> 16, (version >> 8) & 0xff)
}

/// What the code directory of an embedded signature says. Its numbers are big-endian.
fn signature<R: Read + Seek>(input: &mut Input<R>, start: u64, size: u64) -> Result<Signature> {
    let number = |input: &mut Input<R>, at: u64| -> Result<u32> {
        if at.saturating_add(4) > size {
            return damaged("its signature ends too early");
        }
        Ok(u32::from_be_bytes(input.at(start.saturating_add(at))?))
    };
    if number(input, 0)? != CSMAGIC_EMBEDDED_SIGNATURE {
        return damaged("its signature is not one that Apple describes");
    }
    let count = number(input, 8)?;
    if count > MAX_BLOBS {
        return damaged(format!("its signature has {count} parts"));
    }
    let mut directory = None;
    let mut has_certificate = false;
    for blob in 0..u64::from(count) {
        let (slot, at) = (number(input, 12 + blob * 8)?, number(input, 16 + blob * 8)?);
        match slot {
            CSSLOT_CODEDIRECTORY if directory.is_none() => directory = Some(u64::from(at)),
            // An ad hoc signature may have this part with nothing in it but its head.
            CSSLOT_SIGNATURE => has_certificate = number(input, u64::from(at) + 4)? > 8,
            _ => {}
        }
    }
    let Some(at) = directory else { return damaged("its signature has no code directory") };
    if number(input, at)? != CSMAGIC_CODEDIRECTORY {
        return damaged("its signature has something else in the code directory's place");
    }
    let (version, flags) = (number(input, at + 8)?, number(input, at + 12)?);
    let text = |input: &mut Input<R>, offset: u32| -> Result<String> {
        let inside = at + u64::from(offset);
        let left = size.saturating_sub(inside).min(MAX_NAME as u64);
        input.text(start.saturating_add(inside), left as usize)
    };
    let identifier = number(input, at + 20)?;
    let identifier = text(input, identifier)?;
    let team = if version >= CS_SUPPORTS_TEAM { number(input, at + 48)? } else { 0 };
    let team = if team == 0 { None } else { Some(text(input, team)?) };
    Ok(Signature {
        identifier,
        team,
        is_adhoc: flags & CS_ADHOC != 0,
        is_hardened: flags & CS_RUNTIME != 0,
        has_certificate,
    })
}
