//! Links the shim as an executable without libc where its start code is our own, and
//! gvm with as few libraries as it needs.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(freestanding)");

    let target = |name: &str| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    // For a linker that cannot do it, and to test the other shim on Linux.
    println!("cargo:rerun-if-env-changed=GVM_HOSTED_SHIM");
    let hosted = env::var_os("GVM_HOSTED_SHIM").is_some();
    // For musl, rustc brings start files of its own, which cannot be left out;
    // there std is static and starts quickly by itself.
    let freestanding = !hosted
        && target("OS") == "linux"
        && target("ENV") == "gnu"
        && matches!(target("ARCH").as_str(), "x86_64" | "aarch64");
    if freestanding {
        println!("cargo:rustc-cfg=freestanding");
        // The dynamic loader and libc's start-up are most of what a small
        // program costs; see src/bin/gvm-shim/freestanding.rs.
        // Nothing is relocated, so a part that becomes read-only after that would be
        // one more mapping for nothing.
        for argument in ["-nostartfiles", "-nostdlib", "-static", "-no-pie", "-Wl,-z,norelro"] {
            println!("cargo:rustc-link-arg-bin=gvm-shim={argument}");
        }
    }

    // std names the shared libgcc for its backtraces. Where the static one comes first,
    // the loader has one library less to find, which is a tenth of gvm's start.
    if target("OS") == "linux" && target("ENV") == "gnu" && has_library("libgcc_eh.a") {
        println!("cargo:rustc-link-lib=static:-bundle=gcc_eh");
    }
}

/// Whether the compiler that links knows a library; it prints the bare name if not.
fn has_library(name: &str) -> bool {
    println!("cargo:rerun-if-env-changed=RUSTC_LINKER");
    let linker = env::var_os("RUSTC_LINKER").unwrap_or_else(|| "cc".into());
    let found = Command::new(linker).arg(format!("-print-file-name={name}")).output();
    found.is_ok_and(|found| {
        let path = String::from_utf8_lossy(&found.stdout);
        Path::new(path.trim()).is_absolute()
    })
}
