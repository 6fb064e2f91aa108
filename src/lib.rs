//! gvm: a Go version manager.
//!
//! The rooms, from the user down; a room knows only those below it:
//!
//! ```text
//! cli  commands                     what the user typed
//! doctor                            what may be wrong on a machine
//! install  verify  locking          source, proof and store, tied together
//! catalog  source  archive  trust   what exists, where it comes from, why it is believed
//! store                             what is installed
//! managers                          others that keep toolchains, and where
//! setup                             shells set up, and that taken back
//! shell                             the hooks' scripts
//! config  ui  error  files  host    settings, terminal, errors, files, operating system
//! process                           other programs, bounded in time
//! executable                        what a file's headers say of it
//! gvm-hot                           version, pin, resolve, activation, also as text for a
//!                                   shell: what the shim needs
//! ```

pub mod archive;
pub mod catalog;
pub mod cli;
pub mod commands;
pub mod config;
pub mod doctor;
pub mod error;
pub mod executable;
pub mod files;
pub mod goenv;
pub mod host;
pub mod install;
pub mod locking;
pub mod managers;
pub mod platform;
pub mod process;
pub mod setup;
pub mod shell;
pub mod source;
pub mod store;
pub mod trust;
pub mod ui;
pub mod verify;

pub use gvm_hot::{activation, layout, path, pin, resolve, version};
