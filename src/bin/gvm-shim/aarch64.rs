//! Linux on arm64: entry point, system calls, and the memory functions that the
//! compiler calls by name.

use core::arch::{asm, global_asm};

/// System call numbers (include/uapi/asm-generic/unistd.h).
pub mod number {
    pub const GETCWD: usize = 17;
    pub const OPENAT: usize = 56;
    pub const CLOSE: usize = 57;
    pub const GETDENTS64: usize = 61;
    pub const READ: usize = 63;
    pub const WRITE: usize = 64;
    pub const READLINKAT: usize = 78;
    pub const NEWFSTATAT: usize = 79;
    pub const EXIT_GROUP: usize = 94;
    pub const EXECVE: usize = 221;
    pub const MMAP: usize = 222;
}

pub const O_DIRECTORY: usize = 0o40_000;

/// st_mode stands at byte 16 (include/uapi/asm-generic/stat.h).
pub const STAT_MODE_WORD: usize = 2;

/// # Safety
/// What the arguments point to must be as the system call has it.
pub unsafe fn syscall(number: usize, arguments: [usize; 4]) -> isize {
    let [a, b, c, d] = arguments;
    let value;
    // SAFETY: the caller's; the kernel changes x0 only.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a => value,
            in("x1") b, in("x2") c, in("x3") d,
            options(nostack),
        );
    }
    value
}

/// Fresh zeroed memory.
pub fn map_memory(size: usize) -> Option<usize> {
    const PROT_READ_WRITE: usize = 3;
    const MAP_PRIVATE_ANONYMOUS: usize = 0x22;
    let value: isize;
    // SAFETY: an anonymous mapping at a place of the kernel's choice.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number::MMAP,
            inlateout("x0") 0_usize => value,
            in("x1") size, in("x2") PROT_READ_WRITE, in("x3") MAP_PRIVATE_ANONYMOUS,
            in("x4") -1_isize, in("x5") 0,
            options(nostack),
        );
    }
    (!(-4095..0).contains(&value)).then_some(value as usize)
}

global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, #0",
    "mov x30, #0",
    "mov x0, sp",
    "and sp, x0, #-16",
    "bl {start}",
    "brk #1",
    start = sym super::start,
);

// The memory functions of C, which the compiler may call for any copy. Copies
// are short here: a byte at a time does.
global_asm!(
    ".globl memcpy",
    "memcpy:",
    "mov x3, #0",
    "1:",
    "cmp x3, x2",
    "b.eq 2f",
    "ldrb w4, [x1, x3]",
    "strb w4, [x0, x3]",
    "add x3, x3, #1",
    "b 1b",
    "2:",
    "ret",
    ".globl memmove",
    "memmove:",
    "sub x3, x0, x1",
    "cmp x3, x2",
    "b.hs memcpy",
    // The target overlaps the end of the source: backwards.
    "3:",
    "cbz x2, 4f",
    "sub x2, x2, #1",
    "ldrb w4, [x1, x2]",
    "strb w4, [x0, x2]",
    "b 3b",
    "4:",
    "ret",
    ".globl memset",
    "memset:",
    "mov x3, #0",
    "5:",
    "cmp x3, x2",
    "b.eq 6f",
    "strb w1, [x0, x3]",
    "add x3, x3, #1",
    "b 5b",
    "6:",
    "ret",
    ".globl memcmp",
    ".globl bcmp",
    "memcmp:",
    "bcmp:",
    "mov x3, #0",
    "7:",
    "cmp x3, x2",
    "b.eq 8f",
    "ldrb w4, [x0, x3]",
    "ldrb w5, [x1, x3]",
    "add x3, x3, #1",
    "subs w4, w4, w5",
    "b.eq 7b",
    "mov w0, w4",
    "ret",
    "8:",
    "mov w0, #0",
    "ret",
    ".globl strlen",
    "strlen:",
    "mov x1, x0",
    "9:",
    "ldrb w2, [x1], #1",
    "cbnz w2, 9b",
    "sub x0, x1, x0",
    "sub x0, x0, #1",
    "ret",
    // Named by the unwind tables of the precompiled `alloc`; a panic aborts.
    ".globl rust_eh_personality",
    "rust_eh_personality:",
    ".globl _Unwind_Resume",
    "_Unwind_Resume:",
    "brk #1",
);
