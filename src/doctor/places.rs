//! What a directory is like: whether it can be written, on which file system it lies,
//! how much is in it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long files are counted; a module cache may have millions.
const COUNTING: Duration = Duration::from_millis(1500);

/// The directory, or the nearest one above it that is there.
pub fn existing(directory: &Path) -> Option<&Path> {
    directory.ancestors().find(|above| above.exists())
}

/// Whether files can be made in it, or it can be made, by the answer of the system and
/// without trying.
pub fn is_writable(directory: &Path) -> bool {
    existing(directory).is_some_and(|at| at.is_dir() && may_write(at))
}

#[cfg(unix)]
fn may_write(directory: &Path) -> bool {
    use rustix::fs::{Access, access};
    access(directory, Access::WRITE_OK | Access::EXEC_OK).is_ok()
}

#[cfg(not(unix))]
fn may_write(_: &Path) -> bool {
    true
}

/// How many bytes the files below it have, and whether all could be counted in the time
/// that there is.
pub fn size(directory: &Path) -> (u64, bool) {
    let end = Instant::now() + COUNTING;
    let (mut bytes, mut open) = (0, vec![directory.to_path_buf()]);
    while let Some(directory) = open.pop() {
        for entry in fs_err::read_dir(&directory).into_iter().flatten().flatten() {
            if Instant::now() > end {
                return (bytes, false);
            }
            match entry.metadata() {
                Ok(found) if found.is_dir() => open.push(entry.path()),
                Ok(found) => bytes += found.len(),
                Err(_) => {}
            }
        }
    }
    (bytes, true)
}

/// The kind of file system on which a directory lies, if that is one of another machine.
/// The table of mounts is asked, and not the file system, which may not answer.
pub fn network_file_system(directory: &Path) -> Option<String> {
    let table = fs_err::read_to_string("/proc/self/mountinfo").ok()?;
    let real = existing(directory).and_then(|at| fs_err::canonicalize(at).ok());
    let kind = kind_of(&table, &real.unwrap_or_else(|| directory.to_path_buf()))?;
    is_remote(&kind).then_some(kind)
}

fn is_remote(kind: &str) -> bool {
    const REMOTE: [&str; 13] = [
        "nfs",
        "nfs4",
        "cifs",
        "smb3",
        "smbfs",
        "9p",
        "afs",
        "ceph",
        "lustre",
        "gpfs",
        "glusterfs",
        "ocfs2",
        "beegfs",
    ];
    const FUSE: [&str; 8] =
        ["sshfs", "rclone", "s3fs", "gcsfuse", "davfs", "glusterfs", "ceph", "curlftpfs"];
    let of_fuse = kind.strip_prefix("fuse.").is_some_and(|name| FUSE.contains(&name));
    REMOTE.contains(&kind) || of_fuse
}

/// The kind of the mount that a path lies on, by proc_pid_mountinfo(5): the fifth field
/// is where it is mounted, the one behind ` - ` its kind.
fn kind_of(table: &str, path: &Path) -> Option<String> {
    let mounts = table.lines().filter_map(|line| {
        let (mount, source) = line.split_once(" - ")?;
        let at = PathBuf::from(unescaped(mount.split(' ').nth(4)?));
        Some((at, source.split(' ').next()?))
    });
    // The last of those at one place hides the others.
    let over = mounts.filter(|(at, _)| path.starts_with(at));
    over.max_by_key(|(at, _)| at.components().count()).map(|(_, kind)| kind.to_string())
}

/// A space is `\040` there.
fn unescaped(field: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = field.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let octal = after.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(escaped) if byte == b'\\' => {
                bytes.push(escaped);
                rest = &after[3..];
            }
            _ => {
                bytes.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_of_a_path_is_that_of_the_nearest_mount() {
        let table = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
                     30 22 0:40 / /home rw,relatime shared:1 - nfs4 server:/home rw\n\
                     31 30 0:41 / /home/ada/my\\040cache rw - fuse.sshfs ada@server: rw\n\
                     32 22 0:42 / /mnt/c rw - 9p drvfs rw\n\
                     33 30 8:2 / /home/local rw - xfs /dev/sdb rw\n";
        for (path, kind) in [
            ("/srv", "ext4"),
            ("/homeless", "ext4"),
            ("/home/ada/go", "nfs4"),
            ("/home/ada/my cache/x", "fuse.sshfs"),
            ("/mnt/c/Users", "9p"),
            ("/home/local/x", "xfs"),
        ] {
            assert_eq!(kind_of(table, Path::new(path)).as_deref(), Some(kind), "{path}");
            let remote = !matches!(kind, "ext4" | "xfs");
            assert_eq!(is_remote(kind), remote, "{kind}");
        }
    }

    #[test]
    fn what_is_not_there_is_as_writable_as_what_is_above_it() {
        let place = tempfile::tempdir().unwrap();
        assert!(is_writable(&place.path().join("a/b/c")));
        fs_err::write(place.path().join("file"), "12345").unwrap();
        assert!(!is_writable(&place.path().join("file")));
        assert_eq!(size(place.path()), (5, true));
    }
}
