//! Upgrading: a toolchain out of an installed neighbour's files and those members of
//! a module zip that differ. It counts if the whole tree is then the one that the
//! checksum database or the lock file names, and only then: the sums by which files
//! are told apart are not secure, and need not be.

use super::Terms;
use super::assembly::{self, Assembly, Wanted};
use super::receive::Unpacked;
use crate::archive::members::Member;
use crate::error::{Code, Error, Result};
use crate::source::{Failure, RangedZip, Shape, Sources};
use crate::store::share::Neighbour;
use crate::store::{Evidence, Origin, Parts, Store, Toolchain};
use crate::trust::h1;
use crate::trust::sumdb::Unproved;
use crate::ui::Ui;
use crate::version::Version;
use std::collections::BTreeMap;

/// Installs a version by the parts of its zip; `None` where the whole zip has to do,
/// and a line says why, if something was wrong.
///
/// # Errors
/// The store cannot be written, or the checksum database lies.
pub(super) fn by_parts(
    zip: &RangedZip,
    toolchain: &Toolchain,
    store: &Store,
    sources: &Sources,
    ui: &Ui,
    version: Version,
    terms: Terms,
) -> Result<Option<Toolchain>> {
    // A zip whose tree nobody names is taken whole: then its sha256 is known at least.
    let is_named = match sources.recorded(version, terms.platform)? {
        Ok(_) => true,
        Err(Unproved::Lie(why)) => return Err(Error::new(Code::Refused, why)),
        Err(Unproved::NoRecord(_) | Unproved::Unreachable(_)) => {
            terms.lock.is_some_and(|lock| lock.file.get(version, terms.platform).is_some())
        }
    };
    if !is_named {
        return Ok(None);
    }
    match put_together(zip, toolchain, store, sources, ui, version, terms) {
        Ok(made) => Ok(made),
        Err(Failure::Here(error)) => Err(error),
        Err(Failure::Source(_, why)) => {
            let old = toolchain.version;
            ui.say(format_args!(
                "fetching the whole archive; with the files of Go {old} it did not work: {why}"
            ));
            Ok(None)
        }
    }
}

fn put_together(
    zip: &RangedZip,
    toolchain: &Toolchain,
    store: &Store,
    sources: &Sources,
    ui: &Ui,
    version: Version,
    terms: Terms,
) -> Result<Option<Toolchain>, Failure> {
    let platform = terms.platform;
    let prefix = h1::module_prefix(version, platform);
    let members = assembly::list(zip, &prefix).map_err(Failure::refused)?;

    let staging = store.stage(ui)?;
    let neighbour = Neighbour::new(&toolchain.goroot, sources.share, &staging)?;
    // What has another size differs; that is known without reading it.
    let (like, unlike): (Vec<_>, Vec<_>) =
        members.iter().partition(|(path, member)| neighbour.size_of(path) == Some(member.size));
    let mut wanted: BTreeMap<&str, &Member> =
        unlike.into_iter().map(|(path, member)| (path.as_str(), member)).collect();
    if !pays(zip, &wanted) {
        return Ok(None);
    }
    let mut assembly = Assembly::new(&staging, ui);
    let like: Vec<_> =
        like.into_iter().map(|(path, member)| (path.as_str(), Wanted::from(member))).collect();
    let others = assembly.take(&neighbour, &like)?;
    let others = members.iter().filter(|(path, _)| others.contains(path.as_str()));
    wanted.extend(others.map(|(path, member)| (path.as_str(), member)));
    if !pays(zip, &wanted) {
        return Ok(None);
    }
    assembly.fetch(zip, &wanted)?;

    let unpacked = Unpacked {
        files: assembly.tree.files().count() as u64,
        bytes: assembly.bytes,
        tree: assembly.tree,
        shape: Shape::Module { version, platform: platform.clone() },
        origin: Origin {
            source: "proxy".into(),
            url: zip.url(),
            sha256: None,
            size: zip.size(),
            parts: Some(Parts {
                files: wanted.len() as u64,
                bytes: zip.fetched(),
                neighbour: format!("go{}", toolchain.version),
            }),
        },
        evidence: Evidence::None,
        has_mirror_digest: false,
    };
    let receipt = unpacked.check(version, &staging, sources, ui, terms)?;
    if receipt.evidence < Evidence::LockFile {
        return Err(Failure::refused("nothing names its tree"));
    }
    Ok(Some(store.publish(staging, version, platform, &receipt, ui)?))
}

/// Whether parts are worth it: much of a zip in pieces is slower than all of it at
/// once, and the files that are taken have to be read as well.
fn pays(zip: &RangedZip, wanted: &BTreeMap<&str, &Member>) -> bool {
    let members: Vec<_> = wanted.values().copied().collect();
    zip.fetched() + RangedZip::cost(&members) <= zip.size() / 3 * 2
}
