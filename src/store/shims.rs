//! The shims: real files, never symbolic links, so that a program that resolves
//! links (editors do) still runs a shim by its name.

use crate::error::{Code, Error, Result};
use crate::files;
use crate::path::EXE_SUFFIX;
use crate::ui::shown;
use crate::version::Version;
use std::collections::BTreeSet;
use std::env;
use std::fs::Metadata;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The shim executable, which is installed beside gvm.
///
/// # Errors
/// It is not there.
pub(crate) fn executable() -> Result<PathBuf> {
    // A hook asks for it twice at each start of a shell.
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    if let Some(found) = FOUND.get() {
        return Ok(found.clone());
    }
    let gvm = env::current_exe()?;
    let beside = |gvm: &Path| gvm.with_file_name(format!("gvm-shim{EXE_SUFFIX}"));
    let mut shim = beside(&gvm);
    if !shim.is_file() {
        // Packages may put a link on PATH, which some systems do not resolve.
        shim = beside(&fs_err::canonicalize(&gvm).unwrap_or(gvm));
    }
    if shim.is_file() {
        return Ok(FOUND.get_or_init(|| shim).clone());
    }
    Err(Error::new(Code::Failure, format!("the shim executable is not at {}", shown(&shim)))
        .hint("install gvm and gvm-shim into one directory: cargo install installs both"))
}

/// Whether the shims are those of this gvm.
pub(super) fn are_current(shims: &Path) -> bool {
    let of = |path: PathBuf| fs_err::metadata(path).ok();
    let Some(source) = executable().ok().and_then(of) else { return false };
    [format!("go{EXE_SUFFIX}"), format!("gofmt{EXE_SUFFIX}")]
        .iter()
        .all(|name| of(shims.join(name)).is_some_and(|shim| is_copy(&shim, &source)))
}

/// A hard link, or a copy that kept size and time.
fn is_copy(shim: &Metadata, source: &Metadata) -> bool {
    shim.len() == source.len() && shim.modified().ok() == source.modified().ok()
}

/// What the shims for these versions are called.
fn names(versions: &[Version]) -> BTreeSet<String> {
    let fixed = ["go", "gofmt"].map(String::from).into_iter();
    let all = fixed.chain(versions.iter().map(|version| format!("go{version}")));
    all.map(|name| format!("{name}{EXE_SUFFIX}")).collect()
}

/// Whether it is the name of a version's shim.
fn is_version(name: &str) -> bool {
    let stem = name.strip_suffix(EXE_SUFFIX).unwrap_or(name);
    Version::parse_toolchain(stem).is_some_and(|version| stem == format!("go{version}"))
}

/// The shims that are not as [`refresh`] would make them, each with what is wrong.
pub(super) fn faults(shims: &Path, versions: &[Version]) -> Result<Vec<(String, &'static str)>> {
    let source = fs_err::metadata(executable()?)?;
    let wanted = names(versions);
    let mut faults = Vec::new();
    for name in &wanted {
        match fs_err::symlink_metadata(shims.join(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                faults.push((name.clone(), "is missing"));
            }
            Err(error) => return Err(error.into()),
            Ok(found) if !found.is_file() => faults.push((name.clone(), "is not a file")),
            Ok(found) if !is_copy(&found, &source) => {
                faults.push((name.clone(), "is not this gvm's shim"));
            }
            Ok(_) => {}
        }
    }
    for entry in fs_err::read_dir(shims).into_iter().flatten() {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if is_version(&name) && !wanted.contains(&name) {
            faults.push((name, "is of a version that is not installed"));
        }
    }
    Ok(faults)
}

/// Makes the directory hold exactly the shims for `versions`. The caller holds
/// the lock of the shims. Each file is replaced by a rename: a shim that is
/// looked for is there, and one that runs goes on running.
pub(super) fn refresh(shims: &Path, gvm_path: &Path, versions: &[Version]) -> Result<()> {
    let source = executable()?;
    let source_metadata = fs_err::metadata(&source)?;
    fs_err::create_dir_all(shims)?;

    // Where a shim finds gvm when a version is missing. It is there before the
    // shims are, which tell whether a refresh came to its end.
    let gvm = env::current_exe()?.into_os_string().into_encoded_bytes();
    if files::read(gvm_path, 64 << 10).ok().flatten().as_deref() != Some(&gvm) {
        files::replace(gvm_path, &gvm, None)?;
    }

    let wanted = names(versions);
    for entry in fs_err::read_dir(shims)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // What is not ours by its name is left alone.
        let is_ours = is_version(&name) || name.starts_with(".new-");
        if is_ours && entry.file_type()?.is_file() && !wanted.contains(name.as_ref()) {
            fs_err::remove_file(entry.path())?;
        }
    }
    for name in &wanted {
        let shim = shims.join(name);
        let current = fs_err::symlink_metadata(&shim).ok().filter(Metadata::is_file);
        if !current.is_some_and(|current| is_copy(&current, &source_metadata)) {
            place(&source, &source_metadata, &shim)?;
        }
    }

    Ok(())
}

/// Links `source` to `shim`, or copies it where that is not possible: another
/// file system, or a file of another user.
fn place(source: &Path, metadata: &Metadata, shim: &Path) -> Result<()> {
    let new = shim.with_file_name(format!(".new-{}", std::process::id()));
    let _ = fs_err::remove_file(&new);
    if fs_err::hard_link(source, &new).is_err() {
        fs_err::copy(source, &new)?;
        let file = fs_err::OpenOptions::new().write(true).open(&new)?;
        file.file().set_modified(metadata.modified()?)?;
    }
    // A running executable cannot be replaced on Windows, but moved away.
    if cfg!(windows) && shim.exists() {
        let old = shim.with_extension(format!("old-{}", std::process::id()));
        fs_err::rename(shim, &old)?;
        fs_err::rename(&new, shim)?;
        let _ = fs_err::remove_file(old);
        return Ok(());
    }
    Ok(fs_err::rename(new, shim)?)
}
