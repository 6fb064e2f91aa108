//! Linux on x86-64: entry point, system calls, and the memory functions that
//! the compiler calls by name.

use core::arch::{asm, global_asm};

/// System call numbers (arch/x86/entry/syscalls/syscall_64.tbl).
pub mod number {
    pub const READ: usize = 0;
    pub const WRITE: usize = 1;
    pub const CLOSE: usize = 3;
    pub const MMAP: usize = 9;
    pub const EXECVE: usize = 59;
    pub const GETCWD: usize = 79;
    pub const GETDENTS64: usize = 217;
    pub const EXIT_GROUP: usize = 231;
    pub const OPENAT: usize = 257;
    pub const NEWFSTATAT: usize = 262;
    pub const READLINKAT: usize = 267;
}

pub const O_DIRECTORY: usize = 0o200_000;

/// st_mode stands at byte 24 (arch/x86/include/uapi/asm/stat.h).
pub const STAT_MODE_WORD: usize = 3;

/// # Safety
/// What the arguments point to must be as the system call has it.
pub unsafe fn syscall(number: usize, arguments: [usize; 4]) -> isize {
    let [a, b, c, d] = arguments;
    let value;
    // SAFETY: the caller's; the kernel changes rax, rcx and r11 only.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => value,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d,
            lateout("rcx") _, lateout("r11") _,
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
            "syscall",
            inlateout("rax") number::MMAP as isize => value,
            in("rdi") 0, in("rsi") size, in("rdx") PROT_READ_WRITE,
            in("r10") MAP_PRIVATE_ANONYMOUS, in("r8") -1_isize, in("r9") 0,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    (!(-4095..0).contains(&value)).then_some(value as usize)
}

global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {start}",
    "ud2",
    start = sym super::start,
);

// The memory functions of C, which the compiler may call for any copy. Copies
// are short here, so the processor's string instructions do.
global_asm!(
    ".globl memcpy",
    "memcpy:",
    "mov rax, rdi",
    "mov rcx, rdx",
    "rep movsb",
    "ret",
    ".globl memmove",
    "memmove:",
    "mov rax, rdi",
    "mov rcx, rdx",
    "mov r8, rdi",
    "sub r8, rsi",
    "cmp r8, rdx",
    "jb 2f",
    "rep movsb",
    "ret",
    // The target overlaps the end of the source: backwards.
    "2:",
    "lea rdi, [rdi + rcx - 1]",
    "lea rsi, [rsi + rcx - 1]",
    "std",
    "rep movsb",
    "cld",
    "ret",
    ".globl memset",
    "memset:",
    "mov r9, rdi",
    "mov eax, esi",
    "mov rcx, rdx",
    "rep stosb",
    "mov rax, r9",
    "ret",
    ".globl memcmp",
    ".globl bcmp",
    "memcmp:",
    "bcmp:",
    "xor ecx, ecx",
    "3:",
    "cmp rcx, rdx",
    "je 4f",
    "movzx eax, byte ptr [rdi + rcx]",
    "movzx r8d, byte ptr [rsi + rcx]",
    "inc rcx",
    "sub eax, r8d",
    "je 3b",
    "ret",
    "4:",
    "xor eax, eax",
    "ret",
    ".globl strlen",
    "strlen:",
    "mov rax, -1",
    "5:",
    "inc rax",
    "cmp byte ptr [rdi + rax], 0",
    "jne 5b",
    "ret",
    // Named by the unwind tables of the precompiled `alloc`; a panic aborts.
    ".globl rust_eh_personality",
    "rust_eh_personality:",
    ".globl _Unwind_Resume",
    "_Unwind_Resume:",
    "ud2",
);
