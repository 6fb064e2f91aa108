//! The hot path of gvm: from an environment and a directory to the toolchain
//! that runs.
//!
//! Everything here is what the shim needs and nothing else. The crate has no
//! `std`, so the shim can be an executable without libc and its start-up cost,
//! and the compiler refuses whatever would make the hot path heavier. What the
//! operating system does reaches it through one trait, [`System`]; paths and
//! variables are bytes, because that is what Unix has (on Windows they are the
//! bytes of `OsStr::as_encoded_bytes`).
//!
//! ```text
//! version  →  pin  →  resolve  →  activation  →  shim
//!             layout ↗                       ↘  shell  →  hook
//! ```
#![no_std]

extern crate alloc;

pub mod activation;
pub mod hook;
pub mod layout;
pub mod path;
pub mod pin;
pub mod resolve;
pub mod shell;
pub mod shim;
pub mod system;
pub mod version;

pub use system::System;
