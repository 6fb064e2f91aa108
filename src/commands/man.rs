use super::Gvm;
use crate::cli::Cli;
use crate::error::Result;
use crate::ui::{counted, shown};
use clap::CommandFactory;
use std::path::PathBuf;

/// Write the man pages, for packages and for those who install by hand
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  gvm man ~/.local/share/man/man1
  man gvm-install")]
pub struct Args {
    /// Where they go; it is made if need be
    #[arg(value_name = "DIRECTORY", value_hint = clap::ValueHint::DirPath)]
    directory: PathBuf,
}

/// A page for gvm, and one for each command: `gvm-install.1`.
pub fn run(gvm: &Gvm, args: Args) -> Result<()> {
    fs_err::create_dir_all(&args.directory)?;
    clap_mangen::generate_to(Cli::command(), &args.directory)?;
    let pages = fs_err::read_dir(&args.directory)?.flatten();
    let ours = pages.filter(|page| page.file_name().to_string_lossy().starts_with("gvm"));
    let count = counted(ours.count(), "page");
    gvm.ui.say(format_args!("wrote {count} to {}", shown(&args.directory)));
    Ok(())
}
