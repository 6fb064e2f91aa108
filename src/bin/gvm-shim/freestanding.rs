//! The shim without libc and `std`: start code, system calls, memory.
//!
//! A dynamically linked program spends its time in the loader and in libc's
//! start-up: a millisecond on a virtual machine, where their CPUID instructions
//! trap, against some 30 µs for everything that is done here.
//!
//! Facts about the kernel's interface are from the Linux manual pages (syscall(2),
//! open(2), getdents64(2), stat(2), execve(2)) and its uapi headers.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ffi::CStr;
use core::ptr;
use gvm_hot::hook::{self, Activated};
use gvm_hot::path;
use gvm_hot::shim::{self, CANNOT_RUN, NOT_FOUND, Plan};
use gvm_hot::system::{Identity, Metadata, System, Unreadable};

#[cfg(target_arch = "x86_64")]
#[path = "x86_64.rs"]
mod arch;
#[cfg(target_arch = "aarch64")]
#[path = "aarch64.rs"]
mod arch;

use arch::{number, syscall};

const ENOENT: i32 = 2;
const EINTR: i32 = 4;
const EACCES: i32 = 13;
const ENOTDIR: i32 = 20;
const EINVAL: i32 = 22;
const ELOOP: i32 = 40;

const AT_FDCWD: usize = -100_isize as usize;
const O_NONBLOCK: usize = 0o4000;
const O_CLOEXEC: usize = 0o2_000_000;
const AT_EXECFN: usize = 31;
const PATH_MAX: usize = 4096;

const S_IFMT: u32 = 0o170_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;

/// The result of a system call: a value, or the error number.
fn result(value: isize) -> Result<usize, i32> {
    if (-4095..0).contains(&value) { Err(-value as i32) } else { Ok(value as usize) }
}

fn call(number: usize, arguments: [usize; 4]) -> Result<usize, i32> {
    loop {
        // SAFETY: every caller passes pointers that live through the call and
        // lengths that they have.
        match result(unsafe { syscall(number, arguments) }) {
            Err(EINTR) => {}
            other => return other,
        }
    }
}

/// A path or variable for the kernel. What holds a NUL has no such form, and
/// nothing that came from a file reaches this without having been a version.
fn c_string(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len() + 1);
    text.extend_from_slice(bytes);
    text.push(0);
    text
}

/// A file descriptor, closed at the end.
struct Descriptor(usize);

impl Descriptor {
    /// `path` ends with a NUL, here and below.
    fn open(path: *const u8, flags: usize) -> Result<Self, i32> {
        call(number::OPENAT, [AT_FDCWD, path as usize, flags | O_CLOEXEC, 0]).map(Self)
    }

    fn read(&self, buffer: &mut [u8]) -> Result<usize, i32> {
        call(number::READ, [self.0, buffer.as_mut_ptr() as usize, buffer.len(), 0])
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        let _ = call(number::CLOSE, [self.0, 0, 0, 0]);
    }
}

/// The kernel's `struct stat`; what is read from it lies where `arch` says.
struct Stat([u64; 18]);

impl Stat {
    /// Follows symbolic links.
    fn of(path: *const u8) -> Result<Self, i32> {
        let mut stat = Self([0; 18]);
        let buffer = stat.0.as_mut_ptr() as usize;
        call(number::NEWFSTATAT, [AT_FDCWD, path as usize, buffer, 0])?;
        Ok(stat)
    }

    fn mode(&self) -> u32 {
        self.0[arch::STAT_MODE_WORD] as u32
    }

    fn is(&self, kind: u32) -> bool {
        self.mode() & S_IFMT == kind
    }

    fn size(&self) -> u64 {
        // st_size stands at byte 48 on both architectures.
        self.0[6]
    }

    fn identity(&self) -> Identity {
        Identity { device: self.0[0], inode: self.0[1] }
    }
}

/// The process as the kernel started it.
#[derive(Clone, Copy)]
struct Process {
    arguments: &'static [*const u8],
    variables: &'static [*const u8],
    /// The path that was given to execve, where /proc is not mounted.
    execfn: Option<&'static CStr>,
}

impl Process {
    /// SAFETY: `stack` is the stack pointer at the process's entry: argc, argv,
    /// NULL, envp, NULL, the auxiliary vector (System V ABI).
    unsafe fn from_stack(stack: *const usize) -> Self {
        // SAFETY: as above.
        unsafe {
            let count = *stack;
            let argv = stack.add(1).cast::<*const u8>();
            let envp = argv.add(count + 1);
            let mut variables = 0;
            while !(*envp.add(variables)).is_null() {
                variables += 1;
            }
            let mut auxiliary = envp.add(variables + 1).cast::<[usize; 2]>();
            let mut execfn = None;
            while (*auxiliary)[0] != 0 {
                if (*auxiliary)[0] == AT_EXECFN {
                    execfn = Some(CStr::from_ptr((*auxiliary)[1] as *const _));
                }
                auxiliary = auxiliary.add(1);
            }
            Self {
                arguments: core::slice::from_raw_parts(argv, count),
                variables: core::slice::from_raw_parts(envp, variables),
                execfn,
            }
        }
    }

    /// The shim's own path, with symbolic links to it resolved.
    fn own(&self) -> Vec<u8> {
        if let Some(path) = self.execfn.filter(|path| is_in_shims(path.to_bytes())) {
            return path.to_bytes().to_owned();
        }
        let exe = c"/proc/self/exe".as_ptr().cast();
        let of_kernel = filled(PATH_MAX, |buffer| read_link(exe, buffer, PATH_MAX));
        of_kernel.unwrap_or_else(|_| {
            self.execfn.map_or_else(Vec::new, |path| path.to_bytes().to_owned())
        })
    }

    /// Whether it was started as `gvm-shim`, and not by the name of a tool.
    fn is_shim_by_name(&self) -> bool {
        self.execfn.is_some_and(|path| path::file_name(path.to_bytes()) == hook::PROGRAM)
    }

    /// The current directory as the kernel has it, without symbolic links.
    fn physical_dir() -> Option<Vec<u8>> {
        let call = |buffer| call(number::GETCWD, [buffer, PATH_MAX, 0, 0]);
        let mut path = filled(PATH_MAX, call).ok()?;
        path.pop(); // the closing NUL
        Some(path)
    }
}

/// Whether a path of an executable is plainly that of a shim: absolute, in a directory
/// called `shims`, neither of the two a symbolic link, and no detour on the way. That
/// is how a shim is started from PATH, and to look is a fifth of the price of
/// /proc/self/exe, which the kernel makes anew for each process.
fn is_in_shims(path: &[u8]) -> bool {
    let Some(directory) = path::parent(path) else { return false };
    let is_link = |path: &[u8]| {
        let mut nowhere = [0_u8; 1];
        read_link(c_string(path).as_ptr(), nowhere.as_mut_ptr() as usize, 1) != Err(EINVAL)
    };
    path::is_absolute(path)
        && path::file_name(directory) == b"shims"
        && !path.split(|&byte| byte == b'/').any(|name| matches!(name, b"." | b".."))
        && !is_link(path)
        && !is_link(directory)
}

fn read_link(path: *const u8, buffer: usize, room: usize) -> Result<usize, i32> {
    call(number::READLINKAT, [AT_FDCWD, path as usize, buffer, room])
}

/// The bytes that a system call writes to the address that it is given, where
/// there is room for `capacity`, and of which it returns the count.
fn filled(capacity: usize, call: impl FnOnce(usize) -> Result<usize, i32>) -> Result<Vec<u8>, i32> {
    let mut bytes = Vec::with_capacity(capacity);
    let length = call(bytes.as_mut_ptr() as usize)?;
    // SAFETY: the kernel has written as many bytes, within the capacity.
    unsafe { bytes.set_len(length) };
    bytes.shrink_to_fit();
    Ok(bytes)
}

/// What stands behind `NAME=` in the environment string `variable`. Its end is
/// looked for only then: there are many, and some are long.
fn value_of(variable: *const u8, name: &str) -> Option<&'static CStr> {
    // SAFETY: only called with pointers of envp, which the kernel ends with a NUL
    // and which live as long as the process. A name holds no NUL, so the first one
    // of the variable ends the comparison.
    unsafe {
        for (at, &byte) in name.as_bytes().iter().enumerate() {
            if *variable.add(at) != byte {
                return None;
            }
        }
        let rest = variable.add(name.len());
        (*rest == b'=').then(|| CStr::from_ptr(rest.add(1).cast()))
    }
}

impl System for Process {
    fn var(&self, name: &str) -> Option<Vec<u8>> {
        let mut values = self.variables.iter().filter_map(|&variable| value_of(variable, name));
        values.next().map(|value| value.to_bytes().to_vec())
    }

    fn current_dir(&self) -> Option<Vec<u8>> {
        let physical = Self::physical_dir()?;
        let logical = self.var("PWD").filter(|path| path.first() == Some(&b'/'));
        match logical {
            // Nearly always, without asking what is behind the name.
            Some(logical) if logical == physical => Some(physical),
            Some(logical)
                if self.metadata(&logical).map(|found| found.identity)
                    == Stat::of(c".".as_ptr().cast()).ok().map(|here| here.identity()) =>
            {
                Some(logical)
            }
            // "(unreachable)/…" for a directory outside our root.
            _ => (physical.first() == Some(&b'/')).then_some(physical),
        }
    }

    fn read(&self, file: &[u8], limit: usize) -> Result<Option<Vec<u8>>, Unreadable> {
        let failed = |code| match code {
            ENOENT | ENOTDIR => Ok(None),
            EACCES => Err(Unreadable::PermissionDenied),
            code => Err(Unreadable::Os(code)),
        };
        let path = c_string(file);
        // Most of the files that are asked for are not there, and to look is a
        // quarter cheaper than to try to open.
        let stat = match Stat::of(path.as_ptr()) {
            Ok(stat) => stat,
            Err(code) => return failed(code),
        };
        if !stat.is(S_IFREG) {
            return Err(Unreadable::NotAFile);
        }
        if stat.size() > limit as u64 {
            return Err(Unreadable::TooLarge);
        }
        // Should it have become a FIFO since, opening it does not wait for a writer.
        let descriptor = match Descriptor::open(path.as_ptr(), O_NONBLOCK) {
            Ok(descriptor) => descriptor,
            Err(code) => return failed(code),
        };
        // One byte more than it has, to see its end in the same call.
        let mut content = alloc::vec![0; stat.size() as usize + 1];
        let mut length = 0;
        while length < content.len() {
            let wanted = content.len() - length;
            let read = descriptor.read(&mut content[length..]).map_err(Unreadable::Os)?;
            length += read;
            if read < wanted {
                break;
            }
        }
        content.truncate(length);
        Ok(Some(content))
    }

    fn read_dir(&self, directory: &[u8], each: &mut dyn FnMut(&[u8])) {
        const ROOM: usize = 32 << 10;
        let directory = c_string(directory);
        let opened = Descriptor::open(directory.as_ptr(), arch::O_DIRECTORY);
        let Ok(descriptor) = opened else { return };
        loop {
            let call = |buffer| call(number::GETDENTS64, [descriptor.0, buffer, ROOM, 0]);
            let Ok(buffer) = filled(ROOM, call) else { return };
            if buffer.is_empty() {
                return;
            }
            // struct linux_dirent64: inode, offset (8 bytes each), length of the
            // record (2), type (1), name, NUL.
            let mut records = &buffer[..];
            while let [_, ..] = records {
                let length = usize::from(u16::from_le_bytes([records[16], records[17]]));
                let name = CStr::from_bytes_until_nul(&records[19..length]).unwrap_or_default();
                if !matches!(name.to_bytes(), b"." | b"..") {
                    each(name.to_bytes());
                }
                records = &records[length..];
            }
        }
    }

    fn metadata(&self, path: &[u8]) -> Option<Metadata> {
        let stat = Stat::of(c_string(path).as_ptr()).ok()?;
        Some(Metadata {
            identity: stat.identity(),
            is_dir: stat.is(S_IFDIR),
            is_executable: stat.is(S_IFREG) && stat.mode() & 0o111 != 0,
        })
    }
}

/// Where `arch`'s entry point goes on.
///
/// SAFETY: see [`Process::from_stack`].
unsafe extern "C" fn start(stack: *const usize) -> ! {
    // SAFETY: the caller's.
    let process = unsafe { Process::from_stack(stack) };
    if process.is_shim_by_name() {
        refresh(&process);
    }
    match shim::plan(&process, &process.own()) {
        Plan::Run(run) => {
            let (program, version) = (run.program.clone(), run.version);
            let code = exec(&process, &program, &[], run.changes());
            // A missing ELF interpreter is ENOENT too: Go up to 1.20 on musl.
            let why = match code {
                ENOENT => "it is not there, or the loader that it names is not".to_owned(),
                EACCES => "permission denied".to_owned(),
                ELOOP => "too many symbolic links".to_owned(),
                code => format!("system error {code}"),
            };
            let exit_code = if code == ENOENT { NOT_FOUND } else { CANNOT_RUN };
            stop(exit_code, &shim::cannot_run(&program, version, &why))
        }
        Plan::Missing { gvm, root, tool, message } => {
            if let Some(gvm) = gvm {
                let (root, tool) = (c_string(&root), c_string(tool.as_bytes()));
                let [name, command, dashes] =
                    [c"gvm", c"__shim", c"--"].map(|text| text.as_ptr().cast());
                let leading = [name, command, root.as_ptr(), dashes, tool.as_ptr()];
                exec(&process, &gvm, &leading, Vec::new());
            }
            stop(NOT_FOUND, &message)
        }
        Plan::Stop { code, message } => stop(code, &message),
    }
}

/// Becomes `program`, with the process's own arguments (`leading` in place of
/// the first, if there are any); comes back with the error if that failed.
fn exec(
    process: &Process,
    program: &[u8],
    leading: &[*const u8],
    changes: Vec<(&'static str, Option<Vec<u8>>)>,
) -> i32 {
    let own = process.arguments;
    let mut arguments: Vec<*const u8> = Vec::with_capacity(leading.len() + own.len() + 1);
    if leading.is_empty() {
        arguments.extend_from_slice(own);
    } else {
        arguments.extend_from_slice(leading);
        arguments.extend_from_slice(own.get(1..).unwrap_or_default());
    }
    arguments.push(ptr::null());

    let is_changed =
        |variable: *const u8| changes.iter().any(|(name, _)| value_of(variable, name).is_some());
    let mut variables: Vec<*const u8> =
        Vec::with_capacity(process.variables.len() + changes.len() + 1);
    variables.extend(process.variables.iter().filter(|&&variable| !is_changed(variable)));
    let new: Vec<Vec<u8>> = changes
        .iter()
        .filter_map(|(name, value)| {
            let value = value.as_ref()?;
            let mut variable = Vec::with_capacity(name.len() + value.len() + 2);
            variable.extend_from_slice(name.as_bytes());
            variable.push(b'=');
            variable.extend_from_slice(value);
            variable.push(0);
            Some(variable)
        })
        .collect();
    variables.extend(new.iter().map(Vec::as_ptr));
    variables.push(ptr::null());

    let program = c_string(program);
    let failed = call(
        number::EXECVE,
        [program.as_ptr() as usize, arguments.as_ptr() as usize, variables.as_ptr() as usize, 0],
    );
    failed.err().unwrap_or_default()
}

/// Answers a shell's hook.
fn refresh(process: &Process) -> ! {
    // SAFETY: the kernel ends each of them with a NUL, and they live as long as the
    // process.
    let text = |&argument: &*const u8| unsafe { CStr::from_ptr(argument.cast()).to_bytes() };
    match hook::refresh(process, process.arguments.iter().skip(1).map(text)) {
        Some(Activated { statements, hint }) => {
            if let Some(hint) = hint {
                say(&hint);
            }
            write(1, statements.as_bytes());
            exit(0)
        }
        None => exit(CANNOT_RUN),
    }
}

fn stop(code: u8, message: &str) -> ! {
    say(message);
    exit(code)
}

fn say(message: &str) {
    write(2, format!("gvm: {message}\n").as_bytes());
}

fn write(descriptor: usize, mut bytes: &[u8]) {
    while let [_, ..] = bytes {
        match call(number::WRITE, [descriptor, bytes.as_ptr() as usize, bytes.len(), 0]) {
            Ok(written @ 1..) => bytes = &bytes[written..],
            _ => break,
        }
    }
}

fn exit(code: u8) -> ! {
    loop {
        let _ = call(number::EXIT_GROUP, [usize::from(code), 0, 0, 0]);
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    const INTERNAL: u8 = 125;
    // Without the details: formatting them would be most of the executable.
    stop(INTERNAL, "the shim met a case that it does not know; please report this")
}

/// Memory in the order of a stack: what was handed out last can grow, shrink and
/// be given back in place, everything else stays, because the shim is another
/// program in an instant. So the few pages that it touches, each of which costs
/// as much as a system call, stay few.
///
/// The first part is zero pages of the executable.
struct Bump {
    free: UnsafeCell<(usize, usize)>,
}

const FIRST_PART: usize = 256 << 10;

#[repr(align(16))]
struct Memory(UnsafeCell<[u8; FIRST_PART]>);

// SAFETY: the shim has one thread.
unsafe impl Sync for Memory {}
// SAFETY: as above.
unsafe impl Sync for Bump {}

static MEMORY: Memory = Memory(UnsafeCell::new([0; FIRST_PART]));

#[global_allocator]
static ALLOCATOR: Bump = Bump { free: UnsafeCell::new((0, 0)) };

// SAFETY: parts are disjoint and aligned, and none is handed out twice before it
// was given back.
unsafe impl GlobalAlloc for Bump {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: one thread, and no reference into the cell outlives this.
        let (next, end) = unsafe { &mut *self.free.get() };
        if *end == 0 {
            *next = MEMORY.0.get() as usize;
            *end = *next + FIRST_PART;
        }
        let mut at = next.next_multiple_of(layout.align());
        if at + layout.size() > *end {
            let size = (layout.size() + layout.align()).max(FIRST_PART).next_multiple_of(4096);
            let Some(part) = arch::map_memory(size) else { return ptr::null_mut() };
            *end = part + size;
            at = part.next_multiple_of(layout.align());
        }
        *next = at + layout.size();
        at as *mut u8
    }

    unsafe fn dealloc(&self, part: *mut u8, layout: Layout) {
        // SAFETY: as above.
        let (next, _) = unsafe { &mut *self.free.get() };
        if part as usize + layout.size() == *next {
            *next = part as usize;
        }
    }

    unsafe fn realloc(&self, part: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        let (next, end) = unsafe { &mut *self.free.get() };
        let is_last = part as usize + layout.size() == *next;
        if is_last && part as usize + size <= *end {
            *next = part as usize + size;
            return part;
        }
        if size <= layout.size() {
            return part;
        }
        // SAFETY: the caller's; what was handed out before does not overlap.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                ptr::copy_nonoverlapping(part, new, layout.size());
            }
            new
        }
    }
}
