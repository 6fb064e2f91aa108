//! Executables in miniature: headers alone, of each form.

/// An ELF file for Linux on amd64 that asks for a loader, a library, and glibc 2.17.
pub fn elf() -> Vec<u8> {
    let mut file = vec![0; 0x300];
    file[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\0");
    put(&mut file, 16, &2_u16.to_le_bytes());
    put(&mut file, 18, &62_u16.to_le_bytes());
    put(&mut file, 32, &64_u64.to_le_bytes());
    put(&mut file, 54, &56_u16.to_le_bytes());
    put(&mut file, 56, &3_u16.to_le_bytes());
    // Interpreter, what is loaded (all of it, to 0x400000), what is dynamic.
    for (number, (kind, offset, size)) in
        [(3_u32, 0x200_u64, 0x1c_u64), (1, 0, 0x300), (2, 0x100, 0x70)].into_iter().enumerate()
    {
        let at = 64 + number * 56;
        put(&mut file, at, &kind.to_le_bytes());
        put(&mut file, at + 8, &offset.to_le_bytes());
        put(&mut file, at + 16, &(0x40_0000 + offset).to_le_bytes());
        put(&mut file, at + 32, &size.to_le_bytes());
    }
    for (number, (tag, value)) in
        [(1_u64, 1_u64), (5, 0x40_0220), (0x6fff_fffe, 0x40_0240), (0x6fff_ffff, 1), (0, 0)]
            .into_iter()
            .enumerate()
    {
        put(&mut file, 0x100 + number * 16, &tag.to_le_bytes());
        put(&mut file, 0x108 + number * 16, &value.to_le_bytes());
    }
    put(&mut file, 0x200, b"/lib64/ld-linux-x86-64.so.2\0");
    put(&mut file, 0x220, b"\0libc.so.6\0GLIBC_2.17\0");
    // One library with one version.
    for (at, number) in [(0x242, 1_u16), (0x240, 1)] {
        put(&mut file, at, &number.to_le_bytes());
    }
    put(&mut file, 0x244, &1_u32.to_le_bytes());
    put(&mut file, 0x248, &16_u32.to_le_bytes());
    put(&mut file, 0x258, &11_u32.to_le_bytes());
    file
}

/// A Mach-O file for macOS 12 on arm64, signed by a team.
pub fn mach_o() -> Vec<u8> {
    let mut file = vec![0; 0x100];
    for (at, number) in [
        (0, 0xfeed_facf_u32),
        (4, 0x0100_000c),
        (16, 2),
        // LC_BUILD_VERSION: macOS 12.0
        (32, 0x32),
        (36, 24),
        (40, 1),
        (44, 12 << 16),
        // LC_CODE_SIGNATURE
        (56, 0x1d),
        (60, 16),
        (64, 0x80),
        (68, 0x80),
    ] {
        put(&mut file, at, &number.to_le_bytes());
    }
    for (at, number) in [
        (0x80, 0xfade_0cc0_u32),
        (0x84, 0x80),
        (0x88, 1),
        (0x90, 20),
        // The code directory: version, flags, identifier, team.
        (0x94, 0xfade_0c02),
        (0x9c, 0x20400),
        (0xa0, 0x10000),
        (0xa8, 52),
        (0xc4, 64),
    ] {
        put(&mut file, at, &number.to_be_bytes());
    }
    put(&mut file, 0x94 + 52, b"org.golang\0");
    put(&mut file, 0x94 + 64, b"TEAM123456\0");
    file
}

/// A universal file of the same for two architectures.
pub fn universal() -> Vec<u8> {
    let mut file = vec![0; 48];
    for (at, number) in
        [(0, 0xcafe_babe_u32), (4, 2), (16, 48), (20, 0x100), (36, 0x130), (40, 0x100)]
    {
        put(&mut file, at, &number.to_be_bytes());
    }
    let (arm, mut intel) = (mach_o(), mach_o());
    put(&mut intel, 4, &0x0100_0007_u32.to_le_bytes());
    file.extend(arm);
    file.extend(intel);
    file
}

/// A PE file for a console of Windows 10 on amd64.
pub fn pe() -> Vec<u8> {
    let mut file = vec![0; 0x140];
    put(&mut file, 0, b"MZ");
    put(&mut file, 0x3c, &0x40_u32.to_le_bytes());
    put(&mut file, 0x40, b"PE\0\0");
    for (at, number) in [(0x44, 0x8664_u16), (0x54, 0xf0), (0x58, 0x20b), (0x88, 10), (0x9c, 3)] {
        put(&mut file, at, &number.to_le_bytes());
    }
    put(&mut file, 0x58 + 108, &16_u32.to_le_bytes());
    file
}

/// One of each form.
pub fn all() -> Vec<Vec<u8>> {
    vec![elf(), mach_o(), universal(), pe(), b"\0asm\x01\0\0\0".to_vec()]
}

fn put(file: &mut [u8], at: usize, bytes: &[u8]) {
    file[at..at + bytes.len()].copy_from_slice(bytes);
}
