use super::{Gvm, lossy, print, print_json};
use crate::error::Result;
use crate::host::bytes;
use crate::store::usage::Usage;
use crate::ui::{self, shown};
use serde::Serialize;

/// Show what the store takes of the disk
#[derive(Debug, clap::Args)]
#[command(after_help = "\
SIZE counts each file once. FREES is what a removal gives back: files that a toolchain
shares with another one stay (hard links; clones of Btrfs, XFS and APFS look like files
of their own). The last line counts what is shared once.

Fields of --json: name, path, bytes, frees.")]
pub struct Args {
    /// For scripts
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Row {
    name: String,
    path: String,
    bytes: u64,
    frees: u64,
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    let row = |name: String, path: &std::path::Path, usage: Usage| Row {
        name,
        path: lossy(&bytes(path.as_os_str().to_os_string())),
        bytes: usage.bytes,
        frees: usage.own,
    };
    let mut rows = Vec::new();
    for toolchain in gvm.store.toolchains()? {
        let name = format!("Go {}", toolchain.label());
        rows.push(row(name, &toolchain.directory, toolchain.usage()?));
    }
    for (what, path, usage) in gvm.store.other_usage()? {
        rows.push(row(what.into(), &path, usage));
    }
    if args.json {
        return print_json(&rows);
    }
    let mut table = vec![["WHAT", "SIZE", "FREES"].map(String::from).to_vec()];
    let filled = rows.into_iter().filter(|row| row.bytes > 0);
    table.extend(filled.map(|row| vec![row.name, ui::bytes(row.bytes), ui::bytes(row.frees)]));
    print(&ui::table(&table))?;
    let (size, root) = (ui::bytes(gvm.store.size()?), shown(&gvm.store.root()));
    gvm.ui.say(format_args!("{size} in all, in {root}"));
    Ok(())
}
