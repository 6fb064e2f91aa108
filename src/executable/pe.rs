//! PE: Microsoft's PE/COFF specification.

use super::input::Input;
use super::{Release, Result, damaged};
use std::io::{Read, Seek};

/// An executable of Windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pe {
    /// By Go's name; `None` for a machine that Go has none for.
    pub arch: Option<&'static str>,
    pub subsystem: Subsystem,
    /// The least Windows that loads it: 6.1 is Windows 7, 10.0 is Windows 10.
    pub minimum: Release,
    /// Whether it carries an Authenticode signature, whoever's it is.
    pub is_signed: bool,
}

/// What surrounds it when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subsystem {
    /// Windows of its own, no console.
    Gui,
    Console,
    Other(u16),
}

/// Where the certificate table is in the directories.
const SECURITY: u64 = 4;

pub(super) fn read<R: Read + Seek>(input: &mut Input<R>) -> Result<Option<Pe>> {
    let Some(at) = input.get::<4>(0x3c)? else { return Ok(None) };
    let at = u64::from(u32::from_le_bytes(at));
    // A program of DOS, or a text that begins with MZ.
    if input.get::<4>(at)? != Some(*b"PE\0\0") {
        return Ok(None);
    }
    let machine = u16::from_le_bytes(input.at(at + 4)?);
    let optional = at + 24;
    let size = u64::from(u16::from_le_bytes(input.at(at + 20)?));
    let directories = match u16::from_le_bytes(input.at(optional)?) {
        0x10b => 96,
        0x20b => 112,
        magic => return damaged(format!("it has the optional header {magic:#x}")),
    };
    let subsystem = match u16::from_le_bytes(input.at(optional + 68)?) {
        2 => Subsystem::Gui,
        3 => Subsystem::Console,
        other => Subsystem::Other(other),
    };
    let (major, minor) = (input.at(optional + 48)?, input.at(optional + 50)?);
    let count = u64::from(u32::from_le_bytes(input.at(optional + directories - 4)?));
    let security = directories + SECURITY * 8;
    let mut is_signed = false;
    if count > SECURITY && security + 8 <= size {
        let place = u32::from_le_bytes(input.at(optional + security)?);
        let length = u32::from_le_bytes(input.at(optional + security + 4)?);
        is_signed = place != 0 && length != 0;
        if u64::from(place) + u64::from(length) > input.length() {
            return damaged("its signature is outside of it");
        }
    }
    Ok(Some(Pe {
        arch: match machine {
            0x8664 => Some("amd64"),
            0xaa64 => Some("arm64"),
            0x014c => Some("386"),
            0x01c4 => Some("arm"),
            _ => None,
        },
        subsystem,
        minimum: Release::new(u16::from_le_bytes(major).into(), u16::from_le_bytes(minor).into()),
        is_signed,
    }))
}
