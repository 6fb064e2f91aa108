//! The command line. The doc comments are the help text.

use crate::commands::{
    completions, current, default, doctor, du, env, exec, hook, import, install, list, list_remote,
    man, mirror, outdated, pin, prune, root, setup, teardown, uninstall, upgrade, use_, verify,
    which,
};
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Parser, Subcommand};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Keeps many versions of Go and runs the right one.
///
/// A repository says which Go it wants in a file called .go-version; gvm makes
/// every `go` that you type there the right one, and a shell's GOROOT and PATH
/// with it.
#[derive(Debug, Parser)]
#[command(
    name = "gvm",
    version,
    styles = STYLES,
    disable_help_subcommand = false,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 96,
    after_help = "\
Getting started:
  gvm install 1.26             the newest 1.26.x
  gvm default 1.26             where nothing is pinned
  gvm setup                    lets your shells know; gvm teardown undoes it
  gvm pin 1.26                 writes .go-version here

A VERSION is 1.22.4, 1.22 or 1.22.x (the newest of it), 1.22rc1, latest, stable,
oldstable or system; go1.22.4 and v1.22.4 are read as 1.22.4.

Which version counts: GVM_VERSION (gvm use), the nearest .go-version or
.tool-versions upward, go.work or go.mod as a minimum, the default, system."
)]
pub struct Cli {
    /// Say nothing but warnings and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,

    /// Send nothing over the network; go by what is here
    #[arg(long, global = true)]
    pub offline: bool,

    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    #[command(alias = "i")]
    Install(install::Args),
    #[command(alias = "remove", alias = "rm")]
    Uninstall(uninstall::Args),
    Import(import::Args),
    Verify(verify::Args),
    #[command(alias = "ls")]
    List(list::Args),
    #[command(alias = "ls-remote", alias = "listall")]
    ListRemote(list_remote::Args),
    Outdated(outdated::Args),
    Upgrade(upgrade::Args),
    Prune(prune::Args),
    Du(du::Args),
    Mirror(mirror::Args),
    Use(use_::Args),
    Default(default::Args),
    #[command(alias = "local")]
    Pin(pin::Args),
    Current(current::Args),
    Which(which::Args),
    Exec(exec::Args),
    Env(env::Args),
    Setup(setup::Args),
    Teardown(teardown::Args),
    Doctor(doctor::Args),
    Hook(hook::Args),
    Completions(completions::Args),
    Man(man::Args),
    #[command(alias = "prefix")]
    Root(root::Args),
    /// What a shim hands over when a version is missing.
    #[command(name = "__shim", hide = true)]
    Shim(exec::ShimArgs),
}
