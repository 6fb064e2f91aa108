//! Links the shim as an executable without libc where its start code is our own.

use std::env;

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
}
