//! Why bytes are believed: digests of archives, and the hash of a tree as Go's
//! checksum database records it.

pub mod h1;
pub mod lockfile;
pub mod merkle;
pub mod note;
pub mod scan;
pub mod sha256;
pub mod sumdb;
