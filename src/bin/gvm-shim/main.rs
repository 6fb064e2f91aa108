//! The shim: `go`, `gofmt` and `go1.X.Y` in the store's `shims` directory.
//!
//! What it decides is in `gvm_hot::shim`; here is only how a decision is carried
//! out. On Linux x86-64 and arm64 (glibc targets) that is done without libc and `std`
//! (`freestanding`), elsewhere with `std` alone (`hosted`).
#![cfg_attr(freestanding, no_std, no_main)]

#[cfg(freestanding)]
extern crate alloc;

#[cfg(freestanding)]
mod freestanding;

#[cfg(not(freestanding))]
mod hosted;

#[cfg(not(freestanding))]
fn main() {
    hosted::main()
}
