//! A tree in staging becomes a receipt, or is refused.

use super::receive::Unpacked;
use super::{Terms, arch_option};
use crate::error::{Code, Error};
use crate::executable::{self, Unreadable};
use crate::path::display;
use crate::source::{Failure, Shape, Sources};
use crate::store::{Evidence, LogRecord, Receipt, Staging, receipt};
use crate::trust::h1;
use crate::trust::sumdb::Unproved;
use crate::ui::Ui;
use crate::version::Version;
use std::io::{self, Read};
use std::path::Path;

impl Unpacked {
    /// The version that the tree says it is.
    pub(super) fn version(&self, goroot: &Path) -> Result<Version, Failure> {
        let refused = |why: String| Failure::Source(Code::Refused, why);
        let mut text = Vec::new();
        let opened = match fs_err::File::open(goroot.join("VERSION")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(refused("it has no VERSION file, so it is no Go".into()));
            }
            opened => opened?,
        };
        opened.take(4096).read_to_end(&mut text)?;
        let text = String::from_utf8_lossy(&text);
        let name = text.lines().next().unwrap_or_default().trim();
        let version = Version::parse_toolchain(name).filter(|version| !version.is_language());
        version.ok_or_else(|| {
            let name = display(name.as_bytes()).to_string();
            refused(format!("its VERSION file says `{name}`, which is no release of Go"))
        })
    }

    /// Holds a tree against the lock file and Go's checksum database. Where that
    /// cannot be asked, the weaker evidence counts, if the policy takes it; what
    /// either contradicts never does.
    fn prove(
        &self,
        h1: &str,
        version: Version,
        sources: &Sources,
        ui: &Ui,
        terms: Terms,
    ) -> Result<(Evidence, Option<LogRecord>), Failure> {
        let refused = |why: String| Failure::Source(Code::Refused, why);
        let platform = terms.platform;
        let mut weaker = self.evidence;
        if let Some(lock) = terms.lock
            && lock.check(version, platform, h1).map_err(refused)?
        {
            weaker = Evidence::LockFile;
        }
        let why = match sources.recorded(version, platform)? {
            Ok(record) if record.h1 == h1 => {
                return Ok((Evidence::ChecksumDatabase, Some((&record).into())));
            }
            Ok(record) => {
                let prefix = h1::module_prefix(version, platform);
                if self.tree.is_but_for_go_env(&prefix, &record.h1) {
                    return Err(refused(format!(
                        "it is the official Go {version} for {platform} but for go.env, \
                         which somebody edited (images of containers set GOTOOLCHAIN=local there)"
                    )));
                }
                return Err(refused(format!(
                    "its tree is {h1}, and {} records {} for Go {version} on {platform}",
                    record.database, record.h1
                )));
            }
            // Whoever serves a log that lies: nothing goes on here.
            Err(Unproved::Lie(why)) => return Err(Error::new(Code::Refused, why).into()),
            Err(Unproved::NoRecord(why) | Unproved::Unreachable(why)) => why,
        };
        let or_digest = match self.origin.source.as_str() {
            "file" if weaker == Evidence::None => "\n  to say what it must be: --sha256 DIGEST",
            _ => "",
        };
        let mirror_digest = if self.has_mirror_digest {
            ": the sha256 that its own server publishes shows only that the transfer was whole"
        } else {
            ""
        };
        if weaker < sources.require.evidence() {
            let (speaks, accept) = match weaker {
                Evidence::None => (format!("nothing proves it{mirror_digest}"), "none"),
                Evidence::LockFile => ("only the lock file speaks for it".into(), "lock"),
                _ => ("only its published sha256 speaks for it".into(), "sha256"),
            };
            return Err(refused(format!(
                "{speaks} ({why})\n  to accept it all the same: GVM_REQUIRE={accept}{or_digest}"
            )));
        }
        match weaker {
            Evidence::None => ui.warn(format_args!(
                "Go {version} for {platform} was NOT PROVED: nobody who counts vouches for it{mirror_digest}; {why}{or_digest}"
            )),
            Evidence::LockFile => ui.say(format_args!("going by the lock file: {why}")),
            _ => ui.say(format_args!(
                "going by the published sha256 alone: {why}\n  \
                 to prove it later, without downloading again: gvm verify {version}{}",
                arch_option(platform)
            )),
        }
        Ok((weaker, None))
    }

    /// Looks whether the tree is the Go that is wanted, proves it, and writes its
    /// receipt.
    pub(crate) fn check(
        self,
        version: Version,
        staging: &Staging,
        sources: &Sources,
        ui: &Ui,
        terms: Terms,
    ) -> Result<Receipt, Failure> {
        let refused = |why: String| Failure::Source(Code::Refused, why);
        let (goroot, platform) = (staging.goroot(), terms.platform);
        let found = self.version(&goroot)?;
        if found != version {
            return Err(refused(format!("it is Go {found} and should be {version}")));
        }
        // Opened as it is: whatever lies there was just written by ourselves.
        let found = ["go", "go.exe"].into_iter().find_map(|name| {
            match fs_err::File::open(goroot.join("bin").join(name)) {
                Err(error) if is_absent(&error) => None,
                opened => Some(opened.map_err(Unreadable::from).and_then(executable::read)),
            }
        });
        match found.ok_or_else(|| refused("it has no bin/go".into()))? {
            Ok(Some(found)) if found.is_for(platform) => {}
            Ok(Some(found)) => {
                let found = found.platforms_shown();
                return Err(refused(format!("its go is for {found}, and {platform} is wanted")));
            }
            Ok(None) => return Err(refused(format!("its go is no executable for {platform}"))),
            Err(Unreadable::Damaged(why)) => {
                return Err(refused(format!("its go is no executable for {platform}: {why}")));
            }
            Err(Unreadable::Io(error)) => return Err(error.into()),
        }
        if let Shape::Module { version: named, platform: on } = &self.shape
            && (*named, on) != (version, platform)
        {
            return Err(refused(format!("its files say that it is Go {named} for {on}")));
        }
        let h1 = self.tree.h1(&h1::module_prefix(version, platform));
        let (evidence, record) = self.prove(&h1, version, sources, ui, terms)?;
        staging.write_manifest(&self.tree.manifest())?;
        Ok(Receipt {
            version: format!("go{version}"),
            os: platform.os.clone(),
            arch: platform.arch.clone(),
            origin: self.origin,
            evidence,
            record,
            h1,
            files: self.files,
            bytes: self.bytes,
            installed_at: receipt::now(),
            repaired_at: None,
            gvm: env!("CARGO_PKG_VERSION").into(),
        })
    }
}

/// Whether there is nothing of that name; `bin` may be a file.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
