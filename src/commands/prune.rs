use super::upgrade::in_use;
use super::{Gvm, confirm, print};
use crate::error::{Code, Error, Result};
use crate::store::Toolchain;
use crate::store::usage::usage;
use crate::ui::{self, counted, shown};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Remove what nobody needs: half downloads and installs, and unused versions
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --unused, only what was ended in the middle goes. A version that the default, a
pin that gvm has come upon, or this shell asks for stays, however long ago it ran.

Examples:
  gvm prune
  gvm prune --unused 90        versions too that have not run for 90 days
  gvm prune --unused 90 --dry-run")]
pub struct Args {
    /// Versions too whose go has not run for so many days
    #[arg(long, value_name = "DAYS")]
    unused: Option<u16>,

    /// Do not ask
    #[arg(long, short)]
    yes: bool,

    /// Only show what would be removed
    #[arg(long, short = 'n', conflicts_with = "yes")]
    dry_run: bool,
}

/// Something that goes.
enum Waste {
    Version(Toolchain),
    /// Of an install; the store deletes all of them together.
    Staging,
    Download(PathBuf),
}

pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    let mut waste = Vec::new();
    let mut table = vec![["WHAT", "FREES", "WHY"].map(String::from).to_vec()];
    let mut add = |what: Waste, name: String, size: u64, why: String| {
        table.push(vec![name, ui::bytes(size), why]);
        waste.push((what, size));
    };
    if let Some(days) = args.unused {
        for (toolchain, age) in unused(gvm, u64::from(days))? {
            let own = toolchain.usage()?.own;
            let name = format!("Go {}", toolchain.label());
            let why = format!("has not run for {}", counted(age as usize, "day"));
            add(Waste::Version(toolchain), name, own, why);
        }
    }
    for directory in gvm.store.left_over() {
        let size = usage(&directory)?.own;
        add(Waste::Staging, shown(&directory), size, "an install that was ended".into());
    }
    for file in gvm.store.kept_downloads() {
        let size = usage(&file)?.own;
        add(Waste::Download(file.clone()), shown(&file), size, "a download that was ended".into());
    }
    if waste.is_empty() {
        gvm.ui.say("there is nothing that nobody needs");
        return Ok(());
    }
    print(&ui::table(&table))?;
    let total = ui::bytes(waste.iter().map(|(_, size)| size).sum());
    if args.dry_run {
        gvm.ui.say(format_args!("{total} would be freed"));
        return Ok(());
    }
    confirm(&format!("remove that, {total}?"), args.yes, "nothing was removed")?;
    for (what, _) in &waste {
        match what {
            Waste::Version(toolchain) => gvm.remove(toolchain)?,
            Waste::Staging => gvm.store.recover(&gvm.ui)?,
            Waste::Download(file) => fs_err::remove_file(file)?,
        }
    }
    gvm.ui.say(format_args!("freed {total}"));
    Ok(())
}

/// Toolchains that have not run for so many days and that nobody asks for, each with
/// how many it is.
fn unused(gvm: &Gvm, days: u64) -> Result<Vec<(Toolchain, u64)>> {
    // What pins ask for in part is there once: the newest that fits.
    let mut wanted = in_use(gvm, &gvm.store.seen_pins()?)?;
    wanted.extend(gvm.active()?);
    let mut unused = Vec::new();
    for toolchain in gvm.store.toolchains()? {
        let version = toolchain.version;
        if toolchain.platform.is_host() && wanted.contains(&version) {
            continue;
        }
        let last = toolchain.last_run().map_err(|why| {
            let message = format!("when Go {version} last ran is not known: {why}");
            Error::new(Code::Failure, message)
                .hint(format!("to remove it: gvm uninstall {version}"))
        })?;
        let age = SystemTime::now().duration_since(last).unwrap_or_default();
        let age = age.as_secs() / DAY.as_secs();
        if age >= days {
            unused.push((toolchain, age));
        }
    }
    Ok(unused)
}
